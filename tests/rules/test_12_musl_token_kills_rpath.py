"""musl: an rpath with any ``$`` in it that is not ``$ORIGIN`` is ignored as a whole.

Source: musl ldso/dynlink.c, fixup_rpath.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.elfmaker import GLIBC, MUSL, library
from support.rulebook import Tree

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("token", ["$LIB", "${PLATFORM}", "$", "$FOO", "${ORIGIN"])
def test_unknown_token(tmp_path: Path, token: str) -> None:
    """The directory that has no token in it is not looked into either."""
    tree = Tree(tmp_path, MUSL)
    tree.app("libmpka.so", rpath=f"{tree.at('lib')}:/no/{token}")
    tree.put("lib/libmpka.so", library())
    (missing,) = tree.closure().missing
    assert tree.at("lib") not in [considered.directory for considered in missing.considered]


@pytest.mark.parametrize("token", ["$FOO", "$", "$PLATFORM", "${ORIGIN"])
def test_glibc_ignores_less(tmp_path: Path, token: str) -> None:
    """What glibc does not know it leaves as it is, and for a token without a value it drops one directory."""
    tree = Tree(tmp_path, GLIBC)
    tree.app("libmpka.so", rpath=f"/no/{token}:{tree.at('lib')}")
    tree.put("lib/libmpka.so", library())
    assert tree.found() == {"libmpka.so": ("lib/libmpka.so", "rpath")}
