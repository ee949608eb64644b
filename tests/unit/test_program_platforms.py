"""What images are labelled with: the variant of their platform that programs and libraries need."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minpack.base.options import BaseOptions
from minpack.build.pack import Packed, pack
from minpack.content import BytesContent, FileContent
from minpack.elf.armattributes import PT_ARM_ATTRIBUTES, SECTION, arm_version
from minpack.elf.read import read_elf
from minpack.errors import ElfError, WrongTargetError
from minpack.needs.level import level_of
from minpack.net.network import Network
from minpack.paths import RootPath
from minpack.program.platforms import base_platform, platform_of, platform_of_file
from minpack.program.read import Program, read_program
from minpack.spec.base_ref import parse_base
from minpack.spec.image import ImageSpec
from minpack.target import parse_platform
from support.elfmaker import MACHINES, PT_NOTE, make_elf, program, static_program
from support.gobuild import go_build
from support.gomaker import GoForm, go_program
from support.tools import need_file, need_tool
from support.trees import gnu_tar

if TYPE_CHECKING:
    from collections.abc import Sequence

OPTIONS = BaseOptions(None, Network(offline=True), "2026-01-31")
LOADER = "/lib/ld-musl-armhf.so.1"
ALL = bool(os.environ.get("MINPACK_ALL"))


def attributes(*values: tuple[int, int | bytes], order: str = "<", vendor: bytes = b"aeabi") -> bytes:
    """Build attributes of the file as a whole; values below 128, or strings."""
    data = b"".join(bytes((tag, v)) if isinstance(v, int) else bytes((tag,)) + v + b"\0" for tag, v in values)
    whole = b"\1" + struct.pack(order + "I", len(data) + 5) + data
    named = vendor + b"\0" + whole
    return b"A" + struct.pack(order + "I", len(named) + 4) + named


#: As gcc writes them: the name of the CPU, its architecture, its profile, and what counts as an even tag above 32.
USUAL = ((5, b"7-A"), (6, 10), (7, 0x41), (8, 1), (9, 2), (10, 3), (65, b"\6\n"), (34, 1))


def with_attributes(data: bytes, *, machine: str = "armhf", soname: str | None = None) -> bytes:
    """A library, or a static program, whose attributes lie in a segment: it has no sections."""
    kind: dict[str, Any] = (
        {"soname": soname} if soname is not None else {"type_": 2, "dynamic": False, "code": bytes(16)}
    )
    made = bytearray(make_elf(machine, note=data, **kind))
    order = MACHINES[machine].order
    start, size, count = 52, 32, struct.unpack_from(f"{order}H", made, 44)[0]
    for at in range(start, start + size * count, size):
        if struct.unpack_from(f"{order}I", made, at) == (PT_NOTE,):
            struct.pack_into(f"{order}I", made, at, PT_ARM_ATTRIBUTES)
    return bytes(made)


def version(data: bytes) -> int:
    """What an ELF file's attributes say."""
    content = BytesContent(data)
    return arm_version(content, read_elf(content))


@pytest.mark.parametrize(
    ("arch", "expected"),
    [*((value, 5) for value in range(6)), *((value, 6) for value in (6, 7, 8, 9, 11, 12)), (10, 7), (13, 7)]
    + [(value, 8) for value in (14, 15, 16, 17, 18, 19, 20, 21, 22, 99)],
)
def test_architectures_of_the_attributes(arch: int, expected: int) -> None:
    """Each value of Tag_CPU_arch is the version that Linux calls it by, in a segment and in a section."""
    data = attributes(*USUAL[:1], (6, arch), *USUAL[2:])
    assert version(with_attributes(data)) == expected
    assert version(go_program(GoForm("armhf", extra={SECTION: data})).data) == expected


def test_attributes_of_big_endian_files() -> None:
    """Lengths are in the file's byte order."""
    assert version(with_attributes(attributes(*USUAL, order=">"), machine="armebhf")) == 7
    assert version(with_attributes(attributes(*USUAL, order="<"), machine="armebhf")) == 0


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"B" + attributes(*USUAL)[1:],
        attributes(*USUAL, vendor=b"other"),
        attributes((5, b"7-A"), (8, 1)),
        attributes(*USUAL)[:9],
        b"A" + bytes(4) + attributes(*USUAL)[5:],
        b"A\xff\xff\xff\xff" + attributes(*USUAL)[5:],
    ],
)
def test_what_says_nothing(data: bytes) -> None:
    """Attributes that are damaged, of another vendor, or without an architecture say none."""
    assert version(with_attributes(data)) == 0


