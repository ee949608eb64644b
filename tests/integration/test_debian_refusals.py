"""The command with a Debian archive of the tests' own: what it packs, and every refusal, as `docs/errors.md` has it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from support.command import Ran, assert_error_document, assert_refused, minpack
from support.debmaker import Archive, Deb, Key
from support.elfmaker import GLIBC, library, make_elf, program
from support.mirror import Mirror, always, status
from support.refusals import row

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

KEY, OTHER = Key(), Key()
LIB = "lib/x86_64-linux-gnu"
LIBC = Deb(
    "libc6",
    {
        f"{LIB}/ld-linux-x86-64.so.2": make_elf(
            soname="ld-linux-x86-64.so.2", overlay=b"\0GLIBC_PRIVATE\0/lib/\0/usr/lib/\0"
        ),
        "lib64/ld-linux-x86-64.so.2": f"/{LIB}/ld-linux-x86-64.so.2",
        "usr/share/doc/libc6/copyright": b"LGPL",
    },
    "2.36-9",
)
FOO = Deb("libfoo1", {"usr/lib/libfoo.so.1": library("libfoo.so.1")})


class World:
    """A mirror, its archive, and a directory with a program, a key and a store."""

    def __init__(self, mirror: Mirror, place: Path) -> None:
        self.mirror = mirror
        self.place = place
        self.main = Archive("bookworm", KEY)
        self.main.add(LIBC, FOO)
        (place / "keys").mkdir()
        (certificate,) = KEY.keys.values()
        (place / "keys" / "test.gpg").write_bytes(certificate)
        (place / "app").write_bytes(program(("libfoo.so.1",), interpreter=GLIBC))

    def run(self, *arguments: str) -> Ran:
        """Run the command."""
        self.main.serve(self.mirror, "/debian")
        return minpack(
            *(*arguments, "--base", "debian-12", "--keys", "keys", "--check", "none", "--cache-dir", "cache", "--json"),
            cwd=self.place,
            env={"MINPACK_MIRROR_DEBIAN": f"{self.mirror.url}/debian", "MINPACK_NO_PACKAGES": None},
        )

    def refuse(self, what: str) -> None:
        """The command says what the row of that name has."""
        case = row(what)
        ran = self.run("./app")
        assert_refused(ran, case.code, case.message, case.hint)
        assert_error_document(ran, case.kind)


@pytest.fixture
def world(tmp_path: Path) -> Generator[World]:
    """A world of this test's own."""
    with Mirror() as mirror:
        yield World(mirror, tmp_path)


def test_a_program_is_packed(world: World) -> None:
    """Its libraries, their packages among the inputs, their database and licences; the same bytes once more."""
    ran = world.run("./app", "-o", "app.tar")
    assert ran.code == 0, ran.err
    document = json.loads(ran.out)
    files = {item["path"]: item for item in document["images"][0]["files"]}
    assert files["/usr/lib/libfoo.so.1"]["package"]["name"] == "libfoo1"
    assert files["/usr/lib/libfoo.so.1"]["from"] == "package"
    assert files["/var/lib/dpkg/status.d"]["type"] == "directory"
    assert {"/var/lib/dpkg/status.d/libc6", "/usr/share/doc/libc6/copyright"} <= set(files)
    assert [item["name"] for item in document["inputs"] if item["kind"] == "package"] == ["libc6", "libfoo1"]
    first = (world.place / "app.tar").read_bytes()
    assert world.run("./app", "-o", "app.tar", "--offline").code == 0
    assert (world.place / "app.tar").read_bytes() == first


