"""Options that several commands share, as decorators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from minpack.cli.effects import refuse_contradictions
from minpack.errors import BadValueError, UsageError
from minpack.namedtuple import NamedTuple
from minpack.spec.base_ref import parse_base, parse_on
from minpack.spec.image import Check
from minpack.spec.values import PROGRAM_DIRECTORY, parse_cache, parse_destination, parse_host, parse_sha512
from minpack.target import parse_platform, parse_platforms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from minpack.paths import RootPath
    from minpack.spec.base_ref import BaseRef
    from minpack.target import Platform

#: What an empty value most often comes from.
UNSET = "is a shell variable unset?"
Function = TypeVar("Function", bound="Callable[..., Any]")
Value = TypeVar("Value")
Options = TypeVar("Options")


class Parsed(click.ParamType):  # type: ignore[type-arg] # generic from click 8.2 on
    """What `parse` makes of a text; its errors name the option then.

    An empty text is refused: a shell's variable that is not set gives it. A type costs nothing where the option is not
    given, which a callback does.
    """

    name = "text"

    def __init__(self, parse: Callable[[str], Any]) -> None:
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401, ARG002
        """The value.

        :raises UsageError: the text means none.
        """
        assert param is not None, "internal error: it is the type of options alone"
        option = param.opts[-1]
        if value == "":
            raise UsageError(option, "", "its value is empty", UNSET)
        return value_of(option, self._parse)(value)

    def split_envvar_value(self, rv: str) -> tuple[str]:
        """What a variable of the environment has, of an option that may be given several times: one text."""
        return (rv,)


def value_of(option: str, parse: Callable[[str], Value]) -> Callable[[str], Value]:
    """`parse`, whose errors say that the value is of `option`."""

    def parse_value(text: str) -> Value:
        try:
            return parse(text)
        except BadValueError as error:
            raise error.given_by(option) from error

    return parse_value


def parse_dest(text: str | None, programs: tuple[str, ...]) -> tuple[RootPath | None, RootPath]:
    """What --dest means for the programs; see `parse_destination`.

    :raises UsageError: it cannot be meant.
    """
    if text is None:
        return None, PROGRAM_DIRECTORY
    if len(programs) > 1:
        from minpack.program.groups import have_several_targets  # noqa: PLC0415 - for several programs alone

        # Of several platforms each may have one, which is looked at where they are known.
        programs = programs[:1] if have_several_targets(programs) else programs
    return value_of("--dest", lambda text: parse_destination(text, programs))(text)


def completed(kind: str) -> Callable[[click.Context, click.Parameter, str], list[Any]]:
    """What shells offer for a value: a ``base``, ``named base``, ``need``, ``zone``, ``user`` or ``platform``.

    Of `minpack.toml` an ``image`` or a ``profile``; ``image or file`` where that file is not always meant; a ``file``.
    """

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
        from minpack.cli.complete import offered  # noqa: PLC0415 - while a shell completes

        return offered(kind, incomplete, context.params, parameter.name or "")

    return complete


def selected(kind: type[Options], given: Mapping[str, Any]) -> Options:
    """What `given` has for each field of the named tuple `kind`, its default for what a command has no option for."""
    fields: tuple[str, ...] = kind._fields  # type: ignore[attr-defined] # every named tuple has them
    return kind(**{name: given[name] for name in fields if name in given})


def arguments(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """A click callback for arguments that come one at a time, or all in one JSON array, as a Dockerfile has them."""
    if len(values) != 1 or not values[0].startswith("["):
        return values
    import json  # noqa: PLC0415 - for arrays alone

    try:
        found = json.loads(values[0])
    except (ValueError, RecursionError):
        return values
    return tuple(found) if found and all(isinstance(item, str) for item in found) else values


#: Any text but an empty one.
FILLED = Parsed(str)


def _mirror(context: click.Context, parameter: click.Parameter, value: str | None) -> str:
    """The address of a mirror as it was given; empty if none was.

    It is looked at even where nothing will be fetched: what cannot be meant is not passed over.
    """
    if value is None:
        return ""
    from minpack.net.mirror import check_mirror  # noqa: PLC0415

    by_variable = context.get_parameter_source(parameter.name or "") is ParameterSource.ENVIRONMENT
    check_mirror(value, "MINPACK_MIRROR" if by_variable else "--mirror")
    return value


class Helpful(click.Command):
    """A command whose help has its options in groups."""

    def get_help(self, ctx: click.Context) -> str:
        """What ``--help`` prints."""
        from minpack.cli.help import help_of  # noqa: PLC0415 - for help alone

        return help_of(self, ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options in their groups."""
        from minpack.cli.help import format_options  # noqa: PLC0415 - for help alone

        format_options(self, ctx, formatter)


