"""The root of a sandbox: a tree in memory, and in it what runtimes lay out for every container.

Sources: runtime-spec, config-linux.md ("Default Filesystems", "Default Devices"); Docker's `oci/defaults.go` for what
is masked and read-only. All is laid out inside the new root, so that links of the image lead nowhere else.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.sandbox.overlay import laid_over, make_upper
from minpack.sandbox.syscalls import (
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    detach,
    make_read_only,
    mount,
    pivot_root,
)
from minpack.sandbox.values import Bind

if TYPE_CHECKING:
    from collections.abc import Generator

    from minpack.sandbox.values import ProcessSpec, WriteTree

#: Directories that hosts have and that nothing here reads: the tree is mounted over one, which no one else sees.
_PLACES = ("/mnt", "/media", "/srv", "/opt", "/run", "/tmp", "/home")  # noqa: S108 - see above
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}
_MASKED = (
    *("/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats"),
    *("/proc/sched_debug", "/proc/scsi", "/sys/firmware"),
)
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
#: Files of this host that say how names are looked up.
_NETWORK = ("/etc/resolv.conf", "/etc/hosts")
#: How a space, a tab, a newline or a backslash is written in mountinfo.
_OCTAL = re.compile(rb"\\([0-7]{3})")
_NO_PROGRAMS = MS_NOSUID | MS_NODEV | MS_NOEXEC


class HostPaths(NamedTuple):
    """Descriptors of what the sandbox has of this host: its root, what is below, its devices, and what is bound."""

    root: int
    below: int | None
    devices: tuple[tuple[str, int], ...]
    binds: tuple[tuple[Bind, int], ...]


def open_host_paths(spec: ProcessSpec) -> HostPaths:
    """The paths of this host that are needed when its root is gone.

    :raises OSError: something that is to be bound is not there; its `filename` is what.
    """
    flags = os.O_PATH | os.O_CLOEXEC
    devices = [(name, f"/dev/{name}") for name in _DEVICES if os.path.exists(f"/dev/{name}")]
    return HostPaths(
        os.open("/", flags | os.O_DIRECTORY),
        os.open(spec.below, flags | os.O_DIRECTORY) if spec.below else None,
        tuple((name, os.open(path, flags)) for name, path in devices),
        tuple((bind, os.open(bind.source, flags)) for bind in (*_network_binds(spec), *spec.binds)),
    )


def _network_binds(spec: ProcessSpec) -> tuple[Bind, ...]:
    """The files by which names are looked up on this host, if its network is used and nothing else is bound there."""
    taken = {bind.target for bind in spec.binds}
    paths = [path for path in _NETWORK if os.path.exists(path) and path not in taken] if spec.network else ()
    return tuple(Bind(path, path, read_only=True) for path in paths)


def enter_tree(
    write: WriteTree, used: tuple[str, ...], *, owners: bool, below: int | None = None, mapped: bool = False
) -> None:
    """Make a tree in memory the root of this process, which has a mount namespace of its own.

    :param write: writes the tree into an empty directory.
    :param used: paths that are still read meanwhile.
    :param below: the descriptor of a directory that is seen below the tree, and not written to.
    :param mapped: whether the process has a user namespace of its own.
    :raises OSError: something is refused, or there is not enough memory.
    """
    # Nothing that is mounted from here on is seen outside.
    mount("", "/", "", MS_REC | MS_PRIVATE)
    place = _place(used)
    mount("tmpfs", place, "tmpfs", MS_NODEV, "mode=755")
    write(place if below is None else make_upper(place), owners)
    os.chdir(place if below is None else laid_over(place, below, mapped=mapped))
    # Both at once: the old root lies on top of the new one (pivot_root(2), "pivot_root(".", ".")").
    pivot_root(".", ".")
    os.chdir("/")


def leave_host(host: HostPaths) -> None:
    """Take this host's root away."""
    os.fchdir(host.root)
    detach(".")
    os.chdir("/")


def _place(used: tuple[str, ...]) -> str:
    """A directory that hides nothing which is used."""
    kept = [os.path.realpath(path) + "/" for path in used]
    for place in _PLACES:
        if (
            os.path.isdir(place)
            and not os.path.islink(place)
            and not any(path.startswith(f"{place}/") for path in kept)
        ):
            return place
    raise FileNotFoundError(2, "no directory is free to mount the image on")


