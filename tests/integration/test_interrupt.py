"""Ctrl-C, SIGTERM and SIGHUP at any time: the exit code shells expect, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from support.command import COMMAND, TIMEOUT, environment
from support.elfmaker import static_program
from support.fake_engine import FakeEngine
from support.mirror import Mirror, always, hang
from support.tarmaker import archive, member

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

OLD = archive(member("file", b"what was here before"))
SIGNALS = {signal.SIGINT: (130, "interrupted"), signal.SIGTERM: (143, "terminated"), signal.SIGHUP: (129, "hung up")}


@pytest.fixture(autouse=True, scope="module")
def _heeded() -> Iterator[None]:
    """The processes start as a shell's foreground job does, even where the tests run with signals ignored."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number, handler in before.items():
        if handler is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a program that takes a while to pack; most of it is a hole."""
    path = tmp_path_factory.mktemp("big")
    with (path / "big").open("wb") as file:
        file.write(static_program())
        file.truncate(1 << 30)
    return path


def start(*arguments: str, cwd: Path, **variables: str) -> subprocess.Popen[bytes]:
    """Start `minpack`, with stdout in a pipe."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=environment(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def until(happened: Callable[[], object], run: subprocess.Popen[bytes]) -> None:
    """Wait until something has happened, while the process runs."""
    deadline = time.monotonic() + TIMEOUT
    while not happened():
        assert run.poll() is None, run.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def partials(place: Path) -> list[Path]:
    """What is being written."""
    return list(place.glob(".*.partial"))


def assert_stopped(run: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """The signal ends the process, with one line and its exit code."""
    code, word = SIGNALS[number]
    run.send_signal(number)
    _, err = run.communicate(timeout=TIMEOUT)
    assert err.decode() == f"minpack: {word}\n"
    assert run.returncode == code


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize("form", ["archive", "oci", "rootfs", "tar"])
def test_a_signal_leaves_nothing_of_what_is_written(place: Path, form: str, number: signal.Signals) -> None:
    """Stopped in the middle of writing, nothing half-written stays, and no target."""
    before = sorted(os.listdir(place))
    slow = ("--compress", "small") if form in ("archive", "oci") else ()
    run = start("./big", "--format", form, *slow, "-o", "target", cwd=place)
    until(lambda: partials(place), run)
    assert_stopped(run, number)
    assert sorted(os.listdir(place)) == before


def test_a_signal_leaves_the_old_file(tmp_path: Path, place: Path) -> None:
    """What was at the target before is there again, byte for byte, and unchanged in time."""
    target = tmp_path / "target.tar"
    target.write_bytes(OLD)
    status = target.stat()
    run = start(str(place / "big"), "-o", "target.tar", cwd=tmp_path)
    until(lambda: partials(tmp_path), run)
    assert_stopped(run, signal.SIGTERM)
    assert target.read_bytes() == OLD
    assert (target.stat().st_mtime_ns, target.stat().st_ino) == (status.st_mtime_ns, status.st_ino)
    assert os.listdir(tmp_path) == ["target.tar"]


def test_a_signal_leaves_the_old_directory(tmp_path: Path, place: Path) -> None:
    """The same for a directory that --force would have replaced."""
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "old").write_bytes(b"what was here before")
    run = start(str(place / "big"), "--format", "rootfs", "-o", "root", "--force", cwd=tmp_path)
    until(lambda: partials(tmp_path), run)
    assert_stopped(run, signal.SIGINT)
    assert os.listdir(tmp_path) == ["root"]
    assert os.listdir(tmp_path / "root") == ["old"]


@pytest.mark.parametrize("form", ["archive", "tar"])
def test_a_signal_while_writing_to_stdout(tmp_path: Path, form: str) -> None:
    """Stopped while a pipe takes the output, the process ends at once."""
    (tmp_path / "app").write_bytes(static_program(overlay=bytes(1 << 20)))
    how = ("--format", form) if form == "tar" else ("--compress", "none")
    run = start("./app", "-o", "-", *how, cwd=tmp_path)
    assert run.stdout is not None
    assert run.stdout.read(1)
    # Nobody reads on: it is in the middle, waiting for room in the pipe.
    assert_stopped(run, signal.SIGTERM)


