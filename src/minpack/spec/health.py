"""How an engine is to ask whether a container is healthy: what is asked, how often, and Docker's form of both."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from minpack.errors import OPTION, BadValueError
from minpack.namedtuple import NamedTuple
from minpack.oci.health import HealthConfig
from minpack.paths import RootPath

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Where the probe is in an image.
PROBE = RootPath("/.minpack/probe")
#: The port of http, the one scheme that has one by itself.
_HTTP_PORT = 80
#: As in src/probe/url.h: the longest path or service.
_MOST_REST = 1024
#: As in src/probe/probe.c: the most milliseconds that the probe takes.
_MOST_LIMIT = 10**9
_MAX_PORT = 65535
#: The least that Docker takes (moby, `validateHealthCheck`), in nanoseconds.
_LEAST_TIME = 10**6
#: More than a year: Docker's own limit is some 292.
_MOST_TIME = 400 * 24 * 3600 * 10**9
_MOST_RETRIES = 1000
_URL = r"(?P<scheme>[a-z]+)://(?P<host>\[[^\]/]*\]|[^/:\[\]]*)(:(?P<port>[^/]*))?(?P<rest>/.*)?"
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_EXAMPLES = f"for example {OPTION} http://:8080/healthz, tcp://:5432, grpc://:9000 or 'exec:/usr/local/bin/app health'"


class HealthKind(StrEnum):
    """What is asked."""

    HTTP = "http"
    TCP = "tcp"
    GRPC = "grpc"
    #: A program of the image.
    EXEC = "exec"
    #: Nothing: an image below has its health check taken away.
    NONE = "none"


class HealthTest(NamedTuple):
    """What is asked: a server in the container, at `host` and `port`, or a command.

    `rest` is the path, or the name of a gRPC service behind a slash. `host` is empty for the container itself.
    """

    kind: HealthKind
    command: tuple[str, ...] = ()
    host: str = ""
    port: int = 0
    rest: str = ""

    @property
    def has_probe(self) -> bool:
        """Whether it takes the probe to ask."""
        return self.kind in (HealthKind.HTTP, HealthKind.TCP, HealthKind.GRPC)

    @property
    def url(self) -> str:
        """What the probe is asked; empty without."""
        return f"{self.kind}://{self.host}:{self.port}{self.rest}" if self.has_probe else ""

    def __str__(self) -> str:
        if self.kind is not HealthKind.EXEC:
            return self.url or str(self.kind)
        import shlex  # noqa: PLC0415 - for commands alone

        return f"{self.kind}:{shlex.join(self.command)}"


class Health(NamedTuple):
    """A health check; without `test` that of the image below, with other times.

    Times are in nanoseconds; what is 0 is not said.
    """

    test: HealthTest | None = None
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0

    @property
    def config(self) -> HealthConfig:
        """What the image's configuration has of it."""
        return HealthConfig(_docker_test(self), *self[1:])

    @property
    def first_option(self) -> str:
        """The option of the first time that is said."""
        name = next((name for name, value in zip(self._fields[1:], self[1:], strict=True) if value), "")
        return f"--health-{name.replace('_', '-')}" if name else "--health"


def _docker_test(health: Health) -> tuple[str, ...]:
    """What is run, in Docker's form (image-spec of Docker, v1.2, "Healthcheck")."""
    test = health.test
    if test is None:
        return ()
    if test.kind is HealthKind.NONE:
        return ("NONE",)
    if not test.has_probe:
        return ("CMD", *test.command)
    return ("CMD", PROBE, test.url, *_limit(health.timeout))


