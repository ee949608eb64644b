"""Layers laid over each other: each rule of those who unpack images, with the tree that comes of it."""

from __future__ import annotations

import tarfile
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from minpack.base.layer_tars import LayerBlob
from minpack.base.layered import LayeredBase, open_layers
from minpack.content import BytesContent, read_all
from minpack.errors import ArchiveError, InputError
from minpack.paths import RootPath
from minpack.rootfs.entry import Kind
from minpack.store.store import open_store
from support.layers import CAPABILITY, Layer, facts_of, layer, link, member, tar_of

if TYPE_CHECKING:
    from collections.abc import Iterator

Member = tuple[tarfile.TarInfo, bytes]


def blob_of(one: Layer, number: int = 1) -> LayerBlob:
    """A layer in memory."""
    sums = one.descriptor()["digest"][7:], one.diff_id[7:]
    return LayerBlob(f"layer {number} of an image", *sums, lambda: nullcontext(BytesContent(one.blob)))


def opened(*layers: Layer) -> LayeredBase:
    """The base that these layers make; nothing of it is kept."""
    return open_layers("an image", [blob_of(one, at) for at, one in enumerate(layers, 1)], open_store(None))


def tree(*layers: list[Member]) -> dict[str, str]:
    """What there is when these members are laid over each other: of files the text, of links the target."""
    with opened(*(layer(tar_of(*members), "tar") for members in layers)) as base:
        return {path: _shown(base, path) for path in facts_of(base)}


def _shown(base: LayeredBase, path: str) -> str:
    entry = base.lstat(RootPath(path))
    assert entry is not None
    if entry.kind is Kind.DIRECTORY:
        return "dir" if entry.mode == 0o755 else f"dir {entry.mode:o}"
    return entry.link if entry.content is None else read_all(entry.content, 1 << 20).decode()


def test_what_is_above_replaces_what_is_below() -> None:
    """A file by a file, and either by a directory; a directory with all that was in it, by anything else."""
    below = [member("f", b"1"), member("to-d", b"1"), member("to-f/in", b"1"), member("to-l/in", b"1")]
    above = [member("f", b"2"), member("to-d"), member("to-f", b"2"), link("to-l", "f")]
    assert tree(below, above) == {"/f": "2", "/to-d": "dir", "/to-f": "2", "/to-l": "f"}


def test_a_directory_again_keeps_what_is_in_it() -> None:
    """It has the new mode."""
    assert tree([member("d/f", b"1")], [member("d", mode=0o700)]) == {"/d": "dir 700", "/d/f": "1"}


def test_a_whiteout_hides_what_is_below_alone() -> None:
    """Whether it comes before or behind what its own layer has there."""
    below = [member("a", b"1"), member("b", b"1"), member("c/in", b"1"), member("gone", b"1")]
    before = [member(".wh.a", b""), member("a", b"2"), member(".wh.gone", b""), member(".wh.none", b"")]
    behind = [member("b", b"2"), member(".wh.b", b""), member("c/new", b"2"), member(".wh.c", b"")]
    assert tree(below, before + behind) == {"/a": "2", "/b": "2", "/c": "dir", "/c/new": "2"}


def test_what_was_hidden_does_not_come_back() -> None:
    """A directory that is made again is empty."""
    assert tree([member("d/a", b"1")], [member(".wh.d", b"")], [member("d/b", b"3")]) == {"/d": "dir", "/d/b": "3"}


def test_an_opaque_directory_has_what_its_layer_puts_there() -> None:
    """Before the mark and behind it, and in a directory of lower layers too."""
    below = [member("d/old", b"1"), member("d/sub/old", b"1"), member("d/sub/deep/old", b"1")]
    above = [member("d/new", b"2"), member("d/.wh..wh..opq", b""), member("d/sub/new", b"2")]
    expected = {"/d": "dir", "/d/new": "2", "/d/sub": "dir", "/d/sub/new": "2"}
    assert tree(below, above) == expected
    assert tree(below, [above[0], above[2], above[1]]) == expected


def test_a_directory_over_a_symlink_is_another_one() -> None:
    """It is not opaque where the link led."""
    below = [member("real/keep", b"1"), link("link", "/real")]
    above = [member("link"), member("link/.wh..wh..opq", b""), member("link/new", b"2")]
    assert tree(below, above) == {"/link": "dir", "/link/new": "2", "/real": "dir", "/real/keep": "1"}


def test_what_is_below_a_symlink_goes_where_it_leads() -> None:
    """In the root, however it is spelled; so do whiteouts."""
    below = [member("usr/lib/a", b"1"), link("lib", "usr/lib"), link("abs", "/usr/lib"), link("up", "../../usr/lib")]
    above = [member("lib/b", b"2"), member("abs/c", b"2"), member("up/d", b"2"), member("lib/.wh.a", b"")]
    found = tree(below, above)
    assert {path: text for path, text in found.items() if path.startswith("/usr/lib/")} == {
        "/usr/lib/b": "2",
        "/usr/lib/c": "2",
        "/usr/lib/d": "2",
    }


def test_a_symlink_that_becomes_a_directory_is_followed_no_more() -> None:
    """Also within one layer."""
    members = [link("a", "b"), member("a/1", b"1"), member("a"), member("a/2", b"2")]
    assert tree(members) == {"/a": "dir", "/a/2": "2", "/b": "dir", "/b/1": "1"}


