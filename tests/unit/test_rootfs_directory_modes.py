"""Whose word counts on a directory's mode and owner, in whatever order options come, and where links lead them."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minpack.base.entries import base_of
from minpack.base.options import BaseOptions
from minpack.base.walk import Walker
from minpack.build.pack import pack
from minpack.errors import ContradictoryOptionsError, MinpackError, PathConflictError
from minpack.net.network import Network
from minpack.paths import RootPath
from minpack.program.place import own_entries, place
from minpack.program.read import read_program
from minpack.progress import no_progress
from minpack.rootfs.entry import Kind
from minpack.rootfs.etc_files import DEFAULT_USER, User
from minpack.sources.open import open_base
from minpack.spec.base_ref import parse_base
from minpack.spec.image import ImageSpec, RunConfig
from minpack.spec.values import parse_addition, parse_directory, parse_link, parse_place
from minpack.target import Platform
from support.badfiles import MUSL_LOADER
from support.elfmaker import MUSL, program, static_program
from support.tarmaker import archive, directory, member, symlink

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from minpack.plan.model import Plan

PLATFORM = Platform("linux", "amd64")
OPTIONS = BaseOptions(None, Network(offline=True), "2026-01-31")
#: An option and its value, as it is written.
Words = tuple[str, str]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs, trees to add, and a base with a merged /usr."""
    top = tmp_path_factory.mktemp("here")
    (top / "app").write_bytes(static_program())
    (top / "server").write_bytes(program((), interpreter=MUSL))
    (top / "seed.db").write_bytes(b"seed")
    for path in ("www/index.html", "ov/tmp/x", "ov/home/nonroot/.config/a", "ov/lib/app/b", "ov/data/c"):
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_bytes(path.encode())
    (top / "www").chmod(0o700)
    (top / "www" / "run").write_bytes(b"#!/bin/sh\n")
    (top / "www" / "run").chmod(0o700)
    (top / "www" / "index.html").chmod(0o600)
    (top / "www" / "sub").mkdir()
    (top / "base.tar").write_bytes(
        archive(
            directory("usr/lib/"),
            symlink("lib", "usr/lib"),
            symlink("var/run", "/run"),
            symlink("var/lock", "/run/lock"),
            directory("run/"),
            directory("tmp/", mode=0o1777),
            directory("var/crash/", mode=0o1777),
            directory("srv/", mode=0o700),
            member("usr/lib/ld-musl-x86_64.so.1", MUSL_LOADER, mode=0o755),
        )
    )
    return top


def request_of(here: Path, words: Iterable[Words], name: str = "app", user: User = DEFAULT_USER) -> ImageSpec:
    """The request that these options mean, of which paths of the host are below `here`."""
    found: dict[str, list[Any]] = {option: [] for option in ("--add", "--dir", "--symlink", "--volume", "--workdir")}
    for option, value in words:
        found[option].append(value)
    volumes = tuple(parse_place(text) for text in found["--volume"])
    workdir = RootPath((found["--workdir"] or ["/"])[0])
    return ImageSpec(
        (str(here / name),),
        additions=tuple(parse_addition(f"{here}/{text}") for text in found["--add"]),
        directories=tuple(parse_directory(text) for text in found["--dir"]),
        links=tuple(parse_link(text) for text in found["--symlink"]),
        run=RunConfig(user=user, volumes=volumes, workdir=workdir),
    )


def plan_of(here: Path, words: Iterable[Words], name: str = "app", user: User = DEFAULT_USER) -> Plan:
    """The plan; the dynamic program's base is the tarball."""
    base = parse_base(str(here / "base.tar")) if name == "server" else None
    return pack(request_of(here, words, name, user)._replace(base=base), OPTIONS, None).plan


def shown(plan: Plan) -> dict[str, str]:
    """Each path with its mode and owner, or its link."""
    return {
        str(entry.path): f"-> {entry.link}"
        if entry.kind is Kind.SYMLINK
        else f"{entry.mode:04o} {entry.uid}:{entry.gid}"
        for entry in plan.all
    }


