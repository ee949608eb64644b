"""What ``{version}`` stands for: a text, a file, a variable, or what git says of the commit."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from minpack.errors import reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from minpack.config.document import TomlDocument
    from minpack.config.model import Setting
    from minpack.config.places import Place

#: A version is one line, and no longer.
_MOST = 4096
_GIT = ("git", "describe", "--tags", "--always", "--dirty")
_INSTEAD = 'write version = "1.0", or {file = "VERSION"} or {env = "VERSION"}'


def version_of(
    setting: Setting | None,
    document: TomlDocument,
    environment: Mapping[str, str],
    used: Place,
    git: Callable[[], tuple[str, str]],
) -> str:
    """The version that a setting means; without one, git's.

    Relative paths, and git, are about the working directory, which is the file's.

    :param used: where the version is wanted, for errors.
    :param git: `describe_by_git`, which is asked once for all images, so that they agree.
    :raises ConfigError: there is none.
    """
    place = setting.texts[0].place if setting is not None and setting.texts else used
    text = setting.texts[0].text if setting is not None and setting.texts else ""
    source = setting.source if setting is not None and setting.texts else "git"
    if source == "":
        return text
    reason = found = ""
    if source == "git":
        found, reason = git()
    elif source == "env":
        found = environment.get(text, "")
        reason = f"the variable {text} is not set"
    else:
        found, reason = _of_file(text)
    if found:
        return found
    raise document.error_at(place, "version", reason, _INSTEAD if source == "git" else None)


def _of_file(path: str) -> tuple[str, str]:
    """The first line of a file, or why there is none."""
    try:
        with open(path, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as file:
            line = file.readline(_MOST).strip()
    except OSError as error:
        return "", f"{path!r}: {reason_of(error)}"
    try:
        return _bare(line.decode()), f"{path!r} has nothing in its first line"
    except UnicodeDecodeError:
        return "", f"{path!r} is not UTF-8 text"


def describe_by_git() -> tuple[str, str]:
    """What git describes the commit as, or why it does not."""
    import subprocess  # noqa: PLC0415 - where git is asked

    try:
        done = subprocess.run(_GIT, capture_output=True, text=True, errors="replace", check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", f"git cannot be asked: {reason_of(error) if isinstance(error, OSError) else 'it takes too long'}"
    said = (done.stderr.strip().splitlines() or ["it says nothing"])[0]
    return (_bare(done.stdout.strip()), "git describe prints nothing") if done.returncode == 0 else ("", f"git: {said}")


def _bare(text: str) -> str:
    """A version without the v that tags have in front of it."""
    return re.sub(r"^v(?=\d)", "", text)
