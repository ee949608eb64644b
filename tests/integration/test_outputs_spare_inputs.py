"""Outputs and inputs: an output never replaces an input, and is never packed itself."""

from __future__ import annotations

import os
import tarfile
from typing import TYPE_CHECKING

import pytest

from support.badfiles import CERTIFICATE, MUSL_LOADER, make_bad_files
from support.command import minpack, snapshot
from support.elfmaker import MUSL, program, static_program
from support.tarmaker import archive, member

if TYPE_CHECKING:
    from pathlib import Path

FORMATS = ("archive", "oci", "rootfs", "tar")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a program and more that may go with it."""
    (tmp_path / "app").write_bytes(static_program())
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "data").write_bytes(b"data")
    return tmp_path


def files_of(place: Path, *arguments: str) -> list[str]:
    """The paths below /src that packing says are in the image, which it writes."""
    ran = minpack("./app", "--add", ".:/src", "--json", *arguments, cwd=place)
    assert ran.code == 0, ran.err
    return [file["path"] for file in ran.document["images"][0]["files"] if file["path"].startswith("/src/")]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("output", ["out", "src/out", "./src/../out", "link"])
def test_the_last_output_is_no_part_of_the_next(place: Path, form: str, output: str) -> None:
    """Packed into a directory that is added, the image is the same each time, and a note says what was left out."""
    os.symlink("src/out", place / "link")
    first = files_of(place, "--format", form, "-o", output)
    assert {"/src/app", "/src/src/data", "/src/link"} <= set(first)
    assert files_of(place, "--format", form, "-o", output, "--force") == first
    ran = minpack("./app", "--add", ".:/src", "--format", form, "-o", output, "--force", cwd=place)
    assert ran.code == 0
    assert f"note: '{output}' is not packed: it is the output\n" in ran.err


def test_it_does_not_grow(place: Path) -> None:
    """With the default name, three runs write the same bytes three times."""
    written = []
    for _ in range(3):
        assert minpack("./app", "--add", ".:/src", cwd=place).code == 0
        written.append((place / "app.tar").read_bytes())
    assert written[0] == written[1] == written[2]


def test_a_dry_run_shows_what_would_be_packed(place: Path) -> None:
    """The old output is left out of the plan too, and what could not be written is refused."""
    assert minpack("./app", cwd=place).code == 0
    assert "/src/app.tar" not in files_of(place, "--dry-run")
    assert "/src/app.tar" in files_of(place, "--dry-run", "-o", "other.tar")
    assert minpack("./app", "--dry-run", "-o", "src/data", cwd=place).code == 1


def test_unfinished_outputs_are_not_packed(place: Path) -> None:
    """What a killed process left, or another is writing, goes into no image."""
    (place / ".minpack-0123456789ab.partial").write_bytes(b"half")
    (place / ".minpack-0123456789ac.partial").mkdir()
    (place / ".minpack-0123456789ac.partial" / "file").write_bytes(b"half")
    ran = minpack("./app", "--add", ".:/src", cwd=place)
    assert "note: 2 unfinished outputs of minpack are not packed\n" in ran.err
    with tarfile.open(place / "app.tar") as tar:
        assert not [name for name in tar.getnames() if "partial" in name]
    assert sorted(os.listdir(place)) == ["app", "app.tar", "src"]


def test_the_cache_is_not_packed(place: Path) -> None:
    """A cache in a directory that is added would have the last run's layers in it."""
    (place / "app").write_bytes(static_program(overlay=os.urandom(1 << 21)))
    before = files_of(place, "--cache-dir", "src/cache", "-o", "out.tar")
    assert len(list((place / "src/cache/minpack/v1").iterdir())) > 0
    again = files_of(place, "--cache-dir", "src/cache", "-o", "out.tar")
    assert [name for name in again if not name.startswith("/src/src/cache")] == before
    assert "/src/src/cache/minpack/v1" not in again


