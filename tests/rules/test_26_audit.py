"""glibc loads what audits a program into a namespace of its own, with all it needs, and goes on without what fails.

LD_AUDIT comes first, then the program's own DT_AUDIT and DT_DEPAUDIT; those of libraries count for nothing. Sources:
rtld-audit(7), ld.so(8); glibc elf/rtld.c, load_audit_module and audit_list_next; elf/dl-load.c. musl knows none.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from minpack.base.directory import DirectoryBase
from minpack.base.walk import Walker
from minpack.errors import UnloadableLibraryError
from minpack.ld.audit import MOST, ignored
from minpack.ld.closure import Environment
from minpack.ld.resolve import resolve_closure
from support.cc import Compiler
from support.elfmaker import GLIBC, MUSL, library, program
from support.oracle import NOTHING, need_loader

if TYPE_CHECKING:
    from minpack.ld.closure import Closure

AUDITS = "unsigned la_version(unsigned version) { return version; }"
PLAIN = "int f(void) { return 0; }"
MAIN = "int main(void) { return 0; }"
_LOOKS, _TRIES = re.compile(r"find library=(\S+) \[\d+\]"), re.compile(r"trying file=(.*)")
_LOADS = re.compile(r"file=(\S+) \[([1-9]\d*)\];  generating link map")
_IGNORES = re.compile(r"ERROR: ld.so: object '(.*?)' cannot be loaded as audit interface: (.*); ignored\.")

pytestmark = pytest.mark.tool


class Said(NamedTuple):
    """What a loader loads into each namespace but the first, as name and path in load order; and what it ignores."""

    namespaces: tuple[tuple[tuple[str, str], ...], ...]
    ignored: tuple[str, ...]
    started: bool


def ask(path: Path | str, environment: Environment = NOTHING) -> Said:
    """What the real loader says when the kernel starts the program."""
    pairs = {"LD_AUDIT": environment.audit, "LD_LIBRARY_PATH": environment.ld_library_path, "LD_DEBUG": "libs,files"}
    variables = {name: value for name, value in pairs.items() if value}
    done = subprocess.run([path], capture_output=True, text=True, env=variables, check=False)
    name, found = "", dict[str, str]()
    spaces: list[list[tuple[str, str]]] = []
    open_: dict[str, list[tuple[str, str]]] = {}
    for line in done.stderr.splitlines():
        if looks := _LOOKS.search(line):
            name = looks[1]
        elif tries := _TRIES.search(line):
            found[name] = tries[1]
        elif loads := _LOADS.search(line):
            if loads[2] not in open_:
                spaces.append(open_.setdefault(loads[2], []))
            open_[loads[2]].append((loads[1], found.get(loads[1], loads[1])))
        elif _IGNORES.search(line):
            # What is given up leaves its number to the next.
            open_.clear()
    gone = tuple(match[1] for match in _IGNORES.finditer(done.stderr))
    kept = tuple(tuple((_base(n), p.replace("$ORIGIN", str(Path(path).parent))) for n, p in one) for one in spaces)
    return Said(tuple(one for one in kept if one[0][0] not in map(_base, gone)), gone, done.returncode == 0)


def _base(name: str) -> str:
    return name.rpartition("/")[2]


def closure_of(path: Path | str, environment: Environment = NOTHING) -> Closure:
    """What minpack says; the real loader must load and ignore the same."""
    need_loader(GLIBC)
    closure = resolve_closure(Walker(DirectoryBase("/")), str(path), environment)
    said = ask(path, environment)
    own = closure.interpreter
    lacking = [audit.name for audit in closure.audits if any(f" {audit.name}, " in line for line in ignored(closure))]
    ours = tuple(
        tuple((_base(o.name), o.path) for o in audit.objects if o is not own)
        for audit in closure.audits
        if audit.name not in lacking
    )
    assert (ours, tuple(lacking)) == (said.namespaces, said.ignored)
    assert said.started
    return closure


@pytest.fixture
def cc(tmp_path: Path) -> Compiler:
    """Gcc, and three libraries that audit, the last of which needs a fourth."""
    compiler = Compiler(tmp_path)
    compiler.make_library("libmpka.so", AUDITS)
    compiler.make_library("libmpkb.so", AUDITS)
    compiler.make_library("libmpkd.so", PLAIN)
    compiler.make_library("libmpkc.so", AUDITS, "-Wl,--no-as-needed", f"-L{tmp_path}", "-lmpkd")
    return compiler


def test_order(cc: Compiler, tmp_path: Path) -> None:
    """The variable's come first, then DT_AUDIT's, then DT_DEPAUDIT's, each in its own namespace; no name is none."""
    app = cc.program("app", MAIN, f"-Wl,--audit={tmp_path}/libmpka.so", f"-Wl,--depaudit={tmp_path}/libmpkb.so")
    environment = Environment(audit=f":{tmp_path}/libmpkc.so::", ld_library_path=str(tmp_path))
    closure = closure_of(app, environment)
    assert [audit.name.rpartition("/")[2] for audit in closure.audits] == ["libmpkc.so", "libmpka.so", "libmpkb.so"]
    assert [loaded.found_by for audit in closure.audits for loaded in audit.objects] == [
        "audit",
        "runpath",
        "audit",
        "audit",
    ]
    assert {loaded.path for loaded in closure.opened} > {loaded.path for loaded in closure.objects}


def test_several_in_one_tag(cc: Compiler, tmp_path: Path) -> None:
    """Names are separated by colons, and one that is named twice is loaded twice."""
    names = ":".join(f"{tmp_path}/libmpk{letter}.so" for letter in "aba")
    closure = closure_of(cc.program("app", MAIN, f"-Wl,--audit={names}"))
    assert len(closure.audits) == 3