NONROOT = "65532:65532"
USER = f"0755 {NONROOT}"
ROOT = "0755 0:0"
#: Options, and what paths must be then.
CASES: tuple[tuple[tuple[Words, ...], dict[str, str]], ...] = (
    ((("--add", "www:/tmp"),), {"/tmp": "1777 0:0", "/tmp/index.html": "0644 0:0", "/tmp/sub": ROOT}),
    ((("--add", "www:/var/tmp"),), {"/var/tmp": "1777 0:0"}),
    ((("--add", "seed.db:/var/tmp/a/b"),), {"/var/tmp": "1777 0:0", "/var/tmp/a": ROOT}),
    ((("--volume", "/tmp"),), {"/tmp": "1777 0:0"}),
    ((("--workdir", "/tmp"),), {"/tmp": "1777 0:0"}),
    ((("--dir", "/tmp"),), {"/tmp": "1777 0:0"}),
    ((("--dir", "/tmp:0700"),), {"/tmp": "0700 65532:65532"}),
    ((("--dir", "/tmp:0755:0:0"), ("--add", "www:/tmp"), ("--volume", "/tmp")), {"/tmp": ROOT}),
    ((("--add", "www:/home/nonroot"),), {"/home/nonroot": USER, "/home": ROOT}),
    ((("--add", "seed.db:/home/nonroot/a/b"),), {"/home/nonroot": USER, "/home/nonroot/a": ROOT}),
    ((("--workdir", "/home/nonroot"),), {"/home/nonroot": USER}),
    (
        (("--add", "ov/.:/"),),
        {"/tmp": "1777 0:0", "/home/nonroot": USER, "/home/nonroot/.config": ROOT, "/lib": ROOT, "/data": ROOT},
    ),
    (
        (("--add", "ov/.:/:0600:7:8"),),
        {"/tmp": "1777 0:0", "/home/nonroot": USER, "/home/nonroot/.config": "0700 7:8", "/data/c": "0600 7:8"},
    ),
    ((("--dir", "/data:0775:65532:0"), ("--add", "www:/data")), {"/data": "0775 65532:0"}),
    ((("--dir", "/data:0775:65532:0"), ("--volume", "/data"), ("--workdir", "/data")), {"/data": "0775 65532:0"}),
    ((("--dir", "/data:0700"), ("--dir", "/data"), ("--dir", "/data:0700:5:6")), {"/data": "0700 5:6"}),
    ((("--dir", "/data"), ("--add", "www:/data")), {"/data": USER}),
    ((("--dir", "/data:0700"), ("--add", "www:/data:0640:7:8")), {"/data": "0700 7:8", "/data/sub": "0750 7:8"}),
    ((("--volume", "/data"), ("--add", "seed.db:/data/seed.db")), {"/data": USER, "/data/seed.db": "0644 0:0"}),
    ((("--volume", "/data"), ("--add", "www:/data")), {"/data": USER, "/data/sub": ROOT}),
    ((("--volume", "/data"), ("--add", "www:/data:0640:7:8")), {"/data": "0750 7:8"}),
    ((("--volume", "/data"), ("--add", "www:/data:0640")), {"/data": "0750 65532:65532"}),
    ((("--volume", "/data/sub"), ("--volume", "/data")), {"/data": USER, "/data/sub": USER}),
    ((("--volume", "/data/sub"),), {"/data": ROOT, "/data/sub": USER}),
    ((("--dir", "/data/sub:0700:0:0"), ("--volume", "/data")), {"/data": USER, "/data/sub": "0700 0:0"}),
    ((("--dir", "/data/sub"), ("--workdir", "/data/sub/a"), ("--volume", "/data")), {"/data": USER, "/data/sub": USER}),
    ((("--workdir", "/data"), ("--volume", "/data")), {"/data": USER}),
    ((("--workdir", "/data"),), {"/data": ROOT}),
    ((("--symlink", "x:/data/link"), ("--volume", "/data")), {"/data": USER, "/data/link": "-> x"}),
    ((("--symlink", "/mnt/d:/data"), ("--volume", "/data")), {"/data": "-> /mnt/d", "/mnt/d": USER, "/mnt": ROOT}),
    ((("--symlink", "mnt/d:/data"), ("--workdir", "/data/w")), {"/data": "-> mnt/d", "/mnt/d/w": ROOT}),
    ((("--symlink", "d:/mnt/data"), ("--add", "www:/mnt/data")), {"/mnt/d": ROOT, "/mnt/d/index.html": "0644 0:0"}),
    ((("--symlink", "/b:/a"), ("--symlink", "/c:/a/x"), ("--dir", "/a/x/y")), {"/b/x": "-> /c", "/c/y": USER}),
    ((("--add", "www:/srv"), ("--add", "www/index.html:/srv/index.html:0400:7:8")), {"/srv/index.html": "0400 7:8"}),
    (
        (("--add", "www:/srv:0640:33:33"),),
        {
            "/srv": "0750 33:33",
            "/srv/sub": "0750 33:33",
            "/srv/index.html": "0640 33:33",
            "/srv/run": "0750 33:33",
        },
    ),
    ((("--add", "www:/srv:0755"),), {"/srv": ROOT, "/srv/index.html": "0644 0:0", "/srv/run": "0755 0:0"}),
    ((("--add", "www:/srv:0711"),), {"/srv": "0711 0:0", "/srv/index.html": "0600 0:0", "/srv/run": "0711 0:0"}),
    ((("--add", "app:/bin/su:4755"), ("--add", "www:/bin")), {"/bin/su": "4755 0:0", "/bin": ROOT}),
    ((("--add", "app:/usr/local/bin/app:4711:0:5"),), {"/usr/local/bin/app": "4711 0:5"}),
    ((("--add", "app:/usr/local/bin/app"),), {"/usr/local/bin/app": "0755 0:0"}),
    (
        (("--add", "www:/srv:0640"), ("--add", "ov:/srv:0600"), ("--dir", "/srv:0711")),
        {"/srv": "0711 65532:65532", "/srv/data": "0700 0:0", "/srv/sub": "0750 0:0"},
    ),
)


