"""The options that decide which files an image has, for `pack`, `lock` and `update`, and the request they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from minpack.cli.options import applied, check_option, filled, package_options, parsed
from minpack.cli.settings import StoreSettings, store_directory, umask
from minpack.errors import UsageError
from minpack.needs.need import Need, parse_need
from minpack.paths import parse_root_path
from minpack.rootfs.etc_files import DEFAULT_USER, parse_user
from minpack.spec.image import Check, ImageSpec, RunConfig
from minpack.spec.values import (
    PROGRAM_DIRECTORY,
    parse_addition,
    parse_destination,
    parse_directory,
    parse_link,
    parse_locale,
    parse_pair,
    parse_zone,
)

if TYPE_CHECKING:
    from minpack.paths import RootPath

NEEDS = ", ".join(need for need in Need if need is not Need.DNS)


def _workdir(text: str) -> RootPath:
    return parse_root_path(text, "--workdir")


def pair(option: str) -> Any:  # noqa: ANN401 - click's callbacks are untyped
    """A click callback for ``KEY=VALUE``."""

    def parse(text: str) -> tuple[str, str]:
        return parse_pair(text, option)

    return parsed(parse)


def _need(option: str) -> Any:  # noqa: ANN401
    def parse(text: str) -> Need:
        return parse_need(text, option)

    return parsed(parse)


programs_argument = click.argument(
    "programs", metavar="APP...", nargs=-1, required=True, type=click.Path(readable=False)
)

file_options = applied(
    click.option("--strip", is_flag=True, help="Strip symbol tables and debug sections from the programs."),
    click.option(
        "--dest",
        callback=filled,
        metavar="PATH",
        help="Path of the program in the image [/usr/local/bin/NAME]; one that ends with / is the directory for all.",
    ),
    click.option(
        "--add",
        "additions",
        multiple=True,
        callback=parsed(parse_addition),
        metavar="SRC:DST[:MODE[:UID:GID]]",
        help="Add a file or directory of this host; repeatable, as are --dir and --symlink. Default: owned by root,"
        " 0644, or 0755 if executable. In a directory, MODE (octal) is for plain files; executable files and"
        " directories can also be executed by whoever may read them.",
    ),
    click.option(
        "--dir",
        "directories",
        multiple=True,
        callback=parsed(parse_directory),
        metavar="PATH[:MODE[:UID:GID]]",
        help="Add a directory, or set the mode and owner of one; by default 0755 and the image's user.",
    ),
    click.option(
        "--symlink",
        "links",
        multiple=True,
        callback=parsed(parse_link),
        metavar="TARGET:PATH",
        help="Add a symbolic link, as ln -s TARGET PATH.",
    ),
    click.option(
        "--add-lib",
        "libraries",
        multiple=True,
        callback=filled,
        metavar="SONAME",
        help="Add a library that the program opens by name (dlopen), with what it needs; found as the loader would.",
    ),
    click.option(
        "--allow-missing",
        "allowed_missing",
        multiple=True,
        callback=filled,
        metavar="SONAME",
        help="Pack without this library: the host's container runtime brings it, as libcuda.so.1; repeatable.",
    ),
    click.option(
        "--strict",
        is_flag=True,
        help="Refuse added libraries and programs that would not load, and added links that lead nowhere.",
    ),
    click.option(
        "--need", "wanted", multiple=True, callback=_need("--need"), metavar="NAME", help=f"Pack it: {NEEDS}."
    ),
    click.option(
        "--no-need", "unwanted", multiple=True, callback=_need("--no-need"), metavar="NAME", help="Leave it out."
    ),
    click.option(
        "--tz", "zone", callback=parsed(parse_zone), metavar="ZONE", help="Pack this time zone and set TZ to it."
    ),
    click.option(
        "--locale",
        callback=parsed(parse_locale),
        metavar="NAME",
        help="Set LANG to this locale, and pack it from the base if it is glibc's.",
    ),
    click.option("--ca-file", callback=filled, metavar="PEM", help="Add these certificates to the CA bundle."),
    click.option(
        "-e",
        "--env",
        "env",
        multiple=True,
        callback=pair("--env"),
        metavar="KEY=VALUE",
        help="Set a variable; repeatable.",
    ),
    click.option(
        "-u", "--user", callback=parsed(parse_user), metavar="UID[:GID]", help="User to run as [65532:65532]."
    ),
    click.option("-w", "--workdir", callback=parsed(_workdir), metavar="PATH", help="The working directory [/]."),
    check_option(Check.LOAD),
    click.option(
        "--package",
        "packages",
        multiple=True,
        callback=filled,
        metavar="NAME",
        help="Add all files of this package of the base's distribution; repeatable.",
    ),
    package_options,
)


def files_request(given: dict[str, Any]) -> ImageSpec:
    """The request that the options mean, as far as it decides which files there are.

    :raises UsageError: some contradict each other.
    """
    wanted, unwanted = frozenset(given["wanted"]), frozenset(given["unwanted"])
    _check_needs(wanted, unwanted, given)
    destination, directory = None, PROGRAM_DIRECTORY
    if given["dest"] is not None:
        destination, directory = parse_destination(given["dest"], given["programs"])
    default = RunConfig()
    run = RunConfig(env=given["env"], user=given["user"] or DEFAULT_USER, workdir=given["workdir"] or default.workdir)
    return ImageSpec(
        given["programs"],
        given["base"],
        given["platform"],
        destination,
        directory,
        given["additions"],
        given["directories"],
        given["links"],
        given["libraries"],
        wanted,
        unwanted,
        given["zone"],
        given["ca_file"],
        given["locale"],
        run,
        check=Check(given["check"]),
        strip=given["strip"],
        packages=given["packages"],
        umask=umask(),
        allowed_missing=frozenset(given["allowed_missing"]),
        strict=given["strict"],
    )


def store_settings(given: dict[str, Any]) -> StoreSettings:
    """The options about downloads and the store."""
    return StoreSettings(
        given["offline"],
        given["mirror"],
        given["cache_dir"],
        given["no_cache"],
        given["sha512"],
        not given["no_packages"],
        given["keys"],
    )


def noted(notes: tuple[str, ...], given: dict[str, Any]) -> tuple[str, ...]:
    """The notes to print: of those that are told once, without --verbose, the ones that were not told before."""
    if given["quiet"] or given["verbose"] or all(type(note) is str for note in notes):
        return notes
    from minpack.cli.told import untold  # noqa: PLC0415 - for hardly any

    return untold(notes, store_directory(store_settings(given)))


def _check_needs(wanted: frozenset[Need], unwanted: frozenset[Need], given: dict[str, Any]) -> None:
    """Nothing, if no need is both wanted and not."""
    options = [(need, f"--need {need}") for need in Need if need in wanted]
    options += [(Need.TZ, "--tz")] if given["zone"] is not None else []
    options += [(Need.CERTS, "--ca-file")] if given["ca_file"] is not None else []
    options += [(Need.LOCALE, f"--locale {given['locale']}")] if given["locale"] is not None else []
    for need, option in options:
        if need in unwanted:
            raise UsageError("--no-need", str(need), f"{option} wants it", "leave one out")
