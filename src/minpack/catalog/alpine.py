"""The catalogue of named bases: Alpine's minirootfs releases whose sums minpack knows.

The sums are those of `alpine.json`, by version and architecture: how they are
known (`verified`), SHA-512, SHA-256 and size, as far as known. Support-end
dates are those of endoflife.date.
"""

from __future__ import annotations

import os
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

EDGE = "edge"

#: ``alpine-3.22``, ``alpine-3.22.6``, ``alpine-edge``, ``alpine-edge-20240923``, ``alpine-20240923``.
_NAME = r"alpine-(?:(\d{1,2}\.\d{1,3})(\.\d{1,3})?|(edge)|(?:edge-)?(\d{8}))"


class Version(NamedTuple):
    """What a base's name asks for: a branch, and one release of it if `release` is not empty."""

    branch: str
    release: str

    @property
    def folder(self) -> str:
        """The branch's folder on a mirror: ``v3.22`` or ``edge``."""
        return self.branch if self.branch == EDGE else f"v{self.branch}"


class AlpineRelease(NamedTuple):
    """One minirootfs tarball of Alpine.

    `verified` tells where the sums come from. In the catalogue: ``bytes``
    (computed from the real tarball and equal to the published ones),
    ``published-twice`` (transcribed twice and equal), ``published``
    (transcribed once) and ``third-party``. Else ``server`` (from the same
    mirror as the tarball) or ``given`` (by the caller). `sha512` or `sha256`
    may be empty, not both; `size` is in bytes.
    """

    branch: str
    version: str
    arch: str
    sha512: str
    sha256: str
    size: int | None
    verified: str

    @property
    def name(self) -> str:
        """The name that asks for exactly this release: ``alpine-3.22.6``, ``alpine-edge-20240923``."""
        return f"alpine-edge-{self.version}" if self.branch == EDGE else f"alpine-{self.version}"

    @property
    def file(self) -> str:
        """The tarball's file name."""
        return f"alpine-minirootfs-{self.version}-{self.arch}.tar.gz"

    @property
    def path(self) -> str:
        """Where the tarball lies on a mirror, relative to the mirror's address."""
        return f"{Version(self.branch, self.version).folder}/releases/{self.arch}/{self.file}"

    @property
    def support_end(self) -> str:
        """The last day of support as ``YYYY-MM-DD``; empty for edge and where it is not known."""
        return _support_end().get(self.branch, "")


class CatalogEntry(NamedTuple):
    """A line of the catalogue: a branch, its newest release with a known sum, and the architectures with any."""

    name: str
    newest: str
    arches: tuple[str, ...]
    support_end: str


def parse_name(name: str) -> Version | None:
    """What `name` asks for, whether the catalogue has it or not; None if no name of an Alpine base reads so."""
    match = re.fullmatch(_NAME, name, re.ASCII)
    if match is None:
        return None
    branch, point, _, date = match.groups()
    if branch is None:
        return Version(EDGE, date or "")
    return Version(branch, branch + point if point else "")


def find_release(name: str, arch: str) -> AlpineRelease | None:
    """The release that `name` asks for, the newest one if it names a branch.

    None if no sum is known for `arch`, Alpine's name of an architecture.
    """
    wanted = parse_name(name)
    if wanted is None:
        return None
    for release in reversed(releases()):
        if (release.branch, release.arch) == (wanted.branch, arch) and wanted.release in ("", release.version):
            return release
    return None


@cache
def releases() -> tuple[AlpineRelease, ...]:
    """Every tarball with a known sum: by branch, edge last, and in it by version, the newest last."""
    found = [
        AlpineRelease(_branch_of(version), version, arch, sha512, sha256, size, verified)
        for version, files in _document()["releases"].items()
        for arch, (verified, sha512, sha256, size) in files.items()
    ]
    return tuple(sorted(found, key=lambda release: (_order(release.version), release.arch)))


def catalogue() -> tuple[CatalogEntry, ...]:
    """The branches, the oldest first and edge last."""
    branches: dict[str, list[AlpineRelease]] = {}
    for release in releases():
        branches.setdefault(release.branch, []).append(release)
    return tuple(
        CatalogEntry(
            f"alpine-{branch}",
            found[-1].version,
            tuple(sorted({release.arch for release in found})),
            found[-1].support_end,
        )
        for branch, found in branches.items()
    )


def fitting_bases(arch: str, today: str) -> tuple[str, ...]:
    """Names of bases for `arch`, Alpine's name, that are supported on the day `today`.

    The newest is first, edge last. Dates are written ``YYYY-MM-DD``.
    """
    names = [
        offer.name
        for offer in reversed(catalogue())
        if arch in offer.arches and (not offer.support_end or today <= offer.support_end)
    ]
    return tuple(sorted(names, key=lambda name: name == f"alpine-{EDGE}"))


def support_note(release: AlpineRelease, today: str) -> str | None:
    """What to tell whoever uses `release` on the day `today` (``YYYY-MM-DD``) after its support has ended."""
    if not release.support_end or today <= release.support_end:
        return None
    return f"Alpine {release.branch} has had no security updates since {release.support_end}"


def _branch_of(version: str) -> str:
    return version.rpartition(".")[0] or EDGE


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _support_end() -> Mapping[str, str]:
    dates: Mapping[str, str] = _document()["support_end"]
    return dates


@cache
def _document() -> Mapping[str, Any]:
    import json  # noqa: PLC0415

    with open(f"{os.path.dirname(__file__)}/alpine.json", "rb") as file:
        document: Mapping[str, Any] = json.load(file)
    return document


MIRROR = "https://dl-cdn.alpinelinux.org/alpine"
