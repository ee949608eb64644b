"""What is added to a file of images, and that everything else in it stays."""

from __future__ import annotations

import difflib
import os
import stat
import tomllib
from typing import TYPE_CHECKING

import pytest

from minpack.config.edit import add_settings, toml_lines
from minpack.errors import ConfigError, OutputError

if TYPE_CHECKING:
    from pathlib import Path

ADDED = {"need": ["shell"], "take": ["/x", "/y"]}
PLAIN = """# The images.
[image.web]   # the site
programs = ["web"]   # built by make
# stays with the keys

# the job
[image.job]
programs = ["job"]
"""
LINES = """[image.web]
take = [
  # what the site reads
  "/a",   # one
  "/b", # two
]
programs = ["web"]
"""
#: Each way in which a table is written, with the file as it is then; only lines with what is new differ.
FILES = {
    "a table": (PLAIN, 2),
    "an array of lines": (LINES, 3),
    "an array in a line": ("[image.web]\ntake = [ '/a', ]\nprograms = ['web']", 3),
    "one text": ("[image.web]\ntake = '/a' # one\nprograms = ['web']\n", 3),
    "a table with tables": ("[image.web]\nprograms = ['web']\n\n[image.web.env]\nA = '1'\n", 2),
    "a table of its own line": ("[image]\nweb = { programs = ['web'] }\n", 2),
    "dotted keys": ("image.web.programs = ['web']\nimage.job.programs = ['job']\n", 2),
    "tables in another order": ("[image.web]\nprograms = ['web']\n[defaults]\nbase = '/'\n[image.job]\n", 2),
    "a quoted name": ("[image.'web']\nprograms = ['web']\n", 2),
    "a last line without its end": ("[image.web]\nprograms = ['web'] # no end", 2),
}


def values(path: Path) -> dict[str, object]:
    """The image's settings as TOML's own reader has them."""
    found = tomllib.loads(path.read_bytes().decode("utf-8-sig"))["image"]["web"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("name", FILES)
def test_only_what_is_new_differs(name: str, tmp_path: Path) -> None:
    """The reader finds what was there and what was added; all other lines are as they were; again nothing changes."""
    text, most = FILES[name]
    path = tmp_path / "minpack.toml"
    path.write_text(text)
    before = values(path)
    there = before.get("take", [])
    add_settings(str(path), "web", ADDED)
    taken = [*([there] if isinstance(there, str) else there), "/x", "/y"]  # type: ignore[misc]
    assert values(path) == {**before, "need": ["shell"], "take": taken}
    changes = [one for one in difflib.ndiff(text.splitlines(), path.read_text().splitlines()) if one[0] in "+-"]
    assert sum(one.startswith("+") for one in changes) <= most, changes
    for line in changes:
        assert line.startswith("+") or any(word in line for word in ("take =", "web =")), changes
    comments = [one.partition("#")[2] for one in text.splitlines() if "#" in one]
    assert [one.partition("#")[2] for one in path.read_text().splitlines() if "#" in one] == comments
    inode = path.stat().st_ino
    assert add_settings(str(path), "web", ADDED) == ()
    assert path.stat().st_ino == inode


def test_a_comment_about_the_next_table_stays_with_it(tmp_path: Path) -> None:
    """What is new comes before the empty line."""
    path = tmp_path / "minpack.toml"
    path.write_text(PLAIN)
    assert add_settings(str(path), "web", ADDED) == ("need", "take")
    new = '# stays with the keys\nneed = ["shell"]\ntake = ["/x", "/y"]\n\n# the job\n[image.job]\n'
    assert path.read_text() == PLAIN.replace("# stays with the keys\n\n# the job\n[image.job]\n", new)


def test_an_array_of_lines_gets_lines(tmp_path: Path) -> None:
    """As deep as the others."""
    path = tmp_path / "minpack.toml"
    path.write_text(LINES)
    add_settings(str(path), "web", {"take": ["/b", "/c"]})
    assert path.read_text() == LINES.replace("# two\n", '# two\n  "/c",\n')


def test_what_the_defaults_have_is_kept(tmp_path: Path) -> None:
    """An image's array takes the place of theirs, so it has theirs too; a table that took it back has the new alone."""
    path = tmp_path / "minpack.toml"
    path.write_text("[defaults]\ntake = ['/a']\nneed = 'certs'\n[image.web]\nneed = false\n")
    add_settings(str(path), "web", ADDED)
    assert values(path) == {"need": ["shell"], "take": ["/a", "/x", "/y"]}


def test_words_in_braces_mean_themselves(tmp_path: Path) -> None:
    """A path that has one is not the image's name; a text takes the place of the one before."""
    path = tmp_path / "minpack.toml"
    path.write_text("[image.web]\ndest = '/a'\n")
    added = {"take": ["/srv/{name}/{other}"], "dest": "/{version}"}
    assert add_settings(str(path), "web", added) == ("take", "dest")
    assert values(path) == {"dest": "/{{version}}", "take": ["/srv/{{name}}/{other}"]}
    assert add_settings(str(path), "web", added) == ()


def test_line_ends_mark_and_mode_stay(tmp_path: Path) -> None:
    """A file of another system, which others may not read; a link leads where it led."""
    path, link = tmp_path / "real.toml", tmp_path / "minpack.toml"
    path.write_bytes("\ufeff[image.web]\r\nprograms = ['web']\r\n\r\n[image.job]\r\n".encode())
    path.chmod(0o640)
    link.symlink_to(path)
    add_settings(str(link), "web", ADDED)
    assert path.read_bytes().startswith("\ufeff[image.web]\r\n".encode())
    assert path.read_bytes().count(b"\r\n") == path.read_bytes().count(b"\n") == 6
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert link.is_symlink()


@pytest.mark.parametrize("text", ["[image.job]\n", "[defaults]\n", "image = 1\n"])
def test_an_image_that_is_not_there_is_refused(text: str, tmp_path: Path) -> None:
    """The file may have changed since it was read."""
    path = tmp_path / "minpack.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"there is no \[image.web\] in it any more"):
        add_settings(str(path), "web", ADDED)
    assert path.read_text() == text


def test_a_file_that_cannot_be_written_stays(tmp_path: Path) -> None:
    """Nothing is half-written, and nothing is left beside it."""
    place = tmp_path / "full"
    place.mkdir()
    path = place / "minpack.toml"
    path.write_text(PLAIN)
    os.rename(path, place / "moved")
    path.symlink_to("/proc/self/status")
    (place / "moved").rename(tmp_path / "other.toml")
    with pytest.raises((ConfigError, OutputError)):
        add_settings(str(path), "web", ADDED)
    assert sorted(one.name for one in place.iterdir()) == ["minpack.toml"]


def test_long_arrays_have_a_line_for_each() -> None:
    """Short ones have one."""
    assert toml_lines({"take": ["/a"], "dest": "/b"}) == ['take = ["/a"]', 'dest = "/b"']
    (text,) = toml_lines({"take": [f"/usr/share/{number:040}" for number in range(3)]})
    assert text.count("\n") == 4
