"""Validation: nothing is wrong with what is written, and everything that could be is found."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import tarfile
import tracemalloc
import zlib
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

from minpack.content import BytesContent
from minpack.errors import InputError
from minpack.oci import mediatypes
from minpack.oci.archive import ArchiveSink
from minpack.oci.compression import Compression
from minpack.oci.layout import LayoutSink
from minpack.oci.validate import validate_archive, validate_layout
from minpack.paths import RootPath
from minpack.rootfs.entry import Entry, Kind, directory, file, symlink
from minpack.tar.write import TarStream
from minpack.target import Platform
from support.capabilities import NET_RAW
from support.images import (
    CONFIG,
    LOWER,
    UPPER,
    Taken,
    archive_bytes,
    archive_file,
    archive_of,
    blob_name,
    built_index,
    descriptor_of,
    layout_directory,
    parts_of,
    write_image,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from minpack.content import Content

ARCHIVE = archive_bytes()
PARTS = parts_of(ARCHIVE)


def issues_of(archive: bytes, tmp_path: Path) -> tuple[str, ...]:
    """What is wrong with an archive of these bytes."""
    path = tmp_path / "image.tar"
    path.write_bytes(archive)
    return validate_archive(str(path))


def layout_issues_of(parts: dict[str, bytes], tmp_path: Path) -> tuple[str, ...]:
    """What is wrong with a layout of these files."""
    for name, data in parts.items():
        path = tmp_path / "layout" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return validate_layout(str(tmp_path / "layout"))


@pytest.mark.parametrize("compression", Compression)
@pytest.mark.parametrize("names", [(), ("app:1",), ("app:1", "ghcr.io/me/app:1", "app:2")])
def test_nothing_is_wrong_with_what_is_written(
    compression: Compression, names: tuple[str, ...], tmp_path: Path
) -> None:
    """Archives and layouts of every compression and with any number of names keep all rules."""
    image: dict[str, Any] = {"compression": compression, "names": names}
    assert issues_of(archive_bytes(**image), tmp_path) == ()
    with LayoutSink(str(tmp_path / "layout")) as writer:
        write_image(writer, **image)
    assert validate_layout(str(tmp_path / "layout")) == ()


@pytest.mark.parametrize("created", [0, 1, 0o77777777777, 0o77777777777 + 1, 253402300799])
def test_any_time_will_do(created: int, tmp_path: Path) -> None:
    """Images of every time that can be are as they should be."""
    assert issues_of(archive_bytes(config=CONFIG._replace(created=created)), tmp_path) == ()


def test_layers_of_several_members_are_read_whole(tmp_path: Path) -> None:
    """A layer of many gzip members, with files of all sizes and strange names, keeps all rules."""
    entries = [
        directory(RootPath("/d")),
        file(RootPath("/d/big"), BytesContent(os.urandom(2_300_000))),
        file(RootPath("/d/no utf-8 \udcff"), BytesContent(b"x")),
        file(RootPath(f"/d/{'n' * 200}"), BytesContent(b"y" * 513)),
        file(RootPath("/d/ö"), BytesContent(b"z"))._replace(uid=3_000_000),
        symlink(RootPath("/d/ölink"), "t" * 200),
    ]
    for compression in Compression:
        assert issues_of(archive_bytes(layers=[sorted(entries)], compression=compression), tmp_path) == ()


@pytest.mark.parametrize("artifacts", [False, True])
@pytest.mark.parametrize("architectures", [("amd64",), ("arm64", "amd64", "386")])
def test_nothing_is_wrong_with_an_index(architectures: tuple[str, ...], artifacts: bool, tmp_path: Path) -> None:
    """Images of several platforms, and artifacts about them and about these, keep all rules too."""
    platforms = tuple(Platform("linux", architecture) for architecture in architectures)
    index = built_index(tmp_path / "built", platforms, artifacts=artifacts)
    archive_file(tmp_path / "image.tar", index)
    layout_directory(tmp_path / "layout", index)
    assert validate_archive(str(tmp_path / "image.tar")) == ()
    assert validate_layout(str(tmp_path / "layout")) == ()


INDEXES: tuple[tuple[str, Callable[[dict[str, Any]], object], str], ...] = (
    ("order", lambda d: d["manifests"].reverse(), "each platform is there once, in the order of their names"),
    ("twice", lambda d: d["manifests"].append(d["manifests"][0]), "each platform is there once"),
    ("type", lambda d: d.update(mediaType=mediatypes.MANIFEST), "mediaType is"),
    ("version", lambda d: d.update(schemaVersion=1), "schemaVersion is 1"),
    ("no platform", lambda d: d["manifests"][0].pop("platform"), "; expected null"),
    ("other platform", lambda d: d["manifests"][0]["platform"].update(architecture="arm"), '"architecture": "arm"'),
    ("within", lambda d: d["manifests"][0].update(mediaType=mediatypes.INDEX), "manifests[0].mediaType"),
    ("fewer", lambda d: d["manifests"].pop(), "nothing refers to it"),
    ("annotations", lambda d: d.update(annotations=[]), "annotations is"),
)


@pytest.mark.parametrize(("change", "issue"), [row[1:] for row in INDEXES], ids=[row[0] for row in INDEXES])
def test_what_an_index_says_wrong_is_found(
    change: Callable[[dict[str, Any]], object], issue: str, tmp_path: Path
) -> None:
    """An index of several platforms that breaks a rule has that for an issue."""
    index = built_index(tmp_path / "built", (Platform("linux", "amd64"), Platform("linux", "arm64")))
    archive_file(tmp_path / "image.tar", index)
    parts = parts_of((tmp_path / "image.tar").read_bytes())
    document = json.loads(parts.pop(f"blobs/sha256/{index.digest.hex}"))
    change(document)
    data = json.dumps(document).encode()
    top = json.loads(parts["index.json"])
    top["manifests"][0].update(descriptor_of(data, mediatypes.INDEX))
    parts |= {blob_name(data): data, "index.json": json.dumps(top).encode()}
    assert any(issue in found for found in issues_of(archive_of(parts), tmp_path))


ARTIFACTS: tuple[tuple[str, Callable[[dict[str, Any]], object], str], ...] = (
    ("no type", lambda d: d.pop("artifactType"), "artifactType is nothing"),
    ("config", lambda d: d["config"].update(mediaType=mediatypes.CONFIG), "config.mediaType is"),
    ("no layers", lambda d: d.update(layers=[]), "it has no layers"),
    ("layer type", lambda d: d["layers"][0].update(mediaType="?"), "layers[0].mediaType is"),
    ("layer missing", lambda d: d["layers"][0].update(digest=f"sha256:{'0' * 64}"), "it is missing"),
    ("layer size", lambda d: d["layers"][0].update(size=1), "its descriptor says 1"),
    ("about nothing", lambda d: d["subject"].update(digest=f"sha256:{'0' * 64}"), "nothing refers to it"),
    ("about no manifest", lambda d: d["subject"].update(mediaType="a/b"), "nothing refers to it"),
)


@pytest.mark.parametrize(("change", "issue"), [row[1:] for row in ARTIFACTS], ids=[row[0] for row in ARTIFACTS])
def test_what_an_artifact_says_wrong_is_found(
    change: Callable[[dict[str, Any]], object], issue: str, tmp_path: Path
) -> None:
    """The manifest of an artifact that breaks a rule has that for an issue."""
    index = built_index(tmp_path / "built", artifacts=True)
    archive_file(tmp_path / "image.tar", index)
    parts = parts_of((tmp_path / "image.tar").read_bytes())
    (sbom,) = (one for one in index.artifacts if one.subject == index.root._replace(platform=None))
    document = json.loads(parts.pop(f"blobs/sha256/{sbom.descriptor.digest.hex}"))
    change(document)
    data = json.dumps(document).encode()
    assert any(issue in found for found in issues_of(archive_of(parts | {blob_name(data): data}), tmp_path))


def test_the_archive_that_is_taken_apart_is_put_together_again(tmp_path: Path) -> None:
    """Without a change, what the tests below make is as it should be."""
    assert issues_of(archive_of(Taken(ARCHIVE).parts()), tmp_path) == ()
    assert issues_of(archive_of(PARTS), tmp_path) == ()


# What is changed in an image, and the issue that says so.

DOCUMENTS: tuple[tuple[str, Callable[[Taken], object], str], ...] = (
    ("layout version", lambda i: setattr(i, "layout", b'{"imageLayoutVersion":"1.1"}'), "oci-layout: it is"),
    ("layout no JSON", lambda i: setattr(i, "layout", b"{"), "oci-layout: it is not JSON"),
    ("key twice", lambda i: setattr(i, "layout", b'{"a":1,"a":1}'), "oci-layout: it is not JSON: duplicate key 'a'"),
    ("no text", lambda i: setattr(i, "layout", b'"\xff"'), "oci-layout: it is not JSON"),
    ("deep", lambda i: setattr(i, "layout", b"[" * 100_000), "oci-layout: it is not JSON"),
    ("long", lambda i: setattr(i, "layout", b" " * (5 << 20)), "expected at most 4194304"),
    ("index version", lambda i: i.index.update(schemaVersion=1), "index.json: schemaVersion is 1; expected 2"),
    ("index true", lambda i: i.index.update(schemaVersion=2.0), "index.json: schemaVersion is 2.0"),
    ("index type", lambda i: i.index.update(mediaType=mediatypes.MANIFEST), "index.json: mediaType"),
    ("index empty", lambda i: i.index.update(manifests=[]), "index.json: it lists 0 images"),
    ("index no list", lambda i: i.index.update(manifests={}), "expected a list of descriptors"),
    (
        "two platforms",
        lambda i: i.index["manifests"].append({**i.index["manifests"][0], "platform": {"os": "linux"}}),
        "expected one for one platform, or one index",
    ),
    (
        "one name twice",
        lambda i: i.index["manifests"].append(i.index["manifests"][0].copy()),
        "each entry has a name of its own",
    ),
    (
        "short name",
        lambda i: i.index["manifests"][0]["annotations"].update({"io.containerd.image.name": "app:1"}),
        "expected a full name and its tag",
    ),
    (
        "no name",
        lambda i: i.index["manifests"][0]["annotations"].update({"io.containerd.image.name": "A:B:C"}),
        "expected a full name and its tag",
    ),
    (
        "another tag",
        lambda i: i.index["manifests"][0]["annotations"].update({"org.opencontainers.image.ref.name": "2"}),
        "expected a full name and its tag",
    ),
    (
        "platform",
        lambda i: i.index["manifests"][0].update(platform={"architecture": "arm64", "os": "linux"}),
        'platform is {"architecture": "amd64", "os": "linux"}; expected {"architecture": "arm64", "os": "linux"}',
    ),
    (
        "nested index",
        lambda i: i.index["manifests"][0].update(mediaType=mediatypes.INDEX),
        'mediaType is "application/vnd.oci.image.manifest.v1+json"',
    ),
    ("manifest version", lambda i: i.manifest.update(schemaVersion=None), "schemaVersion is nothing"),
    ("manifest type", lambda i: i.manifest.pop("mediaType"), "mediaType is nothing"),
    ("config type", lambda i: i.manifest["config"].update(mediaType="text/plain"), "config.mediaType"),
    ("layer type", lambda i: i.manifest["layers"][0].update(mediaType="text/plain"), "layers[0].mediaType"),
    ("no layers", lambda i: i.manifest.update(layers=[]), "it has no layers"),
    ("annotations", lambda i: i.manifest.update(annotations={"a": 1}), "annotations is"),
    ("other labels", lambda i: i.manifest.update(annotations={"a": "b"}), "config.Labels is"),
    ("no architecture", lambda i: i.config.pop("architecture"), "architecture is nothing"),
    ("no os", lambda i: i.config.update(os=""), 'os is ""'),
    ("no created", lambda i: i.config.pop("created"), "created is nothing"),
    ("no day", lambda i: i.config.update(created="1970-02-30T00:00:00Z"), "a time that there is"),
    ("zone", lambda i: i.config.update(created="1970-01-02T00:00:00+01:00"), "a time in UTC"),
    ("rootfs type", lambda i: i.config["rootfs"].update(type="layer"), "rootfs.type"),
    ("no rootfs", lambda i: i.config.pop("rootfs"), "rootfs is nothing"),
    ("diff IDs", lambda i: i.config["rootfs"]["diff_ids"].pop(), "it has 1 diff IDs and the manifest 2 layers"),
    ("no diff ID", lambda i: i.config["rootfs"].update(diff_ids=["x", "y"]), "expected a SHA-256 digest"),
    ("diff IDs turned", lambda i: i.config["rootfs"]["diff_ids"].reverse(), "its diff ID is"),
    ("history", lambda i: i.config["history"].append({"created": "1970-01-02T00:00:00Z"}), "history has 3 entries"),
    ("history empty", lambda i: i.config["history"][0].update(empty_layer=True), "history has 1 entries for 2 layers"),
    ("entrypoint", lambda i: i.config["config"].update(Entrypoint="/bin/app"), "Entrypoint"),
    ("argument", lambda i: i.config["config"].update(Cmd=["a", 1]), "Cmd[1]"),
    ("variable", lambda i: i.config["config"].update(Env=["A"]), "expected KEY=VALUE"),
    ("variable twice", lambda i: i.config["config"].update(Env=["A=1", "A=2"]), "each variable once"),
    ("user", lambda i: i.config["config"].update(User="nonroot"), "User"),
    ("workdir", lambda i: i.config["config"].update(WorkingDir="data"), "WorkingDir"),
    ("port", lambda i: i.config["config"].update(ExposedPorts={"80": {}}), "ExposedPorts"),
    ("volume", lambda i: i.config["config"].update(Volumes={"data": {}}), "Volumes"),
    ("label", lambda i: i.config["config"].update(Labels={"a": None}), "Labels"),
    ("signal", lambda i: i.config["config"].update(StopSignal=15), "StopSignal"),
    ("two items", lambda i: i.docker.append(dict(i.docker[0])), "manifest.json: it is"),
    ("other tags", lambda i: i.docker[0].update(RepoTags=["docker.io/library/app:2"]), "manifest.json: it is"),
    ("no tags", lambda i: i.docker[0].update(RepoTags=None), "manifest.json: it is"),
)


@pytest.mark.parametrize(("change", "issue"), [row[1:] for row in DOCUMENTS], ids=[row[0] for row in DOCUMENTS])
def test_what_documents_say_wrong_is_found(change: Callable[[Taken], object], issue: str, tmp_path: Path) -> None:
    """A document that breaks a rule is an issue that names the field, what it is and what is expected."""
    image = Taken(ARCHIVE)
    change(image)
    assert any(issue in found for found in issues_of(archive_of(image.parts()), tmp_path))


def test_all_issues_are_found(tmp_path: Path) -> None:
    """One issue does not hide another."""
    image = Taken(ARCHIVE)
    image.layout = b"[]"
    image.index["schemaVersion"] = 3
    image.manifest["mediaType"] = "x"
    image.config["os"] = "?"
    image.docker[0]["RepoTags"] = []
    found = issues_of(archive_of(image.parts() | {"more": b""}), tmp_path)
    for where in ("archive: 'more'", "oci-layout", "index.json", "manifest sha256", "config sha256", "manifest.json"):
        assert any(issue.startswith(where) for issue in found)


@pytest.mark.parametrize("name", PARTS)
def test_what_is_missing_is_found(name: str, tmp_path: Path) -> None:
    """Without any one of its members, an archive is wrong, and so is a layout without any of its files."""
    parts = {other: data for other, data in PARTS.items() if other != name}
    assert any("it is missing" in issue for issue in issues_of(archive_of(parts), tmp_path))
    if name != "manifest.json":
        del parts["manifest.json"]
        assert any("it is missing" in issue for issue in layout_issues_of(parts, tmp_path))


@pytest.mark.parametrize("name", [name for name in PARTS if name.startswith("blobs/")])
def test_changed_blobs_are_found(name: str, tmp_path: Path) -> None:
    """A blob that is not what its name says is found, and so is one that is longer than described."""
    longer = issues_of(archive_of(PARTS | {name: PARTS[name] + b" "}), tmp_path)
    digest = f"sha256:{name.rpartition('/')[2]}"
    assert any(issue.startswith(f"archive: blob {digest}: its digest is sha256:") for issue in longer)
    assert any("bytes and its descriptor says" in issue for issue in longer)


def test_blobs_that_nothing_needs_are_found(tmp_path: Path) -> None:
    """A blob that nothing refers to is found."""
    assert issues_of(archive_of(PARTS | {blob_name(b"x"): b"x"}), tmp_path) == (
        f"archive: blob sha256:{blob_name(b'x').rpartition('/')[2]}: nothing refers to it",
    )


@pytest.mark.parametrize(
    ("change", "issue"),
    [
        (lambda m: setattr(m, "mode", 0o755), "it is not a file of root's with mode 0644"),
        (lambda m: setattr(m, "uid", 1), "it is not a file of root's with mode 0644"),
        (lambda m: setattr(m, "name", f"./{m.name}"), "it belongs to no image"),
        (lambda m: setattr(m, "name", "index.json"), "'index.json': duplicate entry"),
        (lambda m: setattr(m, "mtime", 1), "its time is not the image's"),
        (lambda m: setattr(m, "uname", "root"), "it has the names of its owners"),
    ],
)
def test_members_that_are_wrong_are_found(
    change: Callable[[tarfile.TarInfo], None], issue: str, tmp_path: Path
) -> None:
    """Members of an archive are root's, 0644, plainly named and there once."""
    assert any(issue in found for found in issues_of(archive_of(PARTS, change), tmp_path))


