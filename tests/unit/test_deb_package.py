"""Reading .deb files: the parts of real ones, and every way they can be wrong."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from minpack.content import RangeContent, read_all
from minpack.deb.package import MAX_CONTROL, DebControl, read_control, read_deb
from minpack.errors import MinpackError, PackageError
from support.debmaker import Deb, ar, packed, tar
from support.tools import need_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

FILES: dict[str, bytes | str] = {
    "usr/": b"",
    "usr/lib/": b"",
    "usr/lib/libfoo.so.1": b"library",
    "usr/lib/libfoo.so": "libfoo.so.1",
}
FOO = Deb("libfoo1", FILES)


@pytest.fixture
def opened(tmp_path: Path) -> Generator[Callable[[bytes], RangeContent]]:
    """What gives bytes as an open file."""

    def open_(data: bytes) -> RangeContent:
        (tmp_path / "a.deb").write_bytes(data)
        descriptor = os.open(tmp_path / "a.deb", os.O_RDONLY)
        descriptors.append(descriptor)
        return RangeContent(descriptor, 0, len(data), "a.deb")

    descriptors: list[int] = []
    yield open_
    for descriptor in descriptors:
        os.close(descriptor)


@pytest.mark.parametrize("compression", ["xz", "gz", "zst"])
def test_packages_are_read(opened: Callable[[bytes], RangeContent], compression: str) -> None:
    """Both tars are found, and control says what it says, whatever they are compressed with."""
    deb = FOO._replace(compression=compression)
    read = read_deb(opened(deb.data))
    assert read_all(read.data, 1 << 20) == packed(tar(FILES), compression)
    control = read_control(read)
    assert control.fields["Package"] == "libfoo1"
    assert control.fields["Description"] == "libfoo1\n A package of a test."
    assert control.paragraph == deb.control
    assert control.md5sums.endswith(b"  usr/lib/libfoo.so.1\n")


@pytest.mark.tool
@pytest.mark.parametrize("compression", ["xz", "gzip", "zstd", "none"])
def test_packages_that_dpkg_builds_are_read(
    opened: Callable[[bytes], RangeContent], tmp_path: Path, compression: str
) -> None:
    """dpkg-deb's own packages are read, and its listing of them is what control says."""
    dpkg_deb = need_tool("dpkg-deb")
    (tmp_path / "tree/DEBIAN").mkdir(parents=True)
    (tmp_path / "tree/usr/lib").mkdir(parents=True)
    (tmp_path / "tree/usr/lib/libfoo.so.1").write_bytes(b"library")
    (tmp_path / "tree/DEBIAN/control").write_bytes(FOO.control)
    subprocess.run(
        [dpkg_deb, f"-Z{compression}", "--root-owner-group", "--build", "tree", "foo.deb"], cwd=tmp_path, check=True
    )
    control = read_control(read_deb(opened((tmp_path / "foo.deb").read_bytes())))
    shown = subprocess.run([dpkg_deb, "-f", "foo.deb"], cwd=tmp_path, check=True, capture_output=True).stdout
    assert control.paragraph == shown
    assert isinstance(control, DebControl)


def test_a_package_that_minpack_makes_in_tests_is_one_for_dpkg(tmp_path: Path) -> None:
    """What the other tests read is what dpkg reads too."""
    dpkg_deb = need_tool("dpkg-deb")
    (tmp_path / "foo.deb").write_bytes(FOO.data)
    subprocess.run([dpkg_deb, "-x", "foo.deb", "out"], cwd=tmp_path, check=True)
    assert (tmp_path / "out/usr/lib/libfoo.so").read_bytes() == b"library"


_VERSION = ("debian-binary", b"2.0\n")
_CONTROL = ("control.tar.xz", packed(tar({"control": FOO.control}), "xz"))
_DATA = ("data.tar.xz", packed(tar(FILES), "xz"))


def test_parts_of_newer_packages_are_passed_over(opened: Callable[[bytes], RangeContent]) -> None:
    """Members that begin with an underscore may be anywhere behind the first, others behind the last (deb(5))."""
    data = ar(_VERSION, ("_new", b"x"), _CONTROL, ("_other", b""), _DATA, ("later", b"x"))
    assert read_control(read_deb(opened(data))).fields["Package"] == "libfoo1"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a .deb file"),
        (b"<html>", "not a .deb file"),
        (ar(), "not a .deb file of format 2"),
        (ar(("debian-binary", b"3.0\n"), _CONTROL, _DATA), "not a .deb file of format 2"),
        (ar(_CONTROL, _DATA), "not a .deb file of format 2"),
        (ar(_VERSION, _DATA, _CONTROL), "no control.tar with a data.tar"),
        (ar(_VERSION, _CONTROL), "no control.tar with a data.tar"),
        (ar(_VERSION, _CONTROL, _CONTROL, _DATA), "no control.tar with a data.tar"),
        (FOO.data[:-100], "goes beyond its end"),
        (FOO.data[:100], "not a header|goes beyond"),
        (FOO.data.replace(b"`\n", b"xx"), "not a header of an ar archive"),
        (FOO.data[:56] + b"-1        " + FOO.data[66:], "not a header of an ar archive"),
        (ar(_VERSION, _CONTROL, *(("_x", b""),) * 20, _DATA), "more than 16 members"),
    ],
)
def test_what_is_no_package_is_refused(opened: Callable[[bytes], RangeContent], data: bytes, reason: str) -> None:
    """Each with its reason."""
    with pytest.raises(PackageError, match=f"^cannot use a.deb: .*({reason})"):
        read_deb(opened(data))


@pytest.mark.parametrize(
    ("control", "reason"),
    [
        (b"", "an empty file"),
        (b"x" * 600, "not a tar archive"),
        (packed(b"x" * 600, "xz"), "control.tar"),
        (packed(tar({"control": FOO.control}), "xz")[:-20], "control.tar"),
        (packed(tar({"other": b""}), "xz"), "no control file"),
        (packed(tar({"control": "/etc/passwd"}), "xz"), "no control file"),
        (packed(tar({"control": b"nonsense"}), "xz"), "is not a field"),
        (packed(bytes(MAX_CONTROL + 1), "gz"), "unpacks to more than"),
    ],
)
def test_a_damaged_control_tar_is_refused(opened: Callable[[bytes], RangeContent], control: bytes, reason: str) -> None:
    """Each with its reason, and none that unpacks without end."""
    with pytest.raises(PackageError, match=reason):
        read_control(read_deb(opened(ar(_VERSION, ("control.tar", control), _DATA))))


def test_any_damage_gives_one_clear_error(opened: Callable[[bytes], RangeContent]) -> None:
    """Whatever byte is changed, it is read or refused."""
    data = FOO.data
    for at in range(0, len(data), 7):
        changed = data[:at] + bytes((data[at] ^ 0x55,)) + data[at + 1 :]
        try:
            read_control(read_deb(opened(changed)))
        except MinpackError as error:
            assert error.message.startswith("cannot use a.deb: ")  # noqa: PT017 - most are read all the same
