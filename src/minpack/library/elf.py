"""Reading and resolving ELF files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from minpack.elf import read
from minpack.ld import resolve
from minpack.library.check import checked
from minpack.program.additions import host_file

if TYPE_CHECKING:
    from minpack.content import Content
    from minpack.elf.info import ElfInfo

resolve_closure = checked(resolve.resolve_closure)


@checked
def read_elf(file: str | os.PathLike[str] | Content, name: str | None = None) -> ElfInfo:
    """Read what an ELF file says about itself.

    :param file: a path of this host, or a `Content`, such as `BytesContent` for bytes in memory.
    :param name: the file's name in errors; by default the origin of its bytes.
    :raises InputError: it cannot be read.
    :raises NotElfError: it does not start like an ELF file.
    :raises MalformedElfError: an offset, count or size in it is impossible.
    :raises NotProgramError: it is for a system other than Linux.
    """
    return read.read_elf(host_file(os.fspath(file)) if isinstance(file, (str, os.PathLike)) else file, name)
