"""Real registries: docker-registry with passwords, with a token server, with TLS and client certificates."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from minpack.content import read_all
from minpack.digest import Digest
from minpack.errors import NotInRegistryError, RegistryAccessError, RegistryError
from minpack.net.network import Network
from minpack.oci.documents import Descriptor
from minpack.oci.mediatypes import CONFIG, LAYER, MANIFEST
from minpack.registry.client import RegistryClient
from minpack.registry.options import Login, RegistryOptions
from minpack.registry.repository import ImageRepository
from minpack.registry.secret import Secret
from minpack.store.store import open_store
from support.certificates import Authority
from support.dockerregistry import PASSWORD, USER, password_file, running_registry
from support.elfmaker import static_program
from support.tokenserver import TokenServer
from support.tools import need_tool

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from minpack.store.store import Store

pytestmark = pytest.mark.tool

NAME = "me/app"
LAYER_DATA = os.urandom(3 << 20)
NETWORK = Network(pause=lambda _: None)


def options(host: str, user: str = "", password: str = "", **more: Any) -> RegistryOptions:
    """What a user of `host` gives."""
    login = Login(host, Secret(user), Secret(password)) if user else None
    return RegistryOptions(NETWORK, login, **more)


def put(client: RegistryClient, repository: ImageRepository, data: bytes) -> Descriptor:
    """Push a blob."""
    begun = client.request(
        repository, "POST", "blobs/uploads/", actions="push,pull", headers={"Content-Length": "0"}, expected=(202,)
    )
    url = client.location(begun)
    digest = Digest.of(data)
    client.request(
        repository,
        "PUT",
        f"{url}{'&' if '?' in url else '?'}digest={digest}",
        actions="push,pull",
        headers={"Content-Length": str(len(data))},
        body=lambda: (data[at : at + 65536] for at in range(0, len(data), 65536)),
        expected=(201,),
    )
    return Descriptor(LAYER, digest, len(data))


def push(client: RegistryClient, host: str, tag: str = "1", name: str = NAME) -> Descriptor:
    """Push an image of one layer; its layer."""
    repository = ImageRepository(host, name)
    config, layer = put(client, repository, b"{}"), put(client, repository, LAYER_DATA)
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": str(config.digest), "size": config.size},
        "layers": [{"mediaType": LAYER, "digest": str(layer.digest), "size": layer.size}],
    }
    data = json.dumps(document).encode()
    client.request(
        repository,
        "PUT",
        f"manifests/{tag}",
        actions="push,pull",
        headers={"Content-Type": MANIFEST, "Content-Length": str(len(data))},
        body=lambda: (data,),
        expected=(201,),
    )
    return layer


def pull(client: RegistryClient, host: str, store: Store, tag: str = "1", name: str = NAME) -> None:
    """Pull the image, and see that it is the one that was pushed."""
    repository = ImageRepository(host, name)
    descriptor, data = client.manifest(repository, tag)
    assert (descriptor.media_type, descriptor.digest) == (MANIFEST, Digest.of(data))
    assert client.manifest(repository, str(descriptor.digest)) == (descriptor, data)
    document = json.loads(data)
    config, layer = document["config"], document["layers"][0]
    assert client.read_blob(repository, described(config)) == b"{}"
    with client.fetch_blob(repository, described(layer), store).blob as blob:
        assert read_all(blob, 1 << 30) == LAYER_DATA


def described(document: Any) -> Descriptor:
    """What a manifest names."""
    return Descriptor(document["mediaType"], Digest(document["digest"].removeprefix("sha256:")), document["size"])


@pytest.fixture
def store(tmp_path: Path) -> Generator[Store]:
    """An empty store."""
    with open_store(str(tmp_path / "store")) as opened:
        yield opened


def test_without_a_login_and_tls_on_loopback(tmp_path: Path, store: Store) -> None:
    """An image goes to a plain registry of this machine and comes back; nothing has to be said for that."""
    with running_registry(tmp_path) as host, RegistryClient(options(host)) as client:
        push(client, host)
        pull(client, host, store)


@pytest.mark.parametrize("host_name", ["127.0.0.1", "localhost"])
def test_a_password_is_asked_for(tmp_path: Path, store: Store, host_name: str) -> None:
    """A registry with a password file: who has it may push and pull, whoever has none or another is told so."""
    with running_registry(tmp_path, password_file(tmp_path)) as address:
        host = address.replace("127.0.0.1", host_name)
        with RegistryClient(options(host, USER, PASSWORD)) as client:
            push(client, host)
            pull(client, host, store)
        with RegistryClient(options(host)) as client, pytest.raises(RegistryAccessError) as nobody:
            push(client, host)
        with (
            RegistryClient(options(host, USER, "wrong-password")) as client,
            pytest.raises(RegistryAccessError) as wrong,
        ):
            push(client, host)
    assert "there are no credentials for" in nobody.value.message
    assert f"docker login {host}" in (nobody.value.hint or "")
    assert "does not accept the credentials" in wrong.value.message
    assert "--username" in wrong.value.message
    assert (nobody.value.status, wrong.value.status) == (401, 401)


def test_docker_login_is_enough(tmp_path: Path, store: Store) -> None:
    """Credentials as docker and podman keep them are found and work."""
    with running_registry(tmp_path, password_file(tmp_path)) as host:
        files = []
        for number, key in enumerate((host, f"http://{host}/v1/", f"{host}/me")):
            file = tmp_path / f"config{number}.json"
            auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            file.write_text(json.dumps({"auths": {key: {"auth": auth}}}))
            files.append(str(file))
        for one in files:
            with RegistryClient(options(host, auth_files=(one,))) as client:
                push(client, host)
                pull(client, host, store)


@pytest.mark.parametrize("tool", ["skopeo", "podman"])
def test_what_a_tool_logged_in_to(tmp_path: Path, store: Store, tool: str) -> None:
    """The file that the login of another tool writes has what minpack needs."""
    command = need_tool(tool)
    file = tmp_path / "auth.json"
    with running_registry(tmp_path, password_file(tmp_path)) as host:
        login = [command, "login", "--tls-verify=false", "--authfile", str(file), "-u", USER, "--password-stdin", host]
        subprocess.run(login, input=PASSWORD.encode(), check=True, capture_output=True)
        with RegistryClient(options(host, auth_files=(str(file),))) as client:
            push(client, host)
            pull(client, host, store)


def test_a_helper_gives_the_password(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A credential helper is asked once for the registry, whatever the number of requests."""
    answer = json.dumps({"ServerURL": "x", "Username": USER, "Secret": PASSWORD})
    helper = tmp_path / "bin" / "docker-credential-test"
    helper.parent.mkdir()
    helper.write_text(f"#!/bin/sh\ncat >>{tmp_path}/asked; echo >>{tmp_path}/asked\ncat <<'END'\n{answer}\nEND\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{helper.parent}:{os.environ['PATH']}")
    with running_registry(tmp_path, password_file(tmp_path)) as host:
        (tmp_path / "config.json").write_text(json.dumps({"credHelpers": {host: "test"}}))
        with RegistryClient(options(host, auth_files=(str(tmp_path / "config.json"),))) as client:
            push(client, host)
            pull(client, host, store)
    assert (tmp_path / "asked").read_text().split() == [host]


