"""Exchanging two names in one step, where the system can: renameat2(2) with RENAME_EXCHANGE."""

from __future__ import annotations

import os
import sys
from errno import EINVAL, ENOSYS, EOPNOTSUPP, EPERM
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_EXCHANGE = 2
_AT_FDCWD = -100
#: The number of the call where the C library has no function for it, as musl (Linux, arch/*/syscall.tbl; 64 bits).
_NUMBERS = {
    "x86_64": 316,
    "aarch64": 276,
    "riscv64": 276,
    "loongarch64": 276,
    "ppc64le": 357,
    "ppc64": 357,
    "s390x": 347,
    "mips64": 5311,
}
#: What says that the kernel, the file system or a filter of system calls (seccomp) has no such thing.
_CANNOT = (ENOSYS, EINVAL, EOPNOTSUPP, EPERM)


def exchange(first: str, second: str) -> bool:
    """Give each of two things that are there the other's name, in one step; False, and nothing is done, if none can.

    :raises OSError: it can be done in general and not here.
    """
    import ctypes  # noqa: PLC0415 - for directories that are replaced alone

    call = _call()
    if call is None:
        return False
    if call(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT:
        return False
    raise OSError(number, os.strerror(number), first, None, second)


def _call() -> Callable[[int, bytes, int, bytes, int], int] | None:
    """The system's call, by the C library's function or by its number; None where there is neither."""
    if sys.platform != "linux":
        return None
    import ctypes  # noqa: PLC0415

    try:
        library = ctypes.CDLL(None, use_errno=True)
    except OSError:
        # A static interpreter.
        return None
    function = getattr(library, "renameat2", None)
    if function is not None:
        return function  # type: ignore[no-any-return]
    number = _NUMBERS.get(os.uname().machine) if sys.maxsize > 1 << 32 else None
    if number is None:
        return None
    syscall = library.syscall
    syscall.restype = ctypes.c_long
    return lambda *given: syscall(ctypes.c_long(number), *given)
