"""An OCI registry on 127.0.0.1, in this process, with switches for how registries differ and for what goes wrong.

    with FakeRegistry() as registry:                        # accepts everything, as a good one does
        push(..., f"{registry.host}/me/app:1")
        registry.tags("me/app")                             # {"1": Digest}
        registry.whole("me/app", "1")                       # everything below the tag is there
        registry.count("PUT", "/blobs/uploads/")            # what was asked for
        registry.received                                   # the bytes of bodies of blobs

`Switches` says what kind of registry it is; they may be changed while it runs. `fail` queues answers that go wrong:

    registry.fail("PUT", "/manifests/", status(503, {"Retry-After": "1"}), times=2)
    registry.fail("PUT", "/blobs/uploads/", broken(1000))   # 1000 bytes of the body are taken, then a reset
    registry.fail("GET", "/blobs/", truncated(10))          # the body of the answer ends after 10 bytes
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import re
import socket
import ssl
import struct
import threading
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from email.message import Message
    from pathlib import Path
    from typing import Self

PIECE = 1 << 16
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEXES = (INDEX, "application/vnd.docker.distribution.manifest.list.v2+json")
_NAME = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
_ROUTES = (
    ("base", re.compile(r"/v2/")),
    ("token", re.compile(r"/token")),
    ("upload", re.compile(rf"/v2/(?P<name>{_NAME})/blobs/uploads/(?P<key>[^/]*)")),
    ("blob", re.compile(rf"/v2/(?P<name>{_NAME})/blobs/(?P<key>sha256:[0-9a-f]{{64}})")),
    ("manifest", re.compile(rf"/v2/(?P<name>{_NAME})/manifests/(?P<key>[^/]+)")),
    ("referrers", re.compile(rf"/v2/(?P<name>{_NAME})/referrers/(?P<key>[^/]+)")),
    ("tags", re.compile(rf"/v2/(?P<name>{_NAME})/tags/list(?P<key>)")),
)


class Switches:
    """What kind of registry it is."""

    def __init__(self) -> None:
        #: Whether it has the referrers API, and says so with OCI-Subject.
        self.referrers = False
        #: Whether it says OCI-Subject without having the API.
        self.claims_referrers = False
        #: The user and password that it wants, and how: by ``Basic`` or ``Bearer``.
        self.login: tuple[str, str] | None = None
        self.scheme = "Basic"
        #: What a token allows in each repository; by default all.
        self.rights: dict[str, tuple[str, ...]] = {}
        #: Seconds that a token is said to last.
        self.expires = 300
        #: Whether the Location of an upload has no host.
        self.relative = False
        #: Whether each answer about an upload gives it another Location, and the older ones are refused.
        self.rotates = True
        #: Whether HEAD is refused with 405.
        self.refuses_head = False
        #: The status that a PUT with a body is refused with: it wants a PATCH first. 0 for none.
        self.needs_patch = 0
        #: Whether an upload that broke off can be asked for, and goes on where it was.
        self.resumes = True
        #: Whether parts of blobs are given.
        self.ranges = True
        #: Whether layers can be mounted from other repositories.
        self.mounts = True
        #: Whether a tag that is there can be given to nothing else.
        self.immutable = False
        #: Whether manifests of which something is missing are refused.
        self.strict = True
        #: The repositories that there are; None if every push makes its own.
        self.repositories: set[str] | None = None
        #: What it says that the digest of a manifest is; empty for the truth.
        self.wrong_digest = ""
        #: Whether blobs are forgotten as soon as they are summed: for the largest.
        self.forgets = False
        #: Where blobs are fetched from: the address of another server, without the path.
        self.redirects = ""
        #: The values of Warning headers in every answer.
        self.warnings: tuple[str, ...] = ()
        #: Whether a manifest is given only to those who say that they accept it.
        self.accepts = True


class Request(NamedTuple):
    """One request as it came in; `took` is how many bytes of its body were read."""

    method: str
    path: str
    headers: Message
    took: int = 0


class Fault(NamedTuple):
    """How one answer goes wrong; made by the functions below."""

    act: Callable[[_Handler], None]


def status(code: int, headers: Mapping[str, str] | None = None, error: str = "UNKNOWN", message: str = "no") -> Fault:
    """Answer with this status, and a body as registries have it."""
    return Fault(lambda handler: handler.error(code, error, message, headers))


def broken(after: int) -> Fault:
    """Take so many bytes of the body of a blob, then reset the connection."""
    return Fault(lambda handler: handler.break_after(after))


def lost() -> Fault:
    """Do what is asked, and reset the connection before an answer."""

    def act(handler: _Handler) -> None:
        handler.silent = True
        handler.serve()
        handler.reset()

    return Fault(act)


def truncated(after: int) -> Fault:
    """Answer as ever, but the body ends after so many bytes."""

    def act(handler: _Handler) -> None:
        handler.cut = after
        handler.serve()

    return Fault(act)


def other_bytes(data: bytes) -> Fault:
    """Answer with these bytes in place of the body."""

    def act(handler: _Handler) -> None:
        handler.instead = data
        handler.serve()

    return Fault(act)


def answered(body: bytes, headers: Mapping[str, str]) -> Fault:
    """Answer with this, whatever was asked for."""
    return Fault(lambda handler: handler.answer(200, body, headers))


def silence() -> Fault:
    """Say nothing until the registry closes."""
    return Fault(_be_silent)


def _be_silent(handler: _Handler) -> None:
    handler.registry.closing.wait(60)
    handler.reset()


class FakeRegistry:
    """The registry. Use it in a ``with`` block; `host` is ``127.0.0.1:PORT``.

    :param certificate: a PEM file of certificate and key, with which it speaks TLS.
    """

    def __init__(self, switches: Switches | None = None, certificate: Path | None = None) -> None:
        self.switches = switches or Switches()
        #: All but those for ``/v2/``.
        self.requests: list[Request] = []
        self.closing = threading.Event()
        #: By repository and digest, what is there; what is forgotten has its size alone.
        self.blobs: dict[tuple[str, str], bytes | int] = {}
        #: By repository and digest, the media type and bytes; by repository and tag the digest.
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.tagged: dict[tuple[str, str], str] = {}
        #: Each time that a tag was given: the repository, the tag, and whether all below it was there.
        self.given: list[tuple[str, str, bool]] = []
        self.uploads: dict[str, _Upload] = {}
        self.lock = threading.RLock()
        self.numbers = count(1)
        self.tokens: dict[str, dict[str, set[str]]] = {}
        #: The most uploads that took bytes at one time, and how many do now.
        self.most_at_once = 0
        self.now = 0
        #: Called with each request before it is answered.
        self.watch: Callable[[Request], None] = lambda _: None
        self._faults: list[tuple[str, str, Fault]] = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.registry = self
        self._server.certificate = certificate
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"{'https' if certificate else 'http'}://{self.host}"

    def fail(self, method: str, part: str, fault: Fault, times: int = 1) -> None:
        """Answer the next `times` requests of `method` with `part` in their path so; each is answered by one fault."""
        with self.lock:
            self._faults += [(method, part, fault)] * times

    def take_fault(self, method: str, path: str) -> Fault | None:
        """The fault that is due, if one is."""
        with self.lock:
            for number, (wanted, part, fault) in enumerate(self._faults):
                if wanted == method and part in path:
                    del self._faults[number]
                    return fault
        return None

    def count(self, method: str, part: str = "") -> int:
        """How many requests of `method` had `part` in their path."""
        return sum(1 for one in self.requests if one.method == method and part in one.path)

    @property
    def received(self) -> int:
        """The bytes of bodies of blobs that came."""
        return sum(one.took for one in self.requests if "/blobs/uploads/" in one.path)

    def clear(self) -> None:
        """Forget what was asked for."""
        with self.lock:
            self.requests.clear()
            self.given.clear()

    def tags(self, name: str) -> dict[str, str]:
        """The tags of a repository, each with its digest."""
        return {tag: digest for (repository, tag), digest in self.tagged.items() if repository == name}

    def document(self, name: str, reference: str) -> Any:
        """The manifest or index of a tag or digest."""
        digest = self.tagged.get((name, reference), reference)
        return json.loads(self.manifests[name, digest][1])

    def whole(self, name: str, reference: str) -> bool:
        """Whether everything below a tag or digest is there, with its bytes."""
        digest = self.tagged.get((name, reference), reference)
        found = self.manifests.get((name, digest))
        if found is None or f"sha256:{hashlib.sha256(found[1]).hexdigest()}" != digest:
            return False
        return not self.missing(name, found[1])

    def missing(self, name: str, data: bytes) -> list[str]:
        """What a manifest or index names and is not there."""
        document = json.loads(data)
        blobs = [*document.get("layers", ()), *([document["config"]] if "config" in document else [])]
        lost = [one["digest"] for one in blobs if (name, one["digest"]) not in self.blobs]
        return lost + [one["digest"] for one in document.get("manifests", ()) if not self.whole(name, one["digest"])]

    def keep(self, name: str, data: bytes) -> str:
        """Have a blob; its digest."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.blobs[name, digest] = data
        return digest

    def keep_manifest(self, name: str, reference: str, media_type: str, data: bytes) -> str:
        """Have a manifest by its digest, and by `reference` if that is a tag; its digest."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        with self.lock:
            self.manifests[name, digest] = (media_type, data)
            if not reference.startswith("sha256:"):
                self.tagged[name, reference] = digest
                self.given.append((name, reference, not self.missing(name, data)))
        return digest

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


class _Upload:
    """Bytes that have come of a blob; without `kept` their sum alone is known."""

    def __init__(self, name: str, *, forgets: bool) -> None:
        self.name = name
        self.state = 0
        self.size = 0
        self.sum = hashlib.sha256()
        self.kept: bytearray | None = None if forgets else bytearray()

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        self.sum.update(piece)
        if self.kept is not None:
            self.kept += piece


class _Server(http.server.ThreadingHTTPServer):
    registry: FakeRegistry
    certificate: Path | None
    request_queue_size = 64

    def finish_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        assert isinstance(request, socket.socket)
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.certificate is None:
            super().finish_request(request, client_address)
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        request.settimeout(10)
        with context.wrap_socket(request, server_side=True) as secure:
            super().finish_request(secure, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that go away are part of the tests."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.silent = False
        self.cut: int | None = None
        self.instead: bytes | None = None
        self.took = 0
        self.drained = False

    @property
    def registry(self) -> FakeRegistry:
        assert isinstance(self.server, _Server)
        return self.server.registry

    @property
    def switches(self) -> Switches:
        return self.registry.switches

    @property
    def length(self) -> int:
        return int(self.headers.get("Content-Length", "0"))

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.path).query, keep_blank_values=True)

    def handle_one_request(self) -> None:
        self.silent, self.cut, self.instead, self.took, self.drained = False, None, None, 0, False
        super().handle_one_request()

    def do_GET(self) -> None:
        with self.registry.lock:
            place = len(self.registry.requests)
            # How it is reached is asked once, whatever follows.
            counts = self.path != "/v2/"
            if counts:
                self.registry.requests.append(Request(self.command, self.path, self.headers))
        self.registry.watch(Request(self.command, self.path, self.headers))
        fault = self.registry.take_fault(self.command, self.path)
        try:
            if fault is not None:
                fault.act(self)
            else:
                self.serve()
        finally:
            with self.registry.lock:
                if self.path != "/v2/" and place < len(self.registry.requests):
                    self.registry.requests[place] = self.registry.requests[place]._replace(took=self.took)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the names of methods of HTTP

    def serve(self) -> None:
        path = urlsplit(self.path).path
        for kind, pattern in _ROUTES:
            match = pattern.fullmatch(path)
            if match is not None:
                groups = match.groupdict()
                name = groups.get("name") or ""
                if kind != "token" and not self.allowed(name):
                    return
                if kind == "upload" and not self.exists(name):
                    return
                getattr(self, f"_{kind}")(name, groups.get("key") or "")
                return
        self.error(404, "NAME_INVALID", "no such place")

    def exists(self, name: str) -> bool:
        if self.switches.repositories is not None and name not in self.switches.repositories:
            self.error(404, "NAME_UNKNOWN", f"repository {name} does not exist")
            return False
        return True

    # Who may do what

    def allowed(self, name: str) -> bool:
        """Whether the request may go on; if not, it was answered."""
        login = self.switches.login
        if login is None:
            return True
        given = self.headers.get("Authorization", "")
        actions = {"pull"} if self.command in ("GET", "HEAD") else {"push"}
        if self.switches.scheme == "Basic":
            wanted = "Basic " + base64.b64encode(":".join(login).encode()).decode()
            if given == wanted:
                return self._has_rights(name, actions)
            challenge = 'Basic realm="fake"'
        else:
            granted = self.registry.tokens.get(given.removeprefix("Bearer "))
            if granted is not None and (not name or actions <= granted.get(name, set())):
                return True
            if granted is not None and not self._has_rights(name, actions):
                return False
            scopes = [f"repository:{name}:{'pull' if actions == {'pull'} else 'pull,push'}"] if name else []
            scopes += [f"repository:{one}:pull" for one in self.query.get("from", ())]
            scope = f',scope="{" ".join(scopes)}"' if scopes else ""
            address = f"http://localhost:{self.registry.host.rpartition(':')[2]}"
            challenge = f'Bearer realm="{address}/token",service="fake"{scope}'
        self.error(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": challenge})
        return False

    def _has_rights(self, name: str, actions: set[str]) -> bool:
        if not name or actions <= set(self.switches.rights.get(name, ("pull", "push"))):
            return True
        self.error(403, "DENIED", "requested access to the resource is denied")
        return False

    def _token(self, _name: str, _key: str) -> None:
        login = self.switches.login or ("", "")
        form = parse_qs(self.body().decode()) if self.command == "POST" else {}
        wanted = "Basic " + base64.b64encode(":".join(login).encode()).decode()
        if self.headers.get("Authorization", "") != wanted and form.get("refresh_token") != [login[1]]:
            self.error(401, "UNAUTHORIZED", "incorrect username or password")
            return
        granted: dict[str, set[str]] = {}
        for text in (*self.query.get("scope", ()), *form.get("scope", ())):
            for scope in text.split():
                _, name, actions = scope.split(":")
                may = set(self.switches.rights.get(name, ("pull", "push")))
                granted.setdefault(name, set()).update(may & set(actions.split(",")))
        token = f"token-{next(self.registry.numbers)}"
        self.registry.tokens[token] = granted
        self.json(200, {"token": token, "expires_in": self.switches.expires})

    # What there is

    def _base(self, _name: str, _key: str) -> None:
        self.json(200, {})

    def _tags(self, name: str, _key: str) -> None:
        self.json(200, {"name": name, "tags": sorted(self.registry.tags(name))})

    def _blob(self, name: str, key: str) -> None:
        if self.command == "HEAD" and self.switches.refuses_head:
            self.error(405, "UNSUPPORTED", "no HEAD here")
            return
        data = self.registry.blobs.get((name, key))
        if data is None:
            self.error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        elif self.switches.redirects and self.command == "GET":
            self.answer(307, b"", {"Location": f"{self.switches.redirects}{self.path}"})
        else:
            body = data if isinstance(data, bytes) else bytes(data)
            headers = {"Content-Type": "application/octet-stream", "Docker-Content-Digest": key}
            found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            if found is not None and self.switches.ranges:
                start, end = int(found[1]), min(int(found[2] or len(body)) + 1, len(body))
                headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(body)}"
                self.answer(206, body[start:end], headers)
            else:
                self.answer(200, body, headers)

    def _referrers(self, name: str, key: str) -> None:
        if not self.switches.referrers:
            self.error(404, "NAME_UNKNOWN", "no referrers API")
            return
        found = []
        for (repository, digest), (media_type, data) in self.registry.manifests.items():
            document = json.loads(data)
            if repository == name and document.get("subject", {}).get("digest") == key:
                kind = document.get("artifactType") or document.get("config", {}).get("mediaType")
                found.append(
                    {
                        "mediaType": media_type,
                        "digest": digest,
                        "size": len(data),
                        "artifactType": kind,
                        **({"annotations": document["annotations"]} if "annotations" in document else {}),
                    }
                )
        headers = {"Content-Type": INDEX}
        wanted = self.query.get("artifactType")
        if wanted:
            found = [one for one in found if one["artifactType"] in wanted]
            headers["OCI-Filters-Applied"] = "artifactType"
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": found}).encode()
        self.answer(200, body, headers)

    def _manifest(self, name: str, key: str) -> None:
        if self.command == "PUT":
            self._put_manifest(name, key)
            return
        if self.command == "HEAD" and self.switches.refuses_head:
            self.error(405, "UNSUPPORTED", "no HEAD here")
            return
        digest = self.registry.tagged.get((name, key), key)
        found = self.registry.manifests.get((name, digest))
        accepted = ",".join(self.headers.get_all("Accept", []))
        if found is None or (self.switches.accepts and found[0] not in accepted):
            self.error(404, "MANIFEST_UNKNOWN", "manifest unknown")
            return
        self.answer(200, found[1], {"Content-Type": found[0], "Docker-Content-Digest": digest})

    def _put_manifest(self, name: str, key: str) -> None:
        data = self.body()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        media_type = self.headers.get("Content-Type", "")
        if key.startswith("sha256:") and key != digest:
            self.error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
            return
        try:
            document = json.loads(data)
        except ValueError:
            self.error(400, "MANIFEST_INVALID", "manifest invalid")
            return
        if document.get("mediaType", media_type) != media_type:
            self.error(400, "MANIFEST_INVALID", "its media type is another")
            return
        with self.registry.lock:
            missing = self.registry.missing(name, data)
            if missing and self.switches.strict:
                code = "MANIFEST_UNKNOWN" if media_type in _INDEXES else "MANIFEST_BLOB_UNKNOWN"
                self.error(400, code, f"{missing[0]} is unknown to registry")
                return
            before = self.registry.tagged.get((name, key))
            if self.switches.immutable and before not in (None, digest):
                self.error(400, "TAG_INVALID", f"the tag {key} is immutable")
                return
            self.registry.keep_manifest(name, key, media_type, data)
        headers = {"Docker-Content-Digest": self.switches.wrong_digest or digest, "Location": f"/v2/{name}/{digest}"}
        if "subject" in document and (self.switches.referrers or self.switches.claims_referrers):
            headers["OCI-Subject"] = document["subject"]["digest"]
        self.answer(201, b"", headers)

    # Uploads

    def _upload(self, name: str, key: str) -> None:
        if self.command == "POST":
            self._begin(name)
            return
        upload = self.registry.uploads.get(key)
        stale = upload is not None and self.switches.rotates and self.query.get("_state") != [str(upload.state)]
        if upload is None or upload.name != name or stale:
            self.drain()
            self.error(404, "BLOB_UPLOAD_INVALID" if stale else "BLOB_UPLOAD_UNKNOWN", "upload unknown to registry")
        elif self.command == "GET":
            self._progress(name, key, upload, 204)
        elif self.command == "DELETE":
            del self.registry.uploads[key]
            self.answer(204, b"", {})
        elif self.command == "PATCH":
            self._patch(name, key, upload)
        else:
            self._finish(name, key, upload)

    def _begin(self, name: str) -> None:
        mount, source = self.query.get("mount", [""])[0], self.query.get("from", [""])[0]
        self.drain()
        if mount and self.switches.mounts and (source, mount) in self.registry.blobs:
            with self.registry.lock:
                self.registry.blobs[name, mount] = self.registry.blobs[source, mount]
            self.answer(201, b"", {"Location": f"/v2/{name}/blobs/{mount}", "Docker-Content-Digest": mount})
            return
        key = f"upload-{next(self.registry.numbers)}"
        self.registry.uploads[key] = _Upload(name, forgets=self.switches.forgets)
        self._progress(name, key, self.registry.uploads[key], 202)

    def _progress(self, name: str, key: str, upload: _Upload, code: int) -> None:
        """Say how far an upload is, and where it goes on."""
        if not self.switches.resumes and code == 204:
            self.error(404, "BLOB_UPLOAD_UNKNOWN", "upload unknown to registry")
            return
        if self.command != "GET":
            upload.state += 1
        start = "" if self.switches.relative else self.registry.url
        headers = {"Location": f"{start}/v2/{name}/blobs/uploads/{key}?_state={upload.state}"}
        if upload.size or code == 204:
            headers["Range"] = f"0-{max(upload.size - 1, 0)}"
        self.answer(code, b"", headers)

    def _patch(self, name: str, key: str, upload: _Upload) -> None:
        given = self.headers.get("Content-Range", "")
        found = re.fullmatch(r"(?:bytes )?(\d+)-(\d+)", given)
        if given and (found is None or int(found[1]) != upload.size):
            self.drain()
            self.answer(416, b"", {"Range": f"0-{max(upload.size - 1, 0)}"})
            return
        self.receive(upload)
        self._progress(name, key, upload, 202)

    def _finish(self, name: str, key: str, upload: _Upload) -> None:
        if self.length and self.switches.needs_patch:
            self.drain()
            self.error(self.switches.needs_patch, "BLOB_UPLOAD_INVALID", "send the bytes with PATCH")
            return
        self.receive(upload)
        digest = self.query.get("digest", [""])[0]
        del self.registry.uploads[key]
        if f"sha256:{upload.sum.hexdigest()}" != digest:
            self.error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
            return
        with self.registry.lock:
            kept = upload.kept
            self.registry.blobs[name, digest] = bytes(kept) if kept is not None else upload.size
        self.answer(201, b"", {"Location": f"/v2/{name}/blobs/{digest}", "Docker-Content-Digest": digest})

    def receive(self, upload: _Upload, most: int | None = None) -> None:
        """Take the body into an upload, or `most` bytes of it."""
        with self.registry.lock:
            self.registry.now += 1
            self.registry.most_at_once = max(self.registry.most_at_once, self.registry.now)
        try:
            for piece in self._pieces(most):
                upload.add(piece)
        finally:
            with self.registry.lock:
                self.registry.now -= 1

    def _pieces(self, most: int | None = None) -> Any:
        self.drained = True
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            yield from self._chunks(most)
            return
        left = self.length if most is None else min(most, self.length)
        while left > 0:
            piece = self.rfile.read1(min(left, PIECE))
            if not piece:
                self.close_connection = True
                raise ConnectionError
            left -= len(piece)
            self.took += len(piece)
            yield piece

    def _chunks(self, most: int | None) -> Any:
        while True:
            size = int(self.rfile.readline().split(b";")[0] or b"0", 16)
            left = size
            while left > 0:
                piece = self.rfile.read1(min(left, PIECE))
                if not piece:
                    raise ConnectionError
                left -= len(piece)
                self.took += len(piece)
                yield piece
                if most is not None and self.took >= most:
                    return
            self.rfile.readline()
            if not size:
                return

    def body(self) -> bytes:
        self.drained = True
        return self.rfile.read(self.length)

    def drain(self) -> None:
        """Read what is left of the body: an answer that comes before would meet a client that still sends."""
        if not self.drained:
            for _ in self._pieces():
                pass
            self.took = 0

    # Answers

    def json(self, code: int, document: Any) -> None:
        self.answer(code, json.dumps(document).encode(), {"Content-Type": "application/json"})

    def error(self, code: int, error: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        self.drain()
        body = json.dumps({"errors": [{"code": error, "message": message, "detail": None}]}).encode()
        self.answer(code, body, {"Content-Type": "application/json", **(headers or {})})

    def answer(self, code: int, body: bytes, headers: Mapping[str, str]) -> None:
        if self.silent:
            return
        body = body if self.instead is None else self.instead
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        for warning in self.switches.warnings:
            self.send_header("Warning", warning)
        self.end_headers()
        if self.command != "HEAD" and code != 204:
            self.wfile.write(body if self.cut is None else body[: self.cut])
        if self.cut is not None:
            self.close_connection = True

    def break_after(self, after: int) -> None:
        """Take so many bytes of the body, into the upload that they are of, and reset the connection."""
        found = re.search(r"/blobs/uploads/([^/?]+)", self.path)
        upload = self.registry.uploads.get(found[1]) if found is not None else None
        self.receive(upload if upload is not None else _Upload("", forgets=True), after)
        self.reset()

    def reset(self) -> None:
        """Reset the connection."""
        self.close_connection = True
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""
