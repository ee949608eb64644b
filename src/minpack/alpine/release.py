"""Fetching a base by its name: catalogue, store, mirror, and the sum that its bytes must have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.alpine.latest import is_sha512, listed_minirootfs, sum_for
from minpack.catalog.alpine import (
    MIRROR,
    AlpineRelease,
    Version,
    find_release,
    fitting_bases,
    parse_name,
    support_note,
)
from minpack.catalog.debian import fitting_releases
from minpack.errors import DownloadError, OfflineError, UnknownBaseError, UsageError
from minpack.namedtuple import NamedTuple
from minpack.net.mirror import mirror_address
from minpack.progress import no_progress
from minpack.store.fetch import Wanted, fetch
from minpack.target import target_named

if TYPE_CHECKING:
    from minpack.net.network import Network
    from minpack.progress import Progress
    from minpack.store.blob import StoredBlob
    from minpack.store.store import Store


#: Far more bytes than a minirootfs has (3 to 4 MB).
_TARBALL_LIMIT = 256 << 20

#: Far more than a mirror's list of releases has (some 8 KB).
_LIST_LIMIT = 256 << 10

_SCHEMA = "minpack.base/1"


class FetchedBase(NamedTuple):
    """A base's verified tarball, open, and its facts. Leaving its ``with`` block closes it."""

    content: StoredBlob
    release: AlpineRelease
    url: str
    notes: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """The SHA-256 of the tarball."""
        return self.content.sha256

    @property
    def size(self) -> int:
        """The size of the tarball in bytes."""
        return self.content.size

    def __enter__(self) -> FetchedBase:
        return self

    def __exit__(self, *exc: object) -> None:
        self.content.close()


def fetch_named_base(
    name: str,
    arch: str,
    *,
    store: Store,
    network: Network,
    today: str,
    mirror: str = MIRROR,
    sha512: str | None = None,
    progress: Progress = no_progress,
) -> FetchedBase:
    """The tarball of the base `name` for `arch`, Alpine's name of an architecture.

    A release that the catalogue does not know is looked up on the mirror; a note says so.

    :param today: ``YYYY-MM-DD``; past the release's end of support, a note says so.
    :param mirror: the address of a copy of Alpine's tree; a ``user:password@`` in it is sent to that server alone.
    :param sha512: the sum the tarball must have, instead of any that is known.
    :raises UnknownBaseError: unknown base.
    :raises OfflineError: the store does not have it, and the network may not be used.
    :raises DownloadError: a server did not answer as it should.
    :raises SumMismatchError: the tarball is not the expected one.
    :raises UsageError: `mirror` is not a URL, or `sha512` no SHA-512.
    """
    asked = parse_name(name)
    if asked is None:
        raise UnknownBaseError(name, "unknown base", _advice(name, arch, today))
    mirror, network = mirror_address(mirror, network)
    given = _given(sha512 or "")
    release = find_release(name, arch)
    if release is None and given and asked.release:
        release = AlpineRelease(asked.branch, asked.release, arch, given, "", None, "given")
    if release is None:
        release = _published(asked, arch, mirror, store, network)
    if release is None:
        raise UnknownBaseError(name, f"{mirror} has no such release for {arch}", _advice(name, arch, today))
    if given:
        release = release._replace(sha512=given, sha256="", size=None, verified="given")
    url = f"{mirror}/{release.path}"
    fetched = fetch(_wanted(release, url), store, network, progress)
    if release.verified == "server":
        _remember(asked, release, store)
    notes = (_origin_note(release), support_note(release, today), *fetched.notes)
    return FetchedBase(fetched.blob, release, url, tuple(note for note in notes if note))


def _wanted(release: AlpineRelease, url: str) -> Wanted:
    algorithm, hexadecimal = ("sha512", release.sha512) if release.sha512 else ("sha256", release.sha256)
    return Wanted(url, algorithm, hexadecimal, _mismatch_hint(release), release.size, _TARBALL_LIMIT)


def _mismatch_hint(release: AlpineRelease) -> str:
    published = f"{MIRROR}/{release.path}.sha512"
    match release.verified:
        case "given":
            return f"compare --base-sha512 with {published}; if they are equal, the mirror or a proxy changed the file"
        case "server":
            return "the mirror contradicts itself or a proxy changed the file; try again, or use another --mirror"
        case "bytes" | "published-twice":
            return "the mirror or a proxy changed the file; try another --mirror"
        case _:
            return (
                "minpack's checksum may be wrong, because it was never compared with the file itself: compare it with"
                f" {published}, and give the right one with --base-sha512"
            )


