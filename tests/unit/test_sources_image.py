"""Images of this host as bases: every form, the platform, what is no image, locks."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from minpack.base.options import BaseKind, BaseOptions
from minpack.errors import (
    LockedError,
    SumMismatchError,
    UnknownBaseError,
    UnreadableImageError,
    UsageError,
    WrongTargetError,
)
from minpack.lock.values import LockedBase, LockedImage
from minpack.net.network import Network
from minpack.progress import no_progress
from minpack.sources.open import open_base
from minpack.spec.base_ref import parse_base
from minpack.target import Platform, parse_platform
from support.badfiles import MUSL_LOADER
from support.command import minpack
from support.elfmaker import MUSL, program, static_program
from support.layers import (
    CONFIG,
    MANIFEST,
    Layer,
    config_of,
    described,
    dumped,
    facts_of,
    layer,
    link,
    member,
    put_blobs,
    tar_of,
    write_index,
    write_layout,
)
from support.tools import need_tool

if TYPE_CHECKING:
    from pathlib import Path

    from minpack.base.options import OpenBase

INDEX = "application/vnd.oci.image.index.v1+json"
LOADER = "lib/ld-musl-x86_64.so.1"
LAYERS = [
    layer(tar_of(member("etc/passwd", b"root:x:0:0:::\n"), member("old", b"1"))),
    layer(tar_of(member(LOADER, MUSL_LOADER), member(".wh.old", b"")), "zstd"),
]
EXPECTED = {"/etc", "/etc/passwd", "/lib", f"/{LOADER}"}
AMD64 = parse_platform("linux/amd64")


def options(tmp_path: Path, **values: Any) -> BaseOptions:
    """Offline, with a store."""
    return BaseOptions(str(tmp_path / "store"), Network(offline=True), "2026-11-30", **values)


def paths(tmp_path: Path, text: str, platform: Platform = AMD64, **values: Any) -> tuple[set[str], OpenBase]:
    """The paths of a base, and what is said of it."""
    with open_base(parse_base(text), platform, options(tmp_path, **values), no_progress) as opened:
        return set(facts_of(opened.base)), opened


def saved_archive(path: Path, layers: list[Layer], form: str) -> None:
    """What `docker save` writes, as it did at different times, or skopeo."""
    stated = config_of(layers)
    with tarfile.open(path, "w") as tar:

        def put(name: str, data: bytes) -> None:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))

        names = [f"{number:064x}/layer.tar" for number, _ in enumerate(layers)]
        for name, one in zip(names, layers, strict=True):
            if form == "skopeo":
                plain = f"{one.diff_id[7:]}.tar"
                if plain not in tar.getnames():
                    put(plain, one.tar)
                tar.addfile(link(name, f"../{plain}")[0])
            elif names[0] != name and one.tar == layers[0].tar:
                tar.addfile(link(name, f"../{names[0]}")[0])
            else:
                put(name, one.tar)
        put("c.json", stated)
        listed = [f"{one.diff_id[7:]}.tar" for one in layers] if form == "skopeo" else names
        put("manifest.json", dumped([{"Config": "c.json", "RepoTags": ["app:1"], "Layers": listed}]))
        if form == "old":
            put("repositories", b"{}")


@pytest.mark.parametrize("form", ["old", "skopeo"])
def test_what_docker_saves_is_a_base(tmp_path: Path, form: str) -> None:
    """In all that it may look like, a layer that is there twice too."""
    saved_archive(tmp_path / "saved.tar", [LAYERS[0], *LAYERS, LAYERS[0]], form)
    for text in ("saved.tar", "docker-archive:{}", "docker-archive:{}:app:1"):
        name = text.format(tmp_path / "saved.tar") if "{}" in text else str(tmp_path / text)
        found, opened = paths(tmp_path, name)
        assert found == {*EXPECTED, "/old"}
        assert (opened.kind, opened.platform, opened.index_digest) == (BaseKind.IMAGE, AMD64, "")


def test_a_layout_is_a_base(tmp_path: Path) -> None:
    """By its path, by its transport, and in an archive; one of several by its tag."""
    manifest = write_layout(tmp_path / "layout", LAYERS)
    with tarfile.open(tmp_path / "layout.tar", "w") as tar:
        tar.add(tmp_path / "layout", ".")
    for text in ("{}/layout", "oci:{}/layout", "oci:{}/layout:1", "{}/layout.tar", "oci-archive:{}/layout.tar:1"):
        found, opened = paths(tmp_path, text.format(tmp_path))
        assert found == EXPECTED
        assert opened.digest == described("", manifest)["digest"]
    with pytest.raises(UnreadableImageError, match="0 of its images are called '2'"):
        paths(tmp_path, f"oci:{tmp_path}/layout:2")


def index_of(tmp_path: Path, *platforms: str, nested: bool = True) -> list[bytes]:
    """A layout with an image for each platform, in an index or beside each other; their manifests."""
    manifests, entries = [], []
    for number, text in enumerate(platforms):
        layers = [layer(tar_of(member(f"for-{number}", b"1")))]
        platform = Platform(*text.split("/"))
        stated = config_of(layers, platform[:2])
        if platform.variant:
            stated = dumped({**json.loads(stated), "variant": platform.variant})
        document = {"config": described(CONFIG, stated), "layers": [one.descriptor() for one in layers]}
        manifests.append(dumped({"schemaVersion": 2, "mediaType": MANIFEST, **document}))
        put_blobs(tmp_path / "many", stated, manifests[-1], *(one.blob for one in layers))
        told = dict(zip(("os", "architecture", "variant"), platform, strict=True))
        entries.append(
            described(MANIFEST, manifests[-1], platform={key: value for key, value in told.items() if value})
        )
    index = dumped({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
    put_blobs(tmp_path / "many", index)
    write_index(tmp_path / "many", [described(INDEX, index)] if nested else entries)
    return [*manifests, index]


@pytest.mark.parametrize("nested", [True, False])
def test_the_platform_is_chosen(tmp_path: Path, *, nested: bool) -> None:
    """By that of the program, the variant too; what lists the image is known."""
    made = index_of(tmp_path, "linux/amd64", "linux/arm64/v8", "linux/arm/v6", "windows/amd64", nested=nested)
    for number, text in enumerate(("linux/amd64", "linux/arm64", "linux/arm/v7")):
        found, opened = paths(tmp_path, f"{tmp_path}/many", parse_platform(text))
        assert found == {f"/for-{number}"}
        assert opened.digest == described("", made[number])["digest"]
        assert opened.index_digest == (described("", made[-1])["digest"] if nested else "")
    with pytest.raises(WrongTargetError) as caught:
        paths(tmp_path, f"{tmp_path}/many", parse_platform("linux/s390x"))
    has = "linux/amd64, linux/arm64/v8, linux/arm/v6, windows/amd64"
    assert caught.value.message == f"cannot use 'many': it is for {has}, not linux/s390x"


def test_an_image_for_one_platform_is_for_that_one(tmp_path: Path) -> None:
    """It is no base of programs for others; whoever names no platform gets it."""
    index_of(tmp_path, "linux/arm64")
    with pytest.raises(WrongTargetError):
        paths(tmp_path, f"{tmp_path}/many")
    assert paths(tmp_path, f"{tmp_path}/many", any_platform=True)[0] == {"/for-0"}


def document(tmp_path: Path, **changes: Any) -> str:
    """A layout whose manifest says something else; a change of None takes a field out."""
    write_layout(tmp_path / "odd", LAYERS)
    before = json.loads((tmp_path / "odd" / "index.json").read_bytes())["manifests"][0]
    manifest = json.loads((tmp_path / "odd" / "blobs" / "sha256" / before["digest"][7:]).read_bytes())
    made = dumped({key: value for key, value in {**manifest, **changes}.items() if value is not None})
    put_blobs(tmp_path / "odd", made)
    write_index(tmp_path / "odd", [described(MANIFEST, made)])
    return f"{tmp_path}/odd"


def test_what_is_no_image_is_refused_by_name(tmp_path: Path) -> None:
    """Foreign and encrypted layers, artifacts, an index in an index."""
    lowest = LAYERS[0].descriptor()
    for media_type, reason in (
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "is a foreign layer"),
        ("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", "is encrypted"),
        ("application/vnd.cncf.helm.chart.content.v1.tar+gzip", "is not a layer of a root file system"),
    ):
        layers = [{**lowest, "mediaType": media_type}, LAYERS[1].descriptor()]
        with pytest.raises(UnreadableImageError, match=f"layer 1 .* {reason}"):
            paths(tmp_path, document(tmp_path, layers=layers))
    helm = {**lowest, "mediaType": "application/vnd.cncf.helm.config.v1+json"}
    with pytest.raises(UnreadableImageError, match=r"is an artifact of type application/vnd\.cncf\.helm\.config"):
        paths(tmp_path, document(tmp_path, config=helm))
    with pytest.raises(UnreadableImageError, match="is an artifact of type a/b"):
        paths(tmp_path, document(tmp_path, config=helm, artifactType="a/b"))
    *_, index = index_of(tmp_path, "linux/amd64")
    outer = dumped({"schemaVersion": 2, "mediaType": INDEX, "manifests": [described(INDEX, index)]})
    put_blobs(tmp_path / "many", outer)
    write_index(tmp_path / "many", [described(INDEX, outer)])
    with pytest.raises(UnreadableImageError, match="an index within an index"):
        paths(tmp_path, f"{tmp_path}/many")


def test_damaged_images_are_refused(tmp_path: Path) -> None:
    """A layer that is another, one that is not there, counts that do not agree."""
    write_layout(tmp_path / "layout", LAYERS)
    blob = tmp_path / "layout" / "blobs" / "sha256" / LAYERS[1].descriptor()["digest"][7:]
    good = blob.read_bytes()
    blob.write_bytes(good[:-1] + bytes((good[-1] ^ 1,)))
    with pytest.raises(SumMismatchError, match="verify layer 2 of layout"):
        paths(tmp_path, f"{tmp_path}/layout")
    blob.write_bytes(good + b"x")
    with pytest.raises(UnreadableImageError, match="its descriptor says"):
        paths(tmp_path, f"{tmp_path}/layout")
    blob.unlink()
    with pytest.raises(UnreadableImageError, match="is not there"):
        paths(tmp_path, f"{tmp_path}/layout")
    with pytest.raises(UnreadableImageError, match="2 diff IDs and the manifest 1 layers"):
        paths(tmp_path, document(tmp_path, layers=[LAYERS[0].descriptor()]))


def test_nothing_there_is_told(tmp_path: Path) -> None:
    """With what to write."""
    with pytest.raises(UnknownBaseError, match="no such file or directory"):
        paths(tmp_path, f"oci:{tmp_path}/none")
    write_layout(tmp_path / "layout", LAYERS)
    with pytest.raises(UsageError, match="is an image"):
        paths(tmp_path, f"{tmp_path}/layout", sha512="0" * 128)


def test_a_locked_image_is_the_same_or_refused(tmp_path: Path) -> None:
    """By the digest of its manifest."""
    write_layout(tmp_path / "layout", LAYERS)
    name = f"{tmp_path}/layout"
    digest = paths(tmp_path, name)[1].digest
    locked = LockedImage(LockedBase(name, "image", digest=digest), lock="minpack.lock")
    assert paths(tmp_path, name, locked=locked)[0] == EXPECTED
    write_layout(tmp_path / "layout", LAYERS[1:])
    with pytest.raises(LockedError, match=r"base .*layout: locked sha256:.*…, now sha256:"):
        paths(tmp_path, name, locked=locked)


def test_every_command_takes_an_image(tmp_path: Path) -> None:
    """pack, tree, base info, base image, lock and a locked pack say of an image what they say of its tree."""
    (tmp_path / "app").write_bytes(program(("libc.so",), interpreter=MUSL))
    write_layout(tmp_path / "layout", LAYERS)
    lock = ("--lock", "x.lock")
    for command in (
        ("./app", "--base", "layout", "--check", "none", "-o", "a.tar", "-q"),
        ("lock", "./app", "--base", "layout", "--check", "none", *lock),
        ("./app", "--check", "none", "--locked", *lock, "-o", "b.tar", "-q", "--offline"),
        ("base", "image", "layout", "-o", "c.tar", "-q"),
    ):
        ran = minpack(*command, cwd=tmp_path)
        assert ran.code == 0, ran.err
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    info = json.loads(minpack("base", "info", "layout", "--json", cwd=tmp_path).out)
    assert (info["kind"], info["platform"], info["loaders"][0]["libc"]) == ("image", "linux/amd64", "musl")
    assert f'digest = "{info["digest"]}"' in (tmp_path / "x.lock").read_text()
    tree = minpack("tree", "./app", "--base", "layout", "--check", "none", cwd=tmp_path)
    assert tree.out.decode().endswith("from layout\n")
    made = json.loads(minpack("base", "image", "layout", "-o", "d.tar", "--json", cwd=tmp_path).out)
    assert made["inputs"][0]["sha256"] == info["digest"][7:]
    # What is made of an image never replaces it.
    refused = minpack("./app", "--base", "oci:layout", "--format", "oci", "-o", "layout", "--force", cwd=tmp_path)
    assert refused.code == 1
    assert "layout" in refused.err


@pytest.mark.tool
def test_skopeo_copies_bases(tmp_path: Path) -> None:
    """Between all its forms of files: the same tree comes out of each."""
    write_layout(tmp_path / "layout", [layer(one.tar) for one in LAYERS])
    skopeo = [need_tool("skopeo"), "copy", "-q", "--insecure-policy", "oci:layout:1"]
    for name in ("oci:copy:1", "oci-archive:oci.tar:1", "docker-archive:docker.tar:app:1"):
        subprocess.run([*skopeo, name], cwd=tmp_path, check=True)
        transport, path, *_ = name.split(":")
        assert paths(tmp_path, f"{transport}:{tmp_path}/{path}")[0] == EXPECTED
        assert paths(tmp_path, f"{tmp_path}/{path}")[0] == EXPECTED


def test_static_programs_take_from_images_too(tmp_path: Path) -> None:
    """What they need of a base, as users."""
    (tmp_path / "app").write_bytes(static_program())
    write_layout(tmp_path / "layout", LAYERS)
    ran = minpack("./app", "--base", "layout", "--take", "/etc/passwd", "-o", "a.tar", "-q", cwd=tmp_path)
    assert ran.code == 0, ran.err
