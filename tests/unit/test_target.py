"""Targets and platforms: what a file's header names, and its names elsewhere."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from minpack.cli.options import value_of
from minpack.content import BytesContent, FileContent
from minpack.elf.info import ElfKind
from minpack.elf.read import read_elf
from minpack.errors import UsageError
from minpack.target import Platform, Target, alpine_arch, parse_platform, target_named, target_of
from support.elfmaker import MACHINES, library
from support.gobuild import go_build
from support.tools import need_tool

if TYPE_CHECKING:
    from pathlib import Path

#: Machine, the header's flags, and the target's name: flags as compilers, Go and the supplements have them.
FLAGS = (
    ("armhf", 0x5000400, "armhf"),
    ("armhf", 0x5000200, "armel"),
    ("armhf", 0x5000002, "armhf"),  # as Go writes: neither hard nor soft
    ("armhf", 0x5000000, "armhf"),
    ("riscv64", 0x0, "riscv64sf"),
    ("riscv64", 0x1, "riscv64sf"),  # compressed instructions are no matter of the ABI
    ("riscv64", 0x2, "machine-243 (64-bit little-endian single)"),
    ("riscv64", 0x4, "riscv64"),
    ("riscv64", 0x5, "riscv64"),
    ("riscv64", 0x6, "machine-243 (64-bit little-endian quad)"),
    ("riscv32", 0x4, "riscv32"),
    ("riscv32", 0x1, "riscv32sf"),
    ("loongarch64", 0x43, "loongarch64"),
    ("loongarch64", 0x3, "loongarch64"),
    ("loongarch64", 0x41, "loongarch64sf"),
    ("loongarch64", 0x42, "machine-258 (64-bit little-endian single)"),
    ("ppc64", 0, "ppc64"),
    ("ppc64", 1, "ppc64"),
    ("ppc64", 2, "ppc64v2"),
    ("ppc64le", 0, "ppc64le"),
    ("ppc64le", 2, "ppc64le"),
    ("mips", 0x50001004, "mips"),
    ("mipsel", 0x50001004, "mipsel"),
    ("mips64", 0x60000004, "mips64"),
    ("mips64el", 0x60000024, "mips64el"),  # the flag means nothing in the 64-bit class
    ("mipsn32el", 0x60000024, "mipsn32el"),
    ("x32", 0, "x32"),
    ("x86_64", 0x200, "x86_64"),
    ("x86", 0, "x86"),
    ("aarch64", 0, "aarch64"),
    ("s390x", 0, "s390x"),
)
#: Names of the architectures: minpack's, the OCI platform, Alpine's and Debian's.
NAMES = (
    ("x86_64", "linux/amd64", "x86_64", "amd64"),
    ("x86", "linux/386", "x86", "i386"),
    ("aarch64", "linux/arm64", "aarch64", "arm64"),
    ("armhf", "linux/arm/v7", "armv7", "armhf"),
    ("armel", "linux/arm/v5", None, "armel"),
    ("riscv64", "linux/riscv64", "riscv64", "riscv64"),
    ("s390x", "linux/s390x", "s390x", "s390x"),
    ("ppc64le", "linux/ppc64le", "ppc64le", "ppc64el"),
    ("loongarch64", "linux/loong64", "loongarch64", "loong64"),
    ("mips64", "linux/mips64", "mips64", "mips64"),
    ("mipsel", "linux/mipsle", None, "mipsel"),
    ("x32", "linux/amd64p32", None, "x32"),
)
MACHO = Target(62, 64, big_endian=True)

ALL_ARCHITECTURES = bool(os.environ.get("MINPACK_ALL"))


@pytest.mark.parametrize(("machine", "flags", "name"), FLAGS)
def test_flags_tell_abis_apart(machine: str, flags: int, name: str) -> None:
    """The ABI follows from machine, class and flags."""
    assert read_elf(BytesContent(library(machine=machine, e_flags=flags))).target.name == name


@pytest.mark.parametrize("machine", MACHINES)
def test_made_machines_have_the_targets_they_are_named_for(machine: str) -> None:
    """The usual flags of an architecture give its usual target, and the name leads back to it."""
    target = read_elf(BytesContent(library(machine=machine))).target
    assert target.name == ("ppc64v2" if machine == "ppc64" else machine)
    assert target_named(target.name) == target
    assert str(target) == target.name


@pytest.mark.parametrize(("name", "platform", "alpine", "debian"), NAMES)
def test_targets_have_names_elsewhere(name: str, platform: str, alpine: str | None, debian: str | None) -> None:
    """OCI's, Alpine's and Debian's names are those that they use, and lead back to the target."""
    target = target_named(name)
    assert target is not None
    assert (str(target.platform), target.alpine, target.debian) == (platform, alpine, debian)
    assert parse_platform(platform) == target.platform
    assert target_of(parse_platform(platform)) == target
    for other in (alpine, debian):
        assert other is None or target_named(other) == target


def test_unknown_machines_are_described() -> None:
    """A machine without a name has none elsewhere either, and says what it is."""
    assert MACHO.name == "machine-62 (64-bit big-endian)"
    assert (MACHO.platform, MACHO.alpine, MACHO.debian) == (None, None, None)


@pytest.mark.parametrize("name", ["", "-", "amd65", "X86_64"])
def test_other_names_are_of_no_target(name: str) -> None:
    """A name that no one uses, or none at all, leads to no target."""
    assert target_named(name) is None


