"""What `minpack export` wrote, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minpack.excerpt import few_notes, shorten
from minpack.report.human import human

if TYPE_CHECKING:
    from minpack.images.export import ExportedImage


def export_document(exported: ExportedImage) -> dict[str, Any]:
    """``minpack.export/1``."""
    (target,) = exported.written.outputs
    return {
        "schema": "minpack.export/1",
        "image": exported.name,
        "platform": str(exported.platform),
        "digest": str(exported.digest),
        "files": exported.files,
        "size": exported.size,
        "outputs": [
            {
                "format": target.format,
                "path": target.path,
                "digest": str(target.digest) if target.digest is not None else None,
            }
        ],
        "notes": few_notes(exported.notes),
    }


def export_lines(exported: ExportedImage) -> list[str]:
    """A line of what was written."""
    (target,) = exported.written.outputs
    where = "stdout" if target.path == "-" else shorten(target.path or "")
    files = f"{exported.files} file{'s' if exported.files != 1 else ''}"
    return [f"{where}: {files} of {shorten(exported.name)}  {exported.platform}, {human(exported.size)}"]
