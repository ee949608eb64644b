"""What compilers record in programs: Go's modules, and crates by cargo-auditable."""

from __future__ import annotations

import json
import zlib

from minpack.content import BytesContent
from minpack.elf.read import read_elf
from minpack.needs.findings import Module
from minpack.needs.modules import BuiltFrom, read_built_from
from support.elfmaker import static_program
from support.gomaker import GoForm, go_program

RELEASED = "path\texample.com/app\nmod\texample.com/app\tv1.2.0\th1:A=\ndep\tgolang.org/x/text\tv0.3.0\th1:B=\n"
LOCAL = "path\texample.com/app\nmod\texample.com/app\t(devel)\t\ndep\texample.com/x\tv1.0.0\n=>\t./local\t\n"
CRATES = {
    "packages": [
        {"name": "serde", "version": "1.0.219", "source": "crates.io"},
        {"name": "cc", "version": "1.2.0", "source": "crates.io", "kind": "build"},
        {"name": "app", "version": "0.1.0", "source": "local", "root": True},
    ]
}


def built_from(data: bytes) -> BuiltFrom | None:
    """What is recorded in a program."""
    content = BytesContent(data)
    return read_built_from(content, read_elf(content), "/app")


def test_go_records_its_modules_and_toolchain() -> None:
    """Of a replaced module what replaces it; what was built where it lies has no version."""
    found = built_from(go_program().data)
    assert found == BuiltFrom("Go", "1.20.1", Module("example.com/app", ""), (Module("example.org/fork", "v1.2.4"),))


def test_a_released_main_module_has_its_version() -> None:
    """As ``go install`` gives it one."""
    found = built_from(go_program(GoForm(modules=RELEASED)).data)
    assert found is not None
    assert found.main == Module("example.com/app", "v1.2.0")
    assert found.modules == (Module("golang.org/x/text", "v0.3.0"),)


def test_a_module_of_a_directory_is_nobody_elses() -> None:
    """It has no version by which anyone could know it."""
    found = built_from(go_program(GoForm(modules=LOCAL)).data)
    assert found is not None
    assert found.modules == ()


def test_a_program_without_section_headers_is_searched() -> None:
    """As tools that shrink programs leave it."""
    found = built_from(go_program(GoForm(sections=False)).data)
    assert found is not None
    assert found.modules


def test_a_program_may_be_of_no_module() -> None:
    """As what ``go build main.go`` makes."""
    found = built_from(go_program(GoForm(modules="path\tcommand-line-arguments\n")).data)
    assert found == BuiltFrom("Go", "1.20.1", Module("", ""), ())


def test_crates_are_those_of_cargo_auditable_alone() -> None:
    """Of these the ones in the program, not those of its build; messages of panics tell of a part."""
    section = zlib.compress(json.dumps(CRATES).encode())
    made = go_program(GoForm(extra={".dep-v0": section, ".s": b"/ring-0.17.8/src/lib.rs"})).data
    for name in (b".gopclntab", b".go.buildinfo", b"\xff Go buildinf:"):
        made = made.replace(name, b"x" * len(name))
    found = built_from(made)
    assert found == BuiltFrom("Rust", "", Module("", ""), (Module("app", "0.1.0"), Module("serde", "1.0.219")))


def test_others_record_nothing() -> None:
    """A program of C, and one whose sections are damaged."""
    assert built_from(static_program()) is None
    damaged = go_program(GoForm(extra={".dep-v0": b"no zlib"})).data
    for name in (b".gopclntab", b".go.buildinfo", b"\xff Go buildinf:"):
        damaged = damaged.replace(name, b"x" * len(name))
    assert built_from(damaged) is None
