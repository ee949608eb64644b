"""Programs on top of an image: its layers and configuration stay, and only what it lacks is added."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from minpack.oci.mediatypes import DOCKER_LAYER, LAYER_GZIP
from support.badfiles import MUSL_LOADER
from support.command import minpack
from support.elfmaker import MUSL, program, static_program
from support.fakeregistry import INDEX, FakeRegistry
from support.layers import CONFIG, MANIFEST, config_of, described, dumped, layer, link, member, tar_of, write_layout
from support.tarmaker import archive
from support.tarmaker import member as plain

if TYPE_CHECKING:
    from pathlib import Path

LOADER = "lib/ld-musl-x86_64.so.1"
PASSWD = b"root:x:0:0:root:/root:/bin/sh\nweb:x:33:44:web:/srv:/bin/sh\n"
LOWEST = layer(
    tar_of(
        member("etc/passwd", PASSWD),
        member("etc/group", b"web:x:44:\nstaff:x:50:\n"),
        member("bin/tool", static_program()),
        member("usr/local", mode=0o700),
        member("tmp", mode=0o1777),
        member("srv"),
        link("opt", "usr/local"),
    )
)
LIBC = layer(tar_of(member(LOADER, MUSL_LOADER)), "zstd")
RUN = {
    "User": "web",
    "WorkingDir": "/srv",
    "Env": ["PATH=/bin", "LANG=C"],
    "Labels": {"a": "1", "b": "1"},
    "ExposedPorts": {"80/tcp": {}},
    "Cmd": ["/bin/tool"],
    "Entrypoint": ["/bin/tool"],
    "StopSignal": "SIGINT",
    "Healthcheck": {"Test": ["NONE"]},
    "OnBuild": ["RUN x"],
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with programs, images and a base."""
    (tmp_path / "app").write_bytes(static_program(1))
    (tmp_path / "musl-app").write_bytes(program(("libc.so",), interpreter=MUSL))
    (tmp_path / "musl.tar").write_bytes(archive(plain(LOADER, MUSL_LOADER, mode=0o755)))
    write_layout(tmp_path / "below", [LOWEST, LIBC], config_values=RUN)
    write_layout(tmp_path / "bare", [LOWEST])
    return tmp_path


