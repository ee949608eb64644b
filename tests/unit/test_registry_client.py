"""Registries that lie, break off, send elsewhere or never end: one clear error each, and no secret to anyone else."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import logging
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from minpack.content import read_all
from minpack.digest import Digest
from minpack.errors import (
    CredentialsError,
    InputError,
    NotInRegistryError,
    OfflineError,
    RegistryAccessError,
    RegistryError,
    SumMismatchError,
)
from minpack.net.network import Limits, Network
from minpack.oci.documents import MAX_DOCUMENT, Descriptor
from minpack.oci.mediatypes import DOCKER_MANIFEST, INDEX, LAYER, MANIFEST
from minpack.registry.client import RegistryClient
from minpack.registry.options import Login, RegistryOptions
from minpack.registry.repository import ImageRepository
from minpack.registry.secret import Secret
from support.certificates import Authority
from support.scripted import Answer, Asked, Scripted, problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from minpack.store.store import Store

NAME = "me/app"
PASSWORD = "a-pass:word/w1th+signs"  # noqa: S105 - a test's own
DATA = bytes(range(256)) * 2000
HALF = len(DATA) // 2
BLOB = Descriptor(LAYER, Digest.of(DATA), len(DATA))
DOCUMENT = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": {}, "layers": []}).encode()
GONE = "http://127.0.0.1:1"


class Sleeper:
    """A pause that does not pause, and remembers how long it should have."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.pauses.append(seconds)


@pytest.fixture
def sleeper() -> Sleeper:
    """The pause of `client_of`."""
    return Sleeper()


@pytest.fixture
def client_of(sleeper: Sleeper) -> Callable[..., RegistryClient]:
    """What makes impatient clients."""

    def make(login: str = "", network: Mapping[str, Any] | None = None, **more: Any) -> RegistryClient:
        reached = Network(pause=sleeper, connect_timeout=5, read_timeout=1)._replace(**(network or {}))
        given = Login(login, Secret("me"), Secret(PASSWORD)) if login else None
        return RegistryClient(RegistryOptions(reached, given, **more))

    return make


def registry(*answers: Answer | Callable[[Asked], Answer]) -> Scripted:
    """A registry that wants no login and gives `answers` in turn, the last one for ever."""
    left = list(answers)

    def answer(asked: Asked) -> Answer:
        if asked.path == "/v2/":
            return Answer()
        given = left.pop(0) if len(left) > 1 else left[0]
        return given if isinstance(given, Answer) else given(asked)

    return Scripted(answer)


def manifest(body: bytes = DOCUMENT, media_type: str = MANIFEST, digest: str = "") -> Answer:
    """A manifest as registries answer it."""
    said = digest or f"sha256:{hashlib.sha256(body).hexdigest()}"
    return Answer(200, {"Content-Type": media_type, "Docker-Content-Digest": said}, body)


def asked_for(server: Scripted) -> list[str]:
    """What was asked for but for the ping."""
    return [path for path in server.paths if path != "GET /v2/"]


# --- what comes


@pytest.mark.parametrize(
    ("document", "said", "found"),
    [
        ({"mediaType": MANIFEST, "config": {}, "layers": []}, MANIFEST, MANIFEST),
        ({"config": {}, "layers": []}, f"{MANIFEST}; charset=utf-8", MANIFEST),
        ({"config": {}, "layers": []}, "application/octet-stream", MANIFEST),
        ({"manifests": []}, "text/plain", INDEX),
        ({"mediaType": DOCKER_MANIFEST, "config": {}, "layers": []}, "application/json", DOCKER_MANIFEST),
    ],
)
def test_a_manifest_has_its_type(
    client_of: Callable[..., RegistryClient], document: dict[str, Any], said: str, found: str
) -> None:
    """Header and document say what it is; a registry that says nothing of use is no obstacle."""
    body = json.dumps({"schemaVersion": 2, **document}).encode()
    with registry(manifest(body, said)) as server, client_of() as client:
        descriptor, data = client.manifest(ImageRepository(server.host, NAME), "1")
    assert (descriptor, data) == (Descriptor(found, Digest.of(body), len(body)), body)
    assert server.requests[-1].headers["Accept"].count("application/vnd.") == 4


@pytest.mark.parametrize(
    ("body", "said", "reason"),
    [
        (b'{"schemaVersion": 1, "fsLayers": []}', "application/json", "schema 1"),
        (b"{}", "application/vnd.docker.distribution.manifest.v1+prettyjws", "schema 1"),
        (b'{"manifests": [], "layers": []}', MANIFEST, "an image and an index at once"),
        (json.dumps({"mediaType": INDEX, "manifests": []}).encode(), MANIFEST, "an image and an index at once"),
        (b'{"mediaType": "application/x-\\u001b[31m"}', MANIFEST, "but application/x- .31m"),
        (b"[]", MANIFEST, "not a JSON object"),
        (b"<html>", MANIFEST, "not a JSON object"),
        (b"[" * 100_000, MANIFEST, "not a JSON object"),
        (b"", MANIFEST, "not a JSON object"),
        (b"{}", "text/html", "neither an image nor an index, but text/html"),
    ],
)
def test_what_is_no_manifest_is_refused(
    client_of: Callable[..., RegistryClient], body: bytes, said: str, reason: str
) -> None:
    """A manifest that is none, or two things at once, is one clear error."""
    with registry(manifest(body, said)) as server, client_of() as client, pytest.raises(RegistryError, match=reason):
        client.manifest(ImageRepository(server.host, NAME), "1")


@pytest.mark.parametrize("by_tag", [True, False])
def test_other_bytes_are_refused(client_of: Callable[..., RegistryClient], *, by_tag: bool) -> None:
    """What has another digest than was asked for, or than the registry itself says, is not taken."""
    other = Digest.of(b"other")
    with (
        registry(manifest(digest=str(other))) as server,
        client_of() as client,
        pytest.raises(SumMismatchError) as caught,
    ):
        client.manifest(ImageRepository(server.host, NAME), "1" if by_tag else str(other))
    assert (caught.value.expected, caught.value.actual) == (other.hex, Digest.of(DOCUMENT).hex)


