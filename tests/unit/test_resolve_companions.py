"""ELF files that come with a program: what plugins and helpers need is packed and proved, and what fails is told."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from minpack.base.options import BaseOptions
from minpack.build.pack import Packed, pack
from minpack.errors import DanglingLinkError, MissingLibraryError, UnloadableFileError
from minpack.net.network import Network
from minpack.paths import RootPath
from minpack.spec.base_ref import parse_base
from minpack.spec.image import ImageSpec
from minpack.spec.values import Addition
from support.badfiles import GLIBC_LOADER, MUSL_LOADER
from support.cc import Compiler
from support.elfmaker import GLIBC, MUSL, library, program, static_program
from support.mirror import Mirror
from support.packing import minpack
from support.repository import Place, library_package

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

OPTIONS = BaseOptions(None, Network(offline=True), "2026-01-31")
LOADERS = {GLIBC: ("lib64/ld-linux-x86-64.so.2", GLIBC_LOADER), MUSL: ("lib/ld-musl-x86_64.so.1", MUSL_LOADER)}
BOTH = pytest.mark.parametrize("interpreter", [GLIBC, MUSL], ids=["glibc", "musl"])


def fill(root: Path, files: Mapping[str, bytes]) -> None:
    """Write the files, executable."""
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o755)


def packed(
    place: Path,
    *additions: tuple[str, str],
    interpreter: str = GLIBC,
    base: Mapping[str, bytes] | None = None,
    app: bytes | None = None,
    strict: bool = False,
    allowed: tuple[str, ...] = (),
) -> Packed:
    """The plan for a program of that interpreter with additions, on a base with libz.so.1 and the files of `base`."""
    loader, data = LOADERS[interpreter]
    fill(place / "base", {loader: data, "usr/lib64/libz.so.1": library("libz.so.1"), **(base or {})})
    if interpreter == MUSL:
        fill(place / "base", {"usr/lib/libz.so.1": library("libz.so.1")})
    fill(place, {"app": program(interpreter=interpreter) if app is None else app})
    given = tuple(Addition(str(place / source), RootPath(to)) for source, to in additions)
    request = ImageSpec((str(place / "app"),), additions=given, strict=strict, allowed_missing=frozenset(allowed))
    return pack(request._replace(base=parse_base(str(place / "base"))), OPTIONS, None)


def paths(result: Packed) -> set[str]:
    """Where files are."""
    return {str(one.entry.path) for one in result.plan.entries if one.entry.content is not None}


@BOTH
def test_what_a_plugin_needs_is_packed(tmp_path: Path, interpreter: str) -> None:
    """An added library brings the library that it needs, as an object that is opened later for it."""
    fill(tmp_path, {"plug.so": library(None, ("libz.so.1",))})
    result = packed(tmp_path, ("plug.so", "/app/plug.so"), interpreter=interpreter)
    (entry,) = (one for one in result.plan.entries if one.entry.path.endswith("/libz.so.1"))
    assert entry.reason.needed_by == "/app/plug.so"
    assert entry.reason.text.startswith("libz.so.1, opened later for /app/plug.so")


@BOTH
def test_plugins_of_a_directory_look_beside_themselves(tmp_path: Path, interpreter: str) -> None:
    """$ORIGIN of a plugin is the directory it has in the image; what lies there is there already."""
    fill(
        tmp_path,
        {
            "plugins/one.so": library(None, ("libin.so",), runpath="$ORIGIN/lib"),
            "plugins/lib/libin.so": library("libin.so"),
        },
    )
    result = packed(tmp_path, ("plugins", "/app"), interpreter=interpreter)
    assert {"/app/one.so", "/app/lib/libin.so"} <= paths(result)
    assert not [note for note in result.notes if "load" in note]


@BOTH
def test_a_library_of_the_users_own_that_lacks_one_is_refused(tmp_path: Path, interpreter: str) -> None:
    """What was named itself is to work, as a program is."""
    fill(tmp_path, {"plug.so": library(None, ("libnope.so.9",))})
    with pytest.raises(UnloadableFileError) as caught:
        packed(tmp_path, ("plug.so", "/app/plug.so"), interpreter=interpreter)
    assert caught.value.message == (
        f"cannot pack '{tmp_path}/plug.so' on base: it would not load: it needs libnope.so.9, which base lacks"
    )


def test_what_the_runtime_brings_may_be_missing(tmp_path: Path) -> None:
    """--allow-missing is for added libraries and for programs; where nothing lacks it, that is told."""
    fill(tmp_path, {"plug.so": library(None, ("libcuda.so.1",))})
    result = packed(tmp_path, ("plug.so", "/app/plug.so"), allowed=("libcuda.so.1",))
    assert "/app/plug.so" in paths(result)
    assert not result.notes
    app = program(("libcuda.so.1",), interpreter=GLIBC)
    assert packed(tmp_path, app=app, allowed=("libcuda.so.1",))
    with pytest.raises(MissingLibraryError):
        packed(tmp_path, app=app, allowed=("libGL.so.1",))
    notes = packed(tmp_path, allowed=("libGL.so.1",)).notes
    assert notes == ("--allow-missing libGL.so.1 had no effect: nothing lacks it",)


def test_many_plugins_that_would_not_load_are_one_note(tmp_path: Path) -> None:
    """Those of a directory are packed all the same; the note has each with its reason, and --strict refuses."""
    fill(
        tmp_path,
        {
            "p/good.so": library(None, ("libz.so.1",)),
            "p/arm.so": library(None, (), machine="aarch64"),
            "p/musl.so": library(None, ("libc.musl-x86_64.so.1",)),
            "p/lacks.so": library(None, ("libnope.so.9",)),
            "p/run.sh": b"#!/bin/sh\n",
            # A kernel of x86-64 runs it; one for ARM would not start.
            "p/old": static_program(machine="x86"),
            # What Guile compiles is an ELF file for no CPU (EM_NONE).
            "p/eval.go": library(None, (), machine="aarch64")[:18] + b"\0\0" + library(None, ())[20:],
            "p/cut.so": library(None, ("libz.so.1",))[:100],
        },
    )
    result = packed(tmp_path, ("p", "/p"))
    assert {"/p/good.so", "/usr/lib64/libz.so.1"} <= paths(result)
    (note,) = result.notes
    assert note.startswith("packed, but 3 of 5 plugins and programs would not load: ")
    assert "/p/arm.so (it is for aarch64, and the image for x86_64)" in note
    assert "/p/musl.so (it is for musl, and /usr/local/bin/app for glibc)" in note
    assert "/p/lacks.so (it needs libnope.so.9, which base lacks)" in note
    with pytest.raises(UnloadableFileError, match=r"it is for aarch64"):
        packed(tmp_path, ("p", "/p"), strict=True)


def test_a_library_for_glibc_in_an_image_of_musl(tmp_path: Path) -> None:
    """Musl's loader takes libc.so.6 for itself; the file is no good all the same."""
    fill(tmp_path, {"p/glibc.so": library(None, ("libc.so.6",))})
    (note,) = packed(tmp_path, ("p", "/p"), interpreter=MUSL).notes
    assert note == ("packed, but it will not load: /p/glibc.so (it is for glibc, and /usr/local/bin/app for musl)")


