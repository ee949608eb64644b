"""Bases for single platforms, as --base takes them."""

from __future__ import annotations

import pytest

from minpack.cli.options import bases_of
from minpack.errors import BadValueError, UsageError
from minpack.spec.base_ref import SCRATCH_BASE, parse_base
from minpack.spec.platform_bases import parse_platform_base
from minpack.target import parse_platform


@pytest.mark.parametrize(
    ("text", "platform", "base"),
    [
        ("linux/arm64=./a.tar", "linux/arm64", "./a.tar"),
        ("arm=a", "linux/arm/v7", "a"),
        ("aarch64=alpine-3.22", "linux/arm64", "alpine-3.22"),
        ("linux/arm/v6=b=c", "linux/arm/v6", "b=c"),
        ("./a=b.tar", "None", "./a=b.tar"),
        ("a=b", "None", "a=b"),
    ],
)
def test_a_platform_in_front(text: str, platform: str, base: str) -> None:
    """What is no platform is part of a path."""
    named, ref = parse_platform_base(text)
    assert (str(named), ref) == (platform, parse_base(base))


@pytest.mark.parametrize("text", ["linux/nope=a", "linux/arm64=", "linux/arm64/v1=a"])
def test_what_cannot_be_meant(text: str) -> None:
    """A platform that is none, or without a base."""
    with pytest.raises(BadValueError):
        parse_platform_base(text)


ARM, AMD = parse_platform("arm64"), parse_platform("amd64")


def test_bases_of_platforms_come_before_the_one_for_all() -> None:
    """The same twice is that once."""
    other = parse_base("./other")
    named = [(ARM, other), (None, SCRATCH_BASE), (None, SCRATCH_BASE), (AMD, SCRATCH_BASE)]
    assert bases_of(named) == (SCRATCH_BASE, ((ARM, other), (AMD, SCRATCH_BASE)))
    assert bases_of(()) == (None, ())


@pytest.mark.parametrize("platform", [None, ARM])
def test_two_bases_for_one_platform_are_refused(platform: object) -> None:
    """Nobody can tell which is meant."""
    with pytest.raises(UsageError, match=r"another (--)?base"):
        bases_of([(platform, SCRATCH_BASE), (platform, parse_base("./other"))])  # type: ignore[list-item]
