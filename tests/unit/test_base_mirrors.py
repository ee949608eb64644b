"""Addresses of a lock: the distribution's own, whatever mirror was used; and on the mirror that is given later."""

from __future__ import annotations

import pytest

from minpack.base.mirrors import mirrored, official
from minpack.base.options import BaseOptions
from minpack.errors import UsageError
from minpack.net.network import Network

ALPINE = "https://dl-cdn.alpinelinux.org/alpine"
OPTIONS = BaseOptions(None, Network(), "2026-01-31")
MIRRORS = OPTIONS._replace(mirror="https://me:pw@a.example/alpine/", debian_mirror="http://d.example/debian")


@pytest.mark.parametrize(
    ("own", "there", "debian"),
    [
        (f"{ALPINE}/v3.22/main/x86_64/libgcc-1.apk", "https://a.example/alpine/v3.22/main/x86_64/libgcc-1.apk", False),
        (
            f"{ALPINE}/edge/releases/x86_64/alpine-minirootfs-20240923-x86_64.tar.gz",
            "https://a.example/alpine/edge/releases/x86_64/alpine-minirootfs-20240923-x86_64.tar.gz",
            False,
        ),
        ("https://apk.example/own/x86_64/a-1.apk", "https://apk.example/own/x86_64/a-1.apk", False),
        ("https://ftp.debian.org/debian/pool/main/a/a.deb", "http://d.example/debian/pool/main/a/a.deb", True),
        (
            "https://security.debian.org/debian-security/pool/a.deb",
            "http://d.example/debian-security/pool/a.deb",
            True,
        ),
        ("https://deb.example/debian/pool/a.deb", "https://deb.example/debian/pool/a.deb", True),
    ],
)
def test_there_and_back(own: str, there: str, debian: bool) -> None:
    """On a mirror an address is another, without it the same; addresses of others stay."""
    assert mirrored(own, MIRRORS, debian=debian)[0] == there
    assert official(there, MIRRORS, debian=debian) == own
    assert mirrored(own, OPTIONS, debian=debian) == (own, OPTIONS.network)
    assert official(own, OPTIONS, debian=debian) == own
    assert official(own, MIRRORS, debian=debian) == own


def test_a_login_is_for_the_mirror_alone() -> None:
    """It is in no address, and only the mirror's server gets it."""
    url, network = mirrored(f"{ALPINE}/v3.22/main/x86_64/a.apk", MIRRORS, debian=False)
    assert "pw" not in url
    assert network.login == ("https://a.example", "me:pw")
    assert mirrored("https://ftp.debian.org/debian/pool/a.deb", MIRRORS, debian=True)[1].login == ("", "")


def test_another_copy_of_alpines_tree_is_taken_from_the_mirror_too() -> None:
    """As for the repositories of a base, which may name any copy."""
    url, _ = mirrored("http://copy.example/pub/alpine/v3.20/main/x86_64/a.apk", MIRRORS, debian=False)
    assert url == "https://a.example/alpine/v3.20/main/x86_64/a.apk"


def test_what_is_no_address() -> None:
    """A mirror must be one."""
    with pytest.raises(UsageError):
        mirrored(f"{ALPINE}/v3.22/main/x86_64/a.apk", OPTIONS._replace(mirror="a.example"), debian=False)
