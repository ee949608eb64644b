"""What one run of a program opens, and an image with it: in namespaces, on this host, and from logs made elsewhere."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from minpack.cli.trace import command as trace_command
from support.cc import Compiler
from support.command import COMMAND, TIMEOUT, assert_refused, minpack
from support.optionwalk import options
from support.packing import write_program
from support.places import as_nobody, shared_directory
from support.refusals import row
from support.tools import need_tool

if TYPE_CHECKING:
    from collections.abc import Generator

#: Opens what its arguments name below /etc, where nothing in it says so; starts a shell; says what it found.
READS = r"""
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
int main(int count, char **words) {
  char path[200], line[200] = "";
  for (int at = 1; at < count; at++) {
    snprintf(path, sizeof path, "/et%c/%s", 'c', words[at]);
    FILE *file = fopen(path, "r");
    if (file) fgets(line, sizeof line, file);
    printf("%s: %s\n", words[at], file ? "there" : "absent");
  }
  fflush(stdout);
  if (count > 2) return system("cd /usr && ls share/apk > /dev/null; mkdir /tmp/made");
  return 0;
}
"""
#: Runs until it is stopped, and so does what it starts, which heeds no signal.
WAITS = """
#include <signal.h>
#include <unistd.h>
int main(void) {
  access("/etc/profile", 0);
  if (!fork()) { setsid(); signal(SIGTERM, SIG_IGN); }
  pause();
}
"""
#: Ends by a fault of its own.
FAULTY = '#include <unistd.h>\nint main(void) { access("/etc/profile", 0); *(volatile int *)0 = 0; }\n'
#: Ends well if there is a user of that name.
LOOKS_UP = "#include <pwd.h>\nint main(int count, char **words) { return !getpwnam(words[1]); }\n"


@pytest.fixture(scope="module")
def place(alpine_x86_64: Path) -> Generator[Path]:
    """A directory that any user can reach, with programs for Alpine and its base as a tarball and a directory."""
    need_tool("strace")
    with shared_directory() as made:
        compiler = Compiler(made, "musl-gcc")
        compiler.program("reads", READS)
        compiler.program("waits", WAITS, "-static")
        compiler.program("faulty", FAULTY, "-static")
        compiler.program("looks-up", LOOKS_UP, "-static")
        shutil.copy(alpine_x86_64, made / "alpine.tar.gz")
        (made / "alpine").mkdir()
        subprocess.run(["tar", "-xf", "alpine.tar.gz", "-C", "alpine", "--no-same-owner"], cwd=made, check=True)
        yield made


def trace(place: Path, *arguments: str) -> Any:
    """The document of a trace."""
    done = subprocess.run(
        [*COMMAND, "trace", "--json", *arguments], cwd=place, capture_output=True, timeout=TIMEOUT, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def paths(rows: list[dict[str, str]]) -> list[str]:
    """The paths of rows."""
    return [one["path"] for one in rows]


TAKEN = ("/bin/ls", "/bin/mkdir", "/etc/alpine-release", "/etc/profile.d/README")
FOUND = ["--need", "shell", *(word for path in TAKEN for word in ("--take", path))]


@pytest.mark.parametrize("base", ["alpine.tar.gz", "alpine"])
def test_what_a_run_opens_is_packed_with_the_options_found(place: Path, base: str) -> None:
    """The image that the printed command makes does what the program did; nothing is left in the base."""
    arguments = ("alpine-release", "profile.d/README", "none")
    before = sorted(map(str, (place / "alpine").rglob("*")))
    found = trace(place, "--base", base, "./reads", *arguments)
    assert found["options"][: len(FOUND)] == FOUND
    assert "/etc/none" in paths(found["absent"])
    assert "/tmp/made" in paths(found["written"])
    assert {"/bin/sh", "/usr/local/bin/reads"} <= set(paths(found["executed"]))
    assert "/etc/shadow" not in json.dumps(found)
    lacked = minpack("run", "--base", base, "./reads", *arguments, cwd=place)
    assert lacked.out.startswith(b"alpine-release: absent")
    command = [*found["command"][1:], "-o", "found.tar", "--force"]
    assert minpack(*command, cwd=place).code == 0
    ran = minpack("run", "./found.tar", *arguments, cwd=place)
    assert ran.out.startswith(b"alpine-release: there\nprofile.d/README: there\nnone: absent\n"), ran.err
    assert sorted(map(str, (place / "alpine").rglob("*"))) == before


def test_pack_traces_and_packs_at_once(place: Path) -> None:
    """With the same bytes as with the options that a trace prints; of several runs all that they opened."""
    base = ("--base", "alpine.tar.gz", "-q")
    for name in ("alpine-release", "profile.d/README"):
        found = trace(place, "--base", "alpine.tar.gz", "./reads", name)
        assert minpack("./reads", *base, *found["options"], "-o", "one.tar", cwd=place).code == 0
        assert minpack("./reads", *base, "--trace", name, "-o", "other.tar", cwd=place).code == 0
        assert (place / "one.tar").read_bytes() == (place / "other.tar").read_bytes()
    both = minpack(
        *("./reads", "--base", "alpine.tar.gz", "--trace", "alpine-release", "--trace", "profile.d/README"),
        *("-o", "both.tar"),
        cwd=place,
    )
    assert "packed with --take /etc/alpine-release --take /etc/profile.d/README" in both.err


def test_of_several_programs_the_first_is_run_and_the_rest_are_named(place: Path) -> None:
    """What another would open by itself is found by no run, which is told; what the first one starts is traced."""
    words = ("--base", "alpine", "--trace", "alpine-release", "-o", "several.tar", "--force")
    told = minpack("./reads", "./waits", "./faulty", *words, cwd=place).err
    assert "note: --trace ran './reads' alone, and not './waits', './faulty': minpack trace finds" in told
    assert "--trace ran" not in minpack("./reads", *words, cwd=place).err


def test_an_image_that_has_everything_stays_as_it_is(place: Path) -> None:
    """The same bytes with a trace and without."""
    assert minpack("./reads", "--base", "alpine", "-q", "-o", "plain.tar", cwd=place).code == 0
    assert minpack("./reads", "--base", "alpine", "-q", "--trace", "none", "-o", "traced.tar", cwd=place).code == 0
    assert (place / "plain.tar").read_bytes() == (place / "traced.tar").read_bytes()
    ran = minpack("trace", "--base", "alpine", "./reads", "none", cwd=place)
    assert ran.out.decode().rstrip().endswith("the image has everything that was opened")


def test_a_log_tells_the_same_each_time(place: Path) -> None:
    """One that was made on this host, of a program at its own place, without -y."""
    log = place / "strace.log"
    command = ["strace", "-f", "-o", str(log), str(place / "reads"), "alpine-release", "profile"]
    if not Path("/lib/ld-musl-x86_64.so.1").exists():
        pytest.skip("musl's loader is not here: Debian's package musl")
    subprocess.run(command, check=False, capture_output=True, cwd=place)
    first, second = (trace(place, "--base", "alpine", "--from", "strace.log", "./reads") for _ in range(2))
    assert first == second
    assert "/etc/profile" in paths(first["missing"])
    on_host = trace(place, "--base", "alpine", "--host", "./reads", "profile")
    assert "/etc/profile" in paths(on_host["missing"])


def test_one_that_does_not_end_is_stopped(place: Path) -> None:
    """And what it did until then is told; with --host too, where nothing of it is left."""
    for where in ((), ("--host",)):
        found = trace(place, "--base", "alpine", "--time-limit", "1", *where, "./waits")
        assert found["timed_out"]
        assert paths(found["missing"]) == ["/etc/profile"]
    processes = [one.read_bytes() for one in Path("/proc").glob("[0-9]*/cmdline") if one.exists()]
    assert not any(one.startswith(str(place / "waits").encode()) for one in processes)


def test_a_program_that_faults_ends(place: Path) -> None:
    """As it would in any process but the first of a namespace, which the kernel spares while it is watched."""
    found = trace(place, "--base", "alpine", "./faulty")
    assert found["runs"] == [{"exit_code": 128 + 11}]
    assert paths(found["missing"]) == ["/etc/profile"]


def test_a_user_that_the_base_alone_has_is_told_of(place: Path) -> None:
    """A program that fails and looked users up may lack one of the base's; the option that is named adds it."""
    lacks = minpack("trace", "--base", "alpine", "./looks-up", "daemon", cwd=place).err
    assert "it read /etc/passwd, and the image has root, nonroot, nobody alone; --dir PATH::USER adds" in lacks
    has = minpack("trace", "--base", "alpine", "--dir", "/data::daemon", "./looks-up", "daemon", cwd=place)
    assert (has.code, "/etc/passwd" in has.err) == (0, False), has.err
    assert "/etc/passwd" not in minpack("trace", "--base", "alpine", "./looks-up", "nobody", cwd=place).err


