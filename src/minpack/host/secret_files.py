"""Files of a new key: the private one for its owner alone, and neither in the place of another file."""

from __future__ import annotations

import os
from contextlib import suppress

from minpack.errors import OutputError
from minpack.host.overwrite import as_output_error

_HINT = "a key is never replaced: choose another name with -o"


def write_key_files(name: str, private: bytes, public: bytes) -> tuple[str, str]:
    """Write NAME.key with mode 0600, and NAME.pub; where they are. Nothing is left of one without the other.

    :raises OutputError: one of them is there, or cannot be written.
    """
    paths = f"{name}.key", f"{name}.pub"
    for path in paths:
        if os.path.lexists(path):
            raise OutputError(path, "it already exists", _HINT)
    written: list[str] = []
    try:
        for path, data, mode in zip(paths, (private, public), (0o600, 0o666), strict=True):
            _write(path, data, mode, written)
    except BaseException:
        for path in written:
            with suppress(OSError):
                os.unlink(path)
        raise
    return paths


def _write(path: str, data: bytes, mode: int, written: list[str]) -> None:
    try:
        with as_output_error(path, _HINT):
            # What came there meanwhile is not replaced either, and a link is not followed (open(2), "O_EXCL").
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            written.append(path)
            with os.fdopen(descriptor, "wb") as out:
                out.write(data)
                out.flush()
                os.fsync(descriptor)
    except OSError as error:
        raise OutputError(path, str(error), _HINT) from error
