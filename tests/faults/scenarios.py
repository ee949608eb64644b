"""The commands whose calls fail, and the directory that they run in."""

from __future__ import annotations

import gzip
import hashlib
from typing import TYPE_CHECKING, NamedTuple

from support.badfiles import CERTIFICATE, GLIBC_LOADER, MUSL_LOADER
from support.elfmaker import library, program, static_program
from support.locks import AlpineWorld, DebianWorld
from support.tarmaker import archive, member

if TYPE_CHECKING:
    from pathlib import Path

    from support.mirror import Mirror

#: A release that no catalogue knows: the mirror's own sums count.
RELEASE, _FOLDER = "alpine-3.20.99", "/alpine/v3.20/releases/x86_64"
_ALPINE = "./server --base base.tar.gz --check=none"
_DEBIAN = "./glibc/app --base debian-12 --keys glibc/keys --check=none"


class Scenario(NamedTuple):
    """A command, the one before it if there is any, and what it writes: a file or a directory, or nothing.

    `again` is what shows that the store is as good as it was, by itself the same command.
    """

    command: str
    target: str = ""
    before: str = ""
    again: str = ""


SCENARIOS = {
    "pack": Scenario("./app --base root --need certs -o out.tar", "out.tar"),
    "pack into a directory": Scenario("./app --base root --need certs --format rootfs -o out --force", "out"),
    "pack into a layout": Scenario("./app --base root --format oci -o out --force", "out"),
    "pack a tree": Scenario(f"{_ALPINE} --format tar -o out.tar", "out.tar"),
    "pack with packages": Scenario(f"{_ALPINE} -o out.tar", "out.tar"),
    "pack again": Scenario(f"{_ALPINE} -o out.tar", "out.tar", f"{_ALPINE} -o other.tar"),
    "pack without a store": Scenario(f"{_ALPINE} --no-cache -o out.tar", "out.tar"),
    "pack Debian's": Scenario(f"{_DEBIAN} -o out.tar", "out.tar"),
    "pack Debian's again": Scenario(f"{_DEBIAN} -o out.tar", "out.tar", f"{_DEBIAN} -o other.tar"),
    "pull": Scenario(f"base pull {RELEASE}", again=f"base image {RELEASE} -o out.tar"),
    "pull again": Scenario(
        f"base pull {RELEASE}", before=f"base pull {RELEASE}", again=f"base image {RELEASE} -o out.tar"
    ),
    "image of a base": Scenario("base image base.tar.gz -o out.tar", "out.tar"),
    "lock": Scenario(f"lock {_ALPINE}", "minpack.lock"),
    "lock Debian's": Scenario(f"lock {_DEBIAN}", "minpack.lock"),
    "update": Scenario("update ./server --check=none", "minpack.lock", f"lock {_ALPINE}"),
    "pack what is locked": Scenario("./server --check=none --locked -o out.tar", "out.tar", f"lock {_ALPINE}"),
    "tree": Scenario("tree ./server --base base.tar.gz --check=load"),
    "inspect": Scenario("inspect ./server --full"),
    "cache info": Scenario("cache info", before=f"{_ALPINE} -o other.tar", again=f"{_ALPINE} -o out.tar"),
    "cache prune": Scenario(
        "cache prune --max-size 1kB", before=f"{_ALPINE} -o other.tar", again=f"{_ALPINE} -o out.tar"
    ),
    "cache clean": Scenario("cache clean", before=f"{_ALPINE} -o other.tar", again=f"{_ALPINE} -o out.tar"),
}


def furnish(place: Path, mirror: Mirror) -> None:
    """Fill the empty directory `place`, and serve what is fetched."""
    AlpineWorld(mirror, place)
    (place / "server").write_bytes(program(("libfoo.so.1",), interpreter="/lib/ld-musl-x86_64.so.1"))
    base = (place / "base.tar").read_bytes()
    (place / "base.tar.gz").write_bytes(gzip.compress(base, mtime=0))
    (place / "app").write_bytes(static_program())
    (place / "tmp").mkdir()
    _directory(place / "root")
    (place / "glibc").mkdir()
    DebianWorld(mirror, place / "glibc")
    _release(mirror)
    (place / "out.tar").write_bytes(archive(member("old", b"old")))
    (place / "out").mkdir()
    (place / "out" / "old").write_bytes(b"old")


def _directory(root: Path) -> None:
    files = {
        "lib/ld-musl-x86_64.so.1": MUSL_LOADER,
        "lib64/ld-linux-x86-64.so.2": GLIBC_LOADER,
        "lib/libfoo.so.1": library("libfoo.so.1"),
        "etc/ssl/certs/ca-certificates.crt": CERTIFICATE,
        "etc/os-release": b"ID=test\n",
    }
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)


def _release(mirror: Mirror) -> None:
    data = gzip.compress(archive(member("lib/ld-musl-x86_64.so.1", MUSL_LOADER, mode=0o755)), mtime=0)
    name = f"alpine-minirootfs-{RELEASE.removeprefix('alpine-')}-x86_64.tar.gz"
    sha512 = hashlib.sha512(data).hexdigest()
    listing = (
        f"---\n-\n  version: {RELEASE.removeprefix('alpine-')}\n  arch: x86_64\n  flavor: alpine-minirootfs\n"
        f"  file: {name}\n  size: {len(data)}\n  sha512: {sha512}\n"
    )
    mirror.add(f"{_FOLDER}/{name}", data)
    mirror.add(f"{_FOLDER}/{name}.sha512", f"{sha512}  {name}\n".encode())
    mirror.add(f"{_FOLDER}/latest-releases.yaml", listing.encode())