def lay_out(host: HostPaths, *, owners: bool, own_network: bool) -> None:
    """Mount what every container has, and what is bound, into the root of this process.

    Before /proc is there, no link of the image can lead out of it: until then every directory is made.

    :raises OSError: something is refused.
    :raises NotADirectoryError: /dev, /proc or /sys is none in the image.
    """
    for path in ("/dev", "/proc", "/sys"):
        if os.path.islink(path) or (os.path.exists(path) and not os.path.isdir(path)):
            raise NotADirectoryError(20, f"{path} is not a directory in the image")
        _make_directory(path)
    binds = []
    for bind, descriptor in host.binds:
        with _binding(bind.target):
            binds.append((_made_target(bind.target, descriptor), descriptor, bind.read_only))
    mount("proc", "/proc", "proc", _NO_PROGRAMS)
    _lay_out_devices(host, owners=owners)
    # The kernel lets nobody mount the /sys of a network that is someone else's.
    with suppress(PermissionError):
        mount("sysfs", "/sys", "sysfs", _NO_PROGRAMS | MS_RDONLY)
    for target, descriptor, read_only in binds:
        with _binding(target):
            if target.startswith("/dev/"):
                _made_target(target, descriptor)
            _bind(descriptor, target, read_only=read_only)
    if own_network:
        _allow_network()
    _protect()


@contextmanager
def _binding(target: str) -> Generator[None]:
    """Let errors in the block say what was to be bound where."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or "").lower()
        raise OSError(error.errno or 0, f"nothing can be bound to {target}: {reason}") from error


def _made_target(target: str, descriptor: int) -> str:
    """The path of `target` without links, made as what is open is, if it is not there."""
    real = os.path.realpath(target)
    if real == "/":
        raise PermissionError(1, "the image's files are there")
    if real == "/dev" or f"{real}/".startswith(("/proc/", "/sys/")):
        raise PermissionError(1, "the sandbox has its own")
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        _make_directory(real)
    elif not os.path.lexists(real):
        _make_directory(os.path.dirname(real))
        os.close(os.open(real, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644))
    return real


def _lay_out_devices(host: HostPaths, *, owners: bool) -> None:
    mount("tmpfs", "/dev", "tmpfs", MS_NOSUID, "mode=755,size=65536k")
    for name, descriptor in host.devices:
        os.close(os.open(f"/dev/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
        _bind(descriptor, f"/dev/{name}")
    for name, target in _LINKS.items():
        os.symlink(target, f"/dev/{name}")
    for name in ("pts", "shm", "mqueue"):
        os.mkdir(f"/dev/{name}")
    # The group of terminals, where there is more than one group.
    group = ",gid=5" if owners else ""
    mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, f"newinstance,ptmxmode=0666,mode=0620{group}")
    mount("shm", "/dev/shm", "tmpfs", _NO_PROGRAMS, "mode=1777,size=65536k")  # noqa: S108 - the container's
    mount("mqueue", "/dev/mqueue", "mqueue", _NO_PROGRAMS)


def _allow_network() -> None:
    """Let every user of the sandbox's own network bind low ports and ping, as Docker does (`daemon/oci_linux.go`)."""
    for name, value in (("ip_unprivileged_port_start", b"0"), ("ping_group_range", b"0 2147483647")):
        # Who has one group alone may not give all.
        with suppress(OSError), open(f"/proc/sys/net/ipv4/{name}", "wb", buffering=0) as file:
            file.write(value)


def _protect() -> None:
    """Hide what says much of this host, and let nobody write what changes it."""
    for path in _MASKED:
        if os.path.isdir(path):
            mount("tmpfs", path, "tmpfs", MS_RDONLY, "mode=755")
        elif os.path.exists(path):
            mount("/dev/null", path, "", MS_BIND)
    for path in _READ_ONLY:
        if os.path.exists(path):
            mount(path, path, "", MS_BIND | MS_REC)
            mount("", path, "", MS_REMOUNT | MS_BIND | MS_RDONLY | _NO_PROGRAMS)


def _bind(descriptor: int, target: str, *, read_only: bool = False) -> None:
    """Let what is open be seen at `target`, a path without links."""
    mount(f"/proc/self/fd/{descriptor}", target, "", MS_BIND | MS_REC)
    if read_only:
        try:
            make_read_only(target)
        except OSError as error:
            if error.errno != errno.ENOSYS:
                raise
            for path in _mounts_below(target):
                mount("", path, "", MS_REMOUNT | MS_BIND | MS_RDONLY | _locked_flags(path))


def _mounts_below(path: str) -> tuple[str, ...]:
    """Where something is mounted, at `path` and below it (proc_pid_mountinfo(5))."""
    with open("/proc/self/mountinfo", "rb") as file:
        places = [_OCTAL.sub(lambda found: bytes([int(found[1], 8)]), line.split()[4]) for line in file]
    top = os.fsencode(path)
    return tuple(os.fsdecode(place) for place in places if place == top or place.startswith(top + b"/"))


def _locked_flags(path: str) -> int:
    """Flags that a mount has and that may not be taken from it in a user namespace (mount_namespaces(7)).

    Those about times of access stay when none of them is given.
    """
    found = os.statvfs(path).f_flag
    flags = ((os.ST_NOSUID, MS_NOSUID), (os.ST_NODEV, MS_NODEV), (os.ST_NOEXEC, MS_NOEXEC))
    return sum(flag for stated, flag in flags if found & stated)


def _make_directory(path: str) -> None:
    os.makedirs(path, 0o755, exist_ok=True)
