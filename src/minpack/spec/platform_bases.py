"""Bases that are for one platform: ``linux/arm64=./arm64.tar.gz``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.errors import OPTION, BadValueError
from minpack.spec.base_ref import parse_base
from minpack.target import parse_platform

if TYPE_CHECKING:
    from minpack.spec.base_ref import BaseRef
    from minpack.target import Platform


def parse_platform_base(text: str) -> tuple[Platform | None, BaseRef]:
    """The platform in front of the first equals sign, None if there is none, and the base; a path may have one too.

    :raises BadValueError: what is in front is written as a platform and is none, or there is nothing behind it.
    """
    before, _, base = text.partition("=")
    try:
        platform = parse_platform(before)
    except BadValueError:
        if before.lower().startswith("linux/"):
            raise
        return None, parse_base(text)
    if not base:
        raise BadValueError(text, "it names no base", f"write {OPTION} {platform}=PATH")
    return platform, parse_base(base)
