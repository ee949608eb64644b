"""`minpack lock`, `update` and `--locked`: the same image from the lock alone, and every difference refused."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
import tomllib
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest
import tomli_w

from minpack.base import locked_fetch
from minpack.base.options import BaseOptions, PackageOptions
from minpack.build.lock import LockVerifier
from minpack.build.pack import pack
from minpack.errors import DownloadError
from minpack.lock.file import read_lock
from minpack.net.network import Network
from minpack.spec.image import Check, ImageSpec
from support.command import COMMAND, Ran, assert_error_document, assert_refused, environment, matches, minpack
from support.debmaker import Deb
from support.elfmaker import GLIBC, MUSL, program, static_program
from support.fakeregistry import FakeRegistry
from support.layers import layer, tar_of, write_layout
from support.layers import member as item
from support.locks import BAR, COMMON, FOO, KEY, LIBC, AlpineWorld, DebianWorld, World
from support.mirror import Mirror, after, always, endless, status
from support.places import small_disk
from support.refusals import row
from support.repository import DATABASE, MAIN, library_package
from support.tarmaker import member

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

BASE = "--base=base.tar"
DEBIAN = "--base=debian-12"
DIFFERS = "cannot build from 'minpack.lock': this build differs from it\n  "


@pytest.fixture
def alpine(tmp_path: Path) -> Generator[AlpineWorld]:
    """A world with a base that apk manages."""
    with Mirror() as mirror:
        (tmp_path / "alpine").mkdir()
        yield AlpineWorld(mirror, tmp_path / "alpine")


@pytest.fixture
def debian(tmp_path: Path) -> Generator[DebianWorld]:
    """A world with an archive of Debian's form."""
    with Mirror() as mirror:
        (tmp_path / "debian").mkdir()
        yield DebianWorld(mirror, tmp_path / "debian")


def refuse(world: World, what: str, difference: str, *arguments: str) -> None:
    """Building from the lock is refused for just these differences, as the row `what` of `docs/errors.md` has it.

    :param difference: an ellipsis stands for anything.
    """
    before, case = world.text, row(what)
    ran = world.run("./app", "--locked", "--json", "-o", "refused.tar", *arguments)
    assert_refused(ran, case.code, f"{DIFFERS}{difference}", case.hint)
    assert_refused(ran, 3, case.message, case.hint)
    assert_error_document(ran, case.kind)
    assert ran.document["data"]["differences"]
    assert world.text == before, "building never writes a lock"
    assert not (world.place / "refused.tar").exists(), "nothing is written"


def refuse_as(ran: Ran, what: str) -> None:
    """The run ended as the row `what` of `docs/errors.md` has it."""
    case = row(what)
    assert_refused(ran, case.code, case.message, case.hint)


# --- the same image


def test_a_debian_image_from_its_lock(debian: DebianWorld) -> None:
    """The bytes of the image as it was locked: with the store, offline, and where no index is left anywhere."""
    lock, free = debian.lock(DEBIAN), debian.image(DEBIAN)
    asked = len(debian.mirror.requests)
    assert debian.image("--locked") == free
    assert debian.image("--locked", "--offline") == free
    assert len(debian.mirror.requests) == asked, "what is locked comes from the store, and indexes are not read"
    debian.mirror.remove("/debian/dists")
    debian.cache = "another machine's"
    assert debian.image("--locked") == free
    assert debian.image("--locked", "--no-cache") == free
    assert not [path for path in debian.mirror.paths[asked:] if "/dists/" in path]
    assert debian.text == lock


def test_an_alpine_image_from_its_lock_when_the_package_was_replaced(alpine: AlpineWorld) -> None:
    """Of a repository that has another version now the locked one is in the store, and nowhere else."""
    alpine.lock(BASE)
    free = alpine.image(BASE)
    alpine.publish("1.1-r0", both=True)
    assert alpine.image("--locked") == free
    assert alpine.image("--locked", BASE, "--offline") == free
    assert b"V:1.0-r0" in alpine.image("--locked", "--compress=none")
    alpine.cache = "another machine's"
    ran = alpine.run("./app", "--locked", "-o", "out.tar")
    url = f"{alpine.mirror.url}{MAIN}/x86_64/libfoo-1.0-r0.apk"
    assert_refused(
        *(ran, 1, f"cannot download {url}: HTTP 404 Not Found"),
        "it has libfoo.so.1, …; the server has replaced it: use another one with --mirror, or renew the lock"
        " with minpack update",
    )


@pytest.mark.data
def test_a_real_minirootfs_from_its_lock(alpine: AlpineWorld, alpine_x86_64: Path) -> None:
    """The same on Alpine's own base, with the tests' key in place of Alpine's."""
    (alpine.place / "keys").mkdir()
    (alpine.place / "keys" / KEY.name).write_bytes(KEY.public.pem)
    options = (f"--base={alpine_x86_64}", "--keys=keys")
    alpine.lock(*options)
    free = alpine.image(*options)
    alpine.publish("1.1-r0")
    assert alpine.image("--locked", "--offline") == free, "the lock has the base's name, and needs no keys"
    assert {"base", "package libfoo"} == {text.partition(" 0")[0] for text in alpine.locked["files"].values()} - {
        text for text in alpine.locked["files"].values() if " link:" in text
    }


@pytest.mark.data
def test_a_named_release_from_its_lock(alpine: AlpineWorld, alpine_x86_64: Path) -> None:
    """Its tarball is known by the lock alone: from another machine's mirror, and refused if that has other bytes."""
    path = f"/alpine/v3.20/releases/x86_64/{alpine_x86_64.name}"
    name = "--base=alpine-3.20.3"
    (alpine.place / "app").write_bytes(program(("libz.so.1",), interpreter=MUSL))
    alpine.mirror.add(path, alpine_x86_64)
    alpine.lock(name)
    base = alpine.locked["base"]
    assert (base["name"], base["release"]) == ("alpine-3.20.3", "alpine-3.20.3")
    assert base["url"] == f"https://dl-cdn.alpinelinux.org{path}"
    free = alpine.image(name)
    alpine.cache = "another machine's"
    assert alpine.image("--locked") == free
    assert alpine.image("--locked", "--offline", name) == free
    cache(alpine, "prune", "--max-size=0MB")
    assert alpine.image("--locked", "--offline") == free
    alpine.mirror.add(path, alpine_x86_64.read_bytes()[:-1] + b"x")
    alpine.cache = "a third"
    difference = (
        f"base alpine-3.20.3: locked sha256:{base['sha256'][:12]}…, now sha256:… from {alpine.mirror.url}{path}"
    )
    refuse(alpine, "a base that is fetched and differs", difference)


