"""Users and groups of an image."""

from __future__ import annotations

import pytest

from minpack.errors import UsageError
from minpack.rootfs.etc_files import DEFAULT_USER, NSSWITCH, User, group, parse_user, passwd

PASSWD = b"""root:x:0:0:root:/root:/sbin/nologin
nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin
"""
GROUP = b"""root:x:0:
nonroot:x:65532:
nobody:x:65534:
"""


@pytest.mark.parametrize(
    ("text", "user"),
    [
        ("0", User(0, 0)),
        ("1000", User(1000, 1000)),
        ("1000:5", User(1000, 5)),
        ("root", User(0, 0)),
        ("nonroot", User(65532, 65532)),
        ("nobody:0", User(65534, 0)),
        ("2147483647:2147483647", User(2**31 - 1, 2**31 - 1)),
        ("007", User(7, 7)),
    ],
)
def test_users_are_numbers_or_known_names(text: str, user: User) -> None:
    """A user is one number, or two, or a name that every image has."""
    assert parse_user(text) == user
    assert parse_user(str(user)) == user


@pytest.mark.parametrize(
    "text",
    ["", ":", "1:", ":1", "-1", "+1", "1_0", " 1", "1 ", "app", "1:2:3", "2147483648", "1:4294967295", "٣", "9" * 5000],
)
def test_other_users_are_refused(text: str) -> None:
    """What is not a number that engines take is a usage error."""
    with pytest.raises(UsageError):
        parse_user(text)


def test_the_usual_users_are_always_there() -> None:
    """With the default user there are root, nonroot and nobody, each with a group."""
    assert (passwd(DEFAULT_USER), group(DEFAULT_USER)) == (PASSWD, GROUP)


@pytest.mark.parametrize(
    ("user", "line", "group_line"),
    [
        (User(1000, 1000), b"app:x:1000:1000:app:/home/app:/sbin/nologin", b"app:x:1000:"),
        (User(1000, 0), b"app:x:1000:0:app:/home/app:/sbin/nologin", b"root:x:0:"),
        (User(0, 7), b"root:x:0:7:root:/root:/sbin/nologin", b"app:x:7:"),
        (User(65534, 65532), b"nobody:x:65534:65532:nobody:/nonexistent:/sbin/nologin", b"nonroot:x:65532:"),
    ],
)
def test_the_images_user_has_a_name_and_a_group(user: User, line: bytes, group_line: bytes) -> None:
    """Whoever the program runs as is in both files, each number once and in order."""
    users, groups = passwd(user).splitlines(), group(user).splitlines()
    assert line in users
    assert group_line in groups
    for lines in (users, groups):
        numbers = [int(row.split(b":")[2]) for row in lines]
        assert numbers == sorted(set(numbers))
    assert {row.split(b":")[3] for row in users} <= {row.split(b":")[2] for row in groups}


def test_hosts_are_looked_up_in_files_first() -> None:
    """The name service asks /etc/hosts before DNS."""
    assert b"\nhosts: files dns\n" in NSSWITCH
