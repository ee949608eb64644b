"""Whatever makes a tar, and however oddly: where GNU tar unpacks it, minpack reads the same tree."""

from __future__ import annotations

import os
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minpack.base.directory import DirectoryBase
from minpack.base.tarball import open_tarball
from minpack.errors import ArchiveError, InputError
from minpack.paths import RootPath
from support.gobuild import go_build
from support.tarmaker import (
    BLOCK,
    END,
    GNU,
    STAR,
    V7,
    archive,
    directory,
    hard_link,
    header,
    long_name,
    member,
    padded,
    pax,
    record,
    records,
    star_prefix,
    symlink,
)
from support.tools import need_tool
from support.trees import Described, bsd_tar, described, gnu_tar, make_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: Where holes begin and end, for file systems with large blocks too.
HOLE = 1 << 18


def read(tar: Path) -> dict[str, Described]:
    """The tree that minpack reads."""
    with open_tarball(str(tar), tar.name) as base:
        return described(base)


def unpacked(tar: Path, place: Path, *command: str) -> dict[str, Described]:
    """The tree that a program unpacks into a new directory, which must not fail."""
    place.mkdir(mode=0o755)
    place.chmod(0o755)
    subprocess.run(
        [need_tool(command[0]), *command[1:], "-xpf", str(tar), "--numeric-owner", "-C", str(place)],
        check=True,
        umask=0o022,
        stderr=subprocess.DEVNULL,
    )
    return described(DirectoryBase(str(place)))


def holed_tree(root: Path) -> Path:
    """A tree with sparse files: holes first, last, in between, many, and nothing but a hole; one has a long name."""
    make_tree(root)
    os.unlink(os.fsencode(root) + b"/latin-\xe9")  # which libarchive cannot read from pax
    for name, size, pieces in (
        ("first", 3 * HOLE, (2 * HOLE,)),
        ("last", 3 * HOLE + 77, (0,)),
        ("between", 2 * HOLE + 5, (0, 2 * HOLE)),
        ("many" * 50, 41 * HOLE, range(0, 40 * HOLE, 2 * HOLE)),
        ("nothing", 2 * HOLE, ()),
    ):
        with (root / name).open("wb") as file:
            for at in pieces:
                file.seek(at)
                file.write(b"%d data" % at)
            file.truncate(size)
    os.link(root / "between", root / "linked")
    os.utime(root / "first", (-1000, -1000))
    return root


def tar_of_tarfile(form: int) -> Callable[[Path, Path], None]:
    """A maker: Python's tarfile."""

    def make(tree: Path, out: Path) -> None:
        with tarfile.open(out, "w", format=form) as tar:
            tar.add(tree, "./")

    return make


def incremental(form: str) -> Callable[[Path, Path], None]:
    """A maker: GNU tar, making a backup."""
    return lambda tree, out: void(
        gnu_tar(tree, out, f"--format={form}", f"--listed-incremental={out.with_suffix('.snapshot')}")
    )


def gnu(*options: str) -> Callable[[Path, Path], None]:
    """A maker: GNU tar."""
    return lambda tree, out: void(gnu_tar(tree, out, *options))


def bsd(*options: str) -> Callable[[Path, Path], None]:
    """A maker: libarchive's tar."""
    return lambda tree, out: void(bsd_tar(tree, out, *options))


def void(_: object) -> None:
    """Nothing."""


def busybox(tree: Path, out: Path) -> None:
    """A maker: busybox."""
    subprocess.run([need_tool("busybox"), "tar", "-cf", str(out), "-C", str(tree), "."], check=True)


def twice(tree: Path, out: Path) -> None:
    """A maker: everything is there twice, the first time with other modes."""
    gnu_tar(tree, out, "--mode=u=rwX,go=")
    subprocess.run([need_tool("tar"), "-rf", str(out), "-C", str(tree), "."], check=True)


def joined(tree: Path, out: Path) -> None:
    """A maker: two archives that GNU tar made one of."""
    gnu_tar(tree / "lib", out)
    second = out.with_suffix(".second")
    gnu_tar(tree, second)
    subprocess.run([need_tool("tar"), "-Af", str(out), str(second)], check=True)


def absolute(tree: Path, out: Path) -> None:
    """A maker: names and the targets of hard links begin with a slash, as kaniko writes them."""
    rename = ("--transform", "s,^\\.,,;s,^$,/,", "--show-transformed-names")
    gnu_tar(tree, out, "-P", "--format=gnu", *rename)


