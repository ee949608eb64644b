"""Images that start and images broken in one way each, with what is wrong: what `minpack check` is compared with.

Each way is a function that gives its images. A program that starts ends with `CODE`, as no engine and no loader does.
"""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from support.elfmaker import GLIBC, MUSL, library, make_elf, program, static_program
from support.layers import Layer, layer, link, member, tar_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

#: What a program that starts ends with.
CODE = 42
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MULTIARCH = "/lib/x86_64-linux-gnu"
Member = tuple[tarfile.TarInfo, bytes]


class StartCase(NamedTuple):
    """An image: its layers, what its configuration says, and how it is broken: by which code, at which path or setting.

    `damage` changes its files in a saved archive, by name; `built` is False where nothing but a program of the tests
    makes such an image.
    """

    name: str
    layers: tuple[Layer, ...]
    config: dict[str, Any]
    code: str = ""
    path: str = ""
    more: Mapping[str, Any] = MappingProxyType({})
    damage: Callable[[dict[str, bytes]], dict[str, bytes]] | None = None
    built: bool = True


def case(
    name: str,
    *members: Member,
    code: str = "",
    path: str = "",
    entrypoint: tuple[str, ...] | None = ("/bin/app",),
    **more: Any,
) -> StartCase:
    """The image of one layer."""
    config = {"Entrypoint": list(entrypoint)} if entrypoint is not None else {}
    config |= {"Env": [PATH], **more.pop("config", {})}
    return StartCase(name, (layer(tar_of(*members)),), config, code, path, **more)


def unlike(exit_code: int = CODE) -> bytes:
    """A static program unlike any other: engines do not read a layer that they know."""
    return static_program(exit_code, overlay=os.urandom(16))


def app(name: str = "bin/app", **values: Any) -> Member:
    """The program."""
    return member(name, unlike(), **values)


def host(path: str, name: str = "") -> Member:
    """A file of this host."""
    return member((name or path).lstrip("/"), Path(path).read_bytes())


def glibc(*names: str) -> tuple[Member, ...]:
    """The loader of glibc and its library, and other libraries of this host."""
    libraries = (host(f"{MULTIARCH}/{name}") for name in ("libc.so.6", *names))
    return (host(GLIBC), *libraries)


def musl() -> tuple[Member, ...]:
    """The loader of musl, which is its library."""
    return (host(MUSL),)


def dynamic(*needed: str, interpreter: str = GLIBC, runpath: str | None = None) -> bytes:
    """A dynamic program that ends with `CODE` once all is loaded."""
    return program(needed, interpreter=interpreter, exit_code=CODE, runpath=runpath) + os.urandom(16)


def shell() -> tuple[Member, ...]:
    """A shell, and glibc for it."""
    return (*glibc("libresolv.so.2"), host("/bin/busybox"), link("bin/sh", "busybox"), link("bin/env", "busybox"))


def passwd(*lines: str) -> Member:
    """/etc/passwd with these users."""
    return member("etc/passwd", "".join(f"{line}\n" for line in lines).encode(), mode=0o644)


def group(*lines: str) -> Member:
    """/etc/group with these groups."""
    return member("etc/group", "".join(f"{line}\n" for line in lines).encode(), mode=0o644)


# What starts.


