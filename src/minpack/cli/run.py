"""Running a command, and what becomes of its errors."""

from __future__ import annotations

import os
from contextlib import suppress

import minpack.cli.import_shims  # noqa: F401 - before all that import click

# isort: split
import click

from minpack.cli.app import COMPLETE, app, with_command
from minpack.cli.groups import NothingAskedError
from minpack.cli.signals import Stopped, heed_signals, leave_signals
from minpack.cli.terminal import flush, print_error, print_json, print_lines, ready_streams, settle
from minpack.errors import MinpackError, OutputError, reason_of

HELP = frozenset(("-h", "--help", "--version", "help"))


def run(arguments: list[str]) -> int:
    """Run the command that `arguments` mean, and its exit code.

    0 done, 1 cannot do it, 2 usage, 3 the answer is no, 128 and more stopped by a signal.
    """
    ready_streams()
    as_json = "--json" in arguments[: arguments.index("--") if "--" in arguments else None]
    try:
        heed_signals()
        return _run(arguments, as_json=as_json)
    except Stopped as stopped:
        print_error(str(stopped), None)
        return stopped.exit_code
    except BrokenPipeError:
        # Nobody reads on: that is not a failure.
        return 0
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 - Rust's panics in libraries are no `Exception`
        from minpack.cli.failing import show_traceback, unexpected  # noqa: PLC0415

        show_traceback(error)
        return _fail(unexpected(error, arguments), as_json=as_json)
    finally:
        leave_signals()
        settle()


def _run(arguments: list[str], *, as_json: bool) -> int:
    try:
        code = _invoke(arguments)
        flush()
    except MinpackError as error:
        from minpack.cli.usage import suggestion  # noqa: PLC0415

        error.hint = suggestion(error, arguments)
        return _fail(error, as_json=as_json)
    except NothingAskedError as error:
        print_lines(error.message.splitlines(), to_stderr=True)
        return error.exit_code
    except click.UsageError as error:
        from minpack.cli.usage import usage_error  # noqa: PLC0415

        return _fail(usage_error(error, with_command(arguments)[0]), as_json=as_json)
    return code


def _invoke(arguments: list[str]) -> int:
    """What `click.Command.main` does, without its own ways to end the process."""
    if COMPLETE in os.environ:
        from click.shell_completion import shell_complete  # noqa: PLC0415

        return shell_complete(app, {}, "minpack", COMPLETE, os.environ[COMPLETE])
    try:
        with app.make_context("minpack", list(arguments)) as context:
            result = app.invoke(context)
    except click.exceptions.Exit as done:
        return done.exit_code
    except OSError as error:
        # click prints help by itself; whatever else fails to be printed comes as an error of minpack's.
        if isinstance(error, BrokenPipeError) or not HELP.intersection(arguments):
            raise
        raise OutputError("stdout", reason_of(error)) from error
    return result if isinstance(result, int) else 0


def _fail(error: MinpackError, *, as_json: bool) -> int:
    print_error(error.message, error.hint)
    if as_json:
        from minpack.report.documents import error_document  # noqa: PLC0415

        # Where stdout is what cannot be written, stderr has said so.
        with suppress(OutputError, BrokenPipeError):
            print_json(error_document(error))
    return error.exit_code
