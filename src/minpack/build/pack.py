"""The stages in order: read, open, place, plan, write. No rules of its own."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from minpack.build.inputs import Input, base_input, data_inputs, file_sums, package_inputs
from minpack.layers.background import BackgroundLayers
from minpack.layers.cache import LayerOptions
from minpack.namedtuple import NamedTuple
from minpack.output.inputs import guarded, left_out, spec_inputs
from minpack.paths import name
from minpack.program.place import own_entries, place
from minpack.program.platforms import base_platform, platform_of
from minpack.program.read import read_programs
from minpack.progress import no_progress
from minpack.sources.fitting import default_base, fitting_hint
from minpack.sources.session import open_session

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minpack.base.options import BaseOptions
    from minpack.build.lock import LockInputs, LockPolicy
    from minpack.build.plan import PlannedImage
    from minpack.digest import Digest
    from minpack.ld.demands import Demands
    from minpack.ld.late import LateLibrary
    from minpack.ld.variants import Variant
    from minpack.output.inputs import LeftOut
    from minpack.output.target import OutputSpec, WrittenOutput
    from minpack.paths import RootPath
    from minpack.plan.model import Plan
    from minpack.plan.unpacked import Unpacked
    from minpack.program.read import Program
    from minpack.progress import Progress
    from minpack.rootfs.entry import Entry
    from minpack.sources.session import Session
    from minpack.spec.base_ref import BaseRef
    from minpack.spec.image import ImageSpec
    from minpack.target import Platform


#: What the layer of the user's own files is called, and the one below it.
PROGRAM_LAYER, LOWER_LAYER = "program", "libraries and data"


class Packed(NamedTuple):
    """What packing gave. `written` is None when nothing was to be written.

    `late` is what the programs may open later and is not packed, `variants` what is for better CPUs and is not either,
    `demands` what each program demands of the machine, by its path, if that was checked. `sums` has the SHA-256 of each
    file, in hexadecimal, if they were asked for; without, `inputs` has the base alone, and no sum of a local tarball.
    `locked` says that it was made of what a lock names alone. `unpacked` is what the files have the paths of, and is in
    the base and not in the image.
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

    @property
    def digest(self) -> Digest | None:
        """The digest by which registries know the image; None if no image was written, or to an engine alone."""
        return self.written.digest if self.written is not None else None


def pack(
    spec: ImageSpec,
    options: BaseOptions,
    output: OutputSpec | None,
    progress: Progress = no_progress,
    *,
    write: bool = True,
    sums: bool = False,
    every: bool = False,
    locking: LockPolicy | None = None,
) -> Packed:
    """Make an image of the spec's programs.

    :param output: where the image goes; None for a plan alone.
    :param write: whether to write the image; without, all is done but that.
    :param sums: compute the sums of the files, as they are written, and of the inputs.
    :param every: look in all files for paths of what is not packed, where else those are left out that tell little.
    :param locking: what a lock has to say of it.
    :raises MinpackError: one of its subclasses, saying what cannot be done.
    """
    programs = read_programs(spec)
    platform = platform_of(programs, spec.platform)
    spec, options = _with_selected_base(spec, programs, platform, options, locking)
    ref = spec.base or default_base(programs, platform, options.today)
    output, outside = _guarded_output(spec, ref, options, output)
    to = output if write else None
    hint = partial(fitting_hint, programs[0].info, platform, options.today)
    with (
        open_session(ref, base_platform(programs, platform, spec.platform), options, progress, hint) as session,
        BackgroundLayers(options.store if _has_several_layers(spec, to) else None) as background,
    ):
        programs, retargeted = _retargeted(spec, programs, session)
        session.check_fit(programs)
        placed = place(spec, programs, session.walker, outside.paths)
        layer_options = LayerOptions(spec.created, spec.compression, spec.threads, progress, sums)
        background.begin(own_entries(placed, spec.run.user), layer_options, PROGRAM_LAYER)
        _import_for_push(to)
        # Imported while the program is hashed and compressed on another core.
        from minpack.build.plan import make_plan  # noqa: PLC0415
        from minpack.build.prove import prove_plan  # noqa: PLC0415

        planned = make_plan(spec, platform, programs, placed, session)
        background.begin(planned.plan.lower, layer_options, LOWER_LAYER)
        proved = prove_plan(spec, planned, placed, session)
        if locking is not None:
            locking.verify_plan(_lock_inputs(spec, options, session, planned, programs))
        packed = _written(spec, to, layer_options, options, session, background, planned, every=every)
        beside = _data_notes(programs, planned, packed.unpacked, every=every)
    notes = (*outside.notes, *retargeted, *planned.notes, *beside, *proved.notes, *packed.notes)
    return packed._replace(demands=proved.demands, notes=notes)


def _import_for_push(to: OutputSpec | None) -> None:
    """Begin to import what pushing takes, if the image is to be pushed: that waits for no layer."""
    if to is None or to.registry is None:
        return
    from threading import Thread  # noqa: PLC0415 - for --push alone, as the next

    def load() -> None:
        # What goes wrong shows again where it is used.
        with suppress(Exception):
            import minpack.net.wire  # noqa: PLC0415
            import minpack.output.registry  # noqa: F401, PLC0415

    # Where the system gives no thread, it is imported in its turn.
    with suppress(RuntimeError):
        Thread(target=load, daemon=True).start()