@pytest.mark.parametrize(
    ("change", "issue"),
    [
        (lambda archive: archive[:-1024], "0 bytes follow the last member"),
        (lambda archive: archive + bytes(512), "1536 bytes follow the last member"),
        (lambda archive: archive[:700], "go beyond the end"),
        (lambda _: b"no tar" * 1000, "a header has a wrong checksum"),
        (lambda _: b"", "oci-layout: it is missing"),
    ],
)
def test_damaged_archives_are_found(change: Callable[[bytes], bytes], issue: str, tmp_path: Path) -> None:
    """An archive that is cut short, goes on or is none has that for an issue."""
    assert any(issue in found for found in issues_of(change(ARCHIVE), tmp_path))


def test_layouts_have_no_manifest_of_dockers(tmp_path: Path) -> None:
    """What is not part of a layout is found in one: Docker's manifest, other files, symlinks."""
    parts = PARTS | {"more": b""}
    found = layout_issues_of(parts, tmp_path)
    (tmp_path / "layout/link").symlink_to("more")
    linked = validate_layout(str(tmp_path / "layout"))
    assert "manifest.json: it belongs to archives, not to layouts" in found
    assert "layout: 'more': it belongs to no image" in found
    assert set(linked) - set(found) == {"layout: 'link': it is a symlink"}


