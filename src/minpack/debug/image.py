"""The image for debugging: a finished image's layers as they are, and a layer of tools on top."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from minpack.content import BytesContent
from minpack.debug.config import debug_config
from minpack.debug.tools import open_tools
from minpack.errors import MinpackError, UsageError, WrongTargetError
from minpack.host.overwrite import HostInput
from minpack.images.open import open_found
from minpack.images.tree import open_tree
from minpack.layers.cache import LayerOptions
from minpack.namedtuple import NamedTuple
from minpack.oci.compression import Compression
from minpack.oci.config import read_config
from minpack.oci.documents import ImageConfig
from minpack.oci.json_node import parsed
from minpack.oci.on import LowerImage
from minpack.oci.reference import Reference, default_reference, parse_image
from minpack.oci.select import select_image
from minpack.output.inputs import base_inputs, guarded
from minpack.output.write import LayerInputs, write_output
from minpack.paths import name, normal
from minpack.spec.base_ref import DOCKER, DOCKER_DAEMON, SCRATCH_BASE
from minpack.spec.debug import DEBUG_ROOT, DEBUG_SUFFIX, debug_tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.base.interface import Base
    from minpack.base.options import BaseOptions
    from minpack.base.packages import PackageId
    from minpack.debug.tools import Tools
    from minpack.images.open import FoundImage
    from minpack.oci.image import BuiltImage
    from minpack.oci.reference import ImageName
    from minpack.output.target import OutputSpec, WrittenOutput
    from minpack.progress import Progress
    from minpack.rootfs.etc_files import User
    from minpack.spec.base_ref import ImageRef
    from minpack.spec.debug import ToolsSpec
    from minpack.target import Platform

LAYER = "debug tools"


class DebugSpec(NamedTuple):
    """An image for debugging. Without a `user` the shell is the image's user."""

    tools: ToolsSpec
    user: User | None = None
    annotations: tuple[tuple[str, str], ...] = ()
    created: int = 0
    compression: Compression = Compression.BALANCED
    threads: int = 1


class DebugImage(NamedTuple):
    """What was made for one platform, and `others` are those for others. `image` is what it was made of, if of one.

    `base` is what the tools' base is called, and `url` where it was fetched from; `packages` were fetched.
    """

    image: str
    written: WrittenOutput
    config: ImageConfig
    base: str
    url: str
    packages: tuple[PackageId, ...]
    notes: tuple[str, ...]
    others: tuple[DebugImage, ...] = ()

    @property
    def images(self) -> tuple[DebugImage, ...]:
        """That of each platform."""
        return (self, *self.others)


class _Prepared(NamedTuple):
    """An image that can be written, as long as what it is made of is open; `below` is the size of its tars in bytes."""

    work: LayerInputs
    tools: Tools
    notes: tuple[str, ...]
    below: int = 0


def debug_image(
    ref: ImageRef,
    spec: DebugSpec,
    options: BaseOptions,
    output: OutputSpec,
    progress: Progress,
    platforms: Sequence[Platform] = (),
) -> DebugImage:
    """Make the image for debugging of the one that `ref` names, for `platforms` or for all that it is for.

    :raises MinpackError: the image cannot be read, the tools cannot be had, or it cannot be written.
    """
    output = guarded(output, (HostInput(ref.name, "the image", whole=True),) if ref.is_local else ())
    with open_found(ref, options, progress) as found:
        wanted = [select_image(found.built.images, one, found.name) for one in platforms]
        images = tuple(dict.fromkeys(wanted)) or found.built.images
        return debug_found(found._replace(built=found.built._replace(images=images)), spec, options, output, progress)


def debug_found(
    found: FoundImage, spec: DebugSpec, options: BaseOptions, output: OutputSpec, progress: Progress
) -> DebugImage:
    """The same of an image that is open."""
    images = sorted(found.built.images, key=lambda one: str(one.platform))
    output = guarded(output, _inputs(spec, options))
    several = len(images) > 1
    with ExitStack() as stack:
        prepared = []
        for image in images:
            try:
                prepared.append(_prepared(found, image, spec, options, progress, stack))
            except MinpackError as error:
                if several:
                    error.for_platform(str(image.platform))
                raise
        made = _written(found.name, prepared, output)
    if output.registry is not None and found.ref.transport == DOCKER_DAEMON:
        reason = f"the engine has the layers of {found.name} unpacked, so they differ from those in its registry"
        made = made._replace(notes=(*made.notes, f"{reason}: name docker://{found.name} to share those"))
    return made


