"""Which functions of the program's own, or of its modules, lead to what says that it needs something."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from minpack.needs.golang.arguments import Arguments
from minpack.needs.golang.calls import Site, nearest_callers, read_graph
from minpack.needs.golang.code import entries_of, name_of, read_code
from minpack.needs.golang.functions import named_functions
from minpack.needs.need import Caller, Need, Seen, Verdict

if TYPE_CHECKING:
    from minpack.needs.binary import Binary
    from minpack.needs.golang.calls import CallGraph
    from minpack.needs.golang.code import Code
    from minpack.needs.golang.detect import GoProgram
    from minpack.needs.golang.functions import FunctionTable

#: What leads to a function only through an interface, and so has no direct call: its callers are told instead.
_THROUGH = {
    "net/http.(*Transport).dialConn": ("net/http.(*Client).do", "net/http.(*Client).Do", "net/http.(*Client).Get"),
    "os/exec.(*Cmd).Start": ("os/exec.Command", "os/exec.CommandContext", "os/exec.LookPath"),
}
#: Functions whose first argument tells more than their name.
_TELLING = frozenset(("time.LoadLocation", "os/exec.Command", "os/exec.LookPath", "os/user.Lookup"))
#: The most calls by one function whose arguments are looked at, and arguments told.
MAX_SITES, MAX_ARGUMENTS = 1000, 20
#: The most bytes of all names that are read. Those of the functions gone through have some hundred thousand.
MAX_NAMES = 4 << 20


def callers(binary: Binary, program: GoProgram) -> dict[Need, tuple[Caller, ...]]:
    """For each need that is not ruled out, the nearest functions that are not of Go's standard library.

    Empty where the machine code is not read (see `code`). Callers through interfaces and function values are not seen.
    """
    if program.table is None:
        return {}
    code = read_code(binary, program.table)
    if code is None:
        return {}
    wanted: dict[Need, list[str]] = {}
    for signal in program.signals:
        if signal.verdict is not Verdict.NOT_NEEDED and signal.evidence.kind is Seen.FUNCTION:
            names = wanted.setdefault(signal.need, [])
            names += [signal.evidence.name, *_THROUGH.get(signal.evidence.name, ())]
    every = frozenset(name.encode() for names in wanted.values() for name in names if name)
    indexes = entries_of(binary, program.table, code, named_functions(binary, program.table, every))
    graph = read_graph(binary, code)
    reader = _Reader(binary, program.table, code, graph, program.build.main.name)
    return {
        need: tuple(
            caller for name in names if name.encode() in indexes for caller in reader.of(indexes[name.encode()])
        )
        for need, names in wanted.items()
    }


class _Reader:
    """Tells who calls a function."""

    def __init__(self, binary: Binary, table: FunctionTable, code: Code, graph: CallGraph, main: str) -> None:
        self._code, self._graph, self._main = code, graph, main
        self._arguments_of = Arguments(binary, code)
        self._binary, self._table = binary, table
        self._names: dict[int, str] = {}
        self._left = MAX_NAMES

    def _name(self, index: int) -> str:
        """The name of a function, empty when enough has been read of names: they may overlap."""
        name = self._names.get(index)
        if name is None:
            name = self._names[index] = name_of(self._binary, self._table, self._code, index) if self._left > 0 else ""
            self._left -= len(name)
        return name

    def of(self, target: int) -> list[Caller]:
        """The callers of the function at the index `target`, those of the user's own module first."""
        ways = nearest_callers(self._graph, self._code, (target,), self._name, self._is_own)
        told = []
        for way in ways:
            names = [self._name(index) for index in way]
            if len(way) > 1:
                told.append(Caller(names[-1], names[0], tuple(reversed(names[1:-1])), self._arguments(way)))
        return sorted(told, key=lambda caller: not self._is_users(caller.name))

    def _arguments(self, way: tuple[int, ...]) -> tuple[str, ...]:
        """The constants that the last function of the way is called with by the one before."""
        if self._name(way[-1]) not in _TELLING:
            return ()
        entry = self._code.entries[way[-1]]
        sites = (at for at in self._graph.callers[way[-1]] if self._code.function_at(at) == way[-2])
        texts = (self._arguments_of.text(Site(at, entry)) for at in islice(sites, MAX_SITES))
        return tuple(sorted({text for text in texts if text is not None})[:MAX_ARGUMENTS])

    def _is_own(self, name: str) -> bool:
        """Whether it is not of the standard library, whose import paths have no dot in their first part."""
        first, slash, _ = name.partition("[")[0].partition("/")
        return self._is_users(name) or bool(slash and "." in first and ":" not in first)

    def _is_users(self, name: str) -> bool:
        return name.startswith("main.") or bool(self._main and name.startswith((self._main + ".", self._main + "/")))
