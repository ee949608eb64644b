"""Whatever files, locks and servers are called, nothing of it reaches a terminal but characters that are seen."""

from __future__ import annotations

import json
import os
from email.message import Message
from typing import TYPE_CHECKING

import pytest
from urllib3.util import parse_url

from support.badfiles import CERTIFICATE, MUSL_LOADER
from support.command import minpack
from support.elfmaker import MUSL, library, program, static_program
from support.locks import AlpineWorld
from support.mirror import Mirror, Request, dribble
from support.tarmaker import archive, directory, member, symlink
from support.terminals import on_terminal

if TYPE_CHECKING:
    from pathlib import Path

#: What a terminal obeys (OSC, CSI in C0 and in C1, DEL), what rich would, what turns text around or is not seen, what
#: breaks lines and begins one as minpack's own lines do, and a byte that is not UTF-8.
EVIL = "x\x1b]0;t\x07\x1b[2J\x9b31m\x7f[red]r\u202ey\u2066\u061c\u200f\u2028\u2029\nhint: z\r\udcff"
#: The same for a place that takes text alone.
TEXT = EVIL.replace("\udcff", "")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of programs and bases in which every name is a hostile one."""
    path = tmp_path_factory.mktemp("hostile")
    loader = member("lib/ld-musl-x86_64.so.1", MUSL_LOADER, mode=0o755)
    soname = f"lib{EVIL}.so.1"
    found = member(f"lib/{soname}", library(soname, ("libc.so",)), mode=0o755)
    release = member("etc/os-release", f'NAME="{TEXT}"\nPRETTY_NAME="{TEXT}"\n'.encode())
    names = (symlink(f"srv/{EVIL}", EVIL), directory(f"srv/{EVIL}dir/"), member(f"srv/{EVIL}.db", b"x"))
    written = {
        "app": static_program(),
        EVIL: static_program(),
        "server": program((soname,), interpreter=MUSL),
        "lacking": program((soname,), interpreter=MUSL, runpath=f"/opt/{EVIL}:/lib"),
        "strange": program((soname,), interpreter=f"/lib/{EVIL}"),
        "whole.tar": archive(loader, found, release, *names),
        f"{EVIL}.tar": archive(loader, found, release, *names),
        "bare.tar": archive(loader),
        "twice.tar": archive(member(f"{EVIL}", b"1"), directory(f"{EVIL}/")),
        "cert.pem": CERTIFICATE,
        f"{EVIL}.pem": b"none",
        f"{EVIL}.toml": f"[image.a]\nprograms = ['app']\ntag = 'a'\nenv = {{X = {json.dumps(TEXT)}}}".encode(),
        f"{EVIL}.log": "".join(
            f'1 {call}("/srv/{EVIL}{end}", 0) = {got}\n'.replace("\nhint", "\\nhint")
            for call, end, got in (("open", ".db", 3), ("open", ".none", "-1 ENOENT (No)"), ("execve", ".db", 0))
        ).encode("utf-8", "surrogateescape"),
        f"{EVIL}.lock": f"version = '{EVIL}'".encode("utf-8", "surrogateescape"),
    }
    for name, data in written.items():
        target = os.path.join(os.fsencode(path), os.fsencode(name))
        with open(target, "wb") as file:
            file.write(data)
        os.chmod(target, 0o700)
    os.mkdir(os.path.join(os.fsencode(path), os.fsencode(f"{EVIL}.d")))
    name = TEXT.replace(":", ";")
    for image, more in (("image.tar", ("--env", f"A={TEXT}")), ("other.tar", ("--symlink", f"{name}:/etc/{name}"))):
        made = minpack("./app", "-o", image, "--add", f"cert.pem:/srv/{name}", *more, cwd=path)
        assert made.code == 0, made.err
    return path


#: A run of every command, of results and of refusals, each with hostile names wherever names can be.
RUNS = [
    ("./" + EVIL, "--dest", "/app", "-v", "--dry-run"),
    ("./" + EVIL, "--dry-run"),
    ("./missing" + EVIL,),
    ("missing" + EVIL,),
    ("./app", "-o", f"./{EVIL}/x.tar"),
    ("./app", "-o", f"./{TEXT}.tar", "--dest", f"/{TEXT}", "--add", f"cert.pem:/srv/{TEXT}"),
    ("./app", "-o", f"./{TEXT}.rootfs.tar", "--format", "tar", "--add", f"cert.pem:/srv/{EVIL}"),
    ("./app", "--add", f"{EVIL}:/usr/local/bin/app"),
    ("./app", "--ca-file", f"{EVIL}.pem"),
    ("./app", "--label", TEXT, "--dry-run"),
    ("./app", "--env", TEXT, "--dry-run"),
    ("./app", "-t", EVIL, "--dry-run"),
    ("./app", "--user", EVIL),
    ("./app", "--base", EVIL),
    ("./app", "--base", f"./{EVIL}.pem"),
    ("./app", "--base", f"./{EVIL}.d", "--dry-run", "-v"),
    ("./app", "--base", "./twice.tar"),
    ("./server", "--base", "whole.tar", "--check=none", "--dry-run", "-v"),
    ("./server", "--base", f"{EVIL}.tar", "--check=none", "--dry-run", "-v"),
    ("./server", "--base", "whole.tar", "--dry-run"),
    ("./server", "--base", "bare.tar", "--dry-run"),
    ("./lacking", "--base", "bare.tar", "--dry-run"),
    ("./strange", "--base", "whole.tar", "--dry-run"),
    ("./strange",),
    ("tree", "./server", "--base", "whole.tar"),
    ("tree", "./lacking", "--base", "bare.tar", "--all"),
    ("tree", "./server", "--base", "whole.tar", "--why", f"lib{EVIL}.so.1"),
    ("tree", "./server", "--base", "whole.tar", "--why", EVIL),
    ("inspect", "./" + EVIL),
    ("inspect", "./lacking", "--full", "-v"),
    ("inspect", "./strange"),
    ("trace", "--base", "whole.tar", "--from", f"{EVIL}.log", "-v", "./app"),
    ("trace", "--from", f"./missing{EVIL}", "./app"),
    ("lock", "./server", "--base", "whole.tar", "--check=none", "--lock", f"{TEXT}.d.lock", "-v"),
    ("update", "./server", "--lock", f"{EVIL}.lock"),
    ("./app", "--locked", "--lock", f"{EVIL}.lock"),
    ("base", "info", "whole.tar"),
    ("base", "info", EVIL),
    ("base", "pull", EVIL),
    ("base", "image", f"{EVIL}.tar", "--platform", "linux/amd64", "-o", "whole.image.tar"),
    ("base", "image", "twice.tar", "--platform", "linux/amd64"),
    ("base", "list", EVIL),
    ("cache", "info", "--cache-dir", EVIL),
    ("cache", "clean", "--cache-dir", f"./{EVIL}.pem"),
    ("completion", EVIL),
    ("help", EVIL),
    (f"--{EVIL}",),
    ("./app", "--mirror", f"http://127.0.0.1:9/{EVIL}", "--base", "alpine-3.22"),
    ("push", EVIL, "127.0.0.1:9/me/app:1"),
    ("push", "twice.tar", f"127.0.0.1:9/me/app:{EVIL}"),
    ("push", "twice.tar", "127.0.0.1:9/me/app:1", "--username", EVIL),
    ("./app", "--base", f"127.0.0.1:9/{EVIL}"),
    ("debug", "image.tar", "--tools-base", f"{EVIL}.tar", "-o", f"./{TEXT}.debug.tar"),
    ("debug", EVIL, "--tools", EVIL),
    ("debug", "--attach", EVIL),
    ("check", "other.tar"),
    ("check", EVIL),
    ("why", "image.tar", f"/srv/{TEXT.replace(':', ';')}"),
    ("why", "image.tar", f"/srv/{EVIL}"),
    ("why", "image.tar", "--unneeded"),
    ("shrink", "image.tar", "-o", f"./{TEXT}.small.tar", "-v"),
    ("shrink", "image.tar", "-o", f"./{TEXT}.small.tar", "--keep", f"/{EVIL}"),
    ("deployment", "other.tar", "--for", "kubernetes"),
    ("deployment", "image.tar", "--for", "compose"),
    ("deployment", EVIL, "--for", "compose"),
    ("deployment", "image.tar", "--for", "compose", "--name", EVIL),
    ("diff", "image.tar", "other.tar"),
    ("diff", "image.tar", EVIL),
    ("report", "other.tar"),
    ("report", "image.tar", "--against", "other.tar", "-o", f"./{TEXT}.html"),
    ("report", "image.tar", "-o", f"{EVIL}.pem"),
    ("export", "image.tar", "-o", f"./{TEXT}.exported"),
    ("export", "image.tar", "-o", f"./{EVIL}/x"),
    ("sbom", "image.tar"),
    ("sbom", "./" + EVIL),
    ("vex", "image.tar", "--from", f"{EVIL}.lock"),
    ("outdated", f"{EVIL}.lock"),
    ("outdated", "image.tar"),
    ("run", "--user", EVIL, "image.tar"),
    ("run", "--bind", f"./none{EVIL}:/x", "image.tar"),
    ("sign", "image.tar", "--key", f"{EVIL}.pem"),
    ("build", "-f", f"{EVIL}.lock"),
    ("build", EVIL, "-f", f"{EVIL}.toml"),
    ("build", "-f", f"{EVIL}.toml", "--dry-run"),
    ("show", "-f", f"{EVIL}.toml"),
    ("init", "-f", f"{EVIL}.lock"),
    ("verify", "image.tar", "--key", f"{EVIL}.pem"),
]


def assert_seen(text: str) -> None:
    """Every character of `text` is seen, and no name begins a line of it."""
    lines = text.split("\n")
    assert not [line for line in lines if not line.replace("\t", " ").isprintable()]
    assert not [line for line in lines if line.startswith("hint: z")]
    assert "Traceback" not in text


@pytest.mark.parametrize("arguments", RUNS, ids=[str(number) for number in range(len(RUNS))])
def test_names_are_seen_as_they_are(place: Path, arguments: tuple[str, ...]) -> None:
    """What every command prints, of results, notes and errors, has visible characters alone."""
    ran = minpack(*map(os.fsencode, arguments), cwd=place, env={"COLUMNS": "100"})
    assert ran.out or ran.err
    assert_seen(ran.out.decode())
    assert_seen(ran.err)


#: Every third: one function writes all documents.
@pytest.mark.parametrize("number", [n for n, run in enumerate(RUNS) if n % 3 == 0 and run[0] != "completion"])
def test_documents_are_documents(place: Path, number: int) -> None:
    """With --json the same names are JSON: ASCII without control characters, and read again as they were."""
    arguments = RUNS[number]
    at = {"base": 2, "cache": 2}.get(arguments[0], 1)
    ran = minpack(*map(os.fsencode, (*arguments[:at], "--json", *arguments[at:])), cwd=place)
    text = ran.out.decode("ascii")
    assert all(line.isprintable() for line in text.split("\n"))
    assert json.loads(text)["schema"].startswith("minpack.")


def test_every_command_is_walked() -> None:
    """A command that is new has its runs here."""
    from minpack.cli.app import COMMANDS

    assert {"pack", *(run[0] for run in RUNS if run[0] in COMMANDS)} == set(COMMANDS)


def test_a_bar_shows_a_name_as_it_is(tmp_path: Path) -> None:
    """A lock may name any address: what a bar shows of it is neither obeyed by the terminal nor taken for markup."""
    name = "/\x1b]0;t\x07[red]r\u202ex.apk"
    with Mirror() as mirror:
        world = AlpineWorld(mirror, tmp_path)
        world.lock("--base=base.tar")
        url = world.locked["packages"]["libfoo"]["url"]
        found = mirror.take(Request("GET", f"/alpine/{url.partition('/alpine/')[2]}", Message()))
        assert found is not None
        asked = parse_url(f"{mirror.url}{name}").path
        assert asked is not None
        mirror.add(asked, found[0], dribble(len(found[0]) // 4, 0.3))
        world.change(url, f"{mirror.url}{json.dumps(name)[1:-1]}")
        arguments = ("./app", "--locked", "--check=none", "--no-cache", "--dry-run", "--base", "base.tar")
        ran = on_terminal(*arguments, cwd=tmp_path, env={"TERM": "xterm", "MINPACK_NO_PACKAGES": None})
    assert ran.code == 0, ran.err
    assert r"\x1b]0;t\x07[red]r\u202ex.apk" in ran.err
    assert "\x1b]" not in ran.err
    assert "\u202e" not in ran.err + ran.out.decode()
