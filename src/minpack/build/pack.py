"""The stages in order: read, open, place, plan, write. No rules of its own."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from minpack.build.inputs import Input, base_input, data_inputs, file_sums, image_input, package_inputs
from minpack.elf.abi import EM_ARM
from minpack.layers.background import BackgroundLayers
from minpack.layers.cache import LayerOptions
from minpack.namedtuple import NamedTuple
from minpack.oci.compression import Compression
from minpack.output.inputs import guarded, left_out, spec_inputs
from minpack.paths import name
from minpack.program.additions import PlaceKind
from minpack.program.place import own_entries, place
from minpack.program.platforms import base_platform, platform_of
from minpack.program.read import read_programs
from minpack.progress import no_progress
from minpack.sources.fitting import default_base, fitting_hint
from minpack.sources.session import open_session
from minpack.spec.base_ref import SCRATCH_BASE

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from threading import Lock
    from typing import TypeAlias

    from minpack.base.options import BaseOptions, OpenBase
    from minpack.base.packages import PackageId
    from minpack.build.lock import LockInputs, LockPolicy
    from minpack.build.plan import PlannedImage
    from minpack.build.several import PlatformSpec
    from minpack.digest import Digest
    from minpack.images.smoke import Smoked
    from minpack.ld.closure import Closure
    from minpack.ld.demands import Demands
    from minpack.ld.late import LateLibrary
    from minpack.ld.variants import Variant
    from minpack.oci.image import Artifact
    from minpack.output.inputs import LeftOut
    from minpack.output.target import OutputSpec, WrittenOutput
    from minpack.output.write import LayerInputs, WrittenImages
    from minpack.paths import RootPath
    from minpack.plan.model import Plan
    from minpack.plan.unpacked import Unpacked
    from minpack.program.additions import Placed
    from minpack.program.read import Program
    from minpack.program.stripping import AddedSymbols
    from minpack.progress import Progress
    from minpack.rootfs.entry import Entry
    from minpack.shared.cache import SharedCache
    from minpack.shared.use import CacheUse
    from minpack.sources.session import Session
    from minpack.spec.acceptance import Acceptance
    from minpack.spec.base_ref import BaseRef
    from minpack.spec.image import ImageSpec
    from minpack.target import Platform
    from minpack.trust.components import Contents

    #: Makes the artifacts about the images, of which nothing but `written` is missing, in the order of their platforms.
    ArtifactMaker: TypeAlias = Callable[[tuple["Packed", ...], WrittenImages], Sequence[Artifact]]
    #: Makes files for an image that is planned, of which nothing but `written` and the sums is missing.
    FileMaker: TypeAlias = Callable[["Packed"], Mapping[RootPath, bytes]]


#: What the layer of the user's own files is called, and the one below it.
PROGRAM_LAYER, LOWER_LAYER = "program", "libraries and data"


class Packed(NamedTuple):
    """The result of packing. `written` is None if nothing was to be written.

    `late` are libraries that the programs may load later, and `variants` those for better CPUs; neither are packed.
    `demands` is what each program requires of the machine, by the program's path, if that was checked. With `sums`
    asked for, `sums` has the SHA-256 of each file in hexadecimal, and the plan has the facts of packages; otherwise
    `inputs` has only the base, without the checksum of a local tarball. `sha1` has the SHA-1 of each file, if an SBOM
    was asked for. `locked` says that everything came from a lock. `unpacked` are files of the base whose paths the
    packed files contain, and that the image lacks. For several platforms, this is the image of the first one by name,
    `others` has the rest, and the notes are about all.
    """

    plan: Plan
    written: WrittenOutput | None
    inputs: tuple[Input, ...]
    notes: tuple[str, ...]
    sums: Mapping[RootPath, str]
    late: tuple[LateLibrary, ...] = ()
    variants: tuple[Variant, ...] = ()
    demands: tuple[tuple[str, Demands], ...] = ()
    programs: tuple[Program, ...] = ()
    locked: bool = False
    unpacked: tuple[Unpacked, ...] = ()
    others: tuple[Packed, ...] = ()
    #: The packages that were fetched, those too that gave the image no file.
    fetched: tuple[PackageId, ...] = ()
    sha1: Mapping[RootPath, str] = {}
    #: What was taken from shared caches and written to one; None if none was named.
    cache: CacheUse | None = None
    #: What of the image below is in it, if an SBOM was asked for.
    below: Contents | None = None
    #: What symbol tables and debug sections have in files that were added, as far as that matters.
    added: tuple[AddedSymbols, ...] = ()
    #: How its smoke test went, if one was asked for and the image was written.
    smoked: Smoked | None = None

    @property
    def images(self) -> tuple[Packed, ...]:
        """The result for each platform, sorted by its name."""
        return (self, *self.others)

    @property
    def digest(self) -> Digest | None:
        """The digest of the image or index in registries; None if nothing was written, or only to an engine."""
        return self.written.digest if self.written is not None else None


class _Job(NamedTuple):
    """What `pack` was asked for, whatever the platform."""

    options: BaseOptions
    output: OutputSpec | None
    write: bool
    sums: bool
    every: bool
    progress: Progress
    locking: LockPolicy | None
    artifacts_of: ArtifactMaker | None
    sbom: bool
    inside: FileMaker | None
    acceptance: Acceptance | None = None
    shared: SharedCache | None = None


class _Asked(NamedTuple):
    """An image that is asked for: its programs, and how its base is opened."""

    spec: ImageSpec
    programs: tuple[Program, ...]
    platform: Platform
    base: BaseRef
    options: BaseOptions


class _Prepared(NamedTuple):
    """An image that can be written, as long as its base is open; `packed` says nothing of that yet."""

    spec: ImageSpec
    packed: Packed
    layer_options: LayerOptions
    background: BackgroundLayers
    #: The image that it is put on, if it is on one.
    on: OpenBase | None = None


def pack(
    spec: ImageSpec,
    options: BaseOptions,
    output: OutputSpec | None = None,
    progress: Progress = no_progress,
    *,
    write: bool = True,
    sums: bool = False,
    every: bool = False,
    locking: LockPolicy | None = None,
    artifacts_of: ArtifactMaker | None = None,
    sbom: bool = False,
    inside: FileMaker | None = None,
    acceptance: Acceptance | None = None,
) -> Packed:
    """Make an image of the spec's programs, or one for each of their platforms.

    :param output: where the image goes; None only plans and proves it.
    :param write: False does everything but write the image.
    :param sums: compute checksums of the inputs and of the image's files.
    :param every: search all files for paths that are not packed, also those whose paths rarely matter.
    :param locking: what a lock allows.
    :param artifacts_of: makes artifacts about the image, such as signatures, for each output but an engine.
    :param sbom: compute what an SBOM states: `sums`, and the SHA-1 of each file.
    :param inside: makes files about the image that go into it, such as SBOMs.
    :param acceptance: what the image must pass before it is delivered.
    :raises MinpackError: one of its subclasses says what cannot be done.
    """
    job = _Job(options, output, write, sums or sbom, every, progress, locking, artifacts_of, sbom, inside, acceptance)
    if options.cache is None:
        return _packed(spec, job)
    from minpack.build.shared import open_caches  # noqa: PLC0415 - for shared caches alone

    with open_caches(options) as caches:
        packed = _packed(spec, job._replace(options=caches.options, shared=caches.shared))
        use = caches.finish(progress, write=write)
    return packed._replace(cache=use, notes=(*packed.notes, *use.notes))


def _packed(spec: ImageSpec, job: _Job) -> Packed:
    """Make an image, or one for each platform."""
    programs = read_programs(spec)
    if not spec.additions:
        return _pack(spec, programs, job)
    from minpack.program.exclusions import with_exclusions  # noqa: PLC0415 - where something is added

    spec, notes = with_exclusions(spec)
    packed = _pack(spec, programs, job)
    return packed._replace(notes=(*notes, *packed.notes))


def _pack(spec: ImageSpec, programs: tuple[Program, ...], job: _Job) -> Packed:
    if not (spec.platforms or spec.bases or _may_differ(programs)):
        return _pack_one(spec, programs, job)
    from minpack.build.several import specs_by_platform  # noqa: PLC0415 - for several platforms alone

    specs, notes = specs_by_platform(spec, programs)
    packed = _pack_one(specs[0].spec, specs[0].programs, job) if len(specs) == 1 else _pack_several(specs, job)
    return packed._replace(notes=(*notes, *packed.notes))


def _may_differ(programs: tuple[Program, ...]) -> bool:
    """Whether the programs may be for several platforms; of ARM, the headers do not tell all."""
    first = programs[0].info.target
    return len(programs) > 1 and (first.machine == EM_ARM or any(one.info.target != first for one in programs))


def _pack_one(spec: ImageSpec, programs: tuple[Program, ...], job: _Job) -> Packed:
    """Make an image for one platform."""
    asked = _asked(spec, programs, job)
    to, outside = _guarded_output((asked,), job)
    with _prepared(asked, job, to, outside, job.progress) as prepared:
        (packed,) = _written((prepared,), job, to)
    return packed._replace(notes=(*outside.notes, *packed.notes, *_written_notes(packed)))


def _pack_several(specs: Sequence[PlatformSpec], job: _Job) -> Packed:
    """Make an image for each platform, in the order of their names."""
    from minpack.build import several  # noqa: PLC0415 - for several platforms alone

    several.check_several([one.platform for one in specs], job.options, job.output)
    asked = []
    for one in specs:
        with several.of_platform(one):
            asked.append(_asked(one.spec, one.programs, job))
    to, outside = _guarded_output(asked, job)
    tasks = [partial(_prepared, one, job, to, outside, turn=turn) for turn in [several.new_turn()] for one in asked]
    with several.side_by_side(specs, tasks, job.progress) as found:
        labels = [one.packed.plan.config.platform for one in found]
        packed = _written(several.in_order(specs, labels, found), job, to)
    first, *others = packed
    notes = several.merged_notes([(one.plan.config.platform, one.notes) for one in packed])
    return first._replace(others=tuple(others), notes=(*outside.notes, *notes, *_written_notes(first)))


def _asked(spec: ImageSpec, programs: tuple[Program, ...], job: _Job) -> _Asked:
    """What is asked for of one platform, of the lock too if there is one.

    :raises MinpackError: there is no platform, or no base.
    """
    platform, options = platform_of(programs, spec.platform), job.options
    if job.locking is not None:
        spec, options = job.locking.select_bases(name(programs[0].destination), platform, spec, options)
    below = None
    if spec.on is not None:
        from minpack.build.on import check_output  # noqa: PLC0415 - for --on alone

        check_output(spec, job.output)
        below = SCRATCH_BASE
    base = spec.base or below or default_base(programs, platform, options.today)
    return _Asked(spec, programs, platform, base, options)


def _opened(asked: _Asked, progress: Progress, hint: Callable[[], str]) -> AbstractContextManager[Session]:
    """The base and its packages; over them the image that is kept, if there is one."""
    spec, programs, platform, ref, options = asked
    platform = base_platform(programs, platform, spec.platform)
    if spec.on is None:
        return open_session(ref, platform, options, progress, hint)
    from minpack.sources.on import open_session_on  # noqa: PLC0415 - for --on alone

    return open_session_on(spec.on, ref, platform, options, progress, hint)


@contextmanager
def _prepared(
    asked: _Asked,
    job: _Job,
    to: OutputSpec | None,
    outside: LeftOut,
    progress: Progress,
    turn: Lock | None = None,
) -> Generator[_Prepared]:
    """The image, planned and proved, while its base is open; its layers may be on the way.

    :param progress: of this image alone; that of writing is the job's.
    :param turn: see `BackgroundLayers`.
    """
    spec, programs, platform, _, options = asked
    hint = partial(fitting_hint, programs[0].info, platform, options.today)
    with (
        _opened(asked, progress, hint) as opened,
        BackgroundLayers(options.store if _has_several_layers(spec, to) else None, turn) as background,
    ):
        session = opened
        if session.on is not None:
            from minpack.build.on import inherited_spec, lacking_plan  # noqa: PLC0415 - for --on alone

            spec = inherited_spec(spec, session.on)
        programs, retargeted = _retargeted(spec, programs, session)
        session.check_fit(programs)
        placed = place(spec, programs, session.walker, outside.paths)
        sums = (job.sums, job.sbom)
        layer_options = LayerOptions(spec.created, spec.compression, spec.threads, job.progress, *sums, job.shared)
        if session.on is None:
            background.begin(own_entries(placed, spec.run), layer_options, PROGRAM_LAYER)
            session = session._replace(on_closure=partial(_prepare_libraries, background, layer_options))
        # A thread must not be there while a smoke test makes processes.
        _import_for_push(to if job.acceptance is None else None)
        # Imported while the program is hashed and compressed on another core.
        from minpack.build.plan import make_plan  # noqa: PLC0415
        from minpack.build.prove import prove_plan  # noqa: PLC0415

        planned = make_plan(spec, platform, programs, placed, session)
        if session.on is None:
            background.begin(planned.plan.lower, layer_options, LOWER_LAYER)
        proved = prove_plan(spec, planned, placed, session)
        if job.sums:
            from minpack.build.facts import with_facts  # noqa: PLC0415 - for reports and SBOMs alone

            planned = planned._replace(plan=with_facts(planned.plan, session, options))
        if session.on is not None:
            # What is proved is all of it; what is written, what the image below lacks.
            planned = lacking_plan(spec, planned, session.on)
        if job.locking is not None:
            job.locking.verify_plan(_lock_inputs(asked._replace(spec=spec, programs=programs), session, planned))
        packed = _planned(spec, options, session, planned, job)
        beside = _data_notes(programs, planned, packed.unpacked, every=job.every) if session.on is None else ()
        notes = (*retargeted, *planned.notes, *beside, *proved.notes)
        packed = packed._replace(demands=proved.demands, notes=notes, added=_added_symbols(placed, planned.plan))
        if job.sbom and session.on is not None:
            from minpack.build.facts import contents_below  # noqa: PLC0415 - for SBOMs alone

            packed = packed._replace(below=contents_below(packed.plan, session.on.base, progress))
        if job.inside is not None:
            from minpack.plan.inside import with_files  # noqa: PLC0415 - for --sbom-in-image alone

            packed = packed._replace(plan=with_files(packed.plan, job.inside(packed), "--sbom-in-image"))
        yield _Prepared(spec, packed, layer_options, background, session.on)


def _prepare_libraries(background: BackgroundLayers, options: LayerOptions, closure: Closure) -> None:
    """Let the layer below be begun with what a program loads besides itself."""
    contents = (loaded.entry.content for loaded in closure.objects[1:])
    background.prepare([content for content in contents if content is not None], options)


def _import_for_push(to: OutputSpec | None) -> None:
    """Begin to import what pushing takes, if the image is to be pushed: that waits for no layer."""
    if to is None or to.registry is None:
        return
    from threading import Thread  # noqa: PLC0415 - for --push alone, as the next

    def load() -> None:
        # What goes wrong shows again where it is used.
        with suppress(Exception):
            import minpack.net.import_urllib3  # noqa: PLC0415 - before what imports urllib3
            import minpack.net.wire  # noqa: PLC0415
            import minpack.output.registry  # noqa: F401, PLC0415

    # Where the system gives no thread, it is imported in its turn.
    with suppress(RuntimeError):
        Thread(target=load, daemon=True).start()


def _planned(spec: ImageSpec, options: BaseOptions, session: Session, planned: PlannedImage, job: _Job) -> Packed:
    """What packing gives, as far as a plan says it."""
    return Packed(
        planned.plan,
        None,
        # Before anything is written: what cannot be read again must not be an image.
        _inputs(spec, session, planned, sums=job.sums),
        (),
        {},
        planned.late,
        planned.variants,
        programs=planned.resolved.programs,
        locked=options.locked is not None,
        unpacked=_unpacked(planned, session, every=job.every),
        fetched=session.packages.fetched,
    )


def _written(images: Sequence[_Prepared], job: _Job, to: OutputSpec | None) -> tuple[Packed, ...]:
    """What packing gave, with the images written, if they are to be."""
    if to is None:
        return tuple(_summed(one.packed, job) for one in images)
    # Imported while the program is hashed, as planning.
    from minpack.output.write import write_output  # noqa: PLC0415

    make, packed = job.artifacts_of, tuple(one.packed for one in images)
    artifacts_of = partial(make, packed) if make is not None else None
    works = tuple(_layer_inputs(one, job) for one in images)
    if job.acceptance is None:
        written = write_output(works, to, artifacts_of)
        # What is written is summed meanwhile.
        return tuple(_written_image(image, one) for image, one in zip(images, written, strict=True))
    from minpack.build.accept import Acceptor  # noqa: PLC0415 - where something must be passed

    below = {one.packed.plan.config.platform: _below(one) for one in images}
    acceptor = Acceptor(
        job.acceptance, [one.plan for one in packed], below, tuple(_smaller(images)), job.options, to, job.progress
    )
    written = write_output(works, to._replace(accept=acceptor), artifacts_of)
    found = (_written_image(image, one) for image, one in zip(images, written, strict=True))
    return tuple(one._replace(smoked=acceptor.smoked.get(one.plan.config.platform)) for one in found)


def _summed(packed: Packed, job: _Job) -> Packed:
    """What packing gave of an image that is not written, with its files' sums if those are wanted."""
    if not job.sums:
        return packed
    return packed._replace(sums=file_sums(packed.plan), sha1=file_sums(packed.plan, "sha1") if job.sbom else {})


