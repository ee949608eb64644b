"""Options that can do nothing where they were given: each is refused, or a note says that it did nothing.

What only allows or forbids something (--offline, --no-cache, --force, --check none) keeps its word where nothing of the
kind comes up, and so do settings from the environment, which are there for every run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from minpack.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from minpack.ld.closure import Libc
    from minpack.output.target import Format

#: What only images have: the parameter, its option, and what a bare tree lacks for it.
_OF_IMAGES = (
    ("tags", "--tag", "name"),
    ("on", "--on", "layers"),
    ("compress", "--compress", "layers"),
    ("zstd", "--zstd", "layers"),
    ("single_layer", "--single-layer", "layers"),
    ("entrypoint", "--entrypoint", "configuration"),
    ("cmd", "--cmd", "configuration"),
    ("exposed", "--expose", "configuration"),
    ("labels", "--label", "configuration"),
    # Of a whole base; of a program they may say what its loader opens.
    ("variables", "--env", "configuration"),
    ("stop_signal", "--stop-signal", "configuration"),
    ("health", "--health", "configuration"),
    ("health_interval", "--health-interval", "configuration"),
    ("health_timeout", "--health-timeout", "configuration"),
    ("health_start_period", "--health-start-period", "configuration"),
    ("health_start_interval", "--health-start-interval", "configuration"),
    ("health_retries", "--health-retries", "configuration"),
    ("annotations", "--annotation", "manifest"),
    ("sign", "--sign", "manifest"),
    ("digest_file", "--digest-file", "manifest"),
    ("against", "--against", "layers"),
    ("sboms", "--sbom", "manifest"),
    ("sbom_in_image", "--sbom-in-image", "manifest"),
    ("provenance", "--provenance", "manifest"),
    ("attest_in_index", "--attest-in-index", "manifest"),
    ("verify_cache", "--verify-cache", "layers"),
)
#: What says how registries are reached.
_OF_REGISTRIES = ("username", "password_stdin", "registry_ca", "insecure")
#: Two that contradict each other, and why the first can do nothing.
_CONTRADICTIONS = (
    ("cache_dir", "--cache-dir", "no_cache", "--no-cache keeps nothing"),
    ("keys", "--keys", "no_packages", "--no-packages fetches no package"),
    ("caches", "--cache", "offline", "--offline downloads nothing, not even from shared caches"),
    ("cache_write", "--cache-write", "no_cache", "--no-cache keeps nothing that could be written there"),
)
#: Pairs of which each key has one value: the parameter and its option.
_PAIRS = (("env", "--env"), ("variables", "--env"), ("labels", "--label"), ("annotations", "--annotation"))
#: What the loader of each C library reads of the environment.
_LOADERS_READ = {
    "glibc": ("LD_LIBRARY_PATH", "LD_PRELOAD", "LD_AUDIT"),
    "musl": ("LD_LIBRARY_PATH", "LD_PRELOAD"),
}


def refuse_for_trees(form: Format, given: Mapping[str, Any]) -> None:
    """Raise `UsageError` if a bare tree is to be written and an option is about what only images have."""
    if form.has_layers:
        return
    for key, option, what in _OF_IMAGES:
        if given.get(key):
            reason = f"--format {form} writes the bare files, which have no {what}"
            raise UsageError(option, "", reason, "leave it out, or make an image with --format archive or oci")


def refuse_without_registry(given: Mapping[str, Any], hint: str = "leave it out") -> None:
    """Raise `UsageError` if an option is about registries and none is asked."""
    for key in _OF_REGISTRIES:
        if given.get(key):
            raise UsageError(f"--{key.replace('_', '-')}", "", "no registry is used", hint)


def names_cache(given: Mapping[str, Any]) -> bool:
    """Whether a shared cache is named."""
    return bool(given["caches"]) or given["cache_write"] is not None


def refuse_without_cache(given: Mapping[str, Any]) -> None:
    """Raise `UsageError` if shared caches are to be verified and none is named, or nothing is compressed."""
    if not given.get("verify_cache"):
        return
    if not names_cache(given):
        raise UsageError("--verify-cache", "", "no shared cache is named", "add --cache REPOSITORY, or leave it out")
    if given["compress"] == "none":
        raise UsageError("--verify-cache", "", "--compress none compresses nothing", "give only one of them")


def refuse_contradictions(context: click.Context) -> None:
    """Raise `UsageError` if two options on the command line, or two values of one, contradict each other."""
    for key, option, other, reason in _CONTRADICTIONS:
        if _is_explicit(context, key) and _is_explicit(context, other):
            raise UsageError(option, "", reason, "give only one of them")
    for key, option in _PAIRS:
        found: dict[str, str] = {}
        for name, value in context.params.get(key) or ():
            if found.setdefault(name, value) != value:
                raise UsageError(option, name, "it is given two values", "give only one of them")


def refuse_explicit(options: Mapping[str, str], reason: str, hint: str = "leave it out") -> None:
    """Raise `UsageError` if one of these is on the command line: each parameter with its option."""
    context = click.get_current_context()
    for key, option in options.items():
        if _is_explicit(context, key):
            raise UsageError(option, "", reason, hint)


def variables_notes(form: Format, names: Iterable[str]) -> tuple[str, ...]:
    """A note of variables that were asked for, where there is no configuration that sets them."""
    wanted = ", ".join(dict.fromkeys(names))
    if form.has_layers or not wanted:
        return ()
    return (f"--format {form} writes no configuration: set {wanted} yourself where the program is started",)


def loader_notes(libc: Libc | None, names: Iterable[str]) -> tuple[str, ...]:
    """A note of the variables that the loader of the program whose libraries are shown does not read."""
    read = _LOADERS_READ.get(libc or "", ())
    idle = ", ".join(name for name in names if name not in read)
    if not idle:
        return ()
    what = f"{libc}'s loader reads {', '.join(read)} alone" if libc is not None else "a static program has no loader"
    return (f"{idle} had no effect: {what}",)


def fetching_notes(*urls: str, packages: bool, locked: bool = False) -> tuple[str, ...]:
    """Notes of the options about fetching, where what they are about was not fetched, or not by them.

    :param urls: where bases were fetched from; empty for what was not.
    :param packages: whether a package was fetched.
    :param locked: whether it was the one that a lock names, with its sum.
    """
    context = click.get_current_context()
    base, image = (any(url.startswith(scheme) for url in urls) for scheme in ("http", "docker://"))
    notes = []
    idle = {"mirror": not (base or packages), "keys": not packages}
    options = [f"--{name}" for name, nothing in idle.items() if nothing and _is_explicit(context, name)]
    if options:
        why = (
            "no package was fetched" if base else "images come from their registry" if image else "nothing was fetched"
        )
        notes.append(f"{' and '.join(options)} had no effect: {why}")
    elif locked and _is_explicit(context, "keys"):
        notes.append("--keys had no effect: the lock says which packages are trusted, by their sums")
    asked = any(context.params.get(key) for key in ("push", "caches", "cache_write"))
    if not image and not asked:
        names = [f"--{key.replace('_', '-')}" for key in _OF_REGISTRIES if _is_explicit(context, key)]
        notes += [f"{' and '.join(names)} had no effect: no registry was used"] if names else []
    return tuple(notes)


def _is_explicit(context: click.Context, name: str) -> bool:
    """Whether a parameter was given on the command line, and not by the environment."""
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE
