"""`minpack base`: list, pull, info, image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from minpack.base.options import BaseKind
from minpack.cli.effects import fetching_notes, names_cache, refuse_without_cache, refuse_without_registry
from minpack.cli.groups import HelpfulGroup
from minpack.cli.options import (
    Parsed,
    answer_options,
    arguments,
    base_platform_option,
    base_platforms_option,
    completed,
    registry_access_options,
    selected,
    shared_cache_options,
    store_options,
    verify_cache_option,
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
    created,
    host_platform,
    store_directory,
    threads,
    today,
)
from minpack.cli.terminal import drawing, print_json, print_lines, print_notes, reporting
from minpack.errors import BadValueError, UsageError
from minpack.oci.reference import default_reference
from minpack.sources.session import open_session
from minpack.spec.base_ref import parse_base
from minpack.spec.image import RunConfig
from minpack.spec.values import parse_label, parse_variable
from minpack.target import Platform, parse_platform

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from minpack.base.options import BaseOptions
    from minpack.build.base_image import BaseImage
    from minpack.registry.options import RegistryOptions
    from minpack.spec.base_ref import BaseRef


@click.group("base", cls=HelpfulGroup, short_help="List, fetch and inspect bases, or turn one into an image.")
def command() -> None:
    """List the named bases, download one, show what is in one, or turn a whole base into an image."""


@command.command("list", short_help="List the named bases.")
@answer_options
def list_(*, quiet: bool, as_json: bool) -> None:
    """List the named bases, with their newest release that has a known checksum, and the end of their support."""
    from minpack.catalog.alpine import catalogue  # noqa: PLC0415
    from minpack.catalog.debian import debian_catalogue  # noqa: PLC0415

    offers = (*catalogue(), *debian_catalogue())
    if as_json:
        from minpack.report.documents import bases_document  # noqa: PLC0415

        print_json(bases_document(offers, today()))
        return
    if not quiet:
        from minpack.report.facts import base_lines  # noqa: PLC0415

        print_lines(base_lines(offers, today()))


@command.command("pull")
@click.argument("base", metavar="BASE", shell_complete=completed("named base"))
@base_platform_option
@registry_access_options
@store_options
@answer_options
def pull(base: str, *, platform: Platform | None, quiet: bool, as_json: bool, **store: Any) -> None:  # noqa: ANN401
    """Download BASE into the cache, so that later runs need no network."""
    settings, ref = selected(StoreSettings, store), _named(base)
    if not ref.is_named and not ref.is_pulled:
        hint = "minpack base list shows the names"
        raise UsageError("BASE", base, "only named bases and images in registries are fetched", hint)
    if settings.no_cache:
        raise UsageError("--no-cache", "", "nothing would be kept", "leave it out")
    if store_directory(settings) is None:
        hint = "choose a directory with --cache-dir DIR"
        raise UsageError("minpack base pull", "", "there is no home directory to cache it in", hint, verb="run")
    options = _options(settings, store, ref)._replace(refresh=True, complete=True)
    _show(ref, platform, options, quiet=quiet, as_json=as_json)


@command.command("info")
@click.argument("base", metavar="BASE", shell_complete=completed("base"))
@base_platform_option
@registry_access_options
@store_options
@answer_options
def info(base: str, *, platform: Platform | None, quiet: bool, as_json: bool, **store: Any) -> None:  # noqa: ANN401
    """Show what BASE is: its distribution, loaders and checksums."""
    ref = _named(base)
    if platform is not None and not ref.is_named and ref.kind is not BaseKind.IMAGE:
        raise UsageError(
            "--platform", str(platform), f"{base!r} is a local base, which has one platform", "leave it out"
        )
    options = _options(selected(StoreSettings, store), store, ref)
    _show(ref, platform, options, quiet=quiet, as_json=as_json)


@command.command("image", short_help="Turn a whole base into an image.")
@click.argument("base", metavar="BASE", shell_complete=completed("base"))
@base_platforms_option
@result_options
@click.option(
    "--cmd",
    "cmd",
    multiple=True,
    callback=arguments,
    metavar="ARG",
    help="Command: one argument per --cmd, or a JSON array. Default: /bin/sh.",
)
@click.option(
    "--env",
    "env",
    multiple=True,
    metavar="KEY=VALUE",
    type=Parsed(parse_variable),
    help="Set an environment variable; repeatable.",
)
@click.option(
    "-l",
    "--label",
    "labels",
    multiple=True,
    metavar="KEY=VALUE",
    type=Parsed(parse_label),
    help="Label; repeatable.",
)
@store_options
@shared_cache_options
@verify_cache_option
@answer_options
def image(base: str, **given: Any) -> None:  # noqa: ANN401
    """Turn the whole of BASE into an image, as FROM scratch, ADD and CMD /bin/sh would."""
    from minpack.build.base_image import BaseImageSpec, pack_base  # noqa: PLC0415

    quiet, as_json = given["quiet"], given["as_json"]
    ref = _named(base)
    name = _short_name(ref)
    settings = output_settings({**given, "variables": given["env"]})
    refuse_without_cache(given)
    spec = BaseImageSpec(
        ref,
        given["platforms"] or (),
        RunConfig(cmd=given["cmd"], env=given["env"], labels=given["labels"], annotations=given["annotations"]),
        created(given["created"]),
        compression_of(given["compress"], zstd=given["zstd"]),
        threads(),
    )
    with drawing(quiet=quiet) as progress:
        # The image of base.tar must not be base.tar.
        file_name = f"{name}-image" if ref.is_local and base.endswith(".tar") else name
        registry = registry_wanted(given, pulls=ref.is_pulled or names_cache(given))
        output = output_spec(settings, file_name, default_reference(name), registry=registry)
        options = _options(selected(StoreSettings, given), given, ref, output.registry)
        made = pack_base(spec, options, output, progress)
    made = made._replace(notes=(*made.notes, *fetching_notes(made.inputs[0].url, packages=False)))
    with reporting(done(made.written)):
        if as_json:
            from minpack.report.documents import base_image_document  # noqa: PLC0415

            print_json(base_image_document(made))
            return
        print_notes(made.notes, quiet=quiet)
        if quiet:
            print_names(made.written)
        else:
            print_lines(_image_lines(made)(made, host_platform()), to_stderr=output.path == "-")


def _named(text: str) -> BaseRef:
    """The base that the argument names.

    :raises UsageError: it cannot be one.
    """
    try:
        return parse_base(text)
    except BadValueError as error:
        raise error.given_by("BASE") from error


def _options(
    settings: StoreSettings, given: Mapping[str, Any], ref: BaseRef, push: RegistryOptions | None = None
) -> BaseOptions:
    """The options to open `ref` with.

    :param push: how registries are reached that get the image, if it is pushed.
    """
    options = base_options(settings)
    if "caches" in given and names_cache(given):
        from minpack.cli.shared import with_registries  # noqa: PLC0415 - for shared caches alone

        return with_registries(options, given, ref, push=push)
    if not ref.is_pulled:
        if not given.get("push"):
            refuse_without_registry(given)
        return options
    from minpack.cli.registry import RegistryAccess, with_registry  # noqa: PLC0415 - for images of registries alone

    return with_registry(options, selected(RegistryAccess, given), ref, push=push)


def _short_name(ref: BaseRef) -> str:
    """What an image of a base is called: as the last part of its path or name, without what that ends with."""
    where = ref.path or (ref.image.name.partition("@")[0] if ref.image is not None else ref.text)
    name = where.rstrip("/").rpartition("/")[2]
    return name.partition(".tar")[0].partition(":")[0].strip(".") or "base"


def _image_lines(made: BaseImage) -> Callable[..., list[str]]:
    """What makes the closing summary."""
    if made.others:
        from minpack.report.several import several_bases_lines  # noqa: PLC0415 - as the next, where it is printed

        return several_bases_lines
    from minpack.report.text import base_image_lines  # noqa: PLC0415

    return base_image_lines


def _show(ref: BaseRef, platform: Platform | None, options: BaseOptions, *, quiet: bool, as_json: bool) -> None:
    from minpack.build.base_facts import read_facts  # noqa: PLC0415

    wanted = platform or parse_platform("linux/amd64")
    options = options._replace(any_platform=platform is None)
    with (
        drawing(quiet=quiet) as progress,
        open_session(ref, wanted, options, progress, with_packages=False) as session,
    ):
        opened, facts = session.opened, read_facts(session.walker)
        told = opened._replace(notes=(*opened.notes, *fetching_notes(opened.url, packages=False)))
        if as_json:
            from minpack.report.documents import base_document  # noqa: PLC0415

            print_json(base_document(told, facts))
            return
        print_notes(told.notes, quiet=quiet)
        if not quiet:
            from minpack.report.facts import base_info_lines  # noqa: PLC0415

            print_lines(base_info_lines(opened, facts))
