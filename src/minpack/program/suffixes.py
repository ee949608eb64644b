"""Names of programs that end with the platform that they are for: ``app-amd64``, ``app_linux_arm64``."""

from __future__ import annotations

import re

from minpack.errors import BadValueError
from minpack.namedtuple import NamedTuple
from minpack.target import Platform, parse_platform

#: What else is in such an ending: systems, C libraries and vendors, as in ``app-x86_64-unknown-linux-musl``.
_AROUND = re.compile("linux|unknown|pc|gnu(eabi(hf)?)?|musl(eabi(hf)?)?")
#: How compilers and kernels call architectures, where platforms have another name.
_ARCHITECTURES = {
    "x64": "amd64",
    "i486": "386",
    "i586": "386",
    "i686": "386",
    "armv5": "arm/v5",
    "armv5te": "arm/v5",
    "armv6": "arm/v6",
    "armv6l": "arm/v6",
    "armv7": "arm/v7",
    "armv7l": "arm/v7",
    "armv8": "arm/v8",
    "powerpc64le": "ppc64le",
    "riscv64gc": "riscv64",
}
#: ``x86_64`` has a character that separates other words.
_WORD = re.compile("x86[_-]64|[^-_.]+")
#: A variant by itself: goreleaser writes ``arm_7``, ``amd64_v1`` and ``arm64_v8.0``.
_VARIANT = re.compile(r"v?\d")


class NamedPlatform(NamedTuple):
    """A name without its ending, and the platform that the ending names; an ARM may have no `variant` there."""

    stem: str
    platform: Platform
    has_variant: bool


def platform_in(name: str) -> NamedPlatform | None:
    """The platform that the end of a program's `name` names, if it names one and something stands in front."""
    words = [(found.start(), found[0].lower()) for found in _WORD.finditer(re.sub(r"(v\d)\.\d$", r"\1", name))]
    architecture = variant = ""
    start = len(name)
    for at, word in reversed(words):
        known = _architecture(word)
        if known and not architecture:
            architecture = known
        elif not architecture and not variant and _VARIANT.fullmatch(word):
            variant = f"v{word[-1]}"
        elif _AROUND.fullmatch(word) is None:
            break
        start = at
    stem = name[:start].rstrip("-_.")
    platform = _platform(architecture, variant)
    if platform is None or not stem:
        return None
    return NamedPlatform(stem, platform, bool(variant) or "/" in architecture)


def _architecture(word: str) -> str:
    """The architecture that a word names, with its variant if it has one; empty if it names none."""
    known = _ARCHITECTURES.get(word, word)
    return known if _platform(known, "") is not None else ""


def _platform(architecture: str, variant: str) -> Platform | None:
    try:
        return parse_platform(f"{architecture}/{variant}" if variant and "/" not in architecture else architecture)
    except BadValueError:
        return None


def image_name(paths: tuple[str, ...]) -> str:
    """What an image of the programs at these paths of the host is called after: the first one's name.

    Where names differ in the platform that they end with alone, it is without.
    """
    names = [path.rstrip("/").rpartition("/")[2] for path in paths]
    stems = [found.stem if (found := platform_in(name)) is not None else name for name in names]
    return stems[0] if stems[0] in stems[1:] else names[0]
