"""What has changed of the files that an image ships, by what there is now where they came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.options import BaseKind
from minpack.freshness.states import differing
from minpack.freshness.values import DATABASES, RELEASE_FILES, BaseNow, Change, FileChange, Freshness, Newer, Unknown
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from minpack.freshness.repositories import Offer, Repositories
    from minpack.freshness.upstream import OpenUpstream
    from minpack.freshness.values import Shipped, ShippedPackage
    from minpack.lock.values import LockedBase
    from minpack.paths import RootPath

#: Bases whose name may mean something newer tomorrow, and of which that is known by looking at the name alone.
_NAMED = (BaseKind.RELEASE, BaseKind.PACKAGES, BaseKind.SCRATCH)


class _Judged(NamedTuple):
    """What repositories say of one package of an image."""

    package: ShippedPackage
    paths: tuple[RootPath, ...]
    offer: Offer | None
    change: Change | None = None
    newer: Newer | None = None
    unknown: Unknown | None = None


def compare(shipped: Shipped, upstream: OpenUpstream, embedded: Iterable[Change] = ()) -> Freshness:
    """What is found of an image.

    :param embedded: what has changed of the data that comes with minpack.
    :raises MinpackError: something cannot be had, or is not to be trusted.
    """
    judged = [_judge(one, shipped, upstream) for one in shipped.packages] if upstream.repositories is not None else []
    changes = [one.change for one in judged if one.change is not None]
    changes += _base_changes(shipped, upstream, judged)
    changes += embedded
    return Freshness(
        shipped.label,
        _base_now(shipped.base, upstream) if shipped.base is not None else None,
        tuple(sorted(changes)),
        tuple(sorted(one.newer for one in judged if one.newer is not None)),
        (*shipped.unknown, *_unknown(shipped, upstream, judged)),
        _looked(shipped, upstream),
    )


def _judge(package: ShippedPackage, shipped: Shipped, upstream: OpenUpstream) -> _Judged:
    """What repositories say of a package."""
    repositories, paths = upstream.repositories, tuple(shipped.files.get(package.name, ()))
    assert repositories is not None, "internal error: there are repositories"
    offer = repositories.offer(package)
    judged = _Judged(package, paths, offer)
    if offer is None:
        return _gone(judged, shipped)
    if offer.is_same:
        return judged
    if not offer.is_newer:
        reason = f"{offer.repository} has {offer.version}, which is older: its mirror may be behind"
        return judged._replace(unknown=Unknown(f"package {package.name} {package.version}", len(paths), reason))
    states = repositories.states(package, offer)
    found = differing(_counted(paths), shipped.state, lambda path: states.get(path, ""))
    if not found:
        newer = Newer(package.name, package.version, offer.version, offer.repository)
        return judged._replace(newer=newer)
    rebuild = not package.of_base or all(upstream.state(path) == new for path, _, new in found)
    versions = package.name, package.version, offer.version, offer.repository, offer.security
    return judged._replace(change=Change(*versions, rebuild, _files(found)))


def _gone(judged: _Judged, shipped: Shipped) -> _Judged:
    """What there is to say of a package that no repository has."""
    package, paths = judged.package, judged.paths
    if package.of_base:
        # Nobody says that one of them ever had it.
        unknown = Unknown(f"package {package.name} {package.version}", len(paths), "none of its repositories has it")
        return judged._replace(unknown=unknown)
    files = tuple(FileChange(path, shipped.state(path), "") for path in sorted(paths))
    return judged._replace(change=Change(package.name, package.version, "", "", None, rebuild=True, files=files))


def _base_changes(shipped: Shipped, upstream: OpenUpstream, judged: Iterable[_Judged]) -> list[Change]:
    """What differs in the base that a rebuild takes, and was not found by its packages."""
    base, opened = shipped.base, upstream.opened
    if base is None or opened is None or upstream.tree is None or not _may_differ(base, upstream):
        return []
    now = upstream.owners
    offers = {one.package.name: one for one in judged}
    told = {file.path for one in offers.values() if one.change is not None for file in one.change.files}
    own = {package.name: package for package in shipped.packages if package.of_base}
    paths = [path for name, found in shipped.files.items() if not name or name in own for path in found]
    groups: dict[tuple[str, str], list[tuple[RootPath, str, str]]] = {}
    for path, old, new in differing(_counted(paths), shipped.state, upstream.state):
        owner = now.get(path)
        if path in told or (owner is not None and _is_behind(offers.get(owner.name), owner, upstream)):
            continue
        groups.setdefault((owner.name, owner.version) if owner is not None else ("", ""), []).append((path, old, new))
    label = opened.release or opened.base.name
    return [
        Change(name, own[name].version if name in own else "", version, label, None, rebuild=True, files=_files(found))
        for (name, version), found in groups.items()
    ]


def _is_behind(judged: _Judged | None, now: ShippedPackage, upstream: OpenUpstream) -> bool:
    """Whether a base has an older version of a package, of which the image has the newest."""
    if upstream.repositories is None or judged is None or judged.offer is None or not judged.offer.is_same:
        return False
    offer = upstream.repositories.offer(now)
    return offer is not None and offer.is_newer


def _may_differ(base: LockedBase, upstream: OpenUpstream) -> bool:
    """Whether what a base's name means now may be other bytes."""
    opened = upstream.opened
    assert opened is not None, "internal error: there is a base"
    if base.kind == BaseKind.IMAGE:
        return base.digest not in (opened.digest, opened.index_digest)
    return base.kind != BaseKind.RELEASE or opened.sha256 != base.sha256


