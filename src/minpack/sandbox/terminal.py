"""A terminal for a program: one of its own, whose bytes go to and from the user's."""

from __future__ import annotations

import fcntl
import os
import signal
import termios
import tty
from contextlib import suppress
from typing import Any

_PIECE = 1 << 14


class Terminal:
    """A new terminal whose input and output are the descriptors `source` and `out`, a terminal that is made raw.

    Use it in a ``with`` block, which gives the user's terminal its mode back.
    """

    def __init__(self, source: int, out: int) -> None:
        self._source, self._out = source, out
        self._mode: list[Any] = []
        self._master = self.slave = -1
        self._asks = True

    def __enter__(self) -> Terminal:
        self._mode = termios.tcgetattr(self._source)
        self._master, self.slave = os.openpty()
        self.resize()
        tty.setraw(self._source)
        return self

    def __exit__(self, *exc: object) -> None:
        # Where the terminal was closed there is no mode to give back.
        with suppress(termios.error):
            termios.tcsetattr(self._source, termios.TCSADRAIN, self._mode)
        self.close_slave()
        os.close(self._master)

    def close_slave(self) -> None:
        """Leave the program's side to the program."""
        if self.slave >= 0:
            os.close(self.slave)
            self.slave = -1

    def resize(self) -> None:
        """Give it the size that the user's terminal has."""
        with suppress(OSError):
            size = fcntl.ioctl(self._source, termios.TIOCGWINSZ, bytes(8))
            fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)

    @property
    def watched(self) -> tuple[int, ...]:
        """What to wait for."""
        return (*((self._master,) if self._master >= 0 else ()), *((self._source,) if self._asks else ()))

    def relay(self, ready: list[int]) -> int:
        """Pass on what has come; the signal that the keys mean, 0 for none."""
        if self._master in ready:
            self._pass_output()
        if not self._asks or self._source not in ready:
            return 0
        data = b""
        # A terminal that was closed has nothing more (EIO).
        with suppress(OSError):
            data = os.read(self._source, _PIECE)
        self._asks = bool(data)
        meant = self._meant(data)
        _write_all(self._master, data or b"\x04")
        return meant

    def _meant(self, data: bytes) -> int:
        """The signal that the program's terminal makes of these keys (termios(3), ISIG)."""
        mode = termios.tcgetattr(self._master)
        keys = {mode[6][termios.VINTR]: signal.SIGINT, mode[6][termios.VQUIT]: signal.SIGQUIT}
        return next((keys[key] for key in keys if key in data), 0) if mode[3] & termios.ISIG else 0

    def drain(self) -> None:
        """Pass on what the program has left."""
        while self._pass_output():
            pass

    def _pass_output(self) -> bool:
        """Whether there was some."""
        try:
            data = os.read(self._master, _PIECE)
        except OSError:
            # Nobody has the other side any more (EIO).
            return False
        # Nobody sees it where the terminal was closed; the program gets SIGHUP for that.
        with suppress(OSError):
            _write_all(self._out, data)
        return bool(data)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
