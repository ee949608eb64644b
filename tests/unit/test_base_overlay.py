"""One base over another, and bases over entries."""

from __future__ import annotations

import pytest

from minpack.base.entries import EntriesBase, base_of
from minpack.base.overlay import OverlayBase
from minpack.base.walk import Walker
from minpack.content import BytesContent
from minpack.errors import PathConflictError
from minpack.paths import ROOT, RootPath
from minpack.rootfs.entry import Entry, Kind, directory, file, symlink
from support.trees import described, entries_in


def a_file(path: str, data: bytes = b"", mode: int = 0o644) -> Entry:
    """A file of root's."""
    return file(RootPath(path), BytesContent(data), mode)


def a_directory(path: str, mode: int = 0o755) -> Entry:
    """A directory of root's."""
    return directory(RootPath(path), mode)


def a_link(path: str, target: str) -> Entry:
    """A symlink."""
    return symlink(RootPath(path), target)


def a_hard_link(path: str, target: str) -> Entry:
    """A hard link."""
    return Entry(RootPath(path), Kind.HARDLINK, 0o644, link=target)


def over(upper: tuple[Entry, ...], lower: tuple[Entry, ...]) -> OverlayBase:
    """`upper` over `lower`."""
    return OverlayBase(base_of("upper", upper), base_of("lower", lower))


def paths(base: EntriesBase | OverlayBase) -> list[str]:
    """Every path but the root's."""
    return [str(entry.path) for entry in entries_in(base)][1:]


def test_entries_make_a_base_with_their_parents() -> None:
    """Parents that are missing are there and known to be implied; listed ones are as listed, in any order."""
    base = base_of("tree", [a_file("/a/b/c"), a_directory("/a", 0o700), a_link("/l", "a")])
    assert base.name == "tree"
    assert paths(base) == ["/a", "/a/b", "/a/b/c", "/l"]
    assert base.implied == {"/", "/a/b"}
    assert [entry.mode for entry in entries_in(base)] == [0o755, 0o700, 0o755, 0o644, 0o777]


def test_no_entries_make_an_empty_root() -> None:
    """The root is there even if nothing else is."""
    base = base_of("nothing", ())
    assert base.lstat(ROOT) == directory(ROOT)
    assert base.listdir(ROOT) == ()
    assert base.lstat(RootPath("/x")) is None


def test_hard_links_of_entries_are_files() -> None:
    """A hard link is a file with the content, mode and inode of the one it names, and no other has that inode."""
    taken = a_file("/taken")._replace(inode=7)
    base = base_of(
        "tree", [a_hard_link("/b", "/x/a"), a_file("/x/a", b"data", 0o755), taken, a_hard_link("/c", "/x/a")]
    )
    first, second, third = (base.lstat(RootPath(path)) for path in ("/x/a", "/b", "/c"))
    assert first is not None
    assert second == first._replace(path=RootPath("/b"))
    assert third == first._replace(path=RootPath("/c"))
    assert (first.kind, first.mode, first.size) == (Kind.FILE, 0o755, 4)
    assert first.inode not in (None, 7)


@pytest.mark.parametrize(
    "entries",
    [
        (a_file("/a"), a_file("/a/b")),
        (a_file("/a/b/c"), a_link("/a", "x")),
        (a_file("/a"), a_link("/a", "b")),
        (a_file("/"),),
        (a_hard_link("/a", "/none"),),
        (a_directory("/d"), a_hard_link("/a", "/d")),
        (a_hard_link("/a", "/b"), a_hard_link("/b", "/a")),
    ],
)
def test_entries_that_cannot_be_together_are_refused(entries: tuple[Entry, ...]) -> None:
    """Two at one path, one below a file or a symlink, a hard link to no file."""
    with pytest.raises(PathConflictError):
        base_of("tree", (*entries, a_file("/other/file")))


def test_upper_hides_lower() -> None:
    """A file of upper is seen instead of lower's; the rest of lower is seen beside upper's."""
    base = over((a_file("/bin/app", b"new"), a_file("/new")), (a_file("/bin/app", b"older"), a_file("/bin/sh")))
    assert described(base)["/bin/app"].size == 3
    assert paths(base) == ["/bin", "/bin/app", "/bin/sh", "/new"]
    assert base.listdir(RootPath("/bin")) == ("app", "sh")


