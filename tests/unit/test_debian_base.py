"""Debian as a base: files of packages that are fetched when they are looked at, from a signed archive."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from minpack.base.walk import Walker
from minpack.catalog.debian import RELEASES, find_debian, fitting_releases, is_debian, layout_of, support_note
from minpack.content import BytesContent, read_all
from minpack.deb.choice import usual_names
from minpack.debian import base as debian_base
from minpack.debian.archive import DebianArchive, open_archive
from minpack.debian.base import CA_BUNDLE, DebianBase
from minpack.debian.packages import DebianPackages
from minpack.debian.suite import SuiteContext
from minpack.errors import (
    AmbiguousLibraryError,
    DownloadError,
    MinpackError,
    OfflineError,
    PackageError,
    SumMismatchError,
    UnknownBaseError,
    UntrustedPackageError,
    UsageError,
)
from minpack.net.network import Network
from minpack.paths import normal
from minpack.progress import no_progress
from minpack.rootfs.entry import file
from minpack.store.store import Store, open_store
from minpack.target import target_named
from support import debmaker
from support.debmaker import Archive, Deb, Key
from support.mirror import Mirror, always, status

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from minpack.rootfs.entry import Entry

TODAY = "2026-11-25"
KEY, OTHER = Key(), Key()
LIB = "usr/lib/x86_64-linux-gnu"
BOOKWORM = RELEASES[0]

LIBC = Deb(
    "libc6",
    {
        "lib/": b"",
        "lib/x86_64-linux-gnu/": b"",
        "lib/x86_64-linux-gnu/libc.so.6": b"libc",
        "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2": b"loader",
        "lib64/": b"",
        "lib64/ld-linux-x86-64.so.2": "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
        "usr/share/doc/libc6/copyright": b"LGPL",
    },
    "2.36-9",
)
FOO = Deb(
    "libfoo1",
    {
        f"{LIB}/libfoo.so.1": "libfoo.so.1.0",
        f"{LIB}/libfoo.so.1.0": b"foo",
        f"{LIB}/foo/plugin.so": b"plugin",
        "usr/share/doc/libfoo1": "foo-common",
    },
)
COMMON = Deb("foo-common", {"usr/share/doc/foo-common/copyright": b"MIT"}, architecture="all")
CERTIFICATES = Deb(
    "ca-certificates",
    {
        "usr/share/ca-certificates/mozilla/B.crt": b"second",
        "usr/share/ca-certificates/mozilla/A.crt": b"first\n",
        "usr/share/ca-certificates/mozilla/README": b"no certificate",
    },
    architecture="all",
)


class World:
    """A mirror with a release, its updates and its security updates, and a store."""

    def __init__(self, mirror: Mirror, store: Store) -> None:
        self.mirror = mirror
        self.store = store
        self.main = Archive("bookworm", KEY)
        self.security = Archive("bookworm-security", KEY)
        self.main.add(LIBC, FOO, COMMON, CERTIFICATES)

    def serve(self, *, security: bool = True) -> None:
        """Serve what the archives have by now."""
        self.main.serve(self.mirror, "/debian")
        if security:
            self.security.serve(self.mirror, "/debian-security")

    @contextmanager
    def archive(self, arch: str = "amd64", **changes: Any) -> Generator[DebianArchive]:
        """The archive, opened."""
        network = Network(offline=changes.pop("offline", False), pause=lambda _: None)
        values = {"today": TODAY, "keys": KEY.keys, **changes}
        place = SuiteContext(self.store, network, progress=no_progress, **values)
        with open_archive(BOOKWORM, arch, f"{self.mirror.url}/debian", place) as archive:
            yield archive

    @contextmanager
    def base(self, **changes: Any) -> Generator[DebianBase]:
        """The base of it."""
        with self.archive(**changes) as archive, DebianBase(archive) as base:
            yield base

    def fetched(self, part: str) -> list[str]:
        """The paths asked for that have `part` in them."""
        return [path for path in self.mirror.paths if part in path]


@pytest.fixture
def world(tmp_path: Path) -> Generator[World]:
    """A world that nothing is served of yet."""
    with Mirror() as mirror, open_store(str(tmp_path / "v1")) as store:
        yield World(mirror, store)


def content_of(entry: Entry | None) -> bytes:
    """The bytes of a file that must be there."""
    assert entry is not None
    assert entry.content is not None
    return read_all(entry.content, 1 << 20)


def there(base: DebianBase, path: str) -> Entry:
    """What must be at `path`."""
    entry = base.lstat(normal(path))
    assert entry is not None
    return entry


def test_a_library_is_found_and_only_its_package_fetched(world: World) -> None:
    """The package is known from Contents; symlinks and hard paths of a merged /usr lead to the file."""
    world.serve()
    with world.base() as base:
        assert content_of(Walker(base).find_file("/lib/x86_64-linux-gnu/libfoo.so.1")) == b"foo"
        assert base.lstat(normal("/lib")).link == "usr/lib"  # type: ignore[union-attr] # it is there
        assert Walker(base).find_file("/lib/x86_64-linux-gnu/libbar.so.1") is None
        assert content_of(Walker(base).find_file(f"/{LIB}/foo/plugin.so")) == b"plugin"
        assert base.listdir(normal(f"/{LIB}")) == ("foo", "libfoo.so.1", "libfoo.so.1.0")
    assert world.fetched("pool/") == [f"/debian/{FOO.path}"]


@pytest.mark.parametrize("compression", ["", "gz", "zst"])
def test_packages_are_read_whatever_they_are_compressed_with(world: World, compression: str) -> None:
    """Also where the data lies as it is in the middle of the .deb file, as dpkg-deb -Znone leaves it."""
    world.main = Archive("bookworm", KEY)
    world.main.add(LIBC, FOO._replace(compression=compression))
    world.serve()
    for _ in range(2):
        with world.base() as base:
            assert content_of(Walker(base).find_file(f"/{LIB}/libfoo.so.1")) == b"foo"
            assert content_of(Walker(base).find_file(f"/{LIB}/foo/plugin.so")) == b"plugin"


def test_the_c_library_needs_no_large_index(world: World) -> None:
    """What every program needs is found without the index of all files."""
    world.serve()
    with world.base() as base:
        walker = Walker(base)
        assert content_of(walker.find_file("/lib64/ld-linux-x86-64.so.2")) == b"loader"
        assert content_of(walker.find_file("/lib/x86_64-linux-gnu/libc.so.6")) == b"libc"
        assert base.listdir(normal("/usr/lib64")) == ("ld-linux-x86-64.so.2",)
        for inner in ("glibc-hwcaps/x86-64-v3", "tls/haswell", "x86_64"):
            assert walker.walk(f"/lib/x86_64-linux-gnu/{inner}").entry is None
    assert not world.fetched("Contents")


def test_a_second_run_fetches_nothing(world: World) -> None:
    """What was fetched is kept: releases for the day, indexes and packages for good; also for --offline."""
    world.serve()
    with world.base() as base:
        assert Walker(base).find_file(f"/{LIB}/libfoo.so.1")
    before = len(world.mirror.requests)
    for changes in ({}, {"offline": True, "today": "2027-05-01"}):
        with world.base(**changes) as base:
            assert content_of(Walker(base).find_file(f"/{LIB}/libfoo.so.1")) == b"foo"
    assert len(world.mirror.requests) == before
    with world.base(today="2026-11-26"):
        assert [path.rpartition("/")[2] for path in world.mirror.paths[before:]] == ["InRelease"] * 3


def test_a_damaged_store_is_made_again(world: World, tmp_path: Path) -> None:
    """Whatever is damaged in the store counts as absent."""
    world.serve()
    with world.base() as base:
        assert Walker(base).find_file(f"/{LIB}/libfoo.so.1")
    for path in (tmp_path / "v1").iterdir():
        path.write_bytes(path.read_bytes()[:-3])
    with world.base() as base:
        assert content_of(Walker(base).find_file(f"/{LIB}/libfoo.so.1")) == b"foo"


def test_security_updates_take_the_place_of_what_they_update(world: World) -> None:
    """The higher version of a package counts, whichever suite it is in."""
    new = FOO._replace(version="1.0-1+deb12u1", files={**FOO.files, f"{LIB}/libfoo.so.1.0": b"fixed"})
    world.security.add(new, LIBC._replace(version="2.36-8"))
    world.serve()
    with world.base() as base:
        walker = Walker(base)
        assert content_of(walker.find_file(f"/{LIB}/libfoo.so.1")) == b"fixed"
        assert content_of(walker.find_file("/lib64/ld-linux-x86-64.so.2")) == b"loader"
        packages = DebianPackages(base)
        foo = packages.owner(there(base, f"/{LIB}/libfoo.so.1.0"))
        libc = packages.owner(there(base, f"/{LIB}/libc.so.6"))
        assert packages.fetched == (foo, libc)
    assert foo is not None
    assert (foo.version, foo.repository) == ("1.0-1+deb12u1", "debian bookworm-security")
    assert libc is not None
    assert (libc.version, libc.repository) == ("2.36-9", "debian bookworm")


def test_a_mirror_without_security_updates_is_told_of(world: World) -> None:
    """The base can be used, and a note says what it lacks."""
    world.serve(security=False)
    with world.archive() as archive:
        (note,) = archive.notes
    assert "without its security updates" in note
    assert f"{world.mirror.url}/debian-security" in note


def test_an_architecture_that_a_release_lacks_is_refused(world: World) -> None:
    """Whether the catalogue knows that or the archive says it."""
    world.serve()
    for arch, hint in (("riscv64", "amd64 arm64"), ("arm64", "minpack base list")):
        with pytest.raises(UnknownBaseError, match=f"it has no {arch}") as caught, world.archive(arch):
            pass
        assert hint in (caught.value.hint or "")


def test_the_ca_bundle_is_what_debian_makes_of_its_certificates(world: World) -> None:
    """One after the other by name, each ending with a new line; other files are not part of it."""
    world.serve()
    with world.base() as base:
        bundle = Walker(base).find_file("/etc/ssl/certs/ca-certificates.crt")
        assert content_of(bundle) == b"first\nsecond\n"
        packages = DebianPackages(base)
        taken = packages.owner(there(base, CA_BUNDLE))
        assert taken is not None
        assert taken.name == "ca-certificates"
        assert packages.owner(there(base, CA_BUNDLE)._replace(content=BytesContent(b"another"))) is None


def test_a_release_without_certificates_has_no_bundle(world: World) -> None:
    """Then minpack's own takes its place."""
    world.main.packages.remove(CERTIFICATES)
    world.serve()
    with world.base() as base:
        assert Walker(base).find_file(CA_BUNDLE) is None
        assert Walker(base).find_file("/usr/share/zoneinfo/UTC") is None


