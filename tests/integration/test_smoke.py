"""An image is delivered only if it does what its smoke test expects, and any finished image can be tested so."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.cc import Compiler
from support.command import COMMAND, TIMEOUT, Ran, assert_refused, minpack
from support.elfmaker import static_program
from support.fake_engine import FakeEngine
from support.fakeregistry import FakeRegistry
from support.places import as_nobody, shared_directory
from support.refusals import row

if TYPE_CHECKING:
    from collections.abc import Generator

#: Does what its first argument says; the others it prints.
SOURCE = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int count, char **words) {
    char *what = count > 1 ? words[1] : "";
    for (int n = 2; n < count; n++) printf("[%s]\n", words[n]);
    fprintf(stderr, "%s\n", what);
    if (!strcmp(what, "exit")) return atoi(words[2]);
    if (!strcmp(what, "open")) return !fopen(words[2], "r") && !fopen("/etc/passwd", "w");
    if (!strcmp(what, "wait")) { if (!fork()) sleep(600); sleep(600); }
    if (!strcmp(what, "fault")) *(volatile int *) 0 = 1;
    if (!strcmp(what, "read")) return getchar() != EOF;
    if (!strcmp(what, "flood")) for (int n = 0; n < 1 << 20; n++) printf("line %d of very many that nobody wants\n", n);
    if (!strcmp(what, "reopen")) return !freopen("/dev/stdout", "w", stdout) || puts("reopened") < 0;
    return 0;
}
"""


@pytest.fixture(scope="module")
def place() -> Generator[Path]:
    """A directory that any user can read, with a program."""
    with shared_directory() as made:
        Compiler(made).program("app", SOURCE, "-static")
        yield made


def test_what_a_failing_program_does_not_find_is_told(place: Path) -> None:
    """By strace, as paths of the image; a check says so as well."""
    ran = minpack("./app", "-o", "none.tar", "--smoke", "open /etc/app.conf", "--json", cwd=place)
    assert ran.code == 3
    assert not (place / "none.tar").exists()
    assert ran.document["data"]["absent"] == ["/etc/app.conf"]
    assert "\n  not found: /etc/app.conf\n" in minpack("./app", "--smoke", "open /etc/app.conf", cwd=place).err
    assert minpack("./app", "-o", "made.tar", cwd=place).code == 0
    checked = minpack("check", "made.tar", "--smoke", "open /etc/app.conf", cwd=place)
    assert checked.code == 3
    assert "it did not find /etc/app.conf" in checked.out.decode()


def test_without_strace_the_hint_names_it(place: Path, tmp_path: Path) -> None:
    """Nothing else is different."""
    environment = {"PATH": str(tmp_path)}
    ran = minpack("./app", "--smoke", "open /etc/app.conf", "-o", "none.tar", cwd=place, env=environment)
    assert (ran.code, "not found" in ran.err) == (3, False)
    assert "with strace installed, minpack lists what the program does not find" in ran.err


def test_what_passes_is_delivered(place: Path) -> None:
    """The same bytes as without a test, and what was run is reported."""
    assert minpack("./app", "-o", "plain.tar", cwd=place).code == 0
    words = ("./app", "-o", "tested.tar", "--smoke", "exit 3 'b  c' \"\"", "--smoke-exit", "3")
    ran = minpack(*words, "--smoke-output", r"^\[b  c\]\n\[\]$", cwd=place)
    assert ran.code == 0, ran.err
    assert "smoke test   exit code 3: /usr/local/bin/app exit 3 b  c" in ran.out.decode()
    assert (place / "tested.tar").read_bytes() == (place / "plain.tar").read_bytes()
    (image,) = minpack(*words, "--json", cwd=place).document["images"]
    assert image["smoke"] == {
        "command": ["/usr/local/bin/app", "exit", "3", "b  c", ""],
        "passed": True,
        "exit_code": 3,
        "output": ["exit", "[3]", "[b  c]", "[]"],
        "problem": None,
    }


