"""What --health and its times mean, and what an image's configuration has of it."""

from __future__ import annotations

import pytest

from minpack.cli.options import value_of
from minpack.errors import BadValueError, UsageError
from minpack.oci.health import HealthConfig, inherited_health
from minpack.spec.health import (
    PROBE,
    Health,
    HealthKind,
    HealthTest,
    duration_text,
    limited,
    parse_duration,
    parse_health,
    parse_retries,
    read_test,
)

SECOND = 10**9


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://:8080/healthz", HealthTest(HealthKind.HTTP, (), "", 8080, "/healthz")),
        ("http://", HealthTest(HealthKind.HTTP, (), "", 80)),
        ("http://localhost/a?b=%20", HealthTest(HealthKind.HTTP, (), "localhost", 80, "/a?b=%20")),
        ("tcp://:5432", HealthTest(HealthKind.TCP, (), "", 5432)),
        ("tcp://[::1]:1", HealthTest(HealthKind.TCP, (), "[::1]", 1)),
        ("grpc://127.0.0.2:65535/my.Service", HealthTest(HealthKind.GRPC, (), "127.0.0.2", 65535, "/my.Service")),
        ("exec:/app health", HealthTest(HealthKind.EXEC, ("/app", "health"))),
        ("exec:app 'a b' \"c\"", HealthTest(HealthKind.EXEC, ("app", "a b", "c"))),
        ("none", HealthTest(HealthKind.NONE)),
    ],
)
def test_what_is_asked(text: str, expected: HealthTest) -> None:
    """Each form, and that it is written as it is read."""
    assert parse_health(text) == expected
    assert parse_health(str(expected)) == expected


@pytest.mark.parametrize(
    ("text", "reason", "hint"),
    [
        ("https://:8443/", "the probe does not speak TLS", "runs a program of the image"),
        ("curl -f http://localhost", "not the address of a health check", "for example --health http://:8080"),
        ("http://web:8080/x", "'web' is no address", "--health http://:8080/x"),
        ("http://1.2.3.04:80/", "is no address", "--health http://:80/"),
        ("http://[::2]:80/", "is no address", "--health http://:80/"),
        ("http://user@:80/", "is no address", "--health http://:80/"),
        ("tcp://", "it has no port", "--health tcp://:8080"),
        ("tcp://:0", "'0' is not a port", "--health tcp://:8080"),
        ("grpc://:65536", "'65536' is not a port", "--health grpc://:8080"),
        ("http://:\u0663/", "is not a port", "--health http://:8080"),
        ("tcp://:80/x", "a TCP port has no path", "--health tcp://:80"),
        ("http://:80/a b", "printable ASCII", "%20"),
        ("http://:80/ü", "printable ASCII", "%20"),
        (f"http://:80/{'x' * 1024}", "at most 1024", "%20"),
        ("http://:80/a\r\nX: y", "printable ASCII", "%20"),
        ("http://:80/a#b", "fragment", "--health http://:80/a"),
        ("http://:80?a=b&c", "it has no path in front of the question mark", "--health 'http://:80/?a=b&c'"),
        ("http://me:x@localhost:80/", "the probe sends no user and no password", "--health 'exec:"),
        ("exec:", "it names no program", "exec:/usr/local/bin/app health"),
        ("exec:''", "it names no program", "exec:/usr/local/bin/app health"),
        ("exec:a 'b", "its quotes do not match", "exec:/bin/app"),
        ("exec:a\0", "it names no program", "exec:/usr/local/bin/app health"),
    ],
)
def test_what_cannot_be_asked(text: str, reason: str, hint: str) -> None:
    """Each is refused with what to write instead."""
    with pytest.raises(UsageError) as caught:
        value_of("--health", parse_health)(text)
    assert reason in str(caught.value)
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", 30 * SECOND),
        ("1m30s", 90 * SECOND),
        ("1.5s", 3 * SECOND // 2),
        ("500ms", SECOND // 2),
        ("1h", 3600 * SECOND),
        ("1000us", 10**6),
    ],
)
def test_times(text: str, expected: int) -> None:
    """As Docker's, in nanoseconds; and they are written so that they are read again."""
    assert parse_duration(text) == expected
    assert parse_duration(duration_text(expected)) == expected


