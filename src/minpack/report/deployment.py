"""A deployment as the document that its platform reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minpack.report.compose import compose_document, compose_notes
from minpack.report.kubernetes import deployment_of, kubernetes_notes, name_labels, pod_document, pod_spec

if TYPE_CHECKING:
    from minpack.images.deploy import Deployment

COMPOSE = "compose"


def platform_document(deployment: Deployment, platform: str, kind: str, *, any_user: bool) -> dict[str, Any]:
    """What the platform reads."""
    one = deployment
    if platform == COMPOSE:
        return compose_document(one.workload, one.name, one.reference)
    labels = name_labels(one.name, one.tag)
    pod = pod_spec(one.workload, one.name, one.reference, pinned=one.pinned, any_user=any_user)
    return pod_document(labels, pod) if kind == "pod" else deployment_of(labels, pod)


def platform_notes(deployment: Deployment, platform: str, *, any_user: bool) -> tuple[str, ...]:
    """What to know of that."""
    workload = deployment.workload
    more = compose_notes(workload) if platform == COMPOSE else kubernetes_notes(workload, any_user=any_user)
    return (*deployment.notes, *workload.notes, *more)


def deployment_document(deployment: Deployment, platform: str, kind: str, *, any_user: bool) -> dict[str, Any]:
    """``minpack.deployment/1``."""
    return {
        "schema": "minpack.deployment/1",
        "image": deployment.reference,
        "platform": str(deployment.platform),
        "for": platform,
        "document": platform_document(deployment, platform, kind, any_user=any_user),
        "notes": list(platform_notes(deployment, platform, any_user=any_user)),
    }
