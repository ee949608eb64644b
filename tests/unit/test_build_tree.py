"""`tree` and `pack` ask one session: what one says would happen, the other does."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING

import pytest

from minpack.base.options import BaseOptions
from minpack.build.pack import pack
from minpack.build.tree import resolve_tree
from minpack.errors import MissingLibraryError, UsageError
from minpack.net.network import Network
from minpack.progress import no_progress
from minpack.report.tree import tree_lines
from minpack.spec.base_ref import parse_base
from minpack.spec.image import Check, ImageSpec, RunConfig
from support.elfmaker import GLIBC, MUSL, dlopen_note, library, make_elf, program
from support.mirror import Mirror
from support.repository import Place, library_package

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from minpack.ld.closure import Closure


@pytest.fixture
def place(tmp_path: Path) -> Generator[Place]:
    """A directory and the server of a distribution's packages."""
    with Mirror() as mirror:
        yield Place(tmp_path, mirror)


def names(closure: Closure) -> set[str]:
    """What the closure's objects are called."""
    return {loaded.name for loaded in closure.objects}


def test_tree_fetches_what_a_program_opens_later_as_pack_does(place: Place) -> None:
    """A library that a program names in its note is packed: where a package has it, `tree` says that it loads."""
    note = dlopen_note({"soname": ["liblate.so.1"], "priority": "required"})
    app = place.path / "app"
    app.write_bytes(make_elf(needed=("libc.so",), interpreter=MUSL, note=note, tags=((21, 0),)))
    place.publish(library_package("liblate.so.1", ("libdeep.so.1",)), library_package("libdeep.so.1"))
    request = ImageSpec((str(app),), base=parse_base(place.base()), check=Check.LOAD)
    (packed,) = pack(request, place.options(), None).plan.closures
    resolved = resolve_tree(request, place.options(), no_progress)
    assert resolved.result == "loads"
    assert names(resolved.closure) == names(packed) >= {"liblate.so.1", "libdeep.so.1"}
    assert resolved.fetched_package


def test_what_no_package_has_fails_in_both(place: Place) -> None:
    """A library that is nowhere to be had is missing in `tree`, and `pack` refuses."""
    note = dlopen_note({"soname": ["liblate.so.1"], "priority": "required"})
    app = place.path / "app"
    app.write_bytes(make_elf(needed=("libc.so",), interpreter=MUSL, note=note, tags=((21, 0),)))
    place.publish()
    request = ImageSpec((str(app),), base=parse_base(place.base()), check=Check.LOAD)
    resolved = resolve_tree(request, place.options(), no_progress)
    assert resolved.result == "fails"
    assert [missing.name for missing in resolved.closure.missing] == ["liblate.so.1"]
    with pytest.raises(MissingLibraryError):
        pack(request, place.options(), None)


@pytest.mark.parametrize("path", ["libplug.so.1", "/usr/lib/libplug.so.1"])
def test_what_is_preloaded_comes_from_packages_in_both(place: Place, path: str) -> None:
    """A library that LD_PRELOAD names, by its name or where the package has it, with what it needs."""
    app = place.path / "app"
    app.write_bytes(program(("libc.so",), interpreter=MUSL))
    place.publish(library_package("libplug.so.1", ("libdeep.so.1",)), library_package("libdeep.so.1"))
    run = RunConfig(env=(("LD_PRELOAD", path),))
    request = ImageSpec((str(app),), base=parse_base(place.base()), run=run)
    (packed,) = pack(request, place.options(), None).plan.closures
    resolved = resolve_tree(request, place.options(), no_progress)
    assert names(packed) == names(resolved.closure) >= {path, "libdeep.so.1"}
    absent = request._replace(run=RunConfig(env=(("LD_PRELOAD", "libnope.so.1"),)))
    with pytest.raises(UsageError, match=r"has no libnope\.so\.1 that loads"):
        pack(absent, place.options(), None)


def test_what_the_host_brings_is_missing_in_neither(place: Place) -> None:
    """What --allow-missing names is not missing, whether symbols are looked up or not; `tree` names the option."""
    app = place.path / "app"
    app.write_bytes(program(("libcuda.so.1", "libc.so"), interpreter=MUSL))
    place.publish()
    request = ImageSpec((str(app),), base=parse_base(place.base()), allowed_missing=frozenset({"libcuda.so.1"}))
    (packed,) = pack(request, place.options(), None).plan.closures
    for check, result in ((Check.LOAD, "loads"), (Check.NONE, "unchecked")):
        resolved = resolve_tree(request._replace(check=check), place.options(), no_progress)
        assert (resolved.result, resolved.closure.missing) == (result, ())
        assert names(resolved.closure) == names(packed)
        assert "  libcuda.so.1 => not found (--allow-missing)" in tree_lines(resolved, considered=False)
    idle = request._replace(allowed_missing=frozenset({"libcuda.so.1", "libz.so.1"}))
    assert resolve_tree(idle, place.options(), no_progress).notes == (
        "--allow-missing libz.so.1 had no effect: nothing lacks it",
    )


@pytest.mark.skipif(platform.machine() != "x86_64" or not os.path.exists(GLIBC), reason="needs a host with this loader")
def test_a_program_that_looks_beside_itself_has_one_place(tmp_path: Path) -> None:
    """On a named base `tree` and `pack` resolve at the image's place and what lies beside it; without one, as ldd."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libbeside.so.1").write_bytes(library("libbeside.so.1"))
    (tmp_path / "app").write_bytes(program(("libbeside.so.1",), interpreter=GLIBC, runpath="$ORIGIN/lib"))
    request, options = ImageSpec((str(tmp_path / "app"),)), BaseOptions(None, Network(offline=True), "2026-01-31")
    named = request._replace(base=parse_base("/"))
    (packed,) = pack(named, options, None).plan.closures
    on_host = resolve_tree(named, options, no_progress)
    there = [(loaded.name, loaded.path) for loaded in packed.objects]
    assert ("libbeside.so.1", "/usr/local/bin/lib/libbeside.so.1") in there
    assert [(loaded.name, loaded.path) for loaded in on_host.closure.objects] == there
    assert on_host.closure.program.path == "/usr/local/bin/app"
    as_ldd = resolve_tree(request, options, no_progress)
    assert as_ldd.closure.missing == ()
    assert as_ldd.closure.program.path == os.path.realpath(tmp_path / "app")
