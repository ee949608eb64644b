"""An image for debugging is the image, and a layer with all tools in a directory of their own."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from minpack.debug.image import debug_reference
from minpack.oci.reference import parse_reference
from minpack.spec.base_ref import DOCKER, DOCKER_ARCHIVE, DOCKER_DAEMON, OCI, ImageRef
from support.command import minpack
from support.elfmaker import static_program
from support.fakeregistry import FakeRegistry
from support.layers import layer, member, tar_of, write_layout
from support.mirror import Mirror
from support.toolsbases import RELEASE, debugged, publish_release, stored, tools_tar, write_tools_base

if TYPE_CHECKING:
    from pathlib import Path

LOWEST = layer(tar_of(member("etc/passwd", b"web:x:33:33::/:/none\n"), member("bin/app", static_program())))
SECOND = layer(tar_of(member("srv/page", b"hello\n")), "zstd")
RUN: dict[str, Any] = {
    "User": "33:33",
    "WorkingDir": "/srv",
    "Env": ["PATH=/bin", "LANG=C"],
    "Labels": {"a": "1"},
    "ExposedPorts": {"80/tcp": {}},
    "Entrypoint": ["/bin/app"],
    "Cmd": ["serve", "größe"],
    "StopSignal": "SIGINT",
    "Healthcheck": {"Test": ["CMD", "/bin/app", "health"]},
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a base that has a shell, and an image."""
    write_tools_base(tmp_path / "tools.tar")
    write_layout(tmp_path / "image", [LOWEST, SECOND], config_values=RUN)
    return tmp_path


def test_its_layers_are_the_images_and_one_more(place: Path) -> None:
    """By their digests; what is on top has nothing outside of its directory, and all of that is root's."""
    image, (made, _) = stored(place / "image"), debugged(place, "image")
    assert made.layers[:-1] == image.layers
    assert made.config["rootfs"]["diff_ids"][:-1] == image.config["rootfs"]["diff_ids"]
    assert all(name.split("/")[0] == ".debug" for name in made.top)
    assert {(one.uid, one.gid) for one in made.top.values()} == {(0, 0)}
    assert {one.mode for one in made.top.values() if one.isfile()} <= {0o755, 0o644}
    assert made.top[".debug/bin/sh"].linkname == "busybox"
    assert made.top[".debug/bin/env"].linkname == "busybox"


def test_the_shell_is_run_and_all_else_stays(place: Path) -> None:
    """User, directory, variables, ports, health; the tools come behind what the image's PATH has."""
    made, _ = debugged(place, "image")
    run = made.config["config"]
    assert run["Entrypoint"] == ["/.debug/bin/sh"]
    assert "Cmd" not in run
    kept = ("User", "WorkingDir", "ExposedPorts", "StopSignal", "Healthcheck")
    assert {key: run[key] for key in kept} == {key: RUN[key] for key in kept}
    assert run["Env"] == ["PATH=/bin:/.debug/bin", "LANG=C"]
    assert run["Labels"] == {
        "a": "1",
        "dev.minpack.debug": "true",
        "dev.minpack.debug.entrypoint": '["/bin/app"]',
        "dev.minpack.debug.cmd": '["serve", "größe"]',
    }


def test_the_user_can_be_another(place: Path) -> None:
    """With --user."""
    made, _ = debugged(place, "image", "--user", "root")
    assert made.config["config"]["User"] == "0:0"


def test_what_would_load_libraries_of_the_image_into_tools_is_not_set(place: Path) -> None:
    """A note has its value, for whoever starts the program from the shell."""
    values = {**RUN, "Env": ["LD_PRELOAD=/lib/libx.so", "LD_LIBRARY_PATH=/opt/lib"]}
    write_layout(place / "preloaded", [LOWEST], config_values=values)
    made, ran = debugged(place, "preloaded")
    paths = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/.debug/bin"
    assert made.config["config"]["Env"] == [f"PATH={paths}"]
    assert "LD_PRELOAD=/lib/libx.so is not set" in ran.err
    assert "LD_LIBRARY_PATH=/opt/lib is not set" in ran.err


def test_the_same_image_gives_the_same_bytes(place: Path) -> None:
    """The layer of tools is the same on every image, too."""
    first, second = debugged(place, "image")[0], debugged(place, "image", "--no-cache")[0]
    assert first.manifest == second.manifest
    write_layout(place / "other", [SECOND])
    assert debugged(place, "other")[0].layers[-1] == first.layers[-1]


def test_it_says_what_it_was_made_of(place: Path) -> None:
    """By the digest of its manifest, and the annotations that this has."""
    (listed,) = json.loads((place / "image/index.json").read_bytes())["manifests"]
    made, _ = debugged(place, "image", "--annotation", "x=y")
    assert made.manifest["annotations"]["org.opencontainers.image.base.digest"] == listed["digest"]
    assert made.manifest["annotations"]["x"] == "y"


