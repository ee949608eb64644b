"""`Release`: what a distribution's signed release file says of its indexes (Debian repository format)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.deb.control import DAMAGED, parse_paragraph
from minpack.deb.trust import signed_text
from minpack.errors import PackageError
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

#: No suite has more indexes; each takes memory.
MAX_FILES = 200_000
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(
    r"[A-Z][a-z]{2}, {1,2}(\d{1,2}) ([A-Z][a-z]{2}) (\d{4}) (\d\d:\d\d:\d\d) (?:UTC|GMT|\+0000|Z)", re.ASCII
)
_FILE = re.compile(r"([0-9a-f]{64})[ \t]+(\d{1,15})[ \t]+(\S+)", re.ASCII)


class IndexFile(NamedTuple):
    """An index of a suite: its path below the suite's directory, its size in bytes and its SHA-256."""

    path: str
    size: int
    sha256: str


class Release(NamedTuple):
    """A verified release.

    `date` and `valid_until` are written ``YYYY-MM-DDTHH:MM:SSZ``; the latter is empty where the suite has none.
    `by_hash` tells whether indexes can be had by their sum.
    """

    suite: str
    codename: str
    version: str
    date: str
    valid_until: str
    architectures: tuple[str, ...]
    components: tuple[str, ...]
    by_hash: bool
    files: Mapping[str, IndexFile]

    def find_index(self, path: str, *endings: str) -> IndexFile | None:
        """The first of the indexes ``path`` + ending that the release lists."""
        return next((self.files[path + ending] for ending in endings if path + ending in self.files), None)


def read_release(message: bytes, keys: Mapping[str, bytes], where: str) -> Release:
    """The release that an ``InRelease`` file holds, if one of `keys` has signed it.

    :param keys: see `minpack.deb.trust.signed_text`.
    :param where: what to call the file in errors.
    :raises UntrustedPackageError: none of the keys has signed it, or it was changed.
    :raises PackageError: it is no release, or lacks what one must have.
    """
    return parse_release(signed_text(message, keys, where), where)


def parse_release(text: bytes, where: str) -> Release:
    """The release that the signed text `text` describes.

    :raises PackageError: it is no release, or lacks what one must have.
    """
    fields = parse_paragraph(text.replace(b"\r\n", b"\n"), where)
    if missing := [
        name for name in ("Codename", "Date", "SHA256", "Architectures", "Components") if name not in fields
    ]:
        raise PackageError(where, f"it has no field {missing[0]}", DAMAGED)
    return Release(
        fields.get("Suite", ""),
        fields["Codename"],
        fields.get("Version", ""),
        _date(fields["Date"], where),
        _date(fields["Valid-Until"], where) if "Valid-Until" in fields else "",
        tuple(fields["Architectures"].split()),
        # Those of the security archive are written updates/main, and its paths are not.
        tuple(component.rpartition("/")[2] for component in fields["Components"].split()),
        fields.get("Acquire-By-Hash", "").strip().lower() == "yes",
        _files(fields["SHA256"], where),
    )


def _date(text: str, where: str) -> str:
    match = _DATE.fullmatch(text.strip())
    if match is None or match[2] not in _MONTHS:
        raise PackageError(where, f"{text[:60]!r} is not a date", DAMAGED)
    day, month, year, time = match.groups()
    return f"{year}-{_MONTHS.index(month) + 1:02}-{int(day):02}T{time}Z"


def _files(text: str, where: str) -> dict[str, IndexFile]:
    lines = text.strip().split("\n") if text.strip() else []
    if len(lines) > MAX_FILES:
        raise PackageError(where, f"it lists more than {MAX_FILES} files", DAMAGED)
    files = {}
    for line in lines:
        match = _FILE.fullmatch(line.strip())
        if match is None or not is_plain_path(match[3]):
            raise PackageError(where, f"{line.strip()[:100]!r} is not a file with its sum", DAMAGED)
        files[match[3]] = IndexFile(match[3], int(match[2]), match[1])
    return files


def is_plain_path(path: str) -> bool:
    """Whether `path` is relative, stays below where it starts, and can stand in a URL as it is, save for escapes."""
    return re.fullmatch(r"[A-Za-z0-9._+~:=%,@-]+(/[A-Za-z0-9._+~:=%,@-]+)*", path, re.ASCII) is not None and not any(
        part in (".", "..") for part in path.split("/")
    )
