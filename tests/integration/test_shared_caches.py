"""Shared caches as users have them: machines, each with a cache directory of its own, and a registry between them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from support.command import COMMAND, Ran, assert_refused, environment, minpack
from support.dockerregistry import PASSWORD, USER, password_file
from support.elfmaker import MUSL, program, static_program
from support.fakeregistry import FakeRegistry, Request, other_bytes, status
from support.faultyproxy import FaultyProxy
from support.layers import layer, member, tar_of, write_layout
from support.mirror import Mirror
from support.refusals import row
from support.registries import crane_registry, docker_registry
from support.repository import Place, library_package
from support.sharedcaches import recompressed, text
from support.tarmaker import archive
from support.tarmaker import member as tar_member

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

NAME = "team/cache"


@pytest.fixture
def fake() -> Generator[FakeRegistry]:
    """A registry that does what it is told."""
    with FakeRegistry() as registry:
        yield registry


@pytest.fixture
def mirror() -> Generator[Mirror]:
    """A server of packages."""
    with Mirror() as server:
        yield server


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a program and files of a base, several of them large."""
    (tmp_path / "app").write_bytes(static_program(overlay=text(1, 400_000)))
    for number in range(3):
        (tmp_path / f"data{number}").write_bytes(text(10 + number, 100_000 + number))
    (tmp_path / "base").mkdir()
    return tmp_path


ADDED = ("--single-layer", *(f"--add=data{number}:/data/{number}" for number in range(3)))


def run(machine: str, *arguments: str, cwd: Path) -> Ran:
    """Run minpack with the cache directory of a machine."""
    return minpack(*arguments, "--cache-dir", f"machine-{machine}", cwd=cwd, env={"MINPACK_NO_PACKAGES": None})


def packed(machine: str, *arguments: str, cwd: Path) -> Any:
    """What a machine made, as its document says."""
    ran = run(machine, "./app", *ADDED, "-o", f"{machine}.tar", "--json", *arguments, cwd=cwd)
    assert ran.code == 0, ran.err
    return ran.document


@pytest.mark.tool
def test_another_machine_compresses_nothing(place: Path) -> None:
    """With Debian's registry, whose login both have: the same bytes, and the one that reads compresses none of them."""
    with docker_registry(place / "registry", password_file(place)) as registry:
        login = ("--username", USER, "--password-stdin")
        cache = f"{registry.host}/{NAME}"
        for machine, option in (("first", "--cache-write"), ("second", "--cache")):
            command = [*COMMAND, "./app", *ADDED, "-o", f"{machine}.tar", "--json", option, cache, *login]
            command += ["--cache-dir", f"machine-{machine}"]
            done = subprocess.run(command, cwd=place, input=PASSWORD.encode(), capture_output=True, check=False)
            assert done.returncode == 0, done.stderr
            assert PASSWORD.encode() not in done.stdout + done.stderr
            assert USER.encode() not in done.stdout
            found = json.loads(done.stdout)["cache"]
    assert (place / "first.tar").read_bytes() == (place / "second.tar").read_bytes()
    assert (found["layers"], found["compressed"]) == (1, 0)
    assert found["read"] == [cache]
    kept = [path.read_bytes() for path in place.rglob("machine-*/**/*") if path.is_file()]
    assert kept
    assert not any(PASSWORD.encode() in data for data in kept)


@pytest.mark.tool
@pytest.mark.parametrize("kind", ["docker-registry", pytest.param("crane", marks=pytest.mark.oracle)])
def test_registries_of_others_keep_a_cache(place: Path, kind: str) -> None:
    """A layer, and files of it in another one, are written to and found in each kind of registry."""
    with (docker_registry if kind == "docker-registry" else crane_registry)(place / "registry") as registry:
        cache = f"{registry.host}/{NAME}"
        packed("first", "--cache-write", cache, cwd=place)
        assert all(registry.whole(NAME, tag) for tag in registry.tags(NAME))
        assert packed("second", "--cache", cache, cwd=place)["cache"]["layers"] == 1
        (place / "new").write_bytes(text(99, 90_000))
        third = packed("third", "--cache", cache, "--add", "new:/data/new", cwd=place)["cache"]
    assert (third["layers"], third["files"]) == (0, 4)
    assert third["compressed"] < 120_000
    packed("fourth", "--add", "new:/data/new", cwd=place)
    assert (place / "third.tar").read_bytes() == (place / "fourth.tar").read_bytes()