def test_records_are_those_of_packages_that_gave_a_file(world: World) -> None:
    """Control paragraphs as they are, lists of just the files that are there, and licences, also another package's."""
    world.serve()
    with world.base() as base:
        walker = Walker(base)
        assert walker.find_file("/lib64/ld-linux-x86-64.so.2")
        assert walker.find_file("/lib/x86_64-linux-gnu/libc.so.6")
        assert walker.find_file(f"/{LIB}/libfoo.so.1")
        paths = (f"/{LIB}/libc.so.6", f"/{LIB}/libfoo.so.1", f"/{LIB}/libfoo.so.1.0", f"/{LIB}")
        entries = [there(base, path) for path in paths]
        records = DebianPackages(base).database([*entries, file(normal("/etc/passwd"), BytesContent(b"own"))])
        contents = {str(entry.path): content_of(entry) for entry in records}
    found = {path: data for path, data in contents.items() if "status.d" in path}
    assert sorted(found) == [
        "/var/lib/dpkg/status.d/libc6",
        "/var/lib/dpkg/status.d/libc6.md5sums",
        "/var/lib/dpkg/status.d/libfoo1",
        "/var/lib/dpkg/status.d/libfoo1.md5sums",
    ]
    assert found["/var/lib/dpkg/status.d/libfoo1"] == FOO.control
    listed = found["/var/lib/dpkg/status.d/libc6.md5sums"]
    assert [line.split(b"  ")[1] for line in listed.splitlines()] == [b"lib/x86_64-linux-gnu/libc.so.6"]
    licences = {path: data for path, data in contents.items() if "copyright" in path}
    assert licences == {"/usr/share/doc/libc6/copyright": b"LGPL", "/usr/share/doc/libfoo1/copyright": b"MIT"}


