"""Which image of several fits a platform, and which layers can be read."""

from __future__ import annotations

import pytest

from minpack.digest import Digest
from minpack.errors import UnreadableImageError
from minpack.oci import mediatypes
from minpack.oci.documents import Descriptor, blob
from minpack.oci.image import BuiltImage
from minpack.oci.select import check_layers, contradiction, fitting_variants, no_platform, select_platform
from minpack.target import Platform, parse_platform


@pytest.mark.parametrize(
    ("wanted", "found", "chosen"),
    [
        ("linux/amd64", "linux/arm64 linux/amd64 linux/amd64/v3", "linux/amd64"),
        ("linux/amd64", "linux/amd64/v3 linux/amd64/v1", "linux/amd64/v1"),
        ("linux/amd64", "linux/amd64/v2", None),
        ("linux/amd64/v3", "linux/amd64 linux/amd64/v2 linux/amd64/v4", "linux/amd64/v2"),
        ("linux/arm64", "linux/arm64/v8", "linux/arm64/v8"),
        ("linux/arm64", "linux/arm64", "linux/arm64"),
        ("linux/arm64/v9", "linux/arm64/v8 linux/arm64/v9", "linux/arm64/v9"),
        ("linux/arm64", "linux/arm64/v9", None),
        ("linux/arm/v7", "linux/arm/v5 linux/arm/v6", "linux/arm/v6"),
        ("linux/arm/v6", "linux/arm/v7 linux/arm", None),
        ("linux/arm/v7", "linux/arm/v6 linux/arm", "linux/arm"),
        ("linux/arm", "linux/arm/v7", "linux/arm/v7"),
        ("linux/riscv64", "linux/riscv64", "linux/riscv64"),
        ("linux/386", "linux/amd64", None),
        ("linux/s390x", "windows/amd64 linux/s390x", "linux/s390x"),
    ],
)
def test_platforms(wanted: str, found: str, chosen: str | None) -> None:
    """The same variant, else the best that runs there; of several that fit alike the first."""
    platforms = [Platform(*text.split("/")) for text in found.split()]
    number = select_platform(platforms, Platform(*wanted.split("/")))
    assert (str(platforms[number]) if number is not None else None) == chosen


def test_the_first_of_those_that_fit_alike_is_taken() -> None:
    """As the specification has it (image-index.md)."""
    platform = parse_platform("linux/amd64")
    assert select_platform([platform, platform], platform) == 0
    assert fitting_variants(platform)[0] == ""


def test_what_an_image_is_for_is_named() -> None:
    """All its platforms, each once."""
    platforms = [parse_platform(text) for text in ("linux/amd64", "linux/386", "linux/amd64")]
    error = no_platform("app", parse_platform("linux/s390x"), platforms)
    assert error.message == "cannot use 'app': it is for linux/amd64, linux/386, not linux/s390x"


def test_tars_are_layers() -> None:
    """Of both families of names, in any compression."""
    types = [mediatypes.LAYER, mediatypes.LAYER_GZIP, mediatypes.LAYER_ZSTD, mediatypes.DOCKER_LAYER]
    types += ["application/vnd.docker.image.rootfs.diff.tar", "application/vnd.docker.image.rootfs.diff.tar.zstd"]
    check_layers([Descriptor(one, Digest("0" * 64), 1) for one in types], "app")


@pytest.mark.parametrize(
    ("media_type", "reason"),
    [
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "a foreign layer"),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", "a foreign layer"),
        ("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", "encrypted"),
        ("application/vnd.cncf.helm.chart.content.v1.tar+gzip", "not a layer of a root file system"),
        ("text/plain", "not a layer of a root file system"),
    ],
)
def test_other_layers_are_refused(media_type: str, reason: str) -> None:
    """With their number, digest and media type."""
    with pytest.raises(UnreadableImageError) as caught:
        check_layers(
            [Descriptor(mediatypes.LAYER, Digest("1" * 64), 1), Descriptor(media_type, Digest("0" * 64), 1)], "app"
        )
    assert f"layer 2 (sha256:{'0' * 64}, {media_type}) is {reason}" in caught.value.message
    assert caught.value.hint is not None


@pytest.mark.parametrize(
    ("listed", "own", "same"),
    [
        ("linux/amd64", "linux/amd64", True),
        ("linux/arm64", "linux/arm64/v8", True),
        ("linux/arm/v6", "linux/arm", True),
        ("linux/arm", "linux/arm/v6", True),
        ("linux/arm/v7", "linux/arm/v6", False),
        ("linux/amd64/v1", "linux/amd64/v3", False),
        ("linux/arm64", "linux/arm", False),
    ],
)
def test_what_contradicts(listed: str, own: str, same: bool) -> None:
    """A variant that is not said contradicts none, and one that is meant without it is the same."""
    platform, stated = (Platform(*text.split("/")) for text in (listed, own))
    empty = blob(mediatypes.CONFIG, {})
    image = BuiltImage(stated, empty, empty, (), (), platform)
    assert (contradiction(image) == "") is same
    assert contradiction(image._replace(listed=None)) == ""