def test_a_directory_that_is_only_implied_is_lowers() -> None:
    """A file put into /tmp leaves its mode as it is in lower; a directory that is listed changes it."""
    lower = (a_directory("/tmp", 0o1777), a_directory("/etc", 0o700), a_directory("/", 0o711))
    base = over((a_file("/tmp/x"), a_directory("/etc", 0o755)), lower)
    modes = {str(entry.path): entry.mode for entry in entries_in(base)}
    assert modes == {"/": 0o711, "/etc": 0o755, "/tmp": 0o1777, "/tmp/x": 0o644}


def test_a_file_hides_a_whole_directory() -> None:
    """What lies in a directory of lower is gone where upper has a file or a symlink, at every depth."""
    lower = (a_file("/d/a/b/c"), a_file("/e/f"))
    base = over((a_file("/d"), a_link("/e", "elsewhere")), lower)
    assert paths(base) == ["/d", "/e"]
    for path in ("/d/a", "/d/a/b/c", "/e/f"):
        assert base.lstat(RootPath(path)) is None
        assert base.listdir(RootPath(path)) == ()


def test_a_listed_directory_hides_a_file_or_link() -> None:
    """A directory that upper lists is seen instead of lower's file or symlink, with upper's names alone."""
    base = over((a_directory("/d"), a_file("/d/x"), a_directory("/l")), (a_file("/d"), a_link("/l", "d")))
    assert paths(base) == ["/d", "/d/x", "/l"]


@pytest.mark.parametrize("below", [a_link("/lib", "usr/lib"), a_file("/lib")])
def test_an_implied_directory_hides_nothing_else(below: Entry) -> None:
    """A file of upper through a symlink of lower's would lose all that lies behind it: a conflict, not a loss."""
    base = over((a_file("/lib/libnew.so"),), (below, a_file("/usr/lib/libc.so")))
    for look in (base.lstat, base.listdir):
        with pytest.raises(PathConflictError, match="/lib"):
            look(RootPath("/lib"))


def test_links_of_lower_lead_to_files_of_upper() -> None:
    """A walk follows lower's links into upper's directories and back."""
    base = over(
        (a_file("/usr/lib/libnew.so"), a_link("/usr/lib/libold.so", "/lib/libc.so")),
        (a_link("/lib", "usr/lib"), a_file("/usr/lib/libc.so")),
    )
    walker = Walker(base)
    new, old = walker.find_file("/lib/libnew.so"), walker.find_file("/lib/libold.so")
    assert new is not None
    assert old is not None
    assert (new.path, old.path) == ("/usr/lib/libnew.so", "/usr/lib/libc.so")


def test_inodes_of_two_bases_never_meet() -> None:
    """Files that are linked in one base are the same file, those of two bases are not, in overlays of overlays too."""

    def linked(prefix: str) -> EntriesBase:
        return EntriesBase(
            prefix,
            {
                ROOT: directory(ROOT),
                **{e.path: e._replace(inode=1) for n in "ab" for e in [a_file(f"/{prefix}{n}")]},
            },
        )

    base = OverlayBase(linked("x"), OverlayBase(linked("y"), linked("z")))
    inodes = {str(entry.path): entry.inode for entry in entries_in(base) if entry.path != ROOT}
    assert inodes["/xa"] == inodes["/xb"]
    assert inodes["/ya"] == inodes["/yb"]
    assert inodes["/za"] == inodes["/zb"]
    assert len(set(inodes.values())) == 3


def test_an_overlay_is_called_as_its_lower_base() -> None:
    """Messages name the base the user chose, unless another name is given."""
    upper, lower = base_of("upper", ()), base_of("lower", ())
    assert OverlayBase(upper, lower).name == "lower"
    assert OverlayBase(upper, lower, "both").name == "both"


def test_three_bases_lie_on_each_other() -> None:
    """The uppermost wins, and what only the lowest has is seen through both."""
    top, middle = base_of("t", [a_file("/a", b"1")]), base_of("m", [a_file("/a", b"22"), a_file("/b", b"22")])
    bottom = base_of("b", [a_file("/a", b"333"), a_file("/b", b"333"), a_file("/c", b"333")])
    for base in (OverlayBase(top, OverlayBase(middle, bottom)), OverlayBase(OverlayBase(top, middle), bottom)):
        assert {path: d.size for path, d in described(base).items() if path != "/"} == {"/a": 1, "/b": 2, "/c": 3}
