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
    "buildah": "buildah",
    "busybox": "busybox",
    "bzip2": "bzip2",
    "chromedriver": "chromium-driver",
    "chromium": "chromium",
    "chroot": "coreutils",
    "ctr": "containerd",
    "diff": "diffutils",
    "docker": "docker.io",
    "docker-compose": "docker-compose",
    "docker-registry": "docker-registry",
    "dpkg": "dpkg",
    "dpkg-deb": "dpkg",
    "find": "findutils",
    "fish": "fish",
    "g++": "g++",
    "gcc": "gcc",
    "getcap": "libcap2-bin",
    "git": "git",
    "gpg": "gpg",
    "gzip": "gzip",
    "ldconfig": "libc-bin",
    "ldd": "libc-bin",
    "localedef": "libc-bin",
    "ls": "coreutils",
    "make": "make",
    "man": "man-db",
    "mandoc": "mandoc",
    "mount": "mount",
    "musl-gcc": "musl-tools",
    "nohup": "coreutils",
    "objcopy": "binutils",
    "objdump": "binutils",
    "openssl": "openssl",
    "podman": "podman",
    "printf": "coreutils",
    "qemu-*-static": "qemu-user-static",
    "readelf": "binutils",
    "rm": "coreutils",
    "setcap": "libcap2-bin",
    "setpriv": "util-linux",
    "setsid": "util-linux",
    "sh": "dash",
    "skopeo": "skopeo",
    "strace": "strace",
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
    "actionlint": "go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12; tests with it have a marker",
    "buildx": "go install github.com/docker/buildx/cmd/buildx@v0.38.2 (5 min); tests with it have a marker",
    "cargo": "the long run alone has it, which no machine must",
    "crane": "go install github.com/google/go-containerregistry/cmd/crane@v0.22.1; tests with it have a marker",
    "cosign": "go install github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3 (15 min); tests with it have a marker",
    "go": ".ci/run takes the machine's, or one of the Python package index",
    "gitlab-ci-local": "npm install gitlab-ci-local@4.61.0 (newer ones need Node 22); tests with it have a marker",
    "goreleaser": "go install github.com/goreleaser/goreleaser/v2@v2.15.1 (15 min); tests with it have a marker",
    "oras": "go install oras.land/oras/cmd/oras@v1.3.6; tests with it have a marker",
    "pre-commit": "pyproject.toml names it",
    "regctl": "go install github.com/regclient/regclient/cmd/regctl@v0.11.7; tests with it have a marker",
    "rustc": ".ci/run takes the machine's, or Debian's",
    "strace-musl": (
        "src/strace of Debian's source, built for musl and called so (apt-get source strace; ./configure CC=musl-gcc"
        " CPPFLAGS='-idirafter /usr/include -idirafter /usr/include/x86_64-linux-gnu' --enable-mpers=no"
        " --enable-bundled=yes --without-libunwind --without-libdw && make; 2 min); tests with it have a marker"
    ),
    "syft": "pyproject.toml names it",
    "taplo": "npm install @taplo/cli@0.7.0; tests with it have a marker",
    "trivy": "go install github.com/aquasecurity/trivy/cmd/trivy@v0.74.0 (15 min); tests with it have a marker",
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
