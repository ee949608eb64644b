"""What a base lacks comes from its own repositories: verified, kept, its closure closed, and nothing else with it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from minpack.alpine.indexes import MAX_AGE
from minpack.alpine.repositories import keys_in, keys_of, repositories_of
from minpack.apk.installed import parse_installed
from minpack.base.entries import base_of
from minpack.base.walk import Walker
from minpack.content import BytesContent, read_all
from minpack.errors import (
    AmbiguousLibraryError,
    DownloadError,
    InputError,
    MissingLibraryError,
    OfflineError,
    PackageError,
    PathConflictError,
    UntrustedPackageError,
    UsageError,
)
from minpack.needs.need import Need
from minpack.paths import RootPath, normal
from minpack.plan.model import Origin, ReasonKind
from minpack.rootfs.entry import Kind
from minpack.rootfs.entry import file as file_entry
from minpack.spec.values import AddedDirectory, Addition
from support.apkmaker import Item, file, folder, link, make_index, make_package, signing_key
from support.elfmaker import MUSL, library, program
from support.mirror import Mirror, always, cut, dribble, redirect, reset, status, wrong
from support.repository import COMMUNITY, DATABASE, KEY, MAIN, NOW, Place, library_package
from support.tarmaker import directory, hard_link, member, symlink

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from minpack.build.pack import Packed
    from support import apkmaker
    from support.mirror import Behaviour

INDEXES = [f"{MAIN}/x86_64/APKINDEX.tar.gz", f"{COMMUNITY}/x86_64/APKINDEX.tar.gz"]
FOO = library_package("libfoo.so.1")


@pytest.fixture
def place(tmp_path: Path) -> Generator[Place]:
    """A directory and a server."""
    with Mirror() as mirror:
        yield Place(tmp_path, mirror)


def taken(packed: Packed) -> dict[str, str]:
    """The paths that are from packages, each with the name and version of its package."""
    return {
        planned.entry.path: f"{planned.package.name} {planned.package.version}"
        for planned in packed.plan.entries
        if planned.source is Origin.PACKAGE and planned.package is not None
    }


def database(packed: Packed) -> dict[str, list[str]]:
    """The packages in the image's database, each with its files."""
    for planned in packed.plan.entries:
        if planned.reason.kind is ReasonKind.DATABASE:
            assert planned.entry.content is not None
            packages = parse_installed(read_all(planned.entry.content, 1 << 20))
            return {package.name: [file.path for file in package.files] for package in packages}
    return {}


# --- resolving


def test_a_closure_over_packages(place: Place) -> None:
    """A library's own needs are fetched too, of each package just the file and the links that lead to it."""
    items = [
        link("usr/lib/libfoo.so.1", "libfoo.so.1.2"),
        file("usr/lib/libfoo.so.1.2", library("libfoo.so.1", ("libbar.so.2", "libc.so")), 0o755),
        file("usr/share/doc/foo", b"not wanted"),
        file("usr/lib/libother.so.1", library("libother.so.1"), 0o755),
    ]
    foo = make_package("foo", "1.2-r3", items, keys=(KEY,), provides="so:libfoo.so.1=1.2 so:libother.so.1=1")
    place.publish(foo, community=[library_package("libbar.so.2", directory="lib")])
    packed = place.pack(("libfoo.so.1",))
    assert taken(packed) == {
        "/lib/libbar.so.2": "libbar 1.0-r0",
        "/usr/lib/libfoo.so.1": "foo 1.2-r3",
        "/usr/lib/libfoo.so.1.2": "foo 1.2-r3",
    }
    assert [(i.kind, i.name, i.version, i.size) for i in packed.inputs if i.kind == "package"] == [
        ("package", "foo", "1.2-r3", len(foo.data)),
        ("package", "libbar", "1.0-r0", len(library_package("libbar.so.2", directory="lib").data)),
    ]
    (libbar,) = (p.package for p in packed.plan.entries if p.entry.path == "/lib/libbar.so.2")
    assert libbar is not None
    assert (libbar.repository, libbar.signed_by) == ("alpine v3.20 community", KEY.name)
    assert packed.notes == ()


def test_nothing_is_asked_where_nothing_is_missing(place: Place) -> None:
    """A program whose libraries the base has costs no request."""
    place.pack(("libc.so",))
    assert place.mirror.paths == []


