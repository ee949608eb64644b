"""Where a base gets its packages from, and whom it trusts: ``etc/apk`` (apk-repositories(5), apk-keys(5))."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from minpack.apk.control import is_arch
from minpack.apk.signature import MAX_KEY, Key
from minpack.content import read_all
from minpack.errors import InputError, reason_of
from minpack.namedtuple import NamedTuple
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.base.walk import Walker

#: More bytes than any list of repositories has, and more keys than any root.
MAX_TEXT = 1 << 20
MAX_KEYS = 1000
#: Lists, in the order apk reads them; of directories every file ``*.list``.
_LISTS = ("/etc/apk/repositories", "/etc/apk/repositories.d", "/lib/apk/repositories.d")
#: An address of Alpine's own tree, on whatever mirror.
_ALPINE = re.compile(r"https?://[^\s?#]+?(/(?:v\d+\.\d+|edge|latest-stable)/[a-z0-9_-]+)/?", re.ASCII)
_ADDRESS = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?", re.ASCII)
_VERBS = ("v2", "v3", "ndx")


class Repository(NamedTuple):
    """A repository for one architecture: the directory with its index and its packages."""

    url: str

    @property
    def index_url(self) -> str:
        """The address of its index."""
        return f"{self.url}/APKINDEX.tar.gz"

    @property
    def label(self) -> str:
        """What to call it: ``alpine v3.22 main``, the last parts of its address without the architecture."""
        parts = self.url.partition("://")[2].split("/")[:-1]
        return " ".join(parts[1:][-3:] or parts)


class Listed(NamedTuple):
    """The repositories a base names, in order, and what there is to tell of those that are passed over."""

    repositories: tuple[Repository, ...]
    notes: tuple[str, ...]


def repositories_of(base: Walker, arch: str, mirror: str = "") -> Listed:
    """The repositories that the base names for `arch`.

    Tagged ones are for packages that ask for them and are left out, as are those that are no web address.

    :param mirror: the address of a copy of Alpine's tree, to be used in place of the base's.
    """
    found: dict[str, None] = {}
    notes = []
    for line in _lines(base):
        words = line.split()
        if not words or words[0].startswith(("#", "@")):
            continue
        verb = words.pop(0) if words[0] in _VERBS else "v2"
        if verb != "v2":
            notes.append(f"the base's repository {' '.join(words)!r} is skipped: minpack cannot read its kind ({verb})")
            continue
        for address in (f"{words[0].rstrip('/')}/{component}" for component in words[1:] or ("",)) if words else ():
            url = address.rstrip("/")
            alpine = _ALPINE.fullmatch(url)
            if alpine is not None and mirror:
                url = mirror + alpine[1]
            if _ADDRESS.fullmatch(url):
                found[f"{url}/{arch}"] = None
    return Listed(tuple(map(Repository, found)), tuple(notes))


def _lines(base: Walker) -> Iterator[str]:
    for path in _LISTS:
        entry = base.walk(path).entry
        if entry is None:
            continue
        names = [path]
        if entry.kind is Kind.DIRECTORY:
            names = [f"{path}/{name}" for name in base.base.listdir(entry.path) if name.endswith(".list")]
        for name in names:
            yield from _text(base, name, MAX_TEXT).decode("utf-8", "replace").splitlines()


def _text(base: Walker, path: str, limit: int) -> bytes:
    """The bytes of the base's file; none if there is none, or it is larger than it could be."""
    file = base.find_file(path)
    return read_all(file.content, limit) if file is not None and file.content and file.size <= limit else b""


def arch_of(base: Walker) -> str:
    """The architecture the base states (``etc/apk/arch``); empty if it states none."""
    text = _text(base, "/etc/apk/arch", MAX_KEY).decode("ascii", "replace").strip()
    return text if is_arch(text) else ""


def keys_of(base: Walker, arch: str) -> tuple[Key, ...]:
    """The keys the base trusts for `arch`: those it is set up with, and those the distribution has for it."""
    found: dict[str, Key] = {}
    for path in ("/etc/apk/keys", "/lib/apk/keys", f"/usr/share/apk/keys/{arch}"):
        directory = base.walk(path).entry
        if directory is None or directory.kind is not Kind.DIRECTORY:
            continue
        for name in base.base.listdir(directory.path)[:MAX_KEYS]:
            pem = _text(base, f"{path}/{name}", MAX_KEY)
            if pem and name not in found:
                found[name] = Key(name, pem)
    return tuple(found.values())


def keys_in(directory: str) -> tuple[Key, ...]:
    """The keys in a directory of this host; a key is trusted by the name of its file.

    :raises InputError: it cannot be read, or holds none.
    """
    found = []
    try:
        for name in sorted(os.listdir(directory)):
            path = os.path.join(directory, name)
            if name.startswith(".") or not os.path.isfile(path) or os.path.getsize(path) > MAX_KEY:
                continue
            with open(path, "rb") as file:
                pem = file.read(MAX_KEY)
            if b"-----BEGIN PUBLIC KEY-----" in pem:
                found.append(Key(name, pem))
    except OSError as error:
        raise InputError(directory, reason_of(error), hint="--keys takes a directory of public keys in PEM") from error
    if not found:
        raise InputError(directory, "it contains no public key in PEM", hint="--keys takes a directory of public keys")
    return tuple(found)
