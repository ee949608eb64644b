"""Write every case down as it is now; review the difference before committing it."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent


def rewrite() -> None:
    """Write the files of all cases, and remove those of cases that are no more."""
    sys.path.insert(0, str(HERE.parent))
    from golden.cases import CASES, written_down

    for path in HERE.glob("*/*"):
        if path.suffix in (".txt", ".json"):
            path.unlink()
    for name, case in CASES.items():
        (HERE / name).mkdir(exist_ok=True)
        with TemporaryDirectory() as directory:
            for file, text in written_down(case, Path(directory)).items():
                (HERE / name / file).write_text(text, "utf-8")


if __name__ == "__main__":
    rewrite()
