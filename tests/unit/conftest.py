"""What unit tests share: a store of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minpack.store.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The directory of the store."""
    return tmp_path / "store"


@pytest.fixture
def store(place: Path) -> Generator[Store]:
    """An empty store."""
    with open_store(str(place)) as opened:
        yield opened
