"""What a closure opens later is what real programs lack without it, and its demands are those of real loaders."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from minpack.base.directory import DirectoryBase
from minpack.base.tarball import open_tarball
from minpack.base.walk import Walker
from minpack.errors import MinpackError
from minpack.ld.demands import LEVELS, demands
from minpack.ld.dlopen import MAX_HINTS, find_late
from minpack.ld.late import LateLibrary, Level
from minpack.ld.resolve import resolve_closure
from minpack.ld.symbol_cache import SymbolCache
from minpack.paths import normal
from support.cc import Compiler
from support.command import minpack
from support.tools import need_tool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.ld.closure import Closure

pytestmark = pytest.mark.tool

#: Every tenth of the machine's programs is looked at, all with MINPACK_ALL.
STEP = 1 if os.environ.get("MINPACK_ALL") else 10

EXITING = """
#include <pthread.h>
static void *run(void *a) { pthread_exit(a); }
int main(void) { pthread_t t; return pthread_create(&t, 0, run, 0) || pthread_join(t, 0); }
"""
CANCELLING = """
#include <pthread.h>
#include <unistd.h>
static void *run(void *a) { for (;;) pause(); }
int main(void) { pthread_t t; return pthread_create(&t, 0, run, 0) || pthread_cancel(t) || pthread_join(t, 0); }
"""
ENDING = """
#include <threads.h>
static int run(void *a) { thrd_exit(0); }
int main(void) { thrd_t t; int r; return thrd_create(&t, run, 0) != thrd_success || thrd_join(t, &r) != thrd_success; }
"""
TRACING = """
#include <execinfo.h>
int main(void) { void *frames[9]; return backtrace(frames, 9) == 0; }
"""
STATIC_OPENING = """
#include <dlfcn.h>
#include <stdio.h>
int main(void) {
  void *library = dlopen("libm.so.6", RTLD_NOW);
  double (*root)(double) = library ? (double (*)(double)) dlsym(library, "sqrt") : 0;
  printf("%d\\n", root ? (int) root(49.0) : -1);
  return 0;
}
"""
CONVERTING = """
#include <iconv.h>
int main(void) { return iconv_open("ISO-8859-1", "UTF-8") == (iconv_t) -1; }
"""
NOTE = """
#include <stdint.h>
#define NAMES "\\"libnone.so.7\\",\\"libplugin.so.1\\""
#define JSON "[{\\"soname\\":[" NAMES "],\\"feature\\":\\"plugin\\",\\"priority\\":\\"%s\\"}]"
__attribute__((used, aligned(4), section(".note.dlopen")))
static const struct { uint32_t owner, size, type; char name[4]; _Alignas(4) char text[sizeof JSON]; }
note = { 4, sizeof JSON, 0x407c0c0a, "FDO", JSON };
"""
OPENING = """
#include <dlfcn.h>
int main(void) { return !dlopen("libnone.so.7", RTLD_NOW) && !dlopen("libplugin.so.1", RTLD_NOW); }
"""
RELOCATED = "static int x; int *p = &x, *q = &x; int main(void) { return p != &x || q != &x; }"


@pytest.fixture
def cc(tmp_path: Path) -> Compiler:
    """Gcc in a directory of the test's own."""
    return Compiler(tmp_path)


def closure_on_host(program: Path) -> Closure:
    """The closure of a program of this host."""
    return resolve_closure(Walker(DirectoryBase("/")), str(program))


def late_on_host(program: Path) -> tuple[LateLibrary, ...]:
    """What a program of this host opens later."""
    return find_late(closure_on_host(program))


def pack(closure: Closure, root: Path) -> None:
    """Put the objects of a closure, and nothing else, where they are loaded from."""
    for loaded in closure.objects:
        copy(Path(loaded.path), root)


def copy(path: Path, root: Path) -> None:
    """Put a file of this host at the same path below `root`."""
    target = root / path.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, target)


