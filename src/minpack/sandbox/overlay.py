"""A tree over a directory of this host, which is seen below it and stays as it is.

Source: Linux, filesystems/overlayfs.rst.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

from minpack.sandbox.syscalls import MS_BIND, MS_NODEV, make_read_only, mount

#: What has an own one in every sandbox.
_KERNEL = frozenset(("dev", "proc", "sys"))
#: What separates options of a mount, or directories in one.
_SEPARATORS = frozenset(",:\\")
#: More mounts than any directory takes that is put together from parts.
_MOST = 4000


def make_upper(place: str) -> str:
    """Where below `place`, a file system of its own, a tree is written that is to lie over another."""
    for name in ("upper", "work", "root"):
        os.mkdir(f"{place}/{name}", 0o755)
    return f"{place}/upper"


def laid_over(place: str, below: int, *, mapped: bool) -> str:
    """Where the tree is seen over the directory that is open as `below`.

    By its descriptor, as a path may have what separates options.

    :param mapped: whether the process has a user namespace of its own.
    :raises OSError: something is refused.
    """
    overlay, source, root = _Overlay(place, mapped=mapped), f"/proc/self/fd/{below}", f"{place}/root"
    if not overlay.mounted(source, ""):
        mount(f"{place}/upper", root, "", MS_BIND)
        overlay.lay(source, "")
    return root


class _Overlay:
    """Mounts parts of a tree over those of a directory.

    In a user namespace nobody may see what is below a mount of outside, so the kernel refuses a directory with mounts
    in it (`clone_private_mount`), as / is: its parts without any are taken then.
    """

    def __init__(self, place: str, *, mapped: bool) -> None:
        self._place = place
        self._mapped = mapped
        self._count = 0
        #: The file system of the tree itself hides a directory of this host.
        self._own = os.stat(place).st_dev

    def mounted(self, source: str, path: str) -> bool:
        """Whether what is at `path` of the tree lies over the directory `source` now; False if that has mounts."""
        # They separate options; as a part it is put together from parts of its own.
        if not _SEPARATORS.isdisjoint(path):
            return False
        self._count_one()
        work = f"{self._place}/work/{self._count}"
        os.mkdir(work)
        options = f"lowerdir={source},upperdir={self._place}/upper{path},workdir={work}"
        # It must not keep what it knows of files where only root may.
        options += ",userxattr" if self._mapped else ""
        try:
            mount("overlay", f"{self._place}/root{path}", "overlay", MS_NODEV, options)
        except OSError as error:
            if self._mapped and error.errno == errno.EINVAL:
                return False
            raise
        return True

    def lay(self, source: str, path: str) -> None:
        """Let what is in the directory `source` be seen at `path`, where the tree has nothing else."""
        device = os.stat(source).st_dev
        names: list[str] = []
        with suppress(PermissionError):
            names = sorted(os.listdir(source))
        for name in names:
            # It may be gone, or be nobody's to look at.
            with suppress(FileNotFoundError, PermissionError):
                self._lay_one(f"{source}/{name}", f"{path}/{name}", device)

    def _lay_one(self, source: str, path: str, device: int) -> None:
        found, upper = os.lstat(source), f"{self._place}/upper{path}"
        is_there = os.path.lexists(upper)
        if stat.S_ISDIR(found.st_mode):
            is_kernels = os.path.basename(path) in _KERNEL and found.st_dev != device
            if is_kernels or found.st_dev == self._own or (is_there and not stat.S_ISDIR(os.lstat(upper).st_mode)):
                return
            if not is_there:
                os.mkdir(upper)
                os.chmod(upper, stat.S_IMODE(found.st_mode))
            if not self.mounted(source, path):
                self.lay(source, path)
        elif not is_there and stat.S_ISLNK(found.st_mode):
            os.symlink(os.readlink(source), upper)
        elif not is_there and stat.S_ISREG(found.st_mode):
            self._count_one()
            os.close(os.open(upper, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            mount(source, f"{self._place}/root{path}", "", MS_BIND)
            make_read_only(f"{self._place}/root{path}")

    def _count_one(self) -> None:
        self._count += 1
        if self._count > _MOST:
            raise OSError(errno.E2BIG, "the base has too many mounts in it for a user namespace")
