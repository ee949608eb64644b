"""Building small Go programs, offline and from the standard library alone."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from support.tools import need_tool

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def go_build(
    source: str, where: Path, factory: pytest.TempPathFactory, *options: str, goarch: str = "", cgo: bool = False
) -> Path:
    """The program for Linux that ``go build`` makes of `source` in the directory `where`; skips without Go.

    All builds of a test run share one cache, since the first one for an architecture compiles
    the runtime; without optimisation that takes half the time.
    """
    (where / "main.go").write_text(source)
    settings = {
        "GO111MODULE": "off",
        "GOFLAGS": "",
        "GOTOOLCHAIN": "local",
        "GOCACHE": str(factory.getbasetemp() / "go-cache"),
        "CGO_ENABLED": "1" if cgo else "0",
        "GOOS": "linux",
    } | ({"GOARCH": goarch} if goarch else {})
    path = where / f"app{goarch}"
    subprocess.run(
        [need_tool("go"), "build", "-gcflags=all=-N -l", "-o", str(path), *options, "main.go"],
        cwd=where,
        check=True,
        timeout=600,
        env=os.environ | settings,
    )
    return path
