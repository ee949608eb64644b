"""Images of registries as bases: pulled once, by digest ever after; what registries give that is none."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from minpack.base.options import BaseOptions
from minpack.errors import (
    NotInRegistryError,
    OfflineError,
    RegistryError,
    SumMismatchError,
    UnreadableImageError,
    WrongTargetError,
)
from minpack.lock.values import LockedBase, LockedImage
from minpack.net.network import Network
from minpack.progress import no_progress
from minpack.sources.open import open_base
from minpack.spec.base_ref import parse_base
from minpack.target import parse_platform
from support.command import in_shell, minpack
from support.elfmaker import static_program
from support.fakeregistry import FakeRegistry, other_bytes, status
from support.layers import CONFIG, MANIFEST, Layer, config_of, described, dumped, facts_of, layer, member, tar_of

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from minpack.base.options import OpenBase

INDEX = "application/vnd.oci.image.index.v1+json"
LAYERS = [layer(tar_of(member("etc/passwd", b"x"), member("old", b"1"))), layer(tar_of(member(".wh.old", b"")), "zstd")]
EXPECTED = {"/etc", "/etc/passwd"}


@pytest.fixture
def registry() -> Generator[FakeRegistry]:
    """An empty one."""
    with FakeRegistry() as one:
        yield one


def put(registry: FakeRegistry, tag: str, layers: Sequence[Layer] = LAYERS, **changes: Any) -> bytes:
    """Let a registry have an image of these layers, its manifest changed; the manifest's bytes."""
    platform = changes.pop("platform", ("linux", "amd64"))
    stated = config_of(list(layers), platform)
    listed = changes.pop("listed", [one.descriptor() for one in layers])
    document = {"config": described(CONFIG, stated), "layers": listed, **changes}
    manifest = dumped({"schemaVersion": 2, "mediaType": MANIFEST, **document})
    for blob in (stated, *(one.blob for one in layers)):
        registry.keep("me/base", blob)
    registry.keep_manifest("me/base", tag, MANIFEST, manifest)
    return manifest


def put_index(registry: FakeRegistry, tag: str, *entries: dict[str, Any]) -> bytes:
    """Let a registry have an index that lists these."""
    index = dumped({"schemaVersion": 2, "mediaType": INDEX, "manifests": list(entries)})
    registry.keep_manifest("me/base", tag, INDEX, index)
    return index


def opened(
    registry: FakeRegistry, tmp_path: Path, name: str = ":1", platform: str = "linux/amd64", **values: Any
) -> tuple[set[str], OpenBase]:
    """The paths of a base, and what is said of it."""
    offline = values.pop("offline", False)
    network = Network(offline=offline, attempts=1)
    options = BaseOptions(str(tmp_path / "store"), network, "2026-11-30", **values)
    ref = parse_base(f"{registry.host}/me/base{name}")
    with open_base(ref, parse_platform(platform), options, no_progress) as base:
        return set(facts_of(base.base)), base


def test_an_image_is_pulled_once(registry: FakeRegistry, tmp_path: Path) -> None:
    """The second time only the tag is asked for; by digest nothing is, and offline neither."""
    digest = described("", put(registry, "1"))["digest"]
    found, base = opened(registry, tmp_path)
    assert found == EXPECTED
    assert (base.digest, base.index_digest, str(base.platform)) == (digest, "", "linux/amd64")
    assert registry.count("GET", "/blobs/") == 3
    asked = registry.count("GET", "/")
    assert opened(registry, tmp_path)[0] == EXPECTED
    assert registry.count("GET", "/") == asked + 1
    for name, offline in ((f"@{digest}", False), (f":9@{digest}", False), (":1", True), (f"@{digest}", True)):
        assert opened(registry, tmp_path, name, offline=offline)[0] == EXPECTED
    assert registry.count("GET", "/") == asked + 1
    with pytest.raises(OfflineError):
        opened(registry, tmp_path, ":2", offline=True)


