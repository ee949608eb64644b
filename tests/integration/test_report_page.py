"""The page of `minpack report` in a browser: it opens at once and asks for nothing, zooms, searches and sorts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from support.browser import Browser, browser
from support.command import minpack
from support.reports import HOSTILE, write_image

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

#: One browser for all of them.
pytestmark = [pytest.mark.tool, pytest.mark.xdist_group("browser")]
FILES = 5000
#: The page's own script has seen nothing of what names would have done.
UNTOUCHED = "return [document.title, document.querySelectorAll('script').length, document.images.length]"
#: A script that the page does not have.
INJECT = """
const script = document.createElement('script');
script.textContent = "document.title = 'owned'";
document.body.append(script);
"""
#: What is wider than the window, but for what scrolls or clips by itself.
TOO_WIDE = """
return [...document.querySelectorAll('main *')].filter(one => one.getBoundingClientRect().right > innerWidth + 1)
  .filter(one => !one.closest('.hidden, .bar, #treemap')).map(one => one.outerHTML.slice(0, 90));
"""
#: What can be used and has no name.
NAMELESS = """
const named = one => one.textContent.trim() || one.getAttribute('aria-label') || one.labels?.[0].textContent.trim();
return [...document.querySelectorAll('button, a, input, select, summary, [role=button]')]
  .filter(one => !named(one)).map(one => one.outerHTML);
"""
#: Whether it can be seen what has the focus: an outline, or the width of a tile's edge.
OUTLINED = """
const one = document.activeElement;
const seen = one.matches('input[type=radio]') ? one.nextSibling : one.matches('.tile') ? one.firstChild : one;
const style = getComputedStyle(seen);
return style.outlineStyle !== 'none' || style.strokeWidth;
"""


@pytest.fixture(scope="module")
def chromium() -> Generator[Browser]:
    """A browser."""
    with browser() as one:
        yield one


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page about an image of 5,000 files and some with hostile names, beside a smaller one."""
    place = tmp_path_factory.mktemp("report")
    write_image(place / "image", FILES, hostile=True)
    write_image(place / "other")
    ran = minpack("report", "image", "-o", "report.html", "--against", "other", "--no-cache", cwd=place)
    assert ran.code == 0, ran.err
    return place / "report.html"


def shown(chromium: Browser) -> list[str]:
    """The paths in the table."""
    found: list[str] = chromium.run("return [...document.querySelectorAll('#rows th button')].map(b => b.textContent)")
    return found


def search(chromium: Browser, text: str) -> str:
    """Type into the search; what is said of how many there are."""
    field = chromium.driver.find_element(By.ID, "query")
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(Keys.DELETE, text)
    return chromium.driver.find_element(By.ID, "count").text


def test_it_opens_at_once_and_loads_nothing(chromium: Browser, page: Path) -> None:
    """5,000 files within a second, no message on the console, and no request but for the page."""
    best = 1e9
    for _ in range(3):
        chromium.open(page)
        timing = chromium.run("return performance.getEntriesByType('navigation')[0].toJSON()")
        best = min(best, timing["loadEventEnd"])
        # What is drawn after the page is loaded belongs to it too.
        time.sleep(0.1)
    assert best < 1000
    assert chromium.run("return document.querySelectorAll('#treemap .tile').length") > 50
    assert chromium.messages() == []
    assert set(chromium.requests()) == {page.as_uri()}


def test_hostile_names_do_nothing(chromium: Browser, page: Path) -> None:
    """Their markup is text in every part of the page, and a script that somebody puts in does not run."""
    chromium.open(page)
    before = chromium.run(UNTOUCHED)
    assert before == ["image: minpack report", 2, 0]
    assert search(chromium, "hostile").startswith(f"{2 * len(HOSTILE)} of {FILES + 33:,} files")
    paths = shown(chromium)
    assert "/hostile/<img src=x onerror=document.title='owned'>" in paths
    assert r"/hostile/gpj.\u202eexe.txt\u2066\u200f" in paths
    for button in chromium.driver.find_elements(By.CSS_SELECTOR, "#rows th button")[:12]:
        chromium.click(button)
    chromium.run("document.querySelector('input[value=directory]').click()")
    chromium.run("document.querySelectorAll('summary').forEach(one => one.click())")
    assert chromium.run(UNTOUCHED) == before
    chromium.messages()
    chromium.run(INJECT)
    assert chromium.run("return document.title") == before[0]
    assert any("Content Security Policy" in message for message in chromium.messages())


def test_the_table_is_searched_and_sorted(chromium: Browser, page: Path) -> None:
    """By path, bytes, reason, package and sum, both ways; all words of a search must be there."""
    chromium.open(page)
    assert chromium.driver.find_element(By.ID, "count").text.startswith(f"{FILES + 33:,} files")
    assert len(shown(chromium)) == 200
    assert search(chromium, "data/3 file-10.dat").startswith("1 of")
    assert shown(chromium) == ["/data/3/10/file-10.dat"]
    assert search(chromium, "needs it as LIBFOO").startswith("2 of")
    assert search(chromium, "no-such-file").startswith("0 of")
    search(chromium, "/usr/")
    orders = {}
    for key in ("path", "size", "reason", "package", "sum"):
        button = chromium.driver.find_element(By.CSS_SELECTOR, f"[data-sort={key}]")
        for _ in range(2):
            chromium.click(button)
            state = chromium.run("return arguments[0].parentNode.getAttribute('aria-sort')", button)
            orders[key, state] = shown(chromium)
    assert orders["path", "ascending"] == sorted(orders["path", "descending"])
    assert orders["path", "descending"] == orders["path", "ascending"][::-1]
    assert orders["size", "descending"][0] == "/usr/bin/app"
    assert orders["size", "ascending"][0] == "/usr/lib/libfoo.so.1"
    assert orders["reason", "ascending"][-1] == "/usr/bin/app"
    assert len(orders) == 10
    search(chromium, "")
    chromium.click(chromium.driver.find_element(By.ID, "more"))
    assert len(shown(chromium)) == 400


