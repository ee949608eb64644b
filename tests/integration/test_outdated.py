"""`minpack outdated`: files that an image ships and that have changed upstream, and nothing of what has not."""

from __future__ import annotations

import hashlib
import json
import lzma
from typing import TYPE_CHECKING

import pytest

from support.command import assert_error_document, assert_refused
from support.debmaker import Deb
from support.elfmaker import library, static_program
from support.fakeregistry import FakeRegistry
from support.fakeregistry import status as registry_status
from support.fresh import (
    BRANCH,
    MUSL,
    NEW_FOO,
    REPOSITORY,
    FreshAlpine,
    FreshDebian,
    changes,
    database,
    document,
    keep_image,
    outdated,
)
from support.fresh import (
    FOO as FOO_FILES,
)
from support.locks import BAR, COMMON, FOO, LIBC, AlpineWorld, World
from support.mirror import Mirror, always, raw, status, wrong

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

DEBIAN = "--base=debian-12"
NEW_FILES = {**FOO.files, "usr/lib/libfoo.so.1.0": library("libfoo.so.1") + b"fixed"}
FIXED = FOO._replace(version="1.0-1+deb12u1", files=NEW_FILES)


@pytest.fixture
def debian(tmp_path: Path) -> Generator[FreshDebian]:
    """A world with an archive of Debian's form and its security updates."""
    with Mirror() as mirror:
        (tmp_path / "debian").mkdir()
        yield FreshDebian(mirror, tmp_path / "debian")


@pytest.fixture
def alpine(tmp_path: Path) -> Generator[FreshAlpine]:
    """A world with a release of Alpine that has libfoo, and its repositories."""
    with Mirror() as mirror:
        (tmp_path / "alpine").mkdir()
        yield FreshAlpine(mirror, tmp_path / "alpine")


@pytest.fixture
def registry() -> Generator[FakeRegistry]:
    """A registry."""
    with FakeRegistry() as running:
        yield running


def silent(world: World, *arguments: str) -> None:
    """It says nothing at all, and that nothing has changed."""
    ran = outdated(world, *arguments)
    assert (ran.code, ran.out, ran.err) == (0, b"", "")


# --- a lock of packages


def test_newer_packages_with_the_same_files_are_no_change(debian: FreshDebian) -> None:
    """Every package of the lock is newer, and no byte that the image ships is other: silence, and exit 0."""
    debian.lock(DEBIAN)
    silent(debian)
    debian.serve(*(one._replace(version="9.9-9") for one in (LIBC, FOO, COMMON, BAR)))
    silent(debian)
    (image,) = document(debian)["images"]
    assert {(one["package"], one["new"]) for one in image["newer"]} == {("libc6", "9.9-9"), ("libfoo1", "9.9-9")}
    ran = outdated(debian, "-v")
    assert b"  same files  libfoo1 1.0-1 \xe2\x86\x92 9.9-9  (debian bookworm)\n" in ran.out


def test_a_changed_library_is_told_first(debian: FreshDebian) -> None:
    """With its package, both versions and the security suite; exit 3. The others are not mentioned."""
    debian.lock(DEBIAN)
    debian.serve(LIBC._replace(version="9.9-9"), FOO, COMMON, BAR)
    debian.secure(FIXED)
    ran = outdated(debian)
    assert (ran.code, ran.err) == (3, "")
    assert ran.out.decode() == (
        "minpack.lock  app  linux/amd64\n"
        "  1 file in this image has changed upstream:\n"
        "    libfoo1 1.0-1 → 1.0-1+deb12u1  (security update)\n"
        "      ~ /usr/lib/libfoo.so.1.0\n"
    )
    (image,) = document(debian)["images"]
    (change,) = image["changes"]
    assert (change["security"], change["rebuild"]) == (True, True)
    (file,) = change["files"]
    assert file["old"] == f"sha256:{debian.locked['files']['/usr/lib/libfoo.so.1.0'].rpartition(':')[2]}"
    debian.done("update", "./app", "-q")
    silent(debian)