def test_the_summary_has_a_line(place: Path, fake: FakeRegistry) -> None:
    """It says what was taken and written, and what was compressed all the same."""
    cache = f"{fake.host}/{NAME}"
    first = run("first", "./app", *ADDED, "-o", "a.tar", "--cache-write", cache, cwd=place)
    assert "nothing taken, 1 layer written (" in first.out.decode()
    second = run("second", "./app", *ADDED, "-o", "b.tar", "--cache", cache, cwd=place)
    assert "1 layer taken (" in second.out.decode()
    assert "; 0 B compressed here" in second.out.decode()
    assert second.err == ""
    again = run("first", "./app", *ADDED, "-o", "c.tar", "--cache-write", cache, cwd=place)
    assert "nothing taken; 0 B compressed here" in again.out.decode()


def test_packages_are_not_fetched_again(tmp_path: Path, mirror: Mirror, fake: FakeRegistry) -> None:
    """Alpine's packages come from the cache, found by what the index says, and are verified as from the mirror."""
    place = Place(tmp_path, mirror)
    place.publish(library_package("libfoo.so.1", ("libbar.so.2",)), library_package("libbar.so.2"))
    place.base()
    (tmp_path / "app").write_bytes(program(("libfoo.so.1",), interpreter=MUSL))
    arguments = ("./app", "--base", "base.tar", "--check=none", "--mirror", f"{mirror.url}/alpine", "--json")
    cache = f"{fake.host}/{NAME}"
    first = run("first", *arguments, "-o", "a.tar", "--cache-write", cache, cwd=tmp_path)
    assert first.code == 0, first.err
    assert first.document["cache"]["written"]["downloads"] == 2
    before = [path for path in mirror.paths if path.endswith(".apk")]
    second = run("second", *arguments, "-o", "b.tar", "--cache", cache, cwd=tmp_path)
    assert (second.document["cache"]["downloads"], second.document["cache"]["compressed"]) == (2, 0)
    assert [path for path in mirror.paths if path.endswith(".apk")] == before
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    # A lock is made of the same downloads.
    lock = run("third", "lock", *arguments[:-1], "--cache", cache, "--json", cwd=tmp_path)
    assert lock.document["cache"]["downloads"] == 2
    # What has another checksum is fetched from the mirror, as ever, and a note says so.
    fake.fail("GET", "/blobs/", other_bytes(b"another"), times=9)
    fourth = run("fourth", *arguments, "-o", "d.tar", "--cache", cache, cwd=tmp_path)
    assert (fourth.code, fourth.document["cache"]["downloads"]) == (0, 0)
    assert "is ignored: a blob of it has another digest" in fourth.document["notes"][-1]
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "d.tar").read_bytes()


def test_a_package_that_is_another_one(tmp_path: Path, mirror: Mirror, fake: FakeRegistry) -> None:
    """A package in the place of another, signed by the same key, is refused as it would be from the mirror."""
    place = Place(tmp_path, mirror)
    place.publish(library_package("libfoo.so.1"))
    place.base()
    (tmp_path / "app").write_bytes(program(("libfoo.so.1",), interpreter=MUSL))
    arguments = ("./app", "--base", "base.tar", "--check=none", "--mirror", f"{mirror.url}/alpine", "--json")
    cache = f"{fake.host}/{NAME}"
    assert run("first", *arguments, "-o", "a.tar", "--cache-write", cache, cwd=tmp_path).code == 0
    other = library_package("libfoo.so.1", version="0.9-r0").data
    for tag in (tag for tag in fake.tags(NAME) if tag.startswith("download-")):
        document = fake.document(NAME, tag)
        document["layers"][0] |= {"digest": fake.keep(NAME, other), "size": len(other)}
        fake.keep_manifest(NAME, tag, document["mediaType"], json.dumps(document).encode())
    second = run("second", *arguments, "-o", "b.tar", "--cache", cache, cwd=tmp_path)
    assert second.code == 0, second.err
    assert second.document["cache"]["downloads"] == 0
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    # Who may write writes it again.
    assert run("third", *arguments, "-o", "c.tar", "--cache-write", cache, cwd=tmp_path).code == 0
    assert run("fourth", *arguments, "-o", "d.tar", "--cache", cache, cwd=tmp_path).document["cache"]["downloads"] == 1


