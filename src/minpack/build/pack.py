"""The stages in order: read, place, resolve, decide, plan, deliver. No rules of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.walk import Walker
from minpack.content import sum_of
from minpack.layers.background import BackgroundLayer
from minpack.layers.cache import LayerOptions
from minpack.ld.fit import check_fit
from minpack.namedtuple import NamedTuple
from minpack.output.inputs import guarded, left_out, request_inputs
from minpack.paths import RootPath
from minpack.program.place import own_entries, place
from minpack.progress import no_progress
from minpack.resolve.closures import base_platform, platform_of, read_programs
from minpack.rootfs.entry import Kind
from minpack.sources.fitting import base_name, default_base, fitting_hint
from minpack.sources.local import file_sum
from minpack.sources.open import open_base
from minpack.sources.packages import open_packages
from minpack.target import alpine_arch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minpack.base.options import BaseOptions, OpenBase
    from minpack.base.packages import Packages
    from minpack.build.lock import LockPolicy
    from minpack.embedded.base import EmbeddedBase
    from minpack.ld.demands import Demands
    from minpack.ld.late import LateLibrary
    from minpack.ld.variants import Variant
    from minpack.output.target import OutputSpec, WrittenOutput
    from minpack.plan.model import Plan
    from minpack.program.read import Program
    from minpack.progress import Progress
    from minpack.rootfs.entry import Entry
    from minpack.spec.image import ImageSpec


#: What the layer of the user's own files is called.
PROGRAM_LAYER = "program"


class Input(NamedTuple):
    """Something an image was made from; `sha256` is empty where nothing has one sum."""

    kind: str
    name: str
    sha256: str = ""
    size: int = 0
    url: str = ""
    version: str = ""


class Packed(NamedTuple):
    """What packing gave. `delivered` is None when nothing was to be written.

    `late` is what the programs may open later and is not packed, `variants` what is for better CPUs and is not either,
    `demands` what each program demands of the machine, by its path, if that was checked. `sums` has the SHA-256 of each
    file, in hexadecimal, if they were asked for; without, `inputs` has the base alone, and no sum of a local tarball.
    `locked` says that it was made of what a lock names alone.
    """

    plan: Plan
    delivered: WrittenOutput | None
    inputs: tuple[Input, ...]
    notes: tuple[str, ...]
    sums: Mapping[RootPath, str]
    late: tuple[LateLibrary, ...] = ()
    variants: tuple[Variant, ...] = ()
    demands: tuple[tuple[str, Demands], ...] = ()
    programs: tuple[Program, ...] = ()
    locked: bool = False


def pack(
    request: ImageSpec,
    base: str | None,
    options: BaseOptions,
    delivery: OutputSpec | None,
    progress: Progress = no_progress,
    *,
    write: bool = True,
    sums: bool = False,
    locking: LockPolicy | None = None,
) -> Packed:
    """Make an image of the request's programs.

    :param base: what --base names; None for the default.
    :param delivery: where the image goes; None for a plan alone.
    :param write: whether to write the image; without, all is done but that.
    :param sums: compute the sums of the files and of the inputs, which reads them once more.
    :param locking: what a lock has to say of it.
    :raises MinpackError: one of its subclasses, saying what cannot be done.
    """
    programs = read_programs(request)
    platform = platform_of(programs, request.platform)
    fetched_for = base_platform(programs, platform, request.platform)
    if locking is not None:
        base, options = locking.begin(platform, base, options)
    name = base_name(base) if base is not None else default_base(programs, platform, options.today)
    if delivery is not None:
        delivery = guarded(delivery, request_inputs(request, name, options))
    outside = left_out(delivery, (addition.source for addition in request.additions), options.store)
    to = delivery if write else None
    with (
        BackgroundLayer(options.store) as ahead,
        open_base(name, fetched_for, options, progress) as opened,
        open_packages(opened.base, alpine_arch(fetched_for), options, progress) as packages,
    ):
        hint = fitting_hint(programs[0].info, platform, options.today)
        lower = Walker(opened.base)
        for program in programs:
            check_fit(program.path, program.info, lower, hint)
        placed = place(request, programs, lower, outside.paths)
        if to is not None and to.format.has_layers and not request.single_layer:
            ahead.begin(own_entries(placed, request.run.user), _how(request, progress), PROGRAM_LAYER)
        # Imported while the program is hashed and compressed on another core.
        from minpack.build.plan import PlanInputs, make_plan  # noqa: PLC0415

        planned = make_plan(request, PlanInputs(programs, platform, placed, opened, packages, lower, hint))
        if locking is not None:
            from minpack.build.lock import LockInputs  # noqa: PLC0415 - where there is a lock

            locking.end(LockInputs(request, name, opened, options, packages, planned.data, programs, planned.plan))
        # Before anything is written: what cannot be read again must not be an image.
        inputs = (base_input(name, opened, sums=sums), *_package_inputs(planned.plan, packages))
        inputs += _data_inputs(planned.data) if sums else ()
        all_sums = _sums(planned.plan) if sums else {}
        delivered = _delivered(planned.plan, request, to, progress, options.store, ahead)
        return Packed(
            planned.plan,
            delivered,
            inputs,
            (*outside.notes, *planned.notes, *(delivered.notes if delivered else ())),
            all_sums,
            planned.late,
            planned.variants,
            planned.demands,
            planned.programs,
            options.locked is not None,
        )


def _package_inputs(plan: Plan, packages: Packages) -> tuple[Input, ...]:
    """The packages that were fetched and that files of the plan are from."""
    used = {planned.package for planned in plan.entries}
    return tuple(Input("package", p.name, p.sha256, p.size, p.url, p.version) for p in packages.fetched if p in used)


def _how(request: ImageSpec, progress: Progress) -> LayerOptions:
    return LayerOptions(request.created, request.compression, request.threads, progress)


def _delivered(
    plan: Plan,
    request: ImageSpec,
    delivery: OutputSpec | None,
    progress: Progress,
    store: str | None,
    ahead: BackgroundLayer,
) -> WrittenOutput | None:
    if delivery is None:
        return None
    from minpack.output.write import LayerInputs, write_output  # noqa: PLC0415 - imported while the program is hashed, as planning

    if request.single_layer:
        layers: tuple[tuple[str, tuple[Entry, ...]], ...] = (("root file system", plan.all),)
    else:
        layers = (("libraries and data", plan.lower), (PROGRAM_LAYER, plan.upper))
    kept = tuple((comment, entries) for comment, entries in layers if entries)
    work = LayerInputs(kept, plan.all, plan.config, request.compression, request.threads, progress, store, ahead)
    return write_output(work, delivery)


def _sums(plan: Plan) -> dict[RootPath, str]:
    """The sum of each file by its path; one that has several names is read once."""
    sums: dict[RootPath, str] = {}
    for entry in plan.all:
        if entry.kind is Kind.HARDLINK:
            sums[entry.path] = sums[RootPath(entry.link)]
        elif entry.content is not None:
            sums[entry.path] = sum_of(entry.content)
    return sums


def base_input(name: str, opened: OpenBase, *, sums: bool) -> Input:
    """The base as an input; the sum of a local tarball is computed here, if `sums` says so."""
    if sums and opened.kind == "tarball" and not opened.sha256:
        return Input("base", opened.base.name, file_sum(name, "sha256"), opened.size)
    return Input("base", opened.base.name, opened.sha256, opened.size, opened.url)


def _data_inputs(default: EmbeddedBase) -> tuple[Input, ...]:
    """The embedded data that was used, with the version it is of."""
    return tuple(Input("data", *row) for row in default.versions())
