"""`minpack debug`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from minpack.cli.debug_options import tools_options
from minpack.cli.effects import fetching_notes
from minpack.cli.image import image_platforms_option, parse_image_argument
from minpack.cli.options import STDOUT, Command, Parsed, answer_options, cache_options, completed, keys_option
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
from minpack.cli.tools import tools_base_options, tools_spec
from minpack.errors import EngineError, UsageError
from minpack.output.target import Format
from minpack.rootfs.etc_files import parse_user
from minpack.spec.debug import AttachTarget, parse_attach

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minpack.base.options import BaseOptions
    from minpack.debug.image import DebugImage, DebugSpec
    from minpack.oci.reference import Reference
    from minpack.spec.base_ref import ImageRef
    from minpack.target import Platform

#: What an image of the tools alone is called.
_TOOLS_NAME = "minpack-debug"


@click.command("debug", cls=Command, short_help="Add a shell and tools to an image or running container.")
@click.argument("image", metavar="[IMAGE]", required=False)
@tools_options
@click.option(
    "--user",
    type=Parsed(parse_user),
    shell_complete=completed("user"),
    metavar="USER",
    help="User of the shell: UID[:GID], root, nonroot or nobody. Default: the image's; with --attach, root.",
)
@click.option(
    "--attach",
    type=Parsed(parse_attach),
    metavar="CONTAINER",
    help="Print the command that starts the tools next to this running container, named as in the"
    " engine, or as [NAMESPACE/]pod/POD/CONTAINER. Its files are then below /proc/1/root. Without"
    " IMAGE, minpack makes an image of just the tools.",
)
@click.option("--exec", "execute", is_flag=True, help="Run the command that --attach would print.")
@image_platforms_option
@result_options
@cache_options
@keys_option
@answer_options
def command(image: str | None, **given: Any) -> None:  # noqa: ANN401 - the options above are its signature
    """Add a shell and tools at /.debug on top of IMAGE, to debug it.

    \b
    minpack debug ./myapp.tar --load                NAME:TAG-debug in the engine
    minpack debug ghcr.io/me/myapp:1 --tools strace -o debug.tar
    minpack debug --attach web --exec               next to the container web

    IMAGE is a path (an archive, an OCI layout, the output of docker save), a name with a transport (docker://, oci:,
    …), or a name that minpack looks up first in the container engine, then in the registry. Its layers do not change,
    and its entrypoint becomes /.debug/bin/sh.
    """  # noqa: D301 - click's mark for a block
    ref, given = _checked(image, given)
    from minpack.debug.image import debug_image, tools_image  # noqa: PLC0415 - after what is refused

    settings = output_settings(given)
    registry = registry_wanted(given, pulls=True)
    options = tools_base_options(given, registry, ref)
    default = _default_name(ref, given, options)
    output = output_spec(settings, _file_name(default, ref), default, registry=registry)
    spec = _spec(given, ref)
    with drawing(quiet=given["quiet"]) as progress:
        if ref is not None:
            made = debug_image(ref, spec, options, output, progress, given["platforms"] or ())
        else:
            made = tools_image(_platforms(given), spec, options, output, progress)
    urls = [made.url, f"docker://{ref.name}" if ref is not None and not ref.is_local else ""]
    made = made._replace(notes=(*made.notes, *fetching_notes(*urls, packages=bool(made.packages))))
    attach = _attach(given, made)
    with reporting(done(made.written)):
        _report(given, made, attach, to_stderr=output.path == "-")
    if given["execute"]:
        _execute(attach)


def _checked(image: str | None, given: dict[str, Any]) -> tuple[ImageRef | None, dict[str, Any]]:
    """The image that is named, and the options with what others imply.

    :raises UsageError: they cannot be meant.
    """
    target: AttachTarget | None = given["attach"]
    if image is None and target is None:
        hint = "name the image: minpack debug ./myapp.tar, or a container with --attach"
        raise UsageError("minpack debug", "", "IMAGE is missing", hint, verb="run")
    if given["execute"] and target is None:
        raise UsageError("--exec", "", "no container is named", "add --attach CONTAINER")
    if given["execute"] and given["as_json"]:
        raise UsageError("--json", "", "--exec starts a shell, which takes stdout", "give only one of them")
    form = Format(given["format_"])
    if not form.has_layers:
        reason = "it writes the bare files, and the tools are a layer of an image"
        raise UsageError("--format", str(form), reason, "make an image with --format archive or oci")
    if target is not None and target.pod and not given["push"]:
        reason = "a cluster pulls the tools from a registry, and nothing is pushed"
        raise UsageError("--attach", f"pod/{target.pod}/{target.container}", reason, "add -t REF --push")
    if target is not None and not target.pod:
        if form is not Format.ARCHIVE:
            reason = "--attach loads the tools into the engine, which takes only archives"
            raise UsageError("--format", str(form), reason, "leave --format out")
        if given["output"] in (*STDOUT, "-") and (given["quiet"] or given["as_json"]):
            reason = "--attach prints the command to stdout, and -o - takes that"
            raise UsageError("-q" if given["quiet"] else "--json", "", reason, "choose a file with -o PATH")
        given = {**given, "load": True}
    return parse_image_argument(image) if image is not None else None, given


def _spec(given: Mapping[str, Any], ref: ImageRef | None) -> DebugSpec:
    """What is asked for; beside a pod's container, where the image alone says its user, the shell is root's."""
    from minpack.debug.image import DebugSpec  # noqa: PLC0415 - after what is refused at once

    compression = compression_of(given["compress"], zstd=given["zstd"])
    moment, tools = created(given["created"]), tools_spec(given)
    is_beside_pod = ref is not None and given["attach"] is not None and given["attach"].pod
    user = given["user"] or (parse_user("root") if is_beside_pod else None)
    return DebugSpec(tools, user, given["annotations"], moment, compression, threads())


def _default_name(ref: ImageRef | None, given: Mapping[str, Any], options: BaseOptions) -> Reference:
    """What the image is called where no -t says it: as the one that it is made of, and that it is for debugging."""
    from minpack.debug.image import debug_reference  # noqa: PLC0415 - as above
    from minpack.images.names import names_in_file  # noqa: PLC0415 - as above
    from minpack.oci.reference import default_reference  # noqa: PLC0415 - as above

    if ref is None:
        return default_reference(_TOOLS_NAME)
    return debug_reference(ref, names_in_file(ref, options) if ref.is_local and not given["tags"] else ())


def _file_name(name: Reference, ref: ImageRef | None) -> str:
    """What the file is called after: as the image, or its file, is, and that it is for debugging."""
    from minpack.debug.image import debug_reference  # noqa: PLC0415 - as above

    last = (debug_reference(ref) if ref is not None else name).name.rpartition("/")[2]
    return f"{last}-debug" if ref is not None else last


def _platforms(given: Mapping[str, Any]) -> Sequence[Platform]:
    """The platforms of an image of the tools alone: this machine's if none is named."""
    host = host_platform()
    if given["platforms"]:
        return tuple(given["platforms"])
    if host is None:
        raise UsageError("--platform", "", "this machine's is not known", "name it with --platform linux/amd64")
    return (host,)


