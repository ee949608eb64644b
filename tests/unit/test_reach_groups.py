"""Why each file of an image is there: what runs it, loads it or asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.images.graph import LibraryEdge
from support.badfiles import MUSL_LOADER
from support.command import minpack
from support.elfmaker import MUSL, library, program
from support.layers import layer, link, member, tar_of, write_layout
from support.reports import reported, write_image

if TYPE_CHECKING:
    from pathlib import Path

    from minpack.reach.image_report import ImageReport


def reasons(report: ImageReport) -> dict[str, str]:
    """The word for the reason of each file."""
    return {str(file.path): file.reason.label for file in report.files}


def test_each_file_has_the_reason_that_the_files_show(tmp_path: Path) -> None:
    """The program, its loader and libraries with the links to them, data, packages, and what nothing needs."""
    report = reported(write_image(tmp_path / "image"))
    assert reasons(report) == {
        "/etc/os-release": "os-release",
        "/etc/passwd": "passwd",
        "/lib/apk/db/installed": "package database",
        "/lib/ld-musl-x86_64.so.1": "interpreter",
        "/srv/again.txt": "unknown",
        "/srv/notes.txt": "package",
        "/srv/other.txt": "unknown",
        "/usr/bin/app": "program",
        "/usr/lib/libbar.so.1": "library",
        "/usr/lib/libfoo.so.1": "library",
        "/usr/lib/libfoo.so.1.0": "library",
    }
    texts = {str(file.path): file.reason.text for file in report.files}
    assert texts["/usr/bin/app"] == "the entrypoint of the image"
    assert texts["/usr/lib/libbar.so.1"] == "/usr/bin/app and 1 more need it as libbar.so.1"
    assert texts["/usr/lib/libfoo.so.1.0"] == "/usr/bin/app needs it as libfoo.so.1"
    assert texts["/srv/notes.txt"] == "a file of notes 2; nothing in the image asks for it"


def test_sums_packages_and_hard_links(tmp_path: Path) -> None:
    """The bytes of a file with two names count once; the sum is that of SHA-256."""
    import hashlib

    files = {str(file.path): file for file in reported(write_image(tmp_path / "image")).files}
    assert (files["/srv/again.txt"].size, files["/srv/other.txt"].size) == (13, 0)
    assert files["/srv/other.txt"].link == "/srv/again.txt"
    assert files["/srv/other.txt"].sha256 == hashlib.sha256(b"of no package").hexdigest()
    assert files["/srv/notes.txt"].package == "notes 2"
    assert files["/usr/lib/libfoo.so.1"].link == "libfoo.so.1.0"


def test_totals_have_every_byte_once(tmp_path: Path) -> None:
    """The bytes of all reasons are those of all files, the most first."""
    report = reported(write_image(tmp_path / "image", 40))
    sizes = [one.size for one in report.totals]
    assert sum(sizes) == report.size == sum(file.size for file in report.files)
    assert sizes == sorted(sizes, reverse=True)
    assert sum(one.files for one in report.totals) == len(report.files)


def test_scripts_and_health_checks_run_files_too(tmp_path: Path) -> None:
    """A script's interpreter, and what only the health check runs, are no files without a reason."""
    loader = member("lib/ld-musl-x86_64.so.1", MUSL_LOADER)
    shell, probe = (program((name,), interpreter=MUSL) for name in ("libsh.so", "libprobe.so"))
    libraries = [member(f"lib/{name}", library(name, ("libc.so",))) for name in ("libsh.so", "libprobe.so")]
    run = [
        member("run", b"#!/bin/sh\n"),
        member("bin/busybox", shell),
        link("bin/sh", "busybox"),
        member("probe", probe),
    ]
    config = {"Entrypoint": ["/run"], "Healthcheck": {"Test": ["CMD", "/probe"]}}
    write_layout(tmp_path / "image", [layer(tar_of(loader, *libraries, *run))], config_values=config)
    report = reported(tmp_path / "image")
    found = {str(file.path): (file.reason.label, file.reason.text) for file in report.files}
    assert found["/run"] == ("program", "the entrypoint of the image")
    assert found["/bin/busybox"] == ("program", "/run starts it")
    assert found["/probe"] == ("program", "the health check of the image")
    assert {found[f"/lib/{name}"][0] for name in ("libsh.so", "libprobe.so")} == {"library"}
    assert not [path for path, (label, _) in found.items() if label == "unknown"]
    assert [node.name for node in report.graph.nodes if node.level == 0] == ["busybox", "probe"]


def test_the_graph_has_who_needs_what(tmp_path: Path) -> None:
    """Each library by how far it is from the program, with all that need it; one that is missing too."""
    graph = reported(write_image(tmp_path / "image")).graph
    assert [(node.name, node.level, node.found_by) for node in graph.nodes] == [
        ("app", 0, "program"),
        ("ld-musl-x86_64.so.1", 1, "interpreter"),
        ("libbar.so.1", 1, "default"),
        ("libfoo.so.1.0", 1, "default"),
    ]
    needers = {edge.needed_by for edge in graph.edges if edge.key == "/usr/lib/libbar.so.1"}
    assert needers == {"/usr/bin/app", "/usr/lib/libfoo.so.1.0"}
    loader = member("lib/ld-musl-x86_64.so.1", MUSL_LOADER)
    lacking = member("app", program(("libgone.so",), interpreter=MUSL))
    write_layout(tmp_path / "lacking", [layer(tar_of(loader, lacking))], config_values={"Cmd": ["/app"]})
    report = reported(tmp_path / "lacking")
    assert ("libgone.so", "", "missing") in [(node.name, node.path, node.found_by) for node in report.graph.nodes]
    assert LibraryEdge("/app", "libgone.so") in report.graph.edges
    assert not report.checked.starts


def test_what_nothing_asks_for_is_what_why_says(tmp_path: Path) -> None:
    """Files of packages and others that nothing asks for are those of `minpack why --unneeded`, and no more."""
    image = tmp_path / "image"
    loader = member("lib/ld-musl-x86_64.so.1", MUSL_LOADER)
    app = program((), interpreter=MUSL)
    files = [member("etc/app.conf", b"data=/srv/data\n"), member("srv/data", b"1"), member("srv/rest", b"2")]
    config = {"Entrypoint": ["/app", "--config=/etc/app.conf", "/srv/given"]}
    given = member("srv/given", b"3")
    write_layout(image, [layer(tar_of(loader, member("app", app), *files, given))], config_values=config)
    found = reasons(reported(image))
    ran = minpack("why", "image", "--unneeded", "--json", cwd=tmp_path)
    unneeded = {row["path"] for row in ran.document["unneeded"]}
    assert {path for path, label in found.items() if label in ("unknown", "package")} == unneeded == {"/srv/rest"}
    assert found["/srv/given"] == found["/etc/app.conf"] == found["/srv/data"] == "named"