def test_it_can_be_turned_off(place: Place) -> None:
    """Without packages the library is missing, as before."""
    place.publish(FOO)
    with pytest.raises(MissingLibraryError) as caught:
        place.pack(("libfoo.so.1",), fetch=False)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("add it with --add")
    assert place.mirror.paths == []


def test_what_no_package_has_is_missing(place: Place) -> None:
    """The error says which repositories were asked."""
    place.publish(FOO)
    with pytest.raises(MissingLibraryError) as caught:
        place.pack(("libfoo.so.1", "libno.so.1", "/opt/libpath.so"))
    assert [name for name, _, _ in caught.value.missing] == ["libno.so.1", "/opt/libpath.so"]
    assert str(caught.value.hint).startswith(
        "no package of alpine v3.20 main, alpine v3.20 community has libno.so.1; add it with --add"
    )


def test_where_the_loader_does_not_look(place: Place) -> None:
    """A plug-in of the right name in a directory of its own is not taken for the library."""
    place.publish(library_package("libfoo.so.1", directory="usr/lib/foo"))
    with pytest.raises(MissingLibraryError) as caught:
        place.pack(("libfoo.so.1",))
    assert "libfoo has libfoo.so.1 where the loader does not look" in str(caught.value.hint)


def test_the_bases_own_files_come_first(place: Place) -> None:
    """A package's file never takes the place of the base's, so that what the base was tested with stays."""
    base = place.base(member("usr/lib/libbar.so.1", library("libbar.so.1"), mode=0o755))
    items = [
        file("usr/lib/libfoo.so.1", library("libfoo.so.1", ("libbar.so.1",)), 0o755),
        file("usr/lib/libbar.so.1", library("libbar.so.1", ("libno.so",)), 0o755),
    ]
    place.publish(make_package("foo", "1-r0", items, keys=(KEY,), provides="so:libfoo.so.1=1 so:libbar.so.1=1"))
    packed = place.pack(("libfoo.so.1",), base)
    assert taken(packed) == {"/usr/lib/libfoo.so.1": "foo 1-r0"}
    (bar,) = (p.entry for p in packed.plan.entries if p.entry.path == "/usr/lib/libbar.so.1")
    assert bar.content is not None
    assert bar.content.where == "/usr/lib/libbar.so.1 in base.tar"


def test_a_directory_of_the_bases_that_is_a_link_to_none(place: Place) -> None:
    """A package's file lies where the link leads, and the link is in the image."""
    place.publish(FOO)
    packed = place.pack(("libfoo.so.1",), place.base(symlink("usr/lib", "../opt/lib")))
    assert taken(packed) == {"/opt/lib/libfoo.so.1": "libfoo 1.0-r0"}
    assert "/usr/lib" in {planned.entry.path for planned in packed.plan.entries if planned.entry.kind is Kind.SYMLINK}


def test_a_merged_root(place: Place) -> None:
    """Where /lib is a link to /usr/lib, a package's file in lib goes where that leads."""
    base = place.base(directory("usr/lib"), symlink("lib", "usr/lib"), place.loader("usr/lib"))
    place.publish(library_package("libfoo.so.1", directory="lib"))
    assert taken(place.pack(("libfoo.so.1",), base)) == {"/usr/lib/libfoo.so.1": "libfoo 1.0-r0"}


def test_hard_links_and_links_across_packages(place: Place) -> None:
    """Files under two names, and links into other packages, lead where they would once all is installed."""
    foo = [
        file("usr/lib/libfoo.so.1.0", library("libfoo.so.1"), 0o755),
        Item("usr/lib/libfoo.so.1", type=b"1", link="usr/lib/libfoo.so.1.0"),
    ]
    bar = [link("usr/lib/libbar.so.1", "../../lib/libfoo-impl.so")]
    impl = [file("lib/libfoo-impl.so", library("libfoo-impl.so"), 0o755)]
    place.publish(
        make_package("foo", "1-r0", foo, keys=(KEY,), provides="so:libfoo.so.1=1"),
        make_package("bar", "1-r0", bar, keys=(KEY,), provides="so:libbar.so.1=1"),
        make_package("impl", "1-r0", impl, keys=(KEY,), provides="so:libfoo-impl.so=0"),
    )
    packed = place.pack(("libfoo.so.1", "libbar.so.1", "libfoo-impl.so"))
    assert taken(packed) == {
        "/lib/libfoo-impl.so": "impl 1-r0",
        "/usr/lib/libbar.so.1": "bar 1-r0",
        "/usr/lib/libfoo.so.1": "foo 1-r0",
    }


