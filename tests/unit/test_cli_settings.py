"""What commands take from the environment."""

from __future__ import annotations

import subprocess
import time

import pytest

from minpack.cli.settings import (
    StoreSettings,
    created,
    debian_mirror,
    engine_environment,
    now,
    proxies,
    store_directory,
    temporary_directory,
    today,
)
from minpack.errors import UsageError
from minpack.spec.values import MAX_CREATED

NONE = StoreSettings(offline=False, mirror="", cache_dir=None, no_cache=False)


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable that counts is set."""
    for name in ("XDG_CACHE_HOME", "HOME", "TMPDIR", "SOURCE_DATE_EPOCH", "DOCKER_HOST"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"XDG_CACHE_HOME": "/c", "HOME": "/h"}, "/c/minpack/v1"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/h"}, "/h/.cache/minpack/v1"),
        ({"XDG_CACHE_HOME": "", "HOME": "/h"}, "/h/.cache/minpack/v1"),
        ({"HOME": "/h"}, "/h/.cache/minpack/v1"),
        ({"HOME": "relative"}, None),
        ({"HOME": ""}, None),
        ({}, None),
    ],
)
def test_where_the_store_is(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str | None) -> None:
    """In the user's cache; relative paths in its variables are not heeded, and without a home there is none."""
    monkeypatch.setattr("sys.platform", "linux")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert store_directory(NONE) == expected
    assert store_directory(NONE._replace(cache_dir="mine")) == "mine/minpack/v1"
    assert store_directory(NONE._replace(cache_dir="mine", no_cache=True)) is None


def test_where_the_store_is_on_macos(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Apple has caches; XDG_CACHE_HOME is heeded there too."""
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setenv("HOME", "/Users/me")
    assert store_directory(NONE) == "/Users/me/Library/Caches/minpack/v1"
    monkeypatch.setenv("XDG_CACHE_HOME", "/c")
    assert store_directory(NONE) == "/c/minpack/v1"


@pytest.mark.parametrize(
    ("option", "variable", "expected"),
    [
        (None, None, 0),
        (None, "", 0),
        (None, "17", 17),
        ("5", "17", 5),
        ("0", "17", 0),
        (str(MAX_CREATED), None, MAX_CREATED),
    ],
)
def test_time_stamps(monkeypatch: pytest.MonkeyPatch, option: str | None, variable: str | None, expected: int) -> None:
    """--created, else SOURCE_DATE_EPOCH, else 1970."""
    if variable is not None:
        monkeypatch.setenv("SOURCE_DATE_EPOCH", variable)
    assert created(option) == expected


@pytest.mark.parametrize("text", ["", "-1", "1.5", "today", "²", " 1", str(MAX_CREATED + 1), "9" * 5000])
def test_what_is_no_time_stamp(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """The message names the option or the variable."""
    with pytest.raises(UsageError, match="--created"):
        created(text)
    if text:
        monkeypatch.setenv("SOURCE_DATE_EPOCH", text)
        with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH"):
            created(None)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, {}),
        ({"https_proxy": "a", "HTTPS_PROXY": "b"}, {"https": "a"}),
        ({"HTTPS_PROXY": "b", "HTTP_PROXY": "c"}, {"https": "b"}),
        ({"all_proxy": "d", "http_proxy": "e"}, {"http": "e", "https": "d", "no_proxy": ""}),
        ({"NO_PROXY": "x,y", "https_proxy": "a"}, {"https": "a", "no_proxy": "x,y"}),
    ],
)
def test_proxies(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: dict[str, str]) -> None:
    """The lower-case names win, and HTTP_PROXY is not heeded: a web server sets it from a request (httpoxy)."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert proxies() == expected


def test_other_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """TMPDIR counts unless it is empty, and all of Docker's variables."""
    assert temporary_directory() == "/tmp"
    monkeypatch.setenv("TMPDIR", "")
    assert temporary_directory() == "/tmp"
    monkeypatch.setenv("TMPDIR", "/var/tmp")
    assert temporary_directory() == "/var/tmp"
    monkeypatch.setenv("DOCKER_HOST", "tcp://host")
    assert engine_environment()["DOCKER_HOST"] == "tcp://host"
    assert "TMPDIR" not in engine_environment()


@pytest.mark.parametrize(
    ("option", "common", "own", "expected"),
    [
        ("", "", "", ""),
        ("", "", "http://own", "http://own"),
        ("http://option", "", "http://own", "http://option"),
        ("http://common", "http://common", "http://own", "http://own"),
        ("http://common", "http://common", "", "http://common"),
        ("http://option", "http://common", "http://own", "http://option"),
    ],
)
def test_debians_mirror(monkeypatch: pytest.MonkeyPatch, option: str, common: str, own: str, expected: str) -> None:
    """--mirror, else its own variable, else the one for all bases, which is the option's default."""
    monkeypatch.setenv("MINPACK_MIRROR", common)
    monkeypatch.setenv("MINPACK_MIRROR_DEBIAN", own)
    assert debian_mirror(NONE._replace(mirror=option)) == expected


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("1769817600000", "that is more precise than seconds: write --created 1769817600"),
        ("1769817600000000000", "that is more precise than seconds: write --created 1769817600"),
        ("@1769817600", "write --created 1769817600"),
        ("1769817600.25", "write --created 1769817600"),
        ("2026-01-31", "write --created $(date -u -d 2026-01-31 +%s)"),
        ("2026-01-31 12:00:00Z", "write --created $(date -u -d '2026-01-31 12:00:00Z' +%s)"),
        ("yesterday", "write --created $(git log -1 --format=%ct)"),
        ("-1", "write --created $(git log -1 --format=%ct)"),
        ("", "write --created $(git log -1 --format=%ct)"),
    ],
)
def test_moments_in_other_forms(text: str, hint: str) -> None:
    """A moment that is not a number of seconds is refused with how to write it, which is taken."""
    with pytest.raises(UsageError) as caught:
        created(text)
    assert caught.value.hint == hint
    typed = hint.rpartition("write --created ")[2]
    if typed.startswith("$(date"):
        typed = subprocess.run(["sh", "-c", f"echo {typed}"], capture_output=True, text=True, check=True).stdout.strip()
    if "git" not in typed:
        assert created(typed) > 1_700_000_000


def test_a_moment_of_the_environment_in_another_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hint names the variable as a shell sets it."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1769817600000")
    with pytest.raises(UsageError) as caught:
        created(None)
    assert caught.value.hint == "that is more precise than seconds: SOURCE_DATE_EPOCH=1769817600"


@pytest.mark.parametrize(
    ("clock", "day"),
    [(-62135596800, "1970-01-01"), (-(10**18), "1970-01-01"), (253402300800, "9999-12-31"), (10**18, "9999-12-31")],
)
def test_odd_clocks(monkeypatch: pytest.MonkeyPatch, clock: int, day: str) -> None:
    """A clock that is off by ages gives a day that compares with others, and never fails."""
    monkeypatch.setattr(time, "time_ns", lambda: clock * 10**9)
    assert today() == day
    assert 0 <= now() <= MAX_CREATED
