"""What differs between two images, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minpack.excerpt import shorten
from minpack.report.allowance import Allowance
from minpack.report.human import growth, human

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.images.diff import ImageDiff, PathChange, Side
    from minpack.images.elf_diff import ValueChange

#: Of each kind of thing so many are shown, unless all are asked for; of an ELF file so many differences.
MOST_ROWS, MOST_ELF = 20, 6
_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def diff_document(found: ImageDiff) -> dict[str, Any]:
    """``minpack.diff/1``."""
    allowance = Allowance()
    document = {
        "schema": "minpack.diff/1",
        "equal": found.is_equal,
        "before": _side(found.before),
        "after": _side(found.after),
        "shared_layers": list(found.shared),
        "packages": allowance.rows(found.packages, _change),
        "config": allowance.rows(found.config, _change),
        "files": allowance.rows(found.files, _file),
    }
    return {**document, "left_out": allowance.left_out}


def _side(side: Side) -> dict[str, Any]:
    return {
        "name": side.name,
        "platform": side.platform,
        "digest": side.digest or None,
        "size": side.packed,
        "unpacked_size": side.unpacked,
        "layers": list(side.layers),
    }


def _change(change: ValueChange) -> dict[str, Any]:
    return {"name": change.what, "before": change.before or None, "after": change.after or None}


def _file(file: PathChange) -> dict[str, Any]:
    return {
        "path": file.path,
        "kind": file.kind,
        "type": file.type,
        "before": file.before,
        "after": file.after,
        "package": file.package or None,
        "changes": [_change(change) for change in file.changes],
        "elf": [_change(change) for change in file.elf],
    }


def diff_lines(found: ImageDiff, *, verbose: bool) -> list[str]:
    """The sizes, then packages, configuration and files; of many a few, unless `verbose`."""
    head = [f"{shorten(found.before.name)} -> {shorten(found.after.name)}  {found.after.platform}"]
    if found.is_equal:
        head[0] += ": equal"
    lines = [*head, *_sizes(found)]
    most = None if verbose else MOST_ROWS
    for title, rows in (("packages", found.packages), ("config", found.config)):
        if rows:
            lines += ["", f"  {title}", *_few([f"    {_sentence(one)}" for one in rows], most)]
    if found.files:
        counts = {kind: sum(one.kind == kind for one in found.files) for kind in _SIGNS}
        told = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
        shown = found.files if verbose else found.files[:MOST_ROWS]
        lines += ["", f"  files        {told}"]
        lines += [line for one in shown for line in _file_lines(one, verbose=verbose)]
        left = len(found.files) - len(shown)
        lines += [f"    and {left} more (-v shows them)"] if left else []
    return lines


def _sizes(found: ImageDiff) -> list[str]:
    before, after = found.before, found.after
    if before.packed is None or after.packed is None or before.unpacked is None or after.unpacked is None:
        return []
    rows = (("packed", before.packed, after.packed), ("unpacked", before.unpacked, after.unpacked))
    lines = [f"  {name:<12} {human(one)} -> {human(other)}{_growth(one, other)}" for name, one, other in rows]
    count = len(after.layers)
    return [*lines, f"  {'layers':<12} {len(found.shared)} of {count} shared"]


def _growth(before: int, after: int) -> str:
    return f" ({growth(before, after)})" if before != after else ""


def _sentence(change: ValueChange) -> str:
    before, after = (shorten(text) for text in (change.before, change.after))
    if not change.before:
        return f"+ {shorten(change.what)} {after}"
    if not change.after:
        return f"- {shorten(change.what)} {before}"
    return f"~ {shorten(change.what)} {before} -> {after}"


def _few(lines: Sequence[str], most: int | None) -> list[str]:
    if most is None or len(lines) <= most:
        return list(lines)
    return [*lines[:most], f"    and {len(lines) - most} more (-v shows them)"]


def _file_lines(file: PathChange, *, verbose: bool) -> list[str]:
    sizes = [human(size) for size in (file.before, file.after) if size is not None]
    size = f"  {' -> '.join(dict.fromkeys(sizes))}" if file.type == "file" else ""
    slash = "/" if file.type == "directory" else ""
    package = f"  [{file.package}]" if file.package else ""
    # Sums are for programs: people see the sizes.
    told = [change.what if change.what == "content" else _plain(change) for change in file.changes]
    what = f"  {', '.join(told)}" if told else ""
    lines = [f"    {_SIGNS[file.kind]} {shorten(file.path)}{slash}{size}{what}{package}"]
    elf = [f"        {_plain(change)}" for change in file.elf]
    shown = elf if verbose else elf[:MOST_ELF]
    left = len(elf) - len(shown)
    return [*lines, *shown, *([f"        and {left} more (-v)"] if left else [])]


def _plain(change: ValueChange) -> str:
    return f"{change.what} {shorten(change.before) or 'none'} -> {shorten(change.after) or 'none'}"