@pytest.mark.parametrize("text", ["30", "s", "1 s", "-1s", "0s", "999us", "9999999h", "1d", "\u0661s", "1s\n"])
def test_what_is_no_time(text: str) -> None:
    """Docker takes none of these, or no image could say it."""
    with pytest.raises(BadValueError):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "hint"), [("30", "write --x 30s"), ("0", "for example 30s"), ("9" * 9, "for example")]
)
def test_hints_about_times_are_times(text: str, hint: str) -> None:
    """A unit is added where that makes it a time that is taken."""
    with pytest.raises(UsageError) as caught:
        value_of("--x", parse_duration)(text)
    assert (caught.value.hint or "").startswith(hint)


@pytest.mark.parametrize("text", ["0", "-1", "1001", "x", "1.5", "\u0663"])
def test_what_is_no_number_of_retries(text: str) -> None:
    """From 1 on."""
    assert parse_retries("3") == 3
    with pytest.raises(BadValueError):
        parse_retries(text)


def test_the_configuration_of_each() -> None:
    """The probe is told what to ask, and for how long if that was said; what is not said is left out."""
    http = parse_health("http://:80/")
    assert Health(http).config.document() == {"Test": ("CMD", PROBE, "http://:80/")}
    assert Health(http, timeout=SECOND + 1).config.test == ("CMD", PROBE, "http://:80/", "1001")
    # The most that the probe takes.
    assert Health(http, timeout=300 * 3600 * SECOND).config.test[-1] == "1000000000"
    assert Health(parse_health("exec:a b"), retries=2).config.document() == {"Test": ("CMD", "a", "b"), "Retries": 2}
    assert Health(parse_health("none")).config.document() == {"Test": ("NONE",)}
    times = Health(http, SECOND, 0, 2 * SECOND, 3 * SECOND, 4).config.document()
    assert {key: times[key] for key in times if key != "Test"} == {
        "Interval": SECOND,
        "StartPeriod": 2 * SECOND,
        "StartInterval": 3 * SECOND,
        "Retries": 4,
    }


@pytest.mark.parametrize("text", ["http://:80/x", "tcp://:1", "grpc://:9/s", "exec:/app 'a b'"])
def test_a_configuration_is_read_again(text: str) -> None:
    """What an image's health check asks is what was asked for."""
    test = parse_health(text)
    assert read_test(Health(test, timeout=SECOND).config.test[1:]) == test


def test_commands_of_others_are_commands() -> None:
    """The probe with what it cannot be asked is a command like any other."""
    assert read_test(()) is None
    assert read_test((PROBE, "x")) == HealthTest(HealthKind.EXEC, (PROBE, "x"))


def test_the_probe_waits_as_long_as_the_engine() -> None:
    """With another timeout, the probe of an image below has that one, and other commands stay as they are."""
    for below in (("CMD", PROBE, "tcp://:1"), ("CMD", PROBE, "tcp://:1", "5000")):
        assert limited(HealthConfig(below, timeout=60 * SECOND)).test == ("CMD", PROBE, "tcp://:1", "60000")
    for other in (("CMD", "/app", "5000"), ("CMD", PROBE, "x", "5000"), ("CMD-SHELL", PROBE, "tcp://:1"), ("CMD",)):
        assert limited(HealthConfig(other, timeout=SECOND)).test == other


def test_times_change_what_is_below() -> None:
    """What an image below says is kept where it can be; nonsense is not."""
    below = {"Test": ["CMD", "x"], "Interval": 7, "Retries": "3", "Timeout": -1, "Unknown": 1}
    assert inherited_health(HealthConfig(retries=5), below) == HealthConfig(("CMD", "x"), 7, retries=5)
    assert inherited_health(HealthConfig(retries=5), None) == HealthConfig(retries=5)
    assert inherited_health(HealthConfig(interval=1), {"Test": "x", "Interval": True}) == HealthConfig(interval=1)
