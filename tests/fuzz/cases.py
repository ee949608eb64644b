"""Inputs that once went wrong, kept as text: lines of hexadecimal, and above them, after ``#``, what was wrong.

``python tests/fuzz/cases.py TARGET NAME FILE WHAT WAS WRONG`` keeps another.
"""

from __future__ import annotations

import sys
from pathlib import Path

DIRECTORY = Path(__file__).parent / "cases"


def cases_of(target: str) -> dict[str, bytes]:
    """The inputs kept for a target, by name."""
    return {path.stem: read_case(path) for path in sorted(DIRECTORY.glob(f"{target}/*.txt"))}


def read_case(path: Path) -> bytes:
    """The input in a file."""
    lines = path.read_text(encoding="ascii").splitlines()
    return bytes.fromhex("".join(line for line in lines if not line.startswith("#")))


def keep(target: str, name: str, data: bytes, why: str) -> Path:
    """Write a case."""
    path = DIRECTORY / target / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    digits = data.hex()
    lines = [f"# {why}", *(digits[at : at + 96] for at in range(0, len(digits), 96))]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return path


if __name__ == "__main__":
    print(keep(sys.argv[1], sys.argv[2], Path(sys.argv[3]).read_bytes(), " ".join(sys.argv[4:])))
