"""The same tree as a tarball and as an image of several layers, to compare them as bases."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LAYERS = 8
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def tarball_of(tree: Path, path: Path) -> Path:
    """The tree as a compressed tarball at `path`."""
    path.write_bytes(gzip.compress(_tar(tree, sorted(tree.rglob("*"))), 6, mtime=0))
    return path


def image_of(tree: Path, path: Path) -> Path:
    """The tree as a layout at `path`: the directories in the lowest layer, the files in each of them in turn."""
    entries = sorted(tree.rglob("*"))
    files = [entry for entry in entries if entry.is_symlink() or not entry.is_dir()]
    directories = [entry for entry in entries if entry not in set(files)]
    parts = [files[number::LAYERS] for number in range(LAYERS)]
    tars = [_tar(tree, [*(directories if number == 0 else ()), *part]) for number, part in enumerate(parts)]
    blobs = path / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(media_type: str, data: bytes) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    layers = [put(_LAYER, gzip.compress(tar, 6, mtime=0)) for tar in tars]
    diff_ids = [f"sha256:{hashlib.sha256(tar).hexdigest()}" for tar in tars]
    config = {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    described = put(_CONFIG, json.dumps(config).encode())
    manifest = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": described, "layers": layers}
    index = {"schemaVersion": 2, "manifests": [put(_MANIFEST, json.dumps(manifest).encode())]}
    (path / "index.json").write_text(json.dumps(index))
    (path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    return path


def _tar(tree: Path, entries: list[Path]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for entry in entries:
            tar.add(entry, str(entry.relative_to(tree)), recursive=False)
    return out.getvalue()
