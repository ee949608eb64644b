"""`minpack build --executor`: images that other machines build are those that this one builds."""

from __future__ import annotations

import os
import pickle
import shutil
import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import pytest

from minpack.build.fleet import State
from minpack.cli.worker import RemoteJob, build_at_worker, deciding_versions
from minpack.cluster.executor import GROUP
from support.certificates import Authority
from support.command import assert_refused, matches, minpack
from support.daskclusters import running_cluster, worker_of
from support.elfmaker import MUSL, library, program
from support.fakeregistry import FakeRegistry, Fault
from support.fleets import make_fleet
from support.refusals import row

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from support.command import Ran

CACHE = "team/cache"


@pytest.fixture
def registry() -> Generator[FakeRegistry]:
    """What all machines reach."""
    with FakeRegistry() as found:
        yield found


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An empty directory for the images' files."""
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


def pushed(registry: FakeRegistry) -> str:
    """The settings of images that are pushed to the registry."""
    return f'tag = "{registry.host}/team/{{name}}:1"\npush = true\n'


def digests(ran: Ran) -> dict[str, str]:
    """The digest of each image of a build that succeeded."""
    assert ran.code == 0, ran.err
    return {one["name"]: one["digest"] for one in ran.document["images"]}


def tags(registry: FakeRegistry, names: list[str]) -> dict[str, str]:
    """The digests that the registry has under the images' tags, everything below them there."""
    assert all(registry.whole(f"team/{name}", "1") for name in names)
    return {name: registry.tags(f"team/{name}")["1"] for name in names}


def build(place: Path, *arguments: str, env: dict[str, str | None] | None = None) -> Ran:
    """Run `minpack build` on this machine, with a cache of its own."""
    return minpack(
        "build", "--json", *arguments, cwd=place, env={"XDG_CACHE_HOME": str(place.parent / "cache"), **(env or {})}
    )


def test_a_worker_that_is_killed(place: Path, registry: FakeRegistry, tmp_path: Path) -> None:
    """By kill -9 while it pushes an image: the other worker builds that too, all are there, and as this machine's."""
    names = make_fleet(place, 3, pushed(registry))
    killed: list[int] = []
    (tmp_path / "dask").mkdir()
    with running_cluster(tmp_path / "dask", 2) as cluster:

        def kill(handler: Any) -> None:
            killed.append(worker_of(cluster, handler.client_address[1]))
            os.kill(killed[0], 9)
            handler.reset()

        registry.fail("PUT", f"team/{names[2]}/manifests/", Fault(kill))
        ran = build(place, "--executor", f"dask://{cluster.address}", "--cache-write", f"{registry.host}/{CACHE}")
        found = digests(ran)
        (dead,) = (one for one in cluster.workers if one.pid == killed[0])
        assert dead.wait() == -9
    assert tags(registry, names) == found
    assert found == digests(build(place, "-o", "../all/"))
    assert registry.count("PUT", f"team/{names[2]}/manifests/1") > 1, "the one that was killed had begun"


@pytest.mark.parametrize(
    ("lost", "reason", "hint"),
    [
        ("worker", "it has had no workers for 1 s", "look at the log of the workers, and start some again; …"),
        ("scheduler", "the connection to its scheduler was lost", "look at its log, and start it again; …"),
    ],
)
def test_a_cluster_that_is_lost(
    lost: str, reason: str, hint: str, place: Path, registry: FakeRegistry, tmp_path: Path
) -> None:
    """A build does not wait for it: of each image it is said, with --keep-going too, and there is no log of Dask's."""
    names = make_fleet(place, 1, pushed(registry))
    (tmp_path / "dask").mkdir()
    with running_cluster(tmp_path / "dask", 1) as cluster:

        def kill(handler: Any) -> None:
            (cluster.scheduler if lost == "scheduler" else cluster.workers[0]).kill()
            handler.reset()

        registry.fail("PUT", f"team/{names[0]}/manifests/", Fault(kill))
        given = ("--executor", f"dask://{cluster.address}", "--cache-write", f"{registry.host}/{CACHE}", "--keep-going")
        ran = build(place, *given, env={"DASK_DISTRIBUTED__SCHEDULER__NO_WORKERS_TIMEOUT": "1s"})
    assert {one["error"]["message"] for one in ran.document["images"]} == {
        f"cannot use dask://{cluster.address}: {reason}"
    }
    assert matches(ran.document["images"][0]["error"]["hint"], hint)
    assert "distributed" not in ran.err