def test_what_is_no_security_update(debian: FreshDebian) -> None:
    """A fix of a point release is none; one that a point release took over from the security suite is."""
    debian.lock(DEBIAN)
    debian.serve(LIBC, FIXED, COMMON, BAR)
    assert [one["security"] for one in document(debian)["images"][0]["changes"]] == [False]
    debian.secure(FOO._replace(version="1.0-1+deb12u0"))
    (change,) = document(debian)["images"][0]["changes"]
    assert (change["security"], change["new"]) == (True, "1.0-1+deb12u1")


def test_a_file_that_a_newer_package_does_not_have(debian: FreshDebian) -> None:
    """A library of another name is a change of the link, and of the file that is gone."""
    debian.lock(DEBIAN)
    files: dict[str, bytes | str] = {"usr/lib/libfoo.so.1": "libfoo.so.1.1"}
    files["usr/lib/libfoo.so.1.1"] = library("libfoo.so.1")
    debian.serve(LIBC, FOO._replace(version="1.1-1", files=files), COMMON, BAR)
    assert changes(debian) == [("libfoo1", "1.0-1", "1.1-1", ("/usr/lib/libfoo.so.1", "/usr/lib/libfoo.so.1.0"))]
    assert "      - /usr/lib/libfoo.so.1.0\n" in outdated(debian).out.decode()


def test_a_package_that_is_gone(debian: FreshDebian) -> None:
    """What nobody has any more has changed upstream."""
    debian.lock(DEBIAN)
    debian.serve(LIBC, COMMON, BAR)
    assert changes(debian) == [("libfoo1", "1.0-1", None, ("/usr/lib/libfoo.so.1", "/usr/lib/libfoo.so.1.0"))]


def test_certificates_are_compared_as_they_are_bundled(debian: FreshDebian) -> None:
    """The bundle is no package's file: it is made of those that the newer package has."""
    pem = b"-----BEGIN CERTIFICATE-----\nQQ==\n-----END CERTIFICATE-----\n"
    files: dict[str, bytes | str] = {"usr/share/ca-certificates/mozilla/a.crt": pem}
    debian.serve(LIBC, FOO, COMMON, BAR, Deb("ca-certificates", files, architecture="all"))
    debian.lock(DEBIAN, "--need=certs")
    debian.serve(LIBC, FOO, COMMON, BAR, Deb("ca-certificates", files, "2.0-1", architecture="all"))
    silent(debian)
    files = {**files, "usr/share/ca-certificates/mozilla/b.crt": pem.replace(b"QQ", b"Qg")}
    debian.serve(LIBC, FOO, COMMON, BAR, Deb("ca-certificates", files, "3.0-1", architecture="all"))
    assert changes(debian) == [("ca-certificates", "1.0-1", "3.0-1", ("/etc/ssl/certs/ca-certificates.crt",))]


def test_packages_are_looked_into_once(debian: FreshDebian) -> None:
    """What a package has is kept by its sum: the usual answer takes the releases alone."""
    debian.lock(DEBIAN)
    debian.serve(LIBC, FIXED, COMMON, BAR)
    document(debian)
    asked = len(debian.mirror.requests)
    debian.mirror.remove(f"/debian/{FIXED.path}")
    assert changes(debian)
    paths = debian.mirror.paths[asked:]
    assert paths == [path for path in paths if path.endswith("/InRelease")]


# --- packages under a base of the user's


def test_packages_of_a_tarball(tmp_path: Path) -> None:
    """The packages that were fetched for it are looked up; of its own files nothing says what is newest."""
    with Mirror() as mirror:
        world = AlpineWorld(mirror, tmp_path)
        world.lock("--base=base.tar")
        ran = outdated(world)
        assert (ran.code, ran.out) == (0, b"")
        assert ran.err == (
            "note: minpack.lock app linux/amd64: nothing is known of base base.tar (1 file): minpack cannot tell"
            " whether there is a newer tarball, and they belong to no package\n"
        )
        assert outdated(world, "--strict").code == 3
        assert outdated(world, "-q").err == ""
        world.publish("1.1-r0")
        assert changes(world) == []
        world.publish("1.2-r0", both=True)
        assert changes(world) == [("libfoo", "1.0-r0", "1.2-r0", ("/usr/lib/libfoo.so.1",))]
        (world.place / "base.tar").unlink()
        (image,) = document(world)["images"]
        assert image["changes"] == []
        assert image["unknown"] == [{"what": "base base.tar", "files": 2, "reason": "it is not here"}]


