"""Debian's own programs, and others, packed from Debian's real archive; run, and read by a scanner."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from minpack.catalog.debian import RELEASES
from minpack.content import read_all
from minpack.deb.trust import debian_keys
from minpack.debian.archive import open_archive
from minpack.debian.base import DebianBase
from minpack.debian.suite import SuiteContext
from minpack.net.network import Network
from minpack.paths import normal
from minpack.progress import no_progress
from minpack.store.store import open_store
from support.apt import debian_mirror
from support.command import minpack
from support.mirror import Mirror
from support.tools import need_tool

if TYPE_CHECKING:
    from support.docker import Docker

pytestmark = [pytest.mark.tool, pytest.mark.xdist_group("debian")]
BOOKWORM = RELEASES[0]
CURL = "minpack-test/debian-curl:1"


class Machine:
    """A directory with a store of its own, and Debian's mirror."""

    def __init__(self, place: Path, mirror: str, cache: str = "cache") -> None:
        self.place = place
        self.mirror = mirror
        self.cache = cache

    def pack(self, *arguments: str) -> Any:
        """What packing with these arguments says."""
        return self._run(*arguments)

    def lock(self, *arguments: str) -> Any:
        """What locking with these arguments says."""
        return self._run("lock", *arguments)

    def _run(self, *arguments: str) -> Any:
        done = minpack(
            *(*arguments, "--json", "--cache-dir", self.cache),
            cwd=self.place,
            env={"MINPACK_MIRROR_DEBIAN": self.mirror, "MINPACK_NO_PACKAGES": None},
        )
        assert done.code == 0, done.err
        return done.document

    def archive(self) -> Any:
        """The archive of Debian 12, to be used in a ``with`` block, from the same store."""
        store = open_store(str(self.place / "cache/minpack/v1"))
        today = time.strftime("%Y-%m-%d", time.gmtime())
        place = SuiteContext(store, Network(), today, debian_keys(), no_progress)
        return open_archive(BOOKWORM, "amd64", self.mirror, place)

    def program(self, package: str, path: str) -> str:
        """A program of one of Debian's own packages."""
        name = path.rpartition("/")[2]
        with self.archive() as archive, DebianBase(archive) as base:
            added = base.add_package(package)
            assert added is not None
            content = added.entries[normal(path)].content
            assert content is not None
            (self.place / name).write_bytes(read_all(content, 1 << 28))
        return f"./{name}"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """What the tests here share: the indexes are large."""
    return Machine(tmp_path_factory.mktemp("debian"), debian_mirror())


@pytest.fixture(scope="module")
def curl(machine: Machine) -> Any:
    """What packing Debian's curl says; the image is in curl.tar."""
    program = machine.program("curl", "/usr/bin/curl")
    return machine.pack(program, "--base", "debian-12", "--compress", "small", "-o", "curl.tar", "-t", CURL)


def packages(document: Any) -> dict[str, str]:
    """The packages among the inputs, with their versions."""
    return {item["name"]: item["version"] for item in document["inputs"] if item["kind"] == "package"}


def test_curl_is_small_and_runs(machine: Machine, curl: Any, docker: Docker) -> None:
    """Debian's curl with all its libraries and the CA bundle: at most 8.1 MB, and it knows all its protocols."""
    (image,) = curl["images"]
    assert image["size"] <= 8_100_000
    docker._names.append(CURL)
    docker.load(machine.place / "curl.tar")
    assert docker.holds(CURL, image)
    shown = docker.run(CURL, "--version").stdout
    assert shown.startswith("curl 7.88")
    assert " https " in shown
    assert not curl["notes"]


def test_the_ca_bundle_is_debians(machine: Machine, curl: Any) -> None:
    """OpenSSL reads all its certificates, and there are as many as the package has."""
    files = {item["path"]: item for item in curl["images"][0]["files"]}
    bundle = files["/etc/ssl/certs/ca-certificates.crt"]
    assert bundle["package"]["name"] == "ca-certificates"
    assert bundle["from"] == "package"
    machine.pack("./curl", "--base", "debian-12", "--format", "rootfs", "-o", "root")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    text = (machine.place / "root/etc/ssl/certs/ca-certificates.crt").read_text()
    context.load_verify_locations(cadata=text)
    assert context.cert_store_stats()["x509_ca"] == text.count("BEGIN CERTIFICATE") > 100


def test_the_same_bytes_twice(machine: Machine, curl: Any) -> None:
    """From what is kept, and without the network."""
    again = machine.pack(
        *("./curl", "--base", "debian-12", "--compress", "small", "-o", "again.tar", "-t", CURL, "--offline"),
    )
    assert (machine.place / "again.tar").read_bytes() == (machine.place / "curl.tar").read_bytes()
    assert again["images"][0]["digest"] == curl["images"][0]["digest"]


def test_the_same_bytes_from_the_lock(machine: Machine, curl: Any) -> None:
    """Twice, the second time offline; and on a machine that has no index and a mirror that has none either."""
    image = curl["images"][0]["digest"]
    made = ("./curl", "--locked", "--compress", "small", "-o", "locked.tar", "-t", CURL)
    lock = machine.lock("./curl", "--base", "debian-12")
    assert machine.pack(*made)["images"][0]["digest"] == image
    assert (machine.place / "locked.tar").read_bytes() == (machine.place / "curl.tar").read_bytes()
    assert machine.pack(*made, "--offline")["images"][0]["digest"] == image
    with Mirror() as mirror:
        bare = Machine(machine.place, f"{mirror.url}/debian", "bare")
        for package in lock["packages"]:
            path = package["url"].partition("/pool/")[2]
            root = "debian-security" if "debian-security/" in package["url"] else "debian"
            mirror.add(f"/{root}/pool/{path}", machine.place / f"cache/minpack/v1/{package['sha256']}.blob")
        again = bare.pack(*made)
        assert not [path for path in mirror.paths if "/dists/" in path]
        assert len(mirror.paths) == len({item["name"] for item in again["inputs"] if item["kind"] == "package"}) + 1
    assert (machine.place / "locked.tar").read_bytes() == (machine.place / "curl.tar").read_bytes()
    assert machine.lock("./curl")["changed"] is False


