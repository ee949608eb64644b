"""Taking an image out of a container engine, as `docker save` does."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from minpack.engine.conversation import EngineConversation, EngineLimits, RefusalError, parsed_object

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from minpack.digest import Writable
    from minpack.progress import Progress

#: More bytes than any image has that minpack unpacks.
MOST_SAVED = 32 << 30
_REACH_HINT = (
    "start the engine, set DOCKER_HOST, or name a registry (docker://NAME) or a file (docker save NAME -o FILE)"
)
_NONE_HINT = "docker images lists what the engine has; docker pull NAME fetches an image into it"


def save_image(
    name: str,
    begin: Callable[[str], Writable | None],
    *,
    environment: Mapping[str, str],
    progress: Progress,
    limits: EngineLimits | None = None,
) -> None:
    """Take the image of that name, as an archive, from the engine that `environment` (DOCKER_HOST, …) names.

    :param begin: is given the image's ID, empty if the engine does not say it, and gives where to write the archive to;
        None if that is not wanted.
    :raises EngineError: no engine answers, or it has no such image.
    """
    limits = limits or EngineLimits()
    saving = _Saving(environment, progress, limits)
    try:
        saving.within(limits.answer, saving.reach, f"reach a container engine at {saving.host}", _REACH_HINT)
        verb = f"take {name!r} out of the engine at {saving.host}"
        saving.within(limits.answer, lambda: saving.look(name), verb, _NONE_HINT)
        out = begin(saving.image_id)
        if out is None:
            return
        seconds = limits.load + saving.size / limits.load_rate
        saving.within(seconds, lambda: saving.save(name, out, seconds), verb, _NONE_HINT)
    finally:
        saving.close()


class _Saving(EngineConversation):
    """A conversation in which an engine gives an image; `size` and `image_id` are what it says of it."""

    size = 0
    image_id = ""

    def look(self, name: str) -> str:
        """Learn the size and the ID of the image."""
        document = parsed_object(self.ask("GET", f"/images/{quote(name, safe='/:')}/json", self.limits.answer))
        size = document.get("Size")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= MOST_SAVED:
            raise RefusalError("it does not say how large the image is")
        self.size = size
        image_id = document.get("Id")
        self.image_id = image_id if isinstance(image_id, str) else ""
        return ""

    def save(self, name: str, out: Writable, seconds: float) -> str:
        """Take the image."""
        done = 0

        def take(piece: bytes) -> None:
            nonlocal done
            done += len(piece)
            out.write(piece)
            self.progress(f"taking {name} out of the engine", done, max(done, self.size))

        self.answer("GET", f"/images/{quote(name, safe='/:')}/get", seconds, take, most=MOST_SAVED)
        return ""
