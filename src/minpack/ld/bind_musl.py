"""What one object binds by the rules of musl: `ldso/dynlink.c`, find_sym2 and do_relocs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.ld.lookup import (
    BINDS,
    HIDDEN,
    STB_LOCAL,
    STO_MIPS_PLT,
    STT_COMMON,
    STT_FUNC,
    STT_NOTYPE,
    STT_OBJECT,
    STT_TLS,
    Proof,
    look_up,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from minpack.elf.symbols import SymbolReference, Symbols
    from minpack.ld.closure import Closure
    from minpack.ld.lookup import Answers, Question, ScopeMember

_TYPES = frozenset((STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_COMMON, STT_TLS))
#: Names that libraries built for musl before 1.2.4 still ask for; libc answers to the plain ones (get_lfs64).
_LFS64 = frozenset(
    b"aio_cancel aio_error aio_fsync aio_read aio_return aio_suspend aio_write alphasort creat fallocate fgetpos fopen"
    b" freopen fseeko fsetpos fstat fstatat fstatfs fstatvfs ftello ftruncate ftw getdents getrlimit glob globfree"
    b" lio_listio lockf lseek lstat mkostemp mkostemps mkstemp mkstemps mmap nftw open openat posix_fadvise"
    b" posix_fallocate pread preadv prlimit pwrite pwritev readdir scandir sendfile setrlimit stat statfs statvfs"
    b" tmpfile truncate versionsort".split()
)


def prove_musl(scope: Sequence[ScopeMember], closure: Closure, plugin: frozenset[str], *, counts: bool = True) -> Proof:
    """What musl would look up for the objects of `scope`, or those of `plugin` among them, and not find."""
    loader = next((m.symbols for m in scope if m.loaded is closure.interpreter), None)
    unbound, looked_up = look_up(closure, scope, _Rules(), may_be_lazy=False, plugin=plugin, counts=counts)
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


class _Rules:
    """What one object binds; see `minpack.ld.lookup.Rules`."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, bytes, bool], bool] = {}

    def asked(self, references: Sequence[SymbolReference]) -> list[SymbolReference]:
        """Those that are not local."""
        return [one for one in references if one.info >> 4 != STB_LOCAL]

    def add_sure(self, symbols: Symbols, names: Iterable[bytes], answers: Answers) -> None:
        """Add the ordinary definitions that are not hidden, of whatever version."""
        indexes = symbols.version_indexes
        answers.any.update([n for n, at in symbols.ordinary(names) if not indexes or not indexes[at] & HIDDEN])

    def accepts(self, symbols: Symbols, question: Question) -> bool:
        """Whether it does, whatever the version."""
        key = (id(symbols), question.name, question.kind == "jump")
        if key not in self._known:
            self._known[key] = _accepts(symbols, question.name, strict=key[2])
        return self._known[key]


def _accepts(symbols: Symbols, name: bytes, *, strict: bool) -> bool:
    """Whether one object binds the name: the first definition that is not hidden counts, whatever its version."""
    for definition in symbols.definitions(name):
        if symbols.has_versions and definition.version & HIDDEN:
            continue
        type_ = definition.info & 15
        if definition.section == 0 and (strict or type_ == STT_TLS) and not definition.other & STO_MIPS_PLT:
            return False
        if definition.value == 0 and type_ != STT_TLS:
            return False
        return type_ in _TYPES and definition.info >> 4 in BINDS
    return False


def musl_defines(symbols: Symbols, name: bytes) -> bool:
    """Whether musl would find a definition of `name` in the object (ldso/dynlink.c, find_sym)."""
    return _accepts(symbols, name, strict=True)


def _is_lfs64(symbol: str, loader: Symbols | None) -> bool:
    """Whether musl from 1.2.4 takes ``open64`` for ``open``, and libc has that."""
    name = symbol.encode("utf-8", "surrogateescape")
    plain = b"readdir_r" if name == b"readdir64_r" else name.removesuffix(b"64")
    if loader is None or plain == name or (plain not in _LFS64 and plain != b"readdir_r"):
        return False
    return _accepts(loader, plain, strict=True)
