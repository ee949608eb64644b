"""Images run here as Docker runs them, as root and as an ordinary user, and leave nothing behind."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from minpack.cli.run_image import command as run_command
from minpack.cli.run_image import parse_bind
from minpack.errors import BadValueError
from minpack.sandbox.values import Bind
from support.cc import Compiler
from support.command import COMMAND, TIMEOUT, assert_refused
from support.optionwalk import options
from support.packing import minpack
from support.places import as_nobody, shared_directory
from support.refusals import row

if TYPE_CHECKING:
    from collections.abc import Generator

    from support.docker import Docker

#: What is the same in a container of Docker's without a network, as root and as another user of the image.
SCRIPTS = (
    "id",
    "id -u; id -g; id -G",
    "pwd; ls",
    "env | sort | grep -v HOSTNAME",
    "echo $$",
    "ls -ln /bin | head -5; stat -c '%a %u %g %F' / /etc /tmp /root /var /dev/shm /dev/pts",
    "ls /dev | grep -v console; readlink /dev/fd /dev/stdin /dev/stdout /dev/stderr /dev/ptmx",
    "for f in null zero full random urandom tty; do stat -c '%n %a %t %T' /dev/$f; done",
    "grep Cap /proc/self/status",
    "grep -c . /proc/net/dev; ip addr show lo | grep 'inet '; ip link | grep -c .",
    "ping -c 1 -W 1 127.0.0.1 >/dev/null; echo $?",
    "wget -T 1 -q http://192.0.2.1/ ; echo $?",
    "echo data > /tmp/x && cat /tmp/x; rm /tmp/x; ls /tmp",
    "echo x > /etc/new; cat /etc/new",
    "mkdir -p /a/b/c && ls -R /a",
    "echo 1 > /proc/sys/kernel/hostname; echo $?",
    "ls /proc/acpi /sys/firmware | wc -l; head -c 1 /proc/kcore | wc -c",
    "touch /sys/x; echo $?",
    "mount -t tmpfs none /mnt; echo $?",
    "cat /proc/1/comm; ls /proc | grep -c '^[0-9]'",
    "printf out; printf err >&2",
    "cat",
    "head -c 100000 /dev/zero | wc -c",
    "echo x > /dev/full; echo $?",
    "exit 0",
    "exit 3",
    "exit 255",
    "kill -9 $$",
    "kill -TERM $$; echo alive",
    "trap 'echo got; exit 9' USR1; kill -USR1 $$; sleep 1",
    "sh -c 'exit 4' & wait $!; echo $?",
    "(sleep 100 &) ; echo left",
    "nosuchcommand",
    "/etc/passwd",
    "ulimit -c; umask",
    "hostname | wc -l",
    "dd if=/dev/urandom bs=1 count=3 2>/dev/null | wc -c",
    "find /bin /lib /sbin /usr /var -type f | wc -l",
    "md5sum /bin/busybox /etc/passwd /lib/ld-musl-*",
    "su -s /bin/sh nobody -c id; echo $?",
)
#: Says who it is, and waits for a signal that it does not heed.
WAITS = r"""
#include <stdio.h>
#include <unistd.h>
int main(void) { printf("%d up\n", getuid()); fflush(stdout); sleep(60); return 0; }
"""


@pytest.fixture(scope="module")
def place() -> Generator[Path]:
    """A directory that any user can read, with an image of Alpine and one of a program that waits."""
    with shared_directory() as made:
        yield made


#: The name of Alpine's image. No other process that runs tests has it: one that removes its image would take ours.
ALPINE = f"minpack-test/{uuid.uuid4().hex}:1"


@pytest.fixture(scope="module")
def alpine(place: Path, alpine_x86_64: Path) -> Path:
    """An image of all of Alpine."""
    minpack("base", "image", str(alpine_x86_64), "-o", "alpine.tar", "-t", ALPINE, cwd=place)
    (place / "alpine.tar").chmod(0o644)
    return place / "alpine.tar"


@pytest.fixture(scope="module")
def waits(place: Path) -> Path:
    """An image of a program that waits."""
    Compiler(place).program("waits", WAITS, "-static")
    minpack("./waits", "-o", "waits.tar", cwd=place)
    (place / "waits.tar").chmod(0o644)
    return place / "waits.tar"


def run(*arguments: str, cwd: Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """`minpack run`, finished."""
    done = subprocess.run(
        [*COMMAND, "run", *arguments], cwd=cwd, input=stdin, capture_output=True, timeout=TIMEOUT, check=False
    )
    assert b"Traceback" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize("user", ["", "nobody"])
def test_programs_do_what_they_do_in_docker(docker: Docker, alpine: Path, user: str) -> None:
    """The same output and exit code for 40 programs."""
    docker.load(alpine)
    differ = []
    try:
        for script in SCRIPTS:
            who = ("-u", user) if user else ()
            expected = subprocess.run(
                ["docker", "run", "--rm", "-i", "--network", "none", *who, ALPINE, "sh", "-c", script],
                input=b"typed",
                capture_output=True,
                timeout=TIMEOUT,
                check=False,
            )
            found = run(*who, alpine.name, "sh", "-c", script, cwd=alpine.parent, stdin=b"typed")
            if (found.returncode, found.stdout) != (expected.returncode, expected.stdout):
                differ.append((script, found.stdout, found.returncode, expected.stdout, expected.returncode))
    finally:
        docker.call("rmi", "-f", ALPINE)
    assert len(SCRIPTS) == 40
    assert differ == []


@pytest.mark.skipif(os.geteuid() != 0, reason="it is root who can become another user")
def test_an_ordinary_user_runs_them_too(alpine: Path) -> None:
    """With one number of a user alone: it is root there, owns all, and its mount and network are its own."""
    script = "id -u; stat -c %u / /bin; echo x > /etc/x && cat /etc/x; cat /proc/self/uid_map; ip link | grep -c LOOP"
    ran = as_nobody("run", alpine.name, "sh", "-c", script, cwd=alpine.parent)
    assert ran.code == 0, ran.err
    assert ran.out.split() == b"0 0 0 x 0 65534 1 1".split()
    ran = as_nobody("run", "-u", "7:8", alpine.name, "sh", "-c", "id -u; id -g; exit 5", cwd=alpine.parent)
    assert (ran.code, ran.out) == (5, b"7\n8\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_a_program_that_does_not_heed_it(waits: Path, number: signal.Signals) -> None:
    """Though the kernel spares the first process of a namespace; the exit code is that of shells."""
    with subprocess.Popen([*COMMAND, "run", str(waits)], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"65532 up\n"
        running.send_signal(number)
        assert running.wait(TIMEOUT) == 128 + number
    assert not _waiting()


def test_a_program_that_heeds_a_signal_gets_it(alpine: Path) -> None:
    """And ends as it likes."""
    script = "trap 'echo got; exit 9' TERM; echo up; while :; do sleep 0.1; done"
    with subprocess.Popen([*COMMAND, "run", str(alpine), "sh", "-c", script], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"up\n"
        running.send_signal(signal.SIGTERM)
        assert running.stdout.read() == b"got\n"
        assert running.wait(TIMEOUT) == 9


def test_nothing_is_left_of_what_is_killed(waits: Path) -> None:
    """No process and no mount, though minpack itself got no chance to end it."""
    mounts = _memory()
    with subprocess.Popen([*COMMAND, "run", str(waits)], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"65532 up\n"
        assert _waiting()
        running.kill()
    deadline = time.monotonic() + 20
    while _waiting() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _waiting()
    assert _memory() == mounts


def _memory() -> list[str]:
    """The places where trees in memory are mounted, but for those of engines."""
    lines = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    return [place for _, place, kind, *_ in lines if kind == "tmpfs" and "/docker/" not in place]


def _waiting() -> list[str]:
    """The processes of the program that waits."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0] == b"/usr/local/bin/waits":
            found.append(process.name)
    return found