def test_the_preferred_provider(place: Place) -> None:
    """Priority decides, then main before community; what stays open is told with how to choose."""
    place.publish(
        library_package("libfoo.so.1", name="low"),
        library_package("libbar.so.1", name="main-bar"),
        community=[
            library_package("libfoo.so.1", name="high", priority=10),
            library_package("libbar.so.1", name="community-bar"),
        ],
    )
    packed = place.pack(("libfoo.so.1", "libbar.so.1"))
    assert taken(packed) == {"/usr/lib/libbar.so.1": "main-bar 1.0-r0", "/usr/lib/libfoo.so.1": "high 1.0-r0"}


def test_an_ambiguous_library_can_be_chosen(place: Place) -> None:
    """--package names the one to take, and then nothing is asked for the library."""
    place.publish(library_package("libfoo.so.1", name="one"), library_package("libfoo.so.1", name="two"))
    with pytest.raises(AmbiguousLibraryError) as caught:
        place.pack(("libfoo.so.1",))
    assert caught.value.candidates == (
        ("one", "1.0-r0", "alpine v3.20 main"),
        ("two", "1.0-r0", "alpine v3.20 main"),
    )
    assert caught.value.hint == "choose one with --package one"
    assert taken(place.pack(("libfoo.so.1",), packages=("two",))) == {"/usr/lib/libfoo.so.1": "two 1.0-r0"}


def test_libraries_named_by_the_user(place: Place) -> None:
    """--add-lib finds a package's library too."""
    place.publish(FOO)
    assert taken(place.pack(("libc.so",), libraries=("libfoo.so.1",))) == {"/usr/lib/libfoo.so.1": "libfoo 1.0-r0"}


def test_a_whole_package(place: Place) -> None:
    """All its files go in, and what its programs need; its scripts are not run, which is said."""
    items = [
        file("usr/bin/tool", program(("libfoo.so.1",), interpreter=MUSL), 0o755),
        link("usr/bin/alias", "tool"),
        file("usr/share/tool/data", b"data"),
        file("etc/os-release", b"the base has one"),
    ]
    tool = make_package("tool", "2-r0", items, keys=(KEY,), scripts=("post-install",))
    place.publish(tool, FOO)
    base = place.base(member("etc/os-release", b"ID=alpine\n"))
    packed = place.pack(("libc.so",), base, packages=("tool",))
    assert taken(packed) == {
        "/usr/bin/alias": "tool 2-r0",
        "/usr/bin/tool": "tool 2-r0",
        "/usr/lib/libfoo.so.1": "libfoo 1.0-r0",
        "/usr/share/tool/data": "tool 2-r0",
    }
    assert packed.notes == ("the scripts of tool are not run: post-install",)
    modes = {str(p.entry.path): p.entry.mode for p in packed.plan.entries}
    assert (modes["/usr/bin/tool"], modes["/usr/share/tool/data"]) == (0o755, 0o644)


def test_hard_links_from_everywhere(place: Place, tmp_path: Path) -> None:
    """Files with several names, of the base, of a whole package and of the user, each stay the file that they are."""
    items = []
    for number in range(8):
        items += [file(f"opt/{number}/a", b"p%d" % number, 0o755)]
        items += [Item(f"opt/{number}/b", type=b"1", link=f"opt/{number}/a")]
    place.publish(make_package("tool", "2-r0", items, keys=(KEY,)), FOO)
    zones = [member(f"usr/share/zoneinfo/{number}", b"z%d" % number) for number in range(8)]
    zones += [hard_link(f"usr/share/zoneinfo/x{n}", f"usr/share/zoneinfo/{n}") for n in range(8)]
    added = tmp_path / "added"
    added.mkdir()
    for number in range(8):
        (added / f"{number}").write_bytes(b"a%d" % number)
        (added / f"{number}").chmod(0o755)
        os.link(added / f"{number}", added / f"x{number}")
    additions = (Addition(str(added), RootPath("/srv")),)
    base = place.base(directory("usr/share/zoneinfo"), *zones)
    wanted = {"packages": ("tool",), "additions": additions, "wanted": frozenset((Need.TZ,))}
    plan = place.pack(("libc.so",), base, **wanted).plan
    expected = {f"/opt/{number}/b": f"/opt/{number}/a" for number in range(8)}
    expected |= {f"/{d}/x{number}": f"/{d}/{number}" for d in ("srv", "usr/share/zoneinfo") for number in range(8)}
    assert {entry.path: entry.link for entry in plan.all if entry.kind is Kind.HARDLINK} == expected
    layers = (*plan.lower, *plan.upper)
    assert {entry.path: entry.link for entry in layers if entry.kind is Kind.HARDLINK} == expected


