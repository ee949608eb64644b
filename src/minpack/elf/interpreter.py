"""A dynamic program that names another interpreter, in the place that the old one's name leaves for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.content import JoinedContent, Piece
from minpack.elf.format import PT_INTERP
from minpack.errors import InputError

if TYPE_CHECKING:
    from minpack.content import Content
    from minpack.elf.info import ElfInfo


def with_interpreter(content: Content, info: ElfInfo, interpreter: str) -> Content:
    """The program `content` with `interpreter`, which is no longer than its own; all other bytes are as before.

    The kernel wants a NUL at the segment's end and takes what is before the first one (fs/binfmt_elf.c,
    load_elf_binary), as loaders do.

    :raises InputError: the name of its interpreter is too short.
    """
    (segment,) = (one for one in info.segments if one.type == PT_INTERP)
    name = interpreter.encode()
    if len(name) >= segment.file_size:
        reason = f"the name of its interpreter, {info.interpreter}, leaves no room for {interpreter}"
        raise InputError(content.where, reason, verb="relocate")
    return spliced(content, segment.offset, segment.file_size, name.ljust(segment.file_size, b"\0"))


def spliced(content: Content, at: int, size: int, data: bytes) -> Content:
    """`content` with `data` in place of its `size` bytes from `at` on."""
    behind, rest = at + len(data), content.size - at - size
    pieces = (Piece(0, at), Piece(at, len(data), data=data), Piece(behind, rest, at + size))
    return JoinedContent(content.where, behind + rest, content, pieces)
