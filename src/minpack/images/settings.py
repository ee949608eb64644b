"""What the configuration of an image says of how it is run, and what in it cannot be meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from minpack.errors import UnreadableImageError
from minpack.images.finding import Finding, Severity
from minpack.namedtuple import NamedTuple
from minpack.oci.config import read_config
from minpack.oci.json_node import parsed
from minpack.oci.select import contradiction
from minpack.spec.image import DEFAULT_PATH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from minpack.oci.documents import ImageConfig
    from minpack.oci.image import BuiltImage

_LINUX = "linux"
_PORT = re.compile(r"\d{1,5}(-\d{1,5})?(/(tcp|udp|sctp))?", re.ASCII)
_SIGNAL = re.compile(
    r"(SIG)?(HUP|INT|QUIT|ILL|TRAP|ABRT|IOT|BUS|FPE|KILL|USR[12]|SEGV|PIPE|ALRM|TERM|STKFLT|CHLD|CLD|CONT|STOP|TSTP"
    r"|TTIN|TTOU|URG|XCPU|XFSZ|VTALRM|PROF|WINCH|IO|POLL|PWR|SYS|RTMIN([+]\d{1,2})?|RTMAX(-\d{1,2})?)|\d{1,2}",
    re.ASCII | re.IGNORECASE,
)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
#: The least that Docker takes for the times of a health check, in nanoseconds; 0 is its default.
_LEAST_TIME = 10**6


class HealthCheck(NamedTuple):
    """How an engine asks whether a container is well (Docker's addition to the configuration)."""

    test: tuple[str, ...]
    shell: tuple[str, ...]

    @property
    def arguments(self) -> tuple[str, ...]:
        """What the engine calls."""
        return self.test[1:] if self.test[0] == "CMD" else (*self.shell, *self.test[1:])


class ImageSettings(NamedTuple):
    """How an image is run; `config` has a PATH, which engines set where an image has none."""

    config: ImageConfig
    health: HealthCheck | None = None


def read_settings(image: BuiltImage, name: str) -> tuple[ImageSettings | None, tuple[Finding, ...]]:
    """What the configuration says, and what is wrong with it; without settings no container can be made of it."""
    try:
        config = read_config(image, name)
        document = parsed(image.config.data)
    except UnreadableImageError as error:
        return None, (Finding("setting", Severity.ERROR, "config", error.reason, error.hint or ""),)
    assert isinstance(document, dict), "internal error: it was read"
    run = document.get("config") or {}
    if "PATH" not in dict(config.env):
        config = config._replace(env=(("PATH", DEFAULT_PATH), *config.env))
    return ImageSettings(config, _health(run)), (*_document_findings(document, image), *_run_findings(run))


def _health(run: Mapping[str, Any]) -> HealthCheck | None:
    stated = run.get("Healthcheck")
    test = _texts(stated.get("Test")) if isinstance(stated, dict) else ()
    if not test or test[0] not in ("CMD", "CMD-SHELL"):
        return None
    return HealthCheck(test, _texts(run.get("Shell")) or ("/bin/sh", "-c"))


def _texts(value: object) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def _document_findings(document: Mapping[str, Any], image: BuiltImage) -> Iterator[Finding]:
    if image.platform.os != _LINUX:
        reason = f"it is an image for {image.platform.os}, and minpack supports only Linux"
        yield Finding("operating-system", Severity.ERROR, "", reason)
    wrong = contradiction(image)
    if wrong:
        hint = "make the index and the configuration agree on the platform"
        yield Finding("platform", Severity.WARNING, "", f"{wrong}; engines choose by the index", hint)
    history = document.get("history")
    if isinstance(history, list):
        filled = [one for one in history if isinstance(one, dict) and one.get("empty_layer") is not True]
        if len(filled) > len(image.layers):
            reason = f"the history has {len(filled)} entries with a layer, and there are {len(image.layers)} layers"
            yield _error("history", reason, "engines refuse it: rebuild the image")
    created = document.get("created")
    if created is not None and not (isinstance(created, str) and _is_time(created)):
        yield _error("created", f"{created!r} is not a time (RFC 3339)", "engines refuse it: rebuild the image")


def _is_time(text: str) -> bool:
    from datetime import datetime  # noqa: PLC0415 - the one use

    try:
        return _TIME.fullmatch(text) is not None and bool(datetime.fromisoformat(text))
    except ValueError:
        return False


def _run_findings(run: Mapping[str, Any]) -> Iterator[Finding]:
    for text in _texts(run.get("Env")):
        if not text.partition("=")[0]:
            yield _error("Env", f"{text!r} has no name", "write NAME=VALUE")
        elif "=" not in text:
            yield _warning("Env", f"{text!r} has no value", "write NAME=VALUE")
    workdir = run.get("WorkingDir") or "/"
    if not workdir.startswith("/"):
        yield Finding("workdir", Severity.ERROR, workdir, "it is not an absolute path", f"write /{workdir}")
    signal = run.get("StopSignal") or "TERM"
    if _SIGNAL.fullmatch(signal) is None:
        yield _warning("StopSignal", f"there is no signal {signal!r}", "use a signal from signal(7), such as SIGTERM")
    for port in run.get("ExposedPorts") or ():
        if _PORT.fullmatch(port) is None:
            yield _warning("ExposedPorts", f"{port!r} is not a port", "write it as 8080/tcp")
    yield from _health_findings(run.get("Healthcheck"))


def _health_findings(stated: object) -> Iterator[Finding]:
    if stated is None:
        return
    times = ("Interval", "Timeout", "StartPeriod", "StartInterval", "Retries")
    found = [stated.get(key, 0) for key in times] if isinstance(stated, dict) else [None]
    numbers = [one for one in found if isinstance(one, int) and one >= 0]
    if len(numbers) < len(found) or any(0 < one < _LEAST_TIME for one in numbers[:-1]):
        yield _warning("Healthcheck", "engines do not accept its times", "write them in nanoseconds")
    test = _texts(stated.get("Test")) if isinstance(stated, dict) else ()
    if test and test[0] not in ("CMD", "CMD-SHELL", "NONE"):
        yield _warning("Healthcheck", f"its test begins with {test[0]!r}", "begin it with CMD, CMD-SHELL or NONE")


def _error(path: str, reason: str, hint: str) -> Finding:
    return Finding("setting", Severity.ERROR, path, reason, hint)


def _warning(path: str, reason: str, hint: str) -> Finding:
    return Finding("setting", Severity.WARNING, path, reason, hint)
