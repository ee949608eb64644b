"""`minpack build`: the images of a file, side by side, are those that single runs make."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from minpack.build.fleet import ImageResult, State
from minpack.build.unchanged import BuildSums, find_unchanged, keep_built, record_name
from minpack.cli.build_one import READ
from minpack.cli.pack import command as pack_command
from minpack.report.fleet import note_lines
from support.badfiles import MUSL_LOADER
from support.command import COMMAND, Ran, environment, minpack
from support.elfmaker import MUSL, library, program, static_program
from support.fakeregistry import FakeRegistry
from support.fresh import keep_image
from support.images import parts_of
from support.mirror import Mirror, always, status
from support.repository import KEY, MAIN
from support.tarmaker import archive, directory, member
from support.terminals import on_terminal
from support.tools import need_tool

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRAMS, SPECS = 3, 4
ALL = tuple(f"i{number}-{kind}" for number in range(PROGRAMS) for kind in range(SPECS))


def text(output: str = 'format = "oci"\noutput = "out"') -> str:
    """A file of twelve images: three programs, each in four ways, the last on a base with packages."""
    specs = ("", "env = { A = 1 }", "user = 1000", 'add = "data:/etc/data"')
    images = (
        f'[image.i{number}-{kind}]\nprograms = "app{number}"\n{specs[kind]}\n'
        + ('base = "packages.tar.gz"\n' if number == PROGRAMS - 1 else "")
        for number in range(PROGRAMS)
        for kind in range(SPECS)
    )
    return f'[defaults]\nbase = "base.tar"\n{output}\n' + "".join(images)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Programs that load a library of their bases, and the file of images."""
    loader = member("lib/ld-musl-x86_64.so.1", MUSL_LOADER, mode=0o755)
    found = member("usr/lib/libz.so.1", library("libz.so.1", ("libc.so",)) + bytes(300_000), mode=0o755)
    (tmp_path / "base.tar").write_bytes(archive(directory("lib/"), loader, found))
    database = member("lib/apk/db/installed", b"P:zlib\nV:1.3-r0\nF:usr/lib\nR:libz.so.1\n\n")
    packages = archive(loader, found, database, member("etc/apk/arch", b"x86_64\n"))
    (tmp_path / "packages.tar.gz").write_bytes(gzip.compress(packages, mtime=0))
    for number in range(PROGRAMS):
        path = tmp_path / f"app{number}"
        path.write_bytes(program(("libz.so.1",), interpreter=MUSL) + bytes([number]) * 50_000)
        path.chmod(0o755)
    (tmp_path / "data").write_text("data")
    (tmp_path / "minpack.toml").write_text(text())
    # What was made just now may be made again within the same tick: records go by bytes then, as they do here.
    return tmp_path


def build(
    place: Path, *arguments: str, code: int = 0, env: dict[str, str | None] | None = None
) -> dict[str, dict[str, Any]]:
    """What became of each image."""
    ran = minpack("build", "--json", *arguments, cwd=place, env={"XDG_CACHE_HOME": str(place / "cache"), **(env or {})})
    assert ran.code == code, ran.err
    return {one["name"]: one for one in ran.document["images"]}


def states(found: dict[str, dict[str, Any]]) -> set[str]:
    """The states that images are in."""
    return {one["state"] for one in found.values()}


def listed(place: Path) -> dict[str, str]:
    """The images of the layout by their names, all blobs there and whole."""
    index = json.loads((place / "out" / "index.json").read_bytes())
    return {one["annotations"]["io.containerd.image.name"]: one["digest"] for one in index["manifests"]}


def whole(place: Path) -> None:
    """Each image that the layout lists has all its blobs, with the bytes of their names."""
    wanted = [one["digest"] for one in json.loads((place / "out" / "index.json").read_bytes())["manifests"]]
    while wanted:
        digest = wanted.pop().removeprefix("sha256:")
        data = (place / "out" / "blobs" / "sha256" / digest).read_bytes()
        assert hashlib.sha256(data).hexdigest() == digest
        found = json.loads(data) if data.startswith(b'{"schemaVersion"') or b'"manifests"' in data[:200] else {}
        blobs = (*found.get("manifests", ()), *found.get("layers", ()), *filter(None, (found.get("config"),)))
        wanted += [one["digest"] for one in blobs]


