"""What logs tell: made by hand for each rule, and by strace itself of programs that do all of it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from minpack.errors import InputError
from minpack.strace.access import Access, Connection, Use
from minpack.strace.log import MAX_LINE, LogReader, lines_of, read_log
from support.tools import need_tool

if TYPE_CHECKING:
    from pathlib import Path

    from minpack.strace.access import TraceLog


def told(*lines: str, directory: str = "/start") -> TraceLog:
    """What the lines tell."""
    reader = LogReader(directory)
    for line in lines:
        reader.read(line)
    return reader.log()


def opened(*lines: str) -> list[str]:
    """The paths that the lines open."""
    return [one.path for one in told(*lines).accesses if one.use is Use.OPENED]


@pytest.mark.parametrize(
    ("call", "access"),
    [
        ('open("/a", O_RDONLY) = 3', Access("/a", Use.OPENED)),
        ('open("/a", O_RDONLY|O_NOFOLLOW) = 3', Access("/a", Use.OPENED, follows=False)),
        ('open("/a", O_RDWR) = 3', Access("/a", Use.WRITTEN)),
        ('openat(AT_FDCWD, "/a", O_WRONLY|O_CREAT|O_EXCL, 0666) = 3', Access("/a", Use.WRITTEN, follows=False)),
        ('openat2(AT_FDCWD, "/a", {flags=O_RDONLY|O_NOFOLLOW, }, 24) = 3', Access("/a", Use.OPENED, "", False)),
        ('creat("/a", 0666) = 3', Access("/a", Use.WRITTEN)),
        ('execve("/a", ["a"], 0x7f /* 3 vars */) = 0', Access("/a", Use.EXECUTED)),
        ('execveat(3</d>, "a", ["a"], 0x7f /* 3 vars */, 0) = 0', Access("/d/a", Use.EXECUTED)),
        ('stat("/a", {st_mode=1, ...}) = 0', Access("/a", Use.EXAMINED)),
        ('lstat("/a", {st_mode=1, ...}) = 0', Access("/a", Use.EXAMINED, follows=False)),
        ('newfstatat(AT_FDCWD, "/a", {st_mode=1, ...}, 0) = 0', Access("/a", Use.EXAMINED)),
        ('newfstatat(AT_FDCWD, "/a", {...}, AT_SYMLINK_NOFOLLOW) = 0', Access("/a", Use.EXAMINED, follows=False)),
        ('statx(AT_FDCWD, "/a", AT_SYMLINK_NOFOLLOW, STATX_ALL, {...}) = 0', Access("/a", Use.EXAMINED, "", False)),
        ('access("/a", R_OK) = -1 EACCES (Permission denied)', Access("/a", Use.EXAMINED, "EACCES")),
        ('faccessat(3</d>, "a", R_OK) = 0', Access("/d/a", Use.EXAMINED)),
        ('faccessat2(3</d>, "a", R_OK, AT_SYMLINK_NOFOLLOW) = 0', Access("/d/a", Use.EXAMINED, follows=False)),
        ('readlink("/a", "b", 4096) = 1', Access("/a", Use.EXAMINED, follows=False)),
        ('readlinkat(AT_FDCWD, "/a", "b", 4096) = 1', Access("/a", Use.EXAMINED, follows=False)),
        ('getxattr("/a", "user.x", NULL, 0) = -1 ENODATA (No data available)', Access("/a", Use.EXAMINED, "ENODATA")),
        ('lgetxattr("/a", "user.x", NULL, 0) = 0', Access("/a", Use.EXAMINED, follows=False)),
        ('listxattr("/a", NULL, 0) = 0', Access("/a", Use.EXAMINED)),
        ('statfs("/a", {f_type=1}) = 0', Access("/a", Use.EXAMINED)),
        ('inotify_add_watch(3, "/a", IN_MODIFY) = 1', Access("/a", Use.EXAMINED)),
        ('mkdir("/a", 0777) = 0', Access("/a", Use.WRITTEN, follows=False)),
        ('mkdirat(3</d>, "a", 0777) = 0', Access("/d/a", Use.WRITTEN, follows=False)),
        ('rename("/x", "/a") = 0', Access("/a", Use.WRITTEN, follows=False)),
        ('renameat2(AT_FDCWD, "/x", 3</d>, "a", 0) = 0', Access("/d/a", Use.WRITTEN, follows=False)),
        ('symlink("target", "/a") = 0', Access("/a", Use.WRITTEN, follows=False)),
        ('symlinkat("target", 3</d>, "a") = 0', Access("/d/a", Use.WRITTEN, follows=False)),
        ('bind(3, {sa_family=AF_UNIX, sun_path="/a"}, 110) = 0', Access("/a", Use.WRITTEN)),
        ('connect(3, {sa_family=AF_UNIX, sun_path="/a"}, 110) = -1 ENOENT (No)', Access("/a", Use.EXAMINED, "ENOENT")),
    ],
)  # fmt: skip
def test_each_call_has_its_path(call: str, access: Access) -> None:
    """What is done with it, whether it worked, and whether a link at its end is followed."""
    assert told(call).accesses == (access,)


def test_both_paths_of_a_link_are_told() -> None:
    """The one that is there, and the one that is made."""
    found = told('linkat(AT_FDCWD, "/x", 3</d>, "a", AT_SYMLINK_FOLLOW) = 0').accesses
    assert found == (Access("/d/a", Use.WRITTEN, follows=False), Access("/x", Use.EXAMINED))


@pytest.mark.parametrize(
    ("text", "connection"),
    [
        ('{sa_family=AF_UNIX, sun_path="/run/x"}, 110) = 0', Connection("unix", "/run/x")),
        ('{sa_family=AF_UNIX, sun_path=@"name"}, 110) = 0', Connection("unix", "@name")),
        ('{sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("1.2.3.4")}, 16) = -1 EINPROGRESS (Now)',
         Connection("inet", "1.2.3.4:80", error="EINPROGRESS")),
        ('{sa_family=AF_INET6, sin6_port=htons(443), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "::1", &x)}, 28) = 0',
         Connection("inet6", "[::1]:443")),
        ('{sa_family=AF_INET6, sin6_port=htons(443), inet_pton(AF_INET6, "::1", &sin6_addr), sin6_flowinfo=0}, 28) = 0',
         Connection("inet6", "[::1]:443")),
    ],
)  # fmt: skip
def test_connections_have_their_other_end(text: str, connection: Connection) -> None:
    """A path, an abstract name, an address with its port."""
    assert told(f"connect(3<socket:[1]>, {text}").connections == (connection,)
    assert told(f"bind(3<socket:[1]>, {text}").connections == (connection._replace(bound=True),)


def test_relative_paths_begin_where_the_process_is() -> None:
    """In the directory that it began in, changed to, or opened; by -y, by descriptors, or by getcwd(2)."""
    assert opened('open("a", O_RDONLY) = 3') == ["/start/a"]
    assert opened('chdir("/b") = 0', 'open("a", O_RDONLY) = 3') == ["/b/a"]
    assert opened('chdir("/b") = -1 ENOENT (No)', 'open("a", O_RDONLY) = 3') == ["/start/a"]
    assert opened('getcwd("/c", 4096) = 3', 'open("./a", O_RDONLY) = 3') == ["/c/a"]
    assert opened('openat(AT_FDCWD</d>, "../a", O_RDONLY) = 3') == ["/d/../a"]
    assert opened('openat(AT_FDCWD, "/e", O_RDONLY) = 3', "fchdir(3) = 0", 'open("a", O_RDONLY) = 4') == ["/e", "/e/a"]
    assert opened("fchdir(3</f>) = 0", 'open("a", O_RDONLY) = 4') == ["/f/a"]
    dup = ('openat(AT_FDCWD, "/e", O_RDONLY) = 3', "dup2(3, 9) = 9", "close(3) = 0", 'openat(9, "a", O_RDONLY) = 3')
    assert opened(*dup) == ["/e", "/e/a"]


def test_a_path_that_begins_nobody_knows_where_is_counted() -> None:
    """As one that was cut off; neither is made up."""
    log = told('openat(7, "a", O_RDONLY) = 3', 'open("/aaa"..., O_RDONLY) = 3')
    assert (log.accesses, log.unplaced) == ((), 2)


def test_an_empty_path_is_the_descriptor_itself() -> None:
    """fstat(2) is that nowadays."""
    assert told('newfstatat(3</a>, "", {st_mode=1}, AT_EMPTY_PATH) = 0').accesses == ()


def test_after_chroot_paths_begin_in_the_new_root() -> None:
    """For the process, and those that it makes later."""
    assert opened('1 chroot("/jail") = 0', '1 chdir("/") = 0', "1 fork() = 2", '2 open("/a", O_RDONLY) = 3') == [
        "/jail/a"
    ]


def test_processes_have_directories_of_their_own_and_threads_one_together() -> None:
    """By the flags of clone(2), also where the child is seen before the call has returned."""
    fork = ("1 fork() = 2", '2 chdir("/b") = 0', '1 open("a", O_RDONLY) = 3', '2 open("a", O_RDONLY) = 3')
    assert opened(*fork) == ["/b/a", "/start/a"]
    thread = ("1 clone(child_stack=0x7f, flags=CLONE_VM|CLONE_FS|CLONE_FILES) = 2", *fork[1:])
    assert opened(*thread) == ["/b/a"]
    clone3 = ("1 clone3({flags=CLONE_FS|CLONE_FILES, stack=0x7f}, 88) = 2", *fork[1:])
    assert opened(*clone3) == ["/b/a"]
    late = ('1 chdir("/c") = 0', "1 vfork( <unfinished ...>", '2 open("a", O_RDONLY) = 3', "1 <... vfork resumed>) = 2")
    assert opened(*late) == ["/c/a"]
    elsewhere = ('1 chdir("/c") = 0', "1 fork() = 7 /* 2 in strace's PID NS */", '2 open("a", O_RDONLY) = 3')
    assert opened(*elsewhere) == ["/c/a"]
    unnamed = ('chdir("/c") = 0', "clone(flags=SIGCHLD) = 2", '[pid 1] open("a", O_RDONLY) = 3')
    assert opened(*unnamed) == ["/c/a"]
    again = (
        "1 fork() = 2",
        '2 chdir("/b") = 0',
        "2 +++ exited with 0 +++",
        "1 fork() = 2",
        '2 open("a", O_RDONLY) = 3',
    )
    assert opened(*again) == ["/start/a"]


def test_the_same_log_tells_the_same_whatever_the_order_of_its_lines() -> None:
    """Each fact once, sorted."""
    lines = [f'1 open("/{name}", O_RDONLY) = 3' for name in "cabca"]
    assert told(*lines) == told(*reversed(lines)) == told(*lines, *lines)


PROGRAM = """
import os, socket, threading
os.chdir(os.environ["PLACE"])
os.mkdir("made")
here = os.open(".", os.O_RDONLY)
os.close(os.open("we\\"ird <a>, b)/f\\\\x", os.O_RDONLY, dir_fd=here))
os.fchdir(os.open("made", os.O_RDONLY))
open("../link").close()
os.stat("../link", follow_symlinks=False)
def work():
    os.chdir("..")
thread = threading.Thread(target=work)
thread.start()
thread.join()
open("of-thread").close()
if os.fork() == 0:
    os.chdir("made")
    os.execv("/bin/cat", ["cat", "../of-child"])
os.wait()
open("of-parent").close()
try:
    socket.socket(socket.AF_UNIX).connect("socket")
except OSError:
    pass
"""
#: Ways to make a log; the last has a file for each process.
WAYS = (
    ("-f", "-o"),
    ("-f", "-y", "-o"),
    ("-f", "-yy", "-xx", "-tt", "-T", "-o"),
    ("-f", "-r", "-i", "-n", "-o"),
    ("-f", "-y", "--decode-pids=comm,pidns", "-o"),
    ("-ff", "-ttt", "-y", "-o"),
)


@pytest.mark.parametrize("way", WAYS, ids="".join)
def test_logs_of_strace_tell_what_a_program_did(way: tuple[str, ...], tmp_path: Path) -> None:
    """Whatever its options: names of any bytes, links, threads, children, programs that follow it."""
    place = tmp_path / "place"
    (place / 'we"ird <a>, b)').mkdir(parents=True)
    for name in ('we"ird <a>, b)/f\\x', "of-thread", "of-child", "of-parent", "target"):
        (place / name).touch()
    (place / "link").symlink_to("target")
    command = (need_tool("strace"), *way, str(tmp_path / "log"), sys.executable, "-I", "-S", "-c", PROGRAM)
    subprocess.run(command, check=True, env={"PLACE": str(place)}, capture_output=True, cwd=tmp_path)
    log = read_log(str(tmp_path / "log"), str(tmp_path))
    real = {(os.path.relpath(os.path.normpath(one.path), place), one.use, one.error) for one in log.accesses}
    for name in ('we"ird <a>, b)/f\\x', "link", "of-thread", "of-child", "of-parent"):
        assert (name, Use.OPENED, "") in real
    assert ("made", Use.WRITTEN, "") in real
    # Where a thread changes the directory, files apart do not tell when, nor does a call without a descriptor.
    apart = "-ff" in way
    assert (("socket", Use.EXAMINED, "ENOENT") in real) is not apart
    assert Access("/bin/cat", Use.EXECUTED) in log.accesses
    assert any(one.path.endswith("/link") and not one.follows for one in log.accesses)
    assert (log.unplaced, log.unread) == (2 * apart, 0)
    assert log.processes == 3


#: A thread changes the directory, and opens one in place of another one; both have the same files.
SHARES = """
import os, threading
os.chdir(os.environ["PLACE"])
for name in ("one", "two"):
    os.mkdir(name)
    for file in "abc":
        open(f"{name}/{file}", "w").close()
os.chdir("one")
open("a").close()
held = os.open(".", os.O_RDONLY)
kept = os.open("../two", os.O_RDONLY)
def work():
    os.chdir("../two")
    os.close(held)
    assert os.open(".", os.O_RDONLY) == held
thread = threading.Thread(target=work)
thread.start()
thread.join()
open("b").close()
os.close(os.open("c", os.O_RDONLY, dir_fd=held))
os.close(os.open("a", os.O_RDONLY, dir_fd=kept))
"""


def test_files_apart_tell_nothing_that_was_not(tmp_path: Path) -> None:
    """What threads change of each other's is followed by nobody who does not know when; what they left is told."""
    found = {}
    for way in (("-f", "-y"), ("-ff",)):
        place = tmp_path / way[0]
        place.mkdir()
        command = (need_tool("strace"), *way, "-o", f"{place}.log", sys.executable, "-I", "-S", "-c", SHARES)
        subprocess.run(command, check=True, env={"PLACE": str(place)}, capture_output=True, cwd=tmp_path)
        log = read_log(f"{place}.log", str(tmp_path))
        paths = {os.path.normpath(one.path) for one in log.accesses if one.use is Use.OPENED and not one.error}
        found[way[0]] = log, {os.path.relpath(path, place) for path in paths if path.startswith(f"{place}/")}
    (exact, every), (apart, told_apart) = found["-f"], found["-ff"]
    assert {"two/b", "two/c", "two/a"} <= every
    assert told_apart <= every
    assert {"two/b", "two/c"}.isdisjoint(told_apart)
    assert "two/a" in told_apart, "nobody changes that descriptor"
    assert exact.unplaced == 0 < apart.unplaced


def test_parents_are_read_before_their_children(tmp_path: Path) -> None:
    """Also where the numbers of processes began anew: the child's is the lower one."""
    (tmp_path / "log.900").write_text('chdir("/b") = 0\nfork() = 7\nchdir("/c") = 0\n+++ exited with 0 +++\n')
    (tmp_path / "log.7").write_text('open("a", O_RDONLY) = 3\nclone(flags=CLONE_FS) = 5\n')
    (tmp_path / "log.5").write_text('open("t", O_RDONLY) = 3\n')
    found = read_log(str(tmp_path / "log"))
    assert [one.path for one in found.accesses if one.use is Use.OPENED] == ["/b/a", "/b/t"]
    (tmp_path / "log.5").write_text('open("t", O_RDONLY) = 3\nclone(flags=CLONE_FS) = 7\n')
    (tmp_path / "log.7").write_text('open("a", O_RDONLY) = 3\nclone(flags=CLONE_FS) = 5\n')
    assert read_log(str(tmp_path / "log")).processes == 3, "a log that nobody made is read, too"


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    """Nothing, a text, a directory, bytes."""
    (tmp_path / "text").write_text("hello\n")
    (tmp_path / "bytes").write_bytes(bytes(range(256)) * 1000)
    for name, reason in (
        ("none", "no such file"),
        ("text", "not an strace log"),
        ("bytes", "not an strace log"),
        (".", "regular file"),
    ):
        with pytest.raises(InputError, match=reason):
            read_log(str(tmp_path / name))


def test_lines_that_are_too_long_are_left_out() -> None:
    """What follows them is read."""
    pieces = [b"a\n", b"b" * MAX_LINE, b"b" * MAX_LINE, b"b\n", b"c\r\n", b"d"]
    assert list(lines_of(pieces)) == ["a", "c", "d"]
