"""The help of commands: options in groups, no word broken. Imported only when help is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The options of each group, whatever their command, in the order they are shown.
GROUPS = {
    "Images": ("--file", "--profile", "--schema", "--keep-going", "--jobs", "--shard", "--executor"),
    "Base": ("--base", "--on", "--path", "--platform"),
    "Files": (
        "--from",
        "--add",
        "--chown",
        "--exclude",
        "--take",
        "--dir",
        "--symlink",
        "--add-lib",
        "--dest",
        "--strip",
        "--keep",
        "--retarget",
        "--trace",
    ),
    "Deployment": ("--for", "--kind", "--name", "--image"),
    "Run": ("--host", "--bind", "--net", "--time-limit", "--write"),
    "Image": (
        *("--tag", "--entrypoint", "--cmd", "--env", "--user", "--any-user", "--workdir"),
        *("--expose", "--volume", "--label", "--annotation", "--stop-signal"),
        *("--health", "--health-interval", "--health-timeout"),
        *("--health-start-period", "--health-start-interval", "--health-retries", "--cap"),
    ),
    "Output": (
        *(
            "--output",
            "--format",
            "--load",
            "--engine",
            "--push",
            "--digest-file",
            "--force",
            "--dry-run",
            "--all",
            "--exit-code",
            "--against",
            "--unneeded",
            "--full",
            "--summary",
        ),
        *("--quiet", "--verbose", "--json"),
    ),
    "Acceptance": ("--max-size", "--max-unpacked", "--smoke", "--smoke-exit", "--smoke-output", "--smoke-time-limit"),
    "Trust": (
        *("--sbom", "--sbom-in-image", "--provenance", "--builder-id", "--attest-in-index"),
        *("--sign", "--key", "--signature-format", "--generate-key"),
    ),
    "Debugging": ("--debug", "--tools", "--tools-base", "--attach", "--exec"),
    "Registries": (
        *("--username", "--password-stdin", "--registry-ca", "--insecure"),
        *("--cache", "--cache-write", "--verify-cache"),
    ),
    "Needs": ("--need", "--no-need", "--tz", "--locale", "--ca-file", "--why"),
    "Packages": ("--package", "--no-packages", "--no-package-data", "--keys"),
    "Advanced": (
        *("--check", "--strict", "--allow-missing", "--single-layer", "--compress", "--zstd", "--created"),
        *("--lock", "--locked", "--mirror", "--offline", "--base-sha512", "--cache-dir", "--no-cache"),
        *("--older-than", "--version", "--help"),
    ),
}
#: A command with no more options than these has them in one list.
FEW = 10
#: Wider first columns have their text on the next line.
WIDEST = 24
#: A hyphen at which no line is broken (U+2011), as long as text is being wrapped.
_KEPT = "\u2011"


class Formatter(click.HelpFormatter):
    """Breaks lines at spaces alone: an option or a name with a hyphen stays whole."""

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = WIDEST, col_spacing: int = 2) -> None:
        """As click's."""
        super().write_dl([(first, second.replace("-", _KEPT)) for first, second in rows], col_max, col_spacing)

    def write_text(self, text: str) -> None:
        """As click's."""
        super().write_text(text.replace("-", _KEPT))

    def getvalue(self) -> str:
        """The help, without spaces at the ends of lines."""
        return "\n".join(line.rstrip() for line in super().getvalue().replace(_KEPT, "-").split("\n"))


def help_of(command: click.Command, context: click.Context) -> str:
    """What ``--help`` prints for `command`."""
    plain = context.make_formatter()
    formatter = Formatter(width=plain.width)
    command.format_help(context, formatter)
    return formatter.getvalue().rstrip("\n")


def format_options(command: click.Command, context: click.Context, formatter: click.HelpFormatter) -> None:
    """Write the options, in groups where they are many, and a group's commands."""
    rows = _rows(command, context)
    width = min(max(len(first) for _, records in rows for first, _ in records), WIDEST)
    for name, records in rows:
        first, text = records[0]
        with formatter.section(name):
            # Padded: the columns of all groups are as wide.
            formatter.write_dl([(first.ljust(width), text), *records[1:]])
    if isinstance(command, click.Group):
        command.format_commands(context, formatter)


def group_of(option: str) -> str:
    """The group of an option, by its long name."""
    return next(name for name, options in GROUPS.items() if option in options)


def _rows(command: click.Command, context: click.Context) -> list[tuple[str, list[tuple[str, str]]]]:
    """The groups that the command has options of, each with its options and their texts."""
    options = [parameter for parameter in command.get_params(context) if isinstance(parameter, click.Option)]
    records = {max(option.opts, key=len): option.get_help_record(context) for option in options}
    if len(options) <= FEW:
        return [("Options", [record for record in records.values() if record is not None])]
    rows = []
    for name, names in GROUPS.items():
        found = [record for name in names if (record := records.pop(name, None)) is not None]
        rows += [(name, found)] if found else []
    assert not records, f"internal error: {', '.join(records)} are in no group"
    return rows
