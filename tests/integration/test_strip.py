"""`minpack --strip`: what is packed has no symbol tables and debug sections, and is proved as it is packed."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from support.packing import minpack
from support.tools import need_tool

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = '#include <math.h>\n#include <stdio.h>\nint main(int n, char **v) { return printf("%.0f", cos(n - 1)) < 0; }\n'


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A dynamic program of this machine, with symbols and debug sections."""
    (tmp_path / "a.c").write_text(SOURCE)
    path = tmp_path / "app"
    subprocess.run((need_tool("gcc"), "-g", "-o", str(path), str(tmp_path / "a.c"), "-lm"), check=True)
    return path


@pytest.mark.tool
def test_a_stripped_program_is_proved_and_runs(app: Path, tmp_path: Path) -> None:
    """It is smaller by what the summary says, passes the load proof, and runs; the host's file is untouched."""
    before = app.read_bytes()
    shown = minpack(app, "--base", "/", "--dry-run").stdout
    assert "symbol tables" in shown
    assert "(--strip leaves them out)" in shown
    document = minpack(app, "--base", "/", "--strip", "--format", "rootfs", "-o", tmp_path / "tree", "--json").stdout
    (image,) = json.loads(document)["images"]
    (symbols,) = image["symbols"]
    (file,) = (file for file in image["files"] if file["path"] == "/usr/local/bin/app")
    assert symbols["stripped"]
    assert abs(len(before) - file["size"] - symbols["symbol_tables"] - symbols["debug_sections"]) < 4096
    packed = tmp_path / "tree/usr/local/bin/app"
    assert packed.stat().st_size == file["size"] < len(before)
    assert subprocess.run([packed], capture_output=True, check=True).stdout == b"1"
    assert app.read_bytes() == before


@pytest.mark.tool
def test_a_payload_is_told_and_kept(app: Path, tmp_path: Path) -> None:
    """A program with something behind its ELF image is packed as it is, with a note."""
    app.write_bytes(app.read_bytes() + b"payload")
    done = minpack(app, "--base", "/", "--strip", "-o", tmp_path / "app.tar")
    assert f"note: '{app}' is not stripped: 7 bytes follow its ELF image, where it may look for them" in done.stderr
    stripped, plain = tmp_path / "app.tar", tmp_path / "plain.tar"
    minpack(app, "--base", "/", "-o", plain)
    assert stripped.read_bytes() == plain.read_bytes()
