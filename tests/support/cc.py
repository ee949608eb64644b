"""Small shared libraries and programs from C source, for what bytes made by hand cannot have: relocations, versions."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from support.tools import need_tool

if TYPE_CHECKING:
    from pathlib import Path


class Compiler:
    """Compiles into one directory, without any library of the system's.

    :param program: ``gcc`` or ``musl-gcc``.
    """

    def __init__(self, directory: Path, program: str = "gcc") -> None:
        self.directory = directory
        self._program = need_tool(program)

    def make_library(self, name: str, source: str, *flags: str, versions: str = "") -> Path:
        """A shared library with `name` as its soname, and symbol versions by a version script."""
        target = self.directory / name
        script: tuple[str, ...] = ()
        if versions:
            (self.directory / f"{name}.map").write_text(versions)
            script = (f"-Wl,--version-script={self.directory / name}.map",)
        self._run(source, target, "-shared", "-fPIC", "-nostdlib", f"-Wl,-soname,{name}", *script, *flags)
        return target

    def program(self, name: str, source: str, *flags: str) -> Path:
        """A program linked as the compiler does by default, but to what `flags` say."""
        target = self.directory / name
        self._run(source, target, f"-L{self.directory}", f"-Wl,-rpath,{self.directory}", *flags)
        return target

    def _run(self, source: str, target: Path, *flags: str) -> None:
        command = [self._program, "-x", "c", "-O0", "-w", "-o", str(target), "-", "-x", "none", *flags]
        subprocess.run(command, input=source, text=True, check=True, capture_output=True)
