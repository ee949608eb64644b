"""Checks of arguments: a value of a wrong type is an error that says which one it is, and what to write instead.

The annotations of functions and values say what is right, so that no rule is written twice. The command line makes its
values itself, and does without these checks.
"""

from __future__ import annotations

import collections.abc
import os
import re
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache, wraps
from types import NoneType, UnionType
from typing import IO, TYPE_CHECKING, Any, NewType, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

import minpack
from minpack.excerpt import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

_P = ParamSpec("_P")
_R = TypeVar("_R")
#: What makes a value of a class from text.
_PARSERS = {
    "AddedDirectory": "parse_directory",
    "AddedLink": "parse_link",
    "Addition": "parse_addition",
    "BaseRef": "parse_base",
    "OwnerName": "parse_owner",
    "Platform": "parse_platform",
    "Reference": "parse_reference",
    "User": "parse_user",
}
#: The most characters of a value that a message shows.
_MOST = 100


def checked(function: Callable[_P, _R], **rules: Callable[[Any], None]) -> Callable[_P, _R]:
    """`function`, but it raises `TypeError` if an argument, or a field of one, has another type than is declared.

    :param rules: by the name of an argument what raises an error if it cannot be meant.
    """
    inner: Any = function
    while hasattr(inner, "__wrapped__"):
        inner = inner.__wrapped__
    names = inner.__code__.co_varnames[: inner.__code__.co_argcount]

    @wraps(function)
    def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        hints = hints_of(inner)
        for name, value in (*zip(names, args, strict=False), *kwargs.items()):
            if name in hints:
                check(value, hints[name], f"{function.__name__}({name})")
            if name in rules:
                rules[name](value)
        return function(*args, **kwargs)

    return wrapper


def check(value: object, hint: object, where: str) -> None:
    """Raise `TypeError` if `value` does not fit `hint`, or a field of it not its own.

    :param where: what the value was given as.
    """
    wrong = _misfit(value, hint)
    if wrong is not None:
        raise TypeError(_message(*wrong, where))
    for inner in _records(value):
        kind: Any = type(inner)
        hints = hints_of(kind)
        for name, field in zip(inner._fields, inner, strict=True):
            check(field, hints[name], f"{kind.__name__}.{name}")


def _records(value: object) -> Iterator[Any]:
    """The value with declared fields that `value` is, or those that it holds if it is a plain tuple."""
    if hasattr(value, "_fields"):
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from _records(one)


@cache
def hints_of(declared: Any) -> dict[str, Any]:  # noqa: ANN401 - a function or a class
    """The types that a function or a class is annotated with.

    Names that a module imports for type checkers alone are public ones of minpack, or of `collections.abc`.
    """
    known = {}
    for name in set(re.findall(r"\w+", " ".join(map(str, declared.__annotations__.values())))):
        home = minpack if name in minpack.__all__ else collections.abc
        if hasattr(home, name):
            known[name] = getattr(home, name)
    return get_type_hints(declared, localns=known)


def _misfit(value: Any, hint: Any) -> tuple[object, object] | None:  # noqa: ANN401 - any value, any annotation
    """What does not fit, `value` or a part of it, and the annotation that it does not fit; None if all of it does."""
    origin, choices = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        if any(_misfit(value, one) is None for one in choices):
            return None
        others = [one for one in choices if one is not NoneType]
        return _misfit(value, others[0]) if len(others) == 1 else (value, hint)
    if origin in (tuple, frozenset, Mapping) and isinstance(value, origin):
        return _misfit_inside(value, choices)
    return None if _is_a(value, hint, origin or hint) else (value, hint)


def _misfit_inside(value: Any, choices: tuple[Any, ...]) -> tuple[object, object] | None:  # noqa: ANN401 - as above
    """As `_misfit`, of the members of a collection."""
    if isinstance(value, Mapping):
        pairs = [*((key, choices[0]) for key in value), *((one, choices[1]) for one in value.values())]
    elif isinstance(value, frozenset) or choices[-1] is ...:
        pairs = [(one, choices[0]) for one in value]
    elif len(value) == len(choices):
        pairs = list(zip(value, choices, strict=True))
    else:
        return value, tuple.__class_getitem__(choices)
    return next((wrong for one, hint in pairs if (wrong := _misfit(one, hint)) is not None), None)


def _is_a(value: Any, hint: Any, kind: Any) -> bool:  # noqa: ANN401 - as above
    """Whether `value` is of the `kind` that `hint` names: a class, a protocol, a root path."""
    if isinstance(hint, NewType):
        # The one there is: `RootPath`.
        return isinstance(value, str) and value.startswith("/")
    if kind is IO:
        return hasattr(value, "write")
    if getattr(kind, "_is_protocol", False):
        return all(hasattr(value, name) for name in vars(kind) if not name.startswith("_"))
    return not isinstance(kind, type) or isinstance(value, kind)


def _message(value: object, hint: Any, where: str) -> str:  # noqa: ANN401 - as above
    """What is wrong with `value`, and what to write instead if that can be told."""
    plain = isinstance(hint, (type, NewType)) and not get_args(hint)
    wanted = hint.__name__ if plain else re.sub(r"\b(\w+\.)+(?=\w)", "", str(hint))
    instead = _instead(value, hint, get_origin(hint) or hint)
    shown = shorten(repr(value), _MOST)
    return f"{where} takes {wanted}, not {shown} ({type(value).__name__})" + (f": write {instead}" if instead else "")


def _instead(value: object, hint: Any, kind: Any) -> str:  # noqa: ANN401 - a case for each kind of value
    """What to write in place of `value`; empty if that cannot be told."""
    name = getattr(kind, "__name__", "")
    if isinstance(value, os.PathLike):
        text = os.fspath(value)
        return repr(text) if kind is str else _instead(text, hint, kind)
    if kind in (tuple, frozenset) and isinstance(value, (str, list, tuple, set, frozenset, dict)):
        whole = (value,) if isinstance(value, str) else tuple(value.items() if isinstance(value, dict) else value)
        return shorten(repr(whole) if kind is tuple else f"frozenset({whole!r})", _MOST)
    if not isinstance(value, str):
        return "BytesContent(…)" if isinstance(value, bytes) and "Content" in str(hint) else ""
    if isinstance(kind, type) and issubclass(kind, Enum):
        found = [one for one in kind if one.value == value]
        return " or ".join(f"{name}.{one.name}" for one in found or kind)
    if isinstance(hint, NewType):
        return repr(f"/{value}")
    if name == "ImageSpec":
        return shorten(f"ImageSpec(({value!r},))", _MOST)
    return shorten(f"{_PARSERS[name]}({value!r})", _MOST) if name in _PARSERS else ""
