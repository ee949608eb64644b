"""How many bytes an image has for each reason that its files are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.plan.model import ReasonKind
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from minpack.plan.model import Plan, PlannedEntry


class ReasonSize(NamedTuple):
    """The bytes of the files that are there for one reason; `option` leaves them out, empty where none does."""

    text: str
    size: int
    files: int
    option: str = ""


def sizes_by_reason(plan: Plan) -> tuple[ReasonSize, ...]:
    """The reasons that files with bytes have, the largest first; a file with several names counts once."""
    found: dict[tuple[str, str], list[int]] = {}
    for planned in plan.written:
        if planned.entry.kind is Kind.FILE and planned.entry.size:
            found.setdefault(_reason(planned), []).append(planned.entry.size)
    every = [ReasonSize(text, sum(sizes), len(sizes), option) for (text, option), sizes in found.items()]
    return tuple(sorted(every, key=lambda one: (-one.size, one.text)))


def _reason(planned: PlannedEntry) -> tuple[str, str]:
    """The reason in words, and the option that leaves out what it brings."""
    reason = planned.reason
    if reason.kind is ReasonKind.NEED:
        return f"need {reason.need}", f"--no-need {reason.need}"
    if reason.kind is ReasonKind.DATABASE:
        return reason.text, ""
    if reason.kind is ReasonKind.PROGRAM:
        return f"{planned.entry.path}: {reason.text}", ""
    return reason.text, ""
