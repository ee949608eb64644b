"""Signing and verifying with the commands, in registries of every kind, layouts and archives; cosign reads it too."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from minpack.content import BytesContent
from minpack.digest import Digest
from minpack.images.verify import Verified, VerifiedSignature
from minpack.oci.documents import Blob, Descriptor
from minpack.oci.image import Artifact, build_artifact
from minpack.oci.mediatypes import BUNDLE, MANIFEST
from minpack.oci.read import read_image
from minpack.output.attach import attach_to_layout
from minpack.registry.secret import Secret
from minpack.report.signatures import verify_lines
from minpack.target import Platform
from minpack.trust.attest import PROVENANCE, SIGNATURE, SPDX, Document, attestation, unsigned
from minpack.trust.keys import SigningKey, new_key_pair, read_signing_key
from minpack.trust.verify import Statement
from support.command import COMMAND, Ran, assert_refused, environment, minpack, snapshot
from support.elfmaker import static_program
from support.fakeregistry import FakeRegistry
from support.images import AMD64, archive_file, built_index, layout_directory
from support.refusals import row
from support.registries import docker_registry, need_built
from support.tools import need_tool

if TYPE_CHECKING:
    from collections.abc import Generator

    from support.docker import Docker

PASSWORD = "a pass-word"  # noqa: S105 - of keys that are made here
WITH_PASSWORD = {"COSIGN_PASSWORD": PASSWORD}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with programs of two platforms, a key, and images that nobody signed."""
    place = tmp_path_factory.mktemp("sign")
    for machine in ("x86_64", "aarch64"):
        (place / machine).mkdir()
        (place / machine / "app").write_bytes(static_program(machine=machine, overlay=b"x" * 9999))
    shutil.copy(place / "x86_64" / "app", place / "app")
    pair = new_key_pair(None)
    (place / "me.key").write_bytes(pair.private)
    (place / "me.pub").write_bytes(pair.public)
    (place / "other.pub").write_bytes(new_key_pair(None).public)
    done(minpack("./app", "-o", "plain.tar", cwd=place))
    done(minpack("./app", "-o", "plain", "--format", "oci", cwd=place))
    return place


@pytest.fixture
def fake() -> Generator[FakeRegistry]:
    """A registry with the referrers API."""
    with FakeRegistry() as registry:
        registry.switches.referrers = True
        yield registry