def good() -> Iterator[StartCase]:
    """Images that start, each by another rule."""
    yield case("static", app())
    yield case("by name", app(), entrypoint=("app",))
    yield case("by cmd", app(), entrypoint=None, config={"Cmd": ["app"]})
    yield case("default path", app("usr/local/bin/app"), entrypoint=("app",), config={"Env": []})
    yield case("relative to the directory", app("srv/app"), entrypoint=("./app",), config={"WorkingDir": "/srv"})
    yield case("no such directory", app(), config={"WorkingDir": "/none/of/it"})
    yield case("through links", app("opt/v1/app"), link("opt/now", "v1"), link("bin/app", "../opt/now/app"))
    yield case("through a linked bin", app("usr/bin/app"), link("bin", "usr/bin"))
    yield case("hard link", app("usr/app"), link("bin/app", "usr/app", hard=True))
    yield case("as a number", app(), config={"User": "65532:65532"})
    yield case("as a number alone", app(mode=0o710, uid=7, gid=0), config={"User": "1234"})
    yield case("as its owner", app(uid=7, mode=0o500), config={"User": "7:8"})
    yield case("as a name", app(mode=0o010, gid=8), passwd("me:x:7:8::/:"), config={"User": "me"})
    yield case(
        "as a name and group",
        app(mode=0o010, gid=9),
        passwd("me:x:7:8::/:"),
        group("us:x:9:"),
        config={"User": "me:us"},
    )
    yield case(
        "in a further group", app(mode=0o010, gid=9), passwd("me:x:7:8::/:"), group("us:x:9:me"), config={"User": "me"}
    )
    yield case("only executable", app(mode=0o111), config={"User": "7"})
    yield case("script", app(), member("bin/script", b"#!/bin/app\n"), entrypoint=("/bin/script",))
    yield case("script with blanks", app(), member("bin/script", b"#! \t/bin/app -x y\n"), entrypoint=("/bin/script",))
    yield case(
        "script of a script",
        app(),
        member("bin/a", b"#!/bin/app\n"),
        member("bin/b", b"#!/bin/a\n"),
        entrypoint=("/bin/b",),
    )
    yield case("glibc", member("bin/app", dynamic("libc.so.6")), *glibc())
    yield case("musl", member("bin/app", dynamic("libc.so", interpreter=MUSL)), *musl())
    yield case("library", member("bin/app", dynamic("libm.so.6", "libc.so.6")), *glibc("libm.so.6"))
    yield case(
        "runpath",
        member("bin/app", dynamic("liba.so", runpath="$ORIGIN/../opt")),
        member("opt/liba.so", library("liba.so")),
        *glibc(),
    )
    yield case(
        "library path",
        member("bin/app", dynamic("liba.so")),
        member("opt/liba.so", library("liba.so")),
        *glibc(),
        config={"Env": [PATH, "LD_LIBRARY_PATH=/opt"]},
    )
    yield case(
        "nothing to preload", member("bin/app", dynamic("libc.so.6")), *glibc(), config={"Env": ["LD_PRELOAD=/none.so"]}
    )
    yield case("shell", app(), *shell(), entrypoint=("/bin/sh", "-c", "exec /bin/app"))
    yield case("found by env", app(), *shell(), member("bin/run", b"#!/bin/env app\n"), entrypoint=("run",))
    yield case("volume", app(), config={"Volumes": {"/data": {}}})
    yield case("volume there", app(), member("data"), config={"Volumes": {"/data": {}}})
    yield case("signal", app(), config={"StopSignal": "SIGRTMIN+3"})
    yield case("port", app(), config={"ExposedPorts": {"80/tcp": {}, "8000-8010/udp": {}}})
    yield case("label", app(), config={"Labels": {"a": "b"}})
    yield case("set-id", app(mode=0o4755), config={"User": "7"})
    yield case("health", app(), config={"Healthcheck": {"Test": ["CMD", "/bin/app"], "Interval": 10**9}})
    yield case("no health", app(), config={"Healthcheck": {"Test": ["NONE"]}})
    yield case("proc is a file", app(), member("proc", b""))
    yield case("etc is a file", app(), member("etc", b""))
    yield case("whiteout before", app(), member("srv/.wh.x", b""), member("srv/x", b"1"))
    yield case("links to what is mounted", app(), link("etc/mtab", "/proc/mounts"), link("var/log/out", "/dev/stdout"))
    yield StartCase(
        "hidden and back", _layers([app("bin/old")], [member("bin/.wh.old", b""), app()]), {"Entrypoint": ["/bin/app"]}
    )
    yield StartCase("replaced", _layers([member("bin/app", b"text")], [app()]), {"Entrypoint": ["/bin/app"]})


def _layers(*layers: list[Member]) -> tuple[Layer, ...]:
    return tuple(layer(tar_of(*members)) for members in layers)


# What starts, and fails at something.


