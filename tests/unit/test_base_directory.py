"""A directory of the host as a base: nothing is followed, nothing is opened, nothing hangs."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from minpack.base.directory import DirectoryBase, paths_below
from minpack.content import read_all
from minpack.errors import InputError
from minpack.paths import NAME_MAX, ROOT, RootPath
from minpack.rootfs.entry import Entry, Kind
from support.trees import make_tree

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = 65534


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small root file system."""
    return make_tree(tmp_path / "tree")


def found(base: DirectoryBase, path: str) -> Entry:
    """What is at `path`."""
    entry = base.lstat(RootPath(path))
    assert entry is not None
    return entry


def test_it_is_called_by_its_last_part(tree: Path) -> None:
    """The name is the last part of the path, and the host's is a slash."""
    assert DirectoryBase(str(tree)).name == DirectoryBase(f"{tree}//").name == "tree"
    assert DirectoryBase("/").name == DirectoryBase("//").name == "/"


def test_the_root_of_the_host_is_a_base() -> None:
    """The host's own tree can be read, with the files where they are."""
    base = DirectoryBase("/")
    assert found(base, "/").kind is Kind.DIRECTORY
    assert {"etc", "usr"} <= set(base.listdir(ROOT))
    passwd = found(base, "/etc/passwd")
    assert passwd.content is not None
    assert (passwd.content.where, passwd.content.size) == ("/etc/passwd", os.stat("/etc/passwd").st_size)


def test_content_is_the_files(tree: Path) -> None:
    """Content has the file's size and bytes, and says where it lies."""
    content = found(DirectoryBase(str(tree)), "/etc/passwd").content
    assert content is not None
    assert content.where == str(tree / "etc" / "passwd")
    assert read_all(content, 100) == b"root:x:0:0\n"


def test_links_are_read_and_not_followed(tree: Path) -> None:
    """A symlink is what it says; nothing is at a path through it, nor listed in it."""
    (tree / "link").symlink_to("etc")
    base = DirectoryBase(str(tree))
    assert (found(base, "/link").kind, found(base, "/link").link) == (Kind.SYMLINK, "etc")
    assert base.lstat(RootPath("/link/passwd")) is None
    assert base.lstat(RootPath("/link/deeper/still")) is None
    assert base.listdir(RootPath("/link")) == ()


def test_links_out_of_the_root_lead_nowhere(tree: Path) -> None:
    """Neither an absolute link nor one above the root lets a path out of the root."""
    (tree.parent / "secret").write_bytes(b"secret")
    (tree / "out").symlink_to("..")
    (tree / "abs").symlink_to(tree.parent)
    base = DirectoryBase(str(tree))
    for path in ("/out/secret", "/abs/secret", "/out/tree/etc/passwd"):
        assert base.lstat(RootPath(path)) is None
    assert base.listdir(RootPath("/out")) == base.listdir(RootPath("/abs")) == ()


def test_the_root_may_be_a_symlink(tree: Path) -> None:
    """The root itself is followed, as a user means it."""
    (tree.parent / "current").symlink_to("tree")
    base = DirectoryBase(str(tree.parent / "current"))
    assert base.name == "current"
    assert found(base, "/").kind is Kind.DIRECTORY
    assert found(base, "/etc/passwd").size == 11


def test_what_is_not_there_is_none(tree: Path) -> None:
    """Missing names, paths through files, names too long or with a NUL: there is nothing, and no error."""
    base = DirectoryBase(str(tree))
    for path in (
        "/none",
        "/none/x",
        "/etc/passwd/x",
        "/etc/passwd/x/y",
        "/" + "n" * (NAME_MAX + 1),
        "/a\0b",
        "/\ud800",
    ):
        assert base.lstat(RootPath(path)) is None
        assert base.listdir(RootPath(path)) == ()


def test_listing_a_file_gives_nothing(tree: Path) -> None:
    """A file and a FIFO have no names in them."""
    base = DirectoryBase(str(tree))
    assert base.listdir(RootPath("/etc/passwd")) == base.listdir(RootPath("/fifo")) == ()


def test_names_are_sorted_and_keep_their_bytes(tree: Path) -> None:
    """Names come sorted, and bytes that are not UTF-8 lead back to their file."""
    base = DirectoryBase(str(tree))
    names = base.listdir(ROOT)
    assert list(names) == sorted(names)
    assert "größe" in names
    assert "latin-\udce9" in names
    content = found(base, "/latin-\udce9").content
    assert content is not None
    assert read_all(content, 10) == b""


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "POSIX"])
def test_names_do_not_depend_on_the_locale(locale: str, tree: Path) -> None:
    """The same names and contents are found where the file system's encoding is ASCII."""
    code = (
        "import sys; from minpack.base.directory import DirectoryBase as D; from minpack.content import read_all;"
        "b = D(sys.argv[1]); print([ascii(n) for n in b.listdir('/')], read_all(b.lstat('/gr\\xf6\\xdfe').content, 99))"
    )
    environment = {**os.environ, "LC_ALL": locale, "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tree)], env=environment, capture_output=True, text=True, check=True
    )
    names = [ascii(name) for name in DirectoryBase(str(tree)).listdir(ROOT)]
    assert done.stdout == f"{names} b'not ASCII'\n"


