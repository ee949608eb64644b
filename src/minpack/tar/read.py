"""Reading the headers of a tar: what lies where in it, without reading the data of its files.

Extended headers are those of pax (POSIX.1-2017, "pax", section "pax Header
Block") and of GNU (GNU tar manual, "Basic Tar Format"). What readers are known
to disagree on is refused: no tar is one tree here and another elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.errors import ArchiveError
from minpack.namedtuple import NamedTuple
from minpack.rootfs.entry import Kind
from minpack.tar.header import BLOCK, is_header, link_of, name_of, number, padded
from minpack.tar.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from minpack.content import Content, Reader

ZEROS = bytes(BLOCK)
#: More headers than any root file system has: each costs memory and time, and compresses to almost nothing.
MAX_HEADERS = 1_000_000
#: The most bytes of one extended header or long name; Go's `archive/tar` sets the same limit.
MAX_EXTENDED = 1024 * 1024
#: The most bytes of all of them: a million headers of 128 bytes.
MAX_ALL_EXTENDED = 128 * 1024 * 1024
#: The most records of one header; real ones have a dozen, and each takes time.
MAX_RECORDS = 1000
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
}
_EXTENSIONS = frozenset((b"x", b"g", b"L", b"K"))
_VOLUME_LABEL = b"V"
#: The record in which abuild and melange write it (apk-v2(5)).
_SHA1 = b"APK-TOOLS.checksum.SHA1"
_REFUSED = {
    b"S": "it is a sparse file, which is not read",
    b"M": "it goes on from another volume, which is not read",
    b"D": "it is of an incremental archive, which is not read",
    b"N": "it is a list of renames, which is not read",
    b"X": "it is an extended header of Solaris, which is not read",
}
_SPARSE = _REFUSED[b"S"]
_DAMAGED = "the tarball is damaged or was cut short; copy it or make it again"
_REMAKE = "make the tarball again with `tar --format=pax`, without --sparse and --incremental"


class Member(NamedTuple):
    """One member of a tar, as its header has it.

    `name` and `link` are as written, bytes that are no UTF-8 as surrogate
    escapes. `size` is the number of bytes of data, which start at `start`;
    0 for all but files. `at` is the offset of the member's first header.
    `sha1` is what apk-tools says is the SHA-1 of the data or of a symlink's target,
    in hexadecimal; empty in other tars.
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


class _Extended(NamedTuple):
    """What headers before a member's own say of it; None where they say nothing."""

    path: bytes | None = None
    linkpath: bytes | None = None
    size: int | None = None
    uid: int | None = None
    gid: int | None = None
    sha1: str = ""


def read_members(content: Content, base: str) -> Iterator[Member]:
    """The members in order; volume labels are left out.

    :param base: what to call the tar in errors.
    :raises ArchiveError: a header is damaged, says what cannot be true, or is of a kind that is not read.
    """
    with content.open() as reader:
        yield from _Tape(reader, content.size, base).members()


def damaged(base: str, at: int, name: str, reason: str, hint: str = _DAMAGED) -> ArchiveError:
    """The error that says what is wrong with the member `name`, whose header is at offset `at`."""
    who = f"member {_shortened(name)!r} at offset {at}" if name else f"at offset {at}"
    return ArchiveError(base, f"{reason} ({who})", hint)


