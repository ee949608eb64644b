"""What minpack reads in programs of C, C++ and Rust is so: on programs whose needs are known, with either C library."""

from __future__ import annotations

import json
import os
import subprocess
import zlib
from typing import TYPE_CHECKING, NamedTuple

import pytest

from minpack.needs.need import Need, Verdict
from support.tools import need_file, need_tool
from support.truth import Deviation, Truth, build_cargo, build_native, compare, look, table, truths

if TYPE_CHECKING:
    from pathlib import Path

ALL = os.environ.get("MINPACK_ALL") == "1"
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("truth-native")]

#: musl has these within itself, for whoever asks.
WITHIN_MUSL = frozenset((Need.PROTOCOLS, Need.LOCALE, Need.GCONV))
NEGATIVE, POSITIVE, UNSAID = "false negative", "false positive", "unsaid"


class Way(NamedTuple):
    """How the programs of a directory are built, and what minpack does not tell truly of them."""

    programs: str
    compiler: str
    flags: tuple[str, ...]
    not_true: dict[Deviation, str]
    musl: bool = False


C, STATIC = ("-O2", "-s"), ("-O2", "-s", "-static")
RUST = ("--edition", "2021", "-O", "-C", "strip=symbols")
MAYBE, OPTIONAL, NOT_NEEDED = Verdict.MAYBE, Verdict.OPTIONAL, Verdict.NOT_NEEDED
_TEMPLATE = "where the file is made is data"
_STATIC_TMP = "short texts are within the code, and /tmp costs nothing"
_ONE_BLOCK = "glibc's look-ups of users, groups, services and the like are linked together"
_DATA = "which program is started is data"
WAYS = {
    "c-glibc": Way("c", "gcc", C, {Deviation("mkstemp", Need.TMP, NEGATIVE, MAYBE): _TEMPLATE}),
    "c-musl": Way("c", "musl-gcc", C, {Deviation("mkstemp", Need.TMP, NEGATIVE, MAYBE): _TEMPLATE}, musl=True),
    "c-glibc-static": Way(
        "c",
        "gcc",
        STATIC,
        {
            Deviation("getgrgid", Need.GROUP, NEGATIVE, MAYBE): _ONE_BLOCK,
            Deviation("getpwnam", Need.PASSWD, NEGATIVE, MAYBE): _ONE_BLOCK,
            Deviation("getpwuid", Need.PASSWD, NEGATIVE, MAYBE): _ONE_BLOCK,
            Deviation("getservbyname", Need.SERVICES, NEGATIVE, MAYBE): _ONE_BLOCK,
            Deviation("getprotobyname", Need.PROTOCOLS, NEGATIVE, MAYBE): _ONE_BLOCK,
            Deviation("system", Need.SHELL, NEGATIVE, MAYBE): "all that starts programs has /bin/sh",
            Deviation("popen", Need.SHELL, NEGATIVE, MAYBE): "all that starts programs has /bin/sh",
            Deviation("mkstemp", Need.TMP, NEGATIVE, OPTIONAL): _STATIC_TMP,
            Deviation("tmpfile", Need.TMP, NEGATIVE, OPTIONAL): _STATIC_TMP,
            Deviation("setlocale", Need.LOCALE, UNSAID, NOT_NEEDED): "every static program has the paths of locales",
            Deviation("iconv", Need.GCONV, UNSAID, NOT_NEEDED): "every static program has the paths of converters",
        },
    ),
    "c-musl-static": Way(
        "c",
        "musl-gcc",
        STATIC,
        {
            Deviation("mkstemp", Need.TMP, NEGATIVE, OPTIONAL): _STATIC_TMP,
            Deviation("tmpfile", Need.TMP, NEGATIVE, OPTIONAL): _STATIC_TMP,
            Deviation("getservbyname", Need.SERVICES, NEGATIVE, OPTIONAL): "getaddrinfo has the same path",
        },
        musl=True,
    ),
    "cxx": Way("cxx", "g++", C, {}),
    "cxx-static": Way(
        "cxx",
        "g++",
        STATIC,
        {Deviation("locale", Need.LOCALE, UNSAID, NOT_NEEDED): "every static program has the paths of locales"},
    ),
    "linked": Way("linked", "gcc", C, {}),
    "linked-static": Way(
        "linked",
        "gcc",
        (*STATIC, "-Wl,--start-group", "-ltinfo"),
        {Deviation("tlsdefault", Need.CERTS, NEGATIVE, MAYBE): "libssl is linked as a whole; maybe is packed"},
    ),
    "rust": Way(
        "rust",
        "rustc",
        RUST,
        {
            Deviation("commandsh", Need.SHELL, NEGATIVE, OPTIONAL): _DATA,
            Deviation("readpasswd", Need.PASSWD, NEGATIVE, OPTIONAL): "a path is no call, and passwd costs nothing",
            Deviation("tempfile", Need.TMP, NEGATIVE, OPTIONAL): _STATIC_TMP,
        },
    ),
    "rust-static": Way(
        "rust",
        "rustc",
        (*RUST, "-C", "target-feature=+crt-static"),
        {
            Deviation("commandsh", Need.SHELL, NEGATIVE, NOT_NEEDED): "Rust's own code has /bin/sh always",
            Deviation("getpwnam", Need.PASSWD, NEGATIVE, MAYBE): _ONE_BLOCK,
            Deviation("readpasswd", Need.PASSWD, NEGATIVE, OPTIONAL): "a path is no call, and passwd costs nothing",
            Deviation("tempfile", Need.TMP, NEGATIVE, OPTIONAL): _STATIC_TMP,
        },
    ),
}


