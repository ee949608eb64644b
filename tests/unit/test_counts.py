"""The check of instruction counts: what grew is refused, and what is counted reads nothing of the machine's."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support.command import minpack, snapshot

if TYPE_CHECKING:
    import pytest

FILE = Path(__file__).parents[2] / "benchmarks" / "counts.py"


def counts() -> Any:
    """The benchmark's module, which is not a package."""
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


def test_a_closure_is_counted_that_is_the_same_everywhere(tmp_path: Path) -> None:
    """The program and its libraries are the same bytes each time, all are found in their root, and it loads."""
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        counts().make_closure(tmp_path / name)
        found = snapshot(tmp_path / name).entries
        made.append([(path.replace(f"/{name}/", "/"), mode, data) for path, mode, _, _, data in found])
    assert made[0] == made[1]
    ran = minpack("tree", "one/dynamic", "--base", "one/root", "--check", "load", "--json", cwd=tmp_path)
    assert ran.code == 0, ran.err
    document = ran.document
    assert (document["result"], document["missing"]) == ("loads", [])
    assert len(document["objects"]) == counts().LIBRARIES + len(("the program", "its loader", "libc"))
    assert document["base"] == "root"
