"""Which programs a project builds, and the first file for it."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest

from minpack.config.first import config_text
from minpack.config.projects import find_project, repository_of

if TYPE_CHECKING:
    from pathlib import Path

CARGO = '[package]\nname = "My_Tool"\nversion = "1.0.0"\n'


@pytest.mark.parametrize(
    ("files", "kind", "programs"),
    [
        ({"go.mod": "module example.com/me/web/v2\n", "main.go": ""}, "Go module", {"web": "web"}),
        (
            {"go.mod": "module x/web\n", "cmd/b/main.go": "", "cmd/a/main.go": ""},
            "Go module",
            {"a": "bin/a", "b": "bin/b"},
        ),
        ({"go.mod": "module web\n", ".goreleaser.yaml": ""}, "Go module", {"web": "dist/web_{platform}/web"}),
        ({"Cargo.toml": CARGO}, "Cargo package", {"my_tool": "target/release/My_Tool"}),
        (
            {"Cargo.toml": CARGO, "target/aarch64-unknown-linux-musl/release/x": ""},
            "Cargo package",
            {"my_tool": "target/{platform}/release/My_Tool"},
        ),
        (
            {"Cargo.toml": f'{CARGO}[[bin]]\nname = "a"\n[[bin]]\nname = "b"\n'},
            "Cargo package",
            {"a": "target/release/a", "b": "target/release/b"},
        ),
        (
            {"CMakeLists.txt": "project(x)\nadd_executable(tool main.c)\n  ADD_EXECUTABLE( other x.c)\n"},
            "CMake project",
            {"tool": "build/tool", "other": "build/other"},
        ),
        ({"Makefile": "CC = gcc\nPROG = ./bin/hello\n"}, "Makefile", {"hello": "bin/hello"}),
        ({"Makefile": "hello: hello.c util.h\n\tcc -o $@ $<\nclean:\n\trm hello\n"}, "Makefile", {"hello": "hello"}),
        (
            {"Makefile": "all: a bin/b\na: $(OBJS)\nbin/b : b.o\nb.o: b.c\n%.o: %.c\nx := y.c\n"},
            "Makefile",
            {"a": "a", "b": "bin/b"},
        ),
        ({"go.mod": "module web\n", "Makefile": "PROG = x\n"}, "Go module", {"web": "web"}),
        ({"Cargo.toml": "[workspace]\nmembers = []\n"}, None, {}),
        ({"Cargo.toml": "not = [toml"}, None, {}),
        ({"README": ""}, None, {}),
    ],
)
def test_what_is_found(tmp_path: Path, files: dict[str, str], kind: str | None, programs: dict[str, str]) -> None:
    """By the files of each kind of project, Go's and Cargo's before a Makefile."""
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(data)
    project = find_project(str(tmp_path))
    assert (project.kind if project is not None else None) == kind
    assert {one.name: one.path for one in (project.programs if project is not None else ())} == programs


@pytest.mark.parametrize(("makefile", "guessed"), [("all:\n\tninja\n", True), ("PROG = x\n", False)])
def test_a_makefile_that_names_no_program(tmp_path: Path, makefile: str, *, guessed: bool) -> None:
    """The program is called as the directory is, which is said to be a guess."""
    place = tmp_path / "tool"
    place.mkdir()
    (place / "Makefile").write_text(makefile)
    project = find_project(str(place))
    assert project is not None
    assert (project.is_guessed, project.programs[0].path) == (guessed, "tool" if guessed else "x")


@pytest.mark.parametrize(
    "remote", ["git@github.com:Me/web.git", "https://github.com/Me/web", "ssh://git@github.com/Me/web"]
)
def test_where_the_image_may_go(tmp_path: Path, remote: str) -> None:
    """To the owner's packages on GitHub, if git pushes there."""
    assert repository_of(str(tmp_path)) == ""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text(f'[core]\n\tbare = false\n[remote "origin"]\n\turl = {remote}\n')
    assert repository_of(str(tmp_path)) == "ghcr.io/me"


def test_a_base_of_all_is_a_default(tmp_path: Path) -> None:
    """The file is TOML, and says how each program is built."""
    (tmp_path / "CMakeLists.txt").write_text("add_executable(a x)\nadd_executable(b x)\n")
    project = find_project(str(tmp_path))
    assert project is not None
    found = config_text(project.programs, {"a": "debian-12", "b": "debian-12"}, "ghcr.io/me")
    assert tomllib.loads(found) == {
        "defaults": {"base": "debian-12"},
        "image": {name: {"programs": [f"build/{name}"], "tag": f"ghcr.io/me/{name}:{{version}}"} for name in "ab"},
    }
    assert "# cmake -B build && cmake --build build\n" in found
    assert 'base = "debian-12"' in config_text(project.programs[:1], {"a": "debian-12"}, "")
