"""Every error of minpack says what it cannot do, why, and what to do, for people and for programs."""

from __future__ import annotations

import ast
import inspect
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from minpack import errors
from minpack.errors import (
    MOST_LINES,
    OPTION,
    AmbiguousLibraryError,
    ArchiveError,
    BadValueError,
    BaseError,
    BaseNeededError,
    ChangedInputError,
    ConfigError,
    ContradictoryOptionsError,
    CredentialsError,
    DanglingLinkError,
    DifferentProgramsError,
    DownloadError,
    ElfError,
    EngineError,
    EntrypointError,
    ExecutorError,
    HealthCheckError,
    ImageBaseError,
    ImageError,
    InputError,
    InternalError,
    KeyFileError,
    LibcMismatchError,
    LockedError,
    LockError,
    MalformedElfError,
    MinpackError,
    MissingLibraryError,
    NotElfError,
    NothingToClaimError,
    NotInBaseError,
    NotInImageError,
    NotInRegistryError,
    NotProgramError,
    NotStartedError,
    NotTextError,
    OfflineError,
    OutputError,
    PackageError,
    PathConflictError,
    RegistryAccessError,
    RegistryError,
    ResolveError,
    ResourceError,
    RootfsError,
    SmokeTestError,
    StoreError,
    SumMismatchError,
    TooLargeError,
    UnboundSymbolError,
    UnknownBaseError,
    UnloadableFileError,
    UnloadableLibraryError,
    UnreadableFileError,
    UnreadableImageError,
    UntrustedPackageError,
    UnverifiedError,
    UsageError,
    WrongTargetError,
)

SOURCE = Path(errors.__file__).parent
CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, MinpackError) and value.__module__ == errors.__name__
}
MISSING = (("liba.so", "/app", (("/lib", "default"),)), ("libb.so", "/lib/libc.so", ()))

DIFFERENCES = (
    ("file", "/a", "base 0644 sha256:1", "base 0644 sha256:2"),
    ("package", "b", "1.0", ""),
    ("library", "c", "", "needed by /app"),
)


class Row(NamedTuple):
    """An error, its text, and its data for programs."""

    error: MinpackError
    message: str
    data: dict[str, object]


def plain(cls: type[MinpackError]) -> Row:
    """A row for a class that is there to be derived from."""
    return Row(cls("cannot do it: no", "try"), "cannot do it: no", {})