def test_a_program_that_runs_too_long_is_stopped(waits: Path) -> None:
    """With a sentence, and the exit code of what runtimes fail to run."""
    done = run("--time-limit", "0.5s", waits.name, cwd=waits.parent)
    assert (done.returncode, done.stdout) == (125, b"65532 up\n")
    assert done.stderr == b"minpack: cannot run 'waits.tar' any longer: it ran for 0.5 seconds\n"


def test_a_terminal_is_the_programs_own(alpine: Path) -> None:
    """Its keys come as they are, and the one that interrupts ends a program that does not heed it."""
    ours, theirs = pty.openpty()
    script = "test -t 0 && test -t 1 && echo $TERM && read a && echo =$a= && exec sleep 60"
    command = [*COMMAND, "run", str(alpine), "sh", "-c", script]
    environment = {**os.environ, "TERM": "vt100"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as running:
        os.close(theirs)
        seen = _read_until(ours, b"vt100\r\n")
        os.write(ours, b"hey\n")
        seen += _read_until(ours, b"=hey=\r\n")
        time.sleep(0.3)
        os.write(ours, b"\x03")
        assert running.wait(TIMEOUT) == 128 + signal.SIGINT, seen
    os.close(ours)


def _read_until(descriptor: int, text: bytes) -> bytes:
    seen = b""
    while text not in seen:
        seen += os.read(descriptor, 1000)
    return seen


def test_what_is_bound_is_seen(alpine: Path, tmp_path: Path) -> None:
    """A file or a directory, at a path that is made; what is read-only cannot be written, nor what the kernel has."""
    (tmp_path / "data").mkdir(mode=0o777)
    (tmp_path / "file").write_text("here")
    at = str(tmp_path)
    binds = ("--bind", f"{at}/data:/a/b", "--bind", f"{at}/file:/etc/hello:ro", "--bind", f"{at}/file:/dev/one")
    script = "echo new > /a/b/x; cat /etc/hello; cat /dev/one; echo y > /etc/hello"
    done = run(*binds, str(alpine), "sh", "-c", script, cwd=tmp_path)
    assert (done.stdout, done.returncode) == (b"herehere", 1)
    assert (tmp_path / "data/x").read_text() == "new\n"
    assert (tmp_path / "file").read_text() == "here"
    for bind in (f"{at}/none:/x", f"{at}/file:/proc/x"):
        refused = run("--bind", bind, str(alpine), "true", cwd=tmp_path)
        assert refused.returncode == 125, refused


def test_links_of_an_image_lead_nowhere_else(tmp_path: Path, place: Path) -> None:
    """An image whose /proc or /dev is a link is refused, and what is bound behind one stays in the image."""
    Compiler(tmp_path).program("app", WAITS, "-static")
    outside = place / "outside"
    outside.mkdir()
    for path in ("/proc", "/dev"):
        minpack("./app", "--symlink", f"{outside}:{path}", "-o", "linked.tar", "--force", cwd=tmp_path)
        done = run("linked.tar", cwd=tmp_path)
        assert done.returncode == 125, done
        assert f"{path} is not a directory in the image" in done.stderr.decode()
    minpack("./app", "--symlink", f"{outside}:/data", "-o", "linked.tar", "--force", cwd=tmp_path)
    (tmp_path / "file").write_text("here")
    done = run("--bind", f"{tmp_path}/file:/data/x", "--time-limit", "0.3", "linked.tar", cwd=tmp_path)
    assert done.stdout == b"65532 up\n", done
    assert not list(outside.iterdir())


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("nosuch",), 127, "cannot start 'nosuch': it is in no directory of the image's PATH"),
        (("/nosuch",), 127, "cannot start '/nosuch': no such file or directory"),
        (("/etc/passwd",), 126, "cannot start '/etc/passwd': permission denied"),
        (("/etc",), 126, "cannot start '/etc': permission denied"),
    ],
)
def test_what_cannot_be_started(alpine: Path, arguments: tuple[str, ...], code: int, message: str) -> None:
    """The exit codes are those of runtimes."""
    done = run(alpine.name, *arguments, cwd=alpine.parent)
    assert done.returncode == code
    assert f"minpack: {message}\n" in done.stderr.decode()


