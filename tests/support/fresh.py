"""Worlds whose repositories, releases and images get newer: what images made in them are compared with later.

Each world has the program ``app``, which needs ``libfoo.so.1``, as those of `support.locks` have.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import json
import os
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from minpack.cli.run import run
from support.apkmaker import Made, file, make_package, publish
from support.badfiles import MUSL_LOADER
from support.command import Ran
from support.debmaker import Archive
from support.elfmaker import library
from support.layers import MANIFEST, digest, layer, layout_files, member, tar_of
from support.locks import DEBIAN_KEY, KEY, DebianWorld, World
from support.tarmaker import archive
from support.tarmaker import member as tar_member

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from support.debmaker import Deb
    from support.fakeregistry import FakeRegistry
    from support.mirror import Mirror

#: A branch that minpack's catalogue does not know, so that the mirror says which release of it is the newest.
BRANCH = "3.99"
REPOSITORY = f"/alpine/v{BRANCH}/main"
FOO = {"usr/lib/libfoo.so.1": library("libfoo.so.1")}
MUSL = {"lib/ld-musl-x86_64.so.1": MUSL_LOADER}
NEW_FOO = {"usr/lib/libfoo.so.1": library("libfoo.so.1") + b"fixed"}


def outdated(world: World, *arguments: str, **variables: str) -> Ran:
    """Run ``minpack outdated`` in a world, in this process."""
    environment = {
        "MINPACK_MIRROR": f"{world.mirror.url}/alpine",
        "MINPACK_MIRROR_DEBIAN": f"{world.mirror.url}/debian",
        **variables,
    }
    stdout, stderr = (world.place.parent / f"{world.place.name}-{name}" for name in ("out", "err"))
    with (
        stdout.open("w", encoding="utf-8") as out,
        stderr.open("w", encoding="utf-8") as err,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        contextlib.chdir(world.place),
        patch.dict(os.environ, environment),
    ):
        code = run(["outdated", *arguments, *world.options, "--cache-dir", world.cache])
    return Ran(code, stdout.read_bytes(), stderr.read_text(encoding="utf-8"))


def document(world: World, *arguments: str) -> Any:
    """What it says as JSON; the exit code is as the document says."""
    ran = outdated(world, *arguments, "--json")
    assert ran.code in (0, 3), ran.err
    assert ran.document["outdated"] == (ran.code == 3)
    return ran.document


def changes(world: World, *arguments: str) -> list[tuple[Any, ...]]:
    """The packages whose files have changed, by any image: name, old and new version, and the files."""
    found = (one for image in document(world, *arguments)["images"] for one in image["changes"])
    return [(one["package"], one["old"], one["new"], tuple(file["path"] for file in one["files"])) for one in found]


class FreshDebian(DebianWorld):
    """As `DebianWorld`, with a security suite."""

    def __init__(self, mirror: Mirror, place: Path) -> None:
        super().__init__(mirror, place)
        self.secure()

    def secure(self, *packages: Deb, **changes: str) -> None:
        """Serve these as security updates."""
        suite = Archive("bookworm-security", DEBIAN_KEY)
        for name, value in changes.items():
            setattr(suite, name, value)
        suite.add(*packages)
        suite.serve(self.mirror, "/debian-security")


class FreshAlpine(World):
    """A named release of Alpine, and its repository."""

    base = f"--base=alpine-{BRANCH}"

    def __init__(self, mirror: Mirror, place: Path) -> None:
        super().__init__(mirror, place)
        self.release("1", musl=("1.2.5-r0", MUSL), libfoo=("1.0-r0", FOO))
        self.publish(musl=("1.2.5-r0", MUSL), libfoo=("1.0-r0", FOO))

    def release(self, number: str, **packages: tuple[str, Mapping[str, bytes]]) -> None:
        """Let the newest release be one with these packages, each a version with its files."""
        version, folder = f"{BRANCH}.{number}", f"/alpine/v{BRANCH}/releases/x86_64"
        name, data = f"alpine-minirootfs-{version}-x86_64.tar.gz", gzip.compress(rootfs(version, packages), mtime=0)
        self.mirror.add(f"{folder}/{name}", data)
        sha512 = hashlib.sha512(data).hexdigest()
        listing = f"-\n  version: {version}\n  arch: x86_64\n  flavor: alpine-minirootfs\n  file: {name}\n"
        listing += f"  size: {len(data)}\n  sha512: {sha512}\n"
        self.mirror.add(f"{folder}/latest-releases.yaml", listing.encode())

    def publish(self, **packages: tuple[str, Mapping[str, bytes]]) -> None:
        """Let the repository have these packages, and no others."""
        self.mirror.remove(REPOSITORY)
        publish(self.mirror, REPOSITORY, [made(name, *one) for name, one in packages.items()], keys=(KEY,))
        publish(self.mirror, REPOSITORY.replace("main", "community"), (), keys=(KEY,))


def made(name: str, version: str, files: Mapping[str, bytes]) -> Made:
    """A package."""
    items = [file(path, data, 0o755) for path, data in files.items()]
    provided = " ".join(f"so:{path.rpartition('/')[2]}=1" for path in files if path.startswith("usr/lib/"))
    return make_package(name, version, items, provides=provided, keys=(KEY,))


def rootfs(version: str, packages: Mapping[str, tuple[str, Mapping[str, bytes]]]) -> bytes:
    """A tar of the root of Alpine with these packages."""
    files = {path: data for _, found in packages.values() for path, data in found.items()}
    repositories = "".join(f"https://dl-cdn.alpinelinux.org/alpine/v{BRANCH}/{one}\n" for one in ("main", "community"))
    system = f'ID=alpine\nVERSION_ID={version}\nPRETTY_NAME="Alpine Linux v{BRANCH}"\n'
    return archive(
        *(tar_member(path, data, mode=0o755) for path, data in files.items()),
        tar_member("etc/apk/repositories", repositories.encode()),
        tar_member("etc/apk/arch", b"x86_64\n"),
        tar_member(f"etc/apk/keys/{KEY.name}", KEY.public.pem),
        tar_member("etc/os-release", system.encode()),
        tar_member("lib/apk/db/installed", database(packages)),
    )


def database(packages: Mapping[str, tuple[str, Mapping[str, bytes]]]) -> bytes:
    """What apk's database says of installed packages."""
    text = ""
    for name, (version, files) in packages.items():
        text += made(name, version, files).record
        for path, data in files.items():
            sha1 = base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode()
            directory, _, own = path.rpartition("/")
            text += f"F:{directory}\nR:{own}\na:0:0:755\nZ:Q1{sha1}\n"
        text += "\n"
    return text.encode()


def keep_image(registry: FakeRegistry, image: str, files: Mapping[str, bytes], **annotations: str) -> str:
    """Let a registry have an image of these files under a name and a tag; its digest."""
    repository, _, tag = image.rpartition(":")
    found = layout_files("image", [layer(tar_of(*(member(path, data) for path, data in files.items())))])
    blobs = [data for path, data in found.items() if "/blobs/" in path]
    manifest = blobs[0]
    for one in blobs:
        if one is not manifest:
            registry.keep(repository, one)
    if annotations:
        said = {f"org.opencontainers.image.base.{key}": value for key, value in annotations.items()}
        manifest = json.dumps({**json.loads(manifest), "annotations": said}).encode()
    registry.keep_manifest(repository, tag, MANIFEST, manifest)
    return digest(manifest)
