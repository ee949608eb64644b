"""File capabilities: which are true, what they are called, and giving and reading them."""

from __future__ import annotations

import os
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minpack.rootfs.access import CAPABILITY, is_capability, is_executable, read_capability
from minpack.rootfs.capability import shown, unusual, write_capability
from minpack.rootfs.entry import Kind
from support.capabilities import NET_RAW, capability
from support.tools import need_tool

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", False),
        (b"\1\0\0", False),
        (NET_RAW, True),
        (NET_RAW[:-1], False),
        (NET_RAW + bytes(4), False),
        (struct.pack("<IIIIII", 3 << 24, 1, 0, 0, 0, 1000), True),
        (struct.pack("<III", 1 << 24, 1, 0), True),
        (struct.pack("<III", 2 << 24, 1, 0), False),
        (struct.pack("<IIIII", 4 << 24, 1, 0, 0, 0), False),
    ],
)
def test_the_forms_that_the_kernel_takes(data: bytes, expected: bool) -> None:
    """Each revision has its size, and there are three."""
    assert is_capability(data) == expected


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (NET_RAW, "cap_net_raw=ep"),
        (capability(permitted=(10, 13), effective=True), "cap_net_bind_service,cap_net_raw=ep"),
        (capability(permitted=(13,)), "cap_net_raw=p"),
        (capability(permitted=(13,), inheritable=(13,), effective=True), "cap_net_raw=eip"),
        (capability(permitted=(0,), inheritable=(40,)), "cap_chown=p cap_checkpoint_restore=i"),
        (capability(permitted=(63,)), "63=p"),
        (struct.pack("<III", 1 << 24, 1 << 21, 0), "cap_sys_admin=p"),
        (capability(), ""),
    ],
)
def test_how_they_are_shown(data: bytes, text: str) -> None:
    """Names with their flags, as getcap(8) has them."""
    assert shown(data) == text


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (NET_RAW, ()),
        (capability(permitted=(13, 19, 21), effective=True), ("SYS_PTRACE", "SYS_ADMIN")),
        (capability(permitted=(19,)), ()),
        (capability(inheritable=(19,), effective=True), ()),
    ],
)
def test_what_containers_do_not_have(data: bytes, expected: tuple[str, ...]) -> None:
    """What the program must have at its start, and engines do not give by themselves."""
    assert unusual(data) == expected


@pytest.mark.parametrize(
    ("kind", "mode", "expected"),
    [(Kind.FILE, 0o755, True), (Kind.FILE, 0o001, True), (Kind.FILE, 0o644, False), (Kind.DIRECTORY, 0o755, False)],
)
def test_what_can_use_them(kind: Kind, mode: int, expected: bool) -> None:
    """Only what is executed."""
    assert is_executable(kind, mode) == expected


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_giving_and_reading(tmp_path: Path) -> None:
    """What is given is what is read, and what getcap shows."""
    path = tmp_path / "app"
    path.write_bytes(b"x")
    assert read_capability(str(path)) == b""
    for data in (NET_RAW, capability(permitted=(0, 12, 40), inheritable=(12,), effective=True)):
        descriptor = os.open(path, os.O_RDONLY)
        assert write_capability(descriptor, data)
        os.close(descriptor)
        assert read_capability(os.fsencode(path)) == data == os.getxattr(path, CAPABILITY)
    done = subprocess.run([need_tool("getcap"), path], capture_output=True, text=True, check=True)
    assert set(shown(data).split()) == set(done.stdout.replace("+", "=").split()[1:])


def test_what_cannot_be_read_or_given(tmp_path: Path) -> None:
    """A file that is not there has none, and what the kernel does not take is not given."""
    assert read_capability(str(tmp_path / "missing")) == b""
    (tmp_path / "app").write_bytes(b"x")
    descriptor = os.open(tmp_path / "app", os.O_RDONLY)
    assert not write_capability(descriptor, b"nonsense")
    os.close(descriptor)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.booleans())
def test_every_set_has_a_name(permitted: int, inheritable: int, effective: bool) -> None:
    """Each capability is shown once, whatever the sets are."""
    halves = [part >> shift & 0xFFFFFFFF for shift in (0, 32) for part in (permitted, inheritable)]
    text = shown(struct.pack("<I4I", 2 << 24 | effective, *halves))
    names = [name for group in text.split() for name in group.partition("=")[0].split(",")]
    assert len(names) == len(set(names)) == (permitted | inheritable).bit_count()
