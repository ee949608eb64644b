"""The files of a layout or an image archive by their names, wherever their bytes lie."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from minpack.content import FileContent, RangeContent
from minpack.errors import ArchiveError, InputError, UnreadableImageError, reason_of
from minpack.oci.begins import begins_as_image, is_first
from minpack.oci.stated import DAMAGED
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from minpack.content import Content

#: More than any archive has.
MAX_MEMBERS = 100_000
#: What to do about what is no image.
NAME_IMAGE = "name an image archive (docker save, skopeo, minpack) or an OCI layout"
#: What gzip and zstd begin with.
_PACKED = (b"\x1f\x8b", b"\x28\xb5")
#: What ELF files begin with (gABI, "ELF Identification").
_PROGRAM = b"\x7fELF"


class OpenArchive(Protocol):
    """An archive that is open for reading."""

    size: int

    def fileno(self) -> int:
        """Its descriptor."""


def image_files(path: str, archive: OpenArchive | None = None) -> dict[str, Content]:
    """The files of the layout or archive at the host's `path`.

    :param archive: the archive itself, where it is not what lies at `path`.
    :raises UnreadableImageError: it cannot be read, or has too many.
    """
    if archive is not None:
        return _archive_files(path, RangeContent(archive.fileno(), 0, archive.size, path))
    return _layout_files(path) if os.path.isdir(path) else _archive_files(path, _regular(path))


def is_image_archive(path: str) -> bool:
    """Whether the tar at `path` begins as image archives do and has what they have; False too if it is damaged.

    Of one that is compressed nothing but how it begins is looked at.
    """
    from minpack.tar.read import Tape  # noqa: PLC0415 - for archives alone

    packed = begins_as_image(path)
    if packed is not None:
        return packed
    try:
        archive = _regular(path)
        with archive.open() as reader:
            names = (member.name.removeprefix("./") for member in Tape(reader, archive.size, path).members())
            # The directory itself may come first.
            first = next((name for name in names if name not in ("", ".")), "")
        if not is_first(first):
            return False
        files = _archive_files(path, archive)
    except (UnreadableImageError, ArchiveError, InputError):
        return False
    return "manifest.json" in files or {"index.json", "oci-layout"} <= files.keys()


def _layout_files(path: str) -> dict[str, Content]:
    """The files of the layout in the directory `path`; blobs may be links, and are what their names say or refused."""
    blobs = "blobs/sha256"
    names = ["index.json", "oci-layout", "manifest.json"]
    try:
        if os.path.isdir(os.path.join(path, blobs)):
            names += sorted(f"{blobs}/{name}" for name in os.listdir(os.path.join(path, blobs)))
        _check_count(path, len(names))
        places = {name: os.path.join(path, name) for name in names}
        return {name: FileContent(at, os.stat(at).st_size) for name, at in places.items() if os.path.isfile(at)}
    except OSError as error:
        raise UnreadableImageError(path, reason_of(error)) from error


def _archive_files(path: str, archive: FileContent | RangeContent) -> dict[str, Content]:
    """The files of the archive at `path`, links within it followed once."""
    from minpack.tar.read import read_members  # noqa: PLC0415 - for archives alone

    files: dict[str, Content] = {}
    links: dict[str, str] = {}
    try:
        for member in read_members(archive, path):
            name = member.name.removeprefix("./").rstrip("/")
            if name in files or name in links:
                raise UnreadableImageError(path, f"duplicate entry {name!r}", DAMAGED).of_damaged()
            if member.kind is Kind.FILE:
                files[name] = archive._replace(size=member.size, start=member.start)
            elif member.kind is Kind.SYMLINK:
                links[name] = os.path.normpath(os.path.join(os.path.dirname(name), member.link))
            elif member.kind is Kind.HARDLINK:
                links[name] = member.link.removeprefix("./")
            _check_count(path, len(files) + len(links))
    except ArchiveError as error:
        if files:
            raise UnreadableImageError(path, error.reason, DAMAGED).of_damaged() from error
        raise UnreadableImageError(path, "it is not a tar archive", NAME_IMAGE) from error
    return files | {name: files[to] for name, to in links.items() if to in files}


def _regular(path: str) -> FileContent:
    """The archive at `path`, which is a regular file."""
    try:
        if not os.path.isfile(path):
            os.stat(path)
            raise UnreadableImageError(path, "it is not a regular file", NAME_IMAGE)
        archive = FileContent(path, os.stat(path).st_size)
    except (OSError, ValueError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else "no such file"
        raise UnreadableImageError(path, reason) from error
    try:
        with archive.open() as reader:
            start = reader.read_at(0, 4)
    except InputError as error:
        raise UnreadableImageError(path, error.reason) from error
    if start == _PROGRAM:
        raise UnreadableImageError(path, "it is a program", "pack it first: minpack pack PROGRAM")
    if start[:2] in _PACKED:
        raise UnreadableImageError(path, "it is compressed as a whole", "unpack it first: gunzip or unzstd")
    return archive


def _check_count(path: str, count: int) -> None:
    """Raise `UnreadableImageError` if there are too many files."""
    if count > MAX_MEMBERS:
        raise UnreadableImageError(path, f"it has more than {MAX_MEMBERS} files")
