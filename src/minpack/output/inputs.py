"""What of this host a command reads: no output may replace it, and no output is taken for part of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from minpack.host.overwrite import HostInput, directory_place, file_place, outputs_within
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minpack.base.options import BaseOptions
    from minpack.output.target import OutputSpec
    from minpack.spec.base_ref import BaseRef
    from minpack.spec.image import ImageSpec
    from minpack.spec.values import Addition


class LeftOut(NamedTuple):
    """What lies in directories that are packed and is not part of them; `paths` are absolute and without links."""

    paths: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def spec_inputs(spec: ImageSpec, base: BaseRef, options: BaseOptions) -> tuple[HostInput, ...]:
    """All that packing `spec` on `base` reads of this host, but for files of the base."""
    return (
        *(HostInput(path, "the program" if path == spec.programs[0] else "a program") for path in spec.programs),
        *(HostInput(one.source, _what(one), whole=True) for one in spec.additions),
        *((HostInput(spec.ca_file, "the file that --ca-file names"),) if spec.ca_file is not None else ()),
        *base_inputs(base, options),
        *((HostInput(spec.on.path, "the image that --on names"),) if spec.on is not None and spec.on.path else ()),
    )


def _what(addition: Addition) -> str:
    return f"the source of --add {addition.source}:{addition.destination}"


def base_inputs(base: BaseRef, options: BaseOptions, *, whole: bool = False) -> tuple[HostInput, ...]:
    """All that opening `base` reads of this host.

    :param whole: every file of it is packed.
    """
    keys = options.packages.keys if options.packages is not None else ""
    ca_file = options.network.ca_file
    return (
        *((HostInput(base.path, "the base", whole),) if base.path is not None else ()),
        *((HostInput(keys, "the directory that --keys names", whole=True),) if keys else ()),
        *((HostInput(ca_file, "the file that SSL_CERT_FILE names"),) if ca_file else ()),
        *((HostInput(options.store, "the cache"),) if options.store is not None else ()),
    )


def guarded(output: OutputSpec, inputs: Iterable[HostInput]) -> OutputSpec:
    """`output` with `inputs` among what it must not replace, if it can be written.

    :raises OutputError: it would replace an input, or something of value; or it is behind a link that others planted.
    """
    to = output._replace(inputs=(*output.inputs, *inputs))
    if to.path not in (None, "-"):
        (directory_place if to.format.is_directory else file_place)(to.path, to.inputs, force=to.force or to.shared)
    return to


def left_out(output: OutputSpec | None, directories: Iterable[str], store: str | None) -> LeftOut:
    """What of the output and of the store is in `directories`, which are packed: the output of the last run, say.

    :param output: where the output goes, which can be written.
    """
    within = tuple(os.path.realpath(directory).rstrip("/") for directory in directories if os.path.isdir(directory))
    paths, notes = set[str](), []
    if output is not None and output.path not in (None, "-"):
        place = os.path.realpath(output.path)
        found = {path for directory in within for path in outputs_within(place, directory)}
        notes += [f"{output.path!r} is not packed: it is the output"] if place in found else []
        unfinished = len(found - {place})
        what = (
            "1 unfinished output of minpack is"
            if unfinished == 1
            else f"{unfinished} unfinished outputs of minpack are"
        )
        notes += [f"{what} not packed"] if unfinished else []
        paths |= found
    if store is not None and os.path.isdir(store):
        kept = os.path.realpath(store)
        if any(kept.startswith(f"{directory}/") for directory in within):
            notes.append(f"{store!r} is not packed: it is the cache")
            paths.add(kept)
    return LeftOut(frozenset(paths), tuple(notes))