def _attach(given: Mapping[str, Any], made: DebugImage) -> tuple[str, ...]:
    """The command that puts the tools beside a container; empty if they are for none."""
    target: AttachTarget | None = given["attach"]
    if target is None:
        return ()
    from minpack.debug.attach import attach_command  # noqa: PLC0415 - for --attach alone

    engine = next((one.engine for one in made.written.outputs if one.format == "engine"), "")
    pushed = next((one.by_digest for one in made.written.outputs if one.format == "registry"), "")
    image = pushed if target.pod else made.written.references[0].familiar
    user = str(given["user"]) if given["user"] is not None else ""
    terminal = not given["execute"] or (sys.stdin is not None and sys.stdin.isatty())
    return attach_command(target, image, engine, user, terminal=terminal)


def _report(given: Mapping[str, Any], made: DebugImage, attach: Sequence[str], *, to_stderr: bool) -> None:
    """Say what was made, and how it is started."""
    import shlex  # noqa: PLC0415 - as the next

    from minpack.report.debug import debug_document, debug_lines  # noqa: PLC0415 - once it is made

    if given["as_json"]:
        print_json(debug_document(made, attach))
        return
    print_notes(made.notes, quiet=given["quiet"])
    if given["quiet"] and not attach:
        print_names(made.written)
    elif given["quiet"]:
        print_lines([] if given["execute"] else [shlex.join(attach)], whole=True)
    else:
        lines = debug_lines(made, host_platform())
        if attach:
            # The one command that follows is that which attaches.
            lines = [*(line for line in lines if not line.startswith("next: ")), f"next: {shlex.join(attach)}"]
        print_lines(lines, to_stderr=to_stderr)


def _execute(attach: tuple[str, ...]) -> None:
    """Become the command; its exit code is that of the run.

    :raises EngineError: there is no such command.
    """
    sys.stdout.flush()
    try:
        os.execvp(attach[0], attach)  # noqa: S606 - the command that --exec was given for
    except OSError as error:
        hint = "install it, or leave --exec out and run what is printed where it is"
        raise EngineError(f"run {attach[0]}", f"{error.strerror}", hint) from error