def test_the_directories_of_a_whole_package(place: Place) -> None:
    """Empty ones go in too, root's; one that all may write to stays so, and what the user says counts more."""
    items = [
        folder("var"),
        folder("var/lib"),
        folder("var/lib/tool", 0o700),
        folder("var/tmp", 0o1777),
        folder("var/spool"),
        folder("var/spool/tool", 0o1777),
        folder("var/log"),
        folder("var/log/tool"),
        file("usr/share/tool/data", b"data"),
        file("var/spool/tool/README", b"data"),
    ]
    place.publish(make_package("tool", "2-r0", items, keys=(KEY,)))
    directories = (AddedDirectory(RootPath("/var/log/tool"), 0o711),)
    plan = place.pack(("libc.so",), packages=("tool",), directories=directories).plan
    planned = {str(one.entry.path): one for one in plan.entries if one.entry.path.startswith("/var")}
    assert {path: (one.entry.mode, one.entry.uid) for path, one in planned.items()} == {
        "/var": (0o755, 0),
        "/var/lib": (0o755, 0),
        "/var/lib/tool": (0o755, 0),
        "/var/log": (0o755, 0),
        "/var/log/tool": (0o711, 65532),
        "/var/spool": (0o755, 0),
        "/var/spool/tool": (0o1777, 0),
        "/var/spool/tool/README": (0o644, 0),
        "/var/tmp": (0o1777, 0),
    }
    assert (planned["/var/lib/tool"].source, planned["/var/lib/tool"].reason.text) == (Origin.PACKAGE, "--package tool")
    assert planned["/var/log/tool"].source is Origin.ADDED


def test_programs_of_packages_that_run_as_their_owner(place: Place) -> None:
    """They run as the image's user, as all programs do, which is told."""
    items = [file("usr/bin/su", b"x", 0o4755), file("usr/bin/ls", b"x", 0o755)]
    place.publish(make_package("tool", "2-r0", items, keys=(KEY,)))
    (note,) = place.pack(("libc.so",), packages=("tool",)).notes
    assert note == (
        "'/usr/bin/su' of package tool has mode 4755 there and 0755 in the image: it runs as the image's user"
    )


def test_a_package_does_not_give_way_to_a_directory(place: Place) -> None:
    """A file of a package that would be where the user has a directory is refused, not left out."""
    place.publish(make_package("tool", "2-r0", [file("etc/tool", b"x")], keys=(KEY,)))
    with pytest.raises(PathConflictError, match="/etc/tool"):
        place.pack(("libc.so",), packages=("tool",), directories=(AddedDirectory(RootPath("/etc/tool")),))


def test_a_whole_package_that_the_base_has(place: Place) -> None:
    """It is taken from there, without a request; the user's own files stay."""
    database = DATABASE.replace("R:busybox\n", "R:busybox\nF:var\nF:var/empty\n").encode()
    base = place.base(
        member("bin/busybox", b"x", mode=0o755), directory("var/empty/"), member("lib/apk/db/installed", database)
    )
    packed = place.pack(("libc.so",), base, packages=("busybox",))
    assert place.mirror.paths == []
    (empty,) = (p for p in packed.plan.entries if p.entry.path == "/var/empty")
    assert (empty.source, empty.reason.text) == (Origin.BASE, "--package busybox")
    (busybox,) = (p for p in packed.plan.entries if p.entry.path == "/bin/busybox")
    assert (busybox.source, busybox.package and busybox.package.version) == (Origin.BASE, "1.36.1-r29")


@pytest.mark.parametrize(
    ("name", "fetch"), [("nope", True), ("so:libfoo.so.1", True), ("../foo", True), ("libfoo", False)]
)
def test_a_package_that_is_not_there(place: Place, name: str, fetch: bool) -> None:
    """It is a usage error."""
    place.publish(FOO)
    with pytest.raises(UsageError, match="--package"):
        place.pack(("libc.so",), packages=(name,), fetch=fetch)


