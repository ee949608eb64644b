"""Which file a link of Debian's alternatives leads to.

Packages make such links when they are installed (update-alternatives(1)), so that no index has them: of the libraries
that several packages implement, BLAS and LAPACK with their variants. Each package has its own in a directory beside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.paths import RootPath, name, parent

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The directories of the packages, the reference implementations first: all others, which are ten times as large, take
#: their place only where nothing else has the library. So the choice does not depend on what else is in the archive.
DIRECTORIES = ("blas", "lapack", "blas64", "lapack64", "openblas-pthread", "openblas64-pthread")


def alternatives_of(path: RootPath, libraries: RootPath) -> Iterator[RootPath]:
    """Where the file may be that a link at `path` leads to; nothing if that is not in `libraries` itself."""
    if parent(path) == libraries:
        for directory in DIRECTORIES:
            yield RootPath(f"{libraries}/{directory}/{name(path)}")
