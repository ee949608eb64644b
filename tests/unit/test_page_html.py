"""The page of `minpack report`: it loads nothing, takes no name for markup, and can be read."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from minpack.page.html import MARK, render_page
from minpack.page.rows import css_class
from support.reports import HOSTILE, reported, write_image

if TYPE_CHECKING:
    from pathlib import Path


class Page(HTMLParser):
    """The elements of a page with their attributes, the text between them, and what is in scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.sources: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        last = self.elements[-1] if self.elements else ("", {})
        if last[0] in ("script", "style"):
            self.sources.append((f"{last[0]} {last[1].get('type', '')}".strip(), data))
        else:
            self.text += data

    def source(self, kind: str) -> str:
        """The style, the script, or the data."""
        return "".join(text for name, text in self.sources if name == kind).strip()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The page of an image whose names are somebody's choice, beside another image."""
    place = tmp_path_factory.mktemp("page")
    image = write_image(place / "image", hostile=True)
    return Page(render_page(reported(image, write_image(place / "other"))).decode())


def test_the_policy_allows_this_style_and_script_alone(hostile: Page) -> None:
    """All else is forbidden; their hashes are of the bytes that are there."""
    (policy,) = [one["content"] for name, one in hostile.elements if one.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules.keys() == {"default-src", "style-src", "script-src", "base-uri", "form-action"}
    for rule, kind in (("style-src", "style"), ("script-src", "script")):
        digest = hashlib.sha256(hostile.source(kind).encode()).digest()
        assert rules[rule] == f"'sha256-{base64.b64encode(digest).decode()}'"


def test_nothing_is_loaded(hostile: Page) -> None:
    """No element has an address but of a place in the page, and none has a style or a handler of its own."""
    for tag, attributes in hostile.elements:
        assert tag not in ("img", "link", "iframe", "object", "embed", "base", "audio", "video", "source")
        assert not [
            name for name in attributes if name.startswith("on") or name in ("src", "style", "srcset", "action")
        ]
        assert attributes.get("href", "#").startswith("#")
    assert "url(" not in hostile.source("style")
    assert "@import" not in hostile.source("style")
    addresses = re.findall(r"https?://[^\"']*", hostile.source("script"))
    assert addresses == ["http://www.w3.org/2000/svg"], "a namespace, which nothing fetches"
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|Function\(", hostile.source("script")
    )


def test_hostile_names_are_text(hostile: Page) -> None:
    """Names, variables and labels with markup are text, and what is not seen is escaped."""
    assert [name for name, _ in hostile.elements].count("script") == 2
    data = json.loads(hostile.source("script application/json"))
    paths = [row[0] for row in data["files"] if row[0].startswith("/hostile/")]
    assert len(paths) == 2 * len(HOSTILE)
    assert "<" not in hostile.source("script application/json")
    for text in (hostile.text.replace("\n", ""), *paths):
        assert text.replace("\t", "").isprintable(), repr(text)
    assert r"/hostile/bytes\xff\x80" in paths
    assert r"/hostile/gpj.\u202eexe.txt\u2066\u200f" in paths
    assert r"E6=esc\x1b[31m\x07bell" in hostile.text.replace("\t", "")
    assert "E1=</script><script>document.title='owned'</script>" in hostile.text
    assert "{{ 7*7 }}" in hostile.text


def test_the_same_image_gives_the_same_page(tmp_path: Path) -> None:
    """Byte by byte, wherever it lies; such a page is known by its start."""
    pages = [render_page(reported(write_image(tmp_path / place / "image", 50))) for place in ("a", "b")]
    assert pages[0] == pages[1]
    assert MARK in pages[0][:2000]
    assert pages[0].startswith(b"<!DOCTYPE html>")


def test_what_refers_to_an_element_has_it(hostile: Page) -> None:
    """Identifiers are there once; links, labels and descriptions lead to one."""
    names = [attributes["id"] for _, attributes in hostile.elements if "id" in attributes]
    assert len(names) == len(set(names))
    for _, attributes in hostile.elements:
        for name in ("aria-labelledby", "aria-describedby", "for"):
            assert attributes.get(name) is None or attributes[name] in names
        assert attributes.get("href", "#main")[1:] in names
    used = re.findall(r'\bby\("([^"]+)"\)', hostile.source("script"))
    assert set(used) <= set(names)


def test_tables_headings_and_language_are_marked(hostile: Page) -> None:
    """Each head of a table says what it is the head of, headings leave out no level, and the language is said."""
    assert ("html", {"lang": "en"}) in hostile.elements
    assert all("scope" in attributes for tag, attributes in hostile.elements if tag == "th")
    levels = [int(tag[1]) for tag, _ in hostile.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))
    assert [tag for tag, _ in hostile.elements].count("main") == 1
    assert all(attributes.get("type") == "button" for tag, attributes in hostile.elements if tag == "button")


# --- colours


def palettes(css: str) -> list[dict[str, str]]:
    """The colours of each theme, as the style has them."""
    blocks = [body for body in re.findall(r"\{([^{}]*--page:[^{}]*)\}", css) if "--unknown-t" in body]
    return [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", body)) for body in blocks]


def contrast(one: str, other: str) -> float:
    """Of two colours, by WCAG 2.2 (1.4.3)."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_the_scale_of_contrast_is_right() -> None:
    """Black on white has the most there is, and a grey that is known to pass just passes."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


def test_text_can_be_read(hostile: Page) -> None:
    """In both themes text has a contrast of 4.5 to 1 to what it stands on, and bars one of 3 to 1 to theirs."""
    light, dark, by_system = palettes(hostile.source("style"))
    assert dark == by_system, "the theme that is chosen is that of the system"
    assert light.keys() == dark.keys()
    for theme in (light, dark):
        areas = [name for name in theme if name.endswith("-t") and name != "good-t"]
        pairs: list[Any] = [("ink", area) for area in ("page", "card", *areas)]
        pairs += [(text, area) for text in ("soft", "accent", "good", "bad", "warning") for area in ("card", "page")]
        pairs += [("good", "good-t"), ("bad", "bad-t"), ("warning", "warning-t"), ("on-accent", "accent")]
        assert [(pair, contrast(*(theme[one] for one in pair))) for pair in pairs
                if contrast(*(theme[one] for one in pair)) < 4.5] == []  # fmt: skip
        strong = [name for name in theme if f"{name}-t" in theme]
        assert [name for name in strong if contrast(theme[name], theme["card"]) < 3] == []


def test_every_reason_has_a_colour(hostile: Page) -> None:
    """And the page prints, and moves nothing for those who do not want that."""
    from minpack.reach.groups import ReasonGroup

    css = hostile.source("style")
    for group in ReasonGroup:
        assert re.search(rf"\.{css_class(str(group))}\b[^{{]*{{", css), group
    assert "@media print" in css
    assert "prefers-reduced-motion: reduce" in css
