"""What one object binds by the rules of glibc: `elf/dl-lookup.c`, `elf/dl-version.c`, `elf/do-rel.h`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.ld.lookup import (
    BINDS,
    HIDDEN,
    STB_LOCAL,
    STO_MIPS_PLT,
    STT_COMMON,
    STT_FUNC,
    STT_GNU_IFUNC,
    STT_NOTYPE,
    STT_OBJECT,
    STT_TLS,
    MissingVersion,
    Proof,
    look_up,
)
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from minpack.elf.symbols import Definition, SymbolReference, Symbols
    from minpack.ld.closure import Closure
    from minpack.ld.lookup import Answers, Question, ScopeMember

STV_INTERNAL, STV_HIDDEN = 1, 2
SHN_ABS = 0xFFF1
VERSION_MASK = 0x7FFF
#: Indexes up to this are the file's own base version and its first one (elf/dl-lookup.c, check_match).
LAST_UNVERSIONED = 2
#: The most characters of a version's number, as 2.36.
MAX_NUMBER = 100
#: Of names with more definitions in one file it is worked out once what each version leads to. glibc's have at most a
#: handful; Crystal makes a version of a source's path, and hundreds of one name (``~proc@main.cr:3``).
FEW = 8
_TYPES = frozenset((STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_COMMON, STT_TLS, STT_GNU_IFUNC))
_UNSEEN = (STV_INTERNAL, STV_HIDDEN)
#: What a definition is for a reference: nothing, what it binds to if no other is, what it binds to.
_NONE, _IF_ALONE, _DECIDES = range(3)


def prove_glibc(
    scope: Sequence[ScopeMember], closure: Closure, plugin: frozenset[str], *, counts: bool = True
) -> Proof:
    """What glibc would look up for the objects of `scope`, or those of `plugin` among them, and not find."""
    versions = _missing_versions(scope, closure, plugin)
    unbound, looked_up = look_up(closure, scope, _Rules(), may_be_lazy=True, plugin=plugin, counts=counts)
    lacking = {(missing.version, missing.needed_by) for missing in versions}
    unbound = [u._replace(fatal=u.fatal or (u.version, u.needed_by) in lacking) for u in unbound]
    return Proof(tuple(unbound), versions, (), looked_up)


def _missing_versions(
    scope: Sequence[ScopeMember], closure: Closure, plugin: frozenset[str]
) -> tuple[MissingVersion, ...]:
    """Version nodes that are needed and not defined (elf/dl-version.c, match_symbol): fatal even where all is lazy.

    A file without any version definitions only earns a warning from the loader.
    """
    by_name: dict[str, ScopeMember] = {}
    for member in scope:
        for name in (member.loaded.info.soname, member.loaded.name, member.loaded.path):
            if name is not None:
                by_name.setdefault(name, member)
    by_path = {member.loaded.path: member for member in scope}
    for edge in closure.edges:
        if edge.path in by_path:
            by_name.setdefault(edge.name, by_path[edge.path])
    found = []
    newest: dict[str, dict[str, str]] = {}
    for member in scope:
        if member.loaded.path not in plugin if plugin else member.loaded.path in closure.late:
            continue
        for need in member.symbols.versions.needs:
            provider = by_name.get(need.file)
            if provider is None or need.weak or not provider.symbols.versions.defines:
                continue
            if need.version not in provider.symbols.versions.defined:
                path = provider.loaded.path
                if path not in newest:
                    newest[path] = _newest(provider.symbols.versions.defined)
                its_newest = newest[path].get(need.version.rpartition("_")[0], "")
                found.append(MissingVersion(need.version, path, member.loaded.path, its_newest))
    return tuple(dict.fromkeys(found))


def _newest(defined: frozenset[str]) -> dict[str, str]:
    """The highest version of each kind, by the name before its number, as GLIBC_2.36 by GLIBC."""
    highest: dict[str, tuple[tuple[int, ...], str]] = {}
    for version in defined:
        before, _, number = version.rpartition("_")
        # Digits of other scripts are not numbers, nor is anything longer than a number that a person wrote.
        if len(number) <= MAX_NUMBER and number.isascii() and number.replace(".", "").isdigit():
            key = (tuple(int(part) for part in number.split(".") if part), version)
            highest[before] = max(key, highest.get(before, key))
    return {before: version for before, (_, version) in highest.items()}


def _fitness(version: int, symbols: Symbols, question: Question) -> int:
    """`_DECIDES` for the version that is asked for, `_IF_ALONE` for one that may stand for any, else `_NONE`."""
    if not symbols.version_indexes:
        return _DECIDES
    index, hidden = version & VERSION_MASK, version & HIDDEN
    if not question.version:
        return _DECIDES if index <= LAST_UNVERSIONED else _NONE if hidden else _IF_ALONE
    name = symbols.versions.named.get(index, ("", False))[0]
    if name == question.version:
        return _DECIDES
    return _NONE if name or hidden or question.hidden else _IF_ALONE


class _Rules:
    """What one object binds (do_lookup_x, check_match); see `minpack.ld.lookup.Rules`."""

    def __init__(self) -> None:
        self._shortlists: dict[tuple[int, bytes, bool], _Shortlist] = {}

    def asked(self, references: Sequence[SymbolReference]) -> list[SymbolReference]:
        """Those that are neither local nor hidden."""
        return [one for one in references if one.info >> 4 != STB_LOCAL and one.other & 3 not in _UNSEEN]

    def add_sure(self, symbols: Symbols, names: Iterable[bytes], answers: Answers) -> None:
        """Add the ordinary definitions, each with its version if the file has versions."""
        found, indexes = symbols.ordinary(names), symbols.version_indexes
        if not indexes:
            answers.any.update([name for name, _ in found])
            return
        # What has the version, or none at all, is bound to that; what is not hidden, to no version too.
        shown = [(name, index) for name, at in found if (index := indexes[at]) < HIDDEN]
        answers.plain.update([name for name, _ in shown])
        named, none = symbols.versions.named, ("", False)
        answers.versions.update([(name, named.get(index, none)[0]) for name, index in shown if index > 1])

    def accepts(self, symbols: Symbols, question: Question) -> bool:
        """Whether it does, by the first definition of its version, or the only one that any version may have."""
        strict = question.kind in ("jump", "tls")
        found = symbols.names.get(question.name, ())
        fallback: list[Definition] = []
        few = isinstance(found, int) or len(found) <= FEW
        for definition in symbols.definitions(question.name) if few else self._decisive(symbols, question, strict):
            if not _is_candidate(definition, strict=strict):
                continue
            fitness = _fitness(definition.version, symbols, question)
            if fitness == _DECIDES:
                return _is_visible(definition)
            if fitness == _IF_ALONE:
                fallback.append(definition)
        return len(fallback) == 1 and _is_visible(fallback[0])

    def _decisive(self, symbols: Symbols, question: Question, strict: bool) -> Sequence[Definition]:  # noqa: FBT001
        """Of many definitions of the name those that decide."""
        name = question.name
        key = (id(symbols), name, strict)
        if key not in self._shortlists:
            self._shortlists[key] = _shortlist(symbols, name, strict=strict)
        shortlist = self._shortlists[key]
        return shortlist.by_version.get(question.version, shortlist.others) if question.version else shortlist.plain


class _Shortlist(NamedTuple):
    """Of many definitions of one name those that decide: for each version, for all others, and for none."""

    by_version: dict[str, list[Definition]]
    others: list[Definition]
    plain: list[Definition]


def _shortlist(symbols: Symbols, name: bytes, *, strict: bool) -> _Shortlist:
    """What decides: the first of a version, the first of the file's own; of what any may have, whether it is one."""
    found = _Shortlist({}, [], [])
    first: Definition | None = None
    for definition in symbols.definitions(name):
        if not _is_candidate(definition, strict=strict):
            continue
        if not symbols.has_versions:
            return _Shortlist({}, [definition], [definition])
        index, hidden = definition.version & VERSION_MASK, bool(definition.version & HIDDEN)
        version = symbols.versions.named.get(index, ("", False))[0]
        if version:
            found.by_version.setdefault(version, [definition])
        elif not hidden and len(found.others) <= 1:
            found.others.append(definition)
        if index <= LAST_UNVERSIONED and first is None:
            first = definition
        elif not hidden and len(found.plain) <= 1:
            found.plain.append(definition)
    return found._replace(plain=[first]) if first is not None else found


def _is_candidate(definition: Definition, *, strict: bool) -> bool:
    type_ = definition.info & 15
    if type_ not in _TYPES:
        return False
    if definition.value == 0 and definition.section != SHN_ABS and type_ != STT_TLS:
        return False
    return not (strict and definition.section == 0 and not definition.other & STO_MIPS_PLT)


def _is_visible(definition: Definition) -> bool:
    return definition.other & 3 not in _UNSEEN and definition.info >> 4 in BINDS