def unknown_signal() -> Iterator[StartCase]:
    """Unknown signal."""
    yield case(
        "unknown signal", app(), config={"StopSignal": "SIGNONE"}, code="setting", path="StopSignal", built=False
    )


def impossible_port() -> Iterator[StartCase]:
    """Impossible port."""
    yield case(
        "impossible port",
        app(),
        config={"ExposedPorts": {"http": {}}},
        code="setting",
        path="ExposedPorts",
        built=False,
    )


def impossible_health() -> Iterator[StartCase]:
    """Impossible health."""
    stated = {"Test": ["CMD", "/bin/app"], "Interval": -5}
    yield case(
        "impossible health", app(), config={"Healthcheck": stated}, code="setting", path="Healthcheck", built=False
    )


def health_check_that_is_not_there() -> Iterator[StartCase]:
    """Health check that is not there."""
    yield case(
        "no health check",
        app(),
        config={"Healthcheck": {"Test": ["CMD", "/bin/health"]}},
        code="health-check",
        path="/bin/health",
    )
    yield case(
        "no shell for it",
        app(),
        config={"Healthcheck": {"Test": ["CMD-SHELL", "app"]}},
        code="health-check",
        path="/bin/sh",
    )
    yield case(
        "no curl for it",
        app(),
        *shell(),
        config={"Healthcheck": {"Test": ["CMD-SHELL", "curl -f http://localhost/"]}},
        code="health-check",
        path="curl",
    )


def nothing_to_preload() -> Iterator[StartCase]:
    """Nothing to preload."""
    members = (member("bin/app", dynamic("libc.so.6")), *glibc())
    yield case("nothing to preload", *members, config={"Env": ["LD_PRELOAD=/none.so"]}, code="preload", path="/none.so")


def volume_of_root() -> Iterator[StartCase]:
    """Volume of root."""
    yield case(
        "volume of root",
        app(),
        member("data"),
        config={"User": "7", "Volumes": {"/data": {}}},
        code="volume",
        path="/data",
    )


def closed_workdir() -> Iterator[StartCase]:
    """Closed workdir."""
    config = {"User": "7", "WorkingDir": "/srv"}
    yield case(
        "closed workdir", app(), member("srv", mode=0o700), config=config, code="workdir", path="/srv", built=False
    )


def secrets() -> Iterator[StartCase]:
    """Secrets."""
    yield case("ssh key", app(), member("root/.ssh/id_ed25519", b"x"), code="secret", path="/root/.ssh/id_ed25519")
    yield case(
        "private key",
        app(),
        member("srv/tls.key", b"-----BEGIN PRIVATE KEY-----\n"),
        code="secret",
        path="/srv/tls.key",
    )
    yield case("password", app(), member("etc/shadow", b"root:$6$x$y:1::::::\n"), code="secret", path="/etc/shadow")
    yield case("variable", app(), config={"Env": [PATH, "DB_PASSWORD=hunter2"]}, code="secret", path="Env")
    layers = _layers([app(), member("srv/.netrc", b"x")], [member("srv/.wh..netrc", b"")])
    yield StartCase("hidden secret", layers, {"Entrypoint": ["/bin/app"], "Env": [PATH]}, "secret", "/srv/.netrc")


# What does not: the entrypoint.


def nothing_to_start() -> Iterator[StartCase]:
    """Nothing to start."""
    yield case("no command", app(), entrypoint=None, code="no-command")
    yield case("empty name", app(), entrypoint=("",), code="not-found")


def not_there() -> Iterator[StartCase]:
    """Not there."""
    yield case("not there", app(), entrypoint=("/usr/bin/app",), code="not-found", path="/usr/bin/app")
    yield case(
        "not in the directory",
        app(),
        entrypoint=("./app",),
        config={"WorkingDir": "/srv"},
        code="not-found",
        path="/srv/app",
    )


def not_in_path() -> Iterator[StartCase]:
    """Not in path."""
    yield case("not in PATH", app("opt/app"), entrypoint=("app",), code="not-in-path", path="app")
    yield case(
        "in no PATH", app(), entrypoint=("app",), config={"Env": ["PATH=/usr/bin:/opt"]}, code="not-in-path", path="app"
    )