class Command(Helpful):
    """A command that finds short options at once, and takes ``-o=VALUE`` as ``--output=VALUE``.

    Click looks for ``-o`` among the long ones first, and where it is not, computes what it may be a misspelling of.
    Of an option that takes one value and has two it takes the last, which is refused here.
    """

    def make_parser(self, ctx: click.Context) -> Any:  # noqa: ANN401 - its type has no public name
        """As click's, but for what it parses: it raises `UsageError` if an option with one value has two."""
        parser = self._parser(ctx)
        parse = parser.parse_args

        def parse_once(args: list[str]) -> Any:  # noqa: ANN401 - as above
            words = list(args)
            values, rest, given = parse(args)
            if len(set(given)) < len(given) and not ctx.resilient_parsing:
                from minpack.cli.repeated import refuse_repeated  # noqa: PLC0415 - where one is given again

                refuse_repeated(self._parser(ctx), words, given)
            return values, rest, given

        parser.parse_args = parse_once
        return parser

    def _parser(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as above
        parser = super().make_parser(ctx)
        known = vars(parser)
        known.get("_long_opt", {}).update(known.get("_short_opt", {}))
        return parser

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        """As click's.

        :raises UsageError: two options contradict each other.
        """
        refuse_contradictions(ctx)
        return super().invoke(ctx)


class Choice(click.Choice):  # type: ignore[type-arg] # generic from click 8.2 on
    """One of a few words."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
        """The value.

        :raises UsageError: it is none of them.
        """
        if value not in self.choices and param is not None:
            name = param.opts[-1] if isinstance(param, click.Option) else (param.name or "").upper()
            raise UsageError(name, str(value), f"choose from {', '.join(map(str, self.choices))}")
        return super().convert(value, param, ctx)


def applied(*decorators: Callable[[Any], Any]) -> Callable[[Function], Function]:
    """Several decorators as one, the first shown first in the help."""

    def decorate(function: Function) -> Function:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


_QUIET = click.option("-q", "--quiet", is_flag=True, help="Print only errors.")
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on stdout, and nothing else."
)
#: Of commands that have no more to say.
answer_options = applied(_QUIET, json_option)
output_options = applied(
    _QUIET,
    click.option(
        "-v", "--verbose", is_flag=True, help="Print all details: every file with its reason, every path tried."
    ),
    json_option,
)


class Bases(NamedTuple):
    """What --base names: one for every platform, if there is one, and those of single platforms."""

    every: BaseRef | None = None
    single: tuple[tuple[Platform, BaseRef], ...] = ()


def bases_of(named: Iterable[tuple[Platform | None, BaseRef]]) -> Bases:
    """What the values of --base name together.

    :raises UsageError: a platform has two.
    """
    found: dict[Platform | None, BaseRef] = {}
    for platform, base in named:
        if found.setdefault(platform, base) == base:
            continue
        if platform is not None:
            reason, hint = f"{platform} has another base", "give only one of them"
        else:
            reason, hint = "another --base is given", f"give each platform its own: --base linux/arm64={base.text}"
        raise UsageError("--base", base.text, reason, hint)
    every = found.pop(None, None)
    return Bases(every, tuple((platform, base) for platform, base in found.items() if platform is not None))


def _parse_base(text: str) -> tuple[Platform | None, BaseRef]:
    """The platform that a base is named for, None for every one; and the base."""
    if "=" not in text:
        return None, parse_base(text)
    from minpack.spec.platform_bases import parse_platform_base  # noqa: PLC0415 - for several platforms alone

    return parse_platform_base(text)


base_option = click.option(
    "--base",
    envvar="MINPACK_BASE",
    metavar="[OS/ARCH=]BASE",
    multiple=True,
    type=Parsed(_parse_base),
    shell_complete=completed("base"),
    help="Where libraries and data come from: scratch, a named base (alpine-3.22, debian-12; see"
    " minpack base list), a tarball, a directory (/ is this host), or an image (alpine:3.22,"
    " ./saved.tar, oci:DIR[:TAG]). Repeat it as OS/ARCH=BASE to give a platform its own base."
    " Default: scratch, for static programs.",
)

on_option = click.option(
    "--on",
    type=Parsed(parse_on),
    metavar="IMAGE",
    help="Add the programs on top of this image (in a registry, archive or layout), with whatever they"
    " need that it lacks. Its layers do not change. Its user, variables and labels apply unless"
    " you set others.",
)


def platform_option_of(text: str) -> Callable[[Function], Function]:
    """--platform, which names one; its help is `text`."""
    return click.option(
        "--platform",
        type=Parsed(parse_platform),
        shell_complete=completed("platform"),
        metavar="OS/ARCH",
        help=text,
    )


def platforms_option_of(text: str) -> Callable[[Function], Function]:
    """--platform, which may name several; its help is `text`."""
    return click.option(
        "--platform",
        "platforms",
        type=Parsed(parse_platforms),
        shell_complete=completed("platform"),
        metavar="OS/ARCH,…",
        help=text,
    )


_FETCHED = "Platform to fetch the base for [linux/amd64], or to take from an image; "
base_platform_option = platform_option_of(f"{_FETCHED}other local bases have only one.")
base_platforms_option = platforms_option_of(f"{_FETCHED}several make one image for all.")
platform_option = platform_option_of(
    "Platform of the image. It comes from the program; use this only to choose a variant (linux/arm/v6)."
)
platforms_option = platforms_option_of(
    "Platforms of the image. They come from the programs; use this to choose some of them, or a variant (linux/arm/v6)."
)

#: Of commands that read what may have to be downloaded.
download_options = applied(
    click.option(
        "--offline", envvar="MINPACK_OFFLINE", is_flag=True, help="Download nothing; use only what is in the cache."
    ),
    click.option(
        "--cache-dir",
        envvar="MINPACK_CACHE_DIR",
        type=FILLED,
        metavar="DIR",
        help="Directory to keep the cache in, as DIR/minpack. Default: ~/.cache, on macOS ~/Library/Caches.",
    ),
    click.option("--no-cache", is_flag=True, help="Do not read or write the cache."),
)

#: Of commands that download and keep what they downloaded.
cache_options = applied(
    click.option(
        "--mirror",
        envvar="MINPACK_MIRROR",
        type=FILLED,
        callback=_mirror,
        metavar="URL",
        help="Server to download bases and packages from.",
    ),
    download_options,
)

store_options = applied(
    click.option(
        "--base-sha512",
        "sha512",
        type=Parsed(parse_sha512),
        metavar="HEX",
        help="Expected SHA-512 of the base's tarball.",
    ),
    cache_options,
)

shared_cache_options = applied(
    click.option(
        "--cache",
        "caches",
        multiple=True,
        type=Parsed(parse_cache),
        metavar="REPOSITORY",
        help="Shared cache to read: a registry repository with downloads and compressed layers from other"
        " machines; repeatable.",
    ),
    click.option(
        "--cache-write",
        type=Parsed(parse_cache),
        metavar="REPOSITORY",
        help="Shared cache to read and to add to (ghcr.io/me/minpack-cache).",
    ),
)
verify_cache_option = click.option(
    "--verify-cache",
    is_flag=True,
    help="Compress everything from shared caches again, and compare the results.",
)

#: Of commands that ask registries; `minpack.cli.registry` makes values of them.
registry_access_options = applied(
    click.option(
        "--username",
        type=FILLED,
        metavar="USER",
        help="User name for the registry, with --password-stdin. Default: the credentials of docker and podman.",
    ),
    click.option("--password-stdin", is_flag=True, help="Read the password or token of --username from stdin."),
    click.option(
        "--registry-ca",
        type=FILLED,
        metavar="FILE",
        help="Certificate authorities (PEM) to trust for registries, in addition to the system's.",
    ),
    click.option(
        "--insecure",
        multiple=True,
        type=Parsed(parse_host),
        metavar="HOST[:PORT]",
        help="Allow plain HTTP or an unverified certificate for this registry; repeatable.",
    ),
)

keys_option = click.option(
    "--keys",
    type=FILLED,
    metavar="DIR",
    help="Trust the package signing keys in this directory, not the base's.",
)

package_options = applied(
    click.option(
        "--no-packages",
        envvar="MINPACK_NO_PACKAGES",
        is_flag=True,
        help="Do not download missing libraries from the base's package repositories.",
    ),
    keys_option,
)


retarget_option = click.option(
    "--retarget",
    is_flag=True,
    help="Make programs built for a store (Nix, Guix, Spack) use the base's loader and libraries."
    " Packs changed copies.",
)
allow_missing_option = click.option(
    "--allow-missing",
    "allowed_missing",
    multiple=True,
    type=FILLED,
    metavar="SONAME",
    help="Allow this library to be missing, because the container runtime provides it (libcuda.so.1); repeatable.",
)


def check_option(default: Check) -> Callable[[Function], Function]:
    """--check, which `pack` has on and `tree` off."""
    return click.option(
        "--check",
        type=Choice([str(check) for check in Check]),
        default=str(default),
        help="load: prove that the program starts, by looking up every symbol as the loader does; none: skip the"
        f" proof. Default: {default}.",
    )


#: A program in an image; the image is found by what the host's file is found by else.
path_option = click.option("--path", type=FILLED, metavar="PATH", help="Look at the program at this path in IMAGE.")

#: Other names of stdout: what is written there has it to itself.
STDOUT = ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")

#: The lock file where none is named.
LOCK = "minpack.lock"
lock_option = click.option("--lock", type=FILLED, metavar="FILE", help=f"Lock file. Default: {LOCK}.")

why_option = click.option(
    "--why", is_flag=True, help="Show which functions of a Go program cause each need, as found in its machine code."
)
