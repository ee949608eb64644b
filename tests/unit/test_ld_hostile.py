"""Closures whose files lie cost no product of what is in them, and what is said of them stays readable."""

from __future__ import annotations

import json
import time
import tracemalloc
from typing import TYPE_CHECKING, NamedTuple

import pytest

from minpack.base.entries import base_of
from minpack.base.walk import MAX_REMEMBERED, Walker
from minpack.build.tree import ResolvedTree, chain_to
from minpack.content import BytesContent
from minpack.errors import BaseError, InputError, MissingLibraryError
from minpack.ld import opening
from minpack.ld.ld_so_conf import MAX_BYTES, configured_directories
from minpack.ld.resolve import resolve_closure
from minpack.ld.tokens import MAX_EXPANDED, expand_glibc, expand_musl
from minpack.paths import normal
from minpack.report.allowance import MOST, Allowance
from minpack.report.documents import error_document, tree_document
from minpack.report.tree import tree_lines, why_lines
from minpack.rootfs.entry import Entry, file, symlink
from support.elfmaker import GLIBC, MUSL, library, make_elf, program
from support.rulebook import GLIBC_STRINGS, MUSL_STRINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from minpack.ld.closure import Closure

LOADERS = {GLIBC: make_elf(overlay=GLIBC_STRINGS), MUSL: make_elf(overlay=MUSL_STRINGS)}
#: Names sought in hundreds of directories, which are as long as their loader takes: a program of a megabyte.
NEEDED = tuple(f"l{n}.so" for n in range(200))
SIZES = {GLIBC: 3990, MUSL: 500}


def walker_of(files: Iterable[Entry] = ()) -> Walker:
    """A tree of both loaders and of these files."""
    loaders = [file(normal(path), BytesContent(data), 0o755) for path, data in LOADERS.items()]
    return Walker(base_of("made", [*loaders, *files]))


def elf(path: str, data: bytes) -> Entry:
    """An ELF file of a tree."""
    return file(normal(path), BytesContent(data), 0o755)