def _origin_note(release: AlpineRelease) -> str:
    if release.verified != "server":
        return ""
    return (
        f"minpack has no checksum for {release.file}: it was verified only with the mirror's, which is not signed;"
        f" to pin it: --base-sha512 {release.sha512}"
    )


def _published(asked: Version, arch: str, mirror: str, store: Store, network: Network) -> AlpineRelease | None:
    """The release as the mirror describes it, or as it was described when it was fetched before."""
    known = _remembered(asked, arch, store)
    if known is not None and (asked.release or network.offline):
        return known
    folder = f"{mirror}/{asked.folder}/releases/{arch}"
    if network.offline:
        raise OfflineError(f"{folder}/latest-releases.yaml")
    latest = _latest(asked, arch, folder, network)
    if latest is None or asked.release in ("", latest.version):
        return latest
    # The list names the newest release alone; older files stay beside it.
    older = AlpineRelease(asked.branch, asked.release, arch, "", "", None, "server")
    document = _document(f"{folder}/{older.file}.sha512", network)
    sha512 = sum_for(document, older.file) if document is not None else None
    return older._replace(sha512=sha512) if sha512 is not None else None


def _latest(asked: Version, arch: str, folder: str, network: Network) -> AlpineRelease | None:
    """The release that ``latest-releases.yaml`` names; None if the mirror has no such folder.

    :raises DownloadError: the list cannot be had, or does not say what it should.
    """
    url = f"{folder}/latest-releases.yaml"
    document = _document(url, network)
    if document is None:
        return None
    for entry in listed_minirootfs(document):
        release = _release(asked, arch, entry.get("version", ""), entry.get("sha512", ""), entry.get("size", ""))
        if release is not None and (entry.get("arch"), entry.get("file")) == (arch, release.file):
            return release
    raise DownloadError(url, "it does not list a minirootfs that can be used", "use another server with --mirror")


def _document(url: str, network: Network) -> bytes | None:
    from minpack.net.download import read_document  # noqa: PLC0415

    try:
        return read_document(url, limit=_LIST_LIMIT, network=network)
    except DownloadError as error:
        if error.status in (404, 410):
            return None
        raise


def _release(asked: Version, arch: str, version: str, sha512: str, size: str) -> AlpineRelease | None:
    """A release from what others say of it; None unless it is of the branch asked for and has a sum."""
    named = parse_name(f"alpine-{version}")
    if named is None or named != Version(asked.branch, version) or not is_sha512(sha512):
        return None
    return AlpineRelease(asked.branch, version, arch, sha512, "", _size(size), "server")


def _size(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[1-9]\d{0,8}", text, re.ASCII) and int(text) <= _TARBALL_LIMIT else None


def _remember(asked: Version, release: AlpineRelease, store: Store) -> None:
    values = {"version": release.version, "sha512": release.sha512, "size": str(release.size or "")}
    for name in sorted({_record(asked, release.arch), _record(Version(release.branch, release.version), release.arch)}):
        store.keep_record(name, _SCHEMA, values)


def _remembered(asked: Version, arch: str, store: Store) -> AlpineRelease | None:
    values = store.record(_record(asked, arch), _SCHEMA) or {}
    release = _release(asked, arch, *(str(values.get(key, "")) for key in ("version", "sha512", "size")))
    return release if release is not None and asked.release in ("", release.version) else None


def _record(asked: Version, arch: str) -> str:
    return f"base-alpine-{asked.branch}-{asked.release or 'newest'}-{arch}"


def _given(sha512: str) -> str:
    if sha512 and not is_sha512(sha512.lower()):
        raise UsageError("--base-sha512", sha512, "a SHA-512 has 128 hexadecimal digits")
    return sha512.lower()


def _advice(name: str, arch: str, today: str) -> str:
    from minpack.catalog.likely import NO_UBUNTU, likely_base  # noqa: PLC0415 - for refusals alone

    if name.startswith("ubuntu"):
        return NO_UBUNTU
    if (asked := parse_name(name)) is not None:
        newest = find_release(f"alpine-{asked.branch}", arch)
        near = newest.name if newest is not None else ""
    else:
        near = likely_base(name)
    question = f"did you mean {near}? " if near else ""
    target = target_named(arch)
    debian = fitting_releases(target.debian or "", today) if target is not None else ()
    return f"{question}Bases for {arch}: {', '.join((*fitting_bases(arch, today), *debian)) or 'none'}"
