"""Where an output goes, and what it may replace: never an input, and nothing of value without being told to."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from minpack.errors import OutputError, reason_of
from minpack.host.follow import follow, is_planted
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

#: Where a tar's header says that it is one, as POSIX and as GNU tar write it (POSIX.1-2017, pax, "ustar").
_MAGIC_AT, _MAGICS = 257, (b"ustar\0", b"ustar ")
#: What minpack's own headers have from there on: neither names of owners nor numbers of devices.
_OWN = b"ustar\x0000".ljust(88, b"\0")
_BLOCK = 512
#: Directories that hold a system together (hier(7), and macOS's).
_SYSTEM = (
    "bin|boot|dev|etc|home|lib|lib32|lib64|libx32|media|mnt|opt|proc|root|run|sbin|srv|sys|tmp|usr|var"
    "|Applications|Library|System|Users|Volumes|private"
)
_ELSEWHERE = "choose another path with -o"


class HostInput(NamedTuple):
    """A file or directory of this host that an output must not replace; `what` says what it is.

    Of a directory that is `whole`, every file is an input; of another, the directory itself.
    """

    path: str
    what: str
    whole: bool = False


class FilePlace(NamedTuple):
    """Where a file goes: at `path`, without a link in it; a device or pipe is `direct`, written to as it is."""

    path: str
    direct: bool = False


@contextmanager
def as_output_error(target: str, hint: str | None = None) -> Generator[None]:
    """Let what the system says of `target` come as an error of minpack's; a broken pipe stays one.

    :param hint: what to do about it, by default what the kind of the error suggests.
    :raises OutputError: the system raised something.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(target, reason_of(error), hint or _hint(error)) from error


def file_place(target: str, inputs: Iterable[HostInput] = (), *, force: bool = False) -> FilePlace:
    """Where the file `target` goes: behind a symlink, at its target, so that the link stays.

    :param inputs: what it must not replace.
    :param force: it may replace a file that is neither empty nor a tar archive.
    :raises OutputError: it is a directory or a socket, an input, a file of value, or behind a link that others planted.
    """
    with as_output_error(target):
        place = _followed(target)
        try:
            status = os.stat(target)
        except FileNotFoundError:
            if target.endswith("/"):
                raise OutputError(target, "it is a directory", "name a file in it: -o DIR/NAME.tar") from None
            return FilePlace(place)
        if stat.S_ISDIR(status.st_mode):
            raise OutputError(target, "it is a directory", "name a file in it: -o DIR/NAME.tar")
        if not stat.S_ISREG(status.st_mode):
            _check_direct(target, place, status, force=force)
            return FilePlace(place, direct=True)
        _check_no_input(target, place, status, inputs)
        if not force and not _may_be_replaced(place):
            hint = "choose another name with -o, or replace it with --force"
            raise OutputError(target, "the existing file is not a tar archive", hint)
        return FilePlace(place)


def directory_place(target: str, inputs: Iterable[HostInput] = (), *, force: bool = False) -> str:
    """Where the directory `target` goes: behind a symlink, at its target, so that the link stays.

    :param inputs: what must not be in it.
    :param force: it may replace a directory that is not empty.
    :raises OutputError: it is a file, an input or holds one, somebody needs it, or it is behind a link others planted.
    """
    with as_output_error(target):
        place = _followed(target)
        if not os.path.lexists(place):
            return place
        if not os.path.isdir(place):
            raise OutputError(target, "it is a file", "name a new directory with -o")
        if os.path.ismount(place):
            raise OutputError(target, "something is mounted on it", "name a directory below it")
        if place[1:] in _SYSTEM.split("|"):
            raise OutputError(target, "it is a system directory", "name a directory below it")
        if f"{os.path.realpath('.')}/".startswith(f"{place}/"):
            raise OutputError(target, "it contains the working directory", "name another directory")
        _check_holds_no_input(target, place, inputs)
        if os.listdir(place):
            _check_replaceable_directory(target, place, force=force)
        return place


def outputs_within(place: str, directory: str) -> tuple[str, ...]:
    """What there already is of the output `place` and of unfinished ones beside it, if it is in `directory`.

    Both are absolute and without links.
    """
    from minpack.host.partial import is_unfinished  # noqa: PLC0415 - where directories are added

    above = os.path.dirname(place)
    if not f"{above}/".startswith(f"{directory}/"):
        return ()
    try:
        names = os.listdir(above)
    except OSError:
        return ()
    own = os.path.basename(place)
    return tuple(os.path.join(above, name) for name in sorted(names) if name == own or is_unfinished(name))


def _followed(target: str) -> str:
    found = follow(target)
    if found.planted:
        reason = f"{found.planted!r} is another user's symbolic link in a directory that everyone can write to"
        raise OutputError(target, reason, "name a path that does not lead through it")
    return found.path


