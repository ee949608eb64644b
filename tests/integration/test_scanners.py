"""What vulnerability scanners see of an image: the packages that its files are from, and no others.

From the image's database alone and from its SBOM alone it is the same: name, version, source package and distribution.
"""

from __future__ import annotations

import json
import os
import subprocess
from hashlib import md5
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from support.command import minpack
from support.debmaker import Deb
from support.elfmaker import GLIBC, library, program
from support.locks import COMMON, LIBC, DebianWorld
from support.mirror import Mirror
from support.registries import need_built
from support.tools import need_tool

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

LIB = "usr/lib"
BASE_FILES = Deb(
    "base-files",
    {
        "usr/lib/os-release": b'PRETTY_NAME="Debian GNU/Linux 12"\nID=debian\nVERSION_ID="12"\n',
        "etc/os-release": "../usr/lib/os-release",
        "etc/debian_version": b"12.1\n",
        "usr/share/doc/base-files/copyright": b"License: GPL-2+\n",
    },
    "12.4+deb12u1",
)
#: From another source of another version, with an epoch.
SSL = Deb("libssl3", {f"{LIB}/libssl.so.3": library("libssl.so.3")}, "1:3.0.9-1+b2", source="openssl (1:3.0.9-1)")
Z = Deb(
    "zlib1g",
    {f"{LIB}/libz.so.1": library("libz.so.1"), "usr/share/doc/zlib1g/copyright": b"License: Zlib\n"},
    "1:1.2.13.dfsg-1",
    source="zlib",
)
#: Offered, and not needed.
UNUSED = Deb("libunused1", {f"{LIB}/libunused.so.1": library("libunused.so.1")})


class Seen(NamedTuple):
    """A package as a scanner has it, with its source package; versions are whole."""

    name: str
    version: str
    source: str
    source_version: str


#: What is in the image of `debian`.
DEBIAN = {
    Seen("base-files", "12.4+deb12u1", "base-files", "12.4+deb12u1"),
    Seen("libc6", "2.36-9", "libc6", "2.36-9"),
    Seen("libssl3", "1:3.0.9-1+b2", "openssl", "1:3.0.9-1"),
    Seen("zlib1g", "1:1.2.13.dfsg-1", "zlib", "1:1.2.13.dfsg-1"),
}


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """A directory with an image of packages of Debian, as image.tar; bare.tar has no licences."""
    place = tmp_path_factory.mktemp("scanned")
    with Mirror() as mirror:
        world = DebianWorld(mirror, place)
        world.serve(BASE_FILES, LIBC, SSL, Z, UNUSED, COMMON)
        (place / "app").write_bytes(program(("libssl.so.3", "libz.so.1"), interpreter=GLIBC))
        world.done("./app", "--base", "debian-12", "-o", "image.tar", "--sbom", "spdx", "--sbom", "cyclonedx")
        world.done("./app", "--base", "debian-12", "-o", "bare.tar", "--no-package-data")
        yield place


def trivy(place: Path, *arguments: str) -> Any:
    """What trivy says of it, without a database of vulnerabilities."""
    offline = ("--offline-scan", "--skip-version-check", "-q", "--format", "json", "--list-all-pkgs")
    command = (
        need_built("trivy"),
        arguments[0],
        "--cache-dir",
        str(place / "trivy"),
        *offline,
        "--scanners",
        "license",
    )
    return json.loads(subprocess.check_output((*command, *arguments[1:]), cwd=place))


def by_trivy(document: Any) -> set[Seen]:
    """The packages of the distribution."""
    packages = [one for result in document["Results"] if result["Class"] == "os-pkgs" for one in result["Packages"]]

    def version(one: Any, of: str = "") -> str:
        epoch, release = one.get(f"{of}Epoch"), one.get(f"{of}Release")
        return f"{f'{epoch}:' if epoch else ''}{one[f'{of}Version']}{f'-{release}' if release else ''}"

    return {Seen(one["Name"], version(one), one["SrcName"], version(one, "Src")) for one in packages}


def by_syft(place: Path, *arguments: str) -> tuple[set[Seen], Any]:
    """The packages of the distribution, and the whole document."""
    command = (need_tool("syft"), *arguments, "-q", "-o", "json")
    settings = os.environ | {"SYFT_CHECK_FOR_APP_UPDATE": "false"}
    document = json.loads(subprocess.check_output(command, cwd=place, env=settings))
    return {_of_purl(one) for one in document["artifacts"] if one["type"] in ("deb", "apk")}, document


def _of_purl(one: Any) -> Seen:
    """A package, with the source that its package URL names: by that grype looks it up."""
    upstream = one["purl"].partition("upstream=")[2].partition("&")[0].replace("%40", "@").replace("%2B", "+")
    source, _, version = upstream.replace("%3A", ":").partition("@")
    return Seen(one["name"], one["version"], source or one["name"], version or one["version"])


