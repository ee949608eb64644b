"""Every common reader of images makes the same tree of an archive, and of a layout."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from minpack.oci.read import read_image
from minpack.oci.validate import validate_archive, validate_layout
from minpack.target import Platform
from support.images import archive_file, built_index, layout_directory, parts_of
from support.packing import Seen, packed, seen_in_directory, seen_in_document, seen_in_tar, write_program
from support.tools import need_tool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.docker import Docker

pytestmark = [pytest.mark.tool, pytest.mark.root, pytest.mark.usefixtures("root")]

CREATED = 1_000_000_000
STORED = {
    "none": ("--compress", "none"),
    "balanced": ("--compress", "balanced"),
    "small": ("--compress", "small"),
    "zstd": ("--zstd",),
    "single-layer": ("--single-layer",),
}
GZIPPED = [name for name in STORED if name != "zstd"]
#: The engine's own, and the system's, which an engine takes where there is one.
CONTAINERD = ("/run/docker/containerd/containerd.sock", "/run/containerd/containerd.sock")
LONG = "/".join("d" * 70 for _ in range(4))


class Made(NamedTuple):
    """An image that was packed: where, as what, and what is in it."""

    path: Path
    names: tuple[str, ...]
    document: dict[str, Any]

    @property
    def expected(self) -> dict[str, Seen]:
        """The tree that every reader must find."""
        return seen_in_document(self.document, CREATED)


def make(directory: Path, *options: str, names: tuple[str, ...] = ("minpack-test/readers:1",)) -> Made:
    """Pack an image with everything that is hard for readers; no layer of it was ever seen before.

    The program is of several MB, so that its layer has several gzip members.
    """
    added = directory / "added"
    (added / LONG).mkdir(parents=True)
    for name in ("größe", "日本語", "line\nbreak", "n" * 255, f"{LONG}/deep"):
        (added / name).write_bytes(name.encode())
    (added / "script").write_text("#!/bin/sh\n", "utf-8")
    (added / "script").chmod(0o755)
    os.symlink("../" + "t" * 150, added / "long link")
    with open(os.fsencode(added) + b"/latin-\xe9", "wb") as out:
        out.write(b"no UTF-8")
    program = write_program(directory / "app", size=3_000_000)
    # The user's number is in the lower layer, which is unlike any other by it.
    user = str(100_000 + int.from_bytes(os.urandom(3), "big"))
    tags = [f"--tag={name}" for name in names]
    fixed = ("--no-need=certs", f"--created={CREATED}", f"--user={user}", f"--add={added}:/opt/added")
    # Of zones most have several names, which are hard links.
    zones = "--need=tz"
    more = (zones, "--dir=/data:1777:3000000:5", "--dir=/private:0700:7:8", "--symlink=/usr/local/bin/app:/app")
    path = directory / "image"
    document = packed(program, "-o", path, *tags, *fixed, *more, *options)
    return Made(path, names, document)


def check(found: dict[str, Seen], made: Made) -> None:
    """A reader's tree has all that is expected, as it is expected, times too."""
    for path, expected in made.expected.items():
        assert found.get(path) == expected, path


def exactly(found: dict[str, Seen], made: Made) -> None:
    """A reader's tree is what is expected, and nothing more."""
    check(found, made)
    assert found.keys() == made.expected.keys()


@pytest.mark.parametrize("stored", STORED)
def test_validation_finds_nothing(stored: str, tmp_path: Path) -> None:
    """Archives and layouts of a rich tree keep all rules, however they are stored."""
    assert validate_archive(str(make(tmp_path / "a", *STORED[stored]).path)) == ()
    assert validate_layout(str(make(tmp_path / "l", *STORED[stored], "--format=oci").path)) == ()


