"""Whether a container of the image would start: its entrypoint, looked for and run as runtimes and the kernel do.

Sources: runc's `standard_init_linux.go` (it goes to the working directory, becomes the image's user, and calls Go's
`exec.LookPath`), execve(2), and the kernel's `fs/binfmt_script.c` for ``#!``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.walk import Failure
from minpack.elf.format import MAGIC
from minpack.errors import EntrypointError
from minpack.namedtuple import NamedTuple
from minpack.paths import join
from minpack.rootfs.access import EXECUTE, may
from minpack.rootfs.entry import Entry, Kind
from minpack.rootfs.etc_files import User, parse_user

if TYPE_CHECKING:
    from collections.abc import Set

    from minpack.base.walk import Walker
    from minpack.content import Content
    from minpack.ld.closure import Environment
    from minpack.oci.documents import ImageConfig
    from minpack.paths import RootPath

#: What the kernel reads of a file to see how to start it (linux/binfmts.h, BINPRM_BUF_SIZE), and how many
#: interpreters may have interpreters (fs/exec.c, `exec_binprm`).
HEAD = 256
MAX_SCRIPTS = 5
_SHELLS = frozenset(("sh", "bash", "ash", "dash"))
#: Kernels of the first run programs of the second too: amd64 and 386, arm64 and arm.
_RUN_TOO = frozenset((("amd64", "386"), ("amd64", "amd64p32"), ("arm64", "arm")))
#: More of a command line than this is not repeated in a hint.
_MOST_WORDS = 20


class Start(NamedTuple):
    """What an image is started with, and what is known of it.

    `proved` has the files that are known to load, `environment` is what loaders heed, `advice` the hint where none is
    better.
    """

    config: ImageConfig
    tree: Walker
    proved: Set[RootPath]
    environment: Environment | None
    advice: str

    @property
    def user(self) -> User:
        """Whom it runs as; root if the configuration does not say."""
        return parse_user(self.config.user) if self.config.user else User(0, 0)

    @property
    def option(self) -> str:
        """The option that named what is started."""
        return "--entrypoint" if self.config.entrypoint else "--cmd"


class _Refusal(NamedTuple):
    """Why a file would not start, as a clause, and what to do; without a hint the general one."""

    reason: str
    hint: str = ""


_NOTHING = _Refusal("the image has no such file")


def check_start(start: Start) -> None:
    """Raise `EntrypointError` if the first argument of entrypoint and cmd is nothing that a container can start."""
    arguments = (*start.config.entrypoint, *start.config.cmd)
    if not arguments:
        return
    name = arguments[0]
    refusal = _why_not(start, name)
    if refusal is not None:
        raise EntrypointError(name, refusal.reason, refusal.hint or _hint(start, name))


def _why_not(start: Start, name: str) -> _Refusal | None:
    if not name:
        return _Refusal("its name is empty")
    if "/" in name:
        return _why_not_path(start, name)
    found = _in_path(start, name)
    if found is None:
        return _Refusal(f"no directory of PATH has it ({_path(start)})")
    return _why_not_path(start, found)


def _in_path(start: Start, name: str) -> str | None:
    """The first file of that name that may be run; relative directories do not count (Go, `exec.LookPath`)."""
    for directory in _path(start).split(":"):
        path = f"{directory.rstrip('/')}/{name}"
        if directory.startswith("/") and isinstance(_found(start, path), Entry):
            return path
    return None


def _path(start: Start) -> str:
    return dict(start.config.env).get("PATH", "")


def _found(start: Start, path: str) -> Entry | _Refusal:
    """The regular file that `path` leads to, which the user may run, or why there is none."""
    user = start.user
    absolute = path if path.startswith("/") else f"{start.config.workdir}/{path}"
    entry, trail, failure = start.tree.walk(absolute)
    closed = next((one for one in trail if one.kind is Kind.DIRECTORY and not may(one, user, EXECUTE)), None)
    if closed is not None:
        return _Refusal(f"{user} may not enter {closed.path!r} (mode {closed.mode:04o})", _MODES)
    if entry is None:
        link = _link_at(start.tree, absolute)
        if failure is Failure.LOOP:
            return _Refusal("its links form a loop")
        return _Refusal(f"it is a link to {link!r}, which is not in the image") if link else _NOTHING
    if entry.kind is not Kind.FILE:
        return _Refusal(f"it is a {entry.kind}")
    if not may(entry, user, EXECUTE):
        return _Refusal(f"{user} may not run it (mode {entry.mode:04o})", _MODES)
    return entry


def _link_at(tree: Walker, path: str) -> str:
    """What the link at `path` says; empty if there is none."""
    above, _, part = path.rstrip("/").rpartition("/")
    directory = tree.walk(above or "/").entry
    entry = tree.lstat(join(directory.path, part)) if directory is not None else None
    return entry.link if entry is not None and entry.kind is Kind.SYMLINK else ""


def _why_not_path(start: Start, path: str, scripts: int = 0) -> _Refusal | None:
    """Why execve(2) of the path fails, or what it starts does at once."""
    entry = _found(start, path)
    if isinstance(entry, _Refusal):
        return entry
    if entry.path in start.proved or entry.content is None:
        return None
    with entry.content.open() as reader:
        head = reader.read_at(0, HEAD)
    if head.startswith(MAGIC):
        return _why_not_elf(start, entry, entry.content)
    if head.startswith(b"#!"):
        return _why_not_script(start, head, scripts)
    from minpack.elf.other import what_else  # noqa: PLC0415 - most entrypoints are programs

    return _Refusal(f"it is {what_else(head)[0]}", "the kernel starts ELF programs, and scripts that begin with #!")


def _why_not_script(start: Start, head: bytes, scripts: int) -> _Refusal | None:
    """Why the interpreter that ``#!`` names cannot be started (fs/binfmt_script.c, `load_script`)."""
    line, newline, _ = head[2:].partition(b"\n")
    words = line.strip(b" \t").decode("utf-8", "surrogateescape").replace("\t", " ").split(" ", 1)
    interpreter = words[0]
    if not interpreter or (not newline and len(words) == 1 and len(head) == HEAD):
        return _Refusal("its first line names no interpreter")
    if scripts == MAX_SCRIPTS:
        return _Refusal("it is a script for a script for a script, and so on: the kernel gives up")
    refusal = _why_not_path(start, interpreter, scripts + 1)
    hint = _shell_hint(interpreter)
    if refusal is None and interpreter.rpartition("/")[2] == "env" and len(words) > 1:
        wanted = words[1].strip()
        # Of options, assignments and several words env(1) makes more than a name.
        if wanted and not set(wanted) & set(" =/\t") and not wanted.startswith("-") and _in_path(start, wanted) is None:
            return _Refusal(f"its first line names {wanted!r}, which no directory of PATH has", _shell_hint(wanted))
    if refusal is None:
        return None
    if interpreter.endswith("\r"):
        hint = "write the script with Unix line ends (dos2unix)"
    return _Refusal(f"its interpreter is {interpreter!r}, and {refusal.reason}", hint or refusal.hint)


