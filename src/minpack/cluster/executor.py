"""What builds images on other machines, as a package offers it by an entry point of the group `GROUP`."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, TypeAlias

from minpack.errors import OPTION, BadValueError
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from concurrent.futures import Executor

#: Each entry point of this group is an `OpenCluster`; its name is what comes before ``://``.
GROUP = "minpack.executors"


class Cluster(NamedTuple):
    """An open cluster.

    `executor` calls a function of minpack with a value, both of which can be pickled, in a process that has minpack,
    and returns the result. If a worker is lost, it runs the job again on another one, a limited number of times.
    `workers` is the number of jobs that run at once.
    """

    executor: Executor
    workers: int


#: Opens the cluster at an address, the text after ``://``, until the block is left. Raises `ExecutorError` if the
#: cluster cannot be used.
OpenCluster: TypeAlias = Callable[[str], AbstractContextManager[Cluster]]


class ExecutorRef(NamedTuple):
    """An executor that a user names: what it is, and where."""

    name: str
    address: str

    def __str__(self) -> str:
        return f"{self.name}://{self.address}"


def parse_executor(text: str) -> ExecutorRef:
    """The executor and address that `text` names, such as ``dask://HOST:PORT``.

    :raises BadValueError: it does not have that form.
    """
    found = re.fullmatch(r"([a-z][a-z0-9+.-]*)://(\S+)", text, re.ASCII)
    if found is None:
        hint = f"for example {OPTION} dask://scheduler.example:8786"
        raise BadValueError(text, "it does not say what builds the images, and where", hint)
    return ExecutorRef(found[1], found[2])
