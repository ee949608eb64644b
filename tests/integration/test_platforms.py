"""Programs of several platforms in one image: each output, bases, locks, errors; and that every platform's runs."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from minpack.oci.read import read_image
from minpack.oci.validate import validate_archive, validate_layout
from support.badfiles import ARM_LOADER, MUSL_LOADER
from support.command import Ran, assert_error_document, assert_refused, minpack
from support.elfmaker import MUSL, program, static_program
from support.fake_engine import FakeEngine
from support.gobuild import go_build
from support.refusals import row
from support.registries import docker_registry
from support.tarmaker import archive, directory, member
from support.tools import need_tool

if TYPE_CHECKING:
    from pathlib import Path

    from support.docker import Docker

MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "arm": "armhf", "riscv64": "riscv64", "s390x": "s390x"}
PLATFORMS = ["linux/amd64", "linux/arm/v7", "linux/arm64", "linux/riscv64", "linux/s390x"]
PROGRAMS = [f"{name}/app" for name in MACHINES]
ARM_MUSL = "/lib/ld-musl-aarch64.so.1"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A static program for each platform, dynamic ones for two, and the bases of those."""
    for name, machine in MACHINES.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "app").write_bytes(static_program(machine=machine))
    (tmp_path / "amd64" / "musl").write_bytes(program(interpreter=MUSL))
    (tmp_path / "arm64" / "musl").write_bytes(program(interpreter=ARM_MUSL, machine="aarch64"))
    (tmp_path / "amd64.tar").write_bytes(archive(member(MUSL[1:], MUSL_LOADER, mode=0o755)))
    (tmp_path / "arm64.tar").write_bytes(archive(member(ARM_MUSL[1:], ARM_LOADER, mode=0o755)))
    return tmp_path


def done(ran: Ran) -> Ran:
    """A run that went well."""
    assert ran.code == 0, ran.err
    return ran


def test_one_archive_has_all_platforms(place: Path) -> None:
    """One descriptor for the name, one item for engines without indexes, and every platform in a fixed order."""
    document = done(minpack(*PROGRAMS, "-o", "app.tar", "-t", "me/app:1", "--json", cwd=place)).document
    assert [image["platform"] for image in document["images"]] == PLATFORMS
    assert validate_archive(str(place / "app.tar")) == ()
    with tarfile.open(place / "app.tar") as tar:
        index, docker = (
            json.load(tar.extractfile(name) or pytest.fail(name)) for name in ("index.json", "manifest.json")
        )
    assert [one["digest"] for one in index["manifests"]] == [document["index"]["digest"]]
    (item,) = docker
    assert item["Config"] == f"blobs/sha256/{document['images'][0]['image_id'].partition(':')[2]}"
    ((found, *_),) = read_image(str(place / "app.tar"))
    assert [str(image.platform) for image in found.images] == PLATFORMS
    assert [str(image.digest) for image in found.images] == [image["digest"] for image in document["images"]]
    assert [output["digest"] for output in document["outputs"]] == [document["index"]["digest"]]


def test_the_order_of_programs_changes_no_byte(place: Path) -> None:
    """As long as the first program has the same name; a layout has the same index."""
    done(minpack(*PROGRAMS, "-o", "one.tar", "-t", "me/app:1", cwd=place))
    done(minpack(*reversed(PROGRAMS), "-o", "two.tar", "-t", "me/app:1", "--no-cache", cwd=place))
    assert (place / "one.tar").read_bytes() == (place / "two.tar").read_bytes()
    done(minpack(*PROGRAMS, "--format", "oci", "-o", "layout", "-t", "me/app:1", cwd=place))
    assert validate_layout(str(place / "layout")) == ()
    ((layout, *_),), ((whole, *_),) = (read_image(str(place / name)) for name in ("layout", "one.tar"))
    assert layout.digest == whole.digest


def test_an_image_of_several_has_the_bytes_of_each(place: Path) -> None:
    """What is said of one platform alone is what it is among others."""
    whole = done(minpack(*PROGRAMS, "-o", "app.tar", "--json", cwd=place)).document
    for number, name in ((0, "amd64"), (2, "arm64")):
        alone = done(minpack(f"{name}/app", "-o", "one.tar", "--json", cwd=place)).document
        assert alone["images"][0] == whole["images"][number]


