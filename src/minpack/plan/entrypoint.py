"""Whether a container of the image would start: its entrypoint, looked for and run as runtimes and the kernel do.

Sources: runc's `standard_init_linux.go` (it goes to the working directory, becomes the image's user, and calls Go's
`exec.LookPath`), execve(2), and the kernel's `fs/binfmt_script.c` for ``#!``. They hold for what is
about to be packed, and for what others have packed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.walk import Failure
from minpack.elf.format import MAGIC
from minpack.errors import EntrypointError
from minpack.namedtuple import NamedTuple
from minpack.paths import join, normal
from minpack.rootfs.access import EXECUTE, READ, may
from minpack.rootfs.entry import Entry, Kind
from minpack.rootfs.etc_files import User, parse_user
from minpack.rootfs.modes import SET_ID_BITS

if TYPE_CHECKING:
    from collections.abc import Set

    from minpack.base.walk import Walker
    from minpack.content import Content
    from minpack.elf.info import ElfInfo
    from minpack.ld.closure import Closure, Environment
    from minpack.ld.demands import Demands
    from minpack.ld.lookup import Proof
    from minpack.ld.symbol_cache import SymbolsOf
    from minpack.oci.documents import ImageConfig
    from minpack.paths import RootPath

#: What the kernel reads of a file to see how to start it (linux/binfmts.h, BINPRM_BUF_SIZE), and how many
#: interpreters may have interpreters (fs/exec.c, `exec_binprm`).
HEAD = 256
MAX_SCRIPTS = 5
_SHELLS = frozenset(("sh", "bash", "ash", "dash"))
#: Kernels of the first run programs of the second too: amd64 and 386, arm64 and arm.
_RUN_TOO = frozenset((("amd64", "386"), ("amd64", "amd64p32"), ("amd64p32", "amd64"), ("arm64", "arm")))
#: More of a command line than this is not repeated in a hint.
_MOST_WORDS = 20


class Start(NamedTuple):
    """What an image is started with, and what is known of it.

    `proved` has the files that are known to load, `environment` is what loaders heed, `advice` the hint where none is
    better. With `symbols` what is not proved yet must bind too. `who` is the user, where the configuration names one
    that only the image's lists know.
    """

    config: ImageConfig
    tree: Walker
    proved: Set[RootPath]
    environment: Environment | None
    advice: str
    symbols: SymbolsOf | None = None
    who: User | None = None

    @property
    def user(self) -> User:
        """Whom it runs as; root if the configuration does not say."""
        if self.who is not None:
            return self.who
        return parse_user(self.config.user) if self.config.user else User(0, 0)

    @property
    def option(self) -> str:
        """The option that named what is started."""
        return "--entrypoint" if self.config.entrypoint else "--cmd"


class Refusal(NamedTuple):
    """Why something does not start: a word for it, the path or name that it is about, a clause, and what to do.

    Without a hint the general one holds.
    """

    code: str
    path: str
    reason: str
    hint: str = ""


class LaunchedProgram(NamedTuple):
    """A dynamic program that was not proved before: its closure, and what was proved of it, if that was to be."""

    closure: Closure
    proof: Proof | None = None
    demands: Demands | None = None


class Launch(NamedTuple):
    """What starting something runs, one file after the other: scripts, then a program; and why it fails, if it does.

    `programs` are the dynamic ones among them.
    """

    files: tuple[Entry, ...]
    programs: tuple[LaunchedProgram, ...]
    refusal: Refusal | None


class _Trace(NamedTuple):
    """What has been run so far."""

    files: list[Entry]
    programs: list[LaunchedProgram]


def check_start(start: Start) -> None:
    """Raise `EntrypointError` if the first argument of entrypoint and cmd is nothing that a container can start."""
    arguments = (*start.config.entrypoint, *start.config.cmd)
    if not arguments:
        return
    refusal = launch(start, arguments[0]).refusal
    if refusal is not None:
        raise EntrypointError(arguments[0], refusal.reason, refusal.hint or _hint(start, arguments[0]))


def launch(start: Start, name: str) -> Launch:
    """What starting the program or script `name` does, which is looked for as execve(2) and execvp(3) do."""
    trace = _Trace([], [])
    refusal = _why_not(start, name, trace)
    return Launch(tuple(trace.files), tuple(trace.programs), refusal)


def _why_not(start: Start, name: str, trace: _Trace) -> Refusal | None:
    if not name:
        return Refusal("not-found", "", "its name is empty")
    if "/" in name:
        return _why_not_path(start, name, trace)
    found = find_in_path(start, name)
    if found is None:
        return Refusal("not-in-path", name, f"it is not in PATH ({_path(start)})")
    return _why_not_path(start, found, trace)


def find_in_path(start: Start, name: str) -> str | None:
    """The first file of that name that may be run; relative directories do not count (Go, `exec.LookPath`)."""
    for directory in _path(start).split(":"):
        path = f"{directory.rstrip('/')}/{name}"
        if directory.startswith("/") and isinstance(_found(start, path), Entry):
            return path
    return None


def _path(start: Start) -> str:
    return dict(start.config.env).get("PATH", "")


def _found(start: Start, path: str) -> Entry | Refusal:
    """The regular file that `path` leads to, which the user may run, or why there is none."""
    user = start.user
    absolute = path if path.startswith("/") else normal(f"{start.config.workdir}/{path}")
    entry, trail, failure = start.tree.walk(path if path.startswith("/") else f"{start.config.workdir}/{path}")
    closed = next((one for one in trail if one.kind is Kind.DIRECTORY and not may(one, user, EXECUTE)), None)
    if closed is not None:
        reason = f"{user} may not enter {closed.path!r} (mode {closed.mode:04o})"
        return Refusal("closed-directory", closed.path, reason, _MODES)
    if entry is None:
        link = _link_at(start.tree, absolute)
        if failure is Failure.LOOP:
            return Refusal("link-loop", absolute, "its links form a loop")
        if link:
            return Refusal("dangling-link", absolute, f"it is a link to {link!r}, which is not in the image")
        return Refusal("not-found", absolute, "the image has no such file")
    if entry.kind is not Kind.FILE:
        return Refusal("not-a-file", absolute, f"it is a {entry.kind}")
    if not may(entry, user, EXECUTE):
        return Refusal("not-executable", entry.path, f"{user} may not run it (mode {entry.mode:04o})", _MODES)
    return entry


def _link_at(tree: Walker, path: str) -> str:
    """What the link at `path` says; empty if there is none."""
    above, _, part = path.rstrip("/").rpartition("/")
    directory = tree.walk(above or "/").entry
    entry = tree.lstat(join(directory.path, part)) if directory is not None else None
    return entry.link if entry is not None and entry.kind is Kind.SYMLINK else ""


def _why_not_path(start: Start, path: str, trace: _Trace, scripts: int = 0) -> Refusal | None:
    """Why execve(2) of the path fails, or what it starts does at once."""
    entry = _found(start, path)
    if isinstance(entry, Refusal):
        return entry
    trace.files.append(entry)
    if entry.path in start.proved or entry.content is None:
        return None
    with entry.content.open() as reader:
        head = reader.read_at(0, HEAD)
    if head.startswith(MAGIC):
        return _why_not_elf(start, entry, entry.content, trace)
    if head.startswith(b"#!"):
        return _why_not_script(start, entry, head, trace, scripts)
    from minpack.elf.other import what_else  # noqa: PLC0415 - most entrypoints are programs

    hint = "the kernel starts ELF programs, and scripts that begin with #!"
    return Refusal("not-a-program", entry.path, f"it is {what_else(head)[0]}", hint)


def _why_not_script(start: Start, script: Entry, head: bytes, trace: _Trace, scripts: int) -> Refusal | None:
    """Why the interpreter that ``#!`` names cannot be started (fs/binfmt_script.c, `load_script`), or not read it."""
    line, newline, _ = head[2:].partition(b"\n")
    words = line.strip(b" \t").decode("utf-8", "surrogateescape").replace("\t", " ").split(" ", 1)
    interpreter = words[0]
    if not interpreter or (not newline and len(words) == 1 and len(head) == HEAD):
        return _of_script(script, "its first line names no interpreter")
    if scripts == MAX_SCRIPTS:
        return _of_script(script, "it is a script for a script for a script, and so on: the kernel gives up")
    refusal = _why_not_path(start, interpreter, trace, scripts + 1)
    hint = _shell_hint(interpreter)
    if refusal is None and interpreter.rpartition("/")[2] == "env" and len(words) > 1:
        wanted = words[1].strip()
        # Of options, assignments and several words env(1) makes more than a name.
        plain = wanted and not set(wanted) & set(" =/\t") and not wanted.startswith("-")
        if plain and find_in_path(start, wanted) is None:
            return _of_script(script, f"its first line names {wanted!r}, which is not in PATH", _shell_hint(wanted))
    if refusal is None and not may(script, start.user, READ):
        reason = f"it is a script, and {start.user} may not read it (mode {script.mode:04o})"
        return Refusal("unreadable-file", script.path, reason, _MODES)
    # What is wrong with a script that interprets this one is that one's fault.
    if refusal is None or refusal.code == "script-interpreter":
        return refusal
    if interpreter.endswith("\r"):
        hint = "write the script with Unix line ends (dos2unix)"
    return _of_script(script, f"its interpreter is {interpreter!r}, and {refusal.reason}", hint or refusal.hint)


