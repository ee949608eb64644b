"""A base with a shell, of which tools for debugging are made, and images that they are put on, all made by hand."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any, NamedTuple

from support.badfiles import MUSL_LOADER
from support.command import minpack
from support.elfmaker import program
from support.repository import DATABASE
from support.tarmaker import archive, member, symlink

if TYPE_CHECKING:
    from pathlib import Path

    from support.command import Ran
    from support.mirror import Mirror

#: A release that the catalogue does not have.
RELEASE = "alpine-3.20.99"
OS_RELEASE = b'ID=alpine\nVERSION_ID=3.20.3\nPRETTY_NAME="Alpine Linux v3.20"\n'


def shell_members(busybox: bytes) -> tuple[bytes, ...]:
    """What a base has for a shell, as a minirootfs has it."""
    return (
        member("bin/busybox", busybox, mode=0o755),
        symlink("bin/sh", "/bin/busybox"),
        symlink("bin/ls", "/bin/busybox"),
        symlink("usr/bin/env", "/bin/busybox"),
        member("etc/os-release", OS_RELEASE),
        member("lib/apk/db/installed", DATABASE.encode()),
    )


def tools_tar(arch: str = "x86_64", machine: str = "x86_64", *members: bytes, busybox: bytes | None = None) -> bytes:
    """A base of musl with a shell, and `members` besides."""
    interpreter = f"/lib/ld-musl-{arch}.so.1"
    loader = member(interpreter[1:], MUSL_LOADER, mode=0o755)
    shell = program((), interpreter=interpreter, machine=machine) if busybox is None else busybox
    return archive(loader, *shell_members(shell), *members)


def write_tools_base(path: Path, *members: bytes, busybox: bytes | None = None) -> Path:
    """The same for x86-64, in a file."""
    path.write_bytes(tools_tar("x86_64", "x86_64", *members, busybox=busybox))
    return path


def publish_release(mirror: Mirror, arch: str, data: bytes) -> None:
    """Serve `data` as the minirootfs of `RELEASE`, whose sum minpack does not know."""
    folder, name = f"/alpine/v3.20/releases/{arch}", f"alpine-minirootfs-3.20.99-{arch}.tar.gz"
    sha512 = hashlib.sha512(data).hexdigest()
    listing = (
        f"---\n-\n  title: Mini root filesystem\n  version: 3.20.99\n  arch: {arch}\n  flavor: alpine-minirootfs\n"
        f"  file: {name}\n  size: {len(data)}\n  sha512: {sha512}\n"
    )
    mirror.add(f"{folder}/{name}", data)
    mirror.add(f"{folder}/{name}.sha512", f"{sha512}  {name}\n".encode())
    mirror.add(f"{folder}/latest-releases.yaml", listing.encode())


class Stored(NamedTuple):
    """An image in a layout."""

    path: Path
    manifest: dict[str, Any]

    def blob(self, digest: str) -> bytes:
        """Its bytes."""
        return (self.path / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_bytes()

    @property
    def config(self) -> dict[str, Any]:
        """Its configuration."""
        found = json.loads(self.blob(self.manifest["config"]["digest"]))
        assert isinstance(found, dict)
        return found

    @property
    def layers(self) -> list[str]:
        """The digests of its layers."""
        return [one["digest"] for one in self.manifest["layers"]]

    @property
    def top(self) -> dict[str, tarfile.TarInfo]:
        """What its last layer has, by name."""
        with self._opened() as tar:
            return {one.name: one for one in tar}

    def read(self, name: str) -> bytes:
        """A file of its last layer."""
        with self._opened() as tar:
            file = tar.extractfile(name)
            assert file is not None
            return file.read()

    def _opened(self) -> tarfile.TarFile:
        return tarfile.open(fileobj=io.BytesIO(self.blob(self.layers[-1])))


def stored(path: Path) -> Stored:
    """The only image of the layout at `path`."""
    (listed,) = json.loads((path / "index.json").read_bytes())["manifests"]
    found = Stored(path, {})
    return found._replace(manifest=json.loads(found.blob(listed["digest"])))


def debugged(place: Path, image: str, *options: str, base: str = "tools.tar") -> tuple[Stored, Ran]:
    """The image for debugging of `image`, with the shell of a base, and how making it ended."""
    ran = minpack(
        *("debug", image, "--tools-base", base, "--format", "oci", "-o", "debug", "--force", *options), cwd=place
    )
    assert ran.code == 0, ran.err
    return stored(place / "debug"), ran