@pytest.mark.parametrize("words", ["", "read", "reopen", "flood"])
def test_a_program_has_no_input_and_may_write_much(place: Path, words: str) -> None:
    """An image as it is, one that reads, one that opens its output by name, one that writes more than is held."""
    ran = minpack("./app", "-o", "tested.tar", "--smoke", words, "--json", cwd=place)
    assert ran.code == 0, ran.err
    (image,) = ran.document["images"]
    last = {"": [], "reopen": ["reopened"], "flood": [f"line {(1 << 20) - 1} of very many that nobody wants"]}
    assert image["smoke"]["output"][-1:] == last.get(words, [words])


@pytest.mark.skipif(os.geteuid() != 0, reason="it is root who can become another user")
@pytest.mark.parametrize("words", ["", "reopen"])
def test_an_ordinary_user_tests_too(place: Path, words: str) -> None:
    """In a user namespace."""
    ran = as_nobody("./app", "-o", "-", "--smoke", words, "--no-cache", cwd=place)
    assert ran.code == 0, ran.err


FAILING = {
    "a smoke test that ends otherwise": ("exit 4",),
    "a smoke test that a signal ends": ("fault",),
    "a smoke test that takes too long": ("wait", "--smoke-time-limit", "0.2"),
    "a smoke test with other output": ("exit 0", "--smoke-output", "ready"),
}


@pytest.mark.parametrize("what", FAILING)
def test_what_fails_is_not_delivered(place: Path, tmp_path: Path, what: str) -> None:
    """Neither a file nor a layout nor an engine nor a registry has anything of it, and what was there stays."""
    case = row(what)
    (tmp_path / "kept.tar").write_bytes(b"")
    app = str(place / "app")
    with (
        FakeEngine(tmp_path / "engine", load=(200, {"stream": "ok"}), keeps=True) as engine,
        FakeRegistry() as registry,
    ):
        every = (
            *("-o", "kept.tar", "--force", "--digest-file", "digest", "--sbom", "spdx", "--load"),
            *("--push", "-t", f"{registry.host}/me/app:1"),
        )
        for output in (every, ("--format", "oci", "-o", "layout"), ("-o", "-"), ("--single-layer", "--zstd")):
            ran = minpack(*(app, *output, "--smoke", *FAILING[what]), cwd=tmp_path, env={"DOCKER_HOST": engine.host})
            assert_refused(ran, case.code, case.message, case.hint)
            assert sorted(os.listdir(tmp_path)) == ["engine", "kept.tar"]
        assert not engine.image
        assert not registry.count("POST") + registry.count("PUT") + registry.count("PATCH")
    assert (tmp_path / "kept.tar").read_bytes() == b""


def test_the_error_document_has_what_was_run(place: Path) -> None:
    """And how it ended, for programs."""
    ran = minpack("./app", "-o", "no.tar", "--smoke", "exit 9", "--json", cwd=place)
    document = ran.document
    assert (ran.code, document["kind"]) == (3, "smoke-test")
    assert document["data"]["command"] == ["/usr/local/bin/app", "exit", "9"]
    assert document["data"]["code"] == 9
    assert document["data"]["output"] == ["exit", "[9]"]


def test_pushed_and_loaded_after_the_test(place: Path, tmp_path: Path) -> None:
    """Then everything goes where it went without one."""
    with (
        FakeEngine(tmp_path / "engine", load=(200, {"stream": "ok"}), keeps=True) as engine,
        FakeRegistry() as registry,
    ):
        outputs = ("-o", "app.tar", "--load", "--push", "-t", f"{registry.host}/me/app:1", "--smoke", "")
        ran = minpack(str(place / "app"), *outputs, cwd=tmp_path, env={"DOCKER_HOST": engine.host})
        assert ran.code == 0, ran.err
        assert engine.image
        assert registry.whole("me/app", "1")
    assert (tmp_path / "app.tar").exists()