def _with_selected_base(
    spec: ImageSpec,
    programs: tuple[Program, ...],
    platform: Platform,
    options: BaseOptions,
    locking: LockPolicy | None,
) -> tuple[ImageSpec, BaseOptions]:
    """The spec with the base that the lock selects, and the options to open it with."""
    if locking is None:
        return spec, options
    base, options = locking.select_base(name(programs[0].destination), platform, spec.base, options)
    return spec._replace(base=base), options


def _unpacked(planned: PlannedImage, *, every: bool) -> tuple[Unpacked, ...]:
    """What the files have the paths of, the base has, and the image has not."""
    finder = planned.resolved.finder
    if finder is None:
        return ()
    packed = {entry.entry.path for entry in planned.plan.entries}
    return finder.unpacked(planned.resolved.closures, packed, every=every)


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


def _guarded_output(
    spec: ImageSpec, base: BaseRef, options: BaseOptions, output: OutputSpec | None
) -> tuple[OutputSpec | None, LeftOut]:
    """The output, which replaces nothing that is read, and what of it lies in directories that are packed."""
    if output is not None:
        output = guarded(output, spec_inputs(spec, base, options))
    return output, left_out(output, (addition.source for addition in spec.additions), options.store)


def _has_several_layers(spec: ImageSpec, to: OutputSpec | None) -> bool:
    """Whether compressed layers will be written that are known one before the other."""
    return to is not None and to.format.has_layers and not to.may_skip_compression and not spec.single_layer


def _lock_inputs(
    spec: ImageSpec,
    options: BaseOptions,
    session: Session,
    planned: PlannedImage,
    programs: tuple[Program, ...],
) -> LockInputs:
    """All that the plan was made of, for a lock."""
    from minpack.build.lock import LockInputs  # noqa: PLC0415 - where there is a lock

    opened, packages = session.opened, session.packages
    return LockInputs(spec, session.ref.name, opened, options, packages, planned.data, programs, planned.plan)


def _retargeted(
    spec: ImageSpec, programs: tuple[Program, ...], session: Session
) -> tuple[tuple[Program, ...], tuple[str, ...]]:
    """The programs as they are to be packed, with notes of what was changed."""
    if not spec.retarget:
        return programs, ()
    from minpack.build.retarget import retarget_programs  # noqa: PLC0415 - for --retarget alone

    return retarget_programs(programs, session)


def _written(
    spec: ImageSpec,
    to: OutputSpec | None,
    layer_options: LayerOptions,
    options: BaseOptions,
    session: Session,
    background: BackgroundLayers,
    planned: PlannedImage,
    *,
    every: bool,
) -> Packed:
    """What packing gave once the plan is written, with the notes of writing alone."""
    # Before anything is written: what cannot be read again must not be an image.
    inputs = _inputs(spec, session, planned, sums=layer_options.sums)
    unpacked = _unpacked(planned, every=every)
    written = _write(planned.plan, spec, to, layer_options, options.store, background)
    # What is written is summed meanwhile.
    sums = written.sums if written is not None else file_sums(planned.plan) if layer_options.sums else {}
    return Packed(
        planned.plan,
        written,
        inputs,
        written.notes if written is not None else (),
        sums,
        planned.late,
        planned.variants,
        programs=planned.resolved.programs,
        locked=options.locked is not None,
        unpacked=unpacked,
    )


def _inputs(spec: ImageSpec, session: Session, planned: PlannedImage, *, sums: bool) -> tuple[Input, ...]:
    """What the image is made from."""
    return (
        base_input(session.ref, session.opened, sums=sums),
        *package_inputs(planned.plan, session.packages),
        *(data_inputs(planned.data) if sums else ()),
        *(_tools() if spec.retarget else ()),
    )


def _tools() -> tuple[Input, ...]:
    """What the bytes of changed programs follow from."""
    from minpack.elf.lief import lief_version  # noqa: PLC0415 - for --retarget alone

    return (Input("tool", "lief", version=lief_version()),)


def _write(
    plan: Plan,
    spec: ImageSpec,
    to: OutputSpec | None,
    layer_options: LayerOptions,
    store: str | None,
    background: BackgroundLayers,
) -> WrittenOutput | None:
    if to is None:
        return None
    from minpack.output.write import LayerInputs, write_output  # noqa: PLC0415 - imported while the program is hashed, as planning

    if spec.single_layer:
        layers: tuple[tuple[str, tuple[Entry, ...]], ...] = (("root file system", plan.all),)
    else:
        layers = ((LOWER_LAYER, plan.lower), (PROGRAM_LAYER, plan.upper))
    kept = tuple((comment, entries) for comment, entries in layers if entries)
    return write_output((LayerInputs(kept, plan.all, plan.config, layer_options, store, background),), to)[0]
