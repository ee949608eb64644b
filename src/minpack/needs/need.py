"""`Need` and what was decided of it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from minpack.errors import UsageError


class Need(StrEnum):
    """Something of a root file system that a program may need at run time."""

    CERTS = "certs"
    TZ = "tz"
    TMP = "tmp"
    PASSWD = "passwd"  # noqa: S105 - the file
    GROUP = "group"
    NSSWITCH = "nsswitch"
    HOME = "home"
    OS_RELEASE = "os-release"


class Verdict(StrEnum):
    """How sure it is that a program needs something; a closed list, used in JSON."""

    REQUIRED = "required"
    LIKELY = "likely"
    OPTIONAL = "optional"
    MAYBE = "maybe"
    RUNTIME = "provided by the runtime"
    NOT_NEEDED = "not needed"


class Decision(NamedTuple):
    """Whether something is packed, and what speaks for it."""

    need: Need
    verdict: Verdict
    packed: bool
    evidence: tuple[str, ...]


def parse_need(text: str, option: str) -> Need:
    """The need of that name.

    :raises UsageError: there is none.
    """
    try:
        return Need(text)
    except ValueError as error:
        raise UsageError(option, text, "there is no such need", f"choose from {', '.join(Need)}") from error


#: What costs next to nothing and is always there; the costly ones by verdict.
_CHEAP = {
    Need.TMP: "costs nothing, and many programs write temporary files",
    Need.PASSWD: "costs nothing, and programs look up their user",
    Need.GROUP: "costs nothing, and programs look up their group",
    Need.HOME: "the user's home directory",
    Need.OS_RELEASE: "tells scanners which distribution the libraries are from",
}


def decide(
    *, wanted: frozenset[Need], unwanted: frozenset[Need], zone: str | None, glibc: bool
) -> tuple[Decision, ...]:
    """What is packed by default, changed by what the user said with --need, --no-need and --tz."""
    decisions = [
        Decision(Need.CERTS, Verdict.MAYBE, True, ("packed unless --no-need certs",)),
        Decision(Need.TZ, Verdict.MAYBE, False, ("left out unless --need tz or --tz ZONE",)),
        *(Decision(need, Verdict.OPTIONAL, True, (why,)) for need, why in _CHEAP.items()),
        Decision(
            Need.NSSWITCH,
            Verdict.OPTIONAL if glibc else Verdict.NOT_NEEDED,
            glibc,
            ("glibc reads it" if glibc else "only glibc reads it",),
        ),
    ]
    return tuple(_said(decision, wanted, unwanted, zone) for decision in decisions)


def _said(decision: Decision, wanted: frozenset[Need], unwanted: frozenset[Need], zone: str | None) -> Decision:
    need = decision.need
    if need in unwanted:
        return Decision(need, Verdict.NOT_NEEDED, False, (f"--no-need {need}",))
    if need is Need.TZ and zone is not None:
        return Decision(need, Verdict.REQUIRED, True, (f"--tz {zone}",))
    if need in wanted:
        return Decision(need, Verdict.REQUIRED, True, (f"--need {need}",))
    return decision
