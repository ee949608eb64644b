"""What a loader has built in, read out of the loader file itself, with a table to fall back on.

Distributions choose these when they build their C library, so no table can
know them all.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from minpack.content import read_all, remembered
from minpack.ld.closure import Libc
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from minpack.content import Content
    from minpack.target import Target

#: Loaders have up to 1 MB, and some more with what a debugger needs.
MAX_LOADER = 8 << 20
#: Those of so many bases are remembered.
MOST_LOADERS = 16

# Nothing here looks further than a path is long, so that a hostile file costs no more than its size.
# Patterns are compiled when they are wanted: that takes longer than most searches.
_MUSL_MARK = b"/etc/ld-musl-"
_MUSL_PATH_FILE = _MUSL_MARK + rb"([A-Za-z0-9_-]{1,64})\.path\0"
_PATHS = rb"\0(/[\x21-\x7e]{1,254})(?=\0)"
_END = re.compile(rb"/\0")
_CACHE_NAME = b"/ld.so.cache\0"
_PATH_TO = re.compile(rb"/[\x21-\x7e]*\Z")
#: How the names of a machine's levels begin; they stand in a row with colons between them.
_PREFIXES = {"x86_64": b"x86-64-v", "ppc64le": b"power", "s390x": b"z"}
_KNOWN_HWCAPS = {
    "x86_64": ("x86-64-v4", "x86-64-v3", "x86-64-v2"),
    "ppc64le": ("power10", "power9"),
    "s390x": ("z16", "z15", "z14", "z13"),
}
#: Where Linux has one name for all (AT_PLATFORM; arch/*/include/asm/elf.h, ELF_PLATFORM).
_PLATFORMS = {
    "aarch64": "aarch64",
    "aarch64_be": "aarch64_be",
    "loongarch64": "loongarch",
    "loongarch64sf": "loongarch",
}
_VERSION = b" release version "
#: Since then there is glibc-hwcaps, and since then nothing else (glibc NEWS, 2.33 and 2.37).
WITH_HWCAPS, WITHOUT_LEGACY = (2, 33), (2, 37)
_MOST_ENDS = 4096
_LONGEST = 254
_MULTIARCH = re.compile(r"/?(?:usr/)?(lib/[^/]+-linux-[^/]+)/")

_GCOMPAT, _PRIVATE = b"libgcompat", b"GLIBC_PRIVATE"


class MuslConstants(NamedTuple):
    """`arch` is in the name of the path file (``/etc/ld-musl-ARCH.path``); `path` is searched without one."""

    arch: str
    path: str


class GlibcConstants(NamedTuple):
    """`directories` are searched last; `lib` is what ``$LIB`` becomes.

    `debian` tells whether it is a glibc with Debian's patches, which its directories show
    (debian/patches/any/local-ld-multiarch.diff). `hwcaps` are the names below ``glibc-hwcaps`` in each directory, the
    best first. `version` is (0, 0) if the loader does not say it, as those before 2.33 do not. `platform` is what
    ``$PLATFORM`` becomes, empty if that depends on the CPU.
    """

    directories: tuple[str, ...]
    cache: str
    lib: str
    debian: bool
    hwcaps: tuple[str, ...] = ()
    version: tuple[int, int] = (0, 0)
    platform: str = ""

    @property
    def legacy(self) -> bool:
        """Whether it looks into other subdirectories for better CPUs too, and into ``tls`` on every machine."""
        return self.version < WITHOUT_LEGACY


class LoaderFile(NamedTuple):
    """What the file of a loader says: the constants of the one of the two that it is, if it is one."""

    musl: MuslConstants | None = None
    glibc: GlibcConstants | None = None
    is_gcompat: bool = False


@remembered(MOST_LOADERS)
def read_loader(loader: Content, interpreter: str, named: Libc | None, target: Target) -> LoaderFile:
    """Whose loader a file is, by what is in it, and where that does not tell by its name, and its constants.

    :param interpreter: its path, as programs name it.
    :param named: whose it is by its name.
    :raises InputError: it cannot be read.
    """
    data = read_all(loader, MAX_LOADER)
    if is_musl(data):
        return LoaderFile(musl=musl_constants(data, interpreter))
    if is_glibc(data):
        return LoaderFile(glibc=glibc_constants(data, target))
    if is_gcompat(data):
        return LoaderFile(is_gcompat=True)
    if named is Libc.MUSL:
        return LoaderFile(musl=musl_constants(data, interpreter))
    return LoaderFile(glibc=glibc_constants(data, target)) if named is Libc.GLIBC else LoaderFile()


def is_musl(data: bytes) -> bool:
    """Whether a loader file is musl's (ldso/dynlink.c, load_library)."""
    return _MUSL_MARK in data and re.search(_MUSL_PATH_FILE, data) is not None


def is_glibc(data: bytes) -> bool:
    """Whether a loader file is glibc's: all of its libraries have that symbol version (Versions.def)."""
    return _PRIVATE in data


