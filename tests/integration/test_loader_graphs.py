"""Random library graphs: minpack and the real loaders open the same files in the same order, and miss the same.

MINPACK_GRAPHS has the number of graphs for each loader. A failure names its seed; the same seed makes the same graph.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import pytest

from minpack.errors import UnloadableLibraryError
from minpack.ld.closure import Closure, FoundBy
from support.elfmaker import GLIBC, MUSL
from support.graphs import AUXILIARY, Graph, GraphMaker
from support.oracle import Listing, ask_musl, listing, need_loader, refuses, resolve, start_glibc

if TYPE_CHECKING:
    from pathlib import Path

COUNT = int(os.environ.get("MINPACK_GRAPHS", "300"))
#: Rules that graphs of every loader come by; glibc's preloads among them, which are rare.
RULES = {FoundBy.PRELOAD, FoundBy.PATH, FoundBy.RPATH, FoundBy.LIBRARY_PATH, FoundBy.RUNPATH, FoundBy.LOADED}


class Compared(NamedTuple):
    """What minpack and the loader say of one graph; without a closure minpack says that the loader stops."""

    closure: Closure | None
    ours: Listing
    theirs: Listing

    @property
    def agree(self) -> bool:
        """Whether they say the same."""
        return self.ours == self.theirs


def compare(graph: Graph) -> Compared:
    """Ask both."""
    is_glibc = GLIBC.encode() in graph.program.read_bytes()
    ask = start_glibc if is_glibc else lambda program, environment: ask_musl(program, environment=environment)
    theirs = ask(graph.program, graph.environment)
    try:
        closure = resolve(graph.program, environment=graph.environment)
    except UnloadableLibraryError as error:
        return Compared(None, Listing((), (), error.path), _refused(error.path, theirs))
    return Compared(closure, _sorted(listing(closure)), _sorted(theirs))


def _refused(path: str, theirs: Listing) -> Listing:
    """The loader's word on the file at `path`, as minpack's if it means the same.

    It names the file or its name; musl may just as well have loaded it, or crashed in it.
    """
    means = refuses(theirs, path) or theirs.refusal.startswith("killed")
    loaded = any(opened == path for _, opened in theirs.objects)
    return Listing((), (), path) if means or loaded else theirs


def _sorted(said: Listing) -> Listing:
    """Missing names without order, and without tokens, which the loader shows replaced.

    A loader that lists says of auxiliary objects too that they are missing; they are not needed.
    """
    names = sorted(os.path.basename(name) for name in said.missing)
    return said._replace(missing=tuple(name for name in names if not name.startswith(AUXILIARY)))


@pytest.mark.tool
@pytest.mark.parametrize("interpreter", [GLIBC, MUSL], ids=["glibc", "musl"])
def test_random_graphs(tmp_path: Path, interpreter: str) -> None:
    """On every graph both agree; and the graphs are of all kinds, or the test would say little."""
    need_loader(interpreter)
    rules: Counter[FoundBy | None] = Counter()
    kinds: Counter[str] = Counter()
    for seed in range(COUNT):
        root = tmp_path / "graph"
        root.mkdir()
        compared = compare(GraphMaker(Random(seed), root, interpreter).make())  # noqa: S311 - no secret
        assert compared.agree, f"seed {seed}:\nminpack: {compared.ours}\nloader:  {compared.theirs}"
        shutil.rmtree(root)
        if compared.closure is None:
            kinds["refused"] += 1
            continue
        kinds["missing" if compared.closure.missing else "whole"] += 1
        kinds["aliased"] += bool(compared.closure.aliases)
        rules.update(edge.found_by for edge in compared.closure.edges)
    print(f"{COUNT} graphs: {dict(kinds)}; edges: { {str(rule): count for rule, count in rules.items()} }")
    assert set(kinds) == {"refused", "missing", "whole", "aliased"}
    assert set(rules) >= RULES
