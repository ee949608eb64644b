"""The text of a first `minpack.toml`, for a project that was found or for one that was not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minpack.config.projects import BuiltProgram

_HEAD = "# The container images of this project: minpack build builds them. docs/config.md of minpack has all keys.\n"


def config_text(programs: Sequence[BuiltProgram], bases: Mapping[str, str], repository: str) -> str:
    """The file for these programs.

    :param bases: the base of each image, by the image's name; empty for one that needs none.
    :param repository: where images may go; empty if that is not known.
    """
    parts = [_HEAD]
    every = set(bases.values())
    if len(every) == 1 and every != {""} and len(programs) > 1:
        parts.append(f"[defaults]\nbase = {json.dumps(*every)}\n")
        bases = {}
    return "\n".join((*parts, *(_image(one, bases.get(one.name, ""), repository) for one in programs)))


def _image(program: BuiltProgram, base: str, repository: str) -> str:
    where = repository or "ghcr.io/OWNER"
    tag = f"tag = {json.dumps(f'{where}/{program.name}:{{version}}')}\n"
    return (
        f"[image.{_key(program.name)}]\n"
        f"# {program.build}\n"
        f"programs = [{json.dumps(program.path)}]\n"
        f"{f'base = {json.dumps(base)}' + chr(10) if base else ''}"
        f"{'' if repository else '# '}{tag}"
    )


def _key(name: str) -> str:
    """The name as a TOML key."""
    return json.dumps(name) if "." in name else name
