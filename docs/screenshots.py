"""Take the pictures of report.md: `python docs/screenshots.py PAGE`, of a page that `minpack report` wrote.

With 64 colours they are a third as large: any tool for pictures does that.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from support.browser import browser  # noqa: E402 - found on the path added above

CHOOSE = "[...document.querySelectorAll('.lib')].find(one => one.textContent.startsWith('libcrypto')).click()"
#: Of each picture its window, the theme, and what is done before it is taken.
PICTURES = {
    "report.png": (1200, 1250, "light", "scrollTo(0, document.getElementById('bytes').offsetTop - 60)"),
    "report-dark.png": (
        *(1200, 800, "dark"),
        "scrollTo(0, document.getElementById('libraries').offsetTop - 64); " + CHOOSE,
    ),
    "report-small.png": (400, 800, "light", "scrollTo(0, 0)"),
}


def main() -> None:
    """Write them beside the documentation."""
    with browser() as one:
        for name, (width, height, theme, script) in PICTURES.items():
            one.open(
                Path(sys.argv[1]).resolve(), width, height, prefers_color_scheme=theme, prefers_reduced_motion="reduce"
            )
            one.run(script)
            time.sleep(0.5)
            one.shot(HERE / name)


if __name__ == "__main__":
    main()
