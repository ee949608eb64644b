"""The plan: every entry of the image with the reason it is there, and how the image is run. Nothing is written yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.content import BytesContent
from minpack.excerpt import listed
from minpack.ld.closure import FoundBy
from minpack.namedtuple import NamedTuple
from minpack.needs.need import Need
from minpack.oci.documents import ImageConfig
from minpack.paths import normal
from minpack.plan.model import Origin, Plan, PlannedEntry, Reason, ReasonKind, Taken
from minpack.program.additions import PlaceKind, normalize_mode
from minpack.program.place import standard_of
from minpack.rootfs.entry import file
from minpack.rootfs.modes import TMP
from minpack.rootfs.tree import Tree
from minpack.spec.image import DEFAULT_PATH, SHELL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.ld.closure import Closure, LoadedObject
    from minpack.needs.findings import Findings
    from minpack.oci.health import HealthConfig
    from minpack.paths import RootPath
    from minpack.program.additions import Placed
    from minpack.program.read import Program
    from minpack.provision.values import Provision
    from minpack.rootfs.entry import Entry
    from minpack.spec.image import ImageSpec
    from minpack.target import Platform


class _Tag(NamedTuple):
    source: Origin
    reason: Reason


def build_plan(
    spec: ImageSpec,
    platform: Platform,
    programs: tuple[Program, ...],
    placed: tuple[Placed, ...],
    closures: tuple[Closure, ...],
    provision: Provision,
    findings: Findings,
    taken: Sequence[Taken] = (),
) -> Plan:
    """Everything put together.

    :param closures: of the programs, in their order, then of what else is packed that starts.
    :param taken: of the base.

    :raises PathConflictError: two different things would be at one path.
    """
    standard = standard_of(spec.run, placed)
    tree: Tree[_Tag] = Tree(lambda path: _Tag(Origin.DEFAULT, Reason(ReasonKind.DIRECTORY, f"holds {path}")), standard)
    for item in placed:
        if item.kind is not PlaceKind.SHARED:
            tree.add(item.entry, _placed_tag(item), item.claim)
    for one in taken:
        if one.entry.path not in tree or one.entry.path in tree.implied:
            reason = Reason(ReasonKind.TAKEN, one.option)
            tree.add(normalize_mode(one.entry), _Tag(Origin.BASE, reason))
        _add_trail(tree, one.entry.path, one.trail)
    for closure in closures:
        _add_closure(tree, closure)
    _add_cache(tree, closures)
    for provided in provision.files:
        reason = Reason(ReasonKind.NEED, provided.text, need=provided.need)
        tree.add(provided.entry, _Tag(Origin(provided.source), reason))
    _add_probe(tree, spec, platform)
    entries = tuple(PlannedEntry(entry, tag.source, tag.reason) for entry, tag in tree)
    return Plan(entries, _config(spec, platform, programs, provision), provision.decisions, closures, findings)


def _placed_tag(item: Placed) -> _Tag:
    if item.kind is PlaceKind.LINK:
        return _Tag(Origin.BASE, Reason(ReasonKind.LINK, item.why))
    if item.kind is PlaceKind.PROGRAM:
        return _Tag(Origin.PROGRAM, Reason(ReasonKind.PROGRAM, item.why))
    return _Tag(Origin.ADDED, Reason(ReasonKind.ADDED, item.why))


def _add_closure(tree: Tree[_Tag], closure: Closure) -> None:
    """The interpreter and libraries, each at its own path, with every link on the way to it."""
    for loaded in closure.opened:
        if loaded.entry.path not in tree:
            tree.add(
                normalize_mode(loaded.entry),
                _Tag(Origin.BASE, _object_reason(loaded, late=loaded.path in closure.late)),
            )
        _add_trail(tree, loaded.entry.path, loaded.trail)
    for alias in (*closure.aliases, *closure.settings):
        if alias.entry.path not in tree:
            reason = Reason(ReasonKind.LIBRARY, f"opened for {alias.needed_by}", needed_by=alias.needed_by)
            tree.add(normalize_mode(alias.entry), _Tag(Origin.BASE, reason))
        _add_trail(tree, alias.entry.path, alias.trail)


def _add_trail(tree: Tree[_Tag], path: RootPath, trail: tuple[Entry, ...]) -> None:
    reason = Reason(ReasonKind.LINK, f"on the way to {path}", needed_by=path)
    for passed in trail:
        if passed.path not in tree:
            tree.add(normalize_mode(passed), _Tag(Origin.BASE, reason))


def _object_reason(loaded: LoadedObject, *, late: bool) -> Reason:
    if loaded.found_by is FoundBy.INTERPRETER:
        text = f"interpreter of {loaded.needed_by}"
        return Reason(ReasonKind.INTERPRETER, text, needed_by=loaded.needed_by, found_by=loaded.found_by)
    if loaded.found_by is FoundBy.PROGRAM:
        if loaded.path != SHELL:
            return Reason(ReasonKind.ADDED, "a program of a package", found_by=loaded.found_by)
        return Reason(ReasonKind.NEED, "what system(3) and popen(3) start", need=Need.SHELL)
    when = "opened later for" if late else "needed by"
    text = f"{loaded.name}, {when} {loaded.needed_by}, found by {loaded.found_by}"
    return Reason(ReasonKind.LIBRARY, text, needed_by=loaded.needed_by, found_by=loaded.found_by)


def _add_cache(tree: Tree[_Tag], closures: tuple[Closure, ...]) -> None:
    """A cache of just the packed libraries that glibc would not find without one.

    The base's own would name files that are not packed. All programs have one loader, and so one cache.
    """
    entries = {entry for closure in closures for entry in closure.cached}
    if entries:
        from minpack.ld.cache import build_cache  # noqa: PLC0415 - few programs need one

        path = next(closure.cache for closure in closures if closure.cached)
        data = build_cache(entries, closures[0].program.info.target)
        reason = Reason(ReasonKind.LIBRARY, f"finds {listed(sorted(entry.soname for entry in entries))}")
        tree.add(file(normal(path), BytesContent(data)), _Tag(Origin.DEFAULT, reason))


def _config(spec: ImageSpec, platform: Platform, programs: tuple[Program, ...], provision: Provision) -> ImageConfig:
    run = spec.run
    # Whoever has no line in /etc/passwd is at home in the root otherwise.
    home = {"HOME": run.user.home if run.user.has_home else TMP} if run.any_user else {}
    env = {"PATH": DEFAULT_PATH, **home, **dict(provision.env), **dict(run.env)}
    entrypoint: tuple[str, ...] = (programs[0].destination,) if run.entrypoint is None else run.entrypoint
    return ImageConfig(
        platform,
        entrypoint,
        spec.created,
        run.cmd,
        tuple(env.items()),
        str(run.user),
        run.workdir,
        tuple(sorted(set(run.exposed))),
        tuple(sorted(set(run.volumes))),
        run.labels,
        run.stop_signal,
        run.annotations,
        _health(spec),
    )


def _health(spec: ImageSpec) -> HealthConfig | None:
    if spec.run.health is None:
        return None
    from minpack.plan.health import health_config  # noqa: PLC0415 - for --health alone

    return health_config(spec)


def _add_probe(tree: Tree[_Tag], spec: ImageSpec, platform: Platform) -> None:
    """What the health check takes."""
    if spec.run.health is None:
        return
    from minpack.plan.health import probe_entry  # noqa: PLC0415 - for --health alone

    planned = probe_entry(spec.run.health, platform)
    if planned is not None:
        tree.add(planned.entry, _Tag(planned.source, planned.reason))