@pytest.mark.parametrize("validate", [validate_archive, validate_layout])
def test_what_is_not_there_cannot_be_read(validate: Callable[[str], object], tmp_path: Path) -> None:
    """A path that leads nowhere is an error, not an issue."""
    with pytest.raises(InputError):
        validate(str(tmp_path / "none"))


# Layers: a tar of entries that break one rule, whose digests and diff IDs are true.


class Collect:
    """Keeps the blocks it takes."""

    def __init__(self) -> None:
        self.data = bytearray()

    def take(self, block: memoryview) -> memoryview:
        self.data += block
        return memoryview(bytearray(4096))

    def begin_file(self, content: Content) -> bool:
        raise AssertionError("no file has blocks of its own")

    def end_file(self) -> None:
        raise AssertionError("no file has blocks of its own")


def tar_of(entries: Iterable[Entry], mtime: int = CONFIG.created) -> bytes:
    """The tar of entries, in the order they are given."""
    blocks = Collect()
    stream = TarStream(blocks, memoryview(bytearray(4096)))
    stream.add(entries, mtime)
    stream.finish()
    return bytes(blocks.data)


def stored(tar: bytes, media_type: str) -> bytes:
    """A layer's blob of this type."""
    if media_type == mediatypes.LAYER:
        return tar
    return gzip.compress(tar) if media_type == mediatypes.LAYER_GZIP else zstandard.compress(tar)


