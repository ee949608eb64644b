"""Contents indexes: which packages have a file (Debian repository format, "Contents indices").

Of the two million paths of a suite the libraries and programs alone are kept: a hundred thousand.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.deb.control import DAMAGED
from minpack.deb.table import build_table
from minpack.errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: The most bytes of one line; the longest of Debian's has some 30 KB, for a file of a thousand packages.
MAX_LINE = 1 << 18
#: The most libraries and programs that are kept: each costs memory.
MAX_FILES = 2_000_000
#: The most packages that are kept of those that have one file.
MAX_OWNERS = 200
#: What of the root is the same as below /usr (Debian Policy, section 10.1.1; usrmerge).
MERGED = (b"bin", b"sbin", b"lib", b"lib32", b"lib64", b"libo32", b"libx32")
#: Not looked for by any loader.
_PASSED_OVER = (b"usr/lib/debug/", b"usr/share/", b"usr/src/")
_LIBRARY, _PROGRAM = b".so", b"bin/"
#: What packages have for people, and for other packages' programs: commands, and helpers in directories of their own.
_PROGRAM_PATH = re.compile(rb"(?:usr/)?s?bin/|usr/(?:lib|libexec)/.*/s?bin/")


def files_table(pieces: Iterable[bytes], where: str) -> bytes:
    """A table (`minpack.deb.table`) of the packages that have each library and program, by its path in a merged /usr.

    The paths are absolute, and the packages, sorted, are separated by commas. Libraries are the files that have
    ``.so`` at the end of their name, or followed by a dot; programs those in a directory called ``bin`` or ``sbin``.

    :param pieces: the index, uncompressed.
    :param where: what to call the index in errors.
    :raises PackageError: a line is too long, has no package, or there are too many.
    """
    found: dict[bytes, set[bytes]] = {}
    for line in _wanted_lines(pieces, where):
        path, owners = _parsed(line, where)
        if path.startswith(_PASSED_OVER):
            continue
        found.setdefault(merged(path), set()).update(owners)
        if len(found) > MAX_FILES:
            raise PackageError(where, f"it has more than {MAX_FILES} libraries and programs", DAMAGED)
    return build_table({path: b",".join(sorted(owners)[:MAX_OWNERS]) for path, owners in found.items()})


def merged(path: bytes) -> bytes:
    """The absolute path at which a package's file, with a path relative to the root, lies in a merged /usr."""
    return b"/usr/" + path if path.partition(b"/")[0] in MERGED else b"/" + path


def _wanted_lines(pieces: Iterable[bytes], where: str) -> Iterator[bytes]:
    """The lines of libraries and programs; the others, nearly all, are never cut out."""
    rest = b""
    for piece in pieces:
        whole, new_line, rest = (rest + piece).rpartition(b"\n")
        if len(rest) > MAX_LINE:
            raise PackageError(where, f"it has a line of more than {MAX_LINE} bytes", DAMAGED)
        yield from _libraries(whole + new_line)
        yield from _programs(whole + new_line)
    yield from _libraries(rest + b"\n")
    yield from _programs(rest + b"\n")


def _programs(lines: bytes) -> Iterator[bytes]:
    at = lines.find(_PROGRAM)
    while at >= 0:
        start, end = lines.rfind(b"\n", 0, at) + 1, lines.find(b"\n", at)
        line = lines[start:end]
        if _PROGRAM_PATH.match(line):
            yield line
        at = lines.find(_PROGRAM, end)


def _libraries(lines: bytes) -> Iterator[bytes]:
    at = lines.find(_LIBRARY)
    while at >= 0:
        start, end = lines.rfind(b"\n", 0, at) + 1, lines.find(b"\n", at)
        if lines[at + 3 : at + 4] in (b".", b" ", b"\t"):
            line = lines[start:end]
            if _is_library(line):
                yield line
                at = end
        at = lines.find(_LIBRARY, at + 1)


def _is_library(line: bytes) -> bool:
    name = line.rsplit(None, 1)[0].rpartition(b"/")[2]
    return name.endswith(_LIBRARY) or _LIBRARY + b"." in name


def _parsed(line: bytes, where: str) -> tuple[bytes, list[bytes]]:
    """The path and the names of its packages, which are written with their sections: ``libs/zlib1g,libs/other``."""
    parts = line.rsplit(None, 1)
    owners = [owner.rpartition(b"/")[2] for owner in parts[-1].split(b",")]
    if len(parts) < 2 or not all(owners) or b"\0" in line:  # noqa: PLR2004 - a path and its packages
        raise PackageError(where, f"{line[:100].decode('utf-8', 'replace')!r} is not a file with its packages", DAMAGED)
    return parts[0], owners
