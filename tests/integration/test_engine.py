"""Loading into a real Docker engine, and what the engine then knows and runs."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from support.packing import minpack, packed, write_program

if TYPE_CHECKING:
    from pathlib import Path

    from support.docker import Docker

pytestmark = pytest.mark.engine
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def user() -> str:
    """A user that no image had before, so that no layer with it was ever loaded."""
    return str(100_000 + int.from_bytes(os.urandom(3), "big"))


def configured(docker: Docker, name: str) -> dict[str, Any]:
    """The image's own settings, without those that the engine always shows empty."""
    empty = {"Hostname": "", "Domainname": "", "Image": "", "OnBuild": None}
    shown = ("AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin", "StdinOnce")
    config = docker.inspect(name)["Config"]
    assert all(not config.get(key) for key in (*empty, *shown))
    return {key: value for key, value in config.items() if value and key not in (*empty, *shown)}


@pytest.mark.parametrize("options", [(), ("--compress=small",), ("--compress=none",), ("--single-layer",)])
def test_loaded_programs_run(options: tuple[str, ...], docker: Docker, tmp_path: Path) -> None:
    """What `--load` loads is there under its name, with the ID that was told, and runs."""
    program, name = write_program(tmp_path / "app", exit_code=42, size=2_500_000), docker.name()
    image = packed(program, "--load", "-t", name, "-u", user(), "--no-need=certs", *options, cwd=tmp_path)
    assert docker.holds(name, image)
    assert (
        len(docker.inspect(name)["RootFS"]["Layers"])
        == len(image["layers"])
        == (1 if "--single-layer" in options else 2)
    )
    docker.run(name, status=42)
    assert os.listdir(tmp_path) == ["app"]


def test_settings_are_seen_exactly(docker: Docker, tmp_path: Path) -> None:
    """Everything that was set is what the engine shows, and nothing else."""
    program, name = write_program(tmp_path / "app"), docker.name()
    arguments = ("--entrypoint=/usr/local/bin/app", "--entrypoint=-v", "--cmd=serve", "--cmd=größe & <b>", "--cmd=")
    variables = ("--env=A=b=c", "--env=EMPTY=", "--env=TEXT=two\nlines", "--env=PATH=/usr/local/bin")
    ports = ("--expose=8080", "--expose=53/udp", "--expose=8080/tcp")
    labels = ("--label=org.opencontainers.image.title=größe", "--label=empty=", '--label=quoted="a" \\ <&>')
    more = (
        "--volume=/data",
        "--volume=/var/lib/app/",
        "--workdir=/srv/./app",
        "--stop-signal=SIGQUIT",
        "--user=1000:5",
    )
    times = ("--created=1700000000", "--no-need=certs")
    packed(program, "--load", "-t", name, *arguments, *variables, *ports, *labels, *more, *times)
    assert configured(docker, name) == {
        "Entrypoint": ["/usr/local/bin/app", "-v"],
        "Cmd": ["serve", "größe & <b>", ""],
        "Env": ["PATH=/usr/local/bin", "A=b=c", "EMPTY=", "TEXT=two\nlines"],
        "ExposedPorts": {"53/udp": {}, "8080/tcp": {}},
        "Labels": {"org.opencontainers.image.title": "größe", "empty": "", "quoted": '"a" \\ <&>'},
        "Volumes": {"/data": {}, "/var/lib/app": {}},
        "WorkingDir": "/srv/app",
        "StopSignal": "SIGQUIT",
        "User": "1000:5",
    }
    found = docker.inspect(name)
    assert (found["Architecture"], found["Os"], found["Created"]) == ("amd64", "linux", "2023-11-14T22:13:20Z")
    history = docker.call("history", "--no-trunc", "--format={{.CreatedBy}}|{{.Comment}}", name).stdout.splitlines()
    assert history == ["minpack|program", "minpack|libraries and data"]
    docker.run(name)


def test_defaults_are_few(docker: Docker, tmp_path: Path) -> None:
    """Without options an image has an entrypoint, a PATH, a user and a working directory."""
    program, name = write_program(tmp_path / "app"), docker.name()
    packed(program, "--load", "-t", name, "--no-need=certs")
    assert configured(docker, name) == {
        "Entrypoint": ["/usr/local/bin/app"],
        "Env": [PATH],
        "User": "65532:65532",
        "WorkingDir": "/",
    }
    assert docker.inspect(name)["Created"] == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize("variant", ["linux/arm64", "linux/arm/v6", "linux/s390x"])
def test_platforms_are_those_of_the_program(variant: str, docker: Docker, tmp_path: Path) -> None:
    """The engine shows the architecture and the variant."""
    machine = {"linux/arm64": "aarch64", "linux/arm/v6": "armhf", "linux/s390x": "s390x"}[variant]
    program, name = write_program(tmp_path / "app", machine=machine), docker.name()
    packed(program, "--load", "-t", name, "--no-need=certs", "--platform", variant)
    found = docker.inspect(name)
    assert "/".join(("linux", found["Architecture"], found.get("Variant", ""))).strip("/") == variant


