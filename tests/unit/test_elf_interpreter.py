"""A program's interpreter is replaced where it is, and nothing else of the file changes."""

from __future__ import annotations

import pytest

from minpack.content import BytesContent, sum_of
from minpack.elf.interpreter import spliced, with_interpreter
from minpack.elf.read import read_elf
from minpack.errors import InputError
from support.elfmaker import MACHINES, MUSL, program


@pytest.mark.parametrize("machine", sorted(MACHINES))
def test_all_else_stays(machine: str) -> None:
    """Of every class and byte order."""
    content = BytesContent(program(("libc.so",), interpreter=MUSL, machine=machine))
    info = read_elf(content)
    made = with_interpreter(content, info, "/.debug/lib/ld.so")
    with made.open() as reader:
        data = reader.read_at(0, made.size)
    again = read_elf(BytesContent(data))
    assert again == info._replace(interpreter="/.debug/lib/ld.so")
    assert data.replace(b"/.debug/lib/ld.so\0".ljust(len(MUSL) + 1, b"\0"), MUSL.encode() + b"\0") == content.data


def test_a_longer_name_has_no_room() -> None:
    """It would be cut, or what is behind it overwritten."""
    content = BytesContent(program((), interpreter="/lib/ld.so.1"))
    with pytest.raises(InputError, match="leaves no room for"):
        with_interpreter(content, read_elf(content), "/.debug/lib/ld.so")


@pytest.mark.parametrize(("at", "size", "data"), [(0, 1, b"xyz"), (3, 2, b""), (5, 0, b"12"), (0, 5, b"")])
def test_bytes_are_replaced(at: int, size: int, data: bytes) -> None:
    """By as many, by fewer or by more."""
    made = spliced(BytesContent(b"hello"), at, size, data)
    expected = b"hello"[:at] + data + b"hello"[at + size :]
    with made.open() as reader:
        assert reader.read_at(0, 99) == expected
    assert sum_of(made) == sum_of(BytesContent(expected))
