"""How an image is run is told from its configuration and its files; the documents are what their platforms take."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import kubernetes_validate
import pytest
import yaml

from minpack.base.options import BaseOptions
from minpack.images.deploy import Deployment, read_deployment
from minpack.images.workload import MOST_MOUNTS, Mount, Probe
from minpack.net.network import Network
from minpack.progress import no_progress
from minpack.report.deployment import platform_document, platform_notes
from minpack.report.yaml import yaml_lines
from minpack.rootfs.etc_files import User
from minpack.spec.image_ref import parse_image_ref
from support.layers import CAPABILITY, member
from support.packing import minpack
from support.startways import StartCase, app, case, passwd, saved

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

USER = {"User": "65532:65532"}
PROBE = "/.minpack/probe"
#: Docker's form of a health check that says everything.
TIMES = {"Interval": 10**10, "Timeout": 2 * 10**9, "StartPeriod": 61 * 10**9, "StartInterval": 2 * 10**9, "Retries": 4}


def deployed(one: StartCase, tmp_path: Path, **values: Any) -> Deployment:
    """How an image is run."""
    archive = tmp_path / "image.tar"
    archive.write_bytes(saved(one, "me/app:1"))
    options = BaseOptions(store=None, network=Network(offline=True), today="2026-11-30")
    return read_deployment(parse_image_ref(str(archive)), options, no_progress, None, None, **values)


def documents(found: Deployment, **values: Any) -> dict[str, dict[str, Any]]:
    """What each platform reads, which reads what was meant; Kubernetes' schemas take it."""
    made = {}
    for platform, kind in (("kubernetes", "deployment"), ("kubernetes", "pod"), ("compose", "")):
        any_user = values.get("any_user", False)
        document = platform_document(found, platform, kind, any_user=any_user)
        assert yaml.safe_load("\n".join(yaml_lines(document))) == document
        if platform == "kubernetes":
            for version in ("1.28", "1.37"):
                kubernetes_validate.validate(document, version, strict=True)
        made[kind or platform] = document
    return made


def pod_of(found: Deployment, **values: Any) -> dict[str, Any]:
    """What its Pod is."""
    every = documents(found, **values)
    assert every["deployment"]["spec"]["template"]["spec"] == every["pod"]["spec"]
    spec = every["pod"]["spec"]
    assert isinstance(spec, dict)
    return spec


def is_restricted(pod: Mapping[str, Any]) -> bool:
    """Whether the Pod Security Standard "restricted" takes it (Kubernetes, "Pod Security Standards")."""
    security, (container,) = pod["securityContext"], pod["containers"]
    own = container["securityContext"]
    return (
        security["runAsNonRoot"]
        and security.get("runAsUser") != 0
        and security["seccompProfile"]["type"] == "RuntimeDefault"
        and own["allowPrivilegeEscalation"] is False
        and own["capabilities"]["drop"] == ["ALL"]
        and set(own["capabilities"].get("add", ())) <= {"NET_BIND_SERVICE"}
        and all(set(volume) <= {"name", "emptyDir"} for volume in pod.get("volumes", ()))
        and {one["name"] for one in security.get("sysctls", ())} <= {"net.ipv4.ip_unprivileged_port_start"}
    )


