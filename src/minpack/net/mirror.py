"""The address of a mirror, as it is given."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.errors import UsageError

if TYPE_CHECKING:
    from minpack.net.network import Network


def mirror_address(mirror: str, network: Network) -> tuple[str, Network]:
    """`mirror` without user and password, and the network that knows to send them there.

    :raises UsageError: `mirror` is not a URL.
    """
    check_mirror(mirror)
    scheme, _, rest = mirror.rstrip("/").partition("://")
    host, slash, path = rest.partition("/")
    login, at, host = host.rpartition("@")
    if at:
        from urllib.parse import unquote  # noqa: PLC0415

        network = network._replace(login=(f"{scheme}://{host}", unquote(login)))
    return f"{scheme}://{host}{slash}{path}", network


def check_mirror(mirror: str, option: str = "--mirror") -> None:
    """Raise `UsageError` if `mirror` is not a URL; `option` is what it was given by."""
    if re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", mirror) is not None:
        return
    # Whatever else is wrong with it, a password in it is not shown.
    shown = re.sub(r"[^/]*@", "…@", mirror)
    bare = "://" not in mirror and re.fullmatch(r"[\w.:-]+(/\S*)?", shown) is not None
    hint = f"write it as https://{shown}" if bare else "write it as https://HOST/PATH"
    raise UsageError(option, shown, "it is not an http:// or https:// address", hint)