# --- needs


def test_data_that_is_required_comes_from_packages(place: Place) -> None:
    """The distribution's time zones are preferred to minpack's own; if they cannot be had, those are packed."""
    zones = [file("usr/share/zoneinfo/Europe/Berlin", b"TZif of the package")]
    place.publish(make_package("tzdata", "2024b-r1", zones, keys=(KEY,)))
    packed = place.pack(("libc.so",), zone="Europe/Berlin", wanted=frozenset((Need.TZ,)))
    assert taken(packed) == {"/usr/share/zoneinfo/Europe/Berlin": "tzdata 2024b-r1"}
    place.mirror.add(INDEXES[0], b"", always(status(404)))
    packed = place.pack(("libc.so",), zone="Europe/Berlin", store=None)
    assert taken(packed) == {}
    assert packed.notes == ("tz comes from minpack: the package tzdata cannot be had: HTTP 404 Not Found",)


# --- the database


def test_the_database_has_what_the_image_has(place: Place) -> None:
    """Packages of the base and fetched ones, with just the files that are in the image, and never the user's own."""
    base = place.base(member("bin/busybox", b"x", mode=0o755), member("lib/apk/db/installed", DATABASE.encode()))
    place.publish(FOO)
    packed = place.pack(("libfoo.so.1",), base)
    assert database(packed) == {"libfoo": ["/usr/lib/libfoo.so.1"], "musl": ["/lib/ld-musl-x86_64.so.1"]}
    assert {p.entry.path: p.source for p in packed.plan.entries if p.package is not None} == {
        "/lib/ld-musl-x86_64.so.1": Origin.BASE,
        "/usr/lib/libfoo.so.1": Origin.PACKAGE,
    }
    (entry,) = (p.entry for p in packed.plan.entries if p.reason.kind is ReasonKind.DATABASE)
    assert entry.path == "/lib/apk/db/installed"
    assert entry.content is not None
    text = read_all(entry.content, 1 << 20).decode()
    assert FOO.record.splitlines()[0] in text.splitlines()
    assert "\na:0:0:755\nZ:Q1BBBBBBBBBBBBBBBBBBBBBBBBBBB=\n" in text


def test_a_changed_file_is_nobodys(place: Place) -> None:
    """What the user put in a package's place is not said to be the package's."""
    base = place.base(member("bin/busybox", b"x", mode=0o755), member("lib/apk/db/installed", DATABASE.encode()))
    packed = place.pack(("libc.so",), base, destination=RootPath("/bin/busybox"))
    assert database(packed) == {"musl": ["/lib/ld-musl-x86_64.so.1"]}


def test_no_database_without_packages(place: Place) -> None:
    """Where nothing is known to be a package's, there is no database."""
    assert database(place.pack(("libc.so",))) == {}


# --- the store


def test_what_was_fetched_is_kept(place: Place) -> None:
    """The second time nothing is asked; offline neither, and without a store nothing is kept."""
    place.publish(FOO)
    first = place.pack(("libfoo.so.1",))
    asked = [*INDEXES, f"{MAIN}/x86_64/libfoo-1.0-r0.apk"]
    assert place.mirror.paths == asked
    again = place.pack(("libfoo.so.1",), now=NOW + MAX_AGE - 1)
    offline = place.pack(("libfoo.so.1",), offline=True, now=NOW + 100 * MAX_AGE)
    assert place.mirror.paths == asked
    for other in (again, offline):
        assert taken(other) == taken(first)
        assert other.inputs == first.inputs
    place.pack(("libfoo.so.1",), store=None)
    assert place.mirror.paths == asked * 2


def test_an_index_grows_old(place: Place) -> None:
    """It is fetched anew after four hours, and when the clock was set back; the packages are not."""
    place.publish(FOO)
    place.pack(("libfoo.so.1",))
    place.mirror.requests.clear()
    place.pack(("libfoo.so.1",), now=NOW + MAX_AGE)
    assert place.mirror.paths == INDEXES
    place.pack(("libfoo.so.1",), now=NOW)
    assert place.mirror.paths == INDEXES * 2


def test_an_old_index_is_better_than_none(place: Place) -> None:
    """If the server does not answer, the kept one is used, and that is said."""
    place.publish(FOO)
    place.pack(("libfoo.so.1",))
    for index in INDEXES:
        place.mirror.add(index, b"", always(status(503)))
    packed = place.pack(("libfoo.so.1",), now=NOW + 9 * 3600)
    assert packed.notes == tuple(
        f"the index of alpine v3.20 {name} is 9 hours old and could not be refreshed:"
        " HTTP 503 Service Unavailable (after 4 attempts)"
        for name in ("main", "community")
    )