def test_licences_are_where_a_packages_link_leads(world: World) -> None:
    """A whole package's directory of documentation may be a link to that of another one of its source."""
    link: dict[str, bytes | str] = {"usr/share/doc/libfoo1-data": "libfoo1", "usr/share/foo/file": b"data"}
    world.main.add(Deb("libfoo1-data", link))
    world.main.packages.remove(FOO)
    world.main.add(FOO._replace(files={**FOO.files, "usr/share/doc/libfoo1/copyright": b"MIT"}))
    ran = world.run("./app", "--package", "libfoo1-data", "--format", "rootfs", "-o", "root")
    assert ran.code == 0, ran.err
    documentation = world.place / "root/usr/share/doc"
    assert (documentation / "libfoo1-data").is_symlink()
    assert (documentation / "libfoo1-data/copyright").read_bytes() == b"MIT"


def test_debians_own_keys_do_not_trust_the_tests(world: World) -> None:
    """Without --keys, Debian's keys alone count."""
    world.main.serve(world.mirror, "/debian")
    arguments = ("./app", "--base", "debian-12", "--mirror", f"{world.mirror.url}/debian")
    ran = minpack(*arguments, cwd=world.place, env={"MINPACK_NO_PACKAGES": None})
    case = row("one by an unknown key, or that was changed")
    assert_refused(ran, case.code, case.message, case.hint)


def test_a_release_without_a_signature(world: World) -> None:
    """It is not an InRelease."""
    world.main.changed["dists/bookworm/InRelease"] = world.main.release()
    world.refuse("a release of Debian without a signature")


def test_a_release_by_an_unknown_key(world: World) -> None:
    """Nobody vouches for it."""
    world.main.key = OTHER
    world.refuse("one by an unknown key, or that was changed")


def test_the_release_of_another_suite(world: World) -> None:
    """It is signed, and not what was asked for."""
    world.main.changed["dists/bookworm/InRelease"] = Archive("bullseye", KEY).in_release()
    world.refuse("the release of another suite")


def test_an_index_that_is_not_the_one_signed(world: World) -> None:
    """A mirror in the middle of an update has one."""
    data = world.main.indexes()["main/binary-amd64/Packages.xz"]
    world.main.changed["dists/bookworm/main/binary-amd64/Packages.xz"] = data[:-1] + b"x"
    world.refuse("an index of Debian's that is not the one signed")


def test_a_package_that_is_not_the_one_signed(world: World) -> None:
    """Its sum is in the index."""
    world.main.changed[LIBC.path] = LIBC.data[:-1] + b"x"
    world.refuse("a package of Debian's that is not the one signed")


def test_a_package_that_is_gone(world: World) -> None:
    """Archives keep the newest alone."""
    world.main.serve(world.mirror, "/debian")
    world.mirror.add(f"/debian/{LIBC.path}", b"", always(status(404)))
    world.main.packages.remove(LIBC)
    index = Archive("bookworm", KEY)
    index.add(LIBC, FOO)
    world.main.indexes = index.indexes  # type: ignore[method-assign] # the index goes on naming it
    world.refuse("a package of Debian's that is gone")


def test_an_architecture_that_debian_lacks(world: World) -> None:
    """Debian 12 has no RISC-V."""
    (world.place / "app").write_bytes(
        program(("libfoo.so.1",), machine="riscv64", interpreter="/lib/ld-linux-riscv64-lp64d.so.1")
    )
    world.refuse("an architecture that Debian lacks")


def test_a_directory_without_openpgp_keys(world: World) -> None:
    """Nothing could be trusted."""
    (world.place / "keys" / "test.gpg").write_bytes(b"no key")
    ran = world.run("./app")
    assert_refused(ran, 1, "cannot read 'keys': it contains no OpenPGP key", "--keys takes a directory of public keys")


def test_a_base_to_pull_is_not_trusted_either(world: World) -> None:
    """Nothing is kept of what is not signed."""
    case = row("one by an unknown key, or that was changed")
    world.main.serve(world.mirror, "/debian")
    ran = minpack("base", "pull", "debian-12", "--mirror", f"{world.mirror.url}/debian", cwd=world.place)
    assert_refused(ran, case.code, case.message, case.hint)
