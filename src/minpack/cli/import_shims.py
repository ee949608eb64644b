"""Imports click without four modules that it mentions and minpack never needs: a tenth of a small run.

While click is imported, stand-ins lie in their places. Click keeps them; all others who import such a module get the
real one, and so does click for whatever a stand-in does not have itself. See docs/decisions/start-up.md.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _StandIn(ModuleType):
    def __init__(self, name: str, **values: object) -> None:
        super().__init__(name)
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name.startswith("__"):
            # The import system's own questions.
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


class _Unused(type):
    """The type of a class that click names for parameters of a kind that minpack has none of.

    Whatever is done with it but to name it is an error: a click that does more must not be given a wrong answer.
    """

    def _refuse(cls, *_: object) -> Any:  # noqa: ANN401
        raise AssertionError(f"internal error: this click uses {cls.__name__}, which cli/import_shims.py leaves out")

    __call__ = __instancecheck__ = __subclasscheck__ = _refuse

    def __getattr__(cls, name: str) -> Any:  # noqa: ANN401
        if name.startswith("__"):
            raise AttributeError(name)
        return cls._refuse()


def _cleandoc(text: str) -> str:
    """As `inspect.cleandoc`."""
    if "\n" not in text and "\t" not in text:
        return text.lstrip()
    from inspect import cleandoc  # noqa: PLC0415 - for the help of commands alone

    return cleandoc(text)


def _gettext(message: str) -> str:
    return message


def _ngettext(singular: str, plural: str, number: int) -> str:
    return singular if number == 1 else plural


def _import_click() -> None:
    stand_ins = (
        _StandIn("inspect", cleandoc=_cleandoc),
        _StandIn("uuid", UUID=_Unused("UUID", (), {})),
        _StandIn("datetime", datetime=_Unused("datetime", (), {})),
        # click has no translations; looking for some reads the environment and directories again and again.
        _StandIn("gettext", gettext=_gettext, ngettext=_ngettext),
    )
    put = [one for one in stand_ins if one.__name__ not in sys.modules]
    sys.modules.update({one.__name__: one for one in put})
    try:
        import_module("click")
    finally:
        for one in put:
            if sys.modules.get(one.__name__) is one:
                del sys.modules[one.__name__]


_import_click()
