"""What whoever ships an image may not have meant: secrets, programs with more rights, links that lead nowhere."""

from __future__ import annotations

import posixpath
import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from minpack.base.walk import tree_below
from minpack.errors import MinpackError
from minpack.images.finding import Finding, Severity
from minpack.images.layers import hidden_paths
from minpack.images.users import lines_of
from minpack.paths import ROOT
from minpack.plan.links import comes_later
from minpack.plan.secrets import holds_key
from minpack.rootfs.capability import shown
from minpack.rootfs.entry import Kind
from minpack.rootfs.modes import SET_ID_BITS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.base.walk import Walker
    from minpack.oci.documents import ImageConfig
    from minpack.paths import RootPath
    from minpack.rootfs.entry import Entry

#: Files that programs keep secrets in, by their names; what is public has other names.
_SECRET_FILES = {
    "an SSH private key": ("*/id_rsa", "*/id_dsa", "*/id_ecdsa", "*/id_ed25519", "*/ssh_host_*_key"),
    "a list of passwords": ("*/.netrc", "*/.pgpass", "*/.git-credentials", "*/.htpasswd", "*/.my.cnf"),
    "credentials of a cloud": ("*/.aws/credentials", "*/.config/gcloud/credentials.db", "*/.azure/accessTokens.json"),
    "credentials of a cluster or registry": ("*/.kube/config", "*/.docker/config.json", "*/.dockercfg"),
    "a secret that was mounted": ("/run/secrets/*", "/var/run/secrets/*"),
    "a key table of Kerberos": ("*.keytab",),
}
#: These have a private key or only certificates.
_KEY_FILES = ("*.pem", "*.key", "*.p8", "*_key")
_NAMES = re.compile(
    r"(^|_)(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|CREDENTIALS?)(_|$)", re.IGNORECASE
)
#: What is no secret for all its name: where one is read from, and what is looked up by.
_NOT_SECRET = re.compile(r"_(FILE|PATH|DIR|URL|NAME|ID|TTL|TYPE|LENGTH|EXPIR\w*)$", re.IGNORECASE)
_REMOVE = "leave it out of the image, and mount it at run time"
_SHADOW = "/etc/shadow"


def check_files(tree: Walker) -> Iterator[Finding]:
    """What each file and link of the tree shows by its name, mode or target."""
    for path, entry in tree_below(tree.base, ROOT):
        if entry is None:
            continue
        if entry.kind is Kind.SYMLINK:
            yield from _dangling(tree, entry)
        elif entry.kind is Kind.FILE:
            yield from _rights(entry)
            what = secret_of(path) or _private_key(entry)
            if what:
                yield Finding("secret", Severity.WARNING, path, f"it looks like {what}", _REMOVE)
    yield from _passwords(tree)


def _dangling(tree: Walker, link: Entry) -> Iterator[Finding]:
    target = posixpath.normpath(posixpath.join(posixpath.dirname(link.path), link.link))
    if not comes_later(target) and tree.walk(link.path).entry is None:
        yield Finding(
            "dangling-link", Severity.NOTE, link.path, f"it leads to {link.link!r}, which is not in the image"
        )


def _rights(entry: Entry) -> Iterator[Finding]:
    if entry.mode & SET_ID_BITS and entry.mode & 0o111:
        whom = f"{entry.uid}:{entry.gid}"
        reason = f"it runs with the rights of {whom} (mode {entry.mode:04o})"
        yield Finding("set-id", Severity.NOTE, entry.path, reason, "leave it out, or change its mode")
    if entry.capability:
        reason = f"it runs with {shown(entry.capability)}"
        yield Finding("set-id", Severity.NOTE, entry.path, reason)


def secret_of(path: str) -> str:
    """What a file of that path is for; empty if it is for no secret."""
    return next((what for what, forms in _SECRET_FILES.items() if any(fnmatchcase(path, one) for one in forms)), "")


def _private_key(entry: Entry) -> str:
    if entry.content is None or not any(fnmatchcase(entry.path, form) for form in _KEY_FILES):
        return ""
    try:
        return "a private key" if holds_key(entry.content) else ""
    except MinpackError:
        return ""


def _passwords(tree: Walker) -> Iterator[Finding]:
    """Accounts that a password opens; those of distributions have none (shadow(5))."""
    for fields in lines_of(tree, _SHADOW):
        if len(fields) > 1 and fields[1].startswith("$"):
            reason = f"it has the hash of the password of {fields[0]}"
            yield Finding("secret", Severity.WARNING, _SHADOW, reason, "leave it out: containers need no passwords")


def check_hidden(layers: tuple[tuple[RootPath, ...], ...]) -> Iterator[Finding]:
    """Secrets of lower layers that later ones hide: everyone who has the image can read them."""
    for path, number in hidden_paths(layers):
        what = secret_of(path)
        if what:
            reason = f"layer {number} still has it, although a later layer deletes it: it looks like {what}"
            yield Finding(
                "secret", Severity.WARNING, path, reason, "rebuild the image without it, and replace the secret"
            )


def check_variables(config: ImageConfig) -> Iterator[Finding]:
    """Secrets among the variables, which everyone who has the image can read."""
    for name, value in config.env:
        if value and _NAMES.search(name) and not _NOT_SECRET.search(name) and not value.startswith("/"):
            reason = f"the variable {name} looks like a secret"
            yield Finding("secret", Severity.WARNING, "Env", reason, "pass it to the container at run time")