def test_where_no_program_can_open_libraries(tmp_path: Path) -> None:
    """A static program opens none."""
    fill(tmp_path, {"plug.so": library(None, ("libz.so.1",))})
    (note,) = packed(tmp_path, ("plug.so", "/plug.so"), app=static_program()).notes
    assert note.endswith("/plug.so (no program of the image can open libraries)")


def test_a_library_that_the_program_needs_is_no_plugin(tmp_path: Path) -> None:
    """It is in the closure, and proved with it."""
    fill(tmp_path, {"liba.so": library("liba.so")})
    result = packed(tmp_path, ("liba.so", "/usr/lib64/liba.so"), app=program(("liba.so",), interpreter=GLIBC))
    assert not result.notes
    assert len(result.plan.closures[0].objects) == 3


def test_each_plugin_is_opened_by_itself(tmp_path: Path) -> None:
    """Two that need different files of one name have each its own: neither is there when the other is opened."""
    files = {}
    for name in ("a", "b"):
        files[f"p/{name}/plug.so"] = library(None, ("libsame.so",), runpath="$ORIGIN/lib")
        files[f"base/opt/{name}/libsame.so"] = library("libsame.so", ("libz.so.1",) if name == "b" else ())
    fill(tmp_path, files)
    for name in ("a", "b"):
        (tmp_path / f"p/{name}/lib").symlink_to(f"/opt/{name}")
    result = packed(tmp_path, ("p", "/p"))
    assert {"/opt/a/libsame.so", "/opt/b/libsame.so", "/usr/lib64/libz.so.1"} <= paths(result)


