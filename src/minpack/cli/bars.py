"""Bars in a table, drawn by rich: a label, a size and a share, as wide as the terminal or 80 columns."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from minpack.cli.colour import takes_colours
from minpack.cli.terminal import print_drawn, terminal_width
from minpack.excerpt import shorten, visible
from minpack.report.human import counted, human
from minpack.report.image import share_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.report.image import ReasonBar

#: Of a pipe, and the most of a terminal: longer bars say no more.
WIDTH, MOST_WIDTH = 80, 110
#: The colours of a terminal's own palette; what is not here has the last.
_COLOURS = {
    "program": "blue",
    "interpreter": "magenta",
    "library": "green",
    "opened later": "cyan",
    "need": "yellow",
    "named": "bright_blue",
    "readable": "bright_blue",
    "unknown": "red",
    "": "white",
}


def print_bars(bars: Sequence[ReasonBar]) -> None:
    """Print a bar for each; without colours where stdout is no terminal.

    :raises OutputError: it cannot be written.
    """
    stream = sys.stdout
    is_coloured = stream.isatty() and takes_colours(os.environ)
    width = min(terminal_width(stream) or WIDTH, MOST_WIDTH) if stream.isatty() else WIDTH
    file = io.TextIOWrapper(io.BytesIO(), encoding=stream.encoding)
    # Whether there are colours is not left to rich, which heeds other variables too.
    console = Console(
        file=file,
        width=width,
        color_system="standard" if is_coloured else None,
        force_terminal=is_coloured,
        no_color=not is_coloured,
        highlight=False,
    )
    console.print(_table(bars))
    file.seek(0)
    print_drawn(line.rstrip() for line in file)


def _table(bars: Sequence[ReasonBar]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    table.add_column()
    for _ in range(2):
        table.add_column(justify="right", no_wrap=True)
    table.add_column(ratio=1)
    table.add_column(justify="right", no_wrap=True)
    for bar in bars:
        colour = _COLOURS.get(bar.group, _COLOURS[""])
        drawn = ProgressBar(total=1, completed=bar.share, complete_style=colour, finished_style=colour)
        sizes = (Text(human(bar.size)), Text(share_text(bar.share)), drawn, Text(counted(bar.files, "file")))
        table.add_row(Text(f"  {visible(shorten(bar.label))}"), *sizes)
    return table