@pytest.mark.parametrize("name", ["sha512:00", "../../etc", "a b", "sha256:ABC", ""])
def test_only_tags_and_digests_are_asked_for(client_of: Callable[..., RegistryClient], name: str) -> None:
    """What cannot name a manifest is not sent."""
    with registry(manifest()) as server, client_of() as client, pytest.raises(RegistryError, match="neither a tag nor"):
        client.manifest(ImageRepository(server.host, NAME), name)
    assert server.requests == []


def test_a_small_blob_is_verified(client_of: Callable[..., RegistryClient]) -> None:
    """A configuration comes with its digest and its size, or not at all."""
    with client_of() as client:
        for data, error in (
            (b"{}", None),
            (b"[]", SumMismatchError),
            (b"{", SumMismatchError),
            (b"{} ", RegistryError),
        ):
            with registry(Answer(200, {}, data)) as server:
                repository, wanted = ImageRepository(server.host, NAME), Descriptor(LAYER, Digest.of(b"{}"), 2)
                if error is None:
                    assert client.read_blob(repository, wanted) == b"{}"
                    continue
                with pytest.raises(error):
                    client.read_blob(repository, wanted)
        with pytest.raises(RegistryError, match="more than the"):
            client.read_blob(repository, Descriptor(LAYER, Digest.of(b"{}"), MAX_DOCUMENT + 1))


def serving(data: bytes, *breaks: int) -> Callable[[Asked], Answer]:
    """A blob, which breaks off after so many bytes each time at first; ranges are understood, ETags not sent."""
    left = list(breaks)

    def answer(asked: Asked) -> Answer:
        start = int(asked.headers.get("Range", "bytes=0-")[6:-1])
        body, headers = data[start:], {}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        end = left.pop(0) if left else len(body)
        return Answer(206 if start else 200, headers, body[:end], length=len(body))

    return answer


def test_a_blob_is_resumed_and_kept(client_of: Callable[..., RegistryClient], store: Store) -> None:
    """What breaks off goes on where it was, though no ETag says that it is the same; the second time is for free."""
    with registry(serving(DATA, 1000, HALF)) as server, client_of() as client:
        for _ in range(2):
            with client.fetch_blob(ImageRepository(server.host, NAME), BLOB, store).blob as blob:
                assert read_all(blob, 1 << 30) == DATA
    assert [one.headers["Range"] for one in server.requests[1:]] == [None, "bytes=1000-", f"bytes={1000 + HALF}-"]
    assert all("If-Range" not in one.headers for one in server.requests)


def test_another_run_resumes(client_of: Callable[..., RegistryClient], store: Store) -> None:
    """What a failed run brought is not asked for again; if it is damaged, everything is."""
    attempts = [HALF, *[0] * 3]
    with registry(serving(DATA, *attempts, 10**9)) as server, client_of() as client:
        repository = ImageRepository(server.host, NAME)
        with pytest.raises(RegistryError, match=r"the connection broke \(after 4 attempts"):
            client.fetch_blob(repository, BLOB, store)
        with client.fetch_blob(repository, BLOB, store).blob as blob:
            assert blob.sha256 == BLOB.digest.hex
    assert server.requests[-1].headers["Range"] == f"bytes={HALF}-"


@pytest.mark.parametrize("data", [b"", DATA[:-1], DATA[:-1] + b"x"])
def test_other_blobs_are_refused(client_of: Callable[..., RegistryClient], store: Store, data: bytes) -> None:
    """A blob that is shorter or another one is not kept."""
    with registry(Answer(200, {}, data)) as server, client_of() as client, pytest.raises(SumMismatchError):
        client.fetch_blob(ImageRepository(server.host, NAME), BLOB, store)


@pytest.mark.parametrize("answer", [Answer(200, {}, DATA + b"x"), Answer(200, {}, b"", endless=bytes(1 << 16))])
def test_more_than_the_blob_is_refused(client_of: Callable[..., RegistryClient], store: Store, answer: Answer) -> None:
    """A blob that has more bytes than its descriptor says, or never ends, is read no further."""
    with (
        registry(answer) as server,
        client_of() as client,
        pytest.raises(RegistryError, match=f"more than the expected {len(DATA)}"),
    ):
        client.fetch_blob(ImageRepository(server.host, NAME), BLOB, store)


def test_a_blob_that_is_not_there(client_of: Callable[..., RegistryClient], store: Store) -> None:
    """The registry's words are told, and offline nobody is asked."""
    with registry(problem(404, "BLOB_UNKNOWN")) as server:
        repository = ImageRepository(server.host, NAME)
        with client_of() as client, pytest.raises(NotInRegistryError, match="lacks a blob of it") as caught:
            client.fetch_blob(repository, BLOB, store)
        assert (caught.value.code, caught.value.status) == ("BLOB_UNKNOWN", 404)
        before = len(server.requests)
        with client_of(network={"offline": True}) as client:
            with pytest.raises(OfflineError):
                client.fetch_blob(repository, BLOB, store)
            with pytest.raises(OfflineError):
                client.manifest(repository, "1")
        assert len(server.requests) == before


# --- what is tried again, and for how long


@pytest.mark.parametrize("status", [408, 425, 429, 499, 500, 502, 503, 504, 522])
def test_passing_failures_are_tried_again(
    client_of: Callable[..., RegistryClient], sleeper: Sleeper, status: int
) -> None:
    """One failure of the kind that passes costs one more request, after a pause that is never quite the same."""
    with registry(Answer(status), manifest()) as server, client_of() as client:
        client.manifest(ImageRepository(server.host, NAME), "1")
    (pause,) = sleeper.pauses
    assert 0.4 <= pause <= 0.6
    assert len(asked_for(server)) == 2


