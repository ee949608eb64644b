"""SBOMs of packed images: what validators, a scanner and the image itself say of them."""

from __future__ import annotations

import json
import subprocess
import tarfile
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from support.command import minpack
from support.elfmaker import MUSL, program, static_program
from support.fakeregistry import FakeRegistry
from support.gomaker import go_program
from support.samples import sample
from support.sboms import (
    cyclonedx_files,
    cyclonedx_problems,
    cyclonedx_purls,
    purls_of,
    spdx_files,
    spdx_problems,
    spdx_purls,
    syft,
)
from support.tools import need_tool

if TYPE_CHECKING:
    from pathlib import Path

BOTH = ("--sbom", "spdx", "--sbom", "cyclonedx")
CRATES = {"packages": [{"name": "serde", "version": "1.0.219", "source": "crates.io"}]}


class Sboms:
    """What packing printed as JSON, and both SBOMs, which are valid; the image is in ``image.tar``."""

    def __init__(self, place: Path, *arguments: str) -> None:
        done = minpack(*arguments, "-o", "image.tar", *BOTH, "--json", cwd=place)
        assert done.code == 0, done.err
        self.place, self.document = place, done.document
        spdx, cyclonedx = (place / f"image.{form}.json" for form in ("spdx", "cdx"))
        self.data = {"spdx": spdx.read_bytes(), "cyclonedx": cyclonedx.read_bytes()}
        self.spdx, self.cyclonedx = json.loads(self.data["spdx"]), json.loads(self.data["cyclonedx"])
        assert spdx_problems(self.spdx) == []
        assert cyclonedx_problems(self.data["cyclonedx"]) == ""

    def check_files(self) -> None:
        """Raise `AssertionError` if either lists other files than the image has, or other sums."""
        (image,) = self.document["images"]
        files = {file["path"]: file["sha256"] for file in image["files"] if file["sha256"]}
        for found in (spdx_files(self.spdx), cyclonedx_files(self.cyclonedx)):
            assert {path: sha256 for path, (sha256, _) in found.items()} == files

    def check_packages(self, *kinds: str) -> set[str]:
        """The packages of these kinds, which are those that syft finds in the image and in both documents."""
        found = purls_of(syft("scan", "docker-archive:image.tar", cwd=self.place))
        assert spdx_purls(self.spdx, *kinds) == cyclonedx_purls(self.cyclonedx, *kinds) == found
        for name in ("image.spdx.json", "image.cdx.json"):
            scanned = syft("convert", name, cwd=self.place)
            assert {one for one in purls_of(scanned) if "pypi" not in one} == found
        return found


@pytest.mark.data
@pytest.mark.tool
def test_alpines_packages_are_the_databases(alpine_x86_64: Path, tmp_path: Path) -> None:
    """Of a program on its root file system: those of the image's database, and of what syft reads itself."""
    with tarfile.open(alpine_x86_64) as tar:
        extracted = tar.extractfile("./sbin/apk")
        assert extracted is not None
        (tmp_path / "app").write_bytes(extracted.read())
    made = Sboms(tmp_path, "./app", "--base", str(alpine_x86_64), "--need", "certs")
    made.check_files()
    found = made.check_packages("apk")
    (image,) = made.document["images"]
    owned = {(file["package"]["name"], file["package"]["version"]) for file in image["files"] if file["package"]}
    assert len(found) == len(owned) == 6
    assert all(f"/{name}@{version}?" in " ".join(found) for name, version in owned)
    packages = {one["name"]: one for one in made.spdx["packages"]}
    assert packages["libcrypto3"]["licenseDeclared"] == "Apache-2.0"
    assert packages["libcrypto3"]["sourceInfo"] == "built package from: openssl 3.3.2-r0"
    assert packages["alpine"]["versionInfo"] == "3.20.3"
    # What the document says in the text form is in the JSON document too.
    (musl,) = {
        json.dumps(f["package"], sort_keys=True) for f in image["files"] if (f["package"] or {}).get("name") == "musl"
    }
    assert json.loads(musl)["licenses"] == ["MIT"]
    assert image["distribution"] == {"id": "alpine", "version": "3.20.3", "name": "Alpine Linux v3.20"}


