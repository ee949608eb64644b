"""A directory of files that cannot be packed, or not as they are."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from minpack.trust.keys import new_key_pair
from support.elfmaker import GLIBC, MUSL, library, make_elf, program, static_program, upx_program
from support.gomaker import GoForm, go_program
from support.layers import layer, layout_files, tar_of
from support.layers import member as layer_member
from support.tarmaker import archive, directory, hard_link, header, member, symlink

if TYPE_CHECKING:
    from pathlib import Path

#: What a loader file of each C library has in it.
MUSL_LOADER = library("libc.musl-x86_64.so.1") + b"\0/etc/ld-musl-x86_64.path\0/lib:/usr/local/lib:/usr/lib\0"
GLIBC_LOADER = library("ld-linux-x86-64.so.2") + b"\0GLIBC_PRIVATE\0"
ARM_LOADER = library("libc.musl-aarch64.so.1", machine="aarch64") + b"\0/etc/ld-musl-aarch64.path\0"
CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n"
KEY = b"-----BEGIN PRIVATE KEY-----\nMAo=\n-----END PRIVATE KEY-----\n"
#: The SHA-512 of nothing that is here.
SUM = "0" * 128


def make_bad_files(root: Path) -> Path:
    """Fill the empty directory `root`."""
    for name, data in {**_programs(), **_texts(), **_tarballs(), **_images()}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o755)
    (root / "directory").mkdir(exist_ok=True)
    (root / "glibc-root" / "lib64").mkdir(parents=True)
    (root / "glibc-root" / "lib64" / "ld-linux-x86-64.so.2").write_bytes(GLIBC_LOADER)
    (root / "empty-root").mkdir()
    os.symlink("nowhere", root / "dangling")
    (root / "links").mkdir()
    os.symlink("nowhere", root / "links" / "gone")
    os.symlink("loop", root / "loop")
    os.mkfifo(root / "fifo")
    return root


def _programs() -> dict[str, bytes]:
    whole = static_program()
    return {
        "app": whole,
        "arm": static_program(machine="aarch64"),
        "go-arm7": go_program(GoForm("armhf", settings=("GOARM=7",))).data,
        "glibc-app": program(interpreter=GLIBC),
        "musl-app": program(interpreter=MUSL),
        "lacking": program(("libz.so.9",), interpreter=MUSL, runpath="/opt/lib"),
        "beside": program(("libz.so.9",), interpreter=MUSL, runpath="$ORIGIN/../lib"),
        "lib.so": library("lib.so.1"),
        "plug.so": library(None, ("libnope.so.9",)),
        "main.o": make_elf(type_=1, dynamic=False),
        "packed": upx_program(),
        "cut": whole[:40],
        "corrupt": whole[:32] + b"\xff" * 8 + whole[40:],
        "strange": make_elf(type_=2, dynamic=False, code=bytes(4))[:18] + b"\x37\x13" + whole[20:],
        "app.exe": b"MZ" + bytes(58) + (64).to_bytes(4, "little") + b"PE\0\0" + bytes(100),
        "app.macho": bytes.fromhex("cffaedfe") + bytes(100),
        "app.wasm": b"\0asm\1\0\0\0",
        "other/app": static_program(1),
        "help": whole,
        "alpine-base": whole,
    }


_IMAGE = archive(*(member(name, b"{}") for name in ("index.json", "manifest.json", "oci-layout")))


def _images() -> dict[str, bytes]:
    """Layouts of images that are no bases of a program for this machine."""
    good = layer(tar_of(layer_member("etc/os-release", b"NAME=x\n")))
    other = good._replace(media_type="application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")
    cut = good._replace(blob=good.blob[:-9] + bytes(9))
    return {
        **layout_files("images/foreign", [other]),
        **layout_files("images/secret", [good._replace(media_type=f"{good.media_type}+encrypted")]),
        **layout_files("images/arm", [good], platform=("linux", "arm64")),
        **layout_files("images/chart", [good], config_type="application/vnd.cncf.helm.config.v1+json"),
        **layout_files("images/cut", [cut]),
        **layout_files("images/up", [layer(tar_of(layer_member("../up", b"x")))]),
        **layout_files("images/below", [good, layer(tar_of(layer_member("etc/os-release/x", b"x")))]),
    }


def _texts() -> dict[str, bytes]:
    return {
        "main.c": b"int main(void) { return 0; }\n",
        "run.sh": b"#!/bin/sh\nexec ./app\n",
        "nothing": b"",
        "cert.pem": CERTIFICATE,
        "both.pem": CERTIFICATE + KEY,
        **_keys(),
        "kept.tar": archive(member("file", b"what was here before")),
        "directory/file": b"what was here before",
        **_images_files(),
        "layout/oci-layout": b"{}",
        "layout/index.json": b"{}",
    }


def _images_files() -> dict[str, bytes]:
    """Files of images with something wrong in them, and one with nothing."""
    lines = {
        "typo": "bsae = 'scratch'",
        "form": "strip = 'yes'",
        "value": "expose = [80, 'http']",
        "both": "zstd = true\ncompress = 'none'",
        "images": "[image.two]\nprograms = 'app'",
    }
    found = {f"{name}.toml": f"[image.app]\nprograms = ['app']\n{line}\n".encode() for name, line in lines.items()}
    return {**found, "pattern.toml": b"[image.app]\nprograms = 'bin/*'\n"}


def _keys() -> dict[str, bytes]:
    """A key to sign with, with its public one, and files that are encrypted keys as far as is looked at."""
    pair = new_key_pair(None)
    locked = b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\ne30=\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n"
    return {"my.key": pair.private, "my.pub": pair.public, "locked.key": locked, "large.key": bytes(20_000)}


def _tarballs() -> dict[str, bytes]:
    loader = member("lib/ld-musl-x86_64.so.1", MUSL_LOADER, mode=0o755)
    good = archive(directory("lib/"), loader)
    packed = gzip.compress(good, mtime=0)
    return {
        "musl.tar": good,
        "arm.tar": archive(directory("lib/"), member("lib/ld-musl-aarch64.so.1", ARM_LOADER, mode=0o755)),
        "cut.tar": good[:600],
        "cut.tar.gz": packed[:-20],
        "corrupt.tar.gz": packed[:-8] + b"\0\0\0\0" + packed[-4:],
        "up.tar": archive(member("../etc/passwd", b"x")),
        "below.tar": archive(member("a", b"1"), member("a/b", b"2")),
        "twice.tar": archive(member("a/b", b"1"), member("a", b"2")),
        "no-target.tar": archive(hard_link("etc/os-release", "b")),
        "garbage.tar.gz": gzip.compress(good[:-1024], mtime=0) + b"garbage",
        "image.tar": _IMAGE,
        "vex.toml": b'author = "me"\n[vulnerabilities]\nCVE-2024-0001 = ["/etc/os-release"]\n',
        "image.tar.gz": gzip.compress(_IMAGE, mtime=0),
        "bundle.tar": archive(member("config.json", b"{}"), member("rootfs/bin/sh", b"x")),
        "huge.tar": archive(header("a", size=1 << 32)),
        "private.tar": archive(
            symlink("etc/os-release", "../etc/shadow"), member("etc/shadow", b"root:$6$x:1::::::\n")
        ),
        "home.tar": archive(symlink("etc/os-release", "/root/.ssh/id_rsa"), member("root/.ssh/id_rsa", KEY)),
        "key.tar": archive(member("etc/ssl/certs/ca-certificates.crt", CERTIFICATE + KEY)),
        "whiteout.tar": archive(member("etc/.wh.passwd", b"x")),
        "devices.tar": archive(header("dev/null", kind=b"3"), header("dev/fifo", kind=b"6"), directory("lib/"), loader),
    }


if __name__ == "__main__":
    from pathlib import Path

    make_bad_files(Path(sys.argv[1]))
    subprocess.run(["ls", "-la", sys.argv[1]], check=True)
