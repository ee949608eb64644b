"""Mutants of real programs, all through: no error but those of minpack, whatever is done with them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.command import environment
from support.tools import need_tool

HERE = Path(__file__).parent
#: `make mutants` tries thirty thousand.
COUNT = 150


@pytest.mark.skipif(sys.platform != "linux", reason="the programs are this machine's own, and have to be ELF files")
def test_mutants_of_real_programs() -> None:
    """Inspected with callers and in full, resolved, proved and stripped: each mutant is read, or refused in words."""
    programs = [need_tool(name) for name in ("tar", "xz", "gcc")]
    command = [sys.executable, str(HERE / "mutants.py"), "--count", str(COUNT), *programs]
    done = subprocess.run(command, env=environment({}), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{COUNT} mutants, 0 wrong" in done.stdout