def test_a_file_tells_its_facts(chromium: Browser, page: Path) -> None:
    """Its reason as a sentence, its mode and owner, and its whole sum."""
    chromium.open(page)
    search(chromium, "/usr/lib/libbar.so.1")
    chromium.click(chromium.driver.find_element(By.CSS_SELECTOR, "#rows th button"))
    text = chromium.driver.find_element(By.CSS_SELECTOR, "#rows .facts").text
    assert "/usr/bin/app and 1 more need it as libbar.so.1" in text
    assert "0755" in text
    assert max(map(len, text.split())) == 64


def test_the_treemap_zooms(chromium: Browser, page: Path) -> None:
    """By mouse and by keys, down to a file, which the table shows, and back."""
    chromium.open(page)
    crumbs = "return [...document.querySelectorAll('#crumbs button')].map(b => b.textContent)"
    label = "return document.activeElement.getAttribute('aria-label')"
    chromium.run("document.querySelector('input[value=directory]').click()")
    first = chromium.run("return document.querySelector('#treemap > .tile').getAttribute('aria-label')")
    assert first.startswith("data/: 10")
    assert first.endswith("in 5,000 files, open")
    chromium.click(chromium.driver.find_element(By.CSS_SELECTOR, "#treemap > .tile"))
    assert chromium.run(crumbs) == ["all files", "data/"]
    chromium.run("document.querySelector('#treemap > .tile').focus()")
    seen = {chromium.run(label)}
    for key in (Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.END, Keys.HOME):
        chromium.driver.switch_to.active_element.send_keys(key)
        seen.add(chromium.run(label))
    assert len(seen) >= 4
    assert chromium.run("return document.querySelectorAll('#treemap [tabindex=\"0\"]').length") == 1
    chromium.driver.switch_to.active_element.send_keys(Keys.ENTER)
    chromium.driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert len(chromium.run(crumbs)) == 4
    chromium.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert len(chromium.run(crumbs)) == 3
    chromium.driver.switch_to.active_element.send_keys(Keys.ENTER)
    chromium.driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert chromium.driver.find_element(By.ID, "count").text.startswith("1 of")
    assert shown(chromium)[0].startswith("/data/")


def test_libraries_show_who_needs_them(chromium: Browser, page: Path) -> None:
    """The one that is chosen, those that need it and that it needs, and lines between them."""
    chromium.open(page)
    bar = next(one for one in chromium.driver.find_elements(By.CSS_SELECTOR, ".lib") if one.text == "libbar.so.1")
    chromium.click(bar)
    assert bar.get_attribute("aria-pressed") == "true"
    panel = chromium.driver.find_element(By.ID, "library").text
    assert panel.split("\n") == ["libbar.so.1", "is needed by app, libfoo.so.1.0", "needs ld-musl-x86_64.so.1"]
    assert chromium.run("return document.querySelectorAll('#lines .on').length") == 3
    chromium.click(bar)
    assert chromium.driver.find_element(By.ID, "library").text == ""


@pytest.mark.parametrize("width", [320, 400, 768])
def test_it_fits_a_small_screen(chromium: Browser, page: Path, width: int) -> None:
    """Nothing is wider than the screen, whatever is open, and what is shown there works."""
    chromium.open(page, width, 800)
    chromium.run("document.querySelectorAll('summary').forEach(one => one.click())")
    chromium.click(chromium.driver.find_element(By.CSS_SELECTOR, "#rows th button"))
    assert chromium.run(TOO_WIDE) == []
    assert chromium.run("return document.documentElement.scrollWidth") == width
    assert search(chromium, "libfoo").startswith("2 of")


def test_it_can_be_used_by_all(chromium: Browser, page: Path) -> None:
    """Whatever can be used has a name and can be reached by keys, and where the focus is can be seen."""
    chromium.open(page, prefers_reduced_motion="reduce")
    assert chromium.run(NAMELESS) == []
    chromium.run("document.activeElement.blur(); scrollTo(0, 0)")
    body = chromium.driver.find_element(By.TAG_NAME, "body")
    body.send_keys(Keys.TAB)
    assert chromium.driver.switch_to.active_element.text == "Skip to the report"
    outlines = set()
    for _ in range(30):
        chromium.driver.switch_to.active_element.send_keys(Keys.TAB)
        outlines.add(chromium.run(OUTLINED))
    assert outlines <= {True, "4px"}
    assert chromium.run("return document.getAnimations().length") == 0


def test_both_themes_and_paper(chromium: Browser, page: Path) -> None:
    """Dark where the system is, or as the button says; paper is white and has no controls."""
    ground = "return getComputedStyle(document.body).backgroundColor"
    chromium.open(page, prefers_color_scheme="dark")
    dark = chromium.run(ground)
    chromium.click(chromium.driver.find_element(By.ID, "theme"))
    light = chromium.run(ground)
    chromium.click(chromium.driver.find_element(By.ID, "theme"))
    assert chromium.run(ground) == dark != light
    chromium.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert chromium.run(ground) == "rgb(255, 255, 255)"
    assert chromium.run("return getComputedStyle(document.querySelector('.bar')).display") == "none"
    assert chromium.run("return getComputedStyle(document.querySelector('h1')).color") == "rgb(0, 0, 0)"
