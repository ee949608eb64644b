"""Making packages, and whole signed archives of them, byte by byte, so that a test can have anything in them wrong.

archive = Archive("bookworm")
archive.add(Deb("libfoo1", files={"usr/lib/x86_64-linux-gnu/libfoo.so.1": data}))
archive.serve(mirror, "/debian")              # dists and pool, signed by a key of the test's own
open_archive(…, keys=archive.keys)
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
from typing import TYPE_CHECKING, NamedTuple

from pysequoia import SignatureMode, Tsk, sign

from support import tarmaker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from support.mirror import Mirror

DATE = "Sat, 21 Nov 2026 09:15:44 UTC"


def ar(*members: tuple[str, bytes]) -> bytes:
    """An ar archive of the members."""
    out = b"!<arch>\n"
    for name, data in members:
        out += b"%-16s%-12d%-6d%-6d%-8s%-10d`\n" % (name.encode(), 0, 0, 0, b"100644", len(data))
        out += data + b"\n" * (len(data) % 2)
    return out


def tar(files: Mapping[str, bytes | str]) -> bytes:
    """A tar of files (bytes; executable if ELF), symlinks (text) and directories (a name that ends with a slash)."""
    out = b""
    for name, what in files.items():
        path = f"./{name}"
        if name.endswith("/"):
            out += tarmaker.directory(path)
        else:
            mode = 0o755 if what[:4] == b"\x7fELF" else 0o644
            out += tarmaker.symlink(path, what) if isinstance(what, str) else tarmaker.member(path, what, mode=mode)
    return out + tarmaker.END


class Deb(NamedTuple):
    """A package to be; `files` as for `tar`."""

    name: str
    files: Mapping[str, bytes | str]
    version: str = "1.0-1"
    architecture: str = "amd64"
    priority: str = "optional"
    compression: str = "xz"
    #: Another control paragraph for the package itself than for the index.
    says: bytes = b""
    depends: str = ""
    source: str = ""
    script: bytes = b""

    @property
    def control(self) -> bytes:
        """The control paragraph."""
        fields = {
            "Package": self.name,
            "Version": self.version,
            "Architecture": self.architecture,
            "Source": self.source,
            "Maintainer": "The testers <tests@example.org>",
            "Depends": self.depends,
            "Priority": self.priority,
            "Description": f"{self.name}\n A package of a test.",
        }
        return "".join(f"{name}: {value}\n" for name, value in fields.items() if value).encode()

    @property
    def path(self) -> str:
        """Where it lies below the mirror."""
        return f"pool/main/{self.name[0]}/{self.name}_{self.version}_{self.architecture}.deb"

    @property
    def data(self) -> bytes:
        """The .deb file."""
        dot = "." if self.compression else ""
        return ar(
            ("debian-binary", b"2.0\n"),
            (f"control.tar{dot}{self.compression}", packed(tar(self._control_files()), self.compression)),
            (f"data.tar{dot}{self.compression}", packed(tar(self.files), self.compression)),
        )

    def _control_files(self) -> dict[str, bytes | str]:
        sums = "".join(
            f"{hashlib.md5(data, usedforsecurity=False).hexdigest()}  {name}\n"
            for name, data in self.files.items()
            if isinstance(data, bytes) and not name.endswith("/")
        )
        files: dict[str, bytes | str] = {"control": self.says or self.control, "md5sums": sums.encode()}
        return files | ({"postinst": self.script} if self.script else {})


def packed(data: bytes, compression: str) -> bytes:
    """`data`, compressed with xz, gz or zst, or as it is."""
    if not compression:
        return data
    if compression == "xz":
        return lzma.compress(data)
    if compression == "gz":
        return gzip.compress(data, mtime=0)
    import zstandard

    return zstandard.compress(data)


class Key:
    """A signing key of a test's own."""

    def __init__(self) -> None:
        self._secret = Tsk.generate("Test Archive Key <tests@example.org>")
        certificate = self._secret.extract_certificate()
        self.keys = {certificate.fingerprint.lower(): bytes(certificate)}

    def sign(self, text: bytes) -> bytes:
        """`text` as a cleartext-signed message."""
        return sign(self._secret.signer(), text, mode=SignatureMode.CLEAR)


class Archive:
    """A suite of an archive with one component, ``main``."""

    def __init__(self, codename: str, key: Key, architecture: str = "amd64") -> None:
        self.codename = codename
        self.key = key
        self.architecture = architecture
        self.packages: list[Deb] = []
        self.date = DATE
        self.valid_until = ""
        #: Indexes and packages that are served otherwise than they are listed, by path.
        self.changed: dict[str, bytes] = {}
        #: Packages that the index of files does not have yet.
        self.unlisted: set[str] = set()

    def add(self, *packages: Deb) -> None:
        """Put packages into the suite."""
        self.packages += packages

    def indexes(self) -> dict[str, bytes]:
        """The indexes by their path below the suite."""
        stanzas = [
            deb.control
            + f"Filename: {deb.path}\nSize: {len(deb.data)}\nSHA256: {hashlib.sha256(deb.data).hexdigest()}\n".encode()
            for deb in self.packages
        ]
        listed = [deb for deb in self.packages if deb.name not in self.unlisted]
        lines = [f"{name:<55} libs/{deb.name}\n" for deb in listed for name in deb.files if not name.endswith("/")]
        return {
            f"main/binary-{self.architecture}/Packages.xz": lzma.compress(b"\n".join(stanzas)),
            f"main/Contents-{self.architecture}.gz": gzip.compress("".join(sorted(lines)).encode(), mtime=0),
        }

    def release(self) -> bytes:
        """The text of the release, not signed."""
        files = "".join(
            f" {hashlib.sha256(data).hexdigest()} {len(data):>8} {path}\n" for path, data in self.indexes().items()
        )
        until = f"Valid-Until: {self.valid_until}\n" if self.valid_until else ""
        return (
            f"Origin: Test\nSuite: stable\nVersion: 12.1\nCodename: {self.codename}\nDate: {self.date}\n{until}"
            f"Acquire-By-Hash: no\nArchitectures: all {self.architecture}\nComponents: main\nSHA256:\n{files}"
        ).encode()

    def in_release(self) -> bytes:
        """The signed release."""
        return self.key.sign(self.release())

    def serve(self, mirror: Mirror, root: str) -> None:
        """Serve the suite and its packages below `root`, anew after each change."""
        files = {f"dists/{self.codename}/{path}": data for path, data in self.indexes().items()}
        files[f"dists/{self.codename}/InRelease"] = self.in_release()
        files |= {deb.path: deb.data for deb in self.packages}
        for path, data in (files | self.changed).items():
            mirror.add(f"{root}/{path}", data)
