"""The health check of a planned image: its place in the configuration, the probe that it takes, and that it can run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.errors import HealthCheckError, UsageError
from minpack.plan.entrypoint import launch
from minpack.plan.model import Origin, PlannedEntry, Reason, ReasonKind
from minpack.rootfs.entry import file
from minpack.spec.health import PROBE, HealthKind

if TYPE_CHECKING:
    from minpack.oci.health import HealthConfig
    from minpack.plan.entrypoint import Start
    from minpack.spec.health import Health
    from minpack.spec.image import ImageSpec
    from minpack.target import Platform

#: Who asks for no health check of an image.
NOTE = (
    "Docker runs the health check; podman runs it only in images in Docker's own format, and Kubernetes and containerd"
    " never do (-v shows the probe for Kubernetes)"
)
_COMMAND = "name a program of the image, with its path: --health 'exec:/usr/local/bin/app health'"


def health_config(spec: ImageSpec) -> HealthConfig | None:
    """What the image's configuration says of it; None where nothing was asked for.

    :raises UsageError: it changes the health check of an image below, and there is none.
    """
    health = spec.run.health
    if health is None:
        return None
    if spec.on is None and health.test is None:
        reason = "there is no health check to configure"
        raise UsageError(health.first_option, "", reason, "add --health, or --on an IMAGE with a health check")
    if spec.on is None and health.test is not None and health.test.kind is HealthKind.NONE:
        reason = "there is no image below with a health check to remove"
        raise UsageError("--health", "none", reason, "leave it out")
    return health.config


def probe_entry(health: Health | None, platform: Platform) -> PlannedEntry | None:
    """The probe, if the health check takes one.

    :raises UsageError: there is none for the platform.
    """
    if health is None or health.test is None or not health.test.has_probe:
        return None
    from minpack.embedded.probe import probe  # noqa: PLC0415 - commands take none

    content = probe(platform)
    if content is None:
        reason = f"minpack has no health probe for {platform}"
        raise UsageError("--health", health.test.url, reason, "--health 'exec:PROGRAM ARG' runs a program of the image")
    entry = file(PROBE, content, 0o755)
    return PlannedEntry(entry, Origin.DEFAULT, Reason(ReasonKind.HEALTH, f"asks {health.test.url} for --health"))


def check_health(start: Start) -> None:
    """Raise `HealthCheckError` if the command of the health check is nothing that a container of the image can run."""
    health = start.config.health
    if health is None or health.test[:1] != ("CMD",):
        return
    refusal = launch(start, health.test[1]).refusal
    if refusal is not None:
        hint = refusal.hint or (_COMMAND if "/" not in health.test[1] else start.advice)
        raise HealthCheckError(health.test[1], refusal.reason, hint)