@given(st.binary(max_size=60), st.integers(0, 60))
def test_damaged_attributes_harm_nothing(data: bytes, at: int) -> None:
    """Whatever lies there, reading it ends and gives a version or none."""
    whole = attributes(*USUAL)
    for damaged in (b"A" + data, whole[:at] + data + whole[at:], whole[:14] + data):
        assert version(with_attributes(damaged)) in (0, 5, 6, 7, 8)


@pytest.mark.tool
@pytest.mark.parametrize("directory", ["/usr/arm-linux-gnueabi/lib", "/usr/arm-linux-gnueabihf/lib"])
def test_readelf_agrees(directory: str) -> None:
    """Of every library of two distributions the version is what `readelf -A` shows."""
    need_file(directory)
    seen = set()
    for path in sorted(Path(directory).glob("*.so*")):
        content = FileContent(str(path), path.stat().st_size)
        try:
            info = read_elf(content)
        except ElfError:
            continue
        shown = subprocess.run([need_tool("readelf"), "-AW", path], capture_output=True, text=True, check=True).stdout
        (arch,) = (line.split()[1] for line in shown.splitlines() if line.split()[:1] == ["Tag_CPU_arch:"])
        seen.add(arch)
        assert f"v{arm_version(content, info)}" == arch[:2], path
    assert seen >= ({"v5TE"} if directory == "/usr/arm-linux-gnueabi/lib" else {"v7"})


def go(*settings: str, machine: str = "armhf", extra: bytes = b"") -> bytes:
    """A program of Go that was built with these settings."""
    return go_program(GoForm(machine, extra={SECTION: extra} if extra else {}, settings=settings)).data


def labels(tmp_path: Path, *programs: bytes, platform: str = "") -> str:
    """The platform of an image of these programs, or why it cannot be."""
    read = tuple(read_at(tmp_path / f"app{number}", data) for number, data in enumerate(programs))
    try:
        return str(platform_of(read, parse_platform(platform) if platform else None))
    except WrongTargetError as error:
        return f"{error.got}, not {error.wanted}: {error.hint}"


def read_at(path: Path, data: bytes) -> Program:
    """The program, written to a file and read."""
    path.write_bytes(data)
    return read_program(str(path), RootPath(f"/bin/{path.name}"))


@pytest.mark.parametrize(
    ("programs", "expected"),
    [
        ((go("GOARM=5"),), "linux/arm/v5"),
        ((go("GOARM=6"),), "linux/arm/v6"),
        ((go("GOARM=7"),), "linux/arm/v7"),
        ((go("GOARM=7,softfloat"),), "linux/arm/v7"),
        ((go("GOARM=5,hardfloat"),), "linux/arm/v5"),
        ((go("GOARM=6", extra=attributes((6, 10))),), "linux/arm/v7"),
        ((go("GOARM=7", extra=attributes((6, 4))),), "linux/arm/v7"),
        ((go("GOARM=5"), go("GOARM=6")), "linux/arm/v6"),
        ((go("GOARM=8"),), "linux/arm/v8"),
        ((go("GOARM=x"),), "linux/arm/v7"),
        ((go(),), "linux/arm/v7"),
        ((go("GOARM=5"), go()), "linux/arm/v7"),
        ((with_attributes(attributes((6, 6))),), "linux/arm/v6"),
        ((with_attributes(attributes((6, 14))),), "linux/arm/v8"),
        ((static_program(machine="armhf"),), "linux/arm/v7"),
        ((static_program(machine="armel"),), "linux/arm/v5"),
        ((go("GOAMD64=v3", machine="x86_64"),), "linux/amd64"),
        ((go("GOARM64=v9.0", machine="aarch64"),), "linux/arm64"),
    ],
)
def test_labels(programs: Sequence[bytes], expected: str, tmp_path: Path) -> None:
    """Of ARM the variant is what build information and attributes name, the most of them; else the ABI's usual one."""
    assert labels(tmp_path, *programs) == expected


@pytest.mark.parametrize(
    ("data", "platform", "expected"),
    [
        (go("GOARM=5"), "linux/arm/v6", "linux/arm/v6"),
        (go("GOARM=5"), "linux/arm", "linux/arm/v7"),
        (go(), "linux/arm/v5", "linux/arm/v5"),
        (with_attributes(attributes((6, 14))), "linux/arm", "linux/arm/v7"),
        (go("GOAMD64=v3", machine="x86_64"), "linux/amd64", "linux/amd64"),
        (go("GOAMD64=v3", machine="x86_64"), "linux/amd64/v3", "linux/amd64/v3"),
        (go("GOAMD64=v3", machine="x86_64"), "linux/amd64/v4", "linux/amd64/v4"),
        (go("GOARM64=v8.2,lse", machine="aarch64"), "linux/arm64/v9", "linux/arm64/v9"),
    ],
)
def test_a_variant_may_be_more_than_is_needed(data: bytes, platform: str, expected: str, tmp_path: Path) -> None:
    """--platform chooses any variant that the program runs on, and where it says nothing, any."""
    assert labels(tmp_path, data, platform=platform) == expected


