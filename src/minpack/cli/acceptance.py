"""The options about what an image must pass, of `pack` and `check`, and the `Acceptance` that they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from minpack.cli.options import Parsed, applied, value_of
from minpack.errors import UsageError
from minpack.spec.values import parse_size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from minpack.output.target import Format
    from minpack.spec.acceptance import Acceptance, SmokeSpec

#: What says more of a smoke test: the parameter and its option.
_OF_SMOKE = (
    ("smoke_exit", "--smoke-exit"),
    ("smoke_output", "--smoke-output"),
    ("smoke_seconds", "--smoke-time-limit"),
)
#: What only images can pass, and what a bare tree lacks for it.
_OF_IMAGES = (
    ("smoke", "--smoke", "entrypoint"),
    ("max_size", "--max-size", "layers"),
    ("max_unpacked", "--max-unpacked", "layers"),
)


def _parsed(name: str) -> Callable[[str], Any]:
    """A parser of `minpack.spec.acceptance`, imported where its option is given."""

    def parse(text: str) -> Any:  # noqa: ANN401 - each has its own
        from minpack.spec import acceptance  # noqa: PLC0415 - where something must be passed

        return getattr(acceptance, name)(text)

    return parse


class _Words(Parsed):
    """The words of a command line; an empty text, which has none, can be meant."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
        """The words.

        :raises UsageError: the text cannot be split.
        """
        if value != "" or param is None:
            return super().convert(value, param, ctx)
        return value_of(param.opts[-1], _parsed("parse_arguments"))(value)


#: Of commands that run what they made, or were given.
smoke_options = applied(
    click.option(
        "--smoke",
        type=_Words(_parsed("parse_arguments")),
        metavar="'ARG…'",
        help="Smoke test: run the image with these arguments, as minpack run does, and fail unless it"
        " exits with 0. Arguments are split as in a shell; '' means none.",
    ),
    click.option(
        "--smoke-exit",
        type=Parsed(_parsed("parse_exit_code")),
        metavar="N",
        help="Exit code that the smoke test expects. Default: 0.",
    ),
    click.option(
        "--smoke-output",
        type=Parsed(_parsed("parse_pattern")),
        metavar="REGEX",
        help="Regular expression to find in the smoke test's output (stdout and stderr); fail if nothing matches.",
    ),
    click.option(
        "--smoke-time-limit",
        "smoke_seconds",
        type=Parsed(_parsed("parse_seconds")),
        metavar="TIME",
        help="Stop the smoke test after this time (30, 5m), and fail. Default: 60 seconds.",
    ),
)


#: Of commands that know an image's sizes.
size_options = applied(
    click.option(
        "--max-size",
        type=Parsed(parse_size),
        metavar="SIZE",
        help="Fail if the image of any platform is larger than this (20MB, 1GiB), compressed as in a registry.",
    ),
    click.option(
        "--max-unpacked",
        type=Parsed(parse_size),
        metavar="SIZE",
        help="Fail if its layers are larger than this when unpacked.",
    ),
)
acceptance_options = applied(size_options, smoke_options)
#: Of commands that pack: what is packed by what a run opens.
trace_option = click.option(
    "--trace",
    "traced",
    multiple=True,
    type=_Words(_parsed("parse_arguments")),
    metavar="'ARG…'",
    help="First run the program with these arguments, as minpack trace does, and also pack the files"
    " it opens; repeatable.",
)


def refuse_acceptance_of_trees(form: Format, given: Mapping[str, Any]) -> None:
    """Raise `UsageError` if a bare tree is to be written, which is no image that could pass anything."""
    for name, option, what in _OF_IMAGES:
        if not form.has_layers and given[name] is not None:
            reason = f"--format {form} writes the bare files, which have no {what}"
            raise UsageError(option, "", reason, "leave it out, or make an image with --format archive or oci")


def smoke_spec(given: Mapping[str, Any]) -> SmokeSpec | None:
    """The smoke test that is asked for; None for none.

    :raises UsageError: an option says more of it, and there is none.
    """
    more = {name: given[name] for name, _ in _OF_SMOKE if given[name] is not None}
    if given["smoke"] is None:
        for name, option in _OF_SMOKE:
            if name in more:
                hint = "add --smoke 'ARG…', with '' for no arguments"
                raise UsageError(option, "", "no smoke test is asked for", hint)
        return None
    from minpack.spec.acceptance import SmokeSpec  # noqa: PLC0415 - where one is asked for

    names = {"smoke_exit": "exit_code", "smoke_output": "output", "smoke_seconds": "seconds"}
    return SmokeSpec(given["smoke"], **{names[name]: value for name, value in more.items()})


def acceptance_of(given: Mapping[str, Any]) -> Acceptance | None:
    """What the image must pass before it is delivered; None for nothing.

    :raises UsageError: an option cannot be meant.
    """
    smoke, sizes = smoke_spec(given), (given["max_size"], given["max_unpacked"])
    if smoke is None and sizes == (None, None):
        return None
    from minpack.spec.acceptance import Acceptance  # noqa: PLC0415 - where something must be passed

    return Acceptance(smoke, *sizes)
