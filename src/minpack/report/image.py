"""What `minpack report` knows of an image, in short as text, and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minpack.excerpt import listed, shorten
from minpack.images.finding import Severity
from minpack.namedtuple import NamedTuple
from minpack.report.allowance import Allowance
from minpack.report.diff import diff_document
from minpack.report.findings import finding_row
from minpack.report.human import counted, human
from minpack.report.text import config_lines, row

if TYPE_CHECKING:
    from minpack.images.diff import ImageDiff
    from minpack.images.graph import LibraryNode
    from minpack.needs.need import Decision
    from minpack.reach.image_report import ImageReport, ReportedFile
    from minpack.trust.components import Component

#: Findings and packages are told in so many lines.
MOST_LINES = 5


class WrittenPage(NamedTuple):
    """A page that was written: where, ``-`` for stdout, and its bytes."""

    path: str
    size: int


class ReasonBar(NamedTuple):
    """A reason with its part of all bytes, of 1; `group` is what colours it."""

    label: str
    group: str
    size: int
    share: float
    files: int


def report_document(report: ImageReport, page: WrittenPage | None) -> dict[str, Any]:
    """``minpack.report/1``."""
    allowance, config = Allowance(), report.settings.config
    return {
        "schema": "minpack.report/1",
        "image": report.name,
        "platform": str(report.image.platform),
        "digest": str(report.image.digest),
        "starts": report.checked.starts,
        "size": report.image.size,
        "unpacked_size": report.unpacked,
        "files_size": report.size,
        "config": {
            "entrypoint": list(config.entrypoint),
            "cmd": list(config.cmd),
            "user": config.user,
            "workdir": config.workdir,
            "env": [f"{name}={value}" for name, value in config.env],
            "ports": list(config.exposed),
        },
        "layers": [{"digest": str(one.descriptor.digest), "size": one.descriptor.size} for one in report.image.layers],
        "reasons": [
            {"reason": one.label, "group": one.group, "size": one.size, "files": one.files}
            for one in reason_bars(report)
        ],
        "findings": allowance.rows(report.checked.findings, finding_row),
        "needs": allowance.rows(report.needs, _need),
        "packages": allowance.rows(_packages(report), _package),
        "libraries": _libraries(report, allowance),
        "files": allowance.rows(report.files, _file),
        "difference": diff_document(report.difference) if report.difference is not None else None,
        "page": {"path": page.path, "size": page.size} if page is not None else None,
        "left_out": allowance.left_out,
    }


def _need(decision: Decision) -> dict[str, Any]:
    return {
        "need": decision.need,
        "verdict": decision.verdict,
        "evidence": list(dict.fromkeys(one.text for one in decision.evidence)),
        "option": decision.said or None,
    }


def _packages(report: ImageReport) -> list[Component]:
    return [one for one in report.contents.components if one.kind.is_of_distribution]


def _package(component: Component) -> dict[str, Any]:
    return {"name": component.name, "version": component.version, "license": component.license.expression or None}


def _libraries(report: ImageReport, allowance: Allowance) -> list[dict[str, Any]]:
    needed_by: dict[str, list[str]] = {}
    for edge in report.graph.edges:
        needed_by.setdefault(edge.key, []).append(edge.needed_by)

    def library(node: LibraryNode) -> dict[str, Any]:
        found = {"name": node.name, "path": node.path or None, "found_by": node.found_by, "size": node.size}
        return {**found, "needed_by": needed_by.get(node.key, [])}

    return allowance.rows(report.graph.nodes, library)


def _file(file: ReportedFile) -> dict[str, Any]:
    return {
        "path": file.path,
        "type": file.kind,
        "size": file.size,
        "mode": f"{file.mode:04o}",
        "owner": f"{file.uid}:{file.gid}",
        "link": file.link or None,
        "sha256": file.sha256 or None,
        "package": file.package or None,
        "reason": file.reason.label,
        "why": file.reason.text,
    }


def reason_bars(report: ImageReport) -> list[ReasonBar]:
    """A bar for each reason, the one with the most bytes first."""
    total = max(1, report.size)
    return [
        ReasonBar(one.reason.label, str(one.reason.group), one.size, one.size / total, one.files)
        for one in report.totals
    ]


def share_text(share: float) -> str:
    """A part of 1 in per cent; ``< 0.1 %`` for what would round to nothing."""
    return "< 0.1 %" if 0 < share < 0.001 else f"{share:.1%}".replace("%", " %")  # noqa: PLR2004 - a tenth of 1 %


def head_lines(report: ImageReport) -> list[str]:
    """What the image is and how it runs."""
    image, checked = report.image, report.checked
    verdict = "starts" if checked.starts else "does not start"
    sizes = f"{human(image.size)} packed, {human(report.unpacked)} unpacked"
    packages, distribution = _packages(report), report.contents.distribution
    of = f" of {shorten(distribution.name)}" if distribution is not None and distribution.name else ""
    return [
        f"{shorten(report.name)}  {image.platform}: {verdict}",
        row("digest", str(image.digest)),
        row("size", f"{sizes}, {counted(len(image.layers), 'layer')}, {counted(len(report.files), 'file')}"),
        *config_lines(report.settings.config),
        *([row("packages", f"{len(packages)}{of}")] if packages else []),
        *_need_lines(report),
    ]


def _need_lines(report: ImageReport) -> list[str]:
    asked: dict[str, list[str]] = {}
    for one in sorted(report.needs, key=lambda one: -one.verdict.rank):
        if one.verdict.asks or one.said:
            asked.setdefault(str(one.verdict), []).append(str(one.need))
    return [row("needs", f"{verdict}: {listed(needs)}") for verdict, needs in asked.items()]


def tail_lines(report: ImageReport) -> list[str]:
    """What is wrong with it, and how it differs."""
    findings = report.checked.findings
    counts = {level: sum(one.level is level for one in findings) for level in Severity}
    lines = [f"  {', '.join(counted(count, str(level)) for level, count in counts.items())}"]
    for one in findings[:MOST_LINES]:
        where = f"{shorten(one.path)}: " if one.path else ""
        lines.append(f"    {one.level:<8}{where}{shorten(one.reason)}  [{one.code}]")
    left = len(findings) - MOST_LINES
    lines += [f"    and {left} more (minpack check shows them)"] if left > 0 else []
    if report.difference is not None:
        lines.append(f"  {_difference(report.difference)}")
    return lines


def _difference(found: ImageDiff) -> str:
    name = shorten(found.before.name)
    if found.is_equal:
        return f"equal to {name}"
    counts = (("file", found.files), ("package", found.packages), ("setting", found.config))
    return f"differs from {name} in {listed(counted(len(rows), what) for what, rows in counts if rows)}"


def page_line(report: ImageReport, page: WrittenPage) -> str:
    """That a page was written."""
    where = "stdout" if page.path == "-" else shorten(page.path)
    return f"{where}: a page of {human(page.size)} about {shorten(report.name)}  {report.image.platform}"