def run_in(root: Path, program: Path) -> subprocess.CompletedProcess[str]:
    """Run the program in `root`."""
    return subprocess.run(
        [need_tool("chroot"), str(root), str(program)], capture_output=True, text=True, check=False, env={}, timeout=60
    )


def library_of_gcc(name: str) -> Path:
    """Where the compiler finds a library."""
    done = subprocess.run([need_tool("gcc"), f"-print-file-name={name}"], capture_output=True, text=True, check=True)
    return Path(os.path.abspath(done.stdout.strip()))


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_a_static_program_opens_what_add_lib_packs(tmp_path: Path) -> None:
    """With the C library that the library needs, as glibc's static dlopen wants it; without it, it opens nothing."""
    (tmp_path / "app.c").write_text(STATIC_OPENING)
    subprocess.run([need_tool("gcc"), "-static", "-w", "-o", "app", "app.c"], cwd=tmp_path, check=True)
    for library, number in (("--add-lib=libm.so.6", "7"), ("--no-cache", "-1")):
        root = tmp_path / f"root{number}"
        ran = minpack("./app", "--base", "/", library, "--format", "rootfs", "-o", str(root), cwd=tmp_path)
        assert ran.code == 0, ran.err
        assert ("is static: it opens libm.so.6 only if it calls dlopen" in ran.err) == (number == "7")
        done = run_in(root, Path("/usr/local/bin/app"))
        assert (done.returncode, done.stdout.strip()) == (0, number), done.stderr


@pytest.mark.root
@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("source", "name", "level"),
    [
        (EXITING, "pthread_exit", Level.REQUIRED),
        (CANCELLING, "pthread_cancel", Level.REQUIRED),
        (ENDING, "thrd_exit", Level.REQUIRED),
        (TRACING, "backtrace", Level.RECOMMENDED),
    ],
)
def test_programs_work_with_what_was_found_and_fail_without(
    cc: Compiler, tmp_path: Path, source: str, name: str, level: Level
) -> None:
    """A packed program that needs libgcc_s aborts, or finds nothing, until just that library is there."""
    program = cc.program("app", source, "-pthread")
    closure, root = closure_on_host(program), tmp_path / "root"
    (found,) = find_late(closure)
    assert (found.sonames, found.level, found.needed_by) == (("libgcc_s.so.1",), level, str(program))
    assert name in found.evidence
    pack(closure, root)
    without = run_in(root, program)
    assert without.returncode != 0
    assert ("libgcc_s.so.1 must be installed" in without.stderr) == (level is Level.REQUIRED)
    shutil.copy(library_of_gcc(found.sonames[0]), Path(f"{root}{closure.objects[1].path}").parent)
    assert run_in(root, program).returncode == 0


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_conversions_work_with_the_directory_that_was_found_and_fail_without(cc: Compiler, tmp_path: Path) -> None:
    """Even ISO-8859-1 is a module, in the directory that the hint names."""
    program = cc.program("app", CONVERTING)
    closure, root = closure_on_host(program), tmp_path / "root"
    (found,) = find_late(closure)
    assert (found.sonames, found.level) == ((), Level.HINT)
    pack(closure, root)
    assert run_in(root, program).returncode != 0
    (directory,) = (Path(path) for path in found.paths)
    for path in directory.glob("*"):
        if path.name.startswith("gconv-modules") or path.name == "ISO8859-1.so":
            shutil.copytree(path, root / path.relative_to("/")) if path.is_dir() else copy(path, root)
    assert run_in(root, program).returncode == 0


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_musl_needs_nothing_more(tmp_path: Path) -> None:
    """The same programs for musl run with their closure alone."""
    cc, root = Compiler(tmp_path, "musl-gcc"), tmp_path / "root"
    for name, source in (("exit", EXITING), ("cancel", CANCELLING), ("convert", CONVERTING)):
        closure = closure_on_host(cc.program(name, source))
        assert find_late(closure) == ()
        pack(closure, root)
        assert run_in(root, tmp_path / name).returncode == 0


