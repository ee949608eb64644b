"""`minpack pack`, the default command."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from minpack.build.pack import pack
from minpack.cli.effects import fetching_notes, variables_notes
from minpack.cli.options import (
    LOCK,
    Command,
    Parsed,
    arguments,
    base_option,
    lock_option,
    on_option,
    output_options,
    platforms_option,
    selected,
    store_options,
    why_option,
)
from minpack.cli.output import (
    compression_of,
    done,
    output_settings,
    output_spec,
    print_names,
    registry_wanted,
    result_options,
)
from minpack.cli.settings import (
    StoreSettings,
    base_options,
    check_packages,
    created,
    host_platform,
    threads,
)
from minpack.cli.spec import FileOptions, file_options, files_spec, noted, programs_argument
from minpack.cli.terminal import drawing, print_json, print_lines, print_notes, reporting
from minpack.errors import BaseNeededError, UsageError
from minpack.namedtuple import NamedTuple
from minpack.oci.reference import default_reference
from minpack.spec.values import parse_label, parse_ports, parse_signal, parse_volume

if TYPE_CHECKING:
    from collections.abc import Callable

    from minpack.build.lock import LockPolicy
    from minpack.build.pack import Packed
    from minpack.output.target import OutputSpec
    from minpack.paths import RootPath
    from minpack.progress import Progress
    from minpack.spec.base_ref import BaseRef
    from minpack.spec.image import ImageSpec, RunConfig


@click.command(
    "pack",
    cls=Command,
    short_help="Pack programs into an image.",
    epilog="Every command, with examples: README.md and docs/ of minpack's source.",
)
@programs_argument
@base_option
@on_option
@platforms_option
@result_options
@click.option(
    "--single-layer", is_flag=True, help="Write one layer instead of two (files from the base, files from you)."
)
@file_options
@click.option(
    "--entrypoint",
    "entrypoint",
    multiple=True,
    callback=arguments,
    metavar="ARG",
    help="Entrypoint: one argument per --entrypoint, or a JSON array; '' for none. Default: the first program.",
)
@click.option(
    "--cmd",
    "cmd",
    multiple=True,
    callback=arguments,
    metavar="ARG",
    help="Default arguments: one per --cmd, or a JSON array.",
)
@click.option(
    "--expose",
    "exposed",
    multiple=True,
    type=Parsed(parse_ports),
    metavar="PORT[-PORT][/PROTOCOL]",
    help="Port, or range of ports, that the program listens on; repeatable.",
)
@click.option(
    "-l",
    "--label",
    "labels",
    multiple=True,
    type=Parsed(parse_label),
    metavar="KEY=VALUE",
    help="Label, also set as an annotation; repeatable.",
)
@click.option(
    "--volume",
    "volumes",
    multiple=True,
    type=Parsed(parse_volume),
    metavar="PATH",
    help="Make this directory a volume; repeatable.",
)
@click.option(
    "--stop-signal",
    type=Parsed(parse_signal),
    metavar="SIGNAL",
    help="Signal that stops the program [SIGTERM].",
)
@why_option
@lock_option
@click.option("--locked", is_flag=True, help="Build only from the lock file, and fail if anything differs from it.")
@store_options
@click.option("--dry-run", is_flag=True, help="Show the plan; write nothing.")
@output_options
def command(**given: Any) -> None:  # noqa: ANN401 - the options above are its signature
    """Pack programs into one image; the first is the entrypoint.

    \b
    minpack ./myapp                                 static: writes ./myapp.tar
    minpack ./myapp --base debian-12 -t me/app:1    libraries from Debian
    minpack ./myapp --base / --load                 of this host, into Docker
    """  # noqa: D301 - click's mark for a block
    quiet, as_json = given["quiet"], given["as_json"]
    settings = output_settings(given)
    name = _name(given["programs"])
    lock = (given["lock"] or LOCK) if given["locked"] else None
    output = output_spec(
        settings,
        name,
        default_reference(name),
        lock,
        registry_wanted(given, pulls=given["locked"] or any(one.is_pulled for one in _images(given))),
    )
    spec = image_spec(selected(FileOptions, given), selected(ImageOptions, given))
    with drawing(quiet=quiet) as progress:
        packed = _packed(given, spec, output, progress)
    packed = packed._replace(notes=(*packed.notes, *_effects(packed, spec, output)))
    with reporting(done(packed.written)):
        if as_json:
            from minpack.report.documents import pack_document  # noqa: PLC0415

            print_json(pack_document(packed, output.references))
            return
        print_notes(noted(packed.notes, given), quiet=quiet)
        if quiet:
            print_names(packed.written)
        else:
            pack_lines = _pack_lines(packed)
            lines = pack_lines(packed, output.references, verbose=given["verbose"], host=host_platform())
            print_lines(lines, to_stderr=output.path == "-")


def _pack_lines(packed: Packed) -> Callable[..., list[str]]:
    """What makes the closing summary."""
    if packed.others:
        from minpack.report.several import several_lines  # noqa: PLC0415 - as the next, where it is printed

        return several_lines
    from minpack.report.text import pack_lines  # noqa: PLC0415

    return pack_lines


def _name(programs: tuple[str, ...]) -> str:
    """What image and file are called after, where they have no other name."""
    if len(programs) == 1:
        return os.path.basename(programs[0].rstrip("/"))
    from minpack.program.suffixes import image_name  # noqa: PLC0415 - for several programs alone

    return image_name(programs)


def _effects(packed: Packed, spec: ImageSpec, output: OutputSpec) -> tuple[str, ...]:
    """Notes of what was asked for and has no effect."""
    variables = [*dict(spec.run.env), *(["TZ"] if spec.zone else []), *(["LANG"] if spec.locale else [])]
    return (
        *variables_notes(output.format, variables),
        *fetching_notes(
            *(item.url for one in packed.images for item in one.inputs if item.kind in ("base", "on")),
            packages=any(item.kind == "package" for one in packed.images for item in one.inputs),
            locked=packed.locked,
        ),
    )


def _images(given: dict[str, Any]) -> list[BaseRef]:
    """The bases, and the image below, that were named."""
    return [*(base for _, base in given["base"]), *([given["on"]] if given["on"] is not None else [])]


def _packed(given: dict[str, Any], spec: ImageSpec, output: OutputSpec, progress: Progress) -> Packed:
    """What packing gives, from a lock if that is wanted."""
    store, as_json, write = selected(StoreSettings, given), given["as_json"], not given["dry_run"]
    options, bases = base_options(store), [base for _, base in given["base"]]
    images = _images(given)
    if given["locked"] or any(base.is_pulled for base in images):
        from minpack.cli.registry import with_registry  # noqa: PLC0415 - for images of registries, and for locks

        named = (given["lock"] or LOCK) if given["locked"] else None
        options = with_registry(options, given, *images, push=output.registry, lock=named)
    check_packages(bases, store)

    def packed(locking: LockPolicy | None = None) -> Packed:
        every = as_json or given["verbose"]
        return pack(spec, options, output, progress, write=write, sums=as_json, every=every, locking=locking)

    if not given["locked"]:
        if given["lock"] is not None:
            hint = "add --locked to build from it; minpack lock writes one"
            raise UsageError("--lock", given["lock"], "no lock is read without --locked", hint)
        return _unlocked(packed, "" if given["base"] else _lock_here(spec.programs))
    from minpack.build.lock import LockVerifier  # noqa: PLC0415
    from minpack.build.update import keep  # noqa: PLC0415
    from minpack.lock.file import read_lock  # noqa: PLC0415 - as the others here: for locked builds alone

    path = given["lock"] or LOCK
    lock = read_lock(path)
    notes = keep(lock, path, options.store)
    locking = LockVerifier(lock, path)
    with locking.refusing():
        result = packed(locking)
    return result._replace(notes=(*result.notes, *notes))


def _unlocked(packed: Callable[[], Packed], unused: str) -> Packed:
    """What packing without a lock gives.

    :param unused: the options that would build from a lock that is there, which is told; empty where there is none.
    """
    if not unused:
        return packed()
    try:
        result = packed()
    except BaseNeededError as error:
        error.hint = f"or build from the lock here with {unused}; {error.hint}"
        raise
    return result._replace(notes=(*result.notes, f"{LOCK} was not used: {unused} builds from it"))


def _lock_here(programs: tuple[str, ...]) -> str:
    """The options that build from the lock in the working directory, or beside a program; empty where there is none."""
    directories = ("", *dict.fromkeys(os.path.dirname(program) for program in programs))
    path = next((path for path in (os.path.join(here, LOCK) for here in directories) if os.path.isfile(path)), "")
    if path in ("", LOCK):
        return path and "--locked"
    import shlex  # noqa: PLC0415 - for hardly any

    return f"--locked --lock {shlex.quote(path)}"


class ImageOptions(NamedTuple):
    """The options about an image that do not decide which files it has, as they were given, each value parsed."""

    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...]
    exposed: tuple[tuple[str, ...], ...]
    labels: tuple[tuple[str, str], ...]
    annotations: tuple[tuple[str, str], ...]
    volumes: tuple[RootPath, ...]
    stop_signal: str | None
    created: str | None
    compress: str | None
    zstd: bool
    single_layer: bool
    why: bool
    on: BaseRef | None


def image_spec(files: FileOptions, options: ImageOptions) -> ImageSpec:
    """The image that the options mean.

    :raises UsageError: some contradict each other.
    """
    spec = files_spec(files)
    return spec._replace(
        run=_run_config(options, spec.run),
        created=created(options.created),
        compression=compression_of(options.compress, zstd=options.zstd),
        single_layer=options.single_layer,
        threads=threads(),
        why=options.why,
        on=options.on,
        inherits=_inherited(files) if options.on is not None else frozenset(),
    )


def _inherited(files: FileOptions) -> frozenset[str]:
    """What an image below is left to say."""
    given = {"user": files.user, "workdir": files.workdir}
    return frozenset(key for key, value in given.items() if value is None)


def _run_config(options: ImageOptions, run: RunConfig) -> RunConfig:
    entrypoint: tuple[str, ...] | None = options.entrypoint or None
    if entrypoint == ("",):
        entrypoint = ()
        if not options.cmd:
            raise UsageError("--entrypoint", "", "the image would have nothing to run", "give a command with --cmd")
    return run._replace(
        entrypoint=entrypoint,
        cmd=options.cmd,
        exposed=tuple(port for ports in options.exposed for port in ports),
        volumes=options.volumes,
        labels=options.labels,
        annotations=options.annotations,
        stop_signal=options.stop_signal or "",
    )