@pytest.mark.parametrize("form", ["registry", "layout"])
def test_an_image_that_contradicts_its_index(registry: FakeRegistry, tmp_path: Path, form: str) -> None:
    """The index says which it is, as for engines; a note says so, and its files say what an image of it is for."""
    layers = [layer(tar_of(member("bin/sh", static_program())))]
    manifest = put(registry, "a", layers, platform=("linux", "arm64"))
    put_index(registry, "1", described(MANIFEST, manifest, platform={"os": "linux", "architecture": "amd64"}))
    name = f"{registry.host}/me/base:1"
    if form == "layout":
        copied = subprocess.run(
            ["skopeo", "copy", "-q", "--all", "--src-tls-verify=false", f"docker://{name}", f"oci:{tmp_path}/layout:1"],
            check=False,
        )
        assert copied.returncode == 0
        name = "oci:layout:1"
    note = "its index lists it for linux/amd64, and its configuration says linux/arm64: its files decide"
    for options in (("--platform", "linux/amd64"), ()):
        ran = minpack("base", "image", name, *options, "-o", "a.tar", "--force", "--json", cwd=tmp_path)
        assert ran.code == 0, ran.err
        assert ran.document["images"][0]["platform"] == "linux/amd64"
        assert any(one.endswith(note) for one in ran.document["notes"])
    info = minpack("base", "info", name, "--json", cwd=tmp_path).document
    assert (info["platform"], len(info["notes"])) == (None, 1)
    ran = minpack("base", "image", name, "--platform", "linux/arm64", "-o", "a.tar", cwd=tmp_path)
    assert (ran.code, "for linux/amd64" in ran.err) == (3, True)
    (tmp_path / "app").write_bytes(static_program())
    assert note in minpack("./app", "--base", name, "-o", "b.tar", cwd=tmp_path).err


def test_a_tag_means_what_it_means_now(registry: FakeRegistry, tmp_path: Path) -> None:
    """Of an image that changed, what is new is fetched."""
    put(registry, "1")
    opened(registry, tmp_path)
    put(registry, "1", [LAYERS[0], layer(tar_of(member("new", b"1")))])
    assert opened(registry, tmp_path)[0] == {*EXPECTED, "/old", "/new"}
    assert registry.count("GET", LAYERS[0].descriptor()["digest"]) == 1


def test_only_the_image_of_the_platform_is_pulled(registry: FakeRegistry, tmp_path: Path) -> None:
    """Of an index; what is attached to images is none of them."""
    amd64 = described(MANIFEST, put(registry, "a"), platform={"os": "linux", "architecture": "amd64"})
    arm_layers = [layer(tar_of(member("arm", b"1")))]
    arm = described(
        MANIFEST,
        put(registry, "b", arm_layers, platform=("linux", "arm64")),
        platform={"os": "linux", "architecture": "arm64", "variant": "v8"},
    )
    attached = {**amd64, "platform": {"os": "unknown", "architecture": "unknown"}}
    index = described("", put_index(registry, "1", attached, arm, amd64))["digest"]
    found, base = opened(registry, tmp_path, platform="linux/arm64")
    assert found == {"/arm"}
    assert (base.digest, base.index_digest) == (arm["digest"], index)
    assert not registry.count("GET", LAYERS[0].descriptor()["digest"])
    with pytest.raises(WrongTargetError, match=r"me/base:1'?: it is for linux/arm64/v8, linux/amd64, not linux/s390x"):
        opened(registry, tmp_path, platform="linux/s390x")
    with pytest.raises(WrongTargetError):
        opened(registry, tmp_path, ":b")


@pytest.mark.parametrize("kind", [CONFIG, "application/vnd.docker.container.image.v1+json"])
def test_an_index_may_call_its_images_by_the_type_of_their_configuration(
    registry: FakeRegistry, tmp_path: Path, kind: str
) -> None:
    """For an image artifactType is that (image-spec, descriptor.md), and go-containerregistry and ko write it."""
    manifest = put(registry, "amd64")
    entry = described(MANIFEST, manifest, platform={"os": "linux", "architecture": "amd64"}, artifactType=kind)
    attached = {**entry, "artifactType": "application/vnd.example.sbom", "digest": f"sha256:{'0' * 64}"}
    put_index(registry, "1", attached, entry)
    assert opened(registry, tmp_path)[0] == EXPECTED
    put_index(registry, "2", entry)
    ran = minpack("export", f"docker://{registry.host}/me/base:2", "-o", "tree.tar", cwd=tmp_path)
    assert ran.code == 0, ran.err


