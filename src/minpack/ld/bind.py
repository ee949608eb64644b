"""The load proof: every symbol the loader would look up, looked up in the same order by the same rules.

It is driven by relocations: only what one names is ever looked up. The rules
are those of glibc (`elf/dl-lookup.c`, `elf/dl-version.c`, `elf/do-rel.h`) and
of musl (`ldso/dynlink.c`, find_sym2 and do_relocs).
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

from minpack.elf.symbols import SymbolReference
from minpack.errors import InputError
from minpack.ld.closure import Libc
from minpack.ld.symbol_cache import SymbolsOf, symbols_of
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from minpack.elf.symbols import Definition, Symbols
    from minpack.ld.closure import Closure, LoadedObject

STB_LOCAL, STB_GLOBAL, STB_WEAK, STB_GNU_UNIQUE = 0, 1, 2, 10
STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_COMMON, STT_TLS, STT_GNU_IFUNC = 0, 1, 2, 5, 6, 10
STV_INTERNAL, STV_HIDDEN = 1, 2
SHN_ABS = 0xFFF1
HIDDEN, VERSION_MASK = 0x8000, 0x7FFF
#: Indexes up to this are the file's own base version and its first one (elf/dl-lookup.c, check_match).
LAST_UNVERSIONED = 2
#: The most characters of a version's number, as 2.36.
MAX_NUMBER = 100
#: Of names with more definitions in one file it is worked out once what each version leads to. glibc's have at most a
#: handful; Crystal makes a version of a source's path, and hundreds of one name (``~proc@main.cr:3``).
FEW = 8
#: The most objects asked for names, all together: the largest closures known take some hundred thousand.
MAX_ASKED = 5_000_000
_GLIBC_TYPES = frozenset((STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_COMMON, STT_TLS, STT_GNU_IFUNC))
_MUSL_TYPES = _GLIBC_TYPES - {STT_GNU_IFUNC}
_BINDS = frozenset((STB_GLOBAL, STB_WEAK, STB_GNU_UNIQUE))
#: What a symbol's `info` is that others may bind to.
_BINDABLE = frozenset(bind << 4 | type_ for bind in _BINDS for type_ in _GLIBC_TYPES)
_UNSEEN = (STV_INTERNAL, STV_HIDDEN)
#: What a definition is for a reference: nothing, what it binds to if no other is, what it binds to.
_NONE, _IF_ALONE, _DECIDES = range(3)
EM_MIPS, STO_MIPS_PLT = 8, 8
#: Names that libraries built for musl before 1.2.4 still ask for; libc answers to the plain ones (get_lfs64).
_LFS64 = frozenset(
    b"aio_cancel aio_error aio_fsync aio_read aio_return aio_suspend aio_write alphasort creat fallocate fgetpos fopen"
    b" freopen fseeko fsetpos fstat fstatat fstatfs fstatvfs ftello ftruncate ftw getdents getrlimit glob globfree"
    b" lio_listio lockf lseek lstat mkostemp mkostemps mkstemp mkstemps mmap nftw open openat posix_fadvise"
    b" posix_fallocate pread preadv prlimit pwrite pwritev readdir scandir sendfile setrlimit stat statfs statvfs"
    b" tmpfile truncate versionsort".split()
)


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


#: The fields of a reference that say what is looked up: name, version, whether that is hidden, and kind.
_question = itemgetter(*(SymbolReference._fields.index(field) for field in ("name", "version", "hidden", "kind")))


class _Member(NamedTuple):
    """An object in scope with its symbols."""

    loaded: LoadedObject
    symbols: Symbols


def prove(closure: Closure, symbols: SymbolsOf = symbols_of) -> Proof:
    """What the loader would look up for the closure, and what it would not find.

    :param symbols: gives the symbols of an object.
    :raises MalformedElfError: a table of an object cannot be true.
    :raises InputError: there is more to look up than any real program has.
    """
    if closure.libc is None or closure.interpreter is None:
        return Proof((), (), (), 0)
    named = {edge.path for edge in closure.edges}
    scope = tuple(
        _Member(loaded, symbols(loaded))
        for loaded in closure.objects
        if loaded is not closure.interpreter or loaded.path in named
    )
    if closure.libc is Libc.MUSL:
        return _prove_musl(scope, closure)
    return _prove_glibc(scope, closure)


def prove_plugin(closure: Closure, plugin: frozenset[str], symbols: SymbolsOf = symbols_of) -> Proof:
    """What the loader would look up for what dlopen(3) brings, and not find; what it binds lazily is not fatal.

    :param closure: of the program with the plugin.
    :param plugin: the paths of the objects that come with it.
    :raises MalformedElfError: as `prove`.
    :raises InputError: as `prove`.
    """
    named = {edge.path for edge in closure.edges}
    scope = tuple(
        _Member(loaded, symbols(loaded))
        for loaded in closure.objects
        if loaded is not closure.interpreter or loaded.path in named
    )
    if closure.libc is Libc.MUSL:
        return _prove_musl(scope, closure, plugin)
    return _prove_glibc(scope, closure, plugin)


class _Scope:
    """Which objects define which of the names that `asking` ask for, in the order they are searched."""

    def __init__(self, members: Sequence[_Member], asking: Sequence[_Member]) -> None:
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


def _look_up(
    closure: Closure,
    members: Sequence[_Member],
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
    scope = _Scope(members, [member for member in members if not plugin or member.loaded.path in plugin])
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
    scope: _Scope,
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


def _prove_glibc(scope: Sequence[_Member], closure: Closure, plugin: frozenset[str] = frozenset()) -> Proof:
    versions = _missing_versions(scope, closure, plugin)
    accept = _GlibcRules().accept
    unbound, looked_up = _look_up(closure, scope, accept, asked=_glibc_asked, may_be_lazy=True, plugin=plugin)
    lacking = {(missing.version, missing.needed_by) for missing in versions}
    unbound = [u._replace(fatal=u.fatal or (u.version, u.needed_by) in lacking) for u in unbound]
    return Proof(tuple(unbound), versions, (), looked_up)


def _missing_versions(scope: Sequence[_Member], closure: Closure, plugin: frozenset[str]) -> tuple[MissingVersion, ...]:
    """Version nodes that are needed and not defined (elf/dl-version.c, match_symbol): fatal even where all is lazy.

    A file without any version definitions only earns a warning from the loader.
    """
    by_name: dict[str, _Member] = {}
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


def _glibc_asked(references: Sequence[SymbolReference]) -> list[SymbolReference]:
    return [one for one in references if one.info >> 4 != STB_LOCAL and one.other & 3 not in _UNSEEN]


def _fitness(version: int, symbols: Symbols, reference: SymbolReference) -> int:
    """`_DECIDES` for the version that is asked for, `_IF_ALONE` for one that may stand for any, else `_NONE`."""
    if not symbols.version_indexes:
        return _DECIDES
    index, hidden = version & VERSION_MASK, version & HIDDEN
    if not reference.version:
        return _DECIDES if index <= LAST_UNVERSIONED else _NONE if hidden else _IF_ALONE
    name = symbols.versions.named.get(index, ("", False))[0]
    if name == reference.version:
        return _DECIDES
    return _NONE if name or hidden or reference.hidden else _IF_ALONE


class _GlibcRules:
    """Whether one object binds a reference (do_lookup_x, check_match)."""

    def __init__(self) -> None:
        self._shortlists: dict[tuple[int, bytes, bool], _Shortlist] = {}

    def accept(self, symbols: Symbols, reference: SymbolReference) -> bool:
        """Whether it does, by the first definition of its version, or the only one that any version may have."""
        strict = reference.kind in ("jump", "tls")
        found = symbols.names.get(reference.name, ())
        if isinstance(found, int):
            return _binds_alone(symbols, found, reference, strict=strict)
        fallback: list[Definition] = []
        few = len(found) <= FEW
        for definition in symbols.definitions(reference.name) if few else self._decisive(symbols, reference, strict):
            if not _is_candidate(definition, strict=strict):
                continue
            fitness = _fitness(definition.version, symbols, reference)
            if fitness == _DECIDES:
                return _is_visible(definition)
            if fitness == _IF_ALONE:
                fallback.append(definition)
        return len(fallback) == 1 and _is_visible(fallback[0])

    def _decisive(self, symbols: Symbols, reference: SymbolReference, strict: bool) -> Sequence[Definition]:  # noqa: FBT001
        """Of many definitions of the name those that decide."""
        name = reference.name
        key = (id(symbols), name, strict)
        if key not in self._shortlists:
            self._shortlists[key] = _shortlist(symbols, name, strict=strict)
        shortlist = self._shortlists[key]
        return shortlist.by_version.get(reference.version, shortlist.others) if reference.version else shortlist.plain


def _binds_alone(symbols: Symbols, index: int, reference: SymbolReference, *, strict: bool) -> bool:
    """As `_GlibcRules.accept` of the one definition that nearly all names have: tens of thousands are asked for."""
    _, info, other, section, value = symbols.table[index]
    if info not in _BINDABLE or other & 3 in _UNSEEN:
        return False
    if value == 0 and section != SHN_ABS and info & 15 != STT_TLS:
        return False
    if strict and section == 0 and not other & STO_MIPS_PLT:
        return False
    version = symbols.version_indexes[index] if symbols.version_indexes else 1
    return _fitness(version, symbols, reference) != _NONE


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
    if type_ not in _GLIBC_TYPES:
        return False
    if definition.value == 0 and definition.section != SHN_ABS and type_ != STT_TLS:
        return False
    return not (strict and definition.section == 0 and not definition.other & STO_MIPS_PLT)


def _is_visible(definition: Definition) -> bool:
    return definition.other & 3 not in _UNSEEN and definition.info >> 4 in _BINDS


def _prove_musl(scope: Sequence[_Member], closure: Closure, plugin: frozenset[str] = frozenset()) -> Proof:
    known: dict[tuple[int, bytes, bool], bool] = {}

    def accepts(symbols: Symbols, reference: SymbolReference) -> bool:
        key = (id(symbols), reference.name, reference.kind == "jump")
        if key not in known:
            known[key] = _musl_accepts(symbols, reference.name, strict=key[2])
        return known[key]

    loader = next((m.symbols for m in scope if m.loaded is closure.interpreter), None)
    unbound, looked_up = _look_up(
        closure,
        scope,
        accepts,
        asked=lambda references: [one for one in references if one.info >> 4 != STB_LOCAL],
        may_be_lazy=False,
        plugin=plugin,
    )
    plain = {symbol for symbol in {u.symbol for u in unbound} if _is_lfs64(symbol, loader)}
    unbound = [u for u in unbound if u.symbol not in plain]
    problems = tuple(
        f"{member.loaded.path} has relocations that call resolvers (IFUNC), which musl does not know"
        for member in scope
        if member.symbols.calls_resolvers
        and member.loaded is not closure.interpreter
        and (not plugin or member.loaded.path in plugin)
    )
    return Proof(tuple(unbound), (), problems, looked_up)


def _musl_accepts(symbols: Symbols, name: bytes, *, strict: bool) -> bool:
    """Whether one object binds the name: the first definition that is not hidden counts, whatever its version."""
    for definition in symbols.definitions(name):
        if symbols.has_versions and definition.version & HIDDEN:
            continue
        type_ = definition.info & 15
        if definition.section == 0 and (strict or type_ == STT_TLS) and not definition.other & STO_MIPS_PLT:
            return False
        if definition.value == 0 and type_ != STT_TLS:
            return False
        return type_ in _MUSL_TYPES and definition.info >> 4 in _BINDS
    return False


def musl_defines(symbols: Symbols, name: bytes) -> bool:
    """Whether musl would find a definition of `name` in the object (ldso/dynlink.c, find_sym)."""
    return _musl_accepts(symbols, name, strict=True)


def _is_lfs64(symbol: str, loader: Symbols | None) -> bool:
    """Whether musl from 1.2.4 takes ``open64`` for ``open``, and libc has that."""
    name = symbol.encode("utf-8", "surrogateescape")
    plain = b"readdir_r" if name == b"readdir64_r" else name.removesuffix(b"64")
    if loader is None or plain == name or (plain not in _LFS64 and plain != b"readdir_r"):
        return False
    return _musl_accepts(loader, plain, strict=True)
