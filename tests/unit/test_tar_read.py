"""Reading a tar's headers: as tarfile does where a tar is sound, and with one clear error where it is not."""

from __future__ import annotations

import gzip
import os
import subprocess
import tarfile
import tracemalloc
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minpack.content import BytesContent, FileContent
from minpack.errors import ArchiveError
from minpack.rootfs.entry import Kind
from minpack.tar import read
from minpack.tar.read import Member, read_members
from support import tarmaker
from support.capabilities import NET_RAW, capability
from support.tarmaker import (
    GNU,
    USTAR,
    V7,
    archive,
    hard_link,
    header,
    long_name,
    member,
    pax,
    record,
    records,
    symlink,
)
from support.tools import need_tool
from support.trees import bsd_tar, gnu_tar, make_tree

if TYPE_CHECKING:
    from pathlib import Path

TARBALLS = (
    "alpine-minirootfs-20240923-x86_64.tar.gz",
    "alpine-minirootfs-3.20.3-aarch64.tar.gz",
    "alpine-minirootfs-3.20.3-armv7.tar.gz",
    "alpine-minirootfs-3.20.3-riscv64.tar.gz",
    "alpine-minirootfs-3.20.3-s390x.tar.gz",
    "alpine-minirootfs-3.20.3-x86.tar.gz",
    "alpine-minirootfs-3.20.3-x86_64.tar.gz",
    "busybox-musl-amd64.tar.gz",
)
KINDS = {
    tarfile.REGTYPE: Kind.FILE,
    tarfile.AREGTYPE: Kind.FILE,
    tarfile.DIRTYPE: Kind.DIRECTORY,
    tarfile.SYMTYPE: Kind.SYMLINK,
    tarfile.LNKTYPE: Kind.HARDLINK,
    tarfile.FIFOTYPE: Kind.SPECIAL,
    tarfile.CHRTYPE: Kind.SPECIAL,
    tarfile.BLKTYPE: Kind.SPECIAL,
}


OTHER = capability(permitted=(21,))


def members_of(data: bytes) -> list[Member]:
    """The members of a tar in memory."""
    return list(read_members(BytesContent(data), "base.tar"))


def refused(data: bytes) -> str:
    """Why a tar is refused."""
    with pytest.raises(ArchiveError) as caught:
        members_of(data)
    assert caught.value.base == "base.tar"
    assert caught.value.hint
    return caught.value.reason


def as_tarfile_has_them(path: Path) -> list[tuple[str, Kind, int, int, int, int, int, str]]:
    """The members as Python's tarfile reads them."""
    with tarfile.open(path, "r:") as tar:
        return [
            (
                info.name.rstrip("/"),
                KINDS[info.type],
                info.mode & 0o7777,
                info.uid,
                info.gid,
                info.size if info.isreg() else 0,
                info.offset_data,
                info.linkname,
            )
            for info in tar
        ]


def as_minpack_has_them(path: Path) -> list[tuple[str, Kind, int, int, int, int, int, str]]:
    """The members as minpack reads them."""
    content = FileContent(str(path), path.stat().st_size)
    return [(m.name.rstrip("/"), *m[1:8]) for m in read_members(content, path.name)]


@pytest.mark.data
@pytest.mark.parametrize("name", TARBALLS)
def test_real_tarballs_read_as_by_tarfile(name: str, data: Path, tmp_path: Path) -> None:
    """Every member of every real base has the name, kind, mode, owner, size, place and link that tarfile finds."""
    tar = tmp_path / "base.tar"
    tar.write_bytes(gzip.decompress((data / "bases" / name).read_bytes()))
    found = as_minpack_has_them(tar)
    assert len(found) > 400
    assert found == as_tarfile_has_them(tar)


@pytest.mark.tool
@pytest.mark.parametrize("form", ["v7", "oldgnu", "gnu", "ustar", "pax"])
def test_formats_of_gnu_tar_read_as_by_tarfile(form: str, tmp_path: Path) -> None:
    """Every format that GNU tar writes is read as tarfile reads it, long names and hard links included."""
    rich = form in ("oldgnu", "gnu", "pax")
    tree = make_tree(tmp_path / "tree", rich=rich)
    tar = gnu_tar(tree, tmp_path / "tree.tar", f"--format={form}")
    found = as_minpack_has_them(tar)
    assert found == as_tarfile_has_them(tar)
    assert len(found) == 1 + sum(len(names) + len(files) for _, names, files in os.walk(tree))


