"""`minpack update`."""

from __future__ import annotations

from typing import Any

import click

from minpack.cli.lock import renewed, tell
from minpack.cli.options import (
    Command,
    base_option,
    lock_option,
    output_options,
    platforms_option,
    registry_access_options,
    store_options,
)
from minpack.cli.spec import file_options, programs_argument
from minpack.report.locks import update_document, update_lines


@click.command("update", cls=Command, short_help="Renew a lock file and show what changes.")
@programs_argument
@base_option
@platforms_option
@file_options
@lock_option
@click.option("--dry-run", is_flag=True, help="Show what would change; write nothing.")
@registry_access_options
@store_options
@output_options
def command(**given: Any) -> None:  # noqa: ANN401 - the options above are its signature
    """Renew the lock with the newest release of its base and the newest packages, and show what changes.

    \b
    minpack update ./myapp               shows packages and files, old and new
    minpack update ./myapp --dry-run     shows the same, writes nothing

    Give the options that the lock was written with; the base comes from the lock.
    """  # noqa: D301 - click's mark for a block
    done = renewed(given, refresh=True, write=not given["dry_run"])
    tell(done, given, update_document, update_lines)
