"""The packages of embedded data, copied to a directory where tests may change them."""

from __future__ import annotations

import os
import shutil
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

PACKAGES = ("certifi", "tzdata")


def copy_packages(site: Path) -> Path:
    """`site`, with certifi and tzdata as they are installed here, and what says which versions these are."""
    for package in PACKAGES:
        installed = distribution(package)
        for file in installed.files or ():
            if file.parts[0] == package or file.name in ("METADATA", "RECORD"):
                (site / file).parent.mkdir(parents=True, exist_ok=True)
                if file.name == "cacert.pem":
                    (site / file).write_bytes(installed_bundle())
                elif "__pycache__" not in file.parts:
                    shutil.copyfile(str(installed.locate_file(file)), site / file)
    return site


def restore_bundle(site: Path) -> None:
    """Take away what was added to the copied bundle: some machines do that whenever Python starts and finds one."""
    if (site / "certifi").exists():
        os.truncate(site / "certifi" / "cacert.pem", _bundle_size())


@cache
def _bundle_size() -> int:
    return len(installed_bundle())


def installed_bundle() -> bytes:
    """The CA bundle of certifi as it was installed here: whatever was added since is not in it."""
    (file,) = (file for file in distribution("certifi").files or () if file.name == "cacert.pem")
    assert file.size is not None
    return Path(str(file.locate())).read_bytes()[: file.size]


def record_of(site: Path, package: str) -> Path:
    """The RECORD of a copied package."""
    (found,) = site.glob(f"{package}-*.dist-info/RECORD")
    return found
