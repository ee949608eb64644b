"""What the commands of recipes work with: a registry, mirrors of bases, tools, and stand-ins for images."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from support.apt import debian_mirror
from support.dockerregistry import running_registry
from support.mirror import Mirror
from support.packing import SOURCE
from support.registries import free_port
from support.tools import need_tool

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from support.recipes import Page

#: As it was before any test changed it: compilers keep their caches and toolchains where it says.
_ENVIRONMENT = dict(os.environ)
_HOME = Path(_ENVIRONMENT.get("HOME", "/root"))
#: Programs that a page's commands may begin with, and that a machine may lack.
TOOLS = ("buildah", "busybox", "docker", "gcc", "getcap", "go", "musl-gcc", "openssl", "rustc", "skopeo")
#: Wrappers in front of the page's PATH; docs/recipes/index.md says what they do besides.
WRAPPERS = {
    # No container of the tests has a network.
    "docker": (
        'case " $*" in *" --network"*) ;; " run "*) shift; set -- run --network none "$@" ;; esac; exec {tool} "$@"'
    ),
    # Libraries that tests put in front of others are unknown to it.
    "pip": 'unset PYTHONPATH; exec {tool} -m pip "$@"',
    # A store of the page's own, and RUN without a network.
    "buildah": (
        'command=$1; shift; case $command in build) set -- --isolation oci --network none --pull=never {volumes} "$@";;'
        ' esac; exec {tool} --storage-driver vfs --root "$STORAGE/root" --runroot "$STORAGE/run" "$command" "$@"'
    ),
}
#: What an image that stands for one of Docker Hub has besides what is mounted: Debian's links to /usr, and room.
STAND_IN = """
c=$(buildah from scratch) && m=$(buildah mount "$c") && mkdir -p -m 0777 "$m/tmp" "$m/root" || exit
for name in bin sbin lib lib64; do ln -s "usr/$name" "$m/$name"; done
buildah umount "$c" && buildah config --env PATH="$PATH" --env GOCACHE="$GOCACHE" "$c" || exit
for name; do buildah commit -q "$c" "$name" || exit; done
"""


def from_names(page: Page) -> list[str]:
    """The images that the page's Dockerfiles begin with, by their whole names."""
    lines = [line.split() for one in page.files if "Dockerfile" in one.title for line in one.lines]
    stages = {words[3] for words in lines if words[:1] == ["FROM"] and len(words) == 4}
    names = dict.fromkeys(words[1] for words in lines if words[:1] == ["FROM"])
    return [f"docker.io/library/{name}" for name in names if name not in stages and name != "scratch"]


def mounts(environment: Mapping[str, str]) -> list[str]:
    """The tools of this machine, which the stages of a build find where they are here."""
    of_python = {sys.prefix, sys.base_prefix, str(SOURCE)}
    found = [path for path in of_python if not path.startswith("/usr/")]
    return [
        "/usr:/usr:ro",
        *(f"{path}:{path}:ro" for path in sorted(found)),
        f"{environment['GOCACHE']}:{environment['GOCACHE']}",
    ]


def words(page: Page) -> set[str]:
    """The words of a page's commands and files: programs, bases, names."""
    text = "\n".join([command.text for command in page.commands] + [line for one in page.files for line in one.lines])
    return set(re.findall(r"[\w./-]+", text))


@contextmanager
def workplace(page: Page, place: Path, cache: Path, data: Path) -> Generator[tuple[str, dict[str, str]]]:
    """The repository and the environment that a page's commands get.

    The test is skipped where the machine lacks a tool or Debian's mirror.
    """
    used = words(page)
    tools = {name: need_tool(name) for name in TOOLS if name in used} | {"pip": sys.executable}
    for name in ("home", "bin"):
        (place / name).mkdir(parents=True)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MINPACK_")},
        "CARGO_HOME": str(_HOME / ".cargo"),
        "CGO_ENABLED": "0",
        "GOCACHE": _ENVIRONMENT.get("GOCACHE", str(_HOME / ".cache/go-build")),
        "GOENV": "off",
        "GOFLAGS": "",
        "GOTOOLCHAIN": "local",
        "HOME": str(place / "home"),
        "LC_ALL": "C.UTF-8",
        "PATH": os.pathsep.join([str(place / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PORT": str(free_port()),
        "RUSTUP_HOME": str(_HOME / ".rustup"),
        "STORAGE": str(place / "storage"),
        "TERM": "dumb",
        "XDG_CACHE_HOME": str(cache),
    }
    Path(environment["GOCACHE"]).mkdir(parents=True, exist_ok=True)
    volumes = " ".join(f"--volume {mount}" for mount in mounts(environment))
    for name in WRAPPERS.keys() & tools.keys():
        path = place / "bin" / name
        path.write_text("#!/bin/sh\n" + WRAPPERS[name].format(tool=tools[name], volumes=volumes) + "\n")
        path.chmod(0o755)
    if from_names(page):
        command = ("sh", "-c", STAND_IN, "sh", *from_names(page))
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    with ExitStack() as stack:
        host = stack.enter_context(running_registry(_made(place / "registry")))
        if any(word.startswith("alpine-") for word in used):
            mirror = stack.enter_context(Mirror())
            mirror.add_tree("/alpine/v3.20/releases/x86_64", data / "bases")
            environment["MINPACK_MIRROR"] = f"{mirror.url}/alpine"
        if any(word.startswith("debian-") for word in used):
            environment["MINPACK_MIRROR_DEBIAN"] = debian_mirror()
        repository = f"{host}/me"
        if "docker" in tools:
            stack.callback(_forget, tools["docker"], repository)
        yield repository, environment


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True)
    return directory


def _forget(docker: str, repository: str) -> None:
    """Remove the containers and images that a page left in the engine."""
    listed = subprocess.run(
        (docker, "ps", "--all", "--format", "{{.ID}} {{.Image}}"), capture_output=True, text=True, check=True
    )
    ids = [line.split()[0] for line in listed.stdout.splitlines() if line.split()[1].startswith(repository)]
    # What was pulled by its digest has no tag.
    form = "{{.Repository}}:{{.Tag}} {{.Repository}}@{{.Digest}}"
    listed = subprocess.run(
        (docker, "images", "--digests", "--format", form), capture_output=True, text=True, check=True
    )
    images = [name for name in listed.stdout.split() if name.startswith(repository) and "<none>" not in name]
    for command, names in (("rm", ids), ("rmi", images)):
        if names:
            subprocess.run((docker, command, "--force", *names), capture_output=True, check=False)
