"""Packages, indexes and whole repositories of apk v2, made and signed by the tests.

key = signing_key("test.rsa.pub")
package = make_package("libfoo", "1.0-r0", [file("usr/lib/libfoo.so.1", data)], provides="so:libfoo.so.1=1", key=key)
index = make_index([package], key=key)
mirror.add("/v3.20/main/x86_64/APKINDEX.tar.gz", index)
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from minpack.apk.signature import Key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from support.mirror import Mirror

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "RSA": hashes.SHA1(),  # noqa: S303 - what Alpine signs with
    "RSA256": hashes.SHA256(),
    "RSA512": hashes.SHA512(),
}


class SigningKey(NamedTuple):
    """A private key and the name its public half is trusted by."""

    name: str
    private: rsa.RSAPrivateKey

    @property
    def public(self) -> Key:
        """The public half."""
        pem = self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return Key(self.name, pem)

    def sign(self, signed: bytes, algorithm: str = "RSA256") -> tuple[str, bytes]:
        """The name of a signature's entry, and the signature."""
        value = self.private.sign(signed, padding.PKCS1v15(), _HASHES[algorithm])
        return f".SIGN.{algorithm}.{self.name}", value


@lru_cache
def signing_key(name: str = "test.rsa.pub", number: int = 0) -> SigningKey:
    """A key of that name; another `number` gives another one."""
    return SigningKey(name, rsa.generate_private_key(public_exponent=65537, key_size=2048))


class Item(NamedTuple):
    """An entry of a package."""

    name: str
    data: bytes = b""
    type: bytes = tarfile.REGTYPE
    link: str = ""
    mode: int = 0o644
    sha1: str | None = None


def file(name: str, data: bytes = b"", mode: int = 0o644) -> Item:
    """A file."""
    return Item(name, data, mode=mode)


def link(name: str, target: str) -> Item:
    """A symbolic link."""
    return Item(name, type=tarfile.SYMTYPE, link=target, mode=0o777)


def folder(name: str, mode: int = 0o755) -> Item:
    """A directory."""
    return Item(name, type=tarfile.DIRTYPE, mode=mode)


class Made(NamedTuple):
    """A package's file, and its record for an index."""

    name: str
    version: str
    data: bytes
    record: str

    @property
    def file_name(self) -> str:
        """Its name in a repository."""
        return f"{self.name}-{self.version}.apk"


def make_tar(items: Iterable[Item], *, end: bool, sums: bool = False) -> bytes:
    """A tar of the items, with or without the blocks that end one; `sums` as abuild writes them."""
    out = io.BytesIO()
    tar = tarfile.TarFile(fileobj=out, mode="w", format=tarfile.PAX_FORMAT)
    for item in items:
        info = tarfile.TarInfo(item.name)
        info.type, info.linkname, info.mode, info.size = item.type, item.link, item.mode, len(item.data)
        said = item.link.encode() if item.type == tarfile.SYMTYPE else item.data
        if item.sha1 is not None or (sums and item.type in (tarfile.REGTYPE, tarfile.SYMTYPE)):
            sha1 = item.sha1 if item.sha1 is not None else hashlib.sha1(said, usedforsecurity=False).hexdigest()
            info.pax_headers = {"APK-TOOLS.checksum.SHA1": sha1}
        tar.addfile(info, io.BytesIO(item.data))
    size = out.tell()
    tar.close()
    return out.getvalue() if end else out.getvalue()[:size]


def signed(raw: bytes, keys: Sequence[SigningKey], algorithm: str = "RSA256") -> bytes:
    """`raw`, a stream, behind a stream of signatures by the keys."""
    if not keys:
        return raw
    entries = [Item(*key.sign(raw, algorithm)) for key in keys]
    return gzip.compress(make_tar(entries, end=False), mtime=0) + raw


def make_package(
    name: str,
    version: str,
    items: Sequence[Item],
    *,
    keys: Sequence[SigningKey],
    algorithm: str = "RSA256",
    provides: str = "",
    depends: str = "",
    priority: int = 0,
    arch: str = "x86_64",
    built: int = 1_700_000_000,
    scripts: Sequence[str] = (),
    datahash: str | None = None,
) -> Made:
    """A package; `datahash` replaces the true one."""
    data = gzip.compress(make_tar(items, end=True, sums=True), mtime=0)
    lines = ["# made by a test", f"pkgname = {name}", f"pkgver = {version}", f"pkgdesc = {name} for tests"]
    lines += ["url = https://example.invalid", f"builddate = {built}", f"size = {sum(len(i.data) for i in items)}"]
    lines += [f"arch = {arch}", f"origin = {name}", "license = MIT", "maintainer = A Test <test@example.invalid>"]
    lines += [f"provides = {token}" for token in provides.split()] + [f"depend = {token}" for token in depends.split()]
    lines += [f"provider_priority = {priority}"] if priority else []
    lines += [f"datahash = {hashlib.sha256(data).hexdigest() if datahash is None else datahash}"]
    control_items = [
        Item(".PKGINFO", "\n".join(lines).encode() + b"\n"),
        *(Item(f".{s}", b"#!/bin/sh\n") for s in scripts),
    ]
    control = gzip.compress(make_tar(control_items, end=False), mtime=0)
    whole = signed(control, keys, algorithm) + data
    checksum = base64.b64encode(hashlib.sha1(control, usedforsecurity=False).digest()).decode()
    record = [f"C:Q1{checksum}", f"P:{name}", f"V:{version}", f"A:{arch}", f"S:{len(whole)}", "I:4096"]
    record += [f"T:{name} for tests", "U:https://example.invalid", "L:MIT", f"o:{name}", f"t:{built}"]
    record += [f"k:{priority}"] if priority else []
    record += [f"D:{depends}"] if depends else []
    record += [f"p:{provides}"] if provides else []
    return Made(name, version, whole, "\n".join(record) + "\n")


def make_index(packages: Iterable[Made], *, keys: Sequence[SigningKey], algorithm: str = "RSA256") -> bytes:
    """The ``APKINDEX.tar.gz`` of the packages."""
    return make_raw_index("".join(f"{made.record}\n" for made in packages), keys=keys, algorithm=algorithm)


def make_raw_index(text: str, *, keys: Sequence[SigningKey], algorithm: str = "RSA256") -> bytes:
    """An ``APKINDEX.tar.gz`` with that text."""
    items = [Item("DESCRIPTION", b"v1-test"), Item("APKINDEX", text.encode())]
    return signed(gzip.compress(make_tar(items, end=True), mtime=0), keys, algorithm)


def publish(
    mirror: Mirror,
    repository: str,
    packages: Sequence[Made],
    *,
    keys: Sequence[SigningKey],
    arch: str = "x86_64",
    algorithm: str = "RSA256",
) -> None:
    """Serve the packages and their index, as ``/v3.20/main``."""
    mirror.add(f"{repository}/{arch}/APKINDEX.tar.gz", make_index(packages, keys=keys, algorithm=algorithm))
    for made in packages:
        mirror.add(f"{repository}/{arch}/{made.file_name}", made.data)


def streams_of(data: bytes) -> list[bytes]:
    """The gzip streams of a file, as they lie in it."""
    found = []
    while data:
        stream = zlib.decompressobj(31)
        stream.decompress(data)
        end = len(data) - len(stream.unused_data)
        found.append(data[:end])
        data = data[end:]
    return found
