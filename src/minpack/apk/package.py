"""A package's file (apk-v2(5)), opened: who signed it, what it says of itself, and its files, verified one and all.

Three gzip streams: signatures, control, data. The signature is over the control stream as it lies in the file, the
control names the SHA-256 of the data stream, and in that each file has its SHA-1.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from minpack.apk.checksum import Checksum
from minpack.apk.control import parse_control
from minpack.apk.signature import signed_stream, verify
from minpack.apk.streams import DAMAGED, inflate
from minpack.content import BytesContent, RangeContent, file_status, release
from minpack.errors import ArchiveError, PackageError, reason_of
from minpack.namedtuple import NamedTuple
from minpack.paths import NAME_MAX, PATH_MAX, RootPath
from minpack.rootfs.access import is_executable
from minpack.rootfs.entry import Entry, Kind
from minpack.tar.names import MAX_ENTRIES, MAX_NAMES
from minpack.tar.read import read_members
from minpack.tar.spool import nameless_file, write_all

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from minpack.apk.control import Control
    from minpack.apk.signature import Key
    from minpack.apk.streams import Stream
    from minpack.content import Content, Reader
    from minpack.tar.read import Member

#: The most bytes of a control stream: a description and some scripts.
MAX_CONTROL = 16 << 20
#: The most bytes a data stream may unpack to, and the most for each of its bytes beyond what is always allowed.
MAX_DATA = 8 << 30
MAX_RATIO = 200
UNSUSPICIOUS = 64 << 20


class PackageFile(NamedTuple):
    """A file, directory or link of a package; `sha1` is of its bytes, or of a symlink's target, empty if not stated."""

    entry: Entry
    sha1: str


class Package(NamedTuple):
    """A verified package. `sums` has those of its control stream, by one of which indexes know it.

    The contents of `files` can be read while it is open. `signed_by` is None where nobody asked for it.
    """

    control: Control
    signed_by: Key | None
    sums: tuple[Checksum, ...]
    files: tuple[PackageFile, ...]


@contextmanager
def open_package(content: Content, keys: Sequence[Key] | None, what: str, temporary: str) -> Generator[Package]:
    """The package in the file `content`, open until the block is left.

    :param keys: the keys that are trusted; None to read it whoever signed it.
    :param what: what to call it in errors.
    :param temporary: the directory to unpack it in, into a file without a name.
    :raises UntrustedPackageError: no trusted key signed it.
    :raises PackageError: it is damaged or cut short, not what its control says, holds what could leave its root, is
        of apk v3, or cannot be unpacked.
    """
    descriptor = _spool(what, temporary)
    try:
        with content.open() as reader:
            signed_by, control, raw = _verified_control(reader, keys, what)
            size = _unpack_data(reader, raw.end, content.size, control, descriptor, what)
        data = RangeContent(descriptor, 0, size, what)
        yield Package(control, signed_by, _sums(raw.raw), _files(data, what))
    finally:
        release(descriptor)


def _sums(data: bytes) -> tuple[Checksum, ...]:
    sha1 = Checksum("sha1", hashlib.sha1(data, usedforsecurity=False).digest())
    return sha1, Checksum("sha256", hashlib.sha256(data).digest())


def _spool(what: str, temporary: str) -> int:
    try:
        return nameless_file(temporary)
    except OSError as error:
        raise _no_room(what, temporary, error) from error


def _no_room(what: str, temporary: str, error: OSError) -> PackageError:
    reason = f"it cannot be unpacked in {temporary!r}: {reason_of(error)}" if temporary else reason_of(error)
    return PackageError(what, reason, "make room there, or set TMPDIR to a directory that has some")


def _verified_control(reader: Reader, keys: Sequence[Key] | None, what: str) -> tuple[Key | None, Control, Stream]:
    signatures, stream = signed_stream(reader, MAX_CONTROL, what, "control")
    key = verify(signatures, stream.raw, keys, what) if keys is not None else None
    try:
        members = list(read_members(BytesContent(stream.data), what))
    except ArchiveError as error:
        raise PackageError(what, f"its control is damaged: {error.reason}", error.hint) from error
    if not members or members[0].name != ".PKGINFO":
        raise PackageError(what, "its control does not begin with .PKGINFO", DAMAGED)
    info, scripts = members[0], tuple(m.name.removeprefix(".") for m in members[1:] if m.name in _SCRIPTS)
    return key, parse_control(stream.data[info.start : info.start + info.size], scripts, what), stream


_SCRIPTS = frozenset(f".{when}-{what}" for when in ("pre", "post") for what in ("install", "upgrade", "deinstall")) | {
    ".trigger"
}


