"""The options that decide which files an image has, for `pack`, `lock` and `update`, and the spec they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from minpack.cli.added import added_options, any_user_option, check_added
from minpack.cli.options import (
    FILLED,
    Parsed,
    allow_missing_option,
    applied,
    bases_of,
    check_option,
    completed,
    package_options,
    parse_dest,
    retarget_option,
    selected,
)
from minpack.cli.settings import StoreSettings, store_directory, umask
from minpack.errors import UsageError
from minpack.namedtuple import NamedTuple
from minpack.needs.need import Need, parse_need
from minpack.paths import parse_root_path
from minpack.rootfs.etc_files import DEFAULT_USER, parse_user
from minpack.spec.image import Check, ImageSpec, RunConfig
from minpack.spec.values import (
    parse_addition,
    parse_directory,
    parse_link,
    parse_locale,
    parse_take,
    parse_variable,
    parse_zone,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minpack.paths import RootPath
    from minpack.rootfs.etc_files import User
    from minpack.spec.base_ref import BaseRef
    from minpack.spec.owners import OwnerName
    from minpack.spec.values import AddedDirectory, AddedLink, Addition
    from minpack.target import Platform

NEEDS = ", ".join(need for need in Need if need is not Need.DNS)


programs_argument = click.argument(
    "programs", metavar="APP...", nargs=-1, required=True, type=click.Path(readable=False)
)

#: Of commands that may be about the images of a file instead.
images_argument = click.argument(
    "programs",
    metavar="[APP|NAME]...",
    nargs=-1,
    type=click.Path(readable=False),
    shell_complete=completed("image or file"),
)

#: How the program is run.
run_options = applied(
    click.option(
        "-e",
        "--env",
        "env",
        multiple=True,
        type=Parsed(parse_variable),
        metavar="KEY=VALUE",
        help="Set an environment variable; repeatable.",
    ),
    click.option(
        "-u",
        "--user",
        type=Parsed(parse_user),
        shell_complete=completed("user"),
        metavar="UID[:GID]",
        help="User to run as. Default: 65532:65532.",
    ),
    click.option(
        "-w", "--workdir", type=Parsed(parse_root_path), metavar="PATH", help="Working directory. Default: /."
    ),
    any_user_option,
)

#: The rest.
packing_options = applied(
    click.option(
        "--strip",
        is_flag=True,
        help="Strip symbol tables and debug sections from your programs and the libraries that you add.",
    ),
    retarget_option,
    click.option(
        "--dest",
        type=FILLED,
        metavar="PATH",
        help="Path of the program in the image, or with a trailing slash, the directory for all programs."
        " Default: /usr/local/bin/NAME.",
    ),
    click.option(
        "--add",
        "additions",
        multiple=True,
        type=Parsed(parse_addition),
        metavar="SRC:DST[:MODE[:USER[:GROUP]]]",
        help="Add a file or directory from this host; repeatable. Default: owned by root, mode 0644, or"
        " 0755 if executable. USER and GROUP are numbers or names; MODE is octal, and may be empty."
        " For a directory, MODE applies to plain files; directories and executable files also get x"
        " wherever MODE has r.",
    ),
    added_options,
    click.option(
        "--take",
        "taken",
        multiple=True,
        type=Parsed(parse_take),
        metavar="PATH",
        help="Take a file from the base, a directory with its contents, or whatever a pattern matches;"
        " repeatable. strong takes everything for which the summary shows strong evidence.",
    ),
    click.option(
        "--dir",
        "directories",
        multiple=True,
        type=Parsed(parse_directory),
        metavar="PATH[:MODE[:USER[:GROUP]]]",
        help="Add a directory, or set the mode and owner of one; repeatable. Default: 0755 and the image's user.",
    ),
    click.option(
        "--symlink",
        "links",
        multiple=True,
        type=Parsed(parse_link),
        metavar="TARGET:PATH",
        help="Add a symbolic link, like ln -s TARGET PATH; repeatable.",
    ),
    click.option(
        "--add-lib",
        "libraries",
        multiple=True,
        type=FILLED,
        metavar="SONAME",
        help="Add a library that the program loads at run time (dlopen), with everything it needs; repeatable.",
    ),
    allow_missing_option,
    click.option(
        "--strict",
        is_flag=True,
        help="Fail if an added library or program would not load, or an added symbolic link is broken.",
    ),
    click.option(
        "--need",
        "wanted",
        multiple=True,
        type=Parsed(parse_need),
        shell_complete=completed("need"),
        metavar="NAME",
        help=f"Pack this need: {NEEDS}.",
    ),
    click.option(
        "--no-need",
        "unwanted",
        multiple=True,
        type=Parsed(parse_need),
        shell_complete=completed("need"),
        metavar="NAME",
        help="Leave out the files for this need.",
    ),
    click.option(
        "--tz",
        "zone",
        type=Parsed(parse_zone),
        shell_complete=completed("zone"),
        metavar="ZONE",
        help="Pack this time zone and set TZ to it.",
    ),
    click.option(
        "--locale",
        type=Parsed(parse_locale),
        metavar="NAME",
        help="Set LANG to this locale; with glibc, also pack its data from the base.",
    ),
    click.option("--ca-file", type=FILLED, metavar="PEM", help="Add these certificates to the CA bundle."),
    check_option(Check.LOAD),
    click.option(
        "--package",
        "packages",
        multiple=True,
        type=FILLED,
        metavar="NAME",
        help="Add all files of this package from the base's distribution; repeatable.",
    ),
    click.option(
        "--no-package-data",
        is_flag=True,
        help="Leave out the packages' copyright files (Debian). Scanners still find the packages. If you"
        " distribute the image, provide the licences in another way.",
    ),
    package_options,
)

file_options = applied(packing_options, run_options)


class FileOptions(NamedTuple):
    """The options that decide which files an image has, as they were given, each value parsed."""

    programs: tuple[str, ...]
    base: tuple[tuple[Platform | None, BaseRef], ...]
    platforms: tuple[Platform, ...] | None
    strip: bool
    retarget: bool
    dest: str | None
    additions: tuple[Addition, ...]
    directories: tuple[AddedDirectory, ...]
    links: tuple[AddedLink, ...]
    libraries: tuple[str, ...]
    allowed_missing: tuple[str, ...]
    taken: tuple[str, ...]
    strict: bool
    wanted: tuple[Need, ...]
    unwanted: tuple[Need, ...]
    zone: str | None
    locale: str | None
    ca_file: str | None
    env: tuple[tuple[str, str], ...]
    user: User | None
    workdir: RootPath | None
    check: str
    packages: tuple[str, ...]
    no_package_data: bool
    on: BaseRef | None
    owner: User | OwnerName | None
    excluded: tuple[str, ...]
    any_user: bool = False


def files_spec(options: FileOptions) -> ImageSpec:
    """The image that the options mean, as far as they decide which files there are.

    :raises UsageError: some contradict each other.
    """
    _check_needs(options)
    check_added(options.owner, options.excluded, adds=bool(options.additions))
    destination, directory = parse_dest(options.dest, options.programs)
    workdir = options.workdir or RunConfig().workdir
    bases, platforms = bases_of(options.base), options.platforms or ()
    return ImageSpec(
        options.programs,
        bases.every,
        platforms[0] if len(platforms) == 1 else None,
        destination,
        directory,
        options.additions,
        options.directories,
        options.links,
        options.libraries,
        frozenset(options.wanted),
        frozenset(options.unwanted),
        options.zone,
        options.ca_file,
        options.locale,
        RunConfig(env=options.env, user=options.user or DEFAULT_USER, workdir=workdir, any_user=options.any_user),
        check=Check(options.check),
        strip=options.strip,
        packages=options.packages,
        umask=umask(),
        allowed_missing=frozenset(options.allowed_missing),
        retarget=options.retarget,
        taken=options.taken,
        strict=options.strict,
        package_data=not options.no_package_data,
        on=options.on,
        inherits=_inherited(options),
        platforms=platforms if len(platforms) > 1 else (),
        bases=bases.single,
        owner=options.owner,
        excluded=options.excluded,
    )


def refuse_without_program(programs: tuple[str, ...]) -> None:
    """Raise an error if no program is named, as click does where one must be."""
    if not programs:
        context = click.get_current_context()
        raise click.MissingParameter(ctx=context, param=programs_parameter(context))


def programs_parameter(context: click.Context) -> click.Parameter:
    """The argument that names programs."""
    return next(one for one in context.command.params if one.name == "programs")


def named_images(given: Mapping[str, Any]) -> list[BaseRef]:
    """The bases, and the image below, that were named."""
    return [*(base for _, base in given["base"]), *([given["on"]] if given["on"] is not None else [])]


def _inherited(options: FileOptions) -> frozenset[str]:
    """What an image below, which a lock may name, is left to say."""
    given = {"user": options.user, "workdir": options.workdir}
    return frozenset(key for key, value in given.items() if value is None)


def noted(notes: tuple[str, ...], given: Mapping[str, Any]) -> tuple[str, ...]:
    """The notes to print: of those that are told once, without --verbose, the ones that were not told before."""
    if given["quiet"] or given["verbose"] or all(type(note) is str for note in notes):
        return notes
    from minpack.cli.told import untold  # noqa: PLC0415 - for hardly any

    return untold(notes, store_directory(selected(StoreSettings, given)))


def _check_needs(options: FileOptions) -> None:
    """Raise `UsageError` if a need is both wanted and not."""
    found = [(need, f"--need {need}") for need in Need if need in options.wanted]
    found += [(Need.TZ, "--tz")] if options.zone is not None else []
    found += [(Need.CERTS, "--ca-file")] if options.ca_file is not None else []
    found += [(Need.LOCALE, f"--locale {options.locale}")] if options.locale is not None else []
    found += [(need, "--any-user") for need in (Need.TMP, Need.HOME) if options.any_user]
    for need, option in found:
        if need in options.unwanted:
            raise UsageError("--no-need", str(need), f"{option} asks for it", "give only one of them")
