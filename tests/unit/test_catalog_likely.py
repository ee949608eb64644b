"""What is said of a base that nobody has: the one that was most likely meant."""

from __future__ import annotations

import pytest

from minpack.catalog.alpine import catalogue
from minpack.catalog.debian import RELEASES
from minpack.catalog.likely import likely_base

NEWEST_ALPINE = [offer.name for offer in catalogue() if offer.name != "alpine-edge"][-1]
NEWEST_DEBIAN = RELEASES[-1].name


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("alpine:3.22", "alpine-3.22"),
        ("alpine3.22", "alpine-3.22"),
        ("alpine-v3.22", "alpine-3.22"),
        ("alpine:3.20.3", "alpine-3.20.3"),
        ("alpine:3.22.77", "alpine-3.22"),
        ("docker.io/library/alpine:3.20", "alpine-3.20"),
        ("alpine", NEWEST_ALPINE),
        ("alpine:latest", NEWEST_ALPINE),
        ("alpine:3", NEWEST_ALPINE),
        ("alpine:edge", "alpine-edge"),
        ("debian:12", "debian-12"),
        ("Debian-12", "debian-12"),
        ("debian:12.5-slim", "debian-12"),
        ("debian:bookworm-slim", "debian-12"),
        ("bookworm", "debian-12"),
        ("trixie-slim", "debian-13"),
        ("debian", NEWEST_DEBIAN),
        ("debian-stable", NEWEST_DEBIAN),
        ("debian-11", ""),
        ("debain-12", "debian-12"),
        ("apline-3.22", "alpine-3.22"),
        ("fedora", ""),
        ("gcr.io/distroless/cc-debian12", "debian-12"),
        ("alpine-egde", "alpine-edge"),
        ("latest", ""),
        ("", ""),
        ("\udcff\n", ""),
    ],
)
def test_the_base_that_was_meant(text: str, meant: str) -> None:
    """Images' names, codenames, versions and misspellings lead to a base that there is; all others to none."""
    assert likely_base(text) == meant
    assert (
        meant in ("", *(offer.name for offer in catalogue()), *(release.name for release in RELEASES)) or "." in meant
    )
