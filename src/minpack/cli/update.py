"""`minpack update`."""

from __future__ import annotations

import os
from functools import partial
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from minpack.cli.config import file_option, profile_option
from minpack.cli.file_locks import for_each, images_of, means_file
from minpack.cli.lock import renewed
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
    shared_cache_options,
    store_options,
)
from minpack.cli.output import output_settings, registry_wanted
from minpack.cli.pack import command as pack_command
from minpack.cli.pack import packed_image
from minpack.cli.settings import temporary_directory
from minpack.cli.spec import file_options, images_argument, noted, refuse_without_program
from minpack.cli.terminal import drawing, print_json, print_lines, print_notes, reporting
from minpack.errors import UsageError
from minpack.lock.file import write_lock
from minpack.report.locks import rebuilt_lines, update_document, update_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from minpack.build.push import PushedChanges
    from minpack.build.update import LockUpdate, PlannedUpdate
    from minpack.registry.options import RegistryOptions

#: Options of pack that say where else an image goes, or how it is packed without a lock.
_OF_PACK_ALONE = frozenset(
    (
        "output",
        "format_",
        "load",
        "engine",
        "force",
        "why",
        "traced",
        "locked",
        "signature_format",
        "summary",
        "against",
    )
)


def _with_options_of_pack(command: click.Command) -> click.Command:
    """The command with the options of pack that say how an image is run, written and pushed."""
    own = {*(one.name for one in command.params), *_OF_PACK_ALONE}
    command.params += [one for one in pack_command.params if one.name not in own]
    return command


@_with_options_of_pack
@click.command("update", cls=Command, short_help="Update a lock file and show what changes.")
@images_argument
@file_option
@profile_option
@base_option
@on_option
@platforms_option
@file_options
@lock_option
@click.option("--dry-run", is_flag=True, help="Show what would change; write and push nothing.")
@registry_access_options
@store_options
@shared_cache_options
@output_options
def command(**given: Any) -> int:  # noqa: ANN401 - the options above are its signature
    """Update the lock to the newest release of its base and the newest packages, and show what changes.

    \b
    minpack update ./myapp               shows old and new packages and files
    minpack update ./myapp --dry-run     shows the same; writes nothing
    minpack update ./myapp --push -t ghcr.io/me/myapp:1.0
    minpack update --push                the images of minpack.toml

    With --push, minpack builds the image from the updated lock, and pushes it if it has changed.

    Give the options that the lock was written with, and with --push also those of the image. --base and --on come from
    the lock. With -f FILE, arguments are the names of images in FILE.
    """  # noqa: D301 - click's mark for a block
    if means_file(given, given["programs"]):
        return _update_images(given)
    refuse_without_program(given["programs"])
    if not given["push"]:
        _refuse_without_push()
    _tell(*_updated(given), given)
    return 0


def _update_images(given: dict[str, Any]) -> int:
    """Renew the locks of the images of the file; they are pushed where this command line says so."""
    if not given["push"]:
        _refuse_without_push()

    def work(options: dict[str, Any]) -> tuple[dict[str, Any], Callable[[], None]]:
        options = {**options, "push": given["push"]}
        done, rebuilt = _updated(options)
        return update_document(done, rebuilt), partial(_tell, done, rebuilt, options)

    return for_each(images_of(given, given["programs"]), given, "minpack.updates/1", work)


def _updated(given: dict[str, Any]) -> tuple[LockUpdate, PushedChanges | None]:
    """The renewed lock, and what was pushed of the image, if that is wanted."""
    push = _push_wanted(given)
    if push is None or given["dry_run"]:
        return renewed(given, refresh=True, write=not given["dry_run"], push=push), None
    with TemporaryDirectory(dir=temporary_directory(), prefix="minpack-") as place:
        rebuilding = _Rebuilding(given, push, place)
        done = renewed(given, refresh=True, push=push, accept=rebuilding.build)
        rebuilt, notes = rebuilding.push()
    return done._replace(notes=tuple(dict.fromkeys((*done.notes, *notes)))), rebuilt


def _push_wanted(given: dict[str, Any]) -> RegistryOptions | None:
    """How the registries are reached that the image is to be pushed to, if it is.

    :raises UsageError: an option is about an image, and none is built; or no registry is named.
    """
    if not given["push"]:
        return None
    if (given["lock"] or LOCK) in STDOUT:
        raise UsageError("--lock", given["lock"], "the image is built from it", "choose a file with --lock FILE")
    output_settings(_of_pack(given))
    return registry_wanted(given, pulls=True)


def _refuse_without_push() -> None:
    """Raise `UsageError` if an option of an image was given."""
    context = click.get_current_context()
    for one in pack_command.params:
        explicit = context.get_parameter_source(one.name or "") is ParameterSource.COMMANDLINE
        if explicit and one in command.params:
            raise UsageError(one.opts[-1], "", "no image is built without --push", "add --push, or leave it out")


def _of_pack(given: dict[str, Any], output: str | None = None) -> dict[str, Any]:
    """The options as pack has them, for an image in the layout at `output`."""
    places = {"output": output, "format_": "oci" if output is not None else "archive", "load": False, "engine": None}
    kept = {**given, **places, "force": False, "why": False, "locked": True, "push": output is None}
    # A password is read once.
    return kept if output is None else {**kept, "username": None, "password_stdin": False}


class _Rebuilding:
    """Builds the image from a renewed lock before that takes the place of the old one, and pushes it after.

    :param place: a directory of its own, which has the lock and the image meanwhile.
    """

    def __init__(self, given: dict[str, Any], push: RegistryOptions, place: str) -> None:
        self._given = given
        self._push = push
        self._place = place
        self._layout = os.path.join(place, "image")
        self._notes: tuple[str, ...] = ()

    def build(self, planned: PlannedUpdate) -> None:
        """Build the image, and test it as the options say.

        :raises MinpackError: it cannot be built, or does not pass.
        """
        # By its own name, which is in the provenance.
        lock = os.path.join(self._place, os.path.basename(self._given["lock"] or LOCK))
        write_lock(planned.lock, lock)
        options = {**_of_pack(self._given, self._layout), "lock": lock}
        packed, _ = packed_image(options, output_settings(options), None, self._push)
        self._notes = packed.notes

    def push(self) -> tuple[PushedChanges, tuple[str, ...]]:
        """Push the image where it is another than there was, with what to tell of it."""
        from minpack.build.push import LocalImage, push_changes  # noqa: PLC0415 - where something is pushed

        with drawing(quiet=self._given["quiet"]) as progress:
            names = tuple(dict.fromkeys(self._given["tags"]))
            return push_changes(LocalImage(self._layout), names, self._push, progress), self._notes


def _tell(done: LockUpdate, rebuilt: PushedChanges | None, given: dict[str, Any]) -> None:
    """Print what was done, as the options say."""
    pushed = [f"{one.reference} was pushed" for one in rebuilt.targets] if rebuilt is not None else []
    with reporting(" and ".join([*([f"{done.path!r} was written"] if done.written else []), *pushed])):
        if given["as_json"]:
            print_json(update_document(done, rebuilt))
            return
        print_notes(noted(done.notes, given), quiet=given["quiet"])
        if not given["quiet"]:
            lines = update_lines(done, verbose=given["verbose"])
            print_lines([*lines, *rebuilt_lines(rebuilt)], to_stderr=done.path in STDOUT)
        elif rebuilt is not None:
            names = (f"{one.host}/{one.name}@{rebuilt.digest}" for one in given["tags"])
            print_lines(dict.fromkeys(names), whole=True)
