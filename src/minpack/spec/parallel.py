"""How many things are done at once, as a user says it."""

from __future__ import annotations

import re

from minpack.errors import OPTION, BadValueError

#: More processes than any machine has CPUs for.
MOST_JOBS = 1024


def parse_jobs(text: str) -> int:
    """A number of images to build at once.

    :raises BadValueError: it is none.
    """
    if not re.fullmatch(r"[0-9]{1,4}", text, re.ASCII) or not 0 < int(text) <= MOST_JOBS:
        raise BadValueError(text, f"it is not a number from 1 to {MOST_JOBS}", f"for example {OPTION} 4")
    return int(text)
