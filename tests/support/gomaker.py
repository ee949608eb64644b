"""Programs as Go's linker makes them, in memory and of a few kilobytes: what minpack reads of them is all there is.

They do not run. Each function of the program calls those it is said to call, each with a constant text or with none;
tables of releases of which no toolchain can be had are among the forms. Formats: Go's `debug/buildinfo`,
`internal/abi/symtab.go` and `runtime/symtab.go`.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from support.elfmaker import MACHINES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAGIC = b"\xff Go buildinf:"
#: By the first byte of the table's magic number: the release that it is of.
RELEASES = {0xF1: "go1.20.1", 0xF0: "go1.18.2", 0xFA: "go1.16.3"}
MODULES = (
    "path\texample.com/app\nmod\texample.com/app\t(devel)\t\ndep\texample.com/zones\tv1.2.3\th1:AAAA=\n"
    "=>\texample.org/fork\tv1.2.4\th1:BBBB=\nbuild\t-compiler=gc\nbuild\tCGO_ENABLED=0\n"
)
QUANTA = {3: 1, 62: 1, 22: 2, 243: 2}


class Call(NamedTuple):
    """A call of a function by name; `text` is its first argument, if that is a constant."""

    target: str
    text: str | None = None


#: A server with a zone of its own, and a look-up of its user.
FUNCTIONS: dict[str, Sequence[Call]] = {
    "_rt0_amd64_linux": (),
    "runtime.main": (Call("main.main"),),
    "time.LoadLocation": (Call("time.initLocal"),),
    "time.initLocal": (),
    "os/user.Current": (Call("os.CreateTemp"),),
    "os.CreateTemp": (),
    "net/http.(*Transport).dialConn": (Call("time.initLocal"),),
    "net/http.(*Client).do": (Call("os.CreateTemp"),),
    "example.com/zones.Load": (Call("time.LoadLocation", "Europe/Berlin"),),
    "main.main": (Call("example.com/zones.Load", "x"), Call("os/user.Current"), Call("net/http.(*Client).do")),
}


class GoForm(NamedTuple):
    """How a program is laid out."""

    machine: str = "x86_64"
    table: int = 0xF1
    #: Strings behind the header, as since Go 1.18.
    inline: bool = True
    sections: bool = True
    extra: Mapping[str, bytes] = {}
    #: More lines of the build information, as ``GOARM=7``.
    settings: tuple[str, ...] = ()
    #: What it says of how it was built.
    modules: str = MODULES


class GoFile(NamedTuple):
    """A made program, and where its parts are in the file: start and end."""

    data: bytes
    parts: Mapping[str, tuple[int, int]]


def go_program(form: GoForm = GoForm(), functions: Mapping[str, Sequence[Call]] = FUNCTIONS) -> GoFile:  # noqa: B008
    """A program of that form with these functions."""
    return _Maker(form, functions).make()


class _Maker:
    def __init__(self, form: GoForm, functions: Mapping[str, Sequence[Call]]) -> None:
        self.form, self.functions = form, functions
        self.machine = MACHINES[form.machine]
        self.order, self.wide = self.machine.order, self.machine.bits == 64
        self.word = "Q" if self.wide else "I"
        self.base = self.machine.base
        self.parts: dict[str, tuple[int, int]] = {}
        self.out = bytearray()

    def pack(self, form: str, *values: int) -> bytes:
        return struct.pack(self.order + form, *values)

    def make(self) -> GoFile:
        header, entry, count = (64, 56, 3) if self.wide else (52, 32, 3)
        self.out = bytearray(header + entry * count)
        texts = {one.text for calls in self.functions.values() for one in calls if one.text is not None}
        self.add(".rodata", "\0".join(sorted(texts)).encode() + b"\0/etc/nothing\0")
        self.text_places = {
            text: self.parts[".rodata"][0] + self.out[self.parts[".rodata"][0] :].index(text.encode()) for text in texts
        }
        self.add(".text", bytes(self.code_size()))
        entries = self.fill_code()
        self.add(".gopclntab", self.table(entries))
        self.add(".go.buildinfo", self.build_info())
        self.add(".noptrdata", self.module_data(entries))
        for name, data in self.form.extra.items():
            self.add(name, data)
        shoff, names = self.section_headers() if self.form.sections else (0, 0)
        self.finish(header, entry, shoff, names)
        return GoFile(bytes(self.out), self.parts)

    def add(self, name: str, data: bytes) -> None:
        self.out += bytes(-len(self.out) % 16)
        self.parts[name] = (len(self.out), len(self.out) + len(data))
        self.out += data

    # Each function has 16 bytes before its calls, and 32 for each.

    def code_size(self) -> int:
        return sum(16 + 32 * len(calls) for calls in self.functions.values())

    def fill_code(self) -> list[int]:
        at, entries = 0, {}
        for name, calls in self.functions.items():
            entries[name] = at
            at += 16 + 32 * len(calls)
        start = self.parts[".text"][0]
        for name, calls in self.functions.items():
            here = start + entries[name]
            self.out[here : here + 16 + 32 * len(calls)] = self.idle(16 + 32 * len(calls))
            for number, call in enumerate(calls):
                place = here + 16 + 32 * number
                code = self.call(place, start + entries[call.target], call.text)
                self.out[place : place + len(code)] = code
        return [*entries.values(), at]

    def idle(self, size: int) -> bytes:
        return b"\x90" * size if self.machine.number == 62 else self.pack("I", 0xD503201F) * (size // 4)

    def call(self, place: int, target: int, text: str | None) -> bytes:
        where = self.text_places[text] if text is not None else 0
        if self.machine.number == 62:
            set_up = (
                b"\x48\x8d\x05" + struct.pack("<i", where - place - 7) + b"\xbb" + struct.pack("<I", len(text or ""))
            )
            code = set_up if text is not None else b""
            return code + b"\xe8" + struct.pack("<i", target - place - len(code) - 5)
        words = []
        if text is not None:
            page = ((where + self.base) >> 12) - ((place + self.base) >> 12)
            words.append(0x90000000 | (page & 3) << 29 | (page >> 2 & 0x7FFFF) << 5)
            words.append(0x91000000 | ((where + self.base) & 0xFFF) << 10)
            words.append(0xD2800001 | len(text) << 5)
        words.append(0x94000000 | (target - place - 4 * len(words)) // 4 & 0x3FFFFFF)
        return self.pack(f"{len(words)}I", *words)

    def table(self, entries: list[int]) -> bytes:
        names = bytearray(b"\0")
        name_at = []
        for name in self.functions:
            name_at.append(len(names))
            names += name.encode() + b"\0"
        size, old = struct.calcsize(self.word), self.form.table == 0xFA
        head = 8 + size * (7 if old else 8)
        units = head + len(names)
        files, counters = units + 4, units + 8
        records = counters + 8 + (-(counters + 8) % 8)
        text = self.parts[".text"][0] + self.base
        words = [len(name_at), 1, *(() if old else (text,)), head, units, files, counters, records]
        quantum = QUANTA.get(self.machine.number, 4)
        made = self.pack("I", 0xFFFFFF00 | self.form.table) + bytes((0, 0, quantum, size))
        made += self.pack(f"{len(words)}{self.word}", *words) + bytes(names)
        made += bytes(records - len(made))
        form, first = (2 * self.word, text) if old else ("II", 0)
        width = struct.calcsize(self.order + form)
        after = width * len(name_at) + width // 2
        rows = b"".join(self.pack(form, first + entry, after + 40 * index) for index, entry in enumerate(entries[:-1]))
        made += rows + self.pack(form[0], first + entries[-1])
        for entry, at in zip(entries, name_at, strict=False):
            made += (self.pack("Ii", entry, at) if not old else self.pack(self.word + "i", first + entry, at)).ljust(
                40, b"\0"
            )
        return made

    def build_info(self) -> bytes:
        sentinel = bytes(range(0x30, 0x40))
        lines = self.form.modules + "".join(f"build\t{setting}\n" for setting in self.form.settings)
        modules, version = sentinel + lines.encode() + sentinel, RELEASES[self.form.table].encode()
        size = struct.calcsize(self.word)
        if self.form.inline:
            head = MAGIC + bytes((size, 2)) + bytes(16)
            return head + varint(len(version)) + version + varint(len(modules)) + modules
        at = len(self.out) + (-len(self.out) % 16) + self.base
        strings = at + 32 + 4 * size
        head = MAGIC + bytes((size, int(self.machine.big_endian)))
        head += self.pack(f"2{self.word}", at + 32, at + 32 + 2 * size).ljust(16, b"\0")
        pointers = self.pack(f"4{self.word}", strings, len(version), strings + len(version), len(modules))
        return head + pointers + version + modules

    def module_data(self, entries: list[int]) -> bytes:
        text = self.parts[".text"][0] + self.base
        table = self.parts[".gopclntab"][0] + self.base
        return self.pack(f"30{self.word}", table, *range(1, 20), text, text + entries[-1], text, *range(24, 31))

    def section_headers(self) -> tuple[int, int]:
        names = b"\0" + b"\0".join(name.encode() for name in self.parts) + b"\0.shstrtab\0"
        self.add(".shstrtab", names)
        form = "IIQQQQIIQQ" if self.wide else "IIIIIIIIII"
        rows = bytes(struct.calcsize(self.order + form))
        for name, (start, end) in self.parts.items():
            loaded = name not in (".shstrtab", ".dep-v0", ".comment", ".debug_info")
            flags = (6 if name == ".text" else 3 if name == ".noptrdata" else 2) if loaded else 0
            address = start + self.base if loaded else 0
            at = names.index(name.encode() + b"\0")
            rows += self.pack(form, at, 1, flags, address, start, end - start, 0, 0, 16, 0)
        self.out += bytes(-len(self.out) % 16)
        at = len(self.out)
        self.out += rows
        return at, len(self.parts)

    def finish(self, header: int, entry: int, shoff: int, names: int) -> None:
        """The ELF header, and a segment each for constants, code and data, which all are within the file as it is."""
        identity = b"\x7fELF" + bytes((2 if self.wide else 1, 2 if self.machine.big_endian else 1, 1)) + bytes(9)
        start = self.parts[".text"][0] + self.base
        count = names + 1 if shoff else 0
        head = identity + self.pack(
            f"HHI3{self.word}I6H", 2, self.machine.number, 1, start, header, shoff, self.machine.flags,
            header, entry, 3, 64 if self.wide else 40, count, names,
        )  # fmt: skip
        self.out[: len(head)] = head
        code, table, data = (self.parts[name] for name in (".text", ".gopclntab", ".go.buildinfo"))
        end = self.parts[".noptrdata"][1]
        spans = ((4, 0, code[0]), (5, code[0], code[1]), (4, table[0], table[1]), (6, data[0], end))
        rows = b"".join(self.segment(*span) for span in (spans[1], (4, table[0], table[1]), spans[3]))
        self.out[header : header + len(rows)] = rows

    def segment(self, flags: int, start: int, end: int) -> bytes:
        if flags == 4:
            # Constants and the table of functions: the code, which lies between, is loaded by its own segment too.
            start = 0
        size, address = end - start, start + self.base
        if self.wide:
            return self.pack("IIQQQQQQ", 1, flags, start, address, address, size, size, 1)
        return self.pack("IIIIIIII", 1, start, address, address, size, size, flags, 1)


def varint(number: int) -> bytes:
    """As Go's `encoding/binary.AppendUvarint` writes it."""
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))
