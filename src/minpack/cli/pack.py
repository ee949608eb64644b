"""`minpack pack`, the default command."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from minpack.build.pack import pack
from minpack.cli.acceptance import acceptance_of, acceptance_options, refuse_acceptance_of_trees, trace_option
from minpack.cli.debug_options import debug_option, tools_options
from minpack.cli.effects import fetching_notes, names_cache, refuse_without_cache, variables_notes
from minpack.cli.health import HealthOptions, health_of, health_options
from minpack.cli.options import (
    FILLED,
    LOCK,
    Choice,
    Command,
    Parsed,
    arguments,
    base_option,
    lock_option,
    on_option,
    output_options,
    platforms_option,
    selected,
    shared_cache_options,
    store_options,
    verify_cache_option,
    why_option,
)
from minpack.cli.output import (
    WantedArtifacts,
    against_option,
    compression_of,
    done,
    output_settings,
    output_spec,
    print_names,
    refuse_unloadable,
    registry_wanted,
    result_options,
    summary_option,
)
from minpack.cli.settings import (
    StoreSettings,
    base_options,
    check_packages,
    created,
    host_platform,
    threads,
)
from minpack.cli.spec import FileOptions, file_options, files_spec, named_images, noted, programs_argument
from minpack.cli.terminal import drawing, fill_streams, print_json, print_lines, print_notes, reporting
from minpack.errors import BaseNeededError, UsageError
from minpack.namedtuple import NamedTuple
from minpack.oci.reference import default_reference
from minpack.spec.values import parse_label, parse_ports, parse_signal, parse_volume

if TYPE_CHECKING:
    from collections.abc import Callable

    from minpack.base.open_bases import OpenBases
    from minpack.build.lock import LockPolicy
    from minpack.build.pack import Packed
    from minpack.cli.output import OutputSettings
    from minpack.output.target import OutputSpec
    from minpack.paths import RootPath
    from minpack.progress import Progress
    from minpack.registry.options import RegistryOptions
    from minpack.spec.capability import Capability
    from minpack.spec.image import ImageSpec, RunConfig


#: What goes along with an image, by its options.
_ARTIFACTS = (
    *("sboms", "sbom_in_image", "provenance", "builder_id", "attest_in_index"),
    *("sign", "signature_format"),
)


@click.command(
    "pack",
    cls=Command,
    short_help="Pack programs into an image.",
    epilog="Examples for every command are in README.md and docs/ of minpack's source.",
)
@programs_argument
@base_option
@on_option
@platforms_option
@result_options
@click.option(
    "--sign",
    type=FILLED,
    metavar="KEY",
    help="Sign the image with this private key, as cosign does: a file, or env://NAME for a variable"
    " that holds the PEM. For an encrypted key, set COSIGN_PASSWORD.",
)
@click.option(
    "--signature-format",
    type=Choice(["bundle", "classic"]),
    help="bundle: the format that cosign 3 reads by default; classic: the .sig tag that cosign 1 and 2"
    " and some policy engines read. Default: bundle.",
)
@click.option("--single-layer", is_flag=True, help="Write one layer instead of two (files from the base, and yours).")
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
    help="Port or port range that the program listens on; repeatable.",
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
    help="Signal that stops the program. Default: SIGTERM.",
)
@health_options
@click.option(
    "--sbom",
    "sboms",
    multiple=True,
    type=Choice(["spdx", "cyclonedx"]),
    help="Write an SBOM (SPDX 2.3 or CycloneDX 1.6) to a file next to the output (myapp.spdx.json,"
    " myapp.cdx.json), and attach it to the image in its archive, layout or registry; repeatable.",
)
@click.option(
    "--sbom-in-image",
    is_flag=True,
    help="Also put the SBOM into the image, at /var/lib/db/sbom, for scanners that look there.",
)
@click.option(
    "--provenance",
    is_flag=True,
    help="Write SLSA provenance (what you asked for, and what the image was made of) to a file next to"
    " the output (myapp.provenance.json), and attach it to the image in its archive, layout or"
    " registry.",
)
@click.option(
    "--builder-id",
    type=FILLED,
    metavar="URI",
    help="Builder's URI in the provenance. Default: a local build.",
)
@click.option(
    "--attest-in-index",
    is_flag=True,
    help="Also list the SBOM and provenance in the image's index, as BuildKit does (for docker buildx"
    " imagetools and Docker Scout). Gives a single-platform image an index.",
)
@trace_option
@acceptance_options
@debug_option
@tools_options
@why_option
@lock_option
@click.option("--locked", is_flag=True, help="Build only from the lock file, and fail if anything differs.")
@store_options
@shared_cache_options
@verify_cache_option
@click.option("--dry-run", is_flag=True, help="Show what would be packed, and write nothing.")
@summary_option
@against_option
@output_options
def command(**given: Any) -> None:  # noqa: ANN401 - the options above are its signature
    """Pack programs into one image; the first is the entrypoint.

    \b
    minpack ./myapp                                 static: writes ./myapp.tar
    minpack ./myapp --base debian-12 -t me/app:1    libraries from Debian
    minpack ./myapp --base / --load                 of this host, into Docker
    """  # noqa: D301 - click's mark for a block
    packed, artifacts = pack_given(given)
    tell(packed, artifacts, given)


def pack_given(
    given: dict[str, Any], name: str = "", *, shared: bool = False, bases: OpenBases | None = None
) -> tuple[Packed, WantedArtifacts]:
    """The image that the options ask for, written to where they say, and what was wanted besides it.

    :param name: what file and image are called where they have no name; empty for the program's.
    :param shared: a layout that is there gets the image besides those that it has.
    :param bases: those that stay open for other images.
    """
    settings = output_settings(given)
    refuse_acceptance_of_trees(settings.format, given)
    refuse_without_cache(given)
    if given.get("against") is not None:
        from minpack.cli.changes import refuse_idle_against  # noqa: PLC0415 - for --against alone

        refuse_idle_against(given)
    pulls = given["locked"] or names_cache(given) or any(one.is_pulled for one in named_images(given))
    pulls = pulls or given.get("against") is not None
    make = _debuggable(given) if _names_tools(given) else packed_image
    return make(given, settings, registry_wanted(given, pulls=pulls), name=name, shared=shared, bases=bases)


def check_given(given: dict[str, Any]) -> None:
    """Raise an error if the options contradict each other, as far as that shows before anything is read.

    :raises UsageError: they do.
    """
    settings = output_settings(given)
    refuse_unloadable(settings)
    refuse_acceptance_of_trees(settings.format, given)
    refuse_without_cache(given)
    if _names_tools(given):
        _debuggable(given)
    spec_of(given)


def tell(packed: Packed, artifacts: WantedArtifacts, given: dict[str, Any]) -> None:
    """Print what was packed, as the options say."""
    output, quiet = artifacts.output, given["quiet"]
    with reporting(done(packed.written)):
        if given["summary"] is not None:
            from minpack.cli.changes import changed_lines  # noqa: PLC0415 - for --summary alone
            from minpack.cli.summary import append_summary  # noqa: PLC0415 - as above
            from minpack.report.markdown import pack_summary  # noqa: PLC0415

            lines = pack_summary(packed, output.references)
            append_summary(given["summary"], [*lines, *changed_lines(packed, output, given)])
        if given["as_json"]:
            from minpack.report.documents import pack_document  # noqa: PLC0415

            print_json({**pack_document(packed, output.references), **artifacts.documents})
            return
        print_notes(noted(packed.notes, given), quiet=quiet)
        if quiet:
            print_names(packed.written, *artifacts.more)
        else:
            pack_lines = _pack_lines(packed)
            lines = pack_lines(packed, output.references, verbose=given["verbose"], host=host_platform())
            print_lines([*lines, *artifacts.lines(packed.written)], to_stderr=output.path == "-")


def _names_tools(given: dict[str, Any]) -> bool:
    """Whether an option is about an image for debugging."""
    return bool(given["debug"] or given["tools"]) or given["tools_base"] is not None


def _debuggable(given: dict[str, Any]) -> Callable[..., tuple[Packed, WantedArtifacts]]:
    """As `packed_image`, with an image for debugging.

    :raises UsageError: there can be none.
    """
    from minpack.cli.pack_debug import packed_with_debug, refuse_undebuggable  # noqa: PLC0415 - for --debug alone

    refuse_undebuggable(given)
    return partial(packed_with_debug, packed_image)


def _artifacts(given: dict[str, Any], spec: ImageSpec, output: OutputSpec, name: str) -> WantedArtifacts:
    """What is wanted besides the image.

    :raises MinpackError: it cannot be made.
    """
    if not any(given.get(key) for key in _ARTIFACTS):
        return WantedArtifacts(output)
    from minpack.cli.artifacts import wanted_artifacts  # noqa: PLC0415 - where some are wanted

    return wanted_artifacts(given, output, name, spec)


def packed_image(
    given: dict[str, Any],
    settings: OutputSettings,
    push: RegistryOptions | None,
    login: RegistryOptions | None = None,
    name: str = "",
    *,
    shared: bool = False,
    bases: OpenBases | None = None,
) -> tuple[Packed, WantedArtifacts]:
    """The image that the options ask for, and what was wanted besides it, with where all was written.

    :param push: how the registries are reached that it is pushed to, if it is.
    :param login: how those are reached that are logged in to, where it is not pushed now.
    :param name: what file and image are called where they have no name; empty for the program's.
    :param shared: as `pack_given` has it, and `bases` too.
    """
    name = name or _name(given["programs"])
    lock = (given["lock"] or LOCK) if given["locked"] else None
    asks = given["as_json"] or given.get("summary") is not None
    output = output_spec(settings, name, default_reference(name), lock, push)
    output = output._replace(shared=shared, asks_replaced=asks)
    spec = spec_of(given)
    notes: tuple[str, ...] = ()
    if given.get("traced"):
        from minpack.cli.tracing import traced_spec  # noqa: PLC0415 - for --trace alone

        spec, notes = traced_spec(spec, given)
    artifacts = _artifacts(given, spec, output, name)
    with drawing(quiet=given["quiet"]) as progress:
        packed = _packed(given, spec, progress, artifacts, login or push, bases)
    return packed._replace(notes=(*notes, *packed.notes, *artifacts.notes, *_effects(packed, spec, output))), artifacts


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
    variables += ["HOME"] if spec.run.any_user else []
    return (
        *variables_notes(output.format, variables),
        *fetching_notes(
            *(item.url for one in packed.images for item in one.inputs if item.kind in ("base", "on")),
            packages=any(item.kind == "package" for one in packed.images for item in one.inputs),
            locked=packed.locked,
        ),
    )


def _packed(
    given: dict[str, Any],
    spec: ImageSpec,
    progress: Progress,
    wanted: WantedArtifacts,
    push: RegistryOptions | None,
    open_bases: OpenBases | None,
) -> Packed:
    """What packing gives, from a lock if that is wanted."""
    store, as_json, write = selected(StoreSettings, given), given["as_json"], not given["dry_run"]
    acceptance = acceptance_of(given)
    output = wanted.output
    if acceptance is not None:
        fill_streams()
        # Who bounds the size of layers as a registry stores them wants those.
        output = output._replace(may_skip_compression=output.may_skip_compression and acceptance.max_size is None)
    options, bases = base_options(store)._replace(bases=open_bases), [base for _, base in given["base"]]
    images = named_images(given)
    if given["locked"] or names_cache(given) or any(base.is_pulled for base in images):
        from minpack.cli.shared import with_registries  # noqa: PLC0415 - for images of registries, locks and caches

        named = (given["lock"] or LOCK) if given["locked"] else None
        options = with_registries(options, given, *images, push=push, lock=named)
    check_packages(bases, store)

    def packed(locking: LockPolicy | None = None) -> Packed:
        return pack(
            *(spec, options, output, progress),
            write=write,
            sums=as_json or given["provenance"],
            every=as_json or given["verbose"],
            locking=locking,
            artifacts_of=wanted.make,
            sbom=bool(given["sboms"]),
            inside=wanted.inside,
            acceptance=acceptance,
        )

    if not given["locked"]:
        if given["lock"] is not None:
            hint = "add --locked to build from it; minpack lock writes one"
            raise UsageError("--lock", given["lock"], "it is used only with --locked", hint)
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
    return result._replace(notes=(*result.notes, f"{LOCK} was not used: it is read only with {unused}"))


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
    capabilities: tuple[Capability, ...] = ()


def spec_of(given: dict[str, Any]) -> ImageSpec:
    """The image that all options mean.

    :raises UsageError: some contradict each other.
    """
    return image_spec(selected(FileOptions, given), selected(ImageOptions, given), selected(HealthOptions, given))


def image_spec(files: FileOptions, options: ImageOptions, health: HealthOptions) -> ImageSpec:
    """The image that the options mean.

    :raises UsageError: some contradict each other.
    """
    spec = files_spec(files)
    return spec._replace(
        run=_run_config(options, spec.run)._replace(health=health_of(health)),
        created=created(options.created),
        compression=compression_of(options.compress, zstd=options.zstd),
        single_layer=options.single_layer,
        threads=threads(),
        why=options.why,
        capabilities=options.capabilities,
    )


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
