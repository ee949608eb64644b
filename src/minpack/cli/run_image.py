"""`minpack run`."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from minpack.build.pack import pack
from minpack.cli.effects import refuse_without_registry
from minpack.cli.image import image_base_options, parse_image_argument
from minpack.cli.options import (
    FILLED,
    Command,
    Parsed,
    base_option,
    on_option,
    platform_option_of,
    registry_access_options,
    selected,
    store_options,
    value_of,
)
from minpack.cli.registry import RegistryAccess, with_registry
from minpack.cli.settings import StoreSettings, base_options, check_packages, host_platform, threads
from minpack.cli.spec import FileOptions, files_spec, packing_options
from minpack.cli.terminal import drawing, fill_streams, print_error, print_notes
from minpack.elf.format import MAGIC
from minpack.errors import BadValueError, MinpackError, UsageError
from minpack.images.open import open_found
from minpack.images.process import RunOptions
from minpack.images.run import prepared_run, run_prepared
from minpack.oci.compression import Compression
from minpack.oci.reference import default_reference
from minpack.output.target import Format, OutputSpec
from minpack.paths import parse_root_path
from minpack.rootfs.etc_files import parse_user
from minpack.sandbox.terminal import Terminal
from minpack.sandbox.values import Bind
from minpack.spec.acceptance import parse_seconds
from minpack.spec.base_ref import DOCKER_ARCHIVE, ImageRef
from minpack.spec.values import parse_variable

if TYPE_CHECKING:
    from collections.abc import Generator

    from minpack.base.options import BaseOptions
    from minpack.images.open import FoundImage
    from minpack.progress import Progress
    from minpack.sandbox.values import Ended

#: Options of packing that an image can be run with too.
_OF_IMAGES = ("env", "user", "workdir", "programs", "platforms")
#: The exit code of what was stopped because it ran for too long, as of what runtimes fail to run.
_FAILED = 125


def parse_bind(text: str) -> Bind:
    """What ``SRC:DST[:ro]`` binds.

    :raises BadValueError: it is not of that form, or DST is no absolute path.
    """
    read_only = text.endswith(":ro")
    source, colon, target = text.removesuffix(":ro").rpartition(":")
    if not colon or not source or not target.startswith("/") or "\0" in text:
        raise BadValueError(text, "it is not SRC:DST", "for example ./data:/data, or ./data:/data:ro")
    return Bind(os.path.abspath(source), os.path.normpath(target), read_only)


bind_option = click.option(
    "--bind",
    "binds",
    multiple=True,
    type=Parsed(parse_bind),
    metavar="SRC:DST[:ro]",
    help="Mount a file or directory of this host at DST; repeatable.",
)
network_option = click.option(
    "--net", "network", is_flag=True, help="Use this host's network, resolv.conf and hosts file."
)


@click.command(
    "run",
    cls=Command,
    short_help="Run an image or a program without a container engine.",
    context_settings={"allow_interspersed_args": False},
)
@click.argument("image", metavar="IMAGE|APP")
@click.argument("arguments", metavar="[ARG...]", nargs=-1, type=click.UNPROCESSED)
@base_option
@on_option
@platform_option_of(
    "Platform to choose from an index; for a program, only a variant (linux/arm/v6). Default: this machine's."
)
@click.option(
    "-e",
    "--env",
    multiple=True,
    type=Parsed(parse_variable),
    metavar="KEY=VALUE",
    help="Set an environment variable; repeatable.",
)
@click.option("-u", "--user", type=FILLED, metavar="USER[:GROUP]", help="User to run as, by name or number.")
@click.option("-w", "--workdir", type=Parsed(parse_root_path), metavar="PATH", help="Working directory.")
@bind_option
@network_option
@click.option(
    "--time-limit",
    "seconds",
    type=Parsed(parse_seconds),
    metavar="TIME",
    help="Stop the program after this time (30, 10m), and exit with 125.",
)
@packing_options
@registry_access_options
@store_options
def command(image: str, arguments: tuple[str, ...], **given: Any) -> int:  # noqa: ANN401 - the options above
    """Run IMAGE without a container engine, or pack APP and run the result.

    \b
    minpack run ./myapp.tar --help          arguments for the program
    minpack run --base alpine-3.22 ./myapp  pack, then run
    minpack run --net ghcr.io/me/myapp:1.0  with this host's network

    The program runs in its own namespaces, as the image's user, and sees only the image's files. What it writes is
    discarded.

    IMAGE is a path (an archive, an OCI layout, the output of docker save), a name with a transport (docker://, oci:,
    …), or a name that minpack looks up first in the container engine, then in the registry. The exit code is the
    program's; 125 if the program was not run, 126 if it cannot be executed, 127 if the image lacks it.
    """  # noqa: D301 - click's mark for a block
    fill_streams()
    packs = is_program(image)
    if not packs:
        _refuse_packing(image)
    run = RunOptions(
        arguments,
        () if packs else given["env"],
        None if packs else given["user"],
        None if packs else given["workdir"],
        given["binds"],
        given["network"],
        given["seconds"] or 0.0,
        os.environ.get("TERM", "") if _has_terminal() else "",
    )
    with _failing():
        ended = _run(image, run, given, packs=packs)
    if ended.timed_out:
        print_error(f"cannot run {image!r} any longer: it ran for {run.seconds:g} seconds", None)
        return _FAILED
    return ended.code


def _run(image: str, run: RunOptions, given: dict[str, Any], *, packs: bool) -> Ended:
    """Run the image, or the program in its image."""
    with ExitStack() as stack:
        # What draws is gone before another process is made.
        with drawing(quiet=False) as progress:
            found, options = (_packed if packs else _opened)(image, given, progress, stack)
            prepared = stack.enter_context(prepared_run(found, options, run))
        print_notes(prepared.notes, quiet=False)
        terminal = stack.enter_context(Terminal(0, 1)) if _has_terminal() else None
        return run_prepared(prepared, terminal)


@contextmanager
def _failing() -> Generator[None]:
    """Let what fails in the block end with 125, as 1 and 3 may be the program's own; usage errors stay 2."""
    try:
        yield
    except MinpackError as error:
        if error.exit_code in (1, 3):
            error.exit_code = _FAILED
        raise