def test_an_image_with_tools_gets_none_again(place: Path) -> None:
    """What is in their directory is the image's own then."""
    debugged(place, "image")
    ran = minpack("debug", "debug", "--tools-base", "tools.tar", "-o", "twice.tar", cwd=place)
    assert ran.code == 2
    assert "cannot debug IMAGE 'debug': it has /.debug already" in ran.err
    assert not (place / "twice.tar").exists()


def test_an_image_is_not_replaced_by_its_own(place: Path) -> None:
    """What is read is never written to."""
    assert minpack("debug", "image", "--tools-base", "tools.tar", "-o", "image.tar", cwd=place).code == 0
    ran = minpack("debug", "image.tar", "--tools-base", "tools.tar", "-o", "image.tar", cwd=place)
    assert ran.code != 0


def test_images_of_several_platforms_get_an_index(place: Path) -> None:
    """Each with the tools for it; --platform chooses one."""
    (place / "x86").write_bytes(static_program())
    (place / "arm").write_bytes(static_program(machine="aarch64"))
    done = minpack("./x86", "./arm", "--dest", "/app", "-o", "both.tar", cwd=place)
    assert done.code == 0, done.err
    with Mirror() as mirror:
        for arch, machine in (("x86_64", "x86_64"), ("aarch64", "aarch64")):
            publish_release(mirror, arch, gzip.compress(tools_tar(arch, machine), mtime=0))
        env = {"MINPACK_MIRROR": f"{mirror.url}/alpine"}
        tools = ("--tools-base", RELEASE, "-o", "x.tar", "--json")
        made = minpack("debug", "both.tar", *tools, cwd=place, env=env)
        assert made.code == 0, made.err
        one = minpack("debug", "both.tar", "--platform", "linux/arm64", *tools, cwd=place, env=env)
    images = {image["platform"]: image for image in made.document["images"]}
    assert list(images) == ["linux/amd64", "linux/arm64"]
    assert images["linux/amd64"]["layers"][-1] != images["linux/arm64"]["layers"][-1]
    assert made.document["index"] is not None
    assert one.document["index"] is None
    assert one.document["images"] == [images["linux/arm64"]]


def test_tools_for_another_platform_are_refused(place: Path) -> None:
    """They could not be run there."""
    write_layout(place / "arm", [LOWEST], platform=("linux", "arm64"))
    write_layout(place / "windows", [LOWEST], platform=("windows", "amd64"))
    for image, told in (("arm", "it is for linux/amd64, not linux/arm64"), ("windows", "the tools are for Linux")):
        ran = minpack("debug", image, "--tools-base", "tools.tar", "-o", "x.tar", cwd=place)
        assert (ran.code, told in ran.err) == (3, True), ran.err


def test_pack_makes_both(place: Path) -> None:
    """What is made beside an image is what `minpack debug` makes of it, in a file, an engine or a registry."""
    (place / "app").write_bytes(static_program())
    tools = ("--debug", "--tools-base", "tools.tar", "-t", "me/app:1")
    ran = minpack("./app", *tools, "--json", cwd=place)
    assert ran.code == 0, ran.err
    document = ran.document["debug"]
    assert document["images"][0]["references"] == ["docker.io/me/app:1-debug"]
    assert document["outputs"][0]["path"] == "./app-debug.tar"
    again = minpack("debug", "app.tar", "--tools-base", "tools.tar", "-t", "me/app:1-debug", "-o", "x.tar", cwd=place)
    assert again.code == 0, again.err
    assert (place / "x.tar").read_bytes() == (place / "app-debug.tar").read_bytes()


def test_the_document_says_all(place: Path) -> None:
    """Each field that docs/json.md has, of an image and of the tools alone."""
    image = minpack("debug", "image", "--tools-base", "tools.tar", "-o", "x.tar", "--json", cwd=place).document
    assert list(image) == ["schema", "image", "tools", "index", "images", "outputs", "attach", "notes"]
    assert (image["image"], image["tools"], image["attach"]) == ("image", {"base": "tools.tar", "packages": []}, None)
    (made,) = image["images"]
    assert list(made) == ["platform", "references", "digest", "image_id", "size", "layers", "user"]
    assert (made["references"], made["user"]) == (["docker.io/library/image:latest-debug"], "33:33")
    with FakeRegistry() as registry:
        name = f"{registry.host}/me/tools:1"
        beside = ("--attach", "pod/web/app", "-t", name, "--push", "--platform", "linux/amd64", "--json")
        tools = minpack("debug", *beside, "--tools-base", "tools.tar", cwd=place).document
        ran = minpack("debug", "image", *beside, "--tools-base", "tools.tar", cwd=place)
        assert ran.document["images"][0]["user"] == "0:0"
        ran = minpack("debug", "image", *beside, "--tools-base", "tools.tar", "--user", "7:8", cwd=place)
        assert ran.document["images"][0]["user"] == "7:8"
    assert tools["image"] is None
    assert tools["images"][0]["layers"] == [made["layers"][-1]]
    assert tools["attach"][:3] == ["kubectl", "debug", "-it"]
    assert f"{registry.host}/me/tools@{tools['images'][0]['digest']}" in tools["attach"]


