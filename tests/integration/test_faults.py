"""Calls of libc that fail, one at a time: a run ends in one error or with the whole result, and leaves nothing half."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from faults.run import build
from support.command import environment, minpack
from support.elfmaker import static_program
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


#: The first second of the year 1, the last before 1970, the first of 10000, and ones that no calendar has.
CLOCKS = [-62135596800, -1, 253402300800, 1 << 55, -(1 << 55)]


@pytest.mark.tool
@pytest.mark.skipif(sys.platform != "linux", reason="as above")
@pytest.mark.parametrize("clock", CLOCKS)
def test_clocks_that_are_wrong_by_ages(tmp_path: Path, clock: int) -> None:
    """Whatever the clock says, an image is made, and its bytes are those of any other day."""
    need_tool("gcc")
    (tmp_path / "app").write_bytes(static_program())
    wrong = {"LD_PRELOAD": str(build(tmp_path)), "FAULT_CLOCK": str(clock)}
    images = []
    for variables in (wrong, {}):
        for arguments in (("./app", "-q", "-o", "app.tar"), ("cache", "prune", "--older-than", "1"), ("base", "list")):
            ran = minpack(*arguments, cwd=tmp_path, env=variables)
            assert (ran.code, ran.err) == (0, "")
        images.append((tmp_path / "app.tar").read_bytes())
    assert images[0] == images[1]
