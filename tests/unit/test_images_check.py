"""What `minpack check` says of images that start and of images that are broken in one way each."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from minpack.base.options import BaseOptions
from minpack.errors import UnreadableImageError
from minpack.images.check import CheckedImage, check_found
from minpack.images.finding import CODES, Finding, Severity
from minpack.net.network import Network
from minpack.progress import no_progress
from minpack.spec.image_ref import parse_image_ref
from minpack.target import parse_platform
from support.elfmaker import GLIBC, MUSL, static_program
from support.layers import Layer, config_of, described, dumped, layer, link, member, put_blobs, tar_of, write_index
from support.packing import minpack
from support.startways import (
    BROKEN,
    MULTIARCH,
    PATH,
    WARNED,
    StartCase,
    app,
    case,
    dynamic,
    glibc,
    good,
    passwd,
    saved,
    shell,
)
from support.tools import need_file, need_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def checked(path: Path, **values: Any) -> tuple[CheckedImage, ...]:
    """What is found in the image at `path`."""
    options = BaseOptions(**{"store": None, "network": Network(offline=True), "today": "2026-11-30", **values})
    return check_found(parse_image_ref(str(path)), options, no_progress)[1]


def findings(one: StartCase, tmp_path: Path) -> tuple[Finding, ...]:
    """What is found in an image of one platform."""
    archive = tmp_path / "image.tar"
    archive.write_bytes(saved(one, "me/app:1"))
    (found,) = checked(archive)
    assert all(finding.code in CODES for finding in found.findings)
    assert found.starts == all(finding.level != Severity.ERROR for finding in found.findings)
    return found.findings


def found_in(*members: Any, tmp_path: Path, **values: Any) -> list[tuple[str, str, str]]:
    """The level, code and path of what is found in an image of these members."""
    return [(one.level, one.code, one.path) for one in findings(case("image", *members, **values), tmp_path)]


@pytest.fixture(autouse=True)
def _loaders() -> None:
    """The images have loaders and libraries of this host."""
    for path in (GLIBC, MUSL, "busybox"):
        need_file(path) if path.startswith("/") else need_tool(path)


def test_what_starts_has_no_errors(tmp_path: Path) -> None:
    """Each by another rule of the kernel's, an engine's or a loader's."""
    for one in good():
        errors = [finding for finding in findings(one, tmp_path) if finding.level is Severity.ERROR]
        assert errors == [], one.name


@pytest.mark.parametrize("way", BROKEN, ids=lambda way: way.__name__)
def test_what_does_not_start_is_told_by_its_cause(way: Callable[[], Iterator[StartCase]], tmp_path: Path) -> None:
    """One error, with the code and the path of what is wrong, and what to do."""
    for one in way():
        errors = [finding for finding in findings(one, tmp_path) if finding.level is Severity.ERROR]
        assert [(finding.code, finding.path) for finding in errors] == [(one.code, one.path)], one.name
        assert errors[0].reason
        assert errors[0].hint or one.code in ("not-a-program", "operating-system")


@pytest.mark.parametrize("way", WARNED, ids=lambda way: way.__name__)
def test_what_fails_at_something_starts_with_a_warning(way: Callable[[], Iterator[StartCase]], tmp_path: Path) -> None:
    """One, with the code and the path."""
    for one in way():
        found = [(finding.level, finding.code, finding.path) for finding in findings(one, tmp_path)]
        assert found == [(Severity.WARNING, one.code, one.path)], one.name


def test_a_missing_library_is_told_with_who_needs_it(tmp_path: Path) -> None:
    """And where the loader looks for it; each by itself."""
    one = case("two", member("bin/app", dynamic("liba.so", "libb.so", runpath="/opt")), *glibc())
    first, second = findings(one, tmp_path)
    assert (first.path, second.path) == ("liba.so", "libb.so")
    assert first.reason.startswith("/bin/app needs it, but it is in none of /opt, ")


def test_a_version_and_a_symbol_that_no_library_defines(tmp_path: Path) -> None:
    """What is looked up at the start must be there; what is called later is a warning."""
    from support.symbolmaker import Need, Symbol, linked_elf

    libc = [Symbol("none", 0, version=2)]
    versioned = linked_elf(
        libc,
        needs=[Need("libc.so.6", "GLIBC_2.99", 2)],
        needed=["libc.so.6"],
        interpreter=GLIBC,
        relocations=[("none", 6)],
    )
    assert found_in(member("bin/app", versioned.data), *glibc(), tmp_path=tmp_path) == [
        (Severity.ERROR, "missing-version", "/bin/app")
    ]
    bare = [Symbol("none", 0)]
    now = linked_elf(bare, needed=["libc.so.6"], interpreter=GLIBC, relocations=[("none", 6)])
    assert found_in(member("bin/app", now.data), *glibc(), tmp_path=tmp_path) == [
        (Severity.ERROR, "missing-symbol", "/bin/app")
    ]
    later = linked_elf(bare, needed=["libc.so.6"], interpreter=GLIBC, jumps=[("none", 7)])
    assert found_in(member("bin/app", later.data), *glibc(), tmp_path=tmp_path) == [
        (Severity.WARNING, "lazy-symbol", "/bin/app")
    ]


def test_what_the_program_asks_for_and_the_image_lacks(tmp_path: Path) -> None:
    """The same as pack would bring; nothing is said where it is there."""
    from support.gomaker import go_program

    server = member("bin/app", go_program().data)
    lacking = found_in(server, tmp_path=tmp_path)
    assert {path for _, code, path in lacking if code in ("need", "tmp")} == {"certs", "tz", "tmp", "passwd"}
    bundle = member("etc/ssl/cert.pem", b"x")
    there = (
        bundle,
        member("usr/share/zoneinfo/Europe/Berlin", b"TZif"),
        member("tmp", mode=0o1777),
        passwd("root:x:0:0::/:"),
    )
    assert found_in(server, *there, tmp_path=tmp_path) == []
    paris = {"Env": [PATH, "TZ=Europe/Paris"]}
    assert found_in(server, *there, config=paris, tmp_path=tmp_path) == [(Severity.WARNING, "need", "tz")]
    closed = (*there[:2], member("tmp", mode=0o755), there[3])
    assert found_in(server, *closed, config={"User": "7"}, tmp_path=tmp_path) == [(Severity.WARNING, "tmp", "tmp")]


def test_what_starts_others_is_followed(tmp_path: Path) -> None:
    """Through inits and env, to a script and its interpreter; what nobody can tell counts as good."""
    tini = member("sbin/tini", static_program())
    lost = [(Severity.ERROR, "not-in-path", "none")]
    assert found_in(app(), tini, entrypoint=("tini", "--", "app"), tmp_path=tmp_path) == []
    assert found_in(app(), tini, entrypoint=("tini", "-g", "--", "none"), tmp_path=tmp_path) == lost
    assert found_in(app(), tini, entrypoint=("tini", "-p", "TERM", "none"), tmp_path=tmp_path) == []
    assert found_in(app(), *shell(), entrypoint=("sh", "-c", "cd / && none"), tmp_path=tmp_path) == []
    assert found_in(app(), *shell(), entrypoint=("sh", "-c", "echo none"), tmp_path=tmp_path) == []


def test_a_set_id_program_is_told(tmp_path: Path) -> None:
    """And one with capabilities that containers have; a mode without an executable bit is none."""
    data = b"\1\0\0\2" + (1 << 10).to_bytes(4, "little") + bytes(12)
    bound = app("bin/bound", pax_headers={"SCHILY.xattr.security.capability": data.decode("latin-1")})
    members = (app(), app("bin/su", mode=0o4755), app("bin/no", mode=0o4644), bound)
    assert found_in(*members, tmp_path=tmp_path) == [
        (Severity.NOTE, "set-id", "/bin/bound"),
        (Severity.NOTE, "set-id", "/bin/su"),
    ]


