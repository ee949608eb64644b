"""The sample programs, and whole bases, packed and run in a real engine without a network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from minpack.oci.validate import validate_archive
from support.packing import minpack, packed, seen_in_directory

if TYPE_CHECKING:
    from support.docker import Docker

EXIT_ROOTS, EXIT_ZONES, EXIT_USER, EXIT_TEMP = 3, 4, 5, 6


def loaded(docker: Docker, program: Path, *options: str | Path) -> str:
    """The name of the image of a program, which was checked and loaded; its file is removed again."""
    name, path = docker.name(), program.parent / f"{os.urandom(6).hex()}.tar"
    try:
        packed(program, "-o", path, "--load", "--tag", name, *options)
        assert validate_archive(str(path)) == ()
    finally:
        path.unlink(missing_ok=True)
    return name


@pytest.mark.engine
def test_go_finds_its_roots(go_https: Path, docker: Docker) -> None:
    """A static Go program packed with nothing said finds CA certificates, its user and a place for temporary files."""
    name = loaded(docker, go_https)
    out = docker.run(name, "-require-roots", "-require-user", "-require-temp").stdout
    assert re.search(r"^roots: \S", out, re.MULTILINE)
    assert not re.search(r"^(roots|user|temp): missing", out, re.MULTILINE)


@pytest.mark.engine
def test_go_finds_its_zones(go_https: Path, docker: Docker) -> None:
    """The two zones that it names were packed, and those alone: it tells the time there."""
    out = docker.run(loaded(docker, go_https), "-require-zones").stdout
    assert re.search(r"^zones: (?!missing)", out, re.MULTILINE)


@pytest.mark.engine
@pytest.mark.parametrize(
    ("need", "require", "status"),
    [
        ("certs", "-require-roots", EXIT_ROOTS),
        ("tz", "-require-zones", EXIT_ZONES),
        ("passwd", "-require-user", EXIT_USER),
        ("tmp", "-require-temp", EXIT_TEMP),
    ],
)
def test_go_misses_what_is_left_out(need: str, require: str, status: int, go_https: Path, docker: Docker) -> None:
    """Without a need, the program ends as it says it would: what was packed is what it found."""
    name = loaded(docker, go_https, f"--no-need={need}", "--no-need=home")
    done = docker.run(name, require, options=("--read-only",), status=status)
    assert ": missing: " in done.stdout


@pytest.mark.engine
def test_rust_runs_on_this_machines_libraries(rust_glibc: Path, docker: Docker) -> None:
    """A Rust program with the libraries of this machine runs: threads, unwinding and looking up a name work."""
    out = docker.run(loaded(docker, rust_glibc, "--base=/", "--no-need=certs"), "localhost").stdout
    assert "127.0.0.1" in out
    assert "65532" in out


@pytest.mark.engine
def test_c_runs_on_this_machines_libraries(c_glibc: Path, docker: Docker) -> None:
    """A C program with the libraries of this machine runs and knows its user; with time zones it knows those."""
    name = loaded(docker, c_glibc, "--base=/", "--no-need=certs", "--need=tz")
    out = docker.run(name, "-require-user", "-require-zones").stdout
    assert "nonroot" in out


@pytest.mark.engine
@pytest.mark.data
def test_c_with_openssl_runs_on_alpine(c_musl_tls: Path, alpine_x86_64: Path, docker: Docker) -> None:
    """A C program with Alpine's musl and OpenSSL counts the CA certificates that Alpine has."""
    out = docker.run(loaded(docker, c_musl_tls, "--base", alpine_x86_64)).stdout
    count = re.search(r"^roots: (\d+),", out, re.MULTILINE)
    assert count is not None
    assert int(count[1]) > 100


@pytest.mark.engine
@pytest.mark.data
def test_c_with_openssl_and_without_roots_says_so(c_musl_tls: Path, alpine_x86_64: Path, docker: Docker) -> None:
    """Without certificates the same program counts none."""
    name = loaded(docker, c_musl_tls, "--base", alpine_x86_64, "--no-need=certs")
    assert "roots: 0," in docker.run(name, status=EXIT_ROOTS).stdout