def _check_direct(target: str, place: str, status: os.stat_result, *, force: bool) -> None:
    """Raise `OutputError` if what is there cannot be written to, or should not be.

    FIFOs as the kernel's `protected_fifos` has it (proc_sys_fs(5)): who plants one reads what is written.
    """
    if stat.S_ISSOCK(status.st_mode):
        raise OutputError(target, "it is a socket", "choose a file or a pipe with -o")
    if stat.S_ISFIFO(status.st_mode) and is_planted(place):
        reason = "it is another user's pipe in a directory that everyone can write to"
        raise OutputError(target, reason, _ELSEWHERE)
    if stat.S_ISBLK(status.st_mode) and not force:
        raise OutputError(target, "it is a block device", "choose another path with -o, or overwrite it with --force")


def _check_no_input(target: str, place: str, status: os.stat_result, inputs: Iterable[HostInput]) -> None:
    """Raise `OutputError` if the file at `place` is an input, or in a directory whose files all are."""
    for one in inputs:
        try:
            other = os.stat(one.path)
        except OSError:
            continue
        if stat.S_ISDIR(other.st_mode):
            if one.whole and _is_within(place, one.path) and not _is_own_file(place):
                raise OutputError(target, f"it is a file in {one.what}", _ELSEWHERE)
        # Some file systems give a file another number each time; of another size it is another file anyway.
        elif other.st_size == status.st_size and (
            os.path.samestat(status, other) or os.path.realpath(one.path) == place
        ):
            raise OutputError(target, f"it is {one.what}", _ELSEWHERE)


def _check_holds_no_input(target: str, place: str, inputs: Iterable[HostInput]) -> None:
    """Raise `OutputError` if an input is the directory `place` or in it, or if it is in one whose files all are."""
    status = os.stat(place)
    for one in inputs:
        real = os.path.realpath(one.path)
        if real == place or _is_same(one.path, status):
            raise OutputError(target, f"it is {one.what}", _ELSEWHERE)
        if real.startswith(f"{place}/") or any(_is_same(above, status) for above in _above(real)):
            raise OutputError(target, f"it contains {one.what} ({one.path!r})", _ELSEWHERE)
        if one.whole and _is_within(place, one.path) and not _is_own_directory(place):
            raise OutputError(target, f"it is a directory in {one.what}", _ELSEWHERE)


def _check_replaceable_directory(target: str, place: str, *, force: bool) -> None:
    """Raise `OutputError` if the directory at `place`, which is not empty, is not to be replaced."""
    if not force:
        raise OutputError(target, "the directory is not empty", "choose another, or replace it with --force")
    from minpack.host.mounts import mounted_below  # noqa: PLC0415 - with --force alone

    if mounted := mounted_below(place):
        reason = f"something is mounted in it, at {mounted!r}"
        raise OutputError(target, reason, "unmount it, or name another directory")


def _may_be_replaced(place: str) -> bool:
    """Whether the regular file at `place` is empty or a tar archive."""
    header = _first_block(place)
    return header is not None and (not header or header[_MAGIC_AT : _MAGIC_AT + 6] in _MAGICS)


def _is_own_file(place: str) -> bool:
    """Whether the regular file at `place` is empty, or a tar that minpack has written."""
    header = _first_block(place)
    return header is not None and (not header or header[_MAGIC_AT : _MAGIC_AT + len(_OWN)] == _OWN)


def _first_block(place: str) -> bytes | None:
    """The first bytes of the file at `place`; None if it cannot be read."""
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.pread(descriptor, _BLOCK, 0)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _is_own_directory(place: str) -> bool:
    """Whether the directory at `place` is empty, or looks like one that minpack has written.

    That is a layout, or a root file system: it and all that lies in it have one time, of whole seconds.
    """
    with os.scandir(place) as entries:
        times = {entry.name: entry.stat(follow_symlinks=False).st_mtime_ns for entry in entries}
    if not times or set(times) == {"blobs", "index.json", "oci-layout"}:
        return True
    time = os.stat(place).st_mtime_ns
    return time % 10**9 == 0 and set(times.values()) == {time}


def _is_within(place: str, directory: str) -> bool:
    """Whether `place` is below `directory`, which may be a link to one."""
    return place.startswith(f"{os.path.realpath(directory).rstrip('/')}/")


def _is_same(path: str, status: os.stat_result) -> bool:
    with suppress(OSError):
        return os.path.samestat(os.stat(path), status)
    return False


def _above(path: str) -> Generator[str]:
    """Every directory above `path`."""
    while (above := os.path.dirname(path)) != path:
        yield above
        path = above


def _hint(error: OSError) -> str | None:
    import errno  # noqa: PLC0415

    return {
        errno.ENOSPC: "free some space, or choose another path with -o",
        errno.EDQUOT: "free some space, or choose another path with -o",
        errno.EACCES: "choose a path you may write to with -o",
        errno.EROFS: "choose a path you may write to with -o",
        errno.ENOENT: "make the directory first, or choose another path with -o",
    }.get(error.errno or 0)
