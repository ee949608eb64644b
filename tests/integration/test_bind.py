"""The load proof says what the real loaders say: on made cases, on this machine's programs, on Alpine's."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from minpack.base.directory import DirectoryBase
from minpack.base.entries import base_of
from minpack.base.overlay import OverlayBase
from minpack.base.tarball import open_tarball
from minpack.base.walk import Walker
from minpack.content import BytesContent, FileContent
from minpack.elf.read import read_elf
from minpack.errors import MinpackError
from minpack.ld.bind import prove
from minpack.ld.constants import glibc_constants
from minpack.ld.resolve import resolve_closure
from minpack.ld.symbol_cache import SymbolCache
from minpack.paths import normal
from minpack.rootfs.entry import Kind, file
from support.cc import Compiler
from support.elfmaker import GLIBC
from support.elfmaker import program as made_program
from support.oracle import need_loader
from support.tools import need_tool

if TYPE_CHECKING:
    from minpack.ld.lookup import Proof

ALL_PROGRAMS = bool(os.environ.get("MINPACK_ALL"))
CALLS = "extern int f(void); int main(void) { return f(); }"
LAZY = ("-Wl,-z,lazy", "-no-pie")
NOW = ("-Wl,-z,now",)


def proof_of(program: Path) -> Proof:
    """The proof for a program of this host."""
    return prove(resolve_closure(Walker(DirectoryBase("/")), str(program)))


def ldd(program: Path) -> tuple[set[str], str]:
    """The undefined symbols that glibc's loader reports, and all it says."""
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    done = subprocess.run(
        [need_tool("ldd"), "-r", str(program)], capture_output=True, text=True, env=environment, check=False
    )
    said = done.stdout + done.stderr
    return set(re.findall(r"(?:undefined symbol: |symbol lookup error: .*: undefined symbol: )([^\s,]+)", said)), said


def starts(program: Path) -> bool:
    """Whether the program really starts (it ends with any code but the loader's own)."""
    done = subprocess.run([str(program)], capture_output=True, text=True, env={}, check=False)
    return done.returncode != 127 and not re.search(r"error while loading|version `.*' not found", done.stderr)


@pytest.fixture
def cc(tmp_path: Path) -> Compiler:
    """Gcc in a directory of the test's own."""
    return Compiler(tmp_path)


pytestmark = pytest.mark.tool


def test_a_bound_program_loads(cc: Compiler) -> None:
    """A program whose symbols are all defined is proved to load."""
    cc.make_library("libf.so", "int f(void) { return 0; }")
    program = cc.program("app", CALLS, "-lf")
    assert proof_of(program).loads
    assert ldd(program)[0] == set()


def test_a_name_may_have_any_number_of_versions(cc: Compiler) -> None:
    """As symbols of Crystal have, whose names end with the place in the source: the loader binds each by its own."""
    count = 300
    defined = "".join(
        f'__asm__(".globl f{n}\\n.type f{n},@function\\nf{n}: ret\\n.symver f{n},dup@V{n}\\n");\n' for n in range(count)
    )
    nodes = "".join(f"V{n} {{}};\n" for n in range(count))
    wanted = "".join(f'void g{n}(void); __asm__(".symver g{n},dup@V{n}");\n' for n in range(0, count, 7))
    calls = " ".join(f"g{n}();" for n in range(0, count, 7))
    cc.make_library("libdup.so", defined, versions=nodes)
    program = cc.program("app", f"{wanted}int main(void) {{ {calls} return 0; }}", *NOW, "-l:libdup.so")
    assert proof_of(program).loads
    assert ldd(program)[0] == set()
    cc.make_library("libdup.so", defined.replace("dup@V287", "other@V287"), versions=nodes)
    assert [(u.symbol, u.version) for u in proof_of(program).unbound] == [("dup", "V287")]
    assert not starts(program)


def test_a_lazy_call_of_nothing_is_latent(cc: Compiler) -> None:
    """A call bound lazily that nothing defines ends the program when it is made, not at its start."""
    cc.make_library("libf.so", "int f(void) { return 0; }")
    program = cc.program(
        "app", "extern int f(void); int main(int c, char **v) { return c > 1 ? f() : 0; }", "-lf", *LAZY
    )
    cc.make_library("libf.so", "int g(void) { return 0; }")
    proof = proof_of(program)
    assert [(u.symbol, u.fatal) for u in proof.unbound] == [("f", False)]
    assert proof.loads
    assert starts(program)
    assert ldd(program)[0] == {"f"}


