"""``APKINDEX.tar.gz``, what a repository holds (apk-index of apk-v2(5)): read and verified.

Two gzip streams: the signatures, then a tar of ``DESCRIPTION`` and ``APKINDEX``, whose records end with an empty
line and have lines ``X:value``. As in apk-tools (`src/package.c`), a package with an unknown key in upper case
cannot be installed, and an unknown one in lower case means nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.apk.checksum import parse_checksum
from minpack.apk.control import is_arch, number_in
from minpack.apk.names import is_package_name, parse_dependencies, parse_provides
from minpack.apk.signature import signed_stream, verify
from minpack.apk.streams import DAMAGED
from minpack.apk.version import is_version
from minpack.content import BytesContent
from minpack.errors import ArchiveError, PackageError
from minpack.namedtuple import NamedTuple
from minpack.tar.read import read_members

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minpack.apk.checksum import Checksum
    from minpack.apk.names import Dependency, Provided
    from minpack.apk.signature import Key

#: More bytes than any index has: Alpine's largest have 2 MB, and unpack to 9 MB.
MAX_INDEX = 64 << 20
MAX_UNPACKED = 128 << 20
#: No repository has more packages; Alpine's largest has 30,000.
MAX_PACKAGES = 500_000

_KNOWN = frozenset("CPVASITULDFMRZK")


class IndexRecord(NamedTuple):
    """A package as an index describes it. Texts are as written.

    `size` is that of the package's file, `installed_size` that of its files, in bytes; `built` is in seconds since
    1970; `installable` is False for what this reader cannot understand.
    """

    name: str
    version: str
    arch: str
    checksum: str
    size: int
    installed_size: int = 0
    description: str = ""
    url: str = ""
    license: str = ""
    origin: str = ""
    maintainer: str = ""
    commit: str = ""
    built: int = 0
    provider_priority: int = 0
    depend: str = ""
    provide: str = ""
    install_if: str = ""
    installable: bool = True

    @property
    def control_sum(self) -> Checksum | None:
        """The sum of the package's control stream."""
        return parse_checksum(self.checksum)

    @property
    def depends(self) -> tuple[Dependency, ...]:
        """What it needs."""
        return parse_dependencies(self.depend)

    @property
    def provides(self) -> tuple[Provided, ...]:
        """What it provides besides its own name."""
        return parse_provides(self.provide)

    @property
    def file_name(self) -> str:
        """The name of the package's file in its repository."""
        return f"{self.name}-{self.version}.apk"


class VerifiedIndex(NamedTuple):
    """The text of an index, who signed it, and the repository's description of itself."""

    text: str
    description: str
    signed_by: Key
    what: str = "an index"

    def records(self) -> Iterator[IndexRecord]:
        """The packages in order.

        :raises PackageError: there are more than any repository has.
        """
        return parse_records(self.text, self.what)


def verify_index(data: bytes, keys: Sequence[Key], what: str) -> VerifiedIndex:
    """The index in the bytes of an ``APKINDEX.tar.gz``.

    :param keys: the keys that are trusted.
    :param what: what to call it in errors.
    :raises UntrustedPackageError: no trusted key signed it.
    :raises PackageError: it is damaged or cut short, or too large, or of apk v3.
    """
    if len(data) > MAX_INDEX:
        raise PackageError(what, f"it has more than {MAX_INDEX} bytes", "no real index is this large")
    signatures, stream = signed_stream(BytesContent(data).open(), MAX_UNPACKED, what, "index")
    if stream.end != len(data) and signatures:
        raise PackageError(what, "there is data after its index", DAMAGED)
    key = verify(signatures, stream.raw, keys, what)
    files = _files(stream.data, what)
    if "APKINDEX" not in files:
        raise PackageError(what, "it contains no APKINDEX", DAMAGED)
    return VerifiedIndex(files["APKINDEX"], files.get("DESCRIPTION", "").strip(), key, what)


def _files(data: bytes, what: str) -> dict[str, str]:
    """The texts in the tar, by name."""
    try:
        members = list(read_members(BytesContent(data), what))
    except ArchiveError as error:
        raise PackageError(what, f"its index is damaged: {error.reason}", error.hint) from error
    texts = (m for m in members if m.name in ("APKINDEX", "DESCRIPTION"))
    return {m.name: data[m.start : m.start + m.size].decode("utf-8", "surrogateescape") for m in texts}


def parse_records(text: str, what: str = "an index") -> Iterator[IndexRecord]:
    """The records of an index's text; those without name, version or checksum are left out.

    :param what: what to call the index in errors.
    :raises PackageError: there are more than `MAX_PACKAGES`.
    """
    count, start = 0, 0
    while start < len(text):
        end = text.find("\n\n", start)
        end = len(text) if end < 0 else end
        lines, start = text[start:end], end + 2
        fields = {line[:1]: line[2:] for line in lines.split("\n") if line[1:2] == ":"}
        if "P" in fields and "V" in fields and "C" in fields:
            count += 1
            if count > MAX_PACKAGES:
                raise PackageError(what, f"it has more than {MAX_PACKAGES} packages", DAMAGED)
            yield _record(fields)


def _record(fields: dict[str, str]) -> IndexRecord:
    get = fields.get
    name, version, arch, checksum = fields["P"], fields["V"], get("A", ""), fields["C"]
    good = (
        is_package_name(name)
        and is_version(version)
        and is_arch(arch)
        and not any(key.isupper() and key not in _KNOWN for key in fields)
    )
    return IndexRecord(
        name,
        version,
        arch,
        checksum,
        number_in(get("S", "")),
        number_in(get("I", "")),
        get("T", ""),
        get("U", ""),
        get("L", ""),
        get("o", ""),
        get("m", ""),
        get("c", ""),
        number_in(get("t", "")),
        number_in(get("k", "")),
        get("D", ""),
        get("p", ""),
        get("i", ""),
        good,
    )
