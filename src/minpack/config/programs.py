"""The programs that a text of `minpack.toml` names: a path, a glob, or a pattern with ``{platform}``."""

from __future__ import annotations

import os
import re
from functools import cache
from glob import glob, has_magic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

PLATFORM = "{platform}"
#: Names of architectures, by that of OCI: as in Go's GOARCH and GNU's triples, the latter as patterns.
_NAMES = {
    "amd64": ("amd64", "x86_64"),
    "386": ("386", "i[3-6]86"),
    "arm64": ("arm64", "aarch64"),
    "arm": ("arm", "arm(?:v[5-8][a-z]*)?"),
    "riscv64": ("riscv64", "riscv64(?:gc|imac)?"),
    "ppc64le": ("ppc64le", "powerpc64le|ppc64le"),
    "s390x": ("s390x", "s390x"),
    "loong64": ("loong64", "loongarch64"),
    "mips64le": ("mips64le", "mips64el"),
    "mipsle": ("mipsle", "mipsel"),
    "mips64": ("mips64", "mips64"),
    "mips": ("mips", "mips"),
}
#: What Go adds to an architecture: GOAMD64, GOARM64, GOARM, GO386, GOPPC64, GORISCV64, GOMIPS as goreleaser has them.
_LEVEL = r"(?:[_/-]?(?:v\d+(?:\.\d+)?[a-z,]*|[5-8]|sse2|softfloat|hardfloat|power\d+|rva\d+u64))?"
#: The names of platforms have so many slashes at most: linux/arm/v7.
_MOST_PARTS = 3


class NoProgramError(Exception):
    """Nothing matches a pattern; `reason` says what was looked for."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


def find_programs(pattern: str, wanted: Collection[str] = ()) -> tuple[str, ...]:
    """The files that `pattern` names, sorted; a text that is no pattern is itself, be there such a file or not.

    :param wanted: OCI's names of the architectures that ``{platform}`` stands for; none for all that are known.
    :raises NoProgramError: nothing matches.
    """
    if PLATFORM in pattern:
        found = _of_platforms(pattern, wanted)
    elif has_magic(pattern):
        found = tuple(sorted(path for path in glob(pattern, recursive=True) if not os.path.isdir(path)))
    else:
        return (pattern,)
    if not found:
        hint = "build the programs first, or check the pattern; it is relative to the directory of the file"
        raise NoProgramError("no file matches", hint)
    return found


def _of_platforms(pattern: str, wanted: Collection[str]) -> tuple[str, ...]:
    parts = pattern.split(PLATFORM)
    # The name of a platform may have slashes in it, as Docker writes it.
    globs = ("/".join("*" * count) for count in range(1, _MOST_PARTS + 1))
    paths = {path for one in globs for path in glob(one.join(parts), recursive=True)}
    matching = re.compile(f"({_names(tuple(sorted(wanted)))})".join(map(_as_regex, parts)))
    return tuple(sorted(path for path in paths if matching.fullmatch(path) and not os.path.isdir(path)))


@cache
def _names(wanted: tuple[str, ...]) -> str:
    """A pattern of all names that the platforms may have in paths."""
    rows = [row for name, row in _NAMES.items() if not wanted or name in wanted]
    systems = "|".join(
        rf"[Ll]inux[_/-](?:{go}|{gnu}){_LEVEL}|(?:{gnu})(?:-[a-z]+)?-linux-[a-z0-9]+(?:-[a-z0-9]+)?" for go, gnu in rows
    )
    return systems or "(?!)"


def _as_regex(text: str) -> str:
    """The regular expression of a glob, as far as it was matched already: what its stars stand for is not looked at."""
    pieces = re.split(r"(\*\*/|\*+|\?|\[[^\]]+\])", text)
    return "".join(_piece(piece) for piece in pieces if piece)


def _piece(piece: str) -> str:
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    one_of = piece.startswith("[") and piece.endswith("]")
    return "[^/]" if one_of else known.get(piece, re.escape(piece))
