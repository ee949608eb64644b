"""Programs of a store with the base's interpreter: LIEF changes the two strings, and all else is as it was."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from minpack.content import BytesContent, FileContent
from minpack.elf import lief as subject
from minpack.elf.full import differences
from minpack.elf.lief import lief_version, retarget
from minpack.elf.read import read_elf
from minpack.errors import InputError
from support.cc import Compiler
from support.packing import minpack

if TYPE_CHECKING:
    from pathlib import Path

STORE = "/nix/store/abcdefghijklmnopqrstuvwxyz012345-glibc-2.38-44/lib"
GLIBC = "/lib64/ld-linux-x86-64.so.2"
SOURCE = '#include <stdio.h>\nint main(void) { return puts("from the base") < 0; }'


def stored(path: Path, runpath: str) -> Path:
    """A program as Nix builds it."""
    compiler = Compiler(path)
    program = compiler.program("tool", SOURCE, f"-Wl,--dynamic-linker={STORE}/ld-linux-x86-64.so.2", "-Wl,-rpath=")
    flags = (f"-Wl,--dynamic-linker={STORE}/ld-linux-x86-64.so.2", f"-Wl,-rpath,{runpath}")
    command = ["gcc", "-x", "c", "-", "-o", str(program), *flags]
    subprocess.run(command, input=SOURCE, text=True, check=True)
    return program


@pytest.mark.parametrize("runpath", ["", "$ORIGIN/../lib"])
def test_the_two_strings_change_and_nothing_else(tmp_path: Path, runpath: str) -> None:
    """Whatever the new runpath is; our reader and pyelftools agree, and the bytes are the same each time."""
    path = stored(tmp_path, f"$ORIGIN/../lib:{STORE}")
    content = FileContent(str(path), path.stat().st_size)
    info = read_elf(content)
    made = retarget(content, info, GLIBC, runpath)
    again = read_elf(made)
    assert (again.interpreter, again.runpath or "") == (GLIBC, runpath)
    assert again.needed == info.needed
    assert retarget(content, info, GLIBC, runpath) == made
    done = tmp_path / "done"
    done.write_bytes(made.data)
    done.chmod(0o755)
    assert subprocess.run([done], check=True, capture_output=True, text=True).stdout == "from the base\n"


def test_what_differs_is_found(tmp_path: Path) -> None:
    """A byte of the code, of a relocation, of the header: each is told."""
    data = stored(tmp_path, STORE).read_bytes()
    assert not list(differences(data, data))
    info = read_elf(BytesContent(data))
    code = next(segment for segment in info.segments if segment.type == 1 and segment.flags & 1)
    changed = bytearray(data)
    changed[code.offset + 8] ^= 0xFF
    assert list(differences(data, bytes(changed))) == [f"what is loaded at {code.vaddr:#x}"]
    changed = bytearray(data)
    changed[24] ^= 0xFF
    assert next(differences(data, bytes(changed))) == "its header"


def test_what_lief_spoils_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program is not packed then."""
    path = stored(tmp_path, STORE)
    content = FileContent(str(path), path.stat().st_size)
    right = subject._changed
    monkeypatch.setattr(subject, "_changed", lambda *given: right(*given).replace(b"from the base", b"from the BASE"))
    with pytest.raises(InputError, match=r"cannot retarget .*: LIEF changes more than the interpreter and runpath"):
        retarget(content, read_elf(content), GLIBC, "")


def test_a_program_of_a_store_runs_in_its_image(tmp_path: Path) -> None:
    """Refused with the reason and the option; with that it is packed, proved, and runs; the inputs name LIEF."""
    path = stored(tmp_path, STORE)
    refused = minpack(path, "--base", "/", "--dry-run", status=3)
    assert "Nix built it for its own store: --retarget packs a copy" in refused.stderr
    image = tmp_path / "image"
    done = minpack(path, "--base", "/", "--retarget", "--format", "rootfs", "-o", image, "--json")
    document = json.loads(done.stdout)
    assert {"kind": "tool", "name": "lief", "version": lief_version()}.items() <= document["inputs"][-1].items()
    assert f"is packed with the interpreter {GLIBC}" in document["notes"][0]
    if os.geteuid() == 0:
        ran = subprocess.run(["chroot", image, "/usr/local/bin/tool"], check=True, capture_output=True, text=True)
        assert ran.stdout == "from the base\n"


def test_tree_shows_a_program_of_a_store_as_it_is_packed(tmp_path: Path) -> None:
    """With the base's interpreter and libraries under --retarget, and refused in the same words without."""
    path = stored(tmp_path, STORE)
    refused = minpack("tree", path, "--base", "/", status=3)
    assert "Nix built it for its own store: --retarget packs a copy" in refused.stderr
    shown = minpack("tree", path, "--base", "/", "--retarget", "--check", "load")
    assert f"interpreter {GLIBC}\n" in shown.stdout
    assert "it loads:" in shown.stdout
    assert f"is packed with the interpreter {GLIBC}" in shown.stderr


def test_where_nothing_is_to_change(tmp_path: Path) -> None:
    """A program that names what the base has is packed as it is, and the note says so."""
    path = Compiler(tmp_path).program("plain", SOURCE, "-Wl,-rpath=")
    done = minpack(path, "--base", "/", "--retarget", "--dry-run")
    assert "--retarget had no effect: the base has what the programs name" in done.stderr
