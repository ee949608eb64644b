"""The check of instruction counts: what grew is refused."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

FILE = Path(__file__).parents[2] / "benchmarks" / "counts.py"


def counts() -> Any:
    """The benchmark's module, which is no package."""
    spec = importlib.util.spec_from_file_location("counts", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_grew_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Up to a twentieth more passes, and any less; more does not, and is named."""
    compare = counts().compare
    assert compare({"a": 1000, "b": 1000}, {"a": 1050, "b": 1}) == 0
    assert "too much" not in capsys.readouterr().out
    assert compare({"a": 1000, "b": 1000}, {"a": 1051, "b": 1}) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.endswith("too much") for line in lines] == [True, False]
    assert compare({}, {"new": 5}) == 0
