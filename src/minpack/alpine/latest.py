"""What a mirror says of its own releases: ``latest-releases.yaml`` and the ``.sha512`` beside each file.

Both come unsigned from the server that has the tarballs: they guard against a
broken transfer, not against that server. Alpine writes the list with
`scripts/mkimage-yaml.sh` of its aports: a list of flat maps, of which only
`desc` has more than one line. The newest release alone is in it.
"""

from __future__ import annotations

import re

_ENTRY = re.compile(r"-(?:\s|$)")
_FIELD = re.compile(r" {2}([a-z0-9]{1,20}): *(\S{1,200}) *", re.ASCII)


def listed_minirootfs(document: bytes) -> tuple[dict[str, str], ...]:
    """The entries of a ``latest-releases.yaml`` whose flavor is ``alpine-minirootfs``, each field as text.

    What is not understood is left out.
    """
    entries: list[dict[str, str]] = []
    for line in document.decode("utf-8", "replace").splitlines():
        if _ENTRY.match(line):
            entries.append({})
        elif entries and (match := _FIELD.fullmatch(line)):
            entries[-1].setdefault(match[1], match[2].strip("\"'"))
    return tuple(entry for entry in entries if entry.get("flavor") == "alpine-minirootfs")


def sum_for(document: bytes, file: str) -> str | None:
    """The SHA-512 of `file` in the text of a ``.sha512`` file: lines of ``<hex>  <file>``."""
    for line in document.decode("utf-8", "replace").splitlines():
        match line.split():
            case [hexadecimal, name] if name.lstrip("*") == file and is_sha512(hexadecimal):
                return hexadecimal
    return None


def is_sha512(text: str) -> bool:
    """Whether `text` is a SHA-512 in lower-case hexadecimal."""
    return re.fullmatch("[0-9a-f]{128}", text) is not None
