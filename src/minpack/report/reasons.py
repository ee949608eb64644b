"""The bytes for each reason as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.excerpt import few, shorten
from minpack.plan.reasons import sizes_by_reason
from minpack.report.human import human

if TYPE_CHECKING:
    from minpack.plan.model import Plan

#: More are in the JSON document.
_MOST = 20


def reason_lines(plan: Plan) -> list[str]:
    """A line for each reason, the largest first, with the option that leaves out what it brings."""
    found = sizes_by_reason(plan)
    lines = [f"{human(one.size):>10}  {shorten(one.text)}{_more(one.files, one.option)}" for one in found]
    return ["bytes by reason:", *few(lines, _MOST, f"{'':>10}  and {{}} more")] if lines else []


def _more(files: int, option: str) -> str:
    parts = [*([f"{files} files"] if files > 1 else []), *([f"{option} leaves it out"] if option else [])]
    return f" ({', '.join(parts)})" if parts else ""
