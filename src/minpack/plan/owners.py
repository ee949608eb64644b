"""Which packages the planned files are from, and the database that says so to scanners."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from minpack.paths import join, name, normal, parent
from minpack.plan.model import Origin, PlannedEntry, Reason, ReasonKind
from minpack.program.additions import normalize_mode
from minpack.rootfs.entry import Kind, directory
from minpack.rootfs.modes import SHARED_MODE, is_shared
from minpack.rootfs.tree import Claim, Precedence, Tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minpack.base.packages import PackageId, Packages, WholePackage
    from minpack.base.walk import Walker
    from minpack.paths import RootPath
    from minpack.plan.model import Plan
    from minpack.rootfs.entry import Entry

#: Where files are from that may be a package's.
_PACKAGED = (Origin.BASE, Origin.PACKAGE)
#: What is planned is decided, but for directories that only hold others.
_PLANNED = Claim(Precedence.STATED, Precedence.STATED)
_HOLDS = Claim(Precedence.PARENT, Precedence.PARENT)


def with_packages(
    plan: Plan,
    packages: Packages,
    whole: Sequence[WholePackage],
    files: Walker,
    standard: Mapping[RootPath, Entry] | None = None,
    *,
    licences: bool = True,
) -> Plan:
    """The plan with all that the packages `whole` have, each file with the package it is from, and their database.

    The user's own files are nobody's, and what is at their paths is not packed.

    :param files: over the tree in which the packages' files are.
    :param standard: directories that keep their mode and owner.
    :param licences: whether the packages' copyright files are packed.
    :raises PathConflictError: a file of a package would be below something that is not a directory.
    """
    tree: Tree[PlannedEntry] = Tree(_implied, standard)
    for planned in plan.entries:
        tree.add(planned.entry, planned, _HOLDS if planned.reason.kind is ReasonKind.DIRECTORY else _PLANNED)
    for package in whole:
        _add_whole(tree, package, files, fetched=any(one.name == package.name for one in packages.fetched))
    fetched = frozenset(packages.fetched)
    attributed = [_attributed(entry, planned, packages, fetched) for entry, planned in tree]
    reason = Reason(ReasonKind.DATABASE, "the packages that files are from, for scanners")
    owned = (planned.entry for planned in attributed if planned.package is not None)
    for found in packages.database(owned, licences=licences):
        entry = _behind_link(tree, found)
        if entry.path not in tree:
            owner = packages.owner(entry)
            source = Origin.PACKAGE if owner in fetched else Origin.DEFAULT
            tree.add(entry, PlannedEntry(entry, source, reason, owner))
    known = {planned.entry.path: planned for planned in attributed}
    attributed = [known.get(entry.path, planned._replace(entry=entry)) for entry, planned in tree]
    return plan._replace(entries=tuple(attributed))


def _behind_link(tree: Tree[PlannedEntry], entry: Entry) -> Entry:
    """`entry` where it gets to if its directory is a link in the tree, as those of documentation are (Policy, 12.5)."""
    above = tree.get(parent(entry.path))
    if above is None or above.kind is not Kind.SYMLINK:
        return entry
    return entry._replace(path=join(normal(posixpath.join(parent(above.path), above.link)), name(entry.path)))


def _implied(path: RootPath) -> PlannedEntry:
    return PlannedEntry(directory(path), Origin.DEFAULT, Reason(ReasonKind.DIRECTORY, f"holds {path}"))


def _add_whole(tree: Tree[PlannedEntry], package: WholePackage, files: Walker, *, fetched: bool) -> None:
    reason = Reason(ReasonKind.ADDED, f"--package {package.name}")
    directories = []
    for path in package.paths:
        entry = files.lstat(path)
        if entry is not None and entry.kind is Kind.DIRECTORY:
            directories.append(directory(path, SHARED_MODE) if is_shared(entry) else directory(path))
        elif entry is not None and entry.kind is not Kind.SPECIAL and not tree.has_file(path):
            tree.add(normalize_mode(entry), PlannedEntry(normalize_mode(entry), Origin.PACKAGE, reason))
    for entry in directories:
        # The others hold files.
        if entry.path not in tree or entry.mode == SHARED_MODE:
            source = Origin.PACKAGE if fetched else Origin.BASE
            tree.add(entry, PlannedEntry(entry, source, reason), Claim(Precedence.PURPOSE, Precedence.PURPOSE))


def _attributed(entry: Entry, planned: PlannedEntry, packages: Packages, fetched: frozenset[PackageId]) -> PlannedEntry:
    if planned.source not in _PACKAGED or entry.kind is Kind.DIRECTORY:
        return planned._replace(entry=entry)
    owner = packages.owner(entry)
    source = Origin.PACKAGE if owner in fetched else Origin.BASE
    return planned._replace(entry=entry, package=owner, source=source)