def layer_issues(tars: list[bytes], tmp_path: Path, media_type: str = mediatypes.LAYER) -> tuple[str, ...]:
    """What is wrong with an image of these layers' tars, but for the place."""
    image = Taken(archive_bytes(layers=[LOWER] * len(tars)))
    image.layers = [stored(tar, media_type) for tar in tars]
    for layer in image.manifest["layers"]:
        layer["mediaType"] = media_type
    found = issues_of(archive_of(image.with_diff_ids(tars).parts()), tmp_path)
    assert all(re.match(r"layer \d sha256:[0-9a-f]{64}: ", issue) for issue in found)
    return tuple(issue.partition(": ")[2] for issue in found)


def at(path: str, mode: int = 0o644, data: bytes = b"") -> Entry:
    """A file."""
    return file(RootPath(path), BytesContent(data), mode)


def link(path: str, target: str, mode: int = 0o644, uid: int = 0) -> Entry:
    """A hard link."""
    return Entry(RootPath(path), Kind.HARDLINK, mode, uid, link=target)


def capable(entry: Entry) -> Entry:
    """The entry with a file capability."""
    return entry._replace(capability=NET_RAW)


D = directory(RootPath("/d"))
TREES: tuple[tuple[str, list[Entry], tuple[str, ...]], ...] = (
    ("good", [D, at("/d/a"), link("/d/b", "/d/a"), at("/e")], ()),
    ("empty", [], ()),
    ("twice", [at("/a"), at("/a")], ("'a': duplicate entry",)),
    ("directory twice", [D, D], ("'d/': duplicate entry",)),
    ("no parent", [at("/d/a")], ("'d/a': its directory is not there before it",)),
    ("parent behind", [at("/d/a"), D], ("'d/a': its directory is not there before it", "'d/': it is not sorted")),
    ("file as parent", [at("/d"), at("/d/a")], ("'d/a': its directory is not there before it",)),
    ("link as parent", [symlink(RootPath("/d"), "e"), at("/d/a")], ("'d/a': its directory is not there before it",)),
    ("not sorted", [at("/b"), at("/a")], ("'a': it is not sorted",)),
    ("sorted as text", [D, at("/d.x"), at("/d/a")], ("'d/a': it is not sorted",)),
    (
        "link first",
        [link("/a", "/b"), at("/b")],
        ("'a': 'b', which it is a hard link to, is not a file before it",),
    ),
    (
        "link to a directory",
        [D, link("/e", "/d")],
        ("'e': 'd', which it is a hard link to, is not a file before it",),
    ),
    (
        "link with another mode",
        [at("/a", 0o755), link("/b", "/a")],
        ("'b': its mode, owner or capabilities are not those of 'a', which it is a hard link to",),
    ),
    (
        "link with another owner",
        [at("/a"), link("/b", "/a", uid=5)],
        ("'b': its mode, owner or capabilities are not those of 'a', which it is a hard link to",),
    ),
    ("capability", [capable(at("/a", 0o755)), capable(link("/b", "/a", 0o755))], ()),
    (
        "link without its capability",
        [capable(at("/a", 0o755)), link("/b", "/a", 0o755)],
        ("'b': its mode, owner or capabilities are not those of 'a', which it is a hard link to",),
    ),
    ("whiteout", [at("/.wh.a")], ("'.wh.a': whiteouts have such names",)),
    ("opaque", [D, at("/d/.wh..wh..opq")], ("'d/.wh..wh..opq': whiteouts have such names",)),
    ("dot", [at("/./a")], ("'./a': its name is not relative and plain", "'./a': its directory is not there before it")),
    ("root", [directory(RootPath("/."))], ("'./': its name is not relative and plain",)),
    (
        "absolute",
        [at("//a")],
        ("'/a': its name is not relative and plain",),
    ),
    (
        "dots",
        [at("/../a")],
        ("'../a': its name is not relative and plain", "'../a': its directory is not there before it"),
    ),
)


