"""The table of programs: `programs.jsonl`, one program a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

TABLE = Path(__file__).with_name("programs.jsonl")


class Smoke(NamedTuple):
    """One run of a program: its arguments, standard input, and what it answers.

    `expect` is a regular expression that is in what the program writes, `status` what it ends with.
    """

    args: tuple[str, ...]
    expect: str
    status: int = 0
    stdin: str = ""


class Row(NamedTuple):
    """A program, where it is from, how it is packed, and its smoke tests.

    `packages` are Debian's, for the program or to build it; `build` is what a shell makes it with, in an empty
    directory beside `sources`, files of the test data. `options` are given to every pack. `refused` is in the
    message with which minpack rightly refuses the program. Rows with `ci` run in every run of the tests.
    """

    name: str
    language: str
    program: str
    smoke: tuple[Smoke, ...]
    packages: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    build: str = ""
    options: tuple[str, ...] = ()
    base: str = ""
    refused: str = ""
    ci: bool = False


def read_table(path: Path = TABLE) -> tuple[Row, ...]:
    """All rows, in the order of the table."""
    return tuple(_row(json.loads(line)) for line in path.read_text().splitlines() if line)


def _row(values: dict[str, Any]) -> Row:
    smoke = tuple(Smoke(**{**one, "args": tuple(one["args"])}) for one in values.pop("smoke"))
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return Row(**{**values, **lists, "smoke": smoke})


def packages_of(rows: tuple[Row, ...]) -> tuple[str, ...]:
    """The Debian packages that the rows take."""
    return tuple(sorted({package for row in rows for package in row.packages}))
