"""Whether a program and a base fit together, before anything is resolved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.elf.read import read_elf
from minpack.errors import ElfError, LibcMismatchError, NotInBaseError, WrongTargetError
from minpack.excerpt import listed
from minpack.ld.resolve import libc_of
from minpack.namedtuple import NamedTuple
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from minpack.base.walk import Walker
    from minpack.elf.info import ElfInfo
    from minpack.ld.closure import Libc
    from minpack.target import Target

#: Where interpreters lie: no C library installs its loader elsewhere (loader names of musl and glibc).
_DIRECTORIES = ("/lib", "/lib64", "/libx32", "/lib32", "/usr/lib", "/usr/lib64")


class BaseLoader(NamedTuple):
    """A dynamic loader in a base."""

    path: str
    libc: Libc
    target: Target


def find_loaders(walker: Walker) -> tuple[BaseLoader, ...]:
    """The loaders of the base, each once."""
    found: dict[str, BaseLoader] = {}
    for directory in _DIRECTORIES:
        entry = walker.walk(directory).entry
        if entry is None or entry.kind is not Kind.DIRECTORY:
            continue
        for name in walker.base.listdir(entry.path):
            libc = libc_of(name)
            file = walker.find_file(f"{directory}/{name}") if libc is not None else None
            if libc is None or file is None or file.content is None or file.path in found:
                continue
            try:
                info = read_elf(file.content, file.path)
            except ElfError:
                continue
            found[file.path] = BaseLoader(f"{directory}/{name}", libc, info.target)
    return tuple(found.values())


def check_fit(program: str, info: ElfInfo, walker: Walker, hint: Callable[[], str]) -> None:
    """Raise an error if the program needs an interpreter that the base does not have.

    :param hint: says, for the errors, which bases fit.
    :raises WrongTargetError: the base is for other architectures.
    :raises LibcMismatchError: the base has another C library, or none.
    :raises NotInBaseError: the base has the C library, but not at the interpreter's path.
    """
    base = walker.base.name
    if info.interpreter is not None and (entry := walker.find_file(info.interpreter)) is not None:
        assert entry.content is not None, f"internal error: {entry.path} has no content"
        got = read_elf(entry.content, entry.path).target
        if got == info.target:
            return
        raise WrongTargetError(base, str(info.target), str(got), hint())
    loaders = find_loaders(walker)
    if loaders and all(loader.target != info.target for loader in loaders):
        others = listed(dict.fromkeys(str(loader.target) for loader in loaders))
        raise WrongTargetError(base, str(info.target), others, hint())
    if info.interpreter is None:
        return
    libc = libc_of(info.interpreter)
    libcs = dict.fromkeys(loader.libc for loader in loaders if loader.target == info.target)
    if libc is None or libc in libcs:
        raise NotInBaseError(base, info.interpreter, f"the interpreter of {program!r}", hint())
    raise LibcMismatchError(program, info.interpreter, libc, base, ", ".join(libcs), hint())
