"""Needs as text: a line for each, and who calls for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.excerpt import few, listed, shorten
from minpack.needs.decide import MEANING
from minpack.needs.need import Need, Seen, Verdict
from minpack.report.human import human

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from minpack.needs.need import Caller, Decision
    from minpack.plan.model import Plan

#: Needs that have a line of their own even if nothing asks for them: users look for what is said of them.
ALWAYS = (Need.CERTS, Need.TZ)
#: What is always there and told among the small files.
SMALL = frozenset((Need.TMP, Need.PASSWD, Need.GROUP, Need.NSSWITCH, Need.HOME, Need.OS_RELEASE))
#: What packs a need, where that is not --need alone.
OPTIONS = {Need.TZ: "--need tz or --tz ZONE", Need.LOCALE: "--locale C.UTF-8"}
#: More evidence, and more callers, are told by -v alone, and even there not more than a person reads.
MOST, MOST_VERBOSE = 2, 100


def need_costs(plan: Plan) -> dict[Need, int]:
    """The bytes of files that each need brought."""
    costs: dict[Need, int] = {}
    for planned in plan.written:
        if planned.reason.need:
            need = Need(planned.reason.need)
            costs[need] = costs.get(need, 0) + planned.entry.size
    return costs


def why(decision: Decision, *, verbose: bool = False) -> str:
    """What decided: the option, else the evidence, the first of it unless `verbose`."""
    if decision.said and decision.packed:
        return decision.said
    texts = dict.fromkeys(evidence.text for evidence in decision.evidence)
    meaning = MEANING.get((decision.need, decision.verdict), "")
    text = listed(texts, MOST_VERBOSE if verbose else MOST, "; ") + (f": {meaning}" if meaning else "")
    return f"{text} ({decision.said})" if decision.said else text


def left_out(decisions: Sequence[Decision], *, verbose: bool = False) -> Iterator[str]:
    """What is not packed although something asks for it, and what users look for, each with the reason.

    What is merely optional is named alone unless `verbose`.
    """
    optional = []
    texts: dict[str, list[str]] = {}
    for decision in decisions:
        if decision.packed or not (decision.verdict.asks or decision.need in ALWAYS):
            continue
        if decision.verdict is Verdict.OPTIONAL and decision.need not in ALWAYS and not (verbose or decision.said):
            optional.append(str(decision.need))
            continue
        texts.setdefault(why(decision, verbose=verbose), []).append(str(decision.need))
    for text, needs in texts.items():
        said = any(decision.said and decision.need in needs for decision in decisions)
        yield f"{', '.join(needs)}: {text}" + ("" if said else f" ({_packing(needs)})")
    if optional:
        yield f"{', '.join(optional)}: optional (-v shows why; {_packing(optional)})"


def _packing(needs: Sequence[str]) -> str:
    """What packs these."""
    if len(needs) == 1:
        return f"add with {OPTIONS.get(Need(needs[0]), f'--need {needs[0]}')}"
    return f"add with {' '.join(f'--need {need}' for need in needs)}"


def caller_lines(decisions: Sequence[Decision], *, verbose: bool = False) -> list[str]:
    """``need  function <- caller``, the callers nearest to the program's own code first."""
    lines = []
    for decision in decisions:
        shown = decision.callers if verbose else _few(decision.callers)
        lines += few((f"  {decision.need:<12} {_call(caller)}" for caller in shown), MOST_VERBOSE, "  and {} more")
    return lines


def _few(callers: Sequence[Caller]) -> tuple[Caller, ...]:
    """The first callers of each function."""
    counts: dict[str, int] = {}
    kept = []
    for caller in callers:
        counts[caller.target] = counts.get(caller.target, 0) + 1
        if counts[caller.target] <= MOST:
            kept.append(caller)
    return tuple(kept)


def _call(caller: Caller) -> str:
    arguments = listed(f'"{text}"' for text in caller.arguments)
    target = f"{shorten(caller.target)}({arguments})" if arguments else caller.target
    return listed((target, *caller.via, caller.name), MOST_VERBOSE, " <- ")


def need_rows(decisions: Sequence[Decision], costs: Mapping[Need, int]) -> list[str]:
    """A table of need, verdict, what is packed by itself and at what cost, and the evidence."""
    rows = [("need", "verdict", "packed", "cost", "evidence")]
    for decision in decisions:
        by_default = all(evidence.kind is Seen.DEFAULT for evidence in decision.evidence)
        if by_default and (decision.need in SMALL or decision.need not in ALWAYS):
            continue
        cost = human(costs[decision.need]) if decision.need in costs else ""
        packed = "yes" if decision.packed else "no"
        rows.append((decision.need, decision.verdict, packed, cost, why(decision)))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return ["  ".join((*(f"{row[n]:<{widths[n]}}" for n in range(4)), row[4])).rstrip() for row in rows]
