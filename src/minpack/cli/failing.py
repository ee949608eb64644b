"""The last resort: what is said of an exception that nobody expected. Imported when there is one."""

from __future__ import annotations

import errno
import os
import platform
import re
import shlex
import sys
import traceback
from typing import TYPE_CHECKING

from minpack._version import __version__
from minpack.errors import InternalError, MinpackError, ResourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The variable that asks for the traceback.
TRACEBACK = "MINPACK_TRACEBACK"
#: Of a message and of a command more characters are cut off, and of the places where it came through more are left out.
_LONGEST = 300
_MOST_PLACES = 5
_TOO_MANY = (errno.EMFILE, errno.ENFILE)
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def unexpected(error: BaseException, arguments: Sequence[str]) -> MinpackError:
    """What to tell the user of an exception that is none of minpack's.

    Where the system has no more to give, that; else it is a fault of minpack's, with what a report of it needs.
    """
    command = f"minpack {arguments[0]}" if arguments and re.fullmatch("[a-z]+", arguments[0]) else "minpack"
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return ResourceError(command, "there is not enough memory", "give it more memory (ulimit -v shows the limit)")
    # A module that cannot be opened gives an ImportError without a number.
    if getattr(error, "errno", None) in _TOO_MANY or os.strerror(errno.EMFILE) in str(error):
        return ResourceError(command, "too many files are open", "allow it more open files, for example ulimit -n 1024")
    if isinstance(error, ImportError) and not (error.name or "").startswith("minpack"):
        hint = "reinstall minpack, or give it more memory and open files (ulimit -v, ulimit -n)"
        return ResourceError(command, f"a part of it cannot be loaded: {error}", hint)
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return InternalError(
        text[:_LONGEST],
        _places(error),
        f"minpack {__version__}, Python {platform.python_version()}, {sys.platform} {platform.machine()}",
        reported(arguments),
        f"this is a bug: please report these lines; {TRACEBACK}=1 shows more of it",
    )


def show_traceback(error: BaseException) -> None:
    """Print where the exception came from, if the environment asks for it."""
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)


def reported(arguments: Sequence[str]) -> str:
    """The command as it may be shown to others: without values of variables and labels, logins, and what is long."""
    command = shlex.join(["minpack", *(_without_secrets(argument) for argument in arguments)])
    return command if len(command) <= _LONGEST else f"{command[:_LONGEST]}…"


def _without_secrets(argument: str) -> str:
    option, sign, value = argument.partition("=") if argument.startswith("--") else ("", "", argument)
    key, equals, _ = value.partition("=")
    shown = f"{key}=…" if equals else value
    return option + sign + re.sub(r"//[^/@]*@", "//…@", shown)


def _places(error: BaseException) -> tuple[str, ...]:
    """Where in minpack the exception came through, the innermost first, then where in another library it began."""
    frames = [(frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    shown = [_place(code.co_filename, line, code.co_name) for code, line in reversed(frames)]
    own = [place for place in shown if place.startswith("minpack/")]
    return tuple(dict.fromkeys([*shown[:1], *own]))[:_MOST_PLACES]


def _place(path: str, line: int, function: str) -> str:
    """A line of code without the directories of this machine."""
    below = os.path.relpath(path, os.path.dirname(_PACKAGE)) if path.startswith(f"{_PACKAGE}{os.sep}") else ""
    return f"{below or os.path.basename(path)}:{line} in {function}"
