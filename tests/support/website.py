"""A directory of web pages: where their links lead, what they load of other hosts, and serving them on this machine."""

from __future__ import annotations

import posixpath
import re
from contextlib import contextmanager
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

#: What a page loads by itself, by tag and attribute; a <link> only if its rel is none of `_WORDS`.
_LOADED = {
    ("img", "src"), ("img", "srcset"), ("script", "src"), ("link", "href"), ("iframe", "src"), ("source", "src"),
    ("video", "src"), ("audio", "src"), ("object", "data"), ("embed", "src"), ("image", "href"), ("use", "href"),
}  # fmt: skip
_WORDS = {"canonical", "next", "prev", "alternate", "license"}
_IN_CSS = re.compile(r"""(?:url\(|@import)\s*["']?([^"')\s;]+)""")


class WebPage(HTMLParser):
    """The anchors of a page, the links in it, and the addresses of what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self._in_style = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See `HTMLParser`."""
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        self._in_style = tag == "style"
        self.loaded += _IN_CSS.findall(values.get("style", ""))
        for name, value in values.items():
            if tag == "a" and name == "href":
                self.links.append(value)
            elif (tag, name) in _LOADED and not _WORDS & set(values.get("rel", "").split()):
                self.loaded.append(value)

    def handle_data(self, data: str) -> None:
        """See `HTMLParser`."""
        if self._in_style:
            self.loaded += _IN_CSS.findall(data)


def read_pages(site: Path) -> dict[str, WebPage]:
    """Each page by its path in the site."""
    return {str(path.relative_to(site)): WebPage(path.read_text()) for path in sorted(site.rglob("*.html"))}


def broken_links(site: Path) -> list[str]:
    """Each link, and each thing that is loaded, of which the site lacks the file or the page lacks the anchor."""
    pages = read_pages(site)
    found = []
    for name, page in pages.items():
        for target in (*page.links, *page.loaded):
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            path = posixpath.normpath(posixpath.join("/", posixpath.dirname(name), unquote(parts.path)))[1:]
            if not parts.path:
                path = name
            elif (site / path).is_dir():
                path = posixpath.join(path, "index.html")
            anchor = unquote(parts.fragment)
            if not (site / path).is_file() or (anchor and path in pages and anchor not in pages[path].anchors):
                found.append(f"{name}: {target}")
    return found


def foreign_resources(site: Path) -> list[str]:
    """What pages and style sheets load of other hosts."""
    loaded = [(name, target) for name, page in read_pages(site).items() for target in page.loaded]
    for path in sorted(site.rglob("*.css")):
        loaded += [(str(path.relative_to(site)), target) for target in _IN_CSS.findall(path.read_text())]
    return [f"{name}: {target}" for name, target in loaded if urlsplit(target).netloc]


class _Quiet(SimpleHTTPRequestHandler):
    """A handler that logs nothing."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served(directory: Path) -> Generator[str]:
    """The address of a server of the directory, on this machine alone."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(directory))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
