"""`ApkTable`: what of an index is looked up, in a form that is searched without being parsed.

A text of lines, each a name, a tab, and a provider of it: package, version, provided version (empty for a virtual
one), provider priority, architecture, size, checksum. It holds the packages' own names and the sonames they provide,
and nothing else, so it is a fraction of the index. A name is found by searching the bytes for it: 3 MB take
about a millisecond, where reading the index takes 300.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.apk.checksum import parse_checksum
from minpack.apk.names import SONAME, parse_provides
from minpack.errors import PackageError
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from minpack.apk.checksum import Checksum
    from minpack.apk.index import IndexRecord

#: Another number for every change of what lines hold.
MAGIC = b"minpack.apk-table/1\n"
#: The most bytes of a table; that of Alpine's largest repository has 3 million.
MAX_TABLE = 256 << 20


class Provider(NamedTuple):
    """A package that provides a name, in the version `provided`; empty for a virtual one."""

    package: str
    version: str
    provided: str
    priority: int
    arch: str
    size: int
    checksum: str

    @property
    def control_sum(self) -> Checksum | None:
        """The sum of the package's control stream."""
        return parse_checksum(self.checksum)

    @property
    def file_name(self) -> str:
        """The name of the package's file in its repository."""
        return f"{self.package}-{self.version}.apk"


class ApkTable(NamedTuple):
    """The providers of each name. Made by `make_table` and `read_table`."""

    data: bytes

    def providers(self, name: str) -> tuple[Provider, ...]:
        """The packages that provide the soname ``so:NAME``, or the package NAME itself."""
        start = b"\n" + name.encode("utf-8", "surrogateescape") + b"\t"
        found: list[Provider] = []
        at = self.data.find(start) if "\n" not in name and "\t" not in name else -1
        while at >= 0:
            end = self.data.find(b"\n", at + 1)
            fields = self.data[at + len(start) : end].decode("utf-8", "surrogateescape").split("\t")
            package, version, provided, priority, arch, size, checksum = fields
            found.append(Provider(package, version, provided, int(priority), arch, int(size), checksum))
            # Lines are sorted: those of one name lie together.
            at = end if self.data.startswith(start, end) else -1
        return tuple(found)


def make_table(records: Iterable[IndexRecord], what: str = "an index") -> ApkTable:
    """The table of an index's records; what cannot be installed or has no checksum that is known is not in it.

    :param what: what to call the index in errors.
    :raises PackageError: it would have more than `MAX_TABLE` bytes: each name that a package provides is a line with
        what there is to say of the package.
    """
    lines = []
    size = len(MAGIC)
    for line in _lines(records):
        lines.append(line)
        size += len(line)
        if size > MAX_TABLE:
            raise PackageError(what, "it names more libraries than any repository has", "use another repository")
    return ApkTable(MAGIC + "".join(sorted(lines)).encode("utf-8", "surrogateescape"))


def _lines(records: Iterable[IndexRecord]) -> Iterator[str]:
    for record in records:
        if not record.installable or record.checksum[:2] not in ("Q1", "X1", "Q2", "X2"):
            continue
        rest = f"{record.provider_priority}\t{record.arch}\t{record.size}\t{record.checksum.split()[0]}\n"
        yield f"{record.name}\t{record.name}\t{record.version}\t{record.version}\t{rest}"
        if SONAME in record.provide:
            for name, version in parse_provides(record.provide):
                if name.startswith(SONAME) and "\t" not in name:
                    yield f"{name}\t{record.name}\t{record.version}\t{version}\t{rest}"


def read_table(data: bytes) -> ApkTable | None:
    """The table that `data` is, if it is one of this form."""
    return ApkTable(data) if data.startswith(MAGIC) and data.endswith(b"\n") else None