def single(place: Path, names: tuple[str, ...]) -> dict[str, str]:
    """The digests of these images as a run of `minpack pack` makes each, by the command that `minpack show` prints."""
    shown = minpack("show", *names, "--json", cwd=place).document
    digests = {}
    for image in shown["images"]:
        words = image["command"][1:]
        words[words.index("--output") + 1] = f"single/{image['name']}"
        ran = minpack(*words, "--json", cwd=place, env={"XDG_CACHE_HOME": str(place / "cache")})
        assert ran.code == 0, ran.err
        digests[image["name"]] = ran.document["images"][0]["digest"]
    return digests


def test_images_are_those_of_single_runs(place: Path) -> None:
    """In one layout, each by its name; again nothing is built; what changes is built again, and no more."""
    (place / "single").mkdir()
    # Each program, and each way.
    expected = single(place, ("i0-0", "i0-3", "i1-1", "i1-2", "i2-0", "i2-3"))
    found = build(place)
    assert states(found) == {"built"}
    digests = {name: one["digest"] for name, one in found.items()}
    assert {name: digests[name] for name in expected} == expected
    assert len(set(digests.values())) == PROGRAMS * SPECS
    assert listed(place) == {f"docker.io/library/{name}:latest": digest for name, digest in digests.items()}
    index = (place / "out" / "index.json").read_bytes()
    again = build(place)
    assert states(again) == {"unchanged"}
    assert {name: one["digest"] for name, one in again.items()} == digests
    (place / "data").write_text("other")
    changed = build(place)
    assert {name for name, one in changed.items() if one["state"] == "built"} == {f"i{n}-3" for n in range(PROGRAMS)}
    (place / "data").write_text("data")
    build(place)
    assert (place / "out" / "index.json").read_bytes() == index


