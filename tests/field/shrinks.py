"""Shrinking images of real programs, and comparing what they do before and after; see `make shrinks`.

    python tests/field/shrinks.py [NAME...]

It must be root, and have debootstrap, apt's network, strace, and a running Docker. Each image is a minimal Debian 12
with a few packages, without apt's caches; its files are kept in $MINPACK_FIELD/shrinks, by default in
~/.cache/minpack-field/shrinks.
Of each the output before and after is compared, and strace says which files a run of the image opens: none may be
among those that `minpack why --unneeded` lists.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve()
KEPT = Path(os.environ.get("MINPACK_FIELD", os.path.expanduser("~/.cache/minpack-field"))) / "shrinks"
MINPACK = (sys.executable, "-m", "minpack")
MULTIARCH = "/host/usr/lib/x86_64-linux-gnu"
STRACE = (
    *(f"{MULTIARCH}/ld-linux-x86-64.so.2", "--library-path", MULTIARCH, "/host/usr/bin/strace", "-f", "-qq"),
    *("-s", "4096", "-e", "trace=%file", "-o", "/out/log"),
)
HTTP = "exec 3<>/dev/tcp/127.0.0.1/80; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3"
REDIS = "exec 3<>/dev/tcp/127.0.0.1/6379; printf 'SET a b\\r\\nGET a\\r\\nQUIT\\r\\n' >&3; cat <&3"
QUERY = "select 1+1, to_tsvector('english', 'running dogs'), '2024-07-01 12:00 Europe/Berlin'::timestamptz"


class Shrink(NamedTuple):
    """An image: its packages, files of its own, how it is run, and what it is run with.

    Of a server, `client` is a script of bash in its network, or `inside` a command in its container.
    """

    name: str
    packages: str
    command: tuple[str, ...]
    files: tuple[tuple[str, str], ...] = ()
    changes: tuple[str, ...] = ()
    arguments: tuple[tuple[str, ...], ...] = ((),)
    client: str = ""
    inside: tuple[str, ...] = ()


POSTGRES = "/usr/lib/postgresql/15/bin"
CONFIGURATION = "/etc/postgresql/15/main/postgresql.conf"
PYTHON = """import hashlib, json, sqlite3, ssl, subprocess, requests, zoneinfo
db = sqlite3.connect(":memory:")
print(db.execute("select 42").fetchall(), requests.__version__, len(ssl.create_default_context().get_ca_certs()) > 100)
print(subprocess.run(["ls", "/app"], capture_output=True, text=True).stdout, zoneinfo.ZoneInfo("UTC"))
"""
NODE = """const crypto = require('crypto'), zlib = require('zlib'), fs = require('fs')
console.log(crypto.createHash('sha256').update('x').digest('hex'), zlib.gzipSync('abc').length, fs.readdirSync('/app'))
console.log(new Intl.NumberFormat('de-DE').format(1234.5))
"""
PERL = """use LWP::UserAgent; use Digest::SHA qw(sha256_hex);
print sha256_hex("x"), LWP::UserAgent->new->agent, "\\n";
"""
IMAGES = (
    Shrink("curl", "curl", ("curl",), arguments=(("--version",), ("-sS", "file:///etc/passwd"))),
    Shrink("nginx", "nginx", ("nginx", "-g", "daemon off;"), client=HTTP),
    Shrink(
        *("redis", "redis-server", ("redis-server", "--protected-mode", "no", "--save", "")),
        changes=("USER redis", "WORKDIR /var/lib/redis", "VOLUME /var/lib/redis"),
        client=REDIS,
    ),
    Shrink(
        *("postgres", "postgresql-15"),
        (f"{POSTGRES}/postgres", "-D", "/var/lib/postgresql/15/main", "-c", f"config_file={CONFIGURATION}"),
        changes=("USER postgres",),
        inside=(f"{POSTGRES}/psql", "-h", "/var/run/postgresql", "-Atc", QUERY),
    ),
    Shrink("git", "git", ("git",), arguments=(("--version",), ("init", "/tmp/x"), ("help",))),
    Shrink(
        *("python", "python3 python3-requests", ("python3", "/app/app.py")),
        files=(("app/app.py", PYTHON),),
        changes=("WORKDIR /app",),
    ),
    Shrink("node", "nodejs", ("node", "/app/app.js"), files=(("app/app.js", NODE),)),
    Shrink("perl", "perl libwww-perl", ("perl", "/app/app.pl"), files=(("app/app.pl", PERL),)),
    Shrink(
        "java", "openjdk-17-jre-headless", ("java",), arguments=(("--list-modules",), ("-XshowSettings", "-version"))
    ),
)


def run(*command: str | Path) -> str:
    """What a command prints, which must succeed."""
    return subprocess.run(command, check=True, capture_output=True, text=True, errors="replace").stdout


def chrooted(root: Path, *command: str) -> None:
    """Run a command of apt's in a root."""
    environment = {"PATH": os.environ["PATH"], "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    subprocess.run(["chroot", root, *command], check=True, capture_output=True, env=environment)


def tree_of(one: Shrink) -> Path:
    """The files of an image, made unless they are kept."""
    tree, base = KEPT / one.name, KEPT / "base"
    KEPT.mkdir(parents=True, exist_ok=True)
    if not base.exists():
        part = KEPT / "base.part"
        shutil.rmtree(part, ignore_errors=True)
        run("debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", part)
        (part / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
        (part / "usr/sbin/policy-rc.d").chmod(0o755)
        part.rename(base)
    if not tree.exists():
        part = KEPT / f"{one.name}.part"
        shutil.rmtree(part, ignore_errors=True)
        run("cp", "-a", base, part)
        shutil.copy("/etc/resolv.conf", part / "etc/resolv.conf")
        chrooted(part, "apt-get", "install", "-y", "--no-install-recommends", *one.packages.split())
        (part / "usr/sbin/policy-rc.d").unlink()
        part.rename(tree)
    for path in ("var/cache/apt", "var/lib/apt/lists"):
        shutil.rmtree(tree / path, ignore_errors=True)
    for name, text in one.files:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    return tree


def import_image(one: Shrink, tree: Path) -> Path:
    """Let Docker have the image; the archive that it saves of it."""
    changes = (f"ENTRYPOINT {json.dumps(one.command)}", *one.changes)
    options = [part for change in changes for part in ("--change", change)]
    with subprocess.Popen(["tar", "-C", tree, "-c", "."], stdout=subprocess.PIPE) as tar:
        subprocess.run(
            ["docker", "import", *options, "-", f"shrink-{one.name}:before"],
            stdin=tar.stdout,
            check=True,
            capture_output=True,
        )
    archive = KEPT / f"{one.name}.tar"
    run("docker", "save", "-o", archive, f"shrink-{one.name}:before")
    return archive


def output_of(one: Shrink, image: str, *options: str, before: tuple[str, ...] = ()) -> list[str]:
    """What the image does, without times; `options` are docker's, and `before` stands before its arguments."""
    found = []
    for arguments in one.arguments:
        container = run("docker", "run", "-d", "--network", "none", *options, image, *before, *arguments).strip()
        try:
            found.append(_output(one, container))
        finally:
            run("docker", "rm", "-f", container)
    return found


def _output(one: Shrink, container: str) -> str:
    if one.client or one.inside:
        time.sleep(5)
        pid = run("docker", "inspect", "-f", "{{.State.Pid}}", container).strip()
        client = ("nsenter", "-t", pid, "-n", "timeout", "5", "bash", "-c", one.client)
        command = client if one.client else ("docker", "exec", container, *one.inside)
        ran = subprocess.run(command, check=False, capture_output=True, text=True)
        run("docker", "stop", "-t", "5", container)
        return re.sub(r"(?m)^(Date|Last-Modified|ETag): .*", "", ran.stdout + ran.stderr)
    code = run("docker", "wait", container)
    ran = subprocess.run(["docker", "logs", container], check=True, capture_output=True, text=True)
    return code + ran.stdout + ran.stderr


def opened_by(one: Shrink) -> set[str]:
    """The paths that a run of the image opens, by strace's word, and what those lead to."""
    out = KEPT / "out"
    out.mkdir(exist_ok=True)
    out.chmod(0o777)
    options = ("--cap-add", "SYS_PTRACE", "-v", "/:/host:ro", "-v", f"{out}:/out", "--entrypoint", STRACE[0])
    found: set[str] = set()
    for arguments in one.arguments:
        (out / "log").unlink(missing_ok=True)
        traced = one._replace(arguments=(arguments,))
        output_of(traced, f"shrink-{one.name}:before", *options, before=(*STRACE[1:], *one.command))
        for match in re.finditer(r'(?m)^\d+ +\w+\([^"]*"(/[^"]*)".* = \d+', (out / "log").read_text(errors="replace")):
            found |= _resolved(KEPT / one.name, match[1])
    return {path for path in found if not path.startswith(("/host", "/proc", "/sys", "/dev", "/out"))}


def _resolved(tree: Path, path: str) -> set[str]:
    """The links on the way of a path in a tree, and where it leads."""
    found, here, todo, steps = set(), "", path.split("/"), 0
    while todo and steps < 1000:
        steps += 1
        part = todo.pop(0)
        if part in ("", "."):
            continue
        here = os.path.dirname(here) if part == ".." else f"{here}/{part}"
        if (tree / here[1:]).is_symlink():
            found.add(here)
            target = os.readlink(tree / here[1:])
            todo = [*target.split("/"), *todo]
            here = "" if target.startswith("/") else os.path.dirname(here)
    return found | {here}


def try_image(one: Shrink) -> tuple[str, bool]:
    """A row of the table, and whether all is as it was."""
    archive = import_image(one, tree_of(one))
    small = KEPT / f"{one.name}-small.tar"
    document = json.loads(run(*MINPACK, "shrink", archive, "-o", small, "-t", f"shrink-{one.name}:after", "--json"))
    run("docker", "load", "-i", small)
    same = output_of(one, f"shrink-{one.name}:before") == output_of(one, f"shrink-{one.name}:after")
    unneeded = json.loads(run(*MINPACK, "why", archive, "--unneeded", "--json"))["unneeded"]
    opened = opened_by(one)
    wrong = sorted(opened & {each["path"] for each in unneeded})
    for path in wrong:
        print(f"  {one.name}: {path} is opened")
    before, after = document["before"], document["after"]
    sizes = (f"{before['files_size'] / 1e6:.0f} MB", f"{after['files_size'] / 1e6:.0f} MB")
    share = f"{100 * after['files_size'] / before['files_size']:.0f} %"
    row = f"| {one.packages} | {sizes[0]} | {sizes[1]} | {share} | {document['size'] / 1e6:.1f} MB | {len(opened)} |"
    return row, same and not wrong and len(opened) > 1


def main() -> int:
    """0 if each image does after what it did before, and opens nothing that is unneeded."""
    wanted = [one for one in IMAGES if not sys.argv[1:] or one.name in sys.argv[1:]]
    results = []
    for one in wanted:
        row, good = try_image(one)
        results.append(good)
        print(row if good else f"{row} differs", flush=True)
    return int(not all(results))


if __name__ == "__main__":
    sys.exit(main())
