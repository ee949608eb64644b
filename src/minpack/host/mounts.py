"""What is mounted below a directory."""

from __future__ import annotations

import re
from contextlib import suppress


def mounted_below(path: str) -> str:
    """Something that is mounted below `path`, an absolute path without links; empty where nothing is known to be."""
    with suppress(OSError), open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            # The fifth field is the place; blanks, tabs and line ends in it are octal (proc_pid_mountinfo(5)).
            fields = line.split(" ", 5)
            place = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[4])
            if place.startswith(f"{path}/"):
                return place
    return ""
