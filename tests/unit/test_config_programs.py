"""Which files a pattern names, in trees as goreleaser, cargo and Docker make them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minpack.config.programs import NoProgramError, find_programs

if TYPE_CHECKING:
    from pathlib import Path

#: Names that goreleaser 2, cargo, Docker and Makefiles give, by the platform's architecture.
NAMES = {
    "amd64": (
        "dist/app_linux_amd64_v1/app",
        "target/x86_64-unknown-linux-musl/app",
        "out/linux/amd64/app",
        "bin/app-linux-x86_64",
    ),
    "arm64": (
        "dist/app_linux_arm64_v8.0/app",
        "target/aarch64-unknown-linux-gnu/app",
        "out/linux/arm64/app",
        "bin/app-linux-aarch64",
    ),
    "arm": (
        "dist/app_linux_arm_6/app",
        "target/armv7-unknown-linux-gnueabihf/app",
        "out/linux/arm/v7/app",
        "bin/app-linux-armv7",
    ),
    "riscv64": (
        "dist/app_linux_riscv64_rva20u64/app",
        "target/riscv64gc-unknown-linux-gnu/app",
        "out/linux/riscv64/app",
        "bin/app-linux-riscv64",
    ),
    "ppc64le": (
        "dist/app_linux_ppc64le_power8/app",
        "target/powerpc64le-unknown-linux-gnu/app",
        "out/linux/ppc64le/app",
        "bin/app-linux-ppc64le",
    ),
}
PATTERNS = ("dist/app_{platform}/app", "target/{platform}/app", "out/{platform}/app", "bin/app-{platform}")
OTHERS = (
    "dist/app_darwin_arm64_v8.0/app",
    "dist/app_windows_amd64_v1/app",
    "target/x86_64-apple-darwin/app",
    "target/debug/app",
    "bin/app-docs",
    "out/windows/amd64/app",
)


@pytest.fixture(autouse=True)
def _tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*(name for names in NAMES.values() for name in names), *OTHERS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("number", range(4), ids=["goreleaser", "cargo", "docker", "suffix"])
def test_a_platform_as_each_tool_writes_it(number: int) -> None:
    """All of Linux are found, and no others; of those that are wanted, these alone."""
    assert find_programs(PATTERNS[number]) == tuple(sorted(names[number] for names in NAMES.values()))
    for architecture, names in NAMES.items():
        assert find_programs(PATTERNS[number], (architecture,)) == (names[number],)


def test_globs_are_sorted() -> None:
    """Whatever the order of the directory; two stars are any directories."""
    assert find_programs("bin/app-*")[0] == "bin/app-docs"
    assert len(find_programs("dist/**/app")) == 7
    # What is in directories is meant, and never the directories.
    assert "dist/app_linux_amd64_v1" not in find_programs("dist/**")
    with pytest.raises(NoProgramError):
        find_programs("dist/app_{platform}")
    assert find_programs("target/*-linux-musl/{platform}*app".replace("{platform}", "")) == (
        "target/x86_64-unknown-linux-musl/app",
    )


def test_a_path_is_itself() -> None:
    """Who reads it says that it is not there."""
    assert find_programs("./none") == ("./none",)
    with pytest.raises(NoProgramError):
        find_programs("none-*")
    with pytest.raises(NoProgramError):
        find_programs("dist/app_{platform}/app", ("s390x",))