@pytest.mark.parametrize(("entries", "issues"), [row[1:] for row in TREES], ids=[row[0] for row in TREES])
def test_trees_that_engines_unpack_differently_are_found(
    entries: list[Entry], issues: tuple[str, ...], tmp_path: Path
) -> None:
    """A layer's tar that breaks a rule has that for an issue, with the member's name, and no other."""
    assert layer_issues([tar_of(entries)], tmp_path) == issues


def made_by_python(**fields: Any) -> bytes:
    """A tar of one member with these fields."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        member = tarfile.TarInfo("a")
        member.mtime = CONFIG.created
        for key, value in fields.items():
            setattr(member, key, value)
        tar.addfile(member)
    return out.getvalue()[:512] + bytes(1024)


@pytest.mark.parametrize(
    ("fields", "issue"),
    [
        ({}, None),
        ({"mtime": 5}, "'a': its time is not the image's"),
        ({"uname": "root"}, "'a': it has the names of its owners"),
        ({"gname": "root"}, "'a': it has the names of its owners"),
        ({"type": tarfile.FIFOTYPE}, "'a': it is not a file, directory or link"),
        ({"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3}, "'a': it is not a file, directory or link"),
    ],
)
def test_headers_that_say_more_are_found(fields: dict[str, Any], issue: str | None, tmp_path: Path) -> None:
    """Times, owners' names and devices are found."""
    assert layer_issues([made_by_python(**fields)], tmp_path) == ((issue,) if issue is not None else ())


