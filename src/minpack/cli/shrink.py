"""`minpack shrink`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from minpack.cli.acceptance import refuse_acceptance_of_trees, smoke_options, smoke_spec
from minpack.cli.image import image_base_options, image_platform_option, parse_image_argument
from minpack.cli.options import Command, Parsed, download_options, output_options
from minpack.cli.output import (
    compression_of,
    done,
    output_settings,
    output_spec,
    print_names,
    registry_wanted,
    result_options,
)
from minpack.cli.settings import created, host_platform, threads
from minpack.cli.terminal import drawing, print_json, print_lines, print_notes, reporting
from minpack.oci.reference import default_reference
from minpack.paths import parse_root_path

if TYPE_CHECKING:
    from minpack.base.options import BaseOptions
    from minpack.registry.options import RegistryOptions
    from minpack.spec.base_ref import ImageRef


@click.command("shrink", cls=Command, short_help="Rewrite an image without the files that it does not need.")
@click.argument("image", metavar="IMAGE")
@image_platform_option("this machine's")
@click.option(
    "--keep",
    multiple=True,
    type=Parsed(parse_root_path),
    metavar="PATH",
    help="Keep this file or directory even if nothing needs it; repeatable.",
)
@result_options
@smoke_options
@download_options
@output_options
def command(image: str, **given: Any) -> None:  # noqa: ANN401 - the options above are its signature
    """Rewrite IMAGE with the same configuration, and only the files that something in it asks for.

    \b
    minpack shrink ./nginx.tar -t me/nginx:small
    minpack shrink ghcr.io/me/app:1 -t ghcr.io/me/app:small --push

    To see what would be left out, use minpack why IMAGE --unneeded. If the image starts an interpreter (Python,
    Node.js, Java, Perl, Ruby, a shell), minpack cannot know which files it reads, and removes only unused libraries,
    documentation, caches and package managers. minpack checks the new image before writing it; --smoke also runs it.
    """  # noqa: D301 - click's mark for a block
    settings = output_settings(given)
    refuse_acceptance_of_trees(settings.format, {"max_size": None, "max_unpacked": None, **given})
    ref = parse_image_argument(image)
    compression = compression_of(given["compress"], zstd=given["zstd"])
    registry = registry_wanted(given, pulls=True)
    name = _name(ref)
    output = output_spec(settings, f"{name}-small", default_reference(f"{name}-small"), registry=registry)
    from minpack.reach.shrink import ShrinkSpec, shrink_image  # noqa: PLC0415 - after what is refused at once

    when = created(given["created"]) if _says_when(given["created"]) else None
    smoke = smoke_spec(given)
    spec = ShrinkSpec(compression, threads(), given["keep"], when, given["annotations"])
    options = _options(given, ref, output.registry)
    with drawing(quiet=given["quiet"]) as progress:
        if smoke is None:
            shrunk = shrink_image(ref, spec, output, options, progress, given["platform"], host_platform())
        else:
            from minpack.build.accept import Acceptor  # noqa: PLC0415 - where something must be passed
            from minpack.spec.acceptance import Acceptance  # noqa: PLC0415 - as above

            acceptor = Acceptor(Acceptance(smoke), (), {}, (), options, output, progress)
            to = output._replace(accept=acceptor)
            shrunk = shrink_image(ref, spec, to, options, progress, given["platform"], host_platform())
            shrunk = shrunk._replace(smoked=acceptor.smoked.get(shrunk.before.platform))
    with reporting(done(shrunk.written)):
        if given["as_json"]:
            from minpack.report.reach import shrink_document  # noqa: PLC0415 - as it is asked for, as below

            print_json(shrink_document(shrunk))
            return
        print_notes(shrunk.notes, quiet=given["quiet"])
        if given["quiet"]:
            print_names(shrunk.written)
            return
        from minpack.report.reach import shrink_lines  # noqa: PLC0415

        lines = shrink_lines(shrunk, host_platform(), verbose=given["verbose"])
        print_lines(lines, to_stderr=output.path == "-")


def _says_when(option: str | None) -> bool:
    """Whether a time was given; else the image keeps its own."""
    import os  # noqa: PLC0415 - the one use

    return option is not None or bool(os.environ.get("SOURCE_DATE_EPOCH"))


def _name(ref: ImageRef) -> str:
    """What the new image is called where it has no name: as the file, or the last part of a reference."""
    last = ref.name.rstrip("/").rpartition("/")[2].partition("@")[0]
    return last.partition(".tar")[0].partition(":")[0].strip(".") or "image"


def _options(given: dict[str, Any], ref: ImageRef, push: RegistryOptions | None) -> BaseOptions:
    """The options to open the image with.

    :param push: how registries are reached that get the new one, if it is pushed.
    """
    if push is None:
        return image_base_options(given, ref)
    # A user who is named is whose image is pushed; a password is read once.
    options = image_base_options({**given, "username": None, "password_stdin": False, **_unasked(ref)}, ref)
    return options._replace(registry=options.registry._replace(login=push.login)) if options.registry else options


def _unasked(ref: ImageRef) -> dict[str, Any]:
    """The options about registries that are for pushing alone, where the image itself is in none."""
    return {"registry_ca": None, "insecure": ()} if ref.is_local else {}
