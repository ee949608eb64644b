"""What a command reads of this host, and what of its own outputs is in directories that it packs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from minpack.base.options import BaseOptions, PackageOptions
from minpack.errors import OutputError
from minpack.host.overwrite import HostInput
from minpack.net.network import Network
from minpack.output.inputs import LeftOut, base_inputs, guarded, left_out, spec_inputs
from minpack.output.target import Format, OutputSpec
from minpack.paths import RootPath
from minpack.spec.base_ref import parse_base
from minpack.spec.image import ImageSpec
from minpack.spec.values import Addition

if TYPE_CHECKING:
    from pathlib import Path

NOTHING = BaseOptions(None, Network(offline=True), "2026-01-31")


def to(path: Path | str, form: Format = Format.ARCHIVE) -> OutputSpec:
    """Delivering to `path`."""
    return OutputSpec(form, str(path), ())


def test_all_that_a_request_names_is_an_input() -> None:
    """Programs, what is added, certificates, the base, keys, SSL_CERT_FILE and the cache, each with what it is."""
    request = ImageSpec(("a", "b"), additions=(Addition("c", RootPath("/c")),), ca_file="d")
    options = NOTHING._replace(
        store="e", network=Network(offline=True, ca_file="f"), packages=PackageOptions(0, keys="g")
    )
    found = spec_inputs(request, parse_base("./h"), options)
    assert {one.path for one in found} == {"a", "b", "c", "d", "e", "f", "g", "./h"}
    assert {one.path for one in found if one.whole} == {"c", "g"}
    assert found[0].what == "the program"
    assert len({one.what for one in found}) == len(found)


@pytest.mark.parametrize("base", ["scratch", "alpine-3.22"])
def test_names_are_no_files(base: str) -> None:
    """A base of the catalogue is not an input of this host."""
    assert base_inputs(parse_base(base), NOTHING) == ()
    assert base_inputs(parse_base(f"./{base}"), NOTHING) == (HostInput(f"./{base}", "the base"),)


def test_a_delivery_knows_all_inputs(tmp_path: Path) -> None:
    """Those that it had and those of the request; where it would replace one it is refused."""
    (tmp_path / "mine").write_bytes(b"")
    mine, other = HostInput(str(tmp_path / "mine"), "mine"), HostInput("other", "other")
    delivery = to(tmp_path / "new")._replace(inputs=(other,))
    assert guarded(delivery, (mine,)).inputs == (other, mine)
    assert guarded(to("-"), (mine,)).path == "-"
    assert guarded(to("-")._replace(path=None), (mine,)).path is None
    for form, path in ((Format.ARCHIVE, tmp_path / "mine"), (Format.OCI, tmp_path)):
        with pytest.raises(OutputError):
            guarded(to(path, form), (mine,))


def test_what_is_left_out_of_directories(tmp_path: Path) -> None:
    """The output that is there, unfinished ones and the cache, each told once; nothing that is elsewhere."""
    place = tmp_path.resolve()
    (place / "in" / "cache").mkdir(parents=True)
    unfinished = place / "in" / ".minpack-0123456789ab.partial"
    for path in (place / "in" / "out", unfinished, place / "out"):
        path.write_bytes(b"")
    os.symlink("in", place / "link")
    target, cache = str(place / "link" / "out"), str(place / "link" / "cache")
    found = left_out(to(target), (str(place / "in"), str(place), "missing"), cache)
    assert found.paths == {str(place / "in" / "out"), str(unfinished), str(place / "in" / "cache")}
    assert found.notes == (
        f"{target!r} is not packed: it is the output",
        "1 unfinished output of minpack is not packed",
        f"{cache!r} is not packed: it is the cache",
    )
    assert left_out(to(place / "out"), (str(place / "in"),), None) == LeftOut()
    assert left_out(to(place / "in" / "new"), (str(place / "in"),), str(place / "in")).notes == (found.notes[1],)
    assert left_out(None, (str(place),), None) == LeftOut()
    assert left_out(to("-"), (str(place),), None) == LeftOut()
