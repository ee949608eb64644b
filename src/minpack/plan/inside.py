"""Files that are made of a plan and put into it: an SBOM of the image, in the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.content import BytesContent
from minpack.plan.model import Origin, PlannedEntry, Reason, ReasonKind
from minpack.rootfs.entry import directory, file
from minpack.rootfs.tree import Claim, Precedence, Tree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minpack.paths import RootPath
    from minpack.plan.model import Plan

_PLANNED = Claim(Precedence.STATED, Precedence.STATED)
_HOLDS = Claim(Precedence.PARENT, Precedence.PARENT)


def with_files(plan: Plan, files: Mapping[RootPath, bytes], option: str) -> Plan:
    """The plan with these files, which `option` asks for: in the layer that changes with the program, as they do.

    :raises PathConflictError: something else is planned at one of the paths, or above it.
    """
    tree: Tree[PlannedEntry] = Tree(_implied)
    for planned in plan.entries:
        tree.add(planned.entry, planned, _HOLDS if planned.reason.kind is ReasonKind.DIRECTORY else _PLANNED)
    for path, data in sorted(files.items()):
        entry = file(path, BytesContent(data, option))
        tree.add(entry, PlannedEntry(entry, Origin.ADDED, Reason(ReasonKind.ADDED, option)))
    return plan._replace(entries=tuple(planned._replace(entry=entry) for entry, planned in tree))


def _implied(path: RootPath) -> PlannedEntry:
    return PlannedEntry(directory(path), Origin.DEFAULT, Reason(ReasonKind.DIRECTORY, f"holds {path}"))
