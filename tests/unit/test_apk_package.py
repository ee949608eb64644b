"""Packages and indexes of apk v2: real ones are read; what is not as signed is refused, each for its own reason."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minpack.apk.checksum import Checksum, parse_checksum
from minpack.apk.index import verify_index
from minpack.apk.package import open_package
from minpack.apk.signature import Key
from minpack.content import BytesContent, FileContent, read_all
from minpack.errors import PackageError, UntrustedPackageError
from minpack.rootfs.entry import Kind
from support import apkmaker
from support.apkmaker import Item, file, folder, link, make_index, make_package, signing_key, streams_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from minpack.apk.control import Control

KEY = signing_key()
TRUSTED = (KEY.public,)
LIBRARY = [
    folder("usr"),
    folder("usr/lib"),
    link("usr/lib/libfoo.so.1", "libfoo.so.1.2"),
    file("usr/lib/libfoo.so.1.2", b"a library" * 100, 0o755),
]


def opened(data: bytes, keys: Sequence[Key] | None = TRUSTED) -> Control:
    """The control of the package in `data`."""
    with open_package(BytesContent(data), keys, "package test.apk", "/tmp") as package:
        return package.control


def keys_in(directory: Path) -> tuple[Key, ...]:
    """The public keys in a directory."""
    return tuple(Key(path.name, path.read_bytes()) for path in sorted(directory.glob("*.rsa.pub")))


# --- real ones


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "keys", "count", "signer"),
    [
        ("index/v3.21-main-x86_64", "keys", 5536, "alpine-devel@lists.alpinelinux.org-6165ee59.rsa.pub"),
        ("index/v3.21-community-x86_64", "keys", 19855, "alpine-devel@lists.alpinelinux.org-6165ee59.rsa.pub"),
        ("index/three-signatures", "keys/chainguard", 16, "chainguard-"),
        ("repository/x86_64/", "repository", 4, "melange.rsa.pub"),
    ],
)
def test_real_indexes_are_verified(data: Path, name: str, keys: str, count: int, signer: str) -> None:
    """Every package of Alpine's own indexes is understood, and the signer is named."""
    path = data / "apk" / (f"{name}APKINDEX.tar.gz" if name.endswith("/") else f"{name}.APKINDEX.tar.gz")
    index = verify_index(path.read_bytes(), keys_in(data / "apk" / keys), path.name)
    records = list(index.records())
    assert len(records) == count
    assert index.signed_by.name.startswith(signer)
    assert all(record.installable and record.control_sum is not None and record.size for record in records)
    assert all(len(record.depends) == len(record.depend.split()) for record in records)