def test_a_token_server_is_asked_once_for_a_push(tmp_path: Path, store: Store) -> None:
    """One token has all rights of a run, and one for pulling is not asked for besides it."""
    with TokenServer(tmp_path, {USER: PASSWORD}) as tokens, running_registry(tmp_path, tokens.auth) as host:
        with RegistryClient(options(host, USER, PASSWORD)) as client:
            push(client, host)
            pull(client, host, store)
        assert tokens.granted == [[f"repository:{NAME}:push,pull"]]


def test_rights_and_logins_are_told_apart(tmp_path: Path, store: Store) -> None:
    """Who has no login, a wrong one, one without the right, and what is not there: four different sentences."""
    with TokenServer(tmp_path, {USER: PASSWORD, "reader": PASSWORD}) as tokens:
        tokens.public.add("free/app")
        tokens.rights["reader"] = {NAME: {"pull"}}
        with running_registry(tmp_path, tokens.auth) as host:
            with RegistryClient(options(host, USER, PASSWORD)) as client:
                push(client, host)
                push(client, host, name="free/app")
            with RegistryClient(options(host)) as client:
                pull(client, host, store, name="free/app")
                with pytest.raises(RegistryAccessError, match="needs a login, and there are no credentials"):
                    client.manifest(ImageRepository(host, NAME), "1")
                with pytest.raises(NotInRegistryError, match="no such tag or digest") as missing:
                    client.manifest(ImageRepository(host, "free/app"), "2")
            assert missing.value.code == "MANIFEST_UNKNOWN"
            with (
                RegistryClient(options(host, USER, "wrong-password")) as client,
                pytest.raises(RegistryAccessError, match="does not accept the credentials"),
            ):
                client.manifest(ImageRepository(host, NAME), "1")
            with RegistryClient(options(host, "reader", PASSWORD)) as client:
                pull(client, host, store)
                with pytest.raises(RegistryAccessError, match="do not allow it") as denied:
                    push(client, host)
    assert "right to push" in (denied.value.hint or "")


@pytest.mark.parametrize("has_form", [True, False])
def test_an_identity_token_is_enough(tmp_path: Path, store: Store, *, has_form: bool) -> None:
    """An identity token is sent by the form, and as a password where a token server has no form."""
    with TokenServer(tmp_path, {}) as tokens:
        tokens.identities["an-identity-token"] = USER
        tokens.has_form = has_form
        with running_registry(tmp_path, tokens.auth) as host:
            file = tmp_path / "auth.json"
            file.write_text(json.dumps({"auths": {host: {"identitytoken": "an-identity-token"}}}))
            with RegistryClient(options(host, auth_files=(str(file),))) as client:
                push(client, host)
                pull(client, host, store)
        assert [one.method for one in tokens.server.requests] == (["POST"] if has_form else ["POST", "GET"])


def test_a_registry_token_is_enough(tmp_path: Path, store: Store) -> None:
    """A token of the registry itself is sent as it is; when it counts no more, that is told."""
    with TokenServer(tmp_path, {USER: PASSWORD}) as tokens, running_registry(tmp_path, tokens.auth) as host:
        file = tmp_path / "auth.json"
        token = tokens.token(USER, [f"repository:{NAME}:pull,push"])
        file.write_text(json.dumps({"auths": {host: {"registrytoken": token}}}))
        with RegistryClient(options(host, auth_files=(str(file),))) as client:
            push(client, host)
            pull(client, host, store)
        file.write_text(json.dumps({"auths": {host: {"registrytoken": "x.y.z"}}}))
        with (
            RegistryClient(options(host, auth_files=(str(file),))) as client,
            pytest.raises(RegistryAccessError, match="does not accept the credentials"),
        ):
            push(client, host)
        assert tokens.server.requests == []


def test_a_mount_takes_the_right_to_read_its_source(tmp_path: Path) -> None:
    """A layer of another repository is mounted with one token for both."""
    with TokenServer(tmp_path, {USER: PASSWORD}) as tokens, running_registry(tmp_path, tokens.auth) as host:
        with RegistryClient(options(host, USER, PASSWORD)) as client:
            layer = push(client, host)
            response = client.request(
                ImageRepository(host, "me/other"),
                "POST",
                f"blobs/uploads/?mount={layer.digest}&from={NAME}",
                actions="push,pull",
                mount_from=NAME,
                headers={"Content-Length": "0"},
                expected=(201, 202),
            )
        assert response.status == 201
        assert tokens.granted[-1] == ["repository:me/other:push,pull", f"repository:{NAME}:pull"]


def test_an_authority_of_ones_own(tmp_path: Path, store: Store) -> None:
    """TLS by an unknown authority is refused, and trusted by --registry-ca, by certs.d, or by --insecure."""
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.sign("server", server=True)
    with running_registry(tmp_path, tls={"certificate": str(certificate), "key": str(key)}) as host:
        with (
            RegistryClient(options(host)) as client,
            pytest.raises(RegistryError, match="cannot be trusted") as refused,
        ):
            push(client, host)
        assert f"--insecure {host}" in (refused.value.hint or "")
        directory = tmp_path / "certs.d" / host
        directory.mkdir(parents=True)
        (directory / "ca.crt").write_bytes(authority.ca.read_bytes())
        for more in (
            {"ca_file": str(authority.ca)},
            {"cert_directories": ("/nowhere", str(tmp_path / "certs.d"))},
            {"insecure": (host,)},
            {"insecure": ("127.0.0.1",)},
        ):
            with RegistryClient(options(host, **more)) as client:
                push(client, host)
                pull(client, host, store)


def test_a_client_certificate(tmp_path: Path, store: Store) -> None:
    """A registry that wants a client certificate gets that of its directory, and whoever has none is told."""
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.sign("server", server=True)
    tls = {"certificate": str(certificate), "key": str(key), "clientcas": [str(authority.ca)]}
    with running_registry(tmp_path, tls=tls) as host:
        with (
            RegistryClient(options(host, ca_file=str(authority.ca))) as client,
            pytest.raises(RegistryError, match="wants a client certificate") as refused,
        ):
            push(client, host)
        assert f"certs.d/{host}/" in (refused.value.hint or "")
        directory = tmp_path / "certs.d" / host
        directory.mkdir(parents=True)
        for file, name in zip(authority.sign("client", server=False), ("client.cert", "client.key"), strict=True):
            (directory / name).write_bytes(file.read_bytes())
        (directory / "ca.crt").write_bytes(authority.ca.read_bytes())
        with RegistryClient(options(host, cert_directories=(str(tmp_path / "certs.d"),))) as client:
            push(client, host)
            pull(client, host, store)


# --- the command line


def minpack(place: Path, *arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run it as a user would, in `place`, with a home of its own."""
    environment = {"PATH": f"{place}/bin:{os.environ['PATH']}", "HOME": f"{place}/home", **variables}
    return subprocess.run(
        [sys.executable, "-m", "minpack", *arguments],
        cwd=place,
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def test_nothing_secret_is_seen_on_the_command_line(tmp_path: Path) -> None:
    """Neither in what is printed, JSON and tracebacks among it, nor in a file, nor in the list of processes."""
    (tmp_path / "app").write_bytes(static_program())
    (tmp_path / "bin").mkdir()
    (tmp_path / "home" / ".docker").mkdir(parents=True)
    helper = tmp_path / "bin" / "docker-credential-test"
    answer = json.dumps({"Username": USER, "Secret": PASSWORD})
    helper.write_text(f"#!/bin/sh\ncat /proc/[0-9]*/cmdline >{tmp_path}/processes\ncat <<'END'\n{answer}\nEND\n")
    helper.chmod(0o755)
    basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    seen = []
    with TokenServer(tmp_path / "tokens", {USER: PASSWORD}) as tokens:
        (tmp_path / "plain").mkdir()
        (tmp_path / "bearer").mkdir()
        with (
            running_registry(tmp_path / "plain", password_file(tmp_path)) as plain,
            running_registry(tmp_path / "bearer", tokens.auth) as bearer,
        ):
            for host in (plain, bearer):
                push_to = ("./app", "-t", f"{host}/{NAME}:1", "--push", "--json")
                typed = ("--username", USER, "--password-stdin")
                config = tmp_path / "home" / ".docker" / "config.json"
                config.write_text("{}")
                seen.append(minpack(tmp_path, *push_to, *typed, stdin=f"{PASSWORD}\n"))
                seen.append(minpack(tmp_path, *push_to, *typed, stdin=PASSWORD[:-1], MINPACK_TRACEBACK="1"))
                config.write_text(json.dumps({"credHelpers": {host: "test"}}))
                seen.append(minpack(tmp_path, *push_to))
                config.write_text(json.dumps({"auths": {host: {"auth": basic}}}))
                seen.append(minpack(tmp_path, *push_to))
                config.write_text(f'{{"auths": {{"{host}": {{"auth": "{basic}"}}')
                seen.append(minpack(tmp_path, *push_to, MINPACK_TRACEBACK="1"))
            config.unlink()
    assert [one.returncode for one in seen] == [0, 1, 0, 0, 1] * 2
    texts = [one.stdout + one.stderr for one in seen]
    texts.append((tmp_path / "processes").read_bytes().decode(errors="replace"))
    assert "docker-credential-test" in texts[-1]
    texts += [file.read_bytes().decode("latin-1") for file in (tmp_path / "home").rglob("*") if file.is_file()]
    assert len(texts) > len(seen) + 1
    for secret in (PASSWORD, PASSWORD[:-1], basic):
        assert not [text for text in texts if secret in text]
