"""Trees: what may be where, in which order, and which names share a file."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minpack.content import BytesContent
from minpack.errors import ContradictoryOptionsError, PathConflictError
from minpack.paths import ROOT, RootPath, parent, sort_key
from minpack.rootfs.entry import Entry, Kind, directory, file, symlink
from minpack.rootfs.tree import Claim, Precedence, Tree, with_hard_links


def at(path: str, data: bytes = b"data", inode: int | None = None, mode: int = 0o644) -> Entry:
    """A file."""
    return file(RootPath(path), BytesContent(data), mode)._replace(inode=inode)


def tree_of(*entries: Entry) -> Tree[str]:
    """A tree of these entries, each tagged with its number."""
    tree: Tree[str] = Tree(lambda path: f"holds {path}")
    for number, entry in enumerate(entries):
        tree.add(entry, str(number))
    return tree


def paths(tree: Tree[str]) -> list[str]:
    """The paths of a tree in its order."""
    return [entry.path for entry, _ in tree]


def test_parents_come_before_what_is_in_them() -> None:
    """A file brings its directories, root's and 0755, tagged with what they hold."""
    tree = tree_of(at("/a/b/c"))
    assert list(tree) == [
        (directory(RootPath("/a")), "holds /a/b/c"),
        (directory(RootPath("/a/b")), "holds /a/b/c"),
        (at("/a/b/c"), "0"),
    ]
    assert tree.implied == {"/a", "/a/b"}


def test_entries_are_sorted_by_the_parts_of_their_paths() -> None:
    """What is in a directory follows it, whatever sorts between their names as text."""
    tree = tree_of(at("/a-b"), at("/a/z"), at("/a.c"), at("/a/\udcff"), at("/a/é"), at("/B"))
    assert paths(tree) == ["/B", "/a", "/a/z", "/a/é", "/a/\udcff", "/a-b", "/a.c"]


PARTS = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=3).filter(
    lambda part: part not in (".", "..") and not part.startswith(".wh.")
)
PATHS = st.lists(PARTS, min_size=1, max_size=4).map(lambda parts: RootPath("/" + "/".join(parts)))


@given(st.lists(PATHS, max_size=12), st.randoms())
def test_the_order_of_adding_does_not_matter(found: list[RootPath], random: object) -> None:
    """A tree is the same however its directories were put in, and each comes behind the one it lies in."""
    tree = tree_of(*(directory(path) for path in found))
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    again = tree_of(*(directory(path) for path in shuffled))
    ordered = paths(tree)
    assert ordered == paths(again) == sorted(set(ordered), key=lambda path: sort_key(RootPath(path)))
    for number, path in enumerate(ordered):
        assert parent(RootPath(path)) in {ROOT, *ordered[:number]}


def test_what_is_there_stays_with_its_tag() -> None:
    """The same entry again changes nothing."""
    assert [tag for _, tag in tree_of(at("/a"), at("/a"))] == ["0"]


def test_a_directory_that_was_only_implied_is_replaced() -> None:
    """A directory put in by itself has its own mode and tag, whether it comes before or after what is in it."""
    own = directory(RootPath("/a"), 0o700, 5, 6)
    for tree in (tree_of(own, at("/a/b")), tree_of(at("/a/b"), own)):
        assert next(iter(tree))[0] == own
        assert tree.implied == set()


@pytest.mark.parametrize(
    "second",
    [
        at("/a", b"other"),
        at("/a", mode=0o755),
        directory(RootPath("/a")),
        symlink(RootPath("/a"), "b"),
        at("/a/b"),
        at("/a/b/c"),
    ],
)
def test_two_different_things_at_one_path_are_refused(second: Entry) -> None:
    """A file cannot be something else too, nor hold something; the error names both."""
    with pytest.raises(PathConflictError) as caught:
        list(tree_of(at("/a"), second))
    assert caught.value.path == second.path
    assert caught.value.first
    assert caught.value.second


def test_a_file_cannot_take_the_place_of_a_directory() -> None:
    """A directory that holds something is not a file, even if it was only implied."""
    with pytest.raises(PathConflictError):
        tree_of(at("/a/b"), at("/a"))


@pytest.mark.parametrize("path", ["/.wh.a", "/a/.wh..wh..opq", "/.wh./a"])
def test_names_of_whiteouts_are_refused(path: str) -> None:
    """A file whose name means "not there" in a layer cannot be in an image."""
    with pytest.raises(PathConflictError):
        tree_of(at(path))


def test_the_root_is_no_entry() -> None:
    """Engines make the root themselves."""
    assert paths(tree_of(directory(ROOT, 0o700))) == []