def truth_of(way: Way) -> dict[str, Truth]:
    """The programs of a way."""
    every = truths(way.programs)
    if not way.musl:
        return every
    return {
        name: one._replace(needs=one.needs - WITHIN_MUSL, asks=one.asks - WITHIN_MUSL) for name, one in every.items()
    }


def build(name: str) -> dict[str, Path]:
    """The programs built that way; skips without the compiler, or the libraries that they are linked to."""
    way = WAYS[name]
    if way.programs == "linked":
        need_file("/usr/include/curses.h")
        need_file("/usr/include/openssl/ssl.h")
    return build_native(name, way.compiler, truth_of(way).values(), *way.flags)


@pytest.mark.parametrize("name", WAYS)
def test_what_is_told_is_true(name: str) -> None:
    """Of each program each need is told, and no other, but for what is explained one by one above."""
    way, paths = WAYS[name], build(name)
    truth = truth_of(way)
    found = compare(truth, paths)
    print(table(name, truth, paths, found))
    assert found == way.not_true.keys()


@pytest.mark.parametrize("name", WAYS)
def test_costly_files_are_packed_for_all_that_need_them(name: str) -> None:
    """Whatever needs roots, zones, or terminal descriptions gets them, also if that is just probable."""
    truth = truth_of(WAYS[name])
    costly = (Need.CERTS, Need.TZ, Need.TERMINFO)
    for program, path in build(name).items():
        packed = {decision.need for decision in look(path).needs if decision.packed}
        assert truth[program].needs.intersection(costly) <= packed, program


@pytest.mark.parametrize("name", ["rust", "rust-static"])
def test_rust_is_known(name: str) -> None:
    """All have Rust's own mark, and the release of the compiler as it tells it."""
    told = subprocess.run((need_tool("rustc"), "--version"), capture_output=True, text=True, check=True).stdout
    for path in build(name).values():
        findings = look(path).findings
        assert findings.language == "Rust"
        assert findings.toolchain.split()[1] == told.split()[1]


#: What minpack does not tell truly of programs with crates.
NOT_TRUE_OF_CRATES = {
    Deviation("tempfilecrate", Need.TMP, NEGATIVE, OPTIONAL): _STATIC_TMP,
    Deviation("platformverifier", Need.CERTS, NEGATIVE, MAYBE): "it has roots too; maybe is packed",
}


if ALL:
    # Not skipped without: it takes minutes and the package index of Rust.

    def test_what_is_told_of_crates_is_true() -> None:
        """Of programs of Rust with other people's crates for TLS, zones, users and files."""
        truth = truths("crates")
        paths = build_cargo(truth.values())
        found = compare(truth, paths)
        print(table("Rust with crates", truth, paths, found))
        assert found == NOT_TRUE_OF_CRATES.keys()


def test_crates_of_cargo_auditable(tmp_path: Path) -> None:
    """Those that are in the program, not those that built it, with their versions."""
    packages = [
        {"name": "app", "version": "0.1.0", "source": "local", "dependencies": [1, 2], "root": True},
        {"name": "ureq", "version": "3.1.2", "source": "crates.io"},
        {"name": "cc", "version": "1.2.0", "source": "crates.io", "kind": "build"},
    ]
    section, made = tmp_path / "section", tmp_path / "made"
    section.write_bytes(zlib.compress(json.dumps({"packages": packages}).encode()))
    command = (need_tool("objcopy"), "--add-section", f".dep-v0={section}", str(build("rust")["hello"]), str(made))
    subprocess.run(command, check=True)
    modules = look(made).findings.modules
    assert {("app", "0.1.0"), ("ureq", "3.1.2")} <= {tuple(module) for module in modules}
    assert "cc" not in {module.name for module in modules}


@pytest.mark.parametrize("name", ["c-glibc", "c-musl", "c-musl-static", "cxx", "cxx-static"])
def test_c_is_not_taken_for_another_language(name: str) -> None:
    """Nothing in them is a mark of a runtime."""
    assert {look(path).findings.language for path in build(name).values()} == {""}


@pytest.mark.parametrize(("name", "libc"), [("c-glibc-static", "glibc"), ("c-musl-static", "musl")])
def test_static_c_libraries_are_known(name: str, libc: str) -> None:
    """All but those too small to tell have the mark of their C library."""
    told = [look(path).findings.static_libc for path in build(name).values()]
    assert set(told) <= {libc, ""}
    assert told.count(libc) * 2 > len(told)
