"""Images that are packed for any user work as a UID that the platform chooses; `check --any-user` says which do not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from minpack.plan.any_user import ANY_USER
from support.cc import Compiler
from support.packing import minpack, packed

if TYPE_CHECKING:
    from pathlib import Path

    from support.docker import Docker

pytestmark = pytest.mark.engine

#: Says as whom it runs, and writes a file into each directory that is named, which it reads again.
SOURCE = r"""
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int count, char **words) {
    char path[4096], text[8] = "";
    int status = 0;
    printf("%d:%d %s", getuid(), getgid(), getenv("HOME") ? getenv("HOME") : "-");
    for (int at = 1; at < count; at++) {
        snprintf(path, sizeof path, "%s/new", words[at]);
        FILE *file = fopen(path, "w");
        if (!file || fputs("yes", file) < 0 || fclose(file)) { printf(" %s!", words[at]); status = 3; continue; }
        file = fopen(path, "r");
        printf(" %s", file && fgets(text, sizeof text, file) ? text : "?");
        if (file) fclose(file);
    }
    puts("");
    return status;
}
"""
PLACES = ("/home/nonroot", "/work", "/data", "/logs", "/srv/site", "/tmp")
#: How a platform runs it: its user, and nothing but what is mounted can be written to.
CHOSEN = ("--user", str(ANY_USER))
READ_ONLY = (*CHOSEN, "--read-only", *(f"--tmpfs={place}" for place in ("/tmp", "/home/nonroot")), "-v", "/work")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Programs with each C library, and a directory to add."""
    Compiler(tmp_path).program("static", SOURCE, "-static")
    Compiler(tmp_path).program("glibc", SOURCE)
    Compiler(tmp_path, "musl-gcc").program("musl", SOURCE)
    (tmp_path / "site/sub").mkdir(parents=True)
    (tmp_path / "site/page").write_text("page")
    (tmp_path / "site/page").chmod(0o600)
    return tmp_path


def packed_for_any_user(place: Path, program: str, name: str, owner: str = "nonroot") -> Path:
    """The archive of an image with all that a user may write to."""
    base = () if program == "static" else ("--base", "/", "--no-need", "tz")
    kept = ("-w", "/work", "--volume", "/data", "--dir", "/logs", "--add", "site:/srv/site", "--chown", owner)
    minpack(f"./{program}", *base, *kept, "--any-user", "-t", name, "-o", "image.tar", "--force", cwd=place)
    return place / "image.tar"


@pytest.mark.parametrize("program", ["static", "glibc", "musl"])
def test_any_user_runs_it(place: Path, docker: Docker, program: str) -> None:
    """Home, working directory, volumes and what is for the image's user can be written to, by that user as well."""
    name = docker.name()
    archive = packed_for_any_user(place, program, name)
    assert minpack("check", archive, "--any-user").stdout == minpack("check", archive).stdout
    docker.load(archive)
    yes = f"/home/nonroot{' yes' * len(PLACES)}\n"
    assert docker.run(name, *PLACES, options=CHOSEN).stdout == f"1000620000:0 {yes}"
    assert docker.run(name, *PLACES, options=()).stdout == f"65532:65532 {yes}"
    written = (*PLACES[:3], "/tmp")
    assert docker.run(name, *written, options=READ_ONLY).stdout.count("yes") == len(written)
    assert "/logs!" in docker.run(name, "/logs", options=READ_ONLY, status=3).stdout


