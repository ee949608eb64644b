"""No answer breaks the health probe's readers: a build for this host, with sanitizers, is fuzzed.

``make probefuzz SECONDS=3600`` fuzzes for longer.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support.grpcanswers import ANSWERS, FRAME_SETTINGS
from support.tools import need_tool

ROOT = Path(__file__).parents[2]
SECONDS = os.environ.get("MINPACK_FUZZ_SECONDS", "3")
SANITIZED = ("-g", "-O1", "-Wall", "-Werror", "-Wno-unused-function", "-fsanitize=address,undefined")
OTHERS = {
    "http": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "interim": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 E\nA: b\n\nHTTP/1.0 503 No\r\n\r\n",
    "url": b"http://127.0.0.1:8080/healthz?x=y",
    "grpc url": b"grpc://[::1]:9000/my.Service",
    "tcp url": b"tcp://localhost:5432",
}
#: The most seeds that it takes.
MOST = 64


def build(directory: Path) -> Path:
    """The fuzzer, built of the sources in `directory`."""
    out = directory / "fuzzer"
    source = directory / "tests/fuzz/probe/fuzz.c"
    subprocess.run([need_tool("gcc"), *SANITIZED, "-fno-sanitize-recover=all", "-o", out, source], check=True)
    return out


def copied(directory: Path) -> Path:
    """A copy of the sources, which may be changed."""
    for part in ("src/probe", "tests/fuzz/probe"):
        shutil.copytree(ROOT / part, directory / part)
    return directory


def fuzzed(fuzzer: Path, seconds: str, seed: int, directory: Path) -> subprocess.CompletedProcess[str]:
    """A run of the fuzzer."""
    answers = [FRAME_SETTINGS + answer for answer, _ in ANSWERS.values() if len(answer) < 300]
    paths: list[str | Path] = []
    for number, data in enumerate((*answers, *OTHERS.values())):
        path = directory / f"seed{number}"
        path.write_bytes(data)
        paths.append(path)
    assert len(paths) <= MOST
    command: list[str | Path] = [fuzzer, seconds, str(seed), *paths]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.tool
@pytest.mark.slow
def test_fuzzing_finds_nothing(tmp_path: Path) -> None:
    """No answer reads or writes where it may not, overflows, or is read differently in pieces."""
    done = fuzzed(build(copied(tmp_path)), SECONDS, 18, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    print(f"{done.stdout.strip()} answers and URLs")
    assert int(done.stdout) > 10_000


@pytest.mark.tool
@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "check", "without"),
    [
        ("grpc.h", "if (count > MOST_MESSAGE - grpc->message_length) return GRPC_NO_MESSAGE;", ""),
        ("grpc.h", "|| count > (u32)(reader->end - reader->at)) return 0;", ") return 0;"),
    ],
)
def test_a_check_that_lacks_is_found(file: str, check: str, without: str, tmp_path: Path) -> None:
    """Without a bound the sanitizers see what is wrong within seconds."""
    path = copied(tmp_path) / "src/probe" / file
    text = path.read_text()
    assert check in text
    path.write_text(text.replace(check, without))
    done = fuzzed(build(tmp_path), "20", 18, tmp_path)
    assert done.returncode != 0
    assert "ERROR: AddressSanitizer" in done.stderr or "runtime error" in done.stderr
