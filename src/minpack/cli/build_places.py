"""Where the images of a build are written to, and the names that they get: no two of them to one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from minpack.cli.config import located
from minpack.cli.options import STDOUT
from minpack.cli.output import is_shared, output_path
from minpack.errors import UsageError
from minpack.namedtuple import NamedTuple
from minpack.oci.reference import default_reference
from minpack.output.target import Format

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minpack.cli.config import ReadyImage

#: Where images go by their names.
_NAMED = ("load", "push")


class _Owner(NamedTuple):
    """What has a path: an image, or the file of images; `is_layout` if others are added to it."""

    name: str
    is_image: bool = True
    is_layout: bool = False


def refuse_one_place(ready: Sequence[ReadyImage], path: str) -> None:
    """Raise an error if two images would be written to one place, or one in place of the file of images.

    :param path: the file of images.
    :raises ConfigError: the file says so.
    :raises UsageError: the command line does.
    """
    places = {os.path.realpath(path): _Owner("the file of images", is_image=False)}
    for one in ready:
        if len(ready) > 1 and one.given["output"] in ("-", *STDOUT):
            raise UsageError("--output", "-", "stdout takes only one image", "name one, or a directory: -o DIR/")
        output = _output_place(one)
        if output is not None:
            _take(places, one, output, _Owner(one.name, is_layout=is_shared(one.given)))
        for place in _more_places(one):
            _take(places, one, place, _Owner(one.name))


class _Place(NamedTuple):
    """A path that is written to, without links, and the option and its value that say so.

    `hint` says what to do if something else has it; `about` what to call it, empty for the image itself.
    """

    path: str
    option: str
    value: str
    hint: str
    about: str = ""


def _take(places: dict[str, _Owner], one: ReadyImage, place: _Place, owner: _Owner) -> None:
    """Note that the image has the place; raise `UsageError` if something else has it."""
    other = places.setdefault(place.path, owner)
    if other.name == owner.name or (other.is_layout and owner.is_layout):
        return
    written = f"write {place.about}" if place.about else "be written there"
    reason = f"{owner.name} and {other.name} would both {written}" if other.is_image else f"it is {other.name}"
    with located(one.image):
        raise UsageError(place.option, place.value, reason, place.hint)


def _output_place(ready: ReadyImage) -> _Place | None:
    """Where the image is written to; None where no file is."""
    path = output_path(ready.given, ready.name)
    if path is None:
        return None
    hint = "give a directory, ending with a slash, or leave it out"
    return _Place(os.path.realpath(path), "--output", ready.given["output"] or path, hint)


def _more_places(ready: ReadyImage) -> Iterator[_Place]:
    """Where files are written about the image: its SBOMs and provenance, and its digest."""
    given, digest = ready.given, ready.given["digest_file"]
    path = output_path(given, ready.name)
    if path is not None and path not in ("-", *STDOUT) and (given["sboms"] or given["provenance"]):
        from minpack.cli.artifacts import beside_files, beside_stem  # noqa: PLC0415 - where some are wanted
        from minpack.trust.sbom import SbomFormat  # noqa: PLC0415 - as above

        stem = beside_stem(path, Format(given["format_"]), ready.name, shared=is_shared(given))
        for one in beside_files(stem, tuple(map(SbomFormat, given["sboms"])), provenance=given["provenance"]):
            place = os.path.realpath(one.path)
            yield _Place(place, "--output", given["output"] or path, "name another output", one.path)
    # A device, or a pipe, takes several.
    if digest is not None and (os.path.isfile(digest) or not os.path.exists(digest)):
        hint = 'give each image a file of its own, in the file of images: digest-file = "{name}.digest"'
        yield _Place(os.path.realpath(digest), "--digest-file", digest, hint, "it")


def refuse_one_name(ready: Sequence[ReadyImage]) -> None:
    """Raise `UsageError` if one of two images would take a name from the other: in a layout, engine or registry."""
    taken: dict[tuple[str, str], str] = {}
    for one in ready:
        given = one.given
        layout = _output_place(one) if is_shared(given) else None
        places = (layout.path if layout is not None else None, *(where for where in _NAMED if given[where]))
        for reference in (tag.familiar for tag in given["tags"] or (default_reference(one.name),)):
            for place in filter(None, places):
                other = taken.setdefault((place, reference), one.name)
                if other != one.name:
                    _refuse_name(one, reference, other)


def _refuse_name(ready: ReadyImage, reference: str, other: str) -> None:
    hint = "give each image a name of its own, for example me/{name}:{version}"
    with located(ready.image):
        raise UsageError("--tag", reference, f"{ready.name} and {other} would both have this name", hint)
