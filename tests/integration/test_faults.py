"""Calls of libc that fail, one at a time: a run ends in one error or with the whole result, and leaves nothing half."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.command import environment
from support.tools import need_tool

TESTS = Path(__file__).parents[1]
#: Of so many cases one is tried here; `make faults` tries all.
STEP = 97
KINDS = ("open", "read", "write", "fstat", "stat", "close", "rename", "mkdir", "flock", "opendir", "readdir", "unlink")


@pytest.mark.tool
@pytest.mark.skipif(sys.platform != "linux", reason="only here a library that is loaded first takes the calls of libc")
def test_calls_that_fail() -> None:
    """Whichever call fails: no traceback, no half output, nothing left behind, a store that is as good as before."""
    need_tool("gcc")
    command = [sys.executable, str(TESTS / "faults" / "run.py"), "--step", str(STEP)]
    done = subprocess.run(command, env=environment({}), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    counted = {kind: int(count) for count, kind in re.findall(r"(\d+) (\w+)", done.stdout.partition("\n")[0])}
    assert all(counted[kind] for kind in KINDS)
    runs = re.search(r"^(\d+) runs, 0 of them wrong$", done.stdout, re.MULTILINE)
    assert runs is not None
    assert int(runs[1]) > 100
