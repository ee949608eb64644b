"""The packages that a tree says it has: apk's, dpkg's, and dpkg's in images without dpkg."""

from __future__ import annotations

import pytest

from minpack.base.entries import base_of
from minpack.base.walk import Walker
from minpack.content import BytesContent
from minpack.errors import PackageError
from minpack.freshness.installed import APK, DPKG, MAX_LIST, System, installed_in, system_of
from minpack.freshness.upstream import base_name
from minpack.paths import ancestors, normal
from minpack.rootfs.entry import Entry, directory, file, symlink


def tree(**files: bytes | str) -> Walker:
    """A tree in a merged /usr of these files, and links, by their paths with underscores for slashes."""
    entries: dict[str, Entry] = {"/lib": symlink(normal("/lib"), "usr/lib")}
    for name, data in files.items():
        path = normal("/" + name.replace("__", "\0").replace("_", "/").replace("\0", "_"))
        entries |= {above: directory(above) for above in ancestors(path)}
        entries[path] = symlink(path, data) if isinstance(data, str) else file(path, BytesContent(data))
    return Walker(base_of("made", entries.values()))


def found(walker: Walker) -> dict[str, tuple[str, list[tuple[str, str]]]]:
    """Each package with its version, and its files with their sums."""
    packages = installed_in(walker).packages
    return {one.name: (one.version, [(str(file.path), file.checksum) for file in files]) for one, files in packages}


def test_dpkg_with_its_lists() -> None:
    """Packages that are installed alone; their lists may have an architecture in the name, and paths of old."""
    status = (
        b"Package: libfoo\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:1.0-1\n\n"
        b"Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: none\n"
    )
    name = "var_lib_dpkg_info_libfoo:amd64"
    files: dict[str, bytes | str] = {
        "var_lib_dpkg_status": status,
        f"{name}.list": b"/.\n/lib\n/lib/libfoo.so.1\n/etc/foo.conf\n/usr/share/doc/left-out\n",
        f"{name}.md5sums": b"0cc175b9c0f1b6a831c399e269772661  lib/libfoo.so.1\n",
        "usr_lib_libfoo.so.1": b"a",
        "etc_foo.conf": b"mine",
    }
    walker = tree(**files)
    assert installed_in(walker).kind == DPKG
    assert found(walker) == {
        "libfoo": (
            "1:1.0-1",
            [("/usr/lib/libfoo.so.1", "md5:0cc175b9c0f1b6a831c399e269772661"), ("/etc/foo.conf", "")],
        )
    }
    assert {str(path): one.name for path, one in installed_in(walker).owners.items()} == {
        "/usr/lib/libfoo.so.1": "libfoo",
        "/etc/foo.conf": "libfoo",
    }


def test_dpkg_in_images_without_it() -> None:
    """A paragraph a file, with a list of those of its files that are there."""
    files: dict[str, bytes | str] = {
        "var_lib_dpkg_status.d_libfoo1": b"Package: libfoo1\nVersion: 1.0-1\nArchitecture: amd64\n",
        "var_lib_dpkg_status.d_libfoo1.md5sums": b"%s  usr/lib/libfoo.so.1\nnonsense\n" % (b"0" * 32),
        "var_lib_dpkg_status.d_nothing": b"no paragraph at all",
        "usr_lib_libfoo.so.1": b"a",
    }
    assert found(tree(**files)) == {"libfoo1": ("1.0-1", [("/usr/lib/libfoo.so.1", f"md5:{'0' * 32}")])}


def test_apk() -> None:
    """The sums of files as apk writes them; a file that is not there is none."""
    text = b"C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nP:foo\nV:1.0-r0\nA:x86_64\nF:lib\nR:a\n"
    text += b"Z:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nR:b\n\n"
    walker = tree(usr_lib_apk_db_installed=text, usr_lib_a=b"x")
    assert installed_in(walker).kind == APK
    assert found(walker) == {"foo": ("1.0-r0", [("/usr/lib/a", f"sha1:{'0' * 40}")])}
    ((package, _),) = installed_in(walker).packages
    assert package.checksum == "Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA="


def test_no_database() -> None:
    """What there is instead is said."""
    assert installed_in(tree(etc_x=b"")).why == "it has no package database"
    assert "RPM" in installed_in(tree(**{"var_lib_rpm_rpmdb.sqlite": b""})).why


def test_a_database_that_is_too_large() -> None:
    """Whoever made the image wrote it: there are bounds."""
    sums = b"0" * (MAX_LIST + 1)
    paragraph = b"Package: x\nVersion: 1\n"
    walker = tree(**{"var_lib_dpkg_status.d_x.md5sums": sums, "var_lib_dpkg_status.d_x": paragraph})
    with pytest.raises(PackageError, match="more than"):
        installed_in(walker)


@pytest.mark.parametrize(
    ("text", "system", "base"),
    [
        (b'ID=alpine\nVERSION_ID=3.22.1\nPRETTY_NAME="Alpine"\n', System("alpine", "3.22.1", "Alpine"), "alpine-3.22"),
        (b'ID=debian\nVERSION_ID="12"\n', System("debian", "12", ""), "debian-12"),
        (b"ID=debian\nVERSION_ID=11\n", System("debian", "11", ""), ""),
        (b"ID=alpine\nVERSION_ID=3.23_alpha20250612\n", System("alpine", "3.23_alpha20250612", ""), ""),
        (b"ID=ubuntu\nVERSION_ID=24.04\n", System("ubuntu", "24.04", ""), ""),
        (b"\xff=\n", System("", "", ""), ""),
    ],
)
def test_distributions(text: bytes, system: System, base: str) -> None:
    """Those that the catalogue has repositories of."""
    assert system_of(tree(**{"etc_os-release": text})) == system
    assert base_name(system) == base
