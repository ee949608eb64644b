"""An image layout that several images are added to, by several processes at once if need be.

Blobs have their names when they are whole, so that a reader, or who goes on after a kill, never sees part of one. The
index is read, changed and replaced under a lock on the directory (flock(2)): it has each image as soon as all of that
is there, under the names that it was given, and what had these names before is no longer listed.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections import Counter
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import IO, TYPE_CHECKING, Any

from minpack.content import FileContent
from minpack.errors import OutputError
from minpack.host.partial import Partial, remove_leftovers
from minpack.oci.documents import Blob, canonical
from minpack.oci.layout import LAYOUT_FILE, NAME, TAG, blob_path, layout_index
from minpack.oci.mediatypes import INDEX

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from minpack.digest import Digest, Writable
    from minpack.oci.documents import Descriptor
    from minpack.oci.image import Index
    from minpack.oci.reference import Reference

#: Far more than the index of a layout of thousands of images has.
_MOST_INDEX = 64 << 20
#: Of so many images the names are read once, however many are added to their layout.
_MOST_NAMES = 10_000
#: Of so many blobs the sums are remembered.
_MOST_SUMS = 20_000
_HINT = "name a new directory, or an OCI layout"


class _Sums:
    """The SHA-256 of files by what stat(2) says of them: for all images of a process each file is read once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], str] = {}

    def of(self, path: str) -> str:
        """The sum in hexadecimal; empty where no file is, or none that can be read."""
        try:
            state = _state(path)
            if state in self._known:
                return self._known[state]
            with open(path, "rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return ""
        return self._keep(state, found)

    def keep(self, path: str, known: str) -> None:
        """The file was written with this sum just now."""
        with suppress(OSError):
            self._keep(_state(path), known)

    def _keep(self, state: tuple[int, ...], found: str) -> str:
        if len(self._known) >= _MOST_SUMS:
            self._known.clear()
        self._known[state] = found
        return found


def _state(path: str) -> tuple[int, ...]:
    """What tells the file from all others, and from what it was before it was changed.

    :raises OSError: there is none.
    """
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(f"{path!r} is no file")
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


_sums = _Sums()


class SharedLayoutSink:
    """Adds images to the layout in a directory, which it makes if there is none. Leave its ``with`` block."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._blobs = os.path.join(directory, "blobs", "sha256")
        self._partial: Partial | None = None
        self._file: IO[bytes] | None = None

    def __enter__(self) -> SharedLayoutSink:
        known = os.path.isfile(os.path.join(self._directory, "oci-layout"))
        if not known and os.path.isdir(self._directory) and _others(self._directory):
            raise OutputError(self._directory, "it is a directory that is no OCI layout", _HINT)
        os.makedirs(self._blobs, exist_ok=True)
        if not known:
            _replace(self._directory, "oci-layout", LAYOUT_FILE)
        return self

    def __exit__(self, *exc: object) -> None:
        self._give_up()

    def has(self, digest: Digest) -> bool:
        """Whether the blob has its file, with all its bytes."""
        return _sums.of(os.path.join(self._directory, blob_path(digest))) == digest.hex

    def put(self, blob: Blob) -> None:
        """Write the blob's file; raise `SumMismatchError` if its bytes are not those of its digest."""
        blob.copy_to(self.begin_blob())
        self.end_blob(blob.descriptor)

    def begin_blob(self) -> Writable:
        """Where to write the next blob: a file that gets its name when the digest is known."""
        self._partial = Partial(self._blobs)
        self._file = os.fdopen(self._partial.make_file(), "wb")
        return self._file

    def end_blob(self, descriptor: Descriptor) -> Blob:
        """The blob that was begun is whole; it is read from its file, which may have been there before."""
        assert self._file is not None, "internal error: no blob was begun"
        assert self._partial is not None, "internal error: no blob was begun"
        self._file.close()
        path = os.path.join(self._directory, blob_path(descriptor.digest))
        if self.has(descriptor.digest):
            # Who knows it by its inode finds it unchanged.
            self._give_up()
        else:
            os.rename(self._partial.path, path)
            self._partial.close()
            _sums.keep(path, descriptor.digest.hex)
        self._file = self._partial = None
        return Blob(descriptor, FileContent(path, descriptor.size))

    def commit(self, index: Index, references: Sequence[Reference]) -> None:
        """List the image under these names, all of whose blobs are there."""
        added = json.loads(layout_index(index, references))["manifests"]
        with _locked(self._directory):
            document = _read_index(self._directory)
            taken = {str(reference) for reference in references}
            kept = [one for one in document.get("manifests", []) if _name(one) not in taken]
            document["manifests"] = _tagged(sorted((*kept, *added), key=_order))
            _replace(self._directory, "index.json", canonical(document))

    def _give_up(self) -> None:
        """Remove what was begun and not ended."""
        if self._partial is None:
            return
        # A signal may have come before the file was opened, or made.
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        with suppress(OSError):
            os.unlink(self._partial.path)
        self._partial.close()


def listed_names(directory: str) -> dict[str, str]:
    """The digest of each image of a layout by its full name; nothing where no layout is.

    :raises OutputError: its index cannot be read.
    """
    if not os.path.isfile(os.path.join(directory, "oci-layout")):
        return {}
    return {_name(one): str(one.get("digest", "")) for one in _read_index(directory).get("manifests", [])}


def _others(directory: str) -> bool:
    """Whether something is in the directory that no layout begins with: another process may be making one."""
    remove_leftovers(directory)
    return any(
        not name.startswith(".minpack-") and name not in ("blobs", "oci-layout") for name in os.listdir(directory)
    )


@contextmanager
def _locked(directory: str) -> Generator[None]:
    import fcntl  # noqa: PLC0415 - for layouts of several images alone

    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # Where the file system has no locks, whoever writes at the same time is the user's affair.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(directory: str, name: str, data: bytes) -> None:
    """Write a file of the layout whole."""
    partial = Partial(directory)
    try:
        with os.fdopen(partial.make_file(), "wb") as out:
            out.write(data)
        os.rename(partial.path, os.path.join(directory, name))
    except BaseException:
        with suppress(OSError):
            os.unlink(partial.path)
        raise
    finally:
        partial.close()


def _read_index(directory: str) -> dict[str, Any]:
    """The index that is there, or one of nothing.

    :raises OutputError: it is none.
    """
    path = os.path.join(directory, "index.json")
    try:
        with open(path, "rb") as file:
            data = file.read(_MOST_INDEX + 1)
        document = json.loads(data) if len(data) <= _MOST_INDEX else None
    except FileNotFoundError:
        return {"schemaVersion": 2, "mediaType": INDEX}
    except (ValueError, RecursionError):
        document = None
    known: dict[str, Any] = document if isinstance(document, dict) else {"manifests": None}
    manifests = known.get("manifests", [])
    if not isinstance(manifests, list) or not all(isinstance(one, dict) for one in manifests):
        raise OutputError(path, "it is not the index of a layout", _HINT)
    return known


def _name(manifest: dict[str, Any]) -> str:
    annotations = manifest.get("annotations")
    return str(annotations.get(NAME, "")) if isinstance(annotations, dict) else ""


def _order(manifest: dict[str, Any]) -> tuple[str, str]:
    return _name(manifest), str(manifest.get("digest", ""))


def _tagged(manifests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each by its tag where one alone has that, else by its name too, as `layout_index` does for one image."""
    tags = [_name(one).rpartition(":")[2] for one in manifests]
    times = Counter(tags)
    return [
        {**one, "annotations": {**one["annotations"], TAG: tag if times[tag] == 1 else _familiar(_name(one))}}
        if _name(one)
        else one
        for one, tag in zip(manifests, tags, strict=True)
    ]


@lru_cache(maxsize=_MOST_NAMES)
def _familiar(name: str) -> str:
    from minpack.oci.reference import parse_reference  # noqa: PLC0415 - for layouts of several images alone

    return parse_reference(name).familiar
