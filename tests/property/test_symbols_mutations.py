"""Whatever symbols a file has, they are read; and however it is damaged, reading and proving end with an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from minpack.content import BytesContent
from minpack.elf.read import read_elf
from minpack.elf.symbols import Definition, Symbols, read_symbols
from minpack.errors import MalformedElfError, MinpackError
from minpack.ld.bind import prove
from minpack.ld.closure import Closure, Libc
from support.closures import closure_of
from support.elfmaker import MACHINES
from support.symbolmaker import TYPES, Linked, Need, Symbol, Version, linked_elf
from unit.test_elf_mutations import STEADY, Change, numbers, widths

if TYPE_CHECKING:
    from minpack.ld.lookup import Proof

texts = st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="\x7f"), min_size=1, max_size=12)
made_symbols = st.builds(
    Symbol,
    texts,
    st.sampled_from((0, 1, 5, 0xFFF1)),
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, 0xFFFFFFFF),
    st.sampled_from((0, 1, 2, 3, 0x8003)),
)


@settings(STEADY, max_examples=300)
@given(
    st.lists(made_symbols, unique_by=lambda symbol: symbol.name, max_size=30),
    st.sampled_from([name for name in MACHINES if not name.startswith("mips")]),
    st.sampled_from(("gnu", "sysv")),
)
def test_all_that_was_made_is_read(listed: list[Symbol], machine: str, style: str) -> None:
    """Each symbol that the hash table has is a definition, and each that is named is a reference, as it was made."""
    plain, _ = TYPES.get(MACHINES[machine].number, (1, 2))
    linked = linked_elf(
        listed,
        machine=machine,
        style=style,
        relocations=[(symbol.name, plain) for symbol in listed],
        needs=[Need("libc.so.6", "V1", 2), Need("libc.so.6", "V2", 0x8003)],
    )
    found = read_symbols(BytesContent(linked.data))
    expected = {symbol.name.encode(): symbol for symbol in listed if symbol.section or style == "sysv"}
    assert set(found.names) == set(expected)
    for name, symbol in expected.items():
        definition = Definition(symbol.info, symbol.other, symbol.section, symbol.value, symbol.version)
        assert found.definitions(name) == (definition,)
    versions = {2: ("V1", False), 3: ("V2", True), 0x8003: ("V2", True)}
    assert {(r.name, r.info, r.other, r.section, r.version, r.hidden) for r in found.references} == {
        (s.name.encode(), s.info, s.other, s.section, *versions.get(s.version, ("", False))) for s in listed
    }


def made(machine: str, style: str, interpreter: str | None = None) -> Linked:
    """A file that has every table."""
    plain, jump = TYPES[MACHINES[machine].number]
    return linked_elf(
        [Symbol("ext", 0, value=0, version=2), Symbol("f"), Symbol("g", version=0x8004), Symbol("g", version=3)],
        machine=machine,
        style=style,
        relocations=[("ext", plain), ("g", plain), ("", plain)],
        jumps=[("ext", jump)],
        needs=[Need("l.so", "V1", 2), Need("m.so", "V2", 5)],
        versions=[Version("l.so", 1, 1), Version("V1", 3), Version("V2", 4)],
        soname="l.so",
        needed=["l.so"],
        interpreter=interpreter,
        tags={0x70000011: 5, 0x70000013: 1} if machine.startswith("mips") else {},
    )


MADE = [made(machine, "gnu") for machine in ("x86_64", "x86", "s390x", "mips64el")]
MADE += [made(machine, "sysv") for machine in ("aarch64", "s390x", "mips")]
MADE += [made("mipsel", "xhash")]
PROGRAM = made("x86_64", "gnu", "/lib64/ld-linux-x86-64.so.2")


@st.composite
def damaged(draw: st.DrawFn, files: list[Linked]) -> bytes:
    """One of the files with numbers changed, in its tags mostly, or in its tables."""
    linked = draw(st.sampled_from(files))
    data = bytearray(linked.data)
    word = 8 if data[4] == 2 else 4
    tags = st.sampled_from(list(linked.tags.values())).map(lambda at: at + word)
    tables = st.tuples(st.sampled_from(sorted(linked.places.values())), st.integers(0, 20)).map(
        lambda p: p[0] + 2 * p[1]
    )
    addresses = st.sampled_from(sorted(linked.places.values()))
    values = st.one_of(numbers, addresses)
    for at, width, value in draw(st.lists(st.tuples(st.one_of(tags, tables), widths, values), min_size=1, max_size=4)):
        Change(at, width, value).apply(data)
    return bytes(data)


def attempt(data: bytes) -> Symbols | None:
    """What is read of a file, if it is not refused."""
    content = BytesContent(data)
    try:
        read_elf(content)
        found = read_symbols(content)
    except MinpackError as error:
        offset = error.offset if isinstance(error, MalformedElfError) else 0
    else:
        return found
    assert 0 <= offset <= len(data)
    return None


@settings(STEADY, max_examples=1500)
@given(damaged(MADE))
def test_damaged_tables_give_symbols_or_one_error(data: bytes) -> None:
    """Whatever is read can be asked for everything."""
    found = attempt(data)
    if found is None:
        return
    assert all(found.definitions(name) for name in found.names)
    assert all(isinstance(reference.name, bytes) for reference in found.references)
    assert all(isinstance(need.version, str) for need in found.versions.needs)


def attempt_proof(closure: Closure) -> Proof | MalformedElfError:
    """The proof, or the error it ends with."""
    try:
        return prove(closure)
    except MalformedElfError as error:
        return error


@settings(STEADY, max_examples=600)
@given(damaged([PROGRAM]), damaged(MADE[:1]), st.sampled_from(list(Libc)))
def test_proofs_of_damaged_files_end(program: bytes, library: bytes, libc: Libc) -> None:
    """A proof of two damaged files gives an answer or the one error."""
    try:
        closure = closure_of({"/app": program, "/lib/l.so": library}, libc)
    except MinpackError:
        return
    proof = attempt_proof(closure)
    if isinstance(proof, MalformedElfError):
        assert proof.path in ("/app", "/lib/l.so")
        return
    assert proof.loads == (not proof.versions and not proof.problems and not any(u.fatal for u in proof.unbound))
