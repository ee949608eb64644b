"""Names of programs that end with a platform."""

from __future__ import annotations

import pytest

from minpack.program.suffixes import image_name, platform_in


@pytest.mark.parametrize(
    ("name", "stem", "platform"),
    [
        ("app-amd64", "app", "linux/amd64"),
        ("app_linux_arm64", "app", "linux/arm64"),
        ("app.x86_64", "app", "linux/amd64"),
        ("app-x86-64", "app", "linux/amd64"),
        ("app-Linux-x64", "app", "linux/amd64"),
        ("app-x86_64-unknown-linux-musl", "app", "linux/amd64"),
        ("app-aarch64-linux-gnu", "app", "linux/arm64"),
        ("app-riscv64gc-unknown-linux-gnu", "app", "linux/riscv64"),
        ("app-i686", "app", "linux/386"),
        ("app-arm", "app", "linux/arm/v7"),
        ("app-armhf", "app", "linux/arm/v7"),
        ("app-linux-armv6", "app", "linux/arm/v6"),
        ("app_arm_5", "app", "linux/arm/v5"),
        ("app-armv7l", "app", "linux/arm/v7"),
        ("app-arm-unknown-linux-gnueabihf", "app", "linux/arm/v7"),
        ("app_linux_amd64_v1", "app", "linux/amd64"),
        ("app_linux_amd64_v3", "app", "linux/amd64/v3"),
        ("app_linux_arm64_v8.0", "app", "linux/arm64"),
        ("tool-v1.2-linux-s390x", "tool-v1.2", "linux/s390x"),
        ("my-arm64-tool-ppc64le", "my-arm64-tool", "linux/ppc64le"),
        ("app-static-amd64", "app-static", "linux/amd64"),
    ],
)
def test_endings_that_name_a_platform(name: str, stem: str, platform: str) -> None:
    """As Go's and Rust's tools, Debian's and goreleaser write them."""
    found = platform_in(name)
    assert found is not None
    assert (found.stem, str(found.platform)) == (stem, platform)


@pytest.mark.parametrize(
    "name",
    ["app", "amd64", "linux-amd64", "app-2", "arm64-app", "charm", "app-v7", "app-arm-v3", "app-gnu", "-", "", "é"],
)
def test_names_that_end_otherwise(name: str) -> None:
    """What only looks like it, or would leave no name, is a name."""
    assert platform_in(name) is None


def test_only_a_variant_that_is_written_counts() -> None:
    """Some call every ARM just that."""
    assert [
        found.has_variant for name in ("a-arm", "a-armhf", "a-armv7", "a_arm_6") if (found := platform_in(name))
    ] == [
        False,
        False,
        True,
        True,
    ]


def test_an_image_is_called_after_what_its_programs_have_in_common() -> None:
    """One program alone, or several that differ in more, are called as their files."""
    assert image_name(("dist/app-amd64", "dist/app_linux_arm64")) == "app"
    assert image_name(("app-amd64/", "app")) == "app"
    assert image_name(("app-amd64",)) == "app-amd64"
    assert image_name(("app-amd64", "tool-arm64")) == "app-amd64"
