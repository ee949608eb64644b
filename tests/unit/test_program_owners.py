"""Names of owners mean what they mean in the lists that the image has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minpack.base.entries import base_of
from minpack.base.walk import Walker
from minpack.content import BytesContent
from minpack.errors import UsageError
from minpack.paths import RootPath
from minpack.program.owners import names_owners, owner_names, with_owner_numbers
from minpack.rootfs.entry import file
from minpack.rootfs.etc_files import User
from minpack.spec.base_ref import parse_on
from minpack.spec.image import ImageSpec, RunConfig
from minpack.spec.owners import parse_owner
from minpack.spec.values import AddedDirectory, Addition

if TYPE_CHECKING:
    from pathlib import Path

BASE = {
    "/etc/passwd": b"root:x:0:0::/:\nwww-data:x:33:33::/:\nnonroot:x:7:7::/:\nalice:x:1000:1000::/:\nbad\n",
    "/etc/group": b"www-data:x:33:\nadm:x:4:\n",
}


def numbers(spec: ImageSpec, files: dict[str, bytes] | None = None) -> ImageSpec:
    """The spec with numbers, on a base of these files."""
    entries = [file(RootPath(path), BytesContent(data)) for path, data in (BASE if files is None else files).items()]
    return with_owner_numbers(spec, Walker(base_of("base", entries)))


def owned(owner: str) -> ImageSpec:
    """A spec of which one addition has this owner."""
    return ImageSpec((), additions=(Addition("x", RootPath("/x"), owner=parse_owner(owner)),))


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        ("root", User(0, 0)),
        ("nonroot", User(65532, 65532)),
        ("nonroot:root", User(65532, 0)),
        ("app:adm", User(1234, 4)),
        ("www-data", User(33, 33)),
        ("33:www-data", User(33, 33)),
        ("www-data:7", User(33, 7)),
    ],
)
def test_names(owner: str, expected: User) -> None:
    """Those of minpack's own lists come first; then the system users of the base, which the image's lists will have."""
    spec = owned(owner)._replace(run=RunConfig(user=User(1234, 4321)))
    assert names_owners(spec)
    assert numbers(spec).additions[0].owner == expected


@pytest.mark.parametrize("owner", ["alice", "nobody:nowhere", "www"])
def test_names_that_no_list_has(owner: str) -> None:
    """People of the base are not in the image."""
    with pytest.raises(UsageError, match="the image has no "):
        numbers(owned(owner))


def test_a_list_of_the_users(tmp_path: Path) -> None:
    """The list that is added is the image's, whether alone or in a directory."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("alice:x:1000:1001::/:\n")
    alone = Addition(str(tmp_path / "etc/passwd"), RootPath("/etc/passwd"))
    for source in (alone, Addition(str(tmp_path / "etc"), RootPath("/etc")), Addition(str(tmp_path), RootPath("/"))):
        spec = ImageSpec((), additions=(source,), owner=parse_owner("alice"))
        assert numbers(spec).owner == User(1000, 1001)
        with pytest.raises(UsageError, match="no user 'nonroot'"):
            numbers(spec._replace(owner=parse_owner("nonroot")))


def test_an_image_below_has_its_own_list() -> None:
    """There its names come first, and all of them are the image's."""
    spec = owned("nonroot")._replace(on=parse_on("me/base:1"))
    assert numbers(spec).additions[0].owner == User(7, 7)
    assert numbers(owned("alice")._replace(on=spec.on)).additions[0].owner == User(1000, 1000)


def test_directories_have_owners_by_name_too() -> None:
    """As --dir names them; numbers stay."""
    made = (
        AddedDirectory(RootPath("/a"), owner=parse_owner("nobody")),
        AddedDirectory(RootPath("/b"), None, User(1, 2)),
    )
    assert [one.owner for one in numbers(ImageSpec((), directories=made)).directories] == [
        User(65534, 65534),
        User(1, 2),
    ]


def test_which_names_are_used() -> None:
    """Numbers are none."""
    spec = owned("www-data:4")._replace(owner=parse_owner("adm:adm"))
    assert owner_names(spec) == ("adm", "www-data")
    assert not names_owners(owned("1:2"))