def test_a_static_program_has_nothing_from_elsewhere(tmp_path: Path) -> None:
    """Nothing is asked, and nothing is said."""
    with Mirror() as mirror:
        world = World(mirror, tmp_path)
        (tmp_path / "app").write_bytes(static_program())
        world.lock()
        silent(world)
        assert mirror.requests == []


def test_data_that_comes_with_minpack(tmp_path: Path) -> None:
    """It has changed where a newer one is installed, with other bytes; an older one says nothing."""
    with Mirror() as mirror:
        world = World(mirror, tmp_path)
        (tmp_path / "app").write_bytes(static_program())
        world.lock("--need=certs")
        silent(world)
        version, (sum_,) = world.locked["data"]["certifi"]["version"], world.locked["files"].values()
        world.change(sum_.rpartition(":")[2], "0" * 64)
        silent(world)
        world.change(f'version = "{version}"', 'version = "2001.1.1"')
        assert changes(world) == [("certifi", "2001.1.1", version, ("/etc/ssl/certs/ca-certificates.crt",))]


# --- a release of the catalogue


def test_a_newer_release_with_the_same_files(alpine: FreshAlpine) -> None:
    """A point release of which the image ships nothing that is other, but the name of the release."""
    alpine.lock(alpine.base)
    assert "/etc/os-release" in alpine.locked["files"]
    silent(alpine)
    alpine.release("2", musl=("1.2.5-r1", MUSL), libfoo=("1.0-r1", FOO_FILES))
    alpine.publish(musl=("1.2.5-r1", MUSL), libfoo=("1.0-r1", FOO_FILES))
    silent(alpine)
    (image,) = document(alpine)["images"]
    assert (image["base"]["old"], image["base"]["new"]) == (f"alpine-{BRANCH}.1", f"alpine-{BRANCH}.2")


def test_a_newer_release_with_another_library(alpine: FreshAlpine) -> None:
    """Both versions are those of the packages in the old tarball and the new one."""
    alpine.lock(alpine.base)
    alpine.release("2", musl=("1.2.5-r0", MUSL), libfoo=("1.0-r1", NEW_FOO))
    alpine.publish(musl=("1.2.5-r0", MUSL), libfoo=("1.0-r1", NEW_FOO))
    (image,) = document(alpine)["images"]
    (change,) = image["changes"]
    assert [change[key] for key in ("package", "old", "new", "rebuild")] == ["libfoo", "1.0-r0", "1.0-r1", True]
    assert change["security"] is None, "Alpine does not say"
    alpine.done("update", "./app", "-q")
    silent(alpine)


def test_a_newer_package_that_no_release_has_yet(alpine: FreshAlpine) -> None:
    """Alpine publishes fixes as packages first: the file has changed upstream, though a rebuild has the old one."""
    alpine.lock(alpine.base)
    alpine.publish(musl=("1.2.5-r0", MUSL), libfoo=("1.0-r1", NEW_FOO))
    ran = outdated(alpine)
    assert ran.code == 3
    assert ran.out.decode().splitlines()[2] == (
        f"    libfoo 1.0-r0 → 1.0-r1  (alpine v{BRANCH} main, not in the base yet)"
    )
    assert [one["rebuild"] for one in document(alpine)["images"][0]["changes"]] == [False]


def test_an_old_release_that_is_gone(alpine: FreshAlpine) -> None:
    """Files are compared all the same, and what is not known is said."""
    alpine.lock(alpine.base)
    alpine.mirror.remove(f"/alpine/v{BRANCH}/releases/x86_64/alpine-minirootfs-{BRANCH}.1")
    alpine.release("2", musl=("1.2.5-r0", MUSL), libfoo=("1.0-r1", NEW_FOO))
    alpine.cache = "another machine's"
    (image,) = document(alpine)["images"]
    assert [(one["package"], one["old"], one["new"]) for one in image["changes"]] == [("libfoo", None, "1.0-r1")]
    (unknown,) = image["unknown"]
    assert "is no longer available" in unknown["reason"]


# --- images of registries as bases


