"""Build the probe of containers' health for every platform, or compare what is committed with what that gives.

    python src/probe/build.py [--check]

The compiler is that of the package ziglang, in the version that pyproject.toml pins: the same bytes on every machine.
`SHA256SUMS` beside the programs has the sums of both, the programs and what they are built from.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE.parent / "minpack" / "embedded" / "probes"
SUMS = "SHA256SUMS"
SOURCES = ("build.py", "grpc.h", "http.h", "probe.c", "system.h", "types.h", "url.h")
#: By OCI's name of the architecture: LLVM's target, the least CPU, and what else it takes.
TARGETS = {
    "386": ("x86-linux-none", "pentium"),
    "amd64": ("x86_64-linux-none", "x86_64"),
    "arm": ("arm-linux-eabi", "arm926ej_s"),
    "arm64": ("aarch64-linux-none", "generic"),
    "arm64be": ("aarch64_be-linux-none", "generic"),
    "loong64": ("loongarch64-linux-none", "generic_la64-lsx"),
    "mips": ("mips-linux-none", "mips32", "-G0"),
    "mips64": ("mips64-linux-none", "mips64", "-G0", "-mabi=64", "-mno-abicalls", "-Wl,--image-base=0x400000"),
    "mips64le": ("mips64el-linux-none", "mips64", "-G0", "-mabi=64", "-mno-abicalls", "-Wl,--image-base=0x400000"),
    "mipsle": ("mipsel-linux-none", "mips32", "-G0"),
    "ppc": ("powerpc-linux-none", "ppc"),
    "ppc64": ("powerpc64-linux-none", "ppc64"),
    "ppc64le": ("powerpc64le-linux-none", "ppc64le"),
    "riscv": ("riscv32-linux-none", "baseline_rv32"),
    "riscv64": ("riscv64-linux-none", "baseline_rv64"),
    "s390x": ("s390x-linux-none", "z10"),
}
#: A small program that is on its own: no C library, no start-up code, no checks that call into a library.
FLAGS = (
    *("-std=c11", "-Wall", "-Wextra", "-g0", "-Oz", "-fno-inline", "-fno-jump-tables", "-fomit-frame-pointer"),
    *("-ffreestanding", "-fno-builtin", "-fno-stack-protector", "-fno-sanitize=all", "-fno-pic", "-fno-ident"),
    *("-fno-asynchronous-unwind-tables", "-fno-unwind-tables", "-nostdlib", "-static", "-s"),
    *("-Wl,-e,_start", "-Wl,--build-id=none", "-Wl,--gc-sections"),
)


def main() -> int:
    """Build, then write or compare."""
    parser = argparse.ArgumentParser(description="Build the health probe for every platform.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the committed bytes differ")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory(prefix="minpack-probe-") as work:
        built = {name: build(Path(work), name) for name in TARGETS}
    for name, data in built.items():
        print(f"{name:10} {len(data):>6} bytes  {hashlib.sha256(data).hexdigest()}")
    found = {**built, SUMS: sums(built)}
    if not check:
        for name, data in found.items():
            (PROGRAMS / name).write_bytes(data)
        return 0
    wrong = [name for name, data in found.items() if (PROGRAMS / name).read_bytes() != data]
    if wrong:
        print(f"these differ from what is committed: {', '.join(wrong)}; make probe writes them", file=sys.stderr)
    return int(bool(wrong))


def build(work: Path, name: str) -> bytes:
    """The program for an architecture."""
    target, cpu, *more = TARGETS[name]
    out = work / name
    command = [*(sys.executable, "-m", "ziglang", "cc"), "-target", target, f"-mcpu={cpu}", *FLAGS, *more]
    # Nothing that was built before is taken, and no path of this machine gets in.
    environment = {**os.environ, "ZIG_LOCAL_CACHE_DIR": str(work / "cache"), "ZIG_GLOBAL_CACHE_DIR": str(work / "all")}
    done = subprocess.run(
        [*command, "-o", str(out), "probe.c"], cwd=HERE, env=environment, check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr}")
    return out.read_bytes()


def sums(built: dict[str, bytes]) -> bytes:
    """The sums of the programs and of their sources, as sha256sum(1) has them."""
    rows = {name: hashlib.sha256(data).hexdigest() for name, data in built.items()}
    rows |= {f"src/probe/{name}": hashlib.sha256((HERE / name).read_bytes()).hexdigest() for name in SOURCES}
    return "".join(f"{total}  {name}\n" for name, total in sorted(rows.items())).encode()


if __name__ == "__main__":
    sys.exit(main())
