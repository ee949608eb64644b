"""`Target`, what an ELF file runs on, and its names elsewhere: OCI platforms, Alpine and Debian architectures.

Sources: elf(5) and the processor supplements for machines and flags; Go's
list of architectures for the OCI names (image-spec, config.md,
"architecture"); Alpine and Debian for theirs.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from minpack.errors import OPTION, BadValueError, UsageError
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Target(NamedTuple):
    """What an ELF file runs on.

    `abi` tells apart what shares a machine: ``hard`` or ``soft`` float on ARM,
    ``x32`` on x86-64, ``n32`` on MIPS, ``double``, ``single``, ``quad`` or ``soft``
    on RISC-V and LoongArch, the ABI's version (``v1``, ``v2``) on 64-bit PowerPC;
    empty where there is one only.
    """

    machine: int
    bits: int
    big_endian: bool
    abi: str = ""

    @property
    def name(self) -> str:
        """The usual name: ``x86_64``, ``armhf``, ``riscv64``; ``machine-N`` if there is none."""
        row = _row(self)
        if row is not None:
            return row.name
        order = "big-endian" if self.big_endian else "little-endian"
        return f"machine-{self.machine} ({self.bits}-bit {order}{' ' + self.abi if self.abi else ''})"

    @property
    def platform(self) -> Platform | None:
        """The OCI platform of programs for this target, if it has a name."""
        row = _row(self)
        return Platform("linux", row.oci, row.variant) if row is not None else None

    @property
    def alpine(self) -> str | None:
        """Alpine's name of the architecture, if Alpine has it; armv7 for 32-bit ARM."""
        row = _row(self)
        return (row.alpine or None) if row is not None else None

    @property
    def debian(self) -> str | None:
        """Debian's name of the architecture, if Debian has it."""
        row = _row(self)
        return (row.debian or None) if row is not None else None

    def __str__(self) -> str:
        return self.name


#: The architecture whose ELF headers do not tell its variants, which images are labelled with all the same.
ARM = "arm"


class Platform(NamedTuple):
    """An OCI platform (image-spec, image-index.md, "platform")."""

    os: str
    architecture: str
    variant: str = ""

    @property
    def tells_variant(self) -> bool:
        """Whether it promises that all CPUs of a variant run the image."""
        return self.architecture == ARM or bool(self.variant)

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


class _Row(NamedTuple):
    target: Target
    name: str
    oci: str
    variant: str
    alpine: str
    debian: str


# name; machine, bits, big endian, abi; OCI architecture, variant; Alpine; Debian
_TABLE = """
x86_64      62 64 0 -      amd64    -  x86_64      amd64
x86          3 32 0 -      386      -  x86         i386
x32         62 32 0 x32    amd64p32 -  -           x32
aarch64    183 64 0 -      arm64    -  aarch64     arm64
aarch64_be 183 64 1 -      arm64be  -  -           -
armhf       40 32 0 hard   arm      v7 armv7       armhf
armel       40 32 0 soft   arm      v5 -           armel
armeb       40 32 1 soft   armbe    -  -           -
armebhf     40 32 1 hard   armbe    -  -           -
riscv64    243 64 0 double riscv64  -  riscv64     riscv64
riscv64sf  243 64 0 soft   riscv64  -  -           -
riscv32    243 32 0 double riscv    -  -           -
riscv32sf  243 32 0 soft   riscv    -  -           -
s390x       22 64 1 -      s390x    -  s390x       s390x
ppc64le     21 64 0 v2     ppc64le  -  ppc64le     ppc64el
ppc64       21 64 1 v1     ppc64    -  -           ppc64
ppc64v2     21 64 1 v2     ppc64    -  -           -
ppc         20 32 1 -      ppc      -  -           powerpc
loongarch64 258 64 0 double loong64 -  loongarch64 loong64
loongarch64sf 258 64 0 soft loong64 -  -           -
mips         8 32 1 -      mips     -  -           mips
mipsel       8 32 0 -      mipsle   -  -           mipsel
mips64       8 64 1 -      mips64   -  mips64      mips64
mips64el     8 64 0 -      mips64le -  -           mips64el
mipsn32      8 32 1 n32    mips64p32 - -           mipsn32
mipsn32el    8 32 0 n32    mips64p32le - -         mipsn32el
sparc        2 32 1 -      sparc    -  -           sparc
sparc64     43 64 1 -      sparc64  -  -           sparc64
s390        22 32 1 -      s390     -  -           s390
m68k         4 32 1 -      m68k     -  -           m68k
sh4         42 32 0 -      sh4      -  -           sh4
hppa        15 32 1 -      hppa     -  -           hppa
alpha    36902 64 0 -      alpha    -  -           alpha
ia64        50 64 0 -      ia64     -  -           ia64
arc        195 32 0 -      arc      -  -           arc
"""


def _rows() -> Iterator[_Row]:
    """The rows of the table, each made when it is its turn: most programs are of the first targets."""
    for line in _TABLE.strip().splitlines():
        name, machine, bits, big, *texts = line.split()
        abi, oci, variant, alpine, debian = (t if t != "-" else "" for t in texts)
        target = Target(int(machine), int(bits), big == "1", abi)
        yield _Row(target, name, oci, variant, alpine, debian)


