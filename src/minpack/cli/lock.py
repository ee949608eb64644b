"""`minpack lock`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from minpack.build.update import LockUpdate, PlannedUpdate, plan_update, write_update
from minpack.cli.config import file_option, profile_option
from minpack.cli.effects import fetching_notes, names_cache, refuse_without_registry
from minpack.cli.file_locks import for_each, images_of, means_file
from minpack.cli.options import (
    LOCK,
    STDOUT,
    Command,
    base_option,
    lock_option,
    on_option,
    output_options,
    platforms_option,
    registry_access_options,
    selected,
    shared_cache_options,
    store_options,
)
from minpack.cli.settings import StoreSettings, base_options, check_packages
from minpack.cli.spec import (
    FileOptions,
    file_options,
    files_spec,
    images_argument,
    named_images,
    noted,
    refuse_without_program,
)
from minpack.cli.terminal import drawing, print_json, print_lines, print_notes, reporting
from minpack.errors import UsageError
from minpack.report.locks import lock_document, lock_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from minpack.registry.options import RegistryOptions


@click.command("lock", cls=Command, short_help="Record what an image is made of in a lock file.")
@images_argument
@file_option
@profile_option
@base_option
@on_option
@platforms_option
@file_options
@lock_option
@registry_access_options
@store_options
@shared_cache_options
@output_options
def command(**given: Any) -> int:  # noqa: ANN401 - the options above are its signature
    """Record what the image of APP is made of: the base, the packages, and every file taken from them.

    \b
    minpack lock ./myapp --base alpine-3.22    writes minpack.lock
    minpack ./myapp --locked                   the same image, today or in a year
    minpack lock                               the images of minpack.toml

    Give the same options about files as for minpack pack. A lock file can hold several images and platforms; other
    entries do not change. If the image is already in the lock, its --base and --on are the defaults. With -f FILE,
    arguments are the names of images in FILE.
    """  # noqa: D301 - click's mark for a block
    if means_file(given, given["programs"]):
        return _lock_images(given)
    refuse_without_program(given["programs"])
    done = renewed(given, refresh=False)
    tell(done, given, lock_document, lock_lines)
    return 0


def _lock_images(given: dict[str, Any]) -> int:
    """Lock the images of the file."""

    def work(options: dict[str, Any]) -> tuple[dict[str, Any], Callable[[], None]]:
        done = renewed(options, refresh=False)
        return lock_document(done), partial(tell, done, options, lock_document, lock_lines)

    return for_each(images_of(given, given["programs"]), given, "minpack.locks/1", work)


def tell(
    done: LockUpdate,
    given: dict[str, Any],
    document: Callable[[LockUpdate], dict[str, Any]],
    lines: Callable[..., list[str]],
) -> None:
    """Print what was done, as the options say: as a document or as lines."""
    with reporting(f"{done.path!r} was written" if done.written else ""):
        if given["as_json"]:
            print_json(document(done))
            return
        print_notes(noted(done.notes, given), quiet=given["quiet"])
        if not given["quiet"]:
            print_lines(lines(done, verbose=given["verbose"]), to_stderr=done.path in STDOUT)


def renewed(
    given: dict[str, Any],
    *,
    refresh: bool,
    write: bool = True,
    push: RegistryOptions | None = None,
    accept: Callable[[PlannedUpdate], None] | None = None,
) -> LockUpdate:
    """The lock, renewed as the options say.

    :param refresh: the lock is there already, and all that tells what is newest is fetched anew.
    :param push: how the registries are reached that the image is pushed to then, if it is.
    :param accept: is called before it is written, and raises an error if it is not to be.
    """
    path = given["lock"] or LOCK
    if path in STDOUT and given["as_json"]:
        raise UsageError("--lock", path, "--json takes stdout", "choose a file with --lock FILE")
    spec = files_spec(selected(FileOptions, given))
    store = selected(StoreSettings, given)
    images = named_images(given)
    check_packages(images, store)
    options = base_options(store)
    if push is not None or not images or names_cache(given) or any(image.is_pulled for image in images):
        from minpack.cli.shared import with_registries  # noqa: PLC0415 - where no registry is asked alone

        options = with_registries(options, given, *images, push=push, lock=None if images else path)
    else:
        refuse_without_registry(given)
    # An older index or release than one seen before is no more than a note else.
    packages = options.packages._replace(locked=True) if options.packages is not None else None
    options = options._replace(refresh=refresh, packages=packages)
    with drawing(quiet=given["quiet"]) as progress:
        planned = plan_update(spec, options, path, progress, known=refresh, write=write)
    if accept is not None:
        accept(planned)
    with drawing(quiet=given["quiet"]) as progress:
        done = write_update(planned, path, options.store, progress, known=refresh, write=write)
    locked = [one.image for one in done.images]
    bases = [base for one in locked for base in (one.base, *one.others)]
    urls = (base.name if base.kind == "image" else base.url for base in bases)
    fetched = fetching_notes(*urls, packages=any(one.packages for one in locked))
    return done._replace(notes=(*done.notes, *fetched))
