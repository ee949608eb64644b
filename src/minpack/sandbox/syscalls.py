"""System calls that Python has no function for; errors are `OSError`, as Python's own raise them."""

from __future__ import annotations

import ctypes
import os
import struct
from functools import cache

#: <linux/sched.h>
CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
#: <linux/mount.h>
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_NOATIME, MS_BIND, MS_REC, MS_PRIVATE = 1024, 4096, 16384, 1 << 18
MNT_DETACH = 2
#: <linux/fcntl.h>, <linux/mount.h>
_AT_FDCWD, _AT_RECURSIVE, _MOUNT_ATTR_RDONLY = -100, 0x8000, 1
#: The same on every machine that minpack knows (Linux 5.12).
_MOUNT_SETATTR = 442
#: <linux/prctl.h>
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP = 1, 4, 24
#: pivot_root has no function in C libraries; its number by the machine (<asm/unistd.h>).
_PIVOT_ROOT = {"x86_64": 155, "i386": 217, "i686": 217, "s390x": 217, "ppc64le": 203, "armv7l": 218, "armv6l": 218}
#: Of machines that came to Linux later: arm64, riscv64, loongarch64 (<asm-generic/unistd.h>).
_PIVOT_ROOT_GENERIC = 41
#: C libraries refuse to set signals that they keep for their threads, so the kernel is asked; numbers as above.
_SIGACTION = {"x86_64": 13, "i386": 174, "i686": 174, "s390x": 174, "ppc64le": 173, "armv7l": 174, "armv6l": 174}
_SIGACTION_GENERIC = 134
#: Of one set of signals, and of a struct sigaction of any machine: all zero it is SIG_DFL (<asm-generic/signal.h>).
_SET_SIZE, _ACTION_SIZE = 8, 32


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def unshare(flags: int) -> None:
    """Leave namespaces for new ones (unshare(2))."""
    _checked(_libc().unshare(ctypes.c_int(flags)))


def mount(source: str, target: str, kind: str, flags: int = 0, options: str = "") -> None:
    """Mount something; what is empty is not given (mount(2))."""
    texts = [os.fsencode(text) if text else None for text in (source, target, kind)]
    _checked(_libc().mount(*texts, ctypes.c_ulong(flags), options.encode() if options else None))


def make_read_only(target: str) -> None:
    """Let nothing be written to what is mounted at `target` and below it (mount_setattr(2)).

    :raises OSError: the kernel has no such call (ENOSYS), or refuses it.
    """
    # struct mount_attr: what is set, what is cleared, propagation, a user namespace.
    attributes = struct.pack("=QQQQ", _MOUNT_ATTR_RDONLY, 0, 0, 0)
    _checked(
        _libc().syscall(
            ctypes.c_long(_MOUNT_SETATTR),
            ctypes.c_int(_AT_FDCWD),
            os.fsencode(target),
            ctypes.c_uint(_AT_RECURSIVE),
            attributes,
            ctypes.c_size_t(len(attributes)),
        )
    )


def detach(target: str) -> None:
    """Take away what is mounted at `target`, as soon as nothing uses it (umount2(2), MNT_DETACH)."""
    _checked(_libc().umount2(os.fsencode(target), ctypes.c_int(MNT_DETACH)))


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root, and put the old one at `old` (pivot_root(2))."""
    number = _PIVOT_ROOT.get(os.uname().machine, _PIVOT_ROOT_GENERIC)
    _checked(_libc().syscall(ctypes.c_long(number), os.fsencode(new), os.fsencode(old)))


def default_signal(signal: int) -> None:
    """Let a signal do what it does by default, even one that C libraries keep for themselves (sigaction(2))."""
    number = _SIGACTION.get(os.uname().machine, _SIGACTION_GENERIC)
    call, size = ctypes.c_long(number), ctypes.c_size_t(_SET_SIZE)
    _checked(_libc().syscall(call, ctypes.c_int(signal), bytes(_ACTION_SIZE), None, size))


def die_with_parent(signal: int) -> None:
    """Get `signal` when the parent ends (prctl(2), PR_SET_PDEATHSIG)."""
    _checked(_libc().prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal), 0, 0, 0))


def own_proc() -> None:
    """Let the files of this process in /proc be its user's, whatever it was before (prctl(2), PR_SET_DUMPABLE)."""
    _checked(_libc().prctl(_PR_SET_DUMPABLE, ctypes.c_ulong(1), 0, 0, 0))


def drop_capability(number: int) -> None:
    """Take a capability away from this process and all that it starts (prctl(2), PR_CAPBSET_DROP).

    :raises OSError: the process may not, or the kernel has none of that number (EINVAL).
    """
    _checked(_libc().prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(number), 0, 0, 0))


def set_host_name(name: str) -> None:
    """Call this machine so (sethostname(2))."""
    data = name.encode()
    _checked(_libc().sethostname(data, ctypes.c_size_t(len(data))))
