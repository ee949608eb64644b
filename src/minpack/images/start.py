"""Whether a container of the image starts: its entrypoint by the rules of `plan.entrypoint`, and what that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.errors import MinpackError
from minpack.excerpt import listed
from minpack.images.finding import Finding, Severity
from minpack.images.launchers import started_by
from minpack.ld.demands import LEVELS
from minpack.ld.symbol_cache import SymbolCache
from minpack.ld.verdict import latent, symbol_text
from minpack.namedtuple import NamedTuple
from minpack.paths import normal
from minpack.plan.entrypoint import Launch, LaunchedProgram, Start, find_in_path, launch
from minpack.plan.permissions import unreadable
from minpack.plan.secure import unheeded
from minpack.resolve.closures import SURE, closure_with_late, environment_of
from minpack.rootfs.capability import unusual
from minpack.spec.image import ImageSpec, RunConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.base.walk import Walker
    from minpack.images.settings import ImageSettings
    from minpack.images.users import ImageUser
    from minpack.ld.closure import Closure, Missing
    from minpack.rootfs.entry import Entry

#: How many programs may start one another.
_MOST_LAUNCHES = 4
#: More directories are counted.
_MOST_PLACES = 8
#: Fits where an image is examined and not packed.
_COPY = "add it to the image, or fix the reference to it"
_INTERPRETER = "add the interpreter to the image, or fix the first line of the script"
_LIBRARIES = "pack the program with minpack, or copy the libraries into the image where the loader looks for them"


class Started(NamedTuple):
    """What a container of the image runs: the files, and the dynamic programs among them.

    `names` are what they were started by, one after the other; all files but the `last` just start others.
    `following` is what a shell's command starts, if it is one program; nothing more is known of that.
    """

    files: tuple[Entry, ...] = ()
    programs: tuple[LaunchedProgram, ...] = ()
    findings: tuple[Finding, ...] = ()
    names: tuple[str, ...] = ()
    last: tuple[Entry, ...] = ()
    following: str = ""

    @property
    def closures(self) -> tuple[Closure, ...]:
        """Those of the dynamic programs."""
        return tuple(program.closure for program in self.programs)


class StartCheck(NamedTuple):
    """What it takes to see whether something starts in the image."""

    start: Start
    symbols: SymbolCache


def start_check(settings: ImageSettings, tree: Walker, user: ImageUser) -> StartCheck:
    """For the entrypoint and for the health check, which runs as the same user in the same tree."""
    config = settings.config
    run = RunConfig(env=config.env)
    symbols = SymbolCache()
    environment = environment_of(run)._replace(working_directory=config.workdir)
    return StartCheck(Start(config, tree, frozenset(), environment, "", symbols, user.user), symbols)


def check_entrypoint(check: StartCheck) -> Started:
    """What starting the image does, and why it fails, if it does."""
    config = check.start.config
    arguments = (*config.entrypoint, *config.cmd)
    if not arguments:
        hint = "name what to start: minpack --cmd, ENTRYPOINT in a Dockerfile, or docker run IMAGE PROGRAM"
        return Started(
            findings=(Finding("no-command", Severity.ERROR, "", "it has no entrypoint and no command", hint),)
        )
    return run_arguments(check, arguments)


def run_arguments(check: StartCheck, arguments: tuple[str, ...]) -> Started:
    """What calling a program with these arguments does: what it starts in its turn too, where that can be told."""
    files: list[Entry] = []
    programs: list[LaunchedProgram] = []
    names: list[str] = []
    for _ in range(_MOST_LAUNCHES):
        names.append(arguments[0])
        found = launch(check.start, arguments[0])
        files += found.files
        programs += found.programs
        findings = tuple(_findings(check, found))
        so_far = Started(tuple(files), tuple(programs), findings, tuple(names), found.files)
        if findings or not found.files:
            return so_far
        following = started_by(arguments, found.files[0])
        if not following or following not in arguments[1:]:
            # A shell's command is one argument: what it starts is looked for, and nothing more is known of it.
            return so_far._replace(findings=tuple(_lost(check, following)), following=following)
        arguments = arguments[arguments.index(following, 1) :]
    return so_far


def _lost(check: StartCheck, name: str) -> Iterator[Finding]:
    if name:
        yield from _findings(check, launch(check.start, name)) if "/" in name else _not_in_path(check.start, name)


def _not_in_path(start: Start, name: str) -> Iterator[Finding]:
    if find_in_path(start, name) is None:
        path = dict(start.config.env).get("PATH", "")
        yield Finding("not-in-path", Severity.ERROR, name, f"it is not in PATH ({path})", _COPY)


def _findings(check: StartCheck, found: Launch) -> Iterator[Finding]:
    refusal = found.refusal
    if refusal is not None and refusal.code == "missing-library":
        yield from map(_missing, found.programs[-1].closure.missing)
        return
    if refusal is not None:
        yield Finding(
            refusal.code,
            Severity.ERROR,
            refusal.path,
            refusal.reason,
            _HINTS.get(refusal.code) or refusal.hint or _INTERPRETER,
        )
        return
    for entry in found.files:
        wanted = unusual(entry.capability) if entry.capability else ()
        if wanted:
            reason = f"it demands {', '.join(wanted)}, which containers do not have by default"
            hint = f"start containers with {' '.join(f'--cap-add={name}' for name in wanted)}"
            yield Finding("capabilities", Severity.ERROR, entry.path, reason, hint)
    user = check.start.user
    for program in found.programs:
        for loaded, reason in unheeded(program.closure, user):
            hint = "link the program with an absolute runpath, or put the library where loaders search"
            yield Finding("missing-library", Severity.ERROR, loaded.name, f"it is found by {reason}", hint)
    for path, what in unreadable(check.start.tree.lstat, [one.closure for one in found.programs], user):
        yield Finding(
            "unreadable-file", Severity.ERROR, path, f"{user} {what}", "change that mode, or the image's user"
        )


def _missing(missing: Missing) -> Finding:
    """A library that is not found, with the directories in which the loader looks for it."""
    places = listed((place.directory for place in missing.considered), _MOST_PLACES)
    where = f"is in none of {places}" if places else "is not there"
    reason = f"{missing.needed_by} needs it, but it {where}"
    return Finding("missing-library", Severity.ERROR, missing.name, reason, _LIBRARIES)


#: What to do where `plan.entrypoint` speaks to whoever packs.
_HINTS = {
    "not-found": _COPY,
    "not-in-path": _COPY,
    "dangling-link": _COPY,
    "elf-interpreter": "copy the loader and the C library that the program was built for, or link it statically",
    "missing-library": _LIBRARIES,
    "missing-symbol": "take the libraries that the program was built with",
    "unloadable-program": _LIBRARIES,
    "closed-directory": "change that mode, or the image's user",
    "not-executable": "change that mode, or the image's user",
    "not-a-file": "name the program in it, or correct the image",
    "wrong-architecture": "build the program for the platform of the image, or correct the platform",
    "link-loop": "let one of the links lead to the program",
}


def check_loading(check: StartCheck, started: Started) -> Iterator[Finding]:
    """What the dynamic programs that start need later, or of the machine."""
    for program in started.programs:
        for unbound in latent(program.proof) if program.proof is not None else ():
            reason = f"no library defines {symbol_text(unbound)}: the program fails if it calls it"
            yield Finding("lazy-symbol", Severity.WARNING, unbound.needed_by, reason, _LIBRARIES)
        demanded = program.demands
        if demanded is not None and demanded.isa not in ("", LEVELS[0]):
            reason = f"it starts only on CPUs with {demanded.isa}, according to {demanded.isa_by}"
            yield Finding("cpu", Severity.NOTE, program.closure.program.path, reason)
        try:
            yield from _late(check, program.closure)
        except MinpackError:
            # What starts may well have tables that nothing reads at the start.
            continue
        yield from _preloads(check, program.closure)


def _late(check: StartCheck, closure: Closure) -> Iterator[Finding]:
    """Libraries that a program opens by name, and the image has not."""
    config = check.start.config
    spec = ImageSpec((), run=RunConfig(env=config.env, workdir=normal(config.workdir)))
    found = closure_with_late(spec, closure.program.path, check.start.tree, check.symbols, known=closure)
    loaded = {one.name for one in found.closure.objects} | {edge.name for edge in found.closure.edges if edge.path}
    missing = {one.name for one in found.closure.missing}
    for library in found.late:
        if library.level in SURE and library.sonames and loaded.isdisjoint(library.sonames):
            level = Severity.WARNING if library.level == "required" else Severity.NOTE
            missing.discard(library.sonames[0])
            yield Finding(
                "late-library", level, library.sonames[0], f"{library.needed_by} {library.evidence}", _LIBRARIES
            )
    for name in sorted(missing):
        reason = f"{closure.program.path} opens it while it runs"
        yield Finding("late-library", Severity.WARNING, name, reason, _LIBRARIES)


def _preloads(check: StartCheck, closure: Closure) -> Iterator[Finding]:
    """What LD_PRELOAD names and is not there: loaders say so at each start, and go on."""
    environment = check.start.environment
    names = environment.preload.replace(":", " ").split() if environment is not None else []
    loaded = {name for one in closure.objects for name in (one.name, one.path, one.entry.path)}
    for name in names:
        if name not in loaded and "$" not in name:
            reason = "LD_PRELOAD names it, and it does not load: the loader goes on without it"
            yield Finding("preload", Severity.WARNING, name, reason, "add it to the image, or unset the variable")
