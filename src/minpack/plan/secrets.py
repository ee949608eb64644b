"""What is never taken from a base: passwords, private keys, people's own files, and what is not a file of a system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.content import read_all
from minpack.errors import BaseError
from minpack.plan.model import Origin, ReasonKind
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from minpack.content import Content
    from minpack.paths import RootPath
    from minpack.plan.model import Plan

#: Where they lie, and what they are. Sources: shadow(5), gshadow(5), hier(7), and the packages that make them.
_DIRECTORIES = (
    (("/root/", "/home/", "/Users/"), "is in a home directory"),
    (("/etc/ssl/private/", "/etc/pki/tls/private/", "/etc/ipsec.d/private/", "/etc/wireguard/"), "is a private key"),
    (("/run/secrets/", "/var/run/secrets/"), "is a secret"),
    (("/proc/", "/sys/", "/dev/"), "belongs to the kernel, not to a root file system"),
)
_PASSWORDS = ("/etc/shadow", "/etc/gshadow", "/etc/security/opasswd", "/etc/ppp/chap-secrets", "/etc/ppp/pap-secrets")
_KEYS = ("/etc/krb5.keytab", "/etc/ipsec.secrets")
#: How every PEM private key begins: plain, RSA, EC, OPENSSH, ENCRYPTED (RFC 7468; PROTOCOL.key of OpenSSH).
PEM_KEY = b"PRIVATE KEY-----"
_QUOTES = (b'"', b"'")
MAX_TEXT = 16 << 20


def refuse_private(plan: Plan, base: str) -> None:
    """Raise `BaseError` if the plan takes a secret or a private file from the base. Links may lead anywhere.

    :param base: the base's name.
    """
    for planned in plan.entries:
        entry, reason = planned.entry, planned.reason
        if planned.source is not Origin.BASE or entry.kind is not Kind.FILE or entry.content is None:
            continue
        why = why_private(entry.path)
        if not why and reason.kind is ReasonKind.NEED and holds_key(entry.content):
            why = "holds a private key"
        if why:
            what = reason.need or reason.text
            hint = "name it with --add SRC:DST if it is meant for the image" + (
                f", or leave it out with --no-need {reason.need}" if reason.need else ""
            )
            raise BaseError(base, f"{what} leads to {entry.path!r}, which {why}", hint)


def why_private(path: RootPath) -> str:
    """What is private about a file there; empty if nothing is."""
    for directories, why in _DIRECTORIES:
        if path.startswith(directories):
            return why
    if path.rstrip("-") in _PASSWORDS:
        return "holds passwords"
    name = path.rpartition("/")[2]
    if path in _KEYS or (name.startswith("ssh_host_") and name.endswith("_key")) or "/.ssh/" in path:
        return "is a private key"
    return ""


def holds_key(content: Content) -> bool:
    """Whether a text holds a private key. What is too large for a text holds none.

    Nor does a module that compares with the first or last line of one, as a constant in quotes.
    """
    if content.size > MAX_TEXT:
        return False
    return any(after[:1] not in _QUOTES for after in read_all(content, MAX_TEXT).split(PEM_KEY)[1:])
