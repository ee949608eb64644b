"""The catalogue against what the mirrors have today: nothing that it names is gone, and nothing newer is missing.

Run by ``make live`` alone, with a network. ``MINPACK_MIRROR`` and ``MINPACK_MIRROR_DEBIAN`` name other mirrors.
"""

from __future__ import annotations

import os
import time

import pytest

from minpack.alpine.latest import listed_minirootfs
from minpack.catalog import alpine, debian
from minpack.catalog.alpine import Version, releases
from minpack.catalog.debian import RELEASES, DebianRelease
from minpack.deb.trust import debian_keys
from minpack.debian.suite import SuiteContext, fetch_release, suites_of
from minpack.net.download import read_document
from minpack.net.network import Network
from minpack.progress import no_progress
from minpack.store.store import open_store

pytestmark = pytest.mark.live

#: Read before the tests' own environment takes them away.
ALPINE = os.environ.get("MINPACK_MIRROR") or alpine.MIRROR
DEBIAN = os.environ.get("MINPACK_MIRROR_DEBIAN") or debian.MIRROR
TODAY = time.strftime("%Y-%m-%d", time.gmtime())
NEWEST = {(release.branch, release.arch): release for release in releases()}
LIMIT = 1 << 20


@pytest.mark.parametrize(("branch", "arch"), NEWEST)
def test_a_branch_of_alpine_is_as_the_catalogue_says(branch: str, arch: str) -> None:
    """Its newest release is the one that the catalogue calls so, with that sum, as the mirror's own list has it."""
    release = NEWEST[branch, arch]
    folder = Version(branch, release.version).folder
    document = read_document(f"{ALPINE}/{folder}/releases/{arch}/latest-releases.yaml", limit=LIMIT, network=Network())
    (entry,) = listed_minirootfs(document)
    assert (entry["version"], entry["sha512"]) == (release.version, release.sha512)


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.name)
def test_a_release_of_debian_is_as_the_catalogue_says(release: DebianRelease) -> None:
    """It is signed by keys that minpack has, and has the architectures that the catalogue names; so are its updates."""
    with open_store(None) as store:
        place = SuiteContext(store, Network(), TODAY, debian_keys(), no_progress)
        for suite in suites_of(release.codename, DEBIAN):
            fetched = fetch_release(suite, place)
            assert fetched is not None, f"{suite.url} is gone"
            if not suite.optional:
                assert set(release.arches) <= set(fetched.release.architectures)
                assert fetched.release.find_index("main/binary-amd64/Packages", ".xz", ".gz") is not None
