"""A trial of one program: packed with defaults, and tried beside the host."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from field.container import Unpacked, run, unpack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from field.container import Answer
    from field.table import Row, Smoke

#: Options that pack more, or place it better, where messages give them ready-made: with a value, not a placeholder.
_VALUES = {
    "--take": r"/[^\s,;)]+|strong",
    "--need": r"[a-z-]+",
    "--locale": r"[A-Za-z_]+\.[\w-]+",
    "--tz": r"[A-Z][a-z]+/\w+",
    "--add-lib": r"[^\s,;)]+\.so[.0-9]*",
    "--allow-missing": r"[^\s,;)]+\.so[.0-9]*",
    "--package": r"[a-z0-9][a-z0-9.+-]+[a-z0-9+]",
    "--dest": r"/[^\s,;)]+",
    "--add": r"'[^']+:/[^']+'|(?!SRC|FILE)[^\s,;)]+:/[^\s,;)]+",
    "--base": r"[a-z]+-[0-9.]+[0-9]",
    "--env": r"[A-Z_]+=[^\s,;)]+",
}
_OPTIONS = re.compile("|".join(f"({name}) ({value})" for name, value in _VALUES.items()) + r"|(--retarget)\b")
#: What is printed of every program, whatever is in it, tells nothing of this one.
_EMPTY = "nothing in the files asks for it"
USER = "65532:65532"


class Outcome(StrEnum):
    """What became of a program; see docs/field.md."""

    WORKS = "works"
    #: What is missing was named with an option, and with all options that were printed it works.
    TOLD = "told"
    SILENT = "silent"
    REFUSED_RIGHTLY = "refused rightly"
    REFUSED_WRONGLY = "refused wrongly"
    #: The program does not answer as the table says on the host either.
    HOST_FAILS = "fails on the host"
    NOT_BUILT = "cannot be built"


class Trial(NamedTuple):
    """The outcome, the options that were printed, and what failed first."""

    row: Row
    outcome: Outcome
    size: int = 0
    options: tuple[str, ...] = ()
    failed: str = ""
    text: str = ""

    @property
    def unpacked(self) -> int:
        """The lines about files that are not packed, as far as no option was needed."""
        return sum("  --take /" in line for line in self.text.splitlines())


class _Pack(NamedTuple):
    status: int
    text: str
    size: int = 0
    image: Unpacked | None = None


def try_program(row: Row, program: Path, place: Path, work: Path) -> Trial:
    """The trial of the program that lies at `program` in the root file system `place`, in the directory `work`."""
    host = Unpacked(place, _variables(row), USER, "/", ("/" + str(program.relative_to(place)),))
    # What needs another base than this root, as Alpine, need not run in this root.
    failed = _failed(row, host) if not row.refused and not row.base else ""
    if failed:
        return Trial(row, Outcome.HOST_FAILS, failed=failed)
    packed = _pack(row, program, place, work / "first", ())
    trial = Trial(row, Outcome.WORKS, packed.size, printed_options(packed.text), text=packed.text)
    if packed.image is None:
        trial = trial._replace(failed=packed.text.strip())
        if row.refused and re.search(row.refused, packed.text):
            return trial._replace(outcome=Outcome.REFUSED_RIGHTLY)
        helped = _helps(row, program, place, work, trial.options)
        return trial._replace(outcome=Outcome.TOLD if helped else Outcome.REFUSED_WRONGLY)
    if row.refused:
        return trial._replace(outcome=Outcome.SILENT, failed="it is packed, and was to be refused")
    failed = _failed(row, packed.image)
    if not failed:
        return trial
    helped = _helps(row, program, place, work, trial.options)
    return trial._replace(outcome=Outcome.TOLD if helped else Outcome.SILENT, failed=failed)


def _variables(row: Row) -> dict[str, str]:
    """Those that the row's options set in the image: the host gets them too."""
    values = (value for option, value in pairwise(row.options) if option == "-e")
    return dict(value.split("=", 1) for value in values)


def printed_options(text: str) -> tuple[str, ...]:
    """The options that a summary, note or hint gives ready-made, each once and with its value, in the text's order.

    A full stop that ends the sentence is not part of a value.
    """
    found: dict[tuple[str, ...], None] = {}
    for line in text.splitlines():
        if _EMPTY not in line:
            for match in _OPTIONS.finditer(line):
                words = (part.rstrip(".:").strip("'") for part in match.groups() if part)
                found.setdefault(tuple(words))
    return tuple(word for words in found for word in words)


def _helps(row: Row, program: Path, place: Path, work: Path, options: Sequence[str]) -> bool:
    """Whether the program works once it is packed with these options too."""
    if not options:
        return False
    again = _pack(row, program, place, work / "again", options)
    return again.image is not None and not _failed(row, again.image)


def _pack(row: Row, program: Path, place: Path, work: Path, options: Sequence[str]) -> _Pack:
    work.mkdir(parents=True)
    layout = work / "layout"
    base = _base(row.base) if row.base else str(place)
    command = (
        *(sys.executable, "-m", "minpack", "pack", str(program), "--base", base, *row.options, *options),
        *("-o", str(layout), "--format", "oci", "--compress", "none"),
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    text = done.stderr + done.stdout
    if "Traceback" in text:
        raise AssertionError(f"{' '.join(command)}\n{text}")
    if done.returncode != 0:
        return _Pack(done.returncode, text)
    size = sum(file.stat().st_size for file in (layout / "blobs/sha256").iterdir())
    image = unpack(layout, work / "root")
    shutil.rmtree(layout)
    return _Pack(0, text, size, image)


def _base(name: str) -> str:
    """The base of that name: a tarball of it among the data of the tests, where there is one."""
    data = Path(os.environ.get("MINPACK_TEST_DATA", Path(__file__).parents[3] / "shared")) / "bases"
    release = name.removeprefix("alpine-")
    return str(next(iter(sorted(data.glob(f"alpine-minirootfs-{release}.*-x86_64.tar.gz"))), name))


def _failed(row: Row, image: Unpacked) -> str:
    """What the first smoke test that fails says; empty if none does."""
    for smoke in row.smoke:
        answer = run(image, smoke.args, smoke.stdin)
        if not _is_right(smoke, answer):
            return f"{' '.join(smoke.args)}: {answer.status}: {answer.output.strip()}"
    return ""


def _is_right(smoke: Smoke, answer: Answer) -> bool:
    return answer.status == smoke.status and re.search(smoke.expect, answer.output, re.MULTILINE) is not None
