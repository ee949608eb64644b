"""Every option of every command, and what a command does with it and without.

The commands are run in this process, in a directory that has what they need.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import shlex
import shutil
from typing import TYPE_CHECKING, NamedTuple

import click

from minpack.cli.app import app
from minpack.cli.repeated import takes_one
from minpack.cli.run import run as run_minpack
from minpack.trust.keys import new_key_pair
from support.badfiles import CERTIFICATE, GLIBC_LOADER, MUSL_LOADER
from support.certificates import Authority
from support.debmaker import Archive
from support.elfmaker import GLIBC, MUSL, library, program, static_program
from support.fake_engine import FakeEngine
from support.fakeregistry import FakeRegistry
from support.gomaker import MODULES, GoForm, go_program
from support.layers import MANIFEST, layer, layout_files, tar_of
from support.layers import link as layer_link
from support.layers import member as layer_member
from support.locks import COMMON, DEBIAN_KEY, FOO, LIBC
from support.mirror import Mirror
from support.repository import KEY, Place, library_package
from support.symbolmaker import Symbol, linked_elf
from support.tarmaker import archive, directory, member
from support.toolsbases import RELEASE, publish_release, shell_members

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

STORES = ("cache", "kept", "filled")
RECENT = 1_000_000_000
NAMED = RELEASE
_MANY = "".join(f"dep\texample.com/module{number}\tv1.0.0\th1:CCCC=\n" for number in range(9))


class Outcome(NamedTuple):
    """What a command did: its exit code, what it printed, and each file that it left: path, mode, time and digest."""

    code: int
    out: str
    err: str
    files: tuple[tuple[str, int, int, str], ...]


def commands(group: click.Group = app, above: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its words."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*above, name))
        else:
            yield " ".join((*above, name)), command


def options(command: click.Command) -> tuple[str, ...]:
    """The options of a command, each by its long name."""
    found = (parameter for parameter in command.params if isinstance(parameter, click.Option))
    return tuple(next(name for name in option.opts if name.startswith("--")) for option in found)


def extended(command: click.Command, call: Sequence[str], more: Sequence[str]) -> tuple[str, ...]:
    """The words of a call with an option added to them: in place of its value there, if it takes one and has it."""
    names = next(({*one.opts} for one in command.params if takes_one(one) and more[0] in one.opts), set())
    dropped = {at + step for at, word in enumerate(call) if word in names for step in (0, 1)}
    return (*(word for at, word in enumerate(call) if at not in dropped), *more)


def _put_image(registry: FakeRegistry, name: str) -> None:
    """Let a registry have an image, with the tag that is meant where none is said."""
    files = layout_files("image", [layer(tar_of(layer_member("etc/lower", b"1")))])
    manifest, *blobs = (data for path, data in files.items() if "/blobs/" in path)
    for blob in blobs:
        registry.keep(name, blob)
    registry.keep_manifest(name, "latest", MANIFEST, manifest)


class Walk:
    """A directory of programs and bases, a mirror, an engine; use it in a ``with`` block."""

    def __init__(self, place: Path) -> None:
        self.place = place / "work"
        self._streams = place / "streams"
        self._mirror, self._other = Mirror(), Mirror()
        self._engine = FakeEngine(place / "engine", (200, {"stream": "Loaded image: x\n"}), keeps=True)
        self._registry = FakeRegistry()
        authority = Authority(place / "authority")
        both = b"".join(file.read_bytes() for file in authority.sign("server", server=True))
        (place / "server.pem").write_bytes(both)
        self._secure = FakeRegistry(certificate=place / "server.pem")
        self._ca = authority.ca
        self._lock = b""
        self._store = place / "store"
        self._seen: dict[tuple[str, ...], Outcome] = {}
        self._commands = dict(commands())
        for made in (self.place, self._streams):
            made.mkdir()
        _put_image(self._secure, "me/base")
        self._fill()

    @property
    def variables(self) -> Mapping[str, str]:
        """What of the environment the commands take."""
        return {
            "MINPACK_MIRROR": f"{self._mirror.url}/alpine",
            "MINPACK_MIRROR_DEBIAN": f"{self._mirror.url}/debian",
            "DOCKER_HOST": self._engine.host,
            "XDG_CACHE_HOME": str(self.place / "cache"),
            "NO_PROXY": "*",
        }

    def filled(self, text: str) -> str:
        """`text` with the address of a mirror for OTHER, which has the same names and something else behind them.

        REGISTRY stands for the host of a registry, SECURE for that of one whose certificate `registry-ca.pem` signed.
        """
        text = text.replace("REGISTRY", self._registry.host).replace("SECURE", self._secure.host)
        return text.replace("OTHER", f"{self._other.url}/alpine")

    def outcome(self, *arguments: str) -> Outcome:
        """As `run`, once for each command."""
        if arguments not in self._seen:
            self._seen[arguments] = self.run(*arguments)
        return self._seen[arguments]

    def differs(self, name: str, call: str, more: tuple[str, ...]) -> bool:
        """Whether the command does something else with `more`; where text tells nothing its JSON document counts."""
        words = shlex.split(self.filled(call))
        before, after = (*name.split(), *words), (*name.split(), *extended(self._commands[name], words, more))
        if self.outcome(*before) != self.outcome(*after):
            return True
        return "--json" not in more and self.outcome(*before, "--json") != self.outcome(*after, "--json")

    def run(self, *arguments: str) -> Outcome:
        """What the command does now, in the directory as it was at the beginning."""
        for name in ("out", *STORES):
            shutil.rmtree(self.place / name, ignore_errors=True)
        if "filled" in arguments and self._store.exists():
            shutil.copytree(self._store, self.place / "filled")
        (self.place / "out").mkdir()
        (self.place / "minpack.lock").unlink(missing_ok=True)
        if self._lock:
            (self.place / "minpack.lock").write_bytes(self._lock)
        stdout, stderr = self._streams / "out", self._streams / "err"
        with (
            stdout.open("w", encoding="utf-8") as out,
            stderr.open("w", encoding="utf-8") as err,
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            contextlib.chdir(self.place),
        ):
            code = run_minpack(list(arguments))
        printed = stderr.read_text(encoding="utf-8")
        assert "Traceback" not in printed, (arguments, printed)
        return Outcome(code, stdout.read_text(encoding="utf-8"), printed, tuple(self._files()))

    def _files(self) -> Iterator[tuple[str, int, int, str]]:
        """What commands write: the results and the lock with their bytes, and the names in stores."""
        lock = self.place / "minpack.lock"
        for path in (*sorted((self.place / "out").rglob("*")), *([lock] if lock.exists() else ())):
            status = path.lstat()
            data = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            # What was given a time has one of long ago.
            time = int(status.st_mtime) if status.st_mtime < RECENT else 0
            yield str(path.relative_to(self.place)), status.st_mode, time, hashlib.sha256(data).hexdigest()
        for store in STORES:
            for path in sorted((self.place / store).rglob("*")):
                yield str(path.relative_to(self.place)), 0, 0, ""

    def __enter__(self) -> Walk:
        for one in (self._mirror, self._other, self._engine, self._registry, self._secure):
            one.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        for one in (self._mirror, self._other, self._engine, self._registry, self._secure):
            one.__exit__(*exc)

    def prepare(self) -> None:
        """Let there be a lock of what the mirror has, which has something newer from then on, and a filled store."""
        done = self.run("lock", "./packaged", "--base", "apk.tar")
        assert done.code == 0, done.err
        self._lock = (self.place / "minpack.lock").read_bytes()
        many = ("-o", "many.tar", "--add", "heap:/srv/")
        for more in (("-o", "image.tar"), ("-o", "signed.tar", "--sign", "me.key"), many):
            done = self.run("./app", *more)
            assert done.code == 0, done.err
        done = self.run("base", "pull", NAMED, "--cache-dir", "filled")
        assert done.code == 0, done.err
        (self.place / "filled").rename(self._store)
        self._publish("2.0-r0")

    def _fill(self) -> None:
        for path, data in _files().items():
            target = self.place / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            target.chmod(0o755)
        (self.place / "registry-ca.pem").write_bytes(self._ca.read_bytes())
        pair = new_key_pair(None)
        (self.place / "me.key").write_bytes(pair.private)
        (self.place / "me.pub").write_bytes(pair.public)
        Place(self.place, self._mirror).base()
        (self.place / "base.tar").rename(self.place / "apk.tar")
        Place(self.place, self._mirror).base(*shell_members(program((), interpreter=MUSL)))
        (self.place / "base.tar").rename(self.place / "tools.tar")
        (self.place / "keys").mkdir()
        (self.place / "keys" / KEY.name).write_bytes(KEY.public.pem)
        self._fill_debian()
        self._publish("1.0-r0")
        for arch, loader in (("x86_64", MUSL_LOADER), ("aarch64", MUSL_LOADER + b"arm")):
            _release(self._mirror, arch, loader)
        _release(self._other, "x86_64", MUSL_LOADER + b"other")

    def _fill_debian(self) -> None:
        debian = Archive("bookworm", DEBIAN_KEY)
        debian.add(LIBC, FOO, COMMON)
        debian.serve(self._mirror, "/debian")
        (self.place / "debian-keys").mkdir()
        (certificate,) = DEBIAN_KEY.keys.values()
        (self.place / "debian-keys" / "test.gpg").write_bytes(certificate)

    def _publish(self, version: str) -> None:
        libraries = (library_package("libfoo.so.1", version=version), library_package("libbar.so.2"))
        Place(self.place, self._mirror).publish(*libraries)


def _release(mirror: Mirror, arch: str, loader: bytes) -> None:
    """Serve a release whose sum is not known to minpack."""
    members = (directory("lib/"), member("lib/ld-musl-x86_64.so.1", loader, mode=0o755))
    publish_release(mirror, arch, gzip.compress(archive(*members, *shell_members(static_program())), mtime=0))


def _files() -> dict[str, bytes]:
    unbound = linked_elf([Symbol("nowhere", 0, value=0)], relocations=[("nowhere", 6)], interpreter=MUSL)
    filler = b"".join((number * number % 65521).to_bytes(4, "little") for number in range(100_000))
    return {
        "app": static_program(),
        "large": static_program(overlay=filler),
        "arm": static_program(machine="armhf"),
        "go": go_program(GoForm(extra={".debug_info": bytes(1000)}, modules=MODULES + _MANY)).data,
        "musl": program(("libz.so.1",), interpreter=MUSL),
        "glibc": program(("libz.so.1",), interpreter=GLIBC),
        "debian": program(("libfoo.so.1",), interpreter=GLIBC),
        "packaged": program(("libfoo.so.1",), interpreter=MUSL),
        "elsewhere": program(("libplug.so",), interpreter=MUSL),
        "unbound": unbound.data,
        "file": b"what a user adds\n",
        "cert.pem": CERTIFICATE,
        "vex.toml": b'author = "me"\n[vulnerabilities]\nCVE-1 = ["/usr/sbin/none"]\n',
        "minpack.toml": b"[image.app]\nprograms = 'app'\n[profile.release]\nlock = 'out/none'\n",
        "first.toml": b"# one that is there\n",
        "images.toml": b"[image.app]\nprograms = 'go'\nlock = 'out/other'\n",
        "go.mod": b"module example.org/app\n",
        "libfoo": library("libfoo.so.1"),
        "stored": program((), interpreter="/nix/store/0123-musl-1.2.5-long-enough/lib/ld-musl-x86_64.so.1"),
        "plugins/arm.so": library("arm.so", machine="aarch64"),
        "no-keys/none": b"",
        "old/file": b"what was here before",
        "old.html": b"what was here before, and no report",
        **{f"heap/{number}/file": bytes(number + 1) for number in range(25)},
        "base/lib/ld-musl-x86_64.so.1": MUSL_LOADER,
        "base/usr/lib/libz.so.1": library("libz.so.1"),
        "base/opt/libplug.so": library("libplug.so"),
        "base/etc/services": b"http 80/tcp\n",
        "base/etc/os-release": b"ID=made\nPRETTY_NAME=Made\n",
        "base/bin/sh": static_program(),
        "glibcbase/lib64/ld-linux-x86-64.so.2": GLIBC_LOADER,
        "glibcbase/usr/lib64/libz.so.1": library("libz.so.1"),
        "glibcbase/usr/lib64/libplug.so": library("libplug.so"),
        **layout_files("links", [layer(tar_of(*(layer_link(f"l{number}", "none") for number in range(5))))]),
        **layout_files("many", [layer(tar_of(*(layer_member(f"f{number}", b"1") for number in range(30))))]),
        **layout_files("lower", [layer(tar_of(layer_member("etc/lower", b"1")))]),
        "musl.tar": archive(directory("lib/"), member("lib/ld-musl-x86_64.so.1", MUSL_LOADER, mode=0o755)),
    }
