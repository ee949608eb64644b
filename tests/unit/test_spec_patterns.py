"""Patterns of what is left out mean what git takes them for."""

from __future__ import annotations

import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from minpack.errors import BadValueError
from minpack.spec.patterns import MAX_PATTERN, Patterns, parse_lines, parse_pattern
from support.tools import need_tool

if TYPE_CHECKING:
    from pathlib import Path

FILES = (
    *("a.log", "keep.log", "sub/a.log", "sub/keep/x", "build/out", "src/build/x", "docs/a/b/c.txt", "#x", "!y", "z "),
    *("aab", "aaxb", "axb", "aaba", "xab", "ax1bb", "y/xb", "a*b", "a/a/b"),
)
CASES = [
    ["*.log"],
    ["*.log", "!keep.log"],
    ["!keep.log", "*.log"],
    ["/a.log"],
    ["build"],
    ["build/"],
    ["/build/"],
    ["src/build"],
    ["**/build/*"],
    ["docs/**/c.txt"],
    ["docs/**"],
    ["sub/*", "!sub/keep"],
    ["sub/", "!sub/a.log"],
    ["*", "!*.log"],
    [r"\#x", r"\!y"],
    ["z "],
    [r"z\ "],
    ["[a-k]*.log"],
    ["?.log"],
    ["[!a].log", "k*"],
    ["*e*.*g", "s*c/*u*d"],
    ["a*a*b", "*a*a*b*"],
    ["*[xy]*?b*"],
    [r"*\**b"],
]


def left_out(patterns: list[str], files: tuple[str, ...]) -> set[str]:
    """The files that the patterns leave out, or a directory above of which they do."""
    compiled = Patterns(patterns)

    def is_left_out(path: str) -> bool:
        parts = path.split("/")
        above = ("/".join(parts[:count]) for count in range(1, len(parts)))
        directories = any(compiled.deciding(one, is_directory=True) is not None for one in above)
        return directories or compiled.deciding(path, is_directory=False) is not None

    return set(filter(is_left_out, files))


def test_git_agrees(tmp_path: Path) -> None:
    """Of each list the files that git does not see are those that are left out."""
    git = need_tool("git")
    subprocess.run((git, "init", "-q", tmp_path), check=True)
    for path in FILES:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    listing = (git, "-C", tmp_path, "ls-files", "-z", "--others", "--exclude-from=.git/patterns")
    for patterns in CASES:
        (tmp_path / ".git/patterns").write_text("".join(f"{line}\n" for line in patterns))
        listed = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
        assert left_out(patterns, FILES) == set(FILES) - set(listed.split("\0")), patterns


def test_a_hostile_pattern_takes_no_time() -> None:
    """However many stars it has, a name is gone through once."""
    assert left_out([f"{'a*' * 100}b"], ("a" * 250, f"{'a' * 249}b")) == {f"{'a' * 249}b"}


def test_the_last_pattern_decides() -> None:
    """It is told by its number, so that idle ones are known."""
    compiled = Patterns(["*.log", "a.*"])
    assert [compiled.deciding(path, is_directory=False) for path in ("a.log", "b.log", "c")] == [1, 0, None]


@pytest.mark.parametrize("text", ["# note", "!", "/", "[", "a\\", "a\0", "a\nb", " ", "[z-a]", "x" * (MAX_PATTERN + 1)])
def test_what_is_no_pattern(text: str) -> None:
    """What can leave out nothing is refused."""
    with pytest.raises(BadValueError):
        parse_pattern(text)


def test_a_pattern_that_begins_as_a_comment() -> None:
    """The hint is what a shell leaves as the pattern."""
    with pytest.raises(BadValueError) as caught:
        parse_pattern("#x")
    assert shlex.split(str(caught.value.hint))[-1] == r"\#x"
    assert left_out([r"\#x"], FILES) == {"#x"}


def test_lines_of_a_file() -> None:
    """Comments, empty lines, ends of lines of other systems and names that are not UTF-8 are as git takes them."""
    assert parse_lines(b"\xef\xbb\xbf# note\r\n\r\n*.log\r\n  \n\xff\n") == ("*.log", "\udcff")


@pytest.mark.parametrize(
    ("data", "where"),
    [(b"/\n", "line 1, '/'"), (b"# a\r\n\r\n*.log\r\n[\r\nb\n", "line 4, '['"), (b"a\n" + b"x" * 5000, "line 2, 'xxx")],
)
def test_what_is_wrong_in_a_file_has_its_line(data: bytes, where: str) -> None:
    """By the number that an editor shows, comments and empty lines included; what is long is shortened."""
    with pytest.raises(BadValueError) as caught:
        parse_lines(data)
    assert caught.value.reason.startswith(where)
    assert len(caught.value.reason) < 500