def test_an_immediate_call_of_nothing_is_fatal(cc: Compiler) -> None:
    """With BIND_NOW the same program does not start."""
    cc.make_library("libf.so", "int f(void) { return 0; }")
    program = cc.program("app", CALLS, "-lf", *NOW)
    cc.make_library("libf.so", "int g(void) { return 0; }")
    proof = proof_of(program)
    assert [(u.symbol, u.fatal) for u in proof.unbound] == [("f", True)]
    assert not proof.loads
    assert not starts(program)


def test_missing_data_is_fatal_even_when_calls_are_lazy(cc: Compiler) -> None:
    """A reference to data is bound at once."""
    cc.make_library("libf.so", "int v = 1;")
    program = cc.program("app", "extern int v; int main(void) { return v; }", "-lf", *LAZY)
    cc.make_library("libf.so", "int g(void) { return 0; }")
    proof = proof_of(program)
    assert [(u.symbol, u.fatal) for u in proof.unbound] == [("v", True)]
    assert not starts(program)


def test_a_weak_reference_may_stay_unbound(cc: Compiler) -> None:
    """An undefined weak symbol is zero, and no fault."""
    program = cc.program("app", "extern int f(void) __attribute__((weak)); int main(void) { return f ? f() : 0; }")
    assert proof_of(program).unbound == ()
    assert ldd(program)[0] == set()


def test_a_missing_version_is_fatal_even_when_lazy(cc: Compiler) -> None:
    """A version node that the library does not define keeps the program from starting (elf/dl-version.c)."""
    cc.make_library("libf.so", "int f(void) { return 0; }", versions="F_1.0 {}; F_2.0 { f; };")
    program = cc.program("app", CALLS, "-lf", *LAZY)
    cc.make_library("libf.so", "int f(void) { return 0; }", versions="F_1.0 { f; };")
    proof = proof_of(program)
    assert [(m.version, m.newest) for m in proof.versions] == [("F_2.0", "F_1.0")]
    assert [(u.symbol, u.version, u.fatal) for u in proof.unbound] == [("f", "F_2.0", True)]
    assert not starts(program)
    assert "version `F_2.0' not found" in ldd(program)[1]


def test_a_library_without_versions_answers_to_all(cc: Compiler) -> None:
    """A versioned reference binds to a definition of a library that has no versions at all."""
    cc.make_library("libf.so", "int f(void) { return 0; }", versions="F_1.0 { f; };")
    program = cc.program("app", CALLS, "-lf", *NOW)
    ahead = cc.make_library("libahead.so", "int f(void) { return 7; }")
    app = cc.program("app2", CALLS, "-Wl,--no-as-needed", str(ahead), "-lf", *NOW)
    assert proof_of(program).loads
    assert proof_of(app).loads
    assert subprocess.run([str(app)], env={}, check=False).returncode == 7


def test_another_version_of_the_name_does_not_bind(cc: Compiler) -> None:
    """A definition with another version is not the one asked for."""
    source = '__asm__(".symver f_old, f@@F_1.0"); int f_old(void) { return 0; }'
    cc.make_library("libf.so", source, versions="F_1.0 { f; };")
    program = cc.program("app", CALLS, "-lf", *NOW)
    other = '__asm__(".symver f_new, f@@F_9.0"); int f_new(void) { return 0; } int keep(void) { return 0; }'
    cc.make_library("libf.so", other, versions="F_1.0 { keep; }; F_9.0 { f; };")
    proof = proof_of(program)
    assert [(u.symbol, u.version) for u in proof.unbound] == [("f", "F_1.0")]
    assert not starts(program)


def test_a_copy_relocation_needs_a_definition_in_a_library(cc: Compiler) -> None:
    """The program's own copy does not count as the definition."""
    cc.make_library("libf.so", "int v = 1;")
    program = cc.program("app", "extern int v; int main(void) { return v; }", "-lf", "-no-pie", "-fno-pie")
    assert proof_of(program).loads
    cc.make_library("libf.so", "int g(void) { return 0; }")
    assert [u.symbol for u in proof_of(program).unbound] == ["v"]
    assert not starts(program)


def test_a_hidden_definition_is_found_by_its_version_only(cc: Compiler) -> None:
    """`f@F_1.0` (not the default) binds references that ask for that version."""
    old = '__asm__(".symver f_1, f@@F_1.0"); int f_1(void) { return 1; }'
    cc.make_library("libf.so", old, versions="F_1.0 { f; };")
    program = cc.program("app", CALLS, "-lf", *NOW)
    both = (
        '__asm__(".symver f_1, f@F_1.0"); int f_1(void) { return 1; }'
        '__asm__(".symver f_2, f@@F_2.0"); int f_2(void) { return 2; }'
    )
    cc.make_library("libf.so", both, versions="F_1.0 { f; }; F_2.0 { f; } F_1.0;")
    assert proof_of(program).loads
    assert subprocess.run([str(program)], env={}, check=False).returncode == 1