def image_files(version: str, foo: Mapping[str, bytes] = FOO_FILES) -> dict[str, bytes]:
    """The files of a base that apk manages, with libfoo in that version."""
    packages = {"musl": ("1.2.5-r0", MUSL), "libfoo": (version, foo)}
    system = f"ID=alpine\nVERSION_ID={BRANCH}.1\n".encode()
    return {**MUSL, **foo, "lib/apk/db/installed": database(packages), "etc/os-release": system}


def test_a_tag_that_means_another_image(alpine: FreshAlpine, registry: FakeRegistry) -> None:
    """The same files in another image are no change; another library is one, with its package."""
    name = f"{registry.host}/base:1"
    keep_image(registry, "base:1", image_files("1.0-r0"))
    alpine.lock(f"--base={name}")
    silent(alpine)
    keep_image(registry, "base:1", {**image_files("1.0-r0"), "etc/motd": b"hello"})
    silent(alpine)
    keep_image(registry, "base:1", image_files("1.0-r7", NEW_FOO))
    assert changes(alpine) == [("libfoo", "1.0-r0", "1.0-r7", ("/usr/lib/libfoo.so.1",))]


def test_an_image_below(alpine: FreshAlpine, registry: FakeRegistry) -> None:
    """All files of an image that --on keeps are shipped: those of packages, and others."""
    alpine.program("libfoo.so.1")
    keep_image(registry, "lower:1", {**image_files("1.0-r0"), "etc/motd": b"hello"})
    alpine.lock(f"--on={registry.host}/lower:1")
    alpine.publish(musl=("1.2.5-r0", MUSL), libfoo=("1.0-r0", FOO_FILES))
    silent(alpine)
    keep_image(registry, "lower:1", {**image_files("1.0-r7", NEW_FOO), "etc/motd": b"hi"})
    assert changes(alpine) == [
        (None, None, None, ("/etc/motd",)),
        ("libfoo", "1.0-r0", "1.0-r7", ("/usr/lib/libfoo.so.1",)),
    ]


# --- finished images


def test_an_image_without_a_lock_says_its_packages(debian: FreshDebian, registry: FakeRegistry) -> None:
    """By its database: an archive, a layout, and a reference that minpack pushed have the same answer."""
    files: dict[str, bytes | str] = {"usr/lib/os-release": b"ID=debian\nVERSION_ID=12\n"}
    files["etc/os-release"] = "../usr/lib/os-release"
    debian.serve(LIBC, FOO, COMMON, BAR, Deb("base-files", files))
    name = f"{registry.host}/me/app:1"
    debian.done("./app", DEBIAN, "-q", "-o", "app.tar", "-t", name, "--push")
    debian.done("./app", DEBIAN, "-q", "-o", "layout", "--format=oci")
    for image in ("app.tar", "layout", f"docker://{name}"):
        silent(debian, image)
    debian.serve(LIBC._replace(version="9.9-9"), FOO, COMMON, BAR, Deb("base-files", files))
    debian.secure(FIXED)
    for image in ("app.tar", "layout", f"docker://{name}"):
        assert changes(debian, image) == [("libfoo1", "1.0-1", "1.0-1+deb12u1", ("/usr/lib/libfoo.so.1.0",))]
    (found,) = document(debian, f"docker://{name}")["images"]
    assert found["digest"] == registry.tagged["me/app", "1"]


def test_an_image_of_alpine_without_a_lock(alpine: FreshAlpine) -> None:
    """Its packages are looked up where the catalogue says, whatever repositories it names itself."""
    alpine.done("./app", alpine.base, "-q", "-o", "app.tar")
    silent(alpine, "app.tar")
    alpine.publish(musl=("1.2.5-r1", MUSL), libfoo=("1.0-r1", FOO_FILES))
    silent(alpine, "app.tar")
    alpine.publish(musl=("1.2.5-r1", MUSL), libfoo=("1.0-r2", NEW_FOO))
    assert changes(alpine, "app.tar") == [("libfoo", "1.0-r0", "1.0-r2", ("/usr/lib/libfoo.so.1",))]


