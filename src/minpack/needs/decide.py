"""From what was seen, and what the user says, to what is packed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.needs.need import Decision, Evidence, Need, Seen, Signal, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minpack.needs.findings import Findings

#: What costs next to nothing and is always there; the rest by verdict.
CHEAP = {
    Need.TMP: "costs nothing, and many programs write temporary files",
    Need.PASSWD: "costs nothing, and programs look up their user",
    Need.GROUP: "costs nothing, and programs look up their group",
    Need.HOME: "the user's home directory",
    Need.OS_RELEASE: "tells scanners which distribution the libraries are from",
}
#: What is packed by a verdict of this rank or more; the rest only if the user says so.
_PACKED_FROM = {
    Need.CERTS: Verdict.MAYBE,
    Need.TZ: Verdict.MAYBE,
    Need.SERVICES: Verdict.LIKELY,
    Need.PROTOCOLS: Verdict.LIKELY,
    Need.TERMINFO: Verdict.LIKELY,
    Need.LOCALE: Verdict.REQUIRED,
}
#: What to know of a verdict besides what was seen.
MEANING = {
    (Need.TZ, Verdict.OPTIONAL): "read only if TZ is set",
    (Need.LOCALE, Verdict.OPTIONAL): "read only if LANG or LC_ALL is set",
    (Need.LOCALE, Verdict.LIKELY): "glibc has only C and POSIX built in",
    (Need.GCONV, Verdict.OPTIONAL): "ASCII, UTF-8, UCS-2 and UCS-4 work without",
    (Need.MIME, Verdict.OPTIONAL): "Go has the common types built in",
    (Need.SERVICES, Verdict.OPTIONAL): "read only to look up services by name",
    (Need.SHELL, Verdict.OPTIONAL): "it may start other programs",
    (Need.SHELL, Verdict.LIKELY): "it may start /bin/sh",
    (Need.SHELL, Verdict.MAYBE): "it may start /bin/sh",
}
#: What the program does without something that it needs, as it was seen in empty containers.
WITHOUT = {
    Need.CERTS: "certificate signed by unknown authority, or the like",
    Need.TZ: "unknown time zone, or UTC without a warning",
    Need.TMP: "no such file or directory",
    Need.PASSWD: "no such user",
    Need.GROUP: "no such group",
    Need.SERVICES: "unknown port",
    Need.PROTOCOLS: "unknown protocol",
    Need.TERMINFO: "Error opening terminal",
    Need.SHELL: "sh: not found, or status 127",
    Need.LOCALE: "the C locale; C++ programs may abort",
    Need.GCONV: "a conversion fails",
}


class NeedOptions(NamedTuple):
    """What the user said: --need, --no-need, --tz, --locale, --ca-file, and the image's variables."""

    wanted: frozenset[Need] = frozenset()
    unwanted: frozenset[Need] = frozenset()
    zone: str | None = None
    locale: str | None = None
    ca_file: str | None = None
    env: tuple[tuple[str, str], ...] = ()


def decide(findings: Findings, wishes: NeedOptions, *, glibc: bool) -> tuple[Decision, ...]:
    """A decision for each need, in the order of `Need`: by what was seen, changed by what the user said.

    :param glibc: whether a program runs with glibc's loader.
    """
    by_need: dict[Need, list[Signal]] = {}
    for signal in findings.signals:
        by_need.setdefault(signal.need, []).append(signal)
    glibc = glibc or findings.static_libc == "glibc"
    decisions = (_seen(need, by_need.get(need, ()), glibc=glibc) for need in Need)
    if wishes.env:
        static = findings.static_libc == "glibc"
        decisions = (_set(decision, wishes, may_ask=static or decision.verdict.asks) for decision in decisions)
    return tuple(
        _said(decision, wishes)._replace(callers=findings.callers.get(decision.need, ())) for decision in decisions
    )


def _seen(need: Need, signals: Iterable[Signal], *, glibc: bool) -> Decision:
    """What the files say of one need: the strongest verdict, with all that speaks for it."""
    found = tuple(signals)
    if not found:
        return _unseen(need, glibc=glibc)
    verdict = max((signal.verdict for signal in found), key=lambda one: one.rank)
    evidence = tuple(dict.fromkeys(signal.evidence for signal in found if signal.verdict is verdict))
    if need in CHEAP or need is Need.NSSWITCH:
        return Decision(need, verdict, need in CHEAP or glibc or verdict is Verdict.REQUIRED, evidence)
    least = _PACKED_FROM.get(need)
    return Decision(need, verdict, least is not None and verdict.rank >= least.rank, evidence)


def _unseen(need: Need, *, glibc: bool) -> Decision:
    if need in CHEAP:
        return Decision(need, Verdict.OPTIONAL, True, (_default(CHEAP[need]),))
    if need is Need.NSSWITCH and glibc:
        return Decision(need, Verdict.OPTIONAL, True, (_default("glibc reads it"),))
    text = "only glibc reads it" if need is Need.NSSWITCH else "nothing in the files asks for it"
    return Decision(need, Verdict.NOT_NEEDED, False, (_default(text),))


def _default(text: str) -> Evidence:
    return Evidence(Seen.DEFAULT, "", "", text)


def _set(decision: Decision, wishes: NeedOptions, *, may_ask: bool) -> Decision:
    """The decision as a variable of the image has it: TZ names a zone, LANG and others a locale.

    :param may_ask: whether a program may read a locale that is not part of glibc.
    """
    if decision.need not in (Need.TZ, Need.LOCALE):
        return decision
    from minpack.needs.environment import locale_of, zone_of  # noqa: PLC0415 - where variables are set

    env = dict(wishes.env)
    if decision.need is Need.TZ and zone_of(env) is not None:
        return decision._replace(packed=True, said=f"-e TZ={env['TZ']}")
    if decision.need is Need.TZ and "TZ" in env and decision.verdict is Verdict.OPTIONAL:
        evidence = (_default(f"TZ is {env['TZ']!r}, for which no file is read"),)
        return decision._replace(verdict=Verdict.NOT_NEEDED, evidence=evidence)
    named = locale_of(env)
    if decision.need is Need.LOCALE and named is not None and may_ask:
        return decision._replace(packed=True, said=f"-e {named[0]}={named[1]}")
    return decision


def _said(decision: Decision, wishes: NeedOptions) -> Decision:
    need = decision.need
    if need in wishes.unwanted:
        return decision._replace(packed=False, said=f"--no-need {need}")
    option = {
        Need.TZ: f"--tz {wishes.zone}" if wishes.zone is not None else "",
        Need.LOCALE: f"--locale {wishes.locale}" if wishes.locale is not None else "",
        Need.CERTS: f"--ca-file {wishes.ca_file}" if wishes.ca_file is not None else "",
    }.get(need, "")
    if not option and need in wishes.wanted:
        option = f"--need {need}"
    return decision._replace(packed=True, said=option) if option else decision