def test_what_debian_replaced_is_asked_of_its_snapshots(debian: DebianWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that is gone from the archive, and from the store, is fetched by its SHA-1."""
    debian.lock(DEBIAN)
    debian.serve(FOO, COMMON)
    debian.mirror.add(f"/file/{debian.locked['packages']['libc6']['sha1']}", LIBC.data)
    monkeypatch.setattr(locked_fetch, "SNAPSHOT", f"{debian.mirror.url}/file")
    options = BaseOptions(
        None, Network(), "2026-11-25", packages=PackageOptions(0), debian_mirror=f"{debian.mirror.url}/debian"
    )
    path = str(debian.place / "minpack.lock")
    request = ImageSpec((str(debian.place / "app"),), check=Check.NONE)
    packed = pack(request, options, None, locking=LockVerifier(read_lock(path), path))
    assert {planned.package.name for planned in packed.plan.entries if planned.package} == {"libc6", "libfoo1"}
    assert [one for one in debian.mirror.paths if one.startswith("/file/")]
    debian.mirror.remove("/file/")
    with pytest.raises(DownloadError) as caught:
        pack(request, options, None, locking=LockVerifier(read_lock(path), path))
    snapshot = f"{debian.mirror.url}/file/{debian.locked['packages']['libc6']['sha1']}"
    assert str(caught.value) == (
        f"cannot download {debian.mirror.url}/debian/{LIBC.path}: HTTP 404 Not Found; nor could {snapshot} be had:"
        " HTTP 404 Not Found"
    )
    assert "minpack update" in str(caught.value.hint)


def test_no_more_is_read_than_any_package_has(debian: DebianWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever size a lock says: its server may send bytes without end."""
    debian.lock(DEBIAN)
    size = debian.locked["packages"]["libc6"]["size"]
    debian.change(f"size = {size}\n", f"size = {10**15}\n")
    debian.mirror.add(f"/debian/{LIBC.path}", b"", always(endless()))
    monkeypatch.setattr(locked_fetch, "SIZE_LIMIT", 1 << 20)
    options = BaseOptions(
        None, Network(), "2026-11-25", packages=PackageOptions(0), debian_mirror=f"{debian.mirror.url}/debian"
    )
    path = str(debian.place / "minpack.lock")
    request = ImageSpec((str(debian.place / "app"),), check=Check.NONE)
    with pytest.raises(DownloadError, match="more than the expected 1048576 bytes"):
        pack(request, options, None, locking=LockVerifier(read_lock(path), path))


def test_a_directory_that_a_path_leads_through(debian: DebianWorld) -> None:
    """A runpath may go through a directory of which nothing is taken: it must be there in a locked build too."""
    debian.serve(LIBC, FOO, COMMON, Deb("libqux", {"usr/lib/qux/libqux.so.1": b"qux"}))
    data = program(("libfoo.so.1",), interpreter=GLIBC, runpath="/usr/lib/qux/..")
    (debian.place / "app").write_bytes(data)
    debian.lock(DEBIAN)
    assert debian.locked["files"]["/usr/lib/qux"] == "base 0755 directory"
    free = debian.image(DEBIAN)
    assert debian.image("--locked", "--offline") == free


def test_a_changed_program_that_needs_the_same_files(alpine: AlpineWorld) -> None:
    """The lock says nothing of the program but a note."""
    lock = alpine.lock(BASE)
    alpine.program(overlay=b"another build")
    assert b"another build" in alpine.image("--locked", "--compress=none")
    assert alpine.text == lock
    assert alpine.lock(BASE) != lock, "its sum is noted anew"
    assert re.sub(rb'app" = .*', b"", alpine.text) == re.sub(rb'app" = .*', b"", lock)


def test_a_static_program_locks_embedded_data(tmp_path: Path) -> None:
    """The version and the sum of what was taken of certifi and tzdata, and each file."""
    with Mirror() as mirror:
        world = World(mirror, tmp_path)
        (tmp_path / "app").write_bytes(static_program())
        options = ("--need=certs", "--tz=Europe/Berlin")
        world.lock(*options)
        assert set(world.locked["data"]) == {"certifi", "tzdata"}
        assert [text.partition(" 0")[0] for text in world.locked["files"].values()] == ["data certifi", "data tzdata"]
        assert world.image("--locked", *options) == world.image(*options)
        version = world.locked["data"]["certifi"]["version"]
        world.change(f'version = "{version}"', 'version = "2001.1.1"')
        refuse(
            world,
            "embedded data of another version",
            f"data certifi: locked 2001.1.1 sha256:…, now {version} sha256:…",
            *options,
        )


def test_certificates_of_the_users_own_are_not_locked(tmp_path: Path) -> None:
    """--ca-file may have others tomorrow; what they are added to is locked by its version."""
    with Mirror() as mirror:
        world = World(mirror, tmp_path)
        (tmp_path / "app").write_bytes(static_program())
        corporate = tmp_path / "corp.pem"
        corporate.write_text("-----BEGIN CERTIFICATE-----\nQQ==\n-----END CERTIFICATE-----\n")
        world.lock("--need=certs", "--ca-file=corp.pem")
        assert "files" not in world.locked
        assert set(world.locked["data"]) == {"certifi"}
        corporate.write_text("-----BEGIN CERTIFICATE-----\nQg==\n-----END CERTIFICATE-----\n")
        world.image("--locked", "--need=certs", "--ca-file=corp.pem")


def test_two_programs_and_a_whole_package_in_one_lock(alpine: AlpineWorld) -> None:
    """The lock has what all of them take, and no file of the user's."""
    alpine.program("libbar.so.2", name="other")
    (alpine.place / "note.txt").write_text("mine")
    options = ("./other", "--add=note.txt:/note.txt", "--package=libfoo")
    alpine.lock(*options, BASE)
    assert set(alpine.locked["packages"]) == {"libbar", "libfoo"}
    assert not [path for path in alpine.locked["files"] if path.startswith(("/usr/local", "/note"))]
    free = alpine.image(*options, BASE)
    alpine.mirror.remove("/")
    assert alpine.image(*options, "--locked") == free


def test_two_platforms_in_one_lock(alpine: AlpineWorld) -> None:
    """Each is locked by itself; the other stays as it was."""
    alpine.lock(BASE)
    amd64 = alpine.locked
    (alpine.place / "app").write_bytes(static_program(machine="aarch64"))
    refuse(alpine, "a platform that is not locked", "platform linux/arm64: not in the lock, now wanted")
    alpine.lock("--need=certs")
    assert alpine.locked == amd64
    alpine.image("--locked", "--need=certs")
    alpine.program()
    alpine.image("--locked")


def test_two_images_of_one_platform_in_one_lock(alpine: AlpineWorld) -> None:
    """Each is called as its program is in the image; neither takes the other's place, nor is taken for it."""
    alpine.program("libbar.so.2", name="other")
    alpine.publish(both=True)
    alpine.lock(BASE)
    alpine.done("lock", "./other", "-q", BASE)
    free = alpine.image(BASE)
    assert alpine.image("--locked", "--offline") == free
    alpine.done("./other", "--locked", "--offline", "-q", "-o", "other.tar")
    assert set(tomllib.loads(alpine.text.decode())["images"]) == {"app", "other"}
    lock = alpine.text
    alpine.done("update", "./other", "-q")
    assert alpine.text == lock, "the newest is what it has, and the other image stays"
    (alpine.place / "third").write_bytes((alpine.place / "app").read_bytes())
    refuse_as(alpine.run("./third", "--locked"), "an image that is not locked")
    refuse_as(alpine.run("update", "./third"), "an image that is not renewed")
    assert alpine.image("--locked", "--dest=/bin/app") == alpine.image(BASE, "--dest=/bin/app")


def test_a_lock_of_version_1_is_read_and_renewed(alpine: AlpineWorld) -> None:
    """It builds the same image, and the first command that writes it writes the newest version."""
    newest = alpine.lock(BASE)
    free = alpine.image(BASE)
    image = tomllib.loads(newest.decode())["images"]["app"]["linux/amd64"]
    old = {**image, "base": image["bases"]["files"]}
    del old["bases"]
    text = tomli_w.dumps({"version": 1, "platforms": {"linux/amd64": old}})
    for arguments in (("update", "./app"), ("lock", "./app"), ("lock", "./app", BASE)):
        (alpine.place / "minpack.lock").write_text(text)
        assert alpine.image("--locked", "--offline") == free
        assert alpine.text == text.encode(), "building never writes a lock"
        alpine.done(*arguments, "-q")
        assert alpine.text == newest


def test_a_program_of_another_name_builds_from_the_lock_of_one_image(alpine: AlpineWorld) -> None:
    """Where a platform has one image, it is that one: names of files have versions in them."""
    alpine.lock(BASE)
    alpine.image("--locked")
    os.rename(alpine.place / "app", alpine.place / "app-1.2")
    alpine.done("./app-1.2", "--locked", "--offline", "-q", "-o", "out.tar")
    alpine.done("update", "./app-1.2", "-q")
    assert set(tomllib.loads(alpine.text.decode())["images"]) == {"app"}


# --- every difference


# --- an image below


def below(world: World, label: str) -> None:
    """An image to put others on, in a layout, with that label."""
    made = [layer(tar_of(item("etc/passwd", b"web:x:33:44:web:/srv:/bin/sh\n")))]
    shutil.rmtree(world.place / "below", ignore_errors=True)
    write_layout(world.place / "below", made, config_values={"User": "web", "Labels": {label: "1"}})


def test_an_image_below_from_its_lock(alpine: AlpineWorld) -> None:
    """Alone and together with a base and its packages; user, labels and layers are as without the lock."""
    below(alpine, "a")
    (alpine.place / "tool").write_bytes(static_program())
    alpine.done("./tool", "--on=below", "--need=certs", "-q", "-o", "free.tar")
    alpine.done("lock", "./tool", "--on=below", "--need=certs", "-q")
    alpine.done("./tool", "--locked", "--need=certs", "-q", "-o", "locked.tar", "--offline")
    assert (alpine.place / "free.tar").read_bytes() == (alpine.place / "locked.tar").read_bytes()
    alpine.lock("--on=below", BASE)
    free = alpine.image("--on=below", BASE)
    assert alpine.image("--locked", "--offline") == free
    assert alpine.image("--locked", "--on=below", BASE) == free
    assert set(alpine.locked["packages"]) == {"libfoo"}
    assert alpine.locked["bases"]["files"]["name"] == "base.tar"
    bases = tomllib.loads(alpine.text.decode())["images"]["tool"]["linux/amd64"]["bases"]
    assert bases["files"] == {"name": "scratch", "kind": "scratch"}
    digest = minpack("base", "info", "below", "--json", cwd=alpine.place).document["digest"]
    assert bases["on"] == alpine.locked["bases"]["on"] == {"name": "below", "kind": "image", "digest": digest}
    lock = alpine.text
    document = alpine.done("lock", "./app", "--json").document
    assert (document["on"]["name"], document["on"]["digest"], document["changed"]) == ("below", digest, False)
    assert "\n  base       base.tar\n  on         below\n" in alpine.done("lock", "./app").out.decode()
    assert alpine.text == lock, "both are the lock's"


def test_an_image_below_of_a_registry(alpine: AlpineWorld) -> None:
    """It is kept with the lock, whatever its tag means by then; an update takes the new one, and says so."""
    (alpine.place / "app").write_bytes(static_program())
    with FakeRegistry() as registry:
        name = f"{registry.host}/team/below:1"

        def publish(label: str) -> None:
            below(alpine, label)
            assert minpack("push", "below", name, cwd=alpine.place).code == 0

        publish("a")
        alpine.lock(f"--on={name}")
        free = alpine.image("--locked")
        publish("b")
        assert alpine.image("--locked", "--no-cache") == alpine.image("--locked", "--offline") == free
        for _ in range(2):
            cache(alpine, "prune")
        assert alpine.image("--locked", "--offline") == free
        ran = alpine.done("update", "./app")
        assert re.search(rf"  on docker://{name} +[0-9a-f]{{12}} → [0-9a-f]{{12}}\n", ran.out.decode())
        assert ran.out.decode().startswith(f"minpack.lock  app  linux/amd64  on docker://{name}\n")
        assert alpine.image("--locked", "--offline") != free
        assert alpine.done("lock", "./app", "--base=scratch", "--json").document["on"] is None


def test_images_below_of_several_platforms(alpine: AlpineWorld) -> None:
    """Each platform's image is locked by its own digest, and the index that lists both by its."""
    with FakeRegistry() as registry:
        for machine, architecture in (("x86_64", "amd64"), ("aarch64", "arm64")):
            (alpine.place / f"app-{architecture}").write_bytes(static_program(machine=machine))
        programs, name = ("./app-amd64", "./app-arm64"), f"{registry.host}/team/below:1"
        alpine.done(*programs, "-t", name, "--push", "-q")
        options = ("--on", name, "--need=certs")
        alpine.done(*programs, *options, "-q", "-o", "free.tar")
        document = alpine.done("lock", *programs, *options, "--json").document
        locked = [document["on"], *(one["on"] for one in document["others"])]
        assert len({one["digest"] for one in locked}) == 2
        assert len({one["index_digest"] for one in locked}) == 1
        alpine.done(*programs, "--locked", "--need=certs", "--offline", "-q", "-o", "locked.tar")
        assert (alpine.place / "free.tar").read_bytes() == (alpine.place / "locked.tar").read_bytes()


def test_another_image_below(alpine: AlpineWorld) -> None:
    """With other bytes, one that the lock lacks, another base beside it, and one that is not there any more."""
    (alpine.place / "app").write_bytes(static_program())
    below(alpine, "a")
    alpine.lock("--on=below")
    below(alpine, "b")
    refuse(alpine, "an image below that has changed", "on below: locked sha256:…, now sha256:…")
    below(alpine, "a")
    alpine.image("--locked")
    shutil.move(alpine.place / "below", alpine.place / "moved")
    alpine.image("--locked", "--on=oci:moved")
    for arguments in (("./app", "--locked"), ("lock", "./app"), ("update", "./app")):
        ran = alpine.run(*arguments)
        assert_refused(
            *(ran, 1, "cannot read 'below': no such file or directory"),
            "it is the lock's image below; say with --on where it is",
        )
    alpine.lock("--base=scratch")
    refuse(alpine, "an image below that the lock lacks", "on moved: not in the lock, now named by --on", "--on=moved")
    alpine.lock("--on=moved")
    refuse(alpine, "another base than the lock's", "base base.tar: locked scratch, now base.tar", BASE)
    ran = alpine.run("./app", "--locked", "--format=tar", "-o", "tree.tar")
    assert_refused(
        *(
            ran,
            2,
            "cannot use --format 'tar': it writes the bare files, and the programs are put on the layers of moved",
        ),
        "make an image with --format archive or oci",
    )


# --- what differs


def test_a_library_that_the_lock_lacks(debian: DebianWorld, alpine: AlpineWorld) -> None:
    """A new soname is refused although the distribution has it."""
    for world, base in ((debian, DEBIAN), (alpine, BASE)):
        world.program()
        world.lock(base)
        world.program("libfoo.so.1", "libbar.so.2")
        refuse(
            world,
            "a library that the lock lacks",
            "library libbar.so.2: not in the lock, now needed by /usr/local/bin/app",
        )


def test_a_library_that_the_base_has_and_the_lock_lacks(alpine: AlpineWorld) -> None:
    """A file is taken that was not."""
    library = member("usr/lib/libnew.so.1", program(), mode=0o755)
    base = alpine.base.base(library)
    alpine.lock(f"--base={base}")
    alpine.program("libfoo.so.1", "libnew.so.1")
    refuse(alpine, "a file that the lock lacks", "file /usr/lib/libnew.so.1: not in the lock, now base 0755 sha256:…")


def test_a_file_that_is_needed_no_more(alpine: AlpineWorld) -> None:
    """A lock that has more than the image is old too."""
    alpine.program("libfoo.so.1", "libbar.so.2")
    alpine.lock(BASE)
    alpine.program()
    refuse(
        alpine,
        "a file that is needed no more",
        "file /usr/lib/libbar.so.2: locked package libbar 0755 sha256:…, now absent",
    )


def test_a_file_whose_sum_differs(debian: DebianWorld) -> None:
    """As a lock has it that was put together by hand, or a directory that was changed."""
    debian.lock(DEBIAN)
    text = debian.locked["files"]["/usr/lib/libfoo.so.1.0"]
    debian.change(text, f"package libfoo1 0755 sha256:{'0' * 64}")
    refuse(
        debian,
        "a file that differs",
        f"file /usr/lib/libfoo.so.1.0: locked package libfoo1 0755 sha256:{'0' * 12}…, now {text[:-52]}…",
    )
    debian.lock(DEBIAN)
    debian.change("link:libfoo.so.1.0", "link:libfoo.so.1.2")
    refuse(
        debian,
        "a file that differs",
        "file /usr/lib/libfoo.so.1: locked package libfoo1 link:libfoo.so.1.2, now package libfoo1 link:libfoo.so.1.0",
    )


def test_a_package_whose_bytes_differ(debian: DebianWorld, alpine: AlpineWorld) -> None:
    """A download that was tampered with is refused by its name, with both sums, whatever size it has."""
    debian.lock(DEBIAN)
    for data in (LIBC.data[:-1] + b"x", LIBC.data + b"more", LIBC.data[:100]):
        debian.mirror.add(f"/debian/{LIBC.path}", data)
        debian.cache = f"cache {len(data)} {data[-1]}"
        url = f"{debian.mirror.url}/debian/{LIBC.path}"
        refuse(debian, "a package that differs", f"package libc6: locked sha256:…, now sha256:… from {url}")
    alpine.program()
    alpine.lock(BASE)
    other = library_package("libfoo.so.1", keys=(), built=1)
    alpine.mirror.add(f"{MAIN}/x86_64/libfoo-1.0-r0.apk", other.data)
    alpine.cache = "another"
    refuse(alpine, "a package that differs", "package libfoo: locked sha256:…, now sha256:… from …")


def test_another_package_under_a_locked_sum(alpine: AlpineWorld, debian: DebianWorld) -> None:
    """A lock that was changed by hand names a package that says it is another."""
    debian.lock(DEBIAN)
    debian.change('version = "2.36-9"', 'version = "9.0-1"')
    refuse(debian, "another package than the lock says", "package libc6: locked 9.0-1, now libc6 2.36-9")
    alpine.lock(BASE)
    alpine.change('version = "1.0-r0"', 'version = "9.0-r0"')
    refuse(
        alpine,
        "another package than the lock says",
        "package libfoo: locked 9.0-r0 for x86_64, now libfoo 1.0-r0 for x86_64",
    )


def test_a_package_whose_name_leads_elsewhere(debian: DebianWorld) -> None:
    """Of what a lock names no signature is checked: who writes one, and serves a package, gets no file out of place."""
    name = "../../../../../evil"
    evil = FOO._replace(name=name, files={path: data for path, data in FOO.files.items() if "doc" not in path})
    debian.mirror.add("/debian/evil.deb", evil.data)
    debian.lock(DEBIAN)
    locked = debian.locked["packages"]["libfoo1"]
    debian.change("packages.libfoo1]", f'packages."{name}"]')
    debian.change("package libfoo1 ", f"package {name} ")
    debian.change(locked["url"], "https://ftp.debian.org/debian/evil.deb")
    debian.change(locked["sha256"], hashlib.sha256(evil.data).hexdigest())
    debian.change(f"size = {locked['size']}", f"size = {len(evil.data)}")
    ran = debian.run("./app", "--locked", "--format=tar", "-o", "out.tar")
    refuse_as(ran, "a lock that was damaged")
    assert "is not the name of a package" in ran.err


def test_another_size_under_a_locked_sum(alpine: AlpineWorld, debian: DebianWorld) -> None:
    """Of packages and of a release's tarball; an image of Alpine's tells it to scanners."""
    for world, base, package in ((debian, DEBIAN, "libc6"), (alpine, BASE, "libfoo")):
        world.program()
        world.lock(base)
        size = world.locked["packages"][package]["size"]
        world.change(f"size = {size}\n", f"size = {size + 1}\n")
        difference = f"package {package}: locked {size + 1} bytes, now {size} bytes"
        refuse(world, "a package of another size than the lock says", difference)


def test_a_package_or_a_file_that_is_wanted_and_not_locked(debian: DebianWorld) -> None:
    """--package and --need name what the lock lacks."""
    debian.lock(DEBIAN)
    wanted = "a package that is wanted and not locked"
    refuse(debian, wanted, "package libbar2: not in the lock, now wanted by --package", "--package=libbar2")
    refuse(debian, "a file that the lock lacks", "file /etc/mime.types: not in the lock, now needed", "--need=mime")


def test_another_base(debian: DebianWorld, alpine: AlpineWorld) -> None:
    """Of another name, of another kind, and with other bytes."""
    what = "another base than the lock's"
    debian.lock(DEBIAN)
    refuse(debian, what, "base debian-13: locked debian-12, now debian-13", "--base=debian-13")
    refuse(debian, what, "base base.tar: locked debian-12, now base.tar", BASE)
    debian.image("--locked", "--base=debian-bookworm")
    alpine.program()
    alpine.lock(BASE)
    alpine.base.base(member("etc/os-release", b"ID=other\n"))
    refuse(alpine, "a base's tarball that has changed", "base base.tar: locked sha256:…, now sha256:…")
    (alpine.place / "base.tar").unlink()
    for arguments in (("./app", "--locked"), ("lock", "./app"), ("update", "./app")):
        ran = alpine.run(*arguments)
        assert_refused(
            *(ran, 1, "cannot read 'base.tar': no such file or directory"),
            "it is the lock's base; say with --base where it is",
        )


def test_a_base_that_has_no_end(alpine: AlpineWorld) -> None:
    """A lock, or --base with a sum, may name anything of this host: a pipe and a device are not tarballs."""
    alpine.lock(BASE)
    os.mkfifo(alpine.place / "pipe.tar")
    for path in ("pipe.tar", "/dev/zero"):
        alpine.change("base.tar", path)
        refused = f"cannot read '{path}': it is not a regular file"
        assert_refused(alpine.run("./app", "--locked"), 1, refused)
        assert_refused(alpine.run("./app", f"--base={path}", f"--base-sha512={'0' * 128}"), 1, refused)
        alpine.change(path, "base.tar")


def test_a_directory_as_base_is_compared_file_by_file(alpine: AlpineWorld) -> None:
    """It has no sum of its own."""
    root = alpine.place / "root"
    subprocess.run(["tar", "-xf", "base.tar", "--one-top-level=root"], cwd=alpine.place, check=True)
    alpine.lock("--base=./root")
    free = alpine.image("--base=./root")
    (root / "unused").write_text("nobody takes it")
    assert alpine.image("--locked") == free
    shutil.copytree(root, alpine.place / "copy", symlinks=True)
    assert alpine.image("--locked", "--base=./copy") == free
    root.rename(alpine.place / "moved")
    ran = alpine.run("./app", "--locked")
    assert_refused(
        *(ran, 1, "cannot read './root': no such file or directory"),
        "it is the lock's base; say with --base where it is",
    )
    (alpine.place / "moved").rename(root)
    with (root / "lib/ld-musl-x86_64.so.1").open("ab") as loader:
        loader.write(b"changed")
    refuse(
        alpine,
        "a file that differs",
        "file /lib/ld-musl-x86_64.so.1: locked base 0755 sha256:…, now base 0755 sha256:…",
    )


def test_what_is_made_of_files_of_a_directory_is_compared_too(alpine: AlpineWorld) -> None:
    """The package database is made of the base's, and a bundle with certificates of the user's own too."""
    root = alpine.place / "root"
    certificate = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"
    (alpine.place / "corp.pem").write_text(certificate.format("QQ=="))
    bundle, database = root / "etc/ssl/certs/ca-certificates.crt", root / "lib/apk/db/installed"
    subprocess.run(["tar", "-xf", "base.tar", "--one-top-level=root"], cwd=alpine.place, check=True)
    bundle.parent.mkdir(parents=True)
    bundle.write_text(certificate.format("Qg=="))
    database.parent.mkdir(parents=True)
    database.write_text(DATABASE)
    options = ("--need=certs", "--ca-file=corp.pem")
    alpine.lock("--base=./root", *options)
    free = alpine.image("--base=./root", *options)
    assert alpine.image("--locked", "--offline", *options) == free
    (alpine.place / "corp.pem").write_text(certificate.format("Qw=="))
    alpine.image("--locked", *options)
    bundle.write_text(certificate.format("RA=="))
    changed = "locked base 0644 sha256:…, now base 0644 sha256:…"
    refuse(alpine, "a file that differs", f"file /{bundle.relative_to(root)}: {changed}", *options)
    bundle.write_text(certificate.format("Qg=="))
    database.write_text(DATABASE.replace("1.2.5-r0", "1.2.5-r1"))
    refuse(alpine, "a file that differs", f"file /{database.relative_to(root)}: {changed}", *options)


def test_only_so_many_differences_are_told_one_by_one(tmp_path: Path) -> None:
    """The rest is counted; programs get all of them."""
    with Mirror() as mirror:
        world = World(mirror, tmp_path)
        (tmp_path / "app").write_bytes(static_program())
        world.lock("--need=tz")
        ran = world.run("./app", "--locked", "--json")
        assert matches(ran.err.partition("\nhint")[0], f"minpack: {DIFFERS}data tzdata: …\n  and … more"), ran.err
        assert len(ran.document["data"]["differences"]) > 500
        assert len(ran.err.splitlines()) == 23


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("version = 2\n", "version = 3\n", "it has version 3, and this minpack reads versions 1 and 2"),
        ("version = 2\n", "", "version is missing"),
        ("version = 2\n", "version = true\n", "version is not a version of a lock"),
        ("version = 2\n", "version = 2\n<<<<<<< HEAD\n", "it has merge conflict markers, from line 3 on"),
        ('kind = "tarball"', 'kind = "image"', 'images."app"."linux/amd64".bases.files.digest is missing'),
        ("size = ", "size = -", 'images."app"."linux/amd64".bases.files.size is not a number of bytes'),
        ('kind = "tarball"', 'kind = "container"', 'images."app"."linux/amd64".bases.files.kind is none of …'),
        ('name = "base.tar"\n', "", 'images."app"."linux/amd64".bases.files.name is missing'),
        (
            "package libfoo 0755",
            "package libfoo 0999",
            'images."app"."linux/amd64".files."/usr/lib/libfoo.so.1" is not …',
        ),
        (
            '"/usr/lib/libfoo.so.1"',
            '"/usr/../libfoo.so.1"',
            'images."app"."linux/amd64".files."/usr/../libfoo.so.1" is not …',
        ),
        ('arch = "x86_64"', "arch = 1", 'images."app"."linux/amd64".packages.libfoo.arch is not text'),
    ],
)
def test_a_lock_that_cannot_be_used(alpine: AlpineWorld, old: str, new: str, reason: str) -> None:
    """One clear error, from each command, and the file stays as it is."""
    alpine.lock(BASE)
    alpine.change(old, new)
    before = alpine.text
    what = "a lock with the marks of a merge" if "<" in new else "a lock that was damaged"
    what = "a lock of a newer minpack" if "= 3" in new else what
    for arguments in (("./app", "--locked"), ("lock", "./app", BASE), ("update", "./app")):
        ran = alpine.run(*arguments, "--json")
        assert_refused(ran, 1, f"cannot use lock 'minpack.lock': {reason}", "…")
        refuse_as(ran, what)
        assert_error_document(ran, "lock")
    assert alpine.text == before


