"""Root paths are normal, and what users write is checked."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minpack.cli.options import value_of
from minpack.errors import UsageError
from minpack.paths import (
    NAME_MAX,
    PATH_MAX,
    ROOT,
    RootPath,
    ancestors,
    join,
    name,
    normal,
    parent,
    parse_root_path,
    sort_key,
)

STEADY = settings(derandomize=True, deadline=None, database=None, max_examples=300)
texts = st.text(st.sampled_from("ab./ é\udcff-"), max_size=12)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", "/"),
        ("/", "/"),
        ("//", "/"),
        ("a", "/a"),
        ("/a/", "/a"),
        ("//a///b", "/a/b"),
        ("/a/./b/.", "/a/b"),
        ("/a/../b", "/b"),
        ("/a/b/../c", "/a/c"),
        ("/..", "/"),
        ("../../a", "/a"),
        ("/a/b/../../../c", "/c"),
        ("/a/...", "/a/..."),
        ("/.a/..b", "/.a/..b"),
        ("/a b/\udcff", "/a b/\udcff"),
    ],
)
def test_paths_are_made_normal(text: str, path: str) -> None:
    """One slash before each part, none at the end, no dots; above the root is the root."""
    assert normal(text) == path


@STEADY
@given(texts)
def test_normal_paths_stay(text: str) -> None:
    """Whatever the text, the path is absolute, made of true parts, and normal already."""
    path = normal(text)
    assert path.startswith("/")
    assert path == ROOT or not {"", ".", ".."} & set(path[1:].split("/"))
    assert normal(path) == path


@STEADY
@given(texts)
def test_parts_fit_together(text: str) -> None:
    """A path is its name in its parent, and its ancestors are the parents but the root, from the top."""
    path = normal(text)
    if path == ROOT:
        assert (parent(path), name(path), ancestors(path)) == (ROOT, "", ())
        return
    assert join(parent(path), name(path)) == path
    above = []
    at = parent(path)
    while at != ROOT:
        above.append(at)
        at = parent(at)
    assert ancestors(path) == tuple(reversed(above))


def test_ancestors_leave_out_root_and_path() -> None:
    """The directories above a path are listed from the top down."""
    assert ancestors(RootPath("/usr/local/bin/app")) == ("/usr", "/usr/local", "/usr/local/bin")
    assert ancestors(RootPath("/app")) == ()


@STEADY
@given(st.lists(texts.map(normal), max_size=8))
def test_directories_sort_before_what_is_in_them(paths: list[RootPath]) -> None:
    """In order, every path comes after the directories above it and before paths beside those."""
    order = sorted({above for path in paths for above in (*ancestors(path), path)}, key=sort_key)
    for number, path in enumerate(order):
        assert all(above in order[:number] for above in ancestors(path))
        # What is below a path follows it without a break.
        below = [n for n, other in enumerate(order) if path in ancestors(other)]
        assert path == ROOT or below == list(range(number + 1, number + 1 + len(below)))


def test_order_is_that_of_bytes() -> None:
    """Parts are compared as bytes: no locale, and escapes of single bytes among them."""
    paths = [RootPath(text) for text in ("/é", "/b", "/\udcff", "/a-b", "/a/b", "/a", "/", "/B")]
    assert sorted(paths, key=sort_key) == ["/", "/B", "/a", "/a/b", "/a-b", "/b", "/é", "/\udcff"]


@pytest.mark.parametrize("text", ["/", "/usr//bin/./app", "/a/", "/\udcff", f"/{'x' * NAME_MAX}"])
def test_good_paths_are_taken(text: str) -> None:
    """What users write as absolute path becomes normal."""
    assert parse_root_path(text) == normal(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "must be absolute"),
        ("app", "must be absolute"),
        ("./app", "must be absolute"),
        ("/a/../b", "must not have '..' parts"),
        ("/..", "must not have '..' parts"),
        ("/a\0b", "holds a NUL"),
        ("/\ud800", "holds half a character"),
        (f"/{'x' * (NAME_MAX + 1)}", "a path has at most 4095 bytes, and each part 255"),
        (f"/{'é' * (NAME_MAX // 2 + 1)}", "a path has at most 4095 bytes, and each part 255"),
        ("/x" * (PATH_MAX // 2), "a path has at most 4095 bytes, and each part 255"),
    ],
)
def test_bad_paths_are_refused(text: str, reason: str) -> None:
    """What cannot be a path in an image is a usage error of the option it was written for."""
    with pytest.raises(UsageError) as caught:
        value_of("--dest", parse_root_path)(text)
    assert reason in caught.value.reason
    assert caught.value.option == "--dest"
    assert caught.value.message.startswith("cannot use --dest")


def test_the_longest_path_is_taken() -> None:
    """One byte less than PATH_MAX, which counts a NUL, is a path."""
    longest = "/" + "x/" * (PATH_MAX // 2 - 1)
    assert len(longest) == PATH_MAX - 1
    assert parse_root_path(longest) == longest[:-1]
