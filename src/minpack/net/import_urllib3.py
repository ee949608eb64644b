"""Imports urllib3 without importlib.metadata, a sixth of it, which it has for HTTP/2 alone.

As `minpack.cli.import_shims` does for click: see docs/decisions/http-client.md.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

_NAME = "importlib.metadata"


def _version(package: str) -> Any:  # noqa: ANN401
    """As `importlib.metadata.version`."""
    return import_module(_NAME).version(package)


def _real(name: str) -> Any:  # noqa: ANN401
    """What the stand-in has not: another thread imports the module at this moment."""
    if name.startswith("__"):
        # The import system's own questions.
        raise AttributeError(name)
    if sys.modules.get(_NAME) is _STAND_IN:
        del sys.modules[_NAME]
    return getattr(import_module(_NAME), name)


_STAND_IN = ModuleType(_NAME)
vars(_STAND_IN).update(version=_version, __getattr__=_real)


def _import_urllib3() -> None:
    if _NAME in sys.modules:
        import_module("urllib3")
        return
    sys.modules[_NAME] = _STAND_IN
    try:
        import_module("urllib3")
    finally:
        if sys.modules.get(_NAME) is _STAND_IN:
            del sys.modules[_NAME]


_import_urllib3()