def test_a_lock_of_a_newer_minpack_that_knows_more(alpine: AlpineWorld) -> None:
    """Keys that are not known are passed over."""
    alpine.lock(BASE)
    free = alpine.image("--locked")
    alpine.change("version = 2\n", 'version = 2\nsigned-by = "me"\n')
    alpine.change('arch = "x86_64"\n', 'arch = "x86_64"\norigin = "gcc"\n')
    assert alpine.image("--locked") == free


# --- writing


def test_locking_again_changes_nothing(debian: DebianWorld, alpine: AlpineWorld) -> None:
    """Not the file, not its time; and the same bytes on another machine, by way of another mirror's address."""
    for world, base in ((debian, DEBIAN), (alpine, BASE)):
        world.program()
        first = world.lock(base)
        os.utime(world.place / "minpack.lock", (1, 1))
        assert "is unchanged" in world.done("lock", "./app").out.decode()
        assert (world.place / "minpack.lock").stat().st_mtime == 1
        world.cache = "another machine's"
        world.done("lock", "./app", "-q", base, "--lock=other.lock")
        assert (world.place / "other.lock").read_bytes() == first
        assert world.mirror.url.encode() not in first
        assert str(world.place).encode() not in first


def test_an_update_says_what_changes(alpine: AlpineWorld) -> None:
    """Old and new of packages, the files of this image; a dry run writes nothing."""
    lock = alpine.lock(BASE)
    assert "nothing in this image changes" in alpine.done("update", "./app").out.decode()
    alpine.publish("1.1-r0", both=True, built=1_700_000_001)
    assert alpine.lock(BASE) == lock, "locking reads the index that is kept"
    ran = alpine.done("update", "./app", "--offline")
    note = "--offline: the newest versions are the newest in the cache"
    assert (alpine.text, ran.err) == (lock, f"note: {note}\n")
    assert alpine.done("update", "./app", "--offline", "--json").document["notes"] == [note]
    said = alpine.done("update", "./app", "--dry-run").out.decode()
    assert alpine.text == lock
    changes = [
        "minpack.lock  app  linux/amd64  base.tar",
        "  package libbar  none   → 1.0-r0",
        "  package libfoo  1.0-r0 → 1.1-r0",
        "  2 files in this image differ:",
        "    + /usr/lib/libbar.so.2",
        "    ~ /usr/lib/libfoo.so.1",
        "",
    ]
    assert said.splitlines() == [*changes, "minpack.lock would change; nothing was written"]
    ran = alpine.done("update", "./app", "--json")
    assert alpine.text != lock
    document = ran.document
    assert document["schema"] == "minpack.update/1"
    assert (document["changed"], document["written"]) == (True, True)
    assert [(one["kind"], one["name"]) for one in document["changes"]] == [
        ("package", "libbar"),
        ("package", "libfoo"),
        ("file", "/usr/lib/libbar.so.2"),
        ("file", "/usr/lib/libfoo.so.1"),
    ]
    alpine.image("--locked")


