"""A plan with what its base knows of packages: which one each file is from, and the records of just those."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.plan import From, Plan, PlannedEntry, Reason, ReasonKind
from minpack.rootfs.entry import Kind, directory
from minpack.rootfs.tree import Tree

if TYPE_CHECKING:
    from minpack.base.tree import Packages, TakenPackage


def with_packages(plan: Plan, packages: Packages | None) -> Plan:
    """The plan with the package of each file, and with the records of those packages; unchanged without packages.

    What lies at the place of a record already stays.

    :raises MinpackError: records cannot be had.
    """
    if packages is None:
        return plan
    entries = [_with_package(planned, packages) for planned in plan.entries]
    tree: Tree[PlannedEntry] = Tree(
        lambda path: PlannedEntry(directory(path), From.DEFAULT, Reason(ReasonKind.DIRECTORY, f"holds {path}"))
    )
    for planned in entries:
        tree.add(planned.entry, planned)
    for entry, package in packages.records(planned.entry.path for planned in entries if planned.package is not None):
        if entry.path not in tree:
            reason = Reason(ReasonKind.RECORD, f"tells scanners and lawyers of {package}")
            tree.add(entry, PlannedEntry(entry, From.PACKAGE, reason, package))
    return plan._replace(entries=tuple(tag._replace(entry=entry) for entry, tag in tree))


def _with_package(planned: PlannedEntry, packages: Packages) -> PlannedEntry:
    if planned.source is not From.BASE or planned.entry.kind is Kind.DIRECTORY:
        return planned
    package = packages.package_of(planned.entry.path)
    return planned._replace(source=From.PACKAGE, package=package) if package is not None else planned


def taken_packages(plan: Plan) -> tuple[TakenPackage, ...]:
    """The packages that files of the plan are from, each once, by name."""
    return tuple(sorted({planned.package for planned in plan.entries if planned.package is not None}))
