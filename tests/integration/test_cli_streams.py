"""Standard output and error: closed, full, broken, a terminal, in any encoding; and file names of any bytes."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from support.command import Ran, assert_refused, in_shell, matches, minpack
from support.elfmaker import static_program
from support.refusals import row
from support.tarmaker import archive, member
from support.terminals import on_terminal

if TYPE_CHECKING:
    from pathlib import Path

#: Names that shells, terminals or command lines could take for something else, and how they are shown.
NAMES = {
    "a b": "a b",
    "-x": "-x",
    "inspect": "inspect",
    "new\nline": r"new\nline",
    "größe": "größe",
    "colour\x1b[31m": r"colour\x1b[31m",
    "$(reboot)": "$(reboot)",
}
#: An encoding that can show no more than ASCII.
ASCII = {"PYTHONIOENCODING": "ascii"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a program in it."""
    (tmp_path / "app").write_bytes(static_program())
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_programs_of_any_name(tmp_path: Path, name: str) -> None:
    """The image and the output are named after the program, and nothing that is shown is obeyed by a terminal."""
    (tmp_path / name).write_bytes(static_program())
    ran = minpack(f"./{name}", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert (tmp_path / f"{name}.tar").exists()
    text = ran.out.decode()
    assert f"/usr/local/bin/{NAMES[name]}\n" in text
    assert all(character.isprintable() for line in text.splitlines() for character in line)


def test_what_to_type_next_can_be_typed(tmp_path: Path) -> None:
    """The command that is suggested names the file so that a shell finds it."""
    (tmp_path / 'it\'s a "test"').write_bytes(static_program())
    text = minpack('./it\'s a "test"', "--format", "tar", cwd=tmp_path).out.decode()
    command = next(line for line in text.splitlines() if line.startswith("next: ")).removeprefix("next: docker import ")
    assert in_plain_shell(f"test -f {command}", cwd=tmp_path) == 0


def in_plain_shell(script: str, cwd: Path) -> int:
    """The exit code of a shell's script."""
    return subprocess.run(["sh", "-c", script], cwd=cwd, check=False).returncode


@pytest.mark.parametrize("arguments", [("--dry-run",), ("--dry-run", "--json"), ("-o", "x.tar", "-v")], ids=" ".join)
@pytest.mark.parametrize(
    "locale", [ASCII, {"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
def test_no_encoding_is_too_poor(tmp_path: Path, arguments: tuple[str, ...], locale: dict[str, str]) -> None:
    """In a locale without umlauts, names with umlauts are shown as well as it goes."""
    (tmp_path / "größe").write_bytes(static_program())
    ran = minpack("./größe", *arguments, cwd=tmp_path, env=locale)
    assert ran.code == 0, ran.err
    assert b"/usr/local/bin/gr" in ran.out


def test_the_locale_does_not_change_the_image(tmp_path: Path) -> None:
    """The same program under the same name gives the same bytes in UTF-8, C and Latin-1 locales."""
    (tmp_path / "größe").write_bytes(static_program())
    poor = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    made = set()
    for locale in ({"LC_ALL": "C.UTF-8"}, {"LC_ALL": "C", **poor}, {"LC_ALL": "POSIX", **poor}):
        assert minpack("./größe", "-o", "app.tar", cwd=tmp_path, env=locale).code == 0
        made.add((tmp_path / "app.tar").read_bytes())
    assert len(made) == 1


def test_a_reader_that_stops_reading(place: Path) -> None:
    """A broken pipe is not a failure, in every command and for the image itself, and nobody complains."""
    for arguments in (
        "base list",
        "tree ./app --json",
        "--help",
        "./app --dry-run -v",
        # Large enough not to fit into the pipe at once.
        "./app --need certs -o -",
        "./app --need certs --format tar -o -",
    ):
        for buffering in ("", "PYTHONUNBUFFERED=1 "):
            script = f'{{ env -u PYTHONUNBUFFERED {buffering}"$@" 2>err; echo $? >code; }} | head -c 10 | wc -c'
            ran = in_shell(script, *arguments.split(), cwd=place)
            assert (place / "code").read_text() == "0\n", arguments
            assert ran.out.strip() == b"10"
            # Where the image goes to stdout, the summary is on stderr: it comes last, so not at all.
            assert (place / "err").read_text() == "", arguments


def test_a_failure_stays_one_in_a_broken_pipe(place: Path) -> None:
    """An error keeps its exit code where nobody reads it."""
    for arguments in ("./missing", "./missing --json"):
        ran = in_shell('{ "$@" 2>&1; echo $? >code; } | true; sleep 0.1', *arguments.split(), cwd=place)
        assert ran.code == 0
    ran = in_shell('"$@" 2>&1 1>/dev/full', "./missing", cwd=place)
    assert ran.code == 1


def test_closed_streams(place: Path) -> None:
    """Without stdout or stderr nothing is printed there, and nothing elsewhere instead."""
    assert in_shell('"$@" >&-', "./app", "--dry-run", cwd=place) == Ran(0, b"", "")
    assert in_shell('"$@" 2>&-', "./missing", cwd=place) == Ran(1, b"", "")
    assert in_shell('"$@" 2>&-', "./missing", "--json", cwd=place).document["kind"] == "input"
    assert in_shell('"$@" >&- 2>&- <&-', "./app", cwd=place) == Ran(0, b"", "")
    whole = in_shell('"$@" 2>&-', "./app", "-o", "-", cwd=place)
    assert whole.out == (place / "app.tar").read_bytes()


def test_stdout_that_is_closed_takes_no_image(place: Path) -> None:
    """-o - without a stdout is refused."""
    case = row("-o -, and stdout is closed")
    assert_refused(in_shell('"$@" >&-', "./app", "-o", "-", cwd=place), case.code, case.message, case.hint)


def test_stdout_that_is_full(place: Path) -> None:
    """Results that cannot be written are a failure, whether text, a document or an image."""
    case = row("stdout that is full")
    for arguments in ("base list", "./app --dry-run", "./app --dry-run --json", "--help", "--version"):
        ran = in_shell('"$@" >/dev/full', *arguments.split(), cwd=place)
        assert_refused(ran, case.code, case.message, case.hint)
    case = row("-o - to what is full")
    for arguments in ("./app -o -", "./app -o - --format tar"):
        ran = in_shell('"$@" >/dev/full', *arguments.split(), cwd=place)
        assert_refused(ran, case.code, case.message, case.hint)
    assert in_shell('"$@" 2>/dev/full', "./missing", cwd=place) == Ran(1, b"", "")


@pytest.mark.parametrize(
    ("arguments", "done"),
    [
        ("./app -o out.tar", "'out.tar' was written"),
        ("./app -o out.tar --json", "'out.tar' was written"),
        ("./app --format oci -o out", "'out' was written"),
        ("base image base.tar --platform amd64 -o out.tar", "'out.tar' was written"),
        ("lock ./app --lock out.lock", "'out.lock' was written"),
    ],
)
def test_a_report_that_cannot_be_printed(place: Path, arguments: str, done: str) -> None:
    """The run failed, and the error says that what was written is there, and whole."""
    (place / "base.tar").write_bytes(archive(member("file", b"data")))
    case = row("stdout that is full, and something was written")
    ran = in_shell('"$@" >/dev/full', *arguments.split(), cwd=place)
    assert_refused(ran, case.code, case.message, f"{done}; only this report is missing")
    assert matches(f"{done}; only this report is missing", case.hint)
    again = minpack(*arguments.replace("out", "again").split(), cwd=place)
    assert again.code == 0
    for name in ("out.tar", "out.lock", "out/index.json"):
        if (place / name).exists():
            assert (place / name).read_bytes() == (place / name.replace("out", "again")).read_bytes()
            break
    else:
        pytest.fail("nothing was written")


def test_a_terminal_takes_no_image(place: Path) -> None:
    """-o - on a terminal is refused."""
    case = row("-o -, and stdout is a terminal")
    ran = on_terminal("./app", "-o", "-", cwd=place, env={"NO_COLOR": "1"})
    assert_refused(ran, case.code, case.message, case.hint)


def test_a_terminal_gets_bars_and_then_the_summary(place: Path) -> None:
    """What is drawn while it works is taken away again; the summary stays."""
    with (place / "app").open("r+b") as file:
        file.truncate(1 << 28)
    ran = on_terminal("./app", cwd=place, env={"TERM": "xterm"})
    assert ran.code == 0
    assert "packing program" in ran.err
    # Of what terminals obey there is the colour of one word alone.
    assert "\x1b" not in ran.out.decode().replace("\x1b[1;32mnext:\x1b[0m", "next:")
    assert ran.out.decode().splitlines()[0] == "app:latest  linux/amd64"


def test_the_summary_makes_way_for_the_image(place: Path) -> None:
    """With -o - the image alone is on stdout, and the summary on stderr."""
    ran = minpack("./app", "-o", "-", cwd=place)
    assert ran.code == 0
    assert ran.out[257:262] == b"ustar"
    assert ran.err.startswith("app:latest  linux/amd64\n")
    assert ran.err.endswith("kB to stdout\n")
    assert minpack("./app", "-o", "-", "-q", cwd=place) == Ran(0, ran.out, "")


def test_quiet_is_quiet(place: Path) -> None:
    """With -q every command that succeeds prints nothing at all, whatever else is asked for."""
    for arguments in (
        "./app",
        "./app -v",
        "inspect ./app",
        "tree ./app",
        "tree ./app --all",
        "base list",
        "base info /",
    ):
        assert minpack(*arguments.split(), "-q", cwd=place) == Ran(0, b"", ""), arguments


def test_quiet_still_prints_documents_and_errors(place: Path) -> None:
    """-q takes away what is for people; --json is for programs, and errors are for all."""
    assert minpack("inspect", "./app", "-q", "--json", cwd=place).document["kind"] == "static"
    assert minpack("./missing", "-q", cwd=place).err.startswith("minpack: cannot read './missing'")


def test_verbose_shows_every_file(place: Path) -> None:
    """-v adds each file with its mode, owner, size and reason."""
    text = minpack("./app", "-v", cwd=place).out.decode()
    assert "  -0755 0:0                192 /usr/local/bin/app  [program: the program]\n" in text
    assert "  d1777 0:0                  0 /tmp  [default: " in text
    assert "  image id     sha256:" in text


def test_documents_are_alone_on_stdout(place: Path) -> None:
    """With --json stdout is one document of the right schema, and stderr has nothing to say."""
    schemas = {
        "./app": "minpack.pack/1",
        "pack ./app --dry-run -v": "minpack.pack/1",
        "inspect ./app": "minpack.inspect/1",
        "tree ./app": "minpack.tree/1",
        "base list": "minpack.bases/1",
        "base info /": "minpack.base/1",
    }
    for arguments, schema in schemas.items():
        ran = minpack(*arguments.split(), "--json", cwd=place)
        assert (ran.code, ran.err) == (0, ""), arguments
        assert ran.document["schema"] == schema
        assert next(iter(ran.document)) == "schema"
        assert json.dumps(ran.document, indent=2).encode() + b"\n" == ran.out