def test_an_update_looks_anew_at_debian(debian: DebianWorld) -> None:
    """A security update that came after the lock."""
    debian.lock(DEBIAN)
    debian.serve(LIBC, FOO._replace(version="1.0-2"), COMMON, date="Sun, 22 Nov 2026 09:15:44 UTC")
    out = debian.done("update", "./app").out.decode()
    assert re.search(r"package libfoo1 +1\.0-1 +→ 1\.0-2\n", out)
    assert re.search(r"base debian-12 +12\.1 sha256:[0-9a-f]{12} → sha256:[0-9a-f]{12}\n", out)
    assert debian.locked["packages"]["libfoo1"]["version"] == "1.0-2"


def test_an_older_index_is_refused(debian: DebianWorld, alpine: AlpineWorld) -> None:
    """No lock is written of what a mirror replays, once and again."""
    lock = debian.lock(DEBIAN)
    debian.serve(LIBC, FOO, COMMON, date="Fri, 20 Nov 2026 09:15:44 UTC")
    for _ in range(2):
        ran = debian.run("update", "./app")
        assert_refused(
            ran, 1, "cannot use release …/dists/bookworm/InRelease: it is of 2026-11-20, and …", "use another …"
        )
    assert debian.text == lock
    alpine.program()
    lock = alpine.lock(BASE)
    alpine.publish(built=1_600_000_000)
    for command in ("update", "update", "lock"):
        ran = alpine.run(command, "./app")
        if command == "update":
            assert_refused(ran, 1, "cannot use index …: it is older than one seen before: …", "use another …")
        else:
            assert ran.code == 0, "the one that is kept is newer"
    alpine.done("./app", BASE, "--no-cache", "-q", "-o", "free.tar")
    assert alpine.text == lock