ROWS = (
    plain(MinpackError),
    plain(ElfError),
    plain(ResolveError),
    plain(RootfsError),
    plain(ImageError),
    Row(
        UsageError("--user", "x:", "no group", "write 1:2"),
        "cannot use --user 'x:': no group",
        {"option": "--user", "value": "x:", "reason": "no group"},
    ),
    Row(
        BadValueError("x:", "no group", f"as {OPTION} 1:2"),
        "cannot use 'x:': no group",
        {"value": "x:", "reason": "no group"},
    ),
    Row(
        ContradictoryOptionsError("--dir /a:0700", "--dir /a:0711", "/a", "mode", "leave one out"),
        "cannot use --dir /a:0700: --dir /a:0711 gives '/a' a different mode",
        {
            "option": "--dir /a:0700",
            "value": "",
            "reason": "--dir /a:0711 gives '/a' a different mode",
            "other": "--dir /a:0711",
            "path": "/a",
            "what": "mode",
        },
    ),
    Row(
        InputError("a", "is a directory"), "cannot read 'a': is a directory", {"path": "a", "reason": "is a directory"}
    ),
    Row(
        NotElfError("a", "a text file", "build it"),
        "cannot read 'a' as an ELF program: it is a text file",
        {"path": "a", "what": "a text file"},
    ),
    Row(
        MalformedElfError("a", 32, "no"),
        "cannot read 'a': malformed ELF file: no (at offset 32)",
        {"path": "a", "offset": 32, "reason": "no"},
    ),
    Row(
        NotProgramError("a.o", "an object file", "link it"),
        "cannot pack 'a.o': it is an object file",
        {"path": "a.o", "what": "an object file"},
    ),
    Row(
        MissingLibraryError("app", "alpine", MISSING, "install it"),
        "cannot pack 'app' on alpine: missing liba.so, libb.so\n"
        "  liba.so, needed by /app, not found in:\n"
        "    /lib  (default)\n"
        "  libb.so, needed by /lib/libc.so",
        {"program": "app", "base": "alpine", "missing": MISSING},
    ),
    Row(
        UnloadableFileError((("a.so", "it needs libz.so.1, which b lacks"), ("b.so", "no")), "b", "add it"),
        "cannot pack 'a.so' on b: it would not load: it needs libz.so.1, which b lacks\n  b.so: no",
        {"files": (("a.so", "it needs libz.so.1, which b lacks"), ("b.so", "no")), "base": "b"},
    ),
    Row(
        DanglingLinkError(("/a -> b",)),
        "cannot pack broken symbolic links: /a -> b",
        {"links": ("/a -> b",)},
    ),
    Row(
        UnboundSymbolError("app", "b", ("no library defines f, which /app needs",), "try another"),
        "cannot pack 'app' on b: it would not start\n  no library defines f, which /app needs",
        {"program": "app", "base": "b", "reasons": ("no library defines f, which /app needs",)},
    ),
    Row(
        LockError("a.lock", "version is missing", "write it"),
        "cannot use lock 'a.lock': version is missing",
        {"lock": "a.lock", "reason": "version is missing"},
    ),
    Row(
        ConfigError("a.toml", 3, 7, "base", "x y", "it names no base", None),
        "cannot use base 'x y' in a.toml:3:7: it names no base",
        {
            "path": "a.toml",
            "line": 3,
            "column": 7,
            "key": "base",
            "value": "x y",
            "reason": "it names no base",
        },
    ),
    Row(
        LockedError("a.lock", DIFFERENCES),
        "cannot build from 'a.lock': this build differs from it\n"
        "  file /a: locked base 0644 sha256:1, now base 0644 sha256:2\n"
        "  package b: locked 1.0, now absent\n"
        "  library c: not in the lock, now needed by /app",
        {
            "lock": "a.lock",
            "reason": "this build differs from it\n"
            "  file /a: locked base 0644 sha256:1, now base 0644 sha256:2\n"
            "  package b: locked 1.0, now absent\n"
            "  library c: not in the lock, now needed by /app",
            "differences": DIFFERENCES,
        },
    ),
    Row(
        EntrypointError("/bin/x", "the image has no such file", "add it"),
        "cannot start '/bin/x': the image has no such file",
        {"program": "/bin/x", "reason": "the image has no such file"},
    ),
    Row(
        HealthCheckError("/bin/x", "the image has no such file", "add it"),
        "cannot run the health check '/bin/x': the image has no such file",
        {"program": "/bin/x", "reason": "the image has no such file"},
    ),
    Row(
        UnreadableFileError("/lib", "1:1", "it may not enter", "change it"),
        "cannot start the program as 1:1: it may not enter '/lib'",
        {"path": "/lib", "user": "1:1", "what": "it may not enter"},
    ),
    Row(
        UnloadableLibraryError("/lib/a.so", "/app", "it is a text file"),
        "cannot load '/lib/a.so', needed by /app: it is a text file",
        {"path": "/lib/a.so", "needed_by": "/app", "reason": "it is a text file"},
    ),
    Row(
        LibcMismatchError("app", "/lib/ld.so", "glibc", "alpine", "musl", "use debian"),
        "cannot pack 'app': it needs glibc (/lib/ld.so), but alpine has musl",
        {"program": "app", "interpreter": "/lib/ld.so", "libc": "glibc", "base": "alpine", "base_libc": "musl"},
    ),
    Row(
        LibcMismatchError("app", "/lib/ld.so", "glibc", "scratch", "", "use debian"),
        "cannot pack 'app': it needs glibc (/lib/ld.so), but scratch has no C library",
        {"program": "app", "interpreter": "/lib/ld.so", "libc": "glibc", "base": "scratch", "base_libc": ""},
    ),
    Row(
        WrongTargetError("a", "x86_64", "s390x"),
        "cannot use 'a': it is for s390x, not x86_64",
        {"path": "a", "wanted": "x86_64", "got": "s390x"},
    ),
    Row(
        DifferentProgramsError((("linux/amd64", ("app", "helper")), ("linux/arm64", ("app",)))),
        "cannot pack one image for 2 platforms: their programs differ\n  linux/amd64: app, helper\n  linux/arm64: app",
        {"programs": (("linux/amd64", ("app", "helper")), ("linux/arm64", ("app",)))},
    ),
    Row(
        AmbiguousLibraryError("liba.so", (("a", "1-r0", "v3.20 main"), ("b", "2-r0", "v3.20 main"))),
        "cannot choose a package for liba.so: several packages have it, and none is preferred\n"
        "  a 1-r0  (v3.20 main)\n"
        "  b 2-r0  (v3.20 main)",
        {"soname": "liba.so", "candidates": (("a", "1-r0", "v3.20 main"), ("b", "2-r0", "v3.20 main"))},
    ),
    Row(PackageError("package a", "no"), "cannot use package a: no", {"what": "package a", "reason": "no"}),
    Row(UntrustedPackageError("index u", "no"), "cannot use index u: no", {"what": "index u", "reason": "no"}),
    Row(
        BaseNeededError("app", "/lib/ld.so", "name one"),
        "cannot pack 'app': it is dynamically linked (/lib/ld.so) and needs a --base",
        {"program": "app", "interpreter": "/lib/ld.so"},
    ),
    Row(BaseError("b", "no"), "cannot read base 'b': no", {"base": "b", "reason": "no"}),
    Row(UnknownBaseError("b", "no"), "cannot read base 'b': no", {"base": "b", "reason": "no"}),
    Row(ArchiveError("b", "no"), "cannot read base 'b': no", {"base": "b", "reason": "no"}),
    Row(
        ImageBaseError("b", "an image", "make one"),
        "cannot read base 'b': it is an image, not a root file system",
        {"base": "b", "reason": "it is an image, not a root file system", "what": "an image"},
    ),
    Row(
        NotInImageError("i", "/etc/x", "which --keep names"),
        "cannot read image 'i': it has no /etc/x, which --keep names",
        {"image": "i", "reason": "it has no /etc/x, which --keep names", "path": "/etc/x"},
    ),
    Row(
        NotInBaseError("b", "/etc/x", "which it needs", "add it"),
        "cannot read base 'b': it has no /etc/x, which it needs",
        {"base": "b", "reason": "it has no /etc/x, which it needs", "path": "/etc/x"},
    ),
    Row(StoreError("/c", "no"), "cannot use store '/c': no", {"path": "/c", "reason": "no"}),
    Row(
        DownloadError("u:x", "no", status=404),
        "cannot download u:x: no",
        {"url": "u:x", "reason": "no", "status": 404},
    ),
    Row(
        OfflineError("u:x"),
        "cannot download u:x: it is not in the cache, and --offline forbids downloads",
        {"url": "u:x", "reason": "it is not in the cache, and --offline forbids downloads", "status": None},
    ),
    Row(
        SumMismatchError("x", "sha256", "aa", "bb", "again"),
        "cannot verify x: its sha256 differs\n  expected aa\n  actual   bb",
        {"what": "x", "algorithm": "sha256", "expected": "aa", "actual": "bb"},
    ),
    Row(
        PackageError("Packages", "it is damaged", "again"),
        "cannot use Packages: it is damaged",
        {"what": "Packages", "reason": "it is damaged"},
    ),
    Row(
        UntrustedPackageError("InRelease", "no trusted key has signed it"),
        "cannot use InRelease: no trusted key has signed it",
        {"what": "InRelease", "reason": "no trusted key has signed it"},
    ),
    Row(
        AmbiguousLibraryError("liba.so.1", (("a1", "1.0", "main"), ("a1-compat", "2", "main"))),
        "cannot choose a package for liba.so.1: several packages have it, and none is preferred\n"
        "  a1 1.0  (main)\n  a1-compat 2  (main)",
        {"soname": "liba.so.1", "candidates": (("a1", "1.0", "main"), ("a1-compat", "2", "main"))},
    ),
    Row(
        PathConflictError("/a", "a file", "a directory"),
        "cannot place '/a': a directory conflicts with a file",
        {"path": "/a", "first": "a file", "second": "a directory"},
    ),
    Row(
        NothingToClaimError("i", "f", ("one", "two")),
        "cannot claim anything about 'i': it has files of every vulnerability in 'f'\n  one\n  two",
        {"image": "i", "source": "f", "present": ("one", "two")},
    ),
    Row(UnreadableImageError("i", "no", "so"), "cannot read image 'i': no", {"image": "i", "reason": "no"}),
    Row(
        NotTextError("\udcff"),
        "cannot put '\\udcff' into an image's configuration: it is not UTF-8",
        {"text": "\udcff"},
    ),
    Row(
        ChangedInputError("a", 2, 1),
        "cannot pack 'a': it changed while it was read (2 bytes planned, 1 read)",
        {"path": "a", "planned": 2, "actual": 1},
    ),
    Row(OutputError("a", "no"), "cannot write 'a': no", {"path": "a", "reason": "no"}),
    Row(
        RegistryError("push", "ghcr.io/a/b:1", "no", status=400, code="DENIED"),
        "cannot push 'ghcr.io/a/b:1': no",
        {"name": "ghcr.io/a/b:1", "reason": "no", "status": 400, "code": "DENIED"},
    ),
    Row(
        RegistryAccessError("pull", "ghcr.io/a/b:1", "no", "log in", status=401),
        "cannot pull 'ghcr.io/a/b:1': no",
        {"name": "ghcr.io/a/b:1", "reason": "no", "status": 401, "code": ""},
    ),
    Row(
        NotInRegistryError("pull", "ghcr.io/a/b:1", "no", "spell it", status=404, code="MANIFEST_UNKNOWN"),
        "cannot pull 'ghcr.io/a/b:1': no",
        {"name": "ghcr.io/a/b:1", "reason": "no", "status": 404, "code": "MANIFEST_UNKNOWN"},
    ),
    Row(
        CredentialsError("/root/.docker/config.json", "no"),
        "cannot read credentials from '/root/.docker/config.json': no",
        {"source": "/root/.docker/config.json", "reason": "no"},
    ),
    Row(KeyFileError("me.key", "no"), "cannot use key 'me.key': no", {"key": "me.key", "reason": "no"}),
    Row(
        UnverifiedError("me/app:1", "wrong-key", "no", "try"),
        "cannot verify 'me/app:1': no",
        {"image": "me/app:1", "problem": "wrong-key", "reason": "no"},
    ),
    Row(EngineError("load it", "no"), "cannot load it: no", {"reason": "no"}),
    Row(
        ExecutorError("dask://host:1", "it has no workers", "start some"),
        "cannot use dask://host:1: it has no workers",
        {"executor": "dask://host:1", "reason": "it has no workers"},
    ),
    Row(
        NotStartedError("start '/app'", "no such file", "look", 127),
        "cannot start '/app': no such file",
        {"reason": "no such file", "exit_code": 127},
    ),
    Row(
        SmokeTestError("me/app:1", ("/app", "a b"), 3, "it ended", ("last line",), "look", ("/etc/x",)),
        "cannot pack 'me/app:1': it fails its smoke test: it ended\n"
        "  command: /app a b\n  output: last line\n  not found: /etc/x",
        {
            "image": "me/app:1",
            "command": ("/app", "a b"),
            "code": 3,
            "reason": "it ended",
            "output": ("last line",),
            "absent": ("/etc/x",),
        },
    ),
    Row(
        TooLargeError("me/app:1", "packed", 2000, 1000, (("program", 1999),), "leave something out"),
        "cannot pack 'me/app:1': it is 2,000 bytes packed, and the limit is 1,000\n          1,999 bytes  program",
        {
            "image": "me/app:1",
            "what": "packed",
            "size": 2000,
            "most": 1000,
            "reasons": (("program", 1999),),
        },
    ),
    Row(
        ResourceError("minpack tree", "no memory"),
        "cannot run minpack tree: no memory",
        {"command": "minpack tree", "reason": "no memory"},
    ),
    Row(
        InternalError("KeyError: 'a'", ("minpack/a.py:1 in f",), "minpack 1", "minpack ./app", "report it"),
        "internal error: KeyError: 'a'\n  at minpack/a.py:1 in f\n  minpack 1\n  command: minpack ./app",
        {
            "error": "KeyError: 'a'",
            "places": ("minpack/a.py:1 in f",),
            "versions": "minpack 1",
            "command": "minpack ./app",
        },
    ),
)


