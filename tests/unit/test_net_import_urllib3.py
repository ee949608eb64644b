"""urllib3 is imported without what it has for HTTP/2 alone, and nobody else notices."""

from __future__ import annotations

import subprocess
import sys

from minpack.net import import_urllib3

#: Each test imports it in an interpreter of its own.
MODULE = import_urllib3.__name__


def run(code: str) -> str:
    """What a new interpreter prints."""
    return subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True).stdout


def test_importlib_metadata_is_not_imported() -> None:
    """Neither it nor what it takes: csv, zipfile, pathlib."""
    code = f"import sys, {MODULE}\nprint({{'importlib.metadata', 'csv', 'zipfile'}} & set(sys.modules))"
    assert run(code) == "set()\n"


def test_others_get_the_real_one() -> None:
    """Afterwards, and at that moment too; what urllib3 took works all the same."""
    code = (
        f"import {MODULE} as shim, importlib.metadata, sys, urllib3\n"
        "assert importlib.metadata is sys.modules['importlib.metadata'] is not shim._STAND_IN\n"
        "assert urllib3.http2.version('urllib3') == urllib3.__version__\n"
        "assert shim._STAND_IN.distribution is importlib.metadata.distribution\n"
        "sys.modules['importlib.metadata'] = shim._STAND_IN\n"
        "from importlib.metadata import distributions\n"
        "assert sys.modules['importlib.metadata'] is not shim._STAND_IN\n"
    )
    assert run(code) == ""


def test_what_is_there_already_stays() -> None:
    """Where importlib.metadata was imported before, urllib3 takes that."""
    code = (
        f"import importlib.metadata, {MODULE}, urllib3.http2\n"
        "assert urllib3.http2.version is importlib.metadata.version\n"
    )
    assert run(code) == ""