def test_an_update_needs_a_lock(alpine: AlpineWorld) -> None:
    """It renews one, of a platform that it has."""
    ran = alpine.run("update", "./app", "--json")
    refuse_as(ran, "no lock")
    alpine.lock(BASE)
    (alpine.place / "app").write_bytes(static_program(machine="aarch64"))
    ran = alpine.run("update", "./app")
    refuse_as(ran, "a platform that is not renewed")


def test_the_lock_as_json(alpine: AlpineWorld) -> None:
    """What the file has, for programs."""
    document = alpine.done("lock", "./app", BASE, "--json").document
    assert document["schema"] == "minpack.lock/1"
    assert document["lock"] == "minpack.lock"
    assert (document["platform"], document["changed"], document["written"]) == ("linux/amd64", True, True)
    assert [(one["name"], one["version"]) for one in document["packages"]] == [("libfoo", "1.0-r0")]
    assert document["packages"][0]["signed_by"] == KEY.name
    files = {one["path"]: one for one in document["files"]}
    assert files["/usr/lib/libfoo.so.1"]["origin"] == "package libfoo"
    assert files["/usr/lib/libfoo.so.1"]["sha256"] in alpine.locked["files"]["/usr/lib/libfoo.so.1"]


def test_where_a_lock_lies(alpine: AlpineWorld) -> None:
    """Behind a link the file is replaced and the link stays; what cannot be written is said so."""
    (alpine.place / "locks").mkdir()
    (alpine.place / "minpack.lock").symlink_to("locks/real.lock")
    alpine.lock(BASE)
    assert (alpine.place / "minpack.lock").is_symlink()
    assert (alpine.place / "locks/real.lock").is_file()
    assert [path.name for path in (alpine.place / "locks").iterdir()] == ["real.lock"]
    alpine.image("--locked")
    refuse_as(alpine.run("lock", "./app", BASE, "--lock=none/minpack.lock"), "a place where no lock can be written")
    # No directory there takes new files, root's neither.
    ran = alpine.run("lock", "./app", BASE, "--lock=/sys/minpack.lock")
    assert_refused(ran, 1, "cannot write '/sys/minpack.lock': …", "name a file that you may write with --lock FILE")
    ran = alpine.run("./app", "--locked", "--lock=locks")
    assert_refused(ran, 1, "cannot use lock 'locks': is a directory", "--lock FILE names another")
    os.mkfifo(alpine.place / "pipe")
    ran = alpine.run("./app", "--locked", "--lock=pipe")
    assert_refused(ran, 1, "cannot use lock 'pipe': it is not a regular file", "--lock FILE names another")