@pytest.mark.tool
def test_layers_of_images_and_whole_bases(tmp_path: Path, fake: FakeRegistry) -> None:
    """The layers of an image as a base come from the cache, and what `base image` makes of it too."""
    layers = [layer(tar_of(member("etc/a", text(5, 90_000)))), layer(tar_of(member("b", b"1")))]
    write_layout(tmp_path / "layout", layers)
    with docker_registry(tmp_path / "registry") as registry:
        base = f"{registry.host}/team/base:1"
        pushed = minpack("push", "oci:layout", base, cwd=tmp_path)
        assert pushed.code == 0, pushed.err
        found = []
        for machine, option in (("first", "--cache-write"), ("second", "--cache")):
            arguments = ("base", "image", base, "-o", f"{machine}.tar", "--json", option, f"{fake.host}/{NAME}")
            ran = run(machine, *arguments, cwd=tmp_path)
            assert ran.code == 0, ran.err
            found.append(ran.document["cache"])
    assert found[0]["written"]["downloads"] == 2
    assert (found[1]["downloads"], found[1]["layers"], found[1]["compressed"]) == (2, 1, 0)
    assert (tmp_path / "first.tar").read_bytes() == (tmp_path / "second.tar").read_bytes()


def test_a_local_tarball_of_a_base(tmp_path: Path, fake: FakeRegistry) -> None:
    """The layer of a whole base that several machines have is compressed by one of them."""
    (tmp_path / "base.tar").write_bytes(archive(tar_member("etc/large", text(6, 200_000)), tar_member("etc/b", b"1")))
    for machine, option in (("first", "--cache-write"), ("second", "--cache")):
        arguments = ("base", "image", "base.tar", "--platform", "linux/amd64", "-o", f"{machine}.tar", "--json")
        ran = run(machine, *arguments, option, f"{fake.host}/{NAME}", cwd=tmp_path)
        assert ran.code == 0, ran.err
    assert (ran.document["cache"]["layers"], ran.document["cache"]["compressed"]) == (1, 0)
    assert (tmp_path / "first.tar").read_bytes() == (tmp_path / "second.tar").read_bytes()


def test_verifying_names_cache_and_file(place: Path, fake: FakeRegistry) -> None:
    """--verify-cache passes what minpack wrote; what another compressor wrote is an error, and no image."""
    cache = f"{fake.host}/{NAME}"
    packed("first", "--cache-write", cache, cwd=place)
    assert packed("second", "--cache", cache, "--verify-cache", cwd=place)["cache"]["verified"] is True
    recompressed(fake)
    taken = packed("third", "--cache", cache, cwd=place)
    assert taken["cache"]["layers"] == 1
    assert (place / "third.tar").read_bytes() != (place / "first.tar").read_bytes()
    for machine in ("third", "fourth"):
        ran = run(machine, "./app", *ADDED, "-o", "verified.tar", "--cache", cache, "--verify-cache", cwd=place)
        case = row("a shared cache that has another compressed form, with --verify-cache")
        assert_refused(ran, case.code, case.message, case.hint)
        assert f"/data/0 in the shared cache {cache}" in ran.err
        assert not (place / "verified.tar").exists()


def test_a_cache_that_is_down_is_a_note(place: Path) -> None:
    """It neither fails the run nor holds it up, wherever it is read or written."""
    packed("first", cwd=place)
    for option in ("--cache", "--cache-write"):
        started = time.monotonic()
        document = packed(f"down{option}", option, f"127.0.0.1:1/{NAME}", cwd=place)
        assert "connection refused" in document["notes"][0]
        assert time.monotonic() - started < 30
        assert (place / f"down{option}.tar").read_bytes() == (place / "first.tar").read_bytes()


def test_a_cache_that_takes_nothing_is_a_note(place: Path, fake: FakeRegistry) -> None:
    """The image is there, and the run has done what it should."""
    fake.fail("POST", "", status(403, error="DENIED", message="requested access to the resource is denied"), times=9)
    document = packed("first", "--cache-write", f"{fake.host}/{NAME}", cwd=place)
    (note,) = document["notes"]
    assert note.startswith(f"the shared cache {fake.host}/{NAME} was not written: ")
    assert "DENIED" in note
    assert (place / "first.tar").exists()


