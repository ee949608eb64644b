"""Dask as a cluster: ``dask://HOST:PORT`` is its scheduler, ``dask+tls://`` one that is asked by TLS."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from minpack._version import __version__
from minpack.cluster.executor import Cluster
from minpack.errors import ExecutorError

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from contextlib import AbstractContextManager

#: Seconds until a scheduler must have answered.
_PATIENCE = 15
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
    # What it has to say is said by its futures.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
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
            yield Cluster(client.get_executor(pure=False, retries=_RETRIES), sum(threads.values()))


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