@pytest.mark.skipif(os.geteuid() != 0, reason="it is root who can become another user")
def test_an_ordinary_user_can_trace_over_this_host(place: Path) -> None:
    """Whose root has mounts in it, which no user namespace takes apart. It stays as it is."""
    ran = as_nobody("trace", "-q", "--no-cache", "--base", "/", "./faulty", cwd=place)
    assert (ran.code, ran.out) == (0, b"--take /etc/profile\n"), ran.err


@pytest.mark.skipif(os.geteuid() != 0, reason="it is root who can become another user")
@pytest.mark.parametrize("base", ["alpine.tar.gz", "alpine"])
def test_an_ordinary_user_can_trace(place: Path, base: str) -> None:
    """In namespaces of its own, over a directory too."""
    ran = as_nobody("trace", "-q", "--no-cache", "--base", base, "./reads", "alpine-release", cwd=place)
    assert (ran.code, ran.out) == (0, b"--take /etc/alpine-release\n"), ran.err


def test_what_is_private_is_told_and_not_taken(place: Path) -> None:
    """Nothing packs passwords."""
    found = trace(place, "--base", "alpine", "--user", "0", "./reads", "shadow")
    (missing,) = found["missing"]
    assert (missing["path"], missing["option"], missing["reason"]) == ("/etc/shadow", None, "holds passwords")
    assert found["options"] == []


