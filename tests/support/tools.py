"""Finding what tests use of a machine; without it the test is skipped, or fails under MINPACK_TESTS=all.

`PACKAGES` says where each is from: of Debian 12 all is in `.ci/packages`, or in every Debian.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from support.elfmaker import GLIBC, MUSL

#: The package that has each program or file.
PACKAGES = {
    "apt-get": "apt",
    "bash": "bash",
    "bsdtar": "libarchive-tools",
    "busybox": "busybox",
    "bzip2": "bzip2",
    "chroot": "coreutils",
    "ctr": "containerd",
    "docker": "docker.io",
    "docker-registry": "docker-registry",
    "dpkg": "dpkg",
    "dpkg-deb": "dpkg",
    "find": "findutils",
    "fish": "fish",
    "g++": "g++",
    "gcc": "gcc",
    "getcap": "libcap2-bin",
    "gpg": "gpg",
    "gzip": "gzip",
    "ldconfig": "libc-bin",
    "ldd": "libc-bin",
    "localedef": "libc-bin",
    "ls": "coreutils",
    "make": "make",
    "mount": "mount",
    "musl-gcc": "musl-tools",
    "objcopy": "binutils",
    "objdump": "binutils",
    "openssl": "openssl",
    "podman": "podman",
    "qemu-*-static": "qemu-user-static",
    "readelf": "binutils",
    "rm": "coreutils",
    "sh": "dash",
    "skopeo": "skopeo",
    "strip": "binutils",
    "tar": "tar",
    "taskset": "util-linux",
    "true": "coreutils",
    "umoci": "umoci",
    "umount": "mount",
    "unshare": "util-linux",
    "valgrind": "valgrind",
    "xz": "xz-utils",
    "zsh": "zsh",
    "zstd": "zstd",
    GLIBC: "libc6",
    MUSL: "musl",
    "/etc/mime.types": "media-types",
    "/usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1": "libc6-arm64-cross",
    "/usr/arm-linux-gnueabi/lib": "libc6-armel-cross",
    "/usr/arm-linux-gnueabihf/lib": "libc6-armhf-cross",
    "/usr/include/curses.h": "libncurses-dev",
    "/usr/include/openssl/ssl.h": "libssl-dev",
    "/usr/share/gocode/src/github.com/opencontainers/image-spec/schema": "golang-github-opencontainers-image-spec-dev",
    "/usr/share/i18n/locales/de_DE": "locales",
}
#: What is not from Debian, or not from it alone.
ELSEWHERE = {
    "cargo": "the long run alone has it, which no machine must",
    "crane": "go install github.com/google/go-containerregistry/cmd/crane@v0.22.1; tests with it have a marker",
    "go": ".ci/run takes the machine's, or one of the Python package index",
    "rustc": ".ci/run takes the machine's, or Debian's",
    "syft": "pyproject.toml names it",
}
#: What may be skipped even under MINPACK_TESTS=all, each test by name, and why it cannot be had.
MAY_BE_SKIPPED = {
    "tests/integration/test_reproducible.py::test_the_interpreter_does_not_change_the_bytes[3.12]": (
        "no release of Debian has Python 3.12, and no package registry has an interpreter"
    ),
}


def source_of(name: str) -> str:
    """Where a program or file is from.

    :raises KeyError: the tables above do not have it.
    """
    if name.startswith("qemu-") and name.endswith("-static"):
        name = "qemu-*-static"
    return f"Debian's package {PACKAGES[name]}" if name in PACKAGES else ELSEWHERE[name]


def need_tool(name: str) -> str:
    """The path of the program `name`, of this Python's environment or the system's; else the test is skipped."""
    source = source_of(name)
    found = shutil.which(name, path=os.path.dirname(sys.executable)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: {source}")
    return found


def need_file(path: str) -> Path:
    """The file or directory at `path`; without it the test is skipped."""
    source = source_of(path)
    if not os.path.exists(path):
        pytest.skip(f"{path} is not there: {source}")
    return Path(path)