def test_an_index_goes_back_in_time(place: Place) -> None:
    """One that is older than what was seen before is told of, as long as it is, and refused where all is locked."""
    place.publish(library_package("libfoo.so.1", version="2-r0", built=2_000_000_000))
    place.pack(("libfoo.so.1",))
    place.publish(library_package("libfoo.so.1", version="1-r0", built=1_900_000_000))
    for times in (1, 2):
        packed = place.pack(("libfoo.so.1",), now=NOW + times * MAX_AGE)
        assert taken(packed) == {"/usr/lib/libfoo.so.1": "libfoo 1-r0"}
        (note,) = packed.notes
        assert note.startswith("the index of alpine v3.20 main is older than one seen before")
    with pytest.raises(UntrustedPackageError, match="it is older than one seen before"):
        place.pack(("libfoo.so.1",), now=NOW + 3 * MAX_AGE, locked=True)


def test_a_package_that_was_replaced(place: Place) -> None:
    """A repository drops what it replaces: then the index is fetched anew, though it is young."""
    place.publish(FOO)
    place.pack(("libfoo.so.1",))
    place.publish(FOO, library_package("libbar.so.1"))
    place.pack(("libbar.so.1",), now=NOW + MAX_AGE)
    place.publish(library_package("libbar.so.1", version="1.0-r1"))
    place.mirror.add(f"{MAIN}/x86_64/libbar-1.0-r0.apk", b"", always(status(404)))
    packed = place.pack(("libbar.so.1",), now=NOW + MAX_AGE)
    assert taken(packed) == {"/usr/lib/libbar.so.1": "libbar 1.0-r0"}, "it was kept"
    for path in (place.path / "store").glob("apk-*.json"):
        if "index" not in path.name:
            path.unlink()
    packed = place.pack(("libbar.so.1",), now=NOW + MAX_AGE)
    assert taken(packed) == {"/usr/lib/libbar.so.1": "libbar 1.0-r1"}


def test_a_package_that_is_gone_for_good(place: Place) -> None:
    """If the fresh index still names it, it cannot be had."""
    place.publish(FOO)
    place.mirror.add(f"{MAIN}/x86_64/libfoo-1.0-r0.apk", b"", always(status(404)))
    for _ in range(2):
        with pytest.raises(DownloadError, match="404"):
            place.pack(("libfoo.so.1",))


def test_offline_without_an_index(place: Place) -> None:
    """The library is missing, and the hint says why no package helped; for a whole package it is the error."""
    with pytest.raises(MissingLibraryError) as caught:
        place.pack(("libfoo.so.1",), offline=True)
    assert "run once without --offline" in str(caught.value.hint)
    with pytest.raises(OfflineError):
        place.pack(("libc.so",), packages=("libfoo",), offline=True)


def test_a_damaged_store_is_mended(place: Place) -> None:
    """What is damaged in the store counts as absent."""
    place.publish(FOO)
    first = place.pack(("libfoo.so.1",))
    for path in (place.path / "store").iterdir():
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    assert taken(place.pack(("libfoo.so.1",))) == taken(first)
    assert len(place.mirror.paths) == 6


def test_a_table_of_another_form_is_made_anew(place: Place) -> None:
    """It is made of the kept index, without a request."""
    place.publish(FOO)
    place.pack(("libfoo.so.1",))
    for path in (place.path / "store").glob("*.blob"):
        if path.read_bytes().startswith(b"minpack.apk-table/"):
            path.unlink()
    place.mirror.requests.clear()
    place.pack(("libfoo.so.1",))
    assert place.mirror.paths == []


# --- trust


def test_a_kept_index_counts_only_while_its_key_is_trusted(place: Place, tmp_path: Path) -> None:
    """With other keys, what was verified before is not."""
    place.publish(FOO)
    place.pack(("libfoo.so.1",))
    (tmp_path / "keys").mkdir()
    other = signing_key("other.rsa.pub")
    (tmp_path / "keys" / other.name).write_bytes(other.public.pem)
    for offline, error in ((False, UntrustedPackageError), (True, MissingLibraryError)):
        with pytest.raises(error):
            place.pack(("libfoo.so.1",), keys=str(tmp_path / "keys"), offline=offline)


