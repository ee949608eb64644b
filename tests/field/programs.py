"""Where the program of a row is: installed in the root, or built there."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from field.root import in_root

if TYPE_CHECKING:
    from field.table import Row

SOURCES = Path(__file__).with_name("sources")


class BuildError(Exception):
    """A program of the table could not be built; what its tools wrote."""


def program_in(root: Path, row: Row) -> Path:
    """The program of the row, built first if need be; what was built is kept until the row or a source changes.

    :raises BuildError: it cannot be built.
    """
    if row.build:
        _build(root, row)
        return root / "field" / row.name / row.program
    return root / row.program.lstrip("/")


def _build(root: Path, row: Row) -> None:
    made = root / "field" / row.name
    sum_ = _sum(row)
    if (made / ".sum").is_file() and (made / ".sum").read_text() == sum_:
        return
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    for source in row.sources:
        shutil.copy(SOURCES / source, made)
    print(f"builds {row.name}", flush=True)
    done = in_root(root, "sh", "-ec", f"cd /field/{row.name}\n{row.build}")
    if done.returncode != 0:
        raise BuildError(done.stdout[-2000:] + done.stderr[-2000:])
    (made / ".sum").write_text(sum_)


def _sum(row: Row) -> str:
    texts = [row.build, *((SOURCES / source).read_text() for source in row.sources)]
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()