@pytest.mark.tool
def test_a_program_of_go(tmp_path: Path) -> None:
    """Its modules with the standard library, as syft reads them; the program is no module of itself."""
    (tmp_path / "app").write_bytes(sample("go-https").read_bytes())
    made = Sboms(tmp_path, "./app")
    made.check_files()
    found = {one.removesuffix("@(devel)") for one in purls_of(syft("scan", "docker-archive:image.tar", cwd=tmp_path))}
    assert spdx_purls(made.spdx, "golang") == cyclonedx_purls(made.cyclonedx, "golang") == found
    stdlib, program = sorted(found, key=lambda one: "stdlib" not in one)
    assert stdlib.startswith("pkg:golang/stdlib@1.")
    assert program == "pkg:golang/example.org/go-https"


def test_a_module_that_replaces_another(tmp_path: Path) -> None:
    """It is the one that is in the program."""
    (tmp_path / "app").write_bytes(go_program().data)
    made = Sboms(tmp_path, "./app", "--no-need", "certs", "--no-need", "tz")
    assert spdx_purls(made.spdx, "golang") == {
        *("pkg:golang/example.com/app", "pkg:golang/example.org/fork@v1.2.4", "pkg:golang/stdlib@1.20.1"),
    }


@pytest.mark.tool
def test_crates_are_those_of_cargo_auditable(tmp_path: Path) -> None:
    """As syft reads its section, which is put into a program here as cargo-auditable does."""
    (tmp_path / "crates").write_bytes(zlib.compress(json.dumps(CRATES).encode()))
    command = [need_tool("objcopy"), "--add-section", ".dep-v0=crates", str(sample("c-glibc")), "app"]
    subprocess.run(command, cwd=tmp_path, check=True)
    made = Sboms(tmp_path, "./app", "--base", "/")
    found = purls_of(syft("scan", "docker-archive:image.tar", cwd=tmp_path))
    assert spdx_purls(made.spdx, "cargo") == cyclonedx_purls(made.cyclonedx, "cargo") == found
    assert found == {"pkg:cargo/serde@1.0.219"}


def test_embedded_data_is_of_its_version(tmp_path: Path) -> None:
    """Certificates are generated from certifi, zones are of tzdata; each version is that of the inputs."""
    (tmp_path / "app").write_bytes(static_program())
    made = Sboms(tmp_path, "./app", "--need", "certs", "--tz", "Europe/Berlin")
    made.check_files()
    versions = {i["name"].replace(" ", "@") for i in made.document["inputs"] if i["kind"] == "data"}
    assert spdx_purls(made.spdx, "pypi") == {f"pkg:pypi/{one}" for one in versions}
    names = {one["SPDXID"]: one.get("name") or one["fileName"] for one in (*made.spdx["packages"], *made.spdx["files"])}
    relations = {
        (names.get(one["spdxElementId"]), one["relationshipType"], names[one["relatedSpdxElement"]])
        for one in made.spdx["relationships"]
    }
    assert ("./etc/ssl/certs/ca-certificates.crt", "GENERATED_FROM", "certifi") in relations
    assert ("tzdata", "CONTAINS", "./usr/share/zoneinfo/Europe/Berlin") in relations
    assert ("app", "CONTAINS", "./usr/local/bin/app") in relations


def test_hostile_names_of_files(tmp_path: Path) -> None:
    """Control characters, bytes that are no UTF-8, a long path: both forms are valid and have every file."""
    (tmp_path / "app").write_bytes(static_program())
    for name in (b"a\nb", b"\xff\xfe", b"x" * 200, b"100%"):
        (tmp_path / "data").mkdir(exist_ok=True)
        with open(bytes(tmp_path / "data") + b"/" + name, "wb") as out:
            out.write(name)
    made = Sboms(tmp_path, "./app", "--add", "./data:/data")
    assert set(spdx_files(made.spdx)) == set(cyclonedx_files(made.cyclonedx))
    assert {"/data/a\nb", "/data/%FF%FE", f"/data/{'x' * 200}", "/data/100%"} <= set(spdx_files(made.spdx))


