"""Calls of single functions of a Go program are those that a look at all its code finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minpack.content import FileContent
from minpack.elf.read import read_elf
from minpack.needs.binary import open_binary
from minpack.needs.golang import calls
from minpack.needs.golang.calls import calls_of, read_graph
from minpack.needs.golang.code import read_code
from minpack.needs.golang.functions import find_functions
from support.gobuild import go_build

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("hello") }\n'


@pytest.mark.tool
@pytest.mark.parametrize("goarch", ["amd64", "arm64"])
def test_a_few_calls_are_found_as_all_are(
    goarch: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For functions all over the code, called from near and far, alone and together, in code of many pieces."""
    monkeypatch.setattr(calls, "PIECE", 1 << 14)
    path = go_build(SOURCE, tmp_path, tmp_path_factory, goarch=goarch)
    content = FileContent(str(path), path.stat().st_size)
    with open_binary(content, read_elf(content), "app") as binary:
        table = find_functions(binary)
        assert table is not None
        code = read_code(binary, table)
        assert code is not None
        callers = read_graph(binary, code).callers
        chosen = sorted(callers)[:: len(callers) // 40]
        expected = {
            target: {at for at in callers[index] if code.entries[code.function_at(at)] != target}
            for index, target in ((index, code.entries[index]) for index in chosen)
        }
        for target, sites in expected.items():
            assert {site.at for site in calls_of(binary, code, frozenset((target,)))} == sites
        together = {(site.target, site.at) for site in calls_of(binary, code, frozenset(expected))}
        assert together == {(target, at) for target, sites in expected.items() for at in sites}
        assert len(together) > 40
