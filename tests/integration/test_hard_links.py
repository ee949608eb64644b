"""Files with several names: one file and links to it in every format, as every reader unpacks them."""

from __future__ import annotations

import os
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from minpack.oci.validate import validate_archive
from support.packing import minpack, packed, write_program
from support.tools import need_tool
from support.trees import gnu_tar

if TYPE_CHECKING:
    from pathlib import Path

    from support.docker import Docker

#: The names of one file each, in the order in which they are written.
LINKED = [
    {"/usr/local/bin/app", "/usr/local/bin/twin", "/opt/again"},
    {"/srv/a", "/srv/sub/b"},
]
SIZE = 3_000_000
FIXED = ("--no-need=certs", "--created=0")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Two names of one program, and a directory with two names of one file and a copy of it."""
    write_program(tmp_path / "app", size=SIZE)
    os.link(tmp_path / "app", tmp_path / "twin")
    (tmp_path / "www/sub").mkdir(parents=True)
    (tmp_path / "www/a").write_bytes(b"a" * 1000)
    os.link(tmp_path / "www/a", tmp_path / "www/sub/b")
    (tmp_path / "www/copy").write_bytes(b"a" * 1000)
    return tmp_path


def arguments(place: Path) -> tuple[str, ...]:
    """What packs all of it."""
    return (str(place / "app"), str(place / "twin"), f"--add={place}/app:/opt/again", f"--add={place}/www:/srv")


def names_of_one_file(root: Path) -> list[set[str]]:
    """The paths below a directory that are names of one file, of those that have several."""
    found: dict[int, set[str]] = {}
    for directory, _, files in os.walk(root):
        for name in files:
            path = os.path.join(directory, name)
            if not os.path.islink(path):
                found.setdefault(os.lstat(path).st_ino, set()).add(path.removeprefix(str(root)))
    return [names for names in found.values() if len(names) > 1]


def same(found: list[set[str]]) -> bool:
    """Whether these are the files that were packed."""
    return sorted(map(sorted, found)) == sorted(map(sorted, LINKED))


def test_a_directory_has_links(place: Path) -> None:
    """`--format rootfs` writes the file once."""
    minpack(*arguments(place), "--format=rootfs", "-o", place / "out", *FIXED)
    assert same(names_of_one_file(place / "out"))
    assert (place / "out/srv/copy").stat().st_nlink == 1


@pytest.mark.tool
@pytest.mark.parametrize("tar", ["tar", "bsdtar"])
def test_a_tar_has_links(tar: str, place: Path) -> None:
    """`--format tar` holds the bytes once, and the common tools unpack links."""
    minpack(*arguments(place), "--format=tar", "-o", place / "out.tar", *FIXED)
    assert (place / "out.tar").stat().st_size < 1.1 * SIZE
    (place / "out").mkdir()
    subprocess.run([need_tool(tar), "-C", str(place / "out"), "-xf", str(place / "out.tar")], check=True)
    assert same(names_of_one_file(place / "out"))


@pytest.mark.parametrize("options", [(), ("--single-layer",), ("--zstd",), ("--compress=none",)])
def test_an_archive_has_links(options: tuple[str, ...], place: Path) -> None:
    """The layer has the bytes once; the document counts them once, and says which names share them."""
    document = packed(*arguments(place), "-o", place / "out.tar", *FIXED, *options)
    assert validate_archive(str(place / "out.tar")) == ()
    assert document["unpacked_size"] < 1.1 * SIZE
    files = {item["path"]: item for item in document["files"]}
    for first, *links in map(sorted, LINKED):
        assert files[first]["type"] == "file"
        for link in links:
            assert (files[link]["type"], files[link]["link"], files[link]["size"]) == ("hardlink", first, None)
            assert files[link]["sha256"] == files[first]["sha256"]
    assert sum(item["size"] or 0 for item in document["files"]) < 1.1 * SIZE


@pytest.mark.tool
@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_umoci_unpacks_links(place: Path) -> None:
    """`umoci unpack` of a layout makes one file of them."""
    minpack(*arguments(place), "--format=oci", "-o", place / "layout", "-t", "me/x:1", *FIXED)
    command = [need_tool("umoci"), "unpack", "--image", f"{place}/layout:1", str(place / "bundle")]
    subprocess.run(command, check=True, capture_output=True)
    assert same(names_of_one_file(place / "bundle/rootfs"))


@pytest.mark.engine
def test_an_engine_has_links(place: Path, docker: Docker) -> None:
    """A container's tree, as `docker export` gives it, has links where they were planned."""
    name = docker.name()
    minpack(*arguments(place), "-t", name, "--load", *FIXED)
    docker.export(name, place / "export.tar")
    with tarfile.open(place / "export.tar") as tar:
        found: dict[str, set[str]] = {}
        for member in tar:
            if member.islnk():
                found.setdefault(f"/{member.linkname}", {f"/{member.linkname}"}).add(f"/{member.name}")
    assert same(list(found.values()))


