"""Debian versions are ordered as dpkg orders them."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minpack.deb.version import MAX_VERSION, version_key
from minpack.errors import PackageError
from support.tools import need_tool

#: From the lowest to the highest, with the cases that Debian Policy, section 5.6.12, and deb-version(7) name.
ORDERED = (
    *("0~~", "0~", "0", "0a", "0.1", "1.0~rc1-1", "1.0-1~bpo1", "1.0-1", "1.0-1+b1", "1.0-1.1", "1.0-2"),
    *("1.0a-1", "1.0+dfsg-1", "1.0.1-1", "1.9-1", "1.10-1", "2:0.1-1", "10:0"),
)


def compare(first: str, second: str) -> int:
    """-1, 0 or 1, by the keys."""
    one, two = version_key(first), version_key(second)
    return (one > two) - (one < two)


def test_versions_are_ordered() -> None:
    """Tildes come before the end, numbers count as numbers, letters before other characters."""
    assert sorted(set(ORDERED), key=version_key) == list(ORDERED)
    assert len({version_key(text) for text in ORDERED}) == len(ORDERED)


@pytest.mark.parametrize(
    ("one", "two"), [("1.0", "1.0-0"), ("0:1", "1"), ("1.00", "1.0"), ("1a", "1a0"), ("1.", "1.0")]
)
def test_different_texts_can_be_one_version(one: str, two: str) -> None:
    """What is left out is zero, and zeros in front mean nothing."""
    assert version_key(one) == version_key(two)


@pytest.mark.parametrize(
    "text",
    ["", "-1", "a", "1 2", "1-", ":1", "a:1", "1:", "1a:2", "1_2", "é1", "1\n", f"{2**31}:1", "1" * (MAX_VERSION + 1)],
)
def test_what_is_no_version_is_refused(text: str) -> None:
    """Nothing else is taken for a version."""
    with pytest.raises(PackageError):
        version_key(text)


_VERSIONS = st.from_regex(r"(([012]|10):)?[0-9][0-9a-bA~+.]{0,6}(-[0-9a-b~+.]{1,5})?", fullmatch=True)


@pytest.mark.tool
def test_the_order_is_dpkgs() -> None:
    """The program agrees on any two versions, and on which pairs differ at all."""
    dpkg = need_tool("dpkg")

    @settings(max_examples=300, deadline=None)
    @given(_VERSIONS, _VERSIONS)
    def agree(first: str, second: str) -> None:
        operator = ("lt", "eq", "gt")[compare(first, second) + 1]
        done = subprocess.run([dpkg, "--compare-versions", first, operator, second], check=False, capture_output=True)
        assert done.returncode == 0, (first, operator, second)

    agree()