def test_links_that_lead_nowhere_are_told(tmp_path: Path) -> None:
    """But for those to what a runtime mounts."""
    links = (
        *(link("a", "none"), link("b", "/proc/self/fd/1"), link("c", "/etc/resolv.conf"), link("d", "bin/app")),
        *(link("etc/mtab", "../proc/mounts"), link("e/f", "../none")),
    )
    found = [(Severity.NOTE, "dangling-link", path) for path in ("/a", "/e/f")]
    assert found_in(app(), *links, tmp_path=tmp_path) == found


def test_public_things_are_no_secrets(tmp_path: Path) -> None:
    """Certificates, locked accounts, and variables that say where a secret is."""
    members = (
        member("srv/cert.pem", b"-----BEGIN CERTIFICATE-----\n"),
        member("etc/shadow", b"root:*:1::::::\nme:!:1::::::\n"),
        member("root/.ssh/id_ed25519.pub", b"x"),
    )
    env = {"Env": [PATH, "TOKEN_FILE=/run/token", "PASSWORD=", "SECRET_NAME=me", "KEY_DIR=/keys"]}
    assert found_in(app(), *members, config=env, tmp_path=tmp_path) == []


def test_the_user_is_looked_up_as_engines_do(tmp_path: Path) -> None:
    """By name or number, with the group of the list or the one that is named; an empty line harms nobody."""
    users = passwd("me:x:7:8::/:", "", "# a comment", "odd:x:none:8::/:", "me:x:9:9::/:")
    assert found_in(app(mode=0o710, uid=1, gid=8), users, config={"User": "me"}, tmp_path=tmp_path) == []
    assert found_in(app(mode=0o710, uid=1, gid=8), users, config={"User": "7"}, tmp_path=tmp_path) == []
    assert found_in(app(mode=0o710, uid=1, gid=8), users, config={"User": "me:9"}, tmp_path=tmp_path) == [
        (Severity.ERROR, "not-executable", "/bin/app")
    ]
    assert found_in(app(), users, config={"User": "odd"}, tmp_path=tmp_path) == [
        (Severity.ERROR, "unknown-user", "odd")
    ]


def write_platforms(path: Path, **images: tuple[Layer, bytes]) -> None:
    """A layout that lists an image for each architecture."""
    entries = []
    for architecture, (one, config) in images.items():
        manifest = dumped(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": described("application/vnd.oci.image.config.v1+json", config),
                "layers": [one.descriptor()],
            }
        )
        put_blobs(path, one.blob, config, manifest)
        entries.append(described(MANIFEST, manifest, platform={"os": "linux", "architecture": architecture}))
    index = dumped({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries})
    put_blobs(path, index)
    write_index(path, [described("application/vnd.oci.image.index.v1+json", index)])


def platform_image(architecture: str, machine: str) -> tuple[Layer, bytes]:
    """An image that says it is for an architecture, with a program for that machine."""
    one = layer(tar_of(member("app", static_program(machine=machine))))
    return one, config_of([one], ("linux", architecture), {"Entrypoint": ["/app"]})


def test_the_images_of_all_platforms_are_checked(tmp_path: Path) -> None:
    """Each for its own; one alone where it is asked for."""
    write_platforms(
        tmp_path / "layout", amd64=platform_image("amd64", "x86_64"), arm64=platform_image("arm64", "x86_64")
    )
    first, second = checked(tmp_path / "layout")
    assert (str(first.platform), first.findings) == ("linux/amd64", ())
    assert (str(second.platform), second.findings[0].code) == ("linux/arm64", "wrong-architecture")
    options = BaseOptions(None, Network(offline=True), "2026-11-30")
    ref, wanted = parse_image_ref(str(tmp_path / "layout")), parse_platform("linux/amd64")
    assert check_found(ref, options, no_progress, wanted)[1] == (first,)


