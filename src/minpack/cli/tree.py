"""`minpack tree`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from minpack.build.tree import chain_to, resolve_tree
from minpack.cli.effects import fetching_notes, loader_notes, refuse_explicit, refuse_without_registry
from minpack.cli.options import (
    FILLED,
    Command,
    Parsed,
    allow_missing_option,
    base_option,
    bases_of,
    check_option,
    output_options,
    package_options,
    parse_dest,
    path_option,
    platform_option,
    registry_access_options,
    retarget_option,
    store_options,
)
from minpack.cli.settings import StoreSettings, base_options, check_packages, host_platform
from minpack.cli.terminal import drawing, print_json, print_lines, print_notes
from minpack.errors import UsageError
from minpack.spec.image import Check, ImageSpec, RunConfig
from minpack.spec.values import parse_variable

if TYPE_CHECKING:
    from minpack.build.tree import ResolvedTree
    from minpack.spec.base_ref import BaseRef
    from minpack.target import Platform


@click.command("tree", cls=Command, short_help="Show the files that the dynamic loader would open.")
@click.argument("program", metavar="APP|IMAGE", type=click.Path(readable=False))
@path_option
@base_option
@platform_option
@click.option(
    "--dest",
    type=FILLED,
    metavar="PATH",
    help="Path of the program in the base. Default: /usr/local/bin/NAME, or its own path without --base.",
)
@retarget_option
@click.option(
    "-e",
    "--env",
    "env",
    multiple=True,
    metavar="KEY=VALUE",
    type=Parsed(parse_variable),
    help="Set a variable that the loader reads: LD_LIBRARY_PATH, LD_PRELOAD, LD_AUDIT.",
)
@click.option("--all", "considered", is_flag=True, help="Show every directory considered for each object.")
@click.option("--why", type=FILLED, metavar="SONAME", help="Show the chain from the program to this object.")
@check_option(Check.NONE)
@allow_missing_option
@package_options
@registry_access_options
@store_options
@output_options
def command(
    program: str,
    *,
    path: str | None,
    base: tuple[tuple[Platform | None, BaseRef], ...],
    platform: Platform | None,
    dest: str | None,
    retarget: bool,
    env: tuple[tuple[str, str], ...],
    considered: bool,
    why: str | None,
    check: str,
    allowed_missing: tuple[str, ...],
    no_packages: bool,
    keys: str | None,
    sha512: str | None,
    mirror: str,
    offline: bool,
    cache_dir: str | None,
    no_cache: bool,
    quiet: bool,
    verbose: bool,
    as_json: bool,
    **access: Any,  # noqa: ANN401 - the options about registries
) -> int:
    """Show every file that the dynamic loader would open for APP, the rule that finds it, and what needs it.

    Nothing is run, so any architecture works. Without --base, tree uses the libraries of this host, as ldd does. With
    --path, it looks at a program in IMAGE. The exit code is 3 if a library is missing or, with --check load, if the
    program would not start.
    """
    run, allowed = RunConfig(env=env), frozenset(allowed_missing)
    kept = {"offline": offline, "cache_dir": cache_dir, "no_cache": no_cache}
    if path is not None:
        spec = ImageSpec((program,), platform=platform, run=run, check=Check(check), allowed_missing=allowed)
        resolved = _in_image(path, spec, {**kept, **access}, quiet=quiet)
    else:
        destination, directory = parse_dest(dest, (program,))
        bases = bases_of(base)
        for platform_, ref in bases.single:
            hint = f"leave the platform out: --base {ref.text}"
            raise UsageError("--base", f"{platform_}=…", "tree shows one program, which has one platform", hint)
        spec = ImageSpec(
            (program,),
            base=bases.every,
            platform=platform,
            destination=destination,
            directory=directory,
            run=run,
            check=Check(check),
            allowed_missing=allowed,
            retarget=retarget,
        )
        store = StoreSettings(offline, mirror, cache_dir, no_cache, sha512, no_packages, keys)
        refs = [ref for _, ref in base]
        check_packages(refs, store)
        options = base_options(store)
        if any(ref.is_pulled for ref in refs):
            from minpack.cli.registry import RegistryAccess, with_registry  # noqa: PLC0415 - for images of registries alone

            options = with_registry(options, RegistryAccess(offline=offline, **access), *refs)
        else:
            refuse_without_registry(access)
        with drawing(quiet=quiet) as progress:
            resolved = resolve_tree(spec, options, progress)
    fetched = fetching_notes(resolved.base_url, packages=resolved.fetched_package)
    told = (*loader_notes(resolved.closure.libc, dict(env)), *fetched)
    resolved = resolved._replace(notes=(*resolved.notes, *told))
    chain = chain_to(resolved.closure, why) if why is not None else ()
    if why is not None and not chain:
        raise UsageError("--why", why, "the loader opens no object of that name", "minpack tree lists the objects")
    code = 3 if resolved.result == "fails" else 0
    if as_json:
        from minpack.report.documents import tree_document  # noqa: PLC0415

        print_json(tree_document(resolved, chain))
        return code
    print_notes(resolved.notes, quiet=quiet)
    if not quiet:
        from minpack.report.tree import tree_lines, why_lines  # noqa: PLC0415

        print_lines(why_lines(chain) if chain else tree_lines(resolved, considered=considered or verbose))
    return code


#: What is about a program of this host, or a base.
_NOT_IN_IMAGES = {
    "base": "--base",
    "dest": "--dest",
    "retarget": "--retarget",
    "no_packages": "--no-packages",
    "keys": "--keys",
    "sha512": "--base-sha512",
    "mirror": "--mirror",
}


def _in_image(path: str, spec: ImageSpec, given: dict[str, Any], *, quiet: bool) -> ResolvedTree:
    """The closure of the program at `path` in the image that the spec's program names."""
    from minpack.build.in_image import resolve_in_image  # noqa: PLC0415 - for images alone, as below
    from minpack.cli.image import image_base_options, parse_image_argument  # noqa: PLC0415

    refuse_explicit(_NOT_IN_IMAGES, "with --path, minpack looks only at the files of the image")
    ref = parse_image_argument(spec.programs[0])
    options = image_base_options(given, ref)
    with drawing(quiet=quiet) as progress:
        return resolve_in_image(ref, path, spec, options, progress, host_platform())