def test_the_summary_has_a_line_for_each(place: Path) -> None:
    """In eighty columns; what is true of all is said once."""
    lines = done(minpack(*PROGRAMS, "-o", "app.tar", cwd=place)).out.decode().splitlines()
    assert lines[0] == "app:latest  5 platforms"
    told = [line for line in lines if line.startswith("  linux/")]
    assert [line.split()[0] for line in told] == PLATFORMS
    assert max(map(len, told)) <= 80
    assert sum("entrypoint" in line for line in lines) == 1


def test_bases_of_platforms(place: Path) -> None:
    """Each program gets the one of its platform; a plain one is for the others."""
    given = ("amd64/musl", "arm64/musl", "-o", "app.tar", "--json")
    both = done(minpack(*given, "--base", "linux/arm64=./arm64.tar", "--base", "./amd64.tar", cwd=place)).document
    paths = [[file["path"] for file in image["files"] if file["from"] == "base"] for image in both["images"]]
    assert [one[-1] for one in paths] == [MUSL, ARM_MUSL]
    assert [item["name"] for item in both["inputs"] if item["kind"] == "base"] == ["amd64.tar", "arm64.tar"]
    refused = minpack("amd64/musl", "arm64/musl", "--base", "amd64.tar", "-o", "no.tar", "--json", cwd=place)
    case = row("one base that does not fit every platform")
    assert_refused(refused, case.code, case.message, case.hint)
    assert_error_document(refused, case.kind)
    assert refused.document["data"]["platform"] == "linux/arm64"
    assert not (place / "no.tar").exists()


def test_names_that_say_another_platform(place: Path) -> None:
    """Of a name and a file that say different things one is wrong."""
    (place / "app-arm64").write_bytes(static_program())
    (place / "app-amd64").write_bytes(static_program(machine="aarch64"))
    case = row("a platform in a name that the file is not for")
    assert_refused(minpack("app-arm64", "app-amd64", cwd=place), case.code, case.message, case.hint)


def test_files_are_called_after_programs_without_their_platforms(place: Path) -> None:
    """So are the image and its entrypoint."""
    for name in ("amd64", "arm64"):
        shutil.copy(place / name / "app", place / f"tool-linux-{name}")
    document = done(minpack("tool-linux-amd64", "tool-linux-arm64", "--json", cwd=place)).document
    assert (place / "tool.tar").exists()
    assert {tuple(one["references"]) for one in document["images"]} == {("docker.io/library/tool:latest",)}
    assert {tuple(one["config"]["entrypoint"]) for one in document["images"]} == {("/usr/local/bin/tool",)}


def test_an_engine_is_given_this_machines_platform(place: Path) -> None:
    """Alone, and beside a file that has all; where there is none it is refused before anything is packed."""
    for output in ((), ("-o", "app.tar")):
        with FakeEngine(place / f"socket{len(output)}", load=(200, {"stream": "ok"}), keeps=True) as engine:
            ran = done(minpack(*PROGRAMS, *output, "--load", "--json", cwd=place, env={"DOCKER_HOST": engine.host}))
            known = json.loads(engine.image or b"")["Id"]
        images = ran.document["images"]
        assert known == images[0]["image_id"]
        assert [image["image_id"] is not None for image in images[1:]] == [bool(output)] * 4
    assert validate_archive(str(place / "app.tar")) == ()
    case = row("platforms of which none is this machine's")
    assert_refused(minpack("arm64/app", "s390x/app", "--load", cwd=place), case.code, case.message, case.hint)


