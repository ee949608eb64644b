"""Why each file of a finished image is there, in groups: what starts it, loads it, names it, or asks for its kind."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from minpack.errors import MinpackError
from minpack.images.lacks import SeenNeeds
from minpack.images.start import Started, run_arguments
from minpack.namedtuple import NamedTuple
from minpack.needs.need import Need
from minpack.paths import normal
from minpack.provision.places import BUNDLES, DATABASES, ZONEINFO
from minpack.reach.model import AskedAs
from minpack.resolve.closures import closure_with_late
from minpack.rootfs.entry import Kind
from minpack.spec.image import SHELL, ImageSpec, RunConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from minpack.base.walk import Walker
    from minpack.images.check import ExaminedTree
    from minpack.images.start import StartCheck
    from minpack.ld.closure import Closure, LoadedObject
    from minpack.needs.findings import Findings
    from minpack.needs.need import Decision
    from minpack.paths import RootPath
    from minpack.reach.model import Asked, Reach


class ReasonGroup(StrEnum):
    """What asks for a file; a closed list, used in JSON."""

    PROGRAM = "program"
    INTERPRETER = "interpreter"
    LIBRARY = "library"
    #: What a program or library opens while it runs.
    LATE = "opened later"
    NEED = "need"
    #: The configuration, or the text or constants of a file, names it or the directory that it lies in.
    NAMED = "named"
    #: What an interpreter may read: nobody can know.
    READABLE = "readable"
    #: What names the packages that files are from.
    DATABASE = "package database"
    #: A file of a package that nothing asks for.
    PACKAGE = "package"
    UNKNOWN = "unknown"


class FileReason(NamedTuple):
    """Why a file is there: what asks for it, and a clause about it; `need` is empty where it is for none."""

    group: ReasonGroup
    text: str
    need: str = ""

    @property
    def label(self) -> str:
        """What files with the same reason have in common, in a word or two."""
        return self.need or str(self.group)


class Running(NamedTuple):
    """What a container of the image runs: by entrypoint and health check, with what is opened later."""

    started: Started = Started()
    healthy: Started = Started()
    closures: tuple[Closure, ...] = ()
    needs: SeenNeeds = SeenNeeds()


#: What else is asked for is named somewhere.
_GROUPS = {
    AskedAs.PROGRAM: ReasonGroup.PROGRAM,
    AskedAs.LIBRARY: ReasonGroup.LIBRARY,
    AskedAs.NEED: ReasonGroup.NEED,
    AskedAs.INTERPRETER: ReasonGroup.READABLE,
    AskedAs.DATABASE: ReasonGroup.DATABASE,
}
_UNKNOWN = FileReason(ReasonGroup.UNKNOWN, "nothing in the image asks for it")
#: Debian's licences (Debian Policy, 12.5), which scanners read for lack of others.
_LICENSES = "/usr/share/doc/"
_LICENSE = FileReason(ReasonGroup.DATABASE, "the licence of a package")
#: What says which packages are installed (Alpine's, Debian's, and Debian's of images without dpkg).
_DATABASES = ("/lib/apk/db/", "/usr/lib/apk/db/", "/var/lib/dpkg/", "/etc/apk/")
_OF_NEEDS = {
    Need.CERTS: (*BUNDLES, "/etc/ssl/certs/", "/usr/share/ca-certificates/"),
    Need.TZ: (f"{ZONEINFO}/", "/etc/localtime"),
    Need.PASSWD: ("/etc/passwd",),
    Need.GROUP: ("/etc/group",),
    Need.NSSWITCH: ("/etc/nsswitch.conf",),
    Need.OS_RELEASE: ("/etc/os-release", "/usr/lib/os-release", "/etc/debian_version", "/etc/alpine-release"),
    Need.LOCALE: ("/usr/lib/locale/",),
    Need.SHELL: (SHELL,),
    Need.DNS: ("/etc/hosts", "/etc/resolv.conf", "/etc/hostname"),
}


def find_running(examined: ExaminedTree) -> Running:
    """What a container runs, as far as the files tell."""
    check, health = examined.check, examined.settings.health
    healthy = run_arguments(check, health.arguments) if health is not None and any(health.arguments) else Started()
    closures = tuple(_with_late(one, check) for one in (*examined.started.closures, *healthy.closures))
    return Running(examined.started, healthy, closures, examined.needs)


def _with_late(closure: Closure, check: StartCheck) -> Closure:
    """The closure with what its objects open later; without, where a table is damaged."""
    config = check.start.config
    spec = ImageSpec((), run=RunConfig(env=config.env, workdir=normal(config.workdir)))
    try:
        return closure_with_late(spec, closure.program.path, check.start.tree, check.symbols, known=closure).closure
    except MinpackError:
        return closure


def find_reasons(
    running: Running, reach: Reach, tree: Walker, owners: Mapping[RootPath, str]
) -> Callable[[RootPath], FileReason]:
    """What says of each path of the tree why it is there; `reach` decides whether anything asks for it at all.

    :param owners: the package of each file that is of one.
    """
    known: dict[RootPath, FileReason] = {}
    for path, reason in (*_run(running), *_loaded(running), *_needed(running, tree)):
        known.setdefault(path, reason)
    places = (*_by_need(running), (_DATABASES, FileReason(ReasonGroup.DATABASE, "it says what is installed")))

    def reason_of(path: RootPath) -> FileReason:
        if path in known:
            return known[path]
        leads_to = tree.walk(path).entry if _is_link(tree, path) else None
        if leads_to is not None and leads_to.path in known:
            return known[leads_to.path]._replace(text=f"a link to {leads_to.path}")
        for below, reason in places:
            if path.startswith(below):
                return reason
        if path.startswith(_LICENSES) and path.endswith("/copyright"):
            return _LICENSE
        if path in reach.asked:
            return _asked_reason(reach.asked[path])
        if path in owners:
            return FileReason(ReasonGroup.PACKAGE, f"a file of {owners[path]}; nothing in the image asks for it")
        return _UNKNOWN

    return reason_of


def _asked_reason(asked: Asked) -> FileReason:
    group = _GROUPS.get(asked.kind, ReasonGroup.NAMED)
    return FileReason(group, f"{asked.by or 'the image'} {asked.text}")


def _is_link(tree: Walker, path: RootPath) -> bool:
    entry = tree.lstat(path)
    return entry is not None and entry.kind is Kind.SYMLINK


def _run(running: Running) -> Iterator[tuple[RootPath, FileReason]]:
    """The files that are executed one after the other, and the loaders of programs."""
    for started, why in ((running.started, "the entrypoint"), (running.healthy, "the health check")):
        for number, entry in enumerate(started.files):
            before = started.files[number - 1].path if number else ""
            text = f"{before} starts it" if before else f"{why} of the image"
            yield entry.path, FileReason(ReasonGroup.PROGRAM, text)


def _loaded(running: Running) -> Iterator[tuple[RootPath, FileReason]]:
    """The objects of all closures, with the links that lead to them."""
    for closure in running.closures:
        needers = _needers(closure)
        for loaded in closure.opened:
            reason = _reason(loaded, closure, needers)
            yield loaded.entry.path, reason
            yield from ((entry.path, reason) for entry in loaded.trail)
        for opened in (*closure.aliases, *closure.settings):
            reason = FileReason(ReasonGroup.LIBRARY, f"the loader of {closure.program.path} opens it as {opened.path}")
            yield from ((entry.path, reason) for entry in (opened.entry, *opened.trail))
        if closure.cached:
            yield normal(closure.cache), FileReason(ReasonGroup.LIBRARY, "the loader finds libraries by it alone")


def _needers(closure: Closure) -> dict[str, list[str]]:
    """Of each object, by the path it is loaded as, the names of those that need it."""
    found: dict[str, list[str]] = {}
    for edge in closure.edges:
        if edge.path:
            found.setdefault(edge.path, []).append(edge.needed_by)
    return {path: list(dict.fromkeys(names)) for path, names in found.items()}


def _reason(loaded: LoadedObject, closure: Closure, needers: Mapping[str, list[str]]) -> FileReason:
    if loaded is closure.program:
        return FileReason(ReasonGroup.PROGRAM, "the image runs it")
    if closure.interpreter is not None and loaded.entry.path == closure.interpreter.entry.path:
        return FileReason(ReasonGroup.INTERPRETER, f"the dynamic loader of {closure.program.path}")
    if loaded.path in closure.late:
        return FileReason(ReasonGroup.LATE, f"{loaded.needed_by or closure.program.path} may open it while it runs")
    by = needers.get(loaded.path, [])
    first = by[0] if by else loaded.needed_by
    more = f" and {len(by) - 1} more" if len(by) > 1 else ""
    return FileReason(ReasonGroup.LIBRARY, f"{first}{more} need{'' if more else 's'} it as {loaded.name}")


def _needed(running: Running, tree: Walker) -> Iterator[tuple[RootPath, FileReason]]:
    """The files that needs are about, with the links that lead to them."""
    for decision in _asked(running):
        inside = _built_in(running.needs.findings) if decision.need is Need.CERTS else ()
        for place in (*(one for one in _places(decision.need) if not one.endswith("/")), *inside):
            walk = tree.walk(place)
            found = [] if walk.entry is None else [walk.entry, *walk.trail]
            yield from ((entry.path, _need_reason(decision)) for entry in found)


def _built_in(findings: Findings) -> tuple[str, ...]:
    """Where libraries look for certificates besides."""
    return (*(f"{directory}/cert.pem" for directory in findings.openssl), *findings.bundles)


def _by_need(running: Running) -> Iterator[tuple[tuple[str, ...], FileReason]]:
    """The directories that needs are about, each with its slash."""
    for decision in _asked(running):
        below = tuple(one for one in _places(decision.need) if one.endswith("/"))
        if below:
            yield below, _need_reason(decision)


def _asked(running: Running) -> Iterator[Decision]:
    return (one for one in running.needs.decisions if one.verdict.asks or one.said)


def _places(need: Need) -> tuple[str, ...]:
    if need in DATABASES and need not in _OF_NEEDS:
        return tuple(one for place in DATABASES[need].places for one in (place, f"{place}/"))
    return _OF_NEEDS.get(need, ())


def _need_reason(decision: Decision) -> FileReason:
    return FileReason(ReasonGroup.NEED, decision.said or decision.why, str(decision.need))
