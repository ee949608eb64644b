"""`minpack lock`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from minpack.build.update import LockUpdate, update_lock
from minpack.cli.effects import fetching_notes, refuse_without_registry
from minpack.cli.options import (
    LOCK,
    STDOUT,
    Command,
    base_option,
    lock_option,
    output_options,
    platforms_option,
    registry_access_options,
    selected,
    store_options,
)
from minpack.cli.settings import StoreSettings, base_options, check_packages
from minpack.cli.spec import FileOptions, file_options, files_spec, noted, programs_argument
from minpack.cli.terminal import drawing, print_json, print_lines, print_notes, reporting
from minpack.errors import UsageError
from minpack.report.locks import lock_document, lock_lines

if TYPE_CHECKING:
    from collections.abc import Callable


@click.command("lock", cls=Command, short_help="Record what an image is made of in a lock file.")
@programs_argument
@base_option
@platforms_option
@file_options
@lock_option
@registry_access_options
@store_options
@output_options
def command(**given: Any) -> None:  # noqa: ANN401 - the options above are its signature
    """Record what an image of APP is made of: the base, the packages, and every file taken from them.

    \b
    minpack lock ./myapp --base alpine-3.22    writes minpack.lock
    minpack ./myapp --locked                   builds from it, today and in a year

    Give it the options that decide which files the image has, as for minpack pack. What the lock has of other
    images and platforms stays: lock each program, for all its platforms at once or in turn. Without --base the base is
    the lock's, if it has one.
    """  # noqa: D301 - click's mark for a block
    done = renewed(given, refresh=False)
    tell(done, given, lock_document, lock_lines)


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


def renewed(given: dict[str, Any], *, refresh: bool, write: bool = True) -> LockUpdate:
    """The lock, renewed as the options say.

    :param refresh: the lock is there already, and all that tells what is newest is fetched anew.
    """
    path = given["lock"] or LOCK
    if path in STDOUT and given["as_json"]:
        raise UsageError("--lock", path, "--json takes stdout", "name a file with --lock FILE")
    spec = files_spec(selected(FileOptions, given))
    store = selected(StoreSettings, given)
    bases = [base for _, base in given["base"]]
    check_packages(bases, store)
    options = base_options(store)
    if not bases or any(base.is_pulled for base in bases):
        from minpack.cli.registry import with_registry  # noqa: PLC0415 - not for bases that are in no registry

        options = with_registry(options, given, *bases, lock=None if bases else path)
    else:
        refuse_without_registry(given)
    # An older index or release than one seen before is no more than a note else.
    packages = options.packages._replace(locked=True) if options.packages is not None else None
    options = options._replace(refresh=refresh, packages=packages)
    with drawing(quiet=given["quiet"]) as progress:
        done = update_lock(spec, options, path, progress, known=refresh, write=write)
    images = [one.image for one in done.images]
    urls = (one.base.name if one.base.kind == "image" else one.base.url for one in images)
    fetched = fetching_notes(*urls, packages=any(one.packages for one in images))
    return done._replace(notes=(*done.notes, *fetched))
