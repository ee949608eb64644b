"""Which base was most likely meant by a name that none has: for refusals alone."""

from __future__ import annotations

import re
from difflib import get_close_matches

from minpack.catalog.alpine import EDGE, catalogue, parse_name, releases
from minpack.catalog.debian import RELEASES

#: What images, distributions and people call the newest release.
_NEWEST = ("", "latest", "stable", "current")


#: What is said of releases of Ubuntu.
NO_UBUNTU = "minpack has no Ubuntu bases; give a root file system as a tarball or directory, or / for this host"


def likely_base(text: str) -> str:
    """The name of the base that was most likely meant: that of an image, a version or a misspelling; empty if none."""
    # As images are named: perhaps with a server, and with a flavour behind the version.
    name = text.lower().rpartition("/")[2].removesuffix("-slim")
    match = re.fullmatch(r"(alpine|debian)[^a-z0-9]*v?([a-z0-9][a-z0-9.-]*)?", name)
    system, version = match.groups(default="") if match is not None else ("", name)
    if system == "alpine":
        return _alpine(version)
    found = _debian(version) if system or version not in _NEWEST else ""
    if found or system:
        return found
    names = [*(offer.name for offer in catalogue()), *(release.name for release in RELEASES)]
    return next(iter(get_close_matches(name, names, 1)), "")


def _alpine(version: str) -> str:
    offers = catalogue()
    branches = [offer.name for offer in offers if offer.name != f"alpine-{EDGE}"]
    if version in (*_NEWEST, "3"):
        return branches[-1]
    asked = parse_name(f"alpine-{version}")
    if asked is None or f"alpine-{asked.branch}" not in (offer.name for offer in offers):
        names = branches if version[0].isdigit() else [offer.name for offer in offers]
        return next(iter(get_close_matches(f"alpine-{version}", names, 1)), "")
    known = any(asked.release in ("", release.version) for release in releases() if release.branch == asked.branch)
    return f"alpine-{version}" if known else f"alpine-{asked.branch}"


def _debian(version: str) -> str:
    if version in _NEWEST:
        return RELEASES[-1].name
    number = version.partition(".")[0]
    return next((release.name for release in RELEASES if number in (release.number, release.codename)), "")
