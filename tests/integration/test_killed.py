"""kill -9 at any moment of a delivery: the old output or the new one is at its place, and the next run cleans up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.command import environment

TESTS = Path(__file__).parents[1]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process be followed from call to call")
@pytest.mark.parametrize(
    ("form", "before", "how"),
    [
        ("rootfs", "old", "exchange"),
        ("oci", "old", "exchange"),
        ("rootfs", "old", "swap"),
        ("rootfs", "empty", "exchange"),
        ("rootfs", "nothing", "exchange"),
        ("archive", "old", "exchange"),
        ("archive", "nothing", "exchange"),
    ],
)
def test_killed_at_each_system_call(swift_place: Path, form: str, before: str, how: str) -> None:
    """At each of them the target is what it was or what it will be, and after the next run nothing is left beside it.

    Where two names cannot be exchanged, the old one may be missing until the next run begins, which puts it back.
    """
    done = subprocess.run(
        [sys.executable, "-m", "support.killed", str(swift_place), form, before, how],
        cwd=TESTS,
        env=environment({}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    left = json.loads(done.stdout)
    assert len(left) > 100
    kept = "old" if before == "empty" else before
    killed, recovered = {one["killed"] for one in left}, {one["recovered"] for one in left}
    assert killed == {kept, "new", *(("nothing",) if how == "swap" else ())}
    assert recovered == {kept, "new"}
    assert {one["unfinished"] for one in left} == {0}
    assert {(one["again"], one["unfinished_again"]) for one in left} == {("new", 0)}
