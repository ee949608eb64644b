"""`minpack init`."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Any

import click

from minpack.catalog.debian import RELEASES
from minpack.cli.options import FILLED, Command, answer_options
from minpack.cli.settings import today
from minpack.cli.terminal import print_json, print_lines, print_notes, reporting
from minpack.config.first import config_text
from minpack.config.model import CONFIG
from minpack.config.projects import BuiltProgram, Project, built_file, find_project, repository_of
from minpack.content import FileContent
from minpack.errors import InputError, MinpackError, OutputError
from minpack.host.atomic import new_file

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command("init", cls=Command, short_help=f"Write a {CONFIG} for this project.")
@click.option("-f", "--file", type=FILLED, metavar="FILE", default=CONFIG, help=f"File to write. Default: {CONFIG}.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@answer_options
def command(**given: Any) -> None:  # noqa: ANN401 - the options above are its signature
    """Write a minpack.toml for the project in this directory (Go, Cargo, CMake or a Makefile).

    \b
    minpack init && minpack build

    Each program of the project gets an image. If a program is already built, minpack reads from it which base it needs.
    """  # noqa: D301 - click's mark for a block
    path = given["file"]
    if os.path.lexists(path) and not given["force"]:
        raise OutputError(path, "it already exists", "add --force to replace it")
    project = find_project(".")
    if project is None:
        hint = "write minpack.toml by hand (docs/config.md), or pack one program without it: minpack ./app"
        reason = "there is no Go module, Cargo package, CMake project or Makefile here that builds a program"
        raise InputError(".", reason, verb="find a project in", hint=hint)
    bases = {one.name: _base_of(one, project) for one in project.programs}
    text = config_text(_seen_from(path, project.programs), bases, repository_of("."))
    _write(path, text, force=given["force"])
    _tell(path, project, given)


def _seen_from(path: str, programs: Sequence[BuiltProgram]) -> list[BuiltProgram]:
    """The programs with their paths as the file at `path` has them, relative to its own directory."""
    directory = os.path.dirname(path)
    return [one._replace(path=os.path.relpath(one.path, directory)) if directory else one for one in programs]


def _base_of(program: BuiltProgram, project: Project) -> str:
    """The base that a program needs: by the program if it is built, else as its kind of project usually does."""
    path = built_file(program)
    usual = "" if project.is_static else RELEASES[-1].name
    if path is None:
        return usual
    from minpack.elf.read import read_elf  # noqa: PLC0415 - where a program is built alone
    from minpack.sources.fitting import fitting_bases  # noqa: PLC0415 - as above

    try:
        info = read_elf(FileContent(path, os.path.getsize(path)))
    except (MinpackError, OSError):
        return usual
    if info.interpreter is None:
        return ""
    return next(iter(fitting_bases(info, info.target.platform, today())), usual)


def _write(path: str, text: str, *, force: bool) -> None:
    """Write the file, over an older one only if that is wanted."""
    with new_file(path, force=force) as out:
        out.write(text.encode())


def _tell(path: str, project: Project, given: dict[str, Any]) -> None:
    names: Sequence[str] = [one.name for one in project.programs]
    builds = dict.fromkeys(one.build for one in project.programs if built_file(one) is None)
    packing = "minpack build" if path == CONFIG else shlex.join(("minpack", "build", "-f", path))
    notes = [f"the {project.kind} does not name its program: check programs in {path}"] if project.is_guessed else []
    with reporting(f"{path!r} was written"):
        if given["as_json"]:
            print_json({"schema": "minpack.init/1", "file": path, "project": project.kind, "images": list(names)})
        elif not given["quiet"]:
            print_notes(notes, quiet=False)
            following = " && ".join((*builds, packing))
            print_lines((f"wrote {path} for the {project.kind} here: {', '.join(names)}", f"next: {following}"))
