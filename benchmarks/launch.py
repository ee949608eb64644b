"""Run one command; print its exit code, its wall time in seconds and its peak memory in bytes.

    python3 -I -S launch.py COMMAND [ARG ...]

A process is charged with the memory that its parent had when it was started
(Linux: `exec_mmap` in fs/exec.c keeps the larger of the two). So commands are
started from here: a process that imports next to nothing, whose own few
megabytes are the least that can be told. What counts is the largest single
process among the command and those it waited for.
"""

import os
import sys
import time

null = os.open(os.devnull, os.O_RDWR)
quiet = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, null, 1)]
start = time.perf_counter()
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=quiet)
_, status, usage = os.wait4(child, 0)
seconds = time.perf_counter() - start
unit = 1 if sys.platform == "darwin" else 1024
print(os.waitstatus_to_exitcode(status), seconds, usage.ru_maxrss * unit)