def test_a_program_that_the_image_lacks(alpine: Path) -> None:
    """The page of errors says what to do."""
    case = row("a program to run that the image lacks")
    assert_refused_run(run(alpine.name, "nosuch", cwd=alpine.parent), case.code, case.message, case.hint)


def test_what_is_no_image_ends_with_125(tmp_path: Path) -> None:
    """1 and 3 may be the program's own exit codes."""
    (tmp_path / "text").write_text("no image")
    for image in ("none.tar", "./text"):
        assert run(image, cwd=tmp_path).returncode == 125, image


def test_a_program_runs_in_the_image_that_is_made_of_it(tmp_path: Path) -> None:
    """The options before it are those of packing; nothing of the image is left."""
    Compiler(tmp_path).program("app", "#include <stdio.h>\nint main(int c, char **v) { puts(v[c - 1]); return c; }")
    done = run("--base", "/", "./app", "--base", "x", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, b"x\n"), done
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("minpack-")] == []
    assert_refused_run(run("./app", cwd=tmp_path), 2, "cannot pack './app': …", "…")


def assert_refused_run(done: subprocess.CompletedProcess[bytes], code: int, message: str, hint: str) -> None:
    """As `assert_refused`, for what `run` gives."""
    from support.command import Ran

    assert_refused(Ran(done.returncode, done.stdout, done.stderr.decode()), code, message, hint)


