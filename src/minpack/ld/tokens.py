"""Tokens in rpaths, runpaths and needed names: ``$ORIGIN``, ``$LIB`` and ``$PLATFORM``."""

from __future__ import annotations

import re

# A name ends where no letter, digit or underscore follows (glibc elf/dl-load.c, is_dst).
_NAME = r"\$(?:(ORIGIN|LIB|PLATFORM)(?![A-Za-z0-9_])|\{(ORIGIN|LIB|PLATFORM)\})"
_MUSL_NAME = r"\$(?:ORIGIN|\{ORIGIN\})"
#: Many tokens, each of them a long directory, would fill any memory. A text that becomes longer counts as one without a
#: value: no directory is as long, and no list of them.
MAX_EXPANDED = 1 << 16


def expand_glibc(text: str, origin: str, lib: str, platform: str = "") -> str | None:
    """`text` with its tokens replaced; None if it has ``$PLATFORM``, and that depends on the CPU or is none.

    Unknown names after a ``$`` stay as they are (ld.so(8), "Dynamic string tokens").
    """
    if "$" not in text:
        return text
    values = {"ORIGIN": origin, "LIB": lib, "PLATFORM": platform}
    names = [a or b for a, b in re.findall(_NAME, text)]
    if ("PLATFORM" in names and not platform) or len(text) + sum(len(values[name]) for name in names) > MAX_EXPANDED:
        return None
    return re.sub(_NAME, lambda m: values[m[1] or m[2]], text)


def expand_musl(text: str, origin: str | None) -> str | None:
    """`text` with ``$ORIGIN`` replaced; None if any other ``$`` is in it, or there is no origin to replace it by.

    musl ignores the whole rpath then, and takes what follows ORIGIN as text (ldso/dynlink.c, fixup_rpath).
    """
    if "$" not in text:
        return text
    count = text.count("$")
    if origin is None or count != len(re.findall(_MUSL_NAME, text)) or len(text) + count * len(origin) > MAX_EXPANDED:
        return None
    return re.sub(_MUSL_NAME, lambda _: origin, text)
