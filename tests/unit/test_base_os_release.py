"""What roots say of their distribution, as os-release(5) defines it."""

from __future__ import annotations

import pytest

from minpack.base.os_release import MAX_OS_RELEASE, Distribution, find_distribution, parse_os_release
from minpack.content import BytesContent
from minpack.paths import normal
from minpack.rootfs.entry import Entry, file


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            b'ID=alpine\nVERSION_ID=3.22.1\nPRETTY_NAME="Alpine Linux v3.22"\n',
            ("alpine", "3.22.1", "Alpine Linux v3.22"),
        ),
        (b"VERSION_ID=\"12\"\nID='debian'\n", ("debian", "12", "")),
        (b'PRETTY_NAME="a \\"quoted\\" \\$name \\\\"\n', ("", "", 'a "quoted" $name \\')),
        (b"ID=first\nID=last\n#ID=comment\nno line\n  ID=  \n", ("", "", "")),
        (b"ID=\"open\nVERSION_ID='\n", ('"open', "'", "")),
        (b"ID=\xff\r\n", ("\ufffd", "", "")),
        (b"", ("", "", "")),
    ],
)
def test_it_is_read_as_a_shell_would(text: bytes, expected: tuple[str, str, str]) -> None:
    """Quotes and backslashes go, the last value counts, and lines of another form mean nothing."""
    assert parse_os_release(text) == Distribution(*expected)


def test_the_first_file_that_there_is_counts() -> None:
    """That in /etc, else that in /usr/lib; one that is too large is none."""
    files = {
        "/etc/os-release": file(normal("/etc/os-release"), BytesContent(b"ID=etc\n")),
        "/usr/lib/os-release": file(normal("/usr/lib/os-release"), BytesContent(b"ID=usr\n")),
    }

    def found(**left: Entry | None) -> Distribution | None:
        return find_distribution(lambda path: left.get(path, files.get(path)))

    assert found() == Distribution("etc")
    assert found(**{"/etc/os-release": None}) == Distribution("usr")
    huge = file(normal("/etc/os-release"), BytesContent(b"#" * MAX_OS_RELEASE + b"\nID=huge\n"))
    assert found(**{"/etc/os-release": huge}) == Distribution("usr")
    assert find_distribution(lambda _: None) is None
