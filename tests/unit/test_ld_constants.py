"""What is read out of loader files: of made ones, of this machine's, and of Alpine's."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from minpack.base.tarball import open_tarball
from minpack.content import read_all
from minpack.ld.constants import (
    MAX_LOADER,
    default_directories,
    glibc_constants,
    is_gcompat,
    is_glibc,
    is_musl,
    musl_constants,
)
from minpack.paths import normal
from minpack.target import Target, target_named
from support.elfmaker import GLIBC, MUSL
from support.oracle import need_loader
from support.rulebook import GLIBC_STRINGS, MUSL_STRINGS

CODE = bytes(range(256)) * 4


def target(name: str) -> Target:
    """The target of that name."""
    found = target_named(name)
    assert found is not None
    return found


X86_64 = target("x86_64")


@pytest.mark.parametrize(
    ("row", "directories", "lib", "debian"),
    [
        (
            b"/lib/x86_64-linux-gnu/\0/usr/lib/x86_64-linux-gnu/\0/lib/\0/usr/lib/\0",
            ("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib", "/usr/lib"),
            "lib/x86_64-linux-gnu",
            True,
        ),
        (b"/lib64/\0/usr/lib64/\0", ("/lib64", "/usr/lib64"), "lib64", False),
        (b"/usr/lib/\0", ("/usr/lib",), "lib", False),
        (b"/lib64/lp64d/\0/usr/lib64/lp64d/\0", ("/lib64/lp64d", "/usr/lib64/lp64d"), "lp64d", False),
        (b"/nix/store/abc-glibc-2.40/lib/\0", ("/nix/store/abc-glibc-2.40/lib",), "lib", False),
        (
            b"/usr/lib/aarch64-linux-gnu/\0/lib/aarch64-linux-gnu/\0",
            ("/usr/lib/aarch64-linux-gnu", "/lib/aarch64-linux-gnu"),
            "lib/aarch64-linux-gnu",
            True,
        ),
    ],
)
def test_system_directories(row: bytes, directories: tuple[str, ...], lib: str, debian: bool) -> None:
    """Directories one behind the other are found among the other strings of a loader, also right behind others."""
    for before in (b"\0", b"\1", b"%s\0/proc/self/fd/\0/var/profile/\0"):
        found = glibc_constants(CODE + before + row + b"text/\0" + CODE, X86_64)
        assert (found.directories, found.lib, found.debian) == (directories, lib, debian)


def test_without_directories() -> None:
    """Where none are found, those of an unpatched glibc count."""
    assert glibc_constants(CODE, X86_64).directories == ("/lib64", "/usr/lib64")
    assert glibc_constants(CODE, target("armhf")).directories == ("/lib", "/usr/lib")


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("x32", "/libx32/"),
        ("riscv64", "/lib64/lp64d/"),
        ("mipsn32el", "/lib32/"),
        ("s390x", "/lib64/"),
        ("x86", "/lib/"),
    ],
)
def test_default_directories(name: str, first: str) -> None:
    """They are named for the ABI."""
    assert default_directories(target(name)) == (first, f"/usr{first}")


@pytest.mark.parametrize("path", ["/etc/ld.so.cache", "/nix/store/abc-glibc-2.40/etc/ld.so.cache"])
def test_cache_path(path: str) -> None:
    """The cache is where the loader says."""
    assert glibc_constants(CODE + b"\0" + path.encode() + b"\0" + CODE, X86_64).cache == path
    assert glibc_constants(CODE, X86_64).cache == "/etc/ld.so.cache"


X86_64_LEVELS = ("x86-64-v4", "x86-64-v3", "x86-64-v2")


@pytest.mark.parametrize(
    ("text", "hwcaps", "version"),
    [
        (b"x86-64-v4:x86-64-v3:x86-64-v2\0ld.so (GNU libc) stable release version 2.36.", X86_64_LEVELS, (2, 36)),
        (b"x86-64-v5:x86-64-v4\0 development release version 2.44.9000.", ("x86-64-v5", "x86-64-v4"), (2, 44)),
        (b"ld.so (GNU libc) stable release version 2.33.\n", X86_64_LEVELS, (2, 33)),
        (b"haswell\0xeon_phi", (), (0, 0)),
    ],
)  # fmt: skip
def test_hwcaps(text: bytes, hwcaps: tuple[str, ...], version: tuple[int, int]) -> None:
    """Levels and version are the loader's own; one of a version that has levels and names none has the table's."""
    found = glibc_constants(CODE + b"\0" + text + b"\0" + CODE, X86_64)
    assert (found.hwcaps, found.version, found.legacy) == (hwcaps, version, version < (2, 37))


def test_musl() -> None:
    """The architecture and the path are strings of the loader; the other path in it is of programs."""
    data = CODE + b"\0/usr/local/bin:/bin:/usr/bin\0" + MUSL_STRINGS.replace(b"x86_64", b"armhf") + CODE
    assert musl_constants(data, MUSL) == ("armhf", "/lib:/usr/local/lib:/usr/lib")
    other = data.replace(b"/lib:/usr/local/lib:/usr/lib", b"/opt/lib:/srv/lib64")
    assert musl_constants(other, MUSL).path == "/opt/lib:/srv/lib64"


def test_musl_without_strings() -> None:
    """Else the loader's name tells, and musl's own path counts."""
    assert musl_constants(CODE, "/lib/ld-musl-riscv64-sp.so.1") == ("riscv64-sp", "/lib:/usr/local/lib:/usr/lib")


def test_whose_loader_it_is() -> None:
    """The C library is known by its strings."""
    asked = [(is_musl(data), is_glibc(data), is_gcompat(data)) for data in (MUSL_STRINGS, GLIBC_STRINGS, CODE)]
    assert asked == [(True, False, False), (False, True, False), (False, False, False)]
    assert is_gcompat(b"\0/lib/libgcompat.so.0\0")


@pytest.mark.parametrize(
    "piece",
    [b"/", b"/lib", b"/\0", b"/lib/\0", b"\0/lib", b"/ld.so.cache\0", b"/etc/ld-musl-", b":/lib", b"\0/lib:/lib"],
)
def test_hostile_strings(piece: bytes) -> None:
    """A loader that is nothing but beginnings of what is looked for is read through like any."""
    data = piece * (MAX_LOADER // len(piece))
    assert glibc_constants(data, X86_64).cache.endswith("/ld.so.cache")
    assert musl_constants(data, MUSL).arch == "x86_64"


@pytest.mark.tool
def test_this_machines_glibc() -> None:
    """They are those that the loader itself prints."""
    loader = need_loader(GLIBC)
    shown = subprocess.run([loader, "--list-diagnostics"], capture_output=True, text=True, check=False, env={}).stdout
    if "path.system_dirs" not in shown:
        pytest.skip("the loader of this machine does not print them")
    found = glibc_constants(Path(loader).read_bytes(), X86_64)
    directories = re.findall(r'^path.system_dirs\[0x\w+\]="(.*)"$', shown, re.MULTILINE)
    assert [f"{directory}/" for directory in found.directories] == directories
    assert re.findall(r'^dl_dst_lib="(.*)"$', shown, re.MULTILINE) == [found.lib]


@pytest.mark.tool
def test_this_machines_musl() -> None:
    """What is read is in the loader, and it is known for musl's."""
    data = Path(need_loader(MUSL)).read_bytes()
    assert is_musl(data)
    assert not is_glibc(data)
    assert musl_constants(data, "") == ("x86_64", "/lib:/usr/local/lib:/usr/lib")


@pytest.mark.data
@pytest.mark.parametrize(
    ("release", "arch"),
    [
        ("x86_64", "x86_64"),
        ("x86", "i386"),
        ("aarch64", "aarch64"),
        ("armv7", "armhf"),
        ("riscv64", "riscv64"),
        ("s390x", "s390x"),
    ],
)
def test_alpines_musl(data: Path, release: str, arch: str) -> None:
    """Of each architecture the loader tells its own name for it."""
    path = data / "bases" / f"alpine-minirootfs-3.20.3-{release}.tar.gz"
    with open_tarball(str(path), path.name) as base:
        entry = base.lstat(normal(f"/lib/ld-musl-{arch}.so.1"))
        assert entry is not None
        assert entry.content is not None
        loader = read_all(entry.content, MAX_LOADER)
    assert musl_constants(loader, "") == (arch, "/lib:/usr/local/lib:/usr/lib")
    assert is_musl(loader)
    assert not is_glibc(loader)
