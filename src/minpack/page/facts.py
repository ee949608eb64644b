"""What the template shows: facts of an image, ready to be laid out; text is not escaped yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minpack.excerpt import listed
from minpack.images.finding import Severity
from minpack.images.graph import LATE, MISSING
from minpack.namedtuple import NamedTuple
from minpack.report.human import counted, human
from minpack.report.image import reason_bars, share_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.images.diff import ImageDiff
    from minpack.images.graph import LibraryNode
    from minpack.needs.need import Decision
    from minpack.reach.image_report import ImageReport
    from minpack.trust.components import Component

#: What of one kind a page lists, and the files of a difference; and who needs one library.
MOST_LISTED, MOST_NEEDERS = 500, 100
#: What each group of reasons means, and each need.
MEANING = {
    "program": "what a container runs",
    "interpreter": "the dynamic loader",
    "library": "loaded when the program starts",
    "opened later": "opened while the program runs",
    "need": "data that programs ask for",
    "package database": "which packages are installed, and their licences",
    "named": "named by the configuration or by another file",
    "readable": "an interpreter may read it",
    "package": "of packages; nothing asks for it",
    "unknown": "nothing asks for it",
    "certs": "CA certificates",
    "tz": "time zones",
    "passwd": "the list of users",
    "group": "the list of groups",
    "nsswitch": "where glibc looks names up",
    "os-release": "the name of the distribution",
    "services": "the list of services",
    "protocols": "the list of protocols",
    "mime": "the list of media types",
    "locale": "locales",
    "gconv": "glibc's character set converters",
    "terminfo": "descriptions of terminals",
    "shell": "a shell for programs that start others",
    "dns": "names of hosts; runtimes bring their own",
}


class Bar(NamedTuple):
    """A reason with its bytes, its `part` of all, and where that is, in thousandths."""

    label: str
    group: str
    meaning: str
    size: int
    files: int
    part: float
    start: float
    width: float

    @property
    def share(self) -> str:
        """As ``41.3 %``."""
        return share_text(self.part)


class NeedRow(NamedTuple):
    """A need with what speaks for it: a clause, and the file that has it."""

    name: str
    verdict: str
    size: str
    evidence: tuple[tuple[str, str], ...]


class PackageRow(NamedTuple):
    """A package, and what of it is in the image."""

    name: str
    version: str
    license: str
    files: int
    size: int


class LibraryRow(NamedTuple):
    """A program or library with the names of those that need it; `number` is its place among all."""

    number: int
    node: LibraryNode
    needed_by: str
    css: str


def page_facts(report: ImageReport) -> dict[str, Any]:
    """All that the template needs besides the report itself."""
    counts = {level: sum(one.level is level for one in report.checked.findings) for level in Severity}
    return {
        "figures": _figures(report),
        "counts": [counted(count, str(level)) for level, count in counts.items()],
        "settings": [(label, values) for label, values in _settings(report) if values],
        "bars": bars(report),
        "levels": _levels(report),
        "needs": [_need_row(one, report) for one in report.needs if one.verdict.asks or one.said],
        "packages": package_rows(report),
        "others": _others(report),
        "difference": _difference(report.difference) if report.difference is not None else None,
        "most": MOST_LISTED,
    }


def _figures(report: ImageReport) -> list[tuple[str, str]]:
    packages = [one for one in report.contents.components if one.kind.is_of_distribution]
    return [
        ("packed", human(report.image.size)),
        ("unpacked", human(report.unpacked)),
        ("files", f"{len(report.files):,}"),
        ("layers", str(len(report.image.layers))),
        ("packages", str(len(packages))),
    ]


def _settings(report: ImageReport) -> Iterator[tuple[str, list[str]]]:
    """How a container is run, by the configuration."""
    config, health = report.settings.config, report.settings.health
    yield "Entrypoint", [" ".join(config.entrypoint)] if config.entrypoint else []
    yield "Command", [" ".join(config.cmd)] if config.cmd else []
    yield "User", [config.user or "root"]
    yield "Directory", [config.workdir or "/"]
    yield "Variables", [f"{name}={value}" for name, value in config.env]
    yield "Ports", list(config.exposed)
    yield "Volumes", list(config.volumes)
    yield "Stop signal", [config.stop_signal] if config.stop_signal else []
    yield "Health check", [" ".join(health.arguments)] if health is not None else []
    yield "Labels", [f"{name}={value}" for name, value in config.labels]


def bars(report: ImageReport) -> list[Bar]:
    """The reasons, the one with the most bytes first."""
    found, start = list[Bar](), 0.0
    for one in reason_bars(report):
        width = round(1000 * one.share, 2)
        meaning = MEANING.get(one.label) or MEANING[one.group]
        found.append(Bar(one.label, one.group, meaning, one.size, one.files, one.share, round(start, 2), width))
        start += width
    return found


def _levels(report: ImageReport) -> list[tuple[str, list[LibraryRow]]]:
    """The libraries by how far they are from a program."""
    names = {node.key: node.name for node in report.graph.nodes}
    needed_by: dict[str, list[str]] = {}
    for edge in report.graph.edges:
        needed_by.setdefault(edge.key, []).append(names[edge.needed_by])
    found: dict[int, list[LibraryRow]] = {}
    for number, node in enumerate(report.graph.nodes):
        row = LibraryRow(number, node, listed(needed_by.get(node.key, ()), MOST_NEEDERS), _library_css(node))
        found.setdefault(node.level, []).append(row)
    return [(_level_text(level), rows) for level, rows in sorted(found.items())]


def _level_text(level: int) -> str:
    return {0: "program", 1: "needed by it"}.get(level, f"{level} steps away")


def _library_css(node: LibraryNode) -> str:
    special = {MISSING: "r-missing", LATE: "r-opened-later", "interpreter": "r-interpreter", "program": "r-program"}
    return special.get(node.found_by, "r-library")


def _need_row(decision: Decision, report: ImageReport) -> NeedRow:
    size = sum(file.size for file in report.files if file.reason.need == decision.need)
    evidence = dict.fromkeys((one.text, one.path) for one in decision.evidence)
    shown = ((decision.said, ""),) if decision.said else tuple(evidence)[:MOST_LISTED]
    return NeedRow(str(decision.need), str(decision.verdict), human(size) if size else "", shown)


def package_rows(report: ImageReport) -> list[PackageRow]:
    """The packages of the distribution, those with the most bytes first."""
    counts: dict[str, list[int]] = {}
    for file in report.files:
        counts.setdefault(file.package, []).append(file.size)
    rows = []
    for one in report.contents.components:
        if one.kind.is_of_distribution:
            sizes = counts.get(f"{one.name} {one.version}".rstrip(), [])
            rows.append(PackageRow(one.name, one.version, one.license.expression, len(sizes), sum(sizes)))
    return sorted(rows, key=lambda one: (-one.size, one.name, one.version))


def _others(report: ImageReport) -> list[tuple[str, list[str]]]:
    """What else the image is made of: programs and what is built into them, counted, and as much as a page lists."""
    found: dict[str, list[str]] = {}
    for one in report.contents.components:
        if not one.kind.is_of_distribution:
            found.setdefault(_kind_text(one), []).append(f"{one.name} {one.version}".rstrip())
    return [(counted(len(names), kind), sorted(names)[:MOST_LISTED]) for kind, names in sorted(found.items())]


def _kind_text(component: Component) -> str:
    names = {"golang": "Go module", "cargo": "crate", "program": "program", "pypi": "set of data"}
    return names.get(str(component.kind), str(component.kind))


def _difference(found: ImageDiff) -> dict[str, Any]:
    """How the image differs from another, which was before it."""
    before, after = found.before, found.after
    sizes = [("packed", before.packed, after.packed), ("unpacked", before.unpacked, after.unpacked)]
    return {
        "equal": found.is_equal,
        "before": before.name,
        "sizes": [
            (label, human(one), human(other), _growth(other - one))
            for label, one, other in sizes
            if one is not None and other is not None
        ],
        "packages": found.packages[:MOST_LISTED],
        "config": found.config[:MOST_LISTED],
        "files": [
            (one, " → ".join(dict.fromkeys(human(size) for size in (one.before, one.after) if size is not None)))
            for one in found.files[:MOST_LISTED]
        ],
        "left": max(0, len(found.files) - MOST_LISTED),
    }


def _growth(size: int) -> str:
    return f"{'+' if size > 0 else '-'}{human(abs(size))}" if size else "the same"