def test_a_lock_that_is_here_and_not_asked_for(alpine: AlpineWorld) -> None:
    """Without --base the lock in the working directory, or beside the program, is named: with what builds from it."""
    alpine.lock(BASE)
    (alpine.place / "static").write_bytes(static_program())
    beside = alpine.place / "my build"
    beside.mkdir()
    shutil.copy(alpine.place / "app", beside)
    used = "or build from the lock here with --locked; it needs musl: --base alpine-…"
    assert_refused(alpine.run("./app"), 2, "cannot pack './app': …", used)
    note = "note: minpack.lock was not used: it is read only with --locked\n"
    assert note in alpine.done("./static", "--dry-run").err
    assert note not in alpine.done("./static", "--dry-run", "--base=scratch").err
    assert alpine.done("./static", "--dry-run", "--json").document["notes"] == [note[6:-1]]
    (alpine.place / "minpack.lock").rename(beside / "minpack.lock")
    ran = alpine.run("./my build/app")
    assert_refused(
        ran, 2, "cannot pack …", "or build from the lock here with --locked --lock './my build/minpack.lock'; …"
    )
    alpine.done("./my build/app", "--locked", "--lock", "./my build/minpack.lock", BASE, "-o", "out.tar")


def test_names_that_are_no_utf8(alpine: AlpineWorld) -> None:
    """Any bytes but the slash and NUL may be in the name of a file that is taken."""
    library = program()
    base = alpine.base.base(
        member(b"usr/lib/lib\xff%41\n.so.1".decode("utf-8", "surrogateescape"), library, mode=0o755),
    )
    alpine.lock(f"--base={base}")
    name = b"lib\xff%41\n.so.1"
    (alpine.place / "app").write_bytes(
        program(("libfoo.so.1", name.decode("utf-8", "surrogateescape")), interpreter=MUSL)
    )
    alpine.lock(f"--base={base}")
    assert "/usr/lib/lib%FF%2541\n.so.1" in alpine.locked["files"]
    first = alpine.text
    alpine.image("--locked")
    assert alpine.lock(f"--base={base}") == first
    alpine.program()
    ran = alpine.run("./app", "--locked")
    refuse_as(ran, "a file that is needed no more")
    assert r"  file /usr/lib/lib\xff%41\n.so.1: locked base 0755" in ran.err


