"""Who maintains a package: the name, the address, and whether that is one person."""

from __future__ import annotations

import pytest

from minpack.trust.supplier import Supplier, parse_supplier


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Natanael Copa <ncopa@alpinelinux.org>", Supplier("Natanael Copa", "ncopa@alpinelinux.org", is_group=False)),
        (
            "GNU Libc Maintainers <debian-glibc@lists.debian.org>",
            Supplier("GNU Libc Maintainers", "debian-glibc@lists.debian.org", is_group=True),
        ),
        ("Debian OpenSSL Team <x@y.org>", Supplier("Debian OpenSSL Team", "x@y.org", is_group=True)),
        ("  Just A Name ", Supplier("Just A Name", "", is_group=False)),
        ("Evil (Person: other)\n <no address>", Supplier("Evil Person: other", "", is_group=False)),
        ("", None),
        ("<a@b.org>", None),
    ],
)
def test_a_maintainer_is_taken_apart(text: str, expected: Supplier | None) -> None:
    """What would mean something else in a document is not in the name."""
    assert parse_supplier(text) == expected