def test_nothing_else_is_the_root() -> None:
    """A file in its place is not left out in silence."""
    with pytest.raises(PathConflictError, match="the root directory"):
        tree_of(at("/"))


def test_names_of_one_file_become_hard_links_to_the_first() -> None:
    """Of the names of one file the first is the file, and the others are links to it."""
    entries = [at("/a", inode=7), at("/b"), at("/c", inode=7), at("/d", inode=8), at("/e", inode=7)]
    made = with_hard_links(entries)
    assert [(entry.path, entry.kind, entry.link) for entry in made] == [
        ("/a", Kind.FILE, ""),
        ("/b", Kind.FILE, ""),
        ("/c", Kind.HARDLINK, "/a"),
        ("/d", Kind.FILE, ""),
        ("/e", Kind.HARDLINK, "/a"),
    ]
    assert [entry.size for entry in made] == [4, 4, 0, 4, 0]


def test_names_with_modes_or_owners_of_their_own_are_files_of_their_own() -> None:
    """A file has one mode and one owner: engines give it those of the name they unpack last."""
    entries = [
        at("/a", inode=7, mode=0o755),
        at("/b", inode=7),
        at("/c", inode=7)._replace(uid=5),
        at("/d", inode=7, mode=0o755),
    ]
    made = with_hard_links(entries)
    assert [(entry.kind, entry.link) for entry in made] == [(Kind.FILE, "")] * 3 + [(Kind.HARDLINK, "/a")]
    assert [(entry.mode, entry.uid) for entry in made] == [(0o755, 0), (0o644, 0), (0o644, 5), (0o755, 0)]


TREE, STATED, DEFAULT = Precedence.TREE, Precedence.STATED, Precedence.DEFAULT
#: Words on one directory: mode, uid, how specific each is; and what counts.
WORDS: tuple[tuple[tuple[tuple[int, int, int, int], ...], tuple[int, int]], ...] = (
    (((0o755, 0, DEFAULT, DEFAULT), (0o700, 5, STATED, STATED)), (0o700, 5)),
    (((0o755, 5, Precedence.PURPOSE, Precedence.PURPOSE), (0o700, 0, STATED, DEFAULT)), (0o700, 5)),
    (((0o750, 0, TREE, DEFAULT), (0o755, 5, Precedence.PURPOSE, Precedence.PURPOSE)), (0o750, 5)),
    (((0o700, 1, STATED, STATED), (0o755, 2, DEFAULT, DEFAULT), (0o700, 3, STATED, DEFAULT)), (0o700, 1)),
    (
        ((0o700, 1, TREE, DEFAULT), (0o711, 1, TREE, DEFAULT), (0o755, 1, STATED, DEFAULT)),
        (0o755, 1),
    ),
)


@pytest.mark.parametrize(("words", "expected"), WORDS)
def test_the_most_specific_mode_and_owner_count(
    words: tuple[tuple[int, int, int, int], ...], expected: tuple[int, int]
) -> None:
    """Mode and owner each for itself, in any order; a difference that something more specific decides is none."""
    for order in permutations(words):
        tree: Tree[str] = Tree(str)
        for mode, uid, by_mode, by_owner in order:
            tree.add(directory(RootPath("/a"), mode, uid), "tag", Claim(by_mode, by_owner, "--option"))
        ((entry, _),) = tree
        assert (entry.mode, entry.uid) == expected


def test_two_words_as_specific_are_a_contradiction() -> None:
    """The error names both options; the same word twice is none."""
    for first, second, what in ((0o700, 0o711, "mode"), (0o700, 0o700, "")):
        tree: Tree[str] = Tree(str)
        tree.add(directory(RootPath("/a"), first), "tag", Claim(STATED, DEFAULT, "--first"))
        tree.add(directory(RootPath("/a"), second), "tag", Claim(STATED, DEFAULT, "--second"))
        if what:
            with pytest.raises(
                ContradictoryOptionsError, match="cannot use --second: --first gives '/a' a different mode"
            ):
                list(tree)
        else:
            assert len(list(tree)) == 1


def test_a_standard_directory_stays_as_it_is() -> None:
    """Whatever is put into it; only what is stated of its mode counts more."""
    standard = {RootPath("/tmp"): directory(RootPath("/tmp"), 0o1777)}
    for claim, mode in ((Claim(), 0o1777), (Claim(Precedence.TREE, Precedence.TREE), 0o1777), (Claim(STATED), 0o711)):
        for below in (True, False):
            tree: Tree[str] = Tree(str, standard)
            if below:
                tree.add(at("/tmp/a"), "tag")
            tree.add(directory(RootPath("/tmp"), 0o711, 5), "tag", claim)
            entry = next(iter(tree))[0]
            assert (entry.mode, entry.uid) == (mode, 5 if mode == 0o711 else 0)
