"""docs/field.md: the table of outcomes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from field.root import cache
from field.trial import Outcome, Trial

if TYPE_CHECKING:
    from collections.abc import Sequence

_MEANING = {
    Outcome.WORKS: "packed with defaults, it passes its smoke tests in the image",
    Outcome.TOLD: "it does not, but what it lacks was named with an option; packed with all options printed it passes",
    Outcome.SILENT: "it does not, and nothing that was printed helps",
    Outcome.REFUSED_RIGHTLY: "minpack does not pack it, and cannot",
    Outcome.REFUSED_WRONGLY: "minpack does not pack it, and what was printed does not help",
    Outcome.HOST_FAILS: "the smoke test fails on the host too: a fault of the table",
    Outcome.NOT_BUILT: "its tools or what they fetch could not be had",
}
_HEAD = """\
# Programs from the field

Real programs, packed with defaults and tried: each passes its smoke tests on the host, and then, or not, in the root of
its image, as the image's user and without a network. `make field` makes this page;
[its table](../tests/field/programs.jsonl) has the programs and their smoke tests.

It takes root, debootstrap and apt: the programs are installed, or built, in a root file system of Debian 12 kept in
`~/.cache/minpack-field`, and packed with that root as `--base` where the table names no other.
`make field ARGS='--base debian-12'` packs Debian's programs among them from Debian's packages alone.

"""


def page(trials: Sequence[Trial]) -> str:
    """The page about these trials."""
    counts = Counter(trial.outcome for trial in trials)
    lines = ["| outcome | programs | meaning |", "|---|---|---|"]
    lines += [f"| {outcome} | {counts[outcome]} | {_MEANING[outcome]} |" for outcome in Outcome if counts[outcome]]
    languages = len({trial.row.language for trial in trials})
    working = [trial for trial in trials if trial.outcome is Outcome.WORKS]
    told = sum(trial.unpacked for trial in working) / max(1, len(working))
    lines += [
        "",
        f"{len(trials)} programs of {languages} languages and runtimes. Of each that works with defaults, the",
    ]
    lines += [f"summary has {told:.1f} lines on average about files that are not packed.", ""]
    lines += ["| program | language | outcome | options that were printed |", "|---|---|---|---|"]
    lines += [_line(trial) for trial in trials]
    return _HEAD + "\n".join(lines) + "\n"


def _line(trial: Trial) -> str:
    printed = " ".join(trial.options).replace(str(cache()), "~/.cache/minpack-field")
    options = f"`{printed}`" if printed and trial.outcome is Outcome.TOLD else ""
    return f"| {trial.row.name} | {trial.row.language} | {trial.outcome} | {options} |"
