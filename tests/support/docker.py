"""A Docker engine, driven by its own command; what a test loads is removed behind it."""

from __future__ import annotations

import json
import subprocess
import uuid
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


class Docker:
    """The engine that answers."""

    def __init__(self, version: str) -> None:
        self.version = version
        self._names: list[str] = []

    @property
    def reads_zstd(self) -> bool:
        """Whether the engine unpacks layers that are compressed with zstd."""
        return int(self.version.partition(".")[0]) >= 23

    def name(self) -> str:
        """A name for an image that no other has; it is removed in the end."""
        name = f"minpack-test/{uuid.uuid4().hex}:1"
        self._names.append(name)
        return name

    def run(
        self, image: str, *arguments: str, options: tuple[str, ...] = (), status: int = 0
    ) -> subprocess.CompletedProcess[str]:
        """A container without a network, which ended with `status`."""
        return self.call("run", "--rm", "--network", "none", *options, image, *arguments, status=status)

    def call(self, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        """A finished command of docker's, which ended with `status`."""
        command = ("docker", *arguments)
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == status, f"docker {arguments[0]} ended with {done.returncode}: {done.stderr}"
        return done

    def load(self, archive: Path) -> list[str]:
        """Load an archive; what the engine says it loaded."""
        lines = self.call("load", "-i", str(archive)).stdout.splitlines()
        return [line.removeprefix("Loaded image: ") for line in lines if line.startswith("Loaded image")]

    def inspect(self, image: str) -> dict[str, Any]:
        """All that the engine knows of an image."""
        (found,) = json.loads(self.call("image", "inspect", image).stdout)
        assert isinstance(found, dict)
        return found

    def holds(self, name: str, image: Mapping[str, Any]) -> bool:
        """Whether an image of this name is the one that minpack told of.

        Engines know images by their configuration's digest, or by the manifest's if they keep them in containerd.
        """
        return self.inspect(name)["Id"] in (image["image_id"], image["digest"])

    def export(self, image: str, to: Path) -> None:
        """Write the root file system of a container of the image, which need not be one that runs, as a tar."""
        container = self.call("create", "--network", "none", image, "/none").stdout.strip()
        try:
            with to.open("wb") as out:
                subprocess.run(("docker", "export", container), stdout=out, check=True, timeout=120)
        finally:
            self.call("rm", container)

    def remove_all(self) -> None:
        """Remove the images of all names that were given."""
        if self._names:
            subprocess.run(("docker", "rmi", "-f", *self._names), capture_output=True, check=False, timeout=120)


@pytest.fixture
def docker(engine: str) -> Iterator[Docker]:
    """A Docker engine."""
    found = Docker(engine)
    yield found
    found.remove_all()