@pytest.mark.parametrize(
    ("data", "platform", "got", "evidence"),
    [
        (go("GOARM=7"), "linux/arm/v6", "linux/arm/v7", "it is built with GOARM=7"),
        (go("GOARM=6"), "linux/arm/v5", "linux/arm/v6", "it is built with GOARM=6"),
        (go("GOAMD64=v3", machine="x86_64"), "amd64/v2", "linux/amd64/v3", "it is built with GOAMD64=v3"),
        (
            go("GOPPC64=power10", machine="ppc64le"),
            "ppc64le/power9",
            "linux/ppc64le/power10",
            "it is built with GOPPC64=power10",
        ),
        (
            go("GORISCV64=rva23u64", machine="riscv64"),
            "riscv64/rva22u64",
            "linux/riscv64/rva23u64",
            "it is built with GORISCV64=rva23u64",
        ),
    ],
)
def test_a_label_that_promises_too_much(data: bytes, platform: str, got: str, evidence: str, tmp_path: Path) -> None:
    """An image for CPUs on which its program does not run is refused, with what says so."""
    wanted = parse_platform(platform)
    expected = f"{got}, not {wanted}: {evidence}: leave out --platform, or build it for that variant"
    assert labels(tmp_path, data, platform=platform) == expected


def test_the_level_of_what_needs_none() -> None:
    """A file of an architecture without variants, or that says nothing, has no level."""
    for data in (static_program(), static_program(machine="s390x"), static_program(machine="aarch64")):
        content = BytesContent(data)
        assert level_of(content, read_elf(content)) is None
        assert str(platform_of_file(content, read_elf(content))) == str(read_elf(content).target.platform)


@pytest.mark.parametrize(
    ("data", "wanted", "expected"),
    [
        (go("GOARM=5"), "", "linux/arm/v7"),
        (go("GOARM=6"), "", "linux/arm/v7"),
        (go("GOARM=6"), "linux/arm/v6", "linux/arm/v6"),
        (with_attributes(attributes((6, 4)), machine="armel"), "", "linux/arm/v5"),
        (program(machine="armhf", interpreter=LOADER), "linux/arm/v6", "linux/arm/v6"),
        (static_program(), "", "linux/amd64"),
    ],
)
def test_the_base_of_a_static_program(data: bytes, wanted: str, expected: str, tmp_path: Path) -> None:
    """Data is taken from what distributions have for its ABI, unless a variant was asked for."""
    read = (read_at(tmp_path / "app", data),)
    platform = parse_platform(wanted) if wanted else None
    assert str(base_platform(read, platform_of(read, platform), platform)) == expected


def planned(tmp_path: Path, app: bytes, *, loader: int, other: int = 4, platform: str = "") -> Packed:
    """A plan for a program on a base of musl's kind whose loader and another library are for a version of ARM."""
    marks = b"\0/etc/ld-musl-armhf.path\0/lib:/usr/local/lib:/usr/lib\0"
    data = with_attributes(attributes((6, loader)), soname="libc.musl-armhf.so.1") + marks
    (tmp_path / "base/lib").mkdir(parents=True)
    (tmp_path / "base" / LOADER[1:]).write_bytes(data)
    (tmp_path / "base" / LOADER[1:]).chmod(0o755)
    (tmp_path / "base/lib/libother.so").write_bytes(with_attributes(attributes((6, other)), soname="libother.so"))
    (tmp_path / "app").write_bytes(app)
    base = parse_base(str(gnu_tar(tmp_path / "base", tmp_path / "base.tar")))
    request = ImageSpec((str(tmp_path / "app"),), base, parse_platform(platform) if platform else None)
    return pack(request, OPTIONS, None)


DYNAMIC = program(("libother.so",), machine="armhf", interpreter=LOADER)


def test_the_loader_counts_too(tmp_path: Path) -> None:
    """An image is for what the base is built for, as its loader says; a note says so."""
    packed = planned(tmp_path, DYNAMIC, loader=14)
    assert str(packed.plan.config.platform) == "linux/arm/v8"
    assert f"the image is for linux/arm/v8: {LOADER} is built for ARMv8 (Tag_CPU_arch)" in packed.notes


