"""`make release`, on a clone of this repository that nobody keeps."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from support.packing import SOURCE
from support.tools import need_tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("release")

TOP = SOURCE.parent
VERSION, DAY = "7.8.9", "2031-02-03"


class Repository:
    """A repository whose only commit has the files of this tree."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.git("init", "--quiet", "--initial-branch", "main")
        # What there is, whether it is committed here or not; an sdist has no repository.
        for name in ("src", "share", "docs", "release", "tests/support"):
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            copy = ("cp", "-r", str(TOP / name), str(place / name))
            subprocess.run(copy, check=True)
        for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", ".gitignore"):
            (place / name).write_bytes((TOP / name).read_bytes())
        self.commit("Start")

    def git(self, *arguments: str) -> str:
        """What git prints."""
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
        command = (need_tool("git"), *identity, *arguments)
        return subprocess.run(command, cwd=self.place, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, message: str) -> None:
        """Commit all that there is."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", message)

    def release(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A run of the script of this repository."""
        who = {f"GIT_{one}_{what}": "test@example.org" for one in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        return subprocess.run(
            (sys.executable, "release/release.py", *arguments),
            cwd=self.place,
            env={**os.environ, **who},
            check=False,
            capture_output=True,
            text=True,
        )

    @property
    def state(self) -> tuple[str, ...]:
        """What is committed, changed and tagged, and whether there is something to upload."""
        there = str((self.place / "dist").exists())
        return self.git("rev-parse", "HEAD"), self.git("status", "--porcelain"), self.git("tag"), there


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A repository of this test's own."""
    return Repository(tmp_path)


def test_a_release_is_tried_before_it_is_made(repository: Repository) -> None:
    """Nothing changes until it is wanted; then version, changelog, manual page, tag, sdist and wheel say the same."""
    before = repository.state
    tried = repository.release(VERSION, DAY)
    assert tried.returncode == 0, tried.stderr
    assert "nothing is changed here" in tried.stdout
    assert repository.state == before

    made = repository.release(VERSION, DAY, "--write")
    assert made.returncode == 0, made.stderr
    place = repository.place
    assert repository.state[1:3] == ("", f"v{VERSION}")
    assert repository.git("log", "-1", "--format=%s") == f"Release {VERSION}"
    assert repository.git("rev-parse", f"v{VERSION}^{{commit}}") == repository.git("rev-parse", "HEAD")
    first, second, *_ = re.findall(r"^## (.*)$", (place / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert (first, second) == ("Unreleased", f"{VERSION} ({DAY})")
    assert f'__version__ = "{VERSION}"' in (place / "src/minpack/_version.py").read_text()
    assert f'"{DAY}" "minpack {VERSION}"' in (place / "share/man/man1/minpack.1").read_text()
    told = repository.git("tag", "--list", "--format=%(contents)", f"v{VERSION}")
    assert told.startswith(f"minpack {VERSION}\n\n### ")
    names = zipfile.ZipFile(place / f"dist/minpack-{VERSION}-py3-none-any.whl").namelist()
    assert f"minpack-{VERSION}.dist-info/METADATA" in names
    with tarfile.open(place / f"dist/minpack-{VERSION}.tar.gz") as sdist:
        assert f"minpack-{VERSION}/pyproject.toml" in sdist.getnames()

    again = repository.release(VERSION, DAY)
    assert (again.returncode, again.stderr) == (1, f"cannot release {VERSION}: there is a tag v{VERSION} already\n")


def test_what_cannot_be_released_is_refused(repository: Repository) -> None:
    """Each with its reason, and nothing is changed."""

    def refused(reason: str, version: str = VERSION, day: str = DAY) -> None:
        before = repository.state
        done = repository.release(version, day, "--write")
        assert (done.returncode, done.stderr) == (1, f"cannot release {version}: {reason}\n")
        assert repository.state == before

    changelog = repository.place / "CHANGELOG.md"
    refused("a version has three numbers: 1.2.3", version="1.2")
    refused("'03.02.2031' is no day, as 2026-01-31", day="03.02.2031")
    changelog.write_text(changelog.read_text() + " ")
    refused("1 files are not committed: CHANGELOG.md")
    changelog.write_text(
        changelog.read_text().replace("## Unreleased\n", "## Unreleased\n\n- New.\n\n## 8.0.0 (2031-02-04)\n")
    )
    repository.commit("Release more")
    refused("CHANGELOG.md has 8.0.0 (2031-02-04), which is not older")
    refused("CHANGELOG.md has 8.0.0 (2031-02-04), which is not older", version="8.0.1")
    changelog.write_text(changelog.read_text().replace("- New.\n", ""))
    repository.commit("Take it back")
    refused("CHANGELOG.md has nothing under Unreleased", version="8.0.1", day="2031-02-05")
    repository.git("checkout", "--quiet", "--detach")
    refused("no branch is checked out")
