"""`minpack cache`: info, prune, clean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from minpack.cli.groups import HelpfulGroup
from minpack.cli.options import FILLED, Parsed, answer_options, applied
from minpack.cli.settings import StoreSettings, now_ns, store_directory
from minpack.cli.terminal import print_json, print_lines
from minpack.errors import UsageError
from minpack.report.cache import cache_document, cache_lines, pruned_document, pruned_lines
from minpack.spec.values import parse_days, parse_size
from minpack.store.prune import clean as clean_store
from minpack.store.prune import prune as prune_store
from minpack.store.store import MOST_BYTES, open_store

if TYPE_CHECKING:
    from minpack.store.prune import Pruned

DAY = 24 * 3600 * 10**9

place_options = applied(
    click.option(
        "--cache-dir",
        envvar="MINPACK_CACHE_DIR",
        type=FILLED,
        metavar="DIR",
        help="Directory that the cache is in, as DIR/minpack. Default: ~/.cache, on macOS ~/Library/Caches.",
    ),
    answer_options,
)


@click.group("cache", cls=HelpfulGroup, short_help="Show, prune or empty the cache.")
def command() -> None:
    """Show, shrink or empty the cache: downloads, unpacked bases, compressed layers.

    The cache saves time and never changes a result.
    """


@command.command("info")
@place_options
def info(*, cache_dir: str | None, quiet: bool, as_json: bool) -> None:
    """Show the location and size of the cache."""
    directory = _directory(cache_dir)
    with open_store(directory, make=False) as store:
        files = store.files()
    if as_json:
        print_json(cache_document(directory, files))
    elif not quiet:
        print_lines(cache_lines(directory, files))


@command.command("prune")
@click.option(
    "--max-size",
    type=Parsed(parse_size),
    metavar="SIZE",
    help="Shrink the cache to this size (500MB, 2GB), removing the least recently used files first. Default: 2GB.",
)
@click.option(
    "--older-than",
    type=Parsed(parse_days),
    metavar="DAYS",
    help="Remove files that have not been used for this many days.",
)
@place_options
def prune(
    *,
    max_size: int | None,
    older_than: int | None,
    cache_dir: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Remove leftovers of killed runs and old files. Downloads go last, and what lock files name stays.

    minpack also does this whenever it caches something new.
    """
    unused = None if older_than is None else older_than * DAY
    with open_store(_directory(cache_dir), make=False) as store:
        done = prune_store(store, MOST_BYTES if max_size is None else max_size, now_ns(), unused)
    _show(done, quiet=quiet, as_json=as_json)


@command.command("clean")
@place_options
def clean(*, cache_dir: str | None, quiet: bool, as_json: bool) -> None:
    """Remove everything except what other runs are writing."""
    with open_store(_directory(cache_dir), make=False) as store:
        done = clean_store(store)
    _show(done, quiet=quiet, as_json=as_json)


def _directory(cache_dir: str | None) -> str:
    directory = store_directory(StoreSettings(offline=True, mirror="", cache_dir=cache_dir, no_cache=False))
    if directory is None:
        hint = "choose a directory with --cache-dir DIR"
        raise UsageError("minpack cache", "", "there is no home directory for the cache", hint, verb="run")
    return directory


def _show(done: Pruned, *, quiet: bool, as_json: bool) -> None:
    if as_json:
        print_json(pruned_document(done))
    elif not quiet:
        print_lines(pruned_lines(done))