def test_another_library_may_choose_at_run_time(tmp_path: Path) -> None:
    """One library that is built for more does not change the label, and is named in a note."""
    packed = planned(tmp_path, DYNAMIC, loader=10, other=14)
    assert str(packed.plan.config.platform) == "linux/arm/v7"
    text = "/lib/libother.so is built for ARMv8 (Tag_CPU_arch): on linux/arm/v7 it runs only if it chooses such code"
    assert [note for note in packed.notes if "libother" in note] == [f"{text} at run time"]


def test_attributes_that_say_more_than_the_label(tmp_path: Path) -> None:
    """They are no proof: a label that was asked for stays, and a note says what is built for more."""
    packed = planned(tmp_path, DYNAMIC, loader=10, other=10, platform="linux/arm/v6")
    assert str(packed.plan.config.platform) == "linux/arm/v6"
    text = "is built for ARMv7 (Tag_CPU_arch), as 1 more file is: on linux/arm/v6 it runs only if it chooses such code"
    assert [note for note in packed.notes if "ARMv7" in note] == [f"/lib/libother.so {text} at run time"]


def test_a_program_that_does_not_say(tmp_path: Path) -> None:
    """Where only the ABI speaks, a note says that the label is a guess, unless it was asked for."""
    note = f"'{tmp_path}/app' does not say which ARM it is for: labelled linux/arm/v7 (--platform sets another)"
    assert note in planned(tmp_path, DYNAMIC, loader=6).notes


def test_a_label_that_was_asked_for_is_no_guess(tmp_path: Path) -> None:
    """So it is with --platform."""
    packed = planned(tmp_path, DYNAMIC, loader=6, platform="linux/arm/v6")
    assert str(packed.plan.config.platform) == "linux/arm/v6"
    assert not [note for note in packed.notes if "does not say" in note]


@pytest.mark.parametrize("goarm", ["5", "6", "7"] if ALL else ["5"])
def test_real_go(
    goarm: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Go builds is labelled with its GOARM, stripped too."""
    monkeypatch.setenv("GOARM", goarm)
    source = "package main\nfunc main() {}\n"
    for options in ((), ("-ldflags=-s -w",)):
        path = go_build(source, tmp_path, tmp_path_factory, *options, goarch="arm")
        assert str(platform_of((read_program(str(path), RootPath("/app")),), None)) == f"linux/arm/v{goarm}"


@pytest.mark.tool
def test_a_static_c_program_with_a_note(tmp_path: Path) -> None:
    """What a linker was told of the x86 level is told, of static programs too."""
    (tmp_path / "a.c").write_text("int main(void) { return 0; }")
    for level, told in (("v3", True), ("", False)):
        flags = [f"-Wl,-z,x86-64-{level}"] if level else []
        command = [need_tool("gcc"), "-static", *flags, "-o", str(tmp_path / "app"), str(tmp_path / "a.c")]
        subprocess.run(command, check=True)
        packed = pack(ImageSpec((str(tmp_path / "app"),)), OPTIONS, None)
        note = "/usr/local/bin/app runs only on CPUs with x86-64-v3, according to a note in it"
        assert (note in packed.notes) == told


@pytest.mark.parametrize(
    ("machine", "setting", "cpu"),
    [
        ("x86_64", "GOAMD64=v2", "x86-64-v2"),
        ("aarch64", "GOARM64=v8.2", "ARMv8.2"),
        ("ppc64le", "GOPPC64=power9", "power9"),
        ("riscv64", "GORISCV64=rva22u64", "rva22u64"),
    ],
)
def test_what_go_demands_is_told(machine: str, setting: str, cpu: str, tmp_path: Path) -> None:
    """A program of Go that not all CPUs run is named in a note, with the setting."""
    (tmp_path / "app").write_bytes(go(setting, machine=machine))
    notes = pack(ImageSpec((str(tmp_path / "app"),)), OPTIONS, None).notes
    assert f"/usr/local/bin/app runs only on CPUs with {cpu}: it is built with {setting}" in notes


@pytest.mark.parametrize("setting", ["GOAMD64=v1", "GOARM64=v8.0", "GO386=sse2", "GOARM=7"])
def test_what_all_cpus_run_is_not_told(setting: str, tmp_path: Path) -> None:
    """The settings of all CPUs, and of other architectures, say nothing."""
    machine = {"GOARM64=v8.0": "aarch64", "GOARM=7": "armhf"}.get(setting, "x86_64")
    (tmp_path / "app").write_bytes(go(setting, machine=machine))
    notes = pack(ImageSpec((str(tmp_path / "app"),)), OPTIONS, None).notes
    assert not [note for note in notes if "CPU" in note]
