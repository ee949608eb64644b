"""Tracing a program, as the options of `trace` and `pack` mean it."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from minpack.cli.options import selected
from minpack.cli.registry import RegistryAccess, with_registry
from minpack.cli.settings import StoreSettings, base_options, check_packages
from minpack.cli.terminal import fill_streams
from minpack.errors import UsageError
from minpack.images.process import RunOptions
from minpack.progress import no_progress
from minpack.sandbox.terminal import Terminal
from minpack.tracing.trace import TraceRequest, trace

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from minpack.base.options import BaseOptions
    from minpack.progress import Progress
    from minpack.spec.image import ImageSpec
    from minpack.tracing.trace import Traced


def traced(
    spec: ImageSpec, arguments: Sequence[tuple[str, ...]], given: Mapping[str, Any], progress: Progress
) -> Traced:
    """What a trace of the spec's program finds, run with each of `arguments`, or by a log.

    What it writes to stdout goes to stderr.

    :raises MinpackError: it cannot be traced.
    """
    fill_streams()
    options = _options(given)
    on_host = given.get("on_host", False)
    with ExitStack() as stack:
        stack.enter_context(_output_on_stderr())
        has_terminal = _has_terminal()
        terminal = stack.enter_context(Terminal(0, 1)) if has_terminal and not on_host else None
        runs = tuple(
            RunOptions(
                words,
                spec.run.env if on_host else (),
                workdir=os.getcwd() if on_host else None,
                binds=given.get("binds", ()),
                network=given.get("network", False),
                seconds=given.get("seconds") or 0.0,
                terminal=os.environ.get("TERM", "") if has_terminal else "",
            )
            for words in arguments
        )
        request = TraceRequest(runs, given.get("log") or "", on_host, tuple(os.environ.items()), terminal)
        return trace(spec, options, request, progress)


def traced_spec(spec: ImageSpec, given: Mapping[str, Any]) -> tuple[ImageSpec, tuple[str, ...]]:
    """The spec with what the runs of --trace open, and notes of that.

    :raises UsageError: it cannot be traced as it is packed.
    """
    if given["locked"]:
        hint = "trace it first, then run minpack lock with the options that minpack trace prints"
        raise UsageError("--trace", "", "with --locked, the lock says what is packed", hint)
    if given["on"] is not None:
        hint = "use that image as --base, and trace the program with minpack trace"
        raise UsageError("--trace", "", "it does not run programs on top of an image (--on)", hint)
    if spec.platforms or spec.bases:
        raise UsageError("--trace", "", "it runs a program of one platform", "pack each platform by itself")
    found = traced(spec, given["traced"], given, no_progress)
    words = found.options.words
    told = (f"traced, and packed with {shlex.join(words)}",) if words else ("traced: it opens nothing else",)
    return found.options.applied(spec), (*found.notes, *_untraced(spec.programs), *told)


def _untraced(programs: Sequence[str]) -> tuple[str, ...]:
    """A note of the programs that were not run by themselves, if there are some."""
    first, *others = programs
    if not others:
        return ()
    from minpack.excerpt import listed, quoted  # noqa: PLC0415 - for several programs alone

    which = listed(map(quoted, others), 3)
    return (f"--trace ran {first!r} alone, and not {which}: minpack trace finds what each other program opens",)


def _options(given: Mapping[str, Any]) -> BaseOptions:
    store, bases = selected(StoreSettings, given), [base for _, base in given["base"]]
    options = base_options(store)
    if any(base.is_pulled for base in bases):
        options = with_registry(options, selected(RegistryAccess, given), *bases)
    check_packages(bases, store)
    return options


def _has_terminal() -> bool:
    """Whether the program gets a terminal: where both its input and its output would be one."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


@contextmanager
def _output_on_stderr() -> Generator[None]:
    """Let what a program writes to stdout go to stderr: stdout has what was found alone."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
