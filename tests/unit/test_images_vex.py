"""What is claimed of an image: of those vulnerabilities alone of which no file is in it, whatever its path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minpack.base.entries import EntriesBase
from minpack.base.options import BaseOptions
from minpack.build.pack import pack
from minpack.content import BytesContent
from minpack.images.vex import FileNames, examine
from minpack.net.network import Network
from minpack.oci.read import read_image
from minpack.oci.reference import parse_reference
from minpack.output.target import Format, OutputSpec
from minpack.paths import RootPath
from minpack.progress import no_progress
from minpack.rootfs.entry import directory, file, symlink
from minpack.spec.image import ImageSpec
from minpack.spec.image_ref import parse_image_ref
from minpack.spec.values import parse_addition
from minpack.trust.vex_source import VexSource
from support.elfmaker import static_program

if TYPE_CHECKING:
    from pathlib import Path

    from minpack.images.vex import VexResult
    from minpack.oci.image import Index

OPTIONS = BaseOptions(None, Network(), "2026-11-30")
TREE = EntriesBase(
    "tree",
    {
        entry.path: entry
        for entry in (
            *(directory(RootPath(path)) for path in ("/", "/usr", "/usr/lib", "/usr/lib/x", "/usr/sbin", "/etc")),
            symlink(RootPath("/lib"), "usr/lib"),
            file(RootPath("/usr/lib/x/libz.so.1.2.13"), BytesContent(b"z")),
            symlink(RootPath("/usr/lib/x/libz.so.1"), "libz.so.1.2.13"),
            file(RootPath("/usr/sbin/sshd"), BytesContent(b"s")),
            file(RootPath("/etc/main.js"), BytesContent(b"j")),
        )
    },
)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/usr/sbin/sshd", "/usr/sbin/sshd"),
        ("/sbin/sshd", "/usr/sbin/sshd"),
        ("/lib/x/libz.so.1.2.13", "/usr/lib/x/libz.so.1.2.13"),
        # Another version, in another directory: nobody says that the code is not in it.
        ("/lib/libz.so.1.3.1", "/usr/lib/x/libz.so.1.2.13"),
        ("/usr/lib/libz.so", "/usr/lib/x/libz.so.1.2.13"),
        ("/opt/*.js", "/etc/main.js"),
        ("/usr/*/sshd", "/usr/sbin/sshd"),
        ("/usr/lib/x", "/usr/lib/x"),
        ("/usr/sbin/sshd-session", None),
        ("/usr/lib/libzstd.so.1", None),
        ("/opt/*.py", None),
        # A directory of that name is not the file.
        ("/opt/sbin", None),
    ],
)
def test_a_file_is_there_wherever_it_is(path: str, found: str | None) -> None:
    """By its name, of libraries without the version."""
    there = FileNames(TREE).find(path)
    assert (there and there.removesuffix(".2.13")) == (found and found.removesuffix(".2.13"))


def made(place: Path, *machines: str, added: str = "") -> Index:
    """An image of a program for each machine in app.tar, to that of the first of which something is added."""
    for machine in machines:
        (place / f"app-{machine}").write_bytes(static_program(machine=machine))
    (place / "sshd").write_bytes(b"text")
    spec = ImageSpec(
        tuple(str(place / f"app-{machine}") for machine in machines),
        additions=(parse_addition(f"{place}/sshd:{added}"),) if added else (),
    )
    pack(spec, OPTIONS, OutputSpec(Format.ARCHIVE, str(place / "app.tar"), (parse_reference("me/app"),), force=True))
    ((built, _),) = read_image(str(place / "app.tar"))
    return built


def examined(place: Path, **more: str) -> VexResult:
    """What can be said of app.tar."""
    source = VexSource("Team", (("CVE-1", ("/usr/sbin/sshd",)), ("CVE-2", ("/usr/bin/app", "/usr/sbin/none"))))
    ref = parse_image_ref(str(place / "app.tar"))
    return examine(ref, source, OPTIONS, no_progress, **more)  # type: ignore[arg-type] # strings alone


def test_what_is_absent_is_claimed_and_what_is_there_is_said(tmp_path: Path) -> None:
    """With the file that is there."""
    built = made(tmp_path, "x86_64", added="/opt/sshd")
    result = examined(tmp_path)
    (claim,) = result.facts.absences
    assert claim.vulnerability == "CVE-2"
    assert claim.products == (f"pkg:oci/app@sha256%3A{built.digest.hex}",)
    assert [tuple(one) for one in result.present] == [("CVE-1", "linux/amd64", "/usr/sbin/sshd", "/opt/sshd")]


def test_an_index_is_free_of_it_if_all_its_images_are(tmp_path: Path) -> None:
    """It and each of them are products: scanners ask for one or the other."""
    built = made(tmp_path, "x86_64", "aarch64")
    result = examined(tmp_path, name="ghcr.io/me/tool")
    (claim,) = result.facts.absences
    every = (built.digest, *(image.digest for image in built.images))
    assert (claim.vulnerability, claim.products) == ("CVE-1", tuple(f"pkg:oci/tool@sha256%3A{e.hex}" for e in every))
    assert [one.platform for one in result.present] == ["linux/amd64", "linux/arm64"]


def test_of_one_platform_nothing_is_said_of_others(tmp_path: Path) -> None:
    """Its image is the product, and the index is not."""
    built = made(tmp_path, "x86_64", "aarch64")
    source = VexSource("Team", (("CVE-1", ("/usr/sbin/sshd",)),))
    ref = parse_image_ref(str(tmp_path / "app.tar"))
    one = examine(ref, source, OPTIONS, no_progress, platform=built.images[1].platform)
    assert one.facts.absences[0].products == (f"pkg:oci/app@sha256%3A{built.images[1].digest.hex}",)