def test_locks_hold_all_platforms(place: Path) -> None:
    """One command writes them, one builds from them, and one renews them."""
    given = ("amd64/musl", "arm64/musl")
    bases = ("--base", "linux/amd64=amd64.tar", "--base", "linux/arm64=arm64.tar")
    locked = done(minpack("lock", *given, *bases, "--json", cwd=place)).document
    assert [locked["platform"], *(one["platform"] for one in locked["others"])] == ["linux/amd64", "linux/arm64"]
    made = done(minpack(*given, "--locked", "-o", "locked.tar", cwd=place))
    assert "2 platforms" in made.out.decode()
    done(minpack(*given, *bases, "-o", "app.tar", cwd=place))
    assert (place / "locked.tar").read_bytes() == (place / "app.tar").read_bytes()
    renewed = done(minpack("update", *given, cwd=place)).out.decode()
    assert renewed.count("nothing in this image changes") == 2
    (place / "arm64.tar").write_bytes(archive(member(ARM_MUSL[1:], ARM_LOADER + b"\0", mode=0o755)))
    changed = minpack(*given, "--locked", "-o", "other.tar", "--json", cwd=place)
    assert (changed.code, changed.document["data"]["platform"]) == (3, "linux/arm64")
    assert not (place / "other.tar").exists()


def test_a_plan_has_all_platforms(place: Path) -> None:
    """--dry-run plans and proves each, and writes nothing."""
    lines = done(minpack(*PROGRAMS, "--dry-run", cwd=place)).out.decode().splitlines()
    assert lines[-1] == "nothing was written (--dry-run)"
    assert sum(line.startswith("  linux/") for line in lines) == 5


def test_a_whole_base_for_several_platforms(place: Path) -> None:
    """Of an image with several it takes those that are named; each has the bytes that it has by itself."""
    done(minpack(*PROGRAMS, "-o", "five.tar", cwd=place))
    given = ("base", "image", "./five.tar", "--cmd", "/usr/local/bin/app", "--json")
    made = done(minpack(*given, "--platform", "linux/arm64,linux/amd64", "-o", "two.tar", cwd=place)).document
    assert [image["platform"] for image in made["images"]] == ["linux/amd64", "linux/arm64"]
    assert validate_archive(str(place / "two.tar")) == ()
    ((found, *_),) = read_image(str(place / "two.tar"))
    assert str(found.digest) == made["index"]["digest"]
    alone = done(minpack(*given, "--platform", "linux/arm64", "-o", "one.tar", cwd=place)).document
    assert (alone["index"], alone["images"]) == (None, made["images"][1:])
    refused = minpack(*given, "--platform", "linux/arm64,linux/386", "-o", "no.tar", cwd=place)
    assert (refused.code != 0, "platform: linux/386" in refused.err) == (True, True)
    assert not (place / "no.tar").exists()


def test_bases_of_platforms_may_be_images(place: Path) -> None:
    """As tarballs do: what is packed of them is the same."""
    loaders = (("amd64", MUSL, MUSL_LOADER), ("arm64", ARM_MUSL, ARM_LOADER))
    for name, path, data in loaders:
        (place / f"{name}.tar").write_bytes(archive(directory("lib/"), member(path[1:], data, mode=0o755)))
    given = ("amd64/musl", "arm64/musl", "-t", "me/app:1")
    for name, path, _ in loaders:
        done(minpack("base", "image", f"{name}.tar", "--cmd", path, "-t", "b:1", "-o", f"{name}-image.tar", cwd=place))
    bases = [f"--base=linux/{name}=./{name}-image.tar" for name in ("amd64", "arm64")]
    done(minpack(*given, *bases, "-o", "image.tar", cwd=place))
    done(minpack(*given, "--base=amd64=./amd64.tar", "--base=arm64=./arm64.tar", "-o", "tarball.tar", cwd=place))
    assert (place / "image.tar").read_bytes() == (place / "tarball.tar").read_bytes()


