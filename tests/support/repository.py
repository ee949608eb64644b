"""A base that apk manages, a repository for it on a server of the test's own, and programs packed from both."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, NamedTuple

from minpack.base.options import BaseOptions, PackageOptions
from minpack.build.pack import Packed, pack
from minpack.net.network import Network
from minpack.spec.base_ref import parse_base
from minpack.spec.image import Check, ImageSpec
from support.apkmaker import Made, SigningKey, file, make_package, publish, signing_key
from support.badfiles import MUSL_LOADER
from support.elfmaker import MUSL, library, program
from support.tarmaker import archive, member

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from support.mirror import Mirror

NOW = 1_800_000_000
KEY = signing_key()
MAIN, COMMUNITY = "/alpine/v3.20/main", "/alpine/v3.20/community"
REPOSITORIES = (
    "https://dl-cdn.alpinelinux.org/alpine/v3.20/main\nhttps://dl-cdn.alpinelinux.org/alpine/v3.20/community\n"
)
DATABASE = """C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=
P:musl
V:1.2.5-r0
A:x86_64
L:MIT
F:lib
R:ld-musl-x86_64.so.1
a:0:0:755
Z:Q1BBBBBBBBBBBBBBBBBBBBBBBBBBB=
R:libc.musl-x86_64.so.1
a:0:0:777

P:busybox
V:1.36.1-r29
F:bin
R:busybox

"""


def library_package(soname: str, needed: tuple[str, ...] = (), **options: object) -> Made:
    """A package with one library in /usr/lib, called as the library is before its ``.so``."""
    name = str(options.pop("name", soname.partition(".so")[0]))
    version = str(options.pop("version", "1.0-r0"))
    directory = str(options.pop("directory", "usr/lib"))
    keys = options.pop("keys", (KEY,))
    items = [file(f"{directory}/{soname}", library(soname, needed), 0o755)]
    return make_package(name, version, items, provides=f"so:{soname}=1", keys=keys, **options)  # type: ignore[arg-type]


class Place(NamedTuple):
    """A directory with a base and programs, and the server of the base's repositories."""

    path: Path
    mirror: Mirror

    def base(self, *members: bytes, repositories: str = REPOSITORIES, keys: Sequence[SigningKey] = (KEY,)) -> str:
        """A base with musl's loader, apk's database and settings, and `members` besides."""
        trusted = [member(f"etc/apk/keys/{key.name}", key.public.pem) for key in keys]
        loader = [] if any(MUSL_LOADER in one for one in members) else [self.loader("lib")]
        data = archive(
            *loader,
            member("etc/apk/repositories", repositories.encode()),
            member("etc/apk/arch", b"x86_64\n"),
            *trusted,
            *members,
        )
        (self.path / "base.tar").write_bytes(data)
        return str(self.path / "base.tar")

    @staticmethod
    def loader(directory: str) -> bytes:
        """Musl's loader in a directory of a tar."""
        return member(f"{directory}/ld-musl-x86_64.so.1", MUSL_LOADER, mode=0o755)

    def publish(self, *packages: Made, community: Sequence[Made] = (), algorithm: str = "RSA256") -> None:
        """Serve the packages in main, and others in community."""
        publish(self.mirror, MAIN, packages, keys=(KEY,), algorithm=algorithm)
        publish(self.mirror, COMMUNITY, community, keys=(KEY,), algorithm=algorithm)

    def options(
        self,
        *,
        now: int = NOW,
        keys: str = "",
        locked: bool = False,
        offline: bool = False,
        fetch: bool = True,
        store: str | None = "store",
    ) -> BaseOptions:
        """How the base is opened: packages come from the server."""
        network = Network(offline=offline, pause=lambda _: None, read_timeout=2.0)
        packages = PackageOptions(now, keys, locked) if fetch else None
        directory = str(self.path / store) if store is not None else None
        return BaseOptions(directory, network, "2026-01-31", f"{self.mirror.url}/alpine", packages=packages)

    def pack(self, needed: tuple[str, ...], base: str | None = None, **given: object) -> Packed:
        """The plan of an image of a program that needs these libraries."""
        of_base = {name: given.pop(name) for name in tuple(given) if name in inspect.signature(self.options).parameters}
        options = self.options(**of_base)  # type: ignore[arg-type]
        (self.path / "app").write_bytes(program(needed, interpreter=MUSL))
        named = parse_base(base or self.base())
        request = ImageSpec((str(self.path / "app"),), named, **{"check": Check.NONE, **given})  # type: ignore[arg-type]
        return pack(request, options, None)
