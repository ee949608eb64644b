"""A package from its repository: out of the store or fetched, and verified either way before a byte of it is used."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from minpack.apk.package import open_package
from minpack.base.packages import PackageId
from minpack.content import RangeContent
from minpack.errors import ArchiveError, OfflineError, PackageError, UntrustedPackageError
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from contextlib import ExitStack

    from minpack.alpine.indexes import FetchContext
    from minpack.alpine.repositories import Repository
    from minpack.apk.package import Package
    from minpack.apk.table import Provider
    from minpack.content import Content
    from minpack.store.part import Part

#: More bytes than any package has whose files would be packed.
MAX_PACKAGE = 2 << 30
_SCHEMA = "minpack.apk/1"


class FetchedPackage(NamedTuple):
    """A verified, open package and what is known of its file."""

    package: Package
    id: PackageId


def fetch_package(provider: Provider, repository: Repository, access: FetchContext, stack: ExitStack) -> FetchedPackage:
    """The package that an index describes as `provider`, open until `stack` is closed. It is kept in the store.

    :raises OfflineError: it is not kept, and the network may not be used.
    :raises DownloadError: the server did not give it.
    :raises UntrustedPackageError: no trusted key signed it, or it is a package that the index does not name.
    :raises PackageError: it is damaged, or cannot be unpacked.
    """
    url = f"{repository.url}/{provider.file_name}"
    name = _record_name(provider)
    sha256 = str((access.store.record(name, _SCHEMA) or {}).get("sha256", ""))
    blob = access.store.find(sha256).blob if re.fullmatch("[0-9a-f]{64}", sha256) else None
    if blob is not None:
        with blob:
            package = _opened(blob, provider, access, stack)
    else:
        package, sha256 = _brought(url, provider, access, stack)
        access.store.keep_record(name, _SCHEMA, {"url": url, "sha256": sha256})
    if access.network.downloads is not None:
        access.network.downloads.note(name, sha256)
    signer = package.signed_by.name if package.signed_by is not None else ""
    control = package.control
    known = PackageId(control.name, control.version, control.arch, repository.label, url, sha256, provider.size, signer)
    return FetchedPackage(package, known)


def _record_name(provider: Provider) -> str:
    """Named by all that the index says: what is found by it is what the index means."""
    said = f"{provider.package} {provider.version} {provider.size} {provider.checksum}"
    return f"apk-{hashlib.sha256(said.encode()).hexdigest()}"


def _brought(url: str, provider: Provider, access: FetchContext, stack: ExitStack) -> tuple[Package, str]:
    """The package from its server, verified and then kept; and its SHA-256."""
    from minpack.net.download import download  # noqa: PLC0415

    if access.network.offline:
        raise OfflineError(url)
    if provider.size > MAX_PACKAGE:
        raise PackageError(f"package {url}", f"it has more than {MAX_PACKAGE} bytes", "leave it out")
    shared = _shared(provider, access, stack)
    if shared is not None:
        return shared
    with access.store.draft() as part:
        size = provider.size
        download(url, part, limit=size, network=access.network, size=size, progress=access.progress)
        return _kept(part, url, provider, access, stack)


def _shared(provider: Provider, access: FetchContext, stack: ExitStack) -> tuple[Package, str] | None:
    """The package from a shared cache; None if none has it, or something else in its place."""
    downloads = access.network.downloads
    if downloads is None:
        return None
    name = _record_name(provider)
    with access.store.draft() as part:
        if downloads.bring(name, part, provider.size, access.progress):
            try:
                return _kept(part, provider.file_name, provider, access, stack)
            except (PackageError, ArchiveError) as error:
                downloads.refuse(name, error.reason)
    return None


def _kept(part: Part, where: str, provider: Provider, access: FetchContext, stack: ExitStack) -> tuple[Package, str]:
    """The downloaded package, verified and then kept; and its SHA-256."""
    package = _opened(RangeContent(part.descriptor, 0, part.size, where), provider, access, stack)
    sha256 = part.sum("sha256")
    part.keep(sha256).close()
    return package, sha256


def _opened(content: Content, provider: Provider, access: FetchContext, stack: ExitStack) -> Package:
    """The package, which is the one that the index means: else another that was signed once could take its place."""
    what = f"package {provider.file_name}"
    if content.size != provider.size:
        reason = f"it has {content.size} bytes, and the index names {provider.size}"
        raise PackageError(what, reason, "it was cut short, or the mirror is being updated; try again")
    package = stack.enter_context(open_package(content, access.keys, what, access.temporary))
    control = package.control
    same = (control.name, control.version) == (provider.package, provider.version)
    if not same or control.arch not in (provider.arch, "noarch") or provider.control_sum not in package.sums:
        reason = f"it is not the package that the index names: {control.name} {control.version} for {control.arch}"
        raise UntrustedPackageError(what, reason, "the mirror or a proxy changed it; try another --mirror")
    return package