def test_a_plugin_may_need_one_that_is_opened_before_it(tmp_path: Path) -> None:
    """As Java's libraries need libjvm.so, which none of their runpaths finds: glibc knows it by its soname."""
    fill(
        tmp_path,
        {
            "java/libnet.so": library("libnet.so", ("libjvm.so",)),
            "java/server/libjvm.so": library("libjvm.so", ("libz.so.1",)),
        },
    )
    result = packed(tmp_path, ("java", "/java"))
    assert not result.notes
    assert "/usr/lib64/libz.so.1" in paths(result)


def test_added_programs_have_closures_of_their_own(tmp_path: Path) -> None:
    """What a helper needs is packed; one that lacks a library is refused if it was named, else told."""
    fill(tmp_path, {"helper": program(("libz.so.1",), interpreter=GLIBC), "d/bad": program(("libnope.so",))})
    result = packed(tmp_path, ("helper", "/usr/lib/helper"), ("d", "/d"))
    assert "/usr/lib64/libz.so.1" in paths(result)
    assert [closure.program.path for closure in result.plan.closures] == ["/usr/local/bin/app", "/usr/lib/helper"]
    (note,) = result.notes
    assert note.endswith("/d/bad (it needs libnope.so, which base lacks)")
    fill(tmp_path, {"bad": program(("libnope.so",))})
    with pytest.raises(MissingLibraryError):
        packed(tmp_path, ("bad", "/usr/lib/bad"))


def test_plugins_are_opened_by_the_program_that_can(tmp_path: Path) -> None:
    """The rpath of the one that finds what a plugin needs leads there."""
    fill(
        tmp_path,
        {
            "d/tool": program((), interpreter=GLIBC, rpath="/opt/own"),
            "plug.so": library(None, ("libown.so",)),
            "base/opt/own/libown.so": library("libown.so"),
        },
    )
    result = packed(tmp_path, ("d", "/d"), ("plug.so", "/plug.so"))
    assert "/opt/own/libown.so" in paths(result)
    assert not result.notes


def test_links_that_lead_nowhere_are_told(tmp_path: Path) -> None:
    """Those of added directories; what a container runtime makes is there when it counts."""
    fill(tmp_path, {"d/file": b""})
    for name, target in (("gone", "../nowhere"), ("good", "file"), ("hosts", "/etc/hosts"), ("self", "/proc/self")):
        os.symlink(target, tmp_path / "d" / name)
    assert packed(tmp_path, ("d", "/d")).notes == ("1 added link is broken: /d/gone -> ../nowhere",)
    with pytest.raises(DanglingLinkError, match=r"/d/gone -> \.\./nowhere"):
        packed(tmp_path, ("d", "/d"), strict=True)


