"""Resolving as a whole: which loader it is, what cannot be resolved, and what a hostile tree can cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minpack.base.entries import base_of
from minpack.base.walk import Walker
from minpack.content import BytesContent
from minpack.errors import (
    InputError,
    LibcMismatchError,
    MinpackError,
    MissingLibraryError,
    NotElfError,
    NotInBaseError,
    NotProgramError,
)
from minpack.ld import opening
from minpack.ld.closure import Closure, Environment, Libc
from minpack.ld.resolve import libc_of, resolve_closure
from minpack.paths import normal
from minpack.rootfs.entry import Entry, Kind, file, symlink
from support.elfmaker import GLIBC, MUSL, library, make_elf, program, static_program
from support.rulebook import GLIBC_STRINGS, MUSL_STRINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

LOADERS = {GLIBC: make_elf(overlay=GLIBC_STRINGS), MUSL: make_elf(overlay=MUSL_STRINGS)}


def resolve(files: Mapping[str, bytes | str], environment: Environment = Environment()) -> Closure:  # noqa: B008
    """The closure of ``/app`` in a tree of files, and links where a text is given; both loaders are in it."""
    entries = [_entry(path, content) for path, content in {**LOADERS, **files}.items()]
    return resolve_closure(Walker(base_of("made", entries)), "/app", environment)


def _entry(path: str, content: bytes | str) -> Entry:
    if isinstance(content, str):
        return symlink(normal(path), content)
    return file(normal(path), BytesContent(content), 0o755)


def test_static_program() -> None:
    """It has no loader, and its closure is the program."""
    closure = resolve({"/app": static_program()})
    assert (closure.libc, closure.interpreter, closure.edges) == (None, None, ())
    assert [loaded.path for loaded in closure.objects] == ["/app"]


@pytest.mark.parametrize(("interpreter", "libc"), [(GLIBC, Libc.GLIBC), (MUSL, Libc.MUSL)])
def test_whose_loader(interpreter: str, libc: Libc) -> None:
    """Each C library is known, and the interpreter is in the closure though nothing needs it."""
    closure = resolve({"/app": program((), interpreter=interpreter)})
    assert closure.libc is libc
    assert [loaded.path for loaded in closure.objects] == ["/app", interpreter]


@pytest.mark.parametrize(
    ("name", "libc"),
    [
        ("/lib/ld-musl-x86_64.so.1", Libc.MUSL),
        ("/lib64/ld-linux-x86-64.so.2", Libc.GLIBC),
        ("/lib/ld64.so.1", Libc.GLIBC),
        ("/lib/ld.so.1", Libc.GLIBC),
        ("/lib/ld-uClibc.so.0", None),
        ("/system/bin/linker64", None),
    ],
)
def test_by_name(name: str, libc: Libc | None) -> None:
    """Its name tells of a loader that is not there."""
    assert libc_of(name) is libc


def test_the_strings_count_before_the_name() -> None:
    """A loader of another name is known by what is in it, and one with a common name for what it is."""
    odd = "/opt/loader"
    assert resolve({"/app": program((), interpreter=odd), odd: LOADERS[MUSL]}).libc is Libc.MUSL
    assert resolve({"/app": program((), interpreter=GLIBC), GLIBC: LOADERS[MUSL]}).libc is Libc.MUSL


def test_without_strings_the_name_counts() -> None:
    """A loader with neither's strings in it is what its name says."""
    assert resolve({"/app": program((), interpreter=MUSL), MUSL: make_elf()}).libc is Libc.MUSL
    assert resolve({"/app": program((), interpreter=GLIBC), GLIBC: make_elf()}).libc is Libc.GLIBC


def test_other_loaders() -> None:
    """A program of a third C library is refused, by its loader's name."""
    with pytest.raises(NotProgramError, match=r"/lib/ld-uClibc\.so\.0, which is neither"):
        resolve({"/app": program((), interpreter="/lib/ld-uClibc.so.0"), "/lib/ld-uClibc.so.0": make_elf()})


