"""The house's rules: imports point down, each library has one home, and the environment is the command line's."""

from __future__ import annotations

import ast
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import minpack

ROOT = Path(minpack.__file__).parent

#: The rooms from the ground up; a room may import from the floors below its own, never from beside it.
FLOORS = [
    {"_version", "excerpt", "namedtuple", "progress"},
    {"digest", "errors"},
    {"host", "net", "paths", "target"},
    {"catalog", "content", "sandbox", "strace"},
    {"elf", "lock", "rootfs", "store"},
    {"config", "tar"},
    {"apk", "deb", "oci"},
    {"engine", "registry"},
    {"cluster", "shared"},
    {"base"},
    {"alpine", "debian", "embedded", "layers", "ld"},
    {"needs"},
    {"spec"},
    {"program"},
    {"provision", "sources"},
    {"output", "plan", "resolve"},
    {"trust"},
    {"images"},
    {"build", "debug", "freshness", "reach"},
    {"tracing"},
    {"library", "report"},
    {"page"},
    {"cli"},
]
#: `oci` and `rootfs` answer "which bytes?" and know nothing of "which files?".
FENCED = {"oci": {"elf", "ld", "needs", "base", "store"}, "rootfs": {"elf", "ld", "needs", "base", "store", "oci"}}
#: The one place where each library is imported.
HOMES = {
    "click": ("cli/",),
    "docker": ("engine/",),
    "requests": ("engine/",),
    "urllib3": ("net/",),
    "rich": ("cli/bars.py", "cli/terminal.py"),
    "jinja2": ("page/html.py",),
    "markupsafe": ("page/html.py",),
    "squarify": ("page/treemap.py",),
    "deflate": ("oci/compress.py", "tar/"),
    "zstandard": ("oci/", "tar/"),
    "certifi": ("embedded/base.py", "net/"),
    "tzdata": ("embedded/base.py",),
    "pysequoia": ("deb/",),
    "tomli_w": ("lock/file.py",),
    "tomlkit": ("config/edit.py",),
    "pathspec": ("spec/patterns.py",),
    "cryptography": ("apk/signature.py", "trust/"),
    "lief": ("elf/lief.py",),
    "distributed": ("cli/dask.py",),
    "elftools": ("elf/full.py",),
}
SOURCES = sorted(ROOT.rglob("*.py"))


def test_modules_of_tests_have_names_of_their_own() -> None:
    """Pytest imports each by its name alone, and would refuse to collect the second of two."""
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert len(names) == len(set(names))


def own_imports(path: Path) -> set[str]:
    """The rooms that a module imports from, lazily or for types too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("minpack."):
            found.add(str(node.module).split(".")[1])
        elif isinstance(node, ast.ImportFrom) and node.module == "minpack":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("minpack.")}
    return found


def room_of(path: Path) -> str:
    """The room a module is in: its package, or its own name at the top."""
    return path.relative_to(ROOT).with_suffix("").parts[0]


def test_every_module_has_a_floor() -> None:
    """A new room is put on a floor before it is built."""
    rooms = {room_of(path) for path in SOURCES} - {"__init__", "__main__"}
    assert rooms <= set().union(*FLOORS)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    """No module imports from its own floor's other rooms or from above."""
    level = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    room = room_of(path)
    if room not in level:
        return
    wrong = {
        target
        for target in own_imports(path)
        if target != room and (level[target] >= level[room] or target in FENCED.get(room, ()))
    }
    assert not wrong, f"{path.relative_to(ROOT)} ({room}) imports {sorted(wrong)}"


def module_imports(path: Path) -> set[str]:
    """The modules of minpack that a module imports, lazily or for types too."""
    names = {module_name(source) for source in SOURCES}
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "minpack":
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & names - {module_name(path)}


def module_name(path: Path) -> str:
    """What a module is imported as."""
    return ".".join(("minpack", *path.relative_to(ROOT).with_suffix("").parts))


def test_no_modules_import_each_other() -> None:
    """There is no circle of imports, within a room or without, at the start or later."""
    graph = {module_name(path): module_imports(path) for path in SOURCES}
    while free := {module for module, imported in graph.items() if not imported & graph.keys()}:
        graph = {module: imported for module, imported in graph.items() if module not in free}
    assert not graph, "each of these is in a circle, or imports one that is"


def test_few_modules_are_loose() -> None:
    """A module has its room: at the top are those that all may import, and how minpack is started."""
    loose = {path.stem for path in SOURCES if path.parent == ROOT}
    assert loose - {"__init__", "__main__", "_version"} == {
        *("content", "digest", "errors", "excerpt", "namedtuple", "paths", "progress", "target"),
    }


