"""`minpack pack`, the default command."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from minpack.cli.delivering import OutputSettings, compression_of, delivery_of, delivery_options
from minpack.cli.options import (
    Command,
    base_option,
    check_option,
    filled,
    output_options,
    package_options,
    parsed,
    platform_option,
    store_options,
    why_option,
)
from minpack.cli.settings import StoreSettings, base_options, created, threads
from minpack.cli.terminal import drawing, print_json, print_lines, print_notes
from minpack.deliver import Format
from minpack.errors import UsageError
from minpack.needs.need import Need, parse_need
from minpack.oci.reference import default_reference
from minpack.paths import parse_root_path
from minpack.pipeline import pack
from minpack.request import (
    PROGRAM_DIRECTORY,
    Check,
    Request,
    RunConfig,
    parse_addition,
    parse_destination,
    parse_directory,
    parse_link,
    parse_locale,
    parse_pair,
    parse_place,
    parse_port,
    parse_signal,
    parse_zone,
)
from minpack.rootfs.etcfiles import DEFAULT_USER, parse_user

if TYPE_CHECKING:
    from minpack.paths import RootPath

NEEDS = ", ".join(need for need in Need if need is not Need.DNS)


def _workdir(text: str) -> RootPath:
    return parse_root_path(text, "--workdir")


def _volume(text: str) -> RootPath:
    return parse_place(text, "--volume")


def _pair(option: str) -> Any:  # noqa: ANN401 - click's callbacks are untyped
    def parse(text: str) -> tuple[str, str]:
        return parse_pair(text, option)

    return parsed(parse)


def _need(option: str) -> Any:  # noqa: ANN401
    def parse(text: str) -> Need:
        return parse_need(text, option)

    return parsed(parse)


@click.command("pack", cls=Command, short_help="Pack programs into an image.")
@click.argument("programs", metavar="APP...", nargs=-1, required=True, type=click.Path(readable=False))
@base_option
@platform_option
@delivery_options
@click.option("--single-layer", is_flag=True, help="One layer instead of two (what the base gave, what you gave).")
@click.option("--strip", is_flag=True, help="Leave symbol tables and debug sections out of the programs.")
@click.option(
    "--dest",
    callback=filled,
    metavar="PATH",
    help="Where the program lies [/usr/local/bin/NAME]; a PATH that ends with / is the directory for all programs.",
)
@click.option(
    "--add",
    "additions",
    multiple=True,
    callback=parsed(parse_addition),
    metavar="SRC:DST",
    help="Add a file or directory of this host; repeatable, as are --dir and --symlink.",
)
@click.option(
    "--dir",
    "directories",
    multiple=True,
    callback=parsed(parse_directory),
    metavar="PATH[:MODE[:UID:GID]]",
    help="Add an empty directory, the image's user's unless said otherwise.",
)
@click.option(
    "--symlink",
    "links",
    multiple=True,
    callback=parsed(parse_link),
    metavar="TARGET:PATH",
    help="Add a symbolic link, as ln -s TARGET PATH.",
)
@click.option(
    "--add-lib",
    "libraries",
    multiple=True,
    callback=filled,
    metavar="SONAME",
    help="Add a library that the program opens by name (dlopen), with what it needs; found as the loader would.",
)
@click.option("--need", "wanted", multiple=True, callback=_need("--need"), metavar="NAME", help=f"Pack it: {NEEDS}.")
@click.option("--no-need", "unwanted", multiple=True, callback=_need("--no-need"), metavar="NAME", help="Leave it out.")
@click.option("--tz", "zone", callback=parsed(parse_zone), metavar="ZONE", help="Pack this time zone and set TZ to it.")
@click.option(
    "--locale",
    callback=parsed(parse_locale),
    metavar="NAME",
    help="Set LANG to this locale, and pack it from the base if it is glibc's.",
)
@click.option("--ca-file", callback=filled, metavar="PEM", help="Add these certificates to the CA bundle.")
@click.option(
    "--entrypoint",
    "entrypoint",
    multiple=True,
    metavar="ARG",
    help="The entrypoint, one argument at a time; '' for none. Default: the first program.",
)
@click.option("--cmd", "cmd", multiple=True, metavar="ARG", help="The default arguments, one at a time.")
@click.option(
    "-e",
    "--env",
    "env",
    multiple=True,
    callback=_pair("--env"),
    metavar="KEY=VALUE",
    help="Set a variable; repeatable.",
)
@click.option("-u", "--user", callback=parsed(parse_user), metavar="UID[:GID]", help="Whom to run as [65532:65532].")
@click.option("-w", "--workdir", callback=parsed(_workdir), metavar="PATH", help="The working directory [/].")
@click.option(
    "--expose",
    "exposed",
    multiple=True,
    callback=parsed(parse_port),
    metavar="PORT[/PROTOCOL]",
    help="A port the program listens on; repeatable.",
)
@click.option(
    "-l",
    "--label",
    "labels",
    multiple=True,
    callback=_pair("--label"),
    metavar="KEY=VALUE",
    help="A label, which becomes an annotation too; repeatable.",
)
@click.option(
    "--volume",
    "volumes",
    multiple=True,
    callback=parsed(_volume),
    metavar="PATH",
    help="A directory that is a volume; repeatable.",
)
@click.option(
    "--stop-signal",
    callback=parsed(parse_signal),
    metavar="SIGNAL",
    help="What asks the program to end [SIGTERM].",
)
@check_option(Check.LOAD)
@why_option
@click.option(
    "--package",
    "packages",
    multiple=True,
    callback=filled,
    metavar="NAME",
    help="Add all files of this package of the base's distribution; repeatable.",
)
@package_options
@store_options
@click.option("--dry-run", is_flag=True, help="Do everything but writing: show the plan.")
@output_options
def command(**given: Any) -> None:  # noqa: ANN401 - the options above are its signature
    """Pack APP into an image; several of one platform go into one, the first is the entrypoint.

    \b
    minpack ./myapp                                       static: writes ./myapp.tar
    minpack ./myapp --base alpine-3.22 -t me/myapp:1.0    libraries from Alpine
    minpack ./myapp --base / --load                       libraries of this host, into Docker
    """  # noqa: D301 - click's mark for a block
    quiet, as_json, output = given["quiet"], given["as_json"], given["output"]
    settings = OutputSettings(given["tags"], output, Format(given["format_"]), given["load"], given["force"], as_json)
    name = os.path.basename(given["programs"][0].rstrip("/"))
    delivery = delivery_of(settings, name, default_reference(name))
    request = request_of(given)
    store = StoreSettings(
        given["offline"],
        given["mirror"],
        given["cache_dir"],
        given["no_cache"],
        given["sha512"],
        not given["no_packages"],
        given["keys"],
    )
    with drawing(quiet=quiet) as progress:
        made = None if given["dry_run"] else delivery
        packed = pack(request, given["base"], base_options(store), made, progress, sums=as_json)
    if as_json:
        from minpack.report.documents import pack_document  # noqa: PLC0415

        print_json(pack_document(packed, delivery.references))
        return
    print_notes(packed.notes, quiet=quiet)
    if not quiet:
        from minpack.report.text import pack_lines  # noqa: PLC0415

        lines = pack_lines(packed, delivery.references, verbose=given["verbose"])
        print_lines(lines, to_stderr=output == "-")


def request_of(given: dict[str, Any]) -> Request:
    """The request that the options mean.

    :raises UsageError: some contradict each other.
    """
    wanted, unwanted = frozenset(given["wanted"]), frozenset(given["unwanted"])
    _check_needs(wanted, unwanted, given)
    destination, directory = None, PROGRAM_DIRECTORY
    if given["dest"] is not None:
        destination, directory = parse_destination(given["dest"], given["programs"])
    load_only = given["load"] and given["output"] is None
    return Request(
        given["programs"],
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
        _run_config(given),
        created(given["created"]),
        compression_of(given["compress"], zstd=given["zstd"], load_only=load_only),
        given["single_layer"],
        threads(),
        Check(given["check"]),
        given["why"],
        given["strip"],
        given["packages"],
    )


def _run_config(given: dict[str, Any]) -> RunConfig:
    default = RunConfig()
    entrypoint: tuple[str, ...] | None = given["entrypoint"] or None
    if entrypoint == ("",):
        entrypoint = ()
        if not given["cmd"]:
            raise UsageError("--entrypoint", "", "without one nothing would be run", "say what with --cmd")
    return RunConfig(
        entrypoint,
        given["cmd"],
        given["env"],
        given["user"] or DEFAULT_USER,
        given["workdir"] or default.workdir,
        given["exposed"],
        given["volumes"],
        given["labels"],
        given["stop_signal"] or "",
    )


def _check_needs(wanted: frozenset[Need], unwanted: frozenset[Need], given: dict[str, Any]) -> None:
    """Nothing, if no need is both wanted and not."""
    options = [(need, f"--need {need}") for need in Need if need in wanted]
    options += [(Need.TZ, "--tz")] if given["zone"] is not None else []
    options += [(Need.CERTS, "--ca-file")] if given["ca_file"] is not None else []
    options += [(Need.LOCALE, f"--locale {given['locale']}")] if given["locale"] is not None else []
    for need, option in options:
        if need in unwanted:
            raise UsageError("--no-need", str(need), f"{option} wants it", "leave one out")
