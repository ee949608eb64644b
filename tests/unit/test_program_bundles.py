"""What a program has beside itself on this host is found there first, and packed in the same relation."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from minpack.base.options import BaseOptions
from minpack.build.pack import Packed, pack
from minpack.build.tree import resolve_tree
from minpack.errors import MissingLibraryError
from minpack.net.network import Network
from minpack.paths import RootPath
from minpack.progress import no_progress
from minpack.spec.base_ref import parse_base
from minpack.spec.image import ImageSpec
from minpack.spec.values import Addition
from support.elfmaker import MUSL, library, program
from support.evidence import PackagedBase, app
from support.mirror import Mirror
from support.repository import Place

if TYPE_CHECKING:
    from pathlib import Path

OPTIONS = BaseOptions(None, Network(offline=True), "2026-01-31")


@pytest.fixture
def sdk(tmp_path: Path) -> Path:
    """A program with libraries beside it, in the way of an SDK; and a base that has none of them."""
    PackagedBase(tmp_path / "base")
    files = {
        "bin/tool": program(("libmain.so", "libc.so.6"), runpath="$ORIGIN/../lib:/opt"),
        "lib/libmain.so": library("libmain.so", ("libdeep-1a2b3c4d.so.1",), runpath="$ORIGIN/private"),
        "lib/private/libdeep-1a2b3c4d.so.1": library("libdeep.so"),
        "lib/libother.so": library("libother.so"),
        "lib/libc.so.6": library("libc.so.6"),
    }
    for name, data in files.items():
        path = tmp_path / "sdk" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (tmp_path / "base/usr/lib64").mkdir(parents=True)
    (tmp_path / "base/usr/lib64/libc.so.6").write_bytes(library("libc.so.6"))
    return tmp_path / "sdk"


def spec(sdk: Path, **given: object) -> ImageSpec:
    """The request for the tool."""
    return ImageSpec((str(sdk / "bin/tool"),), parse_base(str(sdk.parent / "base")), **given)  # type: ignore[arg-type]


def libraries(packed: Packed) -> set[str]:
    """The libraries in the image."""
    return {
        one.entry.path for one in packed.plan.entries if ".so" in one.entry.path and "ld-linux" not in one.entry.path
    }


def test_a_bundle_is_packed_as_it_lies(sdk: Path) -> None:
    """What is needed of it, by the relation to the program's directory, and never a C library; a note tells of it."""
    packed = pack(spec(sdk), OPTIONS, None)
    assert libraries(packed) == {
        "/usr/local/lib/libmain.so",
        "/usr/local/lib/private/libdeep-1a2b3c4d.so.1",
        "/usr/lib64/libc.so.6",
    }
    (note,) = packed.notes
    assert note.startswith(f"packed from next to {sdk}/bin/tool: /usr/local/lib/libmain.so, /usr/local/lib/")
    assert note.endswith(f"; --add {sdk}:/usr/local adds everything around it")


def test_the_relation_is_that_to_dest(sdk: Path) -> None:
    """Wherever the program goes; a program behind links is resolved where it lies."""
    link = sdk.parent / "link"
    link.symlink_to("link2")
    (sdk.parent / "link2").symlink_to("sdk/bin/tool")
    wanted = spec(sdk, destination=RootPath("/opt/tool/bin/tool"))._replace(programs=(str(link),))
    assert "/opt/tool/lib/libmain.so" in libraries(pack(wanted, OPTIONS, None))


def test_what_is_added_takes_the_bundles_place(sdk: Path) -> None:
    """All around the program, as the note says: no library is placed twice."""
    packed = pack(spec(sdk, additions=(Addition(str(sdk), RootPath("/usr/local")),)), OPTIONS, None)
    assert "/usr/local/lib/libother.so" in libraries(packed)
    assert not [note for note in packed.notes if "next to" in note]
    (sdk.parent / "tool").symlink_to("sdk/bin/tool")
    linked = spec(sdk, additions=(Addition(str(sdk), RootPath("/usr/local")),))
    assert libraries(pack(linked._replace(programs=(str(sdk.parent / "tool"),)), OPTIONS, None)) == libraries(packed)


def test_tree_and_pack_agree(sdk: Path) -> None:
    """Both look beside the program first."""
    resolved = resolve_tree(spec(sdk), OPTIONS, no_progress)
    assert not resolved.closure.missing
    assert [one.path for one in resolved.closure.objects][1] == "/usr/local/bin/../lib/libmain.so"


def test_what_climbs_too_far_has_no_place(sdk: Path) -> None:
    """At the top of the image there is nothing above: the library is missing, and the hint says how to place it."""
    os.rename(sdk / "bin", sdk / "deep")
    (sdk / "lib/x/y").mkdir(parents=True)
    tool = sdk / "lib/x/y/tool"
    tool.write_bytes(program(("libmain.so",), runpath="$ORIGIN/../.."))
    with pytest.raises(MissingLibraryError, match="libmain"):
        pack(spec(sdk, destination=RootPath("/tool"))._replace(programs=(str(tool),)), OPTIONS, None)


def test_no_distribution_is_asked_for_auditwheels_names(tmp_path: Path) -> None:
    """A name with a hash in it is one wheel's own."""
    with Mirror() as mirror:
        place = Place(tmp_path, mirror)
        place.publish()
        app = tmp_path / "other"
        app.write_bytes(program(("libz-1a2b3c4d.so.1",), interpreter=MUSL))
        with pytest.raises(MissingLibraryError):
            place.pack(("libz-1a2b3c4d.so.1",))
        assert not mirror.requests


@pytest.mark.parametrize("text", ["../share/tool-1", "/share/tool-1/scripts"])
def test_data_beside_a_program_is_told(tmp_path: Path, text: str) -> None:
    """What a program joins to its own place is named with the option that packs it, until it is packed."""
    PackagedBase(tmp_path / "base")
    files = tmp_path / "opt"
    (files / "share/tool-1/scripts").mkdir(parents=True)
    (files / "share/doc/tool").mkdir(parents=True)
    (files / "bin").mkdir()
    (files / "bin/tool").write_bytes(app(text, "../share/gone", "/share/doc/tool", "/home/share/tool-1"))
    asked = ImageSpec((str(files / "bin/tool"),), parse_base(str(tmp_path / "base")))
    (note,) = (note for note in pack(asked, OPTIONS, None).notes if "next to" in note)
    source, place = f"{files}/share/tool-1", "/usr/local/share/tool-1"
    assert note == f"{files}/bin/tool may look next to itself for share/tool-1: --add {source}:{place}"
    added = asked._replace(additions=(Addition(source, RootPath(place)),))
    assert not [note for note in pack(added, OPTIONS, None).notes if "next to" in note]
    there = asked._replace(destination=RootPath(f"{files}/bin/tool"))
    assert not [note for note in pack(there, OPTIONS, None).notes if "next to" in note]