PLATFORMS = {
    "amd64": "linux/amd64",
    "linux/amd64": "linux/amd64",
    "Linux/AMD64": "linux/amd64",
    "linux/amd64/v1": "linux/amd64",
    "linux/amd64/v3": "linux/amd64/v3",
    "x86_64": "linux/amd64",
    "linux/x86_64/v2": "linux/amd64/v2",
    "x86-64": "linux/amd64",
    "i386": "linux/386",
    "arm64": "linux/arm64",
    "aarch64": "linux/arm64",
    "linux/arm64/v8": "linux/arm64",
    "linux/aarch64/v8": "linux/arm64",
    "linux/arm64/v9": "linux/arm64/v9",
    "arm": "linux/arm/v7",
    "linux/arm": "linux/arm/v7",
    "linux/arm/v5": "linux/arm/v5",
    "linux/arm/v6": "linux/arm/v6",
    "arm/v7": "linux/arm/v7",
    "armhf": "linux/arm/v7",
    "armv7": "linux/arm/v7",
    "armel": "linux/arm/v5",
    "loongarch64": "linux/loong64",
    "ppc64el": "linux/ppc64le",
    "riscv64/rva23u64": "linux/riscv64/rva23u64",
}


@pytest.mark.parametrize("text", PLATFORMS)
def test_platforms_are_understood(text: str) -> None:
    """Platforms may be written short or in full, with the names that containerd takes."""
    assert str(parse_platform(text)) == PLATFORMS[text]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "linux",
        "linux/",
        "amd64/",
        "linux/amd64/",
        "linux/amd64/v5",
        "linux/amd64/v3/x",
        "linux/arm/hf",
        "linux/s390x/v1",
        "armv8l",
        " amd64",
    ],
)
def test_other_platforms_are_refused(text: str) -> None:
    """What names no platform that programs are made for is a usage error with an example."""
    with pytest.raises(UsageError) as caught:
        parse_platform(text)
    assert caught.value.reason == "no such platform"
    assert "linux/arm/v7" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("text", "reason", "instead"),
    [
        ("windows/amd64", "minpack makes images for Linux", "linux/amd64"),
        ("darwin/arm64", "minpack makes images for Linux", "linux/arm64"),
        ("linux/amd64,linux/arm64", "it is more than one platform", "linux/amd64"),
        ("arm64v8", "no such platform", "linux/arm64"),
        ("linux/armv7l", "no such platform", "linux/arm/v7"),
        ("linux-amd64", "no such platform", "linux/amd64"),
        ("linux//amd64", "no such platform", "linux/amd64"),
        ("i686", "no such platform", "linux/386"),
    ],
)
def test_the_platform_that_was_meant_is_in_the_hint(text: str, reason: str, instead: str) -> None:
    """What others call a platform is refused with the name it has here."""
    with pytest.raises(UsageError) as caught:
        value_of("--platform", parse_platform)(text)
    assert caught.value.reason == reason
    assert (caught.value.hint or "").endswith(f"--platform {instead}")
    assert str(parse_platform(instead)) == instead


def test_variants_choose_the_target() -> None:
    """ARM v5 is soft-float, v6 and v7 are hard-float; Alpine's armhf is v6, its armv7 v7."""
    soft, six, seven = (target_of(Platform("linux", "arm", variant)) for variant in ("v5", "v6", "v7"))
    assert (soft.abi, six.abi, seven.abi) == ("soft", "hard", "hard")
    assert [alpine_arch(parse_platform(f"arm/{v}")) for v in ("v5", "v6", "v7")] == [None, "armhf", "armv7"]
    assert alpine_arch(parse_platform("arm64")) == "aarch64"
    assert alpine_arch(parse_platform("mipsle")) is None
    assert target_of(Platform("linux", "arm64", "v5")).name == "aarch64"


def test_platforms_without_a_target_are_refused() -> None:
    """A platform that names no architecture is a usage error."""
    with pytest.raises(UsageError, match="no ELF target is known for it"):
        target_of(Platform("linux", "pdp11"))


@pytest.mark.tool
@pytest.mark.slow
def test_every_architecture_of_go_has_its_platform(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever GOARCH Go builds for, the program's OCI architecture is that GOARCH; ARM is v7."""
    listed = subprocess.run([need_tool("go"), "tool", "dist", "list"], check=True, capture_output=True, text=True)
    names = [line.removeprefix("linux/") for line in listed.stdout.split() if line.startswith("linux/")]
    assert {"386", "amd64", "arm", "arm64", "loong64", "mips", "mips64le", "ppc64le", "riscv64", "s390x"} <= set(names)
    # Each one's runtime is compiled first, which takes seconds: by default one of each width and byte order.
    names = names if ALL_ARCHITECTURES else ["386", "arm", "arm64", "mips64le", "ppc64", "s390x"]
    platforms = {}
    for name in names:
        path = go_build("package main\n\nfunc main() {}\n", tmp_path, tmp_path_factory, goarch=name)
        info = read_elf(FileContent(str(path), path.stat().st_size))
        assert info.kind is ElfKind.STATIC
        platforms[name] = str(info.target.platform)
    assert platforms == {name: f"linux/{name}" + ("/v7" if name == "arm" else "") for name in names}