def test_an_index_that_says_another_platform_is_told(tmp_path: Path) -> None:
    """It starts where it is for, and engines look for it elsewhere."""
    write_platforms(tmp_path / "layout", arm64=platform_image("amd64", "x86_64"))
    ((found,),) = (image.findings for image in checked(tmp_path / "layout"))
    assert (found.level, found.code) == (Severity.WARNING, "platform")


def test_what_minpack_packs_has_no_findings(tmp_path: Path) -> None:
    """Static and dynamic programs, with data, users, volumes and directories of their own."""
    from support.gomaker import go_program

    base, static = tmp_path / "base", tmp_path / "static"
    for path in (GLIBC, f"{MULTIARCH}/libc.so.6"):
        (base / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (base / path.lstrip("/")).write_bytes(Path(path).read_bytes())
        (base / path.lstrip("/")).chmod(0o755)
    for name, data in (("static", static_program()), ("go", go_program().data), ("dynamic", dynamic("libc.so.6"))):
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(0o755)
    calls = (
        (static,),
        (static, "--user", "1234:5", "--workdir", "/work", "--volume", "/data", "--entrypoint", "static"),
        (tmp_path / "go", "--tz", "Europe/Berlin"),
        (tmp_path / "dynamic", "--base", base),
        (tmp_path / "dynamic", "--base", base, "--single-layer", "--user", "root"),
    )
    for number, call in enumerate(calls):
        minpack(*call, "-o", tmp_path / f"{number}.tar")
        assert [one.findings for one in checked(tmp_path / f"{number}.tar")] == [()], call


def test_a_layer_that_nobody_reads_is_told(tmp_path: Path) -> None:
    """Encrypted ones, and more than engines take."""
    one = layer(tar_of(app()))
    encrypted = one._replace(media_type=f"{one.media_type}+encrypted")
    config = config_of([one], config_values={"Entrypoint": ["/bin/app"]})
    write_platforms(tmp_path / "layout", amd64=(encrypted, config))
    ((found,),) = (image.findings for image in checked(tmp_path / "layout"))
    assert (found.level, found.code) == (Severity.ERROR, "layer")
    assert "encrypted" in found.reason


VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 1e300, "", "x", "/", "/x\0y", "=", "\ud800", [], {}, [None], [""], ["/bin/app", 1]),
    *({"": {}}, {"Test": 1}, {"Test": ["CMD"]}, {"Test": [], "Interval": "x"}, ["A"], ["=", "B=1"], "7:", ":", "a:b:c"),
)


def test_no_configuration_ends_in_an_error_that_nobody_expects(tmp_path: Path) -> None:
    """Whatever members have whatever values, it is checked: what cannot be meant is a finding."""
    random = Random(17)  # noqa: S311 - the same each time
    keys = ("Entrypoint", "Cmd", "Env", "User", "WorkingDir", "Volumes", "ExposedPorts", "Healthcheck", "StopSignal")
    more = ("history", "created", "variant", "config")
    for _ in range(60):
        config = {"Entrypoint": ["/bin/app"], **{key: random.choice(VALUES) for key in random.sample(keys, 2)}}
        stated = {key: random.choice(VALUES) for key in random.sample(more, random.choice((0, 1)))}
        one = case("random", app(), config=config, more=stated)
        assert all(finding.code in CODES for finding in findings(one, tmp_path)), (config, stated)


def test_what_is_no_image_is_an_error(tmp_path: Path) -> None:
    """And not a finding: nothing is there that could start."""
    (tmp_path / "text").write_bytes(b"text")
    for name in ("text", "none.tar"):
        with pytest.raises(UnreadableImageError):
            checked(tmp_path / name)


def test_what_is_kept_says_the_same(tmp_path: Path) -> None:
    """The second time nothing is unpacked."""
    archive = tmp_path / "image.tar"
    archive.write_bytes(saved(case("image", app(), app("bin/su", mode=0o4755)), "me/app:1"))
    store = str(tmp_path / "store")
    assert checked(archive, store=store) == checked(archive, store=store) == checked(archive)
