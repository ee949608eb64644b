"""What an `ImageSpec` asks for, by the names of options, as strangers may read it: without paths of this host.

Only what decides the bytes of the image is there: what checks, allows or explains something is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.spec.image import ImageSpec, RunConfig
from minpack.spec.values import PROGRAM_DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TypeAlias

    from minpack.spec.base_ref import BaseRef
    from minpack.spec.health import Health
    from minpack.spec.values import Addition

    Value: TypeAlias = str | bool | int | list[str]

_DEFAULT = ImageSpec(())


def parameters_of(spec: ImageSpec) -> Mapping[str, Value]:
    """What was asked for; what is the default is left out. Of files and directories of this host there are the names.

    The programs are called ``program``.
    """
    found: dict[str, Value | None] = {
        "program": _names(spec.programs),
        "base": _bases(spec),
        "on": _public(spec.on),
        "platform": [str(one) for one in spec.platforms] or (str(spec.platform) if spec.platform else None),
        "dest": spec.destination or (f"{spec.directory}/" if spec.directory != PROGRAM_DIRECTORY else None),
        **_of_files(spec),
        **_of_needs(spec),
        **_of_run(spec.run),
        **_of_health(spec.run.health),
        "cap": [str(one) for one in spec.capabilities],
        "created": spec.created or None,
        "compress": str(spec.compression) if spec.compression is not _DEFAULT.compression else None,
        "single-layer": spec.single_layer or None,
    }
    return {key: value for key, value in found.items() if value is not None and value not in ("", [], False)}


def _of_files(spec: ImageSpec) -> dict[str, Value | None]:
    return {
        "strip": spec.strip,
        "retarget": spec.retarget,
        "add": [_added(one) for one in spec.additions],
        "chown": str(spec.owner) if spec.owner is not None else None,
        "exclude": list(spec.excluded),
        "take": list(spec.taken),
        "dir": [str(one) for one in spec.directories],
        "symlink": [str(one) for one in spec.links],
        "add-lib": [_name(one) for one in spec.libraries],
        "allow-missing": sorted(spec.allowed_missing),
        "package": list(spec.packages),
        "no-package-data": not spec.package_data,
    }


def _of_needs(spec: ImageSpec) -> dict[str, Value | None]:
    return {
        "need": sorted(map(str, spec.wanted)),
        "no-need": sorted(map(str, spec.unwanted)),
        "tz": spec.zone,
        "locale": spec.locale,
        "ca-file": _name(spec.ca_file) if spec.ca_file is not None else None,
    }


def _of_run(run: RunConfig) -> dict[str, Value | None]:
    default = RunConfig()
    entrypoint = [""] if run.entrypoint == () else list(run.entrypoint or ())
    return {
        "entrypoint": entrypoint,
        "cmd": list(run.cmd),
        "env": _pairs(run.env),
        "user": str(run.user) if run.user != default.user else None,
        "any-user": run.any_user,
        "workdir": str(run.workdir) if run.workdir != default.workdir else None,
        "expose": list(run.exposed),
        "volume": list(run.volumes),
        "label": _pairs(run.labels),
        "annotation": _pairs(run.annotations),
        "stop-signal": run.stop_signal,
    }


def _of_health(health: Health | None) -> dict[str, Value | None]:
    if health is None:
        return {}
    from minpack.spec.health import duration_text  # noqa: PLC0415 - for --health alone

    test, *times, retries = health
    names = (f"health-{name.replace('_', '-')}" for name in health._fields[1:-1])
    texts = (duration_text(time) if time else None for time in times)
    said = str(test) if test is not None else None
    return {"health": said, **dict(zip(names, texts, strict=True)), "health-retries": retries or None}


def _bases(spec: ImageSpec) -> Value | None:
    """What --base names: one base, or one for each platform."""
    single = [f"{platform}={_public(base)}" for platform, base in spec.bases]
    every = _public(spec.base)
    if not single:
        return every
    return [*([every] if every else []), *single]


def _public(base: BaseRef | None) -> str | None:
    """The base as it is named everywhere; of a path of this host its last part."""
    if base is None:
        return None
    if base.path is None or base.is_host:
        return base.name
    kind = f"{base.image.transport}:" if base.image is not None else ""
    tag = f":{base.image.tag}" if base.image is not None and base.image.tag else ""
    return f"{kind}{_name(base.path)}{tag}"


def _added(addition: Addition) -> str:
    return str(addition._replace(source=_name(addition.source)))


def _names(paths: Iterable[str]) -> list[str]:
    return [_name(path) for path in paths]


def _name(path: str) -> str:
    """The last part of a path of this host."""
    return path.rstrip("/").rpartition("/")[2] or path


def _pairs(pairs: Iterable[tuple[str, str]]) -> list[str]:
    return [f"{key}={value}" for key, value in pairs]
