"""Which time zones a Go program loads, if it names them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.needs.golang.arguments import Arguments
from minpack.needs.golang.calls import calls_of, is_referenced
from minpack.needs.golang.code import entries_of, read_code

if TYPE_CHECKING:
    from minpack.needs.binary import Binary
    from minpack.needs.golang.functions import FunctionTable

LOAD = b"time.LoadLocation"
#: A program that names more loads them by a table, and may load others; so may one that has more calls.
MAX_ZONES, MAX_CALLS = 16, 10_000


def constant_zones(binary: Binary, table: FunctionTable, name_at: int) -> tuple[str, ...] | None:
    """The names with which `time.LoadLocation` is called, if all its calls are seen and each names one.

    None too for machines other than x86-64 and arm64, and if the function is kept in a variable.

    :param name_at: where the function's own name is in the table of names.
    """
    code = read_code(binary, table)
    index = entries_of(binary, table, code, {LOAD: name_at}).get(LOAD) if code is not None else None
    if code is None or index is None:
        return None
    entry = code.entries[index]
    zones: set[str] = set()
    arguments = Arguments(binary, code)
    for count, site in enumerate(calls_of(binary, code, frozenset((entry,)))):
        zone = arguments.text(site) if count < MAX_CALLS else None
        if zone is None or len(zones) >= MAX_ZONES:
            return None
        zones.add(zone)
    if not zones or is_referenced(binary, code.base + entry):
        return None
    return tuple(sorted(zones))