def test_equal_licences_are_one_file(world: World) -> None:
    """The packages of one source have the same licence, which is packed once."""
    world.main.add(*(Deb(f"p{n}", {f"{LIB}/p{n}.so": b"", f"usr/share/doc/p{n}/copyright": b"GPL"}) for n in (1, 2)))
    world.serve()
    with world.base() as base:
        entries = [there(base, f"/{LIB}/p{n}.so") for n in (1, 2)]
        records = [entry for entry in DebianPackages(base).database(entries) if "copyright" in entry.path]
    assert len({entry.inode for entry in records}) == 1
    assert len(records) == 2


def test_licences_are_left_out_where_they_are_not_wanted(world: World) -> None:
    """Records stay, and a note says what it means."""
    world.serve()
    with world.base() as base:
        entries = [there(base, f"/{LIB}/libfoo.so.1")]
        packages = DebianPackages(base)
        whole = packages.database(entries)
        records = packages.database(entries, licences=False)
        assert [str(entry.path) for entry in records] == [
            str(entry.path) for entry in whole if "copyright" not in entry.path
        ]
        (note,) = packages.notes
        assert note.startswith("the licence text of 1 package is left out: if you distribute the image")


@pytest.mark.parametrize("spelling", ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"])
def test_who_has_a_library_is_chosen_by_rule(world: World, spelling: str) -> None:
    """By its usual name, else by its priority, else it is the one that is there already; else nobody guesses."""
    world.main.packages.clear()
    world.main.add(
        *(Deb(name, {f"{spelling}/libbar.so.2": name.encode()}) for name in ("libbar2", "libbar2-other")),
        Deb("odd", {f"{spelling}/libbaz.so.1": b"odd"}),
        Deb("usual", {f"{spelling}/libbaz.so.1": b"usual"}, priority="important"),
        *(Deb(name, {f"{spelling}/libqux.so.1": name.encode()}) for name in ("one", "other")),
    )
    world.serve()
    with world.base() as base:
        assert content_of(base.lstat(normal(f"/{LIB}/libbar.so.2"))) == b"libbar2"
        assert content_of(base.lstat(normal(f"/{LIB}/libbaz.so.1"))) == b"usual"
        with pytest.raises(AmbiguousLibraryError) as caught:
            base.lstat(normal(f"/{LIB}/libqux.so.1"))
        assert "one 1.0-1  (debian bookworm)" in caught.value.message
    with world.base() as base:
        assert DebianPackages(base).add("other") == (f"/{LIB}/libqux.so.1",)
        assert content_of(base.lstat(normal(f"/{LIB}/libqux.so.1"))) == b"other"


@pytest.mark.parametrize(
    ("soname", "package"),
    [
        ("libcurl.so.4", "libcurl4"),
        ("libldap-2.5.so.0", "libldap-2.5-0"),
        ("libQt5Gui.so.5", "libqt5gui5"),
        ("libgcc_s.so.1", "libgcc-s1"),
        ("libdb-5.3.so", "libdb-5.3"),
        ("libssl.so.3", "libssl3t64"),
    ],
)
def test_packages_of_libraries_have_usual_names(soname: str, package: str) -> None:
    """Debian Policy's rule, with the suffix of the change to 64-bit times."""
    assert package in usual_names(soname)
    assert usual_names("plugin") == ()


def test_what_is_only_looked_at_is_not_large(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that may have data of a program is fetched up to a size, one that was named whatever it has."""
    monkeypatch.setattr(debian_base, "MAX_LOOKED_AT", len(FOO.data) - 1)
    world.serve()
    with world.base() as base:
        assert base.add_small("libfoo1") is None
        assert base.add_small("foo-common") is not None
        assert not world.fetched("libfoo1_")
        assert base.add_package("libfoo1") is not None


def test_a_whole_package_can_be_added(world: World) -> None:
    """All its files are in the base then."""
    world.main.add(Deb("data", {"usr/share/data/file": b"data"}, architecture="all"))
    world.serve()
    with world.base() as base:
        assert base.lstat(normal("/usr/share/data/file")) is None
        assert DebianPackages(base).add("data") == ("/usr/share/data/file",)
        assert content_of(Walker(base).find_file("/usr/share/data/file")) == b"data"
        with pytest.raises(UsageError, match="debian-12 has no package of that name"):
            DebianPackages(base).add("nothing")


def refused(world: World, kind: type[MinpackError], reason: str) -> MinpackError:
    """The error of looking at a library, which must be of this kind and say this."""
    world.serve()
    with pytest.raises(kind, match=reason) as caught, world.base() as base:
        Walker(base).find_file(f"/{LIB}/libfoo.so.1")
    assert caught.value.message.startswith("cannot ")
    assert caught.value.hint
    return caught.value


def test_an_unsigned_release_is_refused(world: World) -> None:
    """A release without signature is not an InRelease."""
    world.main.changed["dists/bookworm/InRelease"] = world.main.release()
    refused(world, PackageError, "no inline signature")


def test_a_release_signed_by_another_key_is_refused(world: World) -> None:
    """Only the keys given count."""
    world.main.key = OTHER
    refused(world, UntrustedPackageError, "no trusted key signed these bytes")


def test_a_tampered_release_is_refused(world: World) -> None:
    """One digit is enough."""
    world.main.changed["dists/bookworm/InRelease"] = world.main.in_release().replace(b"Version: 12.1", b"Version: 12.2")
    refused(world, UntrustedPackageError, "InRelease")


def test_the_release_of_another_suite_is_refused(world: World) -> None:
    """A signed release of an older suite cannot take this one's place."""
    world.main.changed["dists/bookworm/InRelease"] = Archive("bullseye", KEY).in_release()
    refused(world, PackageError, "it is the release of 'bullseye', and 'bookworm' was asked for")


def test_an_index_with_another_sum_is_refused(world: World) -> None:
    """Changed, cut short or longer: it is not the one that was signed."""
    index = "main/binary-amd64/Packages.xz"
    data = world.main.indexes()[index]
    for changed in (data[:-1], data + b"x", data[:-1] + bytes((data[-1] ^ 1,))):
        world.main.changed[f"dists/bookworm/{index}"] = changed
        refused(world, MinpackError, index)
    world.main.changed[f"dists/bookworm/{index}"] = bytes((data[0] ^ 1,)) + data[1:]
    assert "is inconsistent" in str(refused(world, SumMismatchError, index).hint)


def test_an_index_of_files_with_another_sum_is_left_out(world: World) -> None:
    """Another suite's may have the library, or the user may name its package; why else it is missing is told."""
    index = "main/Contents-amd64.gz"
    data = world.main.indexes()[index]
    world.main.changed[f"dists/bookworm/{index}"] = data[:-1] + bytes((data[-1] ^ 1,))
    world.security.add(Deb("libbar2", {f"{LIB}/libbar.so.2": b"bar"}))
    world.serve()
    with world.base() as base:
        walker = Walker(base)
        assert content_of(walker.find_file(f"/{LIB}/libbar.so.2")) == b"bar"
        assert walker.find_file(f"/{LIB}/libfoo.so.1") is None
        packages = DebianPackages(base)
        assert index in packages.why_missing("libfoo.so.1")
        assert "--package NAME adds the package" in packages.why_missing("libfoo.so.1")
        assert packages.add("libfoo1")
        assert content_of(Walker(base).find_file(f"/{LIB}/libfoo.so.1")) == b"foo"
        assert packages.notes == base.unread


ALTERNATIVES = (
    Deb(
        "liblapack3",
        {f"{LIB}/lapack/liblapack.so.3": "liblapack.so.3.11.0", f"{LIB}/lapack/liblapack.so.3.11.0": b"reference"},
    ),
    Deb(
        "libopenblas0-pthread",
        {f"{LIB}/openblas-pthread/{name}": b"openblas" for name in ("liblapack.so.3", "libopenblas.so.0")},
    ),
)


@pytest.mark.parametrize("packages", [ALTERNATIVES, ALTERNATIVES[::-1]])
def test_links_of_alternatives_lead_to_the_reference_implementation(world: World, packages: tuple[Deb, ...]) -> None:
    """Whatever else there is; a library that only another one has is that one's."""
    world.main.add(*packages)
    world.serve()
    with world.base() as base:
        assert there(base, f"/{LIB}/liblapack.so.3").link == "lapack/liblapack.so.3"
        assert content_of(Walker(base).find_file(f"/{LIB}/liblapack.so.3")) == b"reference"
        assert content_of(Walker(base).find_file(f"/{LIB}/libopenblas.so.0")) == b"openblas"
        assert base.lstat(normal(f"/{LIB}/libnone.so.3")) is None


@pytest.mark.parametrize("owners", [1, 2])
def test_a_library_that_only_a_newer_version_has_is_found_by_the_package_of_the_older(
    world: World, owners: int
) -> None:
    """BIND's libraries have its version in their names, and the index of files lags; of several none is taken."""
    for number in range(owners):
        world.main.add(Deb(f"bind9-libs{number}", {f"{LIB}/libisc-9.18.{33 + number}-1-Debian.so": b"old"}))
    world.security.add(Deb("bind9-libs0", {f"{LIB}/libisc-9.18.49-1-Debian.so": b"new"}, "2.0-1"))
    world.security.unlisted.add("bind9-libs0")
    world.serve()
    with world.base() as base:
        found = Walker(base).find_file(f"/{LIB}/libisc-9.18.49-1-Debian.so")
        assert (found is not None) is (owners == 1)
        assert found is None or content_of(found) == b"new"


def test_a_tampered_package_is_refused(world: World) -> None:
    """The index has its sum."""
    world.main.changed[FOO.path] = FOO.data[:-1] + b"x"
    refused(world, SumMismatchError, FOO.path)


def test_a_package_that_is_gone_says_what_to_do(world: World) -> None:
    """Archives keep no old packages; the index must be fetched anew then."""
    world.serve()
    world.mirror.add(f"/debian/{FOO.path}", b"", always(status(404)))
    with pytest.raises(DownloadError, match="HTTP 404") as caught, world.base() as base:
        Walker(base).find_file(f"/{LIB}/libfoo.so.1")
    assert "minpack base pull debian-12" in (caught.value.hint or "")


def test_a_package_with_a_name_that_leaves_the_root_is_refused(world: World) -> None:
    """Signed or not."""
    world.main.packages[1] = FOO._replace(files={**FOO.files, "../../etc/passwd": b"x"})
    refused(world, PackageError, "has a '..' part")


def test_a_package_that_is_another_than_the_index_says_is_refused(world: World) -> None:
    """Its own words are what scanners will read."""
    world.main.packages[1] = FOO._replace(says=FOO.control.replace(b"Version: 1.0-1", b"Version: 2.0-1"))
    world.serve()
    with world.base() as base:
        added = base.add_package("libfoo1")
        assert added is not None
        with pytest.raises(PackageError, match=r"it says that it is libfoo1 2\.0-1"):
            added.control()


def test_offline_without_anything_kept_says_so(world: World) -> None:
    """Nothing is asked for."""
    with pytest.raises(OfflineError, match="InRelease"), world.archive(offline=True):
        pass
    assert world.mirror.requests == []


def test_a_server_that_does_not_answer_is_told_of(world: World) -> None:
    """What was kept is used; without anything kept there is nothing to use."""
    world.serve()
    with world.archive():
        pass
    for name in ("debian/dists/bookworm", "debian-security/dists/bookworm-security"):
        world.mirror.add(f"/{name}/InRelease", b"", always(status(503)))
    with world.archive(today="2026-11-26") as archive:
        assert [note.partition(":")[0] for note in archive.notes] == [
            "debian bookworm is as it was on 2026-11-25",
            "debian bookworm-security is as it was on 2026-11-25",
        ]
    with pytest.raises(DownloadError, match="HTTP 503"), open_store(None) as nothing:
        World.archive(World(world.mirror, nothing)).__enter__()


def test_an_older_release_than_was_used_is_told_of(world: World) -> None:
    """A mirror that is held back may lack security updates; it is used all the same, and told of each time."""
    world.serve()
    with world.archive() as archive:
        assert archive.notes == ()
    world.main.date = "Fri, 13 Nov 2026 00:00:00 UTC"
    world.serve()
    for day in ("2026-11-26", "2026-11-27"):
        with world.archive(today=day) as archive:
            (note,) = archive.notes
        assert "older release of debian bookworm (2026-11-13) than was used before (2026-11-21)" in note


def test_a_release_past_its_date_is_told_of(world: World) -> None:
    """The security archive's releases are good for a week."""
    world.security.valid_until = "Sat, 28 Nov 2026 00:34:33 UTC"
    world.serve()
    for day, notes in (("2026-11-28", 0), ("2026-11-29", 1)):
        with world.archive(today=day) as archive:
            assert len(archive.notes) == notes
    assert "debian bookworm-security" in archive.notes[0]
    assert "valid until 2026-11-28" in archive.notes[0]


def test_no_lock_is_written_of_what_was_newer_before(world: World) -> None:
    """Neither of an older release nor without a suite that was there; what is kept stays the newer one."""
    world.security.add(FOO)
    world.serve()
    with world.archive():
        pass
    world.main.date = "Fri, 13 Nov 2026 09:15:44 UTC"
    world.serve()
    for _ in range(2):
        with (
            pytest.raises(UntrustedPackageError, match="one of 2026-11-21 was seen before"),
            world.archive(refresh=True, locked=True),
        ):
            pass
    with world.archive() as archive:
        assert archive.release.release.date.startswith("2026-11-21")
    world.main.date = debmaker.DATE
    world.serve()
    world.mirror.remove("/debian-security/")
    with world.archive(refresh=True) as archive:
        assert "without its security updates" in archive.notes[0]
    with (
        pytest.raises(UntrustedPackageError, match="it is not there, and one of 2026-11-21"),
        world.archive(today="2026-11-26", locked=True),
    ):
        pass


def test_a_pull_looks_anew(world: World) -> None:
    """Even for what was fetched the same day."""
    world.serve()
    for _ in range(2):
        with world.archive(refresh=True) as archive:
            archive.files()
    assert len(world.fetched("/bookworm/InRelease")) == 2
    assert len(world.fetched("Contents")) == 2  # the main suite's and the security updates', once


def test_names_are_read() -> None:
    """By number or by codename; what looks like Debian's and is not known is not taken for another base."""
    assert find_debian("debian-12") == find_debian("debian-bookworm") == BOOKWORM
    assert find_debian("debian-11") is None
    assert [is_debian(name) for name in ("debian", "debian-99", "debian-sid", "debianish-1", "alpine-3")] == [
        *(True, True, True, False, False)
    ]


def test_the_catalogue_knows_what_fits() -> None:
    """The newest release first, those out of support not at all."""
    assert fitting_releases("amd64", "2026-11-25") == ("debian-13", "debian-12")
    assert fitting_releases("riscv64", "2026-11-25") == ("debian-13",)
    assert fitting_releases("amd64", "2029-01-01") == ("debian-13",)
    assert support_note(BOOKWORM, "2028-06-30") == ""
    assert "since 2028-06-30" in support_note(BOOKWORM, "2028-07-01")


def test_every_architecture_has_a_layout() -> None:
    """And is one that programs can be for."""
    for release in RELEASES:
        for arch in release.arches:
            target = target_named(arch)
            assert target is not None
            assert target.debian == arch
            layout = layout_of(arch)
            assert layout.libraries.startswith("/usr/lib/")
            assert layout.loader.startswith("/usr/lib")