def test_platforms_that_this_machine_does_not_run(tmp_path: Path) -> None:
    """Each is tested if the kernel has a handler for it; else the test cannot be done, and nothing is delivered."""
    for machine in ("x86_64", "aarch64"):
        (tmp_path / f"app-{machine}").write_bytes(static_program(0, machine))
    ran = minpack("app-x86_64", "app-aarch64", "-o", "app.tar", "--smoke", "", "--json", cwd=tmp_path)
    if Path("/proc/sys/fs/binfmt_misc/qemu-aarch64").exists():
        assert [image["smoke"]["passed"] for image in ran.document["images"]] == [True, True]
    else:
        case = row("a smoke test of another architecture")
        assert_refused(ran, case.code, case.message, case.hint)
        assert ran.document["data"]["platform"] == "linux/arm64"
        assert not (tmp_path / "app.tar").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="it is root who can give up a capability")
def test_where_nothing_may_be_run(place: Path) -> None:
    """The test cannot be done, which is said, and nothing is delivered."""
    case = row("a smoke test where nothing may be run")
    without = ["setpriv", "--bounding-set", "-sys_admin", *COMMAND, "./app", "-o", "no.tar", "--smoke", ""]
    done = subprocess.run(without, cwd=place, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert_refused(Ran(done.returncode, b"", done.stderr), case.code, case.message, case.hint)
    assert not (place / "no.tar").exists()


def test_check_runs_any_image(place: Path) -> None:
    """What fails is a finding, in each form of report, and the exit code is 3."""
    assert minpack("./app", "-o", "checked.tar", cwd=place).code == 0
    ran = minpack("check", "checked.tar", "--smoke", "exit 0", cwd=place)
    assert ran.code == 0
    assert "starts, and passes its smoke test" in ran.out.decode()
    assert "smoke   exit code 0: /usr/local/bin/app exit 0" in ran.out.decode()
    failing = ("check", "checked.tar", "--smoke", "exit 5")
    ran = minpack(*failing, cwd=place)
    assert ran.code == 3
    assert "starts, and fails its smoke test" in ran.out.decode()
    (image,) = minpack(*failing, "--json", cwd=place).document["images"]
    assert (image["starts"], image["smoke"]["passed"], image["smoke"]["exit_code"]) == (True, False, 5)
    assert [finding["code"] for finding in image["findings"]] == ["smoke-test"]
    sarif = json.loads(minpack(*failing, "--format", "sarif", cwd=place).out)
    assert [result["ruleId"] for result in sarif["runs"][0]["results"]] == ["smoke-test"]
    assert "minpack.check.smoke-test" in minpack(*failing, "--format", "junit", cwd=place).out.decode()


def test_what_does_not_start_is_not_run(place: Path) -> None:
    """Its own finding says why."""
    layout = place / "broken"
    assert minpack("./app", "-o", str(layout), "--format", "oci", cwd=place).code == 0
    for blob in (layout / "blobs" / "sha256").iterdir():
        blob.write_bytes(b"x" + blob.read_bytes()[1:])
    ran = minpack("check", "oci:broken", "--smoke", "", "--json", cwd=place)
    assert ran.code == 3
    assert [image["smoke"] for image in ran.document["images"]] == [None]


def test_the_summary_says_what_compressing_harder_saves(tmp_path: Path) -> None:
    """Where it would save more than a twentieth, and it does; not of small images, nor of what gzip cannot shrink."""
    code = b"".join(path.read_bytes() for path in sorted(Path(os.__file__).parent.glob("*.py")))[: 6 << 20]
    (tmp_path / "code").write_bytes(code)
    (tmp_path / "noise").write_bytes(os.urandom(2 << 20))
    (tmp_path / "app").write_bytes(static_program())
    told = "smaller with --compress small --zstd"
    plain = minpack("./app", "--add", "code:/code", "-o", "plain.tar", cwd=tmp_path)
    assert told in plain.out.decode()
    small = minpack("./app", "--add", "code:/code", "-o", "s.tar", "--compress", "small", "--zstd", cwd=tmp_path)
    assert told not in small.out.decode()
    assert (tmp_path / "s.tar").stat().st_size < 0.95 * (tmp_path / "plain.tar").stat().st_size
    assert told not in minpack("./app", "--add", "noise:/noise", "-o", "noise.tar", cwd=tmp_path).out.decode()
    assert told not in minpack("./app", "-o", "app.tar", cwd=tmp_path).out.decode()
