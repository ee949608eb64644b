"""`minpack report` as users run it: in a terminal, on a pipe, as JSON, and as a page in a file."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

import pytest

from minpack.page.facts import MEANING
from minpack.reach.groups import ReasonGroup
from support.command import minpack
from support.reports import write_image
from support.terminals import on_terminal

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with two images."""
    place = tmp_path_factory.mktemp("images")
    write_image(place / "image", 20)
    write_image(place / "other", 10, User="1000")
    return place


def test_the_short_report(place: Path) -> None:
    """On a pipe: the verdict, how it runs, a bar for each reason in 80 columns without colours, what differs."""
    ran = minpack("report", "image", "--against", "other", cwd=place, env={"FORCE_COLOR": "1", "COLUMNS": "200"})
    assert ran.code == 0, ran.err
    lines = ran.out.decode().splitlines()
    assert lines[0] == "image  linux/amd64: starts"
    assert "\x1b" not in ran.out.decode()
    bars = [line for line in lines if "━" in line or (line.endswith(("file", "files")) and "%" in line)]
    labels = [re.split(r" {2,}", line.strip())[0] for line in bars]
    assert labels[:3] == ["unknown", "library", "program"]
    assert max(map(len, bars)) <= 80
    assert lines[-1] == "  differs from other in 20 files, 1 setting"
    assert "  packages     2 of Alpine <b>Linux</b>" in lines


def test_a_terminal_has_colours(place: Path) -> None:
    """Unless NO_COLOR is set; and no line is wider than it."""
    env: dict[str, str | None] = {"TERM": "xterm", "COLUMNS": "60", "NO_COLOR": None}
    ran = on_terminal("report", "image", cwd=place, env=env)
    assert ran.code == 0, ran.err
    assert b"\x1b[31m" in ran.out, "what nothing needs"
    seen = re.sub(rb"\x1b\[[0-9;]*m", b"", ran.out).decode().splitlines()
    assert max(len(line) for line in seen if "sha256" not in line) <= 60
    assert b"\x1b" not in on_terminal("report", "image", cwd=place, env={**env, "NO_COLOR": "1"}).out


def test_an_ascii_terminal_has_bars_too(place: Path) -> None:
    """Where stdout cannot have other characters, they are of those that it has."""
    ran = minpack("report", "image", cwd=place, env={"PYTHONIOENCODING": "ascii"})
    assert ran.code == 0
    assert b"-----" in ran.out
    assert b"\\u" not in ran.out


def test_the_document(place: Path) -> None:
    """`minpack.report/1` has every file with its reason and sum, and agrees with itself."""
    ran = minpack("report", "image", "--json", "--against", "other", "-o", "page.html", cwd=place)
    document = json.loads(ran.out)
    assert document["schema"] == "minpack.report/1"
    assert document["starts"]
    assert sum(row["size"] for row in document["reasons"]) == document["files_size"]
    assert sum(file["size"] for file in document["files"]) == document["files_size"]
    assert len({file["path"] for file in document["files"]}) == sum(row["files"] for row in document["reasons"]) == 31
    libraries = {one["path"]: one["needed_by"] for one in document["libraries"]}
    assert libraries["/usr/lib/libbar.so.1"] == ["/usr/bin/app", "/usr/lib/libfoo.so.1.0"]
    assert document["difference"]["schema"] == "minpack.diff/1"
    assert document["page"] == {"path": "page.html", "size": os.path.getsize(place / "page.html")}
    assert document["left_out"] == 0


def test_the_page_goes_where_it_is_to(place: Path) -> None:
    """To a file, over an earlier page; to stdout; the same bytes each time, with a cache and without."""
    assert minpack("report", "image", "-o", "a.html", cwd=place).out.startswith(b"a.html: a page of ")
    again = minpack("report", "image", "-o", "a.html", "--no-cache", "-q", cwd=place)
    assert (again.code, again.out) == (0, b"")
    ran = minpack("report", "image", "-o", "-", cwd=place, env={"COLUMNS": "70", "TZ": "Asia/Tokyo"})
    assert ran.out == (place / "a.html").read_bytes()
    assert ran.err.startswith("-: a page of ") or ran.err.startswith("stdout: a page of ")
    (place / "notes.txt").write_text("mine")
    ran = minpack("report", "image", "-o", "notes.txt", cwd=place)
    assert (ran.code, (place / "notes.txt").read_text()) == (1, "mine")
    assert minpack("report", "image", "-o", "notes.txt", "--force", cwd=place).code == 0
    assert (place / "notes.txt").read_bytes() == (place / "a.html").read_bytes()


def test_a_damaged_image_has_no_report(place: Path) -> None:
    """What cannot be read is said, and no page is written."""
    import shutil

    shutil.copytree(place / "image", place / "damaged")
    largest = max((place / "damaged" / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-20] + bytes(20))
    ran = minpack("report", "damaged", "-o", "damaged.html", cwd=place)
    assert ran.code == 1
    assert ran.err.startswith("minpack: cannot read image 'damaged': ")
    assert not (place / "damaged.html").exists()


def test_every_reason_has_a_meaning() -> None:
    """The page says what each reason is, and each need."""
    from minpack.needs.need import Need

    needs = {str(need) for need in Need} - {"tmp", "home"}
    assert needs | {str(group) for group in ReasonGroup} == set(MEANING)