def test_keys_of_the_users_own(place: Place, tmp_path: Path) -> None:
    """--keys takes the place of the base's keys."""
    place.publish(FOO)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / KEY.name).write_bytes(KEY.public.pem)
    (tmp_path / "keys" / "README").write_text("not a key")
    base = place.base(keys=())
    assert taken(place.pack(("libfoo.so.1",), base, keys=str(tmp_path / "keys")))
    with pytest.raises(UntrustedPackageError, match="no trusted key has that name"):
        place.pack(("libfoo.so.1",), base)


def test_unusable_directories_of_keys(tmp_path: Path) -> None:
    """One that is not there, or holds none, is an error."""
    for path, reason in ((tmp_path / "no", "no such file"), (tmp_path, "no public key")):
        with pytest.raises(InputError, match=reason):
            keys_in(str(path))


SAME_NAME = signing_key(KEY.name, 1)
STRANGER = signing_key("stranger.rsa.pub")
PATH = f"{MAIN}/x86_64/libfoo-1.0-r0.apk"
RESIGNED = library_package("libfoo.so.1", keys=(SAME_NAME,))
UNSIGNED = library_package("libfoo.so.1", keys=())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (make_index([FOO], keys=()), "cannot use index http.*: it is not signed"),
        (make_index([FOO], keys=(STRANGER,)), "it is signed by stranger.rsa.pub, and no trusted key has that name"),
        (make_index([FOO], keys=(SAME_NAME,)), "it is signed by another key that has the same name"),
        (make_index([FOO], keys=(KEY,))[:-30], "it ends in the middle of its index"),
        (b"ADBd" + bytes(90), "in apk v3 format"),
        (b"<html>captive portal</html>", "its first stream is not a gzip stream"),
        (b"", "it ends before its first stream"),
    ],
)
def test_bad_indexes_are_refused(place: Place, data: bytes, reason: str) -> None:
    """An index is used only if a trusted key signed just these bytes; what is refused is not kept."""
    place.publish(FOO)
    place.mirror.add(INDEXES[0], data)
    with pytest.raises(PackageError, match=reason):
        place.pack(("libfoo.so.1",))
    assert not list((place.path / "store").glob("apk-index-*"))


@pytest.mark.parametrize(
    ("served", "indexed", "reason"),
    [
        (RESIGNED.data, RESIGNED, "by another key that has the same name as the trusted test.rsa.pub"),
        (UNSIGNED.data, UNSIGNED, "cannot use package libfoo-1.0-r0.apk: it is not signed"),
        (FOO.data[:-1] + bytes([FOO.data[-1] ^ 1]), FOO, "its data is damaged"),
        (FOO.data[:-40], FOO, r"it has \d+ bytes, and the index names \d+"),
    ],
)
def test_bad_packages_are_refused(place: Place, served: bytes, indexed: apkmaker.Made, reason: str) -> None:
    """As for indexes; what is refused is not kept, and the true package is taken next time."""
    place.publish(indexed)
    place.mirror.add(PATH, served)
    for _ in range(2):
        with pytest.raises(PackageError, match=reason):
            place.pack(("libfoo.so.1",))
    place.publish(FOO)
    assert taken(place.pack(("libfoo.so.1",), now=NOW + MAX_AGE))


def test_another_signed_package_in_its_place(place: Place) -> None:
    """A package that the same key once signed is not taken for the one the index names."""
    old = library_package("libfoo.so.1", version="0.9-r0")
    padded = make_package("libfoo", "1.0-r0", [file("usr/lib/x", b"")], keys=(KEY,), built=1)
    for swapped in (old, padded):
        place.publish(FOO._replace(record=FOO.record.replace(f"S:{len(FOO.data)}", f"S:{len(swapped.data)}")))
        place.mirror.add(PATH, swapped.data)
        with pytest.raises(UntrustedPackageError, match="it is not the package that the index names"):
            place.pack(("libfoo.so.1",), store=None)


# --- the network


