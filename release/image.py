"""Make what minpack's own image is packed from: for each platform a root with Python and what minpack imports.

    python release/image.py [--pin]

`minpack build` packs the image from ``build/image``, as minpack.toml says. Python is Debian's, fetched and verified by
minpack itself; the libraries are wheels whose sums are in ``release/requirements.txt``, which ``--pin`` writes anew. No
program of another platform is run: bytecode is the same for all, and is compiled by this machine's platform's Python.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from fnmatch import fnmatch
from pathlib import Path

from minpack.content import read_all
from minpack.elf.read import read_elf
from minpack.elf.strip import stripped
from minpack.program.additions import host_file

TOP = Path(__file__).resolve().parents[1]
BUILD = TOP / "build" / "image"
PINS = Path(__file__).with_name("requirements.txt")
#: By OCI's name of the architecture, that of wheels.
PLATFORMS = {"amd64": "x86_64", "arm64": "aarch64"}
BASE, PYTHON = "debian-13", "3.13"
#: Debian's Python, and libraries of the modules that minpack imports: by name, so that no index of files is asked.
PACKAGES = (
    *(f"python{PYTHON}-minimal", f"libpython{PYTHON}-minimal", f"libpython{PYTHON}-stdlib"),
    *("libbz2-1.0", "libexpat1", "libffi8", "libc6", "liblzma5", "libssl3t64", "libstdc++6", "libzstd1", "zlib1g"),
)
#: Parts of the standard library that minpack does not import: Python's tests, and what needs other libraries.
UNUSED = (
    *("test", "idlelib", "turtledemo", "turtle.py", "tkinter", "ensurepip", "pydoc_data", "_pyrepl"),
    *("curses", "dbm", "sqlite3", "lib-dynload/*test*", "lib-dynload/xx*", "lib-dynload/_curses*"),
    *("lib-dynload/_dbm*", "lib-dynload/_gdbm*", "lib-dynload/_sqlite3*", "lib-dynload/readline*"),
    *("lib-dynload/_uuid*", "lib-dynload/_tkinter*"),
)
#: Parts of wheels that only type checkers read, or that are there once more for other Pythons.
UNREAD = ("*.pyi", "zstandard/_cffi.*.so", "zstandard/_cffi.*.h")
LIBRARY, SITE = f"usr/lib/python{PYTHON}", f"usr/local/lib/python{PYTHON}/dist-packages"


def main() -> int:
    """Write the pins, or make the roots."""
    parser = argparse.ArgumentParser(description="Make what minpack's own image is packed from.")
    parser.add_argument("--pin", action="store_true", help="write release/requirements.txt for the newest wheels")
    if parser.parse_args().pin:
        PINS.write_text(pins(), encoding="utf-8")
        return 0
    if sys.platform != "linux" or native() is None:
        print("make image needs Linux on x86-64 or arm64: that platform's Python compiles", file=sys.stderr)
        return 1
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    for name in PLATFORMS:
        make_root(name)
    own = BUILD / "minpack"
    unpack(own_wheel(), own)
    compile_all(own, SITE)
    (BUILD / "VERSION").write_text(own_version() + "\n", encoding="utf-8")
    return 0


def native() -> str | None:
    """The name of this machine's platform, if the image is for it."""
    return next((name for name, machine in PLATFORMS.items() if machine == platform.machine()), None)


def make_root(name: str) -> None:
    """Make ``build/image/linux-NAME``: Python of Debian's packages, the wheels, and bytecode of both."""
    root = BUILD / f"linux-{name}"
    # A root is made around a program: this one is static, and is not taken from the root.
    program = TOP / "src/minpack/embedded/probes" / name
    packages = (f"--package={one}" for one in PACKAGES)
    minpack("pack", str(program), "--base", BASE, *packages, "--format", "rootfs", "-o", str(root), "-q")
    for pattern in UNUSED:
        for path in (root / LIBRARY).glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for wheel in wheels(name, BUILD / "wheels" / name):
        unpack(wheel, root / SITE)
    compile_all(root / LIBRARY, LIBRARY)
    compile_all(root / SITE, SITE)


