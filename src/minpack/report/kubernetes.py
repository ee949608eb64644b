"""A Deployment or a Pod of Kubernetes for an image: a read-only root, no root user, and nothing that it does not need.

It fulfils the Pod Security Standard "restricted", but where a note says why it cannot.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from minpack.report.health import INTERVAL, RETRIES, START_INTERVAL, TIMEOUT, kubernetes_handler, whole_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.images.workload import Mount, Probe, Workload

_NAME, _VERSION = "app.kubernetes.io/name", "app.kubernetes.io/version"
#: Kubernetes' own, stated as it is what the signal to stop is followed by.
_GRACE = 30
#: Only root, or who may bind them, listens on lower ports, unless the kernel is told otherwise.
_FIRST_PORT = 1024
_BIND = "NET_BIND_SERVICE"
_MOST_NAME = 63


def name_labels(name: str, tag: str) -> dict[str, str]:
    """The labels of an object and its Pods (Kubernetes, "Recommended Labels"), without a tag that can be none."""
    is_value = len(tag) <= _MOST_NAME and re.fullmatch("[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?", tag, re.ASCII)
    return {_NAME: name, **({_VERSION: tag} if is_value else {})}


def pod_document(labels: dict[str, str], pod: dict[str, Any]) -> dict[str, Any]:
    """A Pod by itself."""
    metadata = {"name": labels[_NAME], "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod}


def deployment_of(labels: dict[str, str], pod: dict[str, Any]) -> dict[str, Any]:
    """A Deployment with one Pod."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": labels[_NAME], "labels": labels},
        "spec": {
            "replicas": 1,
            # What is selected by can never be changed, and a version is.
            "selector": {"matchLabels": {_NAME: labels[_NAME]}},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def kubernetes_notes(workload: Workload, *, any_user: bool) -> tuple[str, ...]:
    """What to know of the document."""
    notes = []
    if workload.capabilities:
        names = ", ".join(workload.capabilities)
        notes.append(
            f"the program's file has capabilities ({names}), which count for nothing where no privileges may be gained"
            " (no_new_privs): allowPrivilegeEscalation is true, so the Pod Security Standard 'restricted' refuses it"
        )
    if not any_user and workload.user is not None and workload.user.uid == 0:
        notes.append("it runs as root: pack it with another --user, or set runAsUser if it can do without root")
    kept = [mount.path for mount in workload.mounts if mount.is_volume]
    if kept:
        notes.append("an emptyDir is gone with its Pod: to keep a volume, put a persistentVolumeClaim in its place")
    if workload.stop_signal:
        notes.append(f"it is stopped with {workload.stop_signal}, and killed {_GRACE} seconds later")
    return tuple(notes)


def pod_spec(workload: Workload, name: str, image: str, *, pinned: bool, any_user: bool = False) -> dict[str, Any]:
    """What a Pod runs, and how.

    :param image: its reference, which has a digest if it is `pinned`.
    :param any_user: whether the platform chooses the user.
    """
    names = volume_names(workload.mounts)
    container: dict[str, Any] = {"name": name, "image": image}
    if not pinned:
        # Of a tag that is loaded into the node there is nothing to pull.
        container["imagePullPolicy"] = "IfNotPresent"
    if workload.home:
        container["env"] = [{"name": "HOME", "value": workload.home}]
    if workload.ports:
        container["ports"] = [
            {"containerPort": number, "protocol": protocol.upper()} for number, protocol in workload.ports
        ]
    container["securityContext"] = _container_security(workload)
    if workload.probe is not None:
        container |= _probes(workload.probe)
    if names:
        container["volumeMounts"] = [
            {"name": named, "mountPath": mount.path} for named, mount in zip(names, workload.mounts, strict=True)
        ]
    return {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": _GRACE,
        "securityContext": _pod_security(workload, any_user=any_user),
        "containers": [container],
        **({"volumes": [{"name": named, "emptyDir": {}} for named in names]} if names else {}),
    }


def _pod_security(workload: Workload, *, any_user: bool) -> dict[str, Any]:
    user = workload.user
    security: dict[str, Any] = {}
    if any_user:
        # The platform gives the numbers, and refuses others.
        security = {"runAsNonRoot": True}
    elif user is not None:
        security = {"runAsNonRoot": user.uid != 0, "runAsUser": user.uid, "runAsGroup": user.gid}
        if workload.mounts and user.uid:
            security["fsGroup"] = user.gid
    low = any(number < _FIRST_PORT for number, _ in workload.ports)
    if low and _BIND not in workload.capabilities and (any_user or user is None or user.uid):
        # One of those that every cluster allows (Kubernetes, "Using sysctls in a Kubernetes Cluster").
        security["sysctls"] = [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]
    return {**security, "seccompProfile": {"type": "RuntimeDefault"}}


def _container_security(workload: Workload) -> dict[str, Any]:
    added = {"add": list(workload.capabilities)} if workload.capabilities else {}
    return {
        "allowPrivilegeEscalation": bool(workload.capabilities),
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], **added},
    }


def _probes(probe: Probe) -> dict[str, Any]:
    """What asks the same; during Docker's start period failures do not count: a startup probe holds others back."""
    asked: dict[str, Any] = kubernetes_handler(probe.kind, probe.port, probe.rest, probe.command)
    interval = whole_seconds(probe.interval, INTERVAL)
    times = {"timeoutSeconds": whole_seconds(probe.timeout, TIMEOUT)}
    always: dict[str, Any] = {**asked, "periodSeconds": interval, **times, "failureThreshold": probe.retries or RETRIES}
    found = {"livenessProbe": always, "readinessProbe": always}
    if probe.start_period:
        often = whole_seconds(probe.start_interval, START_INTERVAL)
        failures = max(1, -(-whole_seconds(probe.start_period, 0) // often))
        found["startupProbe"] = {**asked, "periodSeconds": often, **times, "failureThreshold": failures}
    return found


def volume_names(mounts: Sequence[Mount]) -> list[str]:
    """A name for each, after its path; of those that are alike the later ones have a number (RFC 1123 labels)."""
    found: list[str] = []
    for mount in mounts:
        name = re.sub("[^a-z0-9]+", "-", mount.path.lower())[:_MOST_NAME].strip("-") or "volume"
        number = 2
        first = name[: _MOST_NAME - 4].rstrip("-")
        while name in found:
            name, number = f"{first}-{number}", number + 1
        found.append(name)
    return found
