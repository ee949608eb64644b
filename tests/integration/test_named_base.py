"""The mission's own line, against a mirror of our own that serves Alpine's real tarballs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from support.mirror import Mirror, cut

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

pytestmark = pytest.mark.data
FOLDER = "/v3.20/releases/x86_64"
FILE = "alpine-minirootfs-3.20.3-x86_64.tar.gz"


@pytest.fixture
def mirror(data: Path) -> Generator[Mirror]:
    """A mirror that has the 3.20.3 tarball for x86_64."""
    with Mirror() as served:
        served.add(f"{FOLDER}/{FILE}", (data / "bases" / FILE).read_bytes())
        yield served


@pytest.fixture
def apk(alpine_x86_64: Path, tmp_path: Path) -> Path:
    """A real dynamic program: Alpine's own apk."""
    with tarfile.open(alpine_x86_64) as archive:
        member = archive.extractfile("./sbin/apk")
        assert member is not None
        (tmp_path / "apk").write_bytes(member.read())
    return tmp_path / "apk"


def minpack(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command in `cwd` with its own store below it."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(cwd / "cache"), **variables}
    return subprocess.run(
        [sys.executable, "-m", "minpack", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def packed(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The JSON document of a run that went well."""
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_a_named_base_is_fetched_once_and_kept(mirror: Mirror, apk: Path, tmp_path: Path) -> None:
    """The first run downloads and verifies; the second asks the mirror for nothing and gives the same image."""
    command = ("./apk", "--base", "alpine-3.20.3", "--mirror", mirror.url, "--json")
    first = packed(minpack(*command, cwd=tmp_path))
    asked = len(mirror.paths)
    second = packed(minpack(*command, "--offline", "-o", "second.tar", cwd=tmp_path))
    assert mirror.paths[:asked] == [f"{FOLDER}/{FILE}"]
    assert len(mirror.paths) == asked
    assert first["images"] == second["images"]
    assert (tmp_path / "apk.tar").read_bytes() == (tmp_path / "second.tar").read_bytes()
    (base,) = (item for item in first["inputs"] if item["kind"] == "base")
    assert base["url"] == f"{mirror.url}{FOLDER}/{FILE}"
    assert base["sha256"] == "d4e6fd67dcf75e40c451560ac7265166c2b72a0f38ddc9aae756a7de3d1efa0c"


def test_a_named_base_gives_the_image_of_its_tarball(
    mirror: Mirror, apk: Path, tmp_path: Path, alpine_x86_64: Path
) -> None:
    """A release fetched by name and the same tarball on disk give the same bytes."""
    named = minpack("./apk", "--base", "alpine-3.20.3", "--mirror", mirror.url, "-o", "named.tar", cwd=tmp_path)
    local = minpack("./apk", "--base", str(alpine_x86_64), "-o", "local.tar", cwd=tmp_path)
    assert (named.returncode, local.returncode) == (0, 0), named.stderr + local.stderr
    assert (tmp_path / "named.tar").read_bytes() == (tmp_path / "local.tar").read_bytes()


def test_support_that_has_ended_is_told(mirror: Mirror, apk: Path, tmp_path: Path) -> None:
    """A base past the end of its support is packed, with a note on stderr."""
    done = minpack("./apk", "--base", "alpine-3.20.3", "--mirror", mirror.url, cwd=tmp_path)
    assert done.returncode == 0
    assert "note: Alpine 3.20 has had no security updates since 2026-04-01" in done.stderr


def test_a_broken_transfer_is_resumed(mirror: Mirror, apk: Path, tmp_path: Path, data: Path) -> None:
    """A connection that breaks in the middle costs only the rest of the file."""
    mirror.add(f"{FOLDER}/{FILE}", (data / "bases" / FILE).read_bytes(), cut(1_000_000))
    done = minpack("./apk", "--base", "alpine-3.20.3", "--mirror", mirror.url, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [request.headers["Range"] for request in mirror.requests][1:] == ["bytes=1000000-"]


def test_a_wrong_sum_is_refused_and_not_kept(mirror: Mirror, apk: Path, tmp_path: Path) -> None:
    """Other bytes than the catalogue's are refused with both sums, and the store keeps none of them."""
    mirror.add(f"{FOLDER}/{FILE}", b"not the tarball" * 1000)
    done = minpack("./apk", "--base", "alpine-3.20.3", "--mirror", mirror.url, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("minpack: cannot ")
    assert not (tmp_path / "apk.tar").exists()
    again = minpack("./apk", "--base", "alpine-3.20.3", "--mirror", mirror.url, "--offline", cwd=tmp_path)
    assert again.returncode == 1
    assert "--offline" in again.stderr


def test_two_runs_at_once_both_succeed(mirror: Mirror, apk: Path, tmp_path: Path) -> None:
    """Two processes that fetch the same base into one store at the same time both get it."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "minpack", "./apk", "--base", "alpine-3.20.3", "--mirror", mirror.url, "-o", name],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for name in ("one.tar", "two.tar")
    ]
    outputs = [run.communicate(timeout=120) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


def test_base_pull_makes_a_later_run_need_no_network(mirror: Mirror, apk: Path, tmp_path: Path) -> None:
    """`minpack base pull` is enough for `--offline`."""
    pulled = minpack("base", "pull", "alpine-3.20.3", "--mirror", mirror.url, cwd=tmp_path)
    assert pulled.returncode == 0, pulled.stderr
    assert "Alpine Linux v3.20" in pulled.stdout
    done = minpack("./apk", "--base", "alpine-3.20.3", "--offline", "--mirror", mirror.url, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_variables_stand_for_the_options(mirror: Mirror, apk: Path, tmp_path: Path) -> None:
    """MINPACK_BASE and MINPACK_MIRROR are the defaults of --base and --mirror."""
    done = minpack("./apk", cwd=tmp_path, MINPACK_BASE="alpine-3.20.3", MINPACK_MIRROR=mirror.url)
    assert done.returncode == 0, done.stderr
    assert mirror.paths == [f"{FOLDER}/{FILE}"]
