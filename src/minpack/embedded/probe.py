"""The probe of containers' health, which comes with minpack for each platform that it can be built for.

Its source is in `src/probe`; `SHA256SUMS` beside the programs says from what they were built.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from minpack.content import BytesContent

if TYPE_CHECKING:
    from minpack.target import Platform

_PROGRAMS = os.path.join(os.path.dirname(__file__), "probes")
#: The architectures that it is for.
ARCHITECTURES = (
    *("386", "amd64", "arm", "arm64", "arm64be", "loong64", "mips", "mips64", "mips64le", "mipsle"),
    *("ppc", "ppc64", "ppc64le", "riscv", "riscv64", "s390x"),
)
#: Kernels for the first run programs for the second.
_RUNS = {"amd64p32": "amd64"}


def probe(platform: Platform) -> BytesContent | None:
    """The probe for a platform, of whatever variant; None where there is none."""
    architecture = _RUNS.get(platform.architecture, platform.architecture)
    if architecture not in ARCHITECTURES:
        return None
    with open(os.path.join(_PROGRAMS, architecture), "rb") as file:
        return BytesContent(file.read(), "minpack's health probe")
