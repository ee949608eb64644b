"""--summary: what a command did as Markdown, at the end of a file, as CI systems gather it (GITHUB_STEP_SUMMARY)."""

from __future__ import annotations

import os
from stat import S_ISREG

from minpack.errors import OutputError

#: What no text has, and each program and archive has near its beginning.
_LOOKED_AT = 8192


def check_summary_file(path: str) -> None:
    """Raise `OutputError` if text cannot be appended to the file, so far as that shows."""
    directory = os.path.dirname(path) or "."
    if not os.path.isdir(directory):
        raise OutputError(path, "no such directory", "choose another file with --summary")
    try:
        if os.path.exists(path) and not _is_text(path):
            raise OutputError(path, "it is not a text file", "choose another file with --summary")
    except OSError as error:
        raise OutputError(path, error.strerror or str(error), "choose another file with --summary") from error


def _is_text(path: str) -> bool:
    """Whether it is a file of text, or nothing that could be lost, like /dev/stderr."""
    if os.path.isdir(path):
        return False
    if not S_ISREG(os.stat(path).st_mode):
        return True
    with open(path, "rb") as file:
        return b"\0" not in file.read(_LOOKED_AT)


def append_summary(path: str, lines: list[str]) -> None:
    """Append the lines to the file.

    :raises OutputError: they cannot be.
    """
    check_summary_file(path)
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
    except OSError as error:
        raise OutputError(path, error.strerror or str(error), "choose another file with --summary") from error