@pytest.mark.data
def test_an_index_is_read_in_full(data: Path) -> None:
    """All that an index says of a package is there."""
    path = data / "apk" / "index" / "v3.21-main-x86_64.APKINDEX.tar.gz"
    index = verify_index(path.read_bytes(), keys_in(data / "apk" / "keys"), path.name)
    assert index.description == "v3.21.0-197-g4f00155baf4"
    record = next(index.records())
    assert (record.name, record.version, record.arch, record.size) == ("7zip", "24.08-r0", "x86_64", 906511)
    assert (record.installed_size, record.built, record.provider_priority) == (1763704, 1732266688, 100)
    assert (record.license, record.origin, record.url) == ("LGPL-2.0-only", "7zip", "https://7-zip.org/")
    assert record.commit == "f34d70b4e86dd0e938070f67db46aaa4cf68db11"
    assert [d.name for d in record.depends] == ["so:libc.musl-x86_64.so.1", "so:libgcc_s.so.1", "so:libstdc++.so.6"]
    assert ("p7zip", "24.08-r0") in record.provides
    assert ("7zip-virtual", "") in record.provides
    assert record.file_name == "7zip-24.08-r0.apk"


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "identity", "files"),
    [
        ("packages/alpine-baselayout-3.2.0-r23.apk", ("alpine-baselayout", "3.2.0-r23"), 83),
        ("packages/apk-tools-static-2.14.0-r2.apk", ("apk-tools-static", "2.14.0-r2"), 3),
        ("packages/busybox-static.apk", ("busybox-static", "1.36.1-r21"), 2),
        ("repository/x86_64/replayout-1.0.0-r0.apk", ("replayout", "1.0.0-r0"), 7),
        ("repository/x86_64/custom-ca-certs-1-1.0.0-r0.apk", ("custom-ca-certs-1", "1.0.0-r0"), 11),
    ],
)
def test_real_packages_are_verified(data: Path, name: str, identity: tuple[str, str], files: int) -> None:
    """Packages signed by Alpine (RSA) and by others (RSA256) are read, and hold what tarfile finds in them."""
    path = data / "apk" / name
    keys = (*keys_in(data / "apk" / "keys"), *keys_in(data / "apk" / "repository"))
    with open_package(FileContent(str(path), path.stat().st_size), keys, path.name, "/tmp") as package:
        assert (package.control.name, package.control.version) == identity
        assert len(package.files) == files
        with tarfile.open(path) as tar:
            for found in package.files:
                if found.entry.content is not None:
                    member = tar.extractfile(found.entry.path[1:])
                    assert member is not None
                    assert read_all(found.entry.content, 1 << 30) == member.read()


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("unsigned.apk", "it is not signed"),
        ("unsigned-2.apk", "it is not signed"),
        (
            "wrong-key-of-the-right-name.apk",
            "it is signed by another key that has the same name as the trusted melange.rsa.pub",
        ),
        (
            "unknown-key/bazel4-doc-4.1.0-r0.apk",
            "it is signed by alpine-infra@lists.alpinelinux.org-60d48dd7.rsa.pub, and no trusted key has that name",
        ),
        ("datahash-mismatch.apk", "it is signed by wolfi-signing.rsa.pub, and no trusted key has that name"),
    ],
)
def test_real_bad_packages_are_refused(data: Path, name: str, reason: str) -> None:
    """Each is refused for its own reason."""
    path = data / "apk" / "bad" / name
    keys = (*keys_in(data / "apk" / "keys"), *keys_in(data / "apk" / "repository"))
    with pytest.raises(UntrustedPackageError) as caught:
        opened(path.read_bytes(), keys)
    assert str(caught.value) == f"cannot use package test.apk: {reason}"


@pytest.mark.data
def test_a_real_package_with_other_data_is_refused(data: Path) -> None:
    """Whoever signed it: what its control does not name is not taken."""
    path = data / "apk" / "bad" / "datahash-mismatch.apk"
    with pytest.raises(PackageError, match="its data is not what its control names"):
        opened(path.read_bytes(), None)


@pytest.mark.data
def test_a_real_index_by_an_unknown_key_is_refused(data: Path) -> None:
    """It is signed well, by nobody we know."""
    path = data / "apk" / "bad" / "unknown-key" / "APKINDEX.tar.gz"
    with pytest.raises(UntrustedPackageError, match=r"60d48dd7\.rsa\.pub, and no trusted key has that name"):
        verify_index(path.read_bytes(), keys_in(data / "apk" / "keys"), "index")


# --- made ones


@pytest.mark.parametrize("algorithm", ["RSA", "RSA256", "RSA512"])
def test_every_algorithm_is_verified(algorithm: str) -> None:
    """SHA-1, SHA-256 and SHA-512 with RSA are what apk-tools knows; one good signature of several is enough."""
    made = make_package("libfoo", "1.2-r0", LIBRARY, keys=(KEY,), algorithm=algorithm)
    assert opened(made.data).name == "libfoo"
    others = (signing_key("a.rsa.pub"), KEY, signing_key("b.rsa.pub"))
    made = make_package("libfoo", "1.2-r0", LIBRARY, keys=others, algorithm=algorithm)
    assert opened(made.data).version == "1.2-r0"
    index = verify_index(make_index([made], keys=others, algorithm=algorithm), TRUSTED, "index")
    assert (index.signed_by, [record.name for record in index.records()]) == (TRUSTED[0], ["libfoo"])


