"""Pushing through a bad network, and being killed: a tag never stands for something that is not all there.

MINPACK_PUSHES is how many pushes are tried and at how many points one is killed; `make pushes` tries 200 and 100.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from minpack.build.push import LocalImage, push
from minpack.content import BytesContent
from minpack.digest import Digest
from minpack.errors import RegistryError
from minpack.net.network import Limits, Network
from minpack.oci import mediatypes
from minpack.oci.documents import Blob, Descriptor, ImageConfig
from minpack.oci.image import Index, build_artifact, build_image, build_index, put_index
from minpack.oci.layer import Layer
from minpack.oci.layout import LayoutSink
from minpack.oci.reference import parse_reference
from minpack.registry.options import RegistryOptions
from minpack.target import parse_platform
from support.command import COMMAND, environment
from support.fakeregistry import FakeRegistry, Request
from support.faultyproxy import FaultyProxy
from support.registries import docker_registry

if TYPE_CHECKING:
    from pathlib import Path

    from minpack.oci.reference import Reference

#: How many different ones `made` has.
BLOBS = 10
#: A push of it makes at least so many requests.
REQUESTS = 36
TIMES = int(os.environ.get("MINPACK_PUSHES", "12"))


def blob(data: bytes) -> Blob:
    """A layer of these bytes."""
    return Blob(Descriptor(mediatypes.LAYER_GZIP, Digest.of(data), len(data)), BytesContent(data))


def made(number: int) -> Index:
    """An index of two images with three layers each, and an artifact; no two numbers have a layer in common."""
    chance = random.Random(number)  # noqa: S311 - the same each time
    images = []
    for name in ("linux/amd64", "linux/arm64"):
        blobs = [blob(chance.randbytes(chance.choice((10, 5_000, 300_000)))) for _ in range(3)]
        layers = [Layer(one.descriptor, one.descriptor.digest, one.descriptor.size, "x") for one in blobs]
        images.append(build_image(layers, ImageConfig(parse_platform(name), ("/app",)), blobs))
    about = build_artifact("application/spdx+json", [blob(chance.randbytes(99))], {}, images[0].descriptor)
    return build_index(images, [about])


def layout(place: Path, number: int) -> str:
    """The same as a layout; its path."""
    path = place / f"layout{number}"
    path.mkdir()
    with LayoutSink(str(path)) as sink:
        put_index(made(number), sink, [])
    return str(path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["docker-registry", "one that takes anything"])
def test_a_push_through_a_bad_network_is_whole_or_an_error(tmp_path: Path, kind: str) -> None:
    """And whatever it came to, what the tag stands for is all there; pushed again without faults it is whole."""
    outcomes, faults = {"whole": 0, "error": 0}, 0
    network = Network(pause=lambda _: None, limits=Limits(window=10))
    with FakeRegistry() as fake, docker_registry(tmp_path / "registry") as real:
        fake.switches.strict = False
        registry = real if kind == "docker-registry" else fake
        for number in range(TIMES):
            image, name = LocalImage(layout(tmp_path, number)), f"me/app{number}"
            # From a fault now and then to one in every other request.
            with FaultyProxy(registry.host, number, share=2 + number % 8) as proxy:
                reference = (parse_reference(f"{proxy.host}/{name}:1"),)
                outcome = outcome_of(image, reference, RegistryOptions(network))
                outcomes[outcome] += 1
                faults += len(proxy.done)
            assert "1" in registry.tags(name) or outcome == "error"
            if "1" in registry.tags(name):
                assert registry.whole(name, "1")
            push(image, (parse_reference(f"{registry.host}/{name}:1"),), RegistryOptions(network))
            assert registry.whole(name, "1")
        assert all(whole for _, _, whole in fake.given)
    print(f"{kind}: {outcomes}, {faults} faults")
    assert faults > TIMES
    assert outcomes["whole"] > 0


def outcome_of(image: LocalImage, references: tuple[Reference, ...], options: RegistryOptions) -> str:
    """How a push ends."""
    try:
        push(image, references, options)
    except RegistryError as error:
        return "error" if error.message.startswith("cannot push ") else error.message
    return "whole"


@pytest.mark.slow
def test_a_push_that_is_killed_leaves_no_tag_that_is_not_whole(tmp_path: Path) -> None:
    """At each of its requests in turn; the next push makes it whole, and does not send again what arrived."""
    path, reached = layout(tmp_path, 1), 0
    for number in range(TIMES // 2):
        with FakeRegistry() as registry:
            registry.switches.strict = False
            reached += killed(path, registry, number)
            assert all(whole for _, _, whole in registry.given)
            arrived = len(registry.blobs)
            registry.clear()
            push(LocalImage(path), (parse_reference(f"{registry.host}/me/app:1"),), RegistryOptions())
            assert registry.whole("me/app", "1")
            assert registry.count("PUT", "/blobs/uploads/") <= BLOBS - arrived
    assert reached == TIMES // 2


def killed(path: str, registry: FakeRegistry, number: int) -> bool:
    """Push `path` by a process that is killed at a request of that number; whether it came so far."""
    seen, ready, process = [0], threading.Event(), list[subprocess.Popen[bytes]]()

    def watch(_: Request) -> None:
        ready.wait(10)
        seen[0] += 1
        # Each point of a push in turn.
        if seen[0] == 1 + number % REQUESTS:
            process[0].send_signal(signal.SIGKILL)

    registry.watch = watch
    command = (*COMMAND, "push", path, f"{registry.host}/me/app:1", "-q")
    with subprocess.Popen(command, env=environment({}), stdout=subprocess.DEVNULL) as started:
        process.append(started)
        ready.set()
        code = started.wait(60)
    registry.watch = lambda _: None
    return code == -signal.SIGKILL
