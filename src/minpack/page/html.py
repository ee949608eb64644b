"""The page as bytes: one template, with its style and script within it, and a policy that allows those alone."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from minpack._version import __version__
from minpack.excerpt import shorten, visible
from minpack.page.facts import page_facts
from minpack.page.rows import css_class, page_data, page_files
from minpack.report.human import counted, human

if TYPE_CHECKING:
    from minpack.reach.image_report import ImageReport

#: What every page has near its start: such a file may be replaced by another.
MARK = b'<meta name="generator" content="minpack report">'
KIND = "a page of minpack report"


def render_page(report: ImageReport) -> bytes:
    """The page about an image. It loads nothing, and runs no script but its own."""
    environment = _environment()
    sources = {name: _source(environment, name) for name in ("report.css", "report.js")}
    shown = page_files(report)
    text = environment.get_template("report.html").render(
        **page_facts(report),
        report=report,
        files=shown,
        policy=_policy(sources["report.css"], sources["report.js"]),
        style=Markup(sources["report.css"]),  # noqa: S704 - minpack's own files, as the next; the data has no "<"
        script=Markup(sources["report.js"]),  # noqa: S704
        data=Markup(page_data(report, shown.files)),  # noqa: S704
        version=__version__,
    )
    return text.encode()


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("minpack.page", "assets"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters.update(human=human, counted=counted, css=css_class)
    return environment


def _finalize(value: object) -> object:
    """Text with every character seen, and not too much of it: names in images are anybody's."""
    return visible(shorten(value, 4096)) if type(value) is str else value


def _source(environment: jinja2.Environment, name: str) -> str:
    assert environment.loader is not None, "internal error: it was given"
    return environment.loader.get_source(environment, name)[0].strip()


def _policy(style: str, script: str) -> str:
    """A Content-Security-Policy (CSP Level 3) that allows this style and this script."""
    rules: dict[str, Any] = {
        "default-src": "'none'",
        "style-src": _hash(style),
        "script-src": _hash(script),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