def test_a_package_is_read_in_full() -> None:
    """Its control and its files are those it was made of; install scripts are named."""
    made = make_package(
        "libfoo",
        "1.2-r0",
        [file(".melange.yaml", b"no file of it"), *LIBRARY],
        keys=(KEY,),
        provides="so:libfoo.so.1=1.2 cmd:foo=1.2-r0",
        depends="so:libc.musl-x86_64.so.1 !libbar",
        priority=7,
        scripts=("post-install",),
    )
    with open_package(BytesContent(made.data), TRUSTED, "package", "/tmp") as package:
        control = package.control
        assert (control.provider_priority, control.arch, control.license) == (7, "x86_64", "MIT")
        assert [p.name for p in control.provides] == ["so:libfoo.so.1", "cmd:foo"]
        assert [(d.name, d.conflict) for d in control.depends] == [
            ("so:libc.musl-x86_64.so.1", False),
            ("libbar", True),
        ]
        assert control.scripts == ("post-install",)
        assert package.signed_by == TRUSTED[0]
        assert str(package.sums[0]) == made.record.splitlines()[0][2:]
        kinds = {found.entry.path: found.entry.kind for found in package.files}
        assert kinds == {
            "/usr": Kind.DIRECTORY,
            "/usr/lib": Kind.DIRECTORY,
            "/usr/lib/libfoo.so.1": Kind.SYMLINK,
            "/usr/lib/libfoo.so.1.2": Kind.FILE,
        }
        (library,) = (f.entry for f in package.files if f.entry.content is not None)
        assert library.content is not None
        assert read_all(library.content, 1 << 20) == LIBRARY[3].data


MADE = make_package("libfoo", "1.2-r0", LIBRARY, keys=(KEY,))
SIGNATURE, CONTROL, DATA = streams_of(MADE.data)
OTHER = make_package("libbar", "1.2-r0", [file("usr/lib/libbar.so.1", b"another")], keys=(KEY,))
INDEX = make_index([MADE, OTHER], keys=(KEY,))


def bad_packages() -> dict[str, tuple[bytes, str]]:
    """Packages that are not as signed, and why each is refused."""
    stranger = signing_key("stranger.rsa.pub")
    same_name = signing_key(KEY.name, 1)
    other_signature, other_control, other_data = streams_of(OTHER.data)
    wrong_kind = gzip.compress(apkmaker.make_tar([Item(f".SIGN.DSA.{KEY.name}", b"x" * 64)], end=False))
    zeros = gzip.compress(apkmaker.make_tar([Item(f".SIGN.RSA256.{KEY.name}", bytes(256))], end=False))
    no_info = gzip.compress(apkmaker.make_tar([file(".post-install", b"#!/bin/sh\n")], end=False))
    empty = gzip.compress(b"")
    return {
        "unsigned": (CONTROL + DATA, "it is not signed"),
        "no signature in the stream": (empty + CONTROL + DATA, "it is not signed"),
        "unknown key": (apkmaker.signed(CONTROL, (stranger,)) + DATA, "signed by stranger.rsa.pub, and no trusted key"),
        "wrong key": (apkmaker.signed(CONTROL, (same_name,)) + DATA, "by another key that has the same name"),
        "another's signature": (other_signature + CONTROL + DATA, "it was changed after test.rsa.pub signed it"),
        "another's control": (SIGNATURE + other_control + DATA, "it was changed after test.rsa.pub signed it"),
        "another's data": (SIGNATURE + CONTROL + other_data, "its data is not what its control names"),
        "no RSA": (wrong_kind + CONTROL + DATA, "is of type 'DSA', which minpack does not support"),
        "zeros": (zeros + CONTROL + DATA, "by another key that has the same name"),
        "a stream behind": (MADE.data + DATA, "there is data after its end"),
        "zeros behind": (MADE.data + bytes(512), "there is data after its end"),
        "no data": (SIGNATURE + CONTROL, "it ends before its data"),
        "no control": (SIGNATURE, "it ends before its control"),
        "cut in the signature": (SIGNATURE[:-9], "it ends in the middle of its first stream"),
        "cut in the control": (SIGNATURE + CONTROL[:-9], "it ends in the middle of its control"),
        "cut in the data": (MADE.data[:-9], "it ends in the middle of its data"),
        "nothing": (b"", "it ends before its first stream"),
        "text": (b"<html>no</html>", "its first stream is not a gzip stream"),
        "apk v3": (b"ADBd" + bytes(100), "it is in apk v3 format (ADB), which minpack does not read yet"),
        "apk v3, plain": (b"ADB.pckg" + bytes(100), "it is in apk v3 format"),
        "no .PKGINFO": (apkmaker.signed(no_info, (KEY,)) + DATA, "its control does not begin with .PKGINFO"),
        "no datahash": (make_package("a", "1", LIBRARY, keys=(KEY,), datahash="").data, "its .PKGINFO has no datahash"),
        "no name": (make_package("", "1", LIBRARY, keys=(KEY,)).data, "its .PKGINFO has no pkgname"),
        "a path for a name": (make_package("../a", "1", LIBRARY, keys=(KEY,)).data, "has the pkgname '../a'"),
        "no version": (make_package("a", "new", LIBRARY, keys=(KEY,)).data, "has the pkgver 'new'"),
    }


