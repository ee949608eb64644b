"""What the commands do, as functions: `pack`, `push`, `tree` and `inspect`."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from minpack.build import inspect as inspecting
from minpack.build import pack as packing
from minpack.build import push as pushing
from minpack.build import tree
from minpack.errors import UsageError
from minpack.library.check import checked
from minpack.progress import no_progress

if TYPE_CHECKING:
    from minpack.base.options import BaseOptions
    from minpack.build.inspect import Inspected
    from minpack.build.push import Pushed
    from minpack.library.callbacks import Progress
    from minpack.oci.reference import Reference
    from minpack.output.target import OutputSpec
    from minpack.registry.options import RegistryOptions
    from minpack.spec.image import ImageSpec


@checked
def push(
    image: str | os.PathLike[str],
    references: tuple[Reference, ...],
    options: RegistryOptions,
    progress: Progress = no_progress,
    *,
    name: str = "",
) -> Pushed:
    """Push a finished image, with its artifacts, under each of `references`.

    :param image: the path of an archive, an OCI layout, or a file that ``docker save`` wrote.
    :param options: how to reach registries.
    :param name: the name or tag of the image in that file, if it has several.
    :raises UnreadableImageError: there is no such image, or it is incomplete.
    :raises RegistryError: a registry refuses it or cannot be reached.
    """
    if not references:
        raise UsageError("push(references)", "", "it is empty", 'name a repository: parse_reference("me/app:1.0")')
    return pushing.push(pushing.LocalImage(os.fspath(image), name), references, options, progress)


@checked
def inspect(path: str | os.PathLike[str], today: str, *, why: bool = False, full: bool = False) -> Inspected:
    """Tell what the ELF file at the host's `path` is and needs.

    :param today: ``YYYY-MM-DD``; bases whose support has ended are left out.
    :param why: find the functions that cause each need.
    :param full: also read segments, the dynamic section, versions and notes.
    :raises InputError: it cannot be read.
    :raises ElfError: it is not an ELF file, or is damaged.
    """
    _check_day(today)
    return inspecting.inspect(os.fspath(path), today, why=why, full=full)


def _check_programs(spec: ImageSpec) -> None:
    """Raise `UsageError` if `spec` names no program."""
    if not spec.programs:
        raise UsageError("ImageSpec.programs", "", "it is empty", 'name a program: ImageSpec(("./myapp",))')


def _check_program(spec: ImageSpec) -> None:
    """Raise `UsageError` if `spec` names no program, or several."""
    _check_programs(spec)
    if len(spec.programs) > 1:
        raise UsageError("ImageSpec.programs", "", f"a tree has one program, not {len(spec.programs)}")


def _check_options(options: BaseOptions) -> None:
    """Raise `UsageError` if the options have no date."""
    _check_day(options.today)


def _check_day(today: str) -> None:
    """Raise `UsageError` if `today` is not a date."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", today, re.ASCII):
        raise UsageError("today", today, "it is not a date", "write it as 2026-01-31")


def _check_output(output: OutputSpec | None) -> None:
    """Raise `UsageError` if `output` goes nowhere."""
    if output is None:
        return
    if output.registry is not None and not (output.references and output.format.has_layers):
        reason = "it has no reference to push to" if output.format.has_layers else "only images are pushed"
        hint = 'OutputSpec(Format.ARCHIVE, None, (parse_reference("me/app:1.0"),), registry=RegistryOptions())'
        raise UsageError("OutputSpec", "", reason, hint)
    elsewhere = (output.engine, output.stdout, output.registry)
    if any(one is not None for one in elsewhere) or output.path not in (None, "-"):
        return
    reason = "its path is '-', and it has no stdout" if output.path else "it has no path and no engine"
    raise UsageError("OutputSpec", "", reason, 'name a file: OutputSpec(Format.ARCHIVE, "app.tar", …)')


pack = checked(packing.pack, spec=_check_programs, options=_check_options, output=_check_output)
resolve_tree = checked(tree.resolve_tree, spec=_check_program, options=_check_options)
