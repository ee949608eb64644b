"""Reading images: what was written is read as the value that it was, and what others write too."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from minpack.content import read_all
from minpack.digest import Digest
from minpack.errors import SumMismatchError, UnreadableImageError
from minpack.oci import files, mediatypes
from minpack.oci.compression import Compression
from minpack.oci.documents import blob
from minpack.oci.image import put_index
from minpack.oci.layout import LayoutSink
from minpack.oci.read import choose, read_image
from minpack.oci.stated import MAX_MANIFESTS
from minpack.target import Platform
from support.images import (
    AMD64,
    Taken,
    archive_bytes,
    archive_file,
    archive_of,
    blob_name,
    built_index,
    descriptor_of,
    layout_directory,
    parts_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


ARM = Platform("linux", "arm", "v7")
ARM64 = Platform("linux", "arm64")
PLATFORMS = {"one": (AMD64,), "variant": (ARM,), "three": (ARM, AMD64, ARM64)}
ARCHIVE = archive_bytes()


@pytest.mark.parametrize("artifacts", [False, True])
@pytest.mark.parametrize("platforms", PLATFORMS)
def test_what_is_written_is_read(platforms: str, artifacts: bool, tmp_path: Path) -> None:
    """Archives and layouts of images of any platforms, with or without artifacts, are read as the value they were."""
    index = built_index(tmp_path / "built", PLATFORMS[platforms], artifacts=artifacts)
    names = ("app:1", "ghcr.io/me/app:2")
    full = ("docker.io/library/app:1", "ghcr.io/me/app:2")
    for write in (archive_file, layout_directory):
        path = tmp_path / write.__name__
        written = write(path, index, names)
        assert read_image(str(path)) == ((written, full),)
        assert len(written.artifacts) == 2 * artifacts


def test_what_is_read_is_written_as_it_was(tmp_path: Path) -> None:
    """An archive copied to a layout and back has the same bytes."""
    index = built_index(tmp_path / "built", (AMD64, ARM64), artifacts=True)
    archive_file(tmp_path / "one", index)
    layout_directory(tmp_path / "layout", read_image(str(tmp_path / "one"))[0].built)
    found = read_image(str(tmp_path / "layout"))[0].built
    archive_file(tmp_path / "two", found)
    assert parts_of((tmp_path / "one").read_bytes()) == parts_of((tmp_path / "two").read_bytes())


def test_blobs_are_what_their_digests_say(tmp_path: Path) -> None:
    """Every blob of an index that was read has the size and the digest of its descriptor, and is there once."""
    index = archive_file(tmp_path / "image", built_index(tmp_path / "built", (AMD64, ARM64), artifacts=True))
    for one in index.blobs:
        data = read_all(one.content, 1 << 20)
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (one.descriptor.digest.hex, one.descriptor.size)
    assert len({one.descriptor.digest for one in index.blobs}) == len(index.blobs)


def test_blobs_that_are_changed_are_not_copied(tmp_path: Path) -> None:
    """A layer whose bytes are not those of its digest is refused when it is put somewhere."""
    parts = parts_of(ARCHIVE)
    name = next(name for name, data in parts.items() if data.startswith(b"\x1f\x8b"))
    (tmp_path / "image").write_bytes(archive_of(parts | {name: parts[name][:-1] + b"x"}))
    index = choose("image", read_image(str(tmp_path / "image")))
    with pytest.raises(SumMismatchError), LayoutSink(str(tmp_path / "layout")) as sink:
        put_index(index, sink, ())


def saved(parts: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    """A tar as `docker save` makes it, with links among its layers."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in parts.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for name, to in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, to
            tar.addfile(member)
    return out.getvalue()


def old_archive(image: Taken, links: dict[str, str] | None = None) -> bytes:
    """What `docker save` made of an image before there was OCI, its layers not compressed."""
    layers = [f"{at}{'f' * 63}/layer.tar" for at in range(len(image.layers))]
    config = json.dumps(image.config).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = json.dumps([{"Config": name, "RepoTags": ["app:1"], "Layers": layers}]).encode()
    parts = {name: config, "manifest.json": manifest, "repositories": b"{}"}
    parts |= {layer: data for layer, data in zip(layers, image.layers, strict=True) if layer not in (links or {})}
    return saved(parts, links)