def test_a_signal_while_downloading(tmp_path: Path) -> None:
    """Stopped while a server keeps it waiting, the process ends at once, and writes no image."""
    (tmp_path / "app").write_bytes(static_program())
    with Mirror() as mirror:
        path = "/v3.20/releases/x86_64/alpine-minirootfs-3.20.3-x86_64.tar.gz"
        mirror.add(path, b"x" * 3490290, always(hang(1000)))
        run = start("./app", "--base", "alpine-3.20.3", "--mirror", mirror.url, cwd=tmp_path)
        until(lambda: mirror.requests, run)
        assert_stopped(run, signal.SIGINT)
    assert os.listdir(tmp_path) == ["app"]


def test_a_signal_while_downloading_for_two_platforms(tmp_path: Path) -> None:
    """The same where two threads wait for the server, which no signal reaches."""
    for arch, machine in (("amd64", "x86_64"), ("arm64", "aarch64")):
        (tmp_path / arch).mkdir()
        (tmp_path / arch / "app").write_bytes(static_program(machine=machine))
    with Mirror() as mirror:
        for arch in ("x86_64", "aarch64"):
            path = f"/v3.20/releases/{arch}/alpine-minirootfs-3.20.3-{arch}.tar.gz"
            mirror.add(path, b"x" * 3490290, always(hang(1000)))
        run = start("amd64/app", "arm64/app", "--base", "alpine-3.20.3", "--mirror", mirror.url, cwd=tmp_path)
        until(lambda: len(mirror.requests) > 1, run)
        assert_stopped(run, signal.SIGINT)
    assert sorted(os.listdir(tmp_path)) == ["amd64", "arm64"]


def test_a_signal_while_loading(tmp_path: Path) -> None:
    """Stopped while an engine keeps it waiting, the process ends at once, and writes no file."""
    (tmp_path / "app").write_bytes(static_program())
    with FakeEngine(tmp_path / "socket") as engine:
        run = start("./app", "--load", "-o", "app.tar", cwd=tmp_path, DOCKER_HOST=engine.host)
        until(engine.loading.is_set, run)
        assert_stopped(run, signal.SIGINT)
    assert sorted(os.listdir(tmp_path)) == ["app", "socket"]


def test_ignored_signals_stay_ignored(tmp_path: Path) -> None:
    """Started with SIGHUP ignored, as by nohup(1), the process goes on."""
    (tmp_path / "app").write_bytes(static_program())
    with FakeEngine(tmp_path / "socket", load=(500, {"message": "no"})) as engine:
        run = subprocess.Popen(
            ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *COMMAND, "./app", "--load"],
            cwd=tmp_path,
            env=environment({"DOCKER_HOST": engine.host}),
            stderr=subprocess.PIPE,
        )
        until(engine.loading.is_set, run)
        run.send_signal(signal.SIGHUP)
        _, err = run.communicate(timeout=TIMEOUT)
    assert run.returncode == 1
    assert b"into the engine" in err


def test_an_interrupt_in_the_first_moment(tmp_path: Path) -> None:
    """Ctrl-C while the program is still being imported shows no traceback."""
    code = (
        "import sys, builtins, minpack.cli\n"
        "real = builtins.__import__\n"
        "def importing(name, *rest):\n"
        "    if name == 'click':\n"
        "        raise KeyboardInterrupt\n"
        "    return real(name, *rest)\n"
        "builtins.__import__ = importing\n"
        "sys.argv = ['minpack', './app']\n"
        "minpack.cli.main()\n"
    )
    done = subprocess.run([COMMAND[0], "-c", code], cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")