def test_it_is_where_the_image_is(tmp_path: Path) -> None:
    """Beside an archive and a layout, unlisted in both, the same bytes each time; without --sbom it is nowhere."""
    (tmp_path / "app").write_bytes(static_program())
    first = Sboms(tmp_path, "./app", "-t", "ghcr.io/me/app:1").data
    assert Sboms(tmp_path, "./app", "-t", "ghcr.io/me/app:1").data == first
    with tarfile.open(tmp_path / "image.tar") as tar:
        blobs = {tar.extractfile(member).read() for member in tar if member.isfile()}  # type: ignore[union-attr]
        listed = json.load(tar.extractfile("index.json"))  # type: ignore[arg-type]
    assert set(first.values()) <= blobs
    assert len(listed["manifests"]) == 1
    done = minpack("./app", "-t", "ghcr.io/me/app:1", "--format", "oci", "-o", "lay/", *BOTH, cwd=tmp_path)
    assert done.code == 0, done.err
    written = [path for path in tmp_path.rglob("*.spdx.json") if path.name != "image.spdx.json"]
    assert [path.read_bytes() for path in written] == [first["spdx"]]
    assert "wrote lay" in done.out.decode()
    plain = minpack("./app", "-t", "ghcr.io/me/app:1", "-o", "plain.tar", "--json", cwd=tmp_path)
    assert not list(tmp_path.glob("plain.*.json"))
    assert plain.document["artifacts"] == []


def test_stdout_has_it_within_the_archive(tmp_path: Path) -> None:
    """There is no file to be beside."""
    (tmp_path / "app").write_bytes(static_program())
    done = minpack("./app", "-o", "-", "--sbom", "spdx", cwd=tmp_path)
    assert done.code == 0, done.err
    assert b'"spdxVersion":"SPDX-2.3"' in done.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["app"]


