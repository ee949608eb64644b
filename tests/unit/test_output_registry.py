"""Images on their way to registries: what goes first, what goes at once, and what a tag ever stands for."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from minpack.content import BytesContent
from minpack.digest import Digest, HashingWriter
from minpack.errors import RegistryError
from minpack.net.network import Network
from minpack.oci import mediatypes
from minpack.oci.documents import Blob, Descriptor, ImageConfig
from minpack.oci.image import Artifact, BuiltImage, Index, build_artifact, build_image, build_index, put_index
from minpack.oci.layer import Layer
from minpack.oci.reference import parse_reference
from minpack.output.registry import AT_ONCE, RegistrySink
from minpack.progress import no_progress
from minpack.registry.options import RegistryOptions
from minpack.registry.repository import ImageRepository
from minpack.target import parse_platform
from support.fakeregistry import FakeRegistry, broken, silence, status

if TYPE_CHECKING:
    from collections.abc import Generator

    from minpack.oci.reference import Reference

OPTIONS = RegistryOptions(Network(pause=lambda _: None))


@pytest.fixture
def registry() -> Generator[FakeRegistry]:
    """A good registry."""
    with FakeRegistry() as opened:
        yield opened


def layer(text: str) -> Blob:
    """A layer of some bytes."""
    data = text.encode() * 1000
    return Blob(Descriptor(mediatypes.LAYER_GZIP, Digest.of(data), len(data)), BytesContent(data))


def image(*texts: str, platform: str = "linux/amd64") -> BuiltImage:
    """An image of such layers."""
    blobs = [layer(text) for text in texts]
    layers = [Layer(one.descriptor, one.descriptor.digest, one.descriptor.size, "x") for one in blobs]
    return build_image(layers, ImageConfig(parse_platform(platform), ("/app",)), blobs)


def about(subject: Descriptor, text: str = "sbom") -> Artifact:
    """An artifact about something."""
    return build_artifact("application/spdx+json", [layer(text)], {}, subject)


def push(registry: FakeRegistry, index: Index, *names: str) -> RegistrySink:
    """Push `index` under these names of the registry."""
    references = tuple(parse_reference(f"{registry.host}/{name}") for name in names)
    with RegistrySink(OPTIONS, references, no_progress) as sink:
        put_index(index, sink, references)
    return sink


def test_an_image_is_whole_when_it_has_its_name(registry: FakeRegistry) -> None:
    """Blobs first, several at once; the tag is the last request."""
    sink = push(registry, build_index([image("a", "b", "c", "d", "e")]), "me/app:1")
    assert registry.whole("me/app", "1")
    assert registry.given == [("me/app", "1", True)]
    assert registry.requests[-1].path == "/v2/me/app/manifests/1"
    assert (sink.sent_blobs, sink.kept_blobs) == (6, 0)
    assert registry.most_at_once <= AT_ONCE


def test_a_second_push_moves_no_blob(registry: FakeRegistry) -> None:
    """It asks for each, and gives the name again."""
    index = build_index([image("a", "b")])
    push(registry, index, "me/app:1")
    registry.clear()
    sink = push(registry, index, "me/app:1")
    assert registry.received == 0
    assert {one.method for one in registry.requests} == {"HEAD", "PUT"}
    assert registry.count("PUT") == 1
    assert (sink.sent, sink.sent_blobs, sink.kept_blobs) == (0, 0, 3)


def test_several_names_share_the_blobs(registry: FakeRegistry) -> None:
    """Tags of one repository are one request each; another repository mounts what the first one got."""
    index = build_index([image("a", "b")])
    sink = push(registry, index, "me/app:1", "me/app:latest", "you/app:1")
    assert [one.digest for one in sink.pushed(index)] == [index.digest] * 3
    assert {registry.tags("me/app")[tag] for tag in ("1", "latest")} == {str(index.digest)}
    assert registry.whole("you/app", "1")
    assert registry.count("POST", "mount=") == 3
    assert sink.sent_blobs == 3


def test_several_registries_get_everything(registry: FakeRegistry) -> None:
    """Each the same."""
    index = build_index([image("a")])
    with FakeRegistry() as other:
        names = (parse_reference(f"{registry.host}/me/app"), parse_reference(f"{other.host}/me/app"))
        with RegistrySink(OPTIONS, names, no_progress) as sink:
            put_index(index, sink, names)
        assert registry.whole("me/app", "latest")
        assert other.whole("me/app", "latest")
        assert sink.sent_blobs == 4


def test_an_index_follows_what_it_lists(registry: FakeRegistry) -> None:
    """The images by their digests, then the index under its name; a strict registry takes it."""
    index = build_index([image("a"), image("b", platform="linux/arm64"), image("c", platform="linux/s390x")])
    push(registry, index, "me/app:1")
    assert registry.whole("me/app", "1")
    puts = [one.path.rpartition("/")[2] for one in registry.requests if "/manifests/" in one.path]
    assert set(puts[:3]) == {str(one.digest) for one in index.images}
    assert puts[3:] == ["1"]


@pytest.mark.parametrize("referrers", [True, False])
@pytest.mark.parametrize("platforms", [1, 2])
def test_artifacts_go_along(registry: FakeRegistry, referrers: bool, platforms: int) -> None:
    """By their digests, behind what they are about, and before the name; a tag lists them where there is no API."""
    registry.switches.referrers = referrers
    images = [image("a"), image("b", platform="linux/arm64")][:platforms]
    plain = build_index(images)
    index = plain._replace(artifacts=tuple(about(one) for one in {plain.root, *(one.descriptor for one in images)}))
    push(registry, index, "me/app:1")
    assert registry.whole("me/app", "1")
    assert registry.requests[-1].path == "/v2/me/app/manifests/1"
    for artifact in index.artifacts:
        assert registry.whole("me/app", str(artifact.descriptor.digest))
    lists = {tag for tag in registry.tags("me/app") if tag.startswith("sha256-")}
    subjects = {f"sha256-{one.subject.digest.hex}" for one in index.artifacts if one.subject is not None}
    assert lists == (set() if referrers else subjects)


def test_a_layer_is_mounted_from_where_it_came(registry: FakeRegistry) -> None:
    """A content that knows its repository says so; from another registry it is sent."""

    class Kept(BytesContent):
        origin = ImageRepository(registry.host, "base/image")

    blob = layer("base")
    registry.keep("base/image", blob.content.open().read_at(0, blob.content.size))
    built = image("base")
    index = build_index([built._replace(layers=(blob._replace(content=Kept(b"base" * 1000)),))])
    sink = push(registry, index, "me/app:1")
    assert registry.whole("me/app", "1")
    assert (sink.sent_blobs, sink.kept_blobs) == (1, 1)


def test_nothing_has_the_name_where_a_blob_is_refused(registry: FakeRegistry) -> None:
    """Nor any manifest."""
    registry.fail("PUT", "/blobs/uploads/", status(403, error="DENIED", message="no room"), 9)
    with pytest.raises(RegistryError, match="no room"):
        push(registry, build_index([image("a", "b")]), "me/app:1")
    assert registry.manifests == {}


def test_nothing_has_the_name_where_an_image_is_refused(registry: FakeRegistry) -> None:
    """The index is not sent."""
    registry.fail("PUT", "/manifests/sha256:", status(400, error="MANIFEST_INVALID", message="odd"), 9)
    with pytest.raises(RegistryError, match="odd"):
        push(registry, build_index([image("a"), image("b", platform="linux/arm64")]), "me/app:1")
    assert registry.given == []


def streamed(registry: FakeRegistry, data: bytes, *names: str) -> RegistrySink:
    """Push an image whose layer is known only behind its bytes."""
    references = tuple(parse_reference(f"{registry.host}/{name}") for name in names)
    with RegistrySink(OPTIONS, references, no_progress) as sink:
        push_streamed(sink, references, data)
    return sink


def push_streamed(sink: RegistrySink, references: tuple[Reference, ...], data: bytes) -> None:
    """Push such an image by `sink`."""
    writer = HashingWriter(sink.begin_blob())
    for at in range(0, len(data), 100_000):
        writer.write(memoryview(data)[at : at + 100_000])
    descriptor = Descriptor(mediatypes.LAYER_GZIP, writer.digest, writer.size)
    sink.end_blob(descriptor)
    blob = Blob(descriptor, BytesContent(data))
    made = Layer(descriptor, writer.digest, writer.size, "x")
    index = build_index([build_image([made], ImageConfig(parse_platform("amd64"), ("/app",)), [blob])])
    sink.put(blob)
    put_index(index, sink, references)


def test_a_layer_is_sent_while_it_is_made(registry: FakeRegistry) -> None:
    """By one PATCH without a size; its digest follows, and no byte goes twice."""
    data = bytes(range(256)) * 10_000
    sink = streamed(registry, data, "me/app:1", "you/app:1")
    assert registry.whole("me/app", "1")
    assert registry.whole("you/app", "1")
    patch = next(one for one in registry.requests if one.method == "PATCH")
    assert patch.headers["Transfer-Encoding"] == "chunked"
    assert patch.took == len(data)
    assert sink.sent == registry.received


@pytest.mark.parametrize("fault", [broken(300_000), status(403, error="DENIED"), status(405)])
def test_a_layer_that_broke_off_while_it_was_made_is_sent_again(registry: FakeRegistry, fault: object) -> None:
    """From where it is kept; whatever making it wrote meanwhile is lost to the network alone."""
    registry.fail("PATCH", "/blobs/uploads/", fault)  # type: ignore[arg-type]
    streamed(registry, bytes(range(256)) * 10_000, "me/app:1")
    assert registry.whole("me/app", "1")


def test_a_configuration_takes_the_upload_that_was_begun_for_it(registry: FakeRegistry) -> None:
    """It is known last, and is new as its layer is: it needs one request more. One that was lost is begun anew."""
    streamed(registry, bytes(range(256)) * 10_000, "me/app:1")
    assert registry.whole("me/app", "1")
    assert (registry.count("HEAD", "/blobs/"), registry.count("POST", "/blobs/"), registry.count("PUT")) == (0, 2, 3)
    registry.fail("PUT", "/blobs/uploads/", status(404, error="BLOB_UPLOAD_UNKNOWN"), times=2)
    streamed(registry, bytes(range(255)) * 10_000, "me/app:2")
    assert registry.whole("me/app", "2")


def test_an_error_elsewhere_does_not_hang_what_is_being_made(registry: FakeRegistry) -> None:
    """Leaving the block ends all, with a layer open."""
    references = (parse_reference(f"{registry.host}/me/app"),)

    def fail() -> None:
        with RegistrySink(OPTIONS, references, no_progress) as sink:
            sink.begin_blob().write(bytes(1000))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert registry.manifests == {}


def test_progress_is_told_by_the_caller_alone(registry: FakeRegistry) -> None:
    """Each blob with its total, never from another thread."""
    told = dict[str, int | None]()

    def progress(task: str, done: int, total: int | None) -> None:
        assert threading.current_thread() is threading.main_thread()
        assert done <= (total or 0)
        told[task] = total

    references = (parse_reference(f"{registry.host}/me/app"),)
    with RegistrySink(OPTIONS, references, progress) as sink:
        put_index(build_index([image("a" * 1000)]), sink, references)
    assert {task.split()[1] for task in told} == {"layer", "config"}
    assert 1_000_000 in told.values()


@contextmanager
def raising_after(seconds: float) -> Generator[None]:
    """Raise `InterruptedError` in the block after so long, as a signal does."""

    def interrupt(*_: object) -> None:
        raise InterruptedError

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_more_registries_than_are_sent_to_at_once_get_a_layer_that_is_made() -> None:
    """Those that no thread is left for get it when it is made."""
    data = bytes(range(256)) * 20_000
    with ExitStack() as stack:
        registries = [stack.enter_context(FakeRegistry()) for _ in range(AT_ONCE + 1)]
        references = tuple(parse_reference(f"{one.host}/me/app:1") for one in registries)
        stack.enter_context(raising_after(30))
        with RegistrySink(OPTIONS, references, no_progress) as sink:
            push_streamed(sink, references, data)
        assert all(one.whole("me/app", "1") for one in registries)
        assert [one.count("PATCH") for one in registries] == [*[1] * AT_ONCE, 0]


def test_a_signal_does_not_wait_for_a_registry_that_takes_no_more(registry: FakeRegistry) -> None:
    """What waits to be sent is dropped at once."""
    registry.fail("PATCH", "/blobs/uploads/", silence())
    references = (parse_reference(f"{registry.host}/me/app"),)

    def interrupted() -> None:
        with RegistrySink(OPTIONS, references, no_progress) as sink, raising_after(0.5):
            out = sink.begin_blob()
            while True:
                out.write(bytes(1 << 20))

    began = time.monotonic()
    with pytest.raises(InterruptedError):
        interrupted()
    assert time.monotonic() - began < 5
