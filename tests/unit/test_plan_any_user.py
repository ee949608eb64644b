"""What keeps a user that the platform chooses from what the image's user may do."""

from __future__ import annotations

import pytest

from minpack.base.entries import base_of
from minpack.base.walk import Walker
from minpack.content import BytesContent
from minpack.oci.documents import ImageConfig
from minpack.paths import RootPath, normal
from minpack.plan.any_user import ANY_USER, is_any_user, obstacles
from minpack.rootfs.entry import Entry, Kind, directory, file, symlink
from minpack.rootfs.etc_files import User
from minpack.rootfs.modes import for_group, standard_directories
from minpack.target import parse_platform

OWNER = User(65532, 65532)
HOME = ("HOME", "/home/nonroot")


def found(*entries: Entry, env: tuple[tuple[str, str], ...] = (HOME,), owner: User = OWNER) -> list[tuple[str, str]]:
    """Code and path of each obstacle in an image of these entries and of what images always have."""
    config = ImageConfig(parse_platform("linux/amd64"), ("/app",), env=env, volumes=("/data",))
    tree = {**standard_directories(owner, any_user=True), **{entry.path: entry for entry in entries}}
    return [(one.code, one.path) for one in obstacles(config, Walker(base_of("image", tree.values())), owner)]


def test_what_is_packed_for_any_user_has_none() -> None:
    """Home and /tmp are as they are packed; what is root's is nobody's concern."""
    others = (directory(normal("/opt"), 0o700), file(normal("/opt/x"), BytesContent(b"x"), 0o600))
    assert found(*others) == []


def test_home() -> None:
    """It is that of HOME, which must be set; owner and mode of the default image close it."""
    assert found(env=()) == [("home", "HOME")]
    assert found(env=(("HOME", "/nowhere"),)) == [("home", "/nowhere")]
    closed = directory(normal("/home/nonroot"), 0o755, 65532, 65532)
    assert found(closed) == [("home", "/home/nonroot")]


def test_tmp() -> None:
    """Others may close it."""
    assert found(directory(normal("/tmp"), 0o755)) == [("tmp", "/tmp")]


@pytest.mark.parametrize(
    ("mode", "gid", "is_closed"), [(0o755, 65532, True), (0o700, 0, True), (0o775, 0, False), (0o777, 65532, False)]
)
@pytest.mark.parametrize("kind", [Kind.FILE, Kind.DIRECTORY])
def test_what_is_the_image_users(kind: Kind, mode: int, gid: int, *, is_closed: bool) -> None:
    """What that user may write to or read, and group 0 may not; a volume is told of elsewhere."""
    content = BytesContent(b"x") if kind is Kind.FILE else None
    for path in ("/srv/x", "/data"):
        entry = Entry(RootPath(path), kind, mode, 65532, gid, content)
        assert found(entry) == ([("any-user", path)] if is_closed and path == "/srv/x" else [])
    # Root may do all, and nothing shows what of it the program does.
    assert (
        found(Entry(RootPath("/srv/x"), kind, mode, 0, gid, content), owner=User(0, 0), env=(("HOME", "/tmp"),)) == []
    )


def test_modes_for_the_group() -> None:
    """The group may do what the owner may, and others what they might; links have no mode."""
    assert (for_group(directory(normal("/a"), 0o1707, 5, 6))[2:5]) == (0o1777, 5, 0)
    assert for_group(file(normal("/a"), BytesContent(b""), 0o640)).mode == 0o660
    assert for_group(symlink(normal("/a"), "b")).mode == 0o777


def test_who_stands_for_all() -> None:
    """One of those that OpenShift gives."""
    assert is_any_user(ANY_USER)
    assert not is_any_user(OWNER)