#: A package of another executor: threads of this process, as workers of other machines.
_PLUGIN = """
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from minpack import Cluster

@contextmanager
def open_threads(address):
    with ThreadPoolExecutor(int(address)) as executor:
        yield Cluster(executor, int(address))
"""


@pytest.fixture
def threads(tmp_path: Path) -> dict[str, str | None]:
    """The environment with that package, and another cache for what it runs: workers share the environment."""
    site = tmp_path / "site"
    (site / "threads-1.dist-info").mkdir(parents=True)
    (site / "threads_executor.py").write_text(_PLUGIN)
    (site / "threads-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: threads\nVersion: 1\n")
    entry = f"[{GROUP}]\nthreads = threads_executor:open_threads\nbroken = threads_executor:nothing\n"
    (site / "threads-1.dist-info" / "entry_points.txt").write_text(entry)
    return {"PYTHONPATH": f"{site}:{os.environ['PYTHONPATH']}"}


def make_paths(place: Path, outside: Path) -> str:
    """The images of a file, with files of every kind that an image can be made of, in every place."""
    make_fleet(place, 1)
    for directory in ("dist/bin", "dist/lib", "tree/sub"):
        (place / directory).mkdir(parents=True)
    bundled = program(("libown.so", "libz.so.1"), interpreter=MUSL, runpath="$ORIGIN/../lib")
    (place / "dist" / "bin" / "app").write_bytes(bundled + b"../lib/app/data\0")
    (place / "dist" / "bin" / "app").chmod(0o755)
    (place / "dist" / "lib" / "libown.so").write_bytes(library("libown.so", ("libc.so",)))
    (place / "bin").symlink_to("dist/bin")
    (place / "link").symlink_to("bin/app")
    (place / "tree" / "one").write_text("one")
    os.link(place / "tree" / "one", place / "tree" / "sub" / "two")
    (place / "tree" / "sub" / "link").symlink_to("../one")
    (place / "tree" / "empty").write_bytes(b"")
    (place / "tree" / "secret").write_text("x")
    (place / "tree" / "secret").chmod(0o640)
    (place / "tree" / "no.log").write_text("left out")
    (place / "tree" / ".minpackignore").write_text("*.log\n")
    outside.mkdir()
    shutil.copy(place / "base.tar", outside / "base.tar")
    shutil.copy(place / "app0", outside / "app")
    return (
        '[defaults]\nbase = "base.tar"\nprovenance = true\nsbom = "spdx"\ncreated = 86400\n'
        '[image.bundle]\nprograms = "bin/app"\n'
        '[image.linked]\nprograms = "link"\nstrip = true\nadd = ["tree:/srv/tree", "./tree/one:/srv/"]\n'
        f'[image.absolute]\nprograms = "{outside}/app"\nbase = "{outside}/base.tar"\n'
        f'sbom = false\nadd = "{outside}/app:/opt/"\n'
        f'[image.above]\nprograms = "../outside/app"\nbase = "bin/../../base.tar"\n'
    )


def test_files_of_every_kind(
    place: Path, registry: FakeRegistry, tmp_path: Path, threads: dict[str, str | None]
) -> None:
    """Wherever they are: links, hard links, modes, libraries beside a program; paths in notes are those of here."""
    text = make_paths(place, tmp_path / "outside")
    (place / "minpack.toml").write_text(text.replace("[image.bundle]", f"{pushed(registry)}[image.bundle]", 1))
    umask = os.umask(0o027)
    try:
        here = build(place)
        expected = dict(registry.tagged)
        registry.tagged.clear()
        there = build(place, "--executor", "threads://2", "--cache-write", f"{registry.host}/{CACHE}", env=threads)
    finally:
        os.umask(umask)
    assert digests(there) == digests(here)
    assert {key: value for key, value in registry.tagged.items() if key[0] != CACHE} == expected
    notes = [{one["name"]: one["notes"] for one in ran.document["images"]} for ran in (here, there)]
    assert notes[0] == notes[1]
    assert str(place) in str(notes[0]["bundle"])