def tools_image(
    platforms: Sequence[Platform], spec: DebugSpec, options: BaseOptions, output: OutputSpec, progress: Progress
) -> DebugImage:
    """Make an image of the tools alone, which is put beside a running container."""
    output = guarded(output, _inputs(spec, options))
    with ExitStack() as stack:
        prepared = []
        for platform in sorted(platforms, key=str):
            tools = stack.enter_context(open_tools(spec.tools, platform, options, progress))
            config = ImageConfig(platform, (), user=str(spec.user) if spec.user is not None else "")
            prepared.append(_with_tools(config, None, tools, spec, options, progress))
        return _written("", prepared, output)


def debug_reference(ref: ImageRef, names: Sequence[ImageName] = ()) -> Reference:
    """The name of the image for debugging of the one that `ref` names: ``NAME:TAG-debug``.

    :param names: what its file calls it; without, the file's own name counts.
    """
    if names:
        host, called, tag = names[0].host, names[0].name, names[0].tag
        return Reference(host, called, debug_tag(tag) if tag else DEBUG_SUFFIX.lstrip("-"))
    if ref.is_local:
        found = default_reference(name(normal(ref.name)).removesuffix(".tar").removesuffix("-oci"))
        tag = ref.tag.rpartition(":")[2]
        return found._replace(tag=debug_tag(tag if tag and "/" not in tag else found.tag))
    if ref.name.startswith("sha256:"):
        return default_reference("image")._replace(tag=debug_tag(ref.name[7:19]))
    named = parse_image(ref.name)
    return Reference(named.host, named.name, debug_tag(named.tag) if named.tag else DEBUG_SUFFIX.lstrip("-"))


def _inputs(spec: DebugSpec, options: BaseOptions) -> tuple[HostInput, ...]:
    return base_inputs(spec.tools.base or SCRATCH_BASE, options)


def _prepared(
    found: FoundImage,
    image: BuiltImage,
    spec: DebugSpec,
    options: BaseOptions,
    progress: Progress,
    stack: ExitStack,
) -> _Prepared:
    """The image of one platform, which can be written as long as `stack` is open."""
    if image.platform.os != "linux":
        raise WrongTargetError(
            found.name,
            "linux",
            str(image.platform),
            "choose its Linux platforms with --platform: the tools are for Linux",
        )
    tree = stack.enter_context(open_tree(image, found.name, options))
    if tree.lstat(DEBUG_ROOT) is not None:
        reason = f"it has {DEBUG_ROOT} already"
        hint = "name the image that it was made of, or put the tools beside its container: --attach CONTAINER"
        raise UsageError("IMAGE", found.name, reason, hint, verb="debug")
    tools = stack.enter_context(open_tools(spec.tools, image.platform, options, progress))
    config = read_config(image, found.name)._replace(annotations=_annotations(image))
    config = config._replace(user=str(spec.user)) if spec.user is not None else config
    is_pulled = found.ref.transport == DOCKER
    # What docker save wrote has no manifest: one was made for it, whose digest nobody else knows.
    has_digest = is_pulled or not isinstance(image.manifest.content, BytesContent)
    lower = LowerImage(image, found.ref.name if is_pulled else "", str(image.digest) if has_digest else "")
    return _with_tools(config, lower, tools, spec, options, progress, tree)


def _with_tools(
    config: ImageConfig,
    lower: LowerImage | None,
    tools: Tools,
    spec: DebugSpec,
    options: BaseOptions,
    progress: Progress,
    tree: Base | None = None,
) -> _Prepared:
    annotations = tuple((dict(config.annotations) | dict(spec.annotations)).items())
    config, notes = debug_config(config._replace(created=spec.created, annotations=annotations), tools, tree)
    layer_options = LayerOptions(spec.created, spec.compression, spec.threads, progress)
    work = LayerInputs(((LAYER, tools.entries),), tools.entries, config, layer_options, options.store, lower=lower)
    return _Prepared(work, tools, notes, getattr(tree, "unpacked_size", 0))


def _annotations(image: BuiltImage) -> tuple[tuple[str, str], ...]:
    """What the image's manifest is annotated with."""
    document = parsed(image.manifest.data)
    found = document.get("annotations") if isinstance(document, dict) else None
    pairs = found.items() if isinstance(found, dict) else ()
    return tuple((key, value) for key, value in pairs if isinstance(value, str))


def _written(image: str, prepared: Sequence[_Prepared], output: OutputSpec) -> DebugImage:
    written = write_output(tuple(one.work for one in prepared), output)
    made = []
    for one, out in zip(prepared, written, strict=True):
        sized, tools = out._replace(unpacked_below=one.below), one.tools
        notes = (*tools.notes, *one.notes)
        made.append(DebugImage(image, sized, one.work.config, tools.base, tools.url, tools.packages, notes))
    notes = tuple(dict.fromkeys((*(note for one in made for note in one.notes), *written[0].notes)))
    return made[0]._replace(notes=notes, others=tuple(made[1:]))