@pytest.mark.tool
@pytest.mark.parametrize("form", ["ustar", "pax", "gnutar"])
def test_formats_of_libarchive_read_as_by_tarfile(form: str, tmp_path: Path) -> None:
    """Every format that libarchive's tar writes is read as tarfile reads it."""
    tree = make_tree(tmp_path / "tree", rich=form != "ustar")
    tar = bsd_tar(tree, tmp_path / "tree.tar", f"--format={form}")
    assert as_minpack_has_them(tar) == as_tarfile_has_them(tar)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_formats_of_tarfile_read_as_by_tarfile(form: int, tmp_path: Path) -> None:
    """Every format that tarfile writes is read as it reads them."""
    tar = tmp_path / "tree.tar"
    with tarfile.open(tar, "w", format=form) as out:
        out.add(make_tree(tmp_path / "tree", rich=form != tarfile.USTAR_FORMAT), ".")
    assert as_minpack_has_them(tar) == as_tarfile_has_them(tar)


@pytest.mark.tool
@pytest.mark.parametrize("options", [("--format=gnu",), ("--format=pax",), ("--format=pax", "--sparse-version=0.0")])
def test_sparse_files_are_refused(options: tuple[str, ...], tmp_path: Path) -> None:
    """A sparse member, in each way GNU tar writes one, is refused as sparse."""
    (tmp_path / "tree").mkdir()
    with (tmp_path / "tree" / "holes").open("wb") as file:
        file.truncate(1 << 20)
        file.seek(1 << 19)
        file.write(b"data")
    tar = gnu_tar(tmp_path / "tree", tmp_path / "tree.tar", "--sparse", *options)
    assert "sparse" in refused(tar.read_bytes())


@pytest.mark.tool
def test_volume_labels_are_passed_over(tmp_path: Path) -> None:
    """A label is not a member, in GNU's format and in pax."""
    tree = make_tree(tmp_path / "tree")
    plain = [m[:6] for m in members_of(gnu_tar(tree, tmp_path / "plain.tar").read_bytes())]
    for form in ("gnu", "pax"):
        labelled = gnu_tar(tree, tmp_path / f"{form}.tar", f"--format={form}", "--label=a label")
        assert [m[:6] for m in members_of(labelled.read_bytes())] == plain


@pytest.mark.tool
def test_incremental_archives_are_refused(tmp_path: Path) -> None:
    """What GNU tar --listed-incremental writes has members that are not files, and is refused."""
    tree = make_tree(tmp_path / "tree")
    tar = gnu_tar(tree, tmp_path / "tree.tar", "--format=gnu", f"--listed-incremental={tmp_path}/snapshot")
    assert "incremental" in refused(tar.read_bytes())


def test_sparse_pax_records_are_refused() -> None:
    """Pax records of sparse files are refused, since the member's data is not the file's."""
    data = archive(pax(records(GNU__sparse__major="1", GNU__sparse__name="real")), member("GNUSparseFile.0/x", b"abc"))
    assert "sparse" in refused(data)


@pytest.mark.parametrize("kind", [b"0", b"\0", b"7"])
def test_old_types_of_files_are_files(kind: bytes) -> None:
    """The types of plain, of old and of contiguous files all have data."""
    (found,) = members_of(archive(member("f", b"abc", kind=kind)))
    assert (found.kind, found.size, found.start) == (Kind.FILE, 3, 512)


@pytest.mark.parametrize("kind", [b"3", b"4", b"6"])
def test_device_nodes_and_fifos_are_special(kind: bytes) -> None:
    """Devices and FIFOs are known to be special, and have no data."""
    found = members_of(archive(header("dev/x", kind=kind), member("f", b"abc")))
    assert [m.kind for m in found] == [Kind.SPECIAL, Kind.FILE]


def test_a_name_with_a_slash_was_a_directory_before_there_was_a_type() -> None:
    """A v7 header whose name ends with a slash is a directory; a file with data may not be called so."""
    (found,) = members_of(archive(header("d/", kind=b"\0", magic=V7)))
    assert found.kind is Kind.DIRECTORY
    assert "ends with a slash" in refused(archive(member("d/", b"abc")))


