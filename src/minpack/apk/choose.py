"""Which of several providers is taken.

Of one package in one repository the highest version; of those the highest provider priority, then the repository named
first, then the highest provided version. A virtual name, without a version, can be chosen by its priority alone
(apk-package(5)).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.apk.version import compare_versions
from minpack.errors import AmbiguousLibraryError
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.apk.table import Provider


class PackageCandidate(NamedTuple):
    """A provider, and the repository it is in by its place in the list of repositories."""

    provider: Provider
    repository: int


def choose(name: str, candidates: Sequence[PackageCandidate], repositories: Sequence[str]) -> PackageCandidate | None:
    """The candidate to take for `name`; None if there is none.

    :param repositories: what to call each repository in errors.
    :raises AmbiguousLibraryError: more than one package remains.
    """
    usable = [one for one in _newest(candidates) if one.provider.provided or one.provider.priority]
    if not usable:
        return None
    priority = max(one.provider.priority for one in usable)
    usable = [one for one in usable if one.provider.priority == priority]
    first = min(one.repository for one in usable)
    usable = _highest([one for one in usable if one.repository == first])
    if len(usable) > 1:
        named = ((one.provider.package, one.provider.version, repositories[one.repository]) for one in usable)
        raise AmbiguousLibraryError(name, tuple(sorted(named)))
    return usable[0]


def _newest(candidates: Sequence[PackageCandidate]) -> list[PackageCandidate]:
    """Each package of each repository once, in its highest version."""
    found: dict[tuple[str, int], PackageCandidate] = {}
    for one in candidates:
        key = one.provider.package, one.repository
        known = found.get(key)
        if known is None or compare_versions(one.provider.version, known.provider.version) > 0:
            found[key] = one
    return list(found.values())


def _highest(candidates: list[PackageCandidate]) -> list[PackageCandidate]:
    """Those that provide the highest version."""
    best = candidates[0].provider.provided
    for one in candidates:
        if compare_versions(one.provider.provided, best) > 0:
            best = one.provider.provided
    return [one for one in candidates if compare_versions(one.provider.provided, best) == 0]