def test_an_index_that_does_not_say_for_what_its_image_is_leaves_that_to_the_image(
    registry: FakeRegistry, tmp_path: Path
) -> None:
    """Which is for its own platform alone, as without an index."""
    manifest = put(registry, "arm", platform=("linux", "arm64"))
    put_index(registry, "1", described(MANIFEST, manifest))
    assert opened(registry, tmp_path, platform="linux/arm64")[0] == EXPECTED
    with pytest.raises(WrongTargetError, match="linux/arm64"):
        opened(registry, tmp_path)


def test_what_is_no_image_is_refused_by_name(registry: FakeRegistry, tmp_path: Path) -> None:
    """Schema 1, artifacts, an index in an index, foreign layers, an index of nothing."""
    lowest = LAYERS[0].descriptor()
    chart = {**lowest, "mediaType": "application/vnd.cncf.helm.config.v1+json"}
    foreign = {**lowest, "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"}
    put(registry, "artifact", config=chart)
    put(registry, "typed", config=chart, artifactType="a/b")
    put(registry, "foreign", listed=[foreign, LAYERS[1].descriptor()])
    put(registry, "old", schemaVersion=1)
    put(registry, "counts", listed=[lowest])
    inner = described(INDEX, put_index(registry, "inner", described(MANIFEST, put(registry, "1"))))
    put_index(registry, "nested", inner)
    put_index(registry, "nothing")
    for tag, reason in (
        ("artifact", "an artifact of type application/vnd.cncf.helm.config"),
        ("typed", "an artifact of type a/b"),
        ("foreign", "layer 1 .* is a foreign layer"),
        ("old", "of schema 1"),
        ("counts", "2 diff IDs and the manifest 1 layers"),
        ("nested", "an index within an index"),
        ("nothing", "lists no image"),
    ):
        with pytest.raises((UnreadableImageError, RegistryError), match=reason):
            opened(registry, tmp_path, f":{tag}")
    # One image, of a platform that its configuration alone says.
    assert opened(registry, tmp_path, ":inner")[0] == EXPECTED


def test_registries_that_lie_are_refused(registry: FakeRegistry, tmp_path: Path) -> None:
    """Whatever they give in the place of a manifest, a configuration or a layer, and nothing of it is kept."""
    digest = described("", put(registry, "1"))["digest"]
    for path in (f"/manifests/{digest}", "/blobs/"):
        name = f"@{digest}" if "manifests" in path else ":1"
        registry.fail("GET", path, other_bytes(b"{}"))
        with pytest.raises((SumMismatchError, RegistryError)):
            opened(registry, tmp_path, name)
    registry.fail("GET", "/manifests/", other_bytes(b"no JSON"))
    with pytest.raises(SumMismatchError):
        opened(registry, tmp_path)
    registry.fail("GET", LAYERS[1].descriptor()["digest"], other_bytes(b"x" * len(LAYERS[1].blob)))
    with pytest.raises(SumMismatchError):
        opened(registry, tmp_path)
    assert opened(registry, tmp_path)[0] == EXPECTED
    with pytest.raises(NotInRegistryError):
        opened(registry, tmp_path, ":none")


def test_a_lock_names_the_image_by_digest(registry: FakeRegistry, tmp_path: Path) -> None:
    """Whatever the tag means by then; what the registry lost is in the store."""
    digest = described("", put(registry, "1"))["digest"]
    name = f"docker://{registry.host}/me/base:1"
    locked = LockedImage(LockedBase(name, "image", digest=digest), lock="minpack.lock")
    put(registry, "1", LAYERS[1:])
    assert opened(registry, tmp_path, locked=locked)[0] == EXPECTED
    with FakeRegistry() as other:
        ref = LockedBase(f"docker://{other.host}/me/base:1", "image", digest=digest)
        assert opened(other, tmp_path, locked=LockedImage(ref), offline=True)[0] == EXPECTED