def test_each_platform_has_its_own_and_the_index_a_union(tmp_path: Path) -> None:
    """Pushed as referrers of each image and of the index; the file beside is that of the index."""
    for name, machine in (("amd64", "x86_64"), ("arm64", "aarch64")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app").write_bytes(static_program(machine=machine))
    with FakeRegistry() as registry:
        registry.switches.referrers = True
        name = f"{registry.host}/me/app:1"
        done = minpack(
            *("amd64/app", "arm64/app", "-t", name, "--push", "--insecure", registry.host, "-o", "image.tar", *BOTH),
            "--json",
            cwd=tmp_path,
        )
        assert done.code == 0, done.err
        artifacts = done.document["artifacts"]
        subjects = [done.document["index"]["digest"], *(one["digest"] for one in done.document["images"])]
        assert sorted((one["subject"], one["artifact_type"]) for one in artifacts) == sorted(
            (subject, media_type)
            for subject in subjects
            for media_type in ("application/spdx+json", "application/vnd.cyclonedx+json")
        )
        assert all(registry.whole("me/app", one["digest"]) for one in artifacts)
        told = minpack(
            *("amd64/app", "arm64/app", "-t", name, "--push", "--insecure", registry.host, *BOTH), cwd=tmp_path
        )
        assert f"pushed {name} with {len(artifacts)} artifacts (nothing sent" in told.out.decode()
    union = json.loads((tmp_path / "image.spdx.json").read_bytes())
    assert spdx_problems(union) == []
    assert cyclonedx_problems((tmp_path / "image.cdx.json").read_bytes()) == ""
    containers = {one["versionInfo"] for one in union["packages"] if one.get("primaryPackagePurpose") == "CONTAINER"}
    assert containers == set(subjects)
    assert len(union["files"]) == len({(one["fileName"], str(one["checksums"])) for one in union["files"]}) > 2


def test_it_is_the_same_whatever_is_kept(tmp_path: Path) -> None:
    """With kept layers the sums are those of the first time: in the SBOMs, the provenance, the JSON and the image."""
    found = set()
    for store, first in (("cold", ()), ("cold", ()), ("plain", ("-o", "first.tar"))):
        cached = (need_tool("ls"), "--base", "/", "--cache-dir", store)
        if first:
            assert minpack(*cached, *first, cwd=tmp_path).code == 0
        done = minpack(*cached, "-o", "image.tar", "--force", *BOTH, "--provenance", "--json", cwd=tmp_path)
        assert done.code == 0, done.err
        assert list((tmp_path / store).rglob("layer-sums-*")), "no sums are kept"
        made = sorted(tmp_path.glob("image.*"))
        assert len(made) == 4
        found.add((*(path.read_bytes() for path in made), json.dumps(done.document["images"][0]["files"])))
    assert len(found) == 1


def test_what_has_no_place_for_it_is_refused(tmp_path: Path) -> None:
    """An engine keeps the image alone, and a bare tree is no image."""
    (tmp_path / "app").write_bytes(static_program())
    loaded = minpack("./app", "--load", "--sbom", "spdx", cwd=tmp_path)
    assert loaded.code == 2
    assert loaded.err.startswith("minpack: cannot use --sbom 'spdx': an engine keeps no SBOMs or provenance\n")
    tree = minpack("./app", "--format", "rootfs", "-o", "tree", "--sbom", "spdx", cwd=tmp_path)
    assert tree.code == 2
    assert "which have no manifest" in tree.err
    (tmp_path / "image.spdx.json").write_text("mine")
    kept = minpack("./app", "-o", "image.tar", "--sbom", "spdx", cwd=tmp_path)
    assert kept.code == 1
    assert "cannot write 'image.spdx.json': the existing file is not an SBOM of that form (spdx)" in kept.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["app", "image.spdx.json"]


def test_libraries_without_packages_are_files(tmp_path: Path) -> None:
    """On a base without a database: the program depends on the files, by the names that it needs them by."""
    from support.badfiles import MUSL_LOADER
    from support.elfmaker import library

    for path, data in ((MUSL[1:], MUSL_LOADER), ("usr/lib/libfoo.so.1", library("libfoo.so.1"))):
        (tmp_path / "base" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "base" / path).write_bytes(data)
        (tmp_path / "base" / path).chmod(0o755)
    (tmp_path / "app").write_bytes(program(("libfoo.so.1",), interpreter=MUSL))
    made = Sboms(tmp_path, "./app", "--base", "base", "--check", "none")
    made.check_files()
    names: dict[str, Any] = {one["SPDXID"]: one["fileName"] for one in made.spdx["files"]}
    needs = {
        names.get(r["relatedSpdxElement"]): r.get("comment")
        for r in made.spdx["relationships"]
        if r["relationshipType"] == "DEPENDS_ON"
    }
    assert needs == {"./usr/lib/libfoo.so.1": "needs libfoo.so.1", f".{MUSL}": None}


def test_an_image_may_have_it_within(tmp_path: Path) -> None:
    """All its other files, without a digest; the one outside has the image's digest, and that file too."""
    (tmp_path / "app").write_bytes(go_program().data)
    made = Sboms(tmp_path, "./app", "--sbom-in-image", "--no-need", "certs", "--no-need", "tz")
    made.check_files()
    places = {f"/var/lib/db/sbom/app.{form}.json" for form in ("spdx", "cdx")}
    assert places <= set(spdx_files(made.spdx))
    done = minpack("./app", "--sbom", "spdx", "--sbom-in-image", "-o", "one.tar", cwd=tmp_path)
    assert done.code == 0, done.err
    inside = minpack("export", "./image.tar", "-o", "tree", cwd=tmp_path)
    assert inside.code == 0, inside.err
    spdx = json.loads((tmp_path / "tree/var/lib/db/sbom/app.spdx.json").read_bytes())
    assert spdx_problems(spdx) == []
    assert cyclonedx_problems((tmp_path / "tree/var/lib/db/sbom/app.cdx.json").read_bytes()) == ""
    assert set(spdx_files(spdx)) == set(spdx_files(made.spdx)) - places
    assert not [one for one in spdx["packages"] if one.get("versionInfo", "").startswith("sha256:")]
    assert spdx_purls(spdx, "golang") == spdx_purls(made.spdx, "golang")
    again = Sboms(tmp_path, "./app", "--sbom-in-image", "--no-need", "certs", "--no-need", "tz")
    assert again.data == made.data


def test_within_it_needs_a_form(tmp_path: Path) -> None:
    """And its place must be free."""
    (tmp_path / "app").write_bytes(static_program())
    none = minpack("./app", "-o", "image.tar", "--sbom-in-image", cwd=tmp_path)
    assert none.err == "minpack: cannot use --sbom-in-image: --sbom is missing\nhint: choose a format: --sbom spdx\n"
    taken = minpack(
        *("./app", "-o", "image.tar", "--sbom", "spdx", "--sbom-in-image", "--add", "./app:/var/lib/db/sbom"),
        cwd=tmp_path,
    )
    assert taken.code == 1
    assert "/var/lib/db/sbom" in taken.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["app"]