def test_all_names_are_loaded(docker: Docker, tmp_path: Path) -> None:
    """Every name of an image is loaded, also those of other registries, and the JSON names them."""
    program = write_program(tmp_path / "app")
    names = [docker.name(), f"localhost:5000/{docker.name()}", docker.name().replace(":1", ":v1.2_3-rc")]
    tags = [f"--tag={name}" for name in names]
    document = json.loads(minpack(program, "--load", "--json", "--no-need=certs", *tags).stdout)
    assert [output["reference"] for output in document["outputs"]] == names
    assert all(docker.holds(name, document["images"][0]) for name in names)
    docker.call("rmi", "-f", *names)


def test_the_file_and_the_engine_get_the_same(docker: Docker, tmp_path: Path) -> None:
    """With `-o` too, the file is written and its image is the one loaded; it loads once more under the same ID."""
    program, name = write_program(tmp_path / "app"), docker.name()
    path = tmp_path / "out.tar"
    image = packed(program, "--load", "-o", path, "-t", name, "-u", user(), "--no-need=certs")
    assert docker.holds(name, image)
    docker.call("rmi", name)
    assert docker.load(path) == [name]
    assert docker.holds(name, image)


def test_loading_from_a_stream(docker: Docker, tmp_path: Path) -> None:
    """`minpack -o - | docker load` loads."""
    program, name = write_program(tmp_path / "app", exit_code=7), docker.name()
    command = [sys.executable, "-m", "minpack", str(program), "-o", "-", "-t", name, "--no-need=certs"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as packing:
        done = subprocess.run(("docker", "load"), stdin=packing.stdout, capture_output=True, text=True, check=True)
    assert (packing.returncode, done.stdout.strip()) == (0, f"Loaded image: {name}")
    docker.run(name, status=7)


def test_users_have_a_name_and_a_home(docker: Docker, tmp_path: Path) -> None:
    """The highest user that minpack takes runs, and one more is refused before anything is written."""
    program, name = write_program(tmp_path / "app"), docker.name()
    packed(program, "--load", "-t", name, "-u", "2147483647:2147483647", "--no-need=certs")
    docker.run(name)
    error = minpack(program, "--load", "-t", name, "-u", "2147483648", status=2).stderr
    assert "2147483647 is the highest number that engines accept" in error


def test_names_that_are_no_text_stay_files(docker: Docker, tmp_path: Path) -> None:
    """A program whose name is not UTF-8 cannot be an entrypoint, and nothing is written; placed elsewhere it runs."""
    program = write_program(tmp_path / os.fsdecode(b"app-\xff"), exit_code=5)
    name = docker.name()
    error = minpack(program, "-o", tmp_path / "out.tar", "-t", name, "--no-need=certs", status=1).stderr
    assert "cannot put" in error
    assert not (tmp_path / "out.tar").exists()
    packed(program, "--load", "-t", name, "--dest=/app", "--no-need=certs")
    docker.run(name, status=5)


def test_an_engine_that_refuses_is_an_error(docker: Docker, tmp_path: Path) -> None:
    """What the engine says of an image it does not take is passed on, and nothing is written; else it is loaded."""
    program, name = write_program(tmp_path / "app"), docker.name()
    path = tmp_path / "out.tar"
    status = 0 if docker.reads_zstd else 1
    done = minpack(program, "--load", "-o", path, "--zstd", "-t", name, "-u", user(), "--no-need=certs", status=status)
    if status == 0:
        docker.run(name)
        return
    assert done.stderr.startswith(f"minpack: cannot load '{name}' into the engine")
    assert not path.exists()
    docker.call("image", "inspect", name, status=1)


def test_an_engine_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """Without an engine the error says what to do."""
    program = write_program(tmp_path / "app")
    for host in (f"unix://{tmp_path}/none.sock", "tcp://127.0.0.1:1", "nonsense"):
        env = {**os.environ, "DOCKER_HOST": host}
        done = minpack(program, "--load", "--no-need=certs", env=env, status=1)
        assert "cannot reach a container engine" in done.stderr
        assert "hint: " in done.stderr
    assert os.listdir(tmp_path) == ["app"]


def test_an_engine_that_goes_away_is_an_error(tmp_path: Path) -> None:
    """An engine that answers, and hangs up in the middle of the image, is an error."""
    program = write_program(tmp_path / "app", size=4_000_000)
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_answer_and_hang_up, args=(server,), daemon=True)
        thread.start()
        host = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        env = {**os.environ, "DOCKER_HOST": host}
        done = minpack(program, "--load", "--no-need=certs", env=env, status=1)
    thread.join()
    assert "cannot load 'app:latest' into the engine" in done.stderr


def _answer_and_hang_up(server: socket.socket) -> None:
    """Answer as an engine would, until an image comes."""
    body = json.dumps({"Version": "20.10.0", "ApiVersion": "1.41", "MinAPIVersion": "1.12"}).encode()
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    while True:
        connection, _ = server.accept()
        with connection:
            while request := connection.recv(65536):
                if b"/images/load" in request:
                    return
                connection.sendall(answer)