class _Tape:
    """One tar while its headers are read."""

    def __init__(self, reader: Reader, size: int, base: str) -> None:
        self._read = Window(reader).read
        self._size = size
        self._base = base
        self._extended_bytes = 0
        self._global = _Extended()
        self._forget()

    def _forget(self) -> None:
        """Begin a member: nothing has been said of it yet."""
        self._own = self._global
        self._flags = b""
        self._first = -1

    def members(self) -> Iterator[Member]:
        at = 0
        for _ in range(MAX_HEADERS):
            header = self._header(at)
            if header is None:
                break
            flag = header[156:157]
            if flag in _EXTENSIONS:
                at = self._extended(at, header, flag)
                continue
            member = self._member(at if self._first < 0 else self._first, at, header)
            at = member.start + padded(member.size)
            self._forget()
            if flag != _VOLUME_LABEL:
                yield member
        else:
            raise self._error(at, "", f"it has more than {MAX_HEADERS} headers")
        if self._flags:
            raise self._error(self._first, "", "an extended header has no member behind it")

    def _error(self, at: int, name: str, reason: str, hint: str = _DAMAGED) -> ArchiveError:
        return damaged(self._base, at, name, reason, hint)

    def _header(self, at: int) -> bytes | None:
        """The header at `at`, its sum checked; None at the end of the archive."""
        if at == self._size:
            return None  # cut at a boundary, or made without an end, as apk's parts are
        block = self._read(at, BLOCK)
        if block == ZEROS:
            if self._read(at + BLOCK, BLOCK).strip(b"\0"):
                raise self._error(at, "", "an empty block is followed by something else")
            return None
        if len(block) < BLOCK:
            raise self._error(at, "", "it ends in the middle of a header")
        if not is_header(block):
            raise self._error(at, "", "what should be a header is none: its sum is wrong")
        return block

    def _extended(self, at: int, header: bytes, flag: bytes) -> int:
        """Take in the extended header at `at`; the offset behind it."""
        size = self._field(at, "", "size", header[124:136])
        behind = at + BLOCK + padded(size)
        self._extended_bytes += size
        if size > MAX_EXTENDED or self._extended_bytes > MAX_ALL_EXTENDED:
            raise self._error(at, "", f"an extended header of {size} bytes is too large")
        data = self._read(at + BLOCK, size)
        if len(data) < size or behind > self._size:
            raise self._error(at, "", "it ends in the middle of an extended header")
        if flag == b"g":
            self._take_global(at, data)
            return behind
        if flag in self._flags:
            raise self._error(at, "", "one member has two extended headers of one kind")
        self._first = at if self._first < 0 else self._first
        self._flags += flag
        self._take_own(at, self._records(at, data) if flag == b"x" else _long(data, flag))
        return behind

    def _take_global(self, at: int, data: bytes) -> None:
        """What a global header says holds for all members after it, so for none that has begun."""
        said = self._records(at, data)
        if self._flags or not said.keys() <= {"uid", "gid"}:
            raise self._error(at, "", "a global header says what only a member's own can")
        self._global = self._own = self._global._replace(**said)

    def _take_own(self, at: int, said: dict[str, Any]) -> None:
        for key in ("path", "linkpath"):
            if key in said and getattr(self._own, key) is not None:
                raise self._error(at, "", "one member has two long names")
        self._own = self._own._replace(**said)

    def _records(self, at: int, data: bytes) -> dict[str, Any]:
        """What a pax header says, as fields of `_Extended`; an empty value takes back what was said before."""
        said: dict[str, Any] = {}
        for count, (key, value) in enumerate(self._split(at, data)):
            if count == MAX_RECORDS:
                raise self._error(at, "", f"a pax header has more than {MAX_RECORDS} records")
            if key in (b"path", b"linkpath"):
                said[key.decode()] = value or None
            elif key in (b"size", b"uid", b"gid"):
                said[key.decode()] = self._decimal(at, key, value) if value else None
            elif key == _SHA1:
                said["sha1"] = _text(value)
            elif key.startswith(b"GNU.sparse."):
                raise self._error(at, _text(said.get("path") or b""), _SPARSE, _REMAKE)
        return said

    def _decimal(self, at: int, key: bytes, value: bytes) -> int:
        if not value.isdigit() or len(value) > 20:  # noqa: PLR2004 - the digits of 64 bits; int() is slow on long ones
            raise self._error(at, "", f"a pax header has the {key.decode()} {_text(value[:24])!r}")
        return int(value)

    def _split(self, at: int, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values of the records in `data`: a length in digits, a space, ``key=value``, a new line."""
        start = 0
        while start < len(data):
            space = data.find(b" ", start, start + 9)
            digits = data[start:space] if space > start else b""
            end = start + int(digits) if digits.isdigit() else -1
            key, equals, value = data[space + 1 : end - 1].partition(b"=")
            if not space < end <= len(data) or data[end - 1 : end] != b"\n" or not equals:
                raise self._error(at, "", f"a pax header has a false record at its byte {start}")
            yield key, value
            start = end

    def _member(self, first: int, at: int, header: bytes) -> Member:
        """The member whose header is at `at` and whose first extended header, if any, is at `first`."""
        told = self._own
        name = _text(told.path if told.path is not None else name_of(header))
        flag = header[156:157]
        kind = _KINDS.get(flag)
        if kind is None and flag != _VOLUME_LABEL:
            reason = _REFUSED.get(flag, f"its type {_text(flag)!r} is not known")
            raise self._error(first, name, reason, _REMAKE)
        size = told.size if told.size is not None else self._field(first, name, "size", header[124:136])
        if kind is Kind.FILE and name.endswith("/"):
            kind = self._old_directory(first, name, size)
        if kind is not Kind.FILE:
            size = 0  # links and directories may have a size written, and have no data (pax, "size")
        if at + BLOCK + padded(size) > self._size:
            raise self._error(first, name, f"its {size} bytes go beyond the end of the file")
        return Member(
            name,
            kind or Kind.SPECIAL,
            self._field(first, name, "mode", header[100:108]) & 0o7777,
            self._owner(first, name, told.uid, header[108:116]),
            self._owner(first, name, told.gid, header[116:124]),
            size,
            at + BLOCK,
            _text(told.linkpath if told.linkpath is not None else link_of(header)),
            first,
            told.sha1,
        )

    def _old_directory(self, at: int, name: str, size: int) -> Kind:
        """Before there was a type for directories, a slash at the end of the name made one (pax, "typeflag")."""
        if size:
            raise self._error(at, name, "it is a file and its name ends with a slash")
        return Kind.DIRECTORY

    def _owner(self, at: int, name: str, told: int | None, field: bytes) -> int:
        owner = told if told is not None else self._field(at, name, "owner", field)
        if owner > MAX_ID:
            raise self._error(at, name, f"its owner {owner} is no user")
        return owner

    def _field(self, at: int, name: str, what: str, field: bytes) -> int:
        found = number(field)
        if found is None:
            raise self._error(at, name, f"its {what} is no number: {_text(field.strip(bytes(1)))!r}")
        return found


def _long(data: bytes, flag: bytes) -> dict[str, Any]:
    """The name or the link in GNU's header for long ones."""
    return {"path" if flag == b"L" else "linkpath": data.partition(b"\0")[0]}


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _shortened(name: str) -> str:
    return name if len(name) <= 100 else f"{name[:60]}…{name[-30:]}"  # noqa: PLR2004 - what fits on a line
