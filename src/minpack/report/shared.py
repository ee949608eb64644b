"""What shared caches had for a run, and what it gave them, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minpack.report.human import human

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.shared.use import CacheUse


def cache_object(use: CacheUse | None) -> dict[str, Any] | None:
    """The member ``cache`` of a document; null where no shared cache is named."""
    if use is None:
        return None
    return {
        "read": list(use.read),
        "verified": use.verified,
        "layers": use.layers,
        "files": use.files,
        "downloads": use.downloads,
        "received": use.received,
        "compressed": use.compressed,
        "written": {
            "repository": use.written or None,
            "layers": use.sent_layers,
            "downloads": use.sent_downloads,
            "sent": use.sent,
        },
    }


def total_use(uses: Sequence[CacheUse]) -> CacheUse:
    """What several runs had together; of caches and notes those of the first."""
    numbers = (name for name, value in uses[0]._asdict().items() if type(value) is int)
    return uses[0]._replace(**{name: sum(getattr(one, name) for one in uses) for name in numbers})


def cache_text(use: CacheUse) -> str:
    """The same in a line."""
    taken = _counts((use.layers, "layer"), (use.files, "file"), (use.downloads, "download"))
    parts = [f"{taken} taken ({human(use.received)})" if taken else "nothing taken"]
    written = _counts((use.sent_layers, "layer"), (use.sent_downloads, "download"))
    parts += [f"{written} written ({human(use.sent)})"] if written else []
    return f"{', '.join(parts)}; {human(use.compressed)} compressed here"


def _counts(*counts: tuple[int, str]) -> str:
    """How many there are of what; empty where there is nothing."""
    texts = [f"{count} {what}{'s' if count != 1 else ''}" for count, what in counts if count]
    return " and ".join(filter(None, (", ".join(texts[:-1]), *texts[-1:])))
