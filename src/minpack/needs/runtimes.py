"""Programs of other languages and runtimes, told by their marks, and what is known of them.

The marks are what stripped programs still have; where a toolchain was at hand they were tried, else they are from the
projects' sources.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.needs.need import Evidence, Need, Seen, Signal, Verdict

if TYPE_CHECKING:
    from minpack.needs.binary import Binary

#: SHA-256 of ``.net core bundle`` and a new line, which .NET writes before where a bundle begins (its bundle marker).
_DOTNET_BUNDLE = bytes.fromhex("8b1202b96a612038727b930214d7a03213f5b9e6efae3318ee3b2dce24b36aae")
LOCALE = "--locale"
#: The last bytes of a file that are searched for the mark of a payload.
TAIL = 1 << 16


class Runtime(NamedTuple):
    """A runtime is told by any of `sections`, or by all of `marks`, or by one of `tails` near the end of the file."""

    name: str
    sections: tuple[str, ...] = ()
    marks: tuple[bytes, ...] = ()
    tails: tuple[bytes, ...] = ()
    needs: tuple[tuple[Need, Verdict, str], ...] = ()
    warning: str = ""
    #: The option that the warning advises.
    option: str = ""


_TMP = (Need.TMP, Verdict.REQUIRED, "unpacks itself into /tmp, which must allow running programs")
_ROOTS_INSIDE = (Need.CERTS, Verdict.OPTIONAL, "embeds root certificates")
RUNTIMES = (
    Runtime(
        "PyInstaller",
        marks=(b"_PYI_APPLICATION_HOME_DIR",),
        tails=(b"MEI\x0c\x0b\x0a\x0b\x0e",),
        needs=(_TMP,),
        warning="minpack cannot see what its archive loads: libraries that its Python modules need may be missing",
    ),
    Runtime(
        "Nuitka",
        marks=(b"NUITKA_ONEFILE",),
        needs=(_TMP,),
        warning="minpack cannot see what its archive loads: libraries that its Python modules need may be missing",
    ),
    Runtime(
        "Python",
        sections=(".PyRuntime",),
        warning="it needs its standard library and modules next to it: add them with --add",
        option="--add",
    ),
    Runtime("Deno", tails=(b"d3n0l4nd",), needs=(_ROOTS_INSIDE,)),
    Runtime("Bun", sections=(".bun",), tails=(b"\n---- Bun! ----\n",), needs=(_ROOTS_INSIDE,)),
    Runtime("Node.js", marks=(b"NODE_SEA_FUSE",), needs=(_ROOTS_INSIDE,)),
    Runtime(
        ".NET single file",
        marks=(_DOTNET_BUNDLE,),
        needs=((Need.CERTS, Verdict.MAYBE, "is a .NET bundle, whose code is not read"), _TMP),
        warning="it opens libssl and ICU by name: add them with --add-lib, or build it with InvariantGlobalization",
        option="--add-lib",
    ),
    Runtime(
        ".NET NativeAOT",
        sections=("__managedcode", ".hydrated", ".dotnet_eh_table"),
        needs=(
            (Need.CERTS, Verdict.MAYBE, "is a .NET program, whose code is not read"),
            (Need.TZ, Verdict.MAYBE, "is a .NET program, whose code is not read"),
        ),
        warning="it opens libssl and ICU by name: add them with --add-lib, or build it with InvariantGlobalization",
        option="--add-lib",
    ),
    Runtime(
        "GraalVM",
        sections=(".svm_heap",),
        needs=((Need.CERTS, Verdict.OPTIONAL, "embeds the root certificates of its build"),),
    ),
    Runtime(
        "Swift",
        sections=("swift5_protocols", "swift5_protocol_conformances", "swift5_type_metadata"),
        needs=((Need.TZ, Verdict.OPTIONAL, "may use Foundation, which reads /usr/share/zoneinfo"),),
    ),
    Runtime(
        "Haskell",
        marks=(b"GHCRTS", b"+RTS"),
        warning="it aborts on text that is not ASCII unless a UTF-8 locale is set: --locale C.UTF-8",
        option=LOCALE,
    ),
    Runtime("OCaml", marks=(b"CAMLRUNPARAM", b"OCAMLRUNPARAM")),
    Runtime(
        "Crystal",
        marks=(b"CRYSTAL_", b"Invalid memory access (signal %d) at address"),
        needs=((Need.TZ, Verdict.OPTIONAL, "reads time zones by name or by TZ from /usr/share/zoneinfo"),),
    ),
    Runtime("Nim", marks=(b"SIGSEGV: Illegal storage access. (Attempt to read from nil?)",)),
    # Of OpenSSL's names it knows those up to 1.1, and that without a version (packages/openssl/src/openssl.pas).
    Runtime(
        "Free Pascal",
        marks=(b"Could not initialize OpenSSL library", b"opensslsockets"),
        warning="it opens OpenSSL by name: --add-lib libssl.so --add-lib libcrypto.so packs it",
        option="--add-lib",
    ),
    Runtime("D", marks=(b"_d_run_main",)),
    Runtime("Zig", marks=(b"ZIG_PROGRESS",)),
)


def runtime_of(binary: Binary) -> Runtime | None:
    """The first runtime of `RUNTIMES` whose marks the file has."""
    for runtime in RUNTIMES:
        if runtime.sections and binary.section(*runtime.sections) is not None:
            return runtime
    tail = _tail(binary)
    for runtime in RUNTIMES:
        if any(mark in tail for mark in runtime.tails):
            return runtime
    found = binary.which({mark for runtime in RUNTIMES for mark in runtime.marks})
    return next((runtime for runtime in RUNTIMES if runtime.marks and found.issuperset(runtime.marks)), None)


def has_rust_as_data(binary: Binary) -> bool:
    """Whether it is a program of JavaScript, whose runtime has programs of WebAssembly within it that Rust made."""
    tail = _tail(binary)
    for runtime in RUNTIMES:
        if runtime.name in ("Bun", "Node.js"):
            inside = binary.section(*runtime.sections) is not None or any(mark in tail for mark in runtime.tails)
            if inside or (runtime.marks and binary.which(runtime.marks)):
                return True
    return False


def _tail(binary: Binary) -> bytes:
    """The end of the file, if anything lies behind the ELF image."""
    size = min(TAIL, binary.overlay)
    return binary.window.peek(binary.info.size - size, size) if size else b""


def runtime_signals(runtime: Runtime, path: str) -> tuple[Signal, ...]:
    """What is known of programs of that runtime."""
    return tuple(
        Signal(need, verdict, Evidence(Seen.BUILD, runtime.name, path, text)) for need, verdict, text in runtime.needs
    )
