"""Starting the real `minpack`, as users do, and what to expect of every refusal."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

COMMAND = (sys.executable, "-m", "minpack")
TIMEOUT = 120


class Ran(NamedTuple):
    """How a run ended. `err` has bytes that are not UTF-8 escaped."""

    code: int
    out: bytes
    err: str

    @property
    def document(self) -> Any:
        """Stdout as the one JSON document that it must be."""
        return json.loads(self.out)


def minpack(*arguments: str | bytes, cwd: Path, env: Mapping[str, str | None] | None = None) -> Ran:
    """Run `minpack` in the directory `cwd`, with the changes `env` to the environment."""
    return _ran([*COMMAND, *arguments], cwd, env or {})


def in_shell(script: str, *arguments: str, cwd: Path) -> Ran:
    """Run ``minpack ARGUMENTS`` by a shell's `script`, in which it is ``"$@"``."""
    return _ran(["sh", "-c", script, "sh", *COMMAND, *arguments], cwd, {})


def _ran(command: list[str | bytes], cwd: Path, changes: Mapping[str, str | None]) -> Ran:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment(changes),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=TIMEOUT,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr.decode("utf-8", "backslashreplace"))


def environment(changes: Mapping[str, str | None]) -> dict[str, str]:
    """The environment of the tests with `changes`; None takes a variable out."""
    merged = {**os.environ, **changes}
    return {key: value for key, value in merged.items() if value is not None}


def matches(text: str, pattern: str) -> bool:
    """Whether `text` is `pattern`, where an ellipsis in `pattern` stands for anything."""
    parts = (re.escape(part) for part in pattern.split("…"))
    return re.fullmatch(".*".join(parts), text, re.DOTALL) is not None


def assert_refused(ran: Ran, code: int, message: str, hint: str = "") -> None:
    """The run said just this, as every error of minpack's does, and showed no traceback.

    :param message: what follows ``minpack: ``; an ellipsis stands for anything, in `hint` too.
    """
    assert "Traceback" not in ran.err, ran.err
    # Errors end the output: notes and progress may come before.
    said = ran.err[ran.err.index("minpack: ") :] if "minpack: " in ran.err else ran.err
    text, mark, advice = said.partition("\nhint: ")
    assert matches(text.rstrip("\n"), f"minpack: {message}"), ran.err
    assert re.match(r"minpack: cannot [a-z]+ \S", said), ran.err
    assert bool(mark) == bool(hint), ran.err
    assert matches(advice.rstrip("\n"), hint), ran.err
    assert ran.code == code, (ran.code, ran.err)


def assert_error_document(ran: Ran, kind: str) -> None:
    """Stdout is the error as one document and nothing else, and says what stderr says."""
    document = ran.document
    assert list(document) == ["schema", "kind", "message", "hint", "exit_code", "data", "left_out"]
    assert document["schema"] == "minpack.error/1"
    assert document["kind"] == kind
    assert document["exit_code"] == ran.code
    hint = f"hint: {document['hint']}\n" if document["hint"] else ""
    assert ran.err.endswith(f"minpack: {document['message']}\n{hint}")


class Snapshot(NamedTuple):
    """All that is in a directory: names and modes, and of files the size, time of change and bytes."""

    entries: tuple[tuple[str, int, int, int, bytes], ...]


def snapshot(directory: Path) -> Snapshot:
    """What is in `directory` now; two are equal if nothing was written in between."""
    found = []
    for path in sorted(directory.rglob("*")):
        status = path.lstat()
        if stat.S_ISDIR(status.st_mode):
            found.append((str(path), status.st_mode, 0, 0, b""))
            continue
        data = path.read_bytes() if path.is_file() and status.st_size < 1 << 20 else b""
        found.append((str(path), status.st_mode, status.st_size, status.st_mtime_ns, data))
    return Snapshot(tuple(found))
