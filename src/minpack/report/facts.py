"""What files and bases are, as text. Every function returns lines; nothing is printed here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.excerpt import few, listed, shorten
from minpack.ld.closure import Libc
from minpack.report.human import human, version_text
from minpack.report.needs import caller_lines, need_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minpack.base.options import OpenBase
    from minpack.build.base_facts import BaseFacts
    from minpack.build.inspect import Inspected
    from minpack.catalog.alpine import CatalogEntry
    from minpack.needs.findings import Findings

#: More modules or crates are listed by -v alone.
MOST_MODULES = 8
#: More names that a file needs, loaders of a base, and characters of a row, are counted.
MOST_NEEDED, MOST_LOADERS, MOST_ROW = 100, 20, 20_000


def inspect_lines(files: tuple[Inspected, ...], *, verbose: bool) -> list[str]:
    """What each file is and needs, with a blank line between them."""
    lines: list[str] = []
    for file in files:
        lines += [""] if lines else []
        lines += _rows((*_file_rows(file), *_made_rows(file.findings, verbose=verbose)))
        if file.needs:
            lines += ["", *need_rows(file.needs, file.costs)]
        callers = caller_lines(file.needs, verbose=verbose)
        lines += ["", *callers] if callers else []
        if file.details is not None:
            for name, rows in file.details._asdict().items():
                lines += ["", name, *(shorten(f"  {'  '.join(row)}", MOST_ROW) for row in rows)]
    return lines


def _made_rows(findings: Findings, *, verbose: bool) -> list[tuple[str, str | None]]:
    """How a program was made."""
    modules = [f"{module.name} {module.version}".rstrip() for module in findings.modules]
    shown = modules if verbose else modules[:MOST_MODULES]
    more = [f"and {len(modules) - len(shown)} more (-v)"] if len(shown) < len(modules) else []
    rows: list[tuple[str, str | None]] = [
        ("language", ", ".join(text for text in (findings.language, findings.toolchain) if text)),
        ("main", f"{findings.main.name} {findings.main.version}".rstrip()),
        ("libc inside", findings.static_libc),
        ("modules" if findings.language == "Go" else "crates", ", ".join(shown + more)),
        ("payload", f"{human(findings.payload)} behind the program, read by itself" if findings.payload else ""),
    ]
    return rows + [("warning", text) for text in findings.told]


def _file_rows(file: Inspected) -> list[tuple[str, str | None]]:
    info = file.info
    more = ("any other with glibc; / is this host",) if file.libc is Libc.GLIBC else ()
    bases = ", ".join((*file.bases, *more))
    return [
        ("file", file.path),
        ("kind", str(info.kind)),
        ("target", f"{info.target} ({file.platform})" if file.platform else str(info.target)),
        ("size", human(info.size)),
        ("interpreter", f"{info.interpreter} ({file.libc})" if file.libc else info.interpreter),
        ("soname", info.soname),
        ("needed", listed(info.needed, MOST_NEEDED)),
        ("rpath", info.rpath),
        ("runpath", info.runpath),
        ("audit", info.audit),
        ("depaudit", info.dep_audit),
        ("kernel", f"Linux {version_text(file.kernel)} or newer" if file.kernel else None),
        ("bases", bases),
    ]


def base_info_lines(opened: OpenBase, facts: BaseFacts) -> list[str]:
    """What a base is."""
    loaders = (f"{loader.path} ({loader.libc}, {loader.target})" for loader in facts.loaders)
    return _rows(
        [
            ("base", facts.name),
            ("kind", str(opened.kind)),
            ("platform", str(opened.platform) if opened.platform is not None else ""),
            ("system", facts.system),
            *(("loader", text) for text in few(loaders, MOST_LOADERS)),
            ("url", opened.url),
            ("sha256", opened.sha256),
            ("digest", opened.digest),
            ("index", opened.index_digest),
            ("size", human(opened.size) if opened.size else ""),
        ]
    )


def _rows(rows: Iterable[tuple[str, str | None]]) -> list[str]:
    """One line for each row that has a value."""
    return [f"{label:<12} {shorten(value, MOST_ROW)}" for label, value in rows if value]


def base_lines(offers: tuple[CatalogEntry, ...], today: str) -> list[str]:
    """The catalogue, the newest first."""
    lines = [f"{'name':<14}{'newest':<12}{'support':<24}architectures"]
    for offer in reversed(offers):
        if not offer.support_end:
            support = "rolling"
        else:
            support = f"until {offer.support_end}" if today <= offer.support_end else f"ended {offer.support_end}"
        lines.append(f"{offer.name:<14}{offer.newest:<12}{support:<24}{' '.join(offer.arches)}")
    return lines