@pytest.mark.tool
def test_a_registry_has_all_platforms(place: Path) -> None:
    """Under one name and one digest, which is the archive's; a second push sends nothing."""
    skopeo = need_tool("skopeo")
    with docker_registry(place / "registry") as registry:
        name = f"{registry.host}/me/app:1"
        ran = done(minpack(*PROGRAMS, "-t", name, "--push", "-o", "app.tar", "--json", cwd=place)).document
        assert {output["digest"] for output in ran["outputs"]} == {ran["index"]["digest"]}
        assert registry.whole("me/app", "1")
        again = done(minpack(*PROGRAMS, "-t", name, "--push", "--json", cwd=place)).document
        assert [output["sent"] for output in again["outputs"]] == [0]
        for image in ran["images"]:
            _, arch, *variant = image["platform"].split("/")
            chosen = ["--override-arch", arch, *(("--override-variant", variant[0]) if variant else ())]
            seen = json.loads(call(skopeo, "inspect", "--tls-verify=false", *chosen, f"docker://{name}"))
            assert (seen["Architecture"], seen["Layers"]) == (arch, [layer["digest"] for layer in image["layers"]])


SOURCE = """package main

import (
	"fmt"
	"runtime"
)

func main() { fmt.Print(runtime.GOOS, " ", runtime.GOARCH) }
"""
#: The emulator of each platform's architecture, and what Go calls that.
QEMU = {"amd64": "x86_64", "arm": "arm", "arm64": "aarch64", "riscv64": "riscv64", "s390x": "s390x"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive and a layout of one program that Go compiled for five platforms."""
    place = tmp_path_factory.mktemp("built")
    paths = []
    for arch in QEMU:
        (place / arch).mkdir()
        paths.append(str(go_build(SOURCE, place / arch, tmp_path_factory, goarch=arch).rename(place / arch / "app")))
    done(minpack(*paths, "-t", "minpack-test/platforms:1", "-o", "app.tar", cwd=place))
    done(minpack(*paths, "-t", "minpack-test/platforms:1", "--format", "oci", "-o", "layout", cwd=place))
    return place


def call(*command: str) -> str:
    """What a command says that goes well."""
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


@pytest.mark.tool
@pytest.mark.root
@pytest.mark.slow
@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_platform_is_found_and_runs(built: Path, platform: str, tmp_path: Path) -> None:
    """Skopeo finds it in the index, umoci unpacks it, and an emulator runs it from the image's files alone."""
    _, arch, variant = (*platform.split("/"), "")[:3]
    chosen = ("--override-arch", arch, *(("--override-variant", variant) if variant else ()))
    skopeo = (need_tool("skopeo"), "copy", "-q", *chosen)
    call(*skopeo, f"oci:{built}/layout:1", f"oci:{tmp_path}/one:1")
    config: dict[str, Any] = json.loads(call("skopeo", "inspect", "--config", f"oci:{tmp_path}/one:1"))
    assert (config["architecture"], config.get("variant", "")) == (arch, variant)
    call(need_tool("umoci"), "unpack", "--image", f"{tmp_path}/one:1", str(tmp_path / "root"))
    shutil.copy(need_tool(f"qemu-{QEMU[arch]}-static"), tmp_path / "root" / "rootfs" / "qemu")
    said = call(need_tool("chroot"), str(tmp_path / "root" / "rootfs"), "/qemu", "/usr/local/bin/app")
    assert said == f"linux {arch}"


@pytest.mark.tool
@pytest.mark.slow
def test_skopeo_reads_the_archive(built: Path) -> None:
    """Both as an OCI archive, whose index has all, and as Docker's, which has one."""
    index = json.loads(call(need_tool("skopeo"), "inspect", "--raw", f"oci-archive:{built}/app.tar"))
    assert [one["platform"]["architecture"] for one in index["manifests"]] == [
        "amd64",
        "arm",
        "arm64",
        "riscv64",
        "s390x",
    ]
    assert json.loads(call("skopeo", "inspect", f"docker-archive:{built}/app.tar"))["Architecture"] == "amd64"


@pytest.mark.engine
@pytest.mark.slow
def test_docker_loads_and_runs_this_machines(built: Path, docker: Docker) -> None:
    """By its own command, from the archive that has all."""
    name = docker.name()
    done(minpack(*(f"{arch}/app" for arch in QEMU), "-t", name, "-o", "named.tar", cwd=built))
    assert docker.load(built / "named.tar") == [name]
    assert docker.run(name).stdout == "linux amd64"