@pytest.mark.parametrize("program", ["gcc", "musl-gcc"])
@pytest.mark.parametrize("priority", ["required", "recommended", "suggested"])
def test_notes_that_compilers_make_are_found(tmp_path: Path, program: str, priority: str) -> None:
    """A note as systemd's macro makes it is read, in programs and in libraries."""
    cc = Compiler(tmp_path, program)
    note = NOTE.replace("%s", priority)
    cc.make_library("libf.so", note + "int f(void) { return 0; }")
    app = cc.program("app", note + "extern int f(void); int main(void) { return f(); }", "-lf")
    found = late_on_host(app)
    assert [(late.sonames, late.level, late.needed_by) for late in found] == [
        (("libnone.so.7", "libplugin.so.1"), priority, str(tmp_path / "app")),
        (("libnone.so.7", "libplugin.so.1"), priority, str(tmp_path / "libf.so")),
    ]


IN_CODE = (
    '__asm__(".text; .asciz \\"\\"; .asciz \\"libcode.so\\"; .globl libsymbol.so; libsymbol.so: .byte 0; .previous");'
)


@pytest.mark.parametrize(("layout", "in_code"), [("separate-code", []), ("noseparate-code", ["libcode.so"])])
def test_strings_are_found_in_each_layout(cc: Compiler, layout: str, in_code: list[str]) -> None:
    """Names in read-only data are found; where code is kept apart those in code are not, nor ever names of symbols."""
    cc.make_library("libf.so", "int f(void) { return 0; }")
    cc.make_library("libplugin.so.1", "int g(void) { return 0; }")
    flags = ("-lf", "-rdynamic", "-Wl,--no-as-needed", f"-Wl,-z,{layout}")
    app = cc.program("app", OPENING + IN_CODE, *flags)
    assert b"\0libsymbol.so\0" in app.read_bytes()
    assert subprocess.run([str(app)], check=False, env={"LD_LIBRARY_PATH": str(app.parent)}).returncode == 0
    found = late_on_host(app)
    assert sorted(name for late in found for name in late.sonames) == [*in_code, "libnone.so.7", "libplugin.so.1"]
    assert {late.level for late in found} == {Level.HINT}


OLD_LIBC = """
int __libc_start_main(void) { return 0; }
int getaddrinfo(void) { return 0; }
int getpwnam(void) { return 0; }
"""


@pytest.mark.parametrize(
    ("version", "call", "opened"),
    [
        ("2.31", "getpwnam", ["libnss_files.so.2"]),
        ("2.31", "getaddrinfo", ["libnss_files.so.2", "libnss_dns.so.2"]),
        ("2.34", "getaddrinfo", []),
    ],
)
def test_the_age_of_glibc_is_read_out_of_its_versions(cc: Compiler, version: str, call: str, opened: list[str]) -> None:
    """A C library that defines no newer version than 2.31 opens its name services."""
    nodes = f"GLIBC_2.2.5 {{ global: *; }}; GLIBC_{version} {{}} GLIBC_2.2.5;"
    libc = cc.make_library("libc.so.6", OLD_LIBC, versions=nodes)
    source = f"extern int {call}(void); void _start(void) {{ {call}(); }}"
    app = cc.program("app", source, "-nostdlib", str(libc), "-Wl,--dynamic-linker,/lib64/ld-linux-x86-64.so.2")
    assert [late.sonames[0] for late in late_on_host(app) if late.level is Level.RECOMMENDED] == opened


@pytest.mark.parametrize("level", LEVELS[1:])
def test_the_cpu_that_is_demanded_is_the_one_the_loader_wants(cc: Compiler, level: str) -> None:
    """On a CPU of the level before, glibc refuses to start the program; on one of the level itself it does."""
    cc.make_library("libf.so", "int f(void) { return 0; }", f"-Wl,-z,{level}")
    program = cc.program("app", "extern int f(void); int main(void) { return f(); }", "-lf")
    demanded = demands(closure_on_host(program))
    assert (demanded.isa, demanded.isa_by) == (level, str(program.parent / "libf.so"))
    cpus = {"x86-64": "qemu64", "x86-64-v2": "Nehalem", "x86-64-v3": "Haswell"}
    lesser = emulated(program, cpus[LEVELS[LEVELS.index(level) - 1]])
    assert "CPU ISA level is lower than required" in lesser.stderr
    if level in cpus:
        assert emulated(program, cpus[level]).returncode == 0