def directories(interpreter: str) -> list[str]:
    """Long directories."""
    return [f"/{n:x}/" + "/".join(["a" * 200] * (SIZES[interpreter] // 200)) for n in range(250)]


class Cost(NamedTuple):
    """What a call gave, and took of processor and memory."""

    result: object
    seconds: float
    memory: int


def cost(call: Callable[[], object]) -> Cost:
    """Call it, and tell what it took; tracing makes it about four times slower."""
    tracemalloc.start()
    start = time.process_time()
    try:
        result = call()
        return Cost(result, time.process_time() - start, tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module", params=[GLIBC, MUSL])
def product(request: pytest.FixtureRequest) -> Closure:
    """The closure of a program that lacks a thousand libraries in hundreds of directories."""
    data = program(NEEDED, interpreter=request.param, runpath=":".join(directories(request.param)))
    walker = walker_of([elf("/app", data)])
    found = cost(lambda: resolve_closure(walker, "/app"))
    assert found.memory < 20 << 20
    assert found.seconds < 20
    return found.result  # type: ignore[return-value]


def test_each_place_is_in_a_closure_once(product: Closure) -> None:
    """However many names are looked for in it; the list of an edge is that of what is missing."""
    assert len(product.missing) == len(NEEDED)
    assert all(len(missing.considered) > 250 for missing in product.missing)
    assert len({id(place) for edge in product.edges for place in edge.considered}) < 300
    assert all(m.considered is e.considered for m, e in zip(product.missing, product.edges, strict=True))


@pytest.mark.parametrize("considered", [False, True])
def test_a_tree_is_shown_in_bounded_text(product: Closure, *, considered: bool) -> None:
    """Each name is there; of the places, and of what is missing, as much as a person may look at."""
    found = cost(lambda: tree_lines(ResolvedTree(product, "made", ()), considered=considered))
    lines = found.result
    assert isinstance(lines, list)
    assert sum(map(len, lines)) < (8 << 20 if considered else 1 << 17)
    assert found.memory < 32 << 20
    assert sum(" => not found" in line for line in lines) == len(NEEDED)
    assert "missing: 150 more" in lines
    assert any(line.endswith(" more") and "looked into" in line for line in lines) == considered


def test_documents_have_a_bound_and_say_what_is_left_out(product: Closure) -> None:
    """All that is missing is in them, and as many of the directories as there is room for."""
    found = cost(lambda: json.dumps(tree_document(ResolvedTree(product, "made", ()), ())))
    document = json.loads(str(found.result))
    assert len(str(found.result)) < 2 * MOST
    assert found.memory < 8 * MOST
    assert [missing["name"] for missing in document["missing"]] == list(NEEDED)
    places = sum(len(row["considered"]) for kind in ("edges", "missing") for row in document[kind])
    assert places + document["left_out"] == sum(2 * len(missing.considered) for missing in product.missing)
    error = MissingLibraryError("app", "made", product.missing, "add it")
    assert len(error.message) < 12_000
    found = cost(lambda: json.dumps(error_document(error)))
    assert len(str(found.result)) < 2 * MOST
    assert found.memory < 8 * MOST
    assert json.loads(str(found.result))["left_out"] > 0


def test_a_document_of_what_is_real_is_whole() -> None:
    """Nothing is left out of what a program of many libraries has."""
    allowance = Allowance()
    rows = allowance.rows(range(20_000), lambda n: {"name": f"lib{n}.so.1", "path": f"/usr/lib/lib{n}.so.1"})
    assert len(rows) == 20_000
    assert allowance.left_out == 0


@pytest.mark.parametrize("interpreter", [GLIBC, MUSL])
def test_directories_that_are_there_take_no_more(interpreter: str) -> None:
    """Nor does what is remembered of paths grow with what is sought in them."""
    text = ":".join(directories(interpreter))
    files = [elf("/app", program(NEEDED, interpreter=interpreter, runpath=text))]
    files += [elf(f"{path}/x", b"") for path in directories(interpreter)]
    walker = walker_of(files)
    found = cost(lambda: resolve_closure(walker, "/app"))
    assert found.memory < 3 * MAX_REMEMBERED
    assert found.seconds < 60


def test_links_that_lead_through_everything_are_followed_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """A walk takes four thousand parts at most, and all walks of a tree together ten million."""
    monkeypatch.setattr("minpack.base.walk.MAX_STEPS", 100_000)
    around = "/".join(["d", ".."] * 1000) + "/nothing"
    files = [elf("/app", program(NEEDED, interpreter=GLIBC, runpath="/l")), elf("/d/x", b"")]
    walker = walker_of([*files, *(symlink(normal(f"/l/{name}"), f"/{around}") for name in NEEDED)])
    with pytest.raises(BaseError, match="its paths have more than 100000 parts together"):
        resolve_closure(walker, "/app")


@pytest.mark.parametrize("interpreter", [GLIBC, MUSL])
def test_a_long_chain_of_libraries_is_no_square(interpreter: str) -> None:
    """Each has an rpath that all below it inherit, and each is shown below the one that needs it."""
    count = 1200
    files = [elf("/app", program(("l0.so",), interpreter=interpreter, rpath="/l"))]
    files += [elf(f"/l/l{n}.so", library(needed=(f"l{n + 1}.so",), rpath=f"/l:/{n}")) for n in range(count)]
    files.append(elf(f"/l/l{count}.so", library()))
    walker = walker_of(files)
    found = cost(lambda: resolve_closure(walker, "/app"))
    closure = found.result
    assert len(closure.objects) == count + 3  # type: ignore[attr-defined]
    assert found.memory < 20 << 20
    assert found.seconds < 30
    lines = tree_lines(ResolvedTree(closure, "made", ()), considered=True)  # type: ignore[arg-type]
    assert sum(map(len, lines)) < 1 << 20
    chain = chain_to(closure, f"l{count}.so")  # type: ignore[arg-type]
    assert len(chain) == count + 2
    assert sum(map(len, why_lines(chain))) < 1 << 20


def test_more_libraries_than_any_program_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if it is only by their names that they are too much."""
    files = [elf("/app", program(tuple(f"l{n}.so" for n in range(30)), interpreter=GLIBC, runpath="/l"))]
    files += [elf(f"/l/l{n}.so", library(needed=("n" * 1000,))) for n in range(30)]
    assert len(resolve_closure(walker_of(files), "/app").objects) == 32
    for limit in ("MAX_OBJECTS", "MAX_NAMES"):
        with monkeypatch.context() as patch:
            patch.setattr(opening, limit, 20)
            with pytest.raises(InputError, match="libraries"):
                resolve_closure(walker_of(files), "/app")


@pytest.mark.parametrize("interpreter", [GLIBC, MUSL])
def test_tokens_in_tokens_make_no_product(interpreter: str) -> None:
    """An rpath of thousands of tokens, each of them a long directory, is not written out."""
    deep = "/" + "/".join(["d" * 100] * (38 if interpreter == GLIBC else 4))
    runpath = ":".join(f"$ORIGIN/{n}" for n in range(60_000))
    walker = walker_of([elf(f"{deep}/app", program(("l.so",), interpreter=interpreter, runpath=runpath))])

    def resolve() -> str:
        try:
            return resolve_closure(walker, f"{deep}/app").missing[0].name
        except InputError as error:
            return error.reason

    found = cost(resolve)
    refused = f"its libraries need more than {opening.MAX_LOOKS} names and places looked at"
    assert found.result == (refused if interpreter == GLIBC else "l.so")
    assert found.memory < 96 << 20
    assert expand_glibc("$ORIGIN" * 1000, "/" + "o" * 4000, "lib") is None
    assert expand_musl("$ORIGIN" * 1000, "/" + "o" * 4000) is None
    assert expand_musl("a" * MAX_EXPANDED * 2, "/") == "a" * MAX_EXPANDED * 2


def configured(files: dict[str, bytes]) -> tuple[str, ...]:
    """The directories of a configuration."""
    made = [file(normal(path), BytesContent(data)) for path, data in files.items()]
    return configured_directories(Walker(base_of("made", made)), "/etc/ld.so.conf")


NAMES = {f"/etc/c/{'a' * 200}{n}": b"/opt\n" for n in range(1000)}
CONFIGURATIONS = {
    "a pattern of brackets": {"/etc/ld.so.conf": b"include /etc/" + b"[" * 50_000},
    "patterns of brackets": {"/etc/ld.so.conf": b"".join(b"include c/%d%s\n" % (n, b"[" * 250) for n in range(4000))},
    "patterns of stars": {"/etc/ld.so.conf": b"".join(b"include c/%s%d\n" % (b"*a" * 120, n) for n in range(4000))},
    "a path that is a pattern in each part": {"/etc/ld.so.conf": b"include " + b"/*" * 2000},
    "a path that goes nowhere": {"/etc/ld.so.conf": b"include " + b"/a" * 500_000},
    "a path behind many": {"/etc/ld.so.conf": b"include c/*" + b"/a" * 2000},
    "words": {"/etc/ld.so.conf": b"include" + b" c/*" * 250_000},
    "files without number": {
        "/etc/ld.so.conf": b"include d/*\n",
        **{f"/etc/d/{n}": b"".join(b"/%d/%d\n" % (n, m) for m in range(20_000)) for n in range(100)},
    },
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_no_pattern_of_a_configuration_is_looked_at_for_long(name: str) -> None:
    """A base's ld.so.conf of a megabyte, whatever it includes, is read at once and names no more than it has."""
    files = {**NAMES, **CONFIGURATIONS[name]}
    start = time.process_time()
    found = configured(files)
    assert time.process_time() - start < 2
    assert sum(map(len, found)) <= MAX_BYTES


def test_a_pattern_is_compared_with_as_many_names_as_any_directory_has() -> None:
    """Ten thousand files and a short pattern are no lie."""
    files = {f"/etc/ld.so.conf.d/{n}.{'conf' if n % 100 == 0 else 'txt'}": b"/opt/%d" % n for n in range(10_000)}
    found = configured({"/etc/ld.so.conf": b"include /etc/ld.so.conf.d/*.conf\n", **files})
    assert sorted(found) == sorted(f"/opt/{n}" for n in range(0, 10_000, 100))
