"""Lines of logs, in every form that strace writes."""

from __future__ import annotations

import pytest

from minpack.strace.lines import Begun, Exited, LineReader, TracedCall

CALL = 'openat(AT_FDCWD, "/x", O_RDONLY) = 3'
ARGUMENTS = ["AT_FDCWD", '"/x"', "O_RDONLY"]


@pytest.mark.parametrize(
    ("leader", "pid"),
    [
        ("", 0),
        ("12 ", 12),
        ("12  ", 12),
        ("[pid 12] ", 12),
        ("[pid    12] ", 12),
        ("12<sh> ", 12),
        ("[pid 12<sh>] ", 12),
        ("10:11:12 ", 0),
        ("12 10:11:12.123456 ", 12),
        ("12 1700000000.123456 ", 12),
        ("[pid 12] 10:11:12 ", 12),
        ("     0.000012 ", 0),
        ("12      0.000012 ", 12),
        ("12 [00007f3bd2bee000] ", 12),
        ("12 [ 257] [00007f3bd2bee000] ", 12),
        ("12 10:11:12 (+     0.000012) "[:12], 12),
    ],
)
def test_a_line_says_whose_it_is(leader: str, pid: int) -> None:
    """Times, addresses and numbers of calls stand between the process and the call."""
    assert LineReader().read(leader + CALL) == TracedCall(pid, "openat", ARGUMENTS, "3", "")


@pytest.mark.parametrize(
    ("result", "returned", "error"),
    [
        ("= 3", "3", ""),
        ("     = 3", "3", ""),
        ("= 3 <0.000012>", "3", ""),
        ("= 3</a b>", "3</a b>", ""),
        ("= 3</a b> <0.000012>", "3</a b>", ""),
        ("= -1 ENOENT (No such file or directory)", "-1", "ENOENT"),
        ("= -1 ENOENT (No such file or directory) <0.000012>", "-1", "ENOENT"),
        ("= ? ERESTARTSYS (To be restarted)", "", "ERESTARTSYS"),
        ("= ?", "", "?"),
        ("= 7 /* 1234 in strace's PID NS */", "7 /* 1234 in strace's PID NS */", ""),
        ("= 0x7f (flags FD_CLOEXEC)", "0x7f (flags FD_CLOEXEC)", ""),
    ],
)
def test_a_call_says_what_it_returned(result: str, returned: str, error: str) -> None:
    """With errno's name, what -y adds, and without how long it took."""
    assert LineReader().read(f'openat(AT_FDCWD, "/x", O_RDONLY) {result}') == TracedCall(
        0, "openat", ARGUMENTS, returned, error
    )


def test_a_call_that_others_come_between_is_put_together() -> None:
    """Of each process by itself, however the rest is written."""
    reader = LineReader()
    assert reader.read('1 openat(AT_FDCWD, "/x",  <unfinished ...>') == Begun(1, "openat")
    assert reader.read('2 openat(AT_FDCWD, "/x", O_RDONLY <unfinished ...>') == Begun(2, "openat")
    assert reader.read("1 <... openat resumed>O_RDONLY) = 3") == TracedCall(1, "openat", ARGUMENTS, "3", "")
    assert reader.read("2 <... openat resumed> ) = 4") == TracedCall(2, "openat", ARGUMENTS, "4", "")
    assert reader.unread == 0


def test_processes_end() -> None:
    """By themselves or by a signal; what they had begun is forgotten."""
    reader = LineReader()
    reader.read("1 read(0,  <unfinished ...>")
    assert reader.read("1 +++ exited with 0 +++") == Exited(1)
    assert reader.read("[pid 2] +++ killed by SIGSEGV (core dumped) +++") == Exited(2)
    assert reader.read("1 <... read resumed>) = 0") is None


def test_what_is_about_no_call_is_passed_over() -> None:
    """Signals, messages of strace and stacks mean nothing; other lines are counted."""
    reader = LineReader()
    for line in (
        "--- SIGCHLD {si_signo=SIGCHLD} ---",
        "strace: Process 7 attached",
        " > /lib/libc.so.6(open+0x4) [0x1]",
        "",
    ):
        assert reader.read(line) is None
    assert reader.unread == 0
    for line in ("hello", 'openat(AT_FDCWD, "/x', "openat(1, 2)", "1 <... openat resumed>) = 3"):
        assert reader.read(line) is None
    assert reader.unread == 4