def test_a_prefix_comes_before_the_name_in_ustar_alone() -> None:
    """The prefix field is part of the name in ustar; GNU's format keeps times there, and v7 has none."""
    (ustar,) = members_of(archive(header("name", prefix=b"some/where", magic=USTAR)))
    assert ustar.name == "some/where/name"
    for magic in (GNU, V7):
        (other,) = members_of(archive(header("name", prefix=b"01234567012", magic=magic)))
        assert other.name == "name"


def test_names_that_fill_their_fields_have_no_nul() -> None:
    """A name of 100 bytes, a prefix of 155 and a link of 100 are read whole."""
    (found,) = members_of(archive(header("n" * 100, prefix=b"p" * 155, link="l" * 100, kind=b"2")))
    assert (found.name, found.link) == ("p" * 155 + "/" + "n" * 100, "l" * 100)


def test_numbers_in_base_256_are_read() -> None:
    """Sizes and owners too large for octal are read from GNU's binary form."""
    owner = b"\x80" + (3_000_000_000).to_bytes(7, "big")
    size = b"\x80" + (3).to_bytes(11, "big")
    (found,) = members_of(archive(member("f", b"abc", uid=owner, gid=owner, size=size, magic=GNU)))
    assert (found.uid, found.gid, found.size) == (3_000_000_000, 3_000_000_000, 3)


@pytest.mark.parametrize("field", [b"0000644\0", b"   644 \0", b"644\0", b"000644 ", b"0000644 ", b"644\0junk"])
def test_octal_numbers_are_read_however_they_are_padded(field: bytes) -> None:
    """Spaces or zeros before, a space or a NUL behind: all were written by some tar."""
    (found,) = members_of(archive(header("f", mode=field)))
    assert found.mode == 0o644


def test_blank_numbers_are_zero() -> None:
    """A field of NULs or of spaces is 0."""
    (found,) = members_of(archive(header("d", kind=b"5", mode=bytes(8), uid=b" " * 8, gid=bytes(8), size=bytes(12))))
    assert found[2:6] == (0, 0, 0, 0)


@pytest.mark.parametrize(
    "field", [b"-000001\0", b"0x10\0", b"1_0\0", b"+7\0", b"0o17\0", b"9\0", b"\xff" * 8, b"\xb2\0"]
)
def test_numbers_that_are_none_or_negative_are_refused(field: bytes) -> None:
    """What Python alone would take for a number, what is not octal, and what is negative is refused."""
    reason = refused(archive(header("some/file", mode=field)))
    assert "mode" in reason
    assert "some/file" in reason


def test_signed_sums_are_good_too() -> None:
    """A header summed as signed bytes, as some old tars did, is taken."""
    plain = header("größe")
    block = bytearray(plain)
    block[148:156] = b" " * 8
    signed = sum(byte - 256 if byte > 127 else byte for byte in block)
    (found,) = members_of(archive(header("größe", checksum=b"%06o\0 " % signed)))
    assert found.name == "größe"


def test_a_wrong_sum_is_refused_with_its_offset() -> None:
    """The error says where the header is."""
    data = archive(member("first", b"x" * 600), header("second", checksum=b"000001\0 "))
    assert "wrong checksum (at offset 1536)" in refused(data)


def test_names_that_are_no_utf8_keep_their_bytes() -> None:
    """Bytes that are not UTF-8 come back as surrogate escapes, in headers, in pax and in GNU's long names."""
    raw = b"caf\xe9"
    escaped = raw.decode("utf-8", "surrogateescape")
    for data in (header(raw), pax(records(path=raw)) + header("x"), long_name(raw) + header("x")):
        (found,) = members_of(archive(data))
        assert found.name == escaped


def test_pax_records_win_over_the_header() -> None:
    """Path, link, size and owner of an extended header are the member's; others are passed over."""
    told = records(
        path="real/name", linkpath="target", uid="70000", gid="80000", mtime="1.5", SCHILY__xattr__user__a="b"
    )
    found = members_of(archive(pax(told), header("x", kind=b"2", link="y"), header("after")))
    assert (found[0].name, found[0].link, found[0].uid, found[0].gid) == ("real/name", "target", 70000, 80000)
    assert (found[0].at, found[1].name, found[1].uid) == (0, "after", 0)


