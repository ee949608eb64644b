"""Blobs on their way into a repository, against a registry that does what registries do."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from minpack.content import BytesContent
from minpack.digest import Digest
from minpack.errors import RegistryError, SumMismatchError
from minpack.net.network import Limits, Network
from minpack.oci.documents import Blob, Descriptor
from minpack.registry.client import RegistryClient
from minpack.registry.options import Login, RegistryOptions
from minpack.registry.push import ATTEMPTS, PIECE, Uploader
from minpack.registry.repository import ImageRepository
from minpack.registry.secret import Secret
from support.fakeregistry import FakeRegistry, Fault, broken, lost, status, truncated
from support.scripted import Answer, Scripted

if TYPE_CHECKING:
    from collections.abc import Generator

DATA = random.Random(1).randbytes(3 * PIECE + 17)  # noqa: S311 - the same each time
UPLOADS = "/blobs/uploads/"


def made(data: bytes = DATA) -> Blob:
    """A layer of these bytes."""
    descriptor = Descriptor("application/vnd.oci.image.layer.v1.tar+gzip", Digest.of(data), len(data))
    return Blob(descriptor, BytesContent(data))


@pytest.fixture
def registry() -> Generator[FakeRegistry]:
    """A good registry, until a test makes it another."""
    with FakeRegistry() as opened:
        yield opened


@pytest.fixture
def reports() -> list[int]:
    """How many bytes were told to be sent."""
    return []


@pytest.fixture
def uploader(registry: FakeRegistry, reports: list[int]) -> Generator[Uploader]:
    """What brings blobs into me/app, without pauses."""
    network = Network(pause=lambda _: None, limits=Limits(window=5))
    with RegistryClient(RegistryOptions(network)) as client:
        yield Uploader(
            client,
            ImageRepository(registry.host, "me/app"),
            lambda _, done: reports.append(done),
            lambda: None,
        )


def there(registry: FakeRegistry, data: bytes = DATA, name: str = "me/app") -> bool:
    """Whether the repository has these bytes."""
    return registry.blobs.get((name, str(Digest.of(data)))) == data


def test_a_blob_is_asked_for_and_sent_in_one_request(
    registry: FakeRegistry, uploader: Uploader, reports: list[int]
) -> None:
    """HEAD, POST, and one PUT with its size; what is sent is told."""
    assert uploader.push(made())
    assert there(registry)
    assert [one.method for one in registry.requests] == ["HEAD", "POST", "PUT"]
    assert registry.requests[2].headers["Content-Length"] == str(len(DATA))
    assert registry.requests[2].headers["Transfer-Encoding"] is None
    assert reports[-1] == len(DATA)
    assert reports == sorted(reports)


def test_what_is_there_is_not_sent(registry: FakeRegistry, uploader: Uploader) -> None:
    """One HEAD is all."""
    registry.keep("me/app", DATA)
    assert not uploader.push(made())
    assert [one.method for one in registry.requests] == ["HEAD"]


def test_a_layer_is_mounted_from_where_it_is(registry: FakeRegistry, uploader: Uploader) -> None:
    """By the POST that would begin the upload; not a byte is sent."""
    registry.keep("you/base", DATA)
    assert not uploader.push(made(), "you/base")
    assert there(registry)
    assert registry.received == 0
    assert "from=you/base" in registry.requests[1].path


def test_what_cannot_be_mounted_is_sent(registry: FakeRegistry, uploader: Uploader) -> None:
    """The registry begins an upload in its place, or refuses the mount alone."""
    assert uploader.push(made(), "you/base")
    registry.fail("POST", "mount=", status(404, error="NAME_UNKNOWN"))
    assert uploader.push(made(b"other"), "you/base")
    assert there(registry)
    assert there(registry, b"other")


def test_an_empty_blob_is_sent(registry: FakeRegistry, uploader: Uploader) -> None:
    """Nothing is something to a registry."""
    assert uploader.push(made(b""))
    assert there(registry, b"")


@pytest.mark.parametrize("relative", [True, False])
def test_locations_are_followed_as_they_are_given(registry: FakeRegistry, uploader: Uploader, relative: bool) -> None:
    """With a host or without, and with what they ask for to be sent along."""
    registry.switches.relative = relative
    assert uploader.push(made())
    assert there(registry)
    assert "_state=1&digest=" in registry.requests[2].path


@pytest.mark.parametrize("code", [400, 404, 405, 415, 501])
def test_a_registry_that_wants_a_patch_gets_one(registry: FakeRegistry, uploader: Uploader, code: int) -> None:
    """After it refused a PUT, once: the next blob goes that way at once."""
    registry.switches.needs_patch = code
    assert uploader.push(made())
    assert uploader.push(made(b"other"))
    assert there(registry)
    assert there(registry, b"other")
    methods = [one.method for one in registry.requests]
    assert methods[-4:] == ["HEAD", "POST", "PATCH", "PUT"]


def test_a_registry_that_refuses_head_is_asked_to_take_it(registry: FakeRegistry, uploader: Uploader) -> None:
    """405 says nothing of the blob."""
    registry.switches.refuses_head = True
    assert uploader.push(made())
    assert there(registry)


def test_what_broke_off_goes_on_where_it_was(registry: FakeRegistry, uploader: Uploader) -> None:
    """The registry is asked how far it is, and gets the rest by a PATCH that says where it belongs."""
    registry.fail("PUT", UPLOADS, broken(PIECE + 1))
    assert uploader.push(made())
    assert there(registry)
    patch = next(one for one in registry.requests if one.method == "PATCH")
    start = int(patch.headers["Content-Range"].partition("-")[0])
    assert 0 < start <= PIECE + 1
    assert patch.took == len(DATA) - start


def test_it_may_break_off_as_often_as_it_gets_on(registry: FakeRegistry, uploader: Uploader) -> None:
    """Each time something new has come the count begins anew."""
    data = DATA[:40_000]
    registry.fail("PUT", UPLOADS, broken(2000))
    registry.fail("PATCH", UPLOADS, broken(2000), ATTEMPTS * 3)
    assert uploader.push(made(data))
    assert there(registry, data)


def test_what_is_forgotten_is_sent_anew(registry: FakeRegistry, uploader: Uploader) -> None:
    """docker-registry 2.8 keeps nothing of a PUT that broke off."""
    registry.switches.resumes = False
    registry.fail("PUT", UPLOADS, broken(PIECE), 2)
    assert uploader.push(made())
    assert there(registry)
    assert registry.count("POST", UPLOADS) == 3


def test_a_lost_answer_is_noticed(registry: FakeRegistry, uploader: Uploader) -> None:
    """The blob is there: it is not sent again."""
    registry.fail("PUT", UPLOADS, lost())
    assert uploader.push(made())
    assert registry.received == len(DATA)


PASSING = {
    "503": status(503, {"Retry-After": "0"}),
    "500": status(500),
    "429": status(429),
    "cut": truncated(0),
}
#: What is wrong with an upload that was begun.
LOST = {
    "forgotten": status(404, error="BLOB_UPLOAD_UNKNOWN"),
    "other bytes came": status(400, error="DIGEST_INVALID"),
}


@pytest.mark.parametrize(
    ("method", "fault"),
    [*((method, name) for method in ("HEAD", "POST", "PUT") for name in PASSING), *(("PUT", name) for name in LOST)],
)
def test_what_passes_is_tried_again(registry: FakeRegistry, uploader: Uploader, method: str, fault: str) -> None:
    """Whatever request it met."""
    registry.fail(method, "/blobs/", (PASSING | LOST)[fault])
    uploader.push(made())
    assert there(registry)


def test_a_connection_that_always_breaks_is_given_up(registry: FakeRegistry, uploader: Uploader) -> None:
    """After some attempts that brought nothing new; the error says what to do."""
    registry.switches.resumes = False
    registry.fail("PUT", UPLOADS, broken(10), 100)
    with pytest.raises(RegistryError, match=rf"the connection keeps breaking \(after {ATTEMPTS} attempts\)") as caught:
        uploader.push(made())
    assert caught.value.hint == "try again: what is there already is not sent again"
    assert not there(registry)


def test_bytes_that_are_others_are_not_sent_to_the_end(registry: FakeRegistry, uploader: Uploader) -> None:
    """The registry never gets a whole blob that is not the one it is called."""
    wrong = made()._replace(content=BytesContent(bytes(len(DATA)), "a file"))
    with pytest.raises(SumMismatchError, match="cannot verify a blob of a file"):
        uploader.push(wrong)
    short = made()._replace(content=BytesContent(DATA[:-1], "a file"))
    with pytest.raises(SumMismatchError):
        uploader.push(short)
    assert not registry.blobs


@pytest.mark.parametrize(("code", "error"), [(403, "DENIED"), (401, "UNAUTHORIZED"), (413, "TOOBIG")])
def test_a_refusal_is_final(registry: FakeRegistry, uploader: Uploader, code: int, error: str) -> None:
    """It is told as the registry says it, and nothing is sent again."""
    registry.fail("PUT", UPLOADS, status(code, error=error, message="go away"), 9)
    with pytest.raises(RegistryError, match="go away"):
        uploader.push(made())
    assert registry.count("PUT", UPLOADS) == 1


def test_a_range_that_is_refused_is_not_insisted_on(registry: FakeRegistry, uploader: Uploader) -> None:
    """GHCR takes no large PATCH with a Content-Range (416): the blob is sent anew, in one piece."""
    registry.fail("PUT", UPLOADS, broken(PIECE))
    registry.fail("PATCH", UPLOADS, status(416))
    assert uploader.push(made())
    assert there(registry)


def moved(to: str = "", code: int = 307) -> Fault:
    """Take the body, and say that it is to be sent to the same path of another server."""
    return Fault(lambda handler: handler.error(code, "UNKNOWN", "no", {"Location": f"{to}{handler.path}"}))


@pytest.mark.parametrize("code", [307, 308])
@pytest.mark.parametrize("patches", [False, True])
def test_an_upload_that_is_moved_goes_on_there(
    registry: FakeRegistry, uploader: Uploader, code: int, patches: bool
) -> None:
    """The whole body is sent to the new address, as often as that is another one, within reason."""
    registry.switches.needs_patch = 405 if patches else 0
    method = "PATCH" if patches else "PUT"
    registry.fail(method, UPLOADS, moved(code=code), times=3)
    assert uploader.push(made())
    assert there(registry)
    registry.fail(method, UPLOADS, moved(code=code), times=6)
    with pytest.raises(RegistryError, match=r"it redirects an upload more than 5 times$"):
        uploader.push(made(b"other"))
    assert not there(registry, b"other")


def test_an_upload_that_is_moved_to_another_server_takes_no_login_along(registry: FakeRegistry) -> None:
    """What is sent there is the blob alone; where no client should go, nothing is sent."""
    registry.switches.login = ("me", "secret")
    options = RegistryOptions(Network(pause=lambda _: None), login=Login(registry.host, Secret("me"), Secret("secret")))
    with Scripted(lambda _: Answer(201)) as other, RegistryClient(options) as client:
        uploader = Uploader(client, ImageRepository(registry.host, "me/app"), lambda *_: None, lambda: None)
        registry.fail("PUT", UPLOADS, moved(other.url))
        assert uploader.push(made())
        (sent,) = other.requests
        assert (sent.method, sent.body, sent.headers["Authorization"]) == ("PUT", DATA, None)
        registry.fail("PUT", UPLOADS, moved("http://169.254.169.254"))
        with pytest.raises(RegistryError, match="redirects to an address that is not safe"):
            uploader.push(made(b"other"))