def drawn() -> dict[str, tuple[str | None, int]]:
    """The tree in the module's docstring: each class, its parent, and its exit code, given or the parent's."""
    found: dict[str, tuple[str | None, int]] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"    ([│├└─ ]*)(\w+Error)\b(?:.*?(?:exit |exit_code = )(\d+))?", line)
        if match is None:
            continue
        del above[len(match[1]) // 4 :]
        parent = above[-1] if above else None
        found[match[2]] = parent, int(match[3]) if match[3] else found[str(parent)][1]
        above.append(match[2])
    return found


def test_the_drawing_is_the_tree() -> None:
    """The docstring draws every class below its parent, with its exit code, and no other."""
    parents = {
        name: (next((base.__name__ for base in cls.__bases__ if issubclass(base, MinpackError)), None), cls.exit_code)
        for name, cls in CLASSES.items()
    }
    assert drawn() == parents


def test_every_class_has_a_row() -> None:
    """A class that this test does not make is a class whose text nobody has looked at."""
    assert {type(row.error).__name__ for row in ROWS} == set(CLASSES)


def test_no_error_is_defined_elsewhere() -> None:
    """All errors of minpack are in one module."""
    elsewhere = [
        f"{path.name}: {node.name}"
        for path in SOURCE.rglob("*.py")
        if path.name != "errors.py"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
        and {ast.unparse(base).split(".")[-1] for base in node.bases} & CLASSES.keys()
        # click has a class of the same name as one of ours.
        and "click" not in ast.unparse(node.bases[0])
    ]
    assert elsewhere == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: type(row.error).__name__)