def test_the_least(tmp_path: Path) -> None:
    """A program without anything has a read-only root, /tmp, and no rights."""
    found = deployed(case("x", app(), config=USER), tmp_path)
    assert (found.name, found.reference, found.pinned) == ("app", "docker.io/me/app:1", False)
    assert found.workload.mounts == (Mount("/tmp"),)
    pod = pod_of(found)
    assert is_restricted(pod)
    assert pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["securityContext"]["runAsUser"] == 65532
    service = documents(found)["compose"]["services"]["app"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert (service["user"], service["read_only"], service["cap_drop"]) == ("65532:65532", True, ["ALL"])


def test_what_is_not_unicode_is_left_out_and_told(tmp_path: Path) -> None:
    """YAML has no lone surrogates (YAML 1.2.2, 5.2), which is what JSON's escapes and bytes of a path may be here."""
    mine: dict[str, Any] = {"uid": 65532, "gid": 65532}
    strange = {"Healthcheck": {"Test": ["CMD", "/bin/app", "\ud800"]}, "StopSignal": "\udfff"}
    one = case(
        *("x", app(), member("empty\udcff", **mine), member("a:b", **mine)),
        config=USER | {"Volumes": {"/data\udc80": {}}, **strange},
    )
    found = deployed(one, tmp_path)
    for document in documents(found).values():
        assert "\\ud" not in "\n".join(yaml_lines(document))
    assert found.workload.mounts == (Mount("/tmp"),)
    why = "bytes in its path that are not UTF-8, and cannot be mounted"
    text = "has what is not Unicode, and is left out: YAML cannot have it"
    assert found.workload.notes[-5:] == (
        f"the volume '/data\\udc80' has {why}",
        "'/a:b' has a colon in its path, and cannot be mounted",
        f"'/empty\\udcff' has {why}",
        f"the health check {text}",
        f"the stop signal {text}",
    )


def test_what_it_writes_to(tmp_path: Path) -> None:
    """Volumes, and empty directories of its user; those with files are named, those of root and engines are not."""
    mine: dict[str, Any] = {"uid": 65532, "gid": 65532}
    one = case(
        *("x", app(), member("home/me", **mine), member("data", **mine), member("opt"), member("proc/x", **mine)),
        *(member("devel", **mine), member("system", **mine)),
        *(member("srv", **mine), member("srv/x", b"x", **mine), member("var/tmp", mode=0o1777)),
        config=USER | {"Volumes": {"/data": {}, "/data/in:it": {}, "/data2/deep": {}}},
    )
    found = deployed(one, tmp_path)
    volumes = (Mount("/data", is_volume=True), Mount("/data2/deep", is_volume=True, is_closed=True))
    others = ("/devel", "/home/me", "/system", "/tmp", "/var/tmp")
    assert found.workload.mounts == (*volumes, *map(Mount, others))
    assert [note.partition(" (")[0] for note in found.workload.notes] == [
        "the volume '/data/in:it' has a colon in its path, and cannot be mounted",
        "the root is read-only, so 65532:65532 cannot write to /srv, which has files",
    ]
    pod = pod_of(found)
    names = [mount["name"] for mount in pod["containers"][0]["volumeMounts"]]
    assert names == ["data", "data2-deep", "devel", "home-me", "system", "tmp", "var-tmp"]
    compose = documents(found)["compose"]
    assert compose["services"]["app"]["tmpfs"][1] == "/home/me:mode=0755,uid=65532,gid=65532"
    assert list(compose["volumes"]) == ["app-data", "app-data2-deep"]


def test_many_directories(tmp_path: Path) -> None:
    """Some are mounted, and the rest is counted; names stay apart and short."""
    many = [member(f"{'x' * 80}/{number}", mode=0o777) for number in range(MOST_MOUNTS + 8)]
    config: dict[str, Any] = USER | {"Volumes": {"/zones": {}}}
    found = deployed(case("x", app(), *many, config=config), tmp_path)
    assert len(found.workload.mounts) == MOST_MOUNTS
    assert {Mount("/tmp"), Mount("/zones", is_volume=True, is_closed=True)} <= {*found.workload.mounts}
    assert found.workload.notes[-1] == "10 more directories that it may write to are not mounted"
    names = [volume["name"] for volume in pod_of(found)["volumes"]]
    assert len(set(names)) == MOST_MOUNTS
    assert all(len(name) <= 63 for name in names)


def test_root(tmp_path: Path) -> None:
    """It is stated, and what it writes to is not known."""
    found = deployed(case("x", app()), tmp_path)
    pod = pod_of(found)
    assert not is_restricted(pod)
    assert pod["securityContext"] == {
        "runAsNonRoot": False,
        "runAsUser": 0,
        "runAsGroup": 0,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    notes = platform_notes(found, "kubernetes", any_user=False)
    assert any("the image's user is root" in note for note in notes)
    assert any("it runs as root" in note for note in notes)


def test_a_user_that_the_platform_chooses(tmp_path: Path) -> None:
    """No number is stated; HOME is set where the image has none."""
    pod = pod_of(deployed(case("x", app(), config=USER), tmp_path, any_user=True), any_user=True)
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert pod["containers"][0]["env"] == [{"name": "HOME", "value": "/tmp"}]
    there = USER | {"Env": ["HOME=/home/me"]}
    assert "env" not in pod_of(deployed(case("x", app(), config=there), tmp_path, any_user=True))["containers"][0]
    listed = case("x", app(), passwd("me:x:7:8::/home/me:"), config={"User": "me"})
    assert deployed(listed, tmp_path).workload.home == ""
    assert deployed(listed, tmp_path).workload.user == User(7, 8)


def test_where_such_a_user_writes(tmp_path: Path) -> None:
    """What group 0 may write to is mounted, and what the image's user may, too: what is mounted is open to all."""
    ours = member("ours", mode=0o775)
    mine = member("mine", uid=65532, gid=65532)
    for config, more in ((USER, [Mount("/mine")]), ({}, [])):
        found = deployed(case("x", app(), ours, mine, config=config), tmp_path, any_user=True)
        assert [*found.workload.mounts] == [*more, Mount("/ours"), Mount("/tmp")]


def test_a_volume_that_is_closed(tmp_path: Path) -> None:
    """Engines make a volume as the image has its directory, or root's; Kubernetes opens it to a group."""
    config: dict[str, Any] = USER | {"Volumes": {"/open": {}, "/closed": {}, "/none": {}}}
    found = deployed(case("x", app(), member("open", mode=0o777), member("closed"), config=config), tmp_path)
    *_, note = platform_notes(found, "compose", any_user=False)
    assert note.endswith("65532:65532 cannot write to /closed, /none")
    assert not any("cannot write" in one for one in platform_notes(found, "kubernetes", any_user=False))


def test_an_unknown_user(tmp_path: Path) -> None:
    """No number is made up."""
    found = deployed(case("x", app(), config={"User": "nobody-here"}), tmp_path)
    assert "runAsUser" not in pod_of(found)["securityContext"]
    assert "user" not in documents(found)["compose"]["services"]["app"]
    (note,) = found.workload.notes
    assert "nobody-here" in note
    assert found.workload.home == ""


def test_capabilities(tmp_path: Path) -> None:
    """Those of the program's file are left, and privileges may be gained, or they would count for nothing."""
    program = app(pax_headers={"SCHILY.xattr.security.capability": CAPABILITY.decode("latin-1")})
    found = deployed(case("x", program, config=USER | {"ExposedPorts": {"80/tcp": {}}}), tmp_path)
    pod = pod_of(found)
    assert pod["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": True,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
    }
    assert "sysctls" not in pod["securityContext"]
    assert any("no_new_privs" in note for note in platform_notes(found, "kubernetes", any_user=False))
    service = documents(found)["compose"]["services"]["app"]
    assert service["cap_add"] == ["NET_BIND_SERVICE"]
    assert "security_opt" not in service


def test_ports(tmp_path: Path) -> None:
    """Ranges are each of their ports; a port below 1024 takes a setting that every cluster allows."""
    ports: dict[str, Any] = {"8000-8001/udp": {}, "80": {}, "80/tcp": {}, "none": {}}
    found = deployed(case("x", app(), config=USER | {"ExposedPorts": ports}), tmp_path)
    pod = pod_of(found)
    assert is_restricted(pod)
    assert pod["containers"][0]["ports"] == [
        {"containerPort": 80, "protocol": "TCP"},
        {"containerPort": 8000, "protocol": "UDP"},
        {"containerPort": 8001, "protocol": "UDP"},
    ]
    assert pod["securityContext"]["sysctls"] == [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]
    assert documents(found)["compose"]["services"]["app"]["ports"] == ["80:80", "8000:8000/udp", "8001:8001/udp"]
    assert found.workload.notes == ("the image exposes 'none': it is not a port",)


@pytest.mark.parametrize(
    ("test", "handler"),
    [
        (["CMD", PROBE, "http://:8080/healthz"], {"httpGet": {"path": "/healthz", "port": 8080}}),
        (["CMD", PROBE, "http://:80"], {"httpGet": {"path": "/", "port": 80}}),
        (["CMD", PROBE, "tcp://:5432", "2000"], {"tcpSocket": {"port": 5432}}),
        (["CMD", PROBE, "grpc://:9000"], {"grpc": {"port": 9000}}),
        (["CMD", PROBE, "grpc://:9000/a.B"], {"grpc": {"port": 9000, "service": "a.B"}}),
        # What listens on the loopback interface alone the kubelet cannot reach.
        (["CMD", PROBE, "http://localhost:80/"], {"exec": {"command": [PROBE, "http://localhost:80/"]}}),
        (["CMD", "/bin/app", "yes", "$X"], {"exec": {"command": ["/bin/app", "yes", "$X"]}}),
        (["CMD-SHELL", "app || exit 1"], {"exec": {"command": ["/bin/sh", "-c", "app || exit 1"]}}),
    ],
)
def test_probes(test: list[str], handler: dict[str, Any], tmp_path: Path) -> None:
    """What minpack's probe asks the kubelet asks by itself; else it runs what Docker runs."""
    found = deployed(case("x", app(), config=USER | {"Healthcheck": {"Test": test, **TIMES}}), tmp_path)
    (container,) = pod_of(found)["containers"]
    often = {"periodSeconds": 10, "timeoutSeconds": 2, "failureThreshold": 4}
    assert container["livenessProbe"] == container["readinessProbe"] == {**handler, **often}
    assert container["startupProbe"] == {**handler, **often, "periodSeconds": 2, "failureThreshold": 31}
    assert documents(found)["compose"]["services"]["app"]["healthcheck"] == {
        "test": [word.replace("$", "$$") for word in test],
        "interval": "10s",
        "timeout": "2s",
        "start_period": "61s",
        "start_interval": "2s",
        "retries": 4,
    }


@pytest.mark.parametrize("stated", [None, [], {"Test": []}, {"Test": ["NONE"]}, {"Test": ["CMD"]}, {"Test": "x"}])
def test_no_probe(stated: Any, tmp_path: Path) -> None:
    """Nothing is asked where nothing can be."""
    found = deployed(case("x", app(), config=USER | {"Healthcheck": stated}), tmp_path)
    assert found.workload.probe is None
    assert "livenessProbe" not in pod_of(found)["containers"][0]


def test_hostile_values(tmp_path: Path) -> None:
    """Whatever a configuration says stays text, in YAML and for Compose, which has variables."""
    evil = "${HOME}: y\n- x\x1b[2J\u202e #"
    config = USER | {"Healthcheck": {"Test": ["CMD", evil, "no", "1"], "Interval": 10**18}, "StopSignal": "$SIG: 1"}
    found = deployed(
        case("x", app(), config=config | {"Volumes": {f"/{evil[1:6]}": {}, "/" + "v" * 300: {}}}), tmp_path
    )
    assert isinstance(found.workload.probe, Probe)
    assert pod_of(found)["containers"][0]["livenessProbe"]["exec"]["command"] == [evil, "no", "1"]
    service = documents(found)["compose"]["services"]["app"]
    assert service["healthcheck"]["test"] == ["CMD", evil.replace("$", "$$"), "no", "1"]
    assert service["stop_signal"] == "$$SIG: 1"


def test_what_does_not_start(tmp_path: Path) -> None:
    """The document is printed, and a note says that it is of no use."""
    found = deployed(case("x", app(), entrypoint=("/bin/none",), config=USER), tmp_path)
    assert found.workload.notes[0].startswith("a container of it does not start: ")


def test_names(tmp_path: Path) -> None:
    """The image's own, or those that were given; a tag that is no label is left out."""
    one = case("x", app(), config=USER)
    digest = f"sha256:{'a' * 64}"
    found = deployed(one, tmp_path, reference=f"ghcr.io/me/My_App:1.0@{digest}".lower(), name="web")
    assert (found.name, found.reference, found.tag, found.pinned) == ("web", f"ghcr.io/me/my_app@{digest}", "1.0", True)
    pod = documents(found)["pod"]
    assert pod["metadata"] == {
        "name": "web",
        "labels": {"app.kubernetes.io/name": "web", "app.kubernetes.io/version": "1.0"},
    }
    assert "imagePullPolicy" not in pod["spec"]["containers"][0]
    assert deployed(one, tmp_path, reference="docker.io/me/my_app:x_").name == "my-app"
    labels = documents(deployed(one, tmp_path, reference="docker.io/me/my_app:x_"))["pod"]["metadata"]["labels"]
    assert labels == {"app.kubernetes.io/name": "my-app"}


def test_the_command(tmp_path: Path) -> None:
    """Text is YAML alone on stdout, notes are on stderr; --json has the same."""
    (tmp_path / "image.tar").write_bytes(saved(case("x", app(), config=USER), "me/app:1"))
    for how in (("kubernetes",), ("kubernetes", "--kind", "pod"), ("compose", "--name", "web")):
        ran = minpack("deployment", "image.tar", "--for", *how, cwd=tmp_path)
        document = json.loads(minpack("deployment", "image.tar", "--for", *how, "--json", cwd=tmp_path).stdout)
        assert yaml.safe_load(ran.stdout) == document["document"]
        assert ran.stderr.startswith("note: the image is in a file: ")
        assert minpack("deployment", "image.tar", "-q", "--for", *how, cwd=tmp_path).stderr == ""
