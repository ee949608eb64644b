"""Finding programs that tests start; without one the test is skipped, or fails under MINPACK_TESTS=all."""

from __future__ import annotations

import os
import shutil
import sys

import pytest


def need_tool(name: str) -> str:
    """The path of the program `name`, of this Python's environment or the system's; else the test is skipped."""
    found = shutil.which(name, path=os.path.dirname(sys.executable)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found