def test_texts_and_data_are_as_promised(row: Row) -> None:
    """The text is the sentence it should be, `str` gives it too, and the data are those the error was made from."""
    assert row.error.message == str(row.error) == row.message
    assert row.error.data == row.data


@pytest.mark.parametrize("row", ROWS, ids=lambda row: type(row.error).__name__)
def test_texts_have_one_form(row: Row) -> None:
    """``cannot <verb> <object>: <reason>``, without a full stop; the hint tells what to do, or is left out."""
    first = row.error.message.split("\n")[0]
    assert re.fullmatch(r"(cannot [a-z]+ .+|internal error): .+[^.]", first)
    hint = row.error.hint
    assert hint is None or (hint[:1].islower() and not hint.endswith("."))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: type(row.error).__name__)
def test_data_are_fit_for_json(row: Row) -> None:
    """Programs can read the data, also where a name is not UTF-8."""
    again = json.loads(json.dumps(row.error.data))
    assert again == json.loads(json.dumps(row.data))
    assert json.dumps(row.error.data).isascii()


#: More of each kind of value than any class was made for; what is in a line would make another.
LONG = "n\nhint: do\n" * 100_000
HUGE: dict[str, object] = {
    "str": LONG,
    "str | None": LONG,
    "int": 1 << 64,
    "int | None": 1 << 64,
    "tuple[str, ...]": (LONG,) * 5000,
    "Sequence[str]": (LONG,) * 5000,
    "Sequence[tuple[str, int]]": ((LONG, 1 << 64),) * 5000,
    "tuple[tuple[str, str], ...]": ((LONG,) * 2,) * 5000,
    "tuple[tuple[str, tuple[str, ...]], ...]": ((LONG, (LONG,) * 100),) * 5000,
    "tuple[tuple[str, str, str], ...]": ((LONG,) * 3,) * 5000,
    "tuple[tuple[str, str, str, str], ...]": ((LONG,) * 4,) * 100,
    "Sequence[tuple[str, str, Sequence[tuple[str, str]]]]": ((LONG, LONG, ((LONG, LONG),) * 5000),) * 5000,
}


