"""Programs of several platforms: grouped by what their files say, with the same names."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from minpack.errors import DifferentProgramsError, UsageError, WrongTargetError
from minpack.paths import RootPath
from minpack.program.groups import Groups, group_programs, have_several_targets
from minpack.program.read import read_programs
from minpack.spec.image import ImageSpec
from minpack.target import parse_platforms
from support.elfmaker import static_program
from support.gomaker import GoForm, go_program

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "armv7": "armhf", "armv5": "armel", "s390x": "s390x"}


def write(directory: Path, name: str, machine: str, goarm: int = 0) -> str:
    """A program for that machine; of ARM one of Go's, which says its version."""
    path = directory / name
    path.parent.mkdir(exist_ok=True)
    data = go_program(GoForm(machine, settings=(f"GOARM={goarm}",))).data if goarm else static_program(machine=machine)
    path.write_bytes(data)
    return str(path)


def grouped(paths: Sequence[str], platforms: str = "", destination: str = "") -> Groups:
    """The programs in their groups."""
    spec = ImageSpec(
        tuple(paths),
        destination=RootPath(destination) if destination else None,
        platforms=parse_platforms(platforms) if platforms else (),
    )
    return group_programs(spec, read_programs(spec))


def places(found: Groups) -> dict[str, list[str]]:
    """The places of each platform's programs."""
    return {str(one.platform): [program.destination for program in one.programs] for one in found.groups}


def test_the_order_of_platforms_is_that_of_their_names(tmp_path: Path) -> None:
    """In whatever order programs are named."""
    paths = [write(tmp_path, f"{name}/app", machine) for name, machine in MACHINES.items()]
    expected = ["linux/amd64", "linux/arm/v5", "linux/arm/v7", "linux/arm64", "linux/s390x"]
    for order in itertools.islice(itertools.permutations(paths), 0, None, 17):
        assert places(grouped(order)) == {platform: ["/usr/local/bin/app"] for platform in expected}
        assert list(places(grouped(order))) == expected


def test_the_first_program_is_the_entrypoint_of_every_platform(tmp_path: Path) -> None:
    """The order is that of the platform whose program was named first."""
    names = ["amd64/tool", "arm64/app", "amd64/app", "arm64/tool"]
    paths = [write(tmp_path, name, MACHINES[name.partition("/")[0]]) for name in names]
    both = ["/usr/local/bin/tool", "/usr/local/bin/app"]
    assert places(grouped(paths)) == {"linux/amd64": both, "linux/arm64": both}
    assert places(grouped(paths, "linux/arm64,linux/amd64")) == places(grouped(paths))


def test_endings_that_name_platforms_are_left_out_and_told(tmp_path: Path) -> None:
    """Where names are the same without; which a note says."""
    paths = [write(tmp_path, "app-amd64", "x86_64"), write(tmp_path, "app_linux_arm64", "aarch64")]
    found = grouped(paths)
    assert places(found) == {platform: ["/usr/local/bin/app"] for platform in ("linux/amd64", "linux/arm64")}
    (note,) = found.notes
    assert note == "app-amd64, app_linux_arm64 are /usr/local/bin/app in the image, without the platform in the name"


def test_endings_stay_where_names_are_the_same(tmp_path: Path) -> None:
    """A name is what it is called, as long as it need not be another."""
    paths = [write(tmp_path, "a/app-arm64", "aarch64"), write(tmp_path, "b/app-arm64", "x86_64")]
    found = grouped(paths)
    assert list(places(found).values()) == [["/usr/local/bin/app-arm64"]] * 2
    assert found.notes == ()


def test_variants_of_arm_are_platforms_where_names_are_the_same(tmp_path: Path) -> None:
    """Two programs of other names are two programs of one image."""
    paths = [write(tmp_path, f"v{version}/app", "armhf", version) for version in (7, 6)]
    assert list(places(grouped(paths))) == ["linux/arm/v6", "linux/arm/v7"]
    suffixed = [write(tmp_path, f"app-armv{version}", "armhf", version) for version in (7, 6)]
    assert list(places(grouped(suffixed))) == ["linux/arm/v6", "linux/arm/v7"]
    two = [write(tmp_path, "one", "armhf", 6), write(tmp_path, "other", "armhf", 7)]
    assert places(grouped(two)) == {"linux/arm/v7": ["/usr/local/bin/one", "/usr/local/bin/other"]}


