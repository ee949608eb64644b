"""What a program writes, kept: a pipe in place of this process's output, of whose bytes the last are held."""

from __future__ import annotations

import os

_PIECE = 1 << 16


class Recording:
    """Takes the output of a program, stdout and stderr in one; its input is empty. Use it in a ``with`` block.

    For whoever waits for the program it is what a `Terminal` is.

    :param most: the bytes that are held; of more, the first are dropped.
    """

    #: There is no terminal.
    slave = -1

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept = bytearray()
        self._out = self._in = -1
        #: How many bytes were dropped.
        self.dropped = 0

    def __enter__(self) -> Recording:
        self._out, self._in = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._out, False)
        return self

    def __exit__(self, *exc: object) -> None:
        self.close_slave()
        self._close()

    @property
    def output(self) -> bytes:
        """The last of what was written."""
        return bytes(self._kept)

    def become_streams(self) -> None:
        """Let this process, which becomes the program, write here."""
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        for number in (1, 2):
            os.dup2(self._in, number)

    def close_slave(self) -> None:
        """Leave the side that is written to to the program."""
        if self._in >= 0:
            os.close(self._in)
            self._in = -1

    def resize(self) -> None:
        """A pipe has no size."""

    @property
    def watched(self) -> tuple[int, ...]:
        """What to wait for."""
        return (self._out,) if self._out >= 0 else ()

    def relay(self, ready: list[int]) -> int:
        """Keep what has come; nobody types a signal here."""
        if self._out in ready:
            self._keep()
        return 0

    def drain(self) -> None:
        """Keep what the program has left."""
        while self._out >= 0 and self._keep():
            pass

    def _keep(self) -> bool:
        """Whether there was some."""
        try:
            data = os.read(self._out, _PIECE)
        except BlockingIOError:
            return False
        if not data:
            self._close()
        self._kept += data
        over = len(self._kept) - self._most
        if over > 0:
            del self._kept[:over]
            self.dropped += over
        return bool(data)

    def _close(self) -> None:
        if self._out >= 0:
            os.close(self._out)
            self._out = -1
