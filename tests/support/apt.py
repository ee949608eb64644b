"""Debian's real archive, by the mirror that this machine's apt uses."""

from __future__ import annotations

import subprocess

import pytest

from minpack.errors import MinpackError
from minpack.store.download import read_document
from minpack.store.network import Network
from support.tools import need_tool


def debian_mirror() -> str:
    """The address of the mirror that apt's settings name for Debian; without one that answers the test is skipped."""
    apt = need_tool("apt-get")
    done = subprocess.run(
        [apt, "indextargets", "--format", "$(ORIGIN) $(LABEL) $(REPO_URI)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    )
    for line in done.stdout.splitlines():
        origin, label, url = (*line.split(" "), "", "")[:3]
        if (origin, label) == ("Debian", "Debian") and url.startswith("http"):
            mirror = url.rstrip("/")
            try:
                read_document(f"{mirror}/dists/bookworm/InRelease", limit=1 << 20, network=Network(attempts=2))
            except MinpackError as error:
                pytest.skip(f"apt's mirror does not answer: {error}")
            return mirror
    pytest.skip("apt's settings name no mirror of Debian")