def test_hard_links_share_across_layers() -> None:
    """Until one of the names gets something else; what has no other name left has none."""
    below = [member("a", b"1"), link("b", "a", hard=True)]
    with opened(layer(tar_of(*below)), layer(tar_of(link("c", "/a", hard=True), member("b", b"2")))) as base:
        a, b, c = (base.lstat(RootPath(f"/{name}")) for name in "abc")
        assert a is not None
        assert b is not None
        assert c is not None
        assert a.inode == c.inode is not None
        assert a.content == c.content
        assert b.inode is None
    with opened(layer(tar_of(*below)), layer(tar_of(member(".wh.a", b"")))) as base:
        left = base.lstat(RootPath("/b"))
        assert left is not None
        assert left.inode is None


def test_a_hard_link_to_nothing_fails_when_it_is_read() -> None:
    """As in a tarball: what nobody wants does no harm."""
    with opened(layer(tar_of(link("a", "none", hard=True), member("b", b"1")))) as base:
        entry = base.lstat(RootPath("/a"))
        assert entry is not None
        assert entry.content is not None
        with pytest.raises(InputError, match="hard link to 'none', which is no file of its layer or a lower one"):
            read_all(entry.content, 10)


def test_what_unpackers_keep_for_themselves_is_no_file() -> None:
    """The names of aufs, though hard links may be to what they hold, and eStargz's at the top alone."""
    plink = [member(".wh..wh.plnk/1.2", b"1"), link("a", ".wh..wh.plnk/1.2", hard=True), member(".wh..wh.aufs", b"")]
    assert tree(plink) == {"/a": "1"}
    with opened(layer(tar_of(*plink))) as base:
        assert facts_of(base)["/a"].same == ()
    stargz = [
        member("stargz.index.json", b"{}"),
        member(".no.prefetch.landmark", b"\xf0"),
        member("d/stargz.index.json", b"x"),
    ]
    assert tree(stargz) == {"/d": "dir", "/d/stargz.index.json": "x"}


def test_spellings_owners_and_the_root() -> None:
    """``./x`` and ``/x`` are ``x``, what leads to it is made, and the root keeps its mode."""
    members = [member("./", mode=0o700), member("./a", b"1"), member("/b/c", b"1", uid=5, gid=7, mode=0o4755)]
    with opened(layer(tar_of(*members))) as base:
        facts = facts_of(base)
        root = base.lstat(RootPath("/"))
        assert base.implied == {"/", "/b"}
    assert root is not None
    assert root.mode == 0o755
    assert sorted(facts) == ["/a", "/b", "/b/c"]
    assert facts["/b/c"][1:4] == (0o4755, 5, 7)


def test_capabilities_are_read() -> None:
    """Those of executable files."""
    app = member("app", b"1", pax_headers={"SCHILY.xattr.security.capability": CAPABILITY.decode("latin-1")})
    with opened(layer(tar_of(app))) as base:
        assert facts_of(base)["/app"].capability == CAPABILITY


def refusals() -> Iterator[tuple[str, list[list[Member]], str]]:
    """Layers that are refused, and the reason."""
    yield "leaves", [[member("a/../../b", b"1")]], "'a/../../b' has a '..' part"
    yield "below a file", [[member("a", b"1")], [member("a/b", b"2")]], "below 'a', which is a file (layer 2, member"
    yield "loop", [[link("a", "b"), link("b", "a"), member("a/x", b"1")]], "behind too many symlinks"
    yield "no name", [[member(".wh.", b"")]], "a whiteout without a name (layer 1, member '/.wh.')"
    yield "dots", [[member("a/.wh...", b"")]], "a whiteout without a name"


@pytest.mark.parametrize(("layers", "reason"), [one[1:] for one in refusals()], ids=[one[0] for one in refusals()])
def test_hostile_layers_are_refused(layers: list[list[Member]], reason: str) -> None:
    """With the layer and the member."""
    with pytest.raises(ArchiveError) as caught:
        tree(*layers)
    assert reason in caught.value.message


def test_layers_that_do_the_same_work_again_and_again_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking is bounded, and so are the members of all layers and what is there at the end."""
    many = [member(f"d/{at}", b"") for at in range(100)]
    with monkeypatch.context() as patch:
        patch.setattr("minpack.base.flatten.MAX_STEPS", 1_000)
        assert len(tree(many)) == 101
        with pytest.raises(ArchiveError, match="more names than any"):
            tree([*many, *(member("d/.wh..wh..opq", b"") for _ in range(20))])
    with monkeypatch.context() as patch:
        patch.setattr("minpack.base.flatten.MAX_MEMBERS", 150)
        with pytest.raises(ArchiveError, match="more names than any"):
            tree(many, many)
    with monkeypatch.context() as patch:
        patch.setattr("minpack.base.flatten.MAX_ENTRIES", 150)
        assert len(tree(many, many, [member(".wh.d", b"")], [member(f"e/{at}", b"") for at in range(100)])) == 101
        with pytest.raises(ArchiveError, match="more names than any"):
            tree(many, [member(f"e/{at}", b"") for at in range(100)])
    with monkeypatch.context() as patch:
        patch.setattr("minpack.base.flatten.MAX_NAMES", 300)
        with pytest.raises(ArchiveError, match="longer than those of any"):
            tree(many)
