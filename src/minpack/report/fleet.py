"""Many images at once as a table for people, and as the document ``minpack.build/1``."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from minpack.build.fleet import ImageResult, State
from minpack.excerpt import few_notes, listed, shorten
from minpack.report.human import human
from minpack.report.shared import cache_object, cache_text, total_use

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.spec.shard import Shard

#: So much of a digest is shown, as Docker does.
_SHORT = len("sha256:") + 12
_HEAD = ("image", "state", "size", "digest", "output")
_DIGEST = _HEAD.index("digest")
#: So many names are shown, of the images that a note is about, and of one image.
_MOST_NAMES = 3


def build_document(path: str, results: Sequence[ImageResult], shard: Shard | None = None) -> dict[str, Any]:
    """``minpack.build/1``: what became of each image of the file at `path`, or of those in the shard."""
    part = str(shard) if shard is not None else None
    return {"schema": "minpack.build/1", "file": path, "shard": part, "images": [_image(one) for one in results]}


def _image(one: ImageResult) -> dict[str, Any]:
    failure = one.failure
    return {
        "name": one.name,
        "state": str(one.state),
        "platforms": list(one.platforms),
        "digest": one.digest,
        "size": one.size,
        "references": list(one.references),
        "outputs": [output._asdict() for output in one.outputs],
        "notes": few_notes(one.notes),
        "error": failure._asdict() if failure is not None else None,
        "cache": cache_object(one.cache),
    }


def build_lines(results: Sequence[ImageResult], width: int = 0) -> list[str]:
    """A row for each image, which of them failed, and how many there are of each state.

    :param width: the columns of the terminal, 0 for none: where rows are longer, they have no digest.
    """
    rows = [_HEAD, *(_row(one) for one in results)]
    lines = _aligned(rows)
    if width and max(map(len, lines)) > width:
        lines = _aligned([row[:_DIGEST] + row[_DIGEST + 1 :] for row in rows])
    failed = [one.name for one in results if one.failure is not None]
    told = [f"failed: {listed(failed)}"] if failed else []
    return [*lines, *_cache_lines(results), *told, count_line(results)]


def note_lines(results: Sequence[ImageResult]) -> list[str]:
    """What the user should know of the images that were made, each note once, with the images that it is about."""
    images: dict[str, list[str]] = {}
    for one in results:
        for note in one.notes if one.state is not State.UNCHANGED else ():
            images.setdefault(note, []).append(one.name)
    return [f"{listed(names, _MOST_NAMES)}: {note}" for note, names in images.items()]


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """The rows with their columns below each other."""
    widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:-1]]
    return ["  ".join((*map(str.ljust, row, widths), row[-1])).rstrip() for row in rows]


def _cache_lines(results: Sequence[ImageResult]) -> list[str]:
    """What shared caches had for all images together, if one is named."""
    uses = [one.cache for one in results if one.cache is not None]
    return [f"cache: {cache_text(total_use(uses))}"] if uses else []


def count_line(results: Sequence[ImageResult]) -> str:
    """How many images there are, and of what states."""
    times = Counter(one.state for one in results)
    states = ", ".join(f"{times[state]} {state}" for state in State if times[state])
    return f"{len(results)} image{'s' if len(results) != 1 else ''}: {states or 'nothing to do'}"


def _row(one: ImageResult) -> tuple[str, str, str, str, str]:
    size = human(one.size) if one.is_whole and one.size else ""
    return shorten(one.name), str(one.state), size, (one.digest or "")[:_SHORT], _where(one)


def _where(one: ImageResult) -> str:
    """Where the image is: a path, or its names."""
    paths = [output.path for output in one.outputs if output.path is not None]
    names = [output.reference for output in one.outputs if output.path is None and output.reference is not None]
    return listed(dict.fromkeys([*paths, *names]), _MOST_NAMES)