def test_a_file_that_was_changed_by_hand_is_nobodys(alpine: FreshAlpine, registry: FakeRegistry) -> None:
    """What has not the sum of its package's database is not the package's any more."""
    files = {**image_files("1.0-r0"), "usr/lib/libfoo.so.1": b"mine"}
    keep_image(registry, "app:1", files)
    alpine.publish(musl=("1.2.5-r0", MUSL), libfoo=("1.0-r1", NEW_FOO))
    assert changes(alpine, f"docker://{registry.host}/app:1") == []


def test_an_image_with_dpkg(debian: FreshDebian, registry: FakeRegistry) -> None:
    """Its files are those of dpkg's lists; of a configuration file it is not known whether it is the package's."""
    data = library("libfoo.so.1")
    info, md5 = "var/lib/dpkg/info/libfoo1", hashlib.md5(data, usedforsecurity=False).hexdigest()
    files = {
        "etc/os-release": b"ID=debian\nVERSION_ID=12\n",
        "var/lib/dpkg/status": b"Package: libfoo1\nStatus: install ok installed\nVersion: 1.0-1\n",
        f"{info}.list": b"/.\n/usr\n/usr/lib\n/usr/lib/libfoo.so.1.0\n/etc/foo.conf\n",
        f"{info}.md5sums": f"{md5}  usr/lib/libfoo.so.1.0\n".encode(),
        "usr/lib/libfoo.so.1.0": data,
        "etc/foo.conf": b"mine",
    }
    keep_image(registry, "app:1", files)
    silent(debian, f"docker://{registry.host}/app:1")
    debian.secure(FIXED._replace(files={**NEW_FILES, "etc/foo.conf": b"theirs"}))
    assert changes(debian, f"docker://{registry.host}/app:1") == [
        ("libfoo1", "1.0-1", "1.0-1+deb12u1", ("/usr/lib/libfoo.so.1.0",))
    ]


def test_an_image_says_what_it_was_made_from(alpine: FreshAlpine, registry: FakeRegistry) -> None:
    """By its annotations: the files of that image that it still has are compared with what the tag means now."""
    base = {**image_files("1.0-r0"), "etc/motd": b"hello", "etc/issue": b"x", "etc/mine": b"theirs"}
    digest = keep_image(registry, "base:1", base)
    keep_image(registry, "app:1", {**base, "etc/mine": b"mine"}, name=f"{registry.host}/base:1", digest=digest)
    image = f"docker://{registry.host}/app:1"
    silent(alpine, image)
    keep_image(registry, "base:1", {**base, "etc/motd": b"hi", "etc/mine": b"new"})
    assert changes(alpine, image) == [(None, None, None, ("/etc/motd",))]
    assert document(alpine, image)["images"][0]["base"]["old"] == digest


def test_an_image_that_says_nothing(alpine: FreshAlpine, registry: FakeRegistry) -> None:
    """It is said that nothing is known, and which of its distributions minpack does not know."""
    keep_image(registry, "app:1", {"app": b"x", "etc/motd": b"x"})
    image = f"docker://{registry.host}/app:1"
    ran = outdated(alpine, image)
    assert (ran.code, ran.out) == (0, b"")
    assert ran.err == (
        f"note: {image} linux/amd64: nothing is known of the image (2 files): it has no package database\n"
    )
    assert outdated(alpine, image, "--strict").code == 3
    files = {**image_files("1.0-r0"), "etc/os-release": b'ID=other\nPRETTY_NAME="Other 1"\n'}
    keep_image(registry, "app:1", files)
    assert (
        "nothing is known of the packages (2 files): minpack knows no repositories for Other 1"
        in outdated(alpine, image).err
    )


# --- fleets


def test_a_fleet_shares_its_looks(debian: FreshDebian) -> None:
    """Many locks with many images ask each repository once, and what is true of all of them is said once."""
    debian.lock(DEBIAN)
    table = debian.text.decode()
    for number in range(10):
        text = table.replace("[images.app.", f"[images.app{number}.")
        (debian.place / f"{number}.lock").write_text(text)
    debian.secure(FIXED)
    asked = len(debian.mirror.requests)
    locks = [f"{number}.lock" for number in range(10)]
    ran = outdated(debian, *locks)
    paths = debian.mirror.paths[asked:]
    assert len(paths) == len(set(paths))
    assert ran.code == 3
    assert ran.out.decode().splitlines()[:5] == [
        "0.lock  app0  linux/amd64",
        "1.lock  app1  linux/amd64",
        "2.lock  app2  linux/amd64",
        "and 7 more images (-v shows them)",
        "  1 file in this image has changed upstream:",
    ]
    assert len(document(debian, *locks)["images"]) == 10
    assert "9.lock  app9  linux/amd64" in outdated(debian, *locks, "-v").out.decode()