@pytest.mark.parametrize("raw", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{"], ids=["reset", "truncated"])
def test_what_breaks_off_is_tried_again(client_of: Callable[..., RegistryClient], raw: bytes) -> None:
    """A connection that breaks before or within a manifest costs another request."""
    with registry(Answer(raw=raw), manifest()) as server, client_of() as client:
        client.manifest(ImageRepository(server.host, NAME), "1")
    assert len(asked_for(server)) == 2


def test_failures_end(client_of: Callable[..., RegistryClient], sleeper: Sleeper) -> None:
    """A registry that always fails is given up on; its own words are told, in printable characters."""
    with (
        registry(problem(503, "UNAVAILABLE", "down \x1b[31m for\nnow")) as server,
        client_of() as client,
        pytest.raises(RegistryError, match=r"UNAVAILABLE: down  \[31m for now") as caught,
    ):
        client.manifest(ImageRepository(server.host, NAME), "1")
    assert len(asked_for(server)) == 4
    assert next(round(pause / 0.5) for pause in sleeper.pauses) == 1
    assert sleeper.pauses == sorted(sleeper.pauses)
    assert caught.value.status == 503


@pytest.mark.parametrize(("asked", "waited"), [("7", [7.0] * 3), ("3600", []), ("-1", None), ("tomorrow", None)])
def test_too_many_requests_for_ever(
    client_of: Callable[..., RegistryClient], sleeper: Sleeper, asked: str, waited: list[float] | None
) -> None:
    """A registry says for how long to wait, within a bound; what is longer is told at once."""
    answer = problem(429, "TOOMANYREQUESTS", "slow down", {"Retry-After": asked})
    with (
        registry(answer) as server,
        client_of() as client,
        pytest.raises(RegistryError, match="too many requests") as caught,
    ):
        client.manifest(ImageRepository(server.host, NAME), "1")
    assert sleeper.pauses == waited if waited is not None else max(sleeper.pauses) < 3
    assert "log in" in (caught.value.hint or "")
    assert ("3600 seconds" in (caught.value.hint or "")) == (asked == "3600")


def test_a_registry_that_is_not_there(client_of: Callable[..., RegistryClient]) -> None:
    """Nothing at the address is told after some attempts, with the address."""
    with (
        client_of() as client,
        pytest.raises(RegistryError, match=r"'127.0.0.1:1/me/app:1': connection refused \(after 4"),
    ):
        client.manifest(ImageRepository("127.0.0.1:1", NAME), "1")


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, {"Content-Type": MANIFEST}, b"", endless=bytes(1 << 16)),
        Answer(200, {"Content-Type": MANIFEST}, bytes(MAX_DOCUMENT + 1)),
    ],
    ids=["endless", "large"],
)
def test_an_endless_manifest_ends(client_of: Callable[..., RegistryClient], answer: Answer) -> None:
    """A manifest has so many bytes at most."""
    with (
        registry(answer) as server,
        client_of() as client,
        pytest.raises(RegistryError, match="more than the allowed 4194304"),
    ):
        client.manifest(ImageRepository(server.host, NAME), "1")


def test_an_endless_refusal_is_read_in_part(client_of: Callable[..., RegistryClient]) -> None:
    """Of the body of an error only the beginning is read."""
    answer = Answer(404, {}, b"", endless=bytes(1 << 16))
    with (
        registry(answer) as server,
        client_of() as client,
        pytest.raises(NotInRegistryError, match="HTTP 404 Not Found"),
    ):
        client.manifest(ImageRepository(server.host, NAME), "1")


def test_a_slow_registry_ends(client_of: Callable[..., RegistryClient]) -> None:
    """A registry that sends less than so many bytes a second is given up on."""

    def slowly(asked: Asked) -> Answer:
        threading.Event().wait(0.8)
        return Answer(200, {}, b"")

    network = {"limits": Limits(rate=1000, window=0.5)}
    with (
        registry(slowly) as server,
        client_of(network=network) as client,
        pytest.raises(RegistryError, match=r"too slow|timed out"),
    ):
        client.manifest(ImageRepository(server.host, NAME), "1")


@pytest.mark.parametrize(("takes", "enough"), [(1.5, True), (1.5, False)])
def test_what_was_sent_may_be_worked_on(
    client_of: Callable[..., RegistryClient], takes: float, *, enough: bool
) -> None:
    """An answer to a body is waited for ten times as long as another: registries sum what they got, or move it."""

    def work(_: Asked) -> Answer:
        threading.Event().wait(takes)
        return Answer(201)

    network = {"read_timeout": 0.5 if enough else 0.1, "limits": Limits(window=0.3), "attempts": 1}
    with registry(work) as server, client_of(network=network) as client:
        repository = ImageRepository(server.host, NAME)

        def put() -> None:
            headers = {"Content-Length": "4"}
            client.request(repository, "PUT", "x", headers=headers, body=lambda: (b"data",), expected=(201,))

        if enough:
            put()
        else:
            with pytest.raises(RegistryError, match=r"timed out|too slow"):
                put()
        with pytest.raises(RegistryError, match=r"timed out|too slow"):
            client.request(repository, "GET", "x", expected=(201,))


@pytest.mark.parametrize(
    ("answer", "reason", "hint"),
    [
        (
            problem(404, "NAME_UNKNOWN", "repository x"),
            r"no such repository \(NAME_UNKNOWN: repository x\)",
            "create the",
        ),
        (problem(404, "BLOB_UNKNOWN"), "lacks a blob of it", "spelling"),
        (Answer(413, {}, b"<html>too large</html>"), "HTTP 413 Request Entity Too Large", "a limit of the registry"),
        (problem(400, "MANIFEST_INVALID", "no"), "answers MANIFEST_INVALID: no", None),
        (
            problem(403, "DENIED", "requested access to the resource is denied"),
            "needs a login, and there are no",
            "login",
        ),
        (Answer(418, {}, b'{"errors": [{"code": 7, "detail": {"x": 1}}]}'), "HTTP 418 I'm a Teapot", None),
        (Answer(499), "HTTP 499$", None),
        (Answer(302, {}, b""), "HTTP 302 Found", None),
    ],
)
def test_what_is_refused_is_told(
    client_of: Callable[..., RegistryClient], answer: Answer, reason: str, hint: str | None
) -> None:
    """In the registry's words where it has some, with what to do where there is something."""
    headers = {"Content-Length": "1"}
    with registry(answer) as server, client_of() as client:
        repository = ImageRepository(server.host, NAME)
        with pytest.raises(RegistryError, match=reason) as caught:
            client.request(repository, "PUT", "x", actions="push,pull", headers=headers, body=lambda: (b"x",))
    assert (caught.value.hint is None) == (hint is None)
    assert (hint or "") in (caught.value.hint or "")
    assert caught.value.status == answer.status