def test_a_scanner_sees_the_packages_that_gave_a_file(machine: Machine, curl: Any) -> None:
    """Syft sees the distribution and exactly those packages, each with its licences, and no file of the user's."""
    syft = need_tool("syft")
    done = subprocess.run(
        [syft, "scan", "-q", "docker-archive:curl.tar", "-o", "json"],
        cwd=machine.place,
        env={**os.environ, "SYFT_CHECK_FOR_APP_UPDATE": "false"},
        capture_output=True,
        check=True,
    )
    document = json.loads(done.stdout)
    assert (document["distro"]["id"], document["distro"]["versionID"]) == ("debian", "12")
    seen = {item["name"]: item for item in document["artifacts"] if item["type"] == "deb"}
    assert {name: item["version"] for name, item in seen.items()} == packages(curl)
    assert {"libc6", "libcurl4", "libssl3", "ca-certificates", "base-files"} <= set(seen)
    assert all(item["licenses"] for item in seen.values())
    listed = {f"/{file['path'].lstrip('/')}" for item in seen.values() for file in item["metadata"]["files"]}
    assert "/usr/local/bin/curl" not in listed
    assert any(path.endswith("/libcurl.so.4.8.0") for path in listed)


def test_git_runs(machine: Machine, docker: Docker) -> None:
    """Debian's git, with what its records say of where its libraries are from."""
    program = machine.program("git", "/usr/bin/git")
    name = docker.name()
    document = machine.pack(program, "--base", "debian-12", "--load", "-t", name)
    assert docker.run(name, "--version").stdout.startswith("git version 2.")
    assert {"libc6", "libpcre2-8-0", "zlib1g"} <= set(packages(document))
    machine.pack(program, "--base", "debian-12", "--load", "-t", name, "--dir", "/repo:0755:65532:65532")
    assert "Initialized empty Git repository" in docker.run(name, "init", "/repo").stdout


def test_a_rust_program_runs(machine: Machine, docker: Docker) -> None:
    """With libgcc_s, which unwinds its panics."""
    rustc = need_tool("rustc")
    (machine.place / "hello.rs").write_text(
        'fn main() { assert!(std::panic::catch_unwind(|| panic!("caught")).is_err()); println!("hello from rust"); }'
    )
    subprocess.run([rustc, "-o", "hello-rust", "hello.rs"], cwd=machine.place, check=True)
    name = docker.name()
    document = machine.pack("./hello-rust", "--base", "debian-12", "--load", "-t", name, "--tz", "Europe/Berlin")
    assert docker.run(name).stdout == "hello from rust\n"
    assert set(packages(document)) == {"base-files", "libc6", "libgcc-s1", "tzdata"}


def test_a_program_runs_on_the_newest_debian(machine: Machine, docker: Docker) -> None:
    """C++, which takes three packages and not the index of all files."""
    compiler = need_tool("g++")
    (machine.place / "hello.cc").write_text(
        '#include <iostream>\nint main() { try { throw 1; } catch (int) { std::cout << "hello from c++\\n"; } }'
    )
    subprocess.run([compiler, "-o", "hello-cc", "hello.cc"], cwd=machine.place, check=True)
    name = docker.name()
    document = machine.pack("./hello-cc", "--base", "debian-13", "--load", "-t", name)
    assert docker.run(name).stdout == "hello from c++\n"
    assert set(packages(document)) == {"base-files", "libc6", "libgcc-s1", "libstdc++6"}


def test_data_that_programs_need_is_taken_from_packages(machine: Machine, curl: Any, docker: Docker) -> None:
    """A shell, terminals, converters, lists and time zones: all of it Debian's, and the shell runs."""
    name = docker.name()
    needs = ("shell", "terminfo", "gconv", "mime", "services", "protocols", "tz")
    wanted = tuple(word for need in needs for word in ("--need", need))
    document = machine.pack("./curl", "--base", "debian-12", *wanted, "--load", "-t", name)
    assert {"dash", "ncurses-base", "media-types", "netbase", "tzdata"} <= set(packages(document)) - set(packages(curl))
    options = ("--entrypoint", "/bin/sh")
    assert docker.run(name, "-c", "cd /usr/share/zoneinfo/Europe && echo B*lin", options=options).stdout == "Berlin\n"


def test_who_has_a_library_is_what_dpkg_says(machine: Machine) -> None:
    """For every library of this machine that is Debian's, and that one package alone has."""
    if "bookworm" not in Path("/etc/os-release").read_text():
        pytest.skip("this machine is not Debian 12")
    done = subprocess.run([need_tool("dpkg"), "-S", "*.so.*"], capture_output=True, text=True, check=True)
    compared = 0
    with machine.archive() as archive:
        for line in done.stdout.splitlines():
            owners, _, path = line.partition(": ")
            merged = f"/usr{path}" if path.startswith("/lib") else path
            names = {owner.partition(":")[0] for owner in owners.split(", ")}
            known = [source for name in names if (source := archive.find_package(name)) is not None]
            found = archive.providers(normal(merged))
            if known and len(found) == 1 and merged.startswith("/usr/lib/x86_64-linux-gnu/"):
                assert found[0].package.name in names, path
                compared += 1
    assert compared > 50