MAKERS: dict[str, Callable[[Path, Path], None]] = {
    **{f"gnu {form}": gnu(f"--format={form}") for form in ("oldgnu", "gnu", "pax")},
    **{f"gnu {form} sparse": gnu(f"--format={form}", "--sparse") for form in ("oldgnu", "gnu")},
    **{
        f"gnu pax sparse {version}": gnu("--format=pax", "--sparse", f"--sparse-version={version}")
        for version in ("0.0", "0.1", "1.0")
    },
    "gnu label": gnu("--format=gnu", "--label=a label"),
    "gnu pax label": gnu("--format=pax", "--label=a label"),
    "gnu incremental": incremental("gnu"),
    "gnu pax incremental": incremental("pax"),
    "gnu small records": gnu("-b", "1"),
    "gnu large records": gnu("-b", "512"),
    "gnu copies of links": gnu("--hard-dereference"),
    "gnu global records": gnu("--format=pax", "--pax-option=gid=7,globexthdr.name=g,comment=c"),
    "gnu records of all": gnu("--format=pax", "--pax-option=uid:=3000000,hdrcharset:=BINARY"),
    "gnu names of owners": gnu("--owner=nobody:4000000", "--group=nogroup:5"),
    "gnu twice": twice,
    "gnu joined": joined,
    "gnu absolute": absolute,
    "bsd pax": bsd("--format=pax"),
    "bsd gnutar": bsd("--format=gnutar"),
    "busybox": busybox,
    "tarfile gnu": tar_of_tarfile(tarfile.GNU_FORMAT),
    "tarfile pax": tar_of_tarfile(tarfile.PAX_FORMAT),
}


@pytest.mark.tool
@pytest.mark.parametrize("maker", MAKERS)
def test_what_makers_make_is_what_tars_unpack(maker: str, tmp_path: Path) -> None:
    """Every path, kind, mode, owner, size, link, byte and hard link is the same as GNU tar and libarchive unpack it."""
    MAKERS[maker](holed_tree(tmp_path / "tree"), tmp_path / "made.tar")
    found = read(tmp_path / "made.tar")
    assert found == unpacked(tmp_path / "made.tar", tmp_path / "gnu", "tar")
    assert len(found) > 30
    if maker not in ("gnu global records", "gnu joined"):  # libarchive passes those over, and takes these apart
        assert found == unpacked(tmp_path / "made.tar", tmp_path / "bsd", "bsdtar")


@pytest.mark.tool
@pytest.mark.parametrize("form", ["v7", "ustar"])
def test_old_formats_are_what_tars_unpack(form: str, tmp_path: Path) -> None:
    """So it is with the formats that cannot have long names."""
    tree = make_tree(tmp_path / "tree", rich=False)
    found = read(gnu_tar(tree, tmp_path / "made.tar", f"--format={form}"))
    assert found == unpacked(tmp_path / "made.tar", tmp_path / "gnu", "tar")
    assert found == read(bsd_tar(tree, tmp_path / "bsd.tar", f"--format={form}"))


GO = """
package main

import (
	"archive/tar"
	"os"
)

func main() {
	for _, format := range []tar.Format{tar.FormatUnknown, tar.FormatUSTAR, tar.FormatPAX, tar.FormatGNU} {
		file, err := os.Create(os.Args[1] + "/" + format.String() + ".tar")
		if err != nil {
			panic(err)
		}
		out := tar.NewWriter(file)
		for _, head := range []tar.Header{
			{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "c"}},
			{Typeflag: tar.TypeDir, Name: "/", Mode: 0o700},
			{Typeflag: tar.TypeDir, Name: "/bin", Mode: 0o755},
			{Typeflag: tar.TypeReg, Name: "/bin/busybox", Mode: 0o755, Size: 4, Uid: 1234567, Gid: 65534},
			{Typeflag: tar.TypeLink, Name: "/bin/sh", Linkname: "/bin/busybox", Mode: 0o755, Uid: 1234567, Gid: 65534},
			{Typeflag: tar.TypeSymlink, Name: "/bin/link", Linkname: "/bin/busybox", Mode: 0o777},
			{Typeflag: tar.TypeReg, Name: "/etc/hosts", Mode: 0o644, Size: 4},
			{Typeflag: tar.TypeFifo, Name: "/pipe", Mode: 0o600},
		} {
			if head.Typeflag == tar.TypeXGlobalHeader && format != tar.FormatPAX {
				continue
			}
			if head.Typeflag != tar.TypeXGlobalHeader {
				head.Format = format
			}
			if err := out.WriteHeader(&head); err != nil {
				panic(err)
			}
			if head.Size > 0 {
				out.Write([]byte("data"))
			}
		}
		if err := out.Close(); err != nil {
			panic(err)
		}
	}
}
"""