def _written_image(image: _Prepared, written: WrittenOutput) -> Packed:
    """What packing gave of one image."""
    if image.on is not None:
        written = written._replace(unpacked_below=_below(image))
    return image.packed._replace(written=written, sums=written.sums, sha1=written.sha1)


def _smaller(images: Sequence[_Prepared]) -> Iterator[str]:
    """Options that make the images smaller, and were not given."""
    if not all(one.spec.strip for one in images) and any(sum(p.weight) for one in images for p in one.packed.programs):
        yield "--strip"
    if images[0].spec.compression is not Compression.ZSTD_SMALL:
        yield "--compress small --zstd"


def _below(image: _Prepared) -> int:
    """The bytes of the tars of the image that it is on."""
    return getattr(image.on.base, "unpacked_size", 0) if image.on is not None else 0


def _written_notes(packed: Packed) -> tuple[str, ...]:
    return packed.written.notes if packed.written is not None else ()


def _added_symbols(placed: Sequence[Placed], plan: Plan) -> tuple[AddedSymbols, ...]:
    """What symbol tables and debug sections have in added files that programs load, and in those that were stripped."""
    added = {item.entry.path for item in placed if item.kind is PlaceKind.ADDED and item.entry.content is not None}
    if not added:
        return ()
    from minpack.program.stripping import added_symbols  # noqa: PLC0415 - where something was added

    loaded = frozenset(one.entry.path for closure in plan.closures for one in closure.objects[1:])
    return added_symbols(placed, loaded & added)


