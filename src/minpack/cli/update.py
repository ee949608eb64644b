"""`minpack update`."""

from __future__ import annotations

from typing import Any

import click

from minpack.cli.lock import renewed, tell
from minpack.cli.options import Command, base_option, lock_option, output_options, platform_option, store_options
from minpack.cli.spec import file_options, programs_argument


@click.command("update", cls=Command, short_help="Renew a lock file, and say what changes.")
@programs_argument
@base_option
@platform_option
@file_options
@lock_option
@click.option("--dry-run", is_flag=True, help="Say what would change, and write nothing.")
@store_options
@output_options
def command(**given: Any) -> None:  # noqa: ANN401 - the options above are its signature
    """Renew the lock: the newest release of its base and the newest packages; say what changes in the image of APP.

    \b
    minpack update ./myapp               old and new of each package, and of each file in this image
    minpack update ./myapp --dry-run     the same, and nothing is written

    Give it the options that the lock was written with; the base is the lock's.
    """  # noqa: D301 - click's mark for a block
    done = renewed(given, refresh=True, write=not given["dry_run"])
    from minpack.report.locks import update_document, update_lines  # noqa: PLC0415

    tell(done, given, update_document, update_lines)