@pytest.mark.tool
def test_what_go_writes_as_kaniko_does_is_what_tars_unpack(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A root of its own, absolute names and absolute targets of hard links, in each of Go's formats."""
    writer = go_build(GO, tmp_path, tmp_path_factory)
    (tmp_path / "out").mkdir()
    subprocess.run([str(writer), str(tmp_path / "out")], check=True)
    made = sorted((tmp_path / "out").iterdir())
    assert len(made) == 4
    for tar in made:
        found = read(tar)
        assert found["/bin/sh"].same_as == "/bin/busybox"
        assert found["/"].mode == 0o700
        assert found == unpacked(tar, tmp_path / f"gnu {tar.name}", "tar")


@pytest.mark.engine
@pytest.mark.usefixtures("engine")
def test_what_docker_exports_is_what_tars_unpack(tmp_path: Path) -> None:
    """The tree of a container."""
    gnu_tar(make_tree(tmp_path / "tree"), tmp_path / "tree.tar")
    image = docker("import", str(tmp_path / "tree.tar"))
    container = docker("create", image, "/bin/tool")
    try:
        docker("export", "-o", str(tmp_path / "out.tar"), container)
    finally:
        docker("rm", container)
        docker("rmi", image)
    found = read(tmp_path / "out.tar")
    assert found == unpacked(tmp_path / "out.tar", tmp_path / "gnu", "tar")
    assert found["/lib/once more"].same_as == "/bin/again"


def docker(*arguments: str) -> str:
    """What a command of Docker's prints."""
    done = subprocess.run([need_tool("docker"), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


DATA = member("d", b"data")
DUMP = b"Yfoo\0Nbar\0\0"
ODD = {
    "an entry for the root": (header("/", kind=b"5", mode=0o700), DATA),
    "a directory without a name": (header("", kind=b"5", mode=0o711), DATA),
    "absolute names": (member("/etc/x", b"1"), member("//etc/y", b"2")),
    "an absolute hard link": (DATA, hard_link("l", "/d")),
    "a hard link from above": (DATA, hard_link("l", "../../d")),
    "a hard link around": (DATA, hard_link("l", "a/../d")),
    "a hard link to itself": (DATA, hard_link("d", "d")),
    "a hard link with a size": (DATA, header("l", kind=b"1", link="d", size=5), member("z", b"z")),
    "a hard link whose records have a size": (DATA, pax(records(size="5")), hard_link("l", "d"), member("z", b"z")),
    "a hard link to a symlink": (symlink("s", "nowhere"), hard_link("l", "s")),
    "a hard link over another file": (DATA, member("b", b"B"), hard_link("b", "d")),
    "a hard link over a directory": (DATA, directory("b"), hard_link("b", "d")),
    "a hard link through a symlink": (member("usr/lib/f", b"1"), symlink("lib", "usr/lib"), hard_link("l", "lib/f")),
    "a hard link with a slash": (DATA, hard_link("l/", "d")),
    "a directory with a size": (header("q/", kind=b"5", size=600), DATA),
    "a symlink with a size": (header("q", kind=b"2", link="a", size=600), DATA),
    "a pipe with a size": (header("q", kind=b"6", size=600), DATA),
    "a dumped directory": (header("q/", kind=b"D", size=11, magic=GNU) + padded(DUMP), DATA),
    "a dump in records": (pax(record(b"GNU.dumpdir", DUMP)), directory("q/"), DATA),
    "a list of renames": (member("q", b"12345", kind=b"N", magic=GNU), DATA),
    "a label": (header("label", kind=b"V", magic=GNU), DATA),
    "a label with data": (member("label", b"12345", kind=b"V", magic=GNU), DATA),
    "records of Solaris": (pax(records(path="real"), b"X"), DATA),
    "access lists of Solaris": (member("acl", b"user", kind=b"A"), DATA),
    "attributes of Solaris": (member("attributes", b"user", kind=b"E"), DATA),
    "an inode of star": (member("inode", b"12345", kind=b"I"), DATA),
    "a type that nobody knows": (member("unknown", b"user", kind=b"Z"), member("other/", b"user", kind=b"8")),
    "a contiguous file": (member("seven", b"user", kind=b"7"), DATA),
    "a name of star": (header("x", prefix=star_prefix("some/where"), magic=STAR), DATA),
    "an old directory": (header("f/", kind=b"\0", magic=V7), DATA),
    "a slash behind a symlink": (symlink("s/", "x"), header("p/", kind=b"6")),
    "global records": (pax(records(uid="7", comment="c"), b"g"), DATA, pax(records(uid="8")), member("z")),
    "a global name": (pax(records(path="same"), b"g"), DATA, member("z", b"z")),
    "a global link": (pax(records(linkpath="same"), b"g"), symlink("z", "y")),
    "a global size": (pax(records(size="3"), b"g"), DATA, member("z", b"zzzz")),
    "two long names": (long_name("one"), long_name("two"), DATA),
    "two headers of records": (pax(records(path="one", uid="3")), pax(records(path="two")), DATA),
    "records before a long name": (pax(records(path="records")), long_name("long"), DATA),
    "records behind a long name": (long_name("long"), pax(records(path="records")), DATA),
    "records behind a long link": (long_name("long", b"K"), pax(records(linkpath="records")), symlink("s", "t")),
    "global records behind a long name": (long_name("long"), pax(records(comment="c"), b"g"), DATA),
    "a long name at the end": (DATA, long_name("long")),
    "records at the end": (DATA, pax(records(path="records"))),
    "records filled with zeros": (pax(records(path="x") + bytes(20)), DATA),
    "nothing but zeros for records": (pax(bytes(20)), DATA),
    "a charset": (pax(records(hdrcharset="BINARY", path=b"caf\xe9")), DATA),
    "a negative time": (header("t", mtime=b"\xff" * 11 + b"\x9c"), DATA),
    "a time before 1970 in records": (pax(records(mtime="-1.5", atime="-1")), DATA),
    "numbers in base 256": (member("n", uid=b"\x80" + (3_000_000).to_bytes(7, "big"), magic=GNU), DATA),
    "the last owner that there is": (pax(records(uid="4294967294", gid="4294967294")), DATA),
    "a file twice": (member("a", b"1"), member("a", b"22", mode=0o600)),
    "a linked file twice": (member("a", b"1"), hard_link("b", "a"), member("a", b"2")),
    "a directory over a file": (member("a", b"1"), directory("a/"), member("a/b", b"2")),
    "a file over a directory": (directory("a/"), member("a", b"1")),
    "a symlink over a directory": (directory("a/"), symlink("a", "b")),
    "a directory over a symlink": (directory("b/"), symlink("a", "b"), directory("a/", 0o700), member("a/f", b"1")),
    "a file over a symlink": (member("b", b"B"), symlink("a", "b"), member("a", b"1")),
    "a file below a symlink": (directory("usr/lib/"), symlink("lib", "usr/lib"), member("lib/f", b"1")),
    "a directory below a symlink": (directory("usr/lib/"), symlink("lib", "usr/lib"), directory("lib/q/", 0o711)),
}
ENDS = {
    "two blocks": END,
    "one block": bytes(BLOCK),
    "no blocks": b"",
    "half a block more": bytes(BLOCK + 188),
    "a record": bytes(10240),
    "garbage": END + b"left over" * 1000,
    "another archive": END + member("z", b"z") + END,
    "a block between members": bytes(BLOCK) + member("z", b"z") + END,
}


@pytest.mark.tool
@pytest.mark.parametrize("oddity", ODD)
def test_oddities_are_what_gnu_tar_unpacks(oddity: str, tmp_path: Path) -> None:
    """What GNU tar unpacks without an error is the tree that it unpacks."""
    tar = tmp_path / "made.tar"
    tar.write_bytes(archive(*ODD[oddity]))
    assert read(tar) == unpacked(tar, tmp_path / "gnu", "tar")


@pytest.mark.tool
@pytest.mark.parametrize("end", ENDS)
def test_ends_are_what_gnu_tar_takes_for_the_end(end: str, tmp_path: Path) -> None:
    """An archive ends at the first block of zeros, or with the file; what is behind that is not read."""
    tar = tmp_path / "made.tar"
    tar.write_bytes(DATA + ENDS[end])
    found = read(tar)
    assert found == unpacked(tar, tmp_path / "gnu", "tar")
    assert set(found) == {"/", "/d"}


@pytest.mark.parametrize("end", ENDS)
def test_an_archive_behind_the_end_is_told(end: str, tmp_path: Path) -> None:
    """A note says so, and only then: archives that were put together lose all but the first."""
    (tmp_path / "made.tar").write_bytes(DATA + ENDS[end])
    with open_tarball(str(tmp_path / "made.tar"), "made.tar") as base:
        expected = ("another archive follows the end of the base's tarball and was ignored, as tar does",)
        assert base.notes == (expected if end in ("another archive", "a block between members") else ())


@pytest.mark.tool
def test_parts_of_an_archive_of_several_volumes(tmp_path: Path) -> None:
    """The second volume has all that begins in it, and a file whose begin is elsewhere; the first was cut short."""
    (tmp_path / "tree").mkdir()
    for name in "abc":
        (tmp_path / "tree" / name).write_bytes(name.encode() * 60_000)
    volumes = [tmp_path / f"{number}.tar" for number in (1, 2, 3)]
    command = [need_tool("tar"), "-C", str(tmp_path / "tree"), "-cM", "-L", "100", "-b", "1", "--format=gnu"]
    subprocess.run([*command, *(f"--file={volume}" for volume in volumes), "a", "b", "c"], check=True)
    with pytest.raises(ArchiveError, match="beyond the end of the file"):
        read(volumes[0])
    with open_tarball(str(volumes[1]), "2.tar") as base:
        assert base.listdir(RootPath("/")) == ("b", "c")
        parts = [base.lstat(RootPath(path)) for path in ("/b", "/c")]
        assert parts[0] is not None
        assert parts[0].content is not None
        with pytest.raises(InputError, match="goes on from another volume"):
            parts[0].content.open()
        assert parts[1] is not None
        assert parts[1].size == 60_000


NAMES = st.sampled_from(
    ["a", "b", "c/", "a/x", "a/y", "a/b/c", "/a", "./b", "//c", "a/./x", "l", "l/x", "l/m/n", "/", "./", "a-", "a-/x"]
)
TARGETS = st.sampled_from(["a", "b", "a/b", ".", "nowhere", "./c", "l"])
MODES = st.sampled_from([0o644, 0o755, 0o4711, 0o600])
MEMBERS = st.one_of(
    st.builds(
        lambda name, data, mode, kind: member(name, data, mode=mode, kind=kind),
        NAMES.filter(lambda name: not name.endswith("/")),
        st.sampled_from([b"", b"1", b"2" * 513]),
        MODES,
        st.sampled_from([b"0", b"0", b"\0", b"7", b"Z"]),
    ),
    st.builds(directory, NAMES, MODES),
    st.builds(symlink, NAMES, TARGETS),
    st.builds(hard_link, NAMES, st.one_of(NAMES, TARGETS, st.sampled_from(["/a", "../b"]))),
    st.builds(lambda name: pax(records(path=name, uid="3")), NAMES),
    st.builds(long_name, NAMES),
    st.just(header("dump", kind=b"D", size=11, magic=GNU) + padded(DUMP)),
)


@pytest.mark.tool
@settings(max_examples=150, deadline=None)
@given(st.lists(MEMBERS, min_size=1, max_size=6), st.sampled_from([*ENDS.values()]))
def test_any_members_are_what_gnu_tar_unpacks(
    tmp_path_factory: pytest.TempPathFactory, members: list[bytes], end: bytes
) -> None:
    """In any order, over and below each other: what GNU tar unpacks without an error is the tree that it unpacks."""
    place = tmp_path_factory.mktemp("any")
    tar = place / "made.tar"
    tar.write_bytes(b"".join(members) + end)
    try:
        theirs = unpacked(tar, place / "gnu", "tar")
    except subprocess.CalledProcessError:
        return
    if set(theirs) == {"/"} or members[-1][156:157] in b"xL":
        return  # minpack refuses what is empty, and what looks as if it was cut
    ours = read(tar)
    assert ours.keys() == theirs.keys()
    for path, one in ours.items():
        # GNU tar gives directories their modes late, also those that have become something else.
        other = theirs[path]._replace(mode=one.mode, uid=one.uid, gid=one.gid)
        assert one == other