def test_without_the_option(place: Path, docker: Docker) -> None:
    """What is for the image's user is closed to others, as `check` says, and only if it is asked."""
    name = docker.name()
    kept = ("-w", "/work", "--volume", "/data", "--dir", "/logs:0700", "-t", name, "-o", "image.tar")
    minpack("./static", *kept, "--add", "site/page:/etc/key:0400:nonroot", cwd=place)
    assert "0 errors, 0 warnings, 0 notes" in minpack("check", "image.tar", cwd=place).stdout
    document = json.loads(minpack("check", "image.tar", "--any-user", "--json", cwd=place).stdout)
    (image,) = document["images"]
    found = [(one["level"], one["code"], one["path"]) for one in image["findings"]]
    assert (document["any_user"], image["starts"]) == (True, True)
    assert found == [
        ("warning", "home", "HOME"),
        ("warning", "any-user", "/etc/key"),
        ("warning", "any-user", "/home/nonroot"),
        ("warning", "any-user", "/logs"),
        ("warning", "volume", "/data"),
    ]
    docker.load(place / "image.tar")
    said = docker.run(name, "/home/nonroot", "/data", "/logs", "/tmp", options=CHOSEN, status=3).stdout
    assert said == "1000620000:0 / /home/nonroot! /data! /logs! yes\n"


def test_what_keeps_such_a_user_from_starting(place: Path) -> None:
    """A program that is for the image's user alone is an error, when it is packed for any user and in a check."""
    closed = ("./static", "--dir", "/usr/local/bin:0700:65532:65532", "-o", "image.tar")
    minpack(*closed, cwd=place)
    assert minpack("check", "image.tar", cwd=place).returncode == 0
    said = minpack("check", "image.tar", "--any-user", cwd=place, status=3).stdout
    assert "error   /usr/local/bin: 1000620000:0 may not enter" in said
    # Whatever is the image's user's is for group 0 too.
    minpack(*closed, "--any-user", "--force", cwd=place)
    minpack("check", "image.tar", "--any-user", cwd=place)
    refused = minpack(*closed[:2], "/usr/local/bin:0700:7:7", "--any-user", "--user", "7:8", cwd=place, status=3).stderr
    assert refused.startswith("minpack: cannot start the program as 1000620000:0: it may not enter")


def test_root_may_write_anywhere(place: Path) -> None:
    """Nothing shows what a program of root's writes to, and where the platform chooses no user it runs as root."""
    told = minpack("./static", "--user", "root", "--any-user", "-w", "/work", "-o", "image.tar", cwd=place).stderr
    assert "note: the image's user is root: where the platform chooses no other, the program runs as root" in told
    told = minpack("./static", "--user", "1000", "--any-user", "-o", "other.tar", cwd=place).stderr
    assert "is root" not in told
    said = minpack("check", "image.tar", "--any-user", cwd=place).stdout
    assert "0 errors, 0 warnings, 1 note" in said
    assert "the image's user is root" in said


def test_a_note_of_users_that_are_looked_up(place: Path) -> None:
    """A program that looks itself up finds nothing, and no option of an image can help it."""
    source = "#include <pwd.h>\n#include <unistd.h>\nint main() { return !getpwuid(getuid()); }\n"
    Compiler(place).program("whoami", source)
    said = minpack("./whoami", "--base", "/", "--any-user", "-o", "image.tar", cwd=place).stderr
    assert "has no line in /etc/passwd" in said
    assert "has no line" not in minpack("./glibc", "--base", "/", "--any-user", "-o", "other.tar", cwd=place).stderr


def test_an_image_below(place: Path) -> None:
    """On another image the home is for any user too, whoever that image's user is and whatever is there."""
    minpack("./static", "--user", "1000", "--dir", "/home/app/x", "--format", "oci", "-o", "lower", cwd=place)
    made = packed("./static", "--dest", "/app", "--on", "lower", "--any-user", "-w", "/w", "-o", "image.tar", cwd=place)
    assert "HOME=/home/app" in made["config"]["env"]
    document = json.loads(minpack("check", "image.tar", "--any-user", "--json", cwd=place).stdout)
    assert [one["path"] for one in document["images"][0]["findings"]] == ["/home/app/x"]


def test_bytes_are_those_of_the_options_alone(place: Path) -> None:
    """A mode that a file of this host has, and a number in place of a name, change nothing."""
    first = packed_for_any_user(place, "static", "me/app:1").read_bytes()
    (place / "site/page").chmod(0o644)
    assert packed_for_any_user(place, "static", "me/app:1").read_bytes() == first
    assert packed_for_any_user(place, "static", "me/app:1", "65532:65532").read_bytes() == first
