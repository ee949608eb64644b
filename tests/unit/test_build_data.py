"""A base that is made of packages tells what the paths in a program lead to, as far as packages can be fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from support.debmaker import Deb
from support.elfmaker import library
from support.evidence import app, elf
from support.locks import LIBC, DebianWorld
from support.mirror import Mirror

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from support.command import Ran

TOOL = app("/usr/lib/tool/core", "/usr/share/tool", "/usr/share/words", imports=("dlopen",), needed=("libocr.so.1",))
PACKAGES = (
    LIBC,
    Deb(
        "tool",
        {"usr/bin/tool": TOOL, "usr/lib/tool/core/one.so": library(None), "usr/share/doc/tool/copyright": b"MIT"},
        depends="libc6, tool-data (= 1.0-1), tool-doc, words-eng, other",
    ),
    Deb("tool-data", {"usr/share/tool/table": b"table"}, architecture="all", script=b"#!/bin/sh\n"),
    Deb("tool-doc", {"usr/share/tool/manual": b"for people"}, architecture="all"),
    Deb("words-eng", {"usr/share/words/en": b"words"}, architecture="all"),
    Deb("libocr1", {"usr/lib/libocr.so.1": elf("/usr/share/words", soname="libocr.so.1")}, source="ocr (1.2)"),
)


@pytest.fixture
def world(tmp_path: Path) -> Generator[DebianWorld]:
    """An archive with a tool, its plugins and its data, in packages of their own."""
    with Mirror() as mirror:
        made = DebianWorld(mirror, tmp_path)
        made.serve(*PACKAGES)
        (tmp_path / "tool").write_bytes(TOOL)
        yield made


def unpacked(ran: Ran) -> dict[str, tuple[str, bool]]:
    """The paths that are told, with the package and whether there is strong evidence of it."""
    found: list[dict[str, Any]] = ran.document["images"][0]["unpacked"]
    return {one["path"]: (one["package"], one["strong"]) for one in found}


def packed(ran: Ran) -> set[str]:
    """The paths of the files in the image."""
    return {one["path"] for one in ran.document["images"][0]["files"] if one["type"] == "file"}


def pack(world: DebianWorld, *options: str) -> Ran:
    """The plan for the tool, as JSON."""
    return world.done("./tool", "--base", "debian-12", "--dry-run", "--json", *options)


def test_the_package_of_a_program_is_asked(world: DebianWorld) -> None:
    """Its files and those of the packages it has its data in; packages of documentation are left alone."""
    assert unpacked(pack(world)) == {
        "/usr/lib/tool/core": ("tool", True),
        "/usr/share/tool": ("tool-data", True),
        "/usr/share/words": ("words-eng", True),
    }
    assert not [path for path in world.mirror.paths if "tool-doc_" in path]
    assert not [note for note in pack(world).document["notes"] if "script" in note]


@pytest.mark.parametrize("options", [("--take", "strong"), ("--take", "/usr/lib/tool/core", "--take", "/usr/share/*")])
def test_what_is_told_can_be_taken(world: DebianWorld, options: tuple[str, ...]) -> None:
    """By one option or each by its own; then nothing is left to tell, and a lock has the packages."""
    taken = pack(world, *options)
    assert {"/usr/lib/tool/core/one.so", "/usr/share/tool/table", "/usr/share/words/en"} <= packed(taken)
    assert unpacked(taken) == {}
    assert "the scripts of tool-data are not run: postinst" in taken.document["notes"]
    world.done("lock", "./tool", "--base", "debian-12", "-q", *options)
    assert packed(pack(world, "--locked", *options)) == packed(taken)


def test_a_lock_has_no_package_that_was_only_looked_at(world: DebianWorld) -> None:
    """What is told of is not what the image is made of."""
    world.done("lock", "./tool", "--base", "debian-12", "-q")
    assert "packages.tool" not in (world.place / "minpack.lock").read_text()


def test_a_program_of_ones_own_is_not_a_packages(world: DebianWorld) -> None:
    """One that is called as a package's, and differs, has weak evidence: it may be for another place."""
    (world.place / "tool").write_bytes(TOOL + b"mine")
    assert not [path for path, (_, strong) in unpacked(pack(world, "--dest=/opt/tool")).items() if strong]


def test_paths_that_nobody_knows_are_told(world: DebianWorld) -> None:
    """A program of Debian may open what packages have that were not fetched; one of one's own only with -v."""
    data = app("/usr/share/elsewhere", "/usr/lib/tool%v/%m", "/usr/share/doc/x", "/usr/lib", "/opt/x/y", "/usr/s%d")
    world.serve(LIBC, Deb("tool", {"usr/bin/tool": data}))
    (world.place / "tool").write_bytes(data)
    note = (
        "tool may open /usr/lib/tool…, /usr/share/elsewhere: of debian-12 minpack knows only the files of"
        " packages that it fetched; --package NAME packs those of another"
    )
    assert note in pack(world).document["notes"]
    (world.place / "tool").write_bytes(data + b"mine")
    quiet = world.done("./tool", "--base", "debian-12", "--dry-run")
    assert note not in quiet.err
    assert note in world.done("./tool", "--base", "debian-12", "--dry-run", "-v").err


def test_the_paths_of_libraries_ask_for_the_program_too(world: DebianWorld) -> None:
    """As libout123 has that of plugins which come with mpg123."""
    program = app(needed=("libout.so.0",))
    library_ = elf("/usr/lib/tool/plugins", soname="libout.so.0", imports=("dlopen",))
    tool = Deb("tool", {"usr/bin/tool": program, "usr/lib/tool/plugins/one.so": library(None)}, source="out")
    world.serve(LIBC, tool, Deb("libout0", {"usr/lib/libout.so.0": library_}, source="out"))
    (world.place / "tool").write_bytes(program)
    assert unpacked(pack(world)) == {"/usr/lib/tool/plugins": ("tool", True)}


def test_what_cannot_be_looked_up_is_told(world: DebianWorld) -> None:
    """Offline, the package of the program is not there: the image is made all the same, and the note says why."""
    (world.place / "app").write_bytes(app(needed=("libocr.so.1",)))
    world.done("./app", "--base", "debian-12", "--dry-run")
    (note,) = (note for note in pack(world, "--offline").document["notes"] if "looked up" in note)
    assert note.startswith("what tool may open could not be looked up: cannot download ")


def test_what_a_library_does_not_work_without_is_fetched(world: DebianWorld) -> None:
    """From the packages that its row names, as far as the release has them."""
    world.serve(
        LIBC,
        Deb("libnode108", {"usr/lib/libnode.so.108": library("libnode.so.108")}),
        Deb("node-acorn", {"usr/share/nodejs/acorn/dist/acorn.js": b"js"}, architecture="all"),
    )
    (world.place / "tool").write_bytes(app(needed=("libnode.so.108",)))
    assert "/usr/share/nodejs/acorn/dist/acorn.js" in packed(pack(world))