def test_pack_pushes_both(place: Path) -> None:
    """The layers of the image are there when the other one comes: only the tools are sent."""
    (place / "app").write_bytes(static_program())
    with FakeRegistry() as registry:
        name = f"{registry.host}/me/app:1"
        tools = ("--debug", "--tools-base", "tools.tar")
        ran = minpack("./app", *tools, "-t", name, "--push", "-q", cwd=place)
        assert ran.code == 0, ran.err
        first, second = ran.out.decode().splitlines()
        assert first != second
        assert minpack("check", f"docker://{name}-debug", cwd=place).code == 0
        puts = [one.path for one in registry.requests if one.method in ("PUT", "PATCH") and "/blobs/" in one.path]
    assert len(puts) == len(set(puts)) == 5
    assert sorted(path.name for path in place.iterdir()) == ["app", "image", "tools.tar"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--tools", "strace"), "cannot use --tools: no debug image is made"),
        (("--tools-base", "tools.tar"), "cannot use --tools-base: no debug image is made"),
        (("--debug", "--dry-run"), "--dry-run writes nothing"),
        (("--debug", "--format", "tar"), "--format tar writes the bare files"),
        (("--debug", "-o", "-"), "stdout takes only one image"),
    ],
)
def test_pack_refuses_what_has_no_place_for_two(options: tuple[str, ...], told: str, place: Path) -> None:
    """Before anything is written."""
    (place / "app").write_bytes(static_program())
    ran = minpack("./app", *options, cwd=place)
    assert (ran.code, told in ran.err) == (2, True), ran.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            ("--format", "oci"),
            "cannot use --format 'oci': --attach loads the tools into the engine, which takes only archives",
        ),
        (("-q", "-o", "-"), "cannot use -q: --attach prints the command to stdout, and -o - takes that"),
        (("--json", "-o", "/dev/stdout"), "cannot use --json: --attach prints the command to stdout"),
    ],
)
def test_what_attach_cannot_do_is_told_of_it(options: tuple[str, ...], told: str, place: Path) -> None:
    """And not of --load, which nobody gave."""
    ran = minpack("debug", "--attach", "web", "--tools-base", "tools.tar", *options, cwd=place)
    assert (ran.code, told in ran.err) == (2, True), ran.err


@pytest.mark.parametrize(
    ("ref", "name"),
    [
        (ImageRef(DOCKER_ARCHIVE, "dist/My_App.tar"), "my_app:latest-debug"),
        (ImageRef(OCI, "app-oci", "1.0"), "app:1.0-debug"),
        (ImageRef(DOCKER_DAEMON, "me/app:1.0"), "me/app:1.0-debug"),
        (ImageRef(DOCKER, "docker.io/library/nginx:1"), "nginx:1-debug"),
        (ImageRef(DOCKER, f"ghcr.io/me/app@sha256:{'0' * 64}"), "ghcr.io/me/app:debug"),
        (ImageRef(DOCKER_DAEMON, f"sha256:{'12' * 32}"), "image:121212121212-debug"),
        (ImageRef(DOCKER, f"ghcr.io/me/app:{'x' * 128}"), f"ghcr.io/me/app:{'x' * 122}-debug"),
    ],
)
def test_it_is_called_as_the_image_is(ref: ImageRef, name: str) -> None:
    """With an ending of its tag."""
    assert debug_reference(ref).familiar == name


@pytest.mark.parametrize(
    ("names", "output", "image", "name"),
    [
        (("-t", "ghcr.io/me/app:1.0"), "x.tar", "x.tar", "ghcr.io/me/app:1.0-debug"),
        (("-t", "me/b:2", "-t", "me/a:1"), "x.tar", "x.tar", "me/a:1-debug"),
        (("-t", "me/app:1.0", "--format", "oci"), "out", "oci:out:1.0", "me/app:1.0-debug"),
        ((), "x.tar", "x.tar", "app:latest-debug"),
    ],
)
def test_it_is_called_as_its_file_calls_the_image(
    names: tuple[str, ...], output: str, image: str, name: str, tmp_path: Path
) -> None:
    """As `pack --debug` calls it too; the file is called after the image's file."""
    write_tools_base(tmp_path / "tools.tar")
    (tmp_path / "app").write_bytes(static_program())
    assert minpack("./app", *names, "-o", output, cwd=tmp_path).code == 0
    ran = minpack("debug", image, "--tools-base", "tools.tar", "--json", cwd=tmp_path)
    assert json.loads(ran.out)["images"][0]["references"] == [str(parse_reference(name))], ran.err
    assert (tmp_path / f"{output.removesuffix('.tar')}-debug.tar").is_file()
    assert minpack("debug", image, "--tools-base", "tools.tar", "-t", "z:1", "--force", cwd=tmp_path).code == 0