def machine_programs() -> list[Path]:
    """The dynamic programs of this machine's /usr/bin and /usr/sbin, each once."""
    found: dict[str, None] = {}
    for directory in ("/usr/bin", "/usr/sbin"):
        for entry in sorted(Path(directory).iterdir()):
            path = Path(os.path.realpath(entry))
            if path.is_file() and os.access(path, os.R_OK):
                with path.open("rb") as stream:
                    if stream.read(4) == b"\x7fELF":
                        found[str(path)] = None
    return [Path(path) for path in found]


def machine_libraries() -> list[Path]:
    """The libraries in the system directories of this machine's loader, each once, without the loader itself."""
    directories = glibc_constants(Path(GLIBC).read_bytes(), read_elf(BytesContent(made_program())).target).directories
    found = {
        os.path.realpath(e.path) for d in directories if os.path.isdir(d) for e in os.scandir(d) if ".so" in e.name
    }
    paths = [Path(path) for path in sorted(found - {os.path.realpath(GLIBC)}) if os.path.isfile(path)]
    return [path for path in paths if path.read_bytes()[:4] == b"\x7fELF"]


class Lacking(NamedTuple):
    """What is not there: each symbol with its version and who asks for it, and each version with who asks for it."""

    symbols: frozenset[tuple[str, str, str]]
    versions: frozenset[tuple[str, str]]


def compared(path: Path, symbols: SymbolCache, walker: Walker) -> tuple[Lacking, Lacking, int] | None:
    """What minpack and `ldd -r` find lacking for a program, and the look-ups it took; None if it is no subject."""
    try:
        closure = resolve_closure(walker, str(path))
    except MinpackError:
        return None
    if closure.libc != "glibc":
        return None
    proof = prove(closure, symbols)
    ours = Lacking(
        frozenset((u.symbol, u.version, u.needed_by) for u in proof.unbound),
        frozenset((missing.version, missing.needed_by) for missing in proof.versions),
    )
    said = ldd(path)[1]
    theirs = Lacking(
        frozenset(re.findall(r"undefined symbol: ([^\s,]+)(?:, version (\S+))?\t\((.*)\)", said)),
        frozenset(re.findall(r"version `(\S+)' not found \(required by (.*)\)", said)),
    )
    return ours, theirs, proof.looked_up


@pytest.mark.slow
def test_the_machine_s_programs_bind_as_ldd_says(capsys: pytest.CaptureFixture[str]) -> None:
    """What is found lacking is exactly what `ldd -r` reports; every tenth program, all with MINPACK_ALL."""
    paths = machine_programs()[:: 1 if ALL_PROGRAMS else 10]
    assert compare("programs", paths, capsys) > 20