@pytest.fixture(scope="module")
def debians(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """Debian's registry, which has no referrers API; its host."""
    with docker_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry.host


def done(ran: Ran) -> Ran:
    """The run, which did what it should."""
    assert ran.code == 0, ran.err
    return ran


def key(home: Path) -> SigningKey:
    """The key of `home`."""
    return read_signing_key((home / "me.key").read_bytes(), "K", lambda: Secret(""))


def verified(image: str, home: Path, *arguments: str) -> Ran:
    """Verifying an image, with the right key."""
    return minpack("verify", image, "--key", "me.pub", *arguments, cwd=home)


PLATFORMS = {"one platform": ("./app",), "two": ("x86_64/app", "aarch64/app")}


@pytest.mark.parametrize("programs", PLATFORMS.values(), ids=PLATFORMS)
def test_one_run_signs_everywhere_and_the_next_adds_nothing(
    programs: tuple[str, ...], home: Path, debians: str, tmp_path: Path
) -> None:
    """A registry and a file get the same signatures, as `sign` makes them later; cosign's command is printed."""
    name = f"{debians}/run{len(programs)}/app"
    arguments = (*programs, "-t", f"{name}:1", "--push", "-o", str(tmp_path / "app.tar"), "--sign", "me.key")
    ran = done(minpack(*arguments, cwd=home))
    (read,) = read_image(str(tmp_path / "app.tar"))
    digest, subjects = read.built.digest, 1 if len(programs) == 1 else 3
    line = f"verify: cosign verify --key me.pub --insecure-ignore-tlog=true {name}@{digest}"
    assert line in ran.out.decode().splitlines()
    assert len(read.built.artifacts) == subjects
    first = (tmp_path / "app.tar").read_bytes()
    document = done(minpack(*arguments, "--json", cwd=home)).document
    assert [one["digest"] for one in document["artifacts"]] == [
        str(one.descriptor.digest) for one in read.built.artifacts
    ]
    assert {one["predicate_type"] for one in document["artifacts"]} == {SIGNATURE}
    assert (tmp_path / "app.tar").read_bytes() == first
    for image in (f"{name}:1", str(tmp_path / "app.tar")):
        answer = done(verified(image, home, "--json")).document
        assert answer["digest"] == str(digest)
        assert [one["format"] for one in answer["signatures"]] == ["bundle"]
        assert len(answer["images"]) == len(programs)
    done(minpack(*programs, "-o", str(tmp_path / "later.tar"), "-t", f"{name}:1", cwd=home))
    done(minpack("sign", str(tmp_path / "later.tar"), "--key", "me.key", cwd=home))
    assert (tmp_path / "later.tar").read_bytes() == first
    again = done(minpack("sign", f"{name}:1", "--key", "me.key", "--json", cwd=home)).document
    assert (again["added"], sum(one["signatures"] for one in again["subjects"])) == (0, subjects)


def test_a_layout_is_signed_in_place(home: Path, tmp_path: Path) -> None:
    """As packing would have; what was in it stays, and a second time nothing is written."""
    shutil.copytree(home / "plain", tmp_path / "later")
    before = {path.name: path.read_bytes() for path in (tmp_path / "later").rglob("*") if path.is_file()}
    ran = done(minpack("sign", "later", "--key", str(home / "me.key"), cwd=tmp_path))
    assert ran.out.decode().splitlines()[2:] == ["  signed       linux/amd64"]
    done(minpack(str(home / "app"), "-o", "once", "--format", "oci", "--sign", str(home / "me.key"), cwd=tmp_path))
    files = {name: {str(path.relative_to(tmp_path / name)): path.read_bytes() for path in (tmp_path / name).rglob("*")
                    if path.is_file()} for name in ("once", "later")}  # fmt: skip
    assert files["once"] == files["later"]
    assert {name: data for name, data in before.items() if name != "index.json"}.items() <= {
        path.rpartition("/")[2]: data for path, data in files["later"].items()
    }.items()
    now = snapshot(tmp_path)
    ran = done(minpack("sign", "later", "--key", str(home / "me.key"), cwd=tmp_path))
    assert ran.out.decode().splitlines()[-1] == "  unchanged    everything was signed with this key before"
    assert snapshot(tmp_path) == now


def test_push_takes_signatures_and_documents_along(home: Path, fake: FakeRegistry, tmp_path: Path) -> None:
    """Of an archive; the SBOM that it has is signed with it, and all of that is verified in the registry."""
    index = built_index(tmp_path / "built")
    sbom = unsigned(index.root, Document(SPDX, {"spdxVersion": "SPDX-2.3"}, "application/spdx+json"))
    archive_file(tmp_path / "app.tar", index.with_artifacts([sbom]))
    signed = done(minpack("sign", str(tmp_path / "app.tar"), "--key", "me.key", cwd=home))
    assert "  signed       linux/amd64 and 1 document about it" in signed.out.decode().splitlines()
    name = f"{fake.host}/me/app:1"
    pushed = done(minpack("push", str(tmp_path / "app.tar"), name, "--json", cwd=home)).document
    assert sorted(one["artifact_type"] for one in pushed["artifacts"]) == [
        "application/spdx+json", BUNDLE, BUNDLE,
    ]  # fmt: skip
    assert set(fake.tags("me/app")) == {"1"}, "it has the API"
    answer = done(verified(name, home, "--json")).document
    assert [one["predicate_type"] for one in answer["statements"]] == [SPDX]
    text = done(verified(name, home)).out.decode()
    assert "  states       SBOM (SPDX)" in text.splitlines()


def test_what_is_stated_is_in_the_same_order_for_every_key() -> None:
    """Statements are ordered by their digests, which differ from key to key: the text has their kinds in order."""
    first, second = (
        (Digest(two * 32), Statement((Digest("cd" * 32),), kind, {}))
        for two, kind in (("12", PROVENANCE), ("34", SPDX))
    )
    made = Verified("app", Digest("cd" * 32), MANIFEST, (), (VerifiedSignature("bundle", None),), (), 4, 100, "me.pub")
    texts = [
        verify_lines(made._replace(statements=order), "me.pub", None) for order in ((first, second), (second, first))
    ]
    assert texts[0] == texts[1]
    assert texts[0][3:5] == ["  states       SBOM (SPDX)", "  states       provenance (SLSA)"]


def test_the_classic_form_is_a_tag(home: Path, fake: FakeRegistry) -> None:
    """Written before the image's own tag; another key's signature is kept beside it, and nothing is added twice."""
    name = f"{fake.host}/me/classic"
    ran = done(
        minpack("./app", "-t", f"{name}:1", "--push", "--sign", "me.key", "--signature-format=classic", cwd=home)
    )
    digest = fake.tags("me/classic")["1"]
    tag = f"sha256-{digest.removeprefix('sha256:')}.sig"
    assert [given[1] for given in fake.given] == [tag, "1"]
    assert ran.out.decode().splitlines()[-1].endswith(f"{name}@{digest}")
    answer = done(verified(f"{name}:1", home, "--json")).document
    assert answer["signatures"] == [{"format": "classic", "digest": None}]
    before = fake.tags("me/classic")
    again = done(minpack("sign", f"{name}:1", "--key", "me.key", "--signature-format", "classic", "--json", cwd=home))
    assert again.document["added"] == 0
    assert fake.tags("me/classic") == before
    done(minpack("sign", "--generate-key", "-o", "second", cwd=home))
    done(minpack("sign", f"{name}:1", "--key", "second.key", "--signature-format", "classic", cwd=home))
    assert len(fake.document("me/classic", tag)["layers"]) == 2
    for public in ("me.pub", "second.pub"):
        done(minpack("verify", f"{name}:1", "--key", public, cwd=home))
    # Signatures of others are under the tag too, and may be lost.
    document = fake.document("me/classic", tag)
    (payload, *_) = document["layers"]
    lost = [payload | {"digest": f"sha256:{'ab' * 32}"}, payload | {"digest": f"sha256:{'cd' * 32}", "size": 5 << 30}]
    fake.switches.strict = False
    fake.keep_manifest(
        "me/classic", tag, MANIFEST, json.dumps(document | {"layers": [*lost, *document["layers"]]}).encode()
    )
    done(verified(f"{name}:1", home))
    many = json.dumps(document | {"layers": [payload] * 1001}).encode()
    fake.keep_manifest("me/classic", tag, MANIFEST, many)
    ran = minpack("sign", f"{name}:1", "--key", "second.key", "--signature-format", "classic", cwd=home)
    reason = "more than 1000 signatures would be under this tag, or are"
    assert_refused(ran, 1, f"cannot read '…': {reason}", "delete the tag, and sign again")
    assert fake.manifests["me/classic", fake.tags("me/classic")[tag]][1] == many, "no signature is dropped"
    fake.keep_manifest("me/classic", tag, MANIFEST, json.dumps(document).encode())
    case = row("a signature by another key")
    ran = minpack("verify", f"{name}:1", "--key", "other.pub", cwd=home)
    assert_refused(ran, case.code, "cannot verify '…': it is signed with another key, or was changed", case.hint)


def signed_copy(home: Path, place: Path, *artifacts: Artifact) -> Path:
    """A layout with these artifacts about its image."""
    copy = place / "copy"
    shutil.copytree(home / "plain", copy)
    attach_to_layout(str(copy), read_image(str(copy))[0].built.digest, artifacts)
    return copy


def about(home: Path) -> Descriptor:
    """The image of `home`."""
    return read_image(str(home / "plain"))[0].built.root


def bundle_of(data: bytes, subject: Descriptor) -> Artifact:
    """An artifact with these bytes for a bundle."""
    layer = Blob(Descriptor(BUNDLE, Digest.of(data), len(data)), BytesContent(data))
    return build_artifact(BUNDLE, [layer], {}, subject)


def test_bad_signatures_are_refused_each_with_its_message(home: Path, tmp_path: Path) -> None:
    """Exit code 3, and nothing that could be taken for success."""
    mine, image = key(home), about(home)
    good = attestation(image, SIGNATURE, {}, mine)
    of_another = attestation(image._replace(digest=Digest("cd" * 32)), SIGNATURE, {}, mine)
    (payload,) = of_another.layers
    other_bytes = json.loads(good.layers[0].data)
    other_bytes["dsseEnvelope"]["payload"] = json.loads(payload.data)["dsseEnvelope"]["payload"]
    keyless = json.loads(good.layers[0].data) | {"verificationMaterial": {"certificate": {"rawBytes": "AAAA"}}}
    cases = {
        "a signature of another image": bundle_of(payload.data, image),
        "a signature that was changed": bundle_of(json.dumps(other_bytes).encode(), image),
        "an SBOM alone that is signed": attestation(image, SPDX, {}, mine),
        "a signature with a certificate": bundle_of(json.dumps(keyless).encode(), image),
    }
    for number, (what, artifact) in enumerate(cases.items()):
        case = row(what)
        (tmp_path / str(number)).mkdir()
        ran = verified(str(signed_copy(home, tmp_path / str(number), artifact)), home, "--json")
        assert_refused(ran, case.code, case.message, case.hint)
        assert ran.document["kind"] == "unverified"
    case = row("a signature by another key")
    done(minpack("./app", "-o", str(tmp_path / "app.tar"), "--sign", "me.key", cwd=home))
    ran = minpack("verify", str(tmp_path / "app.tar"), "--key", "other.pub", cwd=home)
    assert_refused(ran, case.code, case.message, case.hint)
    case = row("a signed image without provenance")
    assert_refused(verified(str(tmp_path / "app.tar"), home, "--provenance"), case.code, case.message, case.hint)


@pytest.mark.parametrize("change", ["other bytes", "longer", "gone", "other manifest"])
def test_what_is_not_what_was_signed_is_refused(change: str, home: Path, tmp_path: Path) -> None:
    """A layer with other bytes of the same size or of another one, one that is gone, a manifest that was exchanged."""
    copy = signed_copy(home, tmp_path, attestation(about(home), SIGNATURE, {}, key(home)))
    image = read_image(str(copy))[0].built.images[0]
    blob = (
        copy
        / "blobs"
        / "sha256"
        / (image.layers[0] if change != "other manifest" else image.manifest).descriptor.digest.hex
    )
    data = blob.read_bytes()
    if change == "gone":
        blob.unlink()
    elif change == "longer":
        blob.write_bytes(data + b"x")
    else:
        blob.write_bytes(data[:-1] + b" ")
    ran = verified(str(copy), home)
    assert ran.code == 3
    assert ran.err.startswith("minpack: cannot verify 'copy': ")
    assert ran.out == b""
    if change == "other bytes":
        case = row("a layer that is not what was signed")
        assert_refused(ran, case.code, case.message, case.hint)


def test_a_layer_of_a_registry_is_verified(home: Path, fake: FakeRegistry) -> None:
    """A registry that gives other bytes than those that were signed is found out."""
    name = f"{fake.host}/me/swapped"
    done(minpack("./app", "-t", f"{name}:1", "--push", "--sign", "me.key", cwd=home))
    manifest = fake.document("me/swapped", "1")
    layer = ("me/swapped", manifest["layers"][0]["digest"])
    data = fake.blobs[layer]
    assert isinstance(data, bytes)
    fake.blobs[layer] = data[:-1] + bytes((data[-1] ^ 1,))
    ran = verified(f"{name}:1", home, "--no-cache")
    assert ran.code == 3
    assert ran.err.startswith(f"minpack: cannot verify '{name}:1': ")
    fake.blobs[layer] = data
    done(verified(f"{name}:1", home, "--no-cache"))


def test_an_image_that_an_index_lists_must_be_there(home: Path, fake: FakeRegistry, tmp_path: Path) -> None:
    """In a layout and in a registry, whatever the others are; the one that is there can be verified by itself."""
    name = f"{fake.host}/me/lacking:1"
    done(
        minpack(
            *PLATFORMS["two"], "-t", name, "--push", "-o", str(tmp_path / "two"), "--format", "oci", "--sign", "me.key",
            cwd=home,
        )
    )  # fmt: skip
    (read,) = read_image(str(tmp_path / "two"))
    for lost, kept in (read.built.images, read.built.images[::-1]):
        copy = tmp_path / lost.digest.hex
        shutil.copytree(tmp_path / "two", copy)
        (copy / "blobs" / "sha256" / lost.digest.hex).unlink()
        ran = verified(str(copy), home, "--json")
        hint = "fetch all of it again, or verify the image of one platform with --platform"
        assert_refused(ran, 3, f"cannot verify '…': {lost.digest}, which its index lists, is not there", hint)
        done(verified(str(copy), home, "--platform", str(kept.platform)))
        manifest = fake.manifests.pop(("me/lacking", str(lost.digest)))
        refused_as_tampered(verified(name, home, "--no-cache"), str(lost.digest))
        fake.manifests["me/lacking", str(lost.digest)] = manifest
    ran = verified(f"{fake.host}/me/lacking:2", home, "--no-cache")
    assert ran.code == 1, "there never was such an image"


def refused_as_tampered(ran: Ran, digest: str) -> None:
    """The run says that the blob of that digest is missing, which the exit code says too."""
    hint = "do not run it: build or fetch it again from a source that you trust"
    assert_refused(ran, 3, f"cannot verify '…': blob {digest} is not there", hint)


def test_what_a_registry_has_lost_of_an_image_is_missed(home: Path, fake: FakeRegistry) -> None:
    """A layer or a configuration that is gone is as bad as one that was changed."""
    name = f"{fake.host}/me/lost"
    done(minpack("./app", "-t", f"{name}:1", "--push", "--sign", "me.key", cwd=home))
    manifest = fake.document("me/lost", "1")
    for one in (manifest["layers"][0], manifest["config"]):
        data = fake.blobs.pop(("me/lost", one["digest"]))
        refused_as_tampered(verified(f"{name}:1", home, "--no-cache"), one["digest"])
        fake.blobs["me/lost", one["digest"]] = data
    manifest = fake.manifests.pop(("me/lost", fake.tags("me/lost")["1"]))
    ran = verified(f"{name}@{fake.tags('me/lost')['1']}", home, "--no-cache")
    assert ran.code == 1, "the image itself is not there"
    assert manifest


def test_referrers_that_cannot_be_read_are_passed_over(home: Path, fake: FakeRegistry) -> None:
    """Whoever may push can list anything: a good signature is one still, and a lost one is signed again."""
    name = f"{fake.host}/me/hostile:1"
    done(minpack("./app", "-t", name, "--push", "--sign", "me.key", cwd=home))
    digest = fake.tags("me/hostile")["1"]
    media_type, manifest = fake.manifests["me/hostile", digest]
    subject = {"mediaType": media_type, "digest": digest, "size": len(manifest)}
    for junk in (
        {"config": {"digest": 5}, "layers": "none"},
        {"mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []},
        {"config": {"mediaType": "a/b", "digest": f"sha256:{'ab' * 32}", "size": 2},
         "layers": [{"mediaType": "a/b", "digest": f"sha256:{'cd' * 32}", "size": 5 << 30}]},
    ):  # fmt: skip
        document = {"schemaVersion": 2, "artifactType": "a/b", "mediaType": media_type, "subject": subject, **junk}
        fake.keep_manifest(
            "me/hostile", f"sha256:{'0' * 64}", str(document["mediaType"]), json.dumps(document).encode()
        )
    done(verified(name, home, "--no-cache"))
    (bundle,) = (one for one, data in fake.blobs.items() if isinstance(data, bytes) and b"dsseEnvelope" in data)
    data = fake.blobs.pop(bundle)
    assert isinstance(data, bytes)
    ran = verified(name, home, "--no-cache")
    assert_refused(ran, 3, "cannot verify '…': its signature is missing; only the signature's manifest is there")
    signed = done(minpack("sign", name, "--key", "me.key", "--no-cache", "--json", cwd=home)).document
    assert (signed["added"], fake.blobs[bundle]) == (1, data)
    fake.blobs[bundle] = data[:-1] + b" "
    ran = verified(name, home, "--no-cache")
    reason = "its signature was exchanged: it is not the one that the signature's manifest names"
    assert_refused(ran, 3, f"cannot verify '…': {reason}")
    ran = minpack("sign", name, "--key", "me.key", "--no-cache", cwd=home)
    assert (ran.code, ran.out) == (1, b""), "it is not signed, and cannot be"


def test_one_platform_of_several_is_verified_by_its_own_signature(home: Path, tmp_path: Path) -> None:
    """Each image is signed, and so is the index."""
    (tmp_path / "out").mkdir()
    done(minpack(*PLATFORMS["two"], "-o", str(tmp_path / "app.tar"), "--sign", "me.key", cwd=home))
    for platform in ("linux/amd64", "linux/arm64"):
        answer = done(verified(str(tmp_path / "app.tar"), home, "--platform", platform, "--json")).document
        assert [one["platform"] for one in answer["images"]] == [platform]
        assert answer["digest"] == answer["images"][0]["digest"]


def test_signed_inputs_are_those_of_a_lock(home: Path, tmp_path: Path) -> None:
    """The provenance that the key signed is compared with the lock: one that lacks an input is refused."""
    for lock, needs in {"mine.lock": ("--need", "certs"), "other.lock": ()}.items():
        done(minpack("lock", "./app", "--lock", str(tmp_path / lock), *needs, cwd=home))
    packing = ("./app", "--need", "certs", "-o", str(tmp_path / "app.tar"), "--provenance", "--sign", "me.key")
    done(minpack(*packing, cwd=home))
    ran = done(verified(str(tmp_path / "app.tar"), home, "--provenance", "--lock", str(tmp_path / "mine.lock")))
    assert "  states       provenance (SLSA)" in ran.out.decode().splitlines()
    ran = verified(str(tmp_path / "app.tar"), home, "--provenance", "--lock", str(tmp_path / "other.lock"), "--json")
    assert (ran.code, ran.document["kind"]) == (3, "locked")


def test_what_docker_saves_cannot_be_signed(home: Path, tmp_path: Path) -> None:
    """Its image has no digest that anyone else would meet."""
    case = row("an archive of docker save to sign")
    archive_file(tmp_path / "whole.tar", built_index(tmp_path / "built"))
    subprocess.run((need_tool("tar"), "xf", "whole.tar"), cwd=tmp_path, check=True)
    subprocess.run((need_tool("tar"), "cf", "saved.tar", "manifest.json", "blobs"), cwd=tmp_path, check=True)
    ran = minpack("sign", "saved.tar", "--key", str(home / "me.key"), cwd=tmp_path)
    assert_refused(ran, case.code, case.message, case.hint)


def test_a_key_in_place_of_its_name_is_not_repeated(home: Path) -> None:
    """An error may end in a log."""
    pem = (home / "me.key").read_text()
    for options in (("sign", "plain", f"--key={pem}"), ("./app", "-o", "no.tar", f"--sign={pem}")):
        ran = minpack(*options, cwd=home)
        hint = "put it into a file or env://NAME"
        assert_refused(ran, 1, "cannot use key '-----BEGIN…': it is a key itself, and not the name of one", hint)
    assert not (home / "no.tar").exists()


def test_a_compressed_archive_cannot_be_signed(home: Path, tmp_path: Path) -> None:
    """A signature is a member of a plain one."""
    shutil.copy(home / "plain.tar", tmp_path / "app.tar")
    subprocess.run((need_tool("gzip"), "app.tar"), cwd=tmp_path, check=True)
    before = snapshot(tmp_path)
    ran = minpack("sign", "app.tar.gz", "--key", str(home / "me.key"), cwd=tmp_path)
    reason = "it is compressed, and signatures are added to plain archives"
    hint = "unpack it first, or push it and sign the image in the registry"
    assert_refused(ran, 1, f"cannot read image 'app.tar.gz': {reason}", hint)
    assert snapshot(tmp_path) == before


def test_a_signature_for_an_engine_alone_is_refused(home: Path) -> None:
    """It would be lost."""
    case = row("a signature for an engine alone")
    assert_refused(minpack("./app", "--load", "--sign", "me.key", cwd=home), case.code, case.message, case.hint)


def test_new_keys_are_secret_and_replace_nothing(home: Path, tmp_path: Path) -> None:
    """Encrypted with COSIGN_PASSWORD, for their owner alone, and shown nowhere."""
    ran = done(minpack("sign", "--generate-key", "-o", "cosign", cwd=tmp_path, env=WITH_PASSWORD))
    assert ran.out.decode().splitlines() == [
        "wrote cosign.key (keep it secret)",
        "wrote cosign.pub (share it with whoever verifies images)",
    ]
    assert ran.err == ""
    assert (tmp_path / "cosign.key").stat().st_mode & 0o777 == 0o600
    now = snapshot(tmp_path)
    for taken in ("cosign.key", "cosign.pub"):
        os.rename(tmp_path / taken, tmp_path / "kept")
        ran = minpack("sign", "--generate-key", "-o", "cosign", cwd=tmp_path, env=WITH_PASSWORD)
        assert ran.code == 1
        assert "it already exists" in ran.err
        assert not (tmp_path / taken).exists()
        os.rename(tmp_path / "kept", tmp_path / taken)
    assert snapshot(tmp_path) == now
    shutil.copy(home / "plain.tar", tmp_path / "app.tar")
    case = row("a wrong password")
    ran = minpack("sign", "app.tar", "--key", "cosign.key", cwd=tmp_path, env={"COSIGN_PASSWORD": f"{PASSWORD}x"})
    assert_refused(ran, case.code, case.message, case.hint)
    assert PASSWORD not in ran.err
    variable = {**WITH_PASSWORD, "MY_KEY": (tmp_path / "cosign.key").read_text()}
    done(minpack("sign", "app.tar", "--key", "env://MY_KEY", "--json", cwd=tmp_path, env=variable))
    public = {"MY_PUB": (tmp_path / "cosign.pub").read_text()}
    done(minpack("verify", "app.tar", "--key", "env://MY_PUB", cwd=tmp_path, env=public))
    other = {"COSIGN_PASSWORD": os.fsdecode(b"\xff no UTF-8")}
    done(minpack("sign", "--generate-key", "-o", "bytes", "-q", cwd=tmp_path, env=other))
    done(minpack("sign", "app.tar", "--key", "bytes.key", "-q", cwd=tmp_path, env=other))
    bare = done(minpack("sign", "--generate-key", "-o", "bare", "--json", cwd=tmp_path, env={"COSIGN_PASSWORD": None}))
    assert bare.document["notes"] == ["'bare.key' is not encrypted: set COSIGN_PASSWORD to make one that is"]


def test_a_terminal_asks_for_the_password(home: Path, tmp_path: Path) -> None:
    """Without showing what is typed; a new key's is typed twice."""
    shutil.copy(home / "plain.tar", tmp_path / "app.tar")
    new, again, old = "for no encryption): ", "Repeat the password: ", "Password for typed.key: "
    lines = ((new, PASSWORD), (again, PASSWORD))
    made = typed("sign", "--generate-key", "-o", "typed", cwd=tmp_path, lines=lines)
    assert made.code == 0, made.err
    assert b"ENCRYPTED SIGSTORE" in (tmp_path / "typed.key").read_bytes()
    signed = typed("sign", "app.tar", "--key", "typed.key", cwd=tmp_path, lines=((old, PASSWORD),))
    assert signed.code == 0, signed.err
    assert PASSWORD not in made.err + signed.err
    lines = ((new, PASSWORD), (again, "another"))
    differing = typed("sign", "--generate-key", "-o", "no", cwd=tmp_path, lines=lines)
    assert differing.code == 2
    assert "the two passwords differ" in differing.err


def typed(*arguments: str, cwd: Path, lines: tuple[tuple[str, str], ...]) -> Ran:
    """Run `minpack` on a terminal of its own, and type each line behind its prompt; `err` is what is shown there."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        command = [*COMMAND, *arguments]
        os.execve(command[0], command, environment({"COSIGN_PASSWORD": None, "COLUMNS": "200"}))  # noqa: S606
    shown, left = b"", list(lines)
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        shown += piece
        if left and shown.endswith(left[0][0].encode()):
            os.write(terminal, f"{left.pop(0)[1]}\n".encode())
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return Ran(os.waitstatus_to_exitcode(status), b"", shown.decode())


def cosign(*arguments: str, cwd: Path, fails: bool = False) -> str:
    """What cosign prints on stdout, which must succeed, or fail."""
    command = (need_built("cosign"), *arguments)
    ran = subprocess.run(
        command, cwd=cwd, env=environment(WITH_PASSWORD), capture_output=True, text=True, check=False, timeout=120
    )
    assert (ran.returncode != 0) is fails, ran.stderr
    return ran.stdout


VERIFY = ("verify", "--key", "me.pub", "--insecure-ignore-tlog=true")


@pytest.mark.oracle
@pytest.mark.parametrize("api", [True, False], ids=["referrers API", "docker-registry"])
def test_cosign_oras_and_regctl_read_what_was_pushed(
    api: bool, home: Path, fake: FakeRegistry, debians: str, tmp_path: Path
) -> None:
    """Signature, SBOM and index; another key is refused, and what cosign signs is verified here."""
    index = built_index(tmp_path / "built", (AMD64, Platform("linux", "arm64")))
    document = Document(SPDX, {"spdxVersion": "SPDX-2.3"}, "application/spdx+json")
    sboms = [unsigned(image.descriptor, document) for image in index.images]
    layout_directory(tmp_path / "image", index.with_artifacts(sboms))
    host = fake.host if api else debians
    name = f"{host}/cosign/app"
    done(minpack("push", str(tmp_path / "image"), f"{name}:1", cwd=home))
    done(minpack("sign", f"{name}:1", "--key", "me.key", cwd=home))
    for digest in (index.digest, *(image.digest for image in index.images)):
        cosign(*VERIFY, f"{name}@{digest}", cwd=home)
        cosign("verify", "--key", "other.pub", *VERIFY[3:], f"{name}@{digest}", cwd=home, fails=True)
    child = f"{name}@{index.images[0].digest}"
    cosign("verify-attestation", *VERIFY[1:], "--type", "spdxjson", child, cwd=home)
    listed = subprocess.run((need_built("oras"), "discover", "--plain-http", "--format", "json", child),
                            capture_output=True, check=True).stdout  # fmt: skip
    assert sorted(one["artifactType"] for one in json.loads(listed)["referrers"]) == [
        "application/spdx+json", BUNDLE, BUNDLE,
    ]  # fmt: skip
    config = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    regctl = need_built("regctl")
    subprocess.run((regctl, "registry", "set", "--tls", "disabled", host), env=config, check=True, capture_output=True)
    tree = subprocess.run((regctl, "artifact", "list", child), env=config, check=True, capture_output=True, text=True)
    assert tree.stdout.count(BUNDLE) >= 2
    made = done(minpack("sign", "--generate-key", "-o", str(tmp_path / "ours"), cwd=home, env=WITH_PASSWORD))
    assert made.err == ""
    cosign("generate-key-pair", "--output-key-prefix", str(tmp_path / "theirs"), cwd=home)
    signing = ("--use-signing-config=false", "--tlog-upload=false", "-y")
    for pair in ("ours", "theirs"):
        cosign("sign", "--key", str(tmp_path / f"{pair}.key"), *signing, f"{name}@{index.digest}", cwd=home)
        public = ("--key", str(tmp_path / f"{pair}.pub"))
        answer = done(minpack("verify", f"{name}:1", *public, "--json", cwd=home)).document
        assert [one["format"] for one in answer["signatures"]] == ["bundle"]
    ran = minpack("sign", f"{name}:1", "--key", str(tmp_path / "theirs.key"), cwd=home, env=WITH_PASSWORD)
    assert ran.code == 0, ran.err


@pytest.mark.oracle
def test_cosign_reads_the_classic_form_and_layouts(home: Path, fake: FakeRegistry, tmp_path: Path) -> None:
    """The older form where there are no bundles, and signatures without a registry."""
    name = f"{fake.host}/cosign/classic"
    done(minpack("./app", "-t", f"{name}:1", "--push", "--sign", "me.key", "--signature-format=classic", cwd=home))
    cosign(*VERIFY, f"{name}:1", cwd=home)
    cosign("verify", "--key", "other.pub", *VERIFY[3:], f"{name}:1", cwd=home, fails=True)
    for programs in PLATFORMS.values():
        place = str(tmp_path / str(len(programs)))
        done(minpack(*programs, "-o", place, "--format", "oci", "--sign", "me.key", cwd=home))
        cosign(*VERIFY, "--local-image", place, cwd=home)
        cosign("verify", "--key", "other.pub", *VERIFY[3:], "--local-image", place, cwd=home, fails=True)


def test_the_page_says_how_to_verify_by_hand(home: Path, tmp_path: Path) -> None:
    """The commands of docs/signing.md verify a layout and show what was signed; openssl refuses another key."""
    page = (Path(__file__).parents[2] / "docs" / "signing.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    done(minpack("./app", "-o", str(tmp_path / "layout"), "--format", "oci", "--sign", "me.key", cwd=home))
    for public, verdict in (("me.pub", True), ("other.pub", False)):
        shutil.copy(home / public, tmp_path / "cosign.pub")
        ran = subprocess.run(
            (need_tool("sh"), "-ec", script), cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (ran.returncode == 0) is verdict, ran.stderr
        assert ("Verified OK" in ran.stdout) is verdict
    statement = json.loads((tmp_path / "statement").read_text())
    assert statement["predicateType"] == SIGNATURE
    assert statement["subject"] == [{"digest": {"sha256": about(home).digest.hex}}]


def test_engines_load_a_signed_archive(home: Path, tmp_path: Path, docker: Docker) -> None:
    """What is in it for cosign disturbs none."""
    name = docker.name()
    done(minpack("./app", "-t", name, "-o", str(tmp_path / "app.tar"), "--sign", "me.key", cwd=home))
    docker.load(tmp_path / "app.tar")
    for tool in (("skopeo", "inspect", f"oci-archive:{tmp_path / 'app.tar'}"),):
        subprocess.run((need_tool(tool[0]), *tool[1:]), check=True, capture_output=True)
