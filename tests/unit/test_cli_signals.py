"""Signals that end the process."""

from __future__ import annotations

import signal
import subprocess
import sys

from minpack.cli.signals import Stopped

TWO = """
import os, signal
from minpack.cli.signals import Stopped, heed_signals

heed_signals()
both = {signal.SIGINT, signal.SIGTERM}
signal.pthread_sigmask(signal.SIG_BLOCK, both)
for number in both:
    os.kill(os.getpid(), number)
try:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, both)
    print("ran on")
except Stopped as stopped:
    print(stopped.exit_code)
"""


def test_of_two_signals_at_once_the_first_counts() -> None:
    """What came while it was heeded is passed over without a word."""
    done = subprocess.run([sys.executable, "-c", TWO], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"{Stopped(signal.SIGINT).exit_code}\n", "")