@pytest.mark.tool
def test_syft_sees_the_packages_of_debian(debian: Path) -> None:
    """In the image, with or without licences, and in both SBOMs."""
    image, document = by_syft(debian, "scan", "docker-archive:image.tar")
    assert image == DEBIAN
    assert (document["distro"]["id"], document["distro"]["versionID"]) == ("debian", "12")
    assert by_syft(debian, "scan", "docker-archive:bare.tar")[0] == DEBIAN
    for name in ("image.spdx.json", "image.cdx.json"):
        assert by_syft(debian, "convert", name)[0] == DEBIAN


@pytest.mark.tool
@pytest.mark.parametrize("form", ["dpkg", "distroless"])
def test_syft_sees_the_packages_of_a_root_of_debians(form: str, tmp_path: Path) -> None:
    """What of them is in an image, whichever database the root has; of the SBOM the same."""
    installed = ((BASE_FILES, LIBC, SSL, Z, UNUSED), "var/lib/dpkg/status.d" if form == "distroless" else "")
    _unpack(tmp_path / "root", *installed)
    (tmp_path / "app").write_bytes(program(("libssl.so.3", "libz.so.1"), interpreter=GLIBC))
    more = ("--check", "none", "--no-cache", "-o", "image.tar", "--sbom", "spdx")
    done = minpack("./app", "--base", "root", *more, cwd=tmp_path)
    assert done.code == 0, done.err
    image, document = by_syft(tmp_path, "scan", "docker-archive:image.tar")
    assert image == DEBIAN
    assert document["distro"]["id"] == "debian"
    assert by_syft(tmp_path, "convert", "image.spdx.json")[0] == DEBIAN


def _unpack(root: Path, packages: tuple[Deb, ...], records: str) -> None:
    """A root with these packages installed; their paragraphs are in `records`, or in dpkg's database."""
    database, status = root / (records or "var/lib/dpkg/info"), b""
    database.mkdir(parents=True)
    for one in packages:
        for path, data in one.files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            if isinstance(data, str):
                (root / path).symlink_to(data)
            else:
                (root / path).write_bytes(data)
                (root / path).chmod(0o755)
        files = {path: data for path, data in one.files.items() if isinstance(data, bytes)}
        sums = "".join(f"{md5(data, usedforsecurity=False).hexdigest()}  {path}\n" for path, data in files.items())
        (database / f"{one.name}.md5sums").write_text(sums)
        if records:
            (database / one.name).write_bytes(one.control)
        else:
            (database / f"{one.name}.list").write_text("".join(f"/{path}\n" for path in one.files))
            status += one.control.replace(b"Version:", b"Status: install ok installed\nVersion:") + b"\n"
    if status:
        (root / "var/lib/dpkg/status").write_bytes(status)


@pytest.mark.oracle
def test_trivy_sees_the_packages_of_debian(debian: Path) -> None:
    """And the distribution, which it knows by a file of its own; licences only where they are."""
    for name, licences in (("image.tar", {"base-files", "libc6", "zlib1g"}), ("bare.tar", set())):
        document = trivy(debian, "image", "--input", name)
        assert document["Metadata"]["OS"] == {"Family": "debian", "Name": "12.1"}
        assert by_trivy(document) == DEBIAN
        found = {
            one["Name"] for result in document["Results"] for one in result.get("Packages", ()) if "Licenses" in one
        }
        assert found <= licences
        assert bool(found) == bool(licences)
    for name in ("image.spdx.json", "image.cdx.json"):
        document = trivy(debian, "sbom", name)
        assert document["Metadata"]["OS"]["Family"] == "debian"
        assert by_trivy(document) == DEBIAN


@pytest.mark.data
@pytest.mark.oracle
def test_trivy_sees_the_packages_of_alpine(alpine_x86_64: Path, tmp_path: Path) -> None:
    """The same as minpack says and syft sees, each with its licence; from the SBOMs too."""
    base = ("--base", str(alpine_x86_64), "--no-packages", "--cache-dir", "cache")
    (tmp_path / "app").write_bytes(program(("libssl.so.3", "libz.so.1"), interpreter="/lib/ld-musl-x86_64.so.1"))
    more = ("--check", "none", "-o", "image.tar", "--sbom", "spdx", "--sbom", "cyclonedx", "--json")
    done = minpack("./app", *base, *more, cwd=tmp_path)
    assert done.code == 0, done.err
    (image,) = done.document["images"]
    owned = {(one["package"]["name"], one["package"]["version"]) for one in image["files"] if one["package"]}
    document = trivy(tmp_path, "image", "--input", "image.tar")
    assert document["Metadata"]["OS"] == {"Family": "alpine", "Name": "3.20.3"}
    found = by_trivy(document)
    assert {(one.name, one.version) for one in found} == owned
    assert {one.source for one in found} == {"musl", "openssl", "zlib"}
    assert all(one["Licenses"] for result in document["Results"] for one in result.get("Packages", ()))
    assert by_syft(tmp_path, "scan", "docker-archive:image.tar")[0] == found
    for name in ("image.spdx.json", "image.cdx.json"):
        assert by_trivy(trivy(tmp_path, "sbom", name)) == found