def _unknown(shipped: Shipped, upstream: OpenUpstream, judged: Iterable[_Judged]) -> Iterator[Unknown]:
    """What nothing was said of."""
    yield from (one.unknown for one in judged if one.unknown is not None)
    base = shipped.base
    if base is None or upstream.opened is None or base.kind in _NAMED or _has_tag(base):
        return
    asked = {package.name for package in shipped.packages} if upstream.repositories is not None else set()
    left = sum(len(found) for name, found in shipped.files.items() if name not in asked)
    if left:
        why = upstream.why or "they belong to no package"
        yield Unknown(f"base {base.name}", left, f"{_ABOUT[BaseKind(base.kind)]}, and {why}")


_ABOUT = {
    BaseKind.TARBALL: "minpack cannot tell whether there is a newer tarball",
    BaseKind.DIRECTORY: "minpack cannot tell whether there is a newer directory",
    BaseKind.IMAGE: "it is named by what never changes",
}


def _has_tag(base: LockedBase) -> bool:
    """Whether it is an image of a registry, by a name that may mean another tomorrow."""
    return base.kind == BaseKind.IMAGE and base.name.startswith("docker://") and "@" not in base.name


def _base_now(base: LockedBase, upstream: OpenUpstream) -> BaseNow:
    opened = upstream.opened
    old = base.digest or base.release or (f"sha256:{base.sha256}" if base.sha256 else "")
    now = (opened.digest, opened.release) if opened is not None else ()
    known = opened is not None and old == opened.index_digest
    return BaseNow(base.name, base.kind, old, old if known else next(filter(None, now), ""))


def _looked(shipped: Shipped, upstream: OpenUpstream) -> tuple[str, ...]:
    """The repositories that were asked, and the base whose name was."""
    repositories: Repositories | None = upstream.repositories
    base = shipped.base
    named = base is not None and base.kind != BaseKind.PACKAGES and upstream.opened is not None
    return (
        *((base.name,) if base is not None and named and base.kind != BaseKind.SCRATCH else ()),
        *(repositories.names if repositories is not None and shipped.packages else ()),
    )


def _counted(paths: Iterable[RootPath]) -> list[RootPath]:
    """The paths, but for files that only say which release and which packages these are."""
    return [path for path in paths if path not in RELEASE_FILES and not path.startswith(DATABASES)]


def _files(found: Iterable[tuple[RootPath, str, str]]) -> tuple[FileChange, ...]:
    return tuple(FileChange(*one) for one in found)


def grouped(files: Mapping[RootPath, str]) -> dict[str, list[RootPath]]:
    """The paths by what they belong to, in their order."""
    found: dict[str, list[RootPath]] = {}
    for path, owner in files.items():
        found.setdefault(owner, []).append(path)
    return found