def _of_script(script: Entry, reason: str, hint: str = "") -> Refusal:
    return Refusal("script-interpreter", script.path, reason, hint)


def _why_not_elf(start: Start, entry: Entry, content: Content, trace: _Trace) -> Refusal | None:
    """Why a program that was not proved before does not load; what its loader is not known for counts as good."""
    from minpack.elf.info import ElfKind  # noqa: PLC0415 - what was given as a program is proved
    from minpack.elf.read import read_elf  # noqa: PLC0415
    from minpack.errors import MinpackError  # noqa: PLC0415

    try:
        info = read_elf(content, entry.path)
    except MinpackError as error:
        return Refusal("damaged-program", entry.path, error.message, error.hint or "")
    if info.kind in (ElfKind.RELOCATABLE, ElfKind.CORE, ElfKind.DEBUG):
        what = f"it is {'an' if info.kind is ElfKind.RELOCATABLE else 'a'} {info.kind}"
        return Refusal("not-a-program", entry.path, what)
    platform, wanted = info.target.platform, start.config.platform
    architecture = platform.architecture if platform is not None else str(info.target)
    if architecture != wanted.architecture and (wanted.architecture, architecture) not in _RUN_TOO:
        reason = f"it is for {architecture}, and the image for {wanted}"
        return Refusal("wrong-architecture", entry.path, reason)
    if info.interpreter is None:
        return None
    interpreter = _found(start, info.interpreter)
    if isinstance(interpreter, Refusal):
        reason = f"its interpreter is {info.interpreter!r}, and {interpreter.reason}"
        return Refusal("elf-interpreter", entry.path, reason, ADD_AS_PROGRAM)
    return _why_not_loaded(start, entry, info, trace)


