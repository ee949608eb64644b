"""What `minpack trace` found, as text and as JSON."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from minpack.excerpt import few, listed, shorten
from minpack.report.allowance import Allowance
from minpack.report.human import human

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from minpack.rootfs.entry import Entry
    from minpack.strace.access import Access, Connection
    from minpack.tracing.trace import MissingFile, Traced

#: Of each kind of thing so many are shown, unless all are asked for; and of -v so many.
MOST_ROWS, MOST_VERBOSE = 8, 2000


def trace_document(found: Traced, command: Sequence[str]) -> dict[str, Any]:
    """``minpack.trace/1``.

    :param command: the words that pack what was found.
    """
    allowance = Allowance()
    observed = found.observed
    document = {
        "schema": "minpack.trace/1",
        "program": found.program,
        "base": found.base,
        "runs": [{"exit_code": code} for code in found.codes],
        "timed_out": found.timed_out,
        "processes": found.processes,
        "options": list(found.options.words),
        "command": list(command),
        "packed": allowance.rows(found.packed, _path),
        "missing": allowance.rows(found.missing, _missing),
        "absent": allowance.rows(found.absent, _path),
        "unused": allowance.rows(found.unused, _unused),
        "executed": allowance.rows(found.executed, _path),
        "connections": allowance.rows(found.connections, _connection),
        "listed": allowance.rows(observed.listed, _path),
        "refused": allowance.rows(observed.refused, _refused),
        "written": allowance.rows(observed.written, _path),
        "own": allowance.rows(observed.own, _path),
        "machine": allowance.rows(observed.machine, _path),
        "kernel": observed.kernel,
        "notes": list(found.notes),
    }
    return {**document, "left_out": allowance.left_out}


def _path(path: str) -> dict[str, Any]:
    return {"path": path}


def _missing(one: MissingFile) -> dict[str, Any]:
    return {
        "path": one.path,
        "file": one.real,
        "uses": [str(use) for use in one.uses],
        "size": one.size,
        "package": one.package or None,
        "option": one.option or None,
        "reason": one.reason or None,
    }


def _unused(entry: Entry) -> dict[str, Any]:
    return {"path": entry.path, "size": entry.size}


def _connection(one: Connection) -> dict[str, Any]:
    return {"family": one.family, "address": one.address, "bound": one.bound, "error": one.error or None}


def _refused(one: Access) -> dict[str, Any]:
    return {"path": one.path, "use": str(one.use), "error": one.error}


def trace_lines(found: Traced, command: Sequence[str], *, verbose: bool) -> list[str]:
    """What was opened and is packed or not, then the rest, and the command that packs all of it at the end.

    :param command: none where it is told otherwise.
    """
    most = MOST_VERBOSE if verbose else MOST_ROWS
    packed, missing = len(found.packed), len(found.missing)
    lines = [
        f"program      {shorten(found.program)}",
        f"ran          {_ran(found)}",
        f"opened       {_files(packed + missing)}: {packed} packed, {missing} not packed",
    ]
    if verbose:
        lines += few((f"  {shorten(path)}" for path in found.packed), most)
    lines += _missing_lines(found.missing, verbose=verbose)
    lines += _other_lines(found, verbose=verbose)
    return [*lines, "", *_command_lines(found, command)]


def _ran(found: Traced) -> str:
    ended = f"exited with {', '.join(map(str, found.codes))}" if found.codes else "elsewhere"
    if found.timed_out:
        ended = "stopped at its time limit"
    return f"{ended}, {found.processes} process{'es and threads' if found.processes != 1 else ''}"


def _missing_lines(missing: Sequence[MissingFile], *, verbose: bool) -> list[str]:
    """What is not packed, by package and option."""
    if not missing:
        return []
    groups: dict[tuple[str, str, str], list[MissingFile]] = {}
    for one in missing:
        groups.setdefault((one.package, one.option, one.reason), []).append(one)
    rows = [
        (_owned(members, package), option or _without(reason))
        for (package, option, reason), members in sorted(groups.items())
    ]
    width = min(max(len(first) for first, _ in rows), 60)
    lines = ["", "not packed:"]
    for (first, second), members in zip(rows, (groups[key] for key in sorted(groups)), strict=True):
        lines.append(f"  {first:<{width}}  {shorten(second)}")
        if verbose:
            lines += few((f"    {shorten(one.path)}  {', '.join(one.uses)}" for one in members), MOST_VERBOSE)
    return lines


def _owned(members: Sequence[MissingFile], package: str) -> str:
    owner = f"of package {shorten(package)}" if package else "of no package"
    size = sum({one.real: one.size for one in members}.values())
    return f"{_files(len({one.real for one in members}))} {owner}, {human(size)}"


def _without(reason: str) -> str:
    return f"is not taken: it {reason}" if reason else "is packed with the others"


def _other_lines(found: Traced, *, verbose: bool) -> Iterator[str]:
    """All that no option follows from."""
    observed = found.observed
    unused = sum(entry.size for entry in found.unused)
    texts = {
        "executed": found.executed,
        "connected": [_end(one) for one in found.connections],
        "refused": [f"{one.path} ({one.error})" for one in observed.refused],
        "absent": found.absent,
        "written": observed.written,
        "own data": observed.own,
        "machine": observed.machine,
    }
    yield ""
    for title, rows in texts.items():
        if rows:
            yield from _rows(title, rows, verbose=verbose)
    if observed.kernel:
        yield f"{'kernel':<13}{observed.kernel} path{'s' if observed.kernel != 1 else ''} in /proc, /sys and /dev"
    if found.unused:
        yield f"{'never opened':<13}{_files(len(found.unused))} of the image, {human(unused)}; they stay in it"
        if verbose:
            yield from few((f"  {shorten(entry.path)}  {human(entry.size)}" for entry in found.unused), MOST_VERBOSE)


def _rows(title: str, rows: Sequence[str], *, verbose: bool) -> Iterator[str]:
    if verbose:
        yield f"{title:<13}{len(rows)}"
        yield from few((f"  {shorten(row)}" for row in rows), MOST_VERBOSE)
    elif len(rows) <= 2:  # noqa: PLR2004 - they fit a line
        yield f"{title:<13}{listed(rows)}"
    else:
        yield f"{title:<13}{len(rows)}: {listed(rows, 2)}"


def _end(one: Connection) -> str:
    verb = "bound to " if one.bound else ""
    return f"{verb}{one.family} {one.address}{f' ({one.error})' if one.error else ''}"


def _files(count: int) -> str:
    return f"{count} file{'s' if count != 1 else ''}"


def _command_lines(found: Traced, command: Sequence[str]) -> Iterable[str]:
    if not found.options.words:
        yield "the image has everything that was opened"
        return
    if not command:
        return
    yield "to pack these files too:"
    yield f"  {shlex.join(command)}"
