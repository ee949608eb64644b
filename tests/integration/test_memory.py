"""Memory does not grow with what is packed."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from support.command import COMMAND, environment
from support.elfmaker import static_program
from support.fakeregistry import FakeRegistry
from support.gomaker import GoForm, go_program

#: Starts a program from a process that imports next to nothing, whose memory it would else be charged with.
LAUNCH = Path(__file__).parents[2] / "benchmarks" / "launch.py"
NEEDS = LAUNCH.with_name("needs.py")


def peak(place: Path, size: int, *options: str) -> int:
    """The peak memory, in bytes, of packing a program of `size` bytes, most of them a hole."""
    with (place / "app").open("wb") as app:
        app.write(static_program())
        app.truncate(size)
    command = (sys.executable, "-I", "-S", str(LAUNCH), *COMMAND, "./app", "-o", "app.tar", "-q", *options)
    done = subprocess.run(command, cwd=place, env=environment({}), capture_output=True, text=True, check=True)
    code, _, most = done.stdout.split()
    assert code == "0", done.stderr
    (place / "app.tar").unlink()
    return int(most)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's accounting of memory is compared")
def test_two_gigabytes_take_the_memory_of_twenty_megabytes(tmp_path: Path) -> None:
    """A program of 2 GB is packed, compressed and kept within 1.3 times the memory of one of 20 MB, below 120 MB."""
    small, large = peak(tmp_path, 20_000_000), peak(tmp_path, 2_000_000_000)
    assert large < 1.3 * small
    assert large < 120_000_000


def go_program_of(size: int) -> bytes:
    """The first bytes of a Go program of `size` bytes, most of them constants that are a hole."""
    made = go_program(GoForm(extra={".constants": b"constants"}))
    data = bytearray(made.data)
    start, _ = made.parts[".constants"]
    (headers,) = struct.unpack_from("<Q", data, 40)
    row = headers + 64 * (1 + list(made.parts).index(".constants"))
    struct.pack_into("<Q", data, row + 32, size - start)
    return bytes(data)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's accounting of memory is compared")
def test_what_a_large_program_needs_is_read_in_the_memory_of_a_small_one(tmp_path: Path) -> None:
    """Of one of 190 MB within 1.1 times the memory of one of 20 MB, below 60 MB, all of it read."""
    peaks = []
    for size in (20_000_000, 190_000_000):
        path = tmp_path / "app"
        path.write_bytes(go_program_of(size))
        os.truncate(path, size)
        command = (sys.executable, "-I", "-S", str(LAUNCH), sys.executable, str(NEEDS), "why", str(path))
        done = subprocess.run(command, env=environment({}), capture_output=True, text=True, check=True)
        code, _, most = done.stdout.split()
        assert code == "0", done.stderr
        peaks.append(int(most))
    assert peaks[1] < 1.1 * peaks[0]
    assert peaks[1] < 60_000_000


def peak_of_push(place: Path, size: int, *options: str) -> int:
    """The peak memory, in bytes, of packing a program of `size` bytes and pushing it while it is compressed."""
    with (place / "app").open("wb") as app:
        app.write(static_program())
        app.truncate(size)
    with FakeRegistry() as registry:
        registry.switches.forgets = True
        arguments = ("./app", "-t", f"{registry.host}/me/app:1", "--push", "-q", *options)
        command = (sys.executable, "-I", "-S", str(LAUNCH), *COMMAND, *arguments)
        done = subprocess.run(command, cwd=place, env=environment({}), capture_output=True, text=True, check=True)
        assert registry.whole("me/app", "1")
    code, _, most = done.stdout.split()[-3:]
    assert code == "0", done.stderr
    return int(most)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's accounting of memory is compared")
def test_a_push_of_a_large_layer_takes_the_memory_of_a_small_one(tmp_path: Path) -> None:
    """Of 2 GB, most of it zeros, within 1.3 times the memory of 20 MB; of layers that are not compressed, of 400 MB."""
    small, large = peak_of_push(tmp_path, 20_000_000), peak_of_push(tmp_path, 2_000_000_000)
    assert large < 1.3 * small
    stored = ("--compress", "none", "--no-cache")
    small, large = peak_of_push(tmp_path, 20_000_000, *stored), peak_of_push(tmp_path, 400_000_000, *stored)
    assert large < 1.3 * small