def _why_not_elf(start: Start, entry: Entry, content: Content) -> _Refusal | None:
    """Why a program that was not proved before does not load; what its loader is not known for counts as good."""
    from minpack.elf.info import ElfKind  # noqa: PLC0415 - what was given as a program is proved
    from minpack.elf.read import read_elf  # noqa: PLC0415
    from minpack.errors import MinpackError  # noqa: PLC0415

    try:
        info = read_elf(content, entry.path)
    except MinpackError as error:
        return _Refusal(error.message, error.hint or "")
    if info.kind in (ElfKind.RELOCATABLE, ElfKind.CORE, ElfKind.DEBUG):
        return _Refusal(f"it is {'an' if info.kind is ElfKind.RELOCATABLE else 'a'} {info.kind}")
    platform, wanted = info.target.platform, start.config.platform
    architecture = platform.architecture if platform is not None else str(info.target)
    if architecture != wanted.architecture and (wanted.architecture, architecture) not in _RUN_TOO:
        return _Refusal(f"it is for {architecture}, and the image for {wanted}")
    if info.interpreter is None:
        return None
    interpreter = _found(start, info.interpreter)
    hint = "name the file as another program instead of adding it, so that what it needs is packed"
    if isinstance(interpreter, _Refusal):
        return _Refusal(f"its interpreter is {info.interpreter!r}, and {interpreter.reason}", hint)
    return _why_not_loaded(start, entry, info.interpreter, hint)


def _why_not_loaded(start: Start, entry: Entry, interpreter: str, hint: str) -> _Refusal | None:
    from minpack.errors import MinpackError  # noqa: PLC0415 - as above
    from minpack.ld.closure import Environment  # noqa: PLC0415
    from minpack.ld.resolve import libc_of, resolve_closure  # noqa: PLC0415

    if libc_of(interpreter) is None:
        return None
    environment = start.environment if start.environment is not None else Environment()
    try:
        missing = resolve_closure(start.tree, entry.path, environment).missing
    except MinpackError as error:
        return _Refusal(error.message, hint)
    names = dict.fromkeys(one.name for one in missing)
    return _Refusal(f"it lacks {', '.join(names)}", hint) if names else None


_MODES = "change that mode, or choose another --user"


def _hint(start: Start, name: str) -> str:
    """What to do about an entrypoint that is not there."""
    words = name.split()
    if 1 < len(words) <= _MOST_WORDS:
        return f"{start.option} takes one argument at a time, or all as a JSON array: {start.option} {_as_json(words)}"
    if name.startswith("["):
        return f"a JSON array has double quotes: {start.option} {_as_json(['/usr/local/bin/app', '--port', '80'])}"
    return _shell_hint(name) or start.advice


def _shell_hint(name: str) -> str:
    if name.rpartition("/")[2] not in _SHELLS:
        return ""
    return "--need shell packs the base's /bin/sh; a program can be started without one"


def _as_json(words: list[str]) -> str:
    import json  # noqa: PLC0415 - for hints alone
    import shlex  # noqa: PLC0415

    return shlex.quote(json.dumps(words, ensure_ascii=False))
