"""Pushing with the command, to real registries; what others read from there is what was made."""

from __future__ import annotations

import base64
import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from minpack.target import Platform
from support.command import Ran, assert_refused, minpack
from support.dockerregistry import PASSWORD, USER, password_file
from support.elfmaker import static_program
from support.fakeregistry import FakeRegistry, Fault, broken, lost, status
from support.images import AMD64, archive_file, archive_of, built_index, parts_of
from support.refusals import row
from support.registries import RealRegistry, crane_registry, docker_registry, need_crane, pushed
from support.tools import need_tool

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from support.docker import Docker

DENIED = status(403, error="DENIED", message="requested access to the resource is denied")


@pytest.fixture(scope="module")
def debians(tmp_path_factory: pytest.TempPathFactory) -> Generator[RealRegistry]:
    """Debian's docker-registry."""
    with docker_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture(params=["docker-registry", pytest.param("crane", marks=pytest.mark.oracle)])
def real(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[RealRegistry]:
    """A real registry of each kind."""
    with (docker_registry if request.param == "docker-registry" else crane_registry)(tmp_path / "registry") as registry:
        yield registry


@pytest.fixture
def fake() -> Generator[FakeRegistry]:
    """A registry that does what it is told."""
    with FakeRegistry() as registry:
        yield registry


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a program."""
    (tmp_path / "app").write_bytes(static_program(overlay=bytes(range(256)) * 8000))
    return tmp_path


def succeeded(ran: Ran) -> Ran:
    """The run, which did what it should."""
    assert ran.code == 0, ran.err
    return ran


def tool(*command: str) -> str:
    """What another tool prints, which must succeed."""
    done = subprocess.run(
        (need_tool(command[0]), *command[1:]), capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_one_pass_goes_everywhere(place: Path, real: RealRegistry) -> None:
    """A file and two tags have one digest, that of a run without --push, by which skopeo knows the image."""
    name = f"{real.host}/me/app"
    arguments = ("./app", "-t", f"{name}:1.0", "-t", f"{name}:latest", "--push", "-o", "app.tar", "--json")
    document = succeeded(minpack(*arguments, "--digest-file", "digest", cwd=place)).document
    digest = document["images"][0]["digest"]
    assert [(one["format"], one["reference"]) for one in document["outputs"]] == [
        ("archive", None),
        ("registry", f"{name}:1.0"),
        ("registry", f"{name}:latest"),
    ]
    assert {one["digest"] for one in document["outputs"]} == {digest}
    assert (place / "digest").read_text() == digest
    assert real.tags("me/app") == ["1.0", "latest"]
    assert real.whole("me/app", "1.0")
    assert json.loads(tool("skopeo", "inspect", "--tls-verify=false", f"docker://{name}:latest"))["Digest"] == digest
    alone = succeeded(minpack("./app", "-t", f"{name}:1.0", "-o", "alone.tar", "--json", cwd=place)).document
    assert alone["images"][0]["digest"] == digest
    assert (place / "alone.tar").stat().st_size > 0


def test_without_a_path_no_file_is_written(place: Path, debians: RealRegistry) -> None:
    """A quiet run prints each repository with the digest, and nothing else."""
    names = [f"{debians.host}/{name}" for name in ("quiet/app:1", "quiet/app:2", "other/app:1")]
    ran = succeeded(minpack("./app", *(one for name in names for one in ("-t", name)), "--push", "-q", cwd=place))
    found = pushed(ran.out)
    assert list(found) == [f"{debians.host}/quiet/app", f"{debians.host}/other/app"]
    assert len(set(found.values())) == 1
    assert ran.err == ""
    assert sorted(path.name for path in place.iterdir()) == ["app"]


def test_the_summary_ends_with_the_digest(place: Path, fake: FakeRegistry) -> None:
    """By which the image can be named for ever."""
    ran = succeeded(minpack("./app", "-t", f"{fake.host}/me/app:1.0", "--push", cwd=place))
    *_, names, last = ran.out.decode().splitlines()
    assert names.startswith(f"pushed {fake.host}/me/app:1.0 (")
    assert last == f"next: docker run --rm {fake.host}/me/app@{fake.tags('me/app')['1.0']}"


@pytest.mark.parametrize("cache", [[], ["--no-cache"]], ids=["kept", "not kept"])
def test_a_second_push_moves_no_blob(place: Path, fake: FakeRegistry, cache: list[str]) -> None:
    """It asks for what is there, and gives the name."""
    arguments = ("./app", "-t", f"{fake.host}/me/app:1.0", "--push", *cache)
    succeeded(minpack(*arguments, cwd=place))
    fake.clear()
    ran = succeeded(minpack(*arguments, cwd=place))
    if not cache:
        assert fake.received == 0
        assert b"(nothing sent: the registry had all layers)" in ran.out
        assert {one.method for one in fake.requests} == {"HEAD", "PUT"}
    assert fake.given == [("me/app", "1.0", True)]


def test_what_is_read_back_is_what_was_made(place: Path, real: RealRegistry) -> None:
    """Copied by skopeo, the layout's very blobs come from there."""
    name = f"{real.host}/me/app:1"
    succeeded(minpack("./app", "-t", name, "--push", "--format", "oci", "-o", "made", "-q", cwd=place))
    tool("skopeo", "copy", "-q", "--src-tls-verify=false", f"docker://{name}", f"oci:{place}/read:1")
    made, read = ({path.name for path in (place / one / "blobs/sha256").iterdir()} for one in ("made", "read"))
    assert made == read


@pytest.mark.engine
def test_docker_runs_what_was_pushed(place: Path, debians: RealRegistry, docker: Docker) -> None:
    """Pulled by its digest from a registry of this machine."""
    ran = succeeded(minpack("./app", "-t", f"{debians.host}/me/run:1", "--push", "-q", cwd=place))
    name = ran.out.decode().strip()
    try:
        docker.call("pull", "-q", name)
        docker.run(name)
    finally:
        docker.call("image", "rm", "-f", name)


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_podman_pulls_what_was_pushed(place: Path, debians: RealRegistry, swift_place: Path) -> None:
    """As another engine."""
    ran = succeeded(minpack("./app", "-t", f"{debians.host}/me/podman:1", "--push", "-q", cwd=place))
    name = ran.out.decode().strip()
    storage = ("--root", f"{swift_place}/a", "--runroot", f"{swift_place}/b", "--storage-driver", "vfs")
    tool("podman", *storage, "pull", "-q", "--tls-verify=false", name)
    (found,) = json.loads(tool("podman", *storage, "image", "inspect", name))
    assert found["Digest"] == name.partition("@")[2]


PLATFORMS = {"amd64": "x86_64", "arm64": "aarch64", "arm": "armhf", "riscv64": "riscv64", "s390x": "s390x"}


def test_each_platform_finds_its_image(place: Path, debians: RealRegistry) -> None:
    """Of five in one index, which has the annotations too; pushed again nothing moves."""
    for name, machine in PLATFORMS.items():
        (place / name).mkdir()
        (place / name / "app").write_bytes(static_program(machine=machine))
    name = f"{debians.host}/me/index"
    arguments = (*(f"{one}/app" for one in PLATFORMS), "-t", f"{name}:1", "--push", "--annotation", "a=b")
    digest = pushed(succeeded(minpack(*arguments, "-q", cwd=place)).out)[name]
    assert debians.whole("me/index", "1")
    assert debians.manifest("me/index", digest)["annotations"] == {"a": "b"}
    for platform in PLATFORMS:
        read = tool("skopeo", "inspect", "--tls-verify=false", "--override-arch", platform, f"docker://{name}:1")
        assert json.loads(read)["Architecture"] == platform
    again = succeeded(minpack(*arguments, "--json", cwd=place)).document
    assert [(one["digest"], one["sent"]) for one in again["outputs"]] == [(digest, 0)]


def test_what_docker_has_logged_in_to_is_pushed_to(place: Path) -> None:
    """Without a word on the command line; another repository of the registry mounts the layers."""
    (place / "docker").mkdir()
    (place / "registry").mkdir()
    with docker_registry(place / "registry", password_file(place)) as registry:
        arguments = ("./app", "-t", f"{registry.host}/me/app:1", "-t", f"{registry.host}/you/app:1", "--push", "-q")
        refused = minpack(*arguments, cwd=place, env={"DOCKER_CONFIG": f"{place}/docker"})
        assert refused.code == 1
        assert f"cannot push '{registry.host}/me/app': " in refused.err
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        (place / "docker/config.json").write_text(json.dumps({"auths": {registry.host: {"auth": login}}}))
        ran = succeeded(minpack(*arguments, cwd=place, env={"DOCKER_CONFIG": f"{place}/docker"}))
        assert list(pushed(ran.out)) == [f"{registry.host}/me/app", f"{registry.host}/you/app"]
        assert PASSWORD not in ran.err + refused.err
        assert login not in ran.err + refused.err


@pytest.mark.oracle
def test_crane_finds_nothing_wrong(place: Path, debians: RealRegistry) -> None:
    """It fetches every blob and compares sums and sizes."""
    crane = need_crane()
    succeeded(minpack("./app", "-t", f"{debians.host}/me/valid:1", "--push", "-q", cwd=place))
    done = subprocess.run(
        (crane, "validate", "--remote", f"{debians.host}/me/valid:1", "--insecure"),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_a_whole_base_is_pushed(place: Path, fake: FakeRegistry) -> None:
    """As programs are."""
    (place / "base/bin").mkdir(parents=True)
    (place / "base/bin/sh").write_bytes(static_program())
    (place / "base/bin/sh").chmod(0o755)
    ran = succeeded(minpack("base", "image", "base", "-t", f"{fake.host}/me/base:1", "--push", "-q", cwd=place))
    assert pushed(ran.out) == {f"{fake.host}/me/base": fake.tags("me/base")["1"]}
    assert fake.whole("me/base", "1")


def test_annotations_are_the_manifests(place: Path, fake: FakeRegistry) -> None:
    """Beside the labels; the configuration has these alone, and one wins over a label of its name."""
    options = ("--annotation", "a=1", "-l", "b=2", "-l", "c=3", "--annotation", "c=4", "--push", "-q")
    succeeded(minpack("./app", "-t", f"{fake.host}/me/app:1", *options, cwd=place))
    manifest = fake.document("me/app", "1")
    assert manifest["annotations"] == {"a": "1", "b": "2", "c": "4"}
    config = fake.blobs["me/app", manifest["config"]["digest"]]
    assert isinstance(config, bytes)
    assert json.loads(config)["config"]["Labels"] == {"b": "2", "c": "3"}


@pytest.mark.parametrize("form", ["archive", "layout", "docker save", "oci:", "oci-archive:"])
def test_a_finished_image_is_pushed_as_it_is(place: Path, fake: FakeRegistry, form: str) -> None:
    """Whatever wrote it; what is pushed has the digest that it had."""
    oci = form in ("layout", "oci:")
    arguments = ("--format", "oci", "-o", "image") if oci else ("-o", "image")
    made = succeeded(minpack("./app", "-t", "me/app:1.0", *arguments, "--json", cwd=place)).document
    if form == "docker save":
        tool("skopeo", "copy", "-q", f"oci-archive:{place}/image", f"docker-archive:{place}/saved.tar:me/app:1.0")
    source = {"docker save": "saved.tar", "oci:": "oci:image:1.0", "oci-archive:": "oci-archive:image:1.0"}
    name = f"{fake.host}/me/finished"
    ran = succeeded(minpack("push", source.get(form, "./image"), f"{name}:1", f"{name}:2", "-q", cwd=place))
    digest = pushed(ran.out)[name]
    assert fake.tags("me/finished") == {"1": digest, "2": digest}
    assert fake.whole("me/finished", "1")
    if form == "docker save":
        assert "layers were pushed uncompressed" in minpack("push", "saved.tar", f"{name}:1", cwd=place).err
    else:
        assert digest == made["images"][0]["digest"]


def test_a_finished_image_has_a_document(place: Path, fake: FakeRegistry) -> None:
    """With what was pushed and where to."""
    succeeded(minpack("./app", "-o", "app.tar", cwd=place))
    arguments = ("push", "app.tar", f"{fake.host}/me/app:1", "--json", "--digest-file", "digest")
    document = succeeded(minpack(*arguments, cwd=place)).document
    assert document["schema"] == "minpack.push/1"
    assert document["digest"] == fake.tags("me/app")["1"] == (place / "digest").read_text()
    assert document["outputs"][0]["sent"] == fake.received
    assert document["images"][0]["platform"] == "linux/amd64"


REFUSED: dict[str, tuple[tuple[str, ...], int, str, str]] = {
    "no name": (("./app", "--push"), 2, "cannot use --push: -t is missing", "name the repository: -t …"),
    "Docker's own": (
        *(("./app", "--push", "-t", "app:1"), 2),
        "cannot use -t 'app:1': it means docker.io/library/app:1, which is for Docker's official images",
        "name its owner: ME/app:1 on Docker Hub, or ghcr.io/ME/app:1 on another registry",
    ),
    "a tree": (
        *(("./app", "--push", "-t", "HOST/me/app", "--format", "tar"), 2),
        "cannot use --…: …--format tar …",
        "…",
    ),
    "a wrong tag": (
        *(("./app", "--push", "-t", "HOST/me/app:1.0+b5"), 2),
        "cannot use --tag 'HOST/me/app:1.0+b5': '1.0+b5' is not a tag",
        "a tag is made of letters, digits, '.', '_' and '-', up to 128 of them: write --tag HOST/me/app:1.0-b5",
    ),
    "an empty tag": (
        *(("./app", "--push", "-t", "HOST/me/app:"), 2),
        "cannot use --tag 'HOST/me/app:': its tag is empty",
        "is a shell variable unset?…",
    ),
    "a long name": (("./app", "--push", "-t", f"HOST/{'a' * 300}"), 2, "cannot use --tag …: …not an image name", "…"),
    "nowhere": (("push", "./app"), 2, "cannot run minpack push: REF is missing", "name the repository: …"),
    "a wrong REF": (
        *(("push", "./app", "HOST/me/app:1.0+b5"), 2),
        "cannot use REF 'HOST/me/app:1.0+b5': '1.0+b5' is not a tag",
        "a tag is made of letters, …: write HOST/me/app:1.0-b5",
    ),
    "an empty REF": (
        *(("push", "./app", ""), 2),
        "cannot use REF: its value is empty",
        "is a shell variable unset?",
    ),
    "no image": (("push", "./app", "HOST/me/app"), 1, "cannot read image './app': it is a program", "pack it first: …"),
    "no file": (("push", "./none", "HOST/me/app"), 1, "cannot read image './none': no such file or directory", ""),
    "stdout twice": (
        *(("./app", "--push", "-t", "HOST/me/app", "-o", "-", "-q"), 2),
        "cannot use -q: --push prints the image's name, and -o - takes stdout",
        "leave -q out",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_meant_is_refused(place: Path, fake: FakeRegistry, case: str) -> None:
    """Before the registry is asked."""
    arguments, code, message, hint = REFUSED[case]
    ran = minpack(*(one.replace("HOST", fake.host) for one in arguments), cwd=place)
    assert_refused(ran, code, message.replace("HOST", fake.host), hint.replace("HOST", fake.host))
    assert fake.requests == []


FAULTS: dict[str, tuple[str, str, Fault, str]] = {
    "no right": ("POST", "", DENIED, "(DENIED: requested access to the resource is denied)"),
    "no repository": (
        *("POST", "", status(404, error="NAME_UNKNOWN", message="repository does not exist")),
        "(NAME_UNKNOWN: repository does not exist)\nhint: create the repository first",
    ),
    "no more room": ("PUT", "/uploads/", status(507, error="TOOBIG", message="quota"), "TOOBIG: quota"),
    "429 for ever": ("POST", "", status(429, {"Retry-After": "0"}, "TOOMANYREQUESTS", "slow down"), "slow down"),
    "503 for ever": ("HEAD", "", status(503, {"Retry-After": "0"}), "UNKNOWN: no"),
    "no answer": ("PUT", "/manifests/", lost(), "the connection broke (after 4 attempts)"),
    "an image it dislikes": (
        *("PUT", "/manifests/", status(400, {}, "MANIFEST_INVALID", "manifest invalid")),
        "MANIFEST_INVALID: manifest invalid",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_what_a_registry_refuses_is_one_error(place: Path, fake: FakeRegistry, case: str) -> None:
    """With the registry's words, what to do if that is known, and nothing incomplete under the tag."""
    method, part, fault, message = FAULTS[case]
    fake.fail(method, part, fault, 1000)
    if method == "HEAD":
        fake.fail("POST", "", fault, 1000)
    ran = minpack("./app", "-t", f"{fake.host}/me/app:1", "--push", "-o", "app.tar", cwd=place)
    assert ran.code == 1
    assert ran.out == b""
    assert ran.err.startswith(f"minpack: cannot push '{fake.host}/me/app")
    assert message in ran.err
    assert all(whole for _, _, whole in fake.given)
    assert not (place / "app.tar").exists()


def test_a_registry_that_is_down_is_one_error(place: Path) -> None:
    """Nothing listens there."""
    ran = minpack("./app", "-t", "localhost:1/me/app:1", "--push", cwd=place)
    assert ran.code == 1
    assert "minpack: cannot push 'localhost:1/me/app': connection refused (after 4 attempts)\n" in ran.err


def told(ran: Ran, what: str, fake: FakeRegistry) -> None:
    """The run said what the page of errors has of it."""
    case = row(what)
    assert_refused(ran, case.code, case.message.replace("ghcr.io", fake.host), case.hint)


def test_a_tag_that_cannot_be_moved_stays(place: Path, fake: FakeRegistry) -> None:
    """The same image may be pushed again; another one is refused, with what to do."""
    arguments = ("./app", "-t", f"{fake.host}/me/app:1", "--push", "-q")
    fake.switches.immutable = True
    for _ in range(2):
        succeeded(minpack(*arguments, cwd=place))
    told(minpack(*arguments, "-l", "a=b", cwd=place), "a tag that cannot be moved", fake)


def test_a_connection_that_keeps_breaking_is_one_error(place: Path, fake: FakeRegistry) -> None:
    """And nothing has the name."""
    fake.switches.resumes = False
    fake.fail("PUT", "/blobs/uploads/", broken(10), 1000)
    ran = minpack("./app", "-t", f"{fake.host}/me/app:1", "--push", cwd=place)
    told(ran, "a connection that keeps breaking", fake)
    assert fake.manifests == {}


def test_what_an_engine_saved_of_an_index_is_refused(place: Path, fake: FakeRegistry) -> None:
    """The index of two platforms with the image of one."""
    built = built_index(place / "built", (AMD64, Platform("linux", "arm64")))
    archive_file(place / "all.tar", built)
    parts = parts_of((place / "all.tar").read_bytes())
    del parts[f"blobs/sha256/{built.images[1].digest.hex}"]
    (place / "saved.tar").write_bytes(archive_of(parts))
    ran = minpack("push", "saved.tar", f"{fake.host}/me/app:1", cwd=place)
    told(ran, "an index without all of its images", fake)
    assert fake.requests == []


def test_offline_forbids_no_push(place: Path, fake: FakeRegistry) -> None:
    """It forbids downloads: the image is made of what is here."""
    succeeded(minpack("./app", "-t", f"{fake.host}/me/app:1", "--push", "--offline", cwd=place))
    assert fake.whole("me/app", "1")


def test_who_logs_in_is_told_first_that_no_name_says_where(place: Path) -> None:
    """That there is no registry to log in to follows from it."""
    ran = minpack("./app", "--push", "--username", "me", "--password-stdin", cwd=place)
    assert (ran.code, "-t is missing" in ran.err) == (2, True)
