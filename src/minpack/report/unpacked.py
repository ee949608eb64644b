"""What the files of an image have the paths of and is not packed, as text. Nothing is printed here."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from minpack.excerpt import shorten
from minpack.paths import RootPath, name
from minpack.report.human import human

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minpack.plan.unpacked import Unpacked

#: More are counted; -v shows all.
MOST_STRONG, MOST_WEAK = 8, 200


def unpacked_lines(found: Sequence[Unpacked], *, verbose: bool) -> list[str]:
    """The findings with the options that pack them: the strong ones, and where asked for the weak."""
    strong = [one for one in found if one.strong]
    weak = [one for one in found if not one.strong] if verbose else []
    lines: list[str] = []
    if strong:
        shown = strong if verbose else strong[:MOST_STRONG]
        lines += ["", *_blocks(shown, "not packed, but {} contains {}:"), _all_of(strong, len(shown), verbose=verbose)]
    if weak:
        lines += ["", *_blocks(weak[:MOST_WEAK], "not packed; {} contains {} (weak evidence):")]
        lines += [f"    and {len(weak) - MOST_WEAK} more"] if len(weak) > MOST_WEAK else []
    return lines


def _blocks(found: Sequence[Unpacked], head: str) -> Iterator[str]:
    rows = {one.path: _row(one) for one in found}
    first = max(len(shorten(path)) for path in rows)
    second = max(map(len, rows.values()))
    for needed_by, group in groupby(found, lambda one: one.needed_by):
        members = list(group)
        paths = "these paths" if len(members) > 1 else "this path"
        yield "  " + head.format(shorten(name(RootPath(needed_by))), paths)
        for one in members:
            yield f"    {shorten(one.path):<{first}}  {rows[one.path]:<{second}}  {one.option}"


def _row(one: Unpacked) -> str:
    """What is there: ``programs, 51 files of package git, 23.5 MB``."""
    files = f"{one.files} file{'s' if one.files > 1 else ''}"
    owner = f" of package {shorten(one.package)}" if one.package else ""
    owner += " and others" if one.shared else ""
    return f"{one.kind}, {files}{owner}, {human(one.size)}"


def _all_of(strong: Sequence[Unpacked], shown: int, *, verbose: bool) -> str:
    """How all of them are packed at once."""
    what = {1: "it with what it needs", 2: "both with what they need"}.get(
        len(strong), f"all {len(strong)} with what they need"
    )
    nobodys = sum(one.unowned for one in strong)
    if nobodys:
        what += f", but not the {nobodys} file{'s' if nobodys > 1 else ''} that no package owns"
    more = "" if verbose else "; -v lists weaker ones" if shown == len(strong) else "; -v lists the others"
    places = dict.fromkeys(f"--dest {one.place} " for one in strong if one.place)
    return f"  {''.join(places)}--take strong packs {what}{more}"
