"""The data that programs of an image ask for and the image lacks: what `minpack` would pack with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.elf.format import MAGIC
from minpack.errors import MinpackError
from minpack.images.finding import Finding, Severity
from minpack.ld.resolve import resolve_closure
from minpack.namedtuple import NamedTuple
from minpack.needs.decide import WITHOUT, NeedOptions, decide
from minpack.needs.detect import find_needs
from minpack.needs.environment import locale_of, zone_of
from minpack.needs.findings import Findings
from minpack.needs.need import Need, Verdict
from minpack.plan.any_user import NO_LINE, is_any_user
from minpack.plan.permissions import is_writable
from minpack.provision.places import BUNDLES, DATABASES, ZONEINFO
from minpack.rootfs.entry import Kind
from minpack.spec.image import SHELL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.base.walk import Walker
    from minpack.images.start import StartCheck, Started
    from minpack.images.users import ImageUser
    from minpack.ld.closure import Closure
    from minpack.needs.need import Decision
    from minpack.rootfs.entry import Entry

#: What starts other programs: what it asks for itself says nothing of what the image is for.
_LAUNCHERS = frozenset(("env", "sh", "bash", "dash", "ash", "busybox", "tini", "dumb-init", "docker-init", "catatonit"))
_FILES = {Need.PASSWD: "/etc/passwd", Need.GROUP: "/etc/group", Need.NSSWITCH: "/etc/nsswitch.conf"}
_LEVELS = {Verdict.REQUIRED: Severity.WARNING, Verdict.LIKELY: Severity.WARNING, Verdict.MAYBE: Severity.NOTE}
_CODES = {Need.TMP: "tmp", Need.HOME: "home"}


class SeenNeeds(NamedTuple):
    """What the programs of an image ask for: their closures, what was read of them, and a decision for each need."""

    closures: tuple[Closure, ...] = ()
    findings: Findings = Findings()
    decisions: tuple[Decision, ...] = ()


def find_image_needs(check: StartCheck, started: Started) -> SeenNeeds:
    """What the programs that start ask for; nothing where no program is, or one is damaged."""
    closures = tuple(_closures(check.start.tree, started))
    if not closures:
        return SeenNeeds()
    try:
        findings = find_needs(closures, check.symbols)
    except MinpackError:
        # What a damaged table hides nobody knows; that the program starts is proved by others.
        return SeenNeeds(closures)
    glibc = any(closure.libc == "glibc" for closure in closures)
    return SeenNeeds(closures, findings, decide(findings, NeedOptions(env=check.start.config.env), glibc=glibc))


def check_needs(seen: SeenNeeds, check: StartCheck, user: ImageUser) -> Iterator[Finding]:
    """What the programs ask for that pack brings, and the image lacks."""
    for decision in seen.decisions:
        level = Severity.WARNING if decision.said else _LEVELS.get(decision.verdict)
        if level is None or not decision.packed:
            continue
        lacking = _lacking(decision, seen.findings, check, user)
        if lacking:
            yield _finding(decision, level, lacking)


def _closures(tree: Walker, started: Started) -> Iterator[Closure]:
    """The closure of each program that is not there to start another."""
    known = {closure.program.entry.path: closure for closure in started.closures}
    for entry in started.files:
        if entry.path.rpartition("/")[2] in _LAUNCHERS or not _is_elf(entry):
            continue
        yield known[entry.path] if entry.path in known else resolve_closure(tree, entry.path)


def _is_elf(entry: Entry) -> bool:
    if entry.content is None:
        return False
    with entry.content.open() as reader:
        return reader.read_at(0, len(MAGIC)) == MAGIC


def _finding(decision: Decision, level: Severity, lacking: str) -> Finding:
    without = WITHOUT.get(decision.need)
    why = f"{decision.said} asks for it" if decision.said else decision.why
    reason = f"{lacking} ({why})" + (f": without it, {without}" if without else "")
    return Finding(_CODES.get(decision.need, "need"), level, str(decision.need), reason, _HINT.get(decision.need, _ADD))


_ADD = "add it to the image"
_HINT = {
    Need.CERTS: "add a CA bundle (Debian and Alpine: ca-certificates), or name one in SSL_CERT_FILE",
    Need.TZ: "add time zones (Debian and Alpine: tzdata)",
    Need.TMP: "add /tmp with mode 1777",
    Need.HOME: "add that directory, owned by the user, or set HOME",
    Need.SHELL: "add a shell (busybox)",
}


def _lacking(decision: Decision, findings: Findings, check: StartCheck, user: ImageUser) -> str:
    """What is not there, as the beginning of a sentence; empty if all is."""
    tree, need = check.start.tree, decision.need
    env = dict(check.start.config.env)
    if need is Need.PASSWD and is_any_user(user.user):
        return NO_LINE
    if need in _FILES:
        return "" if tree.find_file(_FILES[need]) else f"{_FILES[need]} is not in the image"
    if need is Need.CERTS:
        return _without_certs(tree, env, findings)
    if need is Need.TZ:
        return _without_zones(tree, zone_of(env), findings)
    if need is Need.TMP:
        return "" if is_writable(tree, "/tmp", user.user) else f"{user.user} cannot write to /tmp"  # noqa: S108 - the image's
    if need is Need.HOME:
        home = env.get("HOME", user.home)
        return "" if is_writable(tree, home, user.user) else f"{user.user} cannot write to its home directory {home!r}"
    if need is Need.LOCALE:
        return _without_locale(tree, locale_of(env))
    if need is Need.SHELL:
        return "" if tree.find_file(SHELL) else f"{SHELL} is not in the image"
    places = DATABASES[need].places if need in DATABASES else ()
    there = not places or any(tree.walk(path).entry for path in places)
    return "" if there else f"{DATABASES[need].name} is not in the image"


def _without_certs(tree: Walker, env: dict[str, str], findings: Findings) -> str:
    named = [*env.get("SSL_CERT_FILE", "").split(), *env.get("SSL_CERT_DIR", "").split(":")]
    inside = [f"{directory}/cert.pem" for directory in findings.openssl]
    if any(tree.walk(path).entry for path in (*filter(None, named), *inside, *BUNDLES)):
        return ""
    return "no CA certificates are in the image"


def _without_zones(tree: Walker, named: str | None, findings: Findings) -> str:
    directory = tree.walk(ZONEINFO).entry
    if directory is None or directory.kind is not Kind.DIRECTORY or not tree.base.listdir(directory.path):
        return "no time zones are in the image"
    missing = [zone for zone in (named, *(findings.zones or ())) if zone and not tree.walk(f"{ZONEINFO}/{zone}").entry]
    return f"the time zone {missing[0]} is not in the image" if missing else ""


def _without_locale(tree: Walker, named: tuple[str, str] | None) -> str:
    if named is None:
        return ""
    language, dot, charset = named[1].partition(".")
    names = (named[1], f"{language}{dot}{charset.lower().replace('-', '')}")
    places = ("/usr/lib/locale/locale-archive", *(f"/usr/lib/locale/{name}" for name in names))
    return "" if any(tree.walk(path).entry for path in places) else f"the locale {named[1]} is not in the image"
