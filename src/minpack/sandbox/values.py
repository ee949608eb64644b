"""What runs in a sandbox, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    #: Writes the tree into an empty directory, given by its path; with owners or without.
    WriteTree = Callable[[str, bool], None]
    #: Is told the number of the process that is about to become the program, and returns when that may go on.
    Watch = Callable[[int], None]


class Bind(NamedTuple):
    """A file or directory of this host that is seen at `target` too, an absolute path."""

    source: str
    target: str
    read_only: bool = False


class ProcessSpec(NamedTuple):
    """A program, and what it finds when it starts.

    `arguments` begin with the program, which is looked for in the PATH of `environment` if it has no slash. `groups`
    are further groups. `network` is whether it has this host's network; else it has a loopback of its own alone.
    `seconds` is how long it may run, 0 for ever; then it gets `stop_signal`, and SIGKILL if it does not heed that.
    """

    arguments: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    directory: str
    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    binds: tuple[Bind, ...] = ()
    network: bool = False
    seconds: float = 0.0
    stop_signal: int = 15
    #: A directory of this host that is seen where the tree has nothing; it stays as it is. Empty for none.
    below: str = ""


class Ended(NamedTuple):
    """How a program ended: its exit code, or 128 and the signal's number. `timed_out`: it ran for too long."""

    code: int
    timed_out: bool = False


class SandboxError(Exception):
    """The program was not started.

    `step` is what could not be done, with its verb; ``start`` is the program itself. `number` is errno's, 0 if there is
    none, and `text` the reason where that says too little.
    """

    def __init__(self, step: str, number: int, text: str = "") -> None:
        super().__init__(step, number, text)
        self.step, self.number, self.text = step, number, text
