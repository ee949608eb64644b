"""What commands take from the environment and the clock, as values."""

from __future__ import annotations

import os
import re
import sys
import time
from typing import TYPE_CHECKING

from minpack.base.options import BaseKind, BaseOptions, PackageOptions
from minpack.errors import InputError, UsageError
from minpack.namedtuple import NamedTuple
from minpack.net.network import Network
from minpack.spec.values import MAX_CREATED
from minpack.target import Platform, parse_platform

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minpack.host.overwrite import HostInput
    from minpack.spec.base_ref import BaseRef


class StoreSettings(NamedTuple):
    """The options about downloads and the store, as they were given."""

    offline: bool
    mirror: str
    cache_dir: str | None
    no_cache: bool
    sha512: str | None = None
    no_packages: bool = True
    keys: str | None = None


def base_options(settings: StoreSettings) -> BaseOptions:
    """The options for opening bases, with what the environment adds."""
    return BaseOptions(
        store_directory(settings),
        Network(offline=settings.offline, proxies=proxies(), ca_file=os.environ.get("SSL_CERT_FILE", "")),
        today(),
        settings.mirror,
        settings.sha512 or "",
        temporary_directory(),
        PackageOptions(now(), settings.keys or "") if not settings.no_packages else None,
        debian_mirror(settings),
        engine=os.environ,
    )


def check_packages(bases: Iterable[BaseRef], settings: StoreSettings) -> None:
    """Raise an error if a base is made of packages and none may be fetched, or if --keys names no directory.

    :raises UsageError: one of `bases` needs packages.
    :raises InputError: --keys names no directory.
    """
    if settings.keys and not os.path.isdir(settings.keys):
        reason = "it is not a directory" if os.path.exists(settings.keys) else "no such file or directory"
        raise InputError(settings.keys, reason, hint="--keys takes a directory of public keys")
    # With a sum for what is not a tarball, that is told.
    if not settings.no_packages or settings.sha512:
        return
    for base in bases:
        if base.kind is BaseKind.PACKAGES:
            _check_unpackaged(base)


def _check_unpackaged(base: BaseRef) -> None:
    """Raise `UsageError` if there is such a base of packages."""
    from minpack.catalog.debian import find_debian  # noqa: PLC0415 - where no packages are wanted alone

    if find_debian(base.name) is not None:
        hint = "leave it out, and unset MINPACK_NO_PACKAGES, or choose another --base"
        raise UsageError("--no-packages", "", f"{base.text} is made only of packages", hint)


def debian_mirror(settings: StoreSettings) -> str:
    """The mirror of Debian's archive: --mirror, else MINPACK_MIRROR_DEBIAN, else MINPACK_MIRROR; empty for Debian's.

    :raises UsageError: MINPACK_MIRROR_DEBIAN is not a URL.
    """
    common = os.environ.get("MINPACK_MIRROR", "")
    own = os.environ.get("MINPACK_MIRROR_DEBIAN", "")
    if own:
        from minpack.net.mirror import check_mirror  # noqa: PLC0415 - where one is named

        check_mirror(own, "MINPACK_MIRROR_DEBIAN")
    return own if own and settings.mirror in ("", common) else settings.mirror


def temporary_directory() -> str:
    """Where files without a name are made."""
    return os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - what is made there has no name


def store_directory(settings: StoreSettings) -> str | None:
    """The store's directory: --cache-dir, else the user's cache (XDG Base Directory specification); None for none."""
    if settings.no_cache:
        return None
    if settings.cache_dir:
        return os.path.join(settings.cache_dir, "minpack", "v1")
    cache = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(cache):
        home = os.environ.get("HOME", "")
        if not os.path.isabs(home):
            return None
        cache = os.path.join(home, "Library", "Caches") if sys.platform == "darwin" else os.path.join(home, ".cache")
    return os.path.join(cache, "minpack", "v1")