def test_the_image_of_a_directory_in_itself(tmp_path: Path) -> None:
    """Of a whole base, the image that lies in it is no part; its bytes are the same each time."""
    base = tmp_path / "base"
    base.mkdir()
    (base / "file").write_bytes(b"data")
    written = []
    for _ in range(2):
        ran = minpack("base", "image", "./base", "--platform", "amd64", "-o", "base/out.tar", cwd=tmp_path)
        assert ran.code == 0, ran.err
        written.append((base / "out.tar").read_bytes())
    assert written[0] == written[1]
    assert ran.err.startswith("note: 'base/out.tar' is not packed: it is the output\n")
    ran = minpack("base", "image", "./base", "--platform", "amd64", "-o", "base/file", "--force", cwd=tmp_path)
    assert "it is a file in the base" in ran.err


def test_an_image_of_a_tarball_has_another_name(tmp_path: Path) -> None:
    """Without -o, the image of base.tar is not base.tar."""
    (tmp_path / "base.tar").write_bytes(archive(member("file", b"data")))
    before = (tmp_path / "base.tar").read_bytes()
    assert minpack("base", "image", "base.tar", "--platform", "amd64", cwd=tmp_path).code == 0
    assert (tmp_path / "base.tar").read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["base-image.tar", "base.tar"]


#: Commands whose output is one of their inputs, in the directory of bad files.
OVER_INPUTS = (
    ("./app", "-o", "app"),
    ("./app", "-o", "link-to-app"),
    ("./app", "-o", "second-app"),
    ("./app", "-o", "./directory/../app"),
    ("./app", "./other/app", "--dest", "/bin/", "-o", "other/app"),
    ("./musl-app", "--base", "musl.tar", "-o", "musl.tar"),
    ("./app", "--add", "main.c:/main.c", "-o", "main.c"),
    ("./app", "--add", "directory:/d", "-o", "directory/file"),
    ("./app", "--ca-file", "cert.pem", "-o", "cert.pem"),
    ("./app", "--keys", "directory", "-o", "directory/file"),
    ("./app", "--base", "./empty-root", "--format", "rootfs", "-o", "empty-root"),
    ("./app", "--base", "./empty-root/sub", "--format", "oci", "-o", "empty-root"),
    ("./other/app", "--format", "rootfs", "-o", "other"),
    ("./app", "--add", "directory:/d", "--format", "rootfs", "-o", "directory"),
    ("./app", "--add", "directory/file:/f", "--format", "oci", "-o", "directory"),
    ("./app", "--format", "rootfs", "-o", "home"),
    ("base", "image", "musl.tar", "-o", "musl.tar"),
    ("base", "image", "./glibc-root", "--platform", "amd64", "--format", "oci", "-o", "glibc-root"),
    ("lock", "./app", "--lock", "app"),
    ("lock", "./app", "--lock", "main.c"),
    ("lock", "./app", "--add", "nothing:/n", "--lock", "nothing"),
    ("update", "./app", "--lock", "app"),
)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("arguments", OVER_INPUTS, ids=" ".join)
def test_an_input_is_never_replaced(tmp_path: Path, arguments: tuple[str, ...], force: bool) -> None:
    """Nothing is changed, whatever is asked for, and it is told before anything is written."""
    make_bad_files(tmp_path)
    os.symlink("app", tmp_path / "link-to-app")
    os.link(tmp_path / "app", tmp_path / "second-app")
    (tmp_path / "empty-root" / "sub").mkdir()
    (tmp_path / "home" / "deep").mkdir(parents=True)
    before = snapshot(tmp_path)
    env = {"HOME": str(tmp_path / "home" / "deep"), "MINPACK_NO_PACKAGES": None}
    extra = ("--force",) if force and arguments[0] not in ("lock", "update") else ()
    ran = minpack(*arguments, *extra, cwd=tmp_path, env=env)
    assert ran.code == 1, ran.err
    assert "Traceback" not in ran.err
    assert snapshot(tmp_path) == before


