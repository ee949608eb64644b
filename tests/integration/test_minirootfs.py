"""Alpine's own programs, packed on its real tarballs for six architectures, run from the image's files alone."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING, NamedTuple

import pytest

from minpack.oci.validate import validate_archive
from support.packing import minpack, packed, seen_in_directory
from support.tools import need_tool
from support.trees import unpack

if TYPE_CHECKING:
    from pathlib import Path

    from support.docker import Docker

pytestmark = pytest.mark.data
RELEASE = "3.20.3"
#: The emulator of each architecture; none where an x86-64 kernel runs it.
QEMU = {"x86_64": "", "x86": "", "aarch64": "aarch64", "armv7": "arm", "riscv64": "riscv64", "s390x": "s390x"}
PLATFORMS = {
    "x86_64": "linux/amd64",
    "x86": "linux/386",
    "aarch64": "linux/arm64",
    "armv7": "linux/arm/v7",
    "riscv64": "linux/riscv64",
    "s390x": "linux/s390x",
}


class Program(NamedTuple):
    """A program of the tarball, how it is called and what it says."""

    member: str
    arguments: tuple[str, ...]
    answer: str
    libraries: int


PROGRAMS = {
    "apk": Program("./sbin/apk", ("--version",), "apk-tools 2.14.4, compiled for {arch}.", 4),
    "busybox": Program("./bin/busybox", ("expr", "6", "*", "7"), "42", 0),
}


def tarball(data: Path, arch: str) -> Path:
    """The tarball of one architecture."""
    path = data / "bases" / f"alpine-minirootfs-{RELEASE}-{arch}.tar.gz"
    if not path.exists():
        pytest.skip(f"no {path.name}")
    return path


def taken(data: Path, arch: str, name: str, directory: Path) -> Path:
    """A program of the tarball, as a file."""
    with tarfile.open(tarball(data, arch)) as archive:
        found = archive.extractfile(PROGRAMS[name].member)
        assert found is not None
        (directory / name).write_bytes(found.read())
    (directory / name).chmod(0o755)
    return directory / name


def answer(arch: str, name: str) -> str:
    """What the program must say."""
    return PROGRAMS[name].answer.format(arch=arch)


def in_chroot(root: Path, arch: str, name: str) -> subprocess.CompletedProcess[str]:
    """The program, run with nothing in reach but the files of `root`, and an emulator if it needs one."""
    emulator: tuple[str, ...] = ()
    if QEMU[arch]:
        shutil.copy(need_tool(f"qemu-{QEMU[arch]}-static"), root / "emulator")
        emulator = ("/emulator",)
    command = (need_tool("chroot"), str(root), *emulator, f"/usr/local/bin/{name}", *PROGRAMS[name].arguments)
    return subprocess.run(command, capture_output=True, text=True, check=False, env={}, timeout=120)


def unpacked(archive: Path, layers: list[dict[str, str]], root: Path) -> Path:
    """The layers of an archive, unpacked one upon the other by Python's own reader."""
    root.mkdir()
    with tarfile.open(archive) as outer:
        for layer in layers:
            blob = outer.extractfile(f"blobs/sha256/{layer['digest'].partition(':')[2]}")
            with tarfile.open(fileobj=blob, mode="r:*") as inner:
                unpack(inner, root)
    return root


@pytest.mark.tool
@pytest.mark.root
@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("arch", QEMU)
def test_programs_run_from_the_images_own_files(arch: str, name: str, data: Path, tmp_path: Path) -> None:
    """A program answers from the root file system that `--format rootfs` makes, and from the archive's layers."""
    program, base = taken(data, arch, name, tmp_path), tarball(data, arch)
    image = packed(program, "--base", base, "--no-need=certs", "-o", tmp_path / "image.tar")
    packed(program, "--base", base, "--no-need=certs", "--format=rootfs", "-o", tmp_path / "root")
    assert image["platform"] == PLATFORMS[arch]
    assert validate_archive(str(tmp_path / "image.tar")) == ()
    reasons = [item["reason"]["kind"] for item in image["files"]]
    assert (reasons.count("interpreter"), reasons.count("library")) == (1, PROGRAMS[name].libraries)
    other = unpacked(tmp_path / "image.tar", image["layers"], tmp_path / "other")
    # Python's reader gives symlinks no time.
    unlinked = {path: seen for path, seen in seen_in_directory(tmp_path / "root").items() if seen.type != "symlink"}
    assert unlinked.items() <= seen_in_directory(other).items()
    assert {item["path"] for item in image["files"]} == seen_in_directory(other).keys()
    for root in (tmp_path / "root", other):
        done = in_chroot(root, arch, name)
        assert (done.returncode, done.stdout.strip(), done.stderr) == (0, answer(arch, name), "")


@pytest.mark.engine
@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("arch", ["x86_64", "x86"])
def test_programs_run_in_the_engine(arch: str, name: str, docker: Docker, data: Path, tmp_path: Path) -> None:
    """A program answers from a container, as a user who is not root, with a file system nothing can be written to."""
    program, image = taken(data, arch, name, tmp_path), docker.name()
    packed(program, "--base", tarball(data, arch), "--load", "-t", image, "--tz=Europe/Berlin")
    done = docker.run(image, *PROGRAMS[name].arguments, options=("--read-only", "--cap-drop=ALL"))
    assert (done.stdout.strip(), done.stderr) == (answer(arch, name), "")


@pytest.mark.tool
@pytest.mark.root
@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("arch", ["x86_64", "x86"])
def test_nothing_that_was_packed_can_be_left_out(arch: str, data: Path, tmp_path: Path) -> None:
    """Without any one library, or the link that leads to one, or the interpreter, the program does not start."""
    program = taken(data, arch, "apk", tmp_path)
    root = tmp_path / "root"
    options = ("--no-need=certs", "--format=rootfs", "-o", root)
    image = packed(program, "--base", tarball(data, arch), *options)
    libraries = [
        item["path"] for item in image["files"] if item["reason"]["kind"] in ("interpreter", "library", "link")
    ]
    assert len(libraries) >= 6
    for path in libraries:
        aside = tmp_path / "aside"
        (root / path[1:]).rename(aside)
        assert in_chroot(root, arch, "apk").returncode != 0, path
        aside.rename(root / path[1:])
    assert in_chroot(root, arch, "apk").returncode == 0


def test_no_two_architectures_make_one_image(data: Path, tmp_path: Path) -> None:
    """A program on another architecture's tarball is refused, and the answer is no."""
    program = taken(data, "aarch64", "busybox", tmp_path)
    out = tmp_path / "out.tar"
    done = minpack(program, "--base", tarball(data, "x86_64"), "-o", out, status=3)
    assert "aarch64" in done.stderr
    assert not out.exists()