def minpack(*arguments: str) -> None:
    """Run this tree's minpack."""
    subprocess.run((sys.executable, "-m", "minpack", *arguments), check=True, cwd=TOP)


def wheels(name: str, target: Path, *wanted: str) -> list[Path]:
    """The pinned wheels for a platform, or those that are newest of `wanted`, downloaded into `target`."""
    machine = PLATFORMS[name]
    known = ("manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014")
    platforms = (f"--platform={kind}_{machine}" for kind in known)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--only-binary=:all:")
    what = wanted or ("--no-deps", "--require-hashes", "--requirement", str(PINS))
    command = (*pip, "--implementation=cp", f"--python-version={PYTHON}", *platforms, "--dest", str(target), *what)
    subprocess.run(command, check=True)
    return sorted(target.glob("*.whl"))


def pins() -> str:
    """The newest wheels that pyproject.toml allows, with the sums of those for every platform."""
    with (TOP / "pyproject.toml").open("rb") as file:
        wanted = tomllib.load(file)["project"]["dependencies"]
    sums: dict[str, set[str]] = {}
    with tempfile.TemporaryDirectory() as work:
        for name in PLATFORMS:
            for wheel in wheels(name, Path(work, name), *wanted):
                project, version = wheel.name.split("-")[:2]
                found = sums.setdefault(f"{project.lower().replace('_', '-')}=={version}", set())
                found.add(hashlib.sha256(wheel.read_bytes()).hexdigest())
    head = "# The libraries of minpack's own image, of both platforms; `make image PIN=1` writes this file.\n"
    rows = (
        " \\\n    ".join((name, *(f"--hash=sha256:{one}" for one in sorted(sums[name])))) + "\n"
        for name in sorted(sums)
    )
    return head + "".join(rows)


def unpack(wheel: Path, target: Path) -> None:
    """What a wheel has to import, and its description, without symbol tables; commands and manuals are left out."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".data/" not in name]
        assert not any("/purelib/" in name or "/platlib/" in name for name in archive.namelist()), wheel
        wanted = [name for name in names if not any(fnmatch(name, pattern) for pattern in UNREAD)]
        archive.extractall(target, wanted)
    for name in wanted:
        if name.endswith(".so"):
            strip(target / name)


def strip(path: Path) -> None:
    """Take the symbol tables out of a library, as `minpack --strip` does, for any platform."""
    content = host_file(str(path))
    data = read_all(stripped(content, read_elf(content)), content.size)
    path.unlink()
    path.write_bytes(data)


def own_wheel() -> Path:
    """The wheel of this tree."""
    target = BUILD / "wheels"
    command = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(TOP))
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "SOURCE_DATE_EPOCH": "315532800"})
    return next(target.glob("minpack-*.whl"))


def own_version() -> str:
    """The version of this tree."""
    command = (sys.executable, "-c", "from minpack import __version__; print(__version__)")
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def compile_all(directory: Path, inside: str) -> None:
    """Compile the modules in a directory, which is at `inside` in the image.

    The interpreter is always that of the image, in one process and without random hashes: its bytecode depends on both.
    It is not compared with its source when it is loaded, whose time is not kept.
    """
    name = native()
    assert name is not None
    root, binding = BUILD / f"linux-{name}", f"{directory}:/made/{inside}"
    options = ("--base", str(root), "--take", f"/{LIBRARY}", "--dest", f"/usr/bin/python{PYTHON}", "-u", "0")
    job = ("-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-s", "/made", "-p", "/", "/made")
    python = str(root / f"usr/bin/python{PYTHON}")
    minpack("run", *options, "-e", "PYTHONHASHSEED=0", "--bind", binding, python, *job)


if __name__ == "__main__":
    sys.exit(main())
