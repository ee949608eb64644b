"""Python of the host's Debian release for arm64, unpacked beside the wheels that minpack needs, for qemu to run.

    python tests/support/arm64.py [DIRECTORY]

Nothing is installed: apt works on a state of its own. It takes some 20 MB and less than a minute.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2] / "build" / "arm64"
#: What a pack imports; the versions are those that are installed here.
LIBRARIES = ("click", "deflate", "zstandard", "certifi", "tzdata")


def python_of(root: Path) -> Path | None:
    """The Python in it, if it is there whole."""
    found = sorted((root / "usr/bin").glob("python3.[0-9]*"))
    return found[0] if found and (root / "wheels").is_dir() else None


def prepare(root: Path) -> None:
    """Fill the directory `root`, unless it is filled already."""
    if python_of(root) is not None:
        return
    shutil.rmtree(root, ignore_errors=True)
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent) as work:
        made = Path(work) / "root"
        made.mkdir()
        for package in packages(Path(work)):
            subprocess.run(("dpkg-deb", "--extract", package, made), check=True)
        wheels(made)
        made.rename(root)


def packages(work: Path) -> list[Path]:
    """Debian's packages for arm64 that Python takes, downloaded into `work`."""
    for directory in ("lists/partial", "cache/archives/partial"):
        (work / directory).mkdir(parents=True)
    (work / "status").touch()
    options = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "APT::Sandbox::User": "root",
        "Debug::NoLocking": "1",
        "Dir::State": str(work),
        "Dir::State::lists": str(work / "lists"),
        "Dir::State::status": str(work / "status"),
        "Dir::Cache": str(work / "cache"),
    }
    apt = ("apt-get", "-qq", *(f"-o{key}={value}" for key, value in options.items()))
    subprocess.run((*apt, "update"), check=True)
    install = (*apt, "--yes", "--no-install-recommends", "--download-only", "install", "python3")
    subprocess.run(install, check=True, stdout=subprocess.DEVNULL)
    return sorted((work / "cache/archives").glob("*.deb"))


def wheels(root: Path) -> None:
    """Put the libraries for the Python in `root` beside it."""
    version = next((root / "usr/bin").glob("python3.[0-9]*")).name.removeprefix("python3.")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    listed = subprocess.run((*pip, "list", "--format=json"), check=True, capture_output=True, text=True).stdout
    here = {package["name"]: package["version"] for package in json.loads(listed)}
    wanted = [f"{name}=={here[name]}" for name in LIBRARIES]
    target = ("--target", str(root / "wheels"), "--only-binary=:all:", f"--python-version=3.{version}")
    platforms = ("--platform=manylinux2014_aarch64", "--platform=manylinux_2_17_aarch64")
    subprocess.run((*pip, "install", "--quiet", "--no-deps", *target, *platforms, *wanted), check=True)


if __name__ == "__main__":
    start = time.monotonic()
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT
    prepare(place)
    print(f"{python_of(place)}: ready after {time.monotonic() - start:.0f} s")
