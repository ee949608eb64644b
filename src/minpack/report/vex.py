"""What `minpack vex` found, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minpack.excerpt import few, listed
from minpack.report.allowance import Allowance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.images.vex import Presence, VexResult

#: The most lines of either kind.
_MOST = 20


def vex_document(result: VexResult, path: str | None) -> dict[str, Any]:
    """``minpack.vex/1``: what is said of the image, and what is not because a file is there."""
    rows = Allowance()
    document = {
        "schema": "minpack.vex/1",
        "image": result.name,
        "statements": rows.rows(
            result.facts.absences,
            lambda one: {
                "vulnerability": one.vulnerability,
                "status": "not_affected",
                "paths": list(one.paths),
                "products": list(one.products),
            },
        ),
        "present": rows.rows(result.present, lambda one: {**one._asdict(), "found": str(one.found)}),
        "output": path,
    }
    return {**document, "left_out": rows.left_out}


def vex_lines(result: VexResult, path: str | None) -> list[str]:
    """What is said of the image, and what is not and why."""
    absent = [f"  not affected  {one.vulnerability}: {_absent(one.paths)}" for one in result.facts.absences]
    present = [f"  not claimed   {line}" for line in present_lines(result)]
    return [
        result.name,
        *few(absent, _MOST, "  and {} more"),
        *few(present, _MOST, "  and {} more"),
        *(["", f"wrote {path}"] if path is not None else []),
    ]


def present_lines(result: VexResult) -> Iterator[str]:
    """Why nothing is said of a vulnerability: a line for each image that has a file of it."""
    several = len({one.platform for one in result.present}) > 1
    for one in result.present:
        yield f"{one.vulnerability}: {_where(one)}" + (f" ({one.platform})" if several else "")


def _absent(paths: tuple[str, ...]) -> str:
    return f"{listed(paths, 2)} is not in the image" if len(paths) == 1 else f"none of {listed(paths, 2)} is there"


def _where(one: Presence) -> str:
    return f"{one.found} is there" + (f", which {one.path} may mean" if one.found != one.path else "")