def test_a_size_in_pax_says_how_much_data_there_is() -> None:
    """The size of an extended header, not the header's own, tells where the next member is."""
    found = members_of(archive(pax(records(size="700")), header("big") + tarmaker.padded(b"x" * 700), header("next")))
    assert [(m.name, m.size) for m in found] == [("big", 700), ("next", 0)]


@pytest.mark.parametrize(
    ("records", "expected", "attributes"),
    [
        (((b"SCHILY.xattr.security.capability", NET_RAW),), NET_RAW, ()),
        (((b"LIBARCHIVE.xattr.security.capability", b64encode(NET_RAW)),), NET_RAW, ()),
        (((b"LIBARCHIVE.xattr.security.capability", b64encode(NET_RAW).rstrip(b"=")),), NET_RAW, ()),
        (
            (
                (b"SCHILY.xattr.security.capability", NET_RAW),
                (b"LIBARCHIVE.xattr.security.capability", b64encode(OTHER)),
            ),
            NET_RAW,
            (),
        ),
        (
            (
                (b"LIBARCHIVE.xattr.security.capability", b64encode(OTHER)),
                (b"SCHILY.xattr.security.capability", NET_RAW),
            ),
            NET_RAW,
            (),
        ),
        (((b"SCHILY.xattr.security.capability", b"nonsense"),), b"", ("security.capability",)),
        (((b"LIBARCHIVE.xattr.security.capability", b"*" * 9),), b"", ("security.capability",)),
        (((b"LIBARCHIVE.xattr.security.capability", b"=="),), b"", ("security.capability",)),
        (((b"SCHILY.xattr.user.a", b"1"), (b"LIBARCHIVE.xattr.user.a", b"MQ")), b"", ("user.a",)),
        (((b"SCHILY.xattr.user.a", b"1"), (b"SCHILY.xattr.user.b", b"2")), b"", ("user.a", "user.b")),
        (((b"SCHILY.xattr.user.\xff", b"1"),), b"", ("user.\\xff",)),
    ],
)
def test_extended_attributes(
    records: tuple[tuple[bytes, bytes], ...], expected: bytes, attributes: tuple[str, ...]
) -> None:
    """Capabilities are read in both forms, the plain one first, and others are known by name."""
    data = pax(b"".join(record(key, value) for key, value in records)) + member("a", mode=0o755) + member("b")
    first, second = members_of(archive(data))
    assert (first.capability, first.attributes) == (expected, attributes)
    assert (second.capability, second.attributes) == (b"", ())


def test_an_empty_pax_value_takes_back_what_was_said() -> None:
    """With an empty value the header's own field counts again, also against a global header."""
    data = archive(
        pax(records(uid="5", gid="6"), b"g"), pax(records(uid="", path="")), header("own", uid=7), header("next")
    )
    first, second = members_of(data)
    assert (first.name, first.uid, first.gid) == ("own", 7, 6)
    assert (second.uid, second.gid) == (5, 6)


def test_a_global_header_may_say_owners_alone() -> None:
    """Comments are passed over, and a name for all members is refused."""
    (found,) = members_of(archive(pax(records(comment="0123abcd"), b"g"), header("f")))
    assert found.name == "f"
    assert "global" in refused(archive(pax(records(path="same"), b"g"), header("f")))
    assert "global" in refused(archive(long_name("n"), pax(records(uid="1"), b"g"), header("f")))


def test_long_names_of_gnu_are_the_members() -> None:
    """Names and links longer than the field come from the headers before, up to their NUL."""
    name, link = "n/" * 200 + "end", "../" * 100
    data = archive(long_name(link, b"K"), long_name(name), symlink("n/n", "../"), header("after"))
    found = members_of(data)
    assert (found[0].name, found[0].link, found[0].at) == (name, link, 0)
    assert found[1].name == "after"


@pytest.mark.parametrize(
    "data",
    [
        long_name("a") + long_name("b") + header("x"),
        pax(records(path="a")) + pax(records(path="b")) + header("x"),
        pax(records(path="a")) + long_name("b") + header("x"),
        long_name("b") + pax(records(path="a")) + header("x"),
        long_name("b", b"K") + pax(records(linkpath="a")) + symlink("x", "y"),
    ],
)
def test_two_names_for_one_member_are_refused(data: bytes) -> None:
    """Readers disagree on which of two counts, so neither does."""
    assert "one member has two" in refused(archive(data))


