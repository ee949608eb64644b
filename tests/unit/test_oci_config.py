"""The configuration of any image is read as it stands there; what cannot be one is refused."""

from __future__ import annotations

from typing import Any

import pytest

from minpack.errors import UnreadableImageError
from minpack.oci import mediatypes
from minpack.oci.config import read_config
from minpack.oci.documents import ImageConfig, blob
from minpack.oci.image import BuiltImage
from minpack.target import Platform

PLATFORM = Platform("linux", "amd64")


def image(config: Any) -> BuiltImage:
    """An image whose configuration has this member."""
    manifest = blob(mediatypes.MANIFEST, {})
    return BuiltImage(PLATFORM, blob(mediatypes.CONFIG, {"config": config}), manifest, (), ())


def test_all_that_runtimes_heed_is_read() -> None:
    """In its order; a variable without a value is empty."""
    stated = {
        "Entrypoint": ["/app", "-x"],
        "Cmd": ["a"],
        "Env": ["B=1=2", "A", "B=3"],
        "User": "65532:0",
        "WorkingDir": "/data",
        "ExposedPorts": {"80/tcp": {}},
        "Volumes": {"/v": {}},
        "Labels": {"k": "v"},
        "StopSignal": "SIGQUIT",
        "Healthcheck": {"Test": ["NONE"]},
    }
    assert read_config(image(stated), "x") == ImageConfig(
        *(PLATFORM, ("/app", "-x"), 0, ("a",), (("B", "1=2"), ("A", ""), ("B", "3"))),
        user="65532:0",
        workdir="/data",
        exposed=("80/tcp",),
        volumes=("/v",),
        labels=(("k", "v"),),
        stop_signal="SIGQUIT",
    )


@pytest.mark.parametrize("stated", [None, {}, {"Entrypoint": None, "Cmd": None, "Env": None, "Volumes": None}])
def test_what_is_left_out_is_empty(stated: Any) -> None:
    """So do null and nothing mean the same, as Docker writes the one and others the other."""
    assert read_config(image(stated), "x") == ImageConfig(PLATFORM, ())


@pytest.mark.parametrize(
    "stated",
    [
        *([], "x", {"Entrypoint": "/app"}, {"Cmd": [1]}, {"Env": {}}, {"User": 0}, {"Volumes": []}),
        *({"Labels": {"a": 1}}, {"Entrypoint": ["a\0b"]}),
    ],
)
def test_what_is_of_another_type_is_refused(stated: Any) -> None:
    """With the member that is."""
    with pytest.raises(UnreadableImageError, match="config"):
        read_config(image(stated), "x")