def _unpacked(planned: PlannedImage, session: Session, *, every: bool) -> tuple[Unpacked, ...]:
    """What the files have the paths of, the base has, and the image has not."""
    finder = planned.resolved.finder
    if finder is None:
        return ()
    packed = {entry.entry.path for entry in planned.plan.entries}
    found = finder.unpacked(planned.resolved.closures, packed, every=every)
    if session.on is None:
        return found
    from minpack.build.on import unpacked_besides  # noqa: PLC0415 - for --on alone

    return unpacked_besides(found, session.on)


def _data_notes(
    programs: Sequence[Program], planned: PlannedImage, unpacked: Sequence[Unpacked], *, every: bool
) -> tuple[str, ...]:
    """Notes of data that programs name, and `unpacked` has not."""
    if all(program.info.interpreter is None for program in programs):
        return ()
    from minpack.program.bundles import data_notes  # noqa: PLC0415 - for dynamic programs alone

    told = [one.path for one in unpacked if one.place]
    notes = data_notes(programs, {one.entry.path for one in planned.plan.entries}, told)
    finder = planned.resolved.finder
    return (*notes, *(finder.left(planned.resolved.closures, every=every) if finder is not None else ()))


def _guarded_output(asked: Sequence[_Asked], job: _Job) -> tuple[OutputSpec | None, LeftOut]:
    """Where to write to, which replaces nothing that is read, and what of it lies in directories that are packed."""
    output = job.output
    if output is not None:
        for one in asked:
            output = guarded(output, spec_inputs(one.spec, one.base, one.options))
    added = (addition.source for addition in asked[0].spec.additions)
    return output if job.write else None, left_out(output, added, job.options.store)


