"""A base with a package database as dpkg keeps it, and programs that have paths within them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from minpack.base.options import BaseOptions
from minpack.build.pack import Packed, pack
from minpack.net.network import Network
from minpack.spec.base_ref import parse_base
from minpack.spec.image import ImageSpec, RunConfig
from support.badfiles import GLIBC_LOADER
from support.elfmaker import GLIBC
from support.symbolmaker import Symbol, linked_elf

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from minpack.paths import RootPath

OPTIONS = BaseOptions(None, Network(offline=True), "2026-01-31")
WEAK_FUNCTION = 2 << 4 | 2


def elf(
    *texts: str,
    needed: tuple[str, ...] = (),
    imports: tuple[str, ...] = (),
    exports: tuple[str, ...] = (),
    soname: str | None = None,
    interpreter: str | None = None,
) -> bytes:
    """A library, or a program if it has an interpreter, with these texts within it; what it imports may be missing."""
    tail = b"\0" + b"".join(text.encode() + b"\0" for text in texts)
    symbols = [*(Symbol(name, 0, WEAK_FUNCTION, value=0) for name in imports), *map(Symbol, exports)]
    relocations = [(name, 6) for name in imports]
    made = linked_elf(
        symbols, relocations=relocations, soname=soname, needed=needed, interpreter=interpreter, tail=tail
    )
    return made.data


def app(
    *texts: str, needed: tuple[str, ...] = (), imports: tuple[str, ...] = (), exports: tuple[str, ...] = ()
) -> bytes:
    """A program of glibc's."""
    return elf(*texts, needed=needed, imports=imports, exports=exports, interpreter=GLIBC)


class PackagedBase:
    """A directory with files of packages, in dpkg's database, and files of nobody."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._status = ""
        self.add("libc6", {"/lib64/ld-linux-x86-64.so.2": GLIBC_LOADER})

    def add(self, package: str, files: Mapping[str, bytes], *, source: str = "", depends: str = "") -> None:
        """A package with these files; those below a directory called bin, and libraries, are executable."""
        info = self.root / "var/lib/dpkg/info"
        info.mkdir(parents=True, exist_ok=True)
        for path, data in files.items():
            self.put(path, data)
        (info / f"{package}.list").write_text("/.\n" + "".join(f"{path}\n" for path in files))
        sums = (f"{hashlib.md5(data, usedforsecurity=False).hexdigest()}  {path[1:]}\n" for path, data in files.items())
        (info / f"{package}.md5sums").write_text("".join(sums))
        lines = [f"Package: {package}", f"Source: {source or package}", f"Depends: {depends or 'none'}"]
        self._status += "\n".join(lines) + "\n\n"
        (self.root / "var/lib/dpkg/status").write_text(self._status)

    def put(self, path: str, data: bytes) -> None:
        """A file of nobody."""
        target = self.root / path[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        target.chmod(0o755 if data.startswith(b"\x7fELF") else 0o644)

    def pack(
        self,
        program: Path,
        *taken: str,
        every: bool = False,
        variables: tuple[tuple[str, str], ...] = (),
        destination: RootPath | None = None,
    ) -> Packed:
        """The plan for the program on this base."""
        run = RunConfig(env=variables)
        base = parse_base(str(self.root))
        request = ImageSpec((str(program),), base, destination=destination, taken=taken, run=run)
        return pack(request, OPTIONS, None, every=every)