@pytest.mark.engine
@pytest.mark.data
def test_alpine_as_a_whole_is_alpine(alpine_x86_64: Path, docker: Docker) -> None:
    """`minpack base image` of Alpine's tarball is Alpine: a shell, its release and its package manager."""
    name = docker.name()
    minpack("base", "image", alpine_x86_64, "-t", name, "--load")
    assert docker.run(name, "cat", "/etc/alpine-release").stdout == "3.20.3\n"
    assert docker.run(name, "apk", "info", "-e", "musl").stdout == "musl\n"
    assert docker.run(name, "sh", "-c", "id -u; stat -c %a /tmp /etc/shadow /bin/busybox").stdout.split() == [
        "0",
        "1777",
        "640",
        "755",
    ]
    assert docker.inspect(name)["Config"]["Cmd"] == ["/bin/sh"]


@pytest.mark.engine
@pytest.mark.data
def test_busybox_keeps_its_hard_links(data: Path, docker: Docker) -> None:
    """The 400 names of one busybox are one file in the image, and in a container."""
    name = docker.name()
    minpack("base", "image", data / "bases/busybox-musl-amd64.tar.gz", "-t", name, "--load", "--compress=small")
    out = docker.run(
        name, "sh", "-c", "stat -c %h /bin/busybox; ls -i /bin | awk '{print $1}' | sort -u | wc -l"
    ).stdout
    links, inodes = map(int, out.split())
    assert links == 400
    assert inodes < 5
    assert docker.inspect(name)["Size"] < 2_000_000


@pytest.mark.data
@pytest.mark.parametrize(
    "base",
    ["alpine-minirootfs-3.20.3-x86_64.tar.gz", "alpine-minirootfs-3.20.3-s390x.tar.gz", "busybox-musl-amd64.tar.gz"],
)
def test_a_whole_base_is_what_its_tarball_holds(base: str, data: Path, tmp_path: Path) -> None:
    """An image of a whole base has every file of the tarball, with its mode, owner, bytes and hard links."""
    out, tar = tmp_path / "image.tar", tmp_path / "root.tar"
    minpack("base", "image", data / "bases" / base, "-o", out)
    minpack("base", "image", data / "bases" / base, "-o", tar, "--format=tar")
    assert validate_archive(str(out)) == ()
    with tarfile.open(data / "bases" / base) as source:
        expected = {
            "/" + member.name.removeprefix("./").strip("/"): (member.mode, member.uid, member.gid, member.size)
            for member in source
            if member.name.strip("./") and not member.islnk() and not member.issym()
        }
        linked = sum(member.islnk() for member in source)
    with tarfile.open(tar) as made:
        found = {f"/{member.name}": (member.mode, member.uid, member.gid, member.size) for member in made}
        assert sum(member.islnk() for member in made) == linked
    assert expected.items() <= found.items()


AS_NOBODY = """
import os, sys
from minpack.cli.run import run
first, second, *arguments = sys.argv[1:]
# Once as root, which loads all modules too: a user may have no right to read where they lie.
assert run([*arguments, "-o", first]) == 0
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
assert run([*arguments, "-o", second]) == 0
"""


@pytest.mark.data
@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_another_user_makes_the_same_files(alpine_x86_64: Path) -> None:
    """A root file system written by a user without rights has the same files as root's, but for their owners."""
    # Others cannot reach the directories that pytest makes.
    with TemporaryDirectory() as made:
        here, theirs = Path(made), Path(made, "theirs")
        here.chmod(0o755)
        theirs.mkdir()
        theirs.chmod(0o777)
        shutil.copyfile(alpine_x86_64, here / "base.tar.gz")
        (here / "base.tar.gz").chmod(0o644)
        arguments = ("base", "image", str(here / "base.tar.gz"), "--format=rootfs")
        command = [sys.executable, "-c", AS_NOBODY, str(here / "root"), str(theirs / "root"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=theirs)
        assert done.returncode == 0, done.stderr
        assert "files belong to you" in done.stderr
        roots, nobodys = seen_in_directory(here / "root"), seen_in_directory(theirs / "root")
    assert {path: seen._replace(uid=65534, gid=65534) for path, seen in roots.items()} == nobodys
    assert any(seen.gid not in (0, 65534) for seen in roots.values())