@lru_cache
def _row(target: Target) -> _Row | None:
    return next((row for row in _rows() if row.target == target), None)


def target_named(name: str) -> Target | None:
    """The target of that name; Alpine's, Debian's and this table's names are known."""
    for row in _rows():
        if name and name in (row.name, row.alpine, row.debian):
            return row.target
    return None


#: Other names of architectures: those that containerd's `platforms` package takes, Alpine's and Debian's.
#: containerd takes Debian's armel for v6; its baseline is v5 (ArchitectureSpecificsMemo, "armel").
_ALIASES = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "i386": "386",
    "x86": "386",
    "armv7": "arm/v7",
    "armhf": "arm/v7",
    "armel": "arm/v5",
    "loongarch64": "loong64",
    "ppc64el": "ppc64le",
    "mipsel": "mipsle",
    "mips64el": "mips64le",
}


#: The variants that have a name, by architecture.
_VARIANTS = {
    "arm": ("v5", "v6", "v7", "v8"),
    "arm64": ("v8", "v9"),
    "amd64": ("v1", "v2", "v3", "v4"),
    "ppc64le": ("power8", "power9", "power10"),
    "riscv64": ("rva20u64", "rva22u64", "rva23u64"),
}


def variant_rank(architecture: str, variant: str) -> int:
    """How much a variant asks of a CPU, more than those of the architecture with a lower number; 0 for none of them."""
    known = _VARIANTS.get(architecture, ())
    return known.index(variant) + 1 if variant in known else 0


def best_platform(machine: Platform, platforms: Sequence[Platform]) -> Platform | None:
    """Of `platforms`, all different, the one that suits a machine best; None if it runs none of them.

    A machine of a variant runs those that ask less of a CPU, and one whose variant is not known, the one that asks
    least (containerd's `platforms`).
    """
    if machine in platforms:
        return machine
    same = [one for one in platforms if one[:2] == machine[:2]]
    ranks = {one: variant_rank(one.architecture, one.variant) for one in same}
    most = variant_rank(machine.architecture, machine.variant)
    if not most:
        return min(same, key=ranks.__getitem__, default=None)
    return max((one for one in same if ranks[one] <= most), key=ranks.__getitem__, default=None)


def parse_platform(text: str) -> Platform:
    """The platform written ``linux/arm64``, ``arm64`` or ``linux/arm/v7``.

    An ARM without variant is v7, and arm64/v8 and amd64/v1 lose theirs, as in containerd's `platforms`.

    :raises BadValueError: it is not for Linux, or no architecture or variant is named so.
    """
    name, *rest = text.lower().removeprefix("linux/").split("/")
    architecture, _, variant = _ALIASES.get(name, name).partition("/")
    if rest:
        variant = rest[0]
    known = {row.oci for row in _rows()}
    if architecture not in known or len(rest) > 1 or (rest and variant not in _VARIANTS.get(architecture, ())):
        raise BadValueError(text, *_platform_refusal(text))
    if architecture == "arm":
        variant = variant or "v7"
    elif (architecture, variant) in (("arm64", "v8"), ("amd64", "v1")):
        variant = ""
    return Platform("linux", architecture, variant)


def parse_platforms(text: str) -> tuple[Platform, ...]:
    """The platforms written with commas between them, each once; see `parse_platform`.

    :raises BadValueError: one is none.
    """
    return tuple(dict.fromkeys(parse_platform(one.strip()) for one in text.split(",")))


#: What kernels, compilers and names of images call architectures, which platforms do not.
_LIKELY = {
    "amd64": "amd64",
    "arm64": "arm64",
    "arm64v8": "arm64",
    "arm32v6": "arm/v6",
    "arm32v7": "arm/v7",
    "armv6": "arm/v6",
    "armv6l": "arm/v6",
    "armv7l": "arm/v7",
    "i586": "386",
    "i686": "386",
    "x64": "amd64",
}


def _platform_refusal(text: str) -> tuple[str, str]:
    """Why `text` is no platform, and what to write instead."""
    if "," in text:
        return "it is more than one platform", f"one at a time: {OPTION} {text.partition(',')[0].strip()}"
    system, slash, rest = text.lower().partition("/")
    if slash and system in ("windows", "darwin", "freebsd"):
        return "minpack makes images for Linux", f"build the program for Linux, and give {OPTION} linux/{rest}"
    likely = _LIKELY.get(text.lower().replace("-", "/").rpartition("/")[2])
    if likely is not None:
        return "no such platform", f"write {OPTION} linux/{likely}"
    return "no such platform", "write it as linux/amd64, linux/arm64, linux/arm/v7, …"


def target_of(platform: Platform) -> Target:
    """The target that programs of `platform` have; of several the usual one.

    :raises UsageError: minpack knows none.
    """
    soft = platform.architecture == "arm" and platform.variant == "v5"
    for row in _rows():
        if row.oci == platform.architecture and (not soft or row.target.abi == "soft"):
            return row.target
    raise UsageError("--platform", str(platform), "no ELF target is known for it")


def alpine_arch(platform: Platform) -> str | None:
    """Alpine's architecture for `platform`: as the target's, but armhf for ARM v6."""
    if (platform.architecture, platform.variant) == ("arm", "v6"):
        return "armhf"
    return target_of(platform).alpine
