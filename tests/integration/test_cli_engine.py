"""--load: into a real engine, into none, into what is none, and into one that refuses."""

from __future__ import annotations

import io
import json
import os
import subprocess
import uuid
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from minpack.engine.conversation import EngineLimits
from minpack.errors import EngineError
from minpack.output.engine import Archive, load_archive
from minpack.progress import no_progress
from support.command import assert_error_document, assert_refused, matches, minpack
from support.elfmaker import static_program
from support.fake_engine import FakeEngine
from support.places import as_nobody, shared_directory
from support.refusals import row
from support.tarmaker import archive, member
from support.tools import need_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: An output of before.
KEPT = archive(member("file", b"what was here before"))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a program that ends with exit code 7, and an output of before."""
    (tmp_path / "app").write_bytes(static_program(7))
    (tmp_path / "kept.tar").write_bytes(KEPT)
    return tmp_path


@pytest.fixture
def name(engine: str) -> Iterator[str]:
    """A name that no image in the engine has, and none has afterwards."""
    made = f"minpack-test-{uuid.uuid4().hex[:12]}"
    yield made
    subprocess.run(["docker", "image", "rm", "--force", made], capture_output=True, check=False)


@pytest.mark.parametrize("output", [(), ("-o", "kept.tar")], ids=["alone", "with a file"])
def test_no_engine(place: Path, output: tuple[str, ...]) -> None:
    """Without an engine there is one clear error, and no file is written either."""
    case = row("no engine")
    ran = minpack("./app", "--load", *output, "--json", cwd=place, env={"DOCKER_HOST": f"unix://{place}/none"})
    assert_refused(ran, case.code, case.message, case.hint)
    assert_error_document(ran, case.kind)
    assert sorted(os.listdir(place)) == ["app", "kept.tar"]
    assert (place / "kept.tar").read_bytes() == KEPT


@pytest.mark.parametrize("answer", [b"<html>hello</html>", b"[]", b"{}", b'"x"', b"", b"null"])
def test_something_that_is_no_engine(place: Path, answer: bytes) -> None:
    """Whatever answers at the address, it is one clear error."""
    case = row("something that is not an engine")
    with FakeEngine(place / "socket", version=answer) as engine:
        ran = minpack("./app", "--load", "--json", cwd=place, env={"DOCKER_HOST": engine.host})
    assert_refused(ran, case.code, case.message, case.hint)
    assert_error_document(ran, case.kind)


@pytest.mark.parametrize(
    ("what", "host", "shown"),
    [
        ("no engine", "tcp://127.0.0.1:9", "tcp://127.0.0.1:9"),
        ("no engine", "127.0.0.1:9", "127.0.0.1:9"),
        ("no engine", "unix:///dev/null/none", "unix:///dev/null/none"),
        ("a DOCKER_HOST that is not an address", "nonsense", "nonsense"),
        ("a DOCKER_HOST that is not an address", "ftp://x", "ftp://x"),
        ("a DOCKER_HOST that is not an address", "tcp://127.0.0.1", "tcp://127.0.0.1"),
        ("a DOCKER_HOST that is not an address", "tcp://me:password@127.0.0.1:9", "tcp://me:…@127.0.0.1:9"),
        ("a DOCKER_HOST that is not an address", "http://[", "http://["),
        ("a DOCKER_HOST that is not an address", "/var/run/docker.sock", "/var/run/docker.sock"),
        ("a DOCKER_HOST that is not an address", " ", " "),
    ],
)
def test_an_address_that_leads_nowhere(place: Path, what: str, host: str, shown: str) -> None:
    """A DOCKER_HOST that cannot be meant or reached is one clear error that names it."""
    ran = minpack("./app", "--load", cwd=place, env={"DOCKER_HOST": host})
    case = row(what)
    reason = case.message.partition(": ")[2] if "address" in what else "…"
    assert_refused(ran, case.code, f"cannot reach a container engine at {shown}: {reason}", case.hint)
    assert "password" not in ran.err


def test_an_address_that_takes_another_library(place: Path) -> None:
    """What the SDK needs for ssh is named, and how to get it."""
    ran = minpack("./app", "--load", cwd=place, env={"DOCKER_HOST": "ssh://me@nowhere.invalid"})
    assert ran.code == 1
    assert ("hint: pip install 'docker[ssh]'" in ran.err) == (find_spec("paramiko") is None)


REFUSED = {"message": "invalid tar header"}


@pytest.mark.parametrize(
    ("status", "document"),
    [(500, REFUSED), (404, REFUSED), (200, {"errorDetail": REFUSED, "error": "invalid tar header"})],
    ids=["500", "404", "in the stream"],
)
def test_an_engine_that_refuses(place: Path, status: int, document: dict[str, Any]) -> None:
    """What the engine says is passed on, however it says it, and no file is written."""
    case = row("an engine that refuses")
    with FakeEngine(place / "socket", load=(status, document)) as engine:
        environment = {"DOCKER_HOST": engine.host}
        ran = minpack("./app", "--load", "-o", "kept.tar", "--json", cwd=place, env=environment)
    assert_refused(ran, case.code, case.message, case.hint)
    assert_error_document(ran, case.kind)
    assert (place / "kept.tar").read_bytes() == KEPT


def test_an_engine_that_forgets(place: Path) -> None:
    """An engine that takes the image and does not know it afterwards has failed."""
    with FakeEngine(place / "socket", load=(200, {"stream": "Loaded image: other:latest\n"})) as engine:
        ran = minpack("./app", "--load", cwd=place, env={"DOCKER_HOST": engine.host})
    assert ran.code == 1
    assert "no such image" in ran.err


@pytest.mark.parametrize(
    ("what", "image"),
    [
        ("an engine that does not know the image afterwards", {}),
        ("an engine that has another image afterwards", {"Id": "sha256:0"}),
    ],
)
def test_an_engine_that_has_not_got_it(place: Path, what: str, image: dict[str, Any]) -> None:
    """What the engine knows by the image's name afterwards must be the image, or no file is written either."""
    case = row(what)
    loaded = (200, {"stream": "Loaded image: app:latest\n"})
    with FakeEngine(place / "socket", load=loaded, image=json.dumps(image).encode()) as engine:
        environment = {"DOCKER_HOST": engine.host}
        ran = minpack("./app", "--load", "-o", "kept.tar", "--json", cwd=place, env=environment)
    assert_refused(ran, case.code, case.message, case.hint)
    assert_error_document(ran, case.kind)
    assert (place / "kept.tar").read_bytes() == KEPT