def is_program(path: str) -> bool:
    """Whether a program is named, rather than an image: there is an ELF file."""
    try:
        # A FIFO would be waited for.
        if not os.path.isfile(path):
            return False
        with open(path, "rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except (OSError, ValueError):
        return False


def _refuse_packing(image: str) -> None:
    """Raise `UsageError` if an option is given that is about packing a program."""
    context = click.get_current_context()
    for parameter in context.command.params:
        name = parameter.name or ""
        packs = name in (*FileOptions._fields, "no_packages", "keys", "sha512") and name not in _OF_IMAGES
        if packs and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = max(parameter.opts, key=len)
            raise UsageError(option, "", f"it applies to packing a program, and {image!r} is an image", "leave it out")


def _opened(image: str, given: dict[str, Any], progress: Progress, stack: ExitStack) -> tuple[FoundImage, BaseOptions]:
    """The image, found as the options say."""
    ref = parse_image_argument(image)
    options = image_base_options(given, ref)
    return stack.enter_context(open_found(ref, options, progress, given["platform"] or host_platform())), options


def _packed(path: str, given: dict[str, Any], progress: Progress, stack: ExitStack) -> tuple[FoundImage, BaseOptions]:
    """The image that is made of the program, in a file that is gone when `stack` is closed."""
    platform, bases = given["platform"], [base for _, base in given["base"]]
    bases += [given["on"]] if given["on"] is not None else []
    user = value_of("--user", parse_user)(given["user"]) if given["user"] is not None else None
    named = {**given, "programs": (path,), "user": user, "platforms": (platform,) if platform is not None else None}
    spec = files_spec(selected(FileOptions, named))._replace(compression=Compression.NONE, threads=threads())
    store = selected(StoreSettings, given)
    options = base_options(store)
    if any(base.is_pulled for base in bases):
        options = with_registry(options, selected(RegistryAccess, given), *bases)
    else:
        refuse_without_registry(given)
    check_packages(bases, store)
    directory = stack.enter_context(TemporaryDirectory(prefix="minpack-", dir=options.temporary))
    archive = os.path.join(directory, "image.tar")
    name = os.path.basename(path)
    packed = pack(spec, options, OutputSpec(Format.ARCHIVE, archive, (default_reference(name),)), progress)
    print_notes(packed.notes, quiet=False)
    made = ImageRef(DOCKER_ARCHIVE, archive)
    found = stack.enter_context(open_found(made, options, progress, packed.plan.config.platform))
    return found._replace(name=name), options


def _has_terminal() -> bool:
    """Whether the program gets a terminal: where both its input and its output would be one."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))