# --- where it sends its users


def redirect(target: str, status: int = 307) -> Answer:
    """Elsewhere."""
    return Answer(status, {"Location": target})


def basic(handler: Callable[[Asked], Answer]) -> Scripted:
    """A registry that wants a password."""
    wanted = f"Basic {base64.b64encode(f'me:{PASSWORD}'.encode()).decode()}"

    def answer(asked: Asked) -> Answer:
        if asked.headers.get("Authorization") != wanted:
            return Answer(401, {"WWW-Authenticate": 'Negotiate, Basic realm="x"'})
        return Answer() if asked.path == "/v2/" else handler(asked)

    return Scripted(answer)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_login_goes_along_with_a_redirect(
    client_of: Callable[..., RegistryClient], store: Store, status: int
) -> None:
    """A blob that lies elsewhere is fetched from there without the login, resumed too."""
    with (
        Scripted(serving(DATA, HALF)) as other,
        basic(lambda _: redirect(f"{other.url}/x?signed", status)) as server,
        client_of(server.host) as client,
        client.fetch_blob(ImageRepository(server.host, NAME), BLOB, store).blob,
    ):
        pass
    assert [one.headers["Authorization"] for one in other.requests] == [None, None]
    assert [one.headers["Range"] for one in other.requests] == [None, f"bytes={HALF}-"]
    assert sum(1 for one in server.requests if "Authorization" in one.headers) == 2


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_elsewhere_is_told_as_such(client_of: Callable[..., RegistryClient], status: int) -> None:
    """Where the server that a registry sends to refuses, the login is not to blame, nor the name."""
    with (
        Scripted(lambda _: Answer(status, {"WWW-Authenticate": 'Basic realm="x"'})) as other,
        basic(lambda asked: redirect(f"{other.url}/x")) as server,
        client_of(server.host) as client,
        pytest.raises(
            RegistryError, match=f"the server that the registry redirects to answers HTTP {status}"
        ) as caught,
    ):
        client.manifest(ImageRepository(server.host, NAME), "1")
    assert type(caught.value) is RegistryError
    assert len(other.requests) == 1


def test_a_login_does_not_come_back(client_of: Callable[..., RegistryClient]) -> None:
    """Once a request has left the registry its login is not sent again, even if it is sent back."""
    with (
        Scripted(lambda _: redirect(f"{server.url}/v2/back")) as other,
        basic(lambda asked: redirect(f"{other.url}/x")) as server,
        client_of(server.host) as client,
        pytest.raises(RegistryAccessError),
    ):
        client.manifest(ImageRepository(server.host, NAME), "1")
    assert "Authorization" not in server.requests[-1].headers
    assert server.requests[-1].path == "/v2/back"


UNSAFE = [
    "file:///etc/passwd",
    "ftp://127.0.0.1/x",
    "http://169.254.169.254/latest/meta-data/?token=s3cret",
    "http://[fe80::1]/",
    "http://[::ffff:169.254.169.254]/",
    "http://10.0.0.1/",
    "http://192.168.1.1/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0251.0376.0251.0376/",
    "http://0.0.0.0/",
]


@pytest.mark.parametrize("target", UNSAFE)
def test_redirects_into_a_network_are_refused(client_of: Callable[..., RegistryClient], target: str) -> None:
    """No server of the internet gets this client to ask a file or an inner address, however it is written."""
    with (
        registry(redirect(target)) as server,
        client_of() as client,
        pytest.raises(RegistryError, match="not safe") as caught,
    ):
        client.manifest(ImageRepository(server.host, NAME), "1")
    assert "s3cret" not in caught.value.message


@pytest.mark.parametrize("target", UNSAFE)
def test_locations_and_token_servers_too(client_of: Callable[..., RegistryClient], target: str) -> None:
    """Nor by the Location of an upload, nor by the address of a token server."""
    with registry(Answer(202, {"Location": target})) as server, client_of() as client:
        repository = ImageRepository(server.host, NAME)
        begun = client.request(repository, "POST", "blobs/uploads/", expected=(202,), headers={"Content-Length": "0"})
        with pytest.raises(RegistryError, match="not safe"):
            client.request(repository, "PUT", client.location(begun), actions="push,pull")
    challenge = {"WWW-Authenticate": f'Bearer realm="{target}",service="s"'}
    with (
        Scripted(lambda _: Answer(401, challenge)) as server,
        client_of(server.host) as client,
        pytest.raises(RegistryError, match="not safe") as caught,
    ):
        client.manifest(ImageRepository(server.host, NAME), "1")
    assert "s3cret" not in caught.value.message


