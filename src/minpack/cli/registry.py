"""How registries are reached: the options about it, and what the environment says. For commands that ask registries."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from minpack.cli.settings import proxies
from minpack.net.network import Network
from minpack.registry.options import RegistryOptions

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def registry_options(given: Mapping[str, Any], hosts: Collection[str] = ()) -> RegistryOptions:  # noqa: ARG001
    """How registries are reached, by the options that were given and the environment.

    :param hosts: the registries that are asked.
    """
    offline, ca_file = given.get("offline", False), os.environ.get("SSL_CERT_FILE", "")
    return RegistryOptions(Network(offline=offline, proxies=proxies(), ca_file=ca_file))
