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


LIBRARY = "int answer(void) { return 42; }\n"
CALLER = "int answer(void);\nint main(void) { return answer() != 42; }\n"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A program with a library beside it and a plugin elsewhere, all with debug sections."""
    for name, source in {"answer": LIBRARY, "caller": CALLER}.items():
        (tmp_path / f"{name}.c").write_text(source)
    gcc = need_tool("gcc")
    shared = (gcc, "-g3", "-shared", "-fPIC", "-o")
    subprocess.run((*shared, str(tmp_path / "libanswer.so"), str(tmp_path / "answer.c")), check=True)
    (tmp_path / "plugins").mkdir()
    subprocess.run((*shared, str(tmp_path / "plugins/plugin.so"), str(tmp_path / "answer.c")), check=True)
    subprocess.run((gcc, "-g", "-c", "-o", str(tmp_path / "plugins/object.o"), str(tmp_path / "answer.c")), check=True)
    (tmp_path / "plugins/broken.so").write_bytes(b"\x7fELF" + bytes(100))
    linked = ("-L", str(tmp_path), "-lanswer", "-Wl,-rpath,$ORIGIN", "-o", str(tmp_path / "caller"))
    subprocess.run((gcc, "-g", str(tmp_path / "caller.c"), *linked), check=True)
    return tmp_path


@pytest.mark.tool
def test_libraries_of_the_user_are_stripped_too(bundle: Path) -> None:
    """Beside the program or added; what a linker reads, what is damaged and files of the base stay as they are."""
    options = ("--base", "/", "--add", f"{bundle}/plugins:/plugins", "--format", "rootfs", "--json")
    documents = [
        json.loads(minpack(bundle / "caller", *options, *more, "-o", bundle / f"tree{number}").stdout)["images"][0]
        for number, more in enumerate(((), ("--strip",)))
    ]
    before, after = ({file["path"]: file["size"] for file in one["files"]} for one in documents)
    smaller = {path for path, size in before.items() if (size or 0) > (after[path] or 0)}
    assert smaller == {"/usr/local/bin/caller", "/usr/local/bin/libanswer.so", "/plugins/plugin.so"}
    assert {row["path"]: row["stripped"] for row in documents[0]["symbols"]} == dict.fromkeys(smaller, False)
    assert {row["path"]: row["stripped"] for row in documents[1]["symbols"]} == dict.fromkeys(smaller, True)
    for number in (0, 1):
        subprocess.run((bundle / f"tree{number}/usr/local/bin/caller",), check=True)
    shown = minpack(bundle / "caller", "--base", "/", "--dry-run").stdout
    assert "libanswer.so: " in shown
    assert shown.count("(--strip leaves them out)") == 2
