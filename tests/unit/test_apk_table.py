"""Looking sonames up in real and made indexes, and choosing among their providers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minpack.apk.choose import PackageCandidate, choose
from minpack.apk.index import IndexRecord, parse_records, verify_index
from minpack.apk.signature import Key
from minpack.apk.table import ApkTable, Provider, make_table, read_table
from minpack.apk.version import compare_versions
from minpack.errors import AmbiguousLibraryError

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence
    from pathlib import Path

CHECKSUM = "Q1" + "A" * 27 + "="
NAMES = ("main", "community", "testing")


@pytest.fixture(scope="session")
def alpine(data: Path) -> dict[str, tuple[IndexRecord, ...]]:
    """The records of Alpine's v3.21 main and community."""
    keys = tuple(Key(path.name, path.read_bytes()) for path in (data / "apk" / "keys").glob("*.pub"))
    paths = {name: data / "apk" / "index" / f"v3.21-{name}-x86_64.APKINDEX.tar.gz" for name in NAMES[:2]}
    return {name: tuple(verify_index(path.read_bytes(), keys, name).records()) for name, path in paths.items()}


def look_up(name: str, tables: Sequence[ApkTable]) -> Provider | None:
    """What is chosen for `name`."""
    candidates = [PackageCandidate(found, at) for at, table in enumerate(tables) for found in table.providers(name)]
    chosen = choose(name, candidates, NAMES)
    return chosen.provider if chosen is not None else None


@pytest.mark.data
def test_sonames_of_a_real_release(alpine: dict[str, tuple[IndexRecord, ...]]) -> None:
    """The packages are those that Alpine's own tool installs for these names."""
    tables = [make_table(records) for records in alpine.values()]
    chosen = {
        name: provider.package if (provider := look_up(f"so:{name}", tables)) is not None else None
        for name in ("libgcc_s.so.1", "libstdc++.so.6", "libcurl.so.4", "libcrypto.so.3", "libudev.so.1", "libno.so.1")
    }
    assert chosen == {
        "libgcc_s.so.1": "libgcc",
        "libstdc++.so.6": "libstdc++",
        "libcurl.so.4": "libcurl",
        "libcrypto.so.3": "libcrypto3",
        # by its priority of 100 over libudev-zero's 20
        "libudev.so.1": "eudev-libs",
        "libno.so.1": None,
    }
    assert look_up("tzdata", tables) == Provider(
        "tzdata", "2024b-r1", "2024b-r1", 0, "x86_64", 185283, "Q1H/YHb16KbF1vFEik2af90jJN4eU="
    )


@pytest.mark.data
def test_a_private_name_does_not_answer(alpine: dict[str, tuple[IndexRecord, ...]]) -> None:
    """Libraries that a package keeps to itself have names with a prefix, and are not found without it."""
    table = make_table(alpine["community"])
    assert look_up("so:libhostfxr.so", [table]) is None
    assert any(b"\nso:dotnet" in line for line in [table.data])


@pytest.mark.data
def test_ambiguous_names_of_a_real_release(alpine: dict[str, tuple[IndexRecord, ...]]) -> None:
    """Of 7,407 names two cannot be decided: their packages are of one version, repository and priority."""
    tables = [make_table(records) for records in alpine.values()]
    names = {p.name for records in alpine.values() for r in records for p in r.provides if p.name.startswith("so:")}
    ambiguous = {}
    hints = set()
    for name in names:
        try:
            assert look_up(name, tables) is not None
        except AmbiguousLibraryError as error:
            ambiguous[name] = [candidate[0] for candidate in error.candidates]
            hints.add(error.hint)
    assert len(names) == 7407
    assert hints == {"choose one with --package librime", "choose one with --package gthumb"}
    assert ambiguous == {
        "so:librime.so.1": ["librime", "librime-nolog"],
        "so:gthumb:libslideshow.so": ["gthumb", "gthumb-gstreamer"],
    }


@pytest.mark.data
@pytest.mark.parametrize(
    ("soname", "packages", "size"), [("libstdc++.so.6", 2, 942494 + 81487), ("libcurl.so.4", 8, 2_086_560)]
)
def test_closures_of_a_real_release(
    alpine: dict[str, tuple[IndexRecord, ...]], soname: str, packages: int, size: int
) -> None:
    """What a library needs beyond a minirootfs, and what that needs in turn, is found to its end."""
    base = {"musl", "libcrypto3", "libssl3", "zlib"}
    tables = [make_table(records) for records in alpine.values()]
    records = {record.name: record for record in (*alpine["community"], *alpine["main"])}
    todo, found = [f"so:{soname}"], dict[str, int]()
    while todo:
        provider = look_up(todo.pop(), tables)
        assert provider is not None
        if provider.package not in found and provider.package not in base:
            found[provider.package] = provider.size
            todo += [d.name for d in records[provider.package].depends if d.name.startswith("so:")]
    assert (len(found), sum(found.values())) == (packages, size)


