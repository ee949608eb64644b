"""Images that mean harm, and processes that start `minpack run` oddly: the program gets what it should, and no more."""

from __future__ import annotations

import ctypes
import gzip
import hashlib
import io
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import tarfile
import time
from typing import TYPE_CHECKING, Any

import pytest

from support.command import COMMAND, TIMEOUT
from support.places import shared_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path


@pytest.fixture(scope="module")
def place() -> Generator[Path]:
    """A directory that is shown in sandboxes."""
    with shared_directory() as made:
        yield made


@pytest.fixture(scope="module")
def alpine(alpine_x86_64: Path) -> bytes:
    """Alpine's files, as a layer."""
    return gzip.decompress(alpine_x86_64.read_bytes())


def image(path: Path, config: dict[str, Any], *layers: bytes) -> str:
    """Write an image with that configuration, as `docker save` does; its path."""
    sums = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
    files = {"type": "layers", "diff_ids": sums}
    document = {"architecture": "amd64", "os": "linux", "config": config, "rootfs": files}
    names = [f"{number}.tar" for number in range(len(layers))]
    manifest = [{"Config": "config.json", "RepoTags": ["hostile:1"], "Layers": names}]
    with tarfile.open(path, "w") as archive:
        texts = {"config.json": json.dumps(document).encode(), "manifest.json": json.dumps(manifest).encode()}
        for name, data in {**texts, **dict(zip(names, layers, strict=True))}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return str(path)


def layer(*members: tarfile.TarInfo) -> bytes:
    """A layer of empty members."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for member in members:
            archive.addfile(member)
    return out.getvalue()


def member(path: str, kind: bytes) -> tarfile.TarInfo:
    """Something without contents."""
    made = tarfile.TarInfo(path)
    made.type, made.mode, made.devmajor, made.devminor = kind, 0o666, 1, 3
    return made


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """`minpack run`, finished."""
    if options.get("stdout") is None:
        options |= {"capture_output": True}
    done = subprocess.run([*COMMAND, "run", *arguments], text=True, timeout=TIMEOUT, check=False, **options)
    assert "internal error" not in (done.stderr or ""), done.stderr
    return done


def test_no_descriptor_of_this_host_is_the_programs(tmp_path: Path, alpine: bytes, place: Path) -> None:
    """What whoever started minpack had open, as a directory, would lead out of the sandbox."""
    made = image(tmp_path / "image.tar", {}, alpine)
    descriptors = [os.open(place, os.O_RDONLY), os.open("/", os.O_PATH)]
    try:
        done = run(made, "sh", "-c", "for one in /proc/$$/fd/*; do echo $one; done", pass_fds=descriptors)
    finally:
        for one in descriptors:
            os.close(one)
    opened = {line.rsplit("/", 1)[1] for line in done.stdout.splitlines()}
    # The shell has its own, of the directory that it reads, only while it reads.
    assert opened - {"0", "1", "2"} <= {"3", "10"}, done
    assert not {str(one) for one in descriptors} - {"3", "10"} & opened


@pytest.mark.parametrize("key", ["WorkingDir", "Entrypoint"])
def test_descriptors_of_minpack_lead_nowhere(tmp_path: Path, alpine: bytes, key: str) -> None:
    """Before the program starts, minpack has this host's root open: no image can name it (CVE-2024-21626)."""
    (tmp_path / "witness").write_text("seen")
    for number in range(3, 12):
        at = f"/proc/self/fd/{number}"
        config = {"WorkingDir": at} if key == "WorkingDir" else {"Entrypoint": [f"{at}/bin/busybox"]}
        done = run(image(tmp_path / f"{number}.tar", config, alpine), "cat", f"./{tmp_path}/witness")
        assert done.returncode != 0, number
        assert "seen" not in done.stdout, number
        # Where a path goes through a descriptor of a directory, it would be there.
        assert "loader" not in done.stderr, number


@pytest.mark.parametrize("script", [False, True])
def test_the_interpreter_of_minpack_is_not_started(tmp_path: Path, alpine: bytes, script: bool) -> None:
    """It is this host's file, which who runs it could write later (CVE-2019-5736)."""
    if script:
        (tmp_path / "script").write_text("#!/proc/self/exe\n")
        (tmp_path / "script").chmod(0o755)
    bind = ("--bind", f"{tmp_path}/script:/script") if script else ()
    program = "/script" if script else "/proc/self/exe"
    done = run(*bind, image(tmp_path / "image.tar", {}, alpine), program)
    assert (done.returncode, done.stderr) == (126, f"minpack: cannot start '{program}': it is a program of this host\n")


