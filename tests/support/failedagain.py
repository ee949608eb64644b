"""Run the few tests that failed in the last run once more, one after the other; more than `MOST` stay failed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

#: So many that failed may have been late.
MOST = 5
#: What pytest-xdist adds to the name of a test that has a group.
_GROUP = re.compile(r"@[\w-]+$")


def main() -> None:
    """End as pytest does, which is given the names of what failed."""
    # tests/conftest.py writes it once all tests were run.
    kept = Path(os.environ["MINPACK_FAILED_TESTS"])
    failed = sorted({_GROUP.sub("", name) for name in json.loads(kept.read_text())}) if kept.exists() else []
    if not 0 < len(failed) <= MOST:
        sys.exit(f"{len(failed)} tests failed: none is run again")
    print(f"{len(failed)} tests failed, and are run again by themselves:", *failed, sep="\n", flush=True)
    sys.exit(subprocess.run([sys.executable, "-m", "pytest", "-n", "0", "-v", *failed], check=False).returncode)


main()
