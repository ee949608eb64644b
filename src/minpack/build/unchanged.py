"""Images that were built before of the same files: a record says of what, and where the image was written.

A record is about one spec, and one minpack. It lists each file of the host that the image was made of with its SHA-256
and with what stat(2) says: where all of that is as it was, the file is (an inode's time of change cannot be set back);
else its bytes are read. A file that changed less than `RACY` before the build might change again within the same tick
of the file system's clock, so its bytes are always read. A link is where it leads and what is there, and of a file with
several names each is looked at, as they are one file in the image too. Outputs are looked at in the same way.

An image is recorded only where all it was made of can be looked at here: not of a base that is a directory, of packages
or images that a server may have others of, and not where it was pushed or loaded.
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from minpack.base.options import BaseKind
from minpack.build.fleet import ImageOutput, ImageResult, State
from minpack.content import FileContent
from minpack.errors import StoreError
from minpack.namedtuple import NamedTuple
from minpack.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from minpack.build.pack import Packed
    from minpack.spec.base_ref import BaseRef

SCHEMA = "minpack.built/1"
#: Nanoseconds; coarser than the clock of any file system that is used (FAT has two seconds).
RACY = 2 * 10**9
#: An image of more files of the host is built again each time.
MOST_FILES = 20_000
_PIECE = 1 << 20
#: What a record may have in bytes: a line of some hundred for each file.
_LIMIT = 8 << 20


class FileState(NamedTuple):
    """A file as it was: what stat(2) says of it, and the SHA-256 of what is in it.

    Of a link, `followed` is what it leads to, empty where that is nothing. The sum is empty where none was taken.
    """

    sha256: str
    own: tuple[int, ...]
    followed: tuple[int, ...] = ()

    @property
    def changed(self) -> int:
        """When the inode, or that of what it leads to, was last changed; nothing can set that back."""
        return max(self.own[-1:] + self.followed[-1:])

    @property
    def kind(self) -> tuple[object, ...]:
        """What must be as it was besides the bytes: the mode, and of a file with several names which one it is."""
        return tuple(
            (mode, (device, inode, links) if links > 1 and not stat.S_ISDIR(mode) else None)
            for mode, device, inode, links, *_ in filter(None, (self.own, self.followed))
        )


def record_name(*parts: object) -> str:
    """The record of an image that all of `parts` decide."""
    return f"built-{hashlib.sha256(repr(parts).encode(errors='surrogateescape')).hexdigest()}"


def installed(package: str, libraries: Mapping[str, str]) -> str:
    """Which minpack this is: a sum of its files' names, sizes and times, and the versions of what it uses."""
    found = sorted(
        (os.path.relpath(os.path.join(directory, name), package), *_size_and_time(os.path.join(directory, name)))
        for directory, _, names in os.walk(package)
        for name in names
        if not name.endswith(".pyc")
    )
    return hashlib.sha256(repr((found, sorted(libraries.items()))).encode(errors="surrogateescape")).hexdigest()