def hidden() -> Iterator[StartCase]:
    """Hidden."""
    members = _layers([app()], [member("bin/.wh.app", b"")])
    yield StartCase("hidden", members, {"Entrypoint": ["/bin/app"]}, "not-found", "/bin/app")


def no_file() -> Iterator[StartCase]:
    """No file."""
    yield case("directory", app("bin/app/app"), code="not-a-file", path="/bin/app")


def not_executable() -> Iterator[StartCase]:
    """Not executable."""
    yield case("not executable", app(mode=0o644), code="not-executable", path="/bin/app")
    yield case("in PATH and not executable", app(mode=0o644), entrypoint=("app",), code="not-in-path", path="app")


def not_executable_by_the_user() -> Iterator[StartCase]:
    """Not executable by the user."""
    yield case("root's alone", app(mode=0o700), config={"User": "7"}, code="not-executable", path="/bin/app")
    yield case(
        "of another group",
        app(mode=0o750, gid=9),
        passwd("me:x:7:8::/:"),
        config={"User": "me"},
        code="not-executable",
        path="/bin/app",
    )
    yield case("not its owner's", app(mode=0o077, uid=7), config={"User": "7"}, code="not-executable", path="/bin/app")


def closed_directory() -> Iterator[StartCase]:
    """Closed directory."""
    yield case(
        "closed",
        member("closed", mode=0o700),
        app("closed/app"),
        config={"User": "7"},
        entrypoint=("/closed/app",),
        code="closed-directory",
        path="/closed",
    )
    yield case(
        "behind a link",
        member("closed", mode=0o700),
        app("closed/app"),
        link("bin/app", "/closed/app"),
        config={"User": "7:7"},
        code="closed-directory",
        path="/closed",
    )


def dangling() -> Iterator[StartCase]:
    """Dangling."""
    yield case("dangling", link("bin/app", "/opt/app"), app("srv/app"), code="dangling-link", path="/bin/app")


def loop() -> Iterator[StartCase]:
    """Loop."""
    yield case("loop", link("bin/app", "b"), link("bin/b", "app"), code="link-loop", path="/bin/app")


def no_program() -> Iterator[StartCase]:
    """No program."""
    yield case("text", member("bin/app", b"text\n"), code="not-a-program", path="/bin/app")
    yield case("empty", member("bin/app", b""), code="not-a-program", path="/bin/app")


def object_file() -> Iterator[StartCase]:
    """Object file."""
    yield case("object file", member("bin/app", make_elf(type_=1)), code="not-a-program", path="/bin/app")


def cut_short() -> Iterator[StartCase]:
    """Cut short."""
    yield case("cut short", member("bin/app", static_program(CODE)[:70]), code="damaged-program", path="/bin/app")


def other_architecture() -> Iterator[StartCase]:
    """Other architecture."""
    yield case("arm64", member("bin/app", static_program(CODE, "aarch64")), code="wrong-architecture", path="/bin/app")
    yield case("s390x", member("bin/app", static_program(CODE, "s390x")), code="wrong-architecture", path="/bin/app")


# Scripts.


def no_interpreter_of_a_script() -> Iterator[StartCase]:
    """No interpreter of a script."""
    yield case("lost", member("bin/app", b"#!/usr/bin/python3\n"), code="script-interpreter", path="/bin/app")
    yield case("names none", app("bin/b"), member("bin/app", b"#!\n"), code="script-interpreter", path="/bin/app")


def windows_script() -> Iterator[StartCase]:
    """Windows script."""
    yield case("windows", app("bin/b"), member("bin/app", b"#!/bin/b\r\n"), code="script-interpreter", path="/bin/app")


def circle_of_scripts() -> Iterator[StartCase]:
    """Circle of scripts."""
    yield case("circle", member("bin/app", b"#!/bin/app\n"), code="script-interpreter", path="/bin/app")


