"""`minpack sbom`: what finished images are made of, whoever made them, and what a program's image would be made of."""

from __future__ import annotations

import hashlib
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from support.command import minpack
from support.elfmaker import static_program
from support.gomaker import go_program
from support.layers import layer, member, tar_of, write_layout
from support.sboms import (
    cyclonedx_files,
    cyclonedx_problems,
    cyclonedx_purls,
    purls_of,
    spdx_files,
    spdx_problems,
    spdx_purls,
    syft,
)

if TYPE_CHECKING:
    from pathlib import Path

COPYRIGHT = (
    b"Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n"
    b"Files: *\nCopyright: A\nLicense: LGPL-2.1+\n"
)
STATUS = b"""Package: libfoo1
Status: install ok installed
Maintainer: Foo Maintainers <foo@lists.example.org>
Architecture: amd64
Multi-Arch: same
Source: foo (1.2-3)
Version: 1.2-3+b1

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0

Package: tool
Status: install ok installed
Architecture: all
Version: 2:4.0~rc1-1
"""
DEBIAN = (
    member("etc/os-release", b'ID=debian\nVERSION_ID="12"\n'),
    member("var/lib/dpkg/status", STATUS),
    # The package's list has the path from before /lib was a link into /usr.
    member("var/lib/dpkg/info/libfoo1:amd64.list", b"/.\n/lib\n/lib/libfoo.so.1\n/usr/share/doc/libfoo1/copyright\n"),
    member("var/lib/dpkg/info/tool.list", b"/.\n/usr/bin/tool\n"),
    member("usr/lib/libfoo.so.1", b"library"),
    member("usr/share/doc/libfoo1/copyright", COPYRIGHT),
    member("usr/bin/tool", b"#!/bin/sh\n", mode=0o755),
    member("opt/app", go_program().data, mode=0o755),
    member("etc/app.conf", b"a=1\n"),
)


def both(place: Path, *arguments: str) -> tuple[Any, Any]:
    """Both SBOMs, which are valid."""
    found = []
    for form in ("spdx", "cyclonedx"):
        done = minpack("sbom", *arguments, "--format", form, "-o", f"out.{form}", cwd=place)
        assert done.code == 0, done.err
        found.append((place / f"out.{form}").read_bytes())
    assert cyclonedx_problems(found[1]) == ""
    spdx, cyclonedx = map(json.loads, found)
    assert spdx_problems(spdx) == []
    return spdx, cyclonedx


@pytest.mark.tool
def test_an_image_that_dpkg_manages(tmp_path: Path) -> None:
    """Its installed packages with source, licence and maintainer, as syft has them; each file with its package."""
    write_layout(tmp_path / "lay", [layer(tar_of(*DEBIAN))], Entrypoint=["/opt/app"])
    spdx, cyclonedx = both(tmp_path, "oci:lay:1")
    (tmp_path / "out.cdx.json").write_bytes((tmp_path / "out.cyclonedx").read_bytes())
    scanned = purls_of(syft("scan", "oci-dir:lay", cwd=tmp_path))
    # Syft lists a package too that was removed and has left its settings.
    debs = {one for one in scanned if one.startswith("pkg:deb") and "/gone@" not in one}
    assert spdx_purls(spdx, "deb") == cyclonedx_purls(cyclonedx, "deb") == debs
    assert debs == {
        "pkg:deb/debian/libfoo1@1.2-3%2Bb1?arch=amd64&distro=debian-12&upstream=foo%401.2-3",
        "pkg:deb/debian/tool@2:4.0~rc1-1?arch=all&distro=debian-12",
    }
    packages = {one["name"]: one for one in spdx["packages"]}
    assert packages["libfoo1"]["licenseDeclared"] == "LGPL-2.1-or-later"
    assert packages["libfoo1"]["supplier"] == "Organization: Foo Maintainers (foo@lists.example.org)"
    assert packages["libfoo1"]["sourceInfo"] == "built package from: foo 1.2-3"
    names = {one["SPDXID"]: one.get("name") or one["fileName"] for one in (*spdx["packages"], *spdx["files"])}
    owners = {
        names[one["relatedSpdxElement"]]: names[one["spdxElementId"]]
        for one in spdx["relationships"]
        if one["relationshipType"] == "CONTAINS" and names[one["relatedSpdxElement"]].startswith("./")
    }
    assert owners["./usr/lib/libfoo.so.1"] == owners["./usr/share/doc/libfoo1/copyright"] == "libfoo1"
    assert (owners["./usr/bin/tool"], owners["./opt/app"]) == ("tool", "app")
    assert owners["./etc/app.conf"] == names["SPDXRef-DocumentRoot-Image"]
    assert spdx_purls(spdx, "golang") >= {"pkg:golang/stdlib@1.20.1", "pkg:golang/example.org/fork@v1.2.4"}


