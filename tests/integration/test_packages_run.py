"""Programs that need what a minirootfs lacks, packed from a repository of the test's own and run in a real engine."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from support.apkmaker import file, folder, link, make_package, publish, signing_key
from support.mirror import Mirror
from support.packing import minpack, packed
from support.tools import need_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.docker import Docker

KEY = signing_key()
#: As little of a C++ library as a program with objects of its own needs.
LIBSTDCXX = """
extern "C" void *malloc(unsigned long);
extern "C" void free(void *);
extern "C" void _Unwind_Resume(void *);
extern "C" void *__gxx_personality_v0 = (void *)_Unwind_Resume;
void *operator new(unsigned long size) { return malloc(size); }
void operator delete(void *that) noexcept { free(that); }
void operator delete(void *that, unsigned long) noexcept { free(that); }
extern "C" void __cxa_pure_virtual() { __builtin_trap(); }
"""
LIBGCC = """
int _Unwind_Backtrace(int (*visit)(void *, void *), void *arg) { return visit(0, arg) + visit(0, arg); }
void _Unwind_Resume(void *that) { __builtin_trap(); }
"""
PROGRAM = """
extern "C" int printf(const char *, ...);
struct Shape { virtual int corners() const = 0; virtual ~Shape() {} };
struct Square : Shape { int corners() const override { return 4; } };
int main() {
    Shape *shape = new Square;
    printf("C++ counts %d corners\\n", shape->corners());
    delete shape;
}
"""
RUST = """
#![no_std]
#![no_main]
use core::ffi::{c_char, c_int, c_void};
extern "C" {
    fn printf(format: *const c_char, ...) -> c_int;
    fn _Unwind_Backtrace(visit: extern "C" fn(*mut c_void, *mut c_void) -> c_int, arg: *mut c_void) -> c_int;
}
extern "C" fn count(_context: *mut c_void, frames: *mut c_void) -> c_int {
    unsafe { *(frames as *mut c_int) += 1 };
    0
}
#[no_mangle]
pub extern "C" fn main() -> c_int {
    let mut frames: c_int = 0;
    unsafe {
        _Unwind_Backtrace(count, &mut frames as *mut c_int as *mut c_void);
        printf(b"Rust saw %d frames\\n\\0".as_ptr() as *const c_char, frames);
    }
    0
}
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! { loop {} }
"""


class Built(NamedTuple):
    """Libraries and programs for musl."""

    libraries: dict[str, bytes]
    cxx: Path
    rust: Path


def run(*command: object, source: str = "") -> None:
    """Run a compiler."""
    subprocess.run(list(map(str, command)), input=source, text=True, check=True, capture_output=True)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A C++ and a Rust program for musl, and stand-ins for the libraries that they are linked to."""
    musl, cxx, rustc = need_tool("musl-gcc"), need_tool("g++"), need_tool("rustc")
    place = tmp_path_factory.mktemp("built")
    shared = ("-shared", "-fPIC", "-nostdlib", "-w", "-O1")
    run(musl, *shared, "-Wl,-soname,libgcc_s.so.1", "-o", place / "libgcc_s.so.1", "-x", "c", "-", source=LIBGCC)
    run(cxx, "-c", "-fPIC", "-w", "-O1", "-fno-exceptions", "-o", place / "cxx.o", "-x", "c++", "-", source=LIBSTDCXX)
    run(
        *(musl, *shared, "-Wl,-soname,libstdc++.so.6", "-Wl,--no-as-needed", "-o", place / "libstdc++.so.6.0.33"),
        *(place / "cxx.o", place / "libgcc_s.so.1"),
    )
    quiet = ("-fno-exceptions", "-fno-rtti", "-fno-asynchronous-unwind-tables")
    run(cxx, "-c", "-fPIE", "-O0", *quiet, "-o", place / "main.o", "-x", "c++", "-", source=PROGRAM)
    run(
        *(musl, "-pie", "-nostartfiles", "-nodefaultlibs", "-Wl,--no-as-needed", "-o", place / "cxx-app"),
        *(*starting(musl), place / "main.o", place / "libstdc++.so.6.0.33", place / "libgcc_s.so.1", "-lc"),
    )
    (place / "main.rs").write_text(RUST)
    run(
        *(rustc, "--edition", "2021", "--crate-type", "staticlib", "-C", "panic=abort", "-C", "opt-level=2"),
        *("-o", place / "librust.a", place / "main.rs"),
    )
    run(
        *(
            musl,
            "-pie",
            "-nostartfiles",
            "-nodefaultlibs",
            "-Wl,--gc-sections",
            "-Wl,-u,main",
            "-o",
            place / "rust-app",
        ),
        *(*starting(musl), place / "librust.a", place / "libgcc_s.so.1", "-lc"),
    )
    names = ("libgcc_s.so.1", "libstdc++.so.6.0.33")
    return Built({name: (place / name).read_bytes() for name in names}, place / "cxx-app", place / "rust-app")


def starting(musl: str) -> list[str]:
    """Musl's start file, without those of the compiler's own libgcc."""
    done = subprocess.run([musl, "-print-file-name=Scrt1.o"], capture_output=True, text=True, check=True)
    return [done.stdout.strip()]


