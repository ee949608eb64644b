"""Running a command: which one is meant, and what becomes of its errors."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from minpack.cli.app import COMMANDS, app
from minpack.errors import MinpackError
from minpack.report.documents import error_document

if TYPE_CHECKING:
    from types import FrameType

INTERRUPTED = 130
TERMINATED = 143
#: What `minpack` answers itself, without a command.
_OWN = ("--help", "-h", "--version")


class _Terminated(BaseException):
    """SIGTERM came; raised so that everything half-written is removed on the way out."""


def run(arguments: list[str]) -> int:
    """Run the command that `arguments` mean, and its exit code.

    0 done, 1 cannot do it, 2 usage, 3 the answer is no, 130 interrupted, 143 terminated.
    A bug shows a traceback, no error of minpack's own does.
    """
    signal.signal(signal.SIGTERM, _terminate)
    as_json = "--json" in arguments
    try:
        result = app.main(with_command(arguments), prog_name="minpack", standalone_mode=False)
        sys.stdout.flush()
    except MinpackError as error:
        return _fail(error, as_json=as_json)
    except click.UsageError as error:
        return _fail(_usage(error), as_json=as_json)
    except click.Abort:
        print("minpack: interrupted", file=sys.stderr)
        return INTERRUPTED
    except _Terminated:
        print("minpack: terminated", file=sys.stderr)
        return TERMINATED
    except BrokenPipeError:
        return quiet_pipe()
    return result if isinstance(result, int) else 0


def with_command(arguments: list[str]) -> list[str]:
    """`minpack APP …` means `minpack pack APP …`."""
    if not arguments or arguments[0] in COMMANDS or arguments[0] in _OWN:
        return arguments
    return ["pack", *arguments]


def quiet_pipe() -> int:
    """Nobody reads on: that is no failure, and the interpreter must not complain when it flushes stdout."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    raise _Terminated


def _usage(error: click.UsageError) -> MinpackError:
    """A usage error of click's in minpack's form."""
    text = error.format_message().rstrip(".")
    command = error.ctx.command_path if error.ctx is not None else "minpack"
    made = MinpackError(text[:1].lower() + text[1:], f"{command} --help shows what there is")
    made.exit_code = error.exit_code
    return made


def _fail(error: MinpackError, *, as_json: bool) -> int:
    print(f"minpack: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"hint: {error.hint}", file=sys.stderr)
    if as_json:
        print(json.dumps(error_document(error), indent=2))
    return error.exit_code