def test_offline(place: Path, fake: FakeRegistry) -> None:
    """What may download nothing reads no cache, and may write to one all the same."""
    cache = f"{fake.host}/{NAME}"
    packed("first", "--offline", "--cache-write", cache, cwd=place)
    assert any(tag.startswith("layer-") for tag in fake.tags(NAME))
    fake.clear()
    arguments = ("./app", *ADDED, "-o", "second.tar", "--json", "--cache", cache, "--cache-dir", "machine-second")
    ran = minpack(*arguments, cwd=place, env={"MINPACK_OFFLINE": "1"})
    assert ran.document["notes"] == ["no shared cache was read: --offline downloads nothing"]
    assert fake.requests == []


def test_several_platforms_share(place: Path, fake: FakeRegistry) -> None:
    """The layers of each platform are written and found."""
    for machine in ("amd64", "arm64"):
        (place / machine).mkdir()
        (place / machine / "app").write_bytes(
            static_program(machine={"amd64": "x86_64", "arm64": "aarch64"}[machine], overlay=text(7, 100_000))
        )
    for machine, option in (("first", "--cache-write"), ("second", "--cache")):
        arguments = ("amd64/app", "arm64/app", "-o", f"{machine}.tar", "--json", option, f"{fake.host}/{NAME}")
        ran = run(machine, *arguments, cwd=place)
        assert ran.code == 0, ran.err
    assert ran.document["cache"]["layers"] >= 3, "one is of both platforms"
    assert ran.document["cache"]["compressed"] == 0
    assert (place / "first.tar").read_bytes() == (place / "second.tar").read_bytes()


#: How many points a writer is killed at, and how many runs go through a bad network.
TIMES = int(os.environ.get("MINPACK_PUSHES", "3"))


@pytest.mark.slow
def test_a_killed_writer_leaves_nothing_to_trip_on(place: Path) -> None:
    """At each of its requests in turn: no tag stands for what is not there, and the next writer and reader go on."""
    packed("first", cwd=place)
    for number in range(TIMES):
        with FakeRegistry() as registry:
            registry.switches.strict = False
            assert killed(place, registry, 1 + number * 3 % 16)
            assert all(whole for _, _, whole in registry.given)
            reader = packed(f"reader{number}", "--cache", f"{registry.host}/{NAME}", cwd=place)
            assert reader["notes"] == []
            packed("first", "--cache-write", f"{registry.host}/{NAME}", cwd=place)
            last = packed(f"again{number}", "--cache", f"{registry.host}/{NAME}", cwd=place)
            assert (last["cache"]["layers"], last["cache"]["compressed"]) == (1, 0)


def killed(place: Path, registry: FakeRegistry, number: int) -> bool:
    """Write to the cache by a process that is killed at its request of that number; whether it came so far."""
    seen, ready, process = [0], threading.Event(), list[subprocess.Popen[bytes]]()

    def watch(_: Request) -> None:
        ready.wait(10)
        seen[0] += 1
        if seen[0] == number:
            process[0].send_signal(signal.SIGKILL)

    registry.watch = watch
    command = [*COMMAND, "./app", *ADDED, "-o", "killed.tar", "-q", "--cache-write", f"{registry.host}/{NAME}"]
    with subprocess.Popen([*command, "--cache-dir", "machine-first"], cwd=place, env=environment({})) as started:
        process.append(started)
        ready.set()
        code = started.wait(60)
    registry.watch = lambda _: None
    return code == -signal.SIGKILL


@pytest.mark.slow
def test_a_bad_network_changes_nothing(place: Path, fake: FakeRegistry) -> None:
    """Through resets, cuts, 5xx, 429 and wrong bytes, each run makes the image, and no tag names what is not there."""
    expected = packed("first", cwd=place)["images"][0]["digest"]
    taken = 0
    for number in range(TIMES):
        with FaultyProxy(fake.host, seed=number) as proxy:
            writer = packed(f"writer{number}", "--cache-write", f"{proxy.host}/{NAME}", cwd=place)
            reader = packed(f"reader{number}", "--cache", f"{proxy.host}/{NAME}", cwd=place)
        assert writer["images"][0]["digest"] == reader["images"][0]["digest"] == expected
        taken += reader["cache"]["layers"]
    assert all(whole for _, _, whole in fake.given)
    assert packed("last", "--cache-write", f"{fake.host}/{NAME}", cwd=place)["images"][0]["digest"] == expected
    print(f"{taken} of {TIMES} readers took the layer")