def env_finds_nothing() -> Iterator[StartCase]:
    """Env finds nothing."""
    yield case("env", *shell(), member("bin/app", b"#!/bin/env python3\n"), code="script-interpreter", path="/bin/app")


def unreadable_script() -> Iterator[StartCase]:
    """Unreadable script."""
    yield case(
        "unreadable",
        *shell(),
        member("bin/app", b"#!/bin/sh\nexit 42\n", mode=0o711),
        config={"User": "7"},
        code="unreadable-file",
        path="/bin/app",
    )


def launcher_without_program() -> Iterator[StartCase]:
    """Launcher without program."""
    yield case(
        "shell form",
        *shell(),
        app(),
        entrypoint=("/bin/sh", "-c", "exec nosuch --port 80"),
        code="not-in-path",
        path="nosuch",
    )
    yield case("env as entrypoint", *shell(), app(), entrypoint=("env", "A=b", "none"), code="not-in-path", path="none")


# Loaders.


def no_loader() -> Iterator[StartCase]:
    """No loader."""
    yield case("no loader", member("bin/app", dynamic("libc.so.6")), code="elf-interpreter", path="/bin/app")
    yield case(
        "the other libc", member("bin/app", dynamic("libc.so.6")), *musl(), code="elf-interpreter", path="/bin/app"
    )


def dangling_loader() -> Iterator[StartCase]:
    """Dangling loader."""
    yield case(
        "dangling loader",
        member("bin/app", dynamic("libc.so.6")),
        link("lib64/ld-linux-x86-64.so.2", "../lib/none.so"),
        code="elf-interpreter",
        path="/bin/app",
    )


def closed_loader() -> Iterator[StartCase]:
    """Closed loader."""
    name = GLIBC.lstrip("/")
    closed = member(name, Path(GLIBC).read_bytes(), mode=0o700)
    yield case(
        "closed loader",
        member("bin/app", dynamic("libc.so.6")),
        host(f"{MULTIARCH}/libc.so.6"),
        closed,
        config={"User": "7"},
        code="elf-interpreter",
        path="/bin/app",
    )


def missing_library() -> Iterator[StartCase]:
    """Missing library."""
    yield case(
        "missing", member("bin/app", dynamic("liba.so", "libc.so.6")), *glibc(), code="missing-library", path="liba.so"
    )
    yield case(
        "missing of musl",
        member("bin/app", dynamic("liba.so", interpreter=MUSL)),
        *musl(),
        code="missing-library",
        path="liba.so",
    )
    yield case(
        "missing libc", member("bin/app", dynamic("libc.so.6")), host(GLIBC), code="missing-library", path="libc.so.6"
    )


def missing_further_down() -> Iterator[StartCase]:
    """Missing further down."""
    one = member("usr/lib/liba.so", library("liba.so", ("libb.so",)))
    yield case(
        "missing further down",
        member("bin/app", dynamic("liba.so")),
        one,
        *glibc(),
        code="missing-library",
        path="libb.so",
    )


def not_in_the_search_path() -> Iterator[StartCase]:
    """Not in the search path."""
    yield case(
        "not searched",
        member("bin/app", dynamic("liba.so")),
        member("opt/liba.so", library("liba.so")),
        *glibc(),
        code="missing-library",
        path="liba.so",
    )


def foreign_library() -> Iterator[StartCase]:
    """Foreign library."""
    one = member("usr/lib/liba.so", library("liba.so", machine="aarch64"))
    yield case(
        "foreign library", member("bin/app", dynamic("liba.so")), one, *glibc(), code="missing-library", path="liba.so"
    )


def library_that_is_none() -> Iterator[StartCase]:
    """Library that is none."""
    yield case(
        "empty library",
        member("bin/app", dynamic("liba.so")),
        member("usr/lib/liba.so", b""),
        *glibc(),
        code="unloadable-library",
        path="/usr/lib/liba.so",
    )
    yield case(
        "text library",
        member("bin/app", dynamic("liba.so")),
        member("usr/lib/liba.so", b"INPUT(liba.so.1)\n" * 50),
        *glibc(),
        code="unloadable-library",
        path="/usr/lib/liba.so",
    )