@pytest.mark.parametrize(
    "told",
    [
        b"99 path=x\n",
        b"9999999 path=x\n",
        b"99999999999999999999999 path=x\n",
        b"0 path=x\n",
        b"5 path=x\n",
        b"1 \n",
        b"-9 path=x\n",
        b"path=x\n",
        b" 9 path=x\n",
        b"9 pathxx\n",
        b"10 path=x\nz",
        b"\xb2 path=x\n",
        bytes(20),
    ],
)
def test_false_pax_records_are_refused(told: bytes) -> None:
    """A record whose length is a lie, no number, or not followed by what it should be is refused."""
    assert "false record" in refused(archive(pax(told), header("f")))


@pytest.mark.parametrize(("key", "value"), [(b"size", b"-1"), (b"size", b"1e3"), (b"uid", b"x"), (b"gid", b"9" * 5000)])
def test_false_numbers_in_pax_are_refused(key: bytes, value: bytes) -> None:
    """A number that is none, negative, or longer than any is refused."""
    assert key.decode() in refused(archive(pax(record(key, value)), header("f")))


def test_owners_that_no_user_has_are_refused() -> None:
    """An owner of more than 32 bits is refused."""
    assert "owner" in refused(archive(pax(records(uid="4294967295")), header("f")))


@pytest.mark.parametrize("size", [10**6, 0o77777777777, b"\x80" + b"\x7f" * 11])
def test_a_size_beyond_the_file_is_refused(size: int | bytes) -> None:
    """A file's size is bounded by the tar's: a huge one is refused with the member's name and offset."""
    reason = refused(archive(header("first"), member("second", b"abc", size=size)))
    assert "beyond the end" in reason
    assert "member 'second' at offset 512" in reason


def test_a_size_in_pax_beyond_the_file_is_refused() -> None:
    """So it is with a size that an extended header gives, and the offset is that one's."""
    reason = refused(archive(pax(records(size="99999999999999999999")), header("f")))
    assert "member 'f' at offset 0" in reason


@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K"])
def test_huge_extended_headers_are_refused_unread(kind: bytes) -> None:
    """A long name of a gigabyte is refused before memory is taken for it."""
    tracemalloc.start()
    try:
        assert "too large" in refused(archive(header("x", kind=kind, size=1 << 30)))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_all_extended_headers_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many extended headers, each small enough, are refused when they are too much together."""
    monkeypatch.setattr(read, "MAX_ALL_EXTENDED", 1000)
    told = records(comment="c" * 400)
    assert len(members_of(archive(pax(told), header("a"), pax(told), header("b")))) == 2
    assert "too large" in refused(archive(*(pax(told) + header(name) for name in "abc")))


def test_the_number_of_records_is_bounded() -> None:
    """A header of a thousand records is read, one more is refused."""
    told = record(b"a", b"") * 999 + records(path="real")
    assert members_of(archive(pax(told), header("f")))[0].name == "real"
    assert "more than 1000 records" in refused(archive(pax(told + record(b"a", b"")), header("f")))


def test_the_number_of_headers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tar of more headers than any root file system has is refused."""
    monkeypatch.setattr(read, "MAX_HEADERS", 5)
    assert len(members_of(archive(*(header(name) for name in "abcd")))) == 4
    assert "more than 5 headers" in refused(archive(*(header(name) for name in "abcdef")))


@pytest.mark.parametrize("kind", [b"x", b"L"])
def test_an_extended_header_with_nothing_behind_it_is_refused(kind: bytes) -> None:
    """The end right after an extended header is a cut, with and without end blocks."""
    last = pax(records(path="a")) if kind == b"x" else long_name("a")
    assert "no member behind it (at offset 512)" in refused(archive(header("f"), last))
    assert "no member behind it (at offset 512)" in refused(header("f") + last)


@pytest.mark.parametrize(
    ("kind", "what"), [(b"S", "sparse"), (b"M", "volume"), (b"D", "incremental"), (b"X", "Solaris")]
)
def test_kinds_that_are_not_read_are_refused_by_name(kind: bytes, what: str) -> None:
    """Each is refused with what it is, and the hint says how to make the tar."""
    with pytest.raises(ArchiveError, match=what) as caught:
        members_of(archive(header("f", kind=kind)))
    assert caught.value.hint is not None
    assert "--format=pax" in caught.value.hint


