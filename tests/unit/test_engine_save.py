"""Images taken out of an engine: what it has as a base, what it has not, and what it says that cannot be."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

from minpack.base.options import BaseKind, BaseOptions
from minpack.engine.conversation import EngineLimits
from minpack.engine.save import save_image
from minpack.errors import EngineError, UnreadableImageError, WrongTargetError
from minpack.net.network import Network
from minpack.progress import no_progress
from minpack.sources.open import open_base
from minpack.spec.base_ref import parse_base
from minpack.target import parse_platform
from support.fake_engine import FakeEngine
from support.images import archive_bytes
from support.layers import facts_of

if TYPE_CHECKING:
    from pathlib import Path

SAVED = archive_bytes()
KNOWN = json.dumps({"Id": "sha256:1", "Size": len(SAVED)}).encode()


def test_an_image_of_an_engine_is_a_base(tmp_path: Path) -> None:
    """It is taken out of it as an archive, of which nothing is left."""
    (tmp_path / "temporary").mkdir()
    with FakeEngine(tmp_path / "socket", image=KNOWN, saved=SAVED) as engine:
        options = BaseOptions(
            str(tmp_path / "store"),
            Network(offline=True),
            "2026-11-30",
            temporary=str(tmp_path / "temporary"),
            engine={"DOCKER_HOST": engine.host},
        )
        for text in ("docker-daemon:me/app:1", "docker-daemon:app"):
            with open_base(parse_base(text), parse_platform("linux/amd64"), options, no_progress) as base:
                assert base.kind is BaseKind.IMAGE
                assert "/usr/bin/app" in facts_of(base.base)
        with (
            pytest.raises(WrongTargetError, match="'app:latest': it is for linux/amd64, not linux/arm64"),
            open_base(parse_base("docker-daemon:app"), parse_platform("linux/arm64"), options, no_progress),
        ):
            pass
        engine.saved = b"no archive"
        with (
            pytest.raises(UnreadableImageError),
            open_base(parse_base("docker-daemon:app"), parse_platform("linux/amd64"), options, no_progress),
        ):
            pass
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (None, "no such image"),
        (b"{}", "it does not say how large the image is"),
        (b'{"Size": -1}', "it does not say how large the image is"),
        (b'{"Size": true}', "it does not say how large the image is"),
        (b"text", "something else answers there"),
    ],
)
def test_what_an_engine_has_not_is_told(tmp_path: Path, image: bytes | None, reason: str) -> None:
    """With the name, and what to do."""
    with FakeEngine(tmp_path / "socket", image=image) as engine, pytest.raises(EngineError) as caught:
        save_image("app:1", lambda _: io.BytesIO(), environment={"DOCKER_HOST": engine.host}, progress=no_progress)
    assert caught.value.message == f"cannot take 'app:1' out of the engine at {engine.host}: {reason}"


def test_an_engine_that_gives_without_end_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More bytes than any image has are not taken."""
    monkeypatch.setattr("minpack.engine.save.MOST_SAVED", 1 << 20)
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    endless = {"/get": (head, bytes(1 << 16), 0.0)}
    image = json.dumps({"Size": 10}).encode()
    limits = EngineLimits(load=20)
    with FakeEngine(tmp_path / "socket", image=image, endless=endless) as engine:
        environment = {"DOCKER_HOST": engine.host}
        with pytest.raises(EngineError, match="more than 1048576 bytes"):
            save_image("app:1", lambda _: io.BytesIO(), environment=environment, progress=no_progress, limits=limits)