def _has_several_layers(spec: ImageSpec, to: OutputSpec | None) -> bool:
    """Whether compressed layers will be written that are known one before the other."""
    return to is not None and to.format.has_layers and not to.may_skip_compression and not spec.single_layer


def _lock_inputs(asked: _Asked, session: Session, planned: PlannedImage) -> LockInputs:
    """All that the plan was made of, for a lock."""
    from minpack.build.lock import LockInputs  # noqa: PLC0415 - where there is a lock

    opened, packages = session.opened, session.packages
    bases = (asked.base, opened, session.on)
    return LockInputs(
        asked.spec, asked.platform, *bases, asked.options, packages, planned.data, asked.programs, planned.plan
    )


def _retargeted(
    spec: ImageSpec, programs: tuple[Program, ...], session: Session
) -> tuple[tuple[Program, ...], tuple[str, ...]]:
    """The programs as they are to be packed, with notes of what was changed."""
    if not spec.retarget:
        return programs, ()
    from minpack.build.retarget import retarget_programs  # noqa: PLC0415 - for --retarget alone

    return retarget_programs(programs, session)


def _tools() -> tuple[Input, ...]:
    """What the bytes of changed programs follow from."""
    from minpack.elf.lief import lief_version  # noqa: PLC0415 - for --retarget alone

    return (Input("tool", "lief", version=lief_version()),)