def test_platforms_are_chosen(debian: FreshDebian) -> None:
    """Images for others are not looked at."""
    debian.lock(DEBIAN)
    assert document(debian, "--platform=linux/arm64")["images"] == []
    assert len(document(debian, "--platform=linux/arm64,linux/amd64")["images"]) == 1


# --- never a false "nothing has changed"


def test_offline_is_refused(debian: FreshDebian) -> None:
    """What is kept is not what there is now."""
    debian.lock(DEBIAN)
    hint = "leave it out, and unset MINPACK_OFFLINE"
    assert_refused(
        outdated(debian, "--offline"), 2, "cannot use --offline: minpack has to look up the newest versions", hint
    )
    assert_refused(outdated(debian, MINPACK_OFFLINE="1"), 2, "cannot use --offline: …", hint)


def test_a_repository_that_cannot_be_reached(debian: FreshDebian, alpine: FreshAlpine) -> None:
    """One clear error, though an index of an hour ago is kept, which other commands use."""
    debian.lock(DEBIAN)
    silent(debian)
    debian.mirror.add("/debian-security/dists/bookworm-security/InRelease", b"", always(status(503)))
    ran = outdated(debian, "--json")
    assert_refused(ran, 1, "cannot download …/debian-security/dists/bookworm-security/InRelease: HTTP 503…", "…")
    assert_error_document(ran, "download")
    alpine.lock(alpine.base)
    silent(alpine)
    alpine.mirror.add(f"{REPOSITORY}/x86_64/APKINDEX.tar.gz", b"", always(status(500)))
    assert_refused(outdated(alpine), 1, "cannot download …/main/x86_64/APKINDEX.tar.gz: HTTP 500…", "…")


def test_a_mirror_that_replays_what_was(debian: FreshDebian, alpine: FreshAlpine) -> None:
    """An older release than one seen before, one whose time is over, one without security updates: all are refused."""
    debian.lock(DEBIAN)
    debian.secure(date="Sun, 22 Nov 2026 09:15:44 UTC")
    silent(debian)
    debian.secure()
    assert_refused(outdated(debian), 1, "cannot use release …: it is of 2026-11-21, and one of 2026-11-22…", "…")
    debian.secure(date="Sun, 22 Nov 2026 09:15:44 UTC", valid_until="Sun, 22 Nov 2020 09:15:44 UTC")
    assert_refused(
        outdated(debian), 1, "cannot use release …: it was valid until 2020-11-22: the mirror is behind", "…"
    )
    debian.mirror.remove("/debian-security/")
    debian.cache = "another machine's"
    hint = "use a --mirror that has the security updates too"
    assert_refused(
        outdated(debian), 1, "cannot use release …: it is missing: without it, security updates are lost", hint
    )
    alpine.lock(alpine.base)
    alpine.publish(libfoo=("0.1-r0", FOO_FILES))
    (unknown,) = [one for one in document(alpine)["images"][0]["unknown"] if "libfoo" in one["what"]]
    assert unknown["reason"] == f"alpine v{BRANCH} main has 0.1-r0, which is older: its mirror may be behind"


def test_hostile_answers(debian: FreshDebian) -> None:
    """Of whatever a server gives in place of indexes and packages there is one clear error."""
    debian.lock(DEBIAN)
    packages = "/debian/dists/bookworm/main/binary-amd64/Packages.xz"
    debian.serve(LIBC, FIXED, COMMON, BAR)
    debian.mirror.add(packages, lzma.compress(b"Package: x\n"))
    assert_refused(outdated(debian), 1, "cannot verify …: its SHA-256 differs…", "…")
    debian.serve(LIBC, FIXED, COMMON, BAR)
    debian.mirror.add(f"/debian/{FIXED.path}", FOO.data)
    assert_refused(outdated(debian), 1, "cannot …", "…")
    debian.mirror.add(f"/debian/{FIXED.path}", b"", always(raw(b"no HTTP at all")))
    assert_refused(outdated(debian), 1, "cannot download …", "…")
    debian.mirror.add("/debian/dists/bookworm/InRelease", b"", always(wrong(b"-----BEGIN PGP SIGNED MESSAGE-----\n")))
    assert_refused(outdated(debian), 1, "cannot use …", "…")


