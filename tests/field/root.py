"""A root file system of Debian 12 with the programs of the table, made of packages and kept between runs."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SUITE, MIRROR, SECURITY = "bookworm", "http://deb.debian.org/debian", "http://deb.debian.org/debian-security"
SOURCES = f"""\
deb {MIRROR} {SUITE} main
deb {MIRROR} {SUITE}-updates main
deb {SECURITY} {SUITE}-security main
"""
USER = "nonroot:x:65532:65532:nonroot:/home/nonroot:/usr/sbin/nologin\n"
#: No service is started while packages are installed (invoke-rc.d(8)).
NO_SERVICES = "#!/bin/sh\nexit 101\n"
_IN_ROOT = 'mount -t proc proc "$0/proc" && mount --bind /dev "$0/dev" && exec chroot "$0" "$@"'
#: Settings of the tools that fetch what is built: a machine may have mirrors, and authorities, of its own.
_PASSED_ON = ("GOPROXY", "GOSUMDB", "PIP_INDEX_URL", "http_proxy", "https_proxy", "no_proxy")
_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_CA = dict.fromkeys(("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "PIP_CERT", "CARGO_HTTP_CAINFO"), "/field/ca.crt")


def cache() -> Path:
    """Where the root is kept."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("MINPACK_FIELD") or default / "minpack-field")


@contextmanager
def debian_root(packages: Sequence[str]) -> Iterator[Path]:
    """The root, which has at least these packages; no other process changes it meanwhile.

    Made with debootstrap and apt-get of the machine: some 800 packages, 3 GB, in five minutes.
    """
    root = cache() / "root"
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / "etc/apt/sources.list").is_file():
            _bootstrap(root)
        missing = sorted(set(packages) - _installed(root))
        if missing:
            print(f"installs into {root}: {' '.join(missing)}", flush=True)
            _install(root, missing)
        yield root


def in_root(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A command in the root, as root and with the machine's network, finished."""
    env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    env |= {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root"}
    start = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", _IN_ROOT, str(root))
    env["DEBIAN_FRONTEND"] = "noninteractive"
    if os.path.isfile(_BUNDLE):
        (root / "field").mkdir(exist_ok=True)
        shutil.copy(_BUNDLE, root / "field/ca.crt")
        env |= _CA
    return subprocess.run((*start, *command), env=env, text=True, capture_output=True, check=False, timeout=1800)


def _bootstrap(root: Path) -> None:
    print(f"makes a root of Debian in {root}", flush=True)
    shutil.rmtree(root, ignore_errors=True)
    made = root.with_name("root.partial")
    shutil.rmtree(made, ignore_errors=True)
    command = ("debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, made, MIRROR)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    shutil.copy("/etc/resolv.conf", made / "etc/resolv.conf")
    (made / "usr/sbin/policy-rc.d").write_text(NO_SERVICES)
    (made / "usr/sbin/policy-rc.d").chmod(0o755)
    with (made / "etc/passwd").open("a") as passwd:
        passwd.write(USER)  # whom images run as
    (made / "etc/apt/sources.list").write_text(SOURCES)
    made.rename(root)


def _installed(root: Path) -> set[str]:
    query = ("dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W", "-f", "${db:Status-Status} ${Package}\n")
    lines = subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()
    return {line.split()[1] for line in lines if line.startswith("installed ")}


def _install(root: Path, packages: Sequence[str]) -> None:
    for command in (("update", "-q"), ("install", "-y", "-q", "--no-install-recommends", *packages), ("clean",)):
        done = in_root(root, "apt-get", *command)
        if done.returncode != 0:
            raise RuntimeError(f"apt-get {command[0]} failed:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