@pytest.mark.parametrize("kind", ["directory", "tarball"])
def test_links_of_a_base(kind: str, place: Path) -> None:
    """Files of a base that are links of each other are, where they are taken, one file and links."""
    zones = place / "base/usr/share/zoneinfo"
    (zones / "Europe").mkdir(parents=True)
    (zones / "Europe/Berlin").write_bytes(b"TZif2" + bytes(1000))
    for name in ("Europe/Busingen", "Local"):
        os.link(zones / "Europe/Berlin", zones / name)
    base = place / "base" if kind == "directory" else gnu_tar(place / "base", place / "base.tar")
    minpack(place / "app", "--base", base, "--need=tz", "--format=rootfs", "-o", place / "out", *FIXED)
    top = "/usr/share/zoneinfo"
    assert names_of_one_file(place / "out") == [{f"{top}/Europe/Berlin", f"{top}/Europe/Busingen", f"{top}/Local"}]


def test_embedded_zones_are_links(place: Path) -> None:
    """The package has a file for each name of a zone: the image has one for each zone, the same from any package."""
    minpack(place / "app", "--need=tz", "--format=rootfs", "-o", place / "out", *FIXED)
    top = place / "out/usr/share/zoneinfo"
    files = [path for path in top.rglob("*") if path.is_file()]
    assert len({path.read_bytes() for path in files}) == len({path.stat().st_ino for path in files})
    assert len(files) > 1.5 * len({path.stat().st_ino for path in files})
    london = (top / "Europe/London").stat().st_ino
    assert london == (top / "GB").stat().st_ino != (top / "Europe/Berlin").stat().st_ino


def test_the_summary_counts_a_file_once(place: Path) -> None:
    """All names are shown, and the bytes belong to the first line that has one of them."""
    out = minpack(*arguments(place), "-o", place / "out.tar", *FIXED).stdout
    (program,) = (line for line in out.splitlines() if line.startswith("  program"))
    (added,) = (line for line in out.splitlines() if line.startswith("  added"))
    assert program.split() == ["program", "3.00", "MB", "yours", "/usr/local/bin/app,", "/usr/local/bin/twin"]
    assert added.split()[:4] == ["added", "2.00", "kB", "yours"]


def test_linked_programs_are_proved_and_stripped_alike(place: Path) -> None:
    """Two names of a dynamic program load on the packed tree, stripped too, and have one sum."""
    (place / "main.c").write_text("int main(void) { return 0; }")
    subprocess.run([need_tool("gcc"), "-g", "-o", str(place / "one"), str(place / "main.c")], check=True)
    os.link(place / "one", place / "two")
    document = packed(place / "one", place / "two", "--base=/", "--strip", "-o", place / "out.tar", *FIXED)
    files = {item["path"]: item for item in document["files"]}
    one, two = files["/usr/local/bin/one"], files["/usr/local/bin/two"]
    assert (one["type"], two["type"], two["link"]) == ("file", "hardlink", "/usr/local/bin/one")
    assert one["sha256"] == two["sha256"]
    assert one["size"] < (place / "one").stat().st_size
