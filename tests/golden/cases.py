"""The cases: what is packed, made wholly by code, and what is written down of it.

No case has minpack's own certificates or time zones in it: their versions are not ours.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from support.elfmaker import MUSL, library, program, static_program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

HERE = Path(__file__).parent
_TYPES = {tarfile.REGTYPE: "f", tarfile.LNKTYPE: "h", tarfile.SYMTYPE: "l", tarfile.DIRTYPE: "d"}


class Case(NamedTuple):
    """One image: `make` puts the inputs into the directory that ``minpack ARGUMENTS`` is run in."""

    make: Callable[[Path], None]
    arguments: tuple[str, ...]


def _static(directory: Path, machine: str = "x86_64") -> None:
    _write(directory / "app", static_program(0, machine), 0o755)


def _arm(directory: Path) -> None:
    _static(directory, "armhf")
    _write(directory / "etc/app.toml", b"port = 8080\n")
    _write(directory / "etc/größe", b"1\n")
    _write(directory / "etc/hooks/start", b"#!/bin/sh\n", 0o755)
    os.symlink("app.toml", directory / "etc/default")


def _musl(directory: Path) -> None:
    """A program, a second one, and a base of musl's kind: libraries behind links, and one that nobody needs."""
    base = directory / "base"
    interpreter, data = MUSL[1:], b"".join(hashlib.sha256(b"%d" % (n * n % 997)).digest() for n in range(50_000))
    _write(base / interpreter, library("libc.musl-x86_64.so.1"), 0o755)
    os.symlink(Path(interpreter).name, base / "lib/libc.musl-x86_64.so.1")
    _write(base / "usr/lib/libone.so.1.2", library("libone.so.1", ("libtwo.so.2",)) + data, 0o755)
    os.symlink("libone.so.1.2", base / "usr/lib/libone.so.1")
    _write(base / "lib/libtwo.so.2", library("libtwo.so.2", ("libc.musl-x86_64.so.1",)), 0o644)
    _write(base / "lib/libunused.so.3", library("libunused.so.3"), 0o755)
    _write(base / "etc/os-release", b"ID=made\n")
    _write(
        base / "etc/ssl/certs/ca-certificates.crt", b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"
    )
    _write(directory / "app", program(("libone.so.1", "libc.musl-x86_64.so.1"), interpreter=MUSL) + data, 0o755)
    _write(directory / "tool", program(("libtwo.so.2",), interpreter=MUSL), 0o755)