@pytest.mark.parametrize("compression", [Compression.NONE, Compression.BALANCED, Compression.ZSTD])
def test_old_archives_get_a_manifest(compression: Compression, tmp_path: Path) -> None:
    """Without an index, an image is the configuration and the layers of `manifest.json`, with a manifest of them."""
    plain = archive_bytes(compression=compression)
    (tmp_path / "plain").write_bytes(plain)
    (tmp_path / "old").write_bytes(old_archive(Taken(plain)))
    ((expected, _),), ((found, names),) = read_image(str(tmp_path / "plain")), read_image(str(tmp_path / "old"))
    assert names == ("app:1",)
    (image,), (other,) = found.images, expected.images
    assert (image.platform, image.diff_ids) == (other.platform, other.diff_ids)
    assert [one.descriptor for one in image.layers] == [one.descriptor for one in other.layers]
    assert json.loads(image.manifest.data)["config"]["digest"] == str(image.image_id)
    assert image.image_id == Digest.of(image.config.data)


def test_layers_that_are_links_are_followed(tmp_path: Path) -> None:
    """A layer that `docker save` made a link to the same one before is that one."""
    image = Taken(archive_bytes(compression=Compression.NONE))
    image.layers[1] = image.layers[0]
    image.config["rootfs"]["diff_ids"][1] = image.config["rootfs"]["diff_ids"][0]
    name = f"1{'f' * 63}/layer.tar"
    (tmp_path / "old").write_bytes(old_archive(image, {name: f"../0{'f' * 63}/layer.tar"}))
    (found,) = read_image(str(tmp_path / "old"))[0].built.images
    assert found.layers[0] == found.layers[1]


def test_images_that_an_index_lists_and_are_not_there_are_left_out(tmp_path: Path) -> None:
    """Engines save the index of many platforms with the image of one."""
    index = built_index(tmp_path / "built", (AMD64, ARM64))
    archive_file(tmp_path / "all", index)
    parts = parts_of((tmp_path / "all").read_bytes())
    del parts[f"blobs/sha256/{index.images[1].digest.hex}"]
    (tmp_path / "some").write_bytes(archive_of(parts))
    ((found, _),) = read_image(str(tmp_path / "some"))
    assert [image.platform for image in found.images] == [AMD64]
    assert found.digest == index.digest