@pytest.mark.parametrize("case", sorted(bad_packages()))
def test_bad_packages_are_refused(case: str) -> None:
    """Each kind of tampering is refused with its own reason."""
    data, reason = bad_packages()[case]
    with pytest.raises(PackageError) as caught:
        opened(data)
    assert reason in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        ([file("../etc/passwd", b"x")], "is not a path inside a root"),
        ([file("/etc/passwd", b"x")], "is not a path inside a root"),
        ([file("usr/../../x", b"x")], "is not a path inside a root"),
        ([file("a" * 300, b"x")], "is not a path inside a root"),
        ([Item("x", type=tarfile.LNKTYPE, link="../../etc/shadow")], "is not a path inside a root"),
        ([Item("x", type=tarfile.LNKTYPE, link="y")], "a hard link to no file of its own"),
        ([link("usr/lib", "/etc"), file("usr/lib/x", b"x")], "lies below a symlink"),
        ([file("usr/lib/x", b"x"), file("usr/lib/x", b"y")], "duplicate entry '/usr/lib/x'"),
        ([link("x", "")], "a symlink to nothing"),
        ([Item("x", b"data", sha1="0" * 40)], "differs from its recorded SHA-1"),
        ([Item("x", type=tarfile.SYMTYPE, link="y", sha1="1" * 40)], "its recorded SHA-1"),
    ],
)
def test_bad_files_are_refused(items: list[Item], reason: str) -> None:
    """What would leave the root, or is not what it says, is refused though it is signed."""
    made = make_package("libfoo", "1.2-r0", items, keys=(KEY,))
    with pytest.raises(PackageError) as caught:
        opened(made.data)
    assert reason in str(caught.value)


def test_a_bomb_is_refused() -> None:
    """What unpacks to far more than it could hold is not unpacked; neither is a control of that kind."""
    data = gzip.compress(bytes(80 << 20))
    made = make_package("libfoo", "1.2-r0", LIBRARY, keys=(KEY,), datahash=hashlib.sha256(data).hexdigest())
    signature, control, _ = streams_of(made.data)
    with pytest.raises(PackageError, match="its data unpacks to more than"):
        opened(signature + control + data)
    with pytest.raises(PackageError, match="its control unpacks to more than"):
        opened(SIGNATURE + gzip.compress(bytes(17 << 20)) + DATA)


