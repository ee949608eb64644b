"""From placed programs to the plan of an image: its stages in order, and what an image needs besides libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.walk import Walker
from minpack.build.resolve import resolve_with_data
from minpack.embedded.base import EmbeddedBase
from minpack.ld.closure import Libc
from minpack.namedtuple import NamedTuple
from minpack.needs.decide import NeedOptions, decide
from minpack.needs.detect import find_needs
from minpack.needs.need import Need
from minpack.paths import name
from minpack.plan.assemble import build_plan
from minpack.plan.model import Origin
from minpack.program.place import added_paths, standard_of
from minpack.program.platforms import labelled
from minpack.provision.provide import host_notes, lacking, provide
from minpack.resolve.closures import variants_of
from minpack.resolve.with_packages import fetch_for_needs, shell_closure
from minpack.rootfs.entry import Kind
from minpack.spec.image import unexpanded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minpack.build.resolve import ResolvedImage
    from minpack.ld.closure import Closure
    from minpack.ld.late import LateLibrary
    from minpack.ld.variants import Variant
    from minpack.needs.findings import Findings
    from minpack.needs.need import Decision
    from minpack.plan.model import Plan, Taken
    from minpack.program.additions import Placed
    from minpack.program.read import Program
    from minpack.provision.values import Provision
    from minpack.resolve.companions import CompanionClosure
    from minpack.sources.session import Session
    from minpack.spec.image import ImageSpec
    from minpack.target import Platform


class ImageNeeds(NamedTuple):
    """What an image needs besides libraries: what was found, what of it is packed, and the tree to take it from.

    The closure of the shell is behind those of the programs, if there is to be one.
    """

    findings: Findings
    decisions: tuple[Decision, ...]
    closures: tuple[Closure, ...]
    tree: Walker
    notes: tuple[str, ...]


class PlannedImage(NamedTuple):
    """A plan, and what it was made of; `data` is the embedded data that was looked at.

    `late` and `variants` are not packed: what may be opened later, and what is for better CPUs.
    """

    plan: Plan
    resolved: ResolvedImage
    data: EmbeddedBase
    notes: tuple[str, ...]
    late: tuple[LateLibrary, ...]
    variants: tuple[Variant, ...]


def make_plan(
    spec: ImageSpec,
    platform: Platform,
    programs: tuple[Program, ...],
    placed: tuple[Placed, ...],
    session: Session,
) -> PlannedImage:
    """The plan of the image, which is still to be proved.

    :param platform: of the programs.
    :raises MinpackError: one of its subclasses, saying what cannot be done.
    """
    taken, resolved = resolve_with_data(spec, programs, placed, session)
    needs = find_image_needs(spec, resolved, placed, session)
    data = EmbeddedBase()
    provision = provide(
        spec,
        needs.decisions,
        needs.findings,
        needs.tree,
        Walker(data),
        added_paths(placed).union(one.entry.path for one in taken.files),
        needs.closures,
    )
    label = labelled(platform, spec.platform, programs, needs.closures)
    plan = _assembled(spec, label.platform, resolved, needs, provision, placed, taken.files, session)
    variants = tuple(
        dict.fromkeys(one for closure in needs.closures for one in variants_of(spec.run, closure, needs.tree))
    )
    notes = (
        *session.opened.notes,
        *unexpanded(spec.run),
        *label.notes,
        *_unstripped_notes(resolved.programs),
        *session.packages.notes,
        *_unheeded_notes(spec, needs.findings, taken.files),
        *_allowance_notes(spec, needs.closures),
        *_companion_notes(resolved.beside),
        *_bundle_notes(programs, placed),
        *taken.notes,
        *_dangling_notes(spec, plan, placed, taken.files),
        *_opened_notes(needs.closures, spec.libraries, needs.findings.static_libc),
        *needs.notes,
        *provision.notes,
        *(host_notes(provision.files) if session.ref.is_host else ()),
        *data.notes,
    )
    late = _not_packed(resolved.late, plan)
    return PlannedImage(plan, resolved, data, notes, late, variants)


def _assembled(
    spec: ImageSpec,
    platform: Platform,
    resolved: ResolvedImage,
    needs: ImageNeeds,
    provision: Provision,
    placed: tuple[Placed, ...],
    taken: tuple[Taken, ...],
    session: Session,
) -> Plan:
    """All entries with their reasons and packages, and the configuration.

    :raises PathConflictError: two different things would be at one path.
    :raises BaseError: something of the base is private.
    """
    plan = build_plan(spec, platform, resolved.programs, placed, needs.closures, provision, needs.findings, taken)
    if not resolved.whole and all(planned.source not in (Origin.BASE, Origin.PACKAGE) for planned in plan.entries):
        return plan
    from minpack.plan.owners import with_packages  # noqa: PLC0415 - where something is taken
    from minpack.plan.secrets import refuse_private  # noqa: PLC0415 - as above

    refuse_private(plan, session.name)
    # Below an empty overlay, as below the user's files: so each file has one inode in the whole plan.
    files = session.tree()
    standard = standard_of(spec.run, placed)
    return with_packages(plan, session.packages, resolved.whole, files, standard, licences=spec.package_data)


def _not_packed(late: tuple[LateLibrary, ...], plan: Plan) -> tuple[LateLibrary, ...]:
    """What is opened later, without the files and directories that are packed for another reason."""
    if not late:
        return ()
    paths = {planned.entry.path for planned in plan.entries}
    names = {path.rpartition("/")[2] for path in paths}
    left = []
    for library in late:
        places = tuple(path for path in library.paths if path not in paths)
        if names.isdisjoint(library.sonames) and (places or not library.paths):
            left.append(library._replace(paths=places))
    return tuple(left)


def find_image_needs(
    spec: ImageSpec, resolved: ResolvedImage, placed: Sequence[Placed], session: Session
) -> ImageNeeds:
    """What the programs need, decided as the spec wants it; packages are fetched for what the base has nothing of.

    :raises NotInBaseError: there is to be a shell, and there is none.
    :raises MissingLibraryError: the shell lacks a library.
    """
    closures = resolved.closures
    paths = resolved.finder.paths if resolved.finder is not None else None
    findings = find_needs(closures, resolved.symbols, paths, why=spec.why)
    decisions = decide(findings, need_options(spec), glibc=any(closure.libc is Libc.GLIBC for closure in closures))
    notes = fetch_for_needs(lacking(decisions, session.tree(placed)), session.packages)
    tree = session.tree(placed)
    if any(decision.need is Need.SHELL and decision.packed for decision in decisions):
        closures = (*closures, shell_closure(spec.run, tree))
    return ImageNeeds(findings, decisions, closures, tree, notes)


def _unheeded_notes(spec: ImageSpec, findings: Findings, taken: Sequence[Taken]) -> tuple[str, ...]:
    """The warnings about the programs, without those whose advice was followed, or that what is taken answers."""
    if not findings.advice:
        return findings.warnings
    from minpack.needs.environment import locale_of  # noqa: PLC0415 - for programs of few languages

    given = {
        # By this file Python itself knows where its library is (its getpath.py, STDLIB_LANDMARKS).
        "--add": bool(spec.additions) or any(name(one.entry.path) == "os.py" for one in taken),
        "--add-lib": bool(spec.libraries),
        "--locale": spec.locale is not None or locale_of(dict(spec.run.env)) is not None,
    }
    return findings.unheeded([option for option, is_given in given.items() if is_given])


def need_options(spec: ImageSpec) -> NeedOptions:
    """What the user said of needs."""
    return NeedOptions(spec.wanted, spec.unwanted, spec.zone, spec.locale, spec.ca_file, spec.run.env)


def _allowance_notes(spec: ImageSpec, closures: Sequence[Closure]) -> tuple[str, ...]:
    if not spec.allowed_missing:
        return ()
    from minpack.ld.allowed import unused_allowance  # noqa: PLC0415 - for --allow-missing alone

    return unused_allowance(closures, spec.allowed_missing, dict(spec.run.env).get("LD_PRELOAD", ""))


def _opened_notes(closures: Sequence[Closure], libraries: Sequence[str], libc: str) -> tuple[str, ...]:
    """Notes of libraries that were added for static programs."""
    if not libraries or any(closure.libc is not None for closure in closures):
        return ()
    path, names = closures[0].program.path, ", ".join(libraries)
    never = ", which does nothing in musl's static library" if libc == "musl" else ""
    return (f"{path!r} is static: it opens {names} only if it calls dlopen{never}",)


def _unstripped_notes(programs: Sequence[Program]) -> Iterator[str]:
    for program in programs:
        if program.unstripped:
            yield f"{program.path!r} is not stripped: {program.unstripped}"


def _bundle_notes(programs: Sequence[Program], placed: Sequence[Placed]) -> tuple[str, ...]:
    if not any(item.why.startswith("beside ") for item in placed):
        return ()
    from minpack.program.bundles import bundle_notes  # noqa: PLC0415 - few programs look beside themselves

    return tuple(bundle_notes(programs, placed))


def _companion_notes(beside: Sequence[CompanionClosure]) -> tuple[str, ...]:
    if not any(one.problem for one in beside):
        return ()
    from minpack.resolve.companions import companion_notes  # noqa: PLC0415 - few images have some

    return companion_notes(beside)


def _dangling_notes(spec: ImageSpec, plan: Plan, placed: Sequence[Placed], taken: Sequence[Taken]) -> tuple[str, ...]:
    """A note of links in added directories that lead nowhere in the image.

    :raises DanglingLinkError: there are some, and --strict was given.
    """
    if not taken and not any(item.entry.kind is Kind.SYMLINK and item.source for item in placed):
        return ()
    from minpack.plan.links import dangling_notes  # noqa: PLC0415 - few images have added links

    return dangling_notes(plan, placed, taken, strict=spec.strict)
