"""Tools that make images of the cases of `support.startways`; each leaves what `docker save` would."""

from __future__ import annotations

import json
import shlex
import subprocess
from typing import TYPE_CHECKING

from support.startways import saved
from support.tools import need_tool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.startways import StartCase

    Builder = Callable[[StartCase, str, Path, Path], None]


def loaded(archive: Path) -> bool:
    """Whether an engine takes an archive."""
    command = ("docker", "load", "-q", "-i", str(archive))
    return subprocess.run(command, capture_output=True, check=False, timeout=120).returncode == 0


def _run(*command: str, **values: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=values.get("cwd"))
    assert done.returncode == 0, f"{shlex.join(command)}: {done.stderr}"
    return done.stdout.strip()


def by_archive(one: StartCase, name: str, archive: Path, _place: Path) -> None:
    """Written by the tests."""
    archive.write_bytes(saved(one, name))


def by_umoci(one: StartCase, name: str, archive: Path, place: Path) -> None:
    """An OCI layout of umoci's, with the layers as they are."""
    umoci, layout = need_tool("umoci"), place / "layout"
    _run("rm", "-rf", str(layout))
    _run(umoci, "init", "--layout", str(layout))
    image = f"{layout}:x"
    _run(umoci, "new", "--image", image)
    for each in one.layers:
        (place / "layer.tar").write_bytes(each.tar)
        _run(umoci, "raw", "add-layer", "--image", image, str(place / "layer.tar"))
    flags: list[str] = []
    for key, option in (("Entrypoint", "entrypoint"), ("Cmd", "cmd"), ("Env", "env")):
        flags += [f"--config.{option}={value}" for value in one.config.get(key, ())]
    flags += [f"--config.volume={path}" for path in one.config.get("Volumes", ())]
    flags += [f"--config.exposedports={port}" for port in one.config.get("ExposedPorts", ())]
    flags += [f"--config.label={key}={value}" for key, value in one.config.get("Labels", {}).items()]
    for key, option in (("User", "user"), ("WorkingDir", "workingdir"), ("StopSignal", "stopsignal")):
        flags += [f"--config.{option}={one.config[key]}"] if key in one.config else []
    _run(umoci, "config", "--image", image, "--architecture=amd64", "--os=linux", *flags)
    _run(need_tool("skopeo"), "copy", "-q", f"oci:{image}", f"docker-archive:{archive}:{name}")


def by_dockerfile(one: StartCase, name: str, archive: Path, place: Path) -> None:
    """Built by the engine of a Dockerfile."""
    context = place / "context"
    context.mkdir(exist_ok=True)
    lines = ["FROM scratch"]
    for number, each in enumerate(one.layers):
        (context / f"{number}.tar").write_bytes(each.tar)
        lines.append(f"ADD {number}.tar /")
    lines += [f"ENV {text}" for text in one.config.get("Env", ()) if not text.startswith("=")]
    lines += [f"VOLUME {json.dumps(list(one.config['Volumes']))}"] if "Volumes" in one.config else []
    lines += [f"EXPOSE {' '.join(one.config['ExposedPorts'])}"] if "ExposedPorts" in one.config else []
    lines += [f"LABEL {key}={value}" for key, value in one.config.get("Labels", {}).items()]
    lines += [f"{word} {json.dumps(one.config[key])}" for key, word in _LISTS.items() if one.config.get(key)]
    lines += [f"{word} {one.config[key]}" for key, word in _WORDS.items() if key in one.config]
    health = one.config.get("Healthcheck", {}).get("Test")
    if health:
        lines.append(
            "HEALTHCHECK NONE" if health == ["NONE"] else f"HEALTHCHECK {health[0].partition('-')[0]} {_test(health)}"
        )
    (context / "Dockerfile").write_text("\n".join(lines) + "\n")
    _run("env", "DOCKER_BUILDKIT=0", "docker", "build", "-q", "--network=none", "--no-cache", "-t", name, str(context))
    _run("docker", "save", "-o", str(archive), name)
    _run("docker", "rmi", "-f", name)


_LISTS = {"Entrypoint": "ENTRYPOINT", "Cmd": "CMD"}
_WORDS = {"User": "USER", "WorkingDir": "WORKDIR", "StopSignal": "STOPSIGNAL"}


def _test(health: list[str]) -> str:
    return health[1] if health[0] == "CMD-SHELL" else json.dumps(health[1:])


def by_buildah(one: StartCase, name: str, archive: Path, place: Path) -> None:
    """Put together by buildah, step by step."""
    buildah = (need_tool("buildah"), "--storage-driver=vfs", "--root", str(place / "storage"))
    container = _run(*buildah, "from", "scratch")
    try:
        for each in one.layers:
            (place / "layer.tar").write_bytes(each.tar)
            _run(*buildah, "add", "-q", container, str(place / "layer.tar"), "/")
        options: list[str] = []
        for key in ("Entrypoint", "Cmd"):
            options += [f"--{key.lower()}={json.dumps(one.config[key])}"] if one.config.get(key) else []
        options += [f"--env={text}" for text in one.config.get("Env", ()) if not text.startswith("=")]
        options += [f"--volume={path}" for path in one.config.get("Volumes", ())]
        for key, option in (("User", "user"), ("WorkingDir", "workingdir"), ("StopSignal", "stop-signal")):
            options += [f"--{option}={one.config[key]}"] if key in one.config else []
        _run(*buildah, "config", *options, container)
        _run(*buildah, "commit", "-q", "--format=docker", container, f"docker-archive:{archive}:{name}")
    finally:
        _run(*buildah, "rm", container)


BUILDERS: tuple[Builder, ...] = (by_umoci, by_dockerfile, by_buildah)
