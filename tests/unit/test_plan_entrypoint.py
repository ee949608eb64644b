"""What a container starts: looked for in the packed tree by the rules of runtimes and the kernel."""

from __future__ import annotations

import pytest

from minpack.base.entries import base_of
from minpack.base.walk import Walker
from minpack.content import BytesContent
from minpack.errors import EntrypointError
from minpack.oci.documents import ImageConfig
from minpack.paths import RootPath
from minpack.plan.entrypoint import MAX_SCRIPTS, Start, check_start
from minpack.rootfs.entry import Entry, directory, file, symlink
from minpack.target import Platform
from support.badfiles import MUSL_LOADER
from support.elfmaker import MUSL, library, make_elf, program, static_program

APP = static_program()


def at(path: str, data: bytes = APP, mode: int = 0o755, uid: int = 0, gid: int = 0) -> Entry:
    """A file."""
    return file(RootPath(path), BytesContent(data), mode)._replace(uid=uid, gid=gid)


def link(path: str, target: str) -> Entry:
    """A symbolic link."""
    return symlink(RootPath(path), target)


def reason(
    name: str,
    *entries: Entry,
    user: str = "65532:65532",
    workdir: str = "/",
    path: str = "/usr/local/bin:/bin",
    proved: str = "",
) -> str:
    """Why an image of these entries would not start `name`; empty if it would."""
    config = ImageConfig(
        Platform("linux", "amd64"), (name,), env=(("PATH", path),), user=user, workdir=RootPath(workdir)
    )
    tree = Walker(base_of("tree", entries))
    try:
        check_start(Start(config, tree, frozenset((RootPath(proved),)), None, "look again"))
    except EntrypointError as error:
        return error.reason if (error.program, bool(error.hint)) == (name, True) else error.message
    return ""


@pytest.mark.parametrize("name", ["/bin/app", "app", "bin/app", "./bin/app", "../bin//app", "/start", "/lib/app"])
def test_what_starts(name: str) -> None:
    """An absolute path, a bare name in PATH, a path from the working directory, and a link to it."""
    entries = (at("/bin/app"), link("/start", "/again"), link("/again", "bin/app"), link("/lib", "bin"))
    assert reason(name, *entries) == ""


def test_relative_paths_start_in_the_working_directory() -> None:
    """A name with a slash is looked for from the working directory, not in PATH."""
    assert reason("./app", at("/srv/app"), workdir="/srv") == ""
    assert reason("./app", at("/bin/app"), workdir="/srv") == "the image has no such file"


def test_a_bare_name_is_looked_for_in_path_alone() -> None:
    """What may not be run there is passed over, and relative directories do not count."""
    assert reason("app", at("/usr/local/bin/app", mode=0o644), at("/bin/app")) == ""
    assert reason("app", at("/app"), path="/bin:") == "it is not in PATH (/bin:)"
    assert reason("app", at("/app"), path=".:") == "it is not in PATH (.:)"
    assert reason("app", at("/app"), path="") == "it is not in PATH ()"
    assert reason("app", directory(RootPath("/bin/app"))) == "it is not in PATH (/usr/local/bin:/bin)"


@pytest.mark.parametrize(
    ("name", "entry", "expected"),
    [
        ("/bin", at("/bin/app"), "it is a directory"),
        ("/bin/app/x", at("/bin/app"), "the image has no such file"),
        ("/a", link("/a", "b"), "it is a link to 'b', which is not in the image"),
        ("/a", link("/a", "a"), "its links form a loop"),
        ("/a", at("/a", b""), "it is an empty file"),
        ("/a", at("/a", b"text\n"), "it is a text file"),
        ("/a", at("/a", make_elf(type_=1, dynamic=False)), "it is an object file"),
        ("/a", at("/a", static_program(machine="aarch64")), "it is for arm64, and the image for linux/amd64"),
        ("/a", at("/a", program(interpreter=MUSL)), f"its interpreter is {MUSL!r}, and the image has no such file"),
        ("/a", at("/a", APP[:40]), "malformed"),
    ],
)
def test_what_does_not_start(name: str, entry: Entry, expected: str) -> None:
    """Each thing that is not a program of the image's is called what it is."""
    assert expected in reason(name, entry)


