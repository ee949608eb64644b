"""What was asked for, as provenance has it: by the names of options, without what only this host knows."""

from __future__ import annotations

import click
import pytest

from minpack.cli.app import app
from minpack.needs.need import Need
from minpack.oci.compression import Compression
from minpack.paths import RootPath
from minpack.rootfs.etc_files import User
from minpack.spec.base_ref import parse_base, parse_on
from minpack.spec.capability import parse_capability
from minpack.spec.image import Check, ImageSpec, RunConfig
from minpack.spec.parameters import parameters_of
from minpack.spec.values import AddedLink, parse_addition, parse_directory
from minpack.target import parse_platform

EVERYTHING = ImageSpec(
    ("/home/me/build/app", "./tool"),
    parse_base("/home/me/bases/root.tar.gz"),
    parse_platform("linux/arm64"),
    additions=(parse_addition("/home/me/conf/app.conf:/etc/app.conf:0640"), parse_addition("/home/me/web/:/srv")),
    directories=(parse_directory("/data:0700:7:7"),),
    links=(AddedLink(RootPath("/bin/app"), "/usr/local/bin/app"),),
    libraries=("/home/me/lib/libplug.so", "libother.so.1"),
    wanted=frozenset((Need.TZ, Need.CERTS)),
    unwanted=frozenset((Need.PASSWD,)),
    zone="Asia/Tokyo",
    ca_file="/home/me/ca.pem",
    locale="de_DE.UTF-8",
    run=RunConfig(
        *((), ("serve",), (("A", "b"),), User(7, 7), RootPath("/srv"), ("80/tcp",), (RootPath("/data"),)),
        *((("x", "y"),), "SIGINT", (("p", "q"),)),
    ),
    created=77,
    compression=Compression.ZSTD,
    single_layer=True,
    strip=True,
    packages=("libfoo",),
    package_data=False,
    allowed_missing=frozenset(("libcuda.so.1",)),
    retarget=True,
    taken=("/usr/share/foo",),
    on=parse_on("gcr.io/distroless/static"),
    bases=((parse_platform("linux/amd64"), parse_base("debian-12")),),
    owner=User(7, 7),
    excluded=("*.log",),
    capabilities=(parse_capability("net_bind_service"),),
)


def test_paths_of_the_host_are_names_alone() -> None:
    """Whatever a value is of."""
    found = parameters_of(EVERYTHING)
    assert "/home/me" not in str(found)
    assert found["program"] == ["app", "tool"]
    assert found["base"] == ["root.tar.gz", "linux/amd64=debian-12"]
    assert found["add"] == ["app.conf:/etc/app.conf:0640", "web:/srv"]
    assert found["ca-file"] == "ca.pem"
    assert found["add-lib"] == ["libplug.so", "libother.so.1"]


@pytest.mark.parametrize(
    ("base", "public"),
    [
        ("/", "/"),
        ("debian-12", "debian-12"),
        ("scratch", "scratch"),
        ("oci:/home/me/layout:1.0", "oci:layout:1.0"),
        ("docker://alpine:3.22", "docker://docker.io/library/alpine:3.22"),
        ("./here/", "here"),
    ],
)
def test_bases_have_their_public_names(base: str, public: str) -> None:
    """A path is what it is called last."""
    assert parameters_of(ImageSpec(("app",), parse_base(base)))["base"] == public


def test_defaults_are_left_out() -> None:
    """What changes no byte, too."""
    spec = ImageSpec(("app",), check=Check.NONE, threads=4, why=True, strict=True)
    assert parameters_of(spec) == {"program": ["app"]}


def test_parameters_are_called_as_options() -> None:
    """Of pack, by their long names; the programs have none."""
    context = click.Context(app)
    command = app.get_command(context, "pack")
    assert command is not None
    options = {name for one in command.params for name in one.opts if name.startswith("--")}
    assert {f"--{key}" for key in parameters_of(EVERYTHING)} - {"--program"} <= options


def test_every_field_is_a_parameter_or_changes_no_byte() -> None:
    """A new one fails here until it is one of them."""
    idle = {
        *("threads", "check", "why", "strict"),
        # What follows from the others, or from the host's files.
        *("inherits", "umask"),
        # Other words for what is in EVERYTHING.
        *("destination", "directory", "platforms"),
    }
    whole = parameters_of(EVERYTHING)
    for field in ImageSpec._fields:
        changed = EVERYTHING._replace(**{field: ImageSpec._field_defaults.get(field, ())})
        assert (parameters_of(changed) == whole) == (field in idle), field