def _unpack_data(reader: Reader, start: int, size: int, control: Control, descriptor: int, what: str) -> int:
    """Unpack the data stream into the open file and verify it; the number of bytes."""
    digest = hashlib.sha256()
    limit = min(MAX_DATA, max(UNSUSPICIOUS, MAX_RATIO * (size - start)))
    try:
        end = inflate(
            reader, start, limit, what, "data", raw=digest.update, out=lambda data: write_all(descriptor, data)
        )
    except OSError as error:
        raise _no_room(what, "", error) from error
    if digest.hexdigest() != control.datahash:
        raise PackageError(
            what,
            f"its data is not what its control names\n  expected SHA-256 {control.datahash}\n"
            f"  actual           {digest.hexdigest()}",
            "the mirror or a proxy changed it; try another --mirror",
        )
    if end != size:
        raise PackageError(what, "there is data after its end", DAMAGED)
    return file_status(descriptor, what).st_size


def _files(data: RangeContent, what: str) -> tuple[PackageFile, ...]:
    """The files of an unpacked data stream, each verified by its SHA-1; names that start with a dot are apk's own."""
    found: dict[RootPath, PackageFile] = {}
    names = 0
    try:
        for member in read_members(data, what):
            if member.name.startswith(".") and not member.name.startswith(".."):
                continue
            names += len(member.name) + len(member.link)
            if len(found) >= MAX_ENTRIES or names > MAX_NAMES:
                raise PackageError(what, "it has more names than any package", DAMAGED)
            file = PackageFile(_entry(member, data, what), member.sha1)
            known = found.get(file.entry.path)
            if known is not None and not known.entry.kind is file.entry.kind is Kind.DIRECTORY:
                raise PackageError(what, f"duplicate entry {file.entry.path!r}", DAMAGED)
            _check_sum(file, what)
            found[file.entry.path] = file
    except ArchiveError as error:
        raise PackageError(what, f"its data is damaged: {error.reason}", error.hint) from error
    return tuple(_above_are_directories(found, what))


def _entry(member: Member, data: RangeContent, what: str) -> Entry:
    path = _path(member.name, what)
    if member.kind is Kind.FILE:
        content = RangeContent(data.descriptor, member.start, member.size, f"{path} in {what}")
        capability = member.capability if is_executable(member.kind, member.mode) else b""
        return Entry(path, Kind.FILE, member.mode, member.uid, member.gid, content, capability=capability)
    link = _path(member.link, what) if member.kind is Kind.HARDLINK else member.link
    if member.kind is Kind.SYMLINK and (not link or "\0" in link or _size(link) >= PATH_MAX):
        raise PackageError(what, f"{path!r} is a symlink to nothing, or to a name that is too long", DAMAGED)
    return Entry(path, member.kind, member.mode, member.uid, member.gid, link=link)


def _path(name: str, what: str) -> RootPath:
    parts = [part for part in name.split("/") if part not in ("", ".")]
    long = _size(name) >= PATH_MAX or any(_size(part) > NAME_MAX for part in parts)
    if not parts or name.startswith("/") or ".." in parts or "\0" in name or long:
        reason = f"a name in it is not a path inside a root: {name[:200]!r}"
        raise PackageError(what, reason, "minpack unpacks only what stays in its root")
    return RootPath("/" + "/".join(parts))


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


def _check_sum(file: PackageFile, what: str) -> None:
    entry = file.entry
    if not file.sha1 or entry.kind not in (Kind.FILE, Kind.SYMLINK):
        return
    digest = hashlib.sha1(usedforsecurity=False)
    if entry.content is None:
        digest.update(entry.link.encode("utf-8", "surrogateescape"))
    else:
        with entry.content.open() as reader:
            for at in range(0, entry.size, 1 << 20):
                digest.update(reader.read_at(at, 1 << 20))
    if digest.hexdigest() != file.sha1.lower():
        raise PackageError(what, f"{entry.path!r} in it differs from its recorded SHA-1", DAMAGED)


def _above_are_directories(found: dict[RootPath, PackageFile], what: str) -> Iterator[PackageFile]:
    """The files, none of which lies below another that is not a directory."""
    implied: set[str] = set()
    names = 0
    for path, file in found.items():
        at = path.rfind("/")
        while at > 0 and (above := path[:at]) not in implied:
            other = found.get(RootPath(above))
            if other is not None and other.entry.kind is not Kind.DIRECTORY:
                raise PackageError(what, f"{path!r} in it lies below a {other.entry.kind}", DAMAGED)
            if other is not None:
                break  # what that one lies below is looked at in its turn
            implied.add(above)
            names += len(above)
            if names > MAX_NAMES:
                raise PackageError(what, "it has more names than any package", DAMAGED)
            at = path.rfind("/", 0, at)
        if file.entry.kind is Kind.HARDLINK:
            target = found.get(RootPath(file.entry.link))
            if target is None or target.entry.kind is not Kind.FILE:
                raise PackageError(what, f"{path!r} in it is a hard link to no file of its own", DAMAGED)
        yield file