@pytest.mark.parametrize("end", [b"", b"\r\n"])
def test_an_engine_that_reports_for_ever(place: Path, end: bytes) -> None:
    """Of what an engine says while it loads only so much is read."""
    case = row("an engine that reports for ever")
    stream = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    endless = {"/images/load": (stream, (b'{"status":"Loading"}' + end) * 5000, 0.0)}
    with FakeEngine(place / "socket", endless=endless) as engine:
        ran = minpack("./app", "--load", "--json", cwd=place, env={"DOCKER_HOST": engine.host})
    assert_refused(ran, case.code, case.message, case.hint)
    assert_error_document(ran, case.kind)


def test_an_engine_that_does_not_answer(place: Path) -> None:
    """What the page says of an engine that is given up on; half a minute is made shorter here."""
    case = row("an engine that does not answer")
    archive = Archive(io.BytesIO(b"x"), 1, "app:latest", ("sha256:0",))
    endless = {"/version": (b"HTTP/1.1 200 OK\r\nX: ", b"y", 0.05)}
    limits = EngineLimits(answer=1)
    with FakeEngine(place / "socket", endless=endless) as engine:
        environment = {"DOCKER_HOST": engine.host}
        with pytest.raises(EngineError) as caught:
            load_archive(archive, environment=environment, progress=no_progress, limits=limits)
    assert matches(caught.value.message, case.message)
    assert (caught.value.hint, caught.value.exit_code, caught.value.kind) == (case.hint, case.code, case.kind)


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_a_socket_that_one_may_not_use() -> None:
    """An engine that is there, and not for this user, needs no starting."""
    case = row("a socket that one may not use")
    with shared_directory() as directory:
        (directory / "app").write_bytes(static_program(7))
        with FakeEngine(directory / "socket") as engine:
            (directory / "socket").chmod(0o600)
            ran = as_nobody("./app", "--load", "--json", cwd=directory, env={"DOCKER_HOST": engine.host})
    assert_refused(ran, case.code, case.message, case.hint)
    assert_error_document(ran, case.kind)