@pytest.mark.parametrize("library", sorted(HOMES))
def test_each_library_has_one_home(library: str) -> None:
    """A library is imported in its own room alone, so that it can be exchanged there."""
    users = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == library for name in names):
                users.append(str(path.relative_to(ROOT)))
    assert not [user for user in users if not user.startswith(HOMES[library])]


FORBIDDEN = {
    ("os", "environ"),
    ("os", "getenv"),
    ("os", "getcwd"),
    ("sys", "exit"),
    ("sys", "stdout"),
    ("sys", "stderr"),
    ("time", "time"),
    ("time", "monotonic"),
    ("time", "gmtime"),
    ("datetime", "now"),
    ("datetime", "today"),
}
#: How long a server, an engine or a program takes, or a token lasts: no result depends on that clock.
ALLOWED = {
    ("net/budget.py", "monotonic"),
    ("engine/conversation.py", "monotonic"),
    ("output/engine.py", "monotonic"),
    ("registry/tokens.py", "monotonic"),
    ("sandbox/run.py", "monotonic"),
}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_command_line_touches_the_process(path: Path) -> None:
    """`print`, the environment, the clock, the working directory and `sys.exit` are in cli/ alone."""
    name = str(path.relative_to(ROOT))
    if name.startswith("cli/"):
        return
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if (node.value.id, node.attr) in FORBIDDEN and (name, node.attr) not in ALLOWED:
                found.add(f"{node.value.id}.{node.attr}")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("print", "input"):
            found.add(node.func.id)
    assert not found


#: What costs milliseconds to import, and which runs may pay for it.
HEAVY = {
    "click",
    "docker",
    "requests",
    "urllib3",
    "rich",
    "jinja2",
    "squarify",
    "tomlkit",
    "lief",
    "elftools",
    "zstandard",
    "cryptography",
    "certifi",
    "pysequoia",
    "distributed",
    "tarfile",
    "importlib.resources",
    "importlib.metadata",
    "dataclasses",
    "asyncio",
    "concurrent.futures",
    "multiprocessing",
    "logging",
    "email",
    "http",
    "ssl",
    "pathlib",
    "subprocess",
    "socket",
}


