"""The load proof of closures whose files lie: it ends with an answer or with the one error, and costs no product."""

from __future__ import annotations

import struct
import tracemalloc

import pytest

from minpack.content import BytesContent
from minpack.elf.symbols import MAX_SAME
from minpack.errors import MalformedElfError
from minpack.ld import bind
from minpack.ld.bind import MissingVersion, Proof, Unbound, prove
from minpack.ld.closure import Closure, FoundBy, Libc
from minpack.ld.demands import musl_version
from minpack.ld.verdict import reasons
from support.closures import closure_of, loaded
from support.symbolmaker import WEAK_FUNC, Linked, Need, Symbol, Version, linked_elf

GLOB_DAT, JUMP_SLOT, COPY = 6, 7, 5
LOADER = "/lib/ld-linux-x86-64.so.2"


def closure(app: Linked | bytes, *libraries: Linked, libc: Libc = Libc.GLIBC) -> Closure:
    """A program with libraries /lib/0.so and so on, each loaded by its soname if it has one."""
    data = app if isinstance(app, bytes) else app.data
    files = {"/app": data} | {f"/lib/{n}.so": library.data for n, library in enumerate(libraries)}
    return closure_of(files, libc)


def asking(*names: str, **how: object) -> Linked:
    """A program that refers to these names."""
    listed = [Symbol(name, 0, value=0, version=2) for name in names]
    relocations = [(name, GLOB_DAT) for name in names]
    return linked_elf(listed, relocations=relocations, interpreter=LOADER, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("libc", list(Libc))
def test_what_is_defined_is_bound(libc: Libc) -> None:
    """The cases below differ from one that loads."""
    proof = prove(closure(asking("f"), linked_elf([Symbol("f")]), libc=libc))
    assert proof == Proof((), (), (), 1)
    proof = prove(closure(asking("f", "g"), linked_elf([Symbol("f")]), libc=libc))
    assert proof.unbound == (Unbound("g", "", "/app", fatal=True),)


@pytest.mark.parametrize("machine", ["mips", "mips64el"])
@pytest.mark.parametrize("libc", list(Libc))
def test_a_stub_of_mips_defines_nothing(machine: str, libc: Libc) -> None:
    """A program's own undefined function, which has the address of a stub there, does not answer for itself."""
    tags = {0x7000000A: 2, 0x70000011: 2, 0x70000013: 1}
    app = linked_elf([Symbol("f", 0)], machine=machine, style="sysv", interpreter="/lib/ld.so.1", tags=tags)
    proof = prove(closure(app, linked_elf([Symbol("f")], machine=machine, style="sysv"), libc=libc))
    assert proof.unbound == ()
    proof = prove(closure(app, linked_elf([Symbol("g")], machine=machine, style="sysv"), libc=libc))
    assert [u.symbol for u in proof.unbound] == ["f"]
    assert proof.loads == (libc is Libc.GLIBC)


def test_many_definitions_of_one_name_are_refused() -> None:
    """A hundred thousand versions of a name would be looked through for a hundred thousand references."""
    app = asking("f")
    many = linked_elf([Symbol("f", version=n + 2) for n in range(MAX_SAME + 1)])
    with pytest.raises(MalformedElfError, match="definitions of 'f'"):
        prove(closure(app, many))
    most = linked_elf([Symbol("f", version=n + 2) for n in range(MAX_SAME)])
    assert prove(closure(app, most)).loads


@pytest.mark.parametrize("number", ["²", "٣", "1²", "9" * 5, "9" * 4000, "1..2", "", ".", "-1", "0x1"])
def test_any_text_may_stand_for_a_version_s_number(number: str) -> None:
    """Version names are taken as they are, and only true numbers compared."""
    app = asking("f", needs=[Need("l.so", "V_2", 2)])
    library = linked_elf(
        [Symbol("f", version=2)], soname="l.so", versions=[Version(f"V_{number}", 2), Version("V_1", 3)]
    )
    proof = prove(closure(app, library))
    newest = f"V_{number}" if number in ("9" * 5, "1..2") else "V_1"
    assert proof.versions == (MissingVersion("V_2", "/lib/0.so", "/app", newest),)


def test_the_newest_version_is_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand missing versions of a file that defines ten thousand others cost no product of the two."""
    calls = []
    newest = bind._newest

    def counted(defined: frozenset[str], prefix: str) -> str:
        calls.append(prefix)
        return newest(defined, prefix)

    monkeypatch.setattr(bind, "_newest", counted)
    needs = [Need("l.so", f"V_{n}", 2) for n in range(1000)]
    library = linked_elf(soname="l.so", versions=[Version(f"V_{n}", 2) for n in range(2000, 3000)])
    proof = prove(closure(asking("f", needs=needs), library))
    assert len(proof.versions) == 1000
    assert {missing.newest for missing in proof.versions} == {"V_2999"}
    assert calls == ["V"]


def test_many_reasons_are_told_in_few_lines() -> None:
    """However many versions are missing, what is said of it stays readable."""
    needs = [Need("l.so", f"V{n}_1", 2) for n in range(1000)]
    library = linked_elf(soname="l.so", versions=[Version("W_1", 2)])
    proof = prove(closure(asking(*(f"f{n}" for n in range(100)), needs=needs), library))
    assert len(reasons(proof)) < 20


def test_weak_and_hidden_references_of_any_kind_end() -> None:
    """Every combination of type, binding, visibility and section is looked up or passed over."""
    listed = [
        Symbol(f"s{info}_{other}_{section}", section, info, other, value, 2)
        for info in range(0, 256, 3)
        for other in (0, 1, 2, 3, 8)
        for section, value in ((0, 0), (0, 1), (1, 0), (0xFFF1, 0))
    ]
    listed = [*{symbol.name: symbol for symbol in listed}.values()]
    uses = [(symbol.name, type_) for symbol in listed for type_ in (GLOB_DAT, JUMP_SLOT, COPY)]
    app = linked_elf(listed, relocations=uses, interpreter=LOADER, style="sysv")
    for libc in Libc:
        proof = prove(closure(app, linked_elf(listed, style="sysv"), libc=libc))
        assert proof.looked_up > 1000
        assert proof.unbound
        assert not any(u.symbol.startswith(f"s{WEAK_FUNC}_") and u.symbol.endswith("_0") for u in proof.unbound)


def test_the_same_file_many_times_is_one_problem_each() -> None:
    """A closure may have a file under many names."""
    library = linked_elf([Symbol("f")], relocations=[("f", GLOB_DAT)])
    proof = prove(closure(asking("f"), *[library] * 50))
    assert proof.loads


def test_large_names_take_bounded_memory() -> None:
    """References share the text of the names that they have."""
    name = "f" * 200_000
    rows = struct.pack("<IBBHQQ", 1, 18, 0, 0, 0, 0) * 5000
    table = b"".join(struct.pack("<QQQ", 0, n << 32 | GLOB_DAT, 0) for n in range(1, 5001))
    strings = b"\0" + name.encode() + b"\0"
    chunks = {"symbols": bytes(24) + rows, "strings": strings, "relocations": table}
    app = linked_elf([Symbol("f", 0)], relocations=[("f", GLOB_DAT)], interpreter=LOADER, style="", chunks=chunks)
    made = closure(app, linked_elf([Symbol("f")]))
    tracemalloc.start()
    proof = prove(made)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [u.symbol for u in proof.unbound] == [name]
    assert most < 32 << 20


def test_a_malformed_library_ends_the_proof_with_its_name() -> None:
    """The error names the file that is at fault, as it lies in the tree."""
    broken = linked_elf([Symbol("f")], tags={6: 1 << 60})
    with pytest.raises(MalformedElfError) as caught:
        prove(closure(asking("f"), broken))
    assert caught.value.path == "/lib/0.so"


def test_a_loader_with_broken_tables_is_read_only_if_it_is_in_scope() -> None:
    """An interpreter that nothing names as a library is not searched."""
    broken = linked_elf([Symbol("f")], tags={6: 1 << 60}).data
    interpreter = loaded(LOADER, broken, FoundBy.INTERPRETER)
    made = closure(asking(), linked_elf([Symbol("g")]))._replace(interpreter=interpreter)
    assert prove(made).loads


def test_the_digits_of_a_loader_s_version_are_few() -> None:
    """What has thousands is no version, and no number that Python makes of text."""
    assert musl_version(BytesContent(b"\0001.2.4\0")) == (1, 2, 4)
    assert musl_version(BytesContent(b"\0" + b"9" * 5000 + b".2.4\0")) is None


def test_contents_are_left_as_they_are() -> None:
    """A proof reads, and gives the same again."""
    made = closure(asking("f", "g"), linked_elf([Symbol("f")]))
    assert prove(made) == prove(made)
    content = made.program.entry.content
    assert isinstance(content, BytesContent)
