"""The project in a directory, as far as its files say what programs it builds: for a first `minpack.toml`."""

from __future__ import annotations

import os
import re
import tomllib
from contextlib import suppress
from glob import escape, glob
from typing import TYPE_CHECKING, Any

from minpack.config.model import NAME
from minpack.config.programs import PLATFORM, NoProgramError, find_programs
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

#: More bytes of such a file are not read.
_MOST = 1 << 20
_GORELEASER = (".goreleaser.yaml", ".goreleaser.yml", "goreleaser.yaml", "goreleaser.yml")


class BuiltProgram(NamedTuple):
    """A program that a project builds: its image's name, where it is built, and how."""

    name: str
    path: str
    build: str


class Project(NamedTuple):
    """A project: its kind, and its programs.

    `is_static` says that they are so by default, `is_guessed` that its files do not say what they are called.
    """

    kind: str
    programs: tuple[BuiltProgram, ...]
    is_static: bool = False
    is_guessed: bool = False


def find_project(directory: str) -> Project | None:
    """The first of these that is there: a Go module, Rust's Cargo, CMake, a Makefile; None for none of them."""
    found = (look(directory) for look in _LOOKS)
    return next((project for project in found if project is not None and project.programs), None)


def repository_of(directory: str) -> str:
    """Where the image may go, by the repository on GitHub that git pushes to: ``ghcr.io/OWNER``; empty for none."""
    text = _read(directory, ".git/config")
    remote = re.search(r'\[remote "origin"\][^\[]*?url\s*=\s*\S*github\.com[:/]([A-Za-z0-9-]+)/', text)
    return f"ghcr.io/{remote[1].lower()}" if remote is not None else ""


def _go(directory: str) -> Project | None:
    module = re.search(r"^module\s+\"?([^\s\"]+)", _read(directory, "go.mod"), re.MULTILINE)
    if module is None:
        return None
    parts = [part for part in module[1].split("/") if not re.fullmatch(r"v\d+", part)]
    commands = sorted(os.path.basename(os.path.dirname(path)) for path in glob(f"{escape(directory)}/cmd/*/main.go"))
    names = [parts[-1]] if not commands or os.path.exists(os.path.join(directory, "main.go")) else commands
    if any(os.path.exists(os.path.join(directory, name)) for name in _GORELEASER):
        return _project("Go module", names, f"dist/{{}}_{PLATFORM}/{{}}", "goreleaser build", is_static=True)
    if names == commands:
        build = "CGO_ENABLED=0 go build -o bin/ ./cmd/..."
        return _project("Go module", names, "bin/{}", build, is_static=True)
    return _project("Go module", names, "{}", "CGO_ENABLED=0 go build", is_static=True)


def _cargo(directory: str) -> Project | None:
    data: dict[str, Any] = {}
    with suppress(ValueError, RecursionError):
        data = tomllib.loads(_read(directory, "Cargo.toml"))
    package = data.get("package")
    if not isinstance(package, dict):
        return None
    binaries = [one.get("name") for one in data.get("bin", []) if isinstance(one, dict)]
    names = [str(name) for name in binaries or [package.get("name")] if name]
    crossed = glob(f"{escape(directory)}/target/*-linux-*/release")
    target = f"{PLATFORM}/" if crossed else ""
    return _project("Cargo package", names, f"target/{target}release/{{}}", "cargo build --release")


def _cmake(directory: str) -> Project | None:
    text = _read(directory, "CMakeLists.txt")
    names = re.findall(r"^\s*add_executable\s*\(\s*([A-Za-z0-9._+-]+)", text, re.MULTILINE | re.IGNORECASE)
    if not text:
        return None
    return _project("CMake project", list(dict.fromkeys(names)), "build/{}", "cmake -B build && cmake --build build")


def _make(directory: str) -> Project | None:
    text = next(filter(None, (_read(directory, name) for name in ("GNUmakefile", "makefile", "Makefile"))), "")
    if not text:
        return None
    variable = r"^(?:PROG(?:RAM)?|TARGET|BIN(?:ARY)?|EXE(?:CUTABLE)?|NAME|APP)\s*[:?]?=\s*([\w./+-]+)\s*$"
    named = re.findall(variable, text, re.MULTILINE)[:1] or _linked(text)
    paths = [path.removeprefix("./") for path in named or [os.path.basename(os.path.realpath(directory))]]
    found = [one for path in paths for one in _programs([os.path.basename(path)], _beside(path), "make")]
    return Project("Makefile", tuple({one.name: one for one in found}.values()), is_guessed=not named)


def _linked(makefile: str) -> list[str]:
    """The targets without a suffix that are made of source or object files."""
    rules = re.findall(r"^([\w./+-]+)[ \t]*:(?![:=])[ \t]*(.*)$", makefile, re.MULTILINE)
    sources = r"\.(?:c|cc|cpp|cxx|o|s|S|d|go|rs|zig)\b|\$[({](?:OBJ|SRC|SOURCE)"
    found = (target for target, parts in rules if re.search(sources, parts))
    return list(dict.fromkeys(target for target in found if "." not in os.path.basename(target)))


def _beside(path: str) -> str:
    """The pattern of the programs in the directory of `path`."""
    return os.path.join(os.path.dirname(path), "{}")


_LOOKS: tuple[Callable[[str], Project | None], ...] = (_go, _cargo, _cmake, _make)


def _project(kind: str, names: list[str], path: str, build: str, *, is_static: bool = False) -> Project:
    return Project(kind, tuple(_programs(names, path, build)), is_static)


def _programs(names: list[str], path: str, build: str) -> list[BuiltProgram]:
    found = (BuiltProgram(_image_name(name), path.replace("{}", name), build) for name in names)
    return list({one.name: one for one in found if one.name}.values())


def _image_name(name: str) -> str:
    """The name of a program as images may have it."""
    plain = re.sub(r"[^a-z0-9._-]", "-", name.lower())
    plain = re.sub(r"[._-]{2,}", "-", plain).strip("._-")
    return plain if re.fullmatch(NAME, plain) else ""


def built_file(program: BuiltProgram) -> str | None:
    """A file of the program of a project in the working directory, if it is built already."""
    with suppress(NoProgramError):
        return next((path for path in find_programs(program.path) if os.path.isfile(path)), None)
    return None


def _read(directory: str, name: str) -> str:
    """The text of a file of the project; empty where there is none."""
    path = os.path.join(directory, name)
    try:
        if os.path.isfile(path):
            with open(path, "rb") as file:
                return file.read(_MOST).decode(errors="replace")
    except OSError:
        return ""
    return ""