@pytest.mark.engine
@pytest.mark.parametrize("stored", STORED)
def test_docker_loads_archives(stored: str, docker: Docker, tmp_path: Path) -> None:
    """`docker load` takes the archive, under all its names; the container has the tree."""
    names = (docker.name(), docker.name())
    made = make(tmp_path, *STORED[stored], names=names)
    if stored == "zstd" and not docker.reads_zstd:
        docker.call("load", "-i", str(made.path), status=1)
        return
    assert sorted(docker.load(made.path)) == sorted(names)
    for name in names:
        assert docker.holds(name, made.document)
        docker.run(name)
    docker.export(names[0], tmp_path / "export.tar")
    with (tmp_path / "export.tar").open("rb") as stream:
        found = seen_in_tar(stream)
    # The engine puts files of its own there.
    found["/etc"] = found["/etc"]._replace(time=CREATED)
    check(found, made)


@pytest.mark.parametrize("stored", STORED)
def test_podman_loads_archives(stored: str, tmp_path: Path) -> None:
    """`podman load` takes the archive, under all its names; the mounted image is the tree."""
    names = ("minpack-test/one:1", "localhost/minpack-test/two:2")
    made = make(tmp_path, *STORED[stored], names=names)
    # podman takes no long paths for its state.
    with TemporaryDirectory() as state:
        podman = (
            need_tool("podman"),
            f"--root={tmp_path / 'root'}",
            f"--runroot={state}",
            f"--tmpdir={state}/tmp",
            "--storage-driver=vfs",
            "--events-backend=none",
        )
        run(*podman, "load", "-i", str(made.path))
        listed = json.loads(run(*podman, "images", "--format=json"))
        assert {name for image in listed for name in image["Names"]} == {f"docker.io/{names[0]}", names[1]}
        (mounted,) = {run(*podman, "image", "mount", name).strip() for name in names}
        exactly(seen_in_directory(Path(mounted)), made)
        run(*podman, "image", "umount", "--all", "--force")
        run(*podman, "rmi", "--all", "--force")


@pytest.mark.parametrize("stored", STORED)
def test_skopeo_reads_every_form(stored: str, tmp_path: Path) -> None:
    """Skopeo finds one image in an archive, read as either kind, and in a layout; copying keeps all bytes."""
    made = make(tmp_path / "a", *STORED[stored])
    layout = make_layout(made, tmp_path / "layout")
    skopeo = need_tool("skopeo")
    name = made.names[0]
    sources = {
        f"oci-archive:{made.path}": True,
        f"oci-archive:{made.path}:1": True,
        f"oci:{layout}": True,
        f"oci:{layout}:1": True,
        f"docker-archive:{made.path}": False,
        f"docker-archive:{made.path}:{name}": False,
    }
    config = json.loads(parts_of(made.path.read_bytes())[_member(made.document["image_id"])])
    for number, (source, is_oci) in enumerate(sources.items()):
        found = json.loads(run(skopeo, "inspect", source))
        assert (found["Architecture"], found["Os"]) == ("amd64", "linux")
        if is_oci:
            assert found["Digest"] == made.document["digest"]
            assert found["Layers"] == [layer["digest"] for layer in made.document["layers"]]
        assert json.loads(run(skopeo, "inspect", "--config", source))["rootfs"] == config["rootfs"]
        copied = tmp_path / f"copy{number}"
        # Without it, skopeo compresses what is not.
        keep = ("--preserve-digests",) if is_oci else ()
        run(skopeo, "copy", *keep, source, f"oci:{copied}:copy")
        if is_oci:
            assert set(os.listdir(copied / "blobs/sha256")) == set(os.listdir(layout / "blobs/sha256"))


@pytest.mark.parametrize("form", ["archive", "oci"])
def test_the_digest_is_the_registrys(form: str, tmp_path: Path) -> None:
    """Copied with skopeo, an archive and a layout have the digest in a registry that minpack told."""
    made = make(tmp_path / "a", f"--format={form}")
    skopeo = need_tool("skopeo")
    source = f"oci-archive:{made.path}" if form == "archive" else f"oci:{made.path}"
    with registry(tmp_path / "registry") as address:
        image = f"docker://{address}/app:1"
        run(skopeo, "copy", "--dest-tls-verify=false", source, image)
        found = json.loads(run(skopeo, "inspect", "--tls-verify=false", image))
    assert found["Digest"] == made.document["digest"]


