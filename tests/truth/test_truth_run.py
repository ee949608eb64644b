"""What is packed is what programs need: each runs with it, and fails without it as it is said to.

In a real engine, without a network; what the image does not hold is not there.
"""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest

from minpack.needs.need import Need
from support.packing import packed
from support.tools import need_file
from support.truth import GoBuild, build_go, build_native, truths

if TYPE_CHECKING:
    from pathlib import Path

    from support.docker import Docker

pytestmark = [pytest.mark.slow, pytest.mark.engine]

SCRATCH, MACHINE, ALPINE = "scratch", "/", "alpine"
NATIVE = {
    "c-glibc": ("c", "gcc", ("-O2", "-s")),
    "c-glibc-static": ("c", "gcc", ("-O2", "-s", "-static")),
    "c-musl": ("c", "musl-gcc", ("-O2", "-s")),
    "cxx": ("cxx", "g++", ("-O2", "-s")),
    "linked": ("linked", "gcc", ("-O2", "-s")),
    "rust": ("rust", "rustc", ("--edition", "2021", "-O", "-C", "strip=symbols")),
}


class Case(NamedTuple):
    """A program, what it is packed on, and what it says with and without a need.

    `asked` are the options that pack the need, where its verdict does not; `env` is that of the container.
    """

    way: str
    program: str
    need: Need
    works: str
    fails: str
    arguments: tuple[str, ...] = ()
    base: str = SCRATCH
    asked: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    #: Some just say something else: the exit code without the need.
    status: int = 1


UNSET = ("--env", "USER=", "--env", "HOME=")
CASES = (
    Case("go", "loadloc", Need.TZ, "CET", "unknown time zone Europe/Berlin", ("Europe/Berlin",)),
    Case("go", "locconst", Need.TZ, "CET", "unknown time zone Europe/Berlin"),
    Case("go", "loctwo", Need.TZ, "Asia/Tokyo", "unknown time zone Asia/Tokyo"),
    Case(
        "go",
        "usercurrent",
        Need.PASSWD,
        "nonroot /home/nonroot",
        r"user: Current requires cgo or \$USER(, \$HOME)? set in environment",
        env=UNSET,
    ),
    Case("go", "userlookup", Need.PASSWD, "65532", "open /etc/passwd: no such file or directory", ("nonroot",)),
    Case("go", "usergroup", Need.GROUP, "65532", "open /etc/group: no such file or directory", ("nonroot",)),
    Case("go", "createtemp", Need.TMP, "/tmp/x", r"open /tmp/x\d+: no such file or directory"),
    Case(
        "go",
        "lookupport",
        Need.SERVICES,
        "5432",
        "unknown port",
        ("postgresql",),
        MACHINE,
        ("--need=services",),
    ),
    Case("go", "mimetype", Need.MIME, "application/epub", "^$", (".epub",), MACHINE, ("--need=mime",)),
    Case(
        "go",
        "execsh",
        Need.SHELL,
        "from the shell",
        r'exec: "sh": executable file not found in \$PATH',
        base=ALPINE,
        asked=("--need=shell",),
    ),
    Case("c-glibc", "getpwnam", Need.PASSWD, "/home/nonroot", "no such user", base=MACHINE),
    Case("c-glibc", "getpwuid", Need.PASSWD, "nonroot", "no such user", base=MACHINE),
    Case("c-glibc", "getgrgid", Need.GROUP, "nonroot", "no such group", base=MACHINE),
    Case("c-glibc", "getservbyname", Need.SERVICES, "5432", "no such service", base=MACHINE),
    Case("c-glibc", "getprotobyname", Need.PROTOCOLS, "89", "no such protocol", base=MACHINE),
    Case("c-glibc", "tmpfile", Need.TMP, "^$", "tmpfile: No such file or directory", base=MACHINE),
    Case("c-glibc", "mkstemp", Need.TMP, "^$", "/tmp/truth.*: (No such file or directory|Invalid)", base=MACHINE),
    Case("c-glibc", "system", Need.SHELL, "from the shell", "^32512$", base=MACHINE, asked=("--need=shell",)),
    Case("c-glibc", "popen", Need.SHELL, "from the shell", "^$", base=MACHINE, asked=("--need=shell",)),
    Case(
        "c-glibc",
        "setlocale",
        Need.LOCALE,
        "C.UTF-8 UTF-8",
        "no such locale ANSI_X3.4-1968",
        base=MACHINE,
        asked=("--need=locale",),
        env=("--env", "LC_ALL=C.UTF-8"),
    ),
    Case("c-glibc", "iconv", Need.GCONV, "converts", "no such conversion", base=MACHINE, asked=("--need=gconv",)),
    Case("c-glibc-static", "getpwnam", Need.PASSWD, "/home/nonroot", "no such user"),
    Case("c-musl", "getpwnam", Need.PASSWD, "/home/nonroot", "no such user", base=ALPINE),
    Case("c-musl", "getgrgid", Need.GROUP, "nonroot", "no such group", base=ALPINE),
    Case("c-musl", "tmpfile", Need.TMP, "^$", "tmpfile: No such file or directory", base=ALPINE),
    Case("c-musl", "system", Need.SHELL, "from the shell", "^-1$", base=ALPINE, asked=("--need=shell",)),
    Case(
        "c-musl",
        "localtime",
        Need.TZ,
        "^1 CET$",
        "^0 (UTC|Europe)",
        base=ALPINE,
        asked=("--tz=Europe/Berlin",),
        env=("--env", "TZ=Europe/Berlin"),
        status=0,
    ),
    Case(
        "cxx",
        "locale",
        Need.LOCALE,
        "C.UTF-8",
        "locale::facet::_S_create_c_locale name not valid",
        base=MACHINE,
        asked=("--locale=C.UTF-8",),
        env=("--env", "LC_ALL=C.UTF-8"),
        status=139,
    ),
    Case(
        "linked",
        "setupterm",
        Need.TERMINFO,
        "known terminal",
        "unknown terminal",
        base=MACHINE,
        env=("--env", "TERM=xterm"),
    ),
    Case(
        "linked",
        "initscr",
        Need.TERMINFO,
        "",
        "Error opening terminal: xterm-256color",
        base=MACHINE,
        env=("--env", "TERM=xterm-256color"),
    ),
    Case("linked", "tlsdefault", Need.CERTS, r"^\d\d+$", "^0$", base=MACHINE),
    Case("rust", "getpwnam", Need.PASSWD, "false", "true", base=MACHINE, status=0),
    Case("rust", "readpasswd", Need.PASSWD, "nonroot", "No such file or directory", base=MACHINE, status=101),
    Case("rust", "tempfile", Need.TMP, "File", "No such file or directory", base=MACHINE, status=101),
    Case("rust", "commandsh", Need.SHELL, "from the shell", "NotFound", (), MACHINE, ("--need=shell",), (), 101),
)


