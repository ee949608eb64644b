"""`minpack outdated`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from minpack.cli.config import file_option, profile_option
from minpack.cli.file_locks import images_of, locks_of, means_file
from minpack.cli.image import image_platforms_option, parse_image_argument
from minpack.cli.options import (
    LOCK,
    Command,
    cache_options,
    completed,
    keys_option,
    output_options,
    registry_access_options,
    selected,
)
from minpack.cli.registry import RegistryAccess, registry_options
from minpack.cli.settings import StoreSettings, base_options, check_packages
from minpack.cli.terminal import drawing, print_json, print_lines, print_notes, reporting
from minpack.errors import UsageError
from minpack.freshness.outdated import AskedImage, look
from minpack.lock.file import is_lock, read_lock
from minpack.oci.reference import parse_image
from minpack.report.outdated import outdated_document, outdated_lines, unknown_notes
from minpack.spec.base_ref import ANYWHERE, DOCKER, parse_base

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from minpack.base.options import BaseOptions


@click.command("outdated", cls=Command, short_help="Show which files in images have changed upstream.")
@click.argument("subjects", metavar="[IMAGE|LOCK]...", nargs=-1, shell_complete=completed("image or file"))
@file_option
@profile_option
@image_platforms_option
@click.option("--strict", is_flag=True, help="Also exit with 3 if minpack cannot tell for some files.")
@keys_option
@registry_access_options
@cache_options
@output_options
def command(subjects: tuple[str, ...], **given: Any) -> int:  # noqa: ANN401 - the options above are its signature
    """Show which files in images have changed upstream, in the repositories, bases and images that they came from.

    \b
    minpack outdated                             of minpack.toml or a lock
    minpack outdated ghcr.io/me/app:1.0 a.tar    finished images
    minpack outdated locks/*.lock --json         many images at once

    minpack compares files, not versions: a newer package with the same files does not count. If nothing has changed, it
    prints nothing and exits with 0; if a file has changed, it exits with 3.
    """  # noqa: D301 - click's mark for a block
    _refuse_offline(given)
    if means_file(given, subjects):
        subjects = locks_of(images_of(given, subjects))
    asked = tuple(map(_subject, subjects or (LOCK,)))
    store = selected(StoreSettings, {**given, "no_packages": False})
    check_packages((), store)
    options = _options(asked, base_options(store), given)
    with drawing(quiet=given["quiet"]) as progress:
        found = look(asked, options, progress, given["platforms"])
    unknown = any(image.unknown for image in found.images)
    code = 3 if found.is_outdated or (given["strict"] and unknown) else 0
    with reporting(""):
        if given["as_json"]:
            print_json(outdated_document(found))
            return code
        print_notes((*found.notes, *unknown_notes(found)), quiet=given["quiet"])
        if not given["quiet"]:
            print_lines(outdated_lines(found, verbose=given["verbose"]))
    return code


def _refuse_offline(given: dict[str, Any]) -> None:
    """Raise `UsageError` if nothing may be asked."""
    if given["offline"]:
        hint = "leave it out, and unset MINPACK_OFFLINE"
        raise UsageError("--offline", "", "minpack has to look up the newest versions", hint)


def _subject(text: str) -> AskedImage:
    """What an argument names: a file that is a lock, or an image."""
    return AskedImage(text, None if text == LOCK or is_lock(text) else parse_image_argument(text))


def _options(asked: Iterable[AskedImage], options: BaseOptions, given: dict[str, Any]) -> BaseOptions:
    """The options to open what they come from with: all that tells what is newest is fetched anew."""
    assert options.packages is not None, "internal error: packages are looked at"
    packages = options.packages._replace(locked=True, current=True)
    hosts = set(_hosts(asked)) if given["username"] is not None else set()
    return options._replace(
        refresh=True, packages=packages, registry=registry_options(selected(RegistryAccess, given), hosts)
    )


def _hosts(asked: Iterable[AskedImage]) -> Iterator[str]:
    """The registries that are asked, as far as that is known."""
    for subject in asked:
        if subject.image is not None:
            # A name may be in an engine, and is asked for in its registry then.
            if subject.image.transport in (DOCKER, ANYWHERE) and not subject.image.name.startswith("sha256:"):
                yield parse_image(subject.image.name).host
            continue
        for image in read_lock(subject.text).images.values():
            for base in (image.base, *image.others):
                ref = parse_base(base.name) if base.kind == "image" else None
                if ref is not None and ref.is_pulled and ref.image is not None:
                    yield ref.image.name.partition("/")[0]