def test_another_executor_is_a_plugin(place: Path, registry: FakeRegistry, threads: dict[str, str | None]) -> None:
    """Of an entry point; one that fails does not stop the others with --keep-going, and one alone is one job."""
    names = make_fleet(place, 1, pushed(registry))
    with (place / "minpack.toml").open("a") as file:
        file.write('[image.bad]\nprograms = "data/one"\n')
    given = ("--executor", "threads://1", "--cache-write", f"{registry.host}/{CACHE}")
    ran = build(place, *given, "--keep-going", env=threads)
    assert ran.code == 1
    states = {one["name"]: one["state"] for one in ran.document["images"]}
    assert states == {**dict.fromkeys(names, "built"), "bad": "failed"}
    assert "cannot read 'data/one' as an ELF program" in ran.err
    assert tags(registry, names)
    assert digests(build(place, names[0], *given, env=threads)) == {names[0]: tags(registry, names)[names[0]]}


def test_certificates_are_sent(place: Path, threads: dict[str, str | None], tmp_path: Path) -> None:
    """What --registry-ca names is what a worker trusts; it can be a file of the image as well."""
    authority = Authority(tmp_path / "authority")
    (tmp_path / "both.pem").write_bytes(b"".join(one.read_bytes() for one in authority.sign("server", server=True)))
    with FakeRegistry(certificate=tmp_path / "both.pem") as registry:
        (name, *_) = make_fleet(place, 1, pushed(registry))
        (place / "ca.pem").symlink_to(authority.ca)
        given = (name, "--registry-ca", "ca.pem", "--add", "ca.pem:/etc/ca.pem")
        other = ("--executor", "threads://1", "--cache-write", f"{registry.host}/{CACHE}")
        found = digests(build(place, *given, *other, env=threads))
        assert found == digests(build(place, *given)) == tags(registry, [name])


def test_files_that_a_registry_spoils_are_refused(
    place: Path, registry: FakeRegistry, threads: dict[str, str | None], tmp_path: Path
) -> None:
    """What reaches a worker must have its digest."""
    names = make_fleet(place, 1, pushed(registry))
    cache = f"{registry.host}/{CACHE}"
    assert digests(build(place, names[0], "--executor", "threads://1", "--cache-write", cache, env=threads))
    data = (place / "app0").read_bytes()
    for (name, digest), blob in registry.blobs.items():
        if name == CACHE and blob == data:
            registry.blobs[name, digest] = data[:-1] + b"x"
    other = {**threads, "XDG_CACHE_HOME": str(tmp_path / "empty")}
    ran = build(place, names[0], "--executor", "threads://1", "--cache-write", cache, env=other)
    (found,) = ran.document["images"]
    assert (found["state"], found["error"]["kind"]) == ("failed", "sum-mismatch")


