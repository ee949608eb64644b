"""Libraries for better CPUs are passed over and told of: what runs everywhere is what is packed.

glibc looks into ``glibc-hwcaps/<level>`` of each directory first (elf/dl-load.c, open_path), but only for the levels
of the CPU it runs on; on the least of CPUs it finds what minpack does. Its option to leave levels out simulates that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minpack.base.directory import DirectoryBase
from minpack.base.walk import Walker
from minpack.content import BytesContent
from minpack.elf.read import read_elf
from minpack.ld.cache import CacheEntry, build_cache
from minpack.ld.closure import Environment
from minpack.ld.variants import MOST, Variant, find_variants, variants_note
from support.elfmaker import MUSL, library
from support.oracle import NOTHING
from support.rulebook import Tree

if TYPE_CHECKING:
    from pathlib import Path

BASELINE = ("--glibc-hwcaps-mask", "none")


def variants(tree: Tree) -> tuple[Variant, ...]:
    """What minpack tells of; what the real loader finds on this machine's CPU is packed, or one of them."""
    closure = tree.resolve()
    found = find_variants(closure, Walker(DirectoryBase(str(tree.root) if tree.rooted else "/")))
    known = {variant.path for variant in found} | {loaded.path for loaded in closure.objects}
    if tree.asks:
        assert {path for _, path in tree.ask().objects} <= known
    return found


@pytest.mark.parametrize("place", ["glibc-hwcaps/x86-64-v2", "glibc-hwcaps/x86-64-v3", "glibc-hwcaps/x86-64-v4"])
def test_a_variant_is_told(tmp_path: Path, place: str) -> None:
    """Each level below each directory that is searched, up to the one where the library is."""
    tree = Tree(tmp_path)
    tree.app("libmpka.so", runpath=f"{tree.at('first')}:{tree.at('lib')}:{tree.at('last')}")
    tree.put("lib/libmpka.so", library())
    for directory in ("first", "lib", "last"):
        tree.put(f"{directory}/{place}/libmpka.so", library())
    if not tree.constants.hwcaps:
        pytest.skip("this loader knows no levels")
    assert variants(tree) == tuple(
        Variant("libmpka.so", tree.at(f"{directory}/{place}/libmpka.so"), place, tree.at("lib/libmpka.so"))
        for directory in ("first", "lib")
    )


@pytest.mark.parametrize("place", ["haswell", "x86_64", "tls/x86_64", "haswell/avx512_1", "tls/xeon_phi/avx512_1"])
def test_a_variant_of_an_older_loader_is_told(tmp_path: Path, place: str) -> None:
    """Before 2.37 there are other subdirectories, one in the other."""
    tree = Tree(tmp_path)
    tree.app("libmpka.so", runpath=tree.at("lib"))
    tree.put("lib/libmpka.so", library())
    tree.put(f"lib/{place}/libmpka.so", library())
    tree.put("lib/other/libmpka.so", library())
    expected = Variant("libmpka.so", tree.at(f"lib/{place}/libmpka.so"), place, tree.at("lib/libmpka.so"))
    assert variants(tree) == ((expected,) if tree.constants.legacy else ())


def test_what_comes_behind_tls_is_no_variant(tmp_path: Path) -> None:
    """Where an old loader finds the library in tls, on every machine, only what is below that may come before."""
    tree = Tree(tmp_path)
    tree.app("libmpka.so", runpath=tree.at("lib"))
    places = ("tls", "tls/haswell", "x86_64", "haswell", "glibc-hwcaps/x86-64-v3")
    for place in places:
        tree.put(f"lib/{place}/libmpka.so", library())
    if not tree.constants.legacy or not tree.constants.hwcaps:
        pytest.skip("this loader does not know both kinds of subdirectories")
    found = variants(tree)
    assert [variant.subdirectory for variant in found] == ["glibc-hwcaps/x86-64-v3", "tls/haswell"]
    assert {variant.instead_of for variant in found} == {tree.at("lib/tls/libmpka.so")}