def test_a_library_of_the_base_is_an_input(tmp_path: Path) -> None:
    """A file that is taken from a base's directory is not replaced, though others there may be."""
    (tmp_path / "base" / "lib").mkdir(parents=True)
    loader = tmp_path / "base" / "lib" / "ld-musl-x86_64.so.1"
    loader.write_bytes(MUSL_LOADER)
    loader.chmod(0o755)
    (tmp_path / "base" / "lib" / "other").write_bytes(b"other")
    (tmp_path / "app").write_bytes(program(interpreter=MUSL))
    command = ("./app", "--base", "./base", "--check", "none", "--force")
    ran = minpack(*command, "-o", "base/lib/ld-musl-x86_64.so.1", cwd=tmp_path)
    assert ran.err.startswith("minpack: cannot write 'base/lib/ld-musl-x86_64.so.1': it is a file that is packed\n")
    ran = minpack(*command, "--format", "rootfs", "-o", "base/lib", cwd=tmp_path)
    assert "it contains a file that is packed ('" in ran.err
    assert loader.read_bytes() == MUSL_LOADER
    assert minpack(*command, "-o", "base/lib/other", cwd=tmp_path).code == 0


@pytest.mark.parametrize("form", ["archive", "tar"])
def test_a_file_of_value_needs_force(place: Path, form: str) -> None:
    """What is not an archive stays, with a hint at --force, and is replaced with it."""
    (place / "precious.txt").write_bytes(b"precious")
    ran = minpack("./app", "--format", form, "-o", "precious.txt", cwd=place)
    assert ran.code == 1
    assert ran.err.endswith("hint: choose another name with -o, or replace it with --force\n")
    assert (place / "precious.txt").read_bytes() == b"precious"
    assert minpack("./app", "--format", form, "-o", "precious.txt", "--force", cwd=place).code == 0
    assert minpack("./app", "--format", form, "-o", "precious.txt", cwd=place).code == 0
    (place / "empty").write_bytes(b"")
    assert minpack("./app", "--format", form, "-o", "empty", cwd=place).code == 0


def test_only_a_lock_is_replaced_by_a_lock(place: Path) -> None:
    """An empty file is, a lock is renewed, and anything else stays."""
    (place / "empty.lock").write_bytes(b"")
    assert minpack("lock", "./app", "--lock", "empty.lock", cwd=place).code == 0
    written = (place / "empty.lock").read_bytes()
    assert written.startswith(b"# What the image was made of.")
    for name, data in (("text", b"text"), ("toml", b"[project]\nname = 'x'\n"), ("archive", archive(member("x", b"")))):
        (place / name).write_bytes(data)
        assert minpack("lock", "./app", "--lock", name, cwd=place).code == 1
        assert (place / name).read_bytes() == data
    assert minpack("lock", "./app", "--lock", "empty.lock", cwd=place).code == 0
    assert (place / "empty.lock").read_bytes() == written


def test_a_lock_may_lie_in_what_is_added(place: Path) -> None:
    """It is renewed there; a file that is not a lock is not replaced there either."""
    for command in ("lock", "lock", "update"):
        ran = minpack(command, "./app", "--add", ".:/src", cwd=place)
        assert ran.code == 0, ran.err
    assert minpack("./app", "--add", ".:/src", "--locked", cwd=place).code == 0
    assert minpack("lock", "./app", "--add", ".:/src", "--lock", "src/data", cwd=place).code == 1
    assert (place / "src" / "data").read_bytes() == b"data"


def test_the_lock_is_an_input_of_a_locked_build(place: Path) -> None:
    """An image does not replace what it is built from."""
    assert minpack("lock", "./app", cwd=place).code == 0
    before = snapshot(place)
    ran = minpack("./app", "--locked", "-o", "minpack.lock", "--force", cwd=place)
    assert ran.err == "minpack: cannot write 'minpack.lock': it is the lock file\nhint: choose another path with -o\n"
    assert snapshot(place) == before


def test_the_trusted_certificates_are_an_input(place: Path) -> None:
    """So is what SSL_CERT_FILE names."""
    (place / "own.pem").write_bytes(CERTIFICATE)
    ran = minpack("./app", "-o", "own.pem", "--force", cwd=place, env={"SSL_CERT_FILE": "own.pem"})
    assert "it is the file that SSL_CERT_FILE names" in ran.err
    assert (place / "own.pem").read_bytes() == CERTIFICATE