@pytest.mark.parametrize("cls", CLASSES.values(), ids=CLASSES)
def test_messages_have_a_bound_that_no_value_moves(cls: type[MinpackError]) -> None:
    """However much there is of anything, a message has a screenful; and no value in it can pass for a hint."""
    wanted = inspect.signature(cls, eval_str=False).parameters.values()
    given: dict[str, Any] = {parameter.name: HUGE[parameter.annotation] for parameter in wanted}
    error = cls(**given)
    lines = error.message.split("\n")
    assert len(lines) <= MOST_LINES + 1
    assert len(error.message) < 100_000
    assert len(error.hint or "") < 1200
    assert "message" in given or not [
        line for line in lines if not line.startswith(("cannot ", "internal error: ", "  "))
    ]
    assert "\n" not in (error.hint or "")


def test_what_is_missing_is_told_of_a_few() -> None:
    """Of a thousand libraries sought in hundreds of directories: some of either, and how many more there are."""
    places = tuple((f"/{n}/" + "d" * 4000, "runpath") for n in range(250))
    error = MissingLibraryError("app", "base", tuple((f"l{n}.so", "/app", places) for n in range(1150)), "add it")
    lines = error.message.split("\n")
    assert lines[0] == (
        "cannot pack 'app' on base: missing l0.so, l1.so, l2.so, l3.so, l4.so, l5.so, l6.so, l7.so and 1142 more"
    )
    assert lines[1] == "  l0.so, needed by /app, not found in:"
    assert lines[2] == "    /0/" + "d" * 222 + "…3703 more…" + "d" * 75 + "  (runpath)"
    assert lines[22:25] == ["    and 230 more", "  l1.so, needed by /app, not found there either", *lines[24:25]]
    assert lines[-1] == "  and 1142 more"
    assert len(lines) == 31


