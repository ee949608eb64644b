"""Looking up every symbol that objects ask for, in the order of the loaders, whatever the rules of one C library."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Protocol

from minpack.elf.symbols import SymbolReference
from minpack.errors import InputError
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

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
    """What was proved; the closure loads if there is nothing fatal. `looked_up` is the number of distinct look-ups."""

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


class Question(NamedTuple):
    """What is looked up for a reference: no two of one name, version and kind differ in the answer."""

    name: bytes
    version: str
    hidden: bool
    kind: str


#: The fields of a reference that are a `Question`'s: as a bare tuple, of which a closure has tens of thousands.
_question = itemgetter(*(SymbolReference._fields.index(field) for field in Question._fields))
_Asked = tuple[bytes, str, bool, str]


class Answers:
    """What objects surely bind: names of whatever version, names without one, and names in a version."""

    def __init__(self) -> None:
        self.any: set[bytes] = set()
        self.plain: set[bytes] = set()
        self.versions: set[tuple[bytes, str]] = set()

    def unsure(self, questions: Iterable[_Asked]) -> list[_Asked]:
        """Those of the questions to which this is no answer."""
        any_version, plain, versions = self.any, self.plain, self.versions
        return [
            question
            for question in questions
            for name, version, _, kind in (question,)
            # A COPY relocation does not look into the program itself, which defines the symbol too.
            if kind == "copy"
            or not (name in any_version or ((name, version) in versions if version else name in plain))
        ]


class Rules(Protocol):
    """The rules of one C library."""

    def asked(self, references: Sequence[SymbolReference]) -> list[SymbolReference]:
        """Those of the references of one object that are looked up."""

    def accepts(self, symbols: Symbols, question: Question) -> bool:
        """Whether an object binds it."""

    def add_sure(self, symbols: Symbols, names: Iterable[bytes], answers: Answers) -> None:
        """Add of these names, which an object defines, what it accepts of any kind; it may accept others too."""


class LookupScope:
    """What the `members`, in the order they are searched, answer to questions.

    :param wanted: what they are asked for by others: of these names it is gathered what surely binds them.
    """

    def __init__(self, members: Sequence[ScopeMember], rules: Rules, wanted: Collection[bytes]) -> None:
        self._members = members
        self._rules = rules
        self._left = MAX_ASKED
        self._wanted = wanted
        self._sure = Answers()
        self._sure_end = 0
        self._providers: dict[bytes, list[int]] = {}

    def unsure(self, questions: Collection[_Asked], end: int) -> list[_Asked]:
        """Those of the questions that the members before `end` do not surely answer.

        Of real programs these are few. A later call has no smaller `end`.
        """
        for other in self._members[self._sure_end : end]:
            self._rules.add_sure(other.symbols, other.symbols.names.keys() & self._wanted, self._sure)
        self._sure_end = end
        return self._sure.unsure(questions)

    def unbound(self, questions: Collection[_Asked], symbolic: int, end: int) -> set[_Asked]:
        """Those to which neither one of the first `end` members answers nor that at `symbolic`, if that is not 0.

        :raises InputError: too much has to be looked up.
        """
        self._find_providers({name for name, *_ in questions})
        return {question for question in questions if not self._is_bound(Question._make(question), symbolic, end)}

    def _find_providers(self, names: Collection[bytes]) -> None:
        """Find the positions of the objects whose hash tables lead to the names."""
        names = names - self._providers.keys()
        self._providers |= {name: [] for name in names}
        for position, member in enumerate(self._members if names else ()):
            for name in member.symbols.names.keys() & names:
                self._providers[name].append(position)

    def _is_bound(self, question: Question, symbolic: int, end: int) -> bool:
        members, accepts = self._members, self._rules.accepts
        if symbolic and accepts(members[symbolic].symbols, question):
            return True
        providers = self._providers[question.name]
        self._left -= len(providers)
        if self._left < 0:
            raise InputError(members[0].loaded.path, f"its symbols need more than {MAX_ASKED} look-ups")
        first = 1 if question.kind == "copy" else 0
        return any(first <= position < end and accepts(members[position].symbols, question) for position in providers)


class _Asker(NamedTuple):
    """An object that asks the first `end` members, and before them that at `symbolic`, if that is not 0.

    Its own definitions answer what is not `outward`.
    """

    member: ScopeMember
    outward: list[SymbolReference]
    end: int
    symbolic: int
    is_late: bool


def look_up(
    closure: Closure,
    members: Sequence[ScopeMember],
    rules: Rules,
    *,
    may_be_lazy: bool,
    plugin: frozenset[str] = frozenset(),
    counts: bool = True,
) -> tuple[list[Unbound], int]:
    """Look up every reference of every object but the loader's own, which it has bound itself before.

    :param plugin: the paths of the only objects to look at, which dlopen(3) brings.
    :param counts: count the look-ups, which takes a third of them; else their number is 0.
    """
    askers = _askers(closure, members, rules, may_be_lazy=may_be_lazy, plugin=plugin)
    # A plugin asks little: its questions are looked up one by one.
    wanted = set() if plugin else {name for asker in askers for name in asker.member.symbols.imports}
    scope = LookupScope(members, rules, wanted)
    asked: dict[tuple[int, int], set[_Asked]] = {}
    left: dict[tuple[int, int], set[_Asked]] = {}
    for asker in sorted(askers, key=lambda asker: asker.end):
        key = (asker.end, asker.symbolic)
        if counts:
            asked.setdefault(key, set()).update(map(_question, rules.asked(asker.member.symbols.references)))
        left.setdefault(key, set()).update(scope.unsure(set(map(_question, asker.outward)), asker.end))
    lacking = {(end, symbolic): scope.unbound(left[end, symbolic], symbolic, end) for end, symbolic in left}
    unbound: dict[tuple[bytes, str, str, bool], None] = {}
    for asker in askers:
        for reference in _unbound(asker, lacking[asker.end, asker.symbolic]):
            lazy = (asker.is_late and not plugin) or (
                (may_be_lazy or bool(plugin)) and reference.lazy and not asker.member.symbols.bind_now
            )
            unbound[reference.name, reference.version, asker.member.loaded.path, not lazy] = None
    # A name can be long, and many references may share it.
    texts = {name: name.decode("utf-8", "surrogateescape") for name, *_ in unbound}
    found_unbound = [Unbound(texts[name], version, path, fatal) for name, version, path, fatal in unbound]
    return found_unbound, sum(map(len, asked.values()))


def _askers(
    closure: Closure, members: Sequence[ScopeMember], rules: Rules, *, may_be_lazy: bool, plugin: frozenset[str]
) -> list[_Asker]:
    """The objects whose references are looked up, in the members' order."""
    # What is opened later is in no scope but its own: the program and its libraries start without it.
    started = sum(member.loaded.path not in closure.late for member in members)
    found = []
    for position, member in enumerate(members):
        if member.loaded is closure.interpreter or (plugin and member.loaded.path not in plugin):
            continue
        is_late = member.loaded.path in closure.late
        symbolic = position if may_be_lazy and member.symbols.symbolic else 0
        end = len(members) if is_late else started
        symbols = member.symbols
        outward = rules.asked(symbols.outward if position < end else symbols.references)
        found.append(_Asker(member, outward, end, symbolic, is_late))
    return found


def _unbound(asker: _Asker, lacking: set[_Asked]) -> list[SymbolReference]:
    """The references of one object that ask what is lacking, and are not weak: of nearly all there are none."""
    if not lacking:
        return []
    return [
        reference
        for reference in asker.outward
        if (reference.section or reference.info >> 4 != STB_WEAK) and _question(reference) in lacking
    ]
