"""The summary of a run in Markdown: what a page of a CI job shows of it."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

from minpack.build.fleet import ImageFailure, ImageResult, State
from minpack.report.markdown import build_summary, text_of
from support.command import assert_refused, minpack
from support.packing import write_program

if TYPE_CHECKING:
    from pathlib import Path

    from support.command import Ran


def succeeded(ran: Ran) -> Ran:
    """The run, which ended well."""
    assert ran.code == 0, ran.err
    return ran


def shown(lines: list[str] | str) -> str:
    """The page that the lines make, as HTML: the reader's rules are CommonMark's, with GitHub's tables."""
    text = lines if isinstance(lines, str) else "\n".join(lines)
    return str(MarkdownIt("commonmark").enable("table").render(text))


@pytest.mark.parametrize(
    "text",
    [
        "a|b",
        "`a`",
        "*a*",
        "__a__",
        "<b>a</b>",
        "[a](b)",
        "![a](b)",
        "a\\|b",
        "&amp;",
        "~~a~~",
        "# a",
        "a\\",
        "https://a.b/c_d_",
    ],
)
def test_no_name_is_taken_for_a_mark(text: str) -> None:
    """Whatever a name has in it, the page shows it as it is, in its cell."""
    (cell,) = re.findall(r"<td>(.*?)</td>", shown(f"| head |\n|---|\n| {text_of(text)} |\n"))
    assert html.unescape(cell) == text


def test_a_name_has_one_line() -> None:
    """A line break, or what no terminal shows, is written out."""
    assert "\n" not in text_of("a\nb")
    assert "\u202e" not in text_of("a\u202eb")


def test_many_images_are_a_table_with_their_failures() -> None:
    """Each image has a row; why one failed follows; of very many the rest is counted."""
    failure = ImageFailure("missing-library", "cannot pack 'x': missing libz.so.1", None, 3)
    results = [
        ImageResult("web", State.BUILT, digest="sha256:1", size=2000),
        ImageResult("job", State.FAILED, failure=failure),
    ]
    page = shown(build_summary(results))
    assert "<td>web</td>\n<td>built</td>\n<td>2.00 kB</td>" in page
    assert "<li>job: cannot pack 'x': missing libz.so.1</li>" in page
    assert "and 10 more" in shown(build_summary([ImageResult(str(n), State.SKIPPED) for n in range(60)]))


def test_runs_are_added_one_after_the_other(tmp_path: Path) -> None:
    """What pack, check and build say is at the end of the file, which keeps what it had."""
    write_program(tmp_path / "app")
    (tmp_path / "minpack.toml").write_text("[image.one]\nprograms = ['app']\n[image.two]\nprograms = ['app']\n")
    (tmp_path / "page").write_text("before\n")
    document = succeeded(minpack("./app", "--summary", "page", "--json", cwd=tmp_path)).document
    succeeded(minpack("check", "app.tar", "--summary", "page", cwd=tmp_path))
    succeeded(minpack("build", "--summary", "page", cwd=tmp_path))
    succeeded(minpack("build", "--summary", "other", cwd=tmp_path))
    page = (tmp_path / "page").read_text()
    assert page.startswith("before\n### app:latest\n")
    assert page.count(document["images"][0]["digest"]) == 5
    assert re.findall(r"<h3>(.*)</h3>", shown(page)) == ["app:latest", "app.tar", "Images"]
    assert "| one | unchanged |" in (tmp_path / "other").read_text()


@pytest.mark.parametrize("place", ["app", "no/page", "."])
def test_what_is_no_text_is_left_alone(tmp_path: Path, place: str) -> None:
    """Programs, directories and what cannot be there are refused before anything is packed."""
    write_program(tmp_path / "app")
    before = (tmp_path / "app").read_bytes()
    reasons = {"no/page": "no such directory"}
    message = f"cannot write '{place}': {reasons.get(place, 'it is not a text file')}"
    assert_refused(minpack("./app", "--summary", place, cwd=tmp_path), 1, message, "choose another file with --summary")
    assert (tmp_path / "app").read_bytes() == before
    assert not (tmp_path / "app.tar").exists()


def test_the_image_is_not_taken_for_the_summary(tmp_path: Path) -> None:
    """The image that a run writes is whole, wherever the summary was to go."""
    write_program(tmp_path / "app")
    ran = minpack("./app", "--summary", "app.tar", cwd=tmp_path)
    assert ran.code == 1
    assert "'./app.tar' was written" in ran.err
    succeeded(minpack("check", "app.tar", cwd=tmp_path))


def test_an_image_is_compared_with_the_one_before(tmp_path: Path) -> None:
    """By --against, wherever both are; `minpack diff` says the same of them."""
    write_program(tmp_path / "app")
    succeeded(minpack("./app", "-o", "old.tar", cwd=tmp_path))
    succeeded(
        minpack("./app", "-o", "new.tar", "-e", "A=b|c", "--summary", "page", "--against", "old.tar", cwd=tmp_path)
    )
    succeeded(minpack("diff", "old.tar", "new.tar", "--summary", "other", cwd=tmp_path))
    page, other = shown((tmp_path / "page").read_text()), shown((tmp_path / "other").read_text())
    assert "<td>Env A</td>\n<td></td>\n<td>b|c</td>" in page
    changed = page.partition("<p>Changed since")[2]
    assert changed
    assert other.partition("<p>Changed since")[2].partition(",")[2] == changed.partition(",")[2]


def test_what_cannot_be_compared_is_told(tmp_path: Path) -> None:
    """The image is made all the same: the first has none before it."""
    write_program(tmp_path / "app")
    succeeded(minpack("./app", "--summary", "page", "--against", "./old.tar", cwd=tmp_path))
    assert "What changed is not known: cannot read image './old.tar'" in html.unescape((tmp_path / "page").read_text())


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ((), "cannot use --against: it is for --summary"),
        (("--summary", "page", "--dry-run"), "--dry-run makes no image to compare"),
        (("--summary", "page", "-o", "-"), "what goes to stdout cannot be read again"),
        (("--summary", "page", "--against", "No such"), "'No such'"),
    ],
)
def test_an_image_that_nothing_is_compared_with_is_refused(
    tmp_path: Path, options: tuple[str, ...], reason: str
) -> None:
    """It would have no effect."""
    write_program(tmp_path / "app")
    ran = minpack("./app", "--against", "./old.tar", *options, cwd=tmp_path)
    assert ran.code == 2
    assert reason in ran.err
    assert sorted(one.name for one in tmp_path.iterdir()) == ["app"]
