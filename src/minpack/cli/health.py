"""The options about how engines ask whether a container is healthy, and what the program may do without root."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from minpack.cli.options import Parsed, applied
from minpack.errors import UsageError
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from minpack.spec.capability import Capability
    from minpack.spec.health import Health, HealthTest


def _test(text: str) -> HealthTest:
    from minpack.spec.health import parse_health  # noqa: PLC0415 - as all here: if one of the options is given

    return parse_health(text)


def _time(text: str) -> int:
    from minpack.spec.health import parse_duration  # noqa: PLC0415

    return parse_duration(text)


def _retries(text: str) -> int:
    from minpack.spec.health import parse_retries  # noqa: PLC0415

    return parse_retries(text)


def _capability(text: str) -> Capability:
    from minpack.spec.capability import parse_capability  # noqa: PLC0415

    return parse_capability(text)


_DURATION = Parsed(_time)

health_options = applied(
    click.option(
        "--health",
        type=Parsed(_test),
        metavar="URL|exec:COMMAND|none",
        help="Health check: http://:8080/healthz, tcp://:5432 or grpc://:9000[/SERVICE] adds a small probe"
        " (no TLS); 'exec:/usr/local/bin/app health' runs a command; none removes the check of the"
        " --on image.",
    ),
    click.option(
        "--health-interval", type=_DURATION, metavar="TIME", help="Time between health checks. Default: Docker's, 30s."
    ),
    click.option(
        "--health-timeout",
        type=_DURATION,
        metavar="TIME",
        help="Time limit of one health check. Default: Docker's, 30s.",
    ),
    click.option(
        "--health-start-period",
        type=_DURATION,
        metavar="TIME",
        help="Time for the program to start, in which failures do not count. Default: Docker's, 0s.",
    ),
    click.option(
        "--health-start-interval",
        type=_DURATION,
        metavar="TIME",
        help="Time between health checks during the start period. Default: Docker 25's, 5s.",
    ),
    click.option(
        "--health-retries",
        type=Parsed(_retries),
        metavar="N",
        help="Number of failures in a row that make a container unhealthy. Default: Docker's, 3.",
    ),
    click.option(
        "--cap",
        "capabilities",
        multiple=True,
        type=Parsed(_capability),
        metavar="NAME[+ep|+eip]",
        help="Give the program a file capability, such as net_bind_service to use ports below 1024 without"
        " root; repeatable.",
    ),
)


class HealthOptions(NamedTuple):
    """The options about the health check, as they were given, each value parsed."""

    health: HealthTest | None = None
    health_interval: int | None = None
    health_timeout: int | None = None
    health_start_period: int | None = None
    health_start_interval: int | None = None
    health_retries: int | None = None


def health_of(options: HealthOptions) -> Health | None:
    """The health check that the options mean; None where none of them is given.

    :raises UsageError: some contradict each other.
    """
    if not any(options):
        return None
    from minpack.spec.health import Health, HealthKind  # noqa: PLC0415

    health = Health(options.health, *(value or 0 for value in options[1:]))
    if health.test is not None and health.test.kind is HealthKind.NONE and any(options[1:]):
        raise UsageError(health.first_option, "", "--health none leaves nothing to check", "give only one of them")
    # Without a test it is about an image below, which may have a start period.
    if health.test is not None and health.start_interval and not health.start_period:
        hint = "add --health-start-period, or leave it out"
        raise UsageError("--health-start-interval", "", "without a start period it is never used", hint)
    return health
