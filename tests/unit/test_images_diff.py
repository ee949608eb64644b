"""What differs between two images, and what is in one: asked of images made for it, as the command prints it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from support.elfmaker import GLIBC, library, program, static_program
from support.layers import Layer, layer, link, member, tar_of, write_layout
from support.packing import minpack

if TYPE_CHECKING:
    from pathlib import Path


def put(place: Path, name: str, *layers: Layer, **values: Any) -> Path:
    """An image in a layout."""
    write_layout(place / name, list(layers), config_values=values)
    return place / name


def layer_of(*members: Any, form: str = "gzip") -> Layer:
    """A layer."""
    return layer(tar_of(*members), form)


def differences(before: Path, after: Path, *options: str) -> dict[str, Any]:
    """The document."""
    found = json.loads(minpack("diff", before, after, "--json", *options).stdout)
    assert isinstance(found, dict)
    return found


def installed(version: str) -> Any:
    """Alpine's database of one package."""
    return member("lib/apk/db/installed", f"P:zlib\nV:{version}\nA:x86_64\nF:lib\nR:libz.so.1\n\n".encode())


def test_files_are_compared_and_not_layers(tmp_path: Path) -> None:
    """However they are cut and compressed; equal images have nothing to tell."""
    a, b = member("etc/a", b"1"), member("usr/b", b"2" * 5000)
    one = put(tmp_path, "one", layer_of(a, b))
    other = put(tmp_path, "other", layer_of(a, member("usr/b", b"old")), layer_of(b, form="zstd"))
    found = differences(one, other)
    assert (found["equal"], found["files"], found["shared_layers"]) == (True, [], [])
    assert minpack("diff", one, other, "--exit-code").stdout.splitlines()[0].endswith(": equal")


def test_each_thing_that_can_differ_is_told(tmp_path: Path) -> None:
    """Content, mode, owner, target, kind and names of one file; nothing of what is the same."""
    same = member("same", b"1")
    before = layer_of(
        same, member("gone", b"1"), member("bytes", b"1"), member("mode", b"1"), member("owner", b"1"),
        link("link", "a"), member("kind", b"1"), member("x", b"1"), link("y", "x", hard=True),
    )  # fmt: skip
    after = layer_of(
        same, member("new", b"1"), member("bytes", b"2"), member("mode", b"1", mode=0o4755),
        member("owner", b"1", uid=7), link("link", "b"), member("kind"), member("x", b"1"), member("y", b"1"),
    )  # fmt: skip
    found = differences(put(tmp_path, "a", before), put(tmp_path, "b", after))
    told = {one["path"]: {change["name"] for change in one["changes"]} or one["kind"] for one in found["files"]}
    assert told == {
        "/bytes": {"content"},
        "/gone": "removed",
        "/kind": {"type"},
        "/link": {"link"},
        "/mode": {"mode"},
        "/new": "added",
        "/owner": {"owner"},
        "/x": {"hard links"},
        "/y": {"hard links"},
    }
    lines = minpack("diff", tmp_path / "a", tmp_path / "b").stdout.splitlines()
    assert "  files        1 added, 1 removed, 7 changed" in lines
    assert "    ~ /mode  1 B  mode 0755 -> 4755" in lines
    minpack("diff", tmp_path / "a", tmp_path / "b", "--exit-code", "-q", status=3)


def test_elf_files_are_compared_by_what_they_say(tmp_path: Path) -> None:
    """Needed names, soname and runpath; bytes alone are no difference of that kind."""
    one, other = library("liba.so.1", ("libc.so.6",)), library("liba.so.2", ("libc.so.6", "libz.so.1"), runpath="/opt")
    before, after = layer_of(member("lib/liba.so", one)), layer_of(member("lib/liba.so", other))
    (file,) = differences(put(tmp_path, "a", before), put(tmp_path, "b", after))["files"]
    assert {change["name"]: (change["before"], change["after"]) for change in file["elf"]} == {
        "soname": ("liba.so.1", "liba.so.2"),
        "runpath": (None, "/opt"),
        "needed": ("libc.so.6", "libc.so.6 libz.so.1"),
    }


def test_packages_and_configuration(tmp_path: Path) -> None:
    """By name, with both versions; each variable and label by itself, and a file with the package it is from."""
    before = put(
        tmp_path, "a", layer_of(installed("1.3-r0"), member("lib/libz.so.1", b"1")), Env=["A=1", "B=2"], User="7"
    )
    after = put(
        tmp_path, "b", layer_of(installed("1.4-r0"), member("lib/libz.so.1", b"2")), Env=["A=1", "B=3"], Cmd=["x"]
    )
    found = differences(before, after)
    assert found["packages"] == [{"name": "zlib", "before": "1.3-r0", "after": "1.4-r0"}]
    assert [(one["name"], one["before"], one["after"]) for one in found["config"]] == [
        ("Cmd", None, '["x"]'),
        ("Env B", "2", "3"),
        ("User", "7", None),
    ]
    assert {one["path"]: one["package"] for one in found["files"]}["/lib/libz.so.1"] == "zlib"


def test_what_a_lock_names_is_compared_with_an_image(tmp_path: Path) -> None:
    """The files that were taken of the base; the user's own are in no lock."""
    (tmp_path / "base/lib").mkdir(parents=True)
    (tmp_path / "base/lib/libfoo.so").write_bytes(b"1")
    (tmp_path / "base/lib/libfoo.so").chmod(0o755)
    (tmp_path / "app").write_bytes(static_program())
    (tmp_path / "app").chmod(0o755)
    arguments = ("./app", "--base", "base", "--take", "/lib/libfoo.so")
    minpack("lock", *arguments, cwd=tmp_path)
    minpack(*arguments, "-o", "app.tar", cwd=tmp_path)
    assert json.loads(minpack("diff", "minpack.lock", "app.tar", "--json", cwd=tmp_path).stdout)["equal"] is True
    (tmp_path / "base/lib/libfoo.so").write_bytes(b"2")
    minpack(*arguments, "-o", "app.tar", cwd=tmp_path)
    found = json.loads(minpack("diff", "minpack.lock", "app.tar", "--json", cwd=tmp_path).stdout)
    assert [(one["path"], one["kind"]) for one in found["files"]] == [("/lib/libfoo.so", "changed")]


def test_a_program_in_an_image_is_looked_at(tmp_path: Path) -> None:
    """As the loader would there, with the image's variables; links are followed."""
    members = (
        member("opt/app", program(("liba.so",))),
        link("app", "opt/app"),
        member("opt/liba.so", library("liba.so")),
        member(GLIBC.lstrip("/"), b""),
    )
    image = put(tmp_path, "image", layer_of(*members), Env=["LD_LIBRARY_PATH=/opt"])
    found = json.loads(minpack("inspect", image, "--path", "/app", "--json").stdout)
    assert (found["path"], found["needed"]) == ("/app", ["liba.so"])
    refused = minpack("tree", image, "--path", "/app", status=1).stderr
    assert GLIBC in refused
    several = json.loads(minpack("inspect", image, "--path", "/app", "--path", "/opt/liba.so", "--json").stdout)
    assert [one["soname"] for one in several["files"]] == [None, "liba.so"]
