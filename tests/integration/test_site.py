"""The documentation as a site: it builds without a warning, links lead somewhere, search works, no host is asked."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from markdown_it import MarkdownIt
from mkdocs.config.defaults import MkDocsConfig
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from support.browser import Browser, browser
from support.website import broken_links, foreign_resources, served

if TYPE_CHECKING:
    from collections.abc import Generator

#: One build and one browser for all of them.
pytestmark = [pytest.mark.tool, pytest.mark.xdist_group("browser")]
TOP = Path(__file__).parents[2]
#: The site's pages that are made of files outside docs/.
sys.path.insert(0, str(TOP / "docs"))

import sitehook  # noqa: E402 - found on the path added above

SOURCES = {f"docs/{path.relative_to(TOP / 'docs')}": str(path.relative_to(TOP / "docs"))
           for path in sorted((TOP / "docs").rglob("*.md"))} | sitehook.OUTSIDE  # fmt: skip
#: What both readers of Markdown have to find as often in a page.
MARKS = {"h1", "h2", "h3", "h4", "p", "ul", "ol", "li", "table", "tr", "td", "pre", "blockquote", "strong", "code"}
#: Pages that have what is wide: output, tables, drawings, pictures.
WIDE = ("", "how-it-works/", "cli/", "config/", "errors/", "benchmarks/", "field/", "report/", "troubleshooting/")
PHONE = 390


def build(config: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """The finished mkdocs, as `make site` runs it."""
    command = (sys.executable, "-m", "mkdocs", "build", "--strict", "-f", config, "-d", target)
    settings = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=settings)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built without a warning."""
    target = tmp_path_factory.mktemp("site")
    done = build(TOP / "mkdocs.yml", target)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return target


@pytest.fixture(scope="module")
def address(site: Path) -> Generator[str]:
    """Where the site is served."""
    with served(site) as where:
        yield where


@pytest.fixture(scope="module")
def chromium() -> Generator[Browser]:
    """A browser."""
    with browser() as one:
        yield one


def test_a_link_to_nothing_fails_the_build(tmp_path: Path) -> None:
    """So do an anchor that a page lacks, and a page that the navigation lacks."""
    for name in ("docs", "mkdocs.yml", *sitehook.OUTSIDE):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (shutil.copytree if (TOP / name).is_dir() else shutil.copy)(TOP / name, tmp_path / name)
    (tmp_path / "docs/alone.md").write_text("# Alone\n\n[a](nowhere.md) [b](faq.md#nothing) [c](../nowhere.c)\n")
    done = build(tmp_path / "mkdocs.yml", tmp_path / "site")
    assert done.returncode == 1
    for problem in ("'nowhere.md'", "'faq.md#nothing'", "'../nowhere.c'", "alone.md\n"):
        assert problem in done.stdout + done.stderr


def test_links_lead_somewhere(site: Path) -> None:
    """Each link of each page leads to a file of the site, and to an anchor that is there."""
    assert broken_links(site) == []


def test_what_leads_nowhere_is_found(tmp_path: Path) -> None:
    """The checks of links and of other hosts see what is wrong, and nothing else."""
    (tmp_path / "b").mkdir()
    (tmp_path / "b/index.html").write_text('<p id="here"><a href="../a.html#there">a</a> <a href="#here">b</a>')
    (tmp_path / "a.html").write_text(
        '<a href="b/#here"></a><a href="b/#gone"></a><a href="c"></a><a href="https://example.com/#x"></a>'
        '<img src="gone.png"><script src="//cdn.example/a.js"></script><link rel="stylesheet" href="own.css">'
        '<p id="there" style="background: url(https://example.com/a.png)">'
    )
    (tmp_path / "own.css").write_text('@import "https://fonts.example/f.css"; p { background: url("data:,x") }')
    assert broken_links(tmp_path) == ["a.html: b/#gone", "a.html: c", "a.html: gone.png"]
    assert foreign_resources(tmp_path) == [
        "a.html: //cdn.example/a.js",
        "a.html: https://example.com/a.png",
        "own.css: https://fonts.example/f.css",
    ]