@pytest.mark.engine
def test_a_loaded_image_runs(place: Path, name: str) -> None:
    """--load alone writes no file, tells the name to run, and the image runs the program."""
    ran = minpack("./app", "--load", "-t", name, cwd=place)
    assert ran.code == 0, ran.err
    assert f"loaded {name}:latest into the engine\nnext: docker run --rm {name}:latest\n" in ran.out.decode()
    assert sorted(os.listdir(place)) == ["app", "kept.tar"]
    done = subprocess.run(["docker", "run", "--rm", "--network", "none", name], capture_output=True, check=False)
    assert done.returncode == 7, done.stderr


#: An architecture that this machine has not.
FOREIGN = "x86_64" if os.uname().machine == "aarch64" else "aarch64"


@pytest.mark.engine
@pytest.mark.tool
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("./app -o a.tar", "docker load -i a.tar && docker run --rm {}:latest"),
        ("./app -o -a.tar", "docker load -i ./-a.tar && docker run --rm {}:latest"),
        ("./foreign -o a.tar", "docker load -i a.tar && docker run --rm --platform {platform} {}:latest"),
        ("./foreign --load", "docker run --rm --platform {platform} {}:latest"),
        ("./foreign --format tar -o -a.tar", "docker import --platform {platform} ./-a.tar"),
        ("./foreign --format oci -o a", "skopeo inspect oci:a"),
        ("./app --format oci -o a -t {}:1.0", "skopeo inspect oci:a:1.0"),
        ("./app --format oci -o a:b", ""),
        ("base image base.tar -o a.tar", "docker load -i a.tar && docker run --rm -it {}:latest"),
        ("base image base.tar -o a.tar --cmd /bin/app", "docker load -i a.tar && docker run --rm {}:latest"),
        ("base image bare.tar --platform {platform} -o a.tar", "docker load -i a.tar"),
    ],
)
def test_what_is_to_be_typed_next_works(place: Path, name: str, arguments: str, line: str) -> None:
    """The line can be typed as it is, whatever the platform, the name of the file and the command of the image are."""
    (place / "foreign").write_bytes(static_program(machine=FOREIGN))
    shell = member("bin/sh", static_program(), mode=0o755)
    (place / "base.tar").write_bytes(archive(shell, member("bin/app", static_program(), mode=0o755)))
    (place / "bare.tar").write_bytes(archive(member("file", b"x")))
    need_tool("skopeo")
    platform = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}[FOREIGN]
    words = [word.format(name, platform=platform) for word in (*arguments.split(), "-t", "{}:latest")]
    if "tar" in words:
        words = words[:-2]
    ran = minpack(*words, cwd=place)
    assert ran.code == 0, ran.err
    typed = "".join(part for part in ran.out.decode().splitlines() if part.startswith("next: ")).removeprefix("next: ")
    assert typed == line.format(name, platform=platform)
    # A container of another platform can be made, if not run.
    made = typed.replace("docker run --rm", "docker create")
    done = subprocess.run(["sh", "-c", made or "true"], cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    last = done.stdout.split()[-1] if done.stdout else ""
    remove = ["docker", "rm", last] if "docker create" in made else ["docker", "image", "rm", last]
    subprocess.run(remove, capture_output=True, check=False)


@pytest.mark.engine
def test_the_same_bytes_are_written_and_loaded(place: Path, name: str) -> None:
    """--load with -o writes a file too, and both are the same image under every name."""
    ran = minpack("./app", "--load", "-o", "app.tar", "-t", name, "-t", f"{name}:two", "--json", cwd=place)
    assert ran.code == 0, ran.err
    outputs = ran.document["outputs"]
    assert [(output["format"], output["path"], output["reference"]) for output in outputs] == [
        ("archive", "app.tar", None),
        ("engine", None, f"{name}:latest"),
        ("engine", None, f"{name}:two"),
    ]
    assert len({output["digest"] for output in outputs}) == 1
    for tag in ("latest", "two"):
        done = subprocess.run(["docker", "image", "inspect", f"{name}:{tag}"], capture_output=True, check=True)
        (image,) = json.loads(done.stdout)
        assert image["Id"] in (ran.document["images"][0]["image_id"], ran.document["images"][0]["digest"])
    subprocess.run(["docker", "image", "rm", f"{name}:two"], capture_output=True, check=True)


@pytest.mark.engine
def test_loading_alone_does_not_compress(place: Path, name: str) -> None:
    """The engine unpacks layers at once, so --load alone leaves them as they are, and tells no digest but the image ID.

    An engine that keeps images in containerd keeps that manifest too, and its digest is the ID.
    """
    pack = ("./app", "-t", name, "--cache-dir", "cache")
    first = minpack(*pack, "--load", "--json", cwd=place).document
    loaded, (output,) = first["images"][0], first["outputs"]
    assert {layer["media_type"].rpartition(".")[2] for layer in loaded["layers"]} == {"tar"}
    (known,) = json.loads(subprocess.run(["docker", "image", "inspect", name], capture_output=True, check=True).stdout)
    assert known["Id"] == (loaded["image_id"] if loaded["digest"] is None else loaded["digest"])
    assert output["digest"] == loaded["digest"]
    lines = minpack(*pack, "--load", cwd=place).out.decode().splitlines()
    assert f"  {'image id':<12} {known['Id']}" in lines or f"  {'digest':<12} {known['Id']}" in lines


@pytest.mark.engine
def test_layers_that_were_compressed_before_are_loaded_so(place: Path, name: str) -> None:
    """--load alone takes the layers that an archive has if all are kept, and then has its digest."""
    pack = ("./app", "-t", name, "--cache-dir", "cache", "--json")
    written = minpack(*pack, "-o", "app.tar", cwd=place).document["images"][0]
    loaded = minpack(*pack, "--load", cwd=place).document["images"][0]
    assert {layer["media_type"].rpartition("+")[2] for layer in loaded["layers"]} == {"gzip"}
    assert (loaded["digest"], loaded["image_id"]) == (written["digest"], written["image_id"])
    other = minpack(*pack, "--load", "--symlink=/usr/local/bin/app:/b", cwd=place).document["images"][0]
    assert {layer["media_type"].rpartition(".")[2] for layer in other["layers"]} == {"tar"}


def test_a_quiet_load_prints_the_first_tag_alone(place: Path) -> None:
    """So that `docker run $(minpack ./app --load -q)` works; of a run that loads nothing there is nothing to print."""
    with FakeEngine(place / "socket", load=(200, {"stream": "Loaded image: app:latest\n"}), keeps=True) as engine:
        env = {"DOCKER_HOST": engine.host}
        ran = minpack("./app", "--load", "-q", cwd=place, env=env)
        assert (ran.code, ran.out, ran.err) == (0, b"app:latest\n", "")
        ran = minpack("./app", "--load", "-q", "-t", "me/app:1", "-t", "b", "-o", "out.tar", cwd=place, env=env)
        assert (ran.code, ran.out, ran.err) == (0, b"me/app:1\n", "")
        ran = minpack("base", "image", "kept.tar", "--platform", "amd64", "--load", "-q", cwd=place, env=env)
        assert (ran.code, ran.out) == (0, b"kept:latest\n"), ran.err
        assert minpack("./app", "--load", "-q", "--dry-run", cwd=place, env=env).out == b""
    assert minpack("./app", "-q", cwd=place).out == b""


@pytest.mark.parametrize("output", ["-", "/dev/stdout"])
def test_stdout_takes_the_image_or_its_name(place: Path, output: str) -> None:
    """Not both: a quiet load and the archive on stdout are refused together."""
    ran = minpack("./app", "--load", "-q", "-o", output, cwd=place)
    reason = "cannot use -q: --load prints the image's name, and -o - takes stdout"
    assert_refused(ran, 2, reason, "leave -q out")
