"""Programs of the table that any Debian has, or that a compiler makes of a few lines: never silently broken."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from field.programs import SOURCES
from field.table import Row, read_table
from field.trial import Outcome, printed_options, try_program
from support.tools import need_tool

if TYPE_CHECKING:
    from collections.abc import Iterator

GOOD = (Outcome.WORKS, Outcome.TOLD, Outcome.REFUSED_RIGHTLY)
ROWS = [row for row in read_table() if row.ci]


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A directory that all users may enter, as the programs in it are run by another one."""
    place = Path(tempfile.mkdtemp(prefix="minpack-field-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_no_program_is_silently_broken(row: Row, open_place: Path) -> None:
    """It works as packed with defaults, or with the options printed, or is refused for what the table says."""
    trial = try_program(row, _program(row, open_place), Path("/"), open_place / "trial")
    assert trial.outcome in GOOD, f"{trial.outcome}: {trial.failed}\n{trial.text}"


def _program(row: Row, place: Path) -> Path:
    """The machine's own program, or one that is built of the row's sources; without either the test is skipped."""
    if not row.build:
        if not Path(row.program).is_file():
            pytest.skip(f"{row.program} is not installed: Debian's package {row.packages[0]}")
        return Path(row.program)
    for compiler in {"gcc", "musl-gcc"}.intersection(row.build.split()):
        need_tool(compiler)
    made = place / "made"
    made.mkdir()
    for source in row.sources:
        shutil.copy(SOURCES / source, made)
    subprocess.run(("sh", "-ec", row.build), cwd=made, check=True, capture_output=True)
    return made / row.program


def test_every_row_has_a_name_of_its_own_and_a_smoke_test() -> None:
    """The table is what the page and the runner take it for."""
    rows = read_table()
    assert len({row.name for row in rows}) == len(rows) >= 100
    assert len({row.language for row in rows}) >= 15
    assert all(row.smoke or row.refused for row in rows)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("  left out  tz: x (add with --need tz or --tz ZONE)", ("--need", "tz")),
        ("  left out  certs: nothing in the files asks for it (add with --need certs)", ()),
        ("hint: add it with --add SRC:DST, or place it with --dest", ()),
        ("hint: --dest /opt/x/bin/ --add 'a b:/c'.", ("--dest", "/opt/x/bin/", "--add", "a b:/c")),
        ("shell: optional (-v shows why, --need NAME packs one)", ()),
    ],
)  # fmt: skip
def test_options_that_are_printed_ready_made_are_found(text: str, options: tuple[str, ...]) -> None:
    """Those with a placeholder, and those of what nothing asks for, are none."""
    assert printed_options(text) == options