def is_gcompat(data: bytes) -> bool:
    """Whether a loader file only starts musl's, with gcompat's library in front."""
    return _GCOMPAT in data


def musl_constants(data: bytes, interpreter: str) -> MuslConstants:
    """The constants of the musl loader with the bytes `data` (ldso/dynlink.c; its strings are read, nothing is run)."""
    arch = re.search(_MUSL_PATH_FILE, data)
    name = interpreter.rpartition("/")[2]
    return MuslConstants(
        arch[1].decode() if arch else name.removeprefix("ld-musl-").partition(".so")[0],
        next(filter(_is_library_path, re.findall(_PATHS, data)), b"/lib:/usr/local/lib:/usr/lib").decode(),
    )


def glibc_constants(data: bytes, target: Target) -> GlibcConstants:
    """The constants of the glibc loader with the bytes `data`.

    Its system directories lie one behind the other, each ending in a slash (elf/dl-load.c, system_dirs).
    """
    directories = _system_directories(data) or default_directories(target)
    multiarch = _MULTIARCH.fullmatch(directories[0])
    return GlibcConstants(
        tuple(directory.rstrip("/") for directory in directories),
        _cache_path(data),
        # Debian's patch makes it the directory that holds libraries, as seen from / and /usr; else it is a name.
        multiarch[1] if multiarch else directories[0].rstrip("/").rpartition("/")[2],
        multiarch is not None,
        _hwcaps(data, target, version := _version(data)),
        version,
        _PLATFORMS.get(target.name, ""),
    )


def _version(data: bytes) -> tuple[int, int]:
    """The version in what ``ld.so --version`` says; loaders before 2.33 say none, and none is as good as theirs."""
    at = data.find(_VERSION)
    numbers = data[at + len(_VERSION) : at + len(_VERSION) + 16].split(b".") if at >= 0 else []
    if len(numbers) < 2 or not (numbers[0].isdigit() and numbers[1].isdigit()):  # noqa: PLR2004 - major and minor
        return (0, 0)
    return int(numbers[0]), int(numbers[1])


def _hwcaps(data: bytes, target: Target, version: tuple[int, int]) -> tuple[str, ...]:
    """The names in the loader (sysdeps/*/dl-hwcaps_subdirs.c), or the table's if it must have some."""
    known = _KNOWN_HWCAPS.get(target.name, ())
    prefix = _PREFIXES.get(target.name)
    at = data.find(b"\0" + prefix) if prefix is not None else -1
    while prefix is not None and at >= 0:
        names = data[at + 1 : max(at + 1, data.find(b"\0", at + 1, at + _LONGEST))].split(b":")
        if len(names) > 1 and all(name.startswith(prefix) and name[len(prefix) :].isdigit() for name in names):
            return tuple(name.decode() for name in names)
        at = data.find(b"\0" + prefix, at + 1)
    return known if version >= WITH_HWCAPS else ()


def _is_library_path(text: bytes) -> bool:
    """Whether it is directories with "lib" in their names; the other such list in the file is execvp's, of programs."""
    parts = text.split(b":")
    return len(parts) > 1 and all(part.startswith(b"/") and b"lib" in part for part in parts)


def _cache_path(data: bytes) -> str:
    at = data.find(_CACHE_NAME)
    found = _PATH_TO.search(data[max(0, at - _LONGEST) : at]) if at >= 0 else None
    return found[0].decode() + "/ld.so.cache" if found else "/etc/ld.so.cache"


def _system_directories(data: bytes) -> tuple[str, ...]:
    """The longest row of directories that hold libraries, one behind the other."""
    longest: tuple[str, ...] = ()
    row: list[str] = []
    row_end = 0
    for end in islice(_END.finditer(data), _MOST_ENDS):
        stop = end.start() + 1
        found = _PATH_TO.search(data[max(0, stop - _LONGEST) : stop])
        text = found[0] if found else b""
        if stop - len(text) != row_end:
            row = []
        row = [*row, text.decode()] if any(part.startswith(b"lib") for part in text.split(b"/")) else []
        row_end = end.end()
        longest = max(longest, tuple(row), key=len)
    return longest


def default_directories(target: Target) -> tuple[str, ...]:
    """The system directories of an unpatched glibc (sysdeps/*/configure.ac, LIBC_SLIBDIR_RTLDDIR)."""
    special = {
        "x32": "libx32",
        "riscv64": "lib64/lp64d",
        "riscv64sf": "lib64/lp64",
        "riscv32": "lib32/ilp32d",
        "riscv32sf": "lib32/ilp32",
        "mipsn32": "lib32",
        "mipsn32el": "lib32",
    }
    name = special.get(target.name, "lib64" if target.bits == 64 else "lib")  # noqa: PLR2004 - the two classes
    return (f"/{name}/", f"/usr/{name}/")