class Image:
    """An image in a layout."""

    def __init__(self, path: Path) -> None:
        self._path = path
        (listed,) = json.loads((path / "index.json").read_bytes())["manifests"]
        self.manifest = json.loads(self.blob(listed["digest"]))
        self.config = json.loads(self.blob(self.manifest["config"]["digest"]))
        self.run = self.config["config"]
        self.layers = [one["digest"] for one in self.manifest["layers"]]

    def blob(self, digest: str) -> bytes:
        """Its bytes, which have the digest."""
        data = (self._path / "blobs" / "sha256" / digest[7:]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == digest[7:]
        return data

    def names(self, number: int) -> list[str]:
        """The members of a layer."""
        with tarfile.open(fileobj=io.BytesIO(self.blob(self.layers[number]))) as tar:
            return tar.getnames()


def packed(place: Path, *arguments: str) -> Image:
    """The image that a pack of these makes."""
    ran = minpack(*arguments, "--format", "oci", "-o", "out", "--force", "--check", "none", "-q", cwd=place)
    assert ran.code == 0, ran.err
    return Image(place / "out")


def test_the_layers_below_stay_as_they_are(place: Path) -> None:
    """Byte for byte, and on them comes the program alone, without a directory that is there."""
    image = packed(place, "./app", "--on", "below")
    assert image.layers[:2] == [LOWEST.descriptor()["digest"], LIBC.descriptor()["digest"]]
    assert image.config["rootfs"]["diff_ids"][:2] == [LOWEST.diff_id, LIBC.diff_id]
    assert len(image.layers) == len(image.config["rootfs"]["diff_ids"]) == len(image.config["history"]) == 3
    assert image.names(2) == ["usr/local/bin", "usr/local/bin/app"]


def test_the_configuration_goes_on(place: Path) -> None:
    """As FROM has it: what is given replaces what is there, and a new entrypoint has no old arguments."""
    image = packed(place, "./app", "--on", "below", "-l", "b=2", "--env", "X=1", "--expose", "81")
    assert image.run == {
        "User": "web",
        "WorkingDir": "/srv",
        "Env": ["PATH=/bin", "LANG=C", "X=1"],
        "Labels": {"a": "1", "b": "2"},
        "ExposedPorts": {"80/tcp": {}, "81/tcp": {}},
        "Entrypoint": ["/usr/local/bin/app"],
        "StopSignal": "SIGINT",
        "Healthcheck": {"Test": ["NONE"]},
    }
    assert [one["created_by"] for one in image.config["history"]] == ["layer 0", "layer 1", "minpack"]
    given = ("--user", "7", "--workdir", "/", "--env", "PATH=/x", "--stop-signal", "SIGTERM")
    run = packed(place, "./app", "--on", "below", *given).run
    assert (run["User"], run["WorkingDir"], run["StopSignal"]) == ("7:7", "/", "SIGTERM")
    assert "PATH=/x" in run["Env"]
    assert packed(place, "./app", "--on", "bare").run["User"] == "65532:65532"


def test_a_health_check_is_kept_changed_or_replaced(place: Path) -> None:
    """Only its times, all of it, or it is taken away; what is not there is not changed."""
    new = packed(place, "./app", "--on", "below", "--health", "tcp://:80", "--health-retries", "2").run["Healthcheck"]
    assert new == {"Test": ["CMD", "/.minpack/probe", "tcp://:80"], "Retries": 2}
    image = packed(place, "./app", "--on", "below", "--health", "tcp://:80")
    assert ".minpack/probe" in image.names(2)
    for on in ("below", "bare"):
        ran = minpack("./app", "--on", on, "--health-interval", "5s", "-o", "none", "--check", "none", cwd=place)
        assert ran.code == 2
        assert "has no health check" in ran.err
    ran = minpack("./app", "--on", "below", "--health", "none", "--health-retries", "2", "-o", "none", cwd=place)
    assert "cannot use --health-retries: --health none leaves nothing to check" in ran.err
    assert minpack("./app", "--health", "tcp://:80", "-o", "healthy.tar", "-q", cwd=place).code == 0
    assert packed(place, "./app", "--on", "healthy.tar").run["Healthcheck"]["Test"][0] == "CMD"
    longer = packed(place, "./app", "--on", "healthy.tar", "--health-interval", "5s")
    assert longer.run["Healthcheck"] == {"Test": ["CMD", "/.minpack/probe", "tcp://:80"], "Interval": 5 * 10**9}
    longer = packed(place, "./app", "--on", "healthy.tar", "--health-timeout", "60s")
    assert longer.run["Healthcheck"]["Test"][-1] == "60000"
    often = ("--health-start-interval", "1s")
    ran = minpack("./app", "--on", "healthy.tar", *often, "-o", "none", cwd=place)
    assert "cannot use --health-start-interval: without a start period it is never used" in ran.err
    slow = ("--health", "tcp://:80", "--health-start-period", "9s")
    assert minpack("./app", *slow, "-o", "slow.tar", "-q", cwd=place).code == 0
    assert packed(place, "./app", "--on", "slow.tar", *often).run["Healthcheck"]["StartInterval"] == 10**9
    assert packed(place, "./app", "--on", "healthy.tar", "--health", "none").run["Healthcheck"] == {"Test": ["NONE"]}
    # The same probe is there already.
    again = packed(place, "./app", "--on", "healthy.tar", "--health", "tcp://:81")
    assert not any(".minpack/probe" in again.names(number) for number in range(2, len(again.layers)))


def test_annotations_name_the_image_below(place: Path) -> None:
    """By its digest, and where a registry has it by its name; what it is pushed beside is mounted."""
    digest = json.loads((place / "below" / "index.json").read_bytes())["manifests"][0]["digest"]
    annotations = packed(place, "./app", "--on", "oci:below:1").manifest["annotations"]
    assert annotations["org.opencontainers.image.base.digest"] == digest
    assert "org.opencontainers.image.base.name" not in annotations
    with FakeRegistry() as registry:
        below, above = f"{registry.host}/team/below:1", f"{registry.host}/team/app:1"
        assert minpack("push", "oci:below", below, cwd=place).code == 0
        registry.clear()
        ran = minpack("./app", "--on", below, "-t", above, "--push", cwd=place)
        assert ran.code == 0, ran.err
        manifest = registry.document("team/app", "1")
        assert manifest["annotations"]["org.opencontainers.image.base.name"] == below
        assert manifest["annotations"]["org.opencontainers.image.base.digest"] == digest
        assert [one["digest"] for one in manifest["layers"]][:2] == [
            LOWEST.descriptor()["digest"],
            LIBC.descriptor()["digest"],
        ]
        assert registry.whole("team/app", "1")
        # What was sent is the program's layer and the configuration.
        assert registry.received < len(LOWEST.blob) + len(LIBC.blob) + 2000
        assert registry.count("POST", "mount=") == 2


def test_what_is_lacking_comes_from_the_base(place: Path) -> None:
    """The loader, where the image below has none; nothing where it has it."""
    image = packed(place, "./musl-app", "--on", "bare", "--base", "./musl.tar")
    assert LOADER in image.names(-2)
    assert "usr/local/bin/musl-app" in image.names(-1)
    image = packed(place, "./musl-app", "--on", "below", "--base", "./musl.tar")
    assert len(image.layers) == 3
    assert packed(place, "./musl-app", "--on", "below").names(2) == ["usr/local/bin", "usr/local/bin/musl-app"]
    ran = minpack("./musl-app", "--on", "bare", cwd=place)
    assert ran.code == 3
    assert "--base alpine-" in ran.err


def test_what_the_image_has_of_its_own_is_not_replaced(place: Path) -> None:
    """Its lists of users, whatever is needed; what the user adds is written."""
    needs = ("--need", "passwd", "--need", "group", "--need", "tmp", "--need", "nsswitch")
    image = packed(place, "./app", "--on", "below", *needs)
    names = {name for number in range(2, len(image.layers)) for name in image.names(number)}
    assert "etc/nsswitch.conf" in names
    assert not {"etc", "etc/passwd", "etc/group", "tmp"} & names
    image = packed(place, "./app", "--on", "below", "--add", "musl.tar:/etc/passwd")
    assert "etc/passwd" in image.names(2)


def test_a_link_below_is_followed(place: Path) -> None:
    """What is to go below it goes where it leads."""
    image = packed(place, "./app", "--on", "below", "--dest", "/opt/app")
    assert image.names(2) == ["usr/local/app"]
    assert image.run["Entrypoint"] == ["/opt/app"]


def test_programs_of_the_image_may_be_started(place: Path) -> None:
    """An entrypoint may be one; one that nobody has is refused."""
    assert packed(place, "./app", "--on", "below", "--entrypoint", "/bin/tool").run["Entrypoint"] == ["/bin/tool"]
    ran = minpack("./app", "--on", "below", "--entrypoint", "/bin/none", cwd=place)
    assert ran.code == 3


def test_layers_of_docker_are_called_as_oci_does(place: Path) -> None:
    """A manifest of OCI's has no other names; their bytes are the same."""
    write_layout(place / "docker", [LOWEST._replace(media_type=DOCKER_LAYER)], config_values={})
    image = packed(place, "./app", "--on", "docker")
    assert image.manifest["layers"][0] == {**LOWEST.descriptor(), "mediaType": LAYER_GZIP}


@pytest.mark.parametrize("history", [None, [], [{"empty_layer": True}], "x", [1, 2, 3]])
def test_a_history_has_an_entry_for_each_layer(place: Path, history: Any) -> None:
    """Docker refuses others; one that does not fit is left out."""
    write_layout(place / "odd", [LOWEST, LIBC], config_values=RUN, history=history)
    found = packed(place, "./app", "--on", "odd").config["history"]
    assert len([one for one in found if not one.get("empty_layer")]) == 3


@pytest.mark.parametrize(
    ("user", "ids"), [("web", (33, 44)), ("33", (33, 44)), ("web:staff", (33, 50)), ("5", (5, 0)), ("5:6", (5, 6))]
)
def test_users_are_looked_up_in_the_image(place: Path, user: str, ids: tuple[int, int]) -> None:
    """As engines do; files that are made for the user are of it."""
    write_layout(place / "users", [LOWEST], config_values={"User": user})
    image = packed(place, "./app", "--on", "users", "--dir", "/data")
    assert image.names(-1)[0] == "data"
    assert image.run["User"] == user
    with tarfile.open(fileobj=io.BytesIO(image.blob(image.layers[-1]))) as tar:
        data = tar.getmember("data")
    assert (data.uid, data.gid) == ids


@pytest.mark.parametrize("user", ["nobody-here", "web:none"])
def test_a_user_that_is_not_there_is_refused(place: Path, user: str) -> None:
    """With what to do; a user that is given is another."""
    write_layout(place / "users", [LOWEST], config_values={"User": user})
    ran = minpack("./app", "--on", "users", cwd=place)
    assert ran.code == 2
    assert "is not in its /etc/" in ran.err
    assert packed(place, "./app", "--on", "users", "--user", "7").run["User"] == "7:7"


def test_the_summary_and_the_document_name_it(place: Path) -> None:
    """With the digest; sizes are those of all layers."""
    ran = minpack("./app", "--on", "below", "-o", "a.tar", cwd=place)
    assert "  on           below\n" in ran.out.decode()
    assert "3 layers" in ran.out.decode()
    document = json.loads(minpack("./app", "--on", "below", "-o", "b.tar", "--json", cwd=place).out)
    assert [(one["kind"], one["name"]) for one in document["inputs"]] == [("on", "below")]
    assert (place / "a.tar").read_bytes() == (place / "b.tar").read_bytes()
    refused = minpack("./app", "--on", "below", "--format", "oci", "-o", "below", "--force", cwd=place)
    assert refused.code == 1
    assert "the image that --on names" in refused.err


def test_an_index_says_what_is_said_of_all_its_images(tmp_path: Path) -> None:
    """Labels of the images below that differ stay where they are true."""
    with FakeRegistry() as registry:
        listed = []
        for architecture, machine in (("amd64", "x86_64"), ("arm64", "aarch64")):
            (tmp_path / f"app-{architecture}").write_bytes(static_program(machine=machine))
            labels = {"architecture": machine, "vendor": "me"}
            stated = config_of([LOWEST], ("linux", architecture), {"Labels": labels})
            document = {"config": described(CONFIG, stated), "layers": [LOWEST.descriptor()]}
            manifest = dumped({"schemaVersion": 2, "mediaType": MANIFEST, **document})
            for blob in (stated, LOWEST.blob):
                registry.keep("me/base", blob)
            registry.keep_manifest("me/base", f"1-{architecture}", MANIFEST, manifest)
            listed.append(described(MANIFEST, manifest, platform={"os": "linux", "architecture": architecture}))
        index = dumped({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed})
        registry.keep_manifest("me/base", "1", INDEX, index)
        name = f"{registry.host}/me/base:1"
        to = ("-t", f"{registry.host}/me/app:1", "--push", "--annotation", "a=b")
        ran = minpack("./app-amd64", "./app-arm64", "--on", name, *to, cwd=tmp_path)
        assert ran.code == 0, ran.err
        pushed = registry.document("me/app", "1")
        assert pushed["annotations"] == {"a": "b", "vendor": "me"}
        images = [registry.document("me/app", one["digest"])["annotations"] for one in pushed["manifests"]]
        assert [one["architecture"] for one in images] == ["x86_64", "aarch64"]
