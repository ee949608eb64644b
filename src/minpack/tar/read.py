"""Reading the headers of a tar: what lies where in it, without reading the data of its files.

Extended headers are those of pax (POSIX.1-2017, "pax", section "pax Header Block") and of GNU (GNU tar manual, "Basic
Tar Format"). What is unusual and legal is read as GNU tar reads it; a strict reader, for what minpack and packagers
write, refuses all that readers are known to disagree on.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING
from zlib import adler32

from minpack.errors import ArchiveError
from minpack.namedtuple import NamedTuple
from minpack.rootfs.entry import Kind
from minpack.tar.extended import NOTHING, Extensions
from minpack.tar.header import BLOCK, is_header, link_of, name_of, number, padded
from minpack.tar.sparse import Sparse, SparseForm, is_continued, old_size
from minpack.tar.window import WINDOW_SIZE, TarWindow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.content import Content, Reader

ZEROS = bytes(BLOCK)
#: More headers than any root file system has: each costs memory and time, and compresses to almost nothing.
MAX_HEADERS = 1_000_000
#: The most bytes of one extended header or long name; Go's `archive/tar` sets the same limit.
MAX_EXTENDED = 1024 * 1024
#: The most bytes of all of them: a million headers of 128 bytes.
MAX_ALL_EXTENDED = 128 * 1024 * 1024
#: Owners are 32 bits wide, and the last number means "unchanged" (chown(2)).
MAX_ID = 0xFFFFFFFE

_KINDS = {
    b"0": Kind.FILE,
    b"\0": Kind.FILE,
    b"7": Kind.FILE,
    b"1": Kind.HARDLINK,
    b"2": Kind.SYMLINK,
    b"3": Kind.SPECIAL,
    b"4": Kind.SPECIAL,
    b"5": Kind.DIRECTORY,
    b"6": Kind.SPECIAL,
    b"D": Kind.DIRECTORY,
}
_PLAIN = frozenset((b"0", b"\0", b"7"))
#: Headers that say something of the member behind them; ``X`` is how Solaris wrote pax headers before there was pax.
_EXTENSIONS = frozenset((b"x", b"X", b"g", b"L", b"K"))
_VOLUME_LABEL = b"V"
_SPARSE = b"S"
_CONTINUED = b"M"
#: A directory with the names of what was in it, as data (GNU tar manual, "Dumpdir").
_DUMPED = b"D"
#: What has data besides files, which is passed over.
_WITH_DATA = frozenset((_DUMPED, _VOLUME_LABEL))
_GNU_MAGIC = b"ustar  \0"
#: What a strict reader refuses.
_UNUSUAL = {
    b"S": "it is a sparse file, which minpack does not read",
    b"M": "it goes on from another volume, which minpack does not read",
    b"D": "it is of an incremental archive, which minpack does not read",
    b"N": "it is a list of renames, which minpack does not read",
    b"X": "it is an extended header of Solaris, which minpack does not read",
}
#: Modes and owners are the same in most headers.
_small_number = lru_cache(maxsize=256)(number)
_OTHER_SPARSE = "it is a sparse file in a form that is not GNU tar's"
_DAMAGED = "the tarball is damaged or truncated; copy or create it again"
_REMAKE = "make the tarball again with `tar --format=pax`, without --sparse and --incremental"


class Member(NamedTuple):
    """One member of a tar, as its header has it.

    `name` and `link` are as written, bytes that are not UTF-8 as surrogate
    escapes. `size` is the number of bytes of data, which start at `start`;
    0 for all but files. `at` is the offset of the member's first header.
    `sha1` is what apk-tools says is the SHA-1 of the data or of a symlink's target,
    in hexadecimal; empty in other tars. The data of a `sparse` member is that of
    its pieces. With a `problem` the member is there, and its data cannot be read.
    `capability` is its file capabilities, `attributes` the names of its other
    extended attributes.
    """

    name: str
    kind: Kind
    mode: int
    uid: int
    gid: int
    size: int
    start: int
    link: str
    at: int
    sha1: str = ""
    sparse: Sparse | None = None
    problem: str = ""
    capability: bytes = b""
    attributes: tuple[str, ...] = ()


def read_members(content: Content, base: str) -> Iterator[Member]:
    """The members in order, read strictly; volume labels are left out.

    :param base: what to call the tar in errors.
    :raises ArchiveError: a header is damaged, says what cannot be true, or is of a kind that not every reader reads.
    """
    with content.open() as reader:
        yield from Tape(reader, content.size, base, strict=True).members()


def damaged(base: str, at: int, name: str, reason: str, hint: str = _DAMAGED) -> ArchiveError:
    """The error that says what is wrong with the member `name`, whose header is at offset `at`."""
    who = f"member {_shortened(name)!r} at offset {at}" if name else f"at offset {at}"
    return ArchiveError(base, f"{reason} ({who})", hint)


class Tape:
    """One tar while its headers are read.

    :param base: what to call it in errors.
    :param strict: refuse what readers are known to disagree on; else it is read as GNU tar does.
    """

    def __init__(self, reader: Reader, size: int, base: str, *, strict: bool = False) -> None:
        self._read = TarWindow(reader).read
        self._size = size
        self._base = base
        self._strict = strict
        self._headers = 0
        self._extended_bytes = 0
        self._extensions = Extensions(lambda at, reason: self._error(at, "", reason), strict=strict)
        #: The offset of the blocks that mark the end, once it is reached; None if there are none.
        self.end: int | None = None

    def members(self) -> Iterator[Member]:
        """The members in order; volume labels are left out.

        :raises ArchiveError: as `read_members`.
        """
        at = 0
        extensions = self._extensions
        while True:
            header = self._header(at)
            if header is None:
                break
            flag = header[156:157]
            if flag in _EXTENSIONS:
                at = self._extended(at, header, flag)
                continue
            member, at = self._member(at, header, flag)
            if extensions.first >= 0:
                extensions.forget()
            if flag != _VOLUME_LABEL:
                yield member
        if extensions.first >= 0 and (self._strict or self.end is None):
            raise self._error(extensions.first, "", "an extended header has no member behind it")

    def is_followed(self) -> bool:
        """Whether another archive begins shortly behind the end of this one, which was reached."""
        if self.end is None:
            return False
        behind = self._read(self.end, WINDOW_SIZE)
        first = len(behind) - len(behind.lstrip(b"\0"))
        at = first // BLOCK * BLOCK
        return is_header(behind[at : at + BLOCK])

    def _error(self, at: int, name: str, reason: str, hint: str = _DAMAGED) -> ArchiveError:
        return damaged(self._base, at, name, reason, hint)

    def _header(self, at: int) -> bytes | None:
        """The header at `at`, its sum checked; None at the end of the archive."""
        if at == self._size:
            return None  # cut at a boundary, or made without an end, as apk's parts are
        self._headers += 1
        if self._headers > MAX_HEADERS:
            raise self._error(at, "", f"it has more than {MAX_HEADERS} headers")
        block = self._read(at, BLOCK)
        if block == ZEROS:
            # GNU tar, libarchive and others stop at one such block.
            if self._strict and self._read(at + BLOCK, BLOCK).strip(b"\0"):
                raise self._error(at, "", "an empty block is followed by something else")
            self.end = at
            return None
        if len(block) < BLOCK:
            raise self._error(at, "", "it ends in the middle of a header")
        if not _is_header(block):
            raise self._error(at, "", "a header has a wrong checksum")
        return block

    def _extended(self, at: int, header: bytes, flag: bytes) -> int:
        """Take in the extended header at `at`; the offset behind it."""
        if self._strict and flag in _UNUSUAL:
            raise self._error(at, "", _UNUSUAL[flag], _REMAKE)
        size = self._field(at, "", "size", header[124:136])
        behind = at + BLOCK + padded(size)
        self._extended_bytes += size
        if size > MAX_EXTENDED or self._extended_bytes > MAX_ALL_EXTENDED:
            raise self._error(at, "", f"an extended header of {size} bytes is too large")
        data = self._read(at + BLOCK, size)
        if len(data) < size or behind > self._size:
            raise self._error(at, "", "it ends in the middle of an extended header")
        self._extensions.take(at, flag, data)
        return behind

    def _member(self, at: int, header: bytes, flag: bytes) -> tuple[Member, int]:
        """The member whose own header is at `at`, and the offset behind its data."""
        first, told = at, NOTHING
        if self._extensions.said:
            told = self._extensions.told()
            first = self._extensions.first if self._extensions.first >= 0 else at
        name = (told.path if told.path is not None else name_of(header)).decode("utf-8", "surrogateescape")
        kind = _KINDS.get(flag) or Kind.FILE  # what is not known is a file (pax, "typeflag")
        if flag in _UNUSUAL or flag not in _KINDS:
            self._check_usual(first, name, flag)
        size = told.size if told.size is not None else self._field(first, name, "size", header[124:136])
        if name.endswith("/") and flag in _PLAIN:
            kind = self._old_directory(first, name, size)
        if kind is not Kind.FILE and flag not in _WITH_DATA:
            size = 0  # links and directories may have a size written, and have no data (pax, "size")
        start, sparse, problem = at + BLOCK, told.sparse, told.problem
        if flag == _SPARSE:
            sparse, start = self._sparse(at, header)
            problem = "" if sparse is not None else _OTHER_SPARSE
        elif flag == _CONTINUED:
            problem = _UNUSUAL[_CONTINUED]
        behind = start + padded(size)
        if behind > self._size:
            raise self._error(first, name, f"its {size} bytes go beyond the end of the file")
        member = Member(
            name,
            kind,
            self._small(first, name, "mode", header[100:108]) & 0o7777,
            self._owner(first, name, told.uid, header[108:116]),
            self._owner(first, name, told.gid, header[116:124]),
            size if kind is Kind.FILE else 0,
            start,
            (told.linkpath if told.linkpath is not None else link_of(header)).decode("utf-8", "surrogateescape"),
            first,
            told.sha1,
            sparse,
            problem,
            told.capability,
            told.attributes,
        )
        return member, behind

    def _check_usual(self, first: int, name: str, flag: bytes) -> None:
        """Refuse a type that not every reader reads, if strict."""
        if self._strict and flag != _VOLUME_LABEL:
            reason = _UNUSUAL.get(flag, f"its type {flag.decode('ascii', 'backslashreplace')!r} is not known")
            raise self._error(first, name, reason, _REMAKE)

    def _sparse(self, at: int, header: bytes) -> tuple[Sparse | None, int]:
        """The map of GNU's older form, and where the data behind it starts; None if it is another's."""
        size = old_size(header)
        if header[257:265] != _GNU_MAGIC or size is None:
            return None, at + BLOCK
        start, block, is_header_block = at + BLOCK, header, True
        while is_continued(block, header=is_header_block):
            self._headers += 1
            block, is_header_block = self._read(start, BLOCK), False
            start += BLOCK
            if self._headers > MAX_HEADERS or start > self._size:
                raise self._error(at, "", "it ends in the middle of a sparse file's map")
        return Sparse(SparseForm.OLD, size, at, start - at), start

    def _old_directory(self, at: int, name: str, size: int) -> Kind:
        """Before there was a type for directories, a slash at the end of the name made one (pax, "typeflag")."""
        if size:
            raise self._error(at, name, "it is a file and its name ends with a slash")
        return Kind.DIRECTORY

    def _owner(self, at: int, name: str, told: int | None, field: bytes) -> int:
        owner = told if told is not None else self._small(at, name, "owner", field)
        if owner > MAX_ID:
            raise self._error(at, name, f"its owner {owner} is not a user")
        return owner

    def _small(self, at: int, name: str, what: str, field: bytes) -> int:
        found = _small_number(field)
        return found if found is not None else self._field(at, name, what, field)

    def _field(self, at: int, name: str, what: str, field: bytes) -> int:
        found = number(field)
        if found is None:
            shown = field.strip(bytes(1)).decode("utf-8", "surrogateescape")
            raise self._error(at, name, f"its {what} is not a number: {shown!r}")
        return found


def _is_header(block: bytes) -> bool:
    """As `is_header`, in half the time for most blocks."""
    if not block.isascii():
        return is_header(block)
    # The low half of Adler-32 is 1 and the sum of all bytes, modulo a number that 512 bytes below 128 do not reach (RFC
    # 1950, section 8.2). In a header's sum, the sum's own field is eight blanks.
    total = (adler32(block) & 0xFFFF) - 1 - sum(block[148:156]) + 8 * ord(" ")
    return number(block[148:156]) == total


def _shortened(name: str) -> str:
    return name if len(name) <= 100 else f"{name[:60]}…{name[-30:]}"  # noqa: PLR2004 - what fits on a line