def _name(case: tuple[tuple[Words, ...], dict[str, str]]) -> str:
    return " ".join(f"{option} {value}" for option, value in case[0])


@pytest.mark.parametrize(("words", "expected"), CASES, ids=map(_name, CASES))
def test_the_most_specific_word_counts(here: Path, words: tuple[Words, ...], expected: dict[str, str]) -> None:
    """What an option says of a directory counts more than what it is there for, in whatever order they come."""
    trees = [shown(plan_of(here, order)) for order in permutations(words)]
    assert {path: trees[0].get(path) for path in expected} == expected
    assert all(tree == trees[0] for tree in trees)


#: The same over a base with a merged /usr, links in /var, and a directory to which all may write.
OVER_THE_BASE: tuple[tuple[tuple[Words, ...], dict[str, str]], ...] = (
    ((("--workdir", "/lib/app"),), {"/lib": "-> usr/lib", "/usr/lib/app": ROOT}),
    ((("--volume", "/var/run/app"),), {"/var/run": "-> /run", "/run/app": USER, "/run": ROOT}),
    ((("--volume", "/var/lock/app"),), {"/var/lock": "-> /run/lock", "/run/lock/app": USER, "/run/lock": ROOT}),
    ((("--volume", "/lib"),), {"/lib": "-> usr/lib", "/usr/lib": USER}),
    ((("--dir", "/lib/app:0700"), ("--volume", "/usr/lib/app")), {"/usr/lib/app": "0700 65532:65532"}),
    ((("--dir", "/var/run:0700:0:0"),), {"/var/run": "-> /run", "/run": "0700 0:0"}),
    ((("--symlink", "x:/lib/app/link"),), {"/lib": "-> usr/lib", "/usr/lib/app/link": "-> x"}),
    ((("--symlink", "../usr/lib:/opt/lib"), ("--add", "www:/opt/lib/www")), {"/usr/lib/www/index.html": "0644 0:0"}),
    (
        (("--add", "ov/.:/"),),
        {"/lib": "-> usr/lib", "/usr/lib/app/b": "0644 0:0", "/usr/lib/app": ROOT, "/tmp": "1777 0:0"},
    ),
    (
        (("--add", "ov/.:/"), ("--dir", "/lib/app:0711"), ("--workdir", "/lib/app")),
        {"/usr/lib/app": "0711 65532:65532"},
    ),
    ((("--add", "seed.db:/var/crash/a"),), {"/var/crash": "1777 0:0"}),
    (
        (("--add", "www:/var/crash"), ("--workdir", "/var/crash/sub")),
        {"/var/crash": "1777 0:0", "/var/crash/sub": ROOT},
    ),
    ((("--dir", "/var/crash:0755:5:5"), ("--add", "www:/var/crash")), {"/var/crash": "0755 5:5"}),
    ((("--add", "www:/srv"),), {"/srv": ROOT}),
)


@pytest.mark.parametrize(("words", "expected"), OVER_THE_BASE, ids=map(_name, OVER_THE_BASE))
def test_links_of_the_base_are_followed(here: Path, words: tuple[Words, ...], expected: dict[str, str]) -> None:
    """A path that leads through links of the base is where the links lead, and they are in the image."""
    plans = [plan_of(here, order, "server") for order in permutations(words)]
    trees = [shown(plan) for plan in plans]
    assert {path: trees[0].get(path) for path in expected} == expected
    assert all(tree == trees[0] for tree in trees)
    request = request_of(here, words)
    assert plans[0].config.workdir == request.run.workdir
    walker = Walker(base_of("image", plans[0].all))
    for path in (*plans[0].config.volumes, request.run.workdir):
        found = walker.walk(path).entry
        assert found is not None, f"nothing is at {path}"
        assert found.kind is Kind.DIRECTORY