@contextmanager
def registry(directory: Path) -> Iterator[str]:
    """The address of a registry that keeps its images in `directory`."""
    directory.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    settings = f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {directory}}}}}\nhttp: {{addr: {address}}}\n"
    (directory / "config.yml").write_text(settings, "utf-8")
    command = [need_tool("docker-registry"), "serve", str(directory / "config.yml")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for(address, server)
            yield address
        finally:
            server.terminate()


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    """Until the server answers."""
    host, port = address.split(":")
    for _ in range(300):
        assert server.poll() is None, "the registry ended"
        with suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return
        time.sleep(0.1)
    raise AssertionError("the registry does not answer")


INDEX = (Platform("linux", "amd64"), Platform("linux", "arm64"))


def test_an_index_is_read_by_skopeo(tmp_path: Path) -> None:
    """An archive and a layout of several platforms, with artifacts, have one digest, and the image of each platform."""
    index = built_index(tmp_path / "built", INDEX, artifacts=True)
    archive_file(tmp_path / "image.tar", index)
    layout_directory(tmp_path / "layout", index)
    skopeo = need_tool("skopeo")
    for source in (f"oci-archive:{tmp_path / 'image.tar'}", f"oci:{tmp_path / 'layout'}:1"):
        for image in index.images:
            architecture = f"--override-arch={image.platform.architecture}"
            found = json.loads(run(skopeo, architecture, "inspect", source))
            assert (found["Architecture"], found["Digest"]) == (image.platform.architecture, str(index.digest))
            config = run(skopeo, architecture, "inspect", "--raw", "--config", source)
            assert json.loads(config) == json.loads(image.config.data)
    (found,) = read_image(_copied(f"oci-archive:{tmp_path / 'image.tar'}", f"oci:{tmp_path / 'copy'}:2", "--all"))
    assert (found.built.digest, found.names) == (index.digest, ("2",))
    assert [image.digest for image in found.built.images] == [image.digest for image in index.images]


@pytest.mark.engine
def test_docker_loads_one_image_of_an_index(docker: Docker, tmp_path: Path) -> None:
    """Docker's classic store takes the image for amd64; what it saves is read as the image that it is."""
    index, name = built_index(tmp_path / "built", INDEX[::-1], artifacts=True), docker.name()
    archive_file(tmp_path / "image.tar", index, (name,))
    assert docker.load(tmp_path / "image.tar") == [name]
    (amd64,) = (image for image in index.images if image.platform.architecture == "amd64")
    assert docker.inspect(name)["Id"] in (str(amd64.image_id), str(index.digest))
    docker.call("save", name, "-o", str(tmp_path / "saved.tar"))
    (saved,) = read_image(str(tmp_path / "saved.tar"))
    assert amd64.image_id in [image.image_id for image in saved.built.images]
    for blob in saved.built.blobs:
        blob.copy_to(io.BytesIO())


@pytest.mark.parametrize("form", ["oci", "oci-archive", "docker-archive"])
def test_copies_of_skopeos_are_read(form: str, tmp_path: Path) -> None:
    """What skopeo makes of an archive is read as the same image, its layers unpacked in what is Docker's."""
    made = make(tmp_path / "a")
    path = tmp_path / "copy"
    (found,) = read_image(_copied(f"oci-archive:{made.path}", f"{form}:{path}:me/app:1"))
    (image,) = found.built.images
    assert str(image.image_id) == made.document["image_id"]
    assert (str(image.digest) == made.document["digest"]) == (form != "docker-archive")
    assert [str(one) for one in image.diff_ids] == [layer["diff_id"] for layer in made.document["layers"]]
    for blob in image.blobs:
        blob.copy_to(io.BytesIO())


def _copied(source: str, target: str, *options: str) -> str:
    """The path of the copy that skopeo makes."""
    run(need_tool("skopeo"), "copy", *options, source, target)
    return target.split(":")[1]


@pytest.mark.parametrize("stored", GZIPPED)
def test_umoci_unpacks_layouts(stored: str, tmp_path: Path) -> None:
    """`umoci unpack` makes the tree of a layout, under each of its references."""
    names = ("minpack-test/one:1", "minpack-test/two:1", "minpack-test/one:2")
    made = make(tmp_path, *STORED[stored], "--format=oci", names=names)
    umoci = need_tool("umoci")
    for reference in ("1", "minpack-test/two:1", "2"):
        bundle = tmp_path / f"bundle-{reference.replace('/', '-')}"
        run(umoci, "unpack", "--image", f"{made.path}:{reference}", str(bundle))
        exactly(seen_in_directory(bundle / "rootfs"), made)
        shutil.rmtree(bundle)


@pytest.mark.engine
@pytest.mark.parametrize("stored", STORED)
@pytest.mark.usefixtures("engine")
def test_containerd_imports_archives(stored: str, tmp_path: Path) -> None:
    """`ctr images import` takes the archive, under all its names, and mounts it as the tree."""
    socket = next(filter(os.path.exists, CONTAINERD), None)
    if socket is None:
        pytest.skip("the engine's containerd has no socket here")
    names = ("minpack-test/one:1", "minpack-test/two:1")
    made = make(tmp_path, *STORED[stored], names=names)
    space = f"minpack-test-{os.urandom(6).hex()}"
    ctr = (need_tool("ctr"), "--address", socket)
    full = [f"docker.io/{name}" for name in names]
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    inside = (*ctr, "--namespace", space)
    try:
        run(*inside, "images", "import", str(made.path))
        assert sorted(run(*inside, "images", "ls", "-q").split()) == sorted(full)
        run(*inside, "images", "mount", full[0], str(mounted))
        exactly(seen_in_directory(mounted), made)
    finally:
        subprocess.run((*inside, "images", "unmount", "--rm", str(mounted)), check=False, capture_output=True)
        subprocess.run((*inside, "images", "rm", "--sync", *full), check=False, capture_output=True)
        run(*ctr, "namespaces", "rm", space)


@pytest.mark.parametrize("stored", STORED)
def test_tar_unpacks_layers(stored: str, tmp_path: Path) -> None:
    """GNU tar and gzip make the tree of the archive's own layers, one upon the other."""
    made = make(tmp_path / "a", *STORED[stored])
    root, blobs = tmp_path / "root", tmp_path / "blobs"
    root.mkdir()
    tar = need_tool("tar")
    run(tar, "-xf", str(made.path), "--one-top-level=" + str(blobs))
    decoder = {"none": (), "zstd": ("--use-compress-program", need_tool("zstd"))}.get(stored, ("--gzip",))
    for layer in made.document["layers"]:
        blob = blobs / _member(layer["digest"])
        command = (tar, *decoder, "--numeric-owner", "--same-owner", "-xpf", str(blob), "-C", str(root))
        assert run(*command) == ""
    exactly(seen_in_directory(root), made)


@pytest.mark.parametrize("form", ["rootfs", "tar"])
def test_other_formats_have_the_same_tree(form: str, tmp_path: Path) -> None:
    """A root file system and its bare tar are the tree too."""
    made = make(tmp_path, f"--format={form}", names=())
    if form == "rootfs":
        exactly(seen_in_directory(made.path), made)
        return
    with made.path.open("rb") as stream:
        exactly(seen_in_tar(stream), made)
    root = tmp_path / "root"
    root.mkdir()
    run(need_tool("tar"), "--numeric-owner", "--same-owner", "-xpf", str(made.path), "-C", str(root))
    exactly(seen_in_directory(root), made)


def make_layout(made: Made, path: Path) -> Path:
    """The layout that the image's own archive holds, as `--format oci` would write it."""
    path.mkdir()
    for name, data in parts_of(made.path.read_bytes()).items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    (path / "manifest.json").unlink()
    assert validate_layout(str(path)) == ()
    return path


def run(*command: str) -> str:
    """What a command prints, which ends well."""
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    return done.stdout.decode("utf-8", "surrogateescape")


def _member(digest: str) -> str:
    return f"blobs/sha256/{digest.partition(':')[2]}"
