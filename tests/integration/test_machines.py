"""The same bytes on every machine: under several models of x86-64 processors, and on arm64."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

import minpack
from support.command import environment
from support.elfmaker import static_program
from support.layerbytes import DATA, DIGESTS
from support.pythons import python_of, root_of
from support.tools import need_tool

TESTS = Path(__file__).parents[1]
SOURCE = Path(minpack.__file__).parents[1]
#: Without SSE4 and AVX; with SSE4; with AVX2 and carry-less multiplication; all that qemu knows.
MODELS = ("qemu64", "Nehalem", "Haswell", "max")
#: What is said of the image, and signed with the key: all that lies in the archive besides it.
ABOUT = ("--sbom=spdx", "--sbom=cyclonedx", "--provenance", "--sign=key")
#: A key of P-256 for these tests alone: its number is 7.
KEY = ec.derive_private_key(7, ec.SECP256R1()).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)


def printed(command: tuple[str, ...], path: str) -> tuple[str, dict[str, str]]:
    """The machine that the layers were made on and their digests, as that Python says."""
    script = str(TESTS / "support" / "layerbytes.py")
    done = subprocess.run(
        (*command, script), env=environment({"PYTHONPATH": path}), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    return told["machine"], told["digests"]


def archive(command: tuple[str, ...], path: str, place: Path) -> str:
    """The digest of the archive that `minpack` makes of a program of several blocks, and what is signed of it."""
    (place / "key").write_bytes(KEY)
    (place / "app").write_bytes(static_program(overlay=DATA))
    done = subprocess.run(
        (*command, "-m", "minpack", "./app", "-o", "app.tar", "--no-cache", "--need=tz", *ABOUT),
        cwd=place,
        env=environment({"PYTHONPATH": path}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return hashlib.sha256((place / "app.tar").read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of the archive made on this processor."""
    return archive((sys.executable,), os.pathsep.join(sys.path), tmp_path_factory.mktemp("usual"))


@pytest.mark.tool
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the models are of x86-64")
@pytest.mark.parametrize("model", MODELS)
def test_the_processor_does_not_change_the_bytes(model: str) -> None:
    """Layers in every setting have the digests of every release, whatever instructions the processor has."""
    qemu = need_tool("qemu-x86_64-static")
    machine, digests = printed((qemu, "-cpu", model, sys.executable), os.pathsep.join(sys.path))
    assert machine == "x86_64"
    assert digests == DIGESTS


@pytest.mark.tool
def test_the_architecture_does_not_change_the_bytes(tmp_path: Path, usual: str) -> None:
    """On arm64, layers and an archive with all that is signed are as here. `make pythons` gets its Python."""
    qemu, python, root = need_tool("qemu-aarch64-static"), python_of("arm64"), root_of("arm64")
    if python is None:
        pytest.skip("no Python for arm64: make pythons unpacks one")
    command = (qemu, "-L", str(root), str(python))
    path = os.pathsep.join((str(SOURCE), str(root / "wheels")))
    machine, digests = printed(command, path)
    assert machine == "aarch64"
    assert digests == DIGESTS
    assert archive(command, path, tmp_path) == usual