def test_a_layout_of_many_is_a_layout(place: Path) -> None:
    """For minpack's own reader of layouts, whose rules are the specification's, and for skopeo, by each name."""
    found = build(place)
    inspect = [need_tool("skopeo"), "inspect", "--format", "{{.Digest}}", "oci:out:i1-2:latest"]
    done = subprocess.run(inspect, cwd=place, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == found["i1-2"]["digest"]
    for name in ("i0-0", "i1-3"):
        ran = minpack("check", f"oci:out:{name}:latest", cwd=place)
        assert ran.code == 0, (name, ran.err, ran.out)


def again(path: Path, data: bytes) -> None:
    """Write a file of the same size in place, and put its time back."""
    status = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def relink(path: Path, target: str) -> None:
    """Let the link lead to something else."""
    path.unlink()
    path.symlink_to(target)


def rename(path: Path, name: str) -> None:
    """Leave a link to the file in its place."""
    path.rename(path.parent / name)
    path.symlink_to(name)


def replace(at: Path, name: str = "app") -> None:
    """Another file of the same bytes and mode in place of one."""
    path = at / name
    new = at / "replacing"
    shutil.copyfile(path, new)
    new.chmod(path.stat().st_mode)
    new.rename(path)


#: What is changed between two builds of an image in a directory of its own, or of all, by a name for it: the settings
#: that it matters for, the change, and whether the image is built again, and is another one.
CHANGES: dict[str, tuple[str, Callable[[Path], object], bool, bool]] = {
    "nothing": ('add = "links:/links"', lambda _: None, False, False),
    "touch": ("", lambda at: os.utime(at / "app", (1, 1)), False, False),
    "copy": ("", replace, False, False),
    "mode": ("", lambda at: (at / "app").chmod(0o700), True, False),
    "bytes": ("", lambda at: again(at / "app", (at / "app").read_bytes()[:-1] + b"x"), True, True),
    "new-file": ('add = "data:/data"', lambda at: (at / "data" / "b").write_text("b"), True, True),
    "link": ('add = "links:/links"', lambda at: relink(at / "links" / "a", "../data/../data/a"), True, True),
    "dangling": ('add = "links:/links"', lambda at: relink(at / "links" / "no", "elsewhere"), True, True),
    "linked-dir": ('add = "data-link:/data"', lambda at: (at / "data" / "b").write_text("b"), True, True),
    "hard-link": ('add = "data:/data"', lambda at: replace(at, "data/c"), True, True),
    "archive": ('format = "archive"', lambda at: again(at / "out", (at / "out").read_bytes()[:-1] + b"x"), True, False),
    "archive-link": ('format = "archive"', lambda at: rename(at / "out", "other"), True, False),
    "digest-file": ('digest-file = "{name}/digest"', lambda at: (at / "digest").unlink(), True, False),
    "sbom": ('format = "archive"\nsbom = "spdx"', lambda at: next(at.glob("*.spdx.json")).unlink(), True, False),
    "tree": ('format = "rootfs"', lambda at: (at / "out" / "etc" / "more").write_text("x"), True, False),
    "index": ("", lambda at: (at / "out" / "index.json").unlink(), True, False),
    "listing": ("", lambda at: (at / "out" / "index.json").write_text('{"schemaVersion": 2}'), True, False),
    "blob": ("", lambda at: next((at / "out" / "blobs" / "sha256").iterdir()).unlink(), True, False),
}


def test_what_is_as_it_was(place: Path) -> None:
    """Whatever decides what an image is, or was written of it, is looked at; a new time alone changes nothing."""
    images = []
    for name, (settings, *_) in CHANGES.items():
        at = place / name
        (at / "data").mkdir(parents=True)
        (at / "links").mkdir()
        shutil.copy(place / "app0", at / "app")
        for file in ("a", "c"):
            (at / "data" / file).write_text(file)
        os.link(at / "data" / "c", at / "data" / "d")
        for link, target in (("links/a", "../data/a"), ("links/no", "nowhere"), ("data-link", "data")):
            (at / link).symlink_to(target)
        own = settings.replace('add = "', f'add = "{name}/')
        force = "\nforce = true" if "rootfs" in own else ""
        images.append(
            f'[image.{name}]\nprograms = "{name}/app"\noutput = "{name}/out"\n{own}{force}\n'
            + ("" if "format" in own else 'format = "oci"\n')
        )
    (place / "minpack.toml").write_text("".join(images))
    time.sleep(0.05)
    variables: dict[str, str | None] = {"MINPACK_BASE": "base.tar"}
    first = build(place, env=variables)
    assert states(first) == {"built"}
    assert states(build(place, env=variables)) == {"unchanged"}
    for name, (_, change, *_) in CHANGES.items():
        change(place / name)
    second = build(place, env=variables)
    found = {name: (one["state"] == "built", one["digest"] != first[name]["digest"]) for name, one in second.items()}
    assert found == {name: (built, other) for name, (_, _, built, other) in CHANGES.items()}
    assert states(build(place, env=variables)) == {"unchanged"}
    # What the environment and the command line name counts as what the file names.
    again(place / "base.tar", (place / "base.tar").read_bytes().replace(bytes(1000), b"x" * 1000, 1))
    third = build(place, env=variables)
    assert states(third) == {"built"}
    assert third["nothing"]["digest"] != second["nothing"]["digest"]
    given = ("nothing", "--base", "base.tar", "--add", "data:/etc/data")
    assert [states(build(place, *given)) for _ in range(2)] == [{"built"}, {"unchanged"}]
    (place / "data").write_text("other")
    assert states(build(place, *given)) == {"built"}


def test_every_option_that_names_a_file_is_known() -> None:
    """Whether it names what an image is made of, what is written, or what is in the image: else a change is missed."""
    form = re.compile(r"FILE|PEM|DIR|SRC|BASE|IMAGE|PATH|KEY(?!=)")
    naming = {str(one.name) for one in pack_command.params if form.search(getattr(one, "metavar", None) or "")}
    made_of = {*READ, "additions", "base", "on", "lock", "programs"}
    written, not_kept = {"output", "digest_file", "cache_dir", "summary"}, {"tools_base", "against"}
    in_image = {"dest", "taken", "directories", "links", "workdir", "volumes"}
    assert naming | {"programs"} == made_of | written | not_kept | in_image


def test_one_that_fails(place: Path) -> None:
    """The others that were begun are finished, and with --keep-going all others are built."""
    (place / "app1").write_bytes(b"no program")
    found = build(place, "-j", "1", code=1)
    assert {name for name, one in found.items() if one["state"] == "failed"} <= {f"i1-{n}" for n in range(SPECS)}
    assert {"built", "failed", "skipped"} == states(found)
    found = build(place, "--keep-going", code=1)
    assert {name for name, one in found.items() if one["state"] == "failed"} == {f"i1-{n}" for n in range(SPECS)}
    assert found["i1-0"]["error"]["kind"] == "not-elf"
    assert all(one["digest"] for name, one in found.items() if not name.startswith("i1"))
    ran = minpack("build", "-k", cwd=place, env={"XDG_CACHE_HOME": str(place / "cache")})
    assert ran.code == 1
    assert "minpack: i1-0: cannot read 'app1' as an ELF program: it is a text file\n" in ran.err
    assert ran.err.count("\nhint: ") == 1
    assert ran.out.decode().splitlines()[-2:] == [
        "failed: i1-0, i1-1, i1-2, i1-3",
        "12 images: 8 unchanged, 4 failed",
    ]


def test_a_build_that_is_killed(place: Path) -> None:
    """Whenever that is: no worker is left, the layout is whole for what it lists, and the next build ends it.

    Each image is then what a single run makes of it.
    """
    (place / "single").mkdir()
    expected = single(place, ALL)
    for seconds in (0.3, 0.5, 0.8):
        before = time.monotonic()
        started = subprocess.Popen(
            [*COMMAND, "build", "-q", "--no-cache"],
            cwd=place,
            env=environment({"XDG_CACHE_HOME": str(place / "cache")}),
            start_new_session=True,
        )
        time.sleep(max(0.0, seconds - (time.monotonic() - before)))
        os.kill(started.pid, signal.SIGKILL)
        started.wait()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and living(started.pid):
            time.sleep(0.05)
        assert not living(started.pid), "a worker outlives the build that started it"
        if (place / "out" / "index.json").exists():
            whole(place)
    found = build(place)
    assert {name: one["digest"] for name, one in found.items()} == expected
    assert not list((place / "out").rglob("*.partial"))


def living(session: int) -> list[int]:
    """The processes of a session."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


def test_a_build_that_is_interrupted(place: Path) -> None:
    """By Ctrl-C all processes get the signal: they end soon, and leave nothing half-written."""
    (place / "minpack.toml").write_text(text().replace("app1", "large").replace("app0", "large"))
    (place / "large").write_bytes(program(("libz.so.1",), interpreter=MUSL) + os.urandom(80_000_000))
    started = subprocess.Popen(
        [*COMMAND, "build", "--no-cache", "--compress", "small"],
        cwd=place,
        env=environment({"XDG_CACHE_HOME": str(place / "cache")}),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 20
    while not list((place / "out").rglob("*.partial")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(started.pid, signal.SIGINT)
    _, err = started.communicate(timeout=30)
    assert (started.returncode, err) == (130, "minpack: interrupted\n")
    while living(started.pid) and time.monotonic() < deadline + 20:
        time.sleep(0.05)
    assert not living(started.pid)
    assert not list((place / "out").rglob("*.partial"))


def test_a_worker_that_is_killed(place: Path) -> None:
    """What it was at is said to have failed, and the next build is whole."""
    (place / "minpack.toml").write_text(text().replace("app1", "large"))
    (place / "large").write_bytes(program(("libz.so.1",), interpreter=MUSL) + os.urandom(20_000_000))
    started = subprocess.Popen(
        [*COMMAND, "build", "-k", "-j", "2"],
        cwd=place,
        env=environment({"XDG_CACHE_HOME": str(place / "cache")}),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 20
    while len(found := living(started.pid)) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    while not list((place / "out").rglob("*.partial")) and time.monotonic() < deadline:
        time.sleep(0.001)
    os.kill(max(found), signal.SIGKILL)
    _, err = started.communicate(timeout=60)
    assert started.returncode == 1, err
    assert "a process that builds images was killed" in err
    assert states(build(place)) <= {"built", "unchanged"}


def test_files_beside_each_other(place: Path) -> None:
    """Each image has an archive of its name, in a directory if one is named; two in one place are refused."""
    (place / "minpack.toml").write_text(text("output = 'dist/'"))
    found = build(place)
    assert sorted(path.name for path in (place / "dist").iterdir()) == sorted(f"{name}.tar" for name in found)
    parts = parts_of((place / "dist" / "i0-0.tar").read_bytes())
    assert json.loads(parts["index.json"])["manifests"][0]["digest"] == found["i0-0"]["digest"]
    (place / "minpack.toml").write_text(text("output = 'one.tar'"))
    ran = minpack("build", cwd=place)
    assert (ran.code, ran.err.splitlines()[0]) == (
        2,
        "minpack: cannot use output 'one.tar' in minpack.toml:3:10: i0-1 and i0-0 would both be written there",
    )
    ran = minpack("build", "i0-0", "-o", "minpack.toml", cwd=place)
    assert (ran.code, ran.err.splitlines()[0]) == (
        2,
        "minpack: cannot use --output 'minpack.toml': it is the file of images",
    )


@pytest.mark.parametrize(
    ("sets", "first", "second", "message"),
    [
        ('digest-file = "d"', "", "", "digest-file 'd' in minpack.toml:3:15: b and a would both write it"),
        (
            'sbom = "spdx"',
            "output = 'x.tar'",
            "output = 'x'",
            "output 'x' in minpack.toml:9:10: b and a would both write x.spdx.json",
        ),
        (
            "provenance = true",
            "output = 'x.provenance.json'",
            "output = 'x'",
            "output 'x' in minpack.toml:9:10: b and a would both write x.provenance.json",
        ),
        (
            "",
            "output = 'x'",
            "output = 'x'\nformat = 'oci'",
            "output 'x' in minpack.toml:9:10: b and a would both be written there",
        ),
    ],
)
def test_files_that_two_images_would_write(place: Path, sets: str, first: str, second: str, message: str) -> None:
    """None has the digest, or the documents, of another image, and nothing is built."""
    (place / "minpack.toml").write_text(
        f"[defaults]\nbase = 'base.tar'\n{sets}\n[image.a]\nprograms = 'app0'\n{first}\n"
        f"[image.b]\nprograms = 'app1'\n{second}\n"
    )
    before = {path.name for path in place.iterdir()}
    ran = minpack("build", cwd=place)
    assert (ran.code, ran.err.splitlines()[0]) == (2, f"minpack: cannot use {message}")
    assert {path.name for path in place.iterdir()} == before


def test_documents_beside_a_layout_of_several_images(place: Path) -> None:
    """Each image has its own, of its name, which tell of its digest."""
    sets = 'format = "oci"\noutput = "out"\nsbom = "spdx"\nprovenance = true\ndigest-file = "{name}.digest"'
    (place / "minpack.toml").write_text(text(sets))
    found = build(place, "i0-0", "i1-0")
    for name in ("i0-0", "i1-0"):
        digest = found[name]["digest"]
        assert digest in (place / f"{name}.spdx.json").read_text()
        assert digest.removeprefix("sha256:") in (place / f"{name}.provenance.json").read_text()
        assert (place / f"{name}.digest").read_text() == digest
        assert [one["path"] for one in found[name]["outputs"]] == [
            "out",
            f"{name}.spdx.json",
            f"{name}.provenance.json",
        ]
    assert states(build(place, "i0-0", "i1-0")) == {"unchanged"}


def test_a_damaged_blob_of_a_layout(place: Path) -> None:
    """It is written anew, be it cut short or as long as it was, and be it a layer, a manifest or a configuration."""
    build(place, "i0-0", "i0-1")
    for number, blob in enumerate(sorted((place / "out" / "blobs" / "sha256").iterdir())):
        data = blob.read_bytes()
        blob.write_bytes(data[:-1] + bytes([data[-1] ^ 1]) if number % 2 else data[:-1])
    assert "built" in states(build(place, "i0-0", "i0-1"))
    whole(place)
    assert states(build(place, "i0-0", "i0-1")) == {"unchanged"}


@pytest.mark.parametrize("sets", ["output = 'dist/'", "format = 'tar'", "format = 'rootfs'\noutput = 'my-{name}'"])
def test_the_commands_that_are_shown(place: Path, sets: str) -> None:
    """Each writes what the build writes, to where it does."""
    (place / "minpack.toml").write_text(text(sets))
    outputs = {name: one["outputs"][0]["path"] for name, one in build(place, "i0-0", "i1-0").items()}
    for image in minpack("show", *outputs, "--json", cwd=place).document["images"]:
        ran = minpack(*image["command"][1:], "--json", "--force", cwd=place)
        assert ran.code == 0, ran.err
        assert os.path.normpath(ran.document["outputs"][0]["path"]) == os.path.normpath(outputs[image["name"]])


def test_names_that_two_images_have(place: Path) -> None:
    """One would be lost in a layout, an engine or a registry; archives each have their own."""
    (place / "minpack.toml").write_text(
        text()
        .replace("[image.i0-0]\n", "[image.i0-0]\ntag = 'me/x:1'\n")
        .replace("user =", "tag = ['me/y', 'me/x:1']\nuser =", 1)
    )
    for arguments in ((), ("i0-0", "i0-2", "--push"), ("--load", "--format", "archive", "-o", "dist/")):
        ran = minpack("build", *arguments, cwd=place)
        assert (ran.code, ran.err.splitlines()[0]) == (
            2,
            ("minpack: cannot use tag 'me/x:1' in minpack.toml:14:7: i0-2 and i0-0 would both have this name"),
        )
    assert states(build(place, "i0-0", "i0-2", "--format", "archive", "-o", "dist/")) == {"built"}
    assert states(build(place, "i0-2", "i0-3")) == {"built"}


def test_one_image_is_told_of_as_pack_does(place: Path) -> None:
    """With its files and sizes; a dry run writes nothing."""
    ran = minpack("build", "i0-1", "--dry-run", cwd=place)
    assert ran.code == 0, ran.err
    assert b"/usr/lib/libz.so.1" in ran.out
    assert not (place / "out").exists()
    assert states(build(place, "--dry-run")) == {"planned"}
    assert not (place / "out").exists()


def test_a_first_file(tmp_path: Path) -> None:
    """`minpack init` writes one that builds, with the base that the program needs, and replaces none."""
    (tmp_path / "go.mod").write_text("module example.com/me/Hello_World/v2\n")
    (tmp_path / "Hello_World").write_bytes(static_program())
    for code, arguments in ((0, ()), (1, ()), (0, ("--force",))):
        ran = minpack("init", *arguments, cwd=tmp_path)
        assert ran.code == code, ran.err
    assert ran.out.decode().splitlines() == [
        "wrote minpack.toml for the Go module here: hello_world",
        "next: minpack build",
    ]
    ran = minpack("build", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert (tmp_path / "hello_world.tar").exists()


def test_a_first_file_of_what_is_not_built(tmp_path: Path) -> None:
    """The command that follows builds it first, and names the file; a name that was guessed is noted."""
    (tmp_path / "go.mod").write_text("module example.com/me/web\n")
    ran = minpack("init", "-f", "my images.toml", cwd=tmp_path)
    assert ran.out.decode().splitlines()[1:] == [
        "next: CGO_ENABLED=0 go build && minpack build -f 'my images.toml'",
    ]
    (tmp_path / "go.mod").unlink()
    (tmp_path / "Makefile").write_text("all:\n\tninja\n")
    ran = minpack("init", cwd=tmp_path)
    assert ran.err == "note: the Makefile does not name its program: check programs in minpack.toml\n"
    assert ran.out.endswith(b"\nnext: make && minpack build\n")


def test_a_file_in_another_directory(tmp_path: Path) -> None:
    """`init` writes paths that are right from there, and `build` says what the paths that it prints are relative to."""
    (tmp_path / "go.mod").write_text("module example.com/me/web\n")
    (tmp_path / "web").write_bytes(static_program())
    (tmp_path / "images").mkdir()
    assert minpack("init", "-f", "images/all.toml", cwd=tmp_path).code == 0
    for quiet in ("-q", "--json"):
        assert minpack("build", "-f", "images/all.toml", quiet, "--force", cwd=tmp_path).err == ""
    ran = minpack("build", "-f", "images/all.toml", "--force", cwd=tmp_path)
    assert ran.err.startswith("note: paths are relative to images, the directory of images/all.toml\n")
    assert (tmp_path / "images/web.tar").exists()
    assert "relative" not in minpack("build", "-f", "./all.toml", cwd=tmp_path / "images").err


def test_a_schema_is_printed(tmp_path: Path) -> None:
    """It is the published one."""
    ran: Ran = minpack("show", "--schema", cwd=tmp_path)
    published = Path(__file__).parents[2] / "docs" / "minpack.schema.json"
    assert ran.document == json.loads(published.read_text())


def test_locks_of_all_images(place: Path) -> None:
    """`lock`, `update` and `outdated` are about each image; two of one program need a lock each."""
    images = "".join(f"[image.i{n}]\nprograms = 'app{n}'\n" for n in range(PROGRAMS))
    (place / "minpack.toml").write_text(f"[defaults]\nbase = 'base.tar'\n{images}[profile.locked]\nlocked = true\n")
    ran = minpack("lock", "--json", cwd=place)
    assert ran.code == 0, ran.err
    assert [(one["name"], one["error"]) for one in ran.document["images"]] == [(f"i{n}", None) for n in range(PROGRAMS)]
    plain, locked = build(place), build(place, "--profile", "locked")
    assert {one["digest"] for one in plain.values()} == {one["digest"] for one in locked.values()}
    ran = minpack("update", "i1", "-f", "minpack.toml", cwd=place)
    assert (ran.code, "app1" in ran.out.decode().splitlines()[0]) == (0, True), ran.err
    ran = minpack("outdated", cwd=place)
    assert ran.code == 0, ran.err
    # One that fails does not stop the others.
    (place / "app0").write_bytes(b"no program")
    ran = minpack("lock", cwd=place)
    assert ran.code == 1
    assert ran.err.startswith("minpack: i0: cannot read 'app0' as an ELF program")
    assert b"app1" in ran.out
    (place / "minpack.toml").write_text("[image.a]\nprograms = 'app0'\n[image.b]\nprograms = 'app0'\n")
    ran = minpack("lock", cwd=place)
    assert (ran.code, ran.err.splitlines()) == (
        2,
        [
            (
                "minpack: cannot use image.b in minpack.toml:3:8: minpack.lock would have both it and a as 'app0',"
                " the name of their program"
            ),
            'hint: give it a lock of its own: lock = "b.lock"',
        ],
    )


def shown(text: str) -> list[str]:
    """The lines that a terminal shows in the end of what it was sent, and that were whole before they were erased."""
    lines = []
    for line in re.sub(r"\x1b\[[0-9;]*m", "", text).split("\n"):
        *_, last = line.split("\r\x1b[2K")
        lines.append(last)
    return lines


def test_what_a_terminal_shows(place: Path) -> None:
    """How far it is while it goes on, and in the end nothing but messages, each on lines of its own, and the table."""
    (place / "app1").write_bytes(b"no program")
    env: dict[str, str | None] = {"XDG_CACHE_HOME": str(place / "cache"), "TERM": "xterm", "COLUMNS": "80"}
    ran = on_terminal("build", "-k", cwd=place, env=env)
    assert ran.code == 1
    assert ran.err.startswith("\r\x1b[2Kimages: 0 of 12\r\x1b[2K")
    assert "images: 12 of 12, 4 failed" in ran.err
    lines = [line for line in shown(ran.err) if line]
    assert sorted(line for line in lines if not line.startswith("hint: ")) == [
        f"minpack: i1-{kind}: cannot read 'app1' as an ELF program: it is a text file" for kind in range(SPECS)
    ]
    assert len(lines) == SPECS + 1, "the hint is not printed once"
    rows = shown(ran.out.decode())
    assert rows[0].split() == ["image", "state", "size", "digest", "output"]
    # Where rows do not fit they have no digest, and are not broken.
    narrow = shown(on_terminal("build", "-k", cwd=place, env={**env, "COLUMNS": "40"}).out.decode())
    assert narrow[0].split() == ["image", "state", "size", "output"]
    assert [row.split()[0] for row in narrow[1:13]] == list(ALL)
    assert narrow[-2] == "12 images: 8 unchanged, 4 failed"


def test_notes_that_several_images_have() -> None:
    """Each is printed once, with the first of their names."""
    results = [ImageResult(f"i{n}", State.BUILT, notes=("one", "two")[: 1 + n % 2]) for n in range(5)]
    results.append(ImageResult("same", State.UNCHANGED, notes=("one",)))
    assert note_lines(results) == ["i0, i1, i2 and 2 more: one", "i1, i3: two"]


def test_a_base_is_opened_once(place: Path) -> None:
    """A repository that does not answer is asked for the first image alone; all others have its note."""
    repositories = member("etc/apk/repositories", b"https://dl-cdn.alpinelinux.org/alpine/v3.20/main\n")
    loader = member("lib/ld-musl-x86_64.so.1", MUSL_LOADER, mode=0o755)
    library_file = member("usr/lib/libz.so.1", library("libz.so.1", ("libc.so",)), mode=0o755)
    key = member(f"etc/apk/keys/{KEY.name}", KEY.public.pem)
    base = archive(loader, library_file, repositories, key, member("etc/apk/arch", b"x86_64\n"))
    (place / "packages.tar.gz").write_bytes(gzip.compress(base, mtime=0))
    fetching: dict[str, str | None] = {"MINPACK_NO_PACKAGES": None}
    with Mirror() as mirror:
        mirror.add(f"{MAIN}/x86_64/APKINDEX.tar.gz", b"", always(status(404)))
        given = ("-j", "1", "--base", "packages.tar.gz", "--need", "tz", "--mirror", f"{mirror.url}/alpine")
        build(place, "i0-0", "-o", "alone", *given, env=fetching)
        alone = len(mirror.requests)
        found = build(place, *given, env=fetching)
        assert len(mirror.requests) == 2 * alone > 0
    (notes,) = {tuple(one["notes"]) for one in found.values()}
    assert any("tzdata cannot be had" in note for note in notes)


def test_what_had_to_be_read_is_not_read_again(place: Path) -> None:
    """A file that was changed just before the build may change again unseen; long after it, its record says enough."""
    app, store, name = str(place / "app0"), str(place / "store"), record_name("i")
    began = max(os.stat(app).st_ctime_ns + 1, time.time_ns())
    result = ImageResult("i", State.BUILT)
    keep_built(store, name, result, (app,), (), BuildSums(began))

    def racy() -> bool:
        record = json.loads((place / "store" / f"{name}.json").read_bytes())
        return bool(record["files"][app][0])

    assert racy()
    for later, expected in ((0, True), (60 * 10**9, False)):
        assert find_unchanged(store, name, "i", BuildSums(began + later)) == result._replace(state=State.UNCHANGED)
        assert racy() is expected
    again(place / "app0", (place / "app0").read_bytes()[:-1] + b"x")
    assert find_unchanged(store, name, "i", BuildSums(began + 60 * 10**9)) is None
    assert not racy()


def test_a_base_of_a_registry_is_asked_for_once(place: Path) -> None:
    """For all images: whatever its tag means by the end of the build, they are on the same base."""
    files = {"lib/ld-musl-x86_64.so.1": MUSL_LOADER, "usr/lib/libz.so.1": library("libz.so.1", ("libc.so",))}
    with FakeRegistry() as registry:
        keep_image(registry, "base:1", files)
        (place / "minpack.toml").write_text(text().replace('"base.tar"', f'"docker://{registry.host}/base:1"'))
        found = build(place, "-j", "1", *(name for name in ALL if not name.startswith("i2")))
        assert states(found) == {"built"}
        assert [one.path for one in registry.requests if "/manifests/" in one.path] == ["/v2/base/manifests/1"]