def test_the_user_may_run_it() -> None:
    """The mode counts for the image's user, its group, or all others; root needs somebody's right alone."""
    assert reason("/a", at("/a", mode=0o644)) == "65532:65532 may not run it (mode 0644)"
    assert reason("/a", at("/a", mode=0o644), user="0:0") == "0:0 may not run it (mode 0644)"
    assert reason("/a", at("/a", mode=0o100), user="0:0") == reason("/a", at("/a", mode=0o100), user="") == ""
    assert reason("/a", at("/a", mode=0o100, uid=7), user="7:8") == ""
    assert reason("/a", at("/a", mode=0o010, gid=8), user="7:8") == ""
    assert reason("/a", at("/a", mode=0o655, uid=7), user="7:8") == "7:8 may not run it (mode 0655)"


def test_the_user_may_enter_the_directories() -> None:
    """Every directory on the way counts, those that links lead through too."""
    closed = directory(RootPath("/opt"), 0o700)
    expected = "65532:65532 may not enter '/opt' (mode 0700)"
    assert reason("/opt/app", closed, at("/opt/app")) == expected
    assert reason("/app", closed, at("/opt/app"), link("/app", "opt/app")) == expected
    assert reason("/opt/app", closed, at("/opt/app"), user="0:0") == ""


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (b"#!/bin/app\n", ""),
        (b"#! \t/bin/app\t-x y\n", ""),
        (b"#!bin/app", ""),
        (b"#!/usr/bin/env app\n", ""),
        (b"#!/usr/bin/env -S app -x\n", ""),
        (b"#!/bin/nosuch\n", "its interpreter is '/bin/nosuch', and the image has no such file"),
        (b"#!/bin/app\r\n", "its interpreter is '/bin/app\\r', and the image has no such file"),
        (b"#!app\n", "its interpreter is 'app', and the image has no such file"),
        (b"#!/text\n", "its interpreter is '/text', and it is a text file"),
        (b"#!/usr/bin/env nosuch\n", "its first line names 'nosuch', which is not in PATH"),
        (b"#!\n", "its first line names no interpreter"),
        (b"#!" + b"/" * 300, "its first line names no interpreter"),
    ],
)
def test_scripts(first: bytes, expected: str) -> None:
    """The interpreter of a script is started as the script is, from the working directory, and is not a bare name."""
    entries = (at("/bin/app"), at("/usr/bin/env"), at("/text", b"text\n"), at("/script", first))
    assert reason("/script", *entries) == expected


def test_a_script_is_read_by_its_interpreter() -> None:
    """The kernel starts a script that the user may run, and its interpreter opens it as that user."""
    script = at("/script", b"#!/bin/app\n", mode=0o711)
    expected = "it is a script, and 65532:65532 may not read it (mode 0711)"
    assert reason("/script", at("/bin/app"), script) == expected
    assert reason("/script", at("/bin/app"), script, user="0:0") == ""


def test_a_script_for_a_script() -> None:
    """An interpreter may be a script too, up to the kernel's limit; a circle ends."""
    chain = [at(f"/{number}", b"#!/%d\n" % (number + 1)) for number in range(MAX_SCRIPTS + 1)]
    assert reason("/1", *chain, at(f"/{MAX_SCRIPTS + 1}")) == ""
    assert "the kernel gives up" in reason("/0", *chain, at(f"/{MAX_SCRIPTS + 1}"))
    assert "the kernel gives up" in reason("/a", at("/a", b"#!/a\n"))


def test_what_was_added_has_its_libraries() -> None:
    """A dynamic program that was not resolved before is now, on the tree alone; one that was is not read again."""
    app, loader = at("/app", program(("liba.so",), interpreter=MUSL)), at(MUSL, MUSL_LOADER)
    assert reason("/app", app, loader) == "it lacks liba.so"
    assert reason("/app", app, loader, proved="/app") == ""
    assert reason("/app", app, loader, at("/lib/liba.so", library("liba.so"))) == ""


def test_386_programs_run_on_amd64() -> None:
    """Kernels of some architectures run programs of another one."""
    assert reason("/a", at("/a", static_program(machine="x86"))) == ""


def test_an_image_without_a_command() -> None:
    """Where nothing is named, nothing is checked; without an entrypoint the command is what is started."""
    tree = Walker(base_of("tree", ()))
    config = ImageConfig(Platform("linux", "amd64"), ())
    check_start(Start(config, tree, frozenset(), None, ""))
    with pytest.raises(EntrypointError, match=r"cannot start '/x': the image has no such file"):
        check_start(Start(config._replace(cmd=("/x",)), tree, frozenset(), None, ""))