@given(st.randoms(use_true_random=False))
def test_every_name_is_found(rng: random.Random) -> None:
    """Whatever lies beside it, each name has exactly its providers, and no other name has any."""
    names = ["so:a", "so:a.so", "so:a.so.1", "so:aa", "a", "so:b:a", "so:é", "so:a\udcff"]
    provided = {name: sorted(rng.sample(range(9), rng.randint(0, 4))) for name in names if name.startswith("so:")}
    records = [
        IndexRecord(
            f"p{i}", "1-r0", "x86_64", CHECKSUM, i, provide=" ".join(f"{n}={i}" for n in provided if i in provided[n])
        )
        for i in range(9)
    ]
    rng.shuffle(records)
    table = read_table(make_table(records).data)
    assert table is not None
    for name in names:
        assert sorted(one.size for one in table.providers(name)) == provided.get(name, [])
    for number in range(9):
        assert [one.package for one in table.providers(f"p{number}")] == [f"p{number}"]
    for name in ("", "so:", "p", "so:a\t", "\nso:a", "p1\tp1"):
        assert table.providers(name) == ()


def test_what_cannot_be_used_is_not_in_a_table() -> None:
    """Records that cannot be installed, and those with a checksum of no known kind, are left out."""
    text = (
        f"C:{CHECKSUM}\nP:a\nV:1\nA:x86_64\nX:new\n\nC:Zzz\nP:b\nV:1\nA:x86_64\n\nC:{CHECKSUM}\nP:c\nV:1\nA:x86_64\n\n"
    )
    table = make_table(parse_records(text))
    assert [bool(table.providers(name)) for name in "abc"] == [False, False, True]


@pytest.mark.parametrize("data", [b"", b"minpack.apk-table/0\n", b"{}\n", b"minpack.apk-table/1\ncut"])
def test_a_table_of_another_form_is_none(data: bytes) -> None:
    """It counts as absent."""
    assert read_table(data) is None


def candidate(
    package: str, provided: str, priority: int = 0, repository: int = 0, version: str = "1-r0"
) -> PackageCandidate:
    """A candidate."""
    return PackageCandidate(Provider(package, version, provided, priority, "x86_64", 1, CHECKSUM), repository)


@pytest.mark.parametrize(
    ("candidates", "chosen"),
    [
        ([], None),
        ([candidate("a", "")], None),
        ([candidate("a", "", 1)], "a"),
        ([candidate("a", "1"), candidate("b", "", 1)], "b"),
        ([candidate("a", "1", 20), candidate("b", "1", 100)], "b"),
        ([candidate("a", "2", 0, 1), candidate("b", "1", 0, 0)], "b"),
        ([candidate("a", "1", 5, 1), candidate("b", "1", 0, 0)], "a"),
        ([candidate("a", "1.9"), candidate("b", "1.10")], "b"),
        ([candidate("a", "1"), candidate("b", "")], "a"),
    ],
)
def test_the_rules_of_choosing(candidates: list[PackageCandidate], chosen: str | None) -> None:
    """Priority, then repository, then version."""
    for order in (candidates, candidates[::-1]):
        found = choose("so:x", order, NAMES)
        assert (found.provider.package if found is not None else None) == chosen


def test_of_one_package_the_highest_version() -> None:
    """A package that is there twice is no ambiguity."""
    twice = [candidate("a", "2", version="9.0-r0"), candidate("a", "1", version="10.0-r0")]
    found = choose("so:x", twice, NAMES)
    assert found is not None
    assert found.provider.version == "10.0-r0"


PROVIDERS = st.lists(
    st.builds(
        candidate,
        st.sampled_from("abcd"),
        st.sampled_from(["", "1", "2", "10"]),
        st.integers(0, 2),
        st.integers(0, 2),
        st.sampled_from(["1-r0", "1-r1", "2-r0"]),
    ),
    min_size=1,
    max_size=8,
)


@given(PROVIDERS, st.randoms(use_true_random=False))
def test_the_choice_is_one(candidates: list[PackageCandidate], rng: random.Random) -> None:
    """It does not depend on the order, and nothing that is left is better by a rule."""

    def outcome(given: list[PackageCandidate]) -> object:
        try:
            return choose("so:x", given, NAMES)
        except AmbiguousLibraryError as error:
            return error.candidates

    # Records that are the same but for what they provide do not exist in one index.
    unique = list({(c.provider.package, c.repository, c.provider.version): c for c in candidates}.values())
    first = outcome(unique)
    rng.shuffle(unique)
    assert outcome(unique) == first
    if isinstance(first, PackageCandidate):
        for other in unique:
            same = (other.provider.package, other.repository) == (first.provider.package, first.repository)
            assert not same or compare_versions(other.provider.version, first.provider.version) <= 0