def test_two_locks_at_the_same_time(alpine: AlpineWorld) -> None:
    """What another process adds to the file while this one downloads stays."""
    (alpine.place / "other").write_bytes(static_program(machine="aarch64"))
    index = urlopen(f"{alpine.mirror.url}{MAIN}/x86_64/APKINDEX.tar.gz").read()
    meanwhile = after(lambda: alpine.done("lock", "./other", "--need=certs"))
    alpine.mirror.add(f"{MAIN}/x86_64/APKINDEX.tar.gz", index, meanwhile)
    alpine.lock(BASE)
    images = tomllib.loads(alpine.text.decode())["images"]
    assert {name: set(platforms) for name, platforms in images.items()} == {
        "app": {"linux/amd64"},
        "other": {"linux/arm64"},
    }
    assert "libfoo" in alpine.locked["packages"]


def test_a_store_that_is_full(tmp_path: Path, alpine: AlpineWorld) -> None:
    """It makes no lock and no image other, and a note says what it does not do."""
    with small_disk(tmp_path / "disk") as disk:
        (disk / "minpack/v1").mkdir(parents=True, mode=0o700)
        with suppress(OSError):
            (disk / "fill").write_bytes(bytes(1 << 20))
        (alpine.place / "app").write_bytes(static_program())
        alpine.cache = str(disk)
        note = "note: the store does not keep what 'minpack.lock' names: no space left on device\n"
        assert alpine.done("lock", "./app", "--need=certs").err == note
        ran = alpine.done("./app", "--need=certs", "--locked", "-o", "out.tar")
        assert ran.err == note