def _whole(directory: Path) -> None:
    """A tarball of a base with all that tarballs have."""
    with tarfile.open(directory / "base.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        for name, kind, mode, data, link in (
            ("bin", tarfile.DIRTYPE, 0o755, b"", ""),
            ("bin/busybox", tarfile.REGTYPE, 0o4755, static_program(0), ""),
            ("bin/sh", tarfile.LNKTYPE, 0o4755, b"", "bin/busybox"),
            ("bin/again", tarfile.LNKTYPE, 0o4755, b"", "bin/busybox"),
            ("etc/motd", tarfile.REGTYPE, 0o640, b"hello\n", ""),
            ("etc/größe", tarfile.SYMTYPE, 0o777, b"", "../" + "t" * 120),
            ("tmp", tarfile.DIRTYPE, 0o1777, b"", ""),
            ("dev/null", tarfile.CHRTYPE, 0o666, b"", ""),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.mode, member.size, member.linkname = kind, mode, len(data), link
            member.uid, member.gid = (3_000_000, 42) if name == "etc/motd" else (0, 0)
            tar.addfile(member, fileobj=_stream(data))


CASES = {
    "static": Case(_static, ("app", "--no-need=certs")),
    "options": Case(
        _arm,
        (
            "app",
            "--no-need=certs",
            "--platform=linux/arm/v6",
            "--tag=me/app:1.0",
            "--tag=ghcr.io/me/app:1.0",
            "--dest=/opt/app",
            "--add=etc:/etc/app",
            "--dir=/data:0750",
            "--dir=/var/cache/app:1777:3000000:7",
            "--symlink=/opt/app:/app",
            "--entrypoint=/opt/app",
            "--entrypoint=-v",
            "--cmd=serve",
            "--env=PATH=/opt",
            "--env=GRÖSSE=1",
            "--user=1000:5",
            "--workdir=/data",
            "--expose=8080",
            "--expose=53/udp",
            "--label=org.opencontainers.image.title=größe",
            "--volume=/data",
            "--stop-signal=SIGINT",
            "--created=1700000000",
            "--single-layer",
        ),
    ),
    "musl": Case(_musl, ("app", "tool", "--base=base", "--need=certs")),
    "musl-small": Case(_musl, ("app", "--base=base", "--no-need=certs", "--compress=small")),
    "musl-zstd": Case(_musl, ("app", "--base=base", "--no-need=certs", "--zstd")),
    "whole-base": Case(_whole, ("base", "image", "base.tar", "--tag=made:1")),
}


def written_down(case: Case, directory: Path) -> dict[str, str]:
    """What the files of a case must say, by name."""
    case.make(directory)
    command = (sys.executable, "-m", "minpack", *case.arguments, "-o", "image.tar", "--json")
    environment = {"PATH": os.defpath, "PYTHONPATH": os.environ.get("PYTHONPATH", ""), "PYTHONUTF8": "1"}
    done = subprocess.run(command, cwd=directory, env=environment, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    (image,) = json.loads(done.stdout)["images"]
    archive = directory / "image.tar"
    with tarfile.open(archive) as tar:
        config = _blob(tar, image["image_id"]).read()
        tree = "".join(f"{line}\n" for line in _tree(tar, image))
    shown = json.dumps(json.loads(config), indent=2, ensure_ascii=False, sort_keys=True)
    digest = "".join(f"{line}\n" for line in _digests(image, archive.read_bytes()))
    return {"tree.txt": tree, "config.json": f"{shown}\n", "digest.txt": digest}


def _tree(tar: tarfile.TarFile, image: Mapping[str, Any]) -> Iterator[str]:
    """A line for each entry of each layer: type, mode, owner, size, start of its SHA-256, path, link, reason."""
    reasons = {item["path"]: f"{item['from']}: {item['reason']['text']}" for item in image.get("files", ())}
    for number, described in enumerate(image["layers"]):
        yield f"layer {number}"
        kind = "zst" if described["media_type"].endswith("zstd") else "*"
        with _layer(_blob(tar, described["digest"]), kind) as layer:
            for member in layer:
                found = layer.extractfile(member) if member.isreg() else None
                sha256 = hashlib.sha256(found.read()).hexdigest()[:12] if found is not None else "-"
                link = f" -> {member.linkname}" if member.linkname else ""
                start = f"{_TYPES[member.type]} {member.mode:04o} {member.uid}:{member.gid}"
                line = f"{start:<18} {member.size:>8} {sha256:<12} /{member.name}{link}"
                yield f"{line}  ({reasons[f'/{member.name}']})" if reasons else line


def _digests(image: Mapping[str, Any], archive: bytes) -> Iterator[str]:
    for layer in image["layers"]:
        yield f"layer    {layer['digest']}  {layer['size']} bytes"
        yield f"diff ID  {layer['diff_id']}"
    yield f"config   {image['image_id']}"
    yield f"manifest {image['digest']}"
    yield f"archive  sha256:{hashlib.sha256(archive).hexdigest()}  {len(archive)} bytes"


def _layer(blob: IO[bytes], kind: str) -> tarfile.TarFile:
    if kind == "zst":
        import zstandard

        blob = _stream(zstandard.ZstdDecompressor().stream_reader(blob).read())
    return tarfile.open(fileobj=blob, mode="r:*")


def _blob(tar: tarfile.TarFile, digest: str) -> IO[bytes]:
    found = tar.extractfile(f"blobs/sha256/{digest.partition(':')[2]}")
    assert found is not None
    return found


def _stream(data: bytes) -> IO[bytes]:
    import io

    return io.BytesIO(data)


def _write(path: Path, data: bytes, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)