def unreadable_library() -> Iterator[StartCase]:
    """Unreadable library."""
    one = member("usr/lib/liba.so", library("liba.so"), mode=0o600)
    yield case(
        "unreadable library",
        member("bin/app", dynamic("liba.so")),
        one,
        *glibc(),
        config={"User": "7"},
        code="unreadable-file",
        path="/usr/lib/liba.so",
    )


def set_id_ignores_the_library_path() -> Iterator[StartCase]:
    """Set id ignores the library path."""
    yield case(
        "set-id and path",
        member("bin/app", dynamic("liba.so"), mode=0o4755),
        *glibc(),
        member("opt/liba.so", library("liba.so")),
        config={"User": "7", "Env": ["LD_LIBRARY_PATH=/opt"]},
        code="missing-library",
        path="liba.so",
    )


def capability_that_containers_lack() -> Iterator[StartCase]:
    """Capability that containers lack."""
    # That is what getcap(8) shows as cap_sys_admin=ep.
    data = b"\1\0\0\2" + (1 << 21).to_bytes(4, "little") + bytes(12)
    headers = {"SCHILY.xattr.security.capability": data.decode("latin-1")}
    yield case("capability", app(pax_headers=headers), code="capabilities", path="/bin/app")


# Users, and what engines refuse.


def no_such_user() -> Iterator[StartCase]:
    """No such user."""
    yield case("no such user", app(), config={"User": "app"}, code="unknown-user", path="app")
    yield case(
        "no such user there", app(), passwd("me:x:7:8::/:"), config={"User": "you"}, code="unknown-user", path="you"
    )


def no_such_group() -> Iterator[StartCase]:
    """No such group."""
    yield case("no such group", app(), config={"User": "7:us"}, code="unknown-group", path="us")


def number_too_high() -> Iterator[StartCase]:
    """Number too high."""
    yield case(
        "number too high", app(), config={"User": "4294967296"}, code="unknown-user", path="4294967296", built=False
    )


def directory_that_is_a_file() -> Iterator[StartCase]:
    """Directory that is a file."""
    yield case(
        "workdir is a file", app(), config={"WorkingDir": "/bin/app"}, code="workdir", path="/bin/app", built=False
    )


def relative_directory() -> Iterator[StartCase]:
    """Relative directory."""
    yield case("relative workdir", app(), config={"WorkingDir": "srv"}, code="workdir", path="srv", built=False)


def volume_on_a_file() -> Iterator[StartCase]:
    """Volume on a file."""
    yield case(
        "volume on a file", app(), config={"Volumes": {"/bin/app": {}}}, code="volume", path="/bin/app", built=False
    )


def nameless_variable() -> Iterator[StartCase]:
    """Nameless variable."""
    yield case("nameless variable", app(), config={"Env": ["=x"]}, code="setting", path="Env", built=False)


# Structure.


def other_system() -> Iterator[StartCase]:
    """Other system."""
    yield case("windows image", app(), more={"os": "windows"}, code="operating-system", built=False)


def other_diff_id() -> Iterator[StartCase]:
    """Other diff id."""
    more = {"rootfs": {"type": "layers", "diff_ids": [f"sha256:{'0' * 64}"]}}
    yield case("diff ID", app(), more=more, code="layer", path="layer 1", built=False)


def too_few_diff_ids() -> Iterator[StartCase]:
    """Too few diff ids."""
    more = {"rootfs": {"type": "layers", "diff_ids": []}}
    yield case("no diff ID", app(), more=more, code="image", built=False)


def too_long_history() -> Iterator[StartCase]:
    """Too long history."""
    more = {"history": [{"created_by": "a"}, {"created_by": "b"}]}
    yield case("history", app(), more=more, code="setting", path="history", built=False)


def damaged_layer() -> Iterator[StartCase]:
    """Damaged layer."""

    def change(files: dict[str, bytes]) -> dict[str, bytes]:
        return {name: _flipped(data) if name.endswith("layer.tar") else data for name, data in files.items()}

    yield case("damaged", app(), damage=change, code="layer", path="layer 1", built=False)