def built(way: str, program: str) -> Path:
    """The program; skips without its compiler."""
    if way == "go":
        return build_go(GoBuild("own-symbols"), (program,))[program]
    directory, compiler, flags = NATIVE[way]
    return build_native(way, compiler, (truths(directory)[program],), *flags)[program]


def image(docker: Docker, program: Path, where: Path, *options: str) -> str:
    """The name of the image of a program, which was loaded."""
    name = docker.name()
    packed(program, "--load", "--tag", name, "--output", where / "image.tar", *options)
    return name


def said(docker: Docker, name: str, case: Case, status: int) -> str:
    """What the program wrote, to either stream."""
    # Without a value they are taken out: the files must be where libraries look for them by themselves.
    unset = ("--env", "SSL_CERT_FILE", "--env", "SSL_CERT_DIR")
    done = docker.run(name, *case.arguments, options=(*unset, *case.env), status=status)
    return (done.stdout + done.stderr).strip()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.way}-{case.program}-{case.need}")
def test_it_runs_with_the_need_and_fails_without(
    case: Case, docker: Docker, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The one thing that is left out is what it fails for."""
    program = built(case.way, case.program)
    base = str(request.getfixturevalue("alpine_x86_64")) if case.base is ALPINE else case.base
    options = ("--base", base)
    if case.base is MACHINE and case.asked and case.need is Need.MIME:
        need_file("/etc/mime.types")
    whole = image(docker, program, tmp_path, *options, *case.asked)
    assert re.search(case.works, said(docker, whole, case, 0), re.MULTILINE)
    without = image(docker, program, tmp_path, *options, f"--no-need={case.need}")
    assert re.search(case.fails, said(docker, without, case, case.status), re.MULTILINE)


def test_only_the_zone_that_is_named_is_packed(tmp_path: Path) -> None:
    """Of all time zones, that one; for a program that names UTC alone, none."""
    for program, expected in (("locconst", {"Europe/Berlin"}), ("loctwo", {"Asia/Tokyo"}), ("locutc", set())):
        found = packed(built("go", program), "--output", tmp_path / f"{program}.tar")
        zones = [item["path"] for item in found["files"] if "/zoneinfo/" in item["path"] and item["type"] == "file"]
        names = {path.partition("/zoneinfo/")[2] for path in zones}
        assert names >= expected
        assert len(names) == (2 if program == "loctwo" else len(expected))


def test_a_client_trusts_the_root_that_ca_file_names(docker: Docker, tmp_path: Path) -> None:
    """A server within the program has a certificate by a root of our own: known with --ca-file, and else not."""
    program = built("go", "selfget")
    subprocess.run((str(program), str(tmp_path)), check=True)
    add = tuple(f"--add={tmp_path / name}:/tls/{name}" for name in ("cert.pem", "key.pem"))
    case = Case("go", "selfget", Need.CERTS, "", "")
    with_root = image(docker, program, tmp_path, *add, f"--ca-file={tmp_path / 'root.pem'}")
    assert said(docker, with_root, case, 0) == "200 OK"
    for options in ((), ("--no-need=certs",)):
        name = image(docker, program, tmp_path, *add, *options)
        text = said(docker, name, case, 1)
        assert "x509: certificate signed by unknown authority" in text
