"""Reading binary packages: an ar archive of a version, a control tar and a data tar (deb(5))."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.content import BytesContent, RangeContent
from minpack.deb.control import DAMAGED, parse_paragraph
from minpack.errors import ArchiveError, PackageError
from minpack.namedtuple import NamedTuple
from minpack.rootfs.entry import Kind
from minpack.tar.decompress import decompress_to, packing_of
from minpack.tar.read import read_members

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from minpack.content import Reader

_MAGIC = b"!<arch>\n"
_HEADER = 60
_VERSION = b"debian-binary"
#: More members than any package has: the three, and those that newer programs may pass over.
_MAX_MEMBERS = 16
#: The most bytes of a control tar, unpacked; the longest list of files of Debian's has some 10 MB.
MAX_CONTROL = 64 << 20


class Deb(NamedTuple):
    """A binary package. `control` and `data` are its tars as they lie in it, compressed as their first bytes say."""

    control: RangeContent
    data: RangeContent


class DebControl(NamedTuple):
    """What a package says of itself: its control paragraph, and its list of files with their MD5 sums, as written.

    `scripts` are those that are run when it is installed (Debian Policy, section 6.1).
    """

    paragraph: bytes
    fields: Mapping[str, str]
    md5sums: bytes
    scripts: tuple[str, ...] = ()


def read_deb(file: RangeContent) -> Deb:
    """The parts of the package in `file`; nothing of them is read.

    :raises PackageError: it is not a binary package of format 2, or is damaged.
    """
    with file.open() as reader:
        if reader.read_at(0, len(_MAGIC)) != _MAGIC:
            raise PackageError(file.where, "it is not a .deb file", DAMAGED)
        parts = [part for part in _members(reader, file) if not part[0].startswith(b"_")]
        names = [name for name, _ in parts]
        if names[:1] != [_VERSION] or not reader.read_at(parts[0][1].start - file.start, 2) == b"2.":
            raise PackageError(file.where, "it is not a .deb file of format 2", "it needs a newer minpack")
    tars = [(name, content) for name, content in parts[1:] if name.partition(b".tar")[0] in (b"control", b"data")]
    if [name.partition(b".tar")[0] for name, _ in tars] != [b"control", b"data"]:
        raise PackageError(file.where, "it has no control.tar with a data.tar behind it", DAMAGED)
    return Deb(tars[0][1], tars[1][1])


def _members(reader: Reader, file: RangeContent) -> Iterator[tuple[bytes, RangeContent]]:
    """The names and bytes of the archive's members (ar(5), as deb(5) narrows it)."""
    at = len(_MAGIC)
    for _ in range(_MAX_MEMBERS):
        if at >= file.size:
            return
        header = reader.read_at(at, _HEADER)
        size = header[48:58].strip(b" ")
        if len(header) < _HEADER or header[58:] != b"`\n" or not size.isdigit():
            raise PackageError(file.where, f"at offset {at} is not a header of an ar archive", DAMAGED)
        start = at + _HEADER
        if start + int(size) > file.size:
            raise PackageError(file.where, f"the member at offset {at} goes beyond its end", DAMAGED)
        name = header[:16].rstrip(b" ").removesuffix(b"/")
        yield name, RangeContent(file.descriptor, file.start + start, int(size), file.where)
        at = start + int(size) + int(size) % 2
    if at < file.size:
        raise PackageError(file.where, f"it has more than {_MAX_MEMBERS} members", DAMAGED)


def read_control(deb: Deb) -> DebControl:
    """What the package says of itself.

    :raises PackageError: its control tar is damaged, has no control file, or one that is not a paragraph.
    """
    where = deb.control.where
    out = bytearray()
    try:
        decompress_to(deb.control, _Bytes(out), packing_of(deb.control, where), where, MAX_CONTROL)
        tar = bytes(out)
        files = {
            member.name.removeprefix("./"): tar[member.start : member.start + member.size]
            for member in read_members(BytesContent(tar, where), where)
            if member.kind is Kind.FILE
        }
    except ArchiveError as error:
        raise PackageError(where, f"its control.tar: {error.reason}", error.hint) from error
    if "control" not in files:
        raise PackageError(where, "it has no control file", DAMAGED)
    scripts = tuple(name for name in ("preinst", "postinst") if name in files)
    return DebControl(files["control"], parse_paragraph(files["control"], where), files.get("md5sums", b""), scripts)


class _Bytes(NamedTuple):
    """Bytes in memory to write to."""

    data: bytearray

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.data.extend(data)
