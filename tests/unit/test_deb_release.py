"""Debian's indexes: paragraphs, releases, packages, contents, and the tables that are made of them."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minpack.content import BytesReader
from minpack.deb import contents, table
from minpack.deb.contents import files_table, merged
from minpack.deb.control import MAX_PARAGRAPH, field_of, parse_paragraph, split_paragraphs
from minpack.deb.packages import DebianPackage, package_of, packages_table
from minpack.deb.release import parse_release, read_release
from minpack.deb.table import DebTable, build_table
from minpack.deb.trust import FINGERPRINTS, KEYRING, MAX_SIGNED, debian_keys, signed_text
from minpack.errors import PackageError, UntrustedPackageError
from support.debmaker import Archive, Deb, Key
from support.tools import need_tool

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY, OTHER = Key(), Key()


def opened(data: bytes) -> DebTable:
    """The table in `data`."""
    return DebTable(BytesReader(data), len(data))


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """`data` in pieces of `size` bytes."""
    return (data[at : at + size] for at in range(0, len(data), size))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_paragraphs_are_cut_wherever_the_pieces_end(size: int) -> None:
    """Where a piece ends has no meaning, nor have empty lines at both ends."""
    text = b"\n\nA: 1\nB: 2\n\n\n\nA: 3\n C\n\n"
    assert [p.strip(b"\n") for p in split_paragraphs(pieces(text, size), "x")] == [b"A: 1\nB: 2", b"A: 3\n C"]


def test_fields_have_all_lines_of_their_value() -> None:
    """A line that begins with a space goes on with the field before it (deb822(5))."""
    fields = parse_paragraph(b"A:  one \nLong: first\n second\n .\nEmpty:\n", "x")
    assert fields == {"A": "one ", "Long": "first\n second\n .", "Empty": ""}


@pytest.mark.parametrize("text", [b"is not a field", b" A: 1", b"A: 1\nA: 2", b"-A: 1", b"A b: 1", b"A: 1\n\x00: 2"])
def test_what_is_no_paragraph_is_refused(text: bytes) -> None:
    """Lines that are not fields, and fields that are there twice, are not guessed about."""
    with pytest.raises(PackageError, match=r"^cannot use here: .*( is not a field|duplicate field A)"):
        parse_paragraph(text, "here")


def test_a_paragraph_without_end_is_refused() -> None:
    """No index can make minpack hold more than one paragraph."""
    endless = (b"A" * (1 << 16) for _ in iter(int, 1))
    with pytest.raises(PackageError, match=f"more than {MAX_PARAGRAPH} bytes"):
        list(split_paragraphs(endless, "x"))


@given(st.dictionaries(st.sampled_from(["A", "Ab", "B", "Package"]), st.text("ab: ", max_size=5), min_size=1))
def test_one_field_is_what_the_whole_parse_has(fields: dict[str, str]) -> None:
    """The quick way to one field finds the same."""
    text = "".join(f"{name}: {value}\n" for name, value in fields.items()).encode()
    for name in ("A", "Ab", "B", "Package"):
        assert field_of(text, name.encode()).decode() == parse_paragraph(text, "x").get(name, "").strip()


@given(st.dictionaries(st.binary(max_size=4).filter(lambda key: b"\0" not in key), st.binary(max_size=4)))
def test_a_table_holds_what_it_was_made_of(records: dict[bytes, bytes]) -> None:
    """Every key is found with its value, no other one is, and prefixes are known."""
    made = opened(build_table(records))
    assert made.valid
    assert list(made.keys()) == sorted(records)
    for key, value in records.items():
        assert made.find(key) == value
        assert made.has_prefix(key[:2])
        assert made.find(key + b"x") == records.get(key + b"x")
    assert made.find(b"longer") is None


@given(st.binary(max_size=60))
def test_any_bytes_can_be_taken_for_a_table(data: bytes) -> None:
    """A damaged table finds nothing or something, and does nothing else."""
    for bytes_ in (data, table.MAGIC + data, build_table({b"a": b"b", b"c": b"d"})[: len(data)] + data):
        made = opened(bytes_)
        made.find(b"a")
        made.has_prefix(b"b")
    assert not opened(b"mptable0" + bytes(8)).valid


def test_a_packages_index_becomes_a_table() -> None:
    """Each package is found with what is needed to fetch it; of two versions the higher counts."""
    archive = Archive("bookworm", KEY)
    archive.add(Deb("zlib1g", {}), Deb("libc6", {}, "2.36-9"), Deb("libc6", {}, "2.36-10"), Deb("libc6", {}, "2.4-1"))
    import lzma

    text = lzma.decompress(archive.indexes()["main/binary-amd64/Packages.xz"])
    made = opened(packages_table(pieces(text, 100), "Packages"))
    record = made.find(b"libc6")
    assert record is not None
    deb = archive.packages[2]
    package = package_of("libc6", record)
    assert (package.version, package.path, package.size) == ("2.36-10", deb.path, len(deb.data))
    assert isinstance(package, DebianPackage)
    assert made.count == 2


STANZA = b"Package: a\nVersion: 1\nArchitecture: all\nFilename: pool/a.deb\nSize: 1\nSHA256: " + b"0" * 64


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"pool/a.deb", b"../../etc/passwd"),
        (b"pool/a.deb", b"/a.deb"),
        (b"pool/a.deb", b"http://example.org/a.deb"),
        (b"pool/a.deb", b"pool/a.deb?x#y"),
        (b"Size: 1", b"Size: -1"),
        (b"Size: 1", b"Size: " + b"9" * 5000),
        (b"0" * 64, b"0" * 63),
        (b"SHA256", b"MD5sum"),
        (b"Package: a", b"Package: ../a"),
        (b"Package: a", b"Package: A B"),
        (b"Version: 1", b"Version:"),
    ],
)
def test_a_package_that_cannot_be_is_refused(old: bytes, new: bytes) -> None:
    """No index leads out of the mirror, or to a package without a sum."""
    assert packages_table([STANZA], "x")
    with pytest.raises(PackageError, match=r"^cannot use x: what it says of package"):
        packages_table([STANZA.replace(old, new)], "x")


LINES = b"""\
bin/ls                                                  utils/coreutils
lib/tool/bin/helper                                     utils/tool
usr/lib/tool/bin/x86/helper                             utils/tool,utils/tool-old
usr/share/tool/bin/script                               utils/tool
usr/sbin/x/sub                                          utils/tool
lib/x86_64-linux-gnu/libz.so.1                          libs/zlib1g
lib64/ld-linux-x86-64.so.2                              libs/libc6
usr/lib/debug/libz.so.1                                 debug/zlib1g-dbg
usr/lib/python3/a.source                                python/a
usr/lib/x86_64-linux-gnu/libfoo.so\tlibdevel/libfoo-dev
usr/lib/x86_64-linux-gnu/libfoo.so.1 libs/libfoo1,non-free/libs/libfoo1-other,libs/libfoo1
usr/lib/x86_64-linux-gnu/my own/lib.so.1 with space.so.2 libs/spaced
usr/share/doc/x.so                                      doc/x
usr/lib/a.so.d/file                                     admin/d
usr/lib/b.so.d/mod.so                                   admin/d"""


@pytest.mark.parametrize("size", [1, 10, 77, 5000])
def test_contents_become_a_table_of_libraries_and_programs(size: int) -> None:
    """These alone are kept, at their path in a merged /usr, with the names of their packages."""
    made = opened(files_table(pieces(LINES, size), "Contents"))
    assert {key: made.find(key) for key in made.keys()} == {  # noqa: SIM118 - it is no dictionary
        b"/usr/bin/ls": b"coreutils",
        b"/usr/lib/b.so.d/mod.so": b"d",
        b"/usr/lib/tool/bin/x86/helper": b"tool,tool-old",
        b"/usr/sbin/x/sub": b"tool",
        b"/usr/lib/x86_64-linux-gnu/libfoo.so": b"libfoo-dev",
        b"/usr/lib/x86_64-linux-gnu/libfoo.so.1": b"libfoo1,libfoo1-other",
        b"/usr/lib/x86_64-linux-gnu/libz.so.1": b"zlib1g",
        b"/usr/lib/x86_64-linux-gnu/my own/lib.so.1 with space.so.2": b"spaced",
        b"/usr/lib64/ld-linux-x86-64.so.2": b"libc6",
    }
    assert merged(b"libexec/x") == b"/libexec/x"


@pytest.mark.parametrize("line", [b"/lib.so.1", b"usr/lib.so.1 libs/", b"usr/lib.so a,,b", b"usr/\0/lib.so a"])
def test_contents_that_cannot_be_are_refused(line: bytes) -> None:
    """A library without a package is a damaged line."""
    with pytest.raises(PackageError, match="not a file with its packages"):
        files_table([line], "x")


def test_contents_with_an_endless_line_are_refused() -> None:
    """No index can make minpack hold more than a line."""
    endless = (b"a.so/" * 10000 for _ in iter(int, 1))
    with pytest.raises(PackageError, match=f"a line of more than {contents.MAX_LINE} bytes"):
        files_table(endless, "x")


def test_a_signed_release_is_read() -> None:
    """Its dates can be compared, and its indexes have sizes and sums."""
    archive = Archive("bookworm", KEY)
    archive.valid_until = "Sun,  1 Nov 2026 00:00:00 UTC"
    release = read_release(archive.in_release(), KEY.keys, "InRelease")
    assert (release.codename, release.date, release.valid_until) == (
        "bookworm",
        "2026-11-21T09:15:44Z",
        "2026-11-01T00:00:00Z",
    )
    assert release.components == ("main",)
    index = release.find_index("main/Contents-amd64", ".xz", ".gz")
    assert index is not None
    assert index.path == "main/Contents-amd64.gz"
    assert index.size == len(archive.indexes()["main/Contents-amd64.gz"])
    assert release.find_index("main/Contents-arm64", ".gz") is None


def test_what_was_changed_is_not_trusted() -> None:
    """A letter changed, another key, a signature taken from elsewhere: refused, each in one line."""
    message = Archive("bookworm", KEY).in_release()
    text, signature = message.split(b"-----BEGIN PGP SIGNATURE-----")
    others = OTHER.sign(b"Codename: bookworm\n").split(b"-----BEGIN PGP SIGNATURE-----")[1]
    for bad, keys in (
        (message.replace(b"Codename: bookworm", b"Codename: bullseye"), KEY.keys),
        (message, OTHER.keys),
        (text + b"-----BEGIN PGP SIGNATURE-----" + others, KEY.keys),
        (text + b"-----BEGIN PGP SIGNATURE-----" + others, OTHER.keys),
        (text, KEY.keys),
        (message[: len(message) // 2], KEY.keys),
        (text + b"-----BEGIN PGP SIGNATURE-----" + signature[:100], KEY.keys),
        (message, {}),
    ):
        with pytest.raises(UntrustedPackageError) as caught:
            read_release(bad, keys, "http://mirror/InRelease")
        assert "\n" not in caught.value.message
        assert "backtrace" not in caught.value.message
        assert caught.value.hint


def test_only_what_was_signed_is_read() -> None:
    """Text before and behind the signed message is not part of it."""
    message = KEY.sign(b"Signed: yes\n")
    assert signed_text(message + b"\nAdded: later\n", KEY.keys, "x").strip() == b"Signed: yes"
    with pytest.raises(PackageError, match="no inline signature"):
        signed_text(b"Added: before\n\n" + message, KEY.keys, "x")
    for bad in (b"", b"Codename: bookworm\n", b"<html>", message + bytes(MAX_SIGNED)):
        with pytest.raises(PackageError, match="no inline signature"):
            signed_text(bad, KEY.keys, "x")


def test_a_key_under_another_ones_name_is_refused() -> None:
    """What counts is the fingerprint of the key itself."""
    (mine,), (others,) = KEY.keys, OTHER.keys
    with pytest.raises(PackageError, match="the file holds another key"):
        signed_text(OTHER.sign(b"A: 1\n"), {mine: OTHER.keys[others]}, "x")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"Codename:", b"Code:", "no field Codename"),
        (b"SHA256:", b"SHA1:", "no field SHA256"),
        (b"Sat, 21 Nov 2026", b"21.11.2026", "not a date"),
        (b"Nov", b"Nev", "not a date"),
        (b"main/Contents", b"../main/Contents", "not a file with its sum"),
        (b"main/Contents", b"/main/Contents", "not a file with its sum"),
        (b"Suite:", b"\nSuite", "not a field"),
    ],
)
def test_a_release_that_cannot_be_is_refused(old: bytes, new: bytes, reason: str) -> None:
    """Even a signed one must make sense."""
    text = Archive("bookworm", KEY).release()
    assert parse_release(text, "x")
    with pytest.raises(PackageError, match=reason):
        parse_release(text.replace(old, new), "x")


def test_debians_keys_are_those_of_its_keyring() -> None:
    """Each file holds the one key whose fingerprint is pinned, it expires in years, and it can sign no secrets away."""
    from datetime import UTC, datetime

    from pysequoia import Cert

    keys = debian_keys()
    assert set(keys) == set(FINGERPRINTS.values())
    for fingerprint, armoured in keys.items():
        assert armoured.startswith(b"-----BEGIN PGP PUBLIC KEY BLOCK-----")
        certificate = Cert.from_bytes(armoured)
        assert certificate.fingerprint.lower() == fingerprint
        assert certificate.expiration is not None
        assert certificate.expiration > datetime(2031, 1, 1, tzinfo=UTC)
    assert re.fullmatch("[0-9a-f]{64}", KEYRING[2])


@pytest.mark.tool
def test_gnupg_knows_the_same_fingerprints() -> None:
    """Another reader of keys finds the same ones in the files."""
    gpg = need_tool("gpg")
    for fingerprint, armoured in debian_keys().items():
        done = subprocess.run(
            [gpg, "--batch", "--with-colons", "--show-keys"], input=armoured, capture_output=True, check=True
        )
        primary = next(line for line in done.stdout.decode().splitlines() if line.startswith("fpr:"))
        assert primary.split(":")[9].lower() == fingerprint
