"""What is said of packages that cannot be used: the rows of `docs/errors.md`, from a server that has just these."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.apkmaker import Made, file, make_index, make_package, make_raw_index, signing_key, streams_of
from support.command import assert_error_document, assert_refused, minpack
from support.elfmaker import MUSL, program
from support.mirror import Mirror, always, status
from support.refusals import row
from support.repository import KEY, MAIN, Place, library_package

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

FOO = library_package("libfoo.so.1")
BAR = library_package("libbar.so.1")
INDEX = f"{MAIN}/x86_64/APKINDEX.tar.gz"
PACKAGE = f"{MAIN}/x86_64/{FOO.file_name}"
STRANGER, SAME_NAME = signing_key("stranger.rsa.pub"), signing_key(KEY.name, 1)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Place]:
    """A program that needs libfoo.so.1, a base without it, and a server."""
    monkeypatch.delenv("MINPACK_NO_PACKAGES")
    with Mirror() as mirror:
        made = Place(tmp_path, mirror)
        made.base()
        (tmp_path / "app").write_bytes(program(("libfoo.so.1",), interpreter=MUSL))
        (tmp_path / "no-keys").mkdir()
        yield made


def refused(place: Place, what: str, *options: str) -> None:
    """Packing says what the row says."""
    case = row(what)
    mirror = f"{place.mirror.url}/alpine"
    ran = minpack("./app", "--base", "base.tar", "--mirror", mirror, "--json", *options, cwd=place.path)
    assert_refused(ran, case.code, case.message, case.hint)
    assert_error_document(ran, case.kind)
    assert not (place.path / "app.tar").exists()


def with_size(made: Made, data: bytes) -> Made:
    """`made` as an index names it that knows the size of `data`."""
    return made._replace(record=made.record.replace(f"S:{len(made.data)}\n", f"S:{len(data)}\n"))


def test_names(place: Place) -> None:
    """What is not there, and what is there twice."""
    place.publish(FOO)
    refused(place, "no package of that name", "--package", "libfo")
    place.publish(library_package("libfoo.so.1", name="one"), library_package("libfoo.so.1", name="two"))
    refused(place, "several packages have a library", "--no-cache")
    place.publish(BAR)
    refused(place, "no package has a library", "--no-cache")


@pytest.mark.parametrize(
    ("what", "index"),
    [
        ("an index that is not signed", make_index([FOO], keys=())),
        ("an index by an unknown key", make_index([FOO], keys=(STRANGER,))),
        (
            "an index changed after it was signed",
            streams_of(make_index([BAR], keys=(KEY,)))[0] + streams_of(make_index([FOO], keys=(KEY,)))[1],
        ),
        ("a repository of apk v3", b"ADBd" + bytes(200)),
    ],
)
def test_indexes(place: Place, what: str, index: bytes) -> None:
    """An index that cannot be trusted or read."""
    place.publish(FOO)
    place.mirror.add(INDEX, index)
    refused(place, what)


def packages() -> dict[str, tuple[Made, bytes]]:
    """For each row the package as the index names it, and what the server has in its place."""
    signature, control, _ = streams_of(FOO.data)
    other_data = signature + control + streams_of(BAR.data)[2]
    unsigned, resigned = (library_package("libfoo.so.1", keys=keys) for keys in ((), (SAME_NAME,)))
    old = library_package("libfoo.so.1", version="0.9-r0")
    return {
        "a package that is not signed": (unsigned, unsigned.data),
        "a package by another key of the right name": (resigned, resigned.data),
        "a package that the index does not name": (with_size(FOO, old.data), old.data),
        "a package with other data": (with_size(FOO, other_data), other_data),
        "a package that was cut short": (FOO, FOO.data[:-100]),
    }


@pytest.mark.parametrize("what", packages())
def test_packages(place: Place, what: str) -> None:
    """A package that cannot be trusted or read."""
    indexed, served = packages()[what]
    place.publish(indexed)
    place.mirror.add(PACKAGE, served)
    refused(place, what)


def test_what_cannot_be_had(place: Place) -> None:
    """Keys, packages and indexes that are not there."""
    refused(place, "an index that is not kept, and --offline", "--offline")
    refused(place, "a directory without keys", "--keys", "./no-keys")
    place.publish(FOO)
    place.mirror.add(PACKAGE, b"", always(status(404)))
    refused(place, "a package that cannot be fetched")


def test_a_hostile_index_names_no_path(place: Place) -> None:
    """What a signed index calls a package that is a path is not in the way, and nothing outside is asked for."""
    bad = make_package("../../x", "1-r0", [file("usr/lib/libfoo.so.1", b"")], keys=(KEY,), provides="so:libfoo.so.1=1")
    place.publish()
    place.mirror.add(INDEX, make_raw_index(bad.record + "\n", keys=(KEY,)))
    refused(place, "no package has a library")
    assert not [path for path in place.mirror.paths if ".." in path]