#: What `--executor` is refused with: the options, the reason, and what to do.
REFUSED: dict[str, tuple[tuple[str, ...], str, str]] = {
    "form": (
        ("--executor", "dask"),
        "--executor 'dask': it does not say what builds the images, and where",
        "for example --executor dask://…",
    ),
    "unknown": (
        ("--executor", "nobody://x", "--cache-write", "x.example/c"),
        "--executor 'nobody://x': there is no executor 'nobody'",
        "known here: …dask…; another …",
    ),
    "store": (
        ("--executor", "threads://1"),
        "--executor 'threads://1': no store is named that all machines have",
        "add --cache-write REPOSITORY: …",
    ),
    "output": (
        ("--executor", "threads://1", "-o", "x/"),
        "--output 'x/': --executor builds i0-0 on another machine",
        "leave it out: …",
    ),
    "sign": (
        ("--executor", "threads://1", "--sign", "cosign.key"),
        "--sign 'cosign.key': --executor builds i0-0 on another machine",
        "the key stays here: …",
    ),
    "trace": (
        ("--executor", "threads://1", "--trace", "one"),
        "--trace: --executor builds i0-0 on another machine",
        "run the program here: minpack trace --write …",
    ),
    "base": (
        ("--executor", "threads://1", "--base", "/"),
        "--base '/': a directory is not sent to the workers of --executor",
        "name a tarball of it, or an image",
    ),
    "sbom": (
        ("--executor", "threads://1", "--sbom", "spdx", "--cache-write", "x.example/c", "--add", "/etc/passwd:/x"),
        "--executor 'threads://1': the SBOM of i0-0 names '/etc/passwd', which is at another place there",
        "name it by a path from the directory of the file of images",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_built_elsewhere(
    name: str, place: Path, registry: FakeRegistry, threads: dict[str, str | None]
) -> None:
    """It is said before anything is sent, with what to do instead."""
    make_fleet(place, 1, pushed(registry))
    arguments, reason, hint = REFUSED[name]
    assert_refused(minpack("build", *arguments, cwd=place, env=threads), 2, f"cannot use {reason}", hint)
    assert not registry.requests


def test_a_plugin_that_is_broken(place: Path, registry: FakeRegistry, threads: dict[str, str | None]) -> None:
    """Its package is named as what cannot be loaded, and minpack is not."""
    make_fleet(place, 1, pushed(registry))
    shown = row("--executor of a package that is broken")
    given = ("--executor", "broken://1", "--cache-write", "x.example/c")
    assert_refused(minpack("build", *given, cwd=place, env=threads), shown.code, shown.message, shown.hint)


def test_what_is_not_pushed_is_not_built_elsewhere(place: Path, threads: dict[str, str | None]) -> None:
    """A worker has nowhere else to put it."""
    make_fleet(place, 1)
    ran = minpack("build", "--executor", "threads://1", cwd=place, env=threads)
    assert_refused(ran, 2, "cannot use --executor 'threads://1': i0-0 is not pushed", "add --push: …")


def test_a_worker_of_another_version_builds_nothing() -> None:
    """It says which versions it has, and which are wanted; of libraries too that decide the bytes of images."""
    versions = dict(deciding_versions())
    for name in ("minpack", "zstandard"):
        wanted = tuple({**versions, name: "0.0.1"}.items())
        found = build_at_worker(RemoteJob("web", wanted, "", b"unread"))
        assert found.state is State.FAILED
        assert found.failure is not None
        assert f"it has {name} {versions[name]} and not 0.0.1" in found.failure.message
        assert found.failure.hint == f"install there: pip install {name}==0.0.1"


def test_a_process_that_is_lost_is_not_a_result() -> None:
    """Where memory is short it is killed: the executor is told by an exception, and may run the job again."""
    with pytest.raises(Exception, match=r"the process that built it ended with 1: .*Error"):
        build_at_worker(RemoteJob("web", deciding_versions(), "", pickle.dumps("no build")))


def test_without_the_extra(place: Path, registry: FakeRegistry, tmp_path: Path) -> None:
    """One error, with the command that installs it."""
    make_fleet(place, 1, pushed(registry))
    (tmp_path / "hide").mkdir()
    (tmp_path / "hide" / "distributed.py").write_text("raise ModuleNotFoundError('no', name='distributed')\n")
    given = ("--executor", "dask://127.0.0.1:1", "--cache-write", f"{registry.host}/{CACHE}")
    ran = minpack("build", *given, cwd=place, env={"PYTHONPATH": str(tmp_path / "hide")})
    shown = row("--executor without the library")
    assert_refused(ran, shown.code, shown.message, shown.hint)


def test_both_ways_to_a_scheduler_are_entry_points() -> None:
    """By TCP and by TLS."""
    assert {one.name for one in entry_points(group=GROUP)} >= {"dask", "dask+tls"}
    assert sys.modules.get("distributed") is None, "loading an entry point imports it"
