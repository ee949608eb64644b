"""The public library: its documentation runs and is typed, its names are whole, and wrong values are explained."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import textwrap
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import minpack
from minpack import (
    BaseOptions,
    BytesContent,
    Format,
    ImageSpec,
    Network,
    OutputSpec,
    RunConfig,
    inspect,
    open_base,
    pack,
    parse_base,
    parse_reference,
    parse_user,
    read_elf,
    resolve_closure,
    resolve_tree,
)
from minpack.errors import InputError, UsageError
from minpack.library import bases, callbacks, commands, elf, parsers
from minpack.library.check import hints_of
from support.badfiles import MUSL_LOADER
from support.elfmaker import MUSL, library, program, static_program

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

TOP = Path(__file__).parents[2]
PAGE = (TOP / "docs" / "library.md").read_text()
#: Each example of the page, with the output that the page shows; the package's own has none.
EXAMPLES = [
    *re.findall(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", PAGE, re.DOTALL),
    (textwrap.dedent(re.findall(r"(?m)(?:^    .*\n|^\n)+", minpack.__doc__ or "")[0]), ""),
]
OPTIONS = BaseOptions(store=None, network=Network(offline=True), today="2026-01-31")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with the programs and the base that the examples use."""
    greet = program(("libgreet.so.1",), interpreter=MUSL)
    files = {
        "hello": static_program(),
        "amd64/hello": static_program(),
        "arm64/hello": static_program(machine="aarch64"),
        "myapp": static_program(),
        "server": greet,
        "hello.conf": b"greeting = hello\n",
        "rootfs/lib/ld-musl-x86_64.so.1": MUSL_LOADER,
        "rootfs/usr/lib/libgreet.so.1": library("libgreet.so.1"),
        "rootfs/usr/bin/greet": greet,
    }
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("example", range(len(EXAMPLES)))
def test_each_example_runs(example: int, place: Path) -> None:
    """The examples of docs/library.md and of the package print what the page says, with warnings as errors."""
    code, shown = EXAMPLES[example]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=place, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == shown if shown else done.stdout


def test_the_examples_are_typed(tmp_path: Path) -> None:
    """`mypy --strict` finds nothing in them."""
    for number, (code, _) in enumerate(EXAMPLES):
        (tmp_path / f"example{number}.py").write_text(code)
    # The project's settings and cache, so that nothing is checked twice; but for the examples' own paths.
    command = [sys.executable, "-m", "mypy", "--strict", f"--config-file={TOP / 'pyproject.toml'}"]
    files = sorted(map(str, tmp_path.glob("*.py")))
    done = subprocess.run([*command, *files], cwd=TOP, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout


def test_the_page_names_what_there_is() -> None:
    """Each name that the page's examples and table import or call is public, and so are all that its prose has."""
    used = {alias.name for code, _ in EXAMPLES for node in ast.walk(ast.parse(code))
            if isinstance(node, ast.ImportFrom) and node.module == "minpack" for alias in node.names}  # fmt: skip
    assert used <= set(minpack.__all__)
    called = set(re.findall(r"`(\w+)\(", re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)))
    assert called - {"dir"} <= set(minpack.__all__)


