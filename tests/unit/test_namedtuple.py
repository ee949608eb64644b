"""`minpack.namedtuple.NamedTuple` does what typing's does."""

from __future__ import annotations

import ast
import copy
import inspect
import pickle
import subprocess
import sys
import types
import typing
from pathlib import Path
from typing import Any

import pytest

import minpack
from minpack import namedtuple

MANY = [f"field{number}" for number in range(40)]


class Plain(namedtuple.NamedTuple):
    """Two fields."""

    first: int
    second: str = "two"

    @property
    def both(self) -> str:
        """One of its own."""
        return f"{self.first} {self.second}"


class Typed(typing.NamedTuple):
    """Two fields."""

    first: int
    second: str = "two"

    @property
    def both(self) -> str:
        """One of its own."""
        return f"{self.first} {self.second}"


@pytest.mark.parametrize("size", [1, 2, 9, 14, 15, 27, 28, 29, 40])
def test_any_number_of_fields_is_taken_by_place_and_by_name(size: int) -> None:
    """Also past those whose `__new__` is ready."""
    body = {"__annotations__": dict.fromkeys(MANY[:size], "int"), MANY[size - 1]: 7}
    made: Any = types.new_class("Many", (namedtuple.NamedTuple,), exec_body=lambda namespace: namespace.update(body))
    values = tuple(range(size))
    assert made(*values) == values == made(**dict(zip(MANY, values, strict=False)))
    assert made(*values[:-1]) == (*values[:-1], 7)
    assert [getattr(made(*values), name) for name in MANY[:size]] == list(values)
    assert list(inspect.signature(made).parameters) == MANY[:size]
    with pytest.raises(TypeError):
        made(*values, 0)


@pytest.mark.parametrize(
    "act",
    [
        lambda kind: repr(kind(1)).replace(kind.__name__, ""),
        lambda kind: kind(1) == (1, "two"),
        lambda kind: hash(kind(1)),
        lambda kind: kind(second="x", first=3),
        lambda kind: kind(1)._replace(second="x"),
        lambda kind: kind(1)._asdict(),
        lambda kind: kind._make([1, 2]),
        lambda kind: (kind._fields, kind._field_defaults, kind.__match_args__, kind.__doc__),
        lambda kind: kind(1).both,
        lambda kind: tuple(pickle.loads(pickle.dumps(kind(1)))),  # noqa: S301
        lambda kind: tuple(copy.deepcopy(kind(1))),
        lambda kind: (kind.__new__.__defaults__, kind.__new__.__name__, kind.__qualname__.replace(kind.__name__, "")),
        type,
        lambda kind: [name for name in vars(kind) if not name.startswith("_")],
    ],
)
def test_it_does_what_typings_does(act: Any) -> None:
    """Each expression gives the same for both."""
    assert act(Plain) == act(Typed)


@pytest.mark.parametrize(
    "act",
    [
        lambda kind: kind(),
        lambda kind: kind(1, 2, 3),
        lambda kind: kind(1, third=3),
        lambda kind: kind(1, first=3),
        lambda kind: setattr(kind(1), "first", 2),
        lambda kind: setattr(kind(1), "third", 2),
        lambda kind: kind._make([1, 2, 3]),
        lambda kind: kind(1)._replace(third=3),
    ],
)
def test_it_refuses_what_typings_refuses(act: Any) -> None:
    """With an error of the same kind, but where Python 3.13 has changed its own."""
    with pytest.raises((TypeError, AttributeError, ValueError)) as theirs:
        act(Typed)
    with pytest.raises((theirs.type, ValueError) if theirs.type is TypeError else theirs.type):
        act(Plain)


def test_a_python_without_the_quick_getter_reads_fields_all_the_same() -> None:
    """It is no public name: the module does without it too."""
    code = (
        "import collections, typing; quick = collections._tuplegetter; del collections._tuplegetter\n"
        "import minpack.namedtuple; collections._tuplegetter = quick\n"
        "from minpack.rootfs.entry import directory\n"
        "print(directory('/x').path, type(vars(type(directory('/x')))['path']).__name__)"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "/x property\n"


def test_a_match_takes_its_fields_by_place() -> None:
    """`__match_args__` is what match statements go by."""
    match Plain(4, "x"):
        case Plain(first, "x"):
            assert first == 4
        case _:
            pytest.fail("it did not match")


def test_a_field_without_a_default_comes_before_those_with_one() -> None:
    """As typing's, the class is refused."""
    for base in (namedtuple.NamedTuple, typing.NamedTuple):
        with pytest.raises(TypeError, match="default"):
            exec(  # noqa: S102 - a class that cannot be written down
                "class Wrong(base):\n    first: int = 1\n    second: int\n", {"base": base, "__name__": __name__}
            )


def test_nobody_defines_them_with_typing() -> None:
    """It would cost start-up what `minpack.namedtuple` saves."""
    for path in Path(minpack.__file__).parent.rglob("*.py"):
        if path.name == "namedtuple.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "typing":
                assert "NamedTuple" not in {alias.name for alias in node.names}, path
