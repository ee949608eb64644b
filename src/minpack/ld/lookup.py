"""Looking up every symbol that objects ask for, in the order of the loaders, whatever the rules of one C library."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

from minpack.elf.symbols import SymbolReference
from minpack.errors import InputError
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from minpack.elf.symbols import Symbols
    from minpack.ld.closure import Closure, LoadedObject

STB_LOCAL, STB_GLOBAL, STB_WEAK, STB_GNU_UNIQUE = 0, 1, 2, 10
STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_COMMON, STT_TLS, STT_GNU_IFUNC = 0, 1, 2, 5, 6, 10
#: The hidden bit of a version's index.
HIDDEN = 0x8000
STO_MIPS_PLT = 8
#: How a symbol may be bound for others to bind to it.
BINDS = frozenset((STB_GLOBAL, STB_WEAK, STB_GNU_UNIQUE))
#: The most objects asked for names, all together: the largest closures known take some hundred thousand.
MAX_ASKED = 5_000_000
#: The fields of a reference that say what is looked up: name, version, whether that is hidden, and kind.
_question = itemgetter(*(SymbolReference._fields.index(field) for field in ("name", "version", "hidden", "kind")))


class Unbound(NamedTuple):
    """A symbol that nothing in scope defines; `version` is empty where none was asked for.

    Fatal ones keep the program from starting. The others end it when they are called
    (lazy calls under glibc), or keep it from opening what is opened later.
    """

    symbol: str
    version: str
    needed_by: str
    fatal: bool


class MissingVersion(NamedTuple):
    """A version that `file` should define and does not; `newest` is the newest of its kind that it has."""

    version: str
    file: str
    needed_by: str
    newest: str


class Proof(NamedTuple):
    """What was proved; the closure loads if there is nothing fatal. `looked_up` counts distinct look-ups."""

    unbound: tuple[Unbound, ...]
    versions: tuple[MissingVersion, ...]
    problems: tuple[str, ...]
    looked_up: int

    @property
    def loads(self) -> bool:
        """Whether the program would start."""
        return not self.versions and not self.problems and not any(u.fatal for u in self.unbound)


class ScopeMember(NamedTuple):
    """An object in scope with its symbols."""

    loaded: LoadedObject
    symbols: Symbols


class LookupScope:
    """Which objects define which of the names that `asking` ask for, in the order they are searched."""

    def __init__(self, members: Sequence[ScopeMember], asking: Sequence[ScopeMember]) -> None:
        self.members = members
        self._left = MAX_ASKED
        wanted = {reference.name for member in asking for reference in member.symbols.references}
        self._providers: dict[bytes, list[int]] = {}
        for position, member in enumerate(members):
            for name in member.symbols.names.keys() & wanted:
                self._providers.setdefault(name, []).append(position)

    def providers(self, name: bytes) -> Sequence[int]:
        """The positions of the objects whose hash tables lead to `name`.

        :raises InputError: they are too many, together with those of the names before.
        """
        found = self._providers.get(name, ())
        self._left -= len(found)
        if self._left < 0:
            raise InputError(self.members[0].loaded.path, f"its symbols need more than {MAX_ASKED} look-ups")
        return found


def look_up(
    closure: Closure,
    members: Sequence[ScopeMember],
    accepts: Callable[[Symbols, SymbolReference], bool],
    *,
    asked: Callable[[Sequence[SymbolReference]], list[SymbolReference]],
    may_be_lazy: bool,
    plugin: frozenset[str] = frozenset(),
) -> tuple[list[Unbound], int]:
    """Look up every reference of every object but the loader's own, which it has bound itself before.

    :param asked: those of the references of one object that are looked up.
    :param plugin: the paths of the only objects to look at, which dlopen(3) brings.
    """
    scope = LookupScope(members, [member for member in members if not plugin or member.loaded.path in plugin])
    # What is opened later is in no scope but its own: the program and its libraries start without it.
    started = sum(member.loaded.path not in closure.late for member in members)
    answers: dict[tuple[int, int], dict[object, bool]] = {}
    unbound: dict[tuple[bytes, str, str, bool], None] = {}
    for position, member in enumerate(members):
        if member.loaded is closure.interpreter or (plugin and member.loaded.path not in plugin):
            continue
        is_late = member.loaded.path in closure.late
        end = len(members) if is_late else started
        symbolic = position if may_be_lazy and member.symbols.symbolic and position else 0
        known = answers.setdefault((symbolic, end), {})
        for reference in asked(member.symbols.references):
            key = _question(reference)
            found = known.get(key)
            if found is None:
                found = known[key] = _is_bound(scope, reference, accepts, symbolic, end)
            if found or (reference.section == 0 and reference.info >> 4 == STB_WEAK):
                continue
            lazy = (is_late and not plugin) or (
                (may_be_lazy or bool(plugin)) and reference.lazy and not member.symbols.bind_now
            )
            unbound[reference.name, reference.version, member.loaded.path, not lazy] = None
    # A name can be long, and many references may share it.
    texts = {name: name.decode("utf-8", "surrogateescape") for name, *_ in unbound}
    found_unbound = [Unbound(texts[name], version, path, fatal) for name, version, path, fatal in unbound]
    return found_unbound, sum(len(known) for known in answers.values())


def _is_bound(
    scope: LookupScope,
    reference: SymbolReference,
    accepts: Callable[[Symbols, SymbolReference], bool],
    symbolic: int,
    end: int,
) -> bool:
    """Whether one of the first `end` objects defines it; a COPY relocation does not look into the program itself."""
    members = scope.members
    if symbolic and accepts(members[symbolic].symbols, reference):
        return True
    first = 1 if reference.kind == "copy" else 0
    for position in scope.providers(reference.name):
        if first <= position < end and accepts(members[position].symbols, reference):
            return True
    return False