def test_what_fills_blocks_is_zeros(tmp_path: Path) -> None:
    """What lies between the data of a file and the next header is looked at, in layers and archives."""
    filled = "its last block is filled with something else than zeros"
    tar = bytearray(tar_of([at("/a", data=b"data"), at("/b")]))
    tar[1000] = 1
    assert layer_issues([bytes(tar)], tmp_path) == (f"'a': {filled}",)
    archive = bytearray(ARCHIVE)
    archive[ARCHIVE.index(b'{"imageLayoutVersion"') + 300] = 1
    assert issues_of(bytes(archive), tmp_path) == (f"archive: 'oci-layout': {filled}",)


def mutated(random: Random, archive: bytes) -> bytes:
    """The archive with a few bytes changed, taken out or put in."""
    data = bytearray(archive)
    for _ in range(random.choice((1, 1, 2, 5))):
        at_ = random.randrange(len(data))
        action = random.randrange(3)
        if action == 0:
            data[at_] = random.choice((0, 255, random.randrange(256), ord("9"), ord('"')))
        elif action == 1:
            del data[at_ : at_ + random.choice((1, 7, 512))]
        else:
            data[at_:at_] = random.randbytes(random.choice((1, 512)))
    return bytes(data)


@pytest.mark.parametrize("compression", Compression)
def test_no_damage_is_overlooked(compression: Compression, tmp_path: Path) -> None:
    """Whatever is changed in an archive is an issue, and nothing makes reading it fail."""
    archive = archive_bytes(compression=compression)
    random = Random(compression)  # noqa: S311 - the same ones each time
    for _ in range(60):
        damaged = mutated(random, archive)
        assert (damaged == archive) == (issues_of(damaged, tmp_path) == ())