def test_the_command_has_the_options_that_were_given(place: Path) -> None:
    """Those of packing, as they were written; not those of tracing."""
    given = ("-e", "A=b c", "--base=alpine", "--time-limit", "30", "--take", "/etc/profile", "-u0", "--", "./reads")
    found = trace(place, *given, "alpine-release")
    assert shlex.join(found["command"]) == (
        "minpack pack -e 'A=b c' --base=alpine --take /etc/profile -u0 --take /etc/alpine-release ./reads"
    )


def test_the_output_of_the_program_is_on_stderr(place: Path) -> None:
    """Stdout has the report, or with -q the options alone."""
    ran = minpack("trace", "-q", "--base", "alpine", "./reads", "alpine-release", cwd=place)
    assert (ran.out, ran.err) == (b"--take /etc/alpine-release\n", "alpine-release: there\n")


def test_a_base_of_packages_has_no_tree_to_run_in(place: Path) -> None:
    """An image with the same packages has."""
    case = row("a trace with a base of packages")
    ran = minpack("trace", "--base", "debian-12", "./reads", cwd=place, env={"MINPACK_NO_PACKAGES": ""})
    assert_refused(ran, case.code, case.message, case.hint)


def test_without_strace_a_hint_says_how_to_get_it(place: Path) -> None:
    """Or that a log may come from elsewhere."""
    case = row("strace is not there")
    ran = minpack("trace", "--base", "alpine", "./reads", cwd=place, env={"PATH": str(place)})
    assert_refused(ran, case.code, case.message, case.hint)


IMAGES = """# Ours.
[defaults]
base = "alpine.tar.gz"

[image.web]   # the site
programs = ["reads"]
# read at the start
take = ["/etc/profile"]   # always

# another
[image.job]
programs = ["reads"]
"""


@pytest.fixture
def project(place: Path, tmp_path: Path) -> Generator[Path]:
    """The directory of the programs, with a file of images."""
    file = place / "minpack.toml"
    file.write_text(IMAGES)
    yield place
    file.unlink()