def test_device_nodes_are_left_out(tmp_path: Path, alpine: bytes) -> None:
    """And minpack says so, but for those in /dev, which every container has anew."""
    kinds = (tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE)
    special = layer(*(member(f"node{number}", kind) for number, kind in enumerate(kinds)))
    done = run(image(tmp_path / "image.tar", {}, alpine, special), "sh", "-c", "ls -d /node*; echo up")
    assert (done.stdout, done.returncode) == ("up\n", 0)
    assert "note: 3 device nodes, sockets or FIFOs were left out\n" in done.stderr
    done = run(image(tmp_path / "image.tar", {}, alpine, layer(member("dev/node", tarfile.CHRTYPE))), "true")
    assert (done.stderr, done.returncode) == ("", 0)


def test_names_of_one_file_stay_one_file(tmp_path: Path, alpine: bytes) -> None:
    """As hard links are in a container."""
    link = member("linked", tarfile.LNKTYPE)
    link.linkname = "etc/hostname"
    script = "echo new > /linked; cat /etc/hostname"
    assert run(image(tmp_path / "image.tar", {}, alpine, layer(link)), "sh", "-c", script).stdout == "new\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")
def test_read_only_binds_are_so_below(tmp_path: Path, alpine: bytes, place: Path) -> None:
    """What is mounted below them cannot be written either."""
    with_mount = place / "top"
    (with_mount / "below").mkdir(parents=True)
    made = image(tmp_path / "image.tar", {}, alpine)
    subprocess.run(["mount", "-t", "tmpfs", "none", str(with_mount / "below")], check=True)
    try:
        done = run("--bind", f"{with_mount}:/x:ro", made, "sh", "-c", "touch /x/here; touch /x/below/here; echo up")
        assert not list((with_mount / "below").iterdir())
    finally:
        subprocess.run(["umount", str(with_mount / "below")], check=True)
    assert done.stdout == "up\n"
    assert done.stderr.count("Read-only file system") == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")
def test_old_kernels_make_binds_read_only_one_by_one(tmp_path: Path, alpine: bytes, place: Path) -> None:
    """Before Linux 5.12 there is no call for a tree of mounts."""
    at = place / "a b"
    (at / "below").mkdir(parents=True)
    made = image(tmp_path / "image.tar", {}, alpine)
    old = "import minpack.sandbox.syscalls as s; s._MOUNT_SETATTR = 9999; from minpack.cli import main; main()"
    arguments = ("run", "--bind", f"{at}:/x y:ro", made, "sh", "-c", "touch '/x y/here' '/x y/below/here'; echo up")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "noatime", "none", str(at / "below")], check=True)
    try:
        done = subprocess.run([sys.executable, "-c", old, *arguments], capture_output=True, text=True, check=False)
    finally:
        subprocess.run(["umount", str(at / "below")], check=True)
    assert (done.stdout, done.stderr.count("Read-only file system")) == ("up\n", 2), done


@pytest.mark.parametrize("target", ["/", "/.", "/proc", "/sys", "/dev", "/bin/busybox"])
def test_where_nothing_can_be_bound(tmp_path: Path, alpine: bytes, target: str) -> None:
    """Rather than hide what the sandbox needs, or be hidden itself."""
    done = run("--bind", f"{tmp_path}:{target}", image(tmp_path / "image.tar", {}, alpine), "true")
    assert done.returncode == 125
    assert f"minpack: cannot lay out the image: nothing can be bound to {os.path.normpath(target)}: " in done.stderr


def test_what_is_not_there_to_bind_is_named(tmp_path: Path, alpine: bytes) -> None:
    """One of several may be wrong."""
    done = run("--bind", f"{tmp_path}/none:/x", image(tmp_path / "image.tar", {}, alpine), "true")
    assert done.stderr == f"minpack: cannot bind '{tmp_path}/none': no such file or directory\n"


def _ignore_children() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def _ignore_what_libraries_keep() -> None:
    """The first of the signals that C libraries keep for their threads; rt_sigaction(2), as they refuse to."""
    ignore = struct.pack("=QQQQ", signal.SIG_IGN, 0, 0, 0)
    number = {"x86_64": 13}.get(os.uname().machine, 134)
    assert ctypes.CDLL(None).syscall(ctypes.c_long(number), 32, ignore, None, ctypes.c_size_t(8)) == 0


def _block_and_ignore() -> None:
    signal.signal(signal.SIGRTMIN + 3, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())