def _flipped(data: bytes) -> bytes:
    at = len(data) // 2
    return data[:at] + bytes((data[at] ^ 0xFF,)) + data[at + 1 :]


def layer_cut_short() -> Iterator[StartCase]:
    """Layer cut short."""

    def change(files: dict[str, bytes]) -> dict[str, bytes]:
        return {name: data[: len(data) // 2] if name.endswith("layer.tar") else data for name, data in files.items()}

    yield case("layer cut short", app(), damage=change, code="layer", path="layer 1", built=False)


def layer_not_there() -> Iterator[StartCase]:
    """Layer not there."""

    def change(files: dict[str, bytes]) -> dict[str, bytes]:
        return {name: data for name, data in files.items() if not name.endswith("layer.tar")}

    yield case("layer not there", app(), damage=change, code="image", built=False)


def config_that_is_no_json() -> Iterator[StartCase]:
    """Config that is no json."""

    def change(files: dict[str, bytes]) -> dict[str, bytes]:
        return {name: b"{" if name == "config.json" else data for name, data in files.items()}

    yield case("config", app(), damage=change, code="image", built=False)


def path_twice() -> Iterator[StartCase]:
    """Path twice."""
    yield case("twice", app(), member("bin/app", unlike()), code="duplicate-path", path="/bin/app", built=False)


def whiteout_of_its_own() -> Iterator[StartCase]:
    """Whiteout of its own."""
    members = (app(), member("srv/x", b"1"), member("srv/.wh.x", b""))
    yield case("whiteout of its own", *members, code="layer", path="/srv/x", built=False)


def hard_link_to_nothing() -> Iterator[StartCase]:
    """Hard link to nothing."""
    yield case(
        "hard link to nothing", app(), link("bin/b", "bin/none", hard=True), code="layer", path="/bin/b", built=False
    )


def below_a_file() -> Iterator[StartCase]:
    """Below a file."""
    yield case("below a file", app(), member("bin/app/x", b"x"), code="layer", built=False)


#: What starts all the same.
WARNED: tuple[Callable[[], Iterator[StartCase]], ...] = (
    *(unknown_signal, impossible_port, impossible_health, health_check_that_is_not_there, nothing_to_preload),
    *(volume_of_root, closed_workdir, secrets),
)
BROKEN: tuple[Callable[[], Iterator[StartCase]], ...] = (
    *(nothing_to_start, not_there, not_in_path, hidden, no_file, not_executable, not_executable_by_the_user),
    *(closed_directory, dangling, loop, no_program, object_file, cut_short, other_architecture),
    *(no_interpreter_of_a_script, windows_script, circle_of_scripts, env_finds_nothing, unreadable_script),
    *(launcher_without_program, no_loader, dangling_loader, closed_loader, missing_library, missing_further_down),
    *(not_in_the_search_path, foreign_library, library_that_is_none, unreadable_library),
    *(set_id_ignores_the_library_path, capability_that_containers_lack, no_such_user, no_such_group, number_too_high),
    *(directory_that_is_a_file, relative_directory, volume_on_a_file, nameless_variable),
    *(other_system, other_diff_id),
    *(too_few_diff_ids, too_long_history, damaged_layer, layer_cut_short, layer_not_there, config_that_is_no_json),
    *(path_twice, whiteout_of_its_own, hard_link_to_nothing, below_a_file),
)


def saved(one: StartCase, name: str) -> bytes:
    """The image as `docker save` has it, under that name."""
    from support.layers import config_of, dumped

    files = {f"{at}/layer.tar": each.blob for at, each in enumerate(one.layers, 1)}
    files["config.json"] = config_of(list(one.layers), config_values=one.config, **one.more)
    files = one.damage(files) if one.damage is not None else files
    names = [f"{at}/layer.tar" for at in range(1, len(one.layers) + 1)]
    files["manifest.json"] = dumped([{"Config": "config.json", "RepoTags": [name], "Layers": names}])
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, data in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()