def test_unknown_kinds_are_refused() -> None:
    """A type that nobody knows is refused."""
    assert "type 'Z' is not known" in refused(archive(header("f", kind=b"Z")))


def test_a_tar_may_end_at_any_boundary() -> None:
    """End blocks may be two, one, none, or followed by anything, as tapes are."""
    first = member("f", b"abc")
    for end in (b"", bytes(512), bytes(1024), bytes(10240), bytes(1024) + b"left over" * 1000, bytes(700)):
        assert [m.name for m in members_of(first + end)] == ["f"]


def test_a_single_zero_block_between_members_is_refused() -> None:
    """Some readers stop there and others go on, so it is an error."""
    assert "empty block" in refused(header("a") + bytes(512) + header("b") + bytes(1024))


def test_a_tar_that_is_cut_anywhere_else_is_refused() -> None:
    """Every cut that is not at a boundary of two members is an error, and never a shorter list."""
    data = archive(
        header("a"), member("b", b"x" * 700), pax(records(path="c" * 120)), member("c", b"y"), hard_link("d", "a")
    )
    whole = [m.name for m in members_of(data)]
    ends = {0: 0, 512: 1, 2048: 2, 4096: 3, 4608: 4}
    for cut in range(0, len(data) + 1, 16):
        if cut in ends:
            assert [m.name for m in members_of(data[:cut])] == whole[: ends[cut]]
        elif cut > 4608 and (cut - 4608) < 512:
            refused(data[:cut])
        elif cut > 4608:
            assert [m.name for m in members_of(data[:cut])] == whole
        else:
            refused(data[:cut])


def test_directories_and_links_have_no_data_whatever_their_size() -> None:
    """A size written for what has no data is passed over, as Go's and Python's readers do."""
    data = archive(header("d", kind=b"5", size=5000), header("l", kind=b"1", size=77, link="d"), header("f"))
    assert [(m.name, m.size) for m in members_of(data)] == [("d", 0), ("l", 0), ("f", 0)]


def test_long_names_are_shortened_in_errors() -> None:
    """An error never is as long as a hostile name."""
    assert len(refused(archive(long_name("n" * 5000), header("x", kind=b"Z")))) < 200


SMALL = archive(
    header("./", kind=b"5", mode=0o755),
    member("./etc/passwd", b"root:x:0:0\n" * 60),
    pax(records(path="./" + "p" * 120, SCHILY__xattr__user__x="y", mtime="1.25")),
    member("short", b"data"),
    long_name("./" + "l" * 130),
    header("cut", magic=GNU),
    symlink("./bin/sh", "busybox"),
    hard_link("./etc/again", "./etc/passwd"),
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.integers(0, 255)), min_size=1, max_size=8),
    st.integers(0, len(SMALL)),
    st.booleans(),
)
def test_damage_gives_members_or_one_clear_error(changes: list[tuple[int, int]], cut: int, mend: bool) -> None:
    """Whatever bytes are changed, with sums mended or not: members within the file, or ArchiveError."""
    data = bytearray(SMALL)
    for at, value in changes:
        data[at] = value
        if mend:
            mend_sum(data, at // 512 * 512)
    cut_data = bytes(data[: len(data) - cut // 16])
    found, message = [], ""
    try:
        found = members_of(cut_data)
    except ArchiveError as error:
        message = error.message
    assert len(message) < 1000
    assert all(0 <= m.at <= m.start <= m.start + m.size <= len(cut_data) for m in found)


def mend_sum(data: bytearray, at: int) -> None:
    """Write the right sum into the block at `at`."""
    data[at + 148 : at + 156] = b" " * 8
    data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + 512])


@pytest.mark.tool
def test_a_tar_that_was_piped_reads_the_same(tmp_path: Path) -> None:
    """What tar writes to a pipe, cut to its last member, reads as the whole."""
    tree = make_tree(tmp_path / "tree")
    piped = subprocess.run([need_tool("tar"), "-C", str(tree), "-c", "."], check=True, stdout=subprocess.PIPE).stdout
    found = members_of(piped)
    last = found[-1]
    end = last.start + (last.size + 511) // 512 * 512
    assert members_of(piped[:end]) == found
