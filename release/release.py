"""Make a release: changelog, version, manual page, commit, sdist and wheel, tag; nothing of it is sent anywhere.

    python release/release.py VERSION DATE [--write] [--sign]

All of it is done in a clone in ``build/release``. Without ``--write`` it stays there; with it, this repository takes
commit and tag from the clone, and ``dist/`` the sdist and the wheel, after everything else has gone well.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import NamedTuple

TOP = Path(__file__).resolve().parents[1]
CHANGELOG, VERSION_FILE = "CHANGELOG.md", "src/minpack/_version.py"
HEAD = "## Unreleased\n"
#: What is said while there is no release; the first one takes it out.
NOTHING_YET = re.compile(r"Nothing is released yet: .*?\n\n", re.DOTALL)
_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_TITLE = re.compile(r"^## (\d+)\.(\d+)\.(\d+) \((\d{4}-\d\d-\d\d)\)$", re.MULTILINE)


class NoReleaseError(Exception):
    """A release cannot be made; the text says why, and what helps."""


class Release(NamedTuple):
    """A version, the day it is released on, and what the changelog says of it."""

    version: str
    day: str
    section: str

    @property
    def tag(self) -> str:
        """The name of its tag."""
        return f"v{self.version}"


def main() -> int:
    """Make a release in a clone, and take it over if that is wanted."""
    parser = argparse.ArgumentParser(description="Make a release; without --write only in a clone in build/release.")
    parser.add_argument("version", help="X.Y.Z")
    parser.add_argument("day", metavar="DATE", help="YYYY-MM-DD, as the changelog will have it")
    parser.add_argument("--write", action="store_true", help="take commit and tag into this repository")
    parser.add_argument("--sign", action="store_true", help="sign the tag, as git is set up for it")
    given = parser.parse_args()
    try:
        check_repository(given.version)
        clone = TOP / "build" / "release"
        shutil.rmtree(clone, ignore_errors=True)
        git("clone", "--quiet", "--no-hardlinks", str(TOP), str(clone))
        release = write_files(clone, given.version, given.day)
        print(f"{release.tag}: {len(re.findall(r'^- ', release.section, re.MULTILINE))} entries in the changelog")
        commit(clone, release, sign=given.sign)
        for path in build(clone):
            print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}")
        if not given.write:
            print(f"nothing is changed here: commit and tag are in {clone.relative_to(TOP)}; WRITE=1 takes them over")
            return 0
        take_over(clone, release)
    except NoReleaseError as error:
        print(f"cannot release {given.version}: {error}", file=sys.stderr)
        return 1
    branch = git("branch", "--show-current")
    print(
        f"commit and tag are here, sdist and wheel in dist; to publish them:\n  git push origin {branch} {release.tag}"
    )
    print("  twine upload dist/*")
    return 0


def git(*arguments: str, cwd: Path = TOP) -> str:
    """What git prints.

    :raises NoReleaseError: it fails.
    """
    done = subprocess.run(("git", *arguments), cwd=cwd, check=False, capture_output=True, text=True)
    if done.returncode:
        message = f"git {arguments[0]} fails: {done.stderr.strip()}"
        raise NoReleaseError(message)
    return done.stdout.strip()


def check_repository(version: str) -> None:
    """See to it that what is committed is all there is, and that the version is new.

    :raises NoReleaseError: it is not so.
    """
    if _VERSION.fullmatch(version) is None:
        message = "a version has three numbers: 1.2.3"
        raise NoReleaseError(message)
    changed = git("status", "--porcelain").splitlines()
    if changed:
        message = f"{len(changed)} files are not committed: {changed[0].split(maxsplit=1)[1]}"
        raise NoReleaseError(message)
    if not git("branch", "--show-current"):
        message = "no branch is checked out"
        raise NoReleaseError(message)
    if git("tag", "--list", f"v{version}"):
        message = f"there is a tag v{version} already"
        raise NoReleaseError(message)


def write_files(tree: Path, version: str, day: str) -> Release:
    """Write changelog, version and what is generated of them into a tree.

    :raises NoReleaseError: the changelog has nothing to release, or a newer version or day.
    """
    changelog = tree / CHANGELOG
    text, release = released(changelog.read_text(encoding="utf-8"), version, day)
    changelog.write_text(text, encoding="utf-8")
    file = tree / VERSION_FILE
    line = re.compile(r'^__version__ = ".*"$', re.MULTILINE)
    file.write_text(line.sub(f'__version__ = "{version}"', file.read_text(encoding="utf-8")), encoding="utf-8")
    run(tree, sys.executable, "docs/generate.py")
    return release


def released(changelog: str, version: str, day: str) -> tuple[str, Release]:
    """A changelog in which what is unreleased is that version's, and the release.

    :raises NoReleaseError: there is nothing to release, or a newer version or day.
    """
    try:
        today = date.fromisoformat(day).isoformat()
    except ValueError:
        message = f"{day!r} is no day, as 2026-01-31"
        raise NoReleaseError(message) from None
    above, mark, below = changelog.partition(HEAD)
    older = _TITLE.search(below)
    section = below[: older.start()] if older is not None else below
    if not mark or not section.strip():
        message = f"{CHANGELOG} has nothing under Unreleased"
        raise NoReleaseError(message)
    numbers = tuple(map(int, version.split(".")))
    if older is not None and (numbers <= tuple(map(int, older.groups()[:3])) or today < older[4]):
        message = f"{CHANGELOG} has {older[0][3:]}, which is not older"
        raise NoReleaseError(message)
    title = f"## {version} ({today})\n"
    text = f"{NOTHING_YET.sub('', above)}{HEAD}\n{title}{below}"
    return text, Release(version, today, section.strip())


def commit(tree: Path, release: Release, *, sign: bool) -> None:
    """Commit what was written, and tag it with what the changelog says.

    :raises NoReleaseError: git fails.
    """
    git("commit", "--quiet", "--all", "-m", f"Release {release.version}", cwd=tree)
    kind = "--sign" if sign else "--annotate"
    # Lines of the changelog that start with # are headings, no comments.
    text = f"minpack {release.version}\n\n{release.section}\n"
    git("tag", kind, "--cleanup=verbatim", "-m", text, release.tag, cwd=tree)


def build(tree: Path) -> tuple[Path, ...]:
    """The sdist and the wheel of a tree in its ``dist``; built twice, they are the same, and an index would take them.

    :raises NoReleaseError: they are not so.
    """
    built = []
    for name in ("dist", "build/again"):
        run(tree, sys.executable, "-m", "build", "--no-isolation", "--outdir", name, ".")
        built.append({path.name: path for path in sorted((tree / name).iterdir()) if path.is_file()})
    first, second = ({name: path.read_bytes() for name, path in one.items()} for one in built)
    if first != second:
        message = f"built twice, these differ: {', '.join(sorted(first.keys() | second.keys()))}"
        raise NoReleaseError(message)
    paths = tuple(built[0].values())
    run(tree, sys.executable, "-m", "twine", "check", "--strict", *map(str, paths))
    return paths


def run(tree: Path, *command: str) -> None:
    """Run a command in a tree, with its minpack.

    :raises NoReleaseError: it fails.
    """
    time = git("log", "-1", "--format=%ct", cwd=tree)
    changes = {"PYTHONPATH": str(tree / "src"), "SOURCE_DATE_EPOCH": time}
    done = subprocess.run(command, cwd=tree, env={**os.environ, **changes}, check=False, capture_output=True, text=True)
    if done.returncode:
        message = f"{' '.join(command[1:3])} fails:\n{done.stdout}{done.stderr}"
        raise NoReleaseError(message)


def take_over(clone: Path, release: Release) -> None:
    """Take commit, tag, sdist and wheel from the clone.

    :raises NoReleaseError: this repository has moved on.
    """
    git("fetch", "--quiet", str(clone), "HEAD", "tag", release.tag)
    git("merge", "--quiet", "--ff-only", f"{release.tag}^{{commit}}")
    target = TOP / "dist"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(clone / "dist", target)


if __name__ == "__main__":
    sys.exit(main())