def test_layers_lie_upon_layers(tmp_path: Path) -> None:
    """A layer may repeat a directory of one below as it is there, and nothing else."""
    lower = [D, at("/d/a"), at("/e")]
    assert layer_issues([tar_of(lower), tar_of([D, at("/d/b")])], tmp_path) == ()
    other = layer_issues([tar_of(lower), tar_of([directory(RootPath("/d"), 0o700), at("/d/a"), at("/f")])], tmp_path)
    below = "a layer below has something else there"
    assert other == (f"'d/': {below}", f"'d/a': {below}")
    assert layer_issues([tar_of(lower), tar_of([at("/d/b")])], tmp_path) == (
        "'d/b': its directory is not there before it",
    )


@pytest.mark.parametrize(
    ("tar", "issue"),
    [
        (lambda tar: tar[:-1024], "0 zeros follow its last member; expected 1024"),
        (lambda tar: tar + bytes(8192), "9216 zeros follow its last member; expected 1024"),
        (lambda tar: tar + b"x", "there is data after its last member"),
        (lambda tar: tar[:600], "it ends in the middle of a header"),
        (lambda tar: b"x" * len(tar), "a header has a wrong checksum"),
    ],
)
@pytest.mark.parametrize("media_type", [mediatypes.LAYER, mediatypes.LAYER_GZIP, mediatypes.LAYER_ZSTD])
def test_tars_that_end_wrong_are_found(
    media_type: str, tar: Callable[[bytes], bytes], issue: str, tmp_path: Path
) -> None:
    """A tar that is cut short, goes on or is none is found, however it is compressed."""
    assert any(issue in found for found in layer_issues([tar(tar_of(UPPER))], tmp_path, media_type))