def test_nothing_is_loaded_of_other_hosts(site: Path) -> None:
    """Scripts, styles, fonts and pictures are in the site."""
    assert foreign_resources(site) == []


class Marks(HTMLParser):
    """How often each of `MARKS` is in a page; what a highlighter adds within code is not counted."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()
        self._in_code = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See `HTMLParser`."""
        if tag in MARKS and not self._in_code:
            self.found[tag] += 1
        self._in_code = self._in_code or tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        """See `HTMLParser`."""
        self._in_code = self._in_code and tag != "pre"


@pytest.mark.parametrize("source", SOURCES)
def test_a_page_is_what_it_is_elsewhere(site: Path, source: str) -> None:
    """It has the paragraphs, lists, tables and blocks of code that a reader of CommonMark finds in its source."""
    expected = Marks(MarkdownIt("commonmark").enable("table").render((TOP / source).read_text())).found
    path = site / SOURCES[source].removesuffix(".md").removesuffix("index") / "index.html"
    (article,) = re.findall(r"<article.*?</article>", path.read_text(), re.DOTALL)
    found = Marks(article).found
    # A tight list of CommonMark has no paragraphs, and a drawing that takes the place of a picture loses none.
    assert {mark: found[mark] for mark in MARKS} == {mark: expected[mark] for mark in MARKS}


def test_links_out_of_the_documentation_are_text_or_pages() -> None:
    """The site has no sources: a link to one is its text, and one to a page of the repository leads to the site's."""
    site = {"a.md", "decisions/b.md", "security.md", "architecture.md"}
    text = "[S](../SECURITY.md#versions) [`x`](../src/minpack/errors.py) [n](../none.py) ![i](../LICENSE) [w](https://a.b/c)"
    shown = "[S](security.md#versions) `x` [n](../none.py) ![i](../LICENSE) [w](https://a.b/c)"
    assert sitehook.with_links(text, "a.md", site) == shown
    assert sitehook.with_links("[S](../../SECURITY.md)", "decisions/b.md", site) == "[S](../security.md)"
    text = "[why](docs/decisions/b.md) [ARCHITECTURE.md](ARCHITECTURE.md)"
    assert sitehook.with_links(text, "security.md", site) == "[why](decisions/b.md) [Architecture](architecture.md)"


