"""Digests are those of the standard, and a hashing writer passes on all it counts."""

from __future__ import annotations

import io
from array import array

from minpack.digest import Digest, HashingWriter

#: SHA-256 of nothing and of "abc" (FIPS 180-4, appendix B of its predecessor).
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_digests_are_written_as_oci_writes_them() -> None:
    """A digest is the algorithm's name, a colon and lower-case hex."""
    assert str(Digest.of(b"abc")) == f"sha256:{ABC}"
    assert f"{Digest.of(b'')}" == f"sha256:{EMPTY}"
    assert Digest.of(b"abc").hex == ABC


def test_all_kinds_of_bytes_have_one_digest() -> None:
    """Bytes, bytearrays and views of the same bytes have the same digest."""
    assert Digest.of(bytearray(b"abc")) == Digest.of(memoryview(b"xabc")[1:]) == Digest.of(b"abc")
    assert Digest.of(b"abc") != Digest.of(b"abd")
    assert len({Digest.of(b"abc"), Digest(ABC)}) == 1


def test_a_hashing_writer_passes_on_and_counts() -> None:
    """What was written comes out whole, with the digest and number of exactly those bytes."""
    out = io.BytesIO()
    writer = HashingWriter(out)
    assert (writer.size, writer.digest) == (0, Digest(EMPTY))
    writer.write(b"a")
    writer.write(bytearray(b"b"))
    writer.write(b"")
    writer.write(memoryview(b"abcd")[2:3])
    assert out.getvalue() == b"abc"
    assert (writer.size, writer.digest) == (3, Digest(ABC))
    writer.write(b"!")
    assert (writer.size, writer.digest) == (4, Digest.of(b"abc!"))


def test_views_are_counted_in_bytes() -> None:
    """A view of larger items counts with the bytes that it writes."""
    out = io.BytesIO()
    writer = HashingWriter(out)
    writer.write(memoryview(array("I", [1, 2, 3])))
    assert writer.size == len(out.getvalue()) == 3 * array("I").itemsize