def test_options_of_packing_are_refused_for_an_image(waits: Path) -> None:
    """They would have no effect."""
    for option in (("--base", "/"), ("--strip",), ("--add", "a:/b"), ("--need", "certs"), ("--dest", "/app")):
        done = run(*option, waits.name, cwd=waits.parent)
        assert_refused_run(done, 2, f"cannot use {option[0]}: it applies to packing a program, …", "leave it out")


#: Each option of its own, and what it changes of what `sh -c` prints.
EFFECTS = {
    "--env": (("-e", "A=b"), "echo $A", b"\n", b"b\n"),
    "--user": (("-u", "7"), "id -u", b"0\n", b"7\n"),
    "--workdir": (("-w", "/var"), "pwd", b"/\n", b"/var\n"),
    "--bind": (("--bind", "/etc:/there"), "test -e /there/passwd && echo yes || echo no", b"no\n", b"yes\n"),
    "--net": (("--net",), "test -s /etc/resolv.conf && echo yes || echo no", b"no\n", b"yes\n"),
}


def test_every_option_of_an_image_has_an_effect(alpine: Path) -> None:
    """The rest say how a program is packed, where it stops, or how an image is found."""
    for name, (option, script, without, with_) in EFFECTS.items():
        assert run(alpine.name, "sh", "-c", script, cwd=alpine.parent).stdout == without, name
        assert run(*option, alpine.name, "sh", "-c", script, cwd=alpine.parent).stdout == with_, name
    assert set(EFFECTS) < set(options(run_command))


@pytest.mark.parametrize("text", ["a", "a:b", ":/b", "a:", "", "a:/b\0"])
def test_binds_that_cannot_be_meant(text: str) -> None:
    """Both sides, and an absolute path in the image."""
    with pytest.raises(BadValueError):
        parse_bind(text)


def test_binds_and_times(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A path of this host may be relative, and have colons."""
    monkeypatch.chdir(tmp_path)
    assert parse_bind("a:b:/c/../d") == Bind(f"{tmp_path}/a:b", "/d")
    assert parse_bind("/a:/c:ro") == Bind("/a", "/c", read_only=True)


def test_other_architectures_need_a_handler(tmp_path: Path, data: Path) -> None:
    """The error says what lets the kernel run them, if it has none."""
    minpack("base", "image", str(data / "bases/alpine-minirootfs-3.20.3-aarch64.tar.gz"), "-o", "arm.tar",
            cwd=tmp_path)  # fmt: skip
    done = run("--platform", "linux/arm64", "arm.tar", "uname", "-m", cwd=tmp_path)
    if Path("/proc/sys/fs/binfmt_misc/qemu-aarch64").exists():
        assert done.stdout == b"aarch64\n"
    else:
        assert done.returncode == 126
        assert b"qemu-user-static" in done.stderr
    assert shutil.which("qemu-aarch64-static") is not None