@pytest.mark.parametrize(("tags", "rule"), [("--disable-new-dtags", "rpath"), ("--enable-new-dtags", "runpath")])
def test_the_programs_rpath(cc: Compiler, tmp_path: Path, tags: str, rule: str) -> None:
    """Names, and what it needs, are searched for in the program's rpath first, and in a runpath as if it were one."""
    app = cc.program("app", MAIN, "-Wl,--audit=libmpkc.so", f"-Wl,{tags}")
    (tmp_path / "env").mkdir()
    for name in ("libmpkc.so", "libmpkd.so"):
        (tmp_path / "env" / name).write_bytes((tmp_path / name).read_bytes())
    closure = closure_of(app, Environment(f"{tmp_path}/env"))
    assert [(o.path, o.found_by) for o in closure.audits[0].objects] == [
        (f"{tmp_path}/libmpkc.so", "audit"),
        (f"{tmp_path}/libmpkd.so", rule),
    ]
    assert closure.audits[0].edges[0].considered == ((str(tmp_path), rule),)


def test_origin(cc: Compiler, tmp_path: Path) -> None:
    """``$ORIGIN`` is that of the program."""
    closure = closure_of(cc.program("app", MAIN, "-Wl,--audit=$ORIGIN/libmpka.so"))
    assert [loaded.path for loaded in closure.audits[0].objects] == [f"{tmp_path}/libmpka.so"]


def test_its_own_c_library(cc: Compiler, tmp_path: Path) -> None:
    """It has its own copies of what the program has loaded too; the loader is the one that is there."""
    cc.make_library("libmpkl.so", f"{AUDITS} extern int puts(const char *); int g(void) {{ return puts(0); }}", "-lc")
    closure = closure_of(cc.program("app", MAIN, f"-Wl,--audit={tmp_path}/libmpkl.so"))
    libc = next(loaded.path for loaded in closure.objects if loaded.name == "libc.so.6")
    assert [loaded.path for loaded in closure.audits[0].objects][:2] == [f"{tmp_path}/libmpkl.so", libc]
    # The loader is searched for there like any library, and so must be where that leads.
    assert closure.audits[0].objects[-1] is closure.interpreter
    assert "ld-linux-x86-64.so.2" in {alias.name for alias in closure.aliases}


@pytest.mark.parametrize("what", ["nothing", "text", "need", "entry", "symbol"])
def test_what_cannot_audit_is_ignored(cc: Compiler, tmp_path: Path, what: str) -> None:
    """One that is not there, or no library, or lacks a need, a symbol or la_version, is none, and not missing."""
    name = f"{tmp_path}/libmpkx.so"
    if what == "text":
        (tmp_path / "libmpkx.so").write_bytes(b"text\n")
    if what == "need":
        cc.make_library("libmpkx.so", AUDITS, f"-L{tmp_path}", "-Wl,--no-as-needed", "-lmpkd", "-Wl,-soname,libmpkx.so")
        os.unlink(tmp_path / "libmpkd.so")
    if what == "entry":
        cc.make_library("libmpkx.so", PLAIN)
    if what == "symbol":
        cc.make_library("libmpkx.so", f"{AUDITS} extern int none; int *g(void) {{ return &none; }}")
    closure = closure_of(cc.program("app", MAIN, f"-Wl,--audit={name}:{tmp_path}/libmpka.so"))
    assert closure.missing == ()
    (line,) = ignored(closure)
    words = {"nothing": "is not found", "text": "", "need": "libmpkd.so", "entry": "la_version", "symbol": "none"}
    assert words[what] in line


def test_libraries_name_none(cc: Compiler, tmp_path: Path) -> None:
    """The tags of a library are not heeded; linkers make DT_DEPAUDIT of them."""
    # The linker would hand them on to the program.
    cc.make_library("libmpkt.so", PLAIN)
    app = cc.program("app", MAIN, "-Wl,--no-as-needed", "-lmpkt")
    cc.make_library("libmpkt.so", PLAIN, f"-Wl,--audit={tmp_path}/libmpka.so")
    assert closure_of(app).audits == ()


@pytest.mark.parametrize("count", [MOST, MOST + 1])
def test_too_many(cc: Compiler, tmp_path: Path, count: int) -> None:
    """More than twelve, and the loader ends."""
    names = ":".join([f"{tmp_path}/libmpka.so"] * count)
    app = cc.program("app", MAIN)
    if count == MOST:
        assert len(closure_of(app, Environment(audit=names)).audits) == MOST
        return
    assert not ask(app, Environment(audit=names)).started
    with pytest.raises(UnloadableLibraryError, match="one of 13 that are to audit"):
        resolve_closure(Walker(DirectoryBase("/")), str(app), Environment(audit=names))


def test_musl_knows_none(tmp_path: Path) -> None:
    """Under musl neither the variable nor the tags load anything."""
    need_loader(MUSL)
    (tmp_path / "libmpka.so").write_bytes(library())
    app = tmp_path / "app"
    app.write_bytes(program((f"{tmp_path}/libmpka.so",), interpreter=MUSL))
    app.chmod(0o755)
    environment = Environment(audit=f"{tmp_path}/libmpkb.so")
    closure = resolve_closure(Walker(DirectoryBase("/")), str(app), environment)
    assert closure.audits == ()
    assert subprocess.run([app], env={"LD_AUDIT": environment.audit}, check=False, capture_output=True).stderr == b""
