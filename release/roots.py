"""Install the wheel into bare roots of other systems, and use it there: nothing of this tree or machine is seen.

    python release/roots.py [NAME...]

As root, with debootstrap, and qemu-user-static for other machines. Each root is made in ``build/roots``. Wheels come
from the package index by pip here; in the root, pip has them alone, and no network is used.
"""

from __future__ import annotations

import argparse
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

TOP = Path(__file__).resolve().parents[1]
BUILD = TOP / "build" / "roots"
NATIVE = ("click", "cryptography", "deflate", "elftools", "lief", "pysequoia", "rich", "urllib3", "zstandard")


class Root(NamedTuple):
    """A release of Debian: its machine, its Python, and a program of it with arguments."""

    machine: str
    python: str
    program: tuple[str, ...]
    release: str

    @property
    def emulator(self) -> str:
        """The program that runs those of its machine here; empty if they run by themselves."""
        return "" if self.machine == platform.machine() else f"qemu-{self.machine}-static"

    @property
    def tags(self) -> tuple[str, ...]:
        """Of wheels, best first."""
        return tuple(f"manylinux{kind}_{self.machine}" for kind in ("_2_34", "_2_28", "_2_17", "2014"))


def debian(root: Root, place: Path) -> None:
    """Unpack what Debian calls its smallest variant, with Python: nothing is configured, so that none of it is run."""
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}[root.machine]
    options = ("--foreign", f"--arch={architecture}", "--variant=minbase", "--include=python3")
    subprocess.run(("debootstrap", *options, root.release, place), check=True, stdout=subprocess.DEVNULL)
    for package in sorted((place / "var/cache/apt/archives").glob("*.deb")):
        subprocess.run(("dpkg-deb", "--extract", package, place), check=True)


PRINTF = ("/usr/bin/printf", "packed")
ROOTS = {
    "debian-12": Root("x86_64", "3.11", PRINTF, "bookworm"),
    "debian-12-arm64": Root("aarch64", "3.11", PRINTF, "bookworm"),
    "debian-13": Root("x86_64", "3.13", PRINTF, "trixie"),
}


def main() -> int:
    """Try the roots that are named, or all."""
    parser = argparse.ArgumentParser(description="Install the wheel into bare roots, and use it there.")
    parser.add_argument("names", nargs="*", choices=[*ROOTS, []], metavar="NAME", help=", ".join(ROOTS))
    names = parser.parse_args().names or list(ROOTS)
    BUILD.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD) as work:
        for name in names:
            start = time.monotonic()
            said = attempt(ROOTS[name], Path(work) / name)
            print(f"{name}: {said}; {time.monotonic() - start:.0f} s", flush=True)
    return 0


def attempt(root: Root, place: Path) -> str:
    """Install the wheel in a new root at `place`, pack a program of the root, and run it; what was seen."""
    debian(root, place)
    house = place / "wheels"
    fetch(root, house)
    if root.emulator:
        shutil.copy(shutil.which(root.emulator) or root.emulator, place / "emulator")
    python = f"/usr/bin/python{root.python}"
    inside(root, place, python, "-m", "venv", "--without-pip", "/opt/minpack")
    (pip,) = house.glob("pip-*.whl")
    venv = "/opt/minpack/bin/python"
    install = ("install", "--quiet", "--no-compile", "--no-index", "--find-links=/wheels", "minpack")
    inside(root, place, venv, f"/wheels/{pip.name}/pip", *install)
    inside(root, place, venv, "-c", f"import {', '.join(NATIVE)}")
    # The command itself is a script, which no emulator starts.
    command = (venv, "-m", "minpack") if root.emulator else ("/opt/minpack/bin/minpack",)
    version = inside(root, place, *command, "--version").strip()
    program, *arguments = root.program
    inside(root, place, *command, program, "--base", "/", "--format", "rootfs", "-o", "/packed")
    inside(root, place, *command, program, "--base", "/", "-o", "/packed.tar")
    inside(root, place, *command, "check", "/packed.tar")
    if root.emulator:
        shutil.copy(place / "emulator", place / "packed/emulator")
    ran = inside(root, place / "packed", f"/usr/local/bin/{Path(program).name}", *arguments)
    assert ran == "packed", ran
    return f"{version} on Python {root.python}, {root.machine}: {program} is packed, and its image runs"


def fetch(root: Root, house: Path) -> None:
    """Put the wheel, pip's, and those of all that it needs for the root into `house`."""
    wheel = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(house), str(TOP))
    subprocess.run(wheel, check=True, stdout=subprocess.DEVNULL)
    (own,) = house.glob("minpack-*.whl")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--only-binary=:all:")
    tags = (f"--platform={tag}" for tag in root.tags)
    command = (*pip, "--implementation=cp", f"--python-version={root.python}", *tags, "--dest", str(house))
    subprocess.run((*command, str(own), "pip"), check=True)


def inside(root: Root, place: Path, *command: str) -> str:
    """What a command prints in the root at `place`, without variables of this machine."""
    emulator = ("/emulator",) if root.emulator else ()
    clean = {"PATH": "/usr/bin:/bin", "HOME": "/root", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        (shutil.which("chroot") or "chroot", str(place), *emulator, *command),
        check=False,
        capture_output=True,
        text=True,
        env=clean,
    )
    if done.returncode:
        shown = re.sub(r"\s+", " ", " ".join(command))
        message = f"{shown} ended with {done.returncode} in {place.name}:\n{done.stdout}{done.stderr}"
        raise SystemExit(message)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
