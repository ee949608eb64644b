"""The options about the result, from them to a `OutputSpec`, and which of them cannot be meant together."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from minpack.cli.effects import refuse_for_trees, refuse_without_registry
from minpack.cli.options import FILLED, STDOUT, Choice, Parsed, applied, registry_access_options, selected
from minpack.cli.settings import engine_environment, host_platform, never_replaced, temporary_directory
from minpack.cli.terminal import binary_stdout, print_lines, stdout_is_closed
from minpack.errors import OutputError, UsageError
from minpack.namedtuple import NamedTuple
from minpack.oci.compression import Compression
from minpack.oci.reference import Reference, parse_reference
from minpack.output.target import Format, OutputSpec
from minpack.spec.values import parse_label

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from minpack.build.pack import ArtifactMaker, Packed
    from minpack.output.target import WrittenOutput, WrittenTarget
    from minpack.paths import RootPath
    from minpack.registry.options import RegistryOptions

#: What the files of each format are called behind the name of the image.
ENDINGS = {Format.ARCHIVE: ".tar", Format.OCI: "-oci", Format.ROOTFS: "-rootfs", Format.TAR: "-rootfs.tar"}


result_options = applied(
    click.option(
        "-t",
        "--tag",
        "tags",
        multiple=True,
        metavar="NAME",
        type=Parsed(parse_reference),
        help="Name of the image, such as me/myapp:1.0; repeatable. Default: the program's name, with :latest.",
    ),
    click.option(
        "-o",
        "--output",
        metavar="PATH",
        type=FILLED,
        help="File or directory to write; - for stdout. If PATH is an existing directory or ends with a"
        " slash, the file in it is named after the program.",
    ),
    click.option(
        "--format",
        "format_",
        type=Choice([str(f) for f in Format]),
        default="archive",
        help="archive: a tar that loads into every engine; oci: an OCI layout directory; rootfs: the bare"
        " files as a directory; tar: the bare files as a tar. Default: archive.",
    ),
    click.option(
        "--load",
        is_flag=True,
        help="Load the image into the container engine. Without -o, write no file. With -q, print only its name.",
    ),
    click.option(
        "--engine",
        type=Choice(["docker", "podman", "containerd"]),
        help="Engine to load into. Default: Docker if it answers, else podman.",
    ),
    click.option(
        "--push",
        is_flag=True,
        help="Push the image to every name given with -t. Without -o, write no file. With -q, print only"
        " REPOSITORY@DIGEST.",
    ),
    click.option(
        "--digest-file", metavar="FILE", type=FILLED, help="Write the image's digest (sha256:…) to this file."
    ),
    click.option(
        "--annotation",
        "annotations",
        multiple=True,
        type=Parsed(parse_label),
        metavar="KEY=VALUE",
        help="Annotation of the manifest, and of the index if there is one; repeatable.",
    ),
    registry_access_options,
    click.option(
        "--force", is_flag=True, help="Replace a directory that is not empty, or a file that is not a tar archive."
    ),
    click.option(
        "--created", metavar="SECONDS", help="Timestamp of the image and its files. Default: SOURCE_DATE_EPOCH, else 0."
    ),
    click.option(
        "--compress",
        type=Choice(["none", "balanced", "small"]),
        help="Compression level of layers. Default: balanced; with only --load, none for layers that are not cached.",
    ),
    click.option("--zstd", is_flag=True, help="Compress with zstd (Docker from 23.0, podman, containerd)."),
)


def _checked_summary(context: click.Context, _parameter: click.Parameter, path: str | None) -> str | None:
    if path is not None and not context.resilient_parsing:
        from minpack.cli.summary import check_summary_file  # noqa: PLC0415 - for --summary alone

        check_summary_file(path)
    return path


summary_option = click.option(
    "--summary",
    metavar="FILE",
    type=FILLED,
    callback=_checked_summary,
    help="Append a Markdown summary to this file, for the page of a CI job ($GITHUB_STEP_SUMMARY).",
)
against_option = click.option(
    "--against",
    metavar="IMAGE|LOCK",
    type=FILLED,
    help="Image or lock file that --summary compares with. Default: the image that the pushed name meant before.",
)


class OutputSettings(NamedTuple):
    """The options about the result, as they were given."""

    tags: tuple[Reference, ...]
    output: str | None
    format: Format
    load: bool
    engine: str | None
    push: bool
    digest_file: str | None
    force: bool
    as_json: bool
    #: Whether --compress or --zstd says how layers are compressed.
    compresses: bool


class WantedArtifacts(NamedTuple):
    """What is wanted besides an image: where all goes, how the artifacts are made, and what is said of them.

    `lines` is printed behind the summary of what was written.
    """

    output: OutputSpec
    make: ArtifactMaker | None = None
    notes: tuple[str, ...] = ()
    lines: Callable[[WrittenOutput | None], list[str]] = lambda _written: []
    #: Makes the files that go into the image, if some are to.
    inside: Callable[[Packed], Mapping[RootPath, bytes]] | None = None
    #: What the JSON document says of what was made besides.
    documents: Mapping[str, Any] = {}
    #: What was written besides.
    more: tuple[WrittenOutput, ...] = ()


def output_settings(given: Mapping[str, Any]) -> OutputSettings:
    """The options about the result among all that were given.

    :raises UsageError: a bare tree, stdout or a registry cannot be what they want.
    """
    form = Format(given["format_"])
    refuse_for_trees(form, given)
    settings = OutputSettings(
        given["tags"],
        given["output"],
        form,
        given["load"],
        given["engine"],
        given["push"],
        given["digest_file"],
        given["force"],
        given["as_json"],
        given["compress"] is not None or given["zstd"],
    )
    _refuse_two_results(settings, quiet=given["quiet"])
    if settings.push:
        # Before it is asked who logs in there.
        _check_push(settings)
    return settings


def registry_wanted(given: Mapping[str, Any], *, pulls: bool) -> RegistryOptions | None:
    """How registries are reached, if the result is to be pushed.

    :param pulls: whether a base may be in a registry.
    """
    if not given["push"]:
        if not pulls:
            refuse_without_registry(given, "add --push, or leave it out")
        return None
    from minpack.cli.registry import RegistryAccess, registry_options  # noqa: PLC0415 - for --push alone

    # --offline forbids downloads, and a push is none.
    return registry_options(
        selected(RegistryAccess, given)._replace(offline=False), {one.host for one in given["tags"]}
    )


def own_name(name: str, form: Format) -> str:
    """What the file of an image is called that is called `name`."""
    return f"{name}{ENDINGS[form]}"


def is_below(path: str, form: Format) -> bool:
    """Whether the file goes into the directory that `path` names, under a name of its own."""
    return not form.is_directory and (path.endswith("/") or os.path.isdir(path))


def output_path(given: Mapping[str, Any], name: str) -> str | None:
    """The path that the options give an image that is called `name`; None where it is in no file."""
    path, form = given["output"], Format(given["format_"])
    if path is None:
        return None if given["load"] or given["push"] else own_name(name, form)
    return os.path.join(path, own_name(name, form)) if is_below(path, form) else str(path)


def is_shared(given: dict[str, Any]) -> bool:
    """Whether the image is one of several in a layout."""
    return given["format_"] == Format.OCI and given["output"] is not None


def output_spec(
    settings: OutputSettings,
    name: str,
    default: Reference,
    lock: str | None = None,
    registry: RegistryOptions | None = None,
) -> OutputSpec:
    """Where the result goes.

    :param name: what the file is called after where no path was given, or a directory.
    :param lock: the lock file that is built from, if any is.
    :param registry: how registries are reached, if the result goes to some.
    :raises UsageError: the options contradict each other.
    :raises OutputError: stdout is closed.
    """
    path, form = "-" if settings.output in STDOUT else settings.output, settings.format
    refuse_unloadable(settings)
    if path == "-":
        _check_stdout(settings)
    # Who wants a digest, or a registry, wants the layers that the digest is of.
    load_alone = path is None and settings.load and not settings.push and settings.digest_file is None
    if path is None and not (settings.load or settings.push):
        path = f"./{own_name(name, form)}"
    below = path is not None and is_below(path, form)
    return OutputSpec(
        form,
        os.path.join(path, own_name(name, form)) if below and path is not None else path,
        tuple(dict.fromkeys(settings.tags)) or (default,),
        settings.force,
        engine_environment() if settings.load else None,
        binary_stdout() if path == "-" else None,
        temporary_directory(),
        never_replaced(lock),
        below,
        load_alone and not settings.compresses,
        registry,
        settings.digest_file,
        host_platform() if settings.load else None,
        settings.engine or "",
    )


def refuse_unloadable(settings: OutputSettings) -> None:
    """Raise `UsageError` if an engine is to load what is no archive, or is named and is to load nothing."""
    if settings.load and settings.format is not Format.ARCHIVE:
        reason = f"an engine loads archives, and --format {settings.format} makes none"
        raise UsageError("--load", "", reason, "give only one of them")
    if settings.engine is not None and not settings.load:
        raise UsageError("--engine", settings.engine, "nothing is loaded", "add --load, or leave it out")


def done(written: WrittenOutput | None) -> str:
    """What was written, as a sentence; empty for nothing."""
    outputs = written.outputs if written is not None else ()
    return " and ".join(map(_done, outputs))


def _done(target: WrittenTarget) -> str:
    if target.path is not None:
        return f"{target.path!r} was written"
    return f"{target.reference} was {'pushed' if target.format == 'registry' else 'loaded'}"


def print_names(written: WrittenOutput | None, *more: WrittenOutput) -> None:
    """Print the names that programs go on with, which a quiet run is asked for.

    That is each repository with the digest if the image was pushed, else the name by which the engine knows it.

    :param more: other images that were written, each of which has its own line.
    :raises OutputError: it cannot be written.
    """
    _print_names(written.outputs if written is not None else ())
    for other in more:
        _print_names(other.outputs)


def _print_names(outputs: Sequence[WrittenTarget]) -> None:
    pushed = dict.fromkeys(output.by_digest for output in outputs if output.format == "registry")
    loaded = [output.reference or "" for output in outputs if output.format == "engine"]
    if pushed or loaded:
        print_lines(pushed or loaded[:1], whole=True)


def _refuse_two_results(settings: OutputSettings, *, quiet: bool) -> None:
    """Raise `UsageError` if stdout is to have both the image and the name that a quiet run prints."""
    if quiet and (settings.load or settings.push) and (settings.output == "-" or settings.output in STDOUT):
        option = "--push" if settings.push else "--load"
        raise UsageError("-q", "", f"{option} prints the image's name, and -o - takes stdout", "leave -q out")


def _check_push(settings: OutputSettings) -> None:
    """Raise `UsageError` if there is no image, or no name to push it to."""
    if not settings.format.has_layers:
        reason = f"a registry takes images, and --format {settings.format} makes none"
        raise UsageError("--push", "", reason, "give only one of them")
    if not settings.tags:
        raise UsageError("--push", "", "-t is missing", "name the repository: -t ghcr.io/me/myapp:1.0 --push")
    check_pushable(settings.tags, "-t")


def check_pushable(references: Iterable[Reference], option: str) -> None:
    """Raise `UsageError` if a name means one of Docker's own repositories, as each does that is a bare word.

    :param option: what the names were given by.
    """
    for one in references:
        if one.host == "docker.io" and one.name.startswith("library/"):
            name = one.familiar
            hint = f"name its owner: ME/{name} on Docker Hub, or ghcr.io/ME/{name} on another registry"
            raise UsageError(option, name, f"it means {one}, which is for Docker's official images", hint)


def _check_stdout(settings: OutputSettings) -> None:
    if settings.format.is_directory:
        raise UsageError("-o", "-", f"--format {settings.format} makes a directory", "choose one with -o PATH")
    if settings.as_json:
        raise UsageError("-o", "-", "--json takes stdout", "choose a file with -o PATH")
    if stdout_is_closed():
        raise OutputError("-", "stdout is closed", "choose a file with -o PATH")
    if os.isatty(sys.stdout.fileno()):
        raise UsageError("-o", "-", "stdout is a terminal", "redirect it to a file or a program")


def compression_of(level: str | None, *, zstd: bool) -> Compression:
    """The compression that --compress and --zstd mean together.

    :raises UsageError: they contradict each other.
    """
    if zstd and level == "none":
        raise UsageError("--zstd", "", "--compress none compresses nothing", "give only one of them")
    if zstd:
        return Compression.ZSTD_SMALL if level == "small" else Compression.ZSTD
    return Compression(level or "balanced")
