"""The packages of embedded data, copied to a directory where tests may change them."""

from __future__ import annotations

import shutil
from importlib.metadata import distribution
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = ("certifi", "tzdata")


def copy_packages(site: Path) -> Path:
    """`site`, with certifi and tzdata as they are installed here, their RECORDs too."""
    for package in PACKAGES:
        installed = distribution(package)
        for file in installed.files or ():
            if file.parts[0] == package or file.name == "RECORD":
                (site / file).parent.mkdir(parents=True, exist_ok=True)
                if "__pycache__" not in file.parts:
                    shutil.copyfile(str(installed.locate_file(file)), site / file)
    return site


def record_of(site: Path, package: str) -> Path:
    """The RECORD of a copied package."""
    (found,) = site.glob(f"{package}-*.dist-info/RECORD")
    return found
