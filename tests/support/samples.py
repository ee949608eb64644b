"""The programs of `samples/`, built once by their own Makefiles; without a compiler the test is skipped."""

from __future__ import annotations

import fcntl
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLES = Path(__file__).parents[2] / "samples"
# As it was before any test changed it: compilers keep their caches where it says.
_ENVIRONMENT = dict(os.environ)


def sample(name: str) -> Path:
    """The path of the built program of `samples/NAME`.

    The test is skipped when no compiler for it can be had, and fails when it does not compile.
    """
    with _lock():
        if _make(name, "--question").returncode != 0:
            found = _make(name, "toolchain")
            if found.returncode != 0:
                pytest.skip(f"the sample {name} cannot be built: {_reason(found.stderr)}")
            built = _make(name)
            if built.returncode != 0:
                pytest.fail(f"the sample {name} does not build:\n{built.stdout}{built.stderr}", pytrace=False)
    return SAMPLES / name / "build" / name


def go_cache(go: str) -> str:
    """Where what a sample in Go is compiled from lies, compiled."""
    done = subprocess.run((go, "env", "GOCACHE"), capture_output=True, text=True, check=True, env=_ENVIRONMENT)
    return done.stdout.strip()


def _make(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ("make", "-C", str(SAMPLES / name), *arguments)
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, env=_ENVIRONMENT)
    except FileNotFoundError:
        pytest.skip("make is not installed")


def _reason(messages: str) -> str:
    """What `samples/toolchain.py` said, among make's own words."""
    lines = [line.removeprefix("toolchain: ") for line in messages.splitlines() if line.startswith("toolchain: ")]
    return lines[-1] if lines else messages.strip()


@contextmanager
def _lock() -> Iterator[None]:
    """One process at a time builds: the workers of pytest-xdist share the samples' directories."""
    directory = SAMPLES / ".toolchain"
    directory.mkdir(exist_ok=True)
    with (directory / "tests.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def go_https() -> Path:
    """A static Go program that makes HTTPS calls and uses time zones."""
    return sample("go-https")


@pytest.fixture(scope="session")
def rust_glibc() -> Path:
    """A Rust program that needs glibc and libgcc_s."""
    return sample("rust-glibc")


@pytest.fixture(scope="session")
def c_musl_tls() -> Path:
    """A C program that needs musl and OpenSSL 3."""
    return sample("c-musl-tls")


@pytest.fixture(scope="session")
def c_glibc() -> Path:
    """A C program that needs glibc and libm."""
    return sample("c-glibc")