@pytest.mark.data
@pytest.mark.tool
def test_a_whole_alpine(alpine_x86_64: Path, tmp_path: Path) -> None:
    """The packages of its database, as syft has them, and all its files."""
    done = minpack("base", "image", str(alpine_x86_64), "-o", "full.tar", cwd=tmp_path)
    assert done.code == 0, done.err
    spdx, cyclonedx = both(tmp_path, "./full.tar")
    scanned = purls_of(syft("scan", "docker-archive:full.tar", cwd=tmp_path))
    assert spdx_purls(spdx, "apk") == cyclonedx_purls(cyclonedx, "apk") == scanned
    assert len(scanned) == 14
    with tarfile.open(alpine_x86_64) as tar:
        files = {
            one.name.removeprefix("."): hashlib.sha256(tar.extractfile(one).read()).hexdigest()  # type: ignore[union-attr]
            for one in tar
            if one.isfile()
        }
    for found in (spdx_files(spdx), cyclonedx_files(cyclonedx)):
        assert {path: sums[0] for path, sums in found.items()} == files


def test_an_image_of_minpack_says_what_its_own_sbom_says(tmp_path: Path) -> None:
    """The same files with the same sums, the same modules; a program's image is the same before it is written."""
    (tmp_path / "app").write_bytes(go_program().data)
    options = ("--no-need", "certs", "--no-need", "tz")
    done = minpack("./app", "-o", "image.tar", "--sbom", "spdx", *options, cwd=tmp_path)
    assert done.code == 0, done.err
    own = json.loads((tmp_path / "image.spdx.json").read_bytes())
    (tmp_path / "empty").mkdir()
    planned = minpack("sbom", "../app", *options, cwd=tmp_path / "empty")
    assert planned.code == 0, planned.err
    assert not list((tmp_path / "empty").iterdir())
    for found in (both(tmp_path, "./image.tar")[0], planned.document):
        assert spdx_files(found) == spdx_files(own)
        assert spdx_purls(found, "golang") == spdx_purls(own, "golang")


def test_an_index_has_all_its_platforms(tmp_path: Path) -> None:
    """Or the one that is named."""
    for name, machine in (("amd64", "x86_64"), ("arm64", "aarch64")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app").write_bytes(static_program(machine=machine))
    done = minpack("amd64/app", "arm64/app", "-o", "image.tar", cwd=tmp_path)
    assert done.code == 0, done.err
    told = minpack("sbom", "./image.tar", "-o", "all.json", "--json", cwd=tmp_path).document
    assert [one["platform"] for one in told["images"]] == ["linux/amd64", "linux/arm64"]
    assert told["schema"] == "minpack.sbom/1"
    one = minpack("sbom", "./image.tar", "--platform", "linux/arm64", "-o", "one.json", "--json", cwd=tmp_path).document
    assert one["images"] == told["images"][1:]
    assert len(spdx_files(json.loads((tmp_path / "one.json").read_bytes()))) < len(
        json.loads((tmp_path / "all.json").read_bytes())["files"]
    )


def test_on_an_image_all_of_it_is_told(tmp_path: Path) -> None:
    """What the image below has and is not replaced, and what is put on it."""
    write_layout(tmp_path / "lay", [layer(tar_of(*DEBIAN))])
    (tmp_path / "app").write_bytes(static_program())
    done = minpack(
        "./app", "--on", "oci:lay:1", "--dest", "/opt/app", "-o", "image.tar", "--sbom", "spdx", cwd=tmp_path
    )
    assert done.code == 0, done.err
    own = json.loads((tmp_path / "image.spdx.json").read_bytes())
    whole, _ = both(tmp_path, "./image.tar")
    assert spdx_files(own) == spdx_files(whole)
    assert spdx_purls(own, "deb") == spdx_purls(whole, "deb") != set()
    assert spdx_files(own)["/opt/app"][0] == hashlib.sha256(static_program()).hexdigest()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ("./image.tar", "--need", "certs"),
            2,
            "cannot use --need: it applies to packing a program, and './image.tar' is",
        ),
        (("./image.tar", "--json", "-o", "/dev/stdout"), 2, "cannot use -o '/dev/stdout': --json takes stdout"),
        (("./image.tar", "-o", "image.tar"), 1, "cannot write 'image.tar'"),
        (
            ("./image.tar", "-o", "notes"),
            1,
            "cannot write 'notes': the existing file is not an SBOM of that form (spdx)",
        ),
        (("./none.tar",), 1, "cannot read image './none.tar': no such file or directory"),
        (("",), 2, "cannot use IMAGE|APP: its value is empty"),
        (("./image.tar", "--platform", "linux/amd64,linux/arm64"), 2, "cannot use --platform"),
        (("./app", "--username", "me"), 2, "cannot use --username: no registry is used"),
    ],
)
def test_what_cannot_be_meant(arguments: tuple[str, ...], code: int, message: str, tmp_path: Path) -> None:
    """It is refused before anything is read."""
    (tmp_path / "app").write_bytes(static_program())
    assert minpack("./app", "-o", "image.tar", cwd=tmp_path).code == 0
    (tmp_path / "notes").write_text("mine")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    done = minpack("sbom", *arguments, cwd=tmp_path)
    assert done.code == code
    assert done.err.startswith(f"minpack: {message}")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