def test_an_interrupted_lock_leaves_nothing(alpine: AlpineWorld) -> None:
    """The old one stays, whole, and nothing beside it."""
    lock = alpine.lock(BASE)
    alpine.publish("1.1-r0", built=1_700_000_001)
    alpine.mirror.add(f"{MAIN}/x86_64/APKINDEX.tar.gz", b"", always(status(503, {"Retry-After": "30"})))
    before = sorted(path.name for path in alpine.place.iterdir())
    process = subprocess.Popen(
        [*COMMAND, "update", "./app", "--check=none", "--cache-dir", "cache"],
        cwd=alpine.place,
        env=environment({"MINPACK_NO_PACKAGES": None, "MINPACK_MIRROR": f"{alpine.mirror.url}/alpine"}),
        stderr=subprocess.PIPE,
        text=True,
    )
    asked = len(alpine.mirror.requests)
    while len(alpine.mirror.requests) == asked and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (130, "minpack: interrupted\n")
    assert alpine.text == lock
    assert sorted(path.name for path in alpine.place.iterdir()) == before


# --- what is kept, and options


def cache(world: World, *arguments: str) -> Ran:
    """A command about the store."""
    ran = minpack("cache", *arguments, "--cache-dir", world.cache, cwd=world.place)
    assert ran.code == 0, ran.err
    return ran


def test_pruning_keeps_what_locks_name(debian: DebianWorld) -> None:
    """Whatever the size and the age, as long as the lock file is there."""
    debian.lock(DEBIAN)
    free = debian.image("--locked")
    for options in (("--max-size=0MB",), ("--older-than=0",)):
        cache(debian, "prune", *options)
        assert debian.image("--locked", "--offline") == free
    (debian.place / "minpack.lock").rename(debian.place / "moved.lock")
    assert debian.image("--locked", "--offline", "--lock=moved.lock") == free
    cache(debian, "prune", "--max-size=0MB")
    assert debian.image("--locked", "--offline", "--lock=moved.lock") == free, "building from it is remembered too"
    (debian.place / "moved.lock").rename(debian.place / "gone.lock")
    cache(debian, "prune", "--max-size=0MB")
    assert cache(debian, "info", "--json").document["kinds"] == []
    assert debian.run("./app", "--locked", "--offline", "--lock=gone.lock").code == 1


def test_options_that_contradict_each_other(debian: DebianWorld, alpine: AlpineWorld) -> None:
    """Each is told what to leave out."""
    ran = debian.run("./app", DEBIAN, "--lock=other.lock")
    assert ran.code == 2
    debian.lock(DEBIAN)
    ran = debian.run("./app", "--locked", f"--base-sha512={'0' * 128}")
    refuse_as(ran, "--locked and --base-sha512")
    what = "--locked and --no-packages, of a lock with packages"
    refuse_as(debian.run("./app", "--locked", "--no-packages"), what)
    alpine.program()
    alpine.lock(BASE)
    refuse_as(alpine.run("./app", "--locked", "--no-packages"), what)


@pytest.mark.parametrize("command", [("pack",), ("tree",), ("lock",), ("update",)])
def test_a_base_of_packages_alone_without_packages(debian: DebianWorld, command: tuple[str, ...]) -> None:
    """--no-packages would leave nothing of it, so it is refused and not passed over."""
    debian.lock(DEBIAN)
    base = () if command == ("update",) else (DEBIAN,)
    ran = debian.run(*command, "./app", "--no-packages", *base)
    assert_refused(ran, 2, "cannot use --no-packages: debian-12 is made only of packages", "leave it out…")
    assert BAR.name not in ran.err
