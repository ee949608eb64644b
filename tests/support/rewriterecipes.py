"""Write into pages of recipes what their commands print now, where a page shows something else: review the diff.

python tests/support/rewriterecipes.py docs/recipes/PAGE.md…
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.recipeplaces import workplace
from support.recipes import differences, read_page, rewritten, run_page


def rewrite(path: Path, cache: Path, data: Path) -> list[str]:
    """Run the page at `path` and write it anew; what was not as it showed."""
    page = read_page(path.name, path.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        (place / "project").mkdir()
        with workplace(page, place, cache, data) as (repository, environment):
            ran = run_page(page, place / "project", repository, environment)
    path.write_text(rewritten(page, ran), encoding="utf-8")
    return differences(page, ran)


if __name__ == "__main__":
    found = Path(os.environ.get("MINPACK_TEST_DATA", Path(__file__).parents[2] / "shared"))
    with tempfile.TemporaryDirectory() as kept:
        for name in sys.argv[1:]:
            print("\n".join([name, *rewrite(Path(name), Path(kept), found)]))