def _limit(timeout: int) -> tuple[str, ...]:
    """What tells the probe to give up when Docker does: by itself it does so after 30 seconds, Docker's default."""
    return (str(min(-(-timeout // 10**6), _MOST_LIMIT)),) if timeout else ()


def limited(config: HealthConfig) -> HealthConfig:
    """A health check whose timeout is another one now: if it asks the probe, that waits as long."""
    kind, command = config.test[:1], config.test[1:]
    test = read_test(command)
    if kind != ("CMD",) or test is None or not test.has_probe:
        return config
    return config._replace(test=(*kind, *command[:2], *_limit(config.timeout)))


def duration_text(nanoseconds: int) -> str:
    """A time as `parse_duration` reads it, in the largest unit that it is a whole number of."""
    for unit in ("s", "ms", "us"):
        if nanoseconds % _UNITS[unit] == 0:
            return f"{nanoseconds // _UNITS[unit]}{unit}"
    return f"{nanoseconds}ns"


def read_test(command: Sequence[str]) -> HealthTest | None:
    """What a health check asks that runs `command`; None where it runs none."""
    if not command:
        return None
    if command[0] == PROBE and len(command) > 1:
        try:
            return parse_health(command[1])
        except BadValueError:
            pass
    return HealthTest(HealthKind.EXEC, tuple(command))


def parse_health(text: str) -> HealthTest:
    """``http://[HOST]:PORT[/PATH]``, ``tcp://[HOST]:PORT``, ``grpc://[HOST]:PORT[/SERVICE]``, ``exec:PROGRAM [ARG…]``.

    ``none`` takes away the health check of an image below.

    :raises BadValueError: it is none of these.
    """
    if text == "none":
        return HealthTest(HealthKind.NONE)
    kind, colon, rest = text.partition(":")
    if colon and kind == "exec":
        return HealthTest(HealthKind.EXEC, _parse_command(text, rest))
    if kind in ("https", "grpcs", "tls"):
        hint = f"{OPTION} 'exec:/usr/local/bin/app health' runs a program of the image, which may"
        raise BadValueError(text, "the probe does not speak TLS", hint)
    found = re.fullmatch(_URL, text, re.ASCII | re.DOTALL)
    if found is None or found["scheme"] not in ("http", "tcp", "grpc"):
        raise BadValueError(text, "it is not the address of a health check", _EXAMPLES)
    test = HealthTest(HealthKind(found["scheme"]), (), found["host"], _parse_port(text, found), found["rest"] or "")
    _check_host(text, test)
    _check_rest(text, test)
    return test


def _parse_command(text: str, words: str) -> tuple[str, ...]:
    """The words of a command line, as a shell splits them; no shell is run."""
    import shlex  # noqa: PLC0415 - for commands alone

    try:
        command = tuple(shlex.split(words))
    except ValueError as error:
        raise BadValueError(text, "its quotes do not match", f"for example {OPTION} 'exec:/bin/app \"a b\"'") from error
    if not command or not command[0] or "\0" in text:
        raise BadValueError(text, "it names no program", f"for example {OPTION} 'exec:/usr/local/bin/app health'")
    return command


def _parse_port(text: str, found: re.Match[str]) -> int:
    port, scheme = found["port"], found["scheme"]
    if port is None and scheme == HealthKind.HTTP:
        return _HTTP_PORT
    if port is None or re.fullmatch("[0-9]{1,5}", port, re.ASCII) is None or not 0 < int(port) <= _MAX_PORT:
        number, mark, query = (port or "").partition("?")
        if mark and scheme == HealthKind.HTTP:
            hint = f"write {OPTION} '{scheme}://{found['host']}:{number}/?{query}'"
            raise BadValueError(text, "it has no path in front of the question mark", hint)
        if "@" in (port or ""):
            hint = f"{OPTION} 'exec:/usr/local/bin/app health' runs a program of the image, which may"
            raise BadValueError(text, "the probe sends no user and no password", hint)
        reason = f"{port!r} is not a port" if port else "it has no port"
        raise BadValueError(text, reason, f"for example {OPTION} {scheme}://:8080")
    return int(port)


def _check_host(text: str, test: HealthTest) -> None:
    """Raise `BadValueError` if the probe knows no address of the host: it looks up no names."""
    numbers = test.host.split(".")
    if test.host in ("", "localhost", "[::1]"):
        return
    if len(numbers) == 4 and all(re.fullmatch("0|[1-9][0-9]{0,2}", n, re.ASCII) and int(n) < 256 for n in numbers):  # noqa: PLR2004 - of IPv4
        return
    reason = f"the probe looks up no names, and {test.host!r} is no address that it knows"
    raise BadValueError(text, reason, f"it asks the container itself: {OPTION} {test._replace(host='').url}")


def _check_rest(text: str, test: HealthTest) -> None:
    """Raise `BadValueError` if there is something behind the port that cannot be asked for."""
    if test.kind is HealthKind.TCP and test.rest:
        raise BadValueError(text, "a TCP port has no path", f"write {OPTION} {test._replace(rest='').url}")
    if len(test.rest) > _MOST_REST or re.fullmatch(r"[!-~]*", test.rest) is None:
        reason = f"its path has to be printable ASCII of at most {_MOST_REST} characters"
        raise BadValueError(text, reason, "write other characters as %20")
    if test.kind is HealthKind.HTTP and "#" in test.rest:
        raise BadValueError(
            text, "a fragment (#…) is never sent to a server", f"write {OPTION} {text.partition('#')[0]}"
        )


def parse_duration(text: str) -> int:
    """A time as Docker has it, ``30s``, ``1m30s``, ``500ms``, in nanoseconds.

    :raises BadValueError: it is none, or none that engines take.
    """
    unit = "|".join(_UNITS)
    if re.fullmatch(rf"(\d{{1,9}}(\.\d{{1,9}})?({unit}))+", text, re.ASCII) is None:
        is_number = re.fullmatch(r"[1-9]\d{0,6}", text, re.ASCII) is not None
        hint = f"write {OPTION} {text}s" if is_number else "for example 30s or 1m30s"
        raise BadValueError(text, "it is not a time", hint)
    total = 0
    for number, name in re.findall(rf"([\d.]+)({unit})", text):
        whole, _, part = number.partition(".")
        total += int(whole) * _UNITS[name] + int(part or 0) * _UNITS[name] // 10 ** len(part)
    if not _LEAST_TIME <= total <= _MOST_TIME:
        reason = "engines accept no time below 1ms" if total < _LEAST_TIME else "it is more than a year"
        raise BadValueError(text, reason, "for example 30s or 1m30s")
    return total


def parse_retries(text: str) -> int:
    """How many failures in a row make a container unhealthy.

    :raises BadValueError: it is not a number from 1 on.
    """
    if re.fullmatch(r"\d{1,4}", text, re.ASCII) is None or not 0 < int(text) <= _MOST_RETRIES:
        raise BadValueError(text, f"it is not a number from 1 to {_MOST_RETRIES}", f"for example {OPTION} 3")
    return int(text)
