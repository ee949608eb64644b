"""What `pack` and `tree` prove, as users see it: versions, symbols, what is opened later, and who may read it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.cc import Compiler

ALL_PROGRAMS = bool(os.environ.get("MINPACK_ALL"))
CALLS = "extern int f(void); int main(void) { return f(); }"
EXITS = """
#include <pthread.h>
static void *work(void *x) { pthread_exit(x); }
int main(void) { pthread_t t; pthread_create(&t, 0, work, 0); return pthread_join(t, 0); }
"""
NOTE = """
__attribute__((section(".note.dlopen"), aligned(4), used)) static const struct {{
  unsigned namesz, descsz, type; char name[4]; char text[{size}];
}} note = {{ 4, {size}, 0x407c0c0a, "FDO", {text} }};
int main(void) {{ return 0; }}
"""

pytestmark = pytest.mark.tool


def minpack(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in `cwd`."""
    return subprocess.run(
        [sys.executable, "-m", "minpack", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


def document(*arguments: str, cwd: Path) -> dict[str, Any]:
    """The JSON document of a command."""
    done = minpack(*arguments, "--json", cwd=cwd)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def cc(tmp_path: Path) -> Compiler:
    """Gcc in a directory of the test's own."""
    return Compiler(tmp_path)


def program_with_note(cc: Compiler, soname: str, priority: str) -> Path:
    """A program whose dlopen note names `soname`."""
    text = json.dumps([{"soname": [soname], "feature": "test", "priority": priority}])
    return cc.program("noted", NOTE.format(size=len(text) + 1, text=json.dumps(text)))


def packed_paths(found: dict[str, Any]) -> set[str]:
    """The file names in the image."""
    return {entry["path"].rpartition("/")[2] for entry in found["images"][0]["files"]}


@pytest.fixture
def newer(cc: Compiler) -> Path:
    """A program that needs a version its library has no more."""
    cc.make_library("libf.so", "int f(void) { return 0; }", versions="F_1.0 {}; F_2.0 { f; };")
    program = cc.program("app", CALLS, "-lf")
    cc.make_library("libf.so", "int f(void) { return 0; }", versions="F_1.0 { f; };")
    return program


def test_a_version_that_the_base_lacks_is_refused_in_the_user_s_words(newer: Path, tmp_path: Path) -> None:
    """The message names the version, a symbol, the file that needs it, and what the base has."""
    done = minpack("./app", "--base", "/", cwd=tmp_path)
    assert done.returncode == 3
    lines = done.stderr.splitlines()
    assert lines[0] == "minpack: cannot pack './app' on /: it would not start"
    assert lines[1] == (
        f"  it needs F_2.0 (symbol f in /usr/local/bin/app), and {newer.parent}/libf.so in this base has up to F_1.0"
    )
    assert lines[2].startswith("hint: ")
    assert not (tmp_path / "app.tar").exists()


@pytest.mark.usefixtures("newer")
def test_check_none_packs_it_anyway(tmp_path: Path) -> None:
    """`--check none` leaves the proof out."""
    done = minpack("./app", "--base", "/", "--check", "none", "-q", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "app.tar").exists()


@pytest.mark.usefixtures("newer")
def test_tree_shows_the_verdict(tmp_path: Path) -> None:
    """`tree` leaves symbols unchecked, and with `--check load` says what fails, with exit code 3."""
    plain = document("tree", "./app", cwd=tmp_path)
    assert (plain["unbound"], plain["result"]) == (None, "unchecked")
    checked = minpack("tree", "./app", "--check", "load", cwd=tmp_path)
    assert checked.returncode == 3
    assert "it would not start:" in checked.stdout
    found = document("tree", "./app", "--check", "load", cwd=tmp_path)
    assert found["result"] == "fails"
    assert found["unbound"] == [{"symbol": "f", "version": "F_2.0", "needed_by": str(tmp_path / "app"), "fatal": True}]


def test_a_latent_symbol_is_a_note(cc: Compiler, tmp_path: Path) -> None:
    """A lazy call of nothing is packed, and told."""
    cc.make_library("libf.so", "int f(void) { return 0; }")
    source = "extern int f(void); int main(int c, char **v) { return c > 1 ? f() : 0; }"
    cc.program("app", source, "-lf", "-Wl,-z,lazy", "-no-pie")
    cc.make_library("libf.so", "int g(void) { return 0; }")
    done = minpack("./app", "--base", "/", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "note: nothing defines f: the program starts, but fails if it calls them" in done.stderr


def test_what_glibc_opens_by_itself_is_packed(cc: Compiler, tmp_path: Path) -> None:
    """A program that ends threads gets libgcc_s, without which glibc aborts; one that does not gets none."""
    cc.program("exits", EXITS, "-pthread")
    cc.program("plain", "int main(void) { return 0; }")
    assert "libgcc_s.so.1" in packed_paths(document("./exits", "--base", "/", "--dry-run", cwd=tmp_path))
    assert "libgcc_s.so.1" not in packed_paths(document("./plain", "--base", "/", "--dry-run", cwd=tmp_path))


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_the_program_that_ends_threads_runs_from_its_image(cc: Compiler, tmp_path: Path) -> None:
    """In a chroot of the packed files alone it ends well, and without libgcc_s it aborts."""
    cc.program("exits", EXITS, "-pthread")
    assert minpack("./exits", "--base", "/", "--format", "rootfs", "-o", "r", cwd=tmp_path).returncode == 0
    run = ["chroot", str(tmp_path / "r"), "/usr/local/bin/exits"]
    assert subprocess.run(run, capture_output=True, check=False).returncode == 0
    for library in (tmp_path / "r").rglob("libgcc_s.so.1"):
        library.unlink()
    assert subprocess.run(run, capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize(("priority", "is_packed"), [("required", True), ("recommended", True), ("suggested", False)])
def test_a_dlopen_note_is_honoured(cc: Compiler, tmp_path: Path, priority: str, *, is_packed: bool) -> None:
    """What a note requires or recommends is packed, what it suggests is told."""
    program_with_note(cc, "libgcc_s.so.1", priority)
    found = document("./noted", "--base", "/", "--dry-run", cwd=tmp_path)
    assert ("libgcc_s.so.1" in packed_paths(found)) is is_packed
    late = [one["sonames"] for one in found["images"][0]["late"]]
    assert (["libgcc_s.so.1"] in late) is not is_packed


def test_a_required_note_that_nothing_answers_is_refused(cc: Compiler, tmp_path: Path) -> None:
    """A library that the program requires and the base lacks is missing; a recommended one is told."""
    program_with_note(cc, "libmpk-none.so.1", "required")
    done = minpack("./noted", "--base", "/", "--dry-run", cwd=tmp_path)
    assert done.returncode == 3
    assert "missing libmpk-none.so.1" in done.stderr
    program_with_note(cc, "libmpk-none.so.1", "recommended")
    found = document("./noted", "--base", "/", "--dry-run", cwd=tmp_path)
    assert [one["sonames"] for one in found["images"][0]["late"]] == [["libmpk-none.so.1"]]


def test_add_lib_packs_a_library_with_what_it_needs(cc: Compiler, tmp_path: Path) -> None:
    """A library that is opened by name comes with its own needs; one that is nowhere is missing."""
    cc.program("plain", "int main(void) { return 0; }")
    found = document("./plain", "--base", "/", "--add-lib", "libstdc++.so.6", "--dry-run", cwd=tmp_path)
    assert {"libstdc++.so.6", "libm.so.6", "libgcc_s.so.1", "libc.so.6"} <= packed_paths(found)
    assert minpack("./plain", "--base", "/", "--add-lib", "libmpk-none.so", "--dry-run", cwd=tmp_path).returncode == 3


AUDIT = """
#include <unistd.h>
unsigned la_version(unsigned version) { write(2, "audited\\n", 8); return version; }
"""


def audited(cc: Compiler, directory: Path, name: str = "libmpkaudit.so") -> Path:
    """A program that names a library, which has a C library of its own, to audit it."""
    cc.make_library("libmpkaudit.so", AUDIT, "-lc")
    return cc.program("app", "int main(void) { return 0; }", f"-Wl,--audit={directory}/{name}")


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_what_audits_is_packed(cc: Compiler, tmp_path: Path) -> None:
    """In a chroot of the packed files alone the program is audited; without the library it is not, and runs."""
    audited(cc, tmp_path)
    done = minpack("./app", "--base", "/", "--format", "rootfs", "-o", "r", cwd=tmp_path)
    assert (done.returncode, "audit" in done.stderr) == (0, False), done.stderr
    run = ["chroot", str(tmp_path / "r"), "/usr/local/bin/app"]
    assert subprocess.run(run, capture_output=True, check=True).stderr == b"audited\n"
    (library,) = (tmp_path / "r").rglob("libmpkaudit.so")
    library.unlink()
    assert b"ignored" in subprocess.run(run, capture_output=True, check=True).stderr


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_what_the_environment_lets_audit_is_packed(cc: Compiler, tmp_path: Path) -> None:
    """LD_AUDIT of the image counts as the program's own tags do."""
    audited(cc, tmp_path)
    cc.program("plain", "int main(void) { return 0; }")
    env = f"LD_AUDIT={tmp_path}/libmpkaudit.so"
    options = ("--base", "/", "--env", env, "--format", "rootfs", "-o", "r")
    assert minpack("./plain", *options, cwd=tmp_path).returncode == 0

    def enter() -> None:
        os.chroot(tmp_path / "r")

    command, variables = ["/usr/local/bin/plain"], dict([env.split("=")])
    done = subprocess.run(command, env=variables, preexec_fn=enter, cwd="/", capture_output=True, check=True)
    assert done.stderr == b"audited\n"


def test_what_does_not_audit_is_told(cc: Compiler, tmp_path: Path) -> None:
    """The loader starts the program without it, and so is it packed, with a note."""
    audited(cc, tmp_path, "libmpknone.so")
    for check in ("load", "none"):
        done = minpack("./app", "--base", "/", "--check", check, "--dry-run", cwd=tmp_path)
        assert done.returncode == 0
        assert f"note: the loader starts the program without {tmp_path}/libmpknone.so, which was to" in done.stderr


def test_tree_shows_what_audits(cc: Compiler, tmp_path: Path) -> None:
    """It has its own branch, with all that is loaded for it, and its own list in the document."""
    audited(cc, tmp_path)
    lines = minpack("tree", "./app", cwd=tmp_path).stdout.splitlines()
    at = lines.index(f"  audit {tmp_path}/libmpkaudit.so")
    assert lines[at + 1].startswith(f"    {tmp_path}/libmpkaudit.so => {tmp_path}/libmpkaudit.so  (audit)")
    assert lines[at + 2].lstrip().startswith("libc.so.6 => ")
    (audit,) = document("tree", "./app", cwd=tmp_path)["audits"]
    assert [one["found_by"] for one in audit["objects"][:1]] == ["audit"]
    assert audit["problem"] is None
    chain = document("tree", "./app", "--why", "libmpkaudit.so", cwd=tmp_path)["why"]
    assert chain == [str(tmp_path / "app"), str(tmp_path / "libmpkaudit.so")]


def test_tree_shows_every_directory_considered(cc: Compiler, tmp_path: Path) -> None:
    """With --all each object has the places that were looked into for it, in order; the document has them always."""
    (tmp_path / "lib").mkdir()
    Compiler(tmp_path / "lib").make_library("libf.so", "int f(void) { return 0; }")
    library = tmp_path / "lib"
    cc.program("app", CALLS, f"-L{library}", "-lf", f"-Wl,-rpath,{library}")
    lines = minpack("tree", "./app", "--all", cwd=tmp_path).stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("  libf.so => "))
    assert lines[at + 1 : at + 3] == [
        f"      looked into {tmp_path}  (runpath)",
        f"      looked into {library}  (runpath)",
    ]
    assert not any("looked into" in line for line in minpack("tree", "./app", cwd=tmp_path).stdout.splitlines())
    edges = document("tree", "./app", cwd=tmp_path)["edges"]
    found = {edge["name"]: [place["directory"] for place in edge["considered"]] for edge in edges}
    assert found["libf.so"] == [str(tmp_path), str(library)]
    assert found["libc.so.6"][:2] == [str(tmp_path), str(library)]


def test_variants_for_better_cpus_are_told(cc: Compiler, tmp_path: Path) -> None:
    """What is passed over is shown by `tree`, noted by `pack`, and in both documents."""
    cc.make_library("libf.so", "int f(void) { return 0; }")
    cc.program("app", CALLS, "-lf")
    better = tmp_path / "glibc-hwcaps" / "x86-64-v3"
    better.mkdir(parents=True)
    Compiler(better).make_library("libf.so", "int f(void) { return 0; }")
    assert f"  {better}/libf.so  (instead of {tmp_path}/libf.so)" in minpack("tree", "./app", cwd=tmp_path).stdout
    done = minpack("./app", "--base", "/", "--dry-run", cwd=tmp_path)
    assert f"note: variants for newer CPUs are not packed: {better}/libf.so" in done.stderr
    expected = {"name": "libf.so", "path": f"{better}/libf.so", "subdirectory": "glibc-hwcaps/x86-64-v3"}
    expected["instead_of"] = f"{tmp_path}/libf.so"
    assert document("tree", "./app", cwd=tmp_path)["variants"] == [expected]
    found = document("./app", "--base", "/", "--dry-run", cwd=tmp_path)["images"][0]
    assert found["variants"] == [expected]
    (tmp_path / "libf.so").unlink()
    done = minpack("./app", "--base", "/", "--dry-run", cwd=tmp_path)
    assert (done.returncode, f"hint: {better}/libf.so is only for newer CPUs" in done.stderr) == (3, True)


def test_what_is_demanded_of_the_machine_is_told(cc: Compiler, tmp_path: Path) -> None:
    """The kernel of the ABI tag and the CPU's level: by `inspect` of one file, by `tree` and `pack` of the closure."""
    cc.make_library("libf.so", "int f(void) { return 0; }", "-Wl,-z,x86-64-v2")
    program = cc.program("app", CALLS, "-lf")
    said = subprocess.run(["readelf", "-nW", program], capture_output=True, text=True, check=True).stdout
    kernel = said.split("OS: Linux, ABI: ")[1].split()[0]
    assert document("inspect", "./app", cwd=tmp_path)["kernel"] == kernel
    assert f"kernel       Linux {kernel} or newer" in minpack("inspect", "./app", cwd=tmp_path).stdout
    demands = document("tree", "./app", "--check", "load", cwd=tmp_path)["demands"]
    assert demands == {
        "isa": "x86-64-v2",
        "isa_by": str(tmp_path / "libf.so"),
        "kernel": kernel,
        "kernel_by": str(program),
    }
    assert document("tree", "./app", cwd=tmp_path)["demands"] is None
    text = minpack("tree", "./app", "--check", "load", cwd=tmp_path).stdout
    assert f"{program} needs Linux {kernel} or newer, according to {program}" in text
    assert f"{program} needs a CPU with x86-64-v2, according to {tmp_path}/libf.so" in text
    packed = minpack("./app", "--base", "/", "--dry-run", "-v", cwd=tmp_path).stdout
    assert f"/usr/local/bin/app needs Linux {kernel} or newer" in packed
    found = document("./app", "--base", "/", "--dry-run", cwd=tmp_path)["images"][0]["demands"]
    assert found == [{"program": "/usr/local/bin/app", **demands, "kernel_by": "/usr/local/bin/app"}]


def test_what_the_user_may_not_enter_is_refused(cc: Compiler, tmp_path: Path) -> None:
    """A directory on the way to the program that is closed to the image's user is found before it ships."""
    cc.program("plain", "int main(void) { return 0; }")
    closed = ("./plain", "--base", "/", "--dir", "/usr/local/bin:0700:0:0", "--dry-run")
    done = minpack(*closed, cwd=tmp_path)
    assert done.returncode == 3
    assert "cannot start the program as 65532:65532: it may not enter '/usr/local/bin'" in done.stderr
    assert minpack(*closed, "--user", "0", cwd=tmp_path).returncode == 0


@pytest.mark.slow
def test_packed_trees_of_the_machine_s_programs_resolve_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every fortieth program of this machine (all with MINPACK_ALL) is packed: the proof and the closed loop hold."""
    from minpack import BaseOptions, ImageSpec, Network, pack, parse_base
    from minpack.errors import MinpackError
    from minpack.rootfs.etc_files import User
    from minpack.spec.image import RunConfig

    options = BaseOptions(store=None, network=Network(), today="2026-01-01")
    paths = sorted({os.path.realpath(f"/usr/bin/{name}") for name in os.listdir("/usr/bin")})
    programs = [path for path in paths if Path(path).is_file() and Path(path).read_bytes()[:4] == b"\x7fELF"]
    packed, refused = 0, []
    for path in programs[:: 1 if ALL_PROGRAMS else 40]:
        request = ImageSpec((path,), parse_base("/"), run=RunConfig(user=User(0, 0)))
        try:
            pack(request, options, None)
            packed += 1
        except MinpackError as error:
            refused.append((path, error.message.splitlines()[0]))
    with capsys.disabled():
        print(f"\n{packed} programs planned and resolved again, {len(refused)} refused: {refused}")
    assert packed >= 10
    assert len(refused) <= packed // 10