def _inputs(spec: ImageSpec, session: Session, planned: PlannedImage, *, sums: bool) -> tuple[Input, ...]:
    """What the image is made from."""
    on = session.on
    return (
        *((image_input("on", on),) if on is not None else ()),
        *((base_input(session.ref, session.opened, sums=sums),) if on is None or session.opened is not on else ()),
        *package_inputs(planned.plan, session.packages),
        *(data_inputs(planned.data) if sums else ()),
        *(_tools() if spec.retarget else ()),
    )


def _layer_inputs(image: _Prepared, job: _Job) -> LayerInputs:
    """The layers of an image, and how they are made."""
    from minpack.output.write import LayerInputs  # noqa: PLC0415 - where something is written

    spec, plan = image.spec, image.packed.plan
    if spec.single_layer:
        layers: tuple[tuple[str, tuple[Entry, ...]], ...] = (("root file system", plan.all),)
    else:
        layers = ((LOWER_LAYER, plan.lower), (PROGRAM_LAYER, plan.upper))
    kept = tuple((comment, entries) for comment, entries in layers if entries)
    lower = None
    if image.on is not None:
        from minpack.build.on import lower_image  # noqa: PLC0415 - for --on alone

        lower = lower_image(spec, image.on)
    background = image.background
    return LayerInputs(kept, plan.all, plan.config, image.layer_options, job.options.store, background, lower)
