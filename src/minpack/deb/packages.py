"""`DebianPackage`: what a suite's Packages index says of one package, and the table made of the whole index."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.deb.control import DAMAGED, field_of, split_paragraphs
from minpack.deb.release import is_plain_path
from minpack.deb.table import build_table
from minpack.deb.version import version_key
from minpack.errors import PackageError
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Debian Policy, section 5.6.7; two characters at least there, one is known to have been used.
_NAME = re.compile(rb"[a-z0-9][a-z0-9.+-]{0,199}")
_SHA256 = re.compile(rb"[0-9a-f]{64}")
#: No suite has more packages (main of Debian 13 has 69,000).
MAX_PACKAGES = 500_000
#: The fields that are kept, in the order of a record.
_FIELDS = (b"Version", b"Architecture", b"Filename", b"Size", b"SHA256", b"Priority")
#: How much a package belongs to every system, the most first (Debian Policy, section 2.5).
PRIORITIES = ("required", "important", "standard", "optional", "extra")


class DebianPackage(NamedTuple):
    """A package of a suite. `path` is where it lies below the mirror's address, `size` is in bytes."""

    name: str
    version: str
    architecture: str
    path: str
    size: int
    sha256: str
    priority: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def packages_table(pieces: Iterable[bytes], where: str) -> bytes:
    """A table (`minpack.deb.table`) of the packages in an index; of two versions of one, the higher.

    :param pieces: the index, uncompressed.
    :param where: what to call the index in errors.
    :raises PackageError: it is damaged, or says what cannot be true.
    """
    found: dict[bytes, bytes] = {}
    for paragraph in split_paragraphs(pieces, where):
        name = field_of(paragraph, b"Package")
        values = tuple(field_of(paragraph, field) for field in _FIELDS)
        if _NAME.fullmatch(name) is None or not _plausible(values):
            raise PackageError(
                where, f"what it says of package {name[:60].decode('utf-8', 'replace')!r} is no use", DAMAGED
            )
        known = found.get(name)
        if known is not None and _key(known.partition(b"\0")[0]) >= _key(values[0]):
            continue
        found[name] = b"\0".join(values)
        if len(found) > MAX_PACKAGES:
            raise PackageError(where, f"it has more than {MAX_PACKAGES} packages", DAMAGED)
    return build_table(found)


def package_of(name: str, record: bytes) -> DebianPackage:
    """The package whose record in a table of `packages_table` is `record`."""
    version, architecture, path, size, sha256, priority = (part.decode("ascii") for part in record.split(b"\0"))
    return DebianPackage(name, version, architecture, path, int(size), sha256, priority)


def _plausible(values: tuple[bytes, ...]) -> bool:
    version, architecture, path, size, sha256, priority = values
    return (
        all(value.isascii() and b"\0" not in value for value in values)
        and bool(version)
        and bool(architecture)
        and len(path) < 1000  # noqa: PLR2004 - several times the longest
        and is_plain_path(path.decode("ascii", "replace"))
        and size.isdigit()
        and len(size) < 15  # noqa: PLR2004 - what no disk holds
        and _SHA256.fullmatch(sha256) is not None
        and len(priority) < 100  # noqa: PLR2004 - it is a word
    )


def _key(version: bytes) -> tuple[object, ...]:
    return version_key(version.decode("ascii", "replace"))
