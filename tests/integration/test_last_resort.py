"""What nobody expected: one message with what a report needs, and nothing half-made; no traceback unless asked for."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from minpack._version import __version__
from support.command import COMMAND, TIMEOUT, Ran, assert_error_document, assert_refused, environment, in_shell
from support.elfmaker import static_program
from support.refusals import row

if TYPE_CHECKING:
    from pathlib import Path

#: Runs the command, in which the layers are to be made when something fails, as `RAISE` says: the archive is begun.
BROKEN = """
import minpack.cli
import minpack.output.write

class Panic(BaseException):
    pass

def deep(n):
    return deep(n + 1)

def broken(*given):
    RAISE

minpack.output.write.write_kept_layer = broken
minpack.cli.main()
"""
#: The same before anything is begun: what the system says while a file is written is said of that file.
BEFORE = BROKEN.replace("minpack.output.write.write_kept_layer", "minpack.output.write._open_layers")


def broken(
    statement: str, *arguments: str, cwd: Path, env: dict[str, str | None] | None = None, code: str = BROKEN
) -> Ran:
    """Run the command with that fault in it."""
    done = subprocess.run(
        [COMMAND[0], "-c", code.replace("RAISE", statement), *arguments],
        cwd=cwd,
        env=environment(env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=TIMEOUT,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr.decode())


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a program, and something where the image would go."""
    (tmp_path / "app").write_bytes(static_program())
    (tmp_path / "app.tar").write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("raise ValueError('a\\nhint: b')", "ValueError: a hint: b"),
        ("{}['a']", "KeyError: 'a'"),
        ("deep(0)", "RecursionError: maximum recursion depth exceeded"),
        ("raise Panic('at src/lib.rs')", "Panic: at src/lib.rs"),
        ("raise Exception([])", "Exception: []"),
        ("assert not given", "AssertionError:"),
        ("raise ValueError('x' * 10**6)", f"ValueError: {'x' * 288}"),
    ],
)
def test_what_nobody_expected(place: Path, statement: str, said: str) -> None:
    """Any exception becomes an internal error with the place, the versions and the command; nothing is left behind."""
    ran = broken(statement, "./app", "--json", "-e", "TOKEN=secret", cwd=place)
    assert ran.code == 1
    lines = ran.err.splitlines()
    assert lines[0] == f"minpack: internal error: {said}"
    assert re.fullmatch(r"  at <string>:\d+ in (broken|deep)", lines[1])
    assert re.fullmatch(r"  at minpack/output/write\.py:\d+ in _write_image", lines[2])
    assert lines[-3].startswith(f"  minpack {__version__}, Python {platform.python_version()}, ")
    assert lines[-2] == "  command: minpack ./app --json -e 'TOKEN=…'"
    assert lines[-1] == "hint: this is a bug: please report these lines; MINPACK_TRACEBACK=1 shows more of it"
    assert len(lines) <= 10
    assert_error_document(ran, "internal")
    assert ran.document["data"]["versions"].startswith(f"minpack {__version__}")
    assert sorted(os.listdir(place)) == ["app", "app.tar"]
    assert (place / "app.tar").read_bytes() == b""


def test_the_traceback_is_there_for_whoever_wants_it(place: Path) -> None:
    """With MINPACK_TRACEBACK it comes before the message."""
    ran = broken("{}['a']", "./app", cwd=place, env={"MINPACK_TRACEBACK": "1"})
    assert ran.code == 1
    traceback, message, _ = ran.err.partition("minpack: internal error: KeyError: 'a'\n")
    assert traceback.startswith("Traceback (most recent call last):\n")
    assert message


def test_what_the_system_says_unexpectedly(place: Path) -> None:
    """An error of the system that nobody gave words to is told with its own."""
    ran = broken("raise OSError(116, 'Stale file handle', 'a')", "./app", cwd=place, code=BEFORE)
    assert ran.err.startswith("minpack: internal error: OSError: [Errno 116] Stale file handle: 'a'\n  at <string>:")


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("raise MemoryError", "no more memory"),
        ("raise OSError(24, 'Too many open files')", "no more open files"),
        ("raise ImportError('/a.so: cannot open shared object file: Too many open files')", "no more open files"),
        ("raise ImportError('/a.so: failed to map segment from shared object')", "a part that cannot be loaded"),
    ],
)
def test_what_the_system_has_no_more_of(place: Path, statement: str, what: str) -> None:
    """Memory and open files are the system's to give: no bug, and a hint to give more."""
    case = row(what)
    ran = broken(statement, "pack", "./app", "--json", cwd=place, code=BEFORE)
    assert_refused(ran, case.code, case.message, case.hint)
    assert_error_document(ran, case.kind)
    assert sorted(os.listdir(place)) == ["app", "app.tar"]


@pytest.mark.parametrize("limit", ["-n 5", "-n 6", "-n 7", "-n 8"])
def test_limits_of_the_shell(place: Path, limit: str) -> None:
    """With few open files it works, or says so in a line; what is half-made is removed."""
    script = f'ulimit {limit} && exec "$@"'
    if in_shell(script, "--version", cwd=place).code != 0:
        # It does not even begin.
        return
    for arguments in ("./app -o x.tar", "tree ./app", "base info /"):
        ran = in_shell(script, *arguments.split(), cwd=place)
        assert ran.code in (0, 1)
        assert "Traceback" not in ran.err
        assert "internal error" not in ran.err
        assert ran.code == 0 or ran.err.startswith("minpack: cannot "), ran.err
        written = {"x.tar"} if ran.code == 0 and arguments == "./app -o x.tar" else set()
        assert set(os.listdir(place)) == {"app", "app.tar"} | written
        (place / "x.tar").unlink(missing_ok=True)


def test_what_is_said_of_a_command(place: Path) -> None:
    """The command that is shown has no values of variables, no logins, and an end."""
    given = ("./app", "--env=A=secret", "-eB=secret", "--mirror", "http://me:secret@host/", "-l", "c=secret")
    ran = broken("{}['a']", *given, *("--expose=80" for _ in range(100)), cwd=place)
    line = ran.err.splitlines()[-2]
    shown = "minpack ./app '--env=A=…' '-eB=…' --mirror 'http://…@host/' -l 'c=…' --expose=80"
    assert line.startswith(f"  command: {shown}")
    assert len(line) < 400