@pytest.mark.slow
def test_the_machine_s_libraries_bind_as_ldd_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a program that needs the library by its path, and nothing else; every sixth one, all with MINPACK_ALL."""
    need_loader(GLIBC)
    apps = []
    for number, path in enumerate(machine_libraries()[:: 1 if ALL_PROGRAMS else 6]):
        apps.append(tmp_path / str(number))
        apps[-1].write_bytes(made_program((str(path),)))
        apps[-1].chmod(0o755)
    assert compare("libraries", apps, capsys) > 20


def compare(what: str, paths: list[Path], capsys: pytest.CaptureFixture[str]) -> int:
    """How many were compared: none of them differs, and the counts are printed."""
    walker, symbols = Walker(DirectoryBase("/")), SymbolCache()
    results = {path: result for path in paths if (result := compared(path, symbols, walker)) is not None}
    differing = {path: (ours, theirs) for path, (ours, theirs, _) in results.items() if ours != theirs}
    looked_up = sum(count for *_, count in results.values())
    lacking = sum(len(theirs.symbols) + len(theirs.versions) for _, theirs, _ in results.values())
    with capsys.disabled():
        print(
            f"\n{len(results)} {what}, {looked_up} look-ups, {lacking} symbols and versions lacking,"
            f" {len(differing)} differ from ldd -r"
        )
    assert not differing
    return len(results)


TARBALLS = ("aarch64", "armv7", "riscv64", "s390x", "x86", "x86_64")


@pytest.mark.data
@pytest.mark.parametrize("arch", TARBALLS)
def test_alpine_s_programs_bind(data: Path, arch: str) -> None:
    """Every dynamic program of a minirootfs is proved to load on it, whatever the machine."""
    name = f"alpine-minirootfs-3.20.3-{arch}.tar.gz"
    with open_tarball(str(data / "bases" / name), name) as base:
        walker = Walker(base)
        proofs = {path: prove(closure) for path in elf_paths(walker) if (closure := resolve_closure(walker, path)).libc}
    assert len(proofs) >= 7
    assert {path: proof for path, proof in proofs.items() if not proof.loads or proof.unbound} == {}
    assert sum(proof.looked_up for proof in proofs.values()) > 2000


def elf_paths(walker: Walker) -> list[str]:
    """The paths of all ELF files below /bin, /sbin and /usr."""
    found: list[str] = []
    todo = [normal(path) for path in ("/bin", "/sbin", "/usr")]
    while todo:
        here = todo.pop()
        for part in walker.base.listdir(here):
            entry = walker.lstat(normal(f"{here}/{part}"))
            assert entry is not None
            if entry.kind is Kind.DIRECTORY:
                todo.append(entry.path)
            elif entry.content is not None:
                with entry.content.open() as reader:
                    if reader.read_at(0, 4) == b"\x7fELF":
                        found.append(entry.path)
    return found


@pytest.mark.data
def test_a_wrong_library_leaves_alpine_s_apk_unbound(data: Path, tmp_path: Path) -> None:
    """With another file in libcrypto's place, as many symbols are unbound as musl's loader complains of."""
    name = "alpine-minirootfs-3.20.3-x86_64.tar.gz"
    wrong = Compiler(tmp_path, "musl-gcc").make_library("libcrypto.so.3", "int nothing(void) { return 0; }")
    content = FileContent(str(wrong), wrong.stat().st_size)
    with open_tarball(str(data / "bases" / name), name) as base:
        upper = base_of("wrong", [file(normal("/lib/libcrypto.so.3"), content, 0o755)])
        proof = prove(resolve_closure(Walker(OverlayBase(upper, base)), "/sbin/apk"))
        real = complaints_of_musl(Path(data / "bases" / name), wrong, tmp_path)
    assert not proof.loads
    assert len({(u.symbol, u.needed_by) for u in proof.unbound}) == len(real) > 100
    assert {u.symbol for u in proof.unbound} == {symbol for symbol, _ in real}


def complaints_of_musl(tarball: Path, wrong: Path, tmp_path: Path) -> set[tuple[str, str]]:
    """What the real loader says in a chroot: symbol and file of each relocation it cannot do."""
    if os.geteuid() != 0:
        pytest.skip("not root")
    root = tmp_path / "root"
    root.mkdir()
    subprocess.run(["tar", "xf", str(tarball), "-C", str(root)], check=True)
    (root / "lib" / "libcrypto.so.3").write_bytes(wrong.read_bytes())
    done = subprocess.run(
        ["chroot", str(root), "/lib/ld-musl-x86_64.so.1", "--list", "/sbin/apk"],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.findall(r"Error relocating (\S+): (\S+): symbol not found", done.stderr)
    return {(symbol, path) for path, symbol in found}


def test_musl_ignores_versions(tmp_path: Path) -> None:
    """Under musl a reference to one version binds to the definition of another."""
    cc = Compiler(tmp_path, "musl-gcc")
    cc.make_library("libf.so", "int f(void) { return 0; }", versions="F_1.0 { f; };")
    program = cc.program("app", CALLS, "-lf")
    cc.make_library("libf.so", "int f(void) { return 0; }", versions="F_9.0 { f; };")
    assert proof_of(program).loads
    assert subprocess.run([str(program)], env={}, check=False).returncode == 0


def test_musl_sees_no_hidden_definition(tmp_path: Path) -> None:
    """Under musl a definition that is not its name's default version is invisible."""
    cc = Compiler(tmp_path, "musl-gcc")
    cc.make_library("libf.so", "int f(void) { return 0; }", versions="F_1.0 { f; };")
    program = cc.program("app", CALLS, "-lf")
    hidden = '__asm__(".symver f_1, f@F_1.0"); int f_1(void) { return 0; }'
    cc.make_library("libf.so", hidden, versions="F_1.0 { f; };")
    proof = proof_of(program)
    assert [u.symbol for u in proof.unbound] == ["f"]
    done = subprocess.run([str(program)], capture_output=True, text=True, env={}, check=False)
    assert "f: symbol not found" in done.stderr
    assert done.returncode == 127


def test_musl_knows_no_ifunc(tmp_path: Path) -> None:
    """Under musl a definition that is an IFUNC does not bind."""
    cc = Compiler(tmp_path, "musl-gcc")
    cc.make_library("libf.so", "int f(void) { return 0; }")
    program = cc.program("app", CALLS, "-lf")
    cc.make_library(
        "libf.so",
        "static int g(void) { return 0; } static void *pick(void) { return g; }"
        ' int f(void) __attribute__((ifunc("pick")));',
    )
    assert not proof_of(program).loads
    assert subprocess.run([str(program)], capture_output=True, env={}, check=False).returncode == 127
