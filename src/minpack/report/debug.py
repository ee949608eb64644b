"""What `minpack debug` made, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minpack.excerpt import few_notes, listed
from minpack.report.documents import outputs_document
from minpack.report.human import human
from minpack.report.text import MANY_PLATFORMS, MOST_NAMES, RunCommand, output_lines, row, sizes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.debug.image import DebugImage
    from minpack.output.target import WrittenOutput
    from minpack.target import Platform


def debug_lines(made: DebugImage, host: Platform | None = None) -> list[str]:
    """The closing summary: the image, its tools, where it went, what to do next.

    :param host: the platform of this machine, where it is known.
    """
    written, config = made.written, made.config
    platforms = listed([str(one.config.platform) for one in made.images], MANY_PLATFORMS)
    names = ", ".join(reference.familiar for reference in written.references)
    image = written.image
    lines = [f"{names}  {platforms}"]
    lines += [row("digest", str(written.digest))] if written.digest is not None else []
    lines += [row("size", sizes(image, written))] if image is not None else []
    lines += [row("image", made.image)] if made.image else []
    lines += [row("tools", _tools(made)), row("entrypoint", " ".join(config.entrypoint))]
    lines += [row("user", config.user or "root")]
    start = RunCommand(config.platform, host, interactive=True)
    return [*lines, "", *output_lines(written, start)]


def _tools(made: DebugImage) -> str:
    """What the tools are, and how large their layer is."""
    names = [f"busybox of {made.base}", *(f"{one.name} {one.version}" for one in made.packages)]
    size = sum(layer.descriptor.size for layer in made.written.layers)
    return f"{listed(names, MOST_NAMES)} ({human(size)})"


def debug_document(made: DebugImage, command: Sequence[str] = ()) -> dict[str, Any]:
    """``minpack.debug/1``.

    :param command: what puts the tools beside a running container, if they are for one.
    """
    return {
        "schema": "minpack.debug/1",
        "image": made.image or None,
        "tools": {
            "base": made.base,
            "packages": [
                {"name": one.name, "version": one.version, "arch": one.arch, "sha256": one.sha256}
                for one in dict.fromkeys(package for image in made.images for package in image.packages)
            ],
        },
        "index": str(made.written.digest) if made.others and made.written.digest is not None else None,
        "images": [_image(one) for one in made.images],
        "outputs": outputs_document(made.written),
        "attach": list(command) or None,
        "notes": few_notes(made.notes),
    }


def _image(made: DebugImage) -> dict[str, Any]:
    written: WrittenOutput = made.written
    image = written.image
    return {
        "platform": str(made.config.platform),
        "references": [str(reference) for reference in written.references],
        "digest": str(written.image_digest) if written.image_digest is not None else None,
        "image_id": str(image.image_id) if image is not None else None,
        "size": image.size if image is not None else None,
        "layers": [str(layer.descriptor.digest) for layer in image.layers] if image is not None else [],
        "user": made.config.user or None,
    }