def test_what_a_plugin_needs_comes_from_packages(tmp_path: Path) -> None:
    """As for a program: what the base lacks is fetched, with what that needs."""
    with Mirror() as mirror:
        place = Place(tmp_path, mirror)
        place.publish(library_package("libfoo.so.1", ("libbar.so.2",)), library_package("libbar.so.2"))
        fill(tmp_path, {"plug.so": library(None, ("libfoo.so.1",))})
        addition = Addition(str(tmp_path / "plug.so"), RootPath("/app/plug.so"))
        result = place.pack((), additions=(addition,))
    assert {"/usr/lib/libfoo.so.1", "/usr/lib/libbar.so.2"} <= paths(result)


def test_symbols_that_nothing_defines_are_told(tmp_path: Path) -> None:
    """Data must be there when a plugin is opened; functions are bound when they are called."""
    cc = Compiler(tmp_path)
    cc.make_library("data.so", "extern int nowhere; int *f(void) { return &nowhere; }")
    cc.make_library("uses.so", "extern int of_other; int *f(void) { return &of_other; }")
    cc.make_library("other.so", "int of_other = 1;")
    cc.make_library("call.so", "int nowhere(void); int f(void) { return nowhere(); }", "-Wl,-z,lazy")
    cc.make_library("now.so", "int nowhere(void); int f(void) { return nowhere(); }", "-Wl,-z,now")
    cc.make_library("host.so", "extern int of_host; int *f(void) { return &of_host; }")
    cc.program("app", "int of_host = 1; int main(void) { return 0; }", "-rdynamic")
    for name in ("data", "uses", "other", "call", "now", "host"):
        fill(tmp_path, {f"p/{name}.so": (tmp_path / f"{name}.so").read_bytes()})
    given = (Addition(str(tmp_path / "p"), RootPath("/p")),)
    (note,) = pack(ImageSpec((str(tmp_path / "app"),), additions=given, base=parse_base("/")), OPTIONS, None).notes
    assert "2 of 6" in note
    assert "/p/data.so (no library defines nowhere, which /p/data.so needs)" in note
    assert "/p/now.so (" in note


def test_what_is_packed_is_not_told_as_missing(tmp_path: Path) -> None:
    """What may be opened later leaves the list once it is in the image, a library by name, a directory by path."""
    fill(
        tmp_path,
        {
            "base/usr/lib64/libsasl2.so.2": library("libsasl2.so.2"),
            "sasl2/libplain.so": library(None, ("libsasl2.so.2",)),
        },
    )
    app = program(("libsasl2.so.2",), interpreter=GLIBC)
    assert [one.paths for one in packed(tmp_path, app=app).late] == [("/usr/lib64/sasl2",)]
    assert not packed(tmp_path, ("sasl2", "/usr/lib64/sasl2"), app=app).late


@pytest.mark.parametrize("program_", ["gcc", "musl-gcc"])
def test_a_plugin_works_in_the_image(tmp_path: Path, program_: str) -> None:
    """The program opens it there, and calls what the library that came for it does."""
    if os.geteuid():
        pytest.skip("entering another root takes root")
    cc = Compiler(tmp_path, program_)
    cc.make_library("liba.so.1", "int answer(void) { return 42; }")
    cc.make_library("plug.so", "int answer(void); int f(void) { return answer(); }", str(tmp_path / "liba.so.1"))
    source = """
        #include <dlfcn.h>
        int main(void) {
            void *plug = dlopen("/app/plug.so", RTLD_NOW);
            return plug ? ((int (*)(void))dlsym(plug, "f"))() : 1;
        }"""
    cc.program("host", source, *(() if program_ == "musl-gcc" else ("-ldl",)))
    base, env = "/", ("--env", f"LD_LIBRARY_PATH={tmp_path}")
    minpack(
        tmp_path / "host", "--base", base, *env, "--add", f"{tmp_path}/plug.so:/app/plug.so",
        "--format", "rootfs", "-o", tmp_path / "image",
    )  # fmt: skip
    done = subprocess.run(
        ["chroot", tmp_path / "image", "/usr/local/bin/host"],
        check=False,
        env={**os.environ, "LD_LIBRARY_PATH": str(tmp_path)},
    )
    assert done.returncode == 42
