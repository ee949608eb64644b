"""Dask as a cluster: ``dask://HOST:PORT`` is its scheduler, ``dask+tls://`` one that is asked by TLS."""

from __future__ import annotations

import logging
import warnings
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from functools import partial
from threading import Event, Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any

from minpack._version import __version__
from minpack.cluster.executor import Cluster
from minpack.errors import ExecutorError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from contextlib import AbstractContextManager

#: Seconds until a scheduler must have answered.
_PATIENCE = 15
#: Seconds between two looks at whether there are workers, and for how long there may be none, unless Dask's
#: configuration says that (distributed.scheduler.no-workers-timeout).
_TICK, _WORKERLESS = 1.0, 60.0
#: So often a job is run again that raised an exception, which an image that cannot be built does not. How often one is
#: whose worker was lost, the scheduler says (distributed.scheduler.allowed-failures, 3).
_RETRIES = 2
_INSTALL = f"install it there: pip install 'minpack[dask]=={__version__}'"


def open_dask(address: str) -> AbstractContextManager[Cluster]:
    """The cluster of a scheduler that is asked by TCP."""
    return _open("dask", "tcp", address)


def open_dask_tls(address: str) -> AbstractContextManager[Cluster]:
    """The cluster of a scheduler that is asked by TLS, with the certificates of Dask's own configuration."""
    return _open("dask+tls", "tls", address)


@contextmanager
def _open(name: str, protocol: str, address: str) -> Generator[Cluster]:
    executor = f"{name}://{address}"
    try:
        from distributed import Client  # noqa: PLC0415 - an extra, and half a second to import
    except ImportError as error:
        reason = f"a library is missing: {error.name or error}"
        raise ExecutorError(executor, reason, "install it: pip install 'minpack[dask]'") from error
    _silence()
    with warnings.catch_warnings():
        # Of versions that differ: what matters of them is looked at below.
        warnings.simplefilter("ignore")
        try:
            client = Client(f"{protocol}://{address}", timeout=_PATIENCE, set_as_default=False)
        except (OSError, ValueError, RuntimeError) as error:
            hint = "start it with: dask scheduler; and name the address that it prints, as dask://HOST:PORT"
            raise ExecutorError(executor, f"its scheduler does not answer: {_first_line(error)}", hint) from error
        with client:
            try:
                # Of a cluster that was started just now, or that adds workers as they are needed.
                client.wait_for_workers(1, timeout=_PATIENCE)
            except TimeoutError as error:
                hint = f"start some with: dask worker {protocol}://{address}"
                raise ExecutorError(executor, "it has no workers", hint) from error
            threads = client.nthreads()
            _check_versions(executor, client.get_versions(packages=["minpack"]))
            with _watched(_Jobs(client, executor), client, executor) as jobs:
                yield Cluster(jobs, sum(threads.values()))


class _Jobs(Executor):
    """The jobs of a client: each comes to its end, even where the cluster comes to its own before."""

    def __init__(self, client: Any, name: str) -> None:  # noqa: ANN401 - Dask's, which may not be there
        self._client = client
        self._name = name
        self._executor = client.get_executor(pure=False, retries=_RETRIES)
        self._lock = Lock()
        self._running: set[Future[Any]] = set()
        self._gone: ExecutorError | None = None

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401 - any job's
        """What becomes of the job.

        :raises ExecutorError: the cluster is lost.
        """
        if self._gone is not None:
            raise self._gone
        if self._client.status != "running":
            raise self._lost()
        given = self._executor.submit(fn, *args, **kwargs)
        future = Future[Any]()
        future.set_running_or_notify_cancel()
        with self._lock:
            self._running.add(future)
        given.add_done_callback(partial(self._pass_on, future))
        return future

    def give_up(self, error: ExecutorError) -> None:
        """End all jobs by this error, and take no more."""
        with self._lock:
            self._gone = error
            taken, self._running = self._running, set()
        for future in taken:
            future.set_exception(error)

    def _pass_on(self, future: Future[Any], given: Future[Any]) -> None:
        with self._lock:
            if future not in self._running:
                return
            self._running.remove(future)
        error = self._lost() if given.cancelled() else given.exception()
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(given.result())

    def _lost(self) -> ExecutorError:
        hint = "look at its log, and start it again; then run minpack build again"
        return ExecutorError(self._name, "the connection to its scheduler was lost", hint)


@contextmanager
def _watched(jobs: _Jobs, client: Any, executor: str) -> Generator[_Jobs]:  # noqa: ANN401 - as above
    """The jobs, given up once the cluster has had no workers for long."""
    from dask import config  # noqa: PLC0415 - an extra
    from dask.utils import parse_timedelta  # noqa: PLC0415 - as above

    patience = parse_timedelta(config.get("distributed.scheduler.no-workers-timeout", None)) or _WORKERLESS
    ended = Event()
    watch = Thread(target=_watch, args=(jobs, client, executor, patience, ended), daemon=True)
    watch.start()
    try:
        yield jobs
    finally:
        ended.set()
        watch.join(_TICK)


def _watch(jobs: _Jobs, client: Any, executor: str, patience: float, ended: Event) -> None:  # noqa: ANN401 - as above
    seen = monotonic()
    while not ended.wait(_TICK):
        try:
            there = client.status != "running" or bool(client.nthreads())
        except Exception:  # noqa: BLE001, S112 - that the scheduler is lost, each job is told
            continue
        if there:
            seen = monotonic()
        elif monotonic() - seen >= patience:
            hint = "look at the log of the workers, and start some again; then run minpack build again"
            jobs.give_up(ExecutorError(executor, f"it has had no workers for {patience:g} s", hint))
            return


def _silence() -> None:
    """Let Dask log nothing: what it has to say is said by its futures."""
    # Its configuration gives several of its loggers levels of their own.
    for name in ("distributed", *logging.root.manager.loggerDict):
        if name.partition(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _check_versions(executor: str, found: Mapping[str, Any]) -> None:
    """Raise `ExecutorError` if the scheduler, or a worker, has no minpack or another one."""
    places = {
        "the scheduler": found["scheduler"],
        **{f"the worker {key}": one for key, one in found["workers"].items()},
    }
    for place, versions in places.items():
        there = versions["packages"].get("minpack") if versions else None
        if there is None or there == "MISSING":
            raise ExecutorError(executor, f"{place} has no minpack", _INSTALL)
        if there != __version__:
            raise ExecutorError(executor, f"{place} has minpack {there}, and this is {__version__}", _INSTALL)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).strip().partition("\n")[0]