def _why_not_loaded(start: Start, entry: Entry, info: ElfInfo, trace: _Trace) -> Refusal | None:
    from minpack.errors import MinpackError, UnloadableLibraryError  # noqa: PLC0415 - as above
    from minpack.ld.resolve import libc_of, resolve_closure  # noqa: PLC0415

    if libc_of(info.interpreter or "") is None:
        return None
    try:
        closure = resolve_closure(start.tree, entry.path, _environment(start, entry))
        trace.programs.append(LaunchedProgram(closure))
        names = dict.fromkeys(one.name for one in closure.missing)
        if names:
            return Refusal("missing-library", next(iter(names)), f"it lacks {', '.join(names)}", ADD_AS_PROGRAM)
        return _why_not_bound(start, entry, closure, trace)
    except UnloadableLibraryError as error:
        return Refusal("unloadable-library", error.path, error.message, error.hint or ADD_AS_PROGRAM)
    except MinpackError as error:
        return Refusal("unloadable-program", entry.path, error.message, ADD_AS_PROGRAM)


def _environment(start: Start, entry: Entry) -> Environment:
    """The variables that the loader heeds: few of them where it gives the program another user's rights (ld.so(8))."""
    from minpack.ld.closure import Environment  # noqa: PLC0415 - as above

    environment = start.environment if start.environment is not None else Environment()
    if not entry.mode & SET_ID_BITS and not entry.capability:
        return environment
    user = start.user
    ids = (entry.uid if entry.mode & 0o4000 else user.uid, entry.gid if entry.mode & 0o2000 else user.gid)
    if ids == user[:2] and not (entry.capability and user.uid):
        return environment
    return Environment(working_directory=environment.working_directory)


def _why_not_bound(start: Start, entry: Entry, closure: Closure, trace: _Trace) -> Refusal | None:
    """Why a program of which nothing is missing does not start, if that is to be proved."""
    if start.symbols is None:
        return None
    from minpack.ld.bind import prove  # noqa: PLC0415 - as above
    from minpack.ld.demands import demands  # noqa: PLC0415
    from minpack.ld.verdict import reasons  # noqa: PLC0415

    proof, demanded = prove(closure, start.symbols), demands(closure, start.symbols)
    proof = proof._replace(problems=(*proof.problems, *demanded.problems))
    trace.programs[-1] = LaunchedProgram(closure, proof, demanded)
    if proof.loads:
        return None
    code = "missing-version" if proof.versions else "missing-symbol"
    hint = "build it on a system as old as the image's, or take newer libraries" if proof.versions else ADD_AS_PROGRAM
    return Refusal(code, entry.path, "; ".join(reasons(proof)), hint)


#: What to do about a program that came into the image as a plain file.
ADD_AS_PROGRAM = "name the file as another program instead of adding it, so that what it needs is packed"
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
