"""Starts a program in a root file system as a container runtime would; for `container.run` alone.

    python enter.py ENVIRONMENT ROOT UID GID WORKDIR PROGRAM ARGUMENT...

ENVIRONMENT is a JSON object: Python may change its own, for the locale.

It runs in namespaces of its own for mounts, processes and the network, and takes all file systems with it when it ends.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import socket
import struct
import sys
from pathlib import Path

MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_LIBC = ctypes.CDLL(None, use_errno=True)


def call_mount(source: str, target: Path, kind: str, flags: int, data: str = "") -> None:
    """Call mount(2) with these.

    :raises OSError: it failed.
    """
    arguments = (source.encode(), os.fsencode(target), kind.encode(), flags, data.encode())
    if _LIBC.mount(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"cannot mount {source} on {target}")


def prepare(root: Path) -> None:
    """What every runtime gives a container: /proc, /dev, the loopback interface, and the files about the network."""
    call_mount("none", Path("/"), "", MS_REC | MS_PRIVATE)
    for name in ("proc", "dev", "etc"):
        (root / name).mkdir(exist_ok=True)
    call_mount("proc", root / "proc", "proc", MS_NOSUID | MS_NODEV)
    call_mount("tmpfs", root / "dev", "tmpfs", MS_NOSUID, "mode=755")
    for name in DEVICES:
        (root / "dev" / name).touch()
        call_mount(f"/dev/{name}", root / "dev" / name, "", MS_BIND)
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        (root / "dev" / name).symlink_to(target)
    (root / "dev/shm").mkdir(mode=0o1777)
    (root / "dev/shm").chmod(0o1777)
    for name, text in (("hosts", "127.0.0.1\tlocalhost\n"), ("resolv.conf", ""), ("hostname", "field\n")):
        file = root / "etc" / name
        if not os.path.lexists(file):
            file.write_text(text)
    with socket.socket() as any_:
        fcntl.ioctl(any_, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def main(environment: str, root: str, uid: str, gid: str, workdir: str, *command: str) -> None:
    """Start `command` in `root`."""
    prepare(Path(root))
    os.chroot(root)
    os.chdir(workdir)
    os.setgroups([])
    os.setgid(int(gid))
    os.setuid(int(uid))
    os.execve(command[0], command, json.loads(environment))  # noqa: S606 - the program itself is what is tried


if __name__ == "__main__":
    main(*sys.argv[1:])
