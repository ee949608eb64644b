"""Options that take one value and are given several: none of them is passed over in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from minpack.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def refuse_repeated(parser: Any, words: Sequence[str], given: Iterable[click.Parameter]) -> None:  # noqa: ANN401
    """Raise `UsageError` if an option that takes one value has two that differ.

    :param parser: click's, which is of no further use then: its type has no public name.
    :param words: the command line that it parsed.
    :param given: a parameter for each time that one was given.
    """
    seen = list(given)
    if any(one.is_eager and not one.expose_value for one in seen):
        # It asks for help.
        return
    single = [one for one in dict.fromkeys(seen) if seen.count(one) > 1 and takes_one(one)]
    options = {**vars(parser).get("_short_opt", {}), **vars(parser).get("_long_opt", {})}
    for option in options.values():
        if option.obj in single:
            option.action = "append"
    values, _, _ = parser.parse_args(list(words))
    for one in single:
        first, *others = values.get(one.name, [None])
        other = next((text for text in others if text != first), None)
        if other is not None:
            raise UsageError(one.opts[-1], str(other), f"another {one.opts[-1]} is given", "give only one of them")


def takes_one(parameter: click.Parameter) -> bool:
    """Whether it is an option with one value."""
    return isinstance(parameter, click.Option) and not (parameter.multiple or parameter.is_flag or parameter.count)