def _size_and_time(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


class BuildSums:
    """The SHA-256 of files, each computed once for all images of a build, as long as stat(2) says the same.

    :param began: when the build began, in nanoseconds since 1970.
    """

    def __init__(self, began: int) -> None:
        self.began = began
        self._known: dict[str, FileState] = {}

    def state(self, path: str) -> FileState:
        """The file as it is now.

        :raises OSError: it cannot be read.
        """
        seen = _seen(path)
        known = self._known.get(path)
        if known is not None and known[1:] == seen[1:]:
            return known
        if len(self._known) >= MOST_FILES:
            self._known.clear()
        found = self._known[path] = seen._replace(sha256=_sum(path, seen))
        return found


def find_unchanged(directory: str | None, name: str, image: str, sums: BuildSums) -> ImageResult | None:
    """The image as it was built before, if all it was made of, and what was written, is as it was; else None.

    Files that had to be read are recorded as they are now, so that the next time stat(2) is enough.

    :param directory: the store's; None for none.
    :param image: what the file calls it.
    """
    found = None
    with suppress(StoreError), open_store(directory) as store:
        record = store.record(name, SCHEMA, _LIMIT)
        if record is None:
            return None
        with suppress(KeyError, TypeError, ValueError, OSError):
            read: dict[str, object] = {}
            files = dict(_items(record["files"]))
            if all(_is_same(path, state, sums, read) for path, state in files.items()):
                found = _result(image, record["result"])
            if found is not None and read:
                store.keep_record(name, SCHEMA, {**record, "files": {**files, **read}}, _LIMIT)
    return found


def keep_built(
    directory: str | None,
    name: str,
    result: ImageResult,
    files: Iterable[str],
    written: Iterable[str],
    sums: BuildSums,
) -> None:
    """Record that the image was built of these files of the host, and written to those.

    Nothing is recorded if one was changed since the build began, with all other images that have the same `sums`.
    """
    with suppress(StoreError, OSError), open_store(directory) as store:
        states: dict[str, tuple[object, ...]] = {}
        for path in dict.fromkeys(_below(files)):
            state = sums.state(path)
            if state.changed >= sums.began or len(states) >= MOST_FILES:
                return
            states[path] = (_is_racy(state, sums), *state)
        for path in dict.fromkeys(_below(written)):
            # Of another file there nobody knows whether it is as good: the image is written again.
            states[path] = (False, *_seen(path))
        if len(states) <= MOST_FILES:
            values = {"files": states, "result": {**result._asdict(), "name": "", "state": ""}}
            store.keep_record(name, SCHEMA, values, _LIMIT)


def host_files(packed: Packed) -> Iterator[str]:
    """The files of the host that an image has in it."""
    for one in packed.images:
        for entry in one.plan.all:
            if isinstance(entry.content, FileContent):
                yield entry.content.where


def is_settled(packed: Packed, bases: Iterable[BaseRef], *, locked: bool) -> bool:
    """Whether the same request gives the same image for as long as the host's files stay as they are."""
    bases = tuple(bases)
    if any(base.kind is BaseKind.DIRECTORY or _is_in_engine(base) for base in bases):
        return False
    moving = any(one.fetched for one in packed.images) or any(base.is_pulled and "@" not in base.name for base in bases)
    return locked or not moving


def _is_in_engine(base: BaseRef) -> bool:
    return base.image is not None and not base.image.is_local and not base.is_pulled


def _below(paths: Iterable[str]) -> Iterator[str]:
    """Each path, and of a directory, or of one that a link leads to, all that is in it."""
    for path in paths:
        yield path
        for directory, names, files in os.walk(path):
            yield from (os.path.join(directory, name) for name in (*names, *files))


def _seen(path: str) -> FileState:
    """The file as stat(2) has it now.

    :raises OSError: there is none.
    """
    status = os.lstat(path)
    if not stat.S_ISLNK(status.st_mode):
        return FileState("", _identity(status))
    try:
        return FileState("", _identity(status), _identity(os.stat(path)))
    except FileNotFoundError:
        return FileState("", _identity(status))


def _identity(status: os.stat_result) -> tuple[int, ...]:
    found = (status.st_mode, status.st_dev, status.st_ino, status.st_nlink, status.st_size)
    return (*found, status.st_mtime_ns, status.st_ctime_ns)


def _sum(path: str, seen: FileState) -> str:
    found = hashlib.sha256()
    own, mode = seen.own[0], (seen.followed or seen.own)[0]
    if stat.S_ISLNK(own):
        found.update(os.fsencode(os.readlink(path)) + b"\0")
    if stat.S_ISDIR(mode):
        found.update(b"\0".join(sorted(map(os.fsencode, os.listdir(path)))))
    elif stat.S_ISREG(mode):
        with open(path, "rb") as file:
            while piece := file.read(_PIECE):
                found.update(piece)
    elif not stat.S_ISLNK(mode):
        raise OSError(f"{path!r} is no file")
    return found.hexdigest()


def _items(value: Any) -> Iterator[tuple[str, list[Any]]]:  # noqa: ANN401 - as JSON has it
    yield from value.items()


def _is_racy(state: FileState, sums: BuildSums) -> bool:
    """Whether the file may change again and look as it does now."""
    return state.changed >= sums.began - RACY


def _is_same(path: str, known: list[Any], sums: BuildSums, read: dict[str, object]) -> bool:
    """Whether the file is as it was; if its bytes alone told, what to record of it from now on is put into `read`."""
    racy, sha256, *identities = known
    before = FileState(sha256, *map(tuple, identities))
    now = _seen(path)
    if now[1:] == before[1:] and not racy:
        return True
    if not sha256 or now.kind != before.kind:
        return False
    now = sums.state(path)
    if not _is_racy(now, sums):
        read[path] = (False, *now)
    return now.sha256 == sha256 and now.kind == before.kind


def _result(image: str, value: Any) -> ImageResult:  # noqa: ANN401 - as JSON has it
    outputs = tuple(ImageOutput(*one) for one in value["outputs"])
    references = tuple(map(str, value["references"]))
    known = (tuple(value["platforms"]), value["digest"], int(value["size"]), references, outputs, tuple(value["notes"]))
    return ImageResult(image, State.UNCHANGED, *known)
