"""Variables of the image that name what must be there."""

from __future__ import annotations

import pytest

from minpack.errors import UsageError
from minpack.ld.closure import Libc
from minpack.plan.variables import check_preloaded
from support.closures import closure_of
from support.elfmaker import library, program

FILES = {"/app": program(), "/lib/libx.so.1": library("libx.so.1")}


@pytest.mark.parametrize("value", ["/lib/libx.so.1", " /lib/libx.so.1 ", "", "/lib/libx.so.1:/lib/libx.so.1"])
def test_what_is_preloaded_is_fine(value: str) -> None:
    """By its path or its name, with spaces or colons between."""
    check_preloaded({"LD_PRELOAD": value}, [closure_of(FILES, Libc.GLIBC)], "base")


def test_what_nothing_preloads_is_refused() -> None:
    """The loader would go on without a word."""
    with pytest.raises(UsageError, match=r"base has no /lib/liby.so.1 that loads"):
        check_preloaded({"LD_PRELOAD": "/lib/libx.so.1:/lib/liby.so.1"}, [closure_of(FILES, Libc.GLIBC)], "base")
    with pytest.raises(UsageError, match="a static program has no loader"):
        check_preloaded({"LD_PRELOAD": "libx.so.1"}, [closure_of(FILES, None)], "base")


def test_what_may_be_missing_is_not_refused() -> None:
    """--allow-missing names it, or the loader makes another name of a token in it."""
    closures = [closure_of(FILES, Libc.GLIBC)]
    check_preloaded({"LD_PRELOAD": "liby.so.1"}, closures, "base", frozenset(("liby.so.1",)))
    check_preloaded({"LD_PRELOAD": "/usr/$LIB/liby.so.1"}, closures, "base")
