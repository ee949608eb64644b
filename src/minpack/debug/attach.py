"""The command that puts tools beside a running container: in its namespaces of processes and network, not in its files.

The container's own files are below /proc/1/root then (proc(5)), to which CAP_SYS_PTRACE leads whatever its user is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minpack.spec.debug import AttachTarget

#: What stands for Docker's command, by the engine's name.
_COMMANDS = {"podman": "podman", "containerd": "nerdctl"}


def attach_command(
    target: AttachTarget, image: str, engine: str = "", user: str = "", *, terminal: bool = True
) -> tuple[str, ...]:
    """The command that starts the shell of `image` beside the container.

    :param engine: the engine that has the container; Docker's if it is empty.
    :param user: the shell's user; root if it is empty.
    :param terminal: whether there is a terminal for the shell.
    """
    tty = "-it" if terminal else "-i"
    if target.pod:
        namespace = ("--namespace", target.namespace) if target.namespace else ()
        chosen = ("--image", image, "--target", target.container, "--profile", "general")
        return ("kubectl", "debug", tty, *namespace, f"pod/{target.pod}", *chosen)
    beside = [f"--{kind}=container:{target.container}" for kind in ("pid", "network")]
    rights = ("--cap-add=SYS_PTRACE", f"--user={user or '0:0'}")
    return (_COMMANDS.get(engine, "docker"), "run", "--rm", tty, *beside, *rights, image)