@pytest.mark.parametrize("prepare", [_ignore_children, _block_and_ignore, _ignore_what_libraries_keep])
def test_signals_of_whoever_starts_it_are_not_the_programs(
    tmp_path: Path, alpine: bytes, prepare: Callable[[], None]
) -> None:
    """Supervisors ignore SIGCHLD or what C libraries keep, or block all."""
    made = image(tmp_path / "image.tar", {}, alpine)
    done = run(made, "grep", "-E", "Sig(Blk|Ign)", "/proc/self/status", preexec_fn=prepare)
    assert (done.stdout.split(), done.returncode) == (["SigBlk:", "0" * 16, "SigIgn:", "0" * 16], 0)


def test_nohup_is_heeded(tmp_path: Path, alpine: bytes) -> None:
    """A hang-up that minpack is to ignore does not reach the program either."""
    made = image(tmp_path / "image.tar", {}, alpine)
    script = "echo up; sleep 1; echo still"
    with subprocess.Popen(["nohup", *COMMAND, "run", made, "sh", "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        process.send_signal(signal.SIGHUP)
        assert process.communicate(timeout=TIMEOUT)[0] == b"still\n"


@pytest.mark.parametrize("closed", [(0,), (0, 1), (0, 1, 2)])
def test_closed_streams_are_no_other_files(tmp_path: Path, alpine: bytes, closed: Sequence[int]) -> None:
    """What minpack opens next would be the program's input or output."""
    made = image(tmp_path / "image.tar", {}, alpine)
    redirections = " ".join(f"{number}>&-" for number in closed)
    bind = ("--bind", f"{tmp_path}:/out")
    script = "readlink /proc/$$/fd/0 > /out/seen; cat >> /out/seen; exit 4"
    shell = f'exec "$@" {redirections}'
    done = subprocess.run(["sh", "-c", shell, "sh", *COMMAND, "run", *bind, made, "sh", "-c", script], check=False)
    assert (done.returncode, (tmp_path / "seen").read_text()) == (4, "/dev/null\n")


def test_a_time_limit_is_the_programs(tmp_path: Path, alpine: bytes) -> None:
    """Writing many files before it starts is not counted, and can be interrupted."""
    many = layer(*(tarfile.TarInfo(f"many/{number}") for number in range(12000)))
    made = image(tmp_path / "image.tar", {}, alpine, many)
    done = run("--time-limit", "0.2", made, "sh", "-c", "echo up; sleep 60")
    assert (done.stdout, done.returncode) == ("up\n", 125)
    for wait in (0.3, 0.6, 0.9, 1.2):
        with subprocess.Popen([*COMMAND, "run", made, "sleep", "60"], stderr=subprocess.DEVNULL) as process:
            time.sleep(wait)
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 130, wait


def test_limits_on_namespaces_are_said(tmp_path: Path, alpine: bytes) -> None:
    """The kernel calls them a full disk (unshare(2))."""
    made = image(tmp_path / "image.tar", {}, alpine)
    script = 'echo 0 > /proc/sys/user/max_mnt_namespaces; exec "$@"'
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh", *COMMAND, "run", made, "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 125
    assert done.stderr.startswith("minpack: cannot make namespaces: there may be no more of them\nhint: allow more: ")


def test_root_of_a_small_namespace_is_the_only_user(tmp_path: Path, alpine: bytes) -> None:
    """Where other numbers are not known, no file can have them."""
    made = image(tmp_path / "image.tar", {}, alpine)
    inside = ["unshare", "--user", "--map-root-user", *COMMAND, "run", made, "stat", "-c", "%u", "/etc/shadow"]
    done = subprocess.run(inside, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("0\n", 0), done


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")
def test_root_without_its_capabilities_is_told(tmp_path: Path, alpine: bytes) -> None:
    """As in a container: there is nobody who may do more."""
    made = image(tmp_path / "image.tar", {}, alpine)
    without = ["setpriv", "--bounding-set", "-sys_admin", *COMMAND, "run", made, "true"]
    done = subprocess.run(without, capture_output=True, text=True, check=False)
    assert done.returncode == 125
    assert "hint: root lacks CAP_SYS_ADMIN here" in done.stderr


def test_a_terminal_that_is_closed(tmp_path: Path, alpine: bytes) -> None:
    """A program that ignores the hang-up ends as it ends, and minpack with it."""
    made = image(tmp_path / "image.tar", {}, alpine)
    script = "trap '' HUP; echo up; sleep 2; echo unseen; exit 5"
    with (tmp_path / "errors").open("wb") as errors:
        master, slave = pty.openpty()
        process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *COMMAND, "run", made, "sh", "-c", script],
            stdin=slave,
            stdout=slave,
            stderr=errors,
        )
        os.close(slave)
        seen = b""
        while b"up" not in seen:
            seen += os.read(master, 100)
        os.close(master)
        assert process.wait(TIMEOUT) in (5, 128 + signal.SIGHUP, -signal.SIGHUP)
    assert "internal error" not in (tmp_path / "errors").read_text()