def test_a_relative_directory_starts_where_the_program_does(tmp_path: Path) -> None:
    """An empty part of a path is the working directory, for variants too."""
    tree = Tree(tmp_path)
    tree.app("libmpka.so", runpath=":relative")
    tree.put("relative/libmpka.so", library())
    tree.put("relative/glibc-hwcaps/x86-64-v3/libmpka.so", library())
    tree.put("glibc-hwcaps/x86-64-v2/libmpka.so", library())
    closure = tree.resolve(Environment(working_directory=str(tmp_path)))
    found = find_variants(closure, Walker(DirectoryBase("/")), str(tmp_path))
    if not tree.constants.hwcaps:
        pytest.skip("this loader knows no levels")
    assert [variant.path for variant in found] == [
        "./glibc-hwcaps/x86-64-v2/libmpka.so",
        "relative/glibc-hwcaps/x86-64-v3/libmpka.so",
    ]


def test_variants_beside_what_the_cache_names(tmp_path: Path) -> None:
    """The directory that the cache leads to has them too."""
    tree = Tree(tmp_path, rooted=True)
    tree.app("libmpka.so")
    tree.put("opt/libmpka.so", library())
    tree.put("opt/glibc-hwcaps/x86-64-v3/libmpka.so", library())
    data = build_cache([CacheEntry("libmpka.so", "/opt/libmpka.so")], read_elf(BytesContent(library())).target)
    tree.put("etc/ld.so.cache", data)
    if not tree.constants.hwcaps:
        pytest.skip("this loader knows no levels")
    assert [variant.path for variant in variants(tree)] == ["/opt/glibc-hwcaps/x86-64-v3/libmpka.so"]


def test_the_note_names_three(tmp_path: Path) -> None:
    """One sentence for all that are not packed; those that stand in for nothing are missing, and not of it."""
    some = [Variant(f"{n}.so", f"/v/{n}.so", "v", f"/{n}.so") for n in range(5)]
    note = variants_note(tuple(some))
    assert note is not None
    assert "/v/0.so, /v/1.so, /v/2.so and 2 more" in note
    assert variants_note((some[0]._replace(instead_of=""),)) is None


def test_subdirectories_in_a_loop_have_an_end(tmp_path: Path) -> None:
    """Links that make every subdirectory of every other cost no more than so many."""
    tree = Tree(tmp_path)
    tree.app("libmpka.so", runpath=tree.at("lib"))
    tree.put("lib/libmpka.so", library())
    for name in ("tls", "haswell", "xeon_phi", "avx512_1", "x86_64"):
        tree.link(f"lib/{name}", ".")
    closure = tree.resolve()
    assert len(find_variants(closure, Walker(DirectoryBase("/")))) <= MOST


def test_musl_has_none(tmp_path: Path) -> None:
    """Under musl no such directory is looked into."""
    tree = Tree(tmp_path, MUSL)
    tree.app("libmpka.so", runpath=tree.at("lib"))
    tree.put("lib/libmpka.so", library())
    tree.put("lib/glibc-hwcaps/x86-64-v3/libmpka.so", library())
    assert find_variants(tree.closure(), Walker(DirectoryBase("/"))) == ()


def test_baseline(tmp_path: Path) -> None:
    """Of a library with variants the one for all CPUs is found."""
    tree = Tree(tmp_path)
    tree.app("libmpka.so", runpath=tree.at("lib"))
    tree.put("lib/libmpka.so", library())
    for level in (2, 3, 4):
        tree.put(f"lib/glibc-hwcaps/x86-64-v{level}/libmpka.so", library())
    assert tree.found(NOTHING, *BASELINE) == {"libmpka.so": ("lib/libmpka.so", "runpath")}


def test_variants_alone(tmp_path: Path) -> None:
    """A library that is there for better CPUs alone is missing."""
    tree = Tree(tmp_path)
    tree.app("libmpka.so", runpath=tree.at("lib"))
    tree.put("lib/glibc-hwcaps/x86-64-v2/libmpka.so", library())
    closure = tree.closure(NOTHING, *BASELINE)
    assert [missing.name for missing in closure.missing] == ["libmpka.so"]
    if tree.constants.hwcaps:
        assert [(variant.path, variant.instead_of) for variant in variants(tree)] == [
            (tree.at("lib/glibc-hwcaps/x86-64-v2/libmpka.so"), "")
        ]
