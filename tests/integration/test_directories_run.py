"""Containers see directories and files with the modes and owners that options promise, through links too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.cc import Compiler
from support.packing import minpack

if TYPE_CHECKING:
    from pathlib import Path

    from support.docker import Docker

#: Says where it is and as whom; then of each argument mode, owner, and what is in it or whether it can be written to.
SOURCE = r"""
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
int main(int count, char **words) {
    char text[4096];
    printf("%s %d", getcwd(text, sizeof text), getuid());
    for (int at = 1; at < count; at++) {
        struct stat s;
        if (stat(words[at], &s)) { printf("|none"); continue; }
        int is_directory = S_ISDIR(s.st_mode), file;
        snprintf(text, sizeof text, is_directory ? "%s/new" : "%s", words[at]);
        file = open(text, is_directory ? O_CREAT | O_WRONLY : O_RDONLY, 0600);
        printf("|%04o %d:%d", s.st_mode & 07777, s.st_uid, s.st_gid);
        if (file >= 0 && is_directory) printf(" writable");
        if (file >= 0 && !is_directory) { ssize_t n = read(file, text, 100); printf(" %.*s", (int)n, text); }
    }
    puts("");
    return 0;
}
"""
USERS = "0755 65532:65532 writable"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Programs, and what is added."""
    Compiler(tmp_path).program("app", SOURCE, "-static")
    (tmp_path / "www").mkdir(mode=0o700)
    (tmp_path / "www/index").write_text("page")
    (tmp_path / "seed").write_text("seeds")
    (tmp_path / "key").write_text("secret")
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "ov/tmp").mkdir(parents=True)
    (tmp_path / "ov/lib").mkdir(parents=True)
    (tmp_path / "ov/lib/x").write_text("x")
    return tmp_path


def said(docker: Docker, place: Path, program: str, options: tuple[str, ...], seen: tuple[str, ...]) -> list[str]:
    """What the program says in a container of the image."""
    name = docker.name()
    minpack(f"./{program}", *options, "--load", "--quiet", "-t", name, cwd=place)
    return docker.run(name, *seen).stdout.strip().split("|")


def test_a_container_writes_where_it_may(docker: Docker, place: Path) -> None:
    """/tmp, the home directory and volumes are writable whatever is added to them, in any order of options."""
    options = (
        *("--add=www:/tmp", "--add=www:/home/nonroot", "--add=seed:/data/seed", "--volume=/data/sub", "--volume=/data"),
        *("--dir=/strict:0775:65532:0", "--add=www:/strict", "--add=key:/etc/key:0600:65532:65532"),
    )
    seen = ("/tmp", "/home/nonroot", "/data", "/data/sub", "/data/seed", "/tmp/index", "/strict", "/etc/key", "/etc")
    expected = [
        "/ 65532",
        "1777 0:0 writable",
        USERS,
        USERS,
        USERS,
        "0644 0:0 seeds",
        "0644 0:0 page",
        "0775 65532:0 writable",
        "0600 65532:65532 secret",
        "0755 0:0",
    ]
    assert said(docker, place, "app", options, seen) == expected
    assert said(docker, place, "app", options[::-1], seen) == expected


def test_an_engine_fills_a_volume_behind_a_link(docker: Docker, place: Path) -> None:
    """A volume and a working directory named through a link are where it leads, with what was put there."""
    options = ("--symlink=/mnt/d:/data", "--volume=/data", "--add=seed:/data/seed", "--workdir=/data/w")
    seen = ("/data", "/mnt/d", "/data/seed", "/mnt/d/seed")
    expected = ["/mnt/d/w 65532", USERS, USERS, "0644 0:0 seeds", "0644 0:0 seeds"]
    assert said(docker, place, "app", options, seen) == expected


@pytest.mark.data
def test_links_of_alpine_are_followed(docker: Docker, place: Path, alpine_x86_64: Path) -> None:
    """What is named below /var/run is in /run, and an overlay's /tmp and /lib are the image's."""
    Compiler(place, "musl-gcc").program("server", SOURCE)
    options = (
        *("--base", str(alpine_x86_64), "--volume=/var/run/app", "--workdir=/var/run/app", "--add=ov/.:/"),
        *("--dir=/var/lock/app:0700", "--add=seed:/var/tmp/seed"),
    )
    seen = ("/var/run/app", "/run/app", "/var/lock/app", "/tmp", "/lib/x", "/var/tmp", "/run")
    expected = [
        "/run/app 65532",
        USERS,
        USERS,
        "0700 65532:65532 writable",
        "1777 0:0 writable",
        "0644 0:0 x",
        "1777 0:0 writable",
        "0755 0:0",
    ]
    assert said(docker, place, "server", options, seen) == expected


def test_a_program_that_may_be_run_and_not_read(docker: Docker, place: Path) -> None:
    """Execute permission is what the kernel asks for, and what minpack asks for."""
    options = ("--add=app:/usr/local/bin/app:0711",)
    assert said(docker, place, "app", options, ("/usr/local/bin/app",)) == ["/ 65532", "0711 0:0"]
