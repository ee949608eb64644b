"""What the page's script shows: every file, the treemaps, and the graph of libraries, as one JSON document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from minpack.excerpt import shorten, visible
from minpack.namedtuple import NamedTuple
from minpack.page.treemap import by_directory, by_value, layout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.images.graph import LibraryGraph
    from minpack.reach.image_report import ImageReport, ReportedFile

#: The most files on a page, the largest of them: with so many it has some ten megabytes.
MOST_FILES = 50_000
#: The most lines between libraries: the largest programs known have a tenth.
_MOST_EDGES = 50_000
#: What files of no package are together, in the treemap and in the table.
NO_PACKAGE = "no package"


class _Texts:
    """Texts by their numbers, each once."""

    def __init__(self) -> None:
        self.texts: dict[str, int] = {}

    def number(self, text: str) -> int:
        """That of `text`."""
        return self.texts.setdefault(text, len(self.texts))

    def shown(self) -> list[str]:
        """All of them, every character seen."""
        return [_shown(text) for text in self.texts]


class PageFiles(NamedTuple):
    """The files on a page, in the order of paths, and how many there was no room for."""

    files: tuple[ReportedFile, ...]
    left_out: int


def page_files(report: ImageReport) -> PageFiles:
    """The files that the page has."""
    files = report.files
    if len(files) > MOST_FILES:
        numbers = sorted(range(len(files)), key=lambda number: (-files[number].size, number))[:MOST_FILES]
        files = tuple(files[number] for number in sorted(numbers))
    return PageFiles(files, len(report.files) - len(files))


def page_data(report: ImageReport, files: Sequence[ReportedFile]) -> str:
    """The document, as a script element of HTML can have it."""
    packages, labels, texts = _Texts(), _Texts(), _Texts()
    rows = [
        [
            _shown(file.path),
            str(file.kind),
            file.size,
            f"{file.mode:04o}",
            f"{file.uid}:{file.gid}",
            _shown(file.link),
            file.sha256,
            packages.number(file.package) if file.package else -1,
            labels.number(file.reason.label),
            texts.number(file.reason.text),
        ]
        for file in files
    ]
    groups = {file.reason.label: css_class(str(file.reason.group)) for file in files}
    return _json(
        {
            "files": rows,
            "packages": packages.shown(),
            "labels": labels.shown(),
            "classes": [groups[label] for label in labels.texts],
            "texts": texts.shown(),
            "trees": _trees(files),
            "edges": _edges(report.graph),
        }
    )


def css_class(group: str) -> str:
    """The class that has the colour of a group of reasons."""
    return f"r-{group.replace(' ', '-')}"


def _trees(files: Sequence[ReportedFile]) -> dict[str, Any]:
    reasons = by_value(files, lambda file: file.reason.label)
    packages = by_value(files, lambda file: file.package or NO_PACKAGE)
    return {
        "reason": _seen(layout(reasons)),
        "package": _seen(layout(packages)),
        "directory": _seen(layout(by_directory(files))),
    }


def _seen(tiles: list[Any]) -> list[Any]:
    """The tiles with labels of which every character is seen."""
    for tile in tiles:
        if isinstance(tile[4], str):
            tile[4] = _shown(tile[4])
            _seen(tile[8])
    return tiles


def _edges(graph: LibraryGraph) -> list[list[int]]:
    """Pairs of a library and what it needs, by their places among the nodes."""
    places = {node.key: number for number, node in enumerate(graph.nodes)}
    return [[places[edge.needed_by], places[edge.key]] for edge in graph.edges[:_MOST_EDGES]]


def _shown(text: str) -> str:
    return visible(shorten(text, 4096))


def _json(document: dict[str, Any]) -> str:
    """JSON in which nothing ends a script element or begins a comment (HTML, "Restrictions for contents of script")."""
    text = json.dumps(document, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