@pytest.mark.parametrize("compression", [Compression.BALANCED, Compression.ZSTD])
def test_damaged_compression_is_found(compression: Compression, tmp_path: Path) -> None:
    """A layer whose compressed bytes are damaged, cut or followed by something is found."""
    image = Taken(archive_bytes(compression=compression))
    good = image.layers[1]
    for bad in (good[:-3], good + b"more", good[:60] + bytes([good[60] ^ 0xFF]) + good[61:]):
        image.layers[1] = bad
        found = issues_of(archive_of(image.parts()), tmp_path)
        assert any(issue.startswith("layer 1 ") and "compressed data" in issue for issue in found)


def test_media_types_are_believed(tmp_path: Path) -> None:
    """A layer that is not stored as its media type says is found."""
    image = Taken(archive_bytes(compression=Compression.NONE))
    image.manifest["layers"][0]["mediaType"] = mediatypes.LAYER_GZIP
    assert any(issue.startswith("layer 0 ") for issue in issues_of(archive_of(image.parts()), tmp_path))


def test_memory_does_not_grow_with_the_image(tmp_path: Path) -> None:
    """A layer of 300 MB of zeros, in a blob of 300 kB, is read in a few megabytes."""
    size = 300_000_000
    compress = zlib.compressobj(9, zlib.DEFLATED, 31)
    header = tar_of([at("/a", data=b"")])[:-1024]
    block = bytearray(header)
    block[124:136] = b"%011o\0" % size
    block[148:156] = b"        "
    block[148:156] = b"%06o\0 " % sum(block)
    packed = compress.compress(bytes(block))
    zeros = bytes(1 << 20)
    for at_ in range(0, size + 1024 + -size % 512, len(zeros)):
        packed += compress.compress(zeros[: size + 1024 + -size % 512 - at_])
    image = Taken(archive_bytes(layers=[LOWER]))
    image.layers = [packed + compress.flush()]
    (tmp_path / "image.tar").write_bytes(archive_of(image.parts()))
    tracemalloc.start()
    try:
        found = validate_archive(str(tmp_path / "image.tar"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [issue.partition(": ")[2].partition(" sha256")[0] for issue in found] == ["its diff ID is"]
    assert peak < 16_000_000


def test_own_documents_are_canonical() -> None:
    """The documents are in the one byte form that this project writes."""
    for name, data in PARTS.items():
        if data[:1] in (b"{", b"["):
            dumped = json.dumps(json.loads(data), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            assert data == dumped.encode(), name


def test_an_archive_from_a_stream_is_the_same(tmp_path: Path) -> None:
    """An archive written to a file is that written to memory."""
    with (tmp_path / "image.tar").open("w+b") as out:
        write_image(ArchiveSink(out))
    assert (tmp_path / "image.tar").read_bytes() == ARCHIVE
