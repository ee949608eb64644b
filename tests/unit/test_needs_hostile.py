"""However large a program's lies are, what it needs is told or not, in bounded memory and without a hang.

Small lies are made by the thousand with hypothesis, and by `tests/fuzz`.
"""

from __future__ import annotations

import json
import resource
import struct
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from minpack.content import BytesContent
from minpack.elf.read import read_elf
from minpack.errors import MinpackError
from minpack.needs.detect import read_program
from support.gomaker import FUNCTIONS, MAGIC, Call, GoForm, go_program

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STEADY = settings(derandomize=True, deadline=None, database=None, max_examples=300)
MADE = {
    "amd64": go_program(),
    "arm64": go_program(GoForm("aarch64")),
    "go1.18": go_program(GoForm(table=0xF0, sections=False)),
    "go1.16": go_program(GoForm("s390x", 0xFA, inline=False)),
    "crates": go_program(GoForm(extra={".dep-v0": zlib.compress(b'{"packages":[{"name":"a","version":"1"}]}')})),
}
EDGES = (0, 1, 2, 7, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
PARTS = (".gopclntab", ".go.buildinfo", ".noptrdata", ".text", ".shstrtab", ".dep-v0", "headers", "sections")


def place(made: str, part: str) -> tuple[int, int]:
    """Start and end of a part of a made program: of its ELF header and segments, of its section headers."""
    parts = MADE[made].parts
    if part == "headers":
        return 0, 240
    if part == "sections" or part not in parts:
        return max(end for _, end in parts.values()), len(MADE[made].data)
    return parts[part]


@STEADY
@given(
    st.sampled_from(sorted(MADE)),
    st.lists(
        st.tuples(
            st.sampled_from(PARTS),
            st.integers(0, 200),
            st.sampled_from(("<I", "<Q", "<H", "B", ">I")),
            st.one_of(st.sampled_from(EDGES), st.integers(0, 4096)),
        ),
        min_size=1,
        max_size=4,
    ),
)
@example("amd64", [(".gopclntab", 2, "<Q", (1 << 64) - 1)])
@example("amd64", [("headers", 20, "<Q", (1 << 64) - 16)])
def test_no_number_in_a_table_is_believed(made: str, changes: list[tuple[str, int, str, int]]) -> None:
    """Whatever tables, headers and code say, there is an answer, or an error of minpack's own."""
    data = bytearray(MADE[made].data)
    for part, at, form, value in changes:
        start, end = place(made, part)
        width = struct.calcsize(form)
        where = start + 4 * at % max(1, end - start)
        if where + width <= len(data):
            struct.pack_into(form, data, where, value % (1 << 8 * width))
    content = BytesContent(bytes(data))
    try:
        read_program(content, read_elf(content), "/app", (), glibc=False, why=True)
    except MinpackError as error:
        assert error.message  # noqa: PT017 - either is right


LARGE = 32 << 20


def without_names(data: bytes) -> bytes:
    """A program that no section tells of, so that it is searched for all."""
    out = bytearray(data)
    out[40:48], out[60:64] = bytes(8), bytes(4)
    return bytes(out)


def grown(fill: bytes, *, form: GoForm = GoForm(), keep: str = "") -> bytes:  # noqa: B008 - immutable
    """A program with a large part that is full of `fill`; without the part `keep` names, if it does."""
    made = go_program(form._replace(extra={".data": fill * (LARGE // len(fill))}))
    data = bytearray(made.data)
    if keep:
        start, end = made.parts[keep]
        data[start:end] = bytes(end - start)
    # All of it is loaded, as data: the last of the three segments.
    start = made.parts[".go.buildinfo"][0]
    struct.pack_into("<QQ", data, 64 + 2 * 56 + 32, len(data) - start, len(data) - start)
    return bytes(data)


def marks() -> bytes:
    """Half a million places where build information may begin, each with a list of two megabytes."""
    fill = (MAGIC + bytes((8, 2))).ljust(32, b"\0") + b"\x02xx\xff\xff\x7f".ljust(16, b"\0")
    return without_names(grown(fill, keep=".go.buildinfo"))


def marks_with_version() -> bytes:
    """The same, each with a version."""
    fill = (MAGIC + bytes((8, 2))).ljust(32, b"\0") + b"\x05go1.9\xff\xff\x7f".ljust(16, b"\0")
    return without_names(grown(fill, keep=".go.buildinfo"))


def tables() -> bytes:
    """Places where the table of functions may begin."""
    return without_names(grown(b"\xf1\xff\xff\xff\0\0\x01\x08", keep=".gopclntab"))


def modules() -> bytes:
    """Places where the runtime's own data may begin, each with another address of the code."""
    made = go_program()
    key = made.parts[".gopclntab"][0] + 0x400000
    fill = struct.pack("<5Q", key, 0x400100, 0x400200, 0x400100, 0)
    data = bytearray(without_names(grown(fill, keep=".noptrdata")).replace(b"_rt0_", b"xrt0_"))
    # The word for the code's address is not used any more since Go 1.26.
    struct.pack_into("<Q", data, made.parts[".gopclntab"][0] + 8 + 16, 0)
    return bytes(data)


def zeros() -> bytes:
    """A function whose name is at the offset 0, and records that are all zeros."""
    made = go_program(GoForm(extra={".data": bytes(LARGE)}))
    start, _ = made.parts[".gopclntab"]
    data = bytearray(made.data)
    (names,) = struct.unpack_from("<Q", data, start + 8 + 24)
    data[start + names : start + names + 18] = b"time.LoadLocation\0"
    (records,) = struct.unpack_from("<Q", data, start + 8 + 56)
    struct.pack_into("<I", data, start + records + 8 * 8 + 4, LARGE)
    return bytes(data)


def functions(count: int) -> bytes:
    """So many functions, each at the same place."""
    made = go_program(GoForm(extra={".data": bytes(12 * count)}))
    start, _ = made.parts[".gopclntab"]
    data = bytearray(made.data)
    struct.pack_into("<Q", data, start + 8, count)
    struct.pack_into("<Q", data, start + 8 + 56, made.parts[".data"][0] - start)
    return bytes(data)


def sites() -> bytes:
    """One function that loads a zone sixty thousand times."""
    many = [Call("time.LoadLocation", "Europe/Berlin")] * 60_000
    return go_program(functions={**FUNCTIONS, "example.com/zones.Load": many}).data


def calls() -> bytes:
    """Code that is full of calls."""
    made = go_program(functions={**FUNCTIONS, "example.com/zones.Load": [Call("time.LoadLocation")] * 200_000})
    start, end = made.parts[".text"]
    size = (end - start - 4096) // 8 * 8
    return made.data[: start + 512] + b"\xe8\0\0\0\0\xe8\0\0" * (size // 8) + made.data[start + 512 + size :]


def overlapping_names(count: int = 3000) -> bytes:
    """Functions that lead to one which is told of, the names of all of them within one text that is not UTF-8."""
    text = "x" * 200_000
    callers = {
        f"f{n}": (Call("time.LoadLocation" if n % 2 else f"f{n - 1}" if n else "os.CreateTemp"),) for n in range(count)
    }
    made = go_program(
        functions={"_rt0_amd64_linux": (), "time.LoadLocation": (), "os.CreateTemp": (), text: (), **callers}
    )
    start, _ = made.parts[".gopclntab"]
    data = bytearray(made.data.replace(text.encode(), b"\xff" * len(text)))
    (begin,) = struct.unpack_from("<Q", data, start + 8 + 24)
    (records,) = struct.unpack_from("<Q", data, start + 8 + 56)
    long = data.index(b"\xff" * len(text), start + begin) - start - begin
    for number in range(4, 4 + count):
        (record,) = struct.unpack_from("<I", data, start + records + 8 * number + 4)
        struct.pack_into("<i", data, start + records + record + 4, long + number)
    return bytes(data)


def modules_of(data: bytes) -> bytes:
    """Build information with that list of modules."""
    made = go_program(GoForm(modules="m" * len(data) + "\n")).data
    return made.replace(b"m" * len(data), data)


def crates(packages: str) -> bytes:
    """A list of crates that is small as it lies there."""
    text = '{"packages":[' + packages.rstrip(",") + "]}"
    rust = go_program(GoForm(extra={".dep-v0": zlib.compress(text.encode(), 9)})).data
    for name in (b".gopclntab", b".go.buildinfo", MAGIC):
        rust = rust.replace(name, b"x" * len(name))
    return rust


def strings(fill: bytes) -> bytes:
    """A program without a language that is full of a text."""
    made = go_program(GoForm(extra={".rodata2": fill * (LARGE // len(fill))})).data
    for name in (b".gopclntab", b".go.buildinfo", MAGIC):
        made = made.replace(name, b"x" * len(name))
    return made


CASES: dict[str, Callable[[], bytes]] = {
    "marks of build information": marks,
    "marks with a version": marks_with_version,
    "tables of functions": tables,
    "data of the runtime": modules,
    "records of zeros": zeros,
    "a million functions": lambda: functions(1_999_999),
    "too many functions": lambda: functions(3_000_000),
    "many calls of one function": sites,
    "calls everywhere": calls,
    "names within each other": overlapping_names,
    "modules that are not text": lambda: modules_of(b"\xff" * 2_000_000),
    "modules without number": lambda: modules_of(b"dep\ta\tv1\n" * 200_000),
    "crates without number": lambda: crates('{"":{}},' * 1_000_000),
    "crates that are longer than is read": lambda: crates('{"name":"a","version":"1"},' * 3_000_000),
    "crates within crates": lambda: crates("[" * 500_000 + "]" * 500_000),
    "a crate whose name is a list": lambda: crates(json.dumps({"name": ["a"] * 100_000, "version": {}})),
    "paths": lambda: strings(b"/etc/"),
    "slashes": lambda: strings(b"\0/"),
    "crates in paths": lambda: strings(b"/a-1.1.1-1.1.1-1.1.1-1.1.1"),
    "certificates": lambda: strings(b"-----BEGIN CERTIFICATE-----ISRG Root X1"),
    "OpenSSL": lambda: strings(b"\0/a/cert.pem\0OPENSSLDIR: /"),
}

#: What took the square of its size, and takes hardly more than a program that tells the truth.
QUICK = ("names within each other", "modules that are not text", "many calls of one function")
RUN = """
import sys
from minpack.build.inspect import inspect
print(inspect(sys.argv[1], '2026-01-01', why=True).needs[0])
"""
#: What the process may have in all, Python itself and its libraries included; and of the processor's seconds, of which
#: a hang takes more however fast the machine is.
MOST_MEMORY, MOST_SECONDS = 400 << 20, 20
MOST_QUICK = 2


def limited(seconds: int) -> None:
    """Runs in the process before it starts."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


@pytest.mark.parametrize("name", CASES)
def test_large_lies_take_neither_memory_nor_time(name: str, tmp_path: Path) -> None:
    """A program of up to 40 MB that repeats what makes work: it is read to the end with little memory."""
    path = tmp_path / "app"
    path.write_bytes(CASES[name]())
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(path)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: limited(MOST_QUICK if name in QUICK else MOST_SECONDS),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("Decision(")