def test_special_files_are_never_opened(tree: Path) -> None:
    """FIFOs, sockets and device nodes are special and have no content; a FIFO without a writer does not hang."""
    base = DirectoryBase(str(tree))
    assert (found(base, "/fifo").kind, found(base, "/fifo").content) == (Kind.SPECIAL, None)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tree / "socket"))  # a socket's path may have 107 bytes only
        assert found(base, "/socket").kind is Kind.SPECIAL
    assert found(DirectoryBase("/"), "/dev/null").kind is Kind.SPECIAL


def test_hard_links_have_one_inode(tree: Path) -> None:
    """Two names of a file share an inode that no other file has, and a file with one name has none."""
    base = DirectoryBase(str(tree))
    assert found(base, "/bin/tool").inode == found(base, "/lib/once more").inode is not None
    assert found(base, "/etc/passwd").inode is None
    assert found(base, "/deep/short name").inode != found(base, "/bin/tool").inode


def test_modes_have_no_type_and_links_all_bits(tree: Path) -> None:
    """Set-id and sticky bits are kept; a symlink's mode is 0777 wherever it was made."""
    base = DirectoryBase(str(tree))
    assert found(base, "/bin/tool").mode == 0o4755
    assert found(base, "/tmp").mode == 0o1777
    assert found(base, "/").mode == 0o751
    assert found(base, "/dangling").mode == 0o777


@pytest.mark.parametrize("kind", ["missing", "file", "link"])
def test_a_root_that_is_no_directory_is_an_input_error(kind: str, tree: Path) -> None:
    """A missing root, a file, and a link to nothing are refused at the first look, whatever is looked for."""
    root = {"missing": tree / "none", "file": tree / "etc" / "passwd", "link": tree / "dangling"}[kind]
    for path in ("/", "/etc/passwd"):
        with pytest.raises(InputError, match="cannot read"):
            DirectoryBase(str(root)).lstat(RootPath(path))
    with pytest.raises(InputError):
        DirectoryBase(str(root)).listdir(ROOT)


def test_nothing_is_read_before_it_is_asked_for(tmp_path: Path) -> None:
    """A base can be made of a directory that comes later."""
    base = DirectoryBase(str(tmp_path / "later"))
    (tmp_path / "later").mkdir()
    assert base.listdir(ROOT) == ()


DENIED = """
import os, sys
from minpack.base.directory import DirectoryBase
from minpack.errors import InputError
os.setgid({nobody}), os.setuid({nobody})
base = DirectoryBase(sys.argv[1])
print(base.lstat('/closed').kind, base.lstat('/open/file').content.size)
for look in (base.lstat, base.listdir):
    try:
        look(sys.argv[2])
    except InputError as error:
        print(error.message, error.hint)
"""


@pytest.mark.root
@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("where", ["/closed", "/closed/deep", "/closed/file"])
def test_what_may_not_be_looked_at_is_an_input_error(where: str, tmp_path: Path) -> None:
    """For a user who may not enter a directory, the error names the path and says what to do."""
    tree = tmp_path / "tree"
    for path in (tree / "closed" / "deep", tree / "open"):
        path.mkdir(parents=True)
        (path / "file").write_bytes(b"abc")
    (tree / "closed").chmod(stat.S_IRWXU)
    for path in (tree, *list(tree.parents)[:-2]):
        path.chmod(0o755)
    code = DENIED.format(nobody=NOBODY)
    done = subprocess.run([sys.executable, "-c", code, str(tree), where], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[0] == "directory 3"
    assert len(lines) == (2 if where == "/closed" else 3)  # it can be seen, and not be entered
    for line in lines[1:]:
        assert f"cannot read '{tree}{where}': permission denied run as a user who may read it" in line


def test_paths_of_the_host_as_paths_in_a_directory(tmp_path: Path) -> None:
    """Links on the way to the directory are followed; what lies elsewhere, or is the directory itself, is none."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "link").symlink_to("tree")
    place = tmp_path.resolve()
    paths = (f"{place}/tree/a/b", f"{place}/tree", f"{place}/tree2/c", "/etc/passwd")
    for name in ("tree", "link", "tree/"):
        assert paths_below(f"{tmp_path}/{name}", paths) == {"/a/b"}
    assert paths_below("/", ("/etc/passwd",)) == {"/etc/passwd"}