def test_a_variant_that_a_name_contradicts_is_told(tmp_path: Path) -> None:
    """The file is right, and the name may have been meant."""
    paths = [write(tmp_path, "app-armv7", "armhf", 6), write(tmp_path, "app-amd64", "x86_64")]
    assert grouped(paths).notes[0] == f"{paths[0]!r} is for linux/arm/v6, not linux/arm/v7 as its name says"


def test_an_architecture_that_a_name_contradicts_is_refused(tmp_path: Path) -> None:
    """One of the two is a mistake."""
    paths = [write(tmp_path, "app-arm64", "x86_64"), write(tmp_path, "app-amd64", "aarch64")]
    with pytest.raises(WrongTargetError, match=r"app-arm64.*it is for linux/amd64, not linux/arm64"):
        grouped(paths)


def test_platforms_have_the_same_programs(tmp_path: Path) -> None:
    """Else the error has the names of each."""
    names = {"amd64/app": "x86_64", "amd64/tool": "x86_64", "arm64/app": "aarch64"}
    with pytest.raises(DifferentProgramsError) as refused:
        grouped([write(tmp_path, name, machine) for name, machine in names.items()])
    assert refused.value.programs == (("linux/amd64", ("app", "tool")), ("linux/arm64", ("app",)))


def test_one_place_for_one_program_of_each(tmp_path: Path) -> None:
    """Their names do not matter then; two of one platform cannot be there."""
    paths = [write(tmp_path, "one", "x86_64"), write(tmp_path, "other", "aarch64")]
    assert places(grouped(paths, destination="/app")) == {"linux/amd64": ["/app"], "linux/arm64": ["/app"]}
    with pytest.raises(UsageError, match="2 programs for linux/amd64"):
        grouped([*paths, write(tmp_path, "third", "x86_64")], destination="/app")


def test_platforms_are_chosen(tmp_path: Path) -> None:
    """What is left out is told; a variant may be chosen, but none that a program needs more than."""
    paths = [
        write(tmp_path, "a/app", "x86_64"),
        write(tmp_path, "b/app", "aarch64"),
        write(tmp_path, "c/app", "armhf", 6),
    ]
    found = grouped(paths, "linux/arm64,linux/arm/v7")
    assert list(places(found)) == ["linux/arm/v7", "linux/arm64"]
    assert found.notes == (f"--platform leaves out {paths[0]}",)
    with pytest.raises(UsageError, match="there is no program for it"):
        grouped(paths, "linux/amd64,linux/s390x")
    with pytest.raises(WrongTargetError, match="linux/arm/v6"):
        grouped(paths, "linux/amd64,linux/arm/v5")


def test_abis_of_one_platform_are_refused(tmp_path: Path) -> None:
    """Images have one name for programs with and without floating-point registers of RISC-V."""
    paths = [
        write(tmp_path, "a/app", "riscv64"),
        write(tmp_path, "b/app", "riscv64"),
        write(tmp_path, "c/app", "x86_64"),
    ]
    data = bytearray((tmp_path / "b" / "app").read_bytes())
    data[48] = 1  # e_flags of a 64-bit file: EF_RISCV_FLOAT_ABI_SOFT
    (tmp_path / "b" / "app").write_bytes(data)
    with pytest.raises(WrongTargetError, match=r"b/app.*it is for riscv64sf, not riscv64"):
        grouped(paths)


def test_what_cannot_be_read_has_no_target(tmp_path: Path) -> None:
    """Whoever reads it for good says so."""
    paths = [write(tmp_path, "a", "x86_64"), str(tmp_path / "none")]
    assert not have_several_targets(paths)
    assert have_several_targets([*paths, write(tmp_path, "b", "aarch64")])
