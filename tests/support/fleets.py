"""A fleet: programs that load a library of a base, each packed in several ways, and the file of their images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.badfiles import MUSL_LOADER
from support.elfmaker import MUSL, library, program
from support.tarmaker import archive, directory, member

if TYPE_CHECKING:
    from pathlib import Path

#: The ways in which each program is packed.
WAYS = ("", "env = { A = 1 }", "user = 1000", 'add = "data:/etc/data"')


def make_fleet(place: Path, programs: int, settings: str = "") -> list[str]:
    """Write base, programs and `minpack.toml` below `place`; the names of the images, four for each program.

    :param settings: lines for all images.
    """
    loader = member("lib/ld-musl-x86_64.so.1", MUSL_LOADER, mode=0o755)
    found = member("usr/lib/libz.so.1", library("libz.so.1", ("libc.so",)) + bytes(300_000), mode=0o755)
    (place / "base.tar").write_bytes(archive(directory("lib/"), loader, found))
    (place / "data").mkdir()
    (place / "data" / "one").write_text("one")
    for number in range(programs):
        path = place / f"app{number}"
        path.write_bytes(program(("libz.so.1",), interpreter=MUSL) + bytes([number]) * 100_000)
        path.chmod(0o755)
    images = {
        f"i{number}-{way}": f'programs = "app{number}"\n{WAYS[way]}\n'
        for number in range(programs)
        for way in range(len(WAYS))
    }
    text = "".join(f"[image.{name}]\n{lines}" for name, lines in images.items())
    (place / "minpack.toml").write_text(f'[defaults]\nbase = "base.tar"\n{settings}\n{text}')
    return list(images)
