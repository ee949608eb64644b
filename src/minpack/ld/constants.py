"""What a loader has built in, read out of the loader file itself, with a table to fall back on.

Distributions choose these when they build their C library, so no table can
know them all.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from minpack.content import read_all

if TYPE_CHECKING:
    from minpack.content import Content
    from minpack.target import Target

#: Loaders have up to 1 MB.
MAX_LOADER = 16 << 20

_MUSL_PATH_FILE = re.compile(rb"/etc/ld-musl-([A-Za-z0-9_-]+)\.path\0")
# Every directory of it has "lib" in its name; the other list of directories in the file is execvp's, of programs.
_MUSL_PATH = re.compile(rb"\0(/[^\0:]*lib[^\0:]*(?::/[^\0:]*lib[^\0:]*)+)\0")
_SYSTEM_DIRECTORIES = re.compile(rb"(?:/(?:[\x21-\x2e\x30-\x7e]+/)+\0)+")
_CACHE_PATH = re.compile(rb"(/[\x21-\x7e]*/ld\.so\.cache)\0")


class MuslConstants(NamedTuple):
    """`arch` is in the name of the path file (``/etc/ld-musl-ARCH.path``); `path` is searched without one."""

    arch: str
    path: str


class GlibcConstants(NamedTuple):
    """`directories` are searched last; `lib` is what ``$LIB`` becomes."""

    directories: tuple[str, ...]
    cache: str
    lib: str


def read_musl_constants(content: Content, interpreter: str) -> MuslConstants:
    """The constants of the musl loader `content` (ldso/dynlink.c; its strings are read, nothing is run)."""
    data = read_all(content, MAX_LOADER)
    arch, path = _MUSL_PATH_FILE.search(data), _MUSL_PATH.search(data)
    name = interpreter.rpartition("/")[2]
    return MuslConstants(
        arch[1].decode() if arch else name.removeprefix("ld-musl-").partition(".so")[0],
        path[1].decode() if path else "/lib:/usr/local/lib:/usr/lib",
    )


def read_glibc_constants(content: Content, target: Target) -> GlibcConstants:
    """The constants of the glibc loader `content`.

    Its system directories lie one behind the other, each ending in a slash (glibc elf/dl-load.c, system_dirs).
    """
    data = read_all(content, MAX_LOADER)
    runs = [run.split(b"\0")[:-1] for run in _SYSTEM_DIRECTORIES.findall(data)]
    longest: list[bytes] = max(runs, key=len, default=[])
    directories = tuple(directory.decode() for directory in longest) or default_directories(target)
    cache = _CACHE_PATH.search(data)
    return GlibcConstants(
        tuple(directory.rstrip("/") or "/" for directory in directories),
        cache[1].decode() if cache else "/etc/ld.so.cache",
        _lib(directories),
    )


def default_directories(target: Target) -> tuple[str, ...]:
    """The system directories of an unpatched glibc (sysdeps/*/configure.ac, LIBC_SLIBDIR_RTLDDIR)."""
    if target.name == "x32":
        return ("/libx32/", "/usr/libx32/")
    if target.name == "riscv64":
        return ("/lib64/lp64d/", "/usr/lib64/lp64d/")
    return ("/lib64/", "/usr/lib64/") if target.bits == 64 else ("/lib/", "/usr/lib/")  # noqa: PLR2004


def _lib(directories: tuple[str, ...]) -> str:
    """``lib64`` or ``lib``; Debian's patch makes it ``lib/<triplet>``, the first system directory."""
    return directories[0].strip("/").removeprefix("usr/") if directories else "lib"