def modules_of(*arguments: str, cwd: Path) -> set[str]:
    """The modules that a run of the command imports, read from the interpreter's own log."""
    done = subprocess.run(
        [sys.executable, "-I", "-X", "importtime", "-m", "minpack", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=True,
    )
    return {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


def baseline(cwd: Path) -> set[str]:
    """What the interpreter imports by itself here (a site may import more)."""
    done = subprocess.run(
        [sys.executable, "-I", "-X", "importtime", "-c", "pass"], cwd=cwd, capture_output=True, text=True, check=True
    )
    return {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


def heavy(modules: set[str]) -> set[str]:
    """The heavy ones among them."""
    return {module for module in modules if module in HEAVY}


def test_version_imports_nothing(tmp_path: Path) -> None:
    """`minpack --version` is answered before click is imported."""
    new = modules_of("--version", cwd=tmp_path) - baseline(tmp_path)
    assert not heavy(new)
    assert {module for module in new if module.startswith("minpack.")} <= {
        "minpack._version",
        "minpack.cli",
        "minpack.__main__",
    }


def test_a_plain_pack_imports_no_network_and_no_engine(tmp_path: Path) -> None:
    """Packing a static program imports click and the compressor, no engine, no network, no table drawing."""
    from support.elfmaker import static_program

    (tmp_path / "app").write_bytes(static_program())
    new = heavy(modules_of("./app", "-q", cwd=tmp_path) - baseline(tmp_path))
    assert new <= CLICK | {"deflate"}


def test_tree_imports_no_output(tmp_path: Path) -> None:
    """Showing a closure imports neither compressors nor an engine nor the network."""
    from support.elfmaker import static_program

    (tmp_path / "app").write_bytes(static_program())
    new = modules_of("tree", "./app", "--base", "scratch", cwd=tmp_path) - baseline(tmp_path)
    assert heavy(new) <= CLICK
    assert not {
        module
        for module in new
        if module.startswith(("minpack.net.download", "minpack.engine", "minpack.output.engine", "deflate"))
    }
    assert not new & {
        "minpack.output.write",
        "minpack.oci.layer",
        "minpack.plan.assemble",
        "minpack.report.documents",
        "json",
    }
    assert not new & {"minpack.ld.glibc", "minpack.ld.musl", "minpack.elf.symbols"}, "it is a static program"


#: What few runs need, by how a module's name begins: a plain pack must not pay for it.
RARE = (
    *("minpack.alpine", "minpack.apk", "minpack.cli.registry", "minpack.deb", "minpack.debian", "minpack.lock"),
    *(
        "minpack.net.download",
        "minpack.net.web",
        "minpack.oci.files",
        "minpack.oci.stated",
        "minpack.oci.validate",
        "minpack.registry",
    ),
    *("minpack.embedded.installed", "minpack.ld.allowed", "minpack.ld.bind", "minpack.ld.glibc", "minpack.ld.musl"),
    *("minpack.output.engine", "minpack.shared", "minpack.plan.owners", "minpack.plan.secrets", "minpack.plan.take"),
    *("minpack.report.documents", "minpack.resolve.companions"),
)
#: How many modules of minpack's a plain pack and a tree import at the most: each costs a thousandth of the run.
MOST_MODULES = {"pack": 137, "tree": 76}


def test_a_frequent_run_imports_what_it_needs(tmp_path: Path) -> None:
    """A plain pack and a tree of a static program import few modules, and nothing that few runs need."""
    from support.elfmaker import static_program

    (tmp_path / "app").write_bytes(static_program())
    for command, arguments in {"pack": ("./app", "-q"), "tree": ("tree", "./app", "--base", "scratch")}.items():
        own = {module for module in modules_of(*arguments, cwd=tmp_path) if module.startswith("minpack")}
        assert not {module for module in own if module.startswith(RARE)}
        assert len(own) <= MOST_MODULES[command], f"import what is new where it is needed: {sorted(own)}"


def test_a_base_that_lacks_nothing_costs_no_packages(tmp_path: Path) -> None:
    """Where the base has every library, repositories and signatures are not even imported."""
    from support.badfiles import MUSL_LOADER
    from support.elfmaker import MUSL, program
    from support.tarmaker import archive, member

    loader = member("lib/ld-musl-x86_64.so.1", MUSL_LOADER, mode=0o755)
    settings = member("etc/apk/repositories", b"https://packages.example/alpine/v3.22/main\n")
    (tmp_path / "base.tar").write_bytes(archive(loader, settings))
    (tmp_path / "app").write_bytes(program(("libc.so",), interpreter=MUSL))
    new = modules_of("./app", "-q", "--base", "./base.tar", "--check=none", cwd=tmp_path) - baseline(tmp_path)
    assert not new & {"cryptography", "ssl", "urllib3"}
    assert not new & {"minpack.alpine.repository_set", "minpack.apk.package", "minpack.apk.index"}
    assert not new & {"tomllib", "tomli_w"}
    locks = (
        "minpack.lock",
        "minpack.build.update",
        "minpack.sources.locked",
        "minpack.base.mirrors",
        "minpack.alpine.locked",
    )
    assert not {module for module in new if module.startswith(locks)}, "it was asked for no lock"


#: click itself, and the standard modules that it imports.
CLICK = {"click", "dataclasses", "logging", "pathlib", "importlib.metadata", "email"}


def test_exports_are_sorted_and_importable() -> None:
    """`minpack.__all__` is sorted, has every public name, and each can be imported."""
    assert minpack.__all__ == sorted(minpack.__all__)
    assert set(minpack.__all__) == set(minpack._HOMES) | {"__version__"}
    for name in minpack.__all__:
        assert getattr(minpack, name) is not None


#: A name in the code font with a dot in it: ``room.module.function``, or with a class and its method.
_DOTTED = re.compile(r"`([a-z_]+(?:\.\w+)+)`")


def test_the_walk_of_one_request_names_what_there_is() -> None:
    """Each function in ARCHITECTURE.md's walk from the command line to the bytes exists under that name."""
    text = (ROOT.parents[1] / "ARCHITECTURE.md").read_text()
    walk = text[text.index("## One request") : text.index("## The packages")]
    names = [name for line in walk.splitlines() if line.startswith("| ") for name in _DOTTED.findall(line)]
    assert len(names) > 20
    for name in names:
        assert callable(pkgutil.resolve_name(f"minpack.{name}")), name


def test_no_class_has_the_name_of_another() -> None:
    """A name means one thing: no two modules define a public class of the same name."""
    found: dict[str, list[str]] = {}
    for path in SOURCES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(node.name, []).append(module_name(path))
    assert {name: modules for name, modules in found.items() if len(modules) > 1} == {}


#: What of os.path raises OSError; the rest says that nothing is there.
_RAISING = {"samefile", "getsize", "getmtime", "getatime", "getctime"}


def _handled(tree: ast.Module) -> set[ast.AST]:
    """All nodes in a ``try`` block that has a handler of OSError."""
    tries = [node for node in ast.walk(tree) if isinstance(node, ast.Try)]
    catching = [one for one in tries if any("OSError" in ast.unparse(h.type) for h in one.handlers if h.type)]
    return {node for one in catching for statement in one.body for node in ast.walk(statement)}


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_a_path_that_was_there_may_be_gone(path: Path) -> None:
    """The functions of os.path that raise where others say no are called where that is handled."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in _RAISING]
    assert set(calls) <= _handled(tree)
