"""Where instructions begin and jumps lead is what a disassembler says."""

from __future__ import annotations

import re
import subprocess

import pytest

from minpack.elf.read import read_elf
from minpack.needs.binary import open_binary
from minpack.needs.golang.x86 import instructions
from minpack.program.additions import host_file
from support.tools import need_tool
from support.truth import GoBuild, build_go

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("truth-go")]

FUNCTION = re.compile(r"^([0-9a-f]+) <(.*)>:$")
INSTRUCTION = re.compile(r"^ +([0-9a-f]+):\t")
JUMP = re.compile(r"\tj\w+ +([0-9a-f]+) ")


def disassembled(path: str) -> dict[str, list[tuple[int, int]]]:
    """By function, the address of each instruction and where it jumps to, -1 if it does not."""
    command = (need_tool("objdump"), "-d", "--no-show-raw-insn", "-j", ".text", path)
    functions: dict[str, list[tuple[int, int]]] = {}
    rows: list[tuple[int, int]] = []
    for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():
        if (head := FUNCTION.match(line)) is not None:
            rows = functions.setdefault(head[2], [])
        elif (found := INSTRUCTION.match(line)) is not None:
            jump = JUMP.search(line)
            rows.append((int(found[1], 16), int(jump[1], 16) if jump is not None else -1))
    return functions


def test_instructions_are_those_of_objdump() -> None:
    """In every function of a Go program that is read at all, and that is nearly every one."""
    path = build_go(GoBuild("own-symbols"), ("usercurrent",))["usercurrent"]
    content = host_file(str(path))
    read = 0
    functions = {name: rows for name, rows in disassembled(str(path)).items() if len(rows) > 1}
    with open_binary(content, read_elf(content), str(path)) as binary:
        for name, rows in functions.items():
            # The last one is left out, as nothing tells where it ends.
            start, end = rows[0][0], rows[-1][0]
            at = binary.offset_of(start)
            assert at is not None
            try:
                found = list(instructions(binary.window.peek(at, end - start)))
            except ValueError:
                continue
            read += 1
            expected = [(place - start, target - start if target >= 0 else -1) for place, target in rows[:-1]]
            assert found == expected, name
    assert read > 1500
    assert read > len(functions) * 0.97


@pytest.mark.parametrize(
    "body", [b"\x0f", b"\xe8\0\0", b"\x48", b"\x66\x66", b"\xc4\xe2", b"\x8b\x04", b"\x62\0\0\0", b"\x48\xb8\0\0"]
)
def test_what_is_cut_or_unknown_is_said(body: bytes) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match=r"^0$"):
        list(instructions(body))
