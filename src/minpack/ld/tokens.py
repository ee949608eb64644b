"""Tokens in rpaths, runpaths and needed names: ``$ORIGIN``, ``$LIB`` and ``$PLATFORM``."""

from __future__ import annotations

import re

# A name ends where no letter, digit or underscore follows (glibc elf/dl-load.c, is_dst).
_TOKEN = re.compile(r"\$(?:(ORIGIN|LIB|PLATFORM)(?![A-Za-z0-9_])|\{(ORIGIN|LIB|PLATFORM)\})")
_MUSL_TOKEN = re.compile(r"\$(?:ORIGIN|\{ORIGIN\})")


def expand_glibc(text: str, origin: str, lib: str, platform: str = "") -> str | None:
    """`text` with its tokens replaced; None if it has ``$PLATFORM``, and that depends on the CPU or is none.

    Unknown names after a ``$`` stay as they are (ld.so(8), "Dynamic string tokens").
    """
    if "$" not in text:
        return text
    values = {"ORIGIN": origin, "LIB": lib, "PLATFORM": platform}
    names = [a or b for a, b in _TOKEN.findall(text)]
    if "PLATFORM" in names and not platform:
        return None
    return _TOKEN.sub(lambda m: values[m[1] or m[2]], text)


def expand_musl(text: str, origin: str | None) -> str | None:
    """`text` with ``$ORIGIN`` replaced; None if any other ``$`` is in it, or there is no origin to replace it by.

    musl ignores the whole rpath then, and takes what follows ORIGIN as text (ldso/dynlink.c, fixup_rpath).
    """
    if "$" not in text:
        return text
    if origin is None or text.count("$") != len(_MUSL_TOKEN.findall(text)):
        return None
    return _MUSL_TOKEN.sub(lambda _: origin, text)
