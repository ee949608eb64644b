"""Which packages the planned files are from, and the database that says so to scanners."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.placing import plain
from minpack.plan import From, PlannedEntry, Reason, ReasonKind
from minpack.rootfs.entry import Kind, directory
from minpack.rootfs.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.base.walk import Walker
    from minpack.packages.source import PackageId, Packages, WholePackage
    from minpack.paths import RootPath
    from minpack.plan import Plan
    from minpack.rootfs.entry import Entry

#: Where files are from that may be a package's.
_PACKAGED = (From.BASE, From.PACKAGE)


def with_packages(plan: Plan, packages: Packages, whole: Sequence[WholePackage], files: Walker) -> Plan:
    """The plan with all files of the packages `whole`, each file with the package it is from, and their database.

    The user's own files are nobody's, and what is at their paths is not packed.

    :param files: over the tree in which the packages' files are.
    :raises PathConflictError: a file of a package would lie below something that is no directory.
    """
    if not whole and not any(planned.source in _PACKAGED for planned in plan.entries):
        return plan
    tree: Tree[PlannedEntry] = Tree(_implied)
    for planned in plan.entries:
        tree.add(planned.entry, planned)
    for package in whole:
        _add_whole(tree, package, files)
    fetched = frozenset(packages.fetched)
    attributed = [_attributed(entry, planned, packages, fetched) for entry, planned in tree]
    reason = Reason(ReasonKind.DATABASE, "the packages that files are from, for scanners")
    for entry in packages.database(planned.entry for planned in attributed if planned.package is not None):
        if entry.path not in tree:
            owner = packages.owner(entry)
            source = From.PACKAGE if owner in fetched else From.DEFAULT
            tree.add(entry, PlannedEntry(entry, source, reason, owner))
    known = {planned.entry.path: planned for planned in attributed}
    attributed = [known.get(entry.path, planned._replace(entry=entry)) for entry, planned in tree]
    return plan._replace(entries=tuple(attributed))


def _implied(path: RootPath) -> PlannedEntry:
    return PlannedEntry(directory(path), From.DEFAULT, Reason(ReasonKind.DIRECTORY, f"holds {path}"))


def _add_whole(tree: Tree[PlannedEntry], package: WholePackage, files: Walker) -> None:
    reason = Reason(ReasonKind.ADDED, f"--package {package.name}")
    for path in package.paths:
        entry = files.lstat(path)
        if entry is not None and entry.kind in (Kind.FILE, Kind.SYMLINK) and path not in tree:
            tree.add(plain(entry), PlannedEntry(plain(entry), From.PACKAGE, reason))


def _attributed(entry: Entry, planned: PlannedEntry, packages: Packages, fetched: frozenset[PackageId]) -> PlannedEntry:
    if planned.source not in _PACKAGED or entry.kind is Kind.DIRECTORY:
        return planned._replace(entry=entry)
    owner = packages.owner(entry)
    source = From.PACKAGE if owner in fetched else From.BASE
    return planned._replace(entry=entry, package=owner, source=source)
