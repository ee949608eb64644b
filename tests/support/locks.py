"""Small worlds to lock programs in: a base that apk manages, and an archive of Debian's form, each with a server."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from support.command import Ran, minpack
from support.debmaker import Archive, Deb, Key
from support.elfmaker import GLIBC, MUSL, library, make_elf, program
from support.repository import KEY, Place, library_package

if TYPE_CHECKING:
    from pathlib import Path

    from support.mirror import Mirror

DEBIAN_KEY = Key()
_LIB = "lib/x86_64-linux-gnu"
LIBC = Deb(
    "libc6",
    {
        f"{_LIB}/ld-linux-x86-64.so.2": make_elf(
            soname="ld-linux-x86-64.so.2", overlay=b"\0GLIBC_PRIVATE\0/lib/\0/usr/lib/\0"
        ),
        "lib64/ld-linux-x86-64.so.2": f"/{_LIB}/ld-linux-x86-64.so.2",
        "usr/share/doc/libc6/copyright": b"LGPL",
    },
    "2.36-9",
)
FOO = Deb(
    "libfoo1",
    {
        "usr/lib/libfoo.so.1": "libfoo.so.1.0",
        "usr/lib/libfoo.so.1.0": library("libfoo.so.1"),
        "usr/share/doc/libfoo1": "foo-common",
    },
)
COMMON = Deb("foo-common", {"usr/share/doc/foo-common/copyright": b"MIT"}, architecture="all")
BAR = Deb("libbar2", {"usr/lib/libbar.so.2": library("libbar.so.2")})


class World:
    """A directory with a program ``app`` and a store, and a server."""

    options: tuple[str, ...] = ()
    interpreter = MUSL

    def __init__(self, mirror: Mirror, place: Path) -> None:
        self.mirror = mirror
        self.place = place
        self.cache = "cache"
        self.program()

    def program(self, *needed: str, overlay: bytes = b"", name: str = "app") -> None:
        """Let the program be one that needs these libraries, ``libfoo.so.1`` if none are named."""
        data = program(needed or ("libfoo.so.1",), interpreter=self.interpreter)
        (self.place / name).write_bytes(data + overlay)

    def run(self, *arguments: str) -> Ran:
        """Run the command with the options of this world, but those that what is given forbids."""
        options = () if "--no-packages" in arguments else self.options
        cache = () if "--no-cache" in arguments else ("--cache-dir", self.cache)
        return minpack(
            *(*arguments, *options, "--check=none", *cache),
            cwd=self.place,
            env={
                "MINPACK_NO_PACKAGES": None,
                "MINPACK_MIRROR": f"{self.mirror.url}/alpine",
                "MINPACK_MIRROR_DEBIAN": f"{self.mirror.url}/debian",
            },
        )

    def done(self, *arguments: str) -> Ran:
        """Run the command, which does it."""
        ran = self.run(*arguments)
        assert ran.code == 0, ran.err
        return ran

    def image(self, *arguments: str) -> bytes:
        """The image that packing the program gives."""
        self.done("./app", "-q", "-o", "out.tar", *arguments)
        return (self.place / "out.tar").read_bytes()

    def lock(self, *arguments: str) -> bytes:
        """The lock file after `minpack lock`."""
        self.done("lock", "./app", "-q", *arguments)
        return self.text

    @property
    def text(self) -> bytes:
        """The lock file."""
        return (self.place / "minpack.lock").read_bytes()

    @property
    def locked(self) -> Any:
        """What the lock has of the program for amd64, as TOML reads it; `base` is the one that files are taken of."""
        image = tomllib.loads(self.text.decode())["images"]["app"]["linux/amd64"]
        return {**image, "base": image["bases"]["files"]}

    def change(self, old: str, new: str) -> None:
        """Change the lock file by hand, everywhere."""
        text = self.text.decode()
        assert old in text
        (self.place / "minpack.lock").write_text(text.replace(old, new))


class AlpineWorld(World):
    """A tarball that apk manages; its repositories have libfoo, and libbar from `both` on."""

    def __init__(self, mirror: Mirror, place: Path) -> None:
        super().__init__(mirror, place)
        self.base = Place(place, mirror)
        self.base.base()
        self.publish()

    def publish(self, version: str = "1.0-r0", *, both: bool = False, built: int = 1_700_000_000) -> None:
        """Serve libfoo in that version in place of any other."""
        self.mirror.remove("/alpine/")
        needed = ("libbar.so.2",) if both else ()
        foo = library_package("libfoo.so.1", needed, version=version, built=built)
        self.base.publish(foo, library_package("libbar.so.2", built=built))


class DebianWorld(World):
    """An archive with glibc and a few libraries."""

    interpreter = GLIBC
    options = ("--keys", "keys")

    def __init__(self, mirror: Mirror, place: Path) -> None:
        super().__init__(mirror, place)
        (place / "keys").mkdir()
        (certificate,) = DEBIAN_KEY.keys.values()
        (place / "keys" / "test.gpg").write_bytes(certificate)
        self.serve(LIBC, FOO, COMMON, BAR)

    def serve(self, *packages: Deb, date: str = "") -> None:
        """Serve an archive of these packages in place of any other."""
        self.mirror.remove("/debian/")
        archive = Archive("bookworm", DEBIAN_KEY)
        archive.date = date or archive.date
        archive.add(*packages)
        archive.serve(self.mirror, "/debian")


__all__ = ["BAR", "COMMON", "FOO", "KEY", "LIBC", "AlpineWorld", "DebianWorld", "World"]
