"""Many images at once as a table for people, and as the document ``minpack.build/1``."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from minpack.build.fleet import ImageResult, State
from minpack.excerpt import few_notes, shorten
from minpack.report.human import human
from minpack.report.shared import cache_object, cache_text, total_use

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.spec.shard import Shard

#: So much of a digest is shown, as Docker does.
_SHORT = len("sha256:") + 12
_HEAD = ("image", "state", "size", "digest", "output")


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


def build_lines(results: Sequence[ImageResult]) -> list[str]:
    """A row for each image, and how many there are of each state."""
    rows = [_HEAD, *(_row(one) for one in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD) - 1)]
    lines = [
        "  ".join((*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1])) for row in rows
    ]
    return [*(line.rstrip() for line in lines), *_cache_lines(results), count_line(results)]


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
    return ", ".join(shorten(place) for place in dict.fromkeys([*paths, *names]))