@pytest.fixture(params=["RSA", "RSA256"])
def options(
    request: pytest.FixtureRequest, built: Built, alpine_x86_64: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[str | Path]]:
    """The options that pack from the real minirootfs and a repository of the libraries, signed by the test."""
    monkeypatch.delenv("MINPACK_NO_PACKAGES")
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / KEY.name).write_bytes(KEY.public.pem)
    cxx = make_package(
        "libstdc++",
        "14.2.0-r6",
        [
            folder("usr/lib"),
            link("usr/lib/libstdc++.so.6", "libstdc++.so.6.0.33"),
            file("usr/lib/libstdc++.so.6.0.33", built.libraries["libstdc++.so.6.0.33"], 0o755),
            file("usr/share/gdb/auto-load/printers.py", b"# not wanted"),
        ],
        keys=(KEY,),
        algorithm=request.param,
        provides="so:libstdc++.so.6=6.0.33",
        depends="so:libc.musl-x86_64.so.1 so:libgcc_s.so.1",
    )
    gcc = make_package(
        "libgcc",
        "14.2.0-r6",
        [file("usr/lib/libgcc_s.so.1", built.libraries["libgcc_s.so.1"], 0o755)],
        keys=(KEY,),
        algorithm=request.param,
        provides="so:libgcc_s.so.1=1",
    )
    with Mirror() as mirror:
        publish(mirror, "/alpine/v3.20/main", [cxx, gcc], keys=(KEY,), algorithm=request.param)
        publish(mirror, "/alpine/v3.20/community", [], keys=(KEY,), algorithm=request.param)
        yield ["--base", alpine_x86_64, "--mirror", f"{mirror.url}/alpine", "--keys", tmp_path / "keys"]


@pytest.mark.data
@pytest.mark.engine
def test_programs_run_with_libraries_from_packages(
    built: Built, options: list[str | Path], docker: Docker, tmp_path: Path
) -> None:
    """A C++ and a Rust program start in their images, with the libraries of two packages and of one."""
    for program, says in ((built.cxx, "C++ counts 4 corners\n"), (built.rust, "Rust saw 2 frames\n")):
        name = docker.name()
        image = packed(program, *options, "-o", tmp_path / f"{program.name}.tar", "--load", "--tag", name)
        assert docker.run(name).stdout == says
        fetched = {item["path"]: item["package"] for item in image["files"] if item["from"] == "package"}
        libraries = ["/usr/lib/libgcc_s.so.1"]
        if program is built.cxx:
            libraries += ["/usr/lib/libstdc++.so.6", "/usr/lib/libstdc++.so.6.0.33"]
        assert sorted(fetched) == libraries
        assert {package["signed_by"] for package in fetched.values()} == {KEY.name}


@pytest.mark.data
def test_the_summary_names_the_packages(built: Built, options: list[str | Path], tmp_path: Path) -> None:
    """In one line, and with -v each fetched file in one; the second run needs no network and gives the same bytes."""
    out = tmp_path / "app.tar"
    short = minpack(built.cxx, *options, "-o", out).stdout
    assert " from libgcc 14.2.0-r6, libstdc++ 14.2.0-r6, signatures verified\n" in short
    assert "  + " not in short
    text = minpack(built.cxx, *options, "-o", out, "-v").stdout
    first = out.read_bytes()
    assert [line.split() for line in text.splitlines() if line.startswith("  + ")] == [
        line.split()
        for line in (
            "+ libgcc_s.so.1 /usr/lib/libgcc_s.so.1 libgcc 14.2.0-r6 (alpine v3.20 main, signature verified)",
            "+ libstdc++.so.6 /usr/lib/libstdc++.so.6.0.33 libstdc++ 14.2.0-r6 (alpine v3.20 main, signature verified)",
        )
    ]
    minpack(built.cxx, *options, "--offline", "-o", out)
    assert out.read_bytes() == first


@pytest.mark.data
def test_tree_sees_packages_too(built: Built, options: list[str | Path]) -> None:
    """The closure that `tree` shows is the one that would be packed; without packages the libraries are missing."""
    tree = json.loads(minpack("tree", built.cxx, *options, "--check", "load", "--json").stdout)
    assert tree["result"] == "loads"
    assert {item["name"] for item in tree["objects"]} >= {"libstdc++.so.6", "libgcc_s.so.1"}
    keyless = options[: options.index("--keys")] + options[options.index("--keys") + 2 :]
    tree = json.loads(minpack("tree", built.cxx, *keyless, "--no-packages", "--json", status=3).stdout)
    assert {item["name"] for item in tree["missing"]} == {"libstdc++.so.6", "libgcc_s.so.1"}


@pytest.mark.data
@pytest.mark.tool
def test_a_scanner_sees_just_the_packages_that_gave_a_file(
    built: Built, options: list[str | Path], tmp_path: Path
) -> None:
    """Syft finds the distribution and exactly these packages in the image."""
    syft = need_tool("syft")
    out = tmp_path / "app.tar"
    image = packed(built.cxx, *options, "--need=certs", "-o", out)
    done = subprocess.run(
        [syft, "scan", f"docker-archive:{out}", "-o", "json", "-q"],
        capture_output=True,
        text=True,
        check=True,
        env={"SYFT_CHECK_FOR_APP_UPDATE": "false", "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    found = json.loads(done.stdout)
    assert (found["distro"]["id"], found["distro"]["versionID"]) == ("alpine", "3.20.3")
    packages = {item["name"]: item for item in found["artifacts"]}
    assert {name: (item["type"], item["version"]) for name, item in packages.items()} == {
        "ca-certificates-bundle": ("apk", "20240705-r0"),
        "libgcc": ("apk", "14.2.0-r6"),
        "libstdc++": ("apk", "14.2.0-r6"),
        "musl": ("apk", "1.2.5-r0"),
    }
    owned = {(name, entry["path"]) for name, item in packages.items() for entry in item["metadata"]["files"]}
    in_image = {(item["package"]["name"], item["path"]) for item in image["files"] if item["package"] is not None}
    assert {one for one in owned if one[1] not in directories(image)} == in_image


def directories(image: dict[str, Any]) -> set[str]:
    """The directories of an image, which syft lists among a package's files."""
    return {item["path"] for item in image["files"] if item["type"] == "directory"}
