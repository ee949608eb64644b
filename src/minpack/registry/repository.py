"""`ImageRepository`: where a registry keeps the images of one name."""

from __future__ import annotations

import re

from minpack.namedtuple import NamedTuple
from minpack.net.address import is_loopback

#: Docker Hub, as references name it; and where it answers.
HUB = "docker.io"
_HUB_API = "registry-1.docker.io"
#: What Docker and podman keep credentials for Docker Hub under.
_HUB_KEY = "https://index.docker.io/v1/"


class ImageRepository(NamedTuple):
    """``host/name``, as a `Reference` has them: Docker Hub's ``alpine`` is ``docker.io/library/alpine``."""

    host: str
    name: str

    def __str__(self) -> str:
        return f"{self.host}/{self.name}"

    @property
    def api_host(self) -> str:
        """The ``HOST[:PORT]`` that answers."""
        return _HUB_API if self.host == HUB else self.host

    @property
    def auth_key(self) -> str:
        """What the host's credentials are kept under, and what a credential helper is asked for."""
        return _HUB_KEY if self.host == HUB else self.host


def host_alone(host: str) -> str:
    """`host` without its port."""
    return re.sub(r":\d+$", "", host)


def is_local(host: str) -> bool:
    """Whether it is this machine, with or without a port."""
    return is_loopback(host_alone(host))