def test_one_of_several_images_is_chosen(tmp_path: Path) -> None:
    """By its full name or its tag; without a name there must be one, and the error names those that there are."""
    image = Taken(ARCHIVE)
    first = image.index["manifests"][0]
    image.config["config"]["Cmd"] = ["other"]
    parts = parts_of(ARCHIVE) | image.parts()
    second = image.index["manifests"][0] | {"annotations": {"org.opencontainers.image.ref.name": "2"}}
    listed = json.loads(parts_of(ARCHIVE)["index.json"])["manifests"]
    assert listed != [first]
    parts["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [*listed, second]}).encode()
    (tmp_path / "two").write_bytes(archive_of(parts))
    found = read_image(str(tmp_path / "two"))
    assert choose("two", found, "docker.io/library/app:1") == choose("two", found, "1") == found[0].built
    assert choose("two", found, "2") == found[1].built
    for name, reason in (("", "it has several images"), ("3", "0 of its images are called '3'")):
        with pytest.raises(UnreadableImageError) as caught:
            choose("two", found, name)
        assert caught.value.reason == reason
        assert caught.value.hint == "name one of docker.io/library/app:1, 2"


def with_index(image: Taken, **changed: Any) -> Taken:
    """The image, whose first entry of the index has these fields."""
    image.index["manifests"][0].update(changed)
    return image


def nested(parts: dict[str, bytes], levels: int) -> dict[str, bytes]:
    """The archive with its index within an index, so many times."""
    for _ in range(levels):
        inner = parts["index.json"]
        parts = parts | {blob_name(inner): inner}
        parts["index.json"] = json.dumps(
            {"schemaVersion": 2, "manifests": [descriptor_of(inner, mediatypes.INDEX)]}
        ).encode()
    return parts


def changed(change: Callable[[Taken], object]) -> Callable[[], bytes]:
    """An archive of an image that was changed."""

    def made() -> bytes:
        image = Taken(ARCHIVE)
        change(image)
        return archive_of(image.parts())

    return made


def with_parts(**parts: bytes) -> Callable[[], bytes]:
    """An archive with other files, by their names without what follows a dot."""
    names = {"index": "index.json", "layout": "oci-layout", "manifest": "manifest.json"}
    return lambda: archive_of(parts_of(ARCHIVE) | {names[name]: data for name, data in parts.items()})


def docker_only(document: Any, **more: bytes) -> Callable[[], bytes]:
    """An archive with this `manifest.json` and no index."""
    return lambda: saved({"manifest.json": json.dumps(document).encode(), **more})


CONFIG_NAME = next(name for name, data in parts_of(ARCHIVE).items() if b'"rootfs"' in data)
MANY = [{"mediaType": mediatypes.MANIFEST, "digest": f"sha256:{'0' * 64}", "size": 1}] * (MAX_MANIFESTS + 1)
HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "neither an index.json nor a manifest.json"),
    "no tar": (lambda: b"no tar" * 1000, "it is not a tar archive"),
    "program": (lambda: b"\x7fELF" + ARCHIVE, "it is a program"),
    "cut": (lambda: ARCHIVE[:1500], "in the middle of a header"),
    "compressed": (lambda: b"\x1f\x8b" + ARCHIVE, "it is compressed as a whole"),
    "twice": (lambda: ARCHIVE[:-1024] + ARCHIVE, "duplicate entry"),
    "no JSON": (with_parts(index=b"{"), "index.json: it is not JSON"),
    "deep": (with_parts(index=b"[" * 100_000), "index.json: it is not JSON"),
    "long number": (with_parts(index=b'{"manifests":' + b"9" * 100_000 + b"}"), "index.json: it is not JSON"),
    "key twice": (with_parts(index=b'{"a":1,"a":1}'), "index.json: it is not JSON"),
    "no text": (with_parts(index=b'"\xff"'), "index.json: it is not JSON"),
    "long": (with_parts(index=b" " * (5 << 20)), "index.json: it has 5242880 bytes"),
    "list": (with_parts(index=b"[]"), "manifests is nothing"),
    "null": (with_parts(index=b"null"), "manifests is nothing"),
    "no image": (with_parts(index=b'{"manifests":[]}'), "it lists no image"),
    "many": (with_parts(index=json.dumps({"manifests": MANY}).encode()), "it lists more than 1000 manifests"),
    "version": (with_parts(layout=b'{"imageLayoutVersion":"2"}'), 'imageLayoutVersion is "2"'),
    "nested deeply": (lambda: archive_of(nested(parts_of(ARCHIVE), 2)), "an index within an index"),
    "not there": (lambda: archive_of({n: d for n, d in parts_of(ARCHIVE).items() if n != CONFIG_NAME}), "is not there"),
    "changed": (lambda: archive_of(parts_of(ARCHIVE) | {CONFIG_NAME: b"{}"}), "its descriptor says"),
    "digest": (
        lambda: archive_of(parts_of(ARCHIVE) | {CONFIG_NAME: b" " * len(parts_of(ARCHIVE)[CONFIG_NAME])}),
        "its digest is sha256:",
    ),
    "sha512": (
        with_parts(index=json.dumps({"manifests": [{**MANY[0], "digest": "sha512:00"}]}).encode()),
        "expected a SHA-256 digest",
    ),
    "path": (
        with_parts(index=json.dumps({"manifests": [{**MANY[0], "digest": "sha256:../../etc/passwd"}]}).encode()),
        "expected a SHA-256 digest",
    ),
    "size": (with_parts(index=json.dumps({"manifests": [{**MANY[0], "size": -1}]}).encode()), "size is -1"),
    "data": (
        with_parts(index=json.dumps({"manifests": [{**MANY[0], "data": "e30="}]}).encode()),
        "expected the blob in base 64",
    ),
    "annotation": (changed(lambda i: with_index(i, annotations={"a": 1})), "annotations is"),
    "layers": (changed(lambda i: i.manifest.update(layers={})), "layers is {}"),
    "many layers": (changed(lambda i: i.manifest.update(layers=MANY)), "it has more than 1000 layers"),
    "no config": (changed(lambda i: i.manifest["config"].update(mediaType="?")), "config.mediaType"),
    "diff IDs": (changed(lambda i: i.config["rootfs"]["diff_ids"].pop()), "it has 1 diff IDs and the manifest 2"),
    "diff ID": (changed(lambda i: i.config["rootfs"].update(diff_ids=[1, 2])), "expected a SHA-256 digest"),
    "rootfs": (changed(lambda i: i.config.update(rootfs=[])), "rootfs.diff_ids is nothing"),
    "no platform": (changed(lambda i: i.config.pop("os")), "os is nothing"),
    "platform": (changed(lambda i: i.config.update(architecture="a\nb")), "architecture is"),
    "docker list": (docker_only({}), "expected a list of images"),
    "docker none": (docker_only([]), "it lists no image"),
    "docker item": (docker_only([1]), "expected the name of a file"),
    "docker layers": (docker_only([{"Config": "c", "Layers": 1}], c=b"{}"), "expected a list of files"),
    "docker outside": (docker_only([{"Config": "../../etc/passwd", "Layers": []}]), "'../../etc/passwd' is not there"),
    "docker config": (docker_only([{"Config": "c", "Layers": []}], c=b"x"), "c: it is not JSON"),
    "docker tags": (docker_only([{"Config": "c", "Layers": [], "RepoTags": [1]}], c=b"{}"), "expected a name"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_archives_are_refused(what: str, tmp_path: Path) -> None:
    """What no image archive can say is one error, which names the archive and says what is wrong."""
    made, reason = HOSTILE[what]
    path = tmp_path / "image.tar"
    path.write_bytes(made())
    with pytest.raises(UnreadableImageError) as caught:
        read_image(str(path))
    assert reason in caught.value.reason
    assert caught.value.message.startswith(f"cannot read image {str(path)!r}: ")


def test_links_lead_nowhere_outside(tmp_path: Path) -> None:
    """A link to a file of the host's is not a file of the archive."""
    parts = {"manifest.json": json.dumps([{"Config": "c", "Layers": []}]).encode()}
    for to in ("/etc/passwd", "../../etc/passwd", "c"):
        (tmp_path / "image").write_bytes(saved(parts, {"c": to}))
        with pytest.raises(UnreadableImageError, match="'c' is not there"):
            read_image(str(tmp_path / "image"))


def test_there_are_no_more_files_than_an_archive_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of members and of blobs has a bound."""
    monkeypatch.setattr(files, "MAX_MEMBERS", 3)
    (tmp_path / "image").write_bytes(ARCHIVE)
    layout_directory(tmp_path / "layout", built_index(tmp_path / "built"))
    for name in ("image", "layout"):
        with pytest.raises(UnreadableImageError, match="more than 3 files"):
            read_image(str(tmp_path / name))


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    """A path that leads nowhere, an empty directory, and what is not a file have an error that says so."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").mkdir()
    for name, reason in (
        ("none", "no such file"),
        ("pipe", "it is not a regular file"),
        ("empty", "it has neither an index.json nor a manifest.json"),
        ("nul\0", "no such file"),
    ):
        with pytest.raises(UnreadableImageError) as caught:
            read_image(str(tmp_path / name))
        assert reason in caught.value.reason


def test_artifacts_about_nothing_that_is_there_are_left_out(tmp_path: Path) -> None:
    """An artifact whose subject is not in the archive belongs to no image of it."""
    subject = {"mediaType": mediatypes.MANIFEST, "digest": f"sha256:{'0' * 64}", "size": 1}
    empty = blob(mediatypes.EMPTY, {})
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": mediatypes.MANIFEST,
        "config": empty.descriptor.document(),
        "layers": [],
        "subject": subject,
    }
    data = json.dumps(document).encode()
    parts = parts_of(ARCHIVE) | {blob_name(data): data, blob_name(empty.data): empty.data}
    (tmp_path / "image").write_bytes(archive_of(parts))
    assert read_image(str(tmp_path / "image"))[0].built.artifacts == ()
