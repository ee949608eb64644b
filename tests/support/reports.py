"""Images that reports are about: a program with its libraries, packages, data, and names that are meant to harm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minpack.base.options import BaseOptions
from minpack.images.compare import Compared, Comparing
from minpack.net.network import Network
from minpack.progress import no_progress
from minpack.reach.image_report import ImageReport, report_image
from minpack.spec.image_ref import parse_image_ref
from support.badfiles import MUSL_LOADER
from support.elfmaker import MUSL, library, program
from support.layers import layer, link, member, tar_of, write_layout

if TYPE_CHECKING:
    from pathlib import Path

#: What HTML, scripts, terminals and eyes would take for something else than a name.
HOSTILE = (
    "<script>document.title='owned'</script>",
    "</script><script>document.title='owned'</script>",
    "<!--<script>",
    "<img src=x onerror=document.title='owned'>",
    "\"onmouseover=\"document.title='owned'",
    "'&quot;&lt;{{ 7*7 }}{% raw %}",
    "esc\x1b[31m\x07bell\ttab",
    "line\nbreak\rreturn\u2028\u2029",
    "gpj.\u202eexe.txt\u2066\u200f",
    "bytes\udcff\udc80",
    "javascript:document.title='owned'",
)
_OS_RELEASE = b'ID=alpine\nVERSION_ID=3.22.1\nPRETTY_NAME="Alpine <b>Linux</b>"\n'
_INSTALLED = (
    b"P:libfoo\nV:1.0-r0\nA:x86_64\nL:MIT\nF:usr/lib\nR:libfoo.so.1\n\nP:notes\nV:2\nA:x86_64\nF:srv\nR:notes.txt\n\n"
)


def members(files: int = 0, *, hostile: bool = False) -> list[Any]:
    """What is in the image: `files` more of them, with sizes of all kinds."""
    found = [
        member("lib/ld-musl-x86_64.so.1", MUSL_LOADER),
        member("usr/bin/app", program(("libfoo.so.1", "libbar.so.1"), interpreter=MUSL)),
        member("usr/lib/libfoo.so.1.0", library("libfoo.so.1", ("libbar.so.1", "libc.so"))),
        link("usr/lib/libfoo.so.1", "libfoo.so.1.0"),
        member("usr/lib/libbar.so.1", library("libbar.so.1", ("libc.so",))),
        member("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n", mode=0o644),
        member("etc/os-release", _OS_RELEASE, mode=0o644),
        member("lib/apk/db/installed", _INSTALLED, mode=0o644),
        member("srv/notes.txt", b"of a package that nothing needs", mode=0o644),
        member("srv/other.txt", b"of no package", mode=0o644),
        link("srv/again.txt", "srv/other.txt", hard=True),
    ]
    for number in range(files):
        size = (number * number * 7919) % 4096 + 1
        name = f"data/{number % 7}/{number % 53}/file-{number}.dat"
        found.append(member(name, number.to_bytes(4, "big") * (size // 4 + 1), mode=0o644))
    if hostile:
        found += [member(f"hostile/{name.replace('/', '|')}", b"x" * 999, mode=0o644) for name in HOSTILE]
        found += [link(f"hostile/link-{number}", name) for number, name in enumerate(HOSTILE)]
    return found


def write_image(place: Path, files: int = 0, *, hostile: bool = False, **values: Any) -> Path:
    """A layout with such an image, which runs its program."""
    run = {"Entrypoint": ["/usr/bin/app"], "Env": ["PATH=/usr/bin"], **values}
    if hostile:
        run["Env"] = [*run["Env"], *(f"E{n}={text}" for n, text in enumerate(map(_text, HOSTILE)))]
        run["Labels"] = {text: text for text in map(_text, HOSTILE)}
    write_layout(place, [layer(tar_of(*members(files, hostile=hostile)))], config_values=run)
    return place


def _text(name: str) -> str:
    """Without bytes that JSON cannot have."""
    return name.encode("utf-8", "replace").decode()


def reported(image: Path, against: Path | None = None) -> ImageReport:
    """The report of an image."""
    options = BaseOptions(None, Network(offline=True), "2026-11-30")
    before = Compared(str(against), parse_image_ref(str(against))) if against is not None else None
    how = Comparing(options, no_progress, None, None, lambda _: ())
    return report_image(parse_image_ref(str(image)), how, before)