def test_type_checkers_see_the_same_names() -> None:
    """What type checkers import is what is imported when it is used, from the same modules."""
    tree = ast.parse(Path(minpack.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == minpack._HOMES


@pytest.mark.parametrize("module", [bases, callbacks, commands, elf, parsers], ids=lambda module: module.__name__)
def test_every_function_of_the_library_is_public(module: ModuleType) -> None:
    """What a module of the room defines without an underscore is exported from it."""
    tree = ast.parse(Path(str(module.__file__)).read_text())
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    defined |= {target.id for node in tree.body if isinstance(node, ast.Assign)
                for target in node.targets if isinstance(target, ast.Name)}  # fmt: skip
    public = {name for name in defined if not name.startswith("_")}
    assert public == {name for name, home in minpack._HOMES.items() if home == module.__name__}


def test_dir_lists_the_public_names() -> None:
    """`dir(minpack)` has all public names and no others, and imports none of them."""
    listed = "import sys, minpack; print(*dir(minpack)); print(*(m for m in sys.modules if m.startswith('minpack.')))"
    done = subprocess.run([sys.executable, "-c", listed], capture_output=True, text=True, check=True)
    names, modules = done.stdout.splitlines()
    assert names.split() == minpack.__all__
    assert modules.split() == ["minpack._version"]


def test_a_misspelt_name_is_suggested() -> None:
    """Python's own message names what was likely meant."""
    done = subprocess.run(
        [sys.executable, "-c", "import minpack; minpack.read_eff"], capture_output=True, text=True, check=False
    )
    assert "Did you mean: 'read_elf'?" in done.stderr


def names_of(hint: Any) -> set[str]:
    """The classes of minpack that an annotation has."""
    inner = {name for one in typing.get_args(hint) for name in names_of(one)}
    own = isinstance(hint, (type, typing.NewType)) and hint.__module__.startswith("minpack.")
    return inner | ({hint.__name__} if own else set())


@pytest.mark.parametrize("value", ["BaseOptions", "BaseRef", "ImageSpec", "Network", "OutputSpec", "PackageOptions",
                                   "RunConfig", "Addition", "AddedDirectory", "AddedLink"])  # fmt: skip
def test_every_type_that_an_option_needs_is_public(value: str) -> None:
    """The classes of all fields are exported."""
    declared = getattr(minpack, value)
    assert all(names_of(hints_of(declared)[field]) <= set(minpack.__all__) for field in declared._fields)


@pytest.mark.parametrize("name", [name for name in minpack.__all__ if name[0].islower()])
def test_every_type_that_a_function_takes_or_gives_is_public(name: str) -> None:
    """The classes of all parameters and of the result are exported."""
    function = getattr(minpack, name)
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    hints = hints_of(function)
    assert "return" in hints
    assert all(names_of(hint) <= set(minpack.__all__) for hint in hints.values())


def test_read_elf_takes_a_path_or_a_content(place: Path) -> None:
    """A path as text, as a `Path`, and bytes in memory give the same."""
    path = place / "server"
    content = BytesContent(path.read_bytes())
    assert read_elf(str(path)) == read_elf(path) == read_elf(content)
    assert parse_base(place) == parse_base(str(place))
    with pytest.raises(InputError, match="no such file"):
        read_elf(place / "missing")


def spec(programs: Any = ("./hello",), **fields: Any) -> Callable[[], object]:
    """A call that packs a spec with these fields, which type checkers would refuse."""
    return lambda: pack(ImageSpec(programs, **fields), OPTIONS)


def call(function: Any, *arguments: Any) -> Callable[[], object]:
    """A call that type checkers would refuse."""
    return lambda: function(*arguments)


#: Calls with a value of a wrong type, and what the error says.
MISTAKES = [
    (call(pack, "./app", OPTIONS), "pack(spec) takes ImageSpec, not './app' (str): write ImageSpec(('./app',))"),
    (spec("./app"), "ImageSpec.programs takes tuple[str, ...], not './app' (str): write ('./app',)"),
    (spec(["./app"]), "ImageSpec.programs takes tuple[str, ...], not ['./app'] (list): write ('./app',)"),
    (spec((Path("app"),)), "ImageSpec.programs takes str, not PosixPath('app') (PosixPath): write 'app'"),
    (spec(base="debian-12"), "ImageSpec.base takes BaseRef, not 'debian-12' (str): write parse_base('debian-12')"),
    (spec(platform="arm64"), "ImageSpec.platform takes Platform, not 'arm64' (str): write parse_platform('arm64')"),
    (spec(destination="app"), "ImageSpec.destination takes RootPath, not 'app' (str): write '/app'"),
    (spec(additions=("a:/b",)), "ImageSpec.additions takes Addition, not 'a:/b' (str): write parse_addition('a:/b')"),
    (spec(wanted={"tz"}), "ImageSpec.wanted takes frozenset[Need], not {'tz'} (set): write frozenset(('tz',))"),
    (spec(wanted=frozenset({"tz"})), "ImageSpec.wanted takes Need, not 'tz' (str): write Need.TZ"),
    (spec(check="all"), "ImageSpec.check takes Check, not 'all' (str): write Check.NONE or Check.LOAD"),
    (spec(created="0"), "ImageSpec.created takes int, not '0' (str)"),
    (
        spec(run=RunConfig(user=call(str, "1000")())),  # type: ignore[arg-type]
        "RunConfig.user takes User, not '1000' (str): write parse_user('1000')",
    ),
    (
        spec(run=RunConfig(env=call(dict, {"A": "b"})())),  # type: ignore[arg-type]
        "RunConfig.env takes tuple[tuple[str, str], ...], not {'A': 'b'} (dict): write (('A', 'b'),)",
    ),
    (call(pack, ImageSpec(("./hello",)), None), "pack(options) takes BaseOptions, not None (NoneType)"),
    (call(pack, ImageSpec(("./hello",)), OPTIONS, "a.tar"), "pack(output) takes OutputSpec, not 'a.tar' (str)"),
    (
        call(pack, ImageSpec(("./hello",)), OPTIONS, call(OutputSpec, "archive", "a.tar", ())()),
        "OutputSpec.format takes Format, not 'archive' (str): write Format.ARCHIVE",
    ),
    (
        call(pack, ImageSpec(("./hello",)), OPTIONS, call(OutputSpec, Format.TAR, "a.tar", ("a",))()),
        "OutputSpec.references takes Reference, not 'a' (str): write parse_reference('a')",
    ),
    (
        call(pack, ImageSpec(("./hello",)), OPTIONS, None, 3),
        "pack(progress) takes Callable[[str, int, int | None], None], not 3 (int)",
    ),
    (
        call(read_elf, b"ELF"),
        "read_elf(file) takes str | PathLike[str] | Content, not b'ELF' (bytes): write BytesContent(…)",
    ),
    (call(read_elf, 3), "read_elf(file) takes str | PathLike[str] | Content, not 3 (int)"),
    (call(parse_reference, b"app"), "parse_reference(text) takes str, not b'app' (bytes)"),
    (call(parse_user, 1000), "parse_user(text) takes str, not 1000 (int)"),
    (
        call(open_base, "alpine-3.22", "amd64", OPTIONS),
        "open_base(ref) takes BaseRef, not 'alpine-3.22' (str): write parse_base('alpine-3.22')",
    ),
    (call(resolve_closure, "rootfs", "/bin/app"), "resolve_closure(walker) takes Walker, not 'rootfs' (str)"),
]  # fmt: skip


@pytest.mark.parametrize(("mistake", "said"), MISTAKES, ids=[said for _, said in MISTAKES])
def test_a_wrong_type_is_explained(mistake: Callable[[], object], said: str) -> None:
    """The error names the value that is wrong, what it must be, and what to write instead if that can be told."""
    with pytest.raises(TypeError) as raised:
        mistake()
    assert str(raised.value) == said


def test_what_has_no_meaning_is_refused(place: Path) -> None:
    """No program, a day that is none, and an output that goes nowhere are errors that say so."""
    app = str(place / "hello")
    nowhere = OutputSpec(Format.ARCHIVE, None, (parse_reference("app"),))
    for mistake, said in (
        (lambda: pack(ImageSpec(()), OPTIONS), "cannot use ImageSpec.programs: it is empty"),
        (lambda: resolve_tree(ImageSpec((app, app)), OPTIONS), "a tree has one program, not 2"),
        (lambda: pack(ImageSpec((app,)), OPTIONS._replace(today="31.1.26")), "today '31.1.26': it is not a date"),
        (lambda: inspect(app, "tomorrow"), "cannot use today 'tomorrow': it is not a date"),
        (lambda: pack(ImageSpec((app,)), OPTIONS, nowhere), "it has no path and no engine"),
        (lambda: pack(ImageSpec((app,)), OPTIONS, nowhere._replace(path="-")), "its path is '-', and it has no stdout"),
    ):
        with pytest.raises(UsageError, match=re.escape(said)):
            mistake()
