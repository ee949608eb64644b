"""The stages of a trace in order: plan, run, observe, choose options, plan again with them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from minpack.base.entries import base_of
from minpack.base.options import BaseKind
from minpack.base.users import is_system, listed_ids
from minpack.build.plan import make_plan
from minpack.build.retarget import retarget_programs
from minpack.errors import MinpackError, UsageError
from minpack.excerpt import listed
from minpack.namedtuple import NamedTuple
from minpack.paths import RootPath, join, name, parent
from minpack.plan.ownership import ownership_of
from minpack.plan.unpacked import place_in_base
from minpack.program.place import place
from minpack.program.platforms import base_platform, platform_of
from minpack.program.read import read_programs
from minpack.progress import no_progress
from minpack.sources.fitting import default_base, fitting_hint
from minpack.sources.session import open_session
from minpack.strace.access import Use
from minpack.strace.log import MAX_ACCESSES, read_log
from minpack.tracing.choose import Chooser, directories_for
from minpack.tracing.observe import Observer, full_tree, image_tree, lacking, never_used, sought_places
from minpack.tracing.options import PackOptions
from minpack.tracing.run import Run, run_in_image, run_on_host

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.base.options import BaseOptions
    from minpack.base.walk import Walker
    from minpack.build.plan import PlannedImage
    from minpack.images.process import RunOptions
    from minpack.program.read import Program
    from minpack.progress import Progress
    from minpack.rootfs.entry import Entry
    from minpack.sandbox.terminal import Terminal
    from minpack.sources.session import Session
    from minpack.spec.image import ImageSpec
    from minpack.strace.access import Connection
    from minpack.target import Platform
    from minpack.tracing.observe import Observations, Used

#: How often options are looked for: what they bring may be started, and need something itself.
_ROUNDS = 6
_USERS = "/etc/passwd"


class TraceRequest(NamedTuple):
    """What is to be traced: each of `runs`, in the image or on this host, or a log that was made elsewhere.

    `environment` is that of a run on this host.
    """

    runs: tuple[RunOptions, ...] = ()
    log: str = ""
    on_host: bool = False
    environment: tuple[tuple[str, str], ...] = ()
    terminal: Terminal | None = None


class MissingFile(NamedTuple):
    """What was used and is not packed.

    `option` packs it; if nothing can, `reason` is why. `package` is its owner, empty if it has none.
    """

    path: RootPath
    real: RootPath
    uses: tuple[Use, ...]
    size: int
    package: str
    option: str
    reason: str = ""


class Traced(NamedTuple):
    """What a trace found, each part sorted; see `minpack.tracing.observe.Observations`.

    `program` is where the program is in the image. `packed` are the files that were used and are packed, `unused` those
    that are packed and were not used. `codes` are the exit codes of the runs, `timed_out` says that one was stopped.
    """

    program: RootPath
    base: str
    codes: tuple[int, ...]
    timed_out: bool
    packed: tuple[RootPath, ...]
    missing: tuple[MissingFile, ...]
    absent: tuple[RootPath, ...]
    unused: tuple[Entry, ...]
    observed: Observations
    connections: tuple[Connection, ...]
    executed: tuple[RootPath, ...]
    options: PackOptions
    processes: int
    notes: tuple[str, ...]


def trace(spec: ImageSpec, options: BaseOptions, request: TraceRequest, progress: Progress = no_progress) -> Traced:
    """Trace the first program of the spec, and say what its image lacks for what it did.

    :raises UsageError: there is no tree to run in.
    :raises NotStartedError: it cannot be run, or not be watched.
    :raises InputError: a log cannot be read.
    :raises MinpackError: there can be no image of it, or its base cannot be read.
    """
    programs = read_programs(spec)
    platform = platform_of(programs, spec.platform)
    ref = spec.base or default_base(programs, platform, options.today)
    if ref.kind is BaseKind.PACKAGES:
        hint = f"name an image with the same packages, for example --base {ref.name.replace('-', ':')}"
        raise UsageError("--base", ref.text, "a base of packages has no tree to run in", hint, verb="trace with")
    hint_of = partial(fitting_hint, programs[0].info, platform, options.today)
    with open_session(ref, base_platform(programs, platform, spec.platform), options, progress, hint_of) as session:
        return _Tracer(spec, platform, programs, session, options, request).trace()


class _Tracer:
    """One trace, while its base is open."""

    def __init__(
        self,
        spec: ImageSpec,
        platform: Platform,
        programs: tuple[Program, ...],
        session: Session,
        options: BaseOptions,
        request: TraceRequest,
    ) -> None:
        self._spec = spec
        self._platform = platform
        self._programs = programs
        self._session = session
        self._options = options
        self._request = request
        self._notes: list[str] = []

    def trace(self) -> Traced:
        """What was found."""
        planned = self._plan(self._spec)
        runs = self._runs(planned)
        moved = self._destination(planned, runs)
        if moved is not None:
            found = PackOptions(destination=moved)
            self._notes.append(f"it looks for files next to itself, and was traced again as {moved}")
            planned = self._plan(found.applied(self._spec))
            return self._found(planned, self._runs(planned), found)
        return self._found(planned, runs, PackOptions())

    def _plan(self, spec: ImageSpec) -> PlannedImage:
        programs = self._programs
        if spec.destination is not None and len(programs) == 1:
            programs = (programs[0]._replace(destination=spec.destination),)
        if spec.retarget:
            programs, _ = retarget_programs(programs, self._session)
        self._session.check_fit(programs)
        placed = place(spec, programs, self._session.walker)
        return make_plan(spec, self._platform, programs, placed, self._session)

    def _runs(self, planned: PlannedImage) -> tuple[Run, ...]:
        request, options = self._request, self._options
        if request.log:
            return (Run(read_log(request.log, self._spec.run.workdir), ""),)
        if request.on_host:
            environment = dict(request.environment)
            return tuple(run_on_host(self._spec.programs[0], one, environment, options) for one in request.runs)
        plan = planned.plan
        image = base_of(self._session.name, plan.all)
        return tuple(run_in_image(plan, image, self._session, options, one, request.terminal) for one in request.runs)

    def _observed(self, planned: PlannedImage, runs: Sequence[Run]) -> tuple[Walker, Observations]:
        full = full_tree(planned.plan, self._session.tree().base)
        observer = Observer(full, runs[0].home)
        for run in runs[:-1]:
            observer.observe(run.log)
        return full, observer.observe(runs[-1].log)

    def _destination(self, planned: PlannedImage, runs: Sequence[Run]) -> RootPath | None:
        """Where the program must be, to find what it looks for beside itself; None if it is where it should be.

        A run that reaches this host is not repeated unasked.
        """
        spec, request = self._spec, self._request
        again = not (request.log or request.on_host or any(one.network or one.binds for one in request.runs))
        if not again or spec.destination is not None or len(self._programs) > 1:
            return None
        program = planned.resolved.closures[0].program
        home = place_in_base(program, self._session.tree())
        if home is None or home == program.path:
            return None
        full, observed = self._observed(planned, runs)
        return home if _looks_beside(observed, RootPath(program.path), home, full) else None

    def _found(self, planned: PlannedImage, runs: Sequence[Run], start: PackOptions) -> Traced:
        full, observed = self._observed(planned, runs)
        used = self._without_itself(planned, observed.used)
        ownership = self._session.packages.ownership() or ownership_of(self._session.walker)
        chooser = Chooser(full, ownership, self._spec.unwanted)
        image = image_tree(planned.plan)
        wanted = lacking(used, image)
        chooser.learn(wanted)
        options = self._chosen(planned, start, chooser, used, observed, full)
        absent = tuple(sorted({RootPath(one.path) for one in observed.absent}))
        connections = tuple(sorted({one for run in runs for one in run.log.connections}))
        self._note_runs(runs)
        self._note_users(image, used, runs)
        missing = {one.path for one in wanted}
        return Traced(
            planned.resolved.programs[0].destination,
            self._session.name,
            tuple(run.code for run in runs if run.code is not None),
            any(run.timed_out for run in runs),
            tuple(sorted({one.entry.path for one in used if one.path not in missing})),
            tuple(_missing(one, chooser, options) for one in wanted),
            absent,
            never_used(planned.plan, used, full),
            observed,
            connections,
            tuple(one.path for one in used if Use.EXECUTED in one.uses),
            options,
            sum(run.log.processes for run in runs),
            tuple(self._notes),
        )

    def _without_itself(self, planned: PlannedImage, used: Sequence[Used]) -> tuple[Used, ...]:
        """What was used but for the program, where it ran at its own place on this host or another."""
        if not (self._request.log or self._request.on_host):
            return tuple(used)
        home = place_in_base(planned.resolved.closures[0].program, self._session.tree())
        return tuple(one for one in used if one.entry.path != home)

    def _chosen(
        self,
        planned: PlannedImage,
        found: PackOptions,
        chooser: Chooser,
        used: Sequence[Used],
        observed: Observations,
        full: Walker,
    ) -> PackOptions:
        """The options with which the image has all that was used, as far as there are some."""
        listed = chooser.owned(observed.listed, used)
        for number in range(_ROUNDS):
            image = image_tree(planned.plan)
            wanted = lacking(used, image)
            new = chooser.choose(wanted, number)
            if found.merged(new) == found and number > 1:
                # Options that bring it should have: by its own name --take brings what it leads to.
                new = PackOptions(taken=tuple(one.path for one in wanted if not chooser.why_not(one)))
            if number > 1:
                new = new._replace(directories=directories_for(listed, observed.written, full, image))
            merged = found.merged(new)
            if merged == found:
                if number > 1:
                    break
                continue
            try:
                planned = self._plan(merged.applied(self._spec))
            except MinpackError as error:
                self._notes.append(f"{error.message}, with {' '.join(new.words)}")
                break
            found = merged
        return found

    def _note_runs(self, runs: Sequence[Run]) -> None:
        unplaced = sum(run.log.unplaced for run in runs)
        if unplaced:
            why = f"cut off, relative to an unknown directory, or more than {MAX_ACCESSES:,}"
            self._notes.append(f"{_counted(unplaced, 'path')} of the log left out: {why}")
        unread = sum(run.log.unread for run in runs)
        if unread:
            self._notes.append(f"{_counted(unread, 'line')} of the log left out: they are not in strace's format")
        failed = [str(run.code) for run in runs if run.code and not run.timed_out]
        if failed:
            self._notes.append(f"the program ended with {', '.join(failed)}: it may not have opened all that it needs")

    def _note_users(self, image: Walker, used: Sequence[Used], runs: Sequence[Run]) -> None:
        """Note that the image has not all users of the base, if a run of it failed that looked some up."""
        failed = any(run.code and not run.timed_out for run in runs) and not self._request.on_host
        if not failed or not any(one.path == _USERS for one in used):
            return
        there, here = (dict(listed_ids(walker, _USERS, 2)) for walker in (self._session.walker, image))
        if any(is_system(ids) and user not in here for user, ids in there.items()):
            has = f"the image has {listed(here)} alone"
            self._notes.append(f"it read {_USERS}, and {has}; --dir PATH::USER adds a user of the base")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' if count != 1 else ''}"


def _missing(used: Used, chooser: Chooser, options: PackOptions) -> MissingFile:
    reason = chooser.why_not(used)
    option = "" if reason else _option_for(used, chooser, options)
    owner = chooser.owners.get(used.entry.path, "")
    return MissingFile(used.path, used.entry.path, used.uses, used.entry.size, owner, option, reason)


def _option_for(used: Used, chooser: Chooser, options: PackOptions) -> str:
    """The option that brings a file; empty if it comes along with another."""
    need = chooser.need_of(used)
    if need is not None and need in options.needs:
        return f"--need {need}"
    for path in options.taken:
        if any(one == path or one.startswith(f"{path}/") for one in (used.path, used.entry.path)):
            return f"--take {path}"
    return f"--add-lib {name(used.path)}" if name(used.path) in options.libraries else ""


def _looks_beside(observed: Observations, there: RootPath, home: RootPath, full: Walker) -> bool:
    """Whether a file that was sought near the program is in the tree, as near to where the program is there.

    What it found elsewhere by itself, as in the next directory of a search path, is not what it lacks.
    """
    known = {name(one.entry.path) for one in observed.used}
    places = sought_places(observed.absent)
    pairs = ((parent(there), parent(home)), (parent(parent(there)), parent(parent(home))))
    for one in observed.absent:
        if one.path in places:
            continue
        for old, new in pairs:
            if old != "/" and new != "/" and one.path.startswith(f"{old}/"):
                found = full.find_file(join(new, one.path[len(old) + 1 :]))
                if found is not None and name(found.path) not in known:
                    return True
    return False