def test_what_is_found_is_written_into_the_file(project: Path) -> None:
    """The image that is built then has all; nothing else in the file changes; a second trace writes nothing."""
    words = ("web", "alpine-release", "profile.d/README")
    ran = minpack("trace", "--write", *words, cwd=project)
    assert ran.code == 0, ran.err
    assert ran.out.decode().endswith("\nwrote minpack.toml: need, take of web\nnext: minpack build web\n")
    file = project / "minpack.toml"
    paths_taken = ", ".join(f'"{path}"' for path in ("/etc/profile", *TAKEN))
    added = IMAGES.replace('take = ["/etc/profile"]   # always', f'take = [{paths_taken}]   # always\nneed = ["shell"]')
    assert file.read_text() == added
    inode = file.stat().st_ino
    again = minpack("trace", "--write", "--json", *words, cwd=project).document
    assert again["wrote"] == {"file": "minpack.toml", "image": "web", "keys": []}
    assert (again["options"], file.stat().st_ino) == ([], inode)
    assert minpack("build", "web", cwd=project).code == 0
    ran = minpack("run", "./web.tar", *words[1:], cwd=project)
    assert ran.out.startswith(b"alpine-release: there\nprofile.d/README: there\n"), ran.err


def test_a_file_elsewhere_is_named(project: Path, tmp_path: Path) -> None:
    """With -f, from any directory; the command that follows works from there."""
    file = str(project / "minpack.toml")
    ran = minpack("trace", "--write", "-f", file, "job", "alpine-release", cwd=tmp_path)
    assert ran.out.decode().endswith(f"\nnext: minpack build -f {file} job\n")
    assert (project / "minpack.toml").read_text() == IMAGES + 'take = ["/etc/alpine-release"]\n'


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--write", "wep"), "cannot find image 'wep': the file has no such image"),
        (("--write", "--take", "/x", "web"), "cannot use --take: it would take the place of what the file sets"),
        (
            ("--write", "--profile", "full", "web"),
            "cannot use take in minpack.toml:18:8: it takes the place of what is",
        ),
        (("-f", "minpack.toml", "./reads"), "cannot use --file: no configuration file is used"),
        (("--write", "-f", "none.toml", "web"), "cannot use 'none.toml': no such file or directory"),
    ],
)
def test_what_cannot_be_written_is_refused(project: Path, words: tuple[str, ...], message: str) -> None:
    """Before anything runs; the file stays as it is."""
    text = f"{IMAGES}\n[profile.full]\n# all of it\n\n\ntake = ['/etc']\n"
    (project / "minpack.toml").write_text(text)
    ran = minpack("trace", *words, cwd=project)
    assert ran.code == 2
    assert ran.err.startswith(f"minpack: {message}"), ran.err
    assert (project / "minpack.toml").read_text() == text


@pytest.mark.parametrize("words", [("./reads", "--base", "alpine.tar.gz"), ("web", "--write"), ("web", "--write=1")])
def test_an_option_behind_the_program_is_told_of(project: Path, words: tuple[str, ...]) -> None:
    """It went to the program, so that the error is not that it was left out."""
    ran = minpack("trace", *words, cwd=project)
    late = words[1].removesuffix("=1")
    assert ran.err.endswith(f"\nhint: what follows APP goes to the program: put {late} before '{words[0]}'\n")
    ran = minpack("trace", "none", "--selftest", cwd=project)
    assert ran.err.endswith("\nhint: check the path, or build the program first\n")


def test_of_several_platforms_the_program_of_this_machine_is_run(project: Path) -> None:
    """The others have the same settings."""
    (project / "out").mkdir()
    write_program(project / "out/linux-arm64", machine="aarch64")
    shutil.copy(project / "reads", project / "out/linux-amd64")
    text = "[image.web]\nprograms = 'out/{platform}'\nbase = 'linux/amd64=alpine.tar.gz'\n"
    (project / "minpack.toml").write_text(text)
    ran = minpack("trace", "--write", "--json", "web", "alpine-release", cwd=project)
    assert ran.code == 0, ran.err
    assert ran.document["wrote"]["keys"] == ["take"]


#: What shows that an option does something, other than what `run` and `pack` show of theirs in their own tests.
SHOWN = {
    "--host",
    "--from",
    "--time-limit",
    "--base",
    "--env",
    "--user",
    "--take",
    "--quiet",
    "--json",
    "--write",
    "--file",
    "--profile",
}


def test_every_option_is_shown_here_or_is_of_run_and_pack() -> None:
    """A trace makes the spec that pack makes, and the run that run makes."""
    from minpack.cli.pack import command as pack_command
    from minpack.cli.run_image import command as run_command

    assert set(options(trace_command)) <= SHOWN | set(options(pack_command)) | set(options(run_command))
