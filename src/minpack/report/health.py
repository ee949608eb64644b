"""A health check in words, and as a probe of Kubernetes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from minpack.spec.health import HealthKind, duration_text, read_test

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.oci.health import HealthConfig
    from minpack.spec.health import HealthTest

_SECOND = 10**9
#: Docker's, where a health check says nothing (docker run reference, "Healthchecks"); all but the count in seconds.
INTERVAL, TIMEOUT, START_INTERVAL, RETRIES = 30, 30, 5, 3


def health_text(health: HealthConfig) -> str:
    """What is asked and how often, in a line."""
    if health.test == ("NONE",):
        return "none"
    test = read_test(health.test[1:]) if health.test[:1] == ("CMD",) else None
    what = test.url if test is not None and test.has_probe else " ".join(health.test[1:])
    return f"{what}, every {duration_text(health.interval or INTERVAL * _SECOND)}"


def kubernetes_lines(health: HealthConfig) -> list[str]:
    """The probe that asks the same in a container of Kubernetes, as YAML; nothing where nothing is asked.

    During Docker's start period failures do not count: a startup probe holds the other one back as long.
    """
    test = read_test(health.test[1:]) if health.test[:1] == ("CMD",) else None
    if test is None:
        return []
    asked = _handler(test, health)
    retries, interval = health.retries or RETRIES, whole_seconds(health.interval, INTERVAL)
    lines = ["# for a container of Kubernetes", "readinessProbe:", *asked, *_times(interval, health, retries)]
    if health.start_period:
        often = whole_seconds(health.start_interval, START_INTERVAL)
        lines += ["startupProbe:", *asked, *_times(often, health, -(-whole_seconds(health.start_period, 0) // often))]
    return lines


def _times(interval: int, health: HealthConfig, failures: int) -> list[str]:
    timeout = whole_seconds(health.timeout, TIMEOUT)
    return [f"  periodSeconds: {interval}", f"  timeoutSeconds: {timeout}", f"  failureThreshold: {max(failures, 1)}"]


def whole_seconds(nanoseconds: int, default: int) -> int:
    """Whole seconds, rounded up: Kubernetes has no others."""
    return -(-nanoseconds // _SECOND) or default


def _handler(test: HealthTest, health: HealthConfig) -> list[str]:
    """What is asked. The kubelet asks from outside: what listens on the loopback interface alone it cannot reach."""
    kind = HealthKind.EXEC if test.host else test.kind
    ((name, values),) = kubernetes_handler(kind, test.port, test.rest, health.test[1:]).items()
    return _fields(name, values)


def kubernetes_handler(kind: str, port: int, rest: str, command: Sequence[str]) -> dict[str, Any]:
    """How Kubernetes asks the same, under the name of that way; what is no server's is a command."""
    if kind == HealthKind.HTTP:
        return {"httpGet": {"path": rest or "/", "port": port}}
    if kind == HealthKind.TCP:
        return {"tcpSocket": {"port": port}}
    if kind == HealthKind.GRPC:
        service = rest.removeprefix("/")
        return {"grpc": {"port": port, **({"service": service} if service else {})}}
    return {"exec": {"command": list(command)}}


def _fields(name: str, values: dict[str, Any]) -> list[str]:
    """A mapping; its values are written as JSON, which YAML takes."""
    return [f"  {name}:", *(f"    {key}: {json.dumps(value)}" for key, value in values.items())]