@pytest.mark.parametrize(
    "behaviours",
    [
        (cut(100),),
        (reset(100), cut(300)),
        (status(503), status(429)),
        (dribble(200, 0.0),),
        (redirect("/elsewhere"),),
    ],
    ids=["cut", "reset", "busy", "slow", "moved"],
)
def test_the_network_has_its_ways(place: Place, behaviours: tuple[Behaviour, ...]) -> None:
    """Whatever goes wrong for a while, index and package come whole."""
    place.publish(FOO)
    place.mirror.add(INDEXES[0], make_index([FOO], keys=(KEY,)), *behaviours)
    place.mirror.add(PATH, FOO.data, *behaviours)
    # Where a redirect leads, something else lies the first time: what comes is told by its contents alone.
    place.mirror.add(
        "/elsewhere", make_index([FOO], keys=(KEY,)), wrong(make_index([FOO], keys=(KEY,))), wrong(FOO.data)
    )
    assert taken(place.pack(("libfoo.so.1",))) == {"/usr/lib/libfoo.so.1": "libfoo 1.0-r0"}


def test_a_server_that_never_gives_it(place: Place) -> None:
    """The error names the address."""
    place.publish(FOO)
    place.mirror.add(PATH, FOO.data, always(cut(50)))
    place.mirror.ranges = False
    with pytest.raises(DownloadError, match=r"libfoo-1\.0-r0\.apk: the connection broke"):
        place.pack(("libfoo.so.1",))


# --- settings


def settings(**files: str | bytes) -> Walker:
    """A base with these files; ``__`` in a name is a slash."""
    entries = [
        file_entry(
            normal("/" + name.replace("__", "/").replace("_dot_", ".")),
            BytesContent(data if isinstance(data, bytes) else data.encode()),
        )
        for name, data in files.items()
    ]
    return Walker(base_of("base", entries))


def test_repositories_are_read() -> None:
    """Comments, tags and what is not a web address are passed over; lists in directories are read as well."""
    text = """
# http://comment.example/alpine/v3.20/main
https://dl-cdn.alpinelinux.org/alpine/v3.20/main/
@edge https://dl-cdn.alpinelinux.org/alpine/edge/main
/media/cdrom/apks
ftp://ftp.example/alpine/v3.20/main
https://packages.example/own
v2 https://other.example/alpine/v3.20 community extra
v3 https://new.example/alpine main
https://user:secret@private.example/x
"""
    base = settings(etc__apk__repositories=text, etc__apk__repositories_dot_d__z_dot_list="https://z.example/z\n")
    listed = repositories_of(base, "x86_64")
    assert [repository.url for repository in listed.repositories] == [
        "https://dl-cdn.alpinelinux.org/alpine/v3.20/main/x86_64",
        "https://packages.example/own/x86_64",
        "https://other.example/alpine/v3.20/community/x86_64",
        "https://other.example/alpine/v3.20/extra/x86_64",
        "https://z.example/z/x86_64",
    ]
    assert [repository.label for repository in listed.repositories][:2] == ["alpine v3.20 main", "own"]
    assert listed.notes == (
        "the base's repository 'https://new.example/alpine main' is skipped: minpack cannot read its kind (v3)",
    )


def test_a_mirror_takes_the_place_of_alpines_tree() -> None:
    """Whatever server has it; repositories of others stay."""
    text = "http://a.example/alpine/v3.20/main\nhttps://b.example/edge/testing\nhttps://packages.example/own\n"
    listed = repositories_of(settings(etc__apk__repositories=text), "aarch64", "https://mirror.example/pub/alpine")
    assert [repository.index_url for repository in listed.repositories] == [
        "https://mirror.example/pub/alpine/v3.20/main/aarch64/APKINDEX.tar.gz",
        "https://mirror.example/pub/alpine/edge/testing/aarch64/APKINDEX.tar.gz",
        "https://packages.example/own/aarch64/APKINDEX.tar.gz",
    ]


@pytest.mark.data
def test_the_keys_of_a_real_base(alpine_x86_64: Path) -> None:
    """A minirootfs trusts five keys, and for its architecture no other of the eighteen that it has."""
    from minpack.base.tarball import open_tarball

    with open_tarball(str(alpine_x86_64), "base") as base:
        walker = Walker(base)
        ids = [key.name.rpartition("-")[2].partition(".")[0] for key in keys_of(walker, "x86_64")]
        assert sorted(ids) == ["4a6a0840", "5243ef4b", "5261cecb", "6165ee59", "61666e3f"]
        others = {key.name.rpartition("-")[2].partition(".")[0] for key in keys_of(walker, "aarch64")}
        assert others - set(ids) == {"58199dcc", "616ae350"}