def test_a_pattern_stands_for_its_pages_in_the_order_of_the_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages that the index does not link to come last; a title of which no page is there is left out."""
    monkeypatch.setattr(sitehook, "TOP", tmp_path)
    (tmp_path / "docs/how").mkdir(parents=True)
    for name in ("alone", "first", "second"):
        (tmp_path / f"docs/how/{name}.md").touch()
    (tmp_path / "docs/how/index.md").write_text("[2](second.md), [1](first.md#a), [2](second.md) and [x](../faq.md)")
    config = MkDocsConfig()
    config.nav = [{"How": "how/*.md"}, {"None": "no/*.md"}, {"One": ["how/al*.md"]}, {"Faq": "faq.md"}]
    assert sitehook.on_config(config).nav == [
        {"How": ["how/index.md", "how/second.md", "how/first.md", "how/alone.md"]},
        {"One": "how/alone.md"},
        {"Faq": "faq.md"},
    ]


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("56 years ago", "faq/"),
        ("GLIBC_2.38", "troubleshooting/"),
        ("--allow-missing", "cli/"),
        ("runAsUser", "deployment/"),
    ],
)
def test_the_index_has_what_is_searched_for(site: Path, words: str, page: str) -> None:
    """The words are in the index of the search, at their page."""
    documents: list[dict[str, Any]] = json.loads((site / "search/search_index.json").read_text())["docs"]
    assert {urlsplit(one["location"]).path for one in documents} >= {"faq/", "cli/", "library/", "security/"}
    assert page in {urlsplit(one["location"]).path for one in documents if words in one["title"] + one["text"]}


def test_the_search_finds_the_message(chromium: Browser, address: str) -> None:
    """What is typed into the search leads to the page that explains it, first of all."""
    chromium.open(f"{address}faq/")
    chromium.requests()
    chromium.run("document.querySelector('label[for=__search]').click()")
    chromium.driver.find_element(By.CSS_SELECTOR, "input[name=query]").send_keys("missing library")
    first = WebDriverWait(chromium.driver, 60).until(
        lambda driver: driver.find_elements(By.CSS_SELECTOR, ".md-search-result__item a")
    )[0]
    assert urlsplit(str(first.get_attribute("href"))).path == "/troubleshooting/"
    assert {urlsplit(one).netloc for one in chromium.requests()} <= {urlsplit(address).netloc, ""}
    assert chromium.messages() == []


@pytest.mark.parametrize("page", WIDE)
def test_a_phone_shows_all_of_the_width(chromium: Browser, address: str, page: str) -> None:
    """No page is wider than the window: what is wide scrolls by itself. Nothing is asked of other hosts."""
    chromium.requests()
    chromium.open(f"{address}{page}", PHONE, 800)
    assert chromium.run("return document.documentElement.scrollWidth") == PHONE
    assert {urlsplit(one).netloc for one in chromium.requests()} <= {urlsplit(address).netloc, ""}
    assert chromium.messages() == []


#: The colours of each text of the drawings and of the box that it lies in, or of the page.
COLOURS = """
const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
const page = numbers(getComputedStyle(document.body).backgroundColor);
return [...document.querySelectorAll('svg.drawing text')].map(text => {
  const {x, y, width, height} = text.getBBox();
  const box = [...text.ownerSVGElement.querySelectorAll('rect:not(.left-out)')].find(one => {
    const b = one.getBBox();
    return b.x <= x && b.y <= y && b.x + b.width >= x + width && b.y + b.height >= y + height;
  });
  return [numbers(getComputedStyle(text).fill), box ? numbers(getComputedStyle(box).fill) : page];
});
"""


def luminance(colour: list[float]) -> float:
    """The relative luminance of WCAG 2.2."""
    parts = [value / 255 for value in colour[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_drawings_can_be_read(chromium: Browser, address: str, theme: str) -> None:
    """Each text of the drawings has the contrast with what is behind it that WCAG asks for (1.4.3), in both themes."""
    chromium.open(f"{address}how-it-works/", prefers_color_scheme=theme)
    colours = chromium.run(COLOURS)
    assert len(colours) > 40
    for text, ground in colours:
        dark, light = sorted((luminance(text), luminance(ground)))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)
    assert chromium.run("return document.querySelectorAll('svg.drawing').length") == 3


def test_a_session_is_copied_as_its_commands(chromium: Browser, address: str) -> None:
    """The button beside a session copies what was typed, without prompts and output."""
    chromium.open(address)
    script = """
    const code = [...document.querySelectorAll('code')].find(one => one.innerText.startsWith('$ cc'));
    code.setAttribute('data-md-copying', '');
    return code.innerText.split('\\n').filter(line => line.trim());
    """
    assert chromium.run(script) == ["cc -O2 -o who who.c", "minpack ./who --base /", "minpack run ./who.tar"]


def test_a_command_of_several_lines_is_told_from_its_output() -> None:
    """Only the lines right after a command that begin as the shell's second prompt does go on with it."""
    text = "$ sh -c '\n> ps\n> ls'\nPID\n> of the output\n$ cat \\\n> x\n"
    html = highlight(text, get_lexer_by_name("console"), HtmlFormatter())
    shown = re.sub(r'<span class="go">.*?</span>', "", sitehook.with_continued_commands(html))
    lines = [line for line in unescape(re.sub("<[^>]*>", "", shown)).splitlines() if line]
    assert lines == ["$ sh -c '", "> ps", "> ls'", "$ cat \\", "> x"]
