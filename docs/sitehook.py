"""What mkdocs does not do by itself: pages from outside docs/, patterns in the navigation, drawings within pages."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

TOP = Path(__file__).parents[1]
#: The pages of the repository that the site has from outside docs/, by their names there.
OUTSIDE = {
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "benchmarks/README.md": "measuring.md",
    "samples/README.md": "samples.md",
}
#: How much a page counts in searches, by what its name begins with; the others count 1.
WEIGHTS = {
    "troubleshooting.md": 4,
    "faq.md": 3,
    "benchmarks.md": 0.3,
    "field.md": 0.3,
    "changelog.md": 0.3,
    "decisions/": 0.3,
}
#: A drawing takes the page's colours, which it cannot as an <img>: it becomes part of the page.
DRAWING = re.compile(r'<img alt="[^"]*" src="[./]*(drawings/[a-z-]+\.svg)" ?/?>')
#: How Pygments begins a line that goes on with a command of a session.
CONTINUED = '<span class="go">&gt; '
#: A link that is no image: its text, which may have brackets in pairs, its target and its anchor.
LINK = re.compile(r"(?<!!)\[((?:[^][]|\[[^]]*\])*)\]\(([^)#:\s]+)(#[^)\s]*)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The navigation, with the pages that match each pattern in its place."""
    config.nav = list(_expanded(config.nav or []))
    return config


def _expanded(items: list[Any]) -> Iterator[Any]:
    """The items, with the pages that match in place of patterns; titles that are left without a page are left out."""
    for item in items:
        if isinstance(item, str):
            yield from _matching(item) if "*" in item else (item,)
            continue
        for title, value in item.items():
            pages = list(_expanded(value if isinstance(value, list) else [value]))
            if pages:
                yield {title: pages if len(pages) > 1 or isinstance(pages[0], dict) else pages[0]}


def _matching(pattern: str) -> list[str]:
    """The pages that match: an index, the pages that it links to in that order, then the others by name."""
    paths = sorted((TOP / "docs").glob(pattern))
    index = next((path.read_text() for path in paths if path.name == "index.md"), "")
    named = [match[2] for match in LINK.finditer(index)]
    order = {name: number for number, name in enumerate(dict.fromkeys(["index.md", *named]))}
    paths.sort(key=lambda path: order.get(path.name, len(order)))
    return [path.relative_to(TOP / "docs").as_posix() for path in paths]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The files of docs/ and the pages from outside it."""
    for path, name in OUTSIDE.items():
        files.append(File.generated(config, name, abs_src_path=str(TOP / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - mkdocs's
    """The page with its links as the site has their files, and its weight in searches."""
    name = page.file.src_uri
    weight = next((weight for start, weight in WEIGHTS.items() if name.startswith(start)), 1)
    page.meta["search"] = {"boost": weight}
    return with_links(markdown, name, {file.src_uri for file in files})


def with_links(markdown: str, page: str, site: set[str]) -> str:
    """The text of the site's `page`, with its links as the `site` has their files.

    A link to a file of the repository that the site lacks becomes its text; one to nothing stays, for mkdocs to report.
    A text that is only the file's name becomes the title of that page.
    """
    source = _source(page)

    def link(match: re.Match[str]) -> str:
        text, target, anchor = match[1], match[2], match[3] or ""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        name = OUTSIDE.get(path, path.removeprefix("docs/"))
        if name in site:
            title = _title(name) if text in (path, posixpath.basename(path)) else text
            return f"[{title}]({posixpath.relpath(name, posixpath.dirname(page) or '.')}{anchor})"
        return text if (TOP / path).exists() else match[0]

    return LINK.sub(link, markdown)


def _source(page: str) -> str:
    """The file of the repository that a page of the site is made of."""
    return next((path for path, name in OUTSIDE.items() if name == page), f"docs/{page}")


def _title(page: str) -> str:
    """A page's title, without marks of links and code; its name if it has none."""
    found = re.search(r"^# (.+)$", (TOP / _source(page)).read_text(), re.MULTILINE)
    return re.sub(r"[][`]", "", found[1]) if found else page


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - mkdocs's
    """The page with its drawings in it, and with the lines of commands told from their output."""
    html = DRAWING.sub(lambda match: (TOP / "docs" / match[1]).read_text(), html)
    return with_continued_commands(html)


def with_continued_commands(html: str) -> str:
    """The page with each line that goes on with a command marked as Pygments marks commands.

    Pygments takes a line after ``>`` as output unless the line before ends with a backslash; a quote goes on too.
    """
    lines = html.split("\n")
    is_command = False
    for number, line in enumerate(lines):
        is_command = '<span class="gp">' in line or (is_command and line.startswith(CONTINUED))
        if is_command and line.startswith(CONTINUED):
            lines[number] = f'<span class="gp">&gt; </span><span>{line.removeprefix(CONTINUED)}'
    return "\n".join(lines)
