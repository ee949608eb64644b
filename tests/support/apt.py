"""Debian's real archive, by the mirror that this machine's apt uses."""

from __future__ import annotations

import pytest

from minpack.errors import MinpackError
from minpack.net.download import read_document
from minpack.net.network import Network
from support.pythons import mirror
from support.tools import need_tool


def debian_mirror() -> str:
    """The address of the mirror that apt's settings name for Debian; without one that answers the test is skipped."""
    need_tool("apt-get")
    found = mirror()
    if not found:
        pytest.skip("apt's settings name no mirror of Debian")
    try:
        read_document(f"{found}/dists/bookworm/InRelease", limit=1 << 20, network=Network(attempts=2))
    except MinpackError as error:
        pytest.skip(f"apt's mirror does not answer: {error}")
    return found