def test_a_bad_key_is_told() -> None:
    """A trusted file that is not an RSA key is named."""
    for pem in (b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", b"\xff"):
        with pytest.raises(UntrustedPackageError, match=r"the trusted key test\.rsa\.pub is not an RSA key"):
            opened(MADE.data, (Key(KEY.name, pem),))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda raw: streams_of(raw)[1], "it is not signed"),
        (lambda raw: raw[:-20], "it ends in the middle of its index"),
        (lambda raw: raw + b"x", "there is data after its index"),
        (lambda raw: streams_of(raw)[0] + streams_of(make_index([OTHER], keys=(KEY,)))[1], "it was changed after"),
        (lambda _: make_index([MADE], keys=(signing_key("s.rsa.pub"),)), "signed by s.rsa.pub, and no trusted key"),
        (lambda _: make_index([MADE], keys=(signing_key(KEY.name, 1),)), "by another key that has the same name"),
        (lambda _: b"ADB.indx" + bytes(80), "it is in apk v3 format (ADB)"),
        (lambda _: apkmaker.signed(gzip.compress(apkmaker.make_tar([], end=True)), (KEY,)), "it contains no APKINDEX"),
        (lambda _: apkmaker.signed(gzip.compress(b"no tar" * 200), (KEY,)), "its index is damaged"),
    ],
)
def test_bad_indexes_are_refused(change: object, reason: str) -> None:
    """As for packages."""
    assert callable(change)
    with pytest.raises(PackageError) as caught:
        verify_index(change(INDEX), TRUSTED, "index x")
    assert reason in str(caught.value)


def test_odd_records() -> None:
    """Unknown keys in upper case make a package no one can install, in lower case nothing; the rest is left out."""
    good = "C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nP:a\nV:1-r0\nA:noarch\n"
    text = f"{good}\n{good}x:new\n\n{good}X:new\n\nP:nameless\n\n{good.replace('P:a', 'P:../a')}\nno line\n\n\n"
    raw = apkmaker.make_raw_index(text, keys=(KEY,))
    records = list(verify_index(raw, TRUSTED, "index").records())
    assert [(record.name, record.installable) for record in records] == [
        ("a", True),
        ("a", True),
        ("a", False),
        ("../a", False),
    ]


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(MADE.data) - 1), st.integers(1, 255), st.booleans())
def test_no_byte_can_be_changed(at: int, change: int, cut: bool) -> None:
    """A package with one byte changed, or cut short, is refused, or says the same: gzip's header is not signed."""
    data = MADE.data[:at] if cut else MADE.data[:at] + bytes([MADE.data[at] ^ change]) + MADE.data[at + 1 :]
    with suppress(PackageError), open_package(BytesContent(data), TRUSTED, "p", "/tmp") as package:
        assert not cut
        assert at < len(SIGNATURE)
        assert package.control.name == "libfoo"


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=2000))
def test_any_bytes_give_an_error(data: bytes) -> None:
    """Hostile streams, signed or not, never give anything but a `PackageError`."""
    for raw in (
        data,
        gzip.compress(data),
        SIGNATURE + gzip.compress(data),
        apkmaker.signed(gzip.compress(data), (KEY,)) + DATA,
    ):
        with pytest.raises(PackageError):
            opened(raw)
        with pytest.raises(PackageError):
            verify_index(raw, TRUSTED, "index")


@given(st.binary(min_size=20, max_size=20), st.binary(min_size=32, max_size=32))
def test_checksums_round_trip(sha1: bytes, sha256: bytes) -> None:
    """A checksum is read from each of its spellings."""
    for checksum in (Checksum("sha1", sha1), Checksum("sha256", sha256)):
        assert parse_checksum(str(checksum)) == checksum
    assert parse_checksum(f"X1{sha1.hex()}") == Checksum("sha1", sha1)


@pytest.mark.parametrize(
    "text", ["", "Q", "Q1", "Q1AAAA", "Q3" + "A" * 28, "X1ab", "Q1" + "é" * 28, "Q2" + "A" * 27 + "="]
)
def test_what_is_no_checksum(text: str) -> None:
    """Wrong lengths and letters give none."""
    assert parse_checksum(text) is None