@pytest.mark.parametrize("what", ["lib/apk/db/installed", "var/lib/dpkg/status", "var/lib/dpkg/status.d/x"])
def test_hostile_databases(alpine: FreshAlpine, registry: FakeRegistry, what: str) -> None:
    """A database that is nonsense has no packages, or is refused; nothing crashes."""
    texts = (
        b"\0" * 1000,
        b"P:x\nV:1\nF:" + b"a" * 5000 + b"\n",
        b"Package: x\nVersion: \xff:1\nStatus: install ok installed\n",
    )
    for text in texts:
        keep_image(registry, "app:1", {what: text, "etc/os-release": f"ID=alpine\nVERSION_ID={BRANCH}.1".encode()})
        ran = outdated(alpine, f"docker://{registry.host}/app:1")
        assert ran.code in (0, 1), ran.err
        assert "Traceback" not in ran.err


def test_a_registry_that_gives_nothing(alpine: FreshAlpine, registry: FakeRegistry) -> None:
    """A tag that cannot be asked for is an error, not an image that has not changed."""
    keep_image(registry, "base:1", image_files("1.0-r0"))
    alpine.lock(f"--base={registry.host}/base:1")
    registry.fail("GET", "/manifests/1", registry_status(503), times=99)
    ran = outdated(alpine)
    assert ran.code == 1
    assert ran.err.startswith("minpack: cannot ")
    registry.fail("HEAD", "/manifests/1", registry_status(503), times=99)


def test_a_login_is_for_the_registry_of_a_name(alpine: FreshAlpine, registry: FakeRegistry) -> None:
    """With or without a transport; of two registries it is not known which is meant."""
    for one in (f"docker://{registry.host}/app:1", f"{registry.host}/app:1"):
        ran = outdated(alpine, one, "--username=me")
        assert_refused(ran, 2, "cannot use --username: it needs --password-stdin", "…")
        other = outdated(alpine, one, "ghcr.io/me/app", "--username=me", "--password-stdin")
        assert_refused(other, 2, "cannot use --username: there are several registries: …, ghcr.io", "…")


def test_what_is_neither_lock_nor_image(alpine: FreshAlpine) -> None:
    """Each is refused as elsewhere."""
    assert_refused(outdated(alpine), 1, "cannot use lock 'minpack.lock': no such file", "…")
    (alpine.place / "text").write_text("no lock")
    assert_refused(outdated(alpine, "text"), 1, "cannot …'text'…", "…")
    assert_refused(outdated(alpine, ""), 2, "cannot use IMAGE: its value is empty", "…")
    assert_refused(outdated(alpine, "nothing.tar"), 1, "cannot …", "…")


# --- renewed, rebuilt, and pushed


def test_update_pushes_what_changed_alone(debian: FreshDebian, registry: FakeRegistry) -> None:
    """The image of the renewed lock goes where it was not; where it was, nothing is sent, and that is said."""
    names = [f"{registry.host}/me/app:{tag}" for tag in ("1", "2")]
    push = ("update", "./app", "--push", "--label=a=b", *(word for name in names for word in ("-t", name)))
    debian.lock(DEBIAN)
    debian.done("./app", "--locked", "--push", "--label=a=b", "-q", "-t", names[0])
    first = registry.tagged["me/app", "1"]
    registry.clear()
    ran = debian.done(*push)
    assert ran.out.decode().splitlines()[-2:] == [
        f"pushed {names[1]} (nothing sent: the registry had all layers)",
        f"{names[0]} is unchanged: nothing was pushed",
    ]
    assert registry.tagged["me/app", "2"] == first
    registry.clear()
    ran = debian.done(*push, "-q")
    assert ran.out.decode() == f"{registry.host}/me/app@{first}\n"
    assert {method for method, *_ in registry.requests} <= {"GET", "HEAD"}, "nothing is pushed"
    debian.secure(FIXED)
    document = debian.done(*push, "--json").document
    assert document["digest"] == registry.tagged["me/app", "1"] == registry.tagged["me/app", "2"] != first
    assert [one["reference"] for one in document["pushed"]] == names
    assert document["unchanged"] == []
    assert registry.whole("me/app", "1")


