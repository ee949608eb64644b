"""What a packed image changes against the one before it, for --summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minpack.cli.diff import compared_argument, packages_in
from minpack.cli.options import selected
from minpack.cli.settings import StoreSettings, base_options
from minpack.cli.terminal import drawing
from minpack.errors import MinpackError, UsageError
from minpack.images.compare import Compared, Comparing, compare
from minpack.output.target import Format
from minpack.report.markdown import diff_summary, no_previous_summary, same_summary
from minpack.spec.base_ref import DOCKER, OCI, OCI_ARCHIVE, ImageRef

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from minpack.base.options import BaseOptions
    from minpack.build.pack import Packed
    from minpack.output.target import OutputSpec, WrittenTarget


def refuse_idle_against(given: Mapping[str, Any]) -> None:
    """Raise `UsageError` if nothing is compared with the image of --against, or it names none; `LockError` as well."""
    if given["summary"] is None:
        raise UsageError("--against", "", "it is for --summary", "add --summary FILE, or leave it out")
    if given["dry_run"]:
        raise UsageError("--against", "", "--dry-run makes no image to compare", "give only one of them")
    if given["output"] == "-" and not given["push"]:
        raise UsageError("--against", "", "what goes to stdout cannot be read again", "name a file with -o")
    # What cannot be meant is refused before anything is packed.
    compared_argument(given["against"])


def changed_lines(packed: Packed, output: OutputSpec, given: Mapping[str, Any]) -> list[str]:
    """What changed, in Markdown; nothing where there is nothing to compare with.

    The image is finished: what cannot be compared is told, and is no error.
    """
    outputs = packed.written.outputs if packed.written is not None else ()
    replaced = next((one for one in outputs if one.replaced is not None), None)
    if given.get("against") is None and replaced is None:
        return []
    after = next(_written(outputs), None)
    if after is None:
        return no_previous_summary("the image is in an engine alone")
    try:
        if given.get("against") is not None:
            before = compared_argument(given["against"])
        else:
            assert replaced is not None, "internal error: there is nothing to compare with"
            if replaced.replaced == replaced.digest is not None:
                return same_summary(replaced.digest)
            ref = _by_digest(replaced, str(replaced.replaced))
            before = Compared(str(ref), ref)
        return list(_compared(before, after, packed, _options(output, given)))
    except MinpackError as error:
        return no_previous_summary(error.message)


def _options(output: OutputSpec, given: Mapping[str, Any]) -> BaseOptions:
    options = base_options(selected(StoreSettings, given))
    if output.registry is not None:
        # With the login of the push: a password from stdin is read once.
        return options._replace(registry=output.registry)
    from minpack.cli.registry import RegistryAccess, registry_options  # noqa: PLC0415 - without a push alone

    access = selected(RegistryAccess, {**given, "username": None, "password_stdin": False})
    return options._replace(registry=registry_options(access, set()))


def _compared(before: Compared, after: ImageRef, packed: Packed, options: BaseOptions) -> Iterator[str]:
    with drawing(quiet=True) as progress:
        for one in packed.images:
            platform = one.plan.config.platform
            how = Comparing(options, progress, platform, platform, packages_in)
            yield from diff_summary(compare(before, after, how))


def _by_digest(target: WrittenTarget, digest: str) -> ImageRef:
    """The image of that digest in the repository of what was pushed."""
    return ImageRef(DOCKER, f"{(target.reference or '').rpartition(':')[0]}@{digest}")


def _written(outputs: tuple[WrittenTarget, ...]) -> Iterator[ImageRef]:
    """Where the image can be read again, files first."""
    kinds = {Format.ARCHIVE: OCI_ARCHIVE, Format.OCI: OCI}
    for one in outputs:
        if one.path is not None and one.format in kinds:
            yield ImageRef(kinds[Format(one.format)], one.path)
    for one in outputs:
        if one.format == "registry":
            yield _by_digest(one, str(one.digest))