def test_a_name_that_leads_to_the_link_is_refused(
    client_of: Callable[..., RegistryClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A redirect to a name whose address is of this machine's link is not followed either."""
    from minpack.net import wire

    known = wire.resolve

    def resolve(host: str, port: int, seconds: float) -> Any:
        return known("169.254.169.254" if host == "metadata.example" else host, port, seconds)

    monkeypatch.setattr(wire, "resolve", resolve)
    with (
        registry(redirect("http://metadata.example/")) as server,
        client_of() as client,
        pytest.raises(RegistryError, match="a link-local address, which is not safe"),
    ):
        client.manifest(ImageRepository(server.host, NAME), "1")


def test_an_upload_elsewhere_has_no_login(client_of: Callable[..., RegistryClient]) -> None:
    """A Location on another server gets the bytes and not the login."""
    with (
        Scripted(lambda _: Answer(201)) as other,
        basic(lambda _: Answer(202, {"Location": f"{other.url}/up"})) as server,
        client_of(server.host) as client,
    ):
        repository = ImageRepository(server.host, NAME)
        begun = client.request(
            repository,
            "POST",
            "blobs/uploads/",
            actions="push,pull",
            expected=(202,),
            headers={"Content-Length": "0"},
        )
        client.request(
            repository,
            "PUT",
            client.location(begun),
            actions="push,pull",
            headers={"Content-Length": "4"},
            body=lambda: (b"da", b"ta"),
            expected=(201,),
        )
    (asked,) = other.requests
    assert (asked.body, asked.headers["Authorization"]) == (b"data", None)


def test_redirect_loops_end(client_of: Callable[..., RegistryClient]) -> None:
    """Five redirects are followed."""
    with (
        registry(redirect("/v2/x")) as server,
        client_of() as client,
        pytest.raises(RegistryError, match="more than 5"),
    ):
        client.manifest(ImageRepository(server.host, NAME), "1")
    assert len(asked_for(server)) == 6


def test_a_relative_location_belongs_to_its_answer(client_of: Callable[..., RegistryClient]) -> None:
    """It is joined to where the answer came from; one that is not there, or none, is an error."""
    with (
        registry(Answer(202, {"Location": "/v2/me/app/blobs/uploads/1?state=x"}), Answer(202)) as server,
        client_of() as client,
    ):
        repository = ImageRepository(server.host, NAME)
        ask = {"expected": (202,), "headers": {"Content-Length": "0"}}
        begun = client.request(repository, "POST", "blobs/uploads/", **ask)  # type: ignore[arg-type]
        assert client.location(begun) == f"{server.url}/v2/me/app/blobs/uploads/1?state=x"
        begun = client.request(repository, "POST", "blobs/uploads/", **ask)  # type: ignore[arg-type]
        with pytest.raises(RegistryError, match="where to send"):
            client.location(begun)


# --- what it wants to be told


class Bearer:
    """A registry and its token server in one: `token` answers what asks for one, `takes` are the tokens that count."""

    def __init__(self, token: Callable[[Asked], Answer], takes: tuple[str, ...] = ("good",), scope: str = "") -> None:
        self._token, self._takes, self._scope = token, takes, scope
        self.server = Scripted(self._answer)

    def _answer(self, asked: Asked) -> Answer:
        if asked.path == "/token":
            return self._token(asked)
        if asked.headers.get("Authorization") in [f"Bearer {token}" for token in self._takes]:
            return Answer() if asked.path == "/v2/" else manifest()
        realm = f'Bearer realm="{self.server.url}/token",service="s"'
        scope = f',scope="{self._scope}"' if self._scope and asked.path != "/v2/" else ""
        return problem(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": realm + scope})

    @property
    def scopes(self) -> list[list[str]]:
        """What each request for a token asked for."""
        return [one.query.get("scope", []) for one in self.server.requests if one.path == "/token"]


def gives(document: object, status: int = 200) -> Callable[[Asked], Answer]:
    """A token server that always answers so."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return lambda _: Answer(status, {}, body)


def read(bearer: Bearer, client: RegistryClient) -> None:
    """Ask for a manifest."""
    client.manifest(ImageRepository(bearer.server.host, NAME), "1")


@pytest.mark.parametrize(
    "document", [{"token": "good"}, {"access_token": "good"}, {"token": "good", "expires_in": "x"}]
)
def test_a_token_is_got_and_kept(client_of: Callable[..., RegistryClient], document: object) -> None:
    """Without a login too, and once for all requests."""
    bearer = Bearer(gives(document))
    with bearer.server, client_of() as client:
        read(bearer, client)
        read(bearer, client)
    assert bearer.scopes == [[f"repository:{NAME}:pull"]]
    assert "Authorization" not in next(one for one in bearer.server.requests if one.path == "/token").headers


LIES: list[tuple[Callable[[Asked], Answer], str]] = [
    (gives(b"<html>"), "no usable token"),
    (gives([]), "no usable token"),
    (gives({}), "no usable token"),
    (gives({"token": 7}), "no usable token"),
    (gives({"token": ""}), "no usable token"),
    (gives({"token": "good\r\nX-Evil: 1"}), "no usable token"),
    (gives({"token": "a b"}), "no usable token"),
    (gives({"token": "x" * 70_000}), "no usable token"),
    (gives({"token": "ü"}), "no usable token"),
    (gives(b"[" * 100_000), "no usable token"),
    (gives({"token": "bad"}), "needs a login"),
    (gives({}, 401), "needs a login"),
    (gives({}, 403), "needs a login"),
    (gives({}, 500), "token server answers HTTP 500"),
    (gives({}, 302), "token server answers HTTP 302"),
    (gives({}, 204), "token server answers HTTP 204"),
    (lambda _: Answer(200, {}, b"", endless=b" " * 65536), "more than the allowed 1048576 bytes"),
    (lambda _: Answer(302, {"Location": "/token"}), "token server: the server redirects more than 5"),
    (lambda _: Answer(302, {"Location": "file:///etc/passwd"}), "not safe"),
    (lambda _: Answer(raw=b""), "token server: the connection broke"),
    (lambda _: Answer(429, {"Retry-After": "1"}), "token server answers HTTP 429"),
]


@pytest.mark.parametrize(("token", "reason"), LIES)
def test_a_token_server_that_lies(
    client_of: Callable[..., RegistryClient], token: Callable[[Asked], Answer], reason: str
) -> None:
    """Whatever it answers, it is one clear error after a bounded number of requests."""
    bearer = Bearer(token)
    with bearer.server, client_of() as client, pytest.raises(RegistryError, match=reason):
        read(bearer, client)
    assert len(bearer.server.requests) < 16


def test_a_token_that_ends_is_renewed(client_of: Callable[..., RegistryClient]) -> None:
    """A registry that takes a token no more gets a new one, and the request is made again."""
    tokens = iter(["old", "good"])
    bearer = Bearer(lambda _: Answer(200, {}, json.dumps({"token": next(tokens)}).encode()))
    with bearer.server, client_of() as client:
        read(bearer, client)
    assert len(bearer.scopes) == 2


@pytest.mark.parametrize("lasts", [61, 0, -5, 10**30, True, None])
def test_how_long_a_token_counts(client_of: Callable[..., RegistryClient], lasts: object) -> None:
    """What a server says of it is taken within reason: at least a minute, as the specification has it."""
    bearer = Bearer(gives({"token": "good", "expires_in": lasts}))
    with bearer.server, client_of() as client:
        read(bearer, client)
        read(bearer, client)
    assert len(bearer.scopes) == 1


def test_scopes_grow(client_of: Callable[..., RegistryClient]) -> None:
    """A registry that wants another right than was asked for names it, and gets a token that has both."""
    wanted = "repository:other/name:pull"

    def token(asked: Asked) -> Answer:
        return Answer(200, {}, json.dumps({"token": "good" if wanted in asked.query["scope"] else "less"}).encode())

    bearer = Bearer(token, scope=wanted)
    with bearer.server, client_of() as client:
        read(bearer, client)
        read(bearer, client)
    assert bearer.scopes == [[f"repository:{NAME}:pull"], [wanted, f"repository:{NAME}:pull"]]


def test_what_is_wanted_already_is_not_asked_for_twice(client_of: Callable[..., RegistryClient]) -> None:
    """A challenge that names less than the request takes does not come first: some registries read one scope only."""
    tokens = iter(["old", "good"])
    bearer = Bearer(
        lambda _: Answer(200, {}, json.dumps({"token": next(tokens)}).encode()), scope=f"repository:{NAME}:pull"
    )
    with bearer.server, client_of() as client:
        client.request(ImageRepository(bearer.server.host, NAME), "GET", "x", actions="push,pull")
    assert bearer.scopes == [[f"repository:{NAME}:push,pull"]] * 2


def test_threads_share_a_token(client_of: Callable[..., RegistryClient]) -> None:
    """Four requests at once take one ping and one token."""
    bearer = Bearer(gives({"token": "good"}))
    with bearer.server, client_of() as client:
        threads = [threading.Thread(target=read, args=(bearer, client)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (len(bearer.scopes), bearer.server.paths.count("GET /v2/")) == (1, 1)
    assert bearer.server.paths.count(f"GET /v2/{NAME}/manifests/1") == 4


def test_a_login_is_not_sent_by_a_redirected_form(client_of: Callable[..., RegistryClient], tmp_path: Path) -> None:
    """An identity token goes to the token server that the registry names, and no further."""
    with Scripted(lambda _: Answer(200, {}, b'{"token": "good"}')) as other:
        bearer = Bearer(lambda _: Answer(307, {"Location": f"{other.url}/steal"}))
        file = tmp_path / "auth.json"
        file.write_text(json.dumps({"auths": {bearer.server.host: {"identitytoken": PASSWORD}}}))
        with (
            bearer.server,
            client_of(auth_files=(str(file),)) as client,
            pytest.raises(RegistryError, match="HTTP 307"),
        ):
            read(bearer, client)
    assert other.requests == []


@pytest.mark.parametrize(
    "challenge", ["", "Negotiate", "Bearer", 'Bearer service="x"', 'Digest realm="x"', '"', "Bearer realm=", "," * 9999]
)
def test_a_challenge_that_nobody_can_meet(client_of: Callable[..., RegistryClient], challenge: str) -> None:
    """A registry that wants what minpack has not is told as one that refuses the login."""
    with (
        Scripted(lambda _: Answer(401, {"WWW-Authenticate": challenge})) as server,
        client_of(server.host) as client,
        pytest.raises(RegistryAccessError),
    ):
        client.manifest(ImageRepository(server.host, NAME), "1")
    assert len(server.requests) <= 3


def test_credentials_are_not_sought_where_none_are_wanted(
    client_of: Callable[..., RegistryClient], tmp_path: Path
) -> None:
    """A registry that wants no login gets its answers without a helper being run, or a file being read."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"credsStore": "no-such-helper"}))
    with registry(manifest()) as server, client_of(auth_files=(str(file), str(tmp_path))) as client:
        client.manifest(ImageRepository(server.host, NAME), "1")
    with (
        basic(lambda _: manifest()) as server,
        client_of(auth_files=(str(file),)) as client,
        pytest.raises(CredentialsError, match="program not found"),
    ):
        client.manifest(ImageRepository(server.host, NAME), "1")


def test_a_login_is_sent_to_its_registry_alone(client_of: Callable[..., RegistryClient]) -> None:
    """What was typed for one registry is not sent to another that asks for it."""
    with basic(lambda _: manifest()) as mine, basic(lambda _: manifest()) as other, client_of(mine.host) as client:
        client.manifest(ImageRepository(mine.host, NAME), "1")
        with pytest.raises(RegistryAccessError, match="there are no credentials"):
            client.manifest(ImageRepository(other.host, NAME), "1")
    assert all("Authorization" not in one.headers for one in other.requests)


# --- how it is reached


def test_without_tls_only_this_machine_is_asked(client_of: Callable[..., RegistryClient]) -> None:
    """A name that is not of this machine is asked by TLS alone, unless --insecure names it."""
    with registry(manifest()) as server:
        proxies = {"http": server.url, "https": server.url}
        repository = ImageRepository("registry.example", NAME)
        with client_of(network={"proxies": proxies, "attempts": 1}) as client, pytest.raises(RegistryError):
            client.manifest(repository, "1")
        assert {one.method for one in server.requests} == {"CONNECT"}
        with client_of(network={"proxies": proxies}, insecure=("registry.example",)) as client:
            client.manifest(repository, "1")
        assert server.requests[-1].headers["Host"] == "registry.example"


def test_tls_to_a_plain_registry_is_told(
    client_of: Callable[..., RegistryClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registry that speaks no TLS is named so, with the option that lets it be used."""
    from minpack.registry import host

    monkeypatch.setattr(host, "is_local", lambda _: False)
    with (
        registry(manifest()) as server,
        client_of() as client,
        pytest.raises(RegistryError, match="does not speak TLS") as caught,
    ):
        client.manifest(ImageRepository(server.host, NAME), "1")
    assert caught.value.hint == f"--insecure {server.host} lets it be used without TLS"


def test_a_server_that_answers_400_is_asked_by_tls_too(client_of: Callable[..., RegistryClient]) -> None:
    """Servers of TLS say so by that; one that speaks none is asked on without it."""

    def answer(asked: Asked) -> Answer:
        return Answer(400) if asked.path == "/v2/" else manifest()

    with Scripted(answer) as server, client_of() as client:
        client.manifest(ImageRepository(server.host, NAME), "1")


def test_a_certificate_that_nobody_signed(client_of: Callable[..., RegistryClient], tmp_path: Path) -> None:
    """An unknown authority is refused before anything is sent, and told with what to do; a known one is not."""
    authority = Authority(tmp_path)

    def answer(_: Asked) -> Answer:
        return manifest()

    with Scripted(answer, authority.server_context()) as server:
        repository = ImageRepository(server.host, NAME)
        with client_of() as client, pytest.raises(RegistryError, match="cannot be trusted") as caught:
            client.manifest(repository, "1")
        assert "--registry-ca FILE" in (caught.value.hint or "")
        assert server.requests == []
        with client_of(ca_file=str(authority.ca)) as client:
            client.manifest(repository, "1")
        with client_of(insecure=(server.host,)) as client:
            client.manifest(repository, "1")


def test_a_client_certificate_needs_its_key(client_of: Callable[..., RegistryClient], tmp_path: Path) -> None:
    """A directory of certificates with half a pair, a key with a password, or with something else, is named."""
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.sign("client", server=False)
    with Scripted(lambda _: manifest(), authority.server_context()) as server:
        directory = tmp_path / server.host
        directory.mkdir()

        def refused(reason: str, **files: bytes) -> None:
            for name, data in files.items():
                (directory / name.replace("_", ".")).write_bytes(data)
            with client_of(cert_directories=(str(tmp_path),)) as client, pytest.raises(InputError, match=reason):
                client.manifest(ImageRepository(server.host, NAME), "1")

        refused("client.key is not beside it", client_cert=b"no PEM")
        refused("it and its key cannot be used", client_key=b"no PEM")
        refused(
            "it and its key cannot be used", client_cert=certificate.read_bytes(), client_key=locked(key.read_bytes())
        )
        refused("it contains no PEM certificates", client_key=key.read_bytes(), ca_crt=b"no PEM")


def locked(key: bytes) -> bytes:
    """The key with a password, which nobody is asked for."""
    from cryptography.hazmat.primitives import serialization

    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    opened = serialization.load_pem_private_key(key, None)
    return opened.private_bytes(pem, form, serialization.BestAvailableEncryption(b"password"))


def test_docker_hub_has_names_of_its_own(client_of: Callable[..., RegistryClient]) -> None:
    """References say docker.io, requests go to registry-1.docker.io, and its mirrors are asked first."""
    with registry(problem(404, "MANIFEST_UNKNOWN")) as empty, registry(manifest()) as mirror:
        proxy = {"https": mirror.url, "no_proxy": "127.0.0.1"}
        repository = ImageRepository("docker.io", "library/alpine")
        with client_of(network={"proxies": proxy}, hub_mirrors=(empty.host, f"{mirror.host}/proxy/hub")) as client:
            client.manifest(repository, "3.22")
        assert asked_for(empty) == ["GET /v2/library/alpine/manifests/3.22"]
        assert asked_for(mirror) == ["GET /v2/proxy/hub/library/alpine/manifests/3.22"]
        with (
            client_of(network={"proxies": proxy, "attempts": 1}, hub_mirrors=(empty.host,)) as client,
            pytest.raises(RegistryError, match=r"'docker.io/library/alpine:3.22'"),
        ):
            client.manifest(repository, "3.22")
        assert mirror.requests[-1].path == "registry-1.docker.io:443"
        with client_of(network={"proxies": proxy}, hub_mirrors=(empty.host,)) as client:
            before = len(empty.requests)
            client.manifest(ImageRepository(mirror.host, NAME), "1")
        assert len(empty.requests) == before


def test_through_a_proxy(client_of: Callable[..., RegistryClient], tmp_path: Path) -> None:
    """TLS goes through a proxy as it is: the proxy is told the host, and sees no login but its own."""
    authority = Authority(tmp_path)
    with Scripted(lambda _: manifest(), authority.server_context()) as server, Tunnel(server.port) as proxy:
        repository = ImageRepository("registry.example:5000", NAME)
        proxies = {"https": f"http://proxied:s3cret@127.0.0.1:{proxy.port}", "http": "http://127.0.0.1:1"}
        network = {"proxies": {**proxies, "no_proxy": "other.example"}, "attempts": 1}
        with client_of(repository.host, network=network, ca_file=str(authority.ca)) as client:
            client.manifest(repository, "1")
        (connect,) = proxy.asked
    lines = connect.split(b"\r\n")
    assert lines[0].startswith(b"CONNECT registry.example:5000 HTTP/1.")
    login = base64.b64encode(b"proxied:s3cret").decode()
    sent = [line.decode() for line in lines if b"authorization" in line.lower()]
    assert [line.lower() for line in sent] == [f"proxy-authorization: basic {login}".lower()]
    assert sent[0].endswith(login)
    assert all("Proxy-Authorization" not in one.headers for one in server.requests)


def test_this_machine_is_asked_without_a_proxy(client_of: Callable[..., RegistryClient]) -> None:
    """What goes to it without TLS does not leave it."""
    proxies = {"http": "http://127.0.0.1:1", "https": "http://127.0.0.1:1"}
    with registry(manifest()) as server, client_of(network={"proxies": proxies}) as client:
        for host in (server.host, f"localhost:{server.port}"):
            client.manifest(ImageRepository(host, NAME), "1")


def test_a_name_of_this_machine_is_this_machine(
    client_of: Callable[..., RegistryClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a resolver knows another address for it, nothing is sent there."""
    from minpack.net import wire

    known = wire.resolve
    monkeypatch.setattr(wire, "resolve", lambda _, port, seconds: known("192.0.2.1", port, seconds))
    with (
        client_of() as client,
        pytest.raises(RegistryError, match=r"resolves to 192\.0\.2\.1, which is not this machine"),
    ):
        client.manifest(ImageRepository("registry.localhost:5000", NAME), "1")


class Tunnel:
    """A proxy that leads every CONNECT to a port of this machine; `asked` are the requests."""

    def __init__(self, target: int) -> None:
        self.asked: list[bytes] = []
        self._target = target
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]

    def __enter__(self) -> Tunnel:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                threading.Thread(target=self._lead, args=(client,), daemon=True).start()

    def _lead(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._target)) as server, contextlib.suppress(OSError):
            self.asked.append(client.recv(65536))
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=self._copy, args=(server, client), daemon=True)
            back.start()
            self._copy(client, server)
            back.join()

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


# --- nothing secret


def test_a_registry_that_repeats_the_password_is_not_repeated(client_of: Callable[..., RegistryClient]) -> None:
    """What a server says is shown without what it was sent, in whatever form."""

    def echo(asked: Asked) -> Answer:
        sent = asked.headers.get("Authorization", "")
        challenge = {"WWW-Authenticate": 'Basic realm="x"'}
        return problem(401, "DENIED", f"no: {sent} {PASSWORD} token={PASSWORD}", challenge)

    with Scripted(echo) as server, client_of(server.host) as client, pytest.raises(RegistryAccessError) as caught:
        client.manifest(ImageRepository(server.host, NAME), "1")
    told = f"{caught.value.message}{caught.value.hint}{caught.value.data}"
    assert "no: Basic …" in told
    assert not [secret for secret in secrets() if secret in told]


def secrets() -> tuple[str, ...]:
    """What nobody may see."""
    return PASSWORD, base64.b64encode(f"me:{PASSWORD}".encode()).decode(), "gooood-token"


def test_nothing_secret_is_written_anywhere(
    client_of: Callable[..., RegistryClient], caplog: pytest.LogCaptureFixture, store: Store, place: Path
) -> None:
    """Not in logs, text forms of what a client holds, errors and their causes, or the store's files."""
    caplog.set_level(logging.DEBUG)
    bearer = Bearer(gives({"token": "gooood-token"}), ("gooood-token",))
    blob = serving(DATA, HALF, 0, 0, 0)
    answer = bearer.server.answer
    signed = "/x?X-Amz-Signature=gooood-token"

    def serve(asked: Asked) -> Answer:
        if "/blobs/" in asked.path and "Authorization" in asked.headers:
            return redirect(f"http://localhost:{bearer.server.port}{signed}")
        return blob(asked) if asked.path == "/x" else answer(asked)

    bearer.server.answer = serve
    with bearer.server, client_of(bearer.server.host) as client:
        read(bearer, client)
        with pytest.raises(RegistryError) as caught:
            client.fetch_blob(ImageRepository(bearer.server.host, NAME), BLOB, store)
        seen = [caplog.text, *texts(client, set())]
    error: BaseException | None = caught.value
    while error is not None:
        seen += [repr(error), str(error), repr(vars(error))]
        error = error.__cause__
    seen += [file.read_bytes().decode("latin-1") for file in place.iterdir()]
    assert any(one.headers.get("Authorization") == "Bearer gooood-token" for one in bearer.server.requests)
    for secret in (PASSWORD, base64.b64encode(f"me:{PASSWORD}".encode()).decode()):
        assert not [text for text in seen if secret in text]
    # urllib3 tells a debugging log which path was asked for, and nobody else what signs it.
    assert not [text for text in seen if "gooood-token" in text and text is not caplog.text]


def texts(value: object, known: set[int]) -> list[str]:
    """The text forms of an object and of all that it holds."""
    if id(value) in known or not type(value).__module__.startswith("minpack"):
        return [repr(value)]
    known.add(id(value))
    held = vars(value).values() if hasattr(value, "__dict__") else value if isinstance(value, tuple) else ()
    return [repr(value), *(text for one in held for text in texts(one, known))]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (('299 - "use another tag"',), ["use another tag"]),
        (('299 - "a \\"b\\", \\\\c", 299 - "d"', '299 - "d"'), ['a "b", \\c', "d"]),
        (('299 - "red \x1b[31m\tand\x07  more"',), ["red [31m and more"]),
        (('199 - "of a proxy"', '299 agent "no"', "299 - bare", '299 - ""', '299 - "open'), []),
        ((f'299 - "{"x" * 300}"',), ["x" * 200]),
        (tuple(f'299 - "{number}"' for number in range(20)), [str(number) for number in range(8)]),
        ((f'299 - "{"x" * 5000}"',), []),
    ],
)
def test_what_registries_warn_of_is_kept_in_short(
    client_of: Callable[..., RegistryClient], values: tuple[str, ...], told: list[str]
) -> None:
    """Each once, however often it comes, and not what other servers say (distribution-spec, "Warnings")."""
    with (
        Scripted(lambda _: Answer(200, {"Warning": '299 - "elsewhere"'})) as other,
        basic(lambda asked: redirect(f"{other.url}/x") if "blobs" in asked.path else answer) as server,
        client_of(server.host) as client,
    ):
        answer = manifest()._replace(headers={**manifest().headers, "Warning": ", ".join(values)})
        for _ in range(2):
            client.manifest(ImageRepository(server.host, NAME), "1")
        with contextlib.suppress(SumMismatchError):
            client.read_blob(ImageRepository(server.host, NAME), BLOB)
        assert client.warnings == tuple(f"the registry {server.host} says: {text}" for text in told)
