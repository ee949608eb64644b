"""Exchanging two names in one step, and knowing where that cannot be."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from minpack.host import exchange as module
from minpack.host.exchange import exchange

if TYPE_CHECKING:
    from pathlib import Path


def two(place: Path) -> tuple[str, str]:
    """A directory with a file, and another with another."""
    for name in ("one", "two"):
        (place / name).mkdir()
        (place / name / name).write_bytes(b"")
    return str(place / "one"), str(place / "two")


def test_two_full_directories(tmp_path: Path) -> None:
    """Each has the other's name afterwards, and nothing else is there."""
    first, second = two(tmp_path)
    assert exchange(first, second)
    assert (os.listdir(first), os.listdir(second)) == (["two"], ["one"])
    assert sorted(os.listdir(tmp_path)) == ["one", "two"]


class Without:
    """A C library that lacks the function, as musl does, and has the system call by number."""

    def __init__(self, library: Any) -> None:
        self.syscall = library.syscall


def test_by_the_number_of_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A C library without the function is no hindrance."""
    first, second = two(tmp_path)
    real = ctypes.CDLL
    monkeypatch.setattr(ctypes, "CDLL", lambda *given, **options: Without(real(*given, **options)))
    assert exchange(first, second)
    assert (os.listdir(first), os.listdir(second)) == (["two"], ["one"])
    with pytest.raises(FileNotFoundError):
        exchange(first, str(tmp_path / "missing"))


def test_where_it_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the function and the number, or with a kernel or file system that refuses it, nothing happens."""
    first, second = two(tmp_path)
    real = ctypes.CDLL
    with monkeypatch.context() as patch:
        patch.setattr(ctypes, "CDLL", lambda *given, **options: Without(real(*given, **options)))
        patch.setattr(module, "_NUMBERS", {})
        assert not exchange(first, second)
    with monkeypatch.context() as patch:
        # 2 is no valid set of flags with 1: EINVAL, as of a file system that cannot.
        patch.setattr(module, "_EXCHANGE", 3)
        assert not exchange(first, second)

    def static(*_given: object, **_options: object) -> object:
        raise OSError("Dynamic loading not supported")

    with monkeypatch.context() as patch:
        patch.setattr(ctypes, "CDLL", static)
        assert not exchange(first, second)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", "darwin")
        assert not exchange(first, second)
    assert (os.listdir(first), os.listdir(second)) == (["one"], ["two"])


def test_what_is_not_there(tmp_path: Path) -> None:
    """That one of them is missing is an error of the system's."""
    first, _ = two(tmp_path)
    with pytest.raises(FileNotFoundError):
        exchange(first, str(tmp_path / "missing"))
