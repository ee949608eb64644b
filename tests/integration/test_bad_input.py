"""What bad input gets: the exit code, one clear message, and nothing written. The table is `docs/errors.md`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from support.badfiles import make_bad_files
from support.command import COMMAND, Ran, assert_error_document, assert_refused, minpack, snapshot
from support.elfmaker import static_program
from support.gomaker import GoForm, go_program
from support.places import as_nobody, shared_directory
from support.refusals import Refusal, refusals, row


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of bad files, which no test here changes."""
    return make_bad_files(tmp_path_factory.mktemp("bad"))


TYPED = [refusal for refusal in refusals() if refusal.arguments]


@pytest.mark.parametrize("refusal", TYPED, ids=[f"{number}-{case.what}" for number, case in enumerate(TYPED)])
def test_bad_input_is_refused(refusal: Refusal, files: Path) -> None:
    """The command prints what the table says, as text and as one JSON document, and writes nothing."""
    before = snapshot(files)
    ran = minpack(*as_json(refusal.arguments), cwd=files)
    assert_refused(ran, refusal.code, refusal.message, refusal.hint)
    if refusal.arguments[0] != "completion":
        assert_error_document(ran, refusal.kind)
    assert snapshot(files) == before


def as_json(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """The command with --json, and with an output file that is there already, where it can have them."""
    one = [
        "pack",
        "tree",
        "lock",
        "update",
        "completion",
        "push",
        "vex",
        "sbom",
        "check",
        "diff",
        "export",
        "inspect",
        "build",
        "show",
        "init",
    ]
    one += ["deployment", "report", "sign", "verify", "debug", "why", "shrink", "trace"]
    words = {**dict.fromkeys(one, 1), "base": 2}.get(arguments[0], 0)
    output = ("-o", "kept.tar") if words == 0 and "-o" not in arguments else ()
    switch = ("--json",) if arguments[0] != "completion" else ()
    return (*arguments[:words], *switch, *output, *arguments[words:])


def test_a_program_that_may_not_be_read() -> None:
    """Another user's program is refused with what to do about it."""
    case = row("a program that may not be read")
    with shared_directory() as place:
        (place / "secret").write_bytes(static_program())
        (place / "secret").chmod(0)
        ran = as_nobody("./secret", "--json", cwd=place)
        assert_refused(ran, case.code, case.message, case.hint)
        assert_error_document(ran, case.kind)
        assert os.listdir(place) == ["secret"]
        (place / "closed").mkdir(mode=0o700)
        ran = as_nobody("./closed/app", cwd=place)
        assert_refused(ran, case.code, case.message.replace("secret", "closed/app"), case.hint)


@pytest.mark.parametrize("change", ["grow", "shrink", "rewrite"])
@pytest.mark.parametrize("form", ["archive", "rootfs"])
def test_a_program_that_changes_while_it_is_packed(tmp_path: Path, form: str, change: str) -> None:
    """A build that still writes the program is noticed, whether the size changes or not, and no image is made."""
    case = row("a program that is written while it is packed")
    size = 1 << 28
    stored = ("--compress", "none") if form == "archive" else ()
    with (tmp_path / "growing").open("wb") as file:
        file.write(static_program())
        file.truncate(size)
    run = subprocess.Popen(
        [*COMMAND, "./growing", "--format", form, *stored, "-o", "target"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
    )
    while not list(tmp_path.glob(".*.partial")):
        assert run.poll() is None, run.communicate()
    with (tmp_path / "growing").open("r+b") as file:
        if change != "rewrite":
            file.truncate(size + 1 if change == "grow" else size - 1)
        else:
            file.seek(size - 1)
            file.write(b"x")
    _, err = run.communicate(timeout=120)
    assert_refused(Ran(run.returncode, b"", err.decode()), case.code, case.message, case.hint)
    assert os.listdir(tmp_path) == ["growing"]


def test_a_name_that_is_no_utf8(tmp_path: Path) -> None:
    """An image's configuration is JSON, so such a name is refused, and --dest is the way out."""
    case = row("a program's name that is not UTF-8")
    name = os.fsencode(tmp_path) + b"/caf\xe9"
    with open(name, "wb") as file:
        file.write(static_program())
    ran = minpack(b"./caf\xe9", "-o", "app.tar", cwd=tmp_path)
    assert_refused(ran, case.code, case.message, case.hint)
    assert os.listdir(os.fsencode(tmp_path)) == [b"caf\xe9"]
    assert minpack(b"./caf\xe9", "--dest", "/app", "-o", "app.tar", cwd=tmp_path).code == 0


def test_a_variant_below_the_programs(tmp_path: Path) -> None:
    """A program that was built for a later CPU is not labelled for an earlier one."""
    case = row("a variant that the program needs more than")
    (tmp_path / "go-arm7").write_bytes(go_program(GoForm("armhf", settings=("GOARM=7",))).data)
    ran = minpack("./go-arm7", "--platform", "linux/arm/v6", "--json", cwd=tmp_path)
    assert_refused(ran, case.code, case.message, case.hint)
    assert_error_document(ran, case.kind)
    assert os.listdir(tmp_path) == ["go-arm7"]


def test_an_added_file_is_meant(files: Path, tmp_path: Path) -> None:
    """What --add names goes in, even what would never be taken from a base."""
    ran = minpack(
        str(files / "app"),
        *("--base", str(files / "private.tar"), "--add", f"{files / 'main.c'}:/etc/shadow", "--no-need", "os-release"),
        *("-o", "app.tar", "--json"),
        cwd=tmp_path,
    )
    assert ran.code == 0, ran.err
    (shadow,) = (file for file in ran.document["images"][0]["files"] if file["path"] == "/etc/shadow")
    assert shadow["from"] == "added"


def test_the_page_of_errors_has_a_test_for_every_row() -> None:
    """A row without an example is looked up by some test."""
    tests = "".join(path.read_text() for path in sorted(Path(__file__).parent.glob("test_*.py")))
    untested = [refusal.what for refusal in refusals() if not refusal.arguments and f'"{refusal.what}"' not in tests]
    assert not untested


def test_rows_without_an_example_have_names_of_their_own() -> None:
    """So that a test that looks one up gets the one it means."""
    names = [refusal.what for refusal in refusals() if not refusal.arguments]
    assert len(names) == len(set(names))
