"""A Dask cluster on this machine: a scheduler and workers, each a process that a test may kill."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

import psutil
import pytest

from support.command import environment

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_QUIET = {"DASK_LOGGING__DISTRIBUTED": "error", "DASK_DISTRIBUTED__WORKER__MEMORY__TERMINATE": "false"}


class DaskCluster(NamedTuple):
    """`address` is the scheduler's, ``HOST:PORT``; workers have one thread each, and caches of their own."""

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]]


@contextmanager
def running_cluster(place: Path, workers: int) -> Generator[DaskCluster]:
    """A cluster with its files below `place`."""
    file = place / "scheduler.json"
    with ExitStack() as stack:
        scheduler = _start(
            stack, place, "scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file)
        )
        _wait(file, scheduler, place)
        address = json.loads(file.read_text())["address"]
        started = [
            *(
                _start(
                    *(stack, place, "worker", address, "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny"),
                    *("--local-directory", str(place / f"worker{number}"), "--death-timeout", "30"),
                    number=number,
                )
                for number in range(workers)
            )
        ]
        yield DaskCluster(address.removeprefix("tcp://"), scheduler, started)


def _start(stack: ExitStack, place: Path, what: str, *arguments: str, number: int = 0) -> subprocess.Popen[bytes]:
    log = stack.enter_context((place / f"{what}{number}.log").open("wb"))
    variables = {**_QUIET, "XDG_CACHE_HOME": str(place / f"{what}{number}-cache"), "MINPACK_OFFLINE": None}
    command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *arguments, "--no-dashboard"]
    process = subprocess.Popen(command, cwd=place, env=environment(variables), stdout=log, stderr=log)
    stack.callback(_end, process)
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _wait(file: Path, process: subprocess.Popen[bytes], place: Path) -> None:
    for _ in range(600):
        if file.exists() and file.read_bytes().endswith(b"}"):
            return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    pytest.fail(f"the scheduler did not come up: {(place / 'scheduler0.log').read_text(errors='replace')[-500:]}")


def worker_of(cluster: DaskCluster, port: int) -> int:
    """The process of the worker that has started the one whose connection comes from `port`."""
    for worker in cluster.workers:
        for child in psutil.Process(worker.pid).children(recursive=True):
            if any(one.laddr and one.laddr.port == port for one in child.net_connections(kind="tcp")):
                return worker.pid
    raise AssertionError(f"no process of a worker has a connection from port {port}")
