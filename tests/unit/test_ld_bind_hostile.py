"""The load proof of closures whose files lie: it ends with an answer or with the one error, and costs no product."""

from __future__ import annotations

import struct
import time
import tracemalloc
from itertools import product
from random import Random

import pytest

from minpack.content import BytesContent
from minpack.elf import symbols as symbols_module
from minpack.errors import InputError, MalformedElfError
from minpack.ld import bind_glibc, lookup
from minpack.ld.bind import prove
from minpack.ld.closure import Closure, FoundBy, Libc
from minpack.ld.demands import musl_version
from minpack.ld.lookup import MissingVersion, Proof, Unbound
from minpack.ld.verdict import reasons
from support.closures import closure_of, loaded
from support.symbolmaker import DT_RELASZ, WEAK_FUNC, Linked, Need, Symbol, Version, linked_elf

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


@pytest.mark.parametrize("libc", list(Libc))
def test_many_versions_of_one_name_are_looked_through_once(libc: Libc) -> None:
    """Thousands of versions of a name cost no product with the thousands of references that ask for one each."""
    count = 4000
    versions = [Version(f"V{n}", n + 3) for n in range(count)]
    library = linked_elf(
        [Symbol("f", version=0x8000 | n + 3) for n in range(count)], soname="l.so", versions=versions, style="sysv"
    )
    needs = [Need("l.so", f"V{n}", n + 3) for n in range(count)]
    listed = [Symbol("f", 0, value=0, version=n + 3) for n in range(count)]
    uses = b"".join(struct.pack("<QQQ", 0, n << 32 | GLOB_DAT, 0) for n in range(1, count + 1))
    app = linked_elf(listed, relocations=[("f", GLOB_DAT)], chunks={"relocations": uses}, needs=needs,
                     interpreter=LOADER, tags={DT_RELASZ: len(uses)})  # fmt: skip
    start = time.process_time()
    proof = prove(closure(app, library, libc=libc))
    assert time.process_time() - start < 2
    assert proof.looked_up == count
    assert proof.loads == (libc is Libc.GLIBC)


@pytest.mark.parametrize("seed", range(40))
def test_of_many_definitions_those_decide_that_decide_of_few(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether definitions are gone through or a list was made of those that matter, the answer is one."""
    chance = Random(seed)  # noqa: S311
    names = ["V1", "V2", "V3"]
    versions = [Version(name, n) for n, name in enumerate(names, chance.choice((1, 3)))]
    listed = [
        Symbol("f", chance.choice((0, 1, 1)), chance.choice((0x12, 0x12, 0x1D, 0x0A)), chance.choice((0, 0, 2)),
               chance.choice((0, 0x1000, 0x1000)), chance.choice((0, 1, 2, 3, 4, 5)) | chance.choice((0, 0x8000)))
        for _ in range(bind_glibc.FEW + 1)
    ]  # fmt: skip
    library = linked_elf(listed, soname="l.so", versions=versions if chance.random() < 0.9 else (), style="sysv")
    for version, kind in product(("", *names, "V4"), (GLOB_DAT, JUMP_SLOT)):
        needs = [Need("l.so", version, 2)] if version else []
        index = chance.choice((2, 0x8002)) if version else 1
        app = linked_elf([Symbol("f", 0, value=0, version=index)], relocations=[("f", kind)], needs=needs,
                         interpreter=LOADER)  # fmt: skip
        made = closure(app, library)
        few = prove(made)
        with monkeypatch.context() as patch:
            patch.setattr(bind_glibc, "FEW", len(listed))
            assert prove(made) == few


def test_look_ups_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that every library has and none defines so that it counts is asked of each of them."""
    monkeypatch.setattr(lookup, "MAX_ASKED", 30)
    wanted = [f"f{n}" for n in range(10)]
    library = linked_elf([Symbol(name, other=2) for name in wanted])
    assert len(prove(closure(asking(*wanted), *[library] * 3)).unbound) == 10
    with pytest.raises(InputError, match="its symbols need more than 30 look-ups"):
        prove(closure(asking(*wanted), *[library] * 4))


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


def test_the_newest_versions_are_looked_for_once() -> None:
    """Thousands of missing versions of a file that defines thousands of others cost no product of the two."""
    count = 10_000
    needs = [Need("l.so", f"V{n % 5000}_{n}", 2) for n in range(count)]
    library = linked_elf(soname="l.so", versions=[Version(f"V{n % 5000}_{n}", 2) for n in range(count, 2 * count)])
    made = closure(asking("f", needs=needs), library)
    start = time.process_time()
    proof = prove(made)
    assert time.process_time() - start < 2
    assert len(proof.versions) == count
    newest = {missing.version: missing.newest for missing in proof.versions}
    assert (newest["V7_7"], newest["V4999_9999"]) == ("V7_15007", "V4999_19999")


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


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("libc", list(Libc))
def test_what_is_surely_bound_is_what_asking_each_object_tells(
    seed: int, libc: Libc, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers that are gathered from all objects at once are those of looking each reference up by itself."""
    chance = Random(seed)  # noqa: S311
    versions, names = [Version("V1", 2), Version("V2", 3)], [f"f{number}" for number in range(12)]

    def symbols(own: list[str], asked: list[str]) -> list[Symbol]:
        infos, others = (0x12, 0x12, 0x12, 0x22, 0x11, 0x16, 0x1A, 0x02), (0, 0, 0, 2, 3)
        defined = [
            Symbol(name, chance.choice((1, 1, 1, 0xFFF1)), chance.choice(infos), chance.choice(others),
                   chance.choice((0x1000, 0x1000, 0)), chance.choice((1, 2, 3, 0x8002, 0x8003)))
            for name in own
        ]  # fmt: skip
        return [*(Symbol(name, 0, value=0, version=chance.choice((1, 2, 3, 0x8002))) for name in asked), *defined]

    def made(*, is_program: bool) -> Linked:
        own = [name for name in names for _ in range(chance.choice((0, 1, 1, 2))) if chance.random() < 0.5]
        asked = [name for name in names if name not in own and chance.random() < 0.5]
        used = [name for name in dict.fromkeys((*asked, *own)) if chance.random() < 0.8]
        kinds = (GLOB_DAT, JUMP_SLOT, COPY) if is_program else (GLOB_DAT, JUMP_SLOT)
        return linked_elf(
            symbols(own, asked),
            relocations=[(name, chance.choice(kinds)) for name in used],
            needs=[Need("l.so", "V1", 2), Need("l.so", "V2", 3)] if chance.random() < 0.3 else (),
            versions=versions if chance.random() < 0.7 else (),
            soname=None if is_program else "l.so",
            interpreter=LOADER if is_program else None,
            style="sysv",
        )

    whole = closure(made(is_program=True), *(made(is_program=False) for _ in range(3)), libc=libc)
    found = prove(whole)
    monkeypatch.setattr(lookup.Answers, "unsure", lambda _, questions: list(questions))
    monkeypatch.setattr(symbols_module, "_outward", lambda references, *_: references)
    assert prove(whole) == found
