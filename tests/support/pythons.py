"""Other Pythons than the tests' own, unpacked from Debian's packages beside the wheels that minpack needs.

    python tests/support/pythons.py [NAME...]

Nothing is installed: apt works on a state of its own. One takes some 20 MB and less than a minute.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

BUILD = Path(__file__).parents[2] / "build"
#: What a pack imports, and what signing takes; the versions are those that are installed here.
LIBRARIES = ("click", "deflate", "zstandard", "certifi", "tzdata", "cryptography", "cffi", "pycparser")
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Source(NamedTuple):
    """Where a Python is from: an architecture as Debian calls it and as wheels do, and a release, empty for the host's.

    `loader` is the program that starts it where the host's C library is too old for it.
    """

    architecture: str
    wheels: str
    suite: str = ""
    loader: str = ""


#: That of arm64 is for qemu, the newer one for this machine.
SOURCES = {
    "arm64": Source("arm64", "aarch64"),
    "3.13": Source("amd64", "x86_64", "trixie", "usr/lib64/ld-linux-x86-64.so.2"),
}


def root_of(name: str) -> Path:
    """The root that a Python is unpacked in."""
    return BUILD / (name if name.isalnum() else f"python{name}")


def python_of(name: str) -> Path | None:
    """The Python of that name, if it is there whole."""
    root = root_of(name)
    found = sorted((root / "usr/bin").glob("python3.[0-9]*"))
    return found[0] if found and (root / "wheels").is_dir() else None


def command_of(name: str) -> tuple[str, ...] | None:
    """What starts that Python on this machine, if it is there and for this machine."""
    python, root, source = python_of(name), root_of(name), SOURCES[name]
    if python is None or not source.loader:
        return None
    libraries = ":".join(str(root / directory / "x86_64-linux-gnu") for directory in ("lib", "usr/lib"))
    return str(root / source.loader), "--library-path", libraries, str(python)


def prepare(name: str) -> None:
    """Unpack the Python of that name, unless it already exists."""
    if python_of(name) is not None:
        return
    source, root = SOURCES[name], root_of(name)
    shutil.rmtree(root, ignore_errors=True)
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent) as work:
        made = Path(work) / "root"
        made.mkdir()
        for package in packages(Path(work), source):
            subprocess.run(("dpkg-deb", "--extract", package, made), check=True)
        wheels(made, source)
        made.rename(root)


def packages(work: Path, source: Source) -> list[Path]:
    """Debian's packages that Python takes, downloaded into `work`."""
    for directory in ("lists/partial", "cache/archives/partial"):
        (work / directory).mkdir(parents=True)
    (work / "status").touch()
    options = {
        "APT::Architecture": source.architecture,
        "APT::Architectures": source.architecture,
        "APT::Sandbox::User": "root",
        "Debug::NoLocking": "1",
        "Dir::State": str(work),
        "Dir::State::lists": str(work / "lists"),
        "Dir::State::status": str(work / "status"),
        "Dir::Cache": str(work / "cache"),
    }
    if source.suite:
        line = f"deb [signed-by={KEYS}] {mirror()} {source.suite} main\n"
        (work / "sources.list").write_text(line, encoding="utf-8")
        options |= {"Dir::Etc::sourcelist": str(work / "sources.list"), "Dir::Etc::sourceparts": "-"}
    apt = ("apt-get", "-qq", *(f"-o{key}={value}" for key, value in options.items()))
    subprocess.run((*apt, "update"), check=True)
    install = (*apt, "--yes", "--no-install-recommends", "--download-only", "install", "python3")
    subprocess.run(install, check=True, stdout=subprocess.DEVNULL)
    return sorted((work / "cache/archives").glob("*.deb"))


def mirror() -> str:
    """The address of Debian's archive in apt's own settings; empty without one."""
    command = ("apt-get", "indextargets", "--format", "$(ORIGIN) $(LABEL) $(REPO_URI)", "Created-By: Packages")
    for line in subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines():
        origin, label, url = (*line.split(" "), "", "")[:3]
        if (origin, label) == ("Debian", "Debian") and url.startswith("http"):
            return url.rstrip("/")
    return ""


def wheels(root: Path, source: Source) -> None:
    """Put the libraries for the Python in `root` beside it."""
    version = next((root / "usr/bin").glob("python3.[0-9]*")).name.removeprefix("python3.")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    listed = subprocess.run((*pip, "list", "--format=json"), check=True, capture_output=True, text=True).stdout
    here = {package["name"]: package["version"] for package in json.loads(listed)}
    wanted = [f"{name}=={here[name]}" for name in LIBRARIES]
    target = ("--target", str(root / "wheels"), "--only-binary=:all:", f"--python-version=3.{version}")
    platforms = tuple(f"--platform={kind}_{source.wheels}" for kind in ("manylinux2014", "manylinux_2_17"))
    subprocess.run((*pip, "install", "--quiet", "--no-deps", *target, *platforms, *wanted), check=True)


if __name__ == "__main__":
    for each in sys.argv[1:] or SOURCES:
        start = time.monotonic()
        prepare(each)
        print(f"{python_of(each)}: ready after {time.monotonic() - start:.0f} s")
