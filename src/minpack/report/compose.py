"""A service of Compose for an image: a read-only root, no capabilities but its own, and what it writes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minpack.excerpt import listed
from minpack.images.workload import MOST_NAMED
from minpack.report.kubernetes import volume_names

if TYPE_CHECKING:
    from minpack.images.workload import Mount, Probe, Workload

_UNITS = ((60 * 10**9, "m"), (10**9, "s"), (10**6, "ms"), (10**3, "us"), (1, "ns"))
#: How long Docker waits for what it stops; it is stated as it is what the signal to stop is followed by.
_GRACE = "10s"


def compose_document(workload: Workload, name: str, image: str) -> dict[str, Any]:
    """The document with one service, and the volumes that it keeps.

    :param image: its reference.
    """
    kept = [mount for mount in workload.mounts if mount.is_volume]
    named = [f"{name}-{one}" for one in volume_names(kept)]
    service: dict[str, Any] = {"image": image}
    if workload.user is not None:
        service["user"] = str(workload.user)
    service["read_only"] = True
    service["cap_drop"] = ["ALL"]
    if workload.capabilities:
        service["cap_add"] = list(workload.capabilities)
    else:
        service["security_opt"] = ["no-new-privileges:true"]
    if workload.home:
        service["environment"] = {"HOME": workload.home}
    if workload.ports:
        service["ports"] = [_port(number, protocol) for number, protocol in workload.ports]
    mounts = [_tmpfs(mount, workload) for mount in workload.mounts if not mount.is_volume]
    if mounts:
        service["tmpfs"] = mounts
    if kept:
        service["volumes"] = [
            {"type": "volume", "source": source, "target": mount.path}
            for source, mount in zip(named, kept, strict=True)
        ]
    if workload.probe is not None:
        service["healthcheck"] = _health(workload.probe)
    if workload.stop_signal:
        service["stop_signal"] = workload.stop_signal
    service["stop_grace_period"] = _GRACE
    document: dict[str, Any] = {"services": {name: service}}
    if named:
        document["volumes"] = {source: {} for source in named}
    found: dict[str, Any] = _literal(document)
    return found


def compose_notes(workload: Workload) -> tuple[str, ...]:
    """What to know of the document."""
    notes = []
    if workload.capabilities:
        names = ", ".join(workload.capabilities)
        notes.append(
            f"the program's file has capabilities ({names}), which count for nothing where no privileges may be gained:"
            " no-new-privileges is left out"
        )
    if workload.user is not None and workload.user.uid == 0:
        notes.append("it runs as root: pack it with another --user, or set user: if it can do without root")
    closed = [mount.path for mount in workload.mounts if mount.is_closed]
    if closed:
        notes.append(
            f"a new volume belongs to whom the image's directory does: {workload.user} cannot write to"
            f" {listed(closed, MOST_NAMED)}"
        )
    return tuple(notes)


def _port(number: int, protocol: str) -> str:
    return f"{number}:{number}" + ("" if protocol == "tcp" else f"/{protocol}")


def _tmpfs(mount: Mount, workload: Workload) -> str:
    """A directory in memory, as the image has it: for all, or for its user."""
    user = workload.user
    if mount.path in ("/tmp", "/var/tmp") or user is None:  # noqa: S108 - the image's
        return f"{mount.path}:mode=1777"
    return f"{mount.path}:mode=0755,uid={user.uid},gid={user.gid}"


def _health(probe: Probe) -> dict[str, Any]:
    times = {
        "interval": probe.interval,
        "timeout": probe.timeout,
        "start_period": probe.start_period,
        "start_interval": probe.start_interval,
    }
    found: dict[str, Any] = {"test": list(probe.test)}
    found |= {key: _duration(value) for key, value in times.items() if value}
    return found | ({"retries": probe.retries} if probe.retries else {})


def _duration(nanoseconds: int) -> str:
    """A time in the largest unit of which it is a whole number."""
    size, unit = next((size, unit) for size, unit in _UNITS if nanoseconds % size == 0)
    return f"{nanoseconds // size}{unit}"


def _literal(value: Any) -> Any:  # noqa: ANN401 - of any document
    """`value` with every dollar doubled: Compose puts variables in the place of others."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, list):
        return [_literal(one) for one in value]
    return {key: _literal(one) for key, one in value.items()} if isinstance(value, dict) else value