def emulated(program: Path, cpu: str) -> subprocess.CompletedProcess[str]:
    """Run the program on another CPU."""
    command = [need_tool("qemu-x86_64-static"), "-cpu", cpu, str(program)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={}, timeout=60)


def test_relr_is_a_problem_where_musl_crashes(tmp_path: Path) -> None:
    """Whether this host's musl runs a program with DT_RELR is what its version says."""
    program = Compiler(tmp_path, "musl-gcc").program("app", RELOCATED, "-Wl,-z,pack-relative-relocs", "-pie", "-fPIE")
    problems = demands(closure_on_host(program)).problems
    assert bool(problems) == (subprocess.run([str(program)], check=False, env={}).returncode != 0)
    plain = Compiler(tmp_path, "musl-gcc").program("plain", RELOCATED, "-pie", "-fPIE")
    assert demands(closure_on_host(plain)).problems == ()


@pytest.mark.data
def test_alpine_s_programs_are_sure_of_nothing(data: Path) -> None:
    """Programs of a minirootfs open nothing later that is named for sure; OpenSSL's places are hinted at."""
    name = "alpine-minirootfs-3.20.3-x86_64.tar.gz"
    with open_tarball(str(data / "bases" / name), name) as base:
        closure = resolve_closure(Walker(base), "/sbin/apk")
        found = find_late(closure)
        assert {late.level for late in found} == {Level.HINT}
        assert [late.paths for late in found if "OPENSSLDIR" in late.evidence] == [("/etc/ssl/openssl.cnf",)]
        assert all(base.lstat(normal(late.needed_by)) is not None for late in found)
        assert demands(closure).problems == ()


def machine_closures() -> Iterator[Closure]:
    """The closures of this machine's dynamic programs, of every tenth or of all."""
    walker = Walker(DirectoryBase("/"))
    paths = sorted({os.path.realpath(path) for name in ("/usr/bin", "/usr/sbin") for path in Path(name).iterdir()})
    for path in paths[::STEP]:
        try:
            closure = resolve_closure(walker, path)
        except MinpackError:
            continue
        if closure.libc is not None:
            yield closure


@pytest.mark.slow
def test_this_machine_s_programs_have_few_and_true_findings(capsys: pytest.CaptureFixture[str]) -> None:
    """libgcc_s is found wherever it is imported for and not loaded, strings stay few, and nothing is found twice."""
    kinds: Counter[str] = Counter()
    programs = 0
    for closure in machine_closures():
        programs += 1
        cache = SymbolCache()
        found = find_late(closure, cache)
        assert len(found) == len(set(found))
        assert max(Counter(late.needed_by for late in found).values(), default=0) <= MAX_HINTS + 20
        names = {reference.name for reference in cache(closure.program).references if not reference.section}
        has_gcc = any(loaded.info.soname == "libgcc_s.so.1" for loaded in closure.objects)
        needs_gcc = bool(names & {b"pthread_exit", b"pthread_cancel"}) and not has_gcc
        assert any(late.level is Level.REQUIRED for late in found) == (needs_gcc and closure.libc == "glibc")
        kinds.update(late.level if late.level is not Level.HINT else _kind(late) for late in found)
        assert demands(closure, cache).problems == ()
    with capsys.disabled():
        print(f"\n{programs} programs, " + ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()))
    assert programs > 20


def _kind(late: LateLibrary) -> str:
    if late.paths:
        return "data hints"
    return "string hints" if "has the string" in late.evidence else "library hints"
