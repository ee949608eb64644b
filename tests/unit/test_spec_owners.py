"""Owners: numbers, names, and what is neither."""

from __future__ import annotations

import pytest

from minpack.errors import BadValueError
from minpack.rootfs.etc_files import User
from minpack.spec.owners import OwnerName, parse_owner


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", User(0, 0)),
        ("1000", User(1000, 1000)),
        ("1000:0", User(1000, 0)),
        ("nonroot", OwnerName("nonroot")),
        ("www-data:adm", OwnerName("www-data", "adm")),
        ("1000:adm", OwnerName("1000", "adm")),
        ("_apt:0", OwnerName("_apt", "0")),
    ],
)
def test_owners(text: str, expected: User | OwnerName) -> None:
    """A number alone is that of the group too, as for COPY --chown; a name's group is found where its number is."""
    assert parse_owner(text) == expected
    assert parse_owner(str(expected)) == expected


@pytest.mark.parametrize("text", [":", "a:", ":a", "a:b:c", "a b", "-1", "2147483648", "9" * 5000, "ä", "a/b", "1\n"])
def test_what_is_no_owner(text: str) -> None:
    """Names are those that useradd takes, numbers those that engines take."""
    with pytest.raises(BadValueError):
        parse_owner(text)