def test_gcompat() -> None:
    """A loader that only starts musl's is no glibc."""
    loader = make_elf(overlay=b"\0/lib/libgcompat.so.0\0/lib/ld-musl-x86_64.so.1\0")
    with pytest.raises(LibcMismatchError, match="gcompat"):
        resolve({"/app": program((), interpreter=GLIBC), GLIBC: loader})


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ({}, NotInBaseError),
        ({"/app": program((), interpreter="/lib/none.so")}, NotInBaseError),
        ({"/app": b"text"}, NotElfError),
        ({"/app": program((), interpreter=GLIBC), GLIBC: b"text"}, NotElfError),
        ({"/app/inside": b""}, NotElfError),
        ({"/app": program((), interpreter="/lib")}, NotElfError),
    ],
)
def test_what_cannot_be_resolved(files: dict[str, bytes], error: type[MinpackError]) -> None:
    """A program or interpreter that is not there, or is something else, is one clear error."""
    with pytest.raises(error):
        resolve(files)


def test_interpreter_behind_links() -> None:
    """Links on the way to it are in its trail, to be packed."""
    closure = resolve({"/app": program((), interpreter="/sbin/ld"), "/sbin": "usr/sbin", "/usr/sbin/ld": GLIBC})
    assert closure.interpreter is not None
    assert closure.interpreter.entry.path == GLIBC
    assert [(e.path, e.kind) for e in closure.interpreter.trail if e.kind is Kind.SYMLINK] == [
        ("/sbin", Kind.SYMLINK),
        ("/usr/sbin/ld", Kind.SYMLINK),
    ]


def test_only_what_the_caller_may_see() -> None:
    """A directory that may not be looked into is passed over, as for a loader."""

    class Closed:
        name = "closed"

        def __init__(self) -> None:
            files = {**LOADERS, "/app": program(("liba.so",), runpath="/secret:/lib"), "/lib/liba.so": library()}
            self._open = base_of("open", [_entry(path, content) for path, content in files.items()])

        def lstat(self, path: str) -> Entry | None:
            if path.startswith("/secret/"):
                raise InputError(path, "permission denied")
            return Entry(normal(path), Kind.DIRECTORY, 0o700) if path == "/secret" else self._open.lstat(normal(path))

        def listdir(self, path: str) -> tuple[str, ...]:
            return self._open.listdir(normal(path))

    assert resolve_closure(Walker(Closed()), "/app").edges[0].path == "/lib/liba.so"


@pytest.mark.parametrize("interpreter", [GLIBC, MUSL])
def test_too_much_to_search(interpreter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """More names times places than any real program has is one error, and not an endless search."""
    monkeypatch.setattr(opening, "MAX_LOOKS", 5000)
    names = tuple(f"lib{n}.so" for n in range(200))
    rpath = ":".join(f"/{n}" for n in range(200))
    with pytest.raises(InputError, match="more than 5000 names and places"):
        resolve({"/app": program(names, interpreter=interpreter, rpath=rpath)})


@pytest.mark.parametrize("interpreter", [GLIBC, MUSL])
def test_names_that_cannot_be(interpreter: str) -> None:
    """Names and directories that are too long for a file system are missing, and nothing more."""
    long = "l" * 100_000
    app = program((long, f"/{long}", "", "liba.so"), interpreter=interpreter, runpath=f"/{long}:{long}:/lib")
    closure = resolve({"/app": app, "/lib/liba.so": library()})
    assert closure.edges[-1].path == "/lib/liba.so"
    # The empty name is the program's own for glibc.
    assert len(closure.missing) == (2 if interpreter == GLIBC else 3)


def test_what_several_miss_is_named_once() -> None:
    """A library that more than one object needs is one name in the error, with the places for each of them."""
    app = program(("liba.so", "libb.so"), interpreter=GLIBC, runpath="/opt")
    closure = resolve({"/app": app, "/opt/libb.so": library(needed=("liba.so",))})
    missing = tuple((one.name, one.needed_by, ()) for one in closure.missing)
    assert [(name, needed_by) for name, needed_by, _ in missing] == [("liba.so", "/app"), ("liba.so", "/opt/libb.so")]
    first, *places = MissingLibraryError("/app", "made", missing, "").message.splitlines()
    assert first.endswith("missing liba.so")
    assert len(places) == 2