def test_every_command_takes_an_image_of_a_registry(registry: FakeRegistry, tmp_path: Path) -> None:
    """Base pull, base info, pack, lock and a locked pack without any network."""
    (tmp_path / "app").write_bytes(static_program())
    put(registry, "1")
    name = f"{registry.host}/me/base:1"
    for command in (
        ("base", "pull", name),
        ("./app", "--base", name, "--take", "/etc/passwd", "-o", "a.tar", "-q"),
        ("lock", "./app", "--base", f"docker://{name}", "--take", "/etc/passwd"),
    ):
        ran = minpack(*command, cwd=tmp_path)
        assert ran.code == 0, ran.err
    info = json.loads(minpack("base", "info", name, "--json", "--offline", cwd=tmp_path).out)
    assert (info["kind"], info["name"], info["url"]) == ("image", name, f"docker://{name}")
    assert f'name = "docker://{name}"' in (tmp_path / "minpack.lock").read_text()
    registry.fail("GET", "/", status(500), times=100)
    ran = minpack("./app", "--locked", "--offline", "--take", "/etc/passwd", "-o", "b.tar", "-q", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_what_registries_warn_of_is_a_note(registry: FakeRegistry, tmp_path: Path) -> None:
    """Of a pull and of a push, with the error too where one fails; not with -q."""
    (tmp_path / "app").write_bytes(static_program())
    put(registry, "1")
    registry.switches.warnings = ('299 - "moves in May"', '299 - "moves in May"')
    name = f"{registry.host}/me/base:1"
    note = f"the registry {registry.host} says: moves in May"
    assert minpack("base", "pull", name, cwd=tmp_path).err == f"note: {note}\n"
    push = ("./app", "-t", f"{registry.host}/me/app:1", "--push")
    assert f"note: {note}\n" in minpack(*push, cwd=tmp_path).err
    assert note in minpack(*push, "--json", cwd=tmp_path).document["notes"]
    assert minpack(*push, "-q", cwd=tmp_path).err == ""
    registry.fail("PUT", "/manifests/", status(403))
    (tmp_path / "app").write_bytes(static_program(2))
    assert minpack(*push, cwd=tmp_path).err.startswith(f"note: {note}\nminpack: cannot push")


def test_a_user_who_pushes_pulls_from_that_registry_too(registry: FakeRegistry, tmp_path: Path) -> None:
    """As the same user, whatever command it is; stdin is read once."""
    (tmp_path / "app").write_bytes(static_program())
    put(registry, "1")
    registry.switches.login = ("me", "secret")
    name = f"{registry.host}/me/base:1"
    to = ("-t", f"{registry.host}/me/app:1", "--push", "--username", "me", "--password-stdin")
    for command in (
        ("./app", "--base", name, "--take", "/etc/passwd"),
        ("./app", "--on", name),
        ("base", "image", name),
    ):
        assert in_shell('printf secret | "$@"', *command, *to, cwd=tmp_path).code == 0
        assert registry.whole("me/app", "1")


def test_a_user_is_named_for_the_registry_that_a_lock_names(registry: FakeRegistry, tmp_path: Path) -> None:
    """For a locked pack and a renewed lock as for the first one."""
    (tmp_path / "app").write_bytes(static_program())
    put(registry, "1")
    registry.switches.login = ("me", "secret")
    name = f"{registry.host}/me/base:1"
    for number, command in enumerate((("lock", "./app", "--base", name), ("./app", "--locked"), ("update", "./app"))):
        options = ("--take", "/etc/passwd", "--username", "me", "--password-stdin", "--cache-dir", f"cache{number}")
        ran = in_shell('printf secret | "$@"', *command, *options, cwd=tmp_path)
        assert (ran.code, ran.err) == (0, "")


def test_the_catalogue_is_named_where_the_hub_is_out_of_reach(tmp_path: Path) -> None:
    """Of an image that a distribution makes; of others nothing is known."""
    (tmp_path / "app").write_bytes(static_program())
    ran = minpack("./app", "--base", "alpine:3.22", "--offline", cwd=tmp_path)
    assert ran.code == 1
    assert "hint: for the base of the catalogue: --base alpine-3.22" in ran.err
    ran = minpack("./app", "--base", "me/alpine:3.22", "--offline", cwd=tmp_path)
    assert "catalogue" not in ran.err
    assert "of that name here" not in ran.err
    ran = minpack("./app", "--base", "build/rootfs", "--offline", cwd=tmp_path)
    assert "hint: there is no file or directory of that name here either; run once without --offline" in ran.err
