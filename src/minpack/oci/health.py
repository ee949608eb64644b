"""`HealthConfig`: the health check in an image's configuration, which is Docker's addition to it.

Docker reads it in images of either form; podman in Docker's alone, and Kubernetes and containerd never.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The members of a health check by the fields below (moby, `api/types/container.HealthConfig`).
_MEMBERS = {
    "test": "Test",
    "interval": "Interval",
    "timeout": "Timeout",
    "start_period": "StartPeriod",
    "start_interval": "StartInterval",
    "retries": "Retries",
}


class HealthConfig(NamedTuple):
    """What is run, after ``CMD`` or ``CMD-SHELL``, or ``NONE``; and how often, in nanoseconds.

    What is empty or 0 is not said, and engines have defaults for it.
    """

    test: tuple[str, ...] = ()
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0

    def document(self) -> dict[str, Any]:
        """The health check as JSON has it."""
        return {member: value for field, member in _MEMBERS.items() if (value := getattr(self, field))}


def inherited_health(health: HealthConfig, stated: object) -> HealthConfig:
    """A health check with what it does not say from `stated`, that of an image below: as it is there, if it can be."""
    below: Mapping[str, Any] = stated if isinstance(stated, dict) else {}
    test = below.get("Test")
    texts = tuple(one for one in test if isinstance(one, str)) if isinstance(test, list) else ()
    times = {
        field: value
        for field, member in _MEMBERS.items()
        if field != "test" and isinstance(value := below.get(member), int) and value > 0
    }
    said = {field: value for field, value in health._asdict().items() if value}
    return HealthConfig(**{"test": texts, **times, **said})