def test_a_push_that_failed_is_made_up_for(debian: FreshDebian, registry: FakeRegistry) -> None:
    """The lock is renewed by then: the next run finds that the registry has another image, and pushes."""
    name = f"{registry.host}/me/app:1"
    debian.lock(DEBIAN)
    debian.done("./app", "--locked", "--push", "-q", "-t", name)
    first = registry.tagged["me/app", "1"]
    debian.secure(FIXED)
    registry.fail("PUT", "/manifests/", registry_status(403))
    assert debian.run("update", "./app", "--push", "-t", name).code == 1
    ran = debian.done("update", "./app", "--push", "-t", name)
    assert "minpack.lock is unchanged" in ran.out.decode()
    assert registry.tagged["me/app", "1"] != first


@pytest.mark.parametrize("limit", ["--smoke=", "--max-size=1"])
def test_an_image_that_does_not_pass_renews_nothing(limit: str, debian: FreshDebian, registry: FakeRegistry) -> None:
    """The lock stays as it was, byte for byte, and nothing is pushed: the next locked build makes what it made."""
    name = f"{registry.host}/me/app:1"
    debian.lock(DEBIAN)
    before = debian.text
    debian.secure(FIXED)
    registry.clear()
    assert debian.run("update", "./app", "--push", "-t", name, limit).code == 3
    assert debian.text == before
    assert {method for method, *_ in registry.requests} <= {"GET", "HEAD"}, "nothing is pushed"
    assert [path.name for path in debian.place.iterdir() if path.name.startswith("minpack")] == ["minpack.lock"]
    debian.done("update", "./app", "--push", "-t", name, "--max-size=1GB")
    assert debian.text != before
    assert registry.whole("me/app", "1")


def test_provenance_names_the_renewed_lock(debian: FreshDebian, registry: FakeRegistry) -> None:
    """By its name and its sum, as of the file that is written."""
    debian.lock(DEBIAN)
    debian.secure(FIXED)
    debian.done("update", "./app", "--push", "--provenance", "-t", f"{registry.host}/me/app:1")
    said = [json.loads(one) for one in registry.blobs.values() if isinstance(one, bytes) and b'"predicateType"' in one]
    used = [one["predicate"]["buildDefinition"]["resolvedDependencies"] for one in said]
    sums = [one["digest"]["sha256"] for inputs in used for one in inputs if one.get("name") == "minpack.lock"]
    assert sums == [hashlib.sha256(debian.text).hexdigest()]


def test_update_pushes_nothing_in_a_dry_run(debian: FreshDebian, registry: FakeRegistry) -> None:
    """It shows what would change, and asks no registry."""
    debian.lock(DEBIAN)
    debian.secure(FIXED)
    ran = debian.done("update", "./app", "--push", "--dry-run", "-t", f"{registry.host}/me/app:1")
    assert "libfoo1  1.0-1 → 1.0-1+deb12u1" in ran.out.decode()
    assert registry.requests == []


def test_options_of_an_image_need_a_push(debian: FreshDebian) -> None:
    """A lock has nothing of them; a push needs a name, and a lock that can be read again."""
    debian.lock(DEBIAN)
    hint = "add --push, or leave it out"
    assert_refused(
        debian.run("update", "./app", "--label=a=b"), 2, "cannot use --label: no image is built without --push", hint
    )
    assert_refused(debian.run("update", "./app", "--push"), 2, "cannot use --push: -t is missing", "…")
    name = ("--push", "-t", "localhost:1/me/app")
    ran = debian.run("update", "./app", *name, "--lock=/dev/stdout")
    assert_refused(ran, 2, "cannot use --lock '/dev/stdout': the image is built from it", "…")
