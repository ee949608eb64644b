"""The symbols of a file are what the loaders see of it, and tables that cannot be true give one clear error."""

from __future__ import annotations

import os
import struct
import tracemalloc
from typing import TYPE_CHECKING, NamedTuple

import pytest

from minpack.content import BytesContent, FileContent
from minpack.elf import hashes, names, relocations
from minpack.elf.symbols import Definition, Symbols, read_symbols
from minpack.errors import MalformedElfError
from support.elfedit import set_segment
from support.elfmaker import DT_HASH, DT_STRTAB, DT_SYMTAB, MACHINES, PT_LOAD
from support.symbolmaker import (
    DT_GNU_HASH,
    DT_JMPREL,
    DT_PLTRELSZ,
    DT_RELA,
    DT_RELASZ,
    DT_STRSZ,
    DT_VERSYM,
    GLOBAL_FUNC,
    TYPES,
    Linked,
    Need,
    Symbol,
    Version,
    linked_elf,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DT_RELR, DT_SYMBOLIC, DT_FLAGS, DT_BIND_NOW, DT_FLAGS_1 = 36, 16, 30, 24, 0x6FFFFFFB
DT_MIPS_LOCAL_GOTNO, DT_MIPS_SYMTABNO, DT_MIPS_GOTSYM, DT_MIPS_XHASH = 0x7000000A, 0x70000011, 0x70000013, 0x70000036
MIPS = [name for name in MACHINES if name.startswith("mips")]
OTHERS = [name for name in MACHINES if not name.startswith("mips")]
GLOB_DAT, JUMP_SLOT, COPY, RELATIVE, IRELATIVE, TPOFF = 6, 7, 5, 8, 37, 18
HUGE = (1 << 64) - 1
MIB = 1 << 20


def symbols(linked: Linked | bytes) -> Symbols:
    """What is read of a file; of its imports it is the same where nothing else is read."""
    content = BytesContent(linked if isinstance(linked, bytes) else linked.data)
    found, alone = read_symbols(content), read_symbols(content, imports_alone=True)
    assert alone.references == tuple(reference for reference in found.references if reference.section == 0)
    assert alone.imports == found.imports == {reference.name: reference for reference in alone.references}
    assert alone.versions == found.versions
    assert not alone.names
    return found


def uses(found: Symbols) -> list[tuple[bytes, str, bool]]:
    """Name, kind and laziness of each reference."""
    return [(r.name, r.kind, r.lazy) for r in found.references]


@pytest.mark.parametrize("style", ["gnu", "sysv"])
@pytest.mark.parametrize("machine", MACHINES)
def test_every_machine_s_tables_are_read(machine: str, style: str) -> None:
    """Definitions by either hash table, references by relocations, and versions, in each class and byte order."""
    plain, jump = TYPES.get(MACHINES[machine].number, (1, 2))
    linked = linked_elf(
        [Symbol("ext", 0, value=0, version=2), Symbol("f", value=0x1234), Symbol("g", section=7, version=0x8003)],
        machine=machine,
        style=style,
        relocations=[("ext", plain), ("f", plain), ("", plain)],
        jumps=[("ext", jump)],
        needs=[Need("libc.so.6", "GLIBC_2.5", 2)],
        versions=[Version("liba.so", 1, 1), Version("V1", 3)],
    )
    found = symbols(linked)
    assert set(found.names) - {b"ext"} == {b"f", b"g"}
    assert found.definitions(b"f") == (Definition(GLOBAL_FUNC, 0, 1, 0x1234, 1),)
    assert found.definitions(b"g") == (Definition(GLOBAL_FUNC, 0, 7, 0x1000, 0x8003),)
    assert found.definitions(b"h") == ()
    assert uses(found) == [(b"ext", "", False), (b"f", "", False), (b"ext", "jump", True)]
    assert {(r.name, r.version, r.section) for r in found.references} == {(b"ext", "GLIBC_2.5", 0), (b"f", "", 1)}
    assert found.has_versions


@pytest.mark.parametrize("machine", OTHERS)
def test_only_the_old_table_leads_to_undefined_symbols(machine: str) -> None:
    """The System V hash table has all symbols, the GNU one those that are defined."""
    listed = [Symbol("ext", 0, value=0), Symbol("f")]
    assert set(symbols(linked_elf(listed, machine=machine, style="sysv")).names) == {b"ext", b"f"}
    assert set(symbols(linked_elf(listed, machine=machine)).names) == {b"f"}


@pytest.mark.parametrize("machine", MIPS)
def test_undefined_symbols_of_mips_are_no_definitions(machine: str) -> None:
    """There a value of an undefined symbol is a stub's, but for those marked as PLT entries."""
    listed = [Symbol("stub", 0), Symbol("plt", 0, other=8), Symbol("f")]
    assert set(symbols(linked_elf(listed, machine=machine, style="sysv")).names) == {b"plt", b"f"}


@pytest.mark.parametrize("machine", MIPS)
def test_mips_s_own_hash_table_is_read(machine: str) -> None:
    """DT_MIPS_XHASH leads to symbols through a table of indexes."""
    listed = [Symbol("ext", 0, value=0), Symbol("f"), Symbol("g")]
    linked = linked_elf(listed, machine=machine, style="xhash", tags={DT_MIPS_SYMTABNO: 4})
    assert symbols(linked).names == {b"f": 2, b"g": 3}
    order = MACHINES[machine].order
    swapped = bytearray(linked.data)
    struct.pack_into(order + "II", swapped, linked.places["hash"] + linked.sizes["hash"] - 8, 3, 2)
    assert symbols(bytes(swapped)).names == {b"f": 2, b"g": 3}
    assert list(symbols(bytes(swapped)).names) == [b"g", b"f"]
    struct.pack_into(order + "II", swapped, linked.places["hash"] + linked.sizes["hash"] - 8, 0, 0)
    assert symbols(bytes(swapped)).names == {}


def test_mips_s_own_hash_table_is_mips_s_alone() -> None:
    """On other machines the number is another tag's."""
    linked = linked_elf([Symbol("f")], style="xhash", tags={DT_MIPS_SYMTABNO: 2})
    assert symbols(linked).names == {}


@pytest.mark.parametrize("machine", MIPS)
def test_mips_s_global_offset_table_refers_to_symbols(machine: str) -> None:
    """Its part from DT_MIPS_GOTSYM on is bound without relocations, and lazily where there is a stub."""
    listed = [Symbol("before", 0, value=0), Symbol("stub", 0), Symbol("data", 0, value=0), Symbol("f")]
    tags = {DT_MIPS_LOCAL_GOTNO: 2, DT_MIPS_GOTSYM: 2, DT_MIPS_SYMTABNO: 5}
    found = symbols(linked_elf(listed, machine=machine, style="sysv", tags=tags))
    assert uses(found) == [(b"stub", "", True), (b"data", "", False), (b"f", "", False)]


def test_the_first_symbol_is_never_referred_to() -> None:
    """A global offset table that would begin with symbol 0 begins with the next."""
    tags = {DT_MIPS_GOTSYM: 0, DT_MIPS_SYMTABNO: 2}
    assert uses(symbols(linked_elf([Symbol("f")], machine="mips", style="sysv", tags=tags))) == [(b"f", "", False)]


def test_kinds_of_use_are_told_apart() -> None:
    """A symbol used in several ways is referred to once for each."""
    listed = [Symbol("v", 0, value=0), Symbol("f", 0, value=0)]
    both = [("v", COPY), ("f", GLOB_DAT), ("v", GLOB_DAT), ("f", TPOFF), ("f", GLOB_DAT), ("", RELATIVE)]
    found = uses(symbols(linked_elf(listed, relocations=both)))
    assert sorted(found) == [(b"f", "", False), (b"f", "tls", False), (b"v", "", False), (b"v", "copy", False)]


def test_a_symbol_of_a_lazy_and_another_table_is_bound_at_once() -> None:
    """What both tables name for the same use is not lazy."""
    linked = linked_elf([Symbol("f", 0)], relocations=[("f", JUMP_SLOT)], jumps=[("f", JUMP_SLOT)])
    assert uses(symbols(linked)) == [(b"f", "jump", False)]


@pytest.mark.parametrize(("size", "lazy"), [(48, True), (24, True), (72, False)])
def test_a_lazy_table_at_the_end_of_the_other_is_lazy(size: int, lazy: bool) -> None:
    """Linkers for some machines count it to both (glibc elf/dynamic-link.h); then it is not part of the first."""
    linked = linked_elf([Symbol("f", 0), Symbol("g", 0)], relocations=[("g", GLOB_DAT)], jumps=[("f", JUMP_SLOT)])
    assert linked.places["jumps"] == linked.places["relocations"] + 24
    linked = linked_elf(
        [Symbol("f", 0), Symbol("g", 0)],
        relocations=[("g", GLOB_DAT)],
        jumps=[("f", JUMP_SLOT)],
        tags={DT_RELASZ: size},
        tail=bytes(24),
    )
    assert (b"f", "jump", lazy) in uses(symbols(linked))


def test_flags_are_told() -> None:
    """Symbolic binding, immediate binding, relative relocations and resolvers, each by any tag that says so."""
    none = symbols(linked_elf())
    assert not any((none.symbolic, none.bind_now, none.has_relr, none.calls_resolvers, none.has_versions))
    assert symbols(linked_elf(tags={DT_SYMBOLIC: 0})).symbolic
    assert symbols(linked_elf(tags={DT_FLAGS: 2})).symbolic
    assert symbols(linked_elf(tags={DT_BIND_NOW: 0})).bind_now
    assert symbols(linked_elf(tags={DT_FLAGS: 8})).bind_now
    assert symbols(linked_elf(tags={DT_FLAGS_1: 1})).bind_now
    assert symbols(linked_elf(tags={DT_RELR: 0})).has_relr
    assert symbols(linked_elf(relocations=[("", IRELATIVE)])).calls_resolvers


def test_definitions_of_one_name_keep_their_order() -> None:
    """A name with several versions has a definition for each."""
    listed = [Symbol("f", version=0x8002), Symbol("g", version=3), Symbol("f", version=3)]
    found = symbols(linked_elf(listed, versions=[Version("V1", 2), Version("V2", 3)]))
    assert [d.version for d in found.definitions(b"f")] == [0x8002, 3]
    assert found.names == {b"f": (1, 3), b"g": 2}


def test_what_has_no_name_is_no_definition() -> None:
    """Sections are symbols without names in some files; they may be many."""
    listed = [*(Symbol("", info=3, value=n) for n in range(100)), Symbol("f")]
    assert set(symbols(linked_elf(listed, style="sysv")).names) == {b"f"}
    assert symbols(linked_elf(listed[:-1], style="sysv")).names == {}


def test_names_may_begin_inside_others() -> None:
    """Linkers give `open` the end of `fopen`."""
    linked = linked_elf([Symbol("fopen"), Symbol("open")])
    data = bytearray(linked.data)
    at = linked.places["symbols"]
    first = struct.unpack_from("<I", data, at + 24)[0]
    struct.pack_into("<I", data, at + 48, first + 1)
    assert symbols(bytes(data)).names == {b"fopen": 1, b"open": 2}


@pytest.mark.parametrize("size", [None, 0, 1, 3, HUGE])
def test_the_size_of_the_string_table_plays_no_role(size: int | None) -> None:
    """No loader looks at DT_STRSZ: names behind its end, or that it cuts, are read all the same."""
    listed = [Symbol("first_name", 0, value=0), Symbol("second_name")]
    found = symbols(linked_elf(listed, relocations=[("first_name", GLOB_DAT)], tags={DT_STRSZ: size}))
    assert found.names == {b"second_name": 2}
    assert [r.name for r in found.references] == [b"first_name"]


def test_long_names_behind_the_table_are_read_whole() -> None:
    """A name that is longer than what is first read of it is read on."""
    name = "f" * (names.PIECE * 20)
    assert set(symbols(linked_elf([Symbol(name)], tags={DT_STRSZ: 1})).names) == {name.encode()}


def test_chains_need_not_lie_as_linkers_lay_them() -> None:
    """A hash table may leave symbols out between its chains, and chains may overlap."""
    listed = [Symbol(f"f{n}") for n in range(8)]
    # Buckets that start at 2, 3 (in the same chain) and 7; the chains end at 4 and 8.
    table = struct.pack("<4IQ4I", 4, 1, 1, 0, HUGE, 2, 3, 7, 0) + struct.pack("<8I", 0, 0, 0, 1, 0, 0, 0, 1)
    found = symbols(linked_elf(listed, chunks={"hash": table}))
    assert sorted(found.names.values()) == [2, 3, 4, 7, 8]


def test_a_hash_table_without_buckets_leads_nowhere() -> None:
    """Some linkers write one for files that define nothing."""
    assert symbols(linked_elf([Symbol("f")], chunks={"hash": struct.pack("<4I", 0, 1, 0, 0)})).names == {}
    assert symbols(linked_elf([Symbol("f")], style="")).names == {}


def test_a_long_chain_is_read_in_pieces() -> None:
    """The last chain may go on far behind where it starts."""
    count = hashes.PIECE // 4 + 1000
    table = struct.pack("<4IQI", 1, 1, 1, 0, HUGE, 1) + bytes(4 * (count - 1)) + struct.pack("<I", 1)
    made = struct.pack("<IBBHQQ", 0, 0, 0, 0, 0, 0) + struct.pack("<IBBHQQ", 1, GLOBAL_FUNC, 0, 1, 1, 0)
    rest = b"".join(struct.pack("<IBBHQQ", 0, 3, 0, 1, 1, 0) for _ in range(count - 1))
    chunks = {"hash": table, "symbols": made + rest, "strings": b"\0f\0"}
    assert symbols(linked_elf(chunks=chunks)).names == {b"f": 1}


def test_relocations_are_read_in_pieces() -> None:
    """Tables longer than one piece are read whole."""
    entries = relocations.PIECE // 24 + 10
    table = struct.pack("<QQQ", 0, RELATIVE, 0) * (entries - 1) + struct.pack("<QQQ", 0, 1 << 32 | GLOB_DAT, 0)
    linked = linked_elf([Symbol("f", 0)], relocations=[("", RELATIVE)], chunks={"relocations": table})
    assert uses(symbols(linked)) == [(b"f", "", False)]


class Lie(NamedTuple):
    """A file that says what cannot be true, and what is said of it."""

    make: Callable[[], Linked]
    reason: str


def _lie(reason: str, *listed: Symbol, **how: object) -> Lie:
    return Lie(lambda: linked_elf(listed or (Symbol("f"),), **how), reason)  # type: ignore[arg-type]


def gnu(buckets: int, first: int, bloom: int, *rest: int) -> dict[str, bytes]:
    """A GNU hash table as it is."""
    return {"hash": struct.pack("<4IQ", buckets, first, bloom, 0, HUGE) + struct.pack(f"<{len(rest)}I", *rest)}


def _at_end(tag: int, **how: object) -> Lie:
    """A table that begins with the last byte of its segment."""

    def make() -> Linked:
        listed = (Symbol("f"), Symbol("g"))
        size = len(linked_elf(listed, **{**how, "tags": {tag: 0}}).data)  # type: ignore[arg-type]
        return linked_elf(listed, **{**how, "tags": {tag: size - 1}})  # type: ignore[arg-type]

    return Lie(make, "its segment has 1")


USE = {"relocations": [("f", GLOB_DAT)]}
FAR_NAME = struct.pack("<IBBHQQ", 1 << 31, GLOBAL_FUNC, 0, 1, 1, 0)
LIES = {
    "strings nowhere": _lie("in no segment", tags={DT_STRTAB: 1 << 40}),
    "no strings": _lie("behind the string table", tags={DT_STRTAB: None}),
    "symbols nowhere": _lie("in no segment", tags={DT_SYMTAB: HUGE}),
    "no symbols": _lie("no symbol table", tags={DT_SYMTAB: None}),
    "no symbols for relocations": _lie("no symbol table", style="", tags={DT_SYMTAB: None}, **USE),
    "symbols cut": _lie("its segment has", style="sysv", chunks={"hash": struct.pack("<II", 1, 4000)}),
    "many symbols": _lie("of 4294967295 sym", style="sysv", chunks={"hash": struct.pack("<II", 1, (1 << 32) - 1)}),
    "hash nowhere": _lie("in no segment", tags={DT_GNU_HASH: 0xFFFFFFFF0}),
    "old hash nowhere": _lie("in no segment", style="sysv", tags={DT_HASH: HUGE}),
    "hash cut": _at_end(DT_GNU_HASH),
    "many buckets": _lie("of 4294967295 buckets", chunks=gnu((1 << 32) - 1, 1, 1)),
    "buckets cut": _lie("its segment has", chunks=gnu(100_000, 1, 1)),
    "filter cut": _lie("its segment has", chunks=gnu(1, 1, (1 << 32) - 1)),
    "bucket before the first": _lie("begins with 5", chunks=gnu(1, 5, 1, 1, 1)),
    "far bucket": _lie("leads to symbol 4294967295", chunks=gnu(1, 1, 1, (1 << 32) - 1)),
    "bucket behind the chains": _lie("has no end", chunks=gnu(1, 1, 1, 90_000, 1)),
    "far relocation": _lie("lead to symbol", chunks={"relocations": struct.pack("<QQQ", 0, HUGE, 0)}, **USE),
    "relocation behind": _lie("segment has", chunks={"relocations": struct.pack("<QQQ", 0, 1 << 40, 0)}, **USE),
    "relocations nowhere": _lie("in no segment", tags={DT_RELA: HUGE}, **USE),
    "relocations cut": _lie("its segment has", tags={DT_RELASZ: 1 << 40}, **USE),
    "jumps cut": _lie("its segment has", jumps=[("f", JUMP_SLOT)], tags={DT_PLTRELSZ: HUGE}),
    "jumps nowhere": _lie("in no segment", jumps=[("f", JUMP_SLOT)], tags={DT_JMPREL: HUGE}),
    "versions nowhere": _lie("in no segment", tags={DT_VERSYM: HUGE}),
    "versions cut": _at_end(DT_VERSYM),
    "old hash cut": _at_end(DT_HASH, style="sysv"),
    "symbols at the end": _at_end(DT_SYMTAB),
    "relocations at the end": _at_end(DT_RELA, **USE),
    "name behind": _lie("lies behind", chunks={"strings": bytes(8), "symbols": bytes(24) + FAR_NAME}),
    "name without end": _lie("has no end", chunks={"strings": b"\0fffffff"}),
    "far table of a MIPS": _lie("offset table", machine="mips", tags={DT_MIPS_GOTSYM: 1, DT_MIPS_SYMTABNO: 1 << 31}),
    "far MIPS hash": _lie("its segment has", machine="mips", style="xhash", tags={DT_MIPS_SYMTABNO: 1 << 31}),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_lies_give_one_error_that_names_a_place(lie: Lie) -> None:
    """What cannot be true is said to be so, with an offset in the file."""
    linked = lie.make()
    with pytest.raises(MalformedElfError, match=lie.reason) as caught:
        symbols(linked)
    assert 0 < caught.value.offset <= len(linked.data)


def peak(data: bytes) -> int:
    """The most memory that reading the symbols takes, beside the file, whatever comes of it."""
    content = BytesContent(data)
    tracemalloc.start()
    try:
        read_symbols(content)
    except MalformedElfError:
        pass
    finally:
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return most


def _overlapping_names() -> Linked:
    """Names of half a megabyte that begin one byte behind each other."""
    count, text = 20_000, b"\0" + b"f" * 500_000 + b"\0"
    rows = b"".join(struct.pack("<IBBHQQ", 1 + n, 18, 0, 1, 1, 0) for n in range(count))
    table = struct.pack("<II", 1, count + 1)
    return linked_elf(style="sysv", chunks={"symbols": bytes(24) + rows, "strings": text, "hash": table})


def _empty_strings() -> Linked:
    """A string table of nothing but ends."""
    return linked_elf([Symbol("f")], style="sysv", chunks={"strings": b"\0f" + bytes(1_000_000)})


def _many_symbols() -> Linked:
    """As many symbols as fit, each with a name of its own and named by no relocation."""
    count = 25_000
    text = b"".join(b"\0s%x" % n for n in range(count)) + b"\0"
    at, rows = 1, []
    for n in range(count):
        rows.append(struct.pack("<IBBHQQ", at, 18, 0, 1, 1, 0))
        at += len(b"\0s%x" % n)
    table = struct.pack("<II", 1, count + 1)
    return linked_elf(style="sysv", chunks={"symbols": bytes(24) + b"".join(rows), "strings": text, "hash": table})


def _many_relocations() -> Linked:
    """As many different relocations as fit, of one symbol."""
    table = b"".join(struct.pack("<QQQ", 0, 1 << 32 | n, 0) for n in range(40_000))
    return linked_elf([Symbol("f")], relocations=[("f", 1)], chunks={"relocations": table})


def _shared_table() -> Linked:
    """Symbols, hash table, relocations and versions that are all the same megabyte."""
    tags = dict.fromkeys((DT_RELA, DT_JMPREL, DT_SYMTAB, DT_STRTAB), 0x200)
    sizes = {DT_RELASZ: 1_000_000, DT_PLTRELSZ: 1_000_000, DT_STRSZ: 1_000_000}
    pattern = struct.pack("<IIQQ", 6, 0, 6, 0x0000_0001_0000_0006)
    return linked_elf([Symbol("f")], style="", tags={**tags, **sizes}, tail=pattern * 42_000)


@pytest.mark.parametrize(
    "make",
    [_overlapping_names, _empty_strings, _many_symbols, _many_relocations, _shared_table],
    ids=lambda f: f.__name__,
)
def test_memory_is_bounded_by_the_file(make: Callable[[], Linked]) -> None:
    """However a file of a megabyte is made, its symbols take at most a few dozen."""
    data = make().data
    assert len(data) < 1.2 * MIB
    assert peak(data) < 64 * MIB


def test_a_large_file_of_holes_takes_bounded_memory(tmp_path: Path) -> None:
    """Tables of hundreds of megabytes cost no more memory than a real library's, which may be that large itself."""
    size = 600 * MIB
    tags = {DT_STRSZ: size, DT_RELASZ: 24 * (size // 48)}
    linked = linked_elf([Symbol("f")], relocations=[("f", GLOB_DAT)], style="sysv", tags=tags)
    data = set_segment(linked.data, PT_LOAD, file_size=size, memory_size=size)
    path = tmp_path / "library"
    path.write_bytes(data)
    os.truncate(path, size)
    tracemalloc.start()
    found = read_symbols(FileContent(str(path), size))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (set(found.names), uses(found)) == ({b"f"}, [(b"f", "", False)])
    assert most < 160 * MIB


def test_names_that_overlap_are_refused_once_they_are_too_long_together() -> None:
    """Twenty thousand names out of one half megabyte would be ten gigabytes."""
    with pytest.raises(MalformedElfError, match="too long together"):
        symbols(_overlapping_names())


def test_more_ways_of_use_than_can_be_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of different relocations is bounded."""
    monkeypatch.setattr(relocations, "MAX_USES", 10)
    table = b"".join(struct.pack("<QQQ", 0, 1 << 32 | n, 0) for n in range(11))
    linked = linked_elf([Symbol("f")], relocations=[("f", 1)], chunks={"relocations": table})
    with pytest.raises(MalformedElfError, match="more than 10 ways"):
        symbols(linked)


def test_the_number_of_symbols_is_bounded_in_either_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain is followed no further than a file can have symbols."""
    monkeypatch.setattr(hashes, "MAX_SYMBOLS", 10)
    with pytest.raises(MalformedElfError, match=r"has no end|leads to symbol"):
        symbols(linked_elf([Symbol("f")], chunks=gnu(1, 1, 1, 1, *[0] * 100)))
    with pytest.raises(MalformedElfError, match="a hash table of 12 symbols"):
        symbols(linked_elf([Symbol(f"f{n}") for n in range(11)], style="sysv"))


@pytest.mark.parametrize("machine", ["x86_64", "s390x", "mips", "mips64el"])
def test_a_file_cut_anywhere_is_read_or_refused(machine: str) -> None:
    """Wherever a file ends, nothing but the one error comes of it."""
    plain, jump = TYPES[MACHINES[machine].number]
    linked = linked_elf(
        [Symbol("ext", 0, version=2), Symbol("f")],
        machine=machine,
        relocations=[("ext", plain)],
        jumps=[("ext", jump)],
        needs=[Need("libc.so.6", "GLIBC_2.5", 2)],
        versions=[Version("V1", 3)],
    )
    for end in range(64, len(linked.data) - 1):
        with pytest.raises(MalformedElfError):
            symbols(linked.data[:end])