def test_kinds_are_names_in_kebab_case() -> None:
    """The kind follows from the class's name, and no two classes share one."""
    kinds = {type(row.error): row.error.kind for row in ROWS}
    assert kinds[MissingLibraryError] == "missing-library"
    assert kinds[MalformedElfError] == "malformed-elf"
    assert kinds[NotInBaseError] == "not-in-base"
    assert kinds[MinpackError] == "minpack"
    assert len(set(kinds.values())) == len(CLASSES)
    assert all(re.fullmatch("[a-z]+(-[a-z]+)*", kind) for kind in kinds.values())


def test_verbs_can_be_told() -> None:
    """A file that should have been written or listed is not said to be unreadable."""
    assert str(InputError("a", "no", verb="list")) == "cannot list 'a': no"


def test_odd_names_are_shown_escaped() -> None:
    """A path that would change a terminal's colours, or is not text, is shown as it is written in Python."""
    assert str(InputError("\x1b[31m\udcff", "no")) == r"cannot read '\x1b[31m\udcff': no"


def test_a_name_begins_no_line() -> None:
    """A line break in a name is shown as one: no name can look like a line of minpack's."""
    assert str(PackageError("package a\nhint: b", "no\n  more")) == "cannot use package a\\nhint: b: no\n  more"


def test_an_option_without_a_value_is_named_alone() -> None:
    """Where no value was given, none is shown."""
    assert str(UsageError("--base", "", "no base was named")) == "cannot use --base: no base was named"
