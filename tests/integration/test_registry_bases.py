"""Images of a real registry on loopback as bases, copied there by skopeo, with docker's media types and an index."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from support.command import minpack
from support.elfmaker import static_program
from support.layers import layer, member, tar_of, write_layout
from support.registries import docker_registry
from support.tools import need_tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.tool


def test_an_image_that_skopeo_copied_is_a_base(tmp_path: Path) -> None:
    """With OCI's and with Docker's media types the tree is the same; offline it is in the store."""
    (tmp_path / "app").write_bytes(static_program())
    layers = [layer(tar_of(member("etc/a", b"1"), member("etc/b", b"1"))), layer(tar_of(member("etc/.wh.b", b"")))]
    write_layout(tmp_path / "layout", layers)
    images = []
    with docker_registry(tmp_path / "registry") as registry:
        for form in ("oci", "v2s2"):
            name = f"{registry.host}/team/base:{form}"
            skopeo = (need_tool("skopeo"), "copy", "-q", "--insecure-policy", "--dest-tls-verify=false", "-f", form)
            subprocess.run([*skopeo, "oci:layout:1", f"docker://{name}"], cwd=tmp_path, check=True)
            ran = minpack("base", "pull", name, cwd=tmp_path)
            assert ran.code == 0, ran.err
            assert minpack("lock", "./app", "--base", name, "--lock", f"{form}.lock", cwd=tmp_path).code == 0
            images.append(name)
        inspected = subprocess.run(
            [need_tool("skopeo"), "inspect", "--tls-verify=false", f"docker://{images[0]}"],
            capture_output=True,
            check=True,
        )
    digests = set()
    for name in images:
        info = json.loads(minpack("base", "info", name, "--offline", "--json", cwd=tmp_path).out)
        digests.add(info["digest"])
        ran = minpack("base", "image", name, "--offline", "--format", "rootfs", "-o", "tree", "-q", cwd=tmp_path)
        assert ran.code == 0, ran.err
        assert sorted(path.name for path in (tmp_path / "tree" / "etc").iterdir()) == ["a"]
        subprocess.run(["rm", "-r", "tree"], cwd=tmp_path, check=True)
    assert json.loads(inspected.stdout)["Digest"] in digests
    # What locks name is kept whatever else goes, and a locked build asks nobody.
    assert minpack("cache", "prune", "--max-size", "0", cwd=tmp_path).code == 0
    for form in ("oci", "v2s2"):
        ran = minpack(
            "./app", "--locked", "--lock", f"{form}.lock", "--offline", "-o", f"{form}.tar", "-q", cwd=tmp_path
        )
        assert ran.code == 0, ran.err