def proxies() -> dict[str, str]:
    """The proxies of the environment; the lower-case names win, as in curl, and HTTP_PROXY is not heeded (httpoxy)."""
    found = {
        "http": os.environ.get("http_proxy", ""),
        "https": os.environ.get("https_proxy", "") or os.environ.get("HTTPS_PROXY", ""),
        "no_proxy": os.environ.get("no_proxy", "") or os.environ.get("NO_PROXY", ""),
    }
    every = os.environ.get("all_proxy", os.environ.get("ALL_PROXY", ""))  # noqa: SIM112
    return {key: value or (every if key != "no_proxy" else "") for key, value in found.items() if value or every}


def created(option: str | None) -> int:
    """The time stamp of image and files: --created, else SOURCE_DATE_EPOCH, else 0.

    :raises UsageError: it is not a number of seconds since 1970.
    """
    name, text = (
        ("--created", option)
        if option is not None
        else ("SOURCE_DATE_EPOCH", os.environ.get("SOURCE_DATE_EPOCH", "") or "0")
    )
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(MAX_CREATED)) or int(text) > MAX_CREATED:
        raise UsageError(name, text, "it is not a number of seconds from 1970 to 9999", _moment_hint(name, text))
    return int(text)


def _moment_hint(name: str, text: str) -> str:
    """What to write for a moment that is given in another form."""
    form = f"{name}=" if name.isupper() else f"write {name} "
    # Of seconds there are no more digits than of the last one of 9999: more are milliseconds, or smaller parts.
    if re.fullmatch(r"[1-9]\d{12}|[1-9]\d{15}|[1-9]\d{18}", text, re.ASCII):
        return f"that is more precise than seconds: {form}{text[:10]}"
    if re.fullmatch(r"@?\d{1,11}(\.\d+)?", text, re.ASCII):
        return f"{form}{text.lstrip('@').partition('.')[0]}"
    if re.match(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        import shlex  # noqa: PLC0415 - for refusals alone

        return f"{form}$(date -u -d {shlex.quote(text)} +%s)"
    return f"{form}$(git log -1 --format=%ct)"


def engine_environment() -> dict[str, str]:
    """The variables that say which engine to use."""
    others = ("CONTAINER_HOST", "XDG_RUNTIME_DIR", "CONTAINERD_ADDRESS", "CONTAINERD_NAMESPACE")
    return {key: value for key, value in os.environ.items() if key.startswith("DOCKER_") or key in others}


def never_replaced(lock: str | None) -> tuple[HostInput, ...]:
    """What no output replaces, whatever is asked for: the lock file, the user's home, Python's, and minpack's own."""
    from minpack.host.overwrite import HostInput  # noqa: PLC0415 - where something is written

    home = os.environ.get("HOME", "")
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return (
        *((HostInput(lock, "the lock file"),) if lock is not None else ()),
        *((HostInput(home, "your home directory"),) if os.path.isabs(home) else ()),
        HostInput(own, "minpack itself"),
        *(HostInput(path, "the Python that runs minpack") for path in dict.fromkeys((sys.prefix, sys.base_prefix))),
    )


def host_platform() -> Platform | None:
    """The platform of programs of this machine, as its kernel says; None if it is none that images know."""
    machine = os.uname().machine
    try:
        # Linux names ARM by its version and byte order (arch/arm/include/asm/elf.h, ELF_PLATFORM).
        return parse_platform(re.sub(r"^armv([5-8]).*l$", r"arm/v\1", machine))
    except UsageError:
        return None


def threads() -> int:
    """The number of CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def umask() -> int:
    """What new files are without (umask(2), which tells it only when it is set)."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def today() -> str:
    """The day, as ``YYYY-MM-DD``, in UTC."""
    return time.strftime("%Y-%m-%d", time.gmtime(now()))


def now() -> int:
    """Seconds since 1970; of a clock that is off by ages the nearest that has four digits for its year."""
    return min(max(now_ns() // 10**9, 0), MAX_CREATED)


def now_ns() -> int:
    """Nanoseconds since 1970; 0 of a clock that Python cannot tell: before 1677, or from 2262 on."""
    try:
        return time.time_ns()
    except OverflowError:
        return 0
