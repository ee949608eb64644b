"""The command that puts tools beside a container shares what it must with that one, and nothing more."""

from __future__ import annotations

import shlex

import pytest

from minpack.debug.attach import attach_command
from minpack.spec.debug import parse_attach

RUN = "run --rm -it --pid=container:web --network=container:web --cap-add=SYS_PTRACE"


@pytest.mark.parametrize(
    ("engine", "program"), [("", "docker"), ("docker", "docker"), ("podman", "podman"), ("containerd", "nerdctl")]
)
def test_each_engine_has_its_command(engine: str, program: str) -> None:
    """With the same options."""
    made = shlex.join(attach_command(parse_attach("web"), "me/app:1-debug", engine))
    assert made == f"{program} {RUN} --user=0:0 me/app:1-debug"


def test_a_pod_is_debugged_by_its_container() -> None:
    """The profile gives what tracing takes."""
    made = shlex.join(attach_command(parse_attach("prod/pod/web/app"), "ghcr.io/me/app@sha256:0"))
    options = "--namespace prod pod/web --image ghcr.io/me/app@sha256:0 --target app --profile general"
    assert made == f"kubectl debug -it {options}"


def test_without_a_terminal_none_is_asked_for() -> None:
    """Engines refuse -t then."""
    made = attach_command(parse_attach("web"), "x", user="1:2", terminal=False)
    assert "-i" in made
    assert "--user=1:2" in made