#: Options that cannot be meant together, and what the error must name.
CONTRADICTIONS: tuple[tuple[tuple[Words, ...], type[MinpackError], tuple[str, ...]], ...] = (
    (
        (("--dir", "/data:0700"), ("--dir", "/data:0777")),
        ContradictoryOptionsError,
        ("--dir /data:0700", "--dir /data:0777", "'/data' a different mode"),
    ),
    (
        (("--dir", "/data:0700:1:1"), ("--dir", "/data:0700:1:2"), ("--volume", "/data")),
        ContradictoryOptionsError,
        ("--dir /data:0700:1:1", "--dir /data:0700:1:2", "a different owner"),
    ),
    (
        (("--add", "www:/srv:0640"), ("--add", "ov:/srv:0600")),
        ContradictoryOptionsError,
        ("www:/srv:0640", "ov:/srv:0600", "a different mode"),
    ),
    (
        (("--add", "seed.db:/a:0640"), ("--add", "seed.db:/a:0600")),
        ContradictoryOptionsError,
        ("seed.db:/a:0640", "seed.db:/a:0600", "a different mode"),
    ),
    (
        (("--symlink", "/b:/data"), ("--dir", "/b:0700"), ("--dir", "/data:0711")),
        ContradictoryOptionsError,
        ("--dir /b:0700", "--dir /data:0711", "'/b' a different mode"),
    ),
    ((("--symlink", "a:/x"), ("--symlink", "b:/x")), PathConflictError, ("--symlink a:/x", "--symlink b:/x")),
    ((("--add", "seed.db:/x"), ("--dir", "/x")), PathConflictError, ("seed.db:/x", "--dir /x")),
    ((("--add", "seed.db:/x"), ("--volume", "/x")), PathConflictError, ("seed.db:/x", "--volume /x")),
    ((("--add", "seed.db:/x"), ("--workdir", "/x/y")), PathConflictError, ("seed.db:/x", "/x/y")),
    ((("--add", "seed.db:/x"), ("--add", "www/index.html:/x")), PathConflictError, ("seed.db:/x", "index.html:/x")),
    ((("--dir", "/etc/passwd"),), PathConflictError, ("--dir /etc/passwd",)),
    (
        (("--symlink", "/b:/a"), ("--symlink", "/a:/b"), ("--dir", "/a/x")),
        PathConflictError,
        ("--dir /a/x", "symlink at"),
    ),
)


@pytest.mark.parametrize(
    ("words", "error", "named"), CONTRADICTIONS, ids=[_name((words, {})) for words, *_ in CONTRADICTIONS]
)
def test_contradictions_are_refused(
    here: Path, words: tuple[Words, ...], error: type[MinpackError], named: tuple[str, ...]
) -> None:
    """Two options that cannot both be heeded are named, whichever comes first."""
    for order in permutations(words):
        with pytest.raises(error) as caught:
            plan_of(here, order)
        for text in named:
            assert text in caught.value.message


KINDS: tuple[Words, ...] = tuple(
    dict.fromkeys(word for words, _ in (*CASES, *OVER_THE_BASE) for word in words if word[0] != "--workdir")
)


@pytest.mark.parametrize("name", ["app", "server"])
@settings(max_examples=40, deadline=None)
@given(words=st.lists(st.sampled_from(KINDS), max_size=7, unique=True), data=st.data())
def test_any_order_of_options_makes_the_same_tree(
    here: Path, name: str, words: list[Words], data: st.DataObject
) -> None:
    """Options in any order give one tree, or are refused, and the layer of what is the user's is known early."""
    seen = {outcome(here, order, name) for order in (words, data.draw(st.permutations(words)), words[::-1])}
    assert len(seen) == 1


def outcome(here: Path, words: list[Words], name: str) -> tuple[tuple[str, str], ...] | str:
    """The tree that these options give, or which kind of error."""
    try:
        plan = plan_of(here, words, name)
    except MinpackError as error:
        return error.kind
    request = request_of(here, words, name)
    program = read_program(str(here / name), RootPath(f"/usr/local/bin/{name}"))
    with open_base(parse_base(str(here / "base.tar")), PLATFORM, OPTIONS, no_progress) as opened:
        base = opened.base if name == "server" else base_of("scratch", ())
        assert own_entries(place(request, (program,), Walker(base)), request.run) == plan.upper
    return tuple(sorted(shown(plan).items()))
