"""`Session`: a base and its packages, open for one platform.

Whatever asks what a base has asks a session, so that `pack`, `tree` and `lock` cannot give different answers.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from minpack.base.packages import NoPackages
from minpack.base.walk import Walker
from minpack.content import key_of
from minpack.ld.fit import check_fit
from minpack.namedtuple import NamedTuple
from minpack.program.place import with_placed
from minpack.sources.open import open_base
from minpack.sources.packages import open_packages

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from minpack.base.options import BaseOptions, OpenBase
    from minpack.base.packages import Packages
    from minpack.content import Content
    from minpack.elf.info import ElfInfo
    from minpack.errors import ElfError
    from minpack.ld.closure import Closure
    from minpack.program.additions import Placed
    from minpack.program.read import Program
    from minpack.progress import Progress
    from minpack.spec.base_ref import BaseRef
    from minpack.target import Platform

_ELF = "what its ELF files say of themselves"


def _ignore(_: Closure) -> None:
    """Nobody wants to know."""


class Session(NamedTuple):
    """An open base and its packages.

    `walker` follows paths through the base alone, without any package; `hint`, for errors, says which bases fit the
    programs.
    """

    ref: BaseRef
    opened: OpenBase
    packages: Packages
    walker: Walker
    hint: Callable[[], str] = str
    #: The image that is kept whole, and is above the base, if there is one.
    on: OpenBase | None = None
    #: Is told each closure of a program as soon as it is known, before it is known whether it is complete.
    on_closure: Callable[[Closure], None] = _ignore

    @property
    def name(self) -> str:
        """What to call the base in messages."""
        return self.opened.base.name

    def tree(self, placed: Sequence[Placed] = ()) -> Walker:
        """The base with the packages that were fetched so far, and the user's files laid over it."""
        return Walker(with_placed(placed, self.packages.over(self.opened.base)), self.walker.known)

    def check_fit(self, programs: Sequence[Program]) -> None:
        """Raise `WrongTargetError`, `LibcMismatchError` or `NotInBaseError` if the base cannot start a program."""
        for program in programs:
            check_fit(program.path, program.info, self.walker, self.hint)


@contextmanager
def open_session(
    ref: BaseRef,
    platform: Platform,
    options: BaseOptions,
    progress: Progress,
    hint: Callable[[], str] = str,
    *,
    with_packages: bool = True,
) -> Generator[Session]:
    """A session on the base that `ref` names, open until the block is left.

    :param platform: the one to fetch the base for.
    :param hint: says, for errors, which bases fit the programs.
    :param with_packages: whether packages are asked for, or the base alone.
    :raises MinpackError: as `open_base` and `open_packages`.
    """
    with (
        open_base(ref, platform, options, progress) as opened,
        open_packages(opened, platform, options, progress) if with_packages else nullcontext(NoPackages()) as packages,
    ):
        known: dict[Content, ElfInfo | ElfError] = opened.once(_ELF, dict)
        walker = Walker(opened.base, dict(known))
        yield Session(ref, opened, packages, walker, hint)
        # What programs and added files are may change until the next image.
        known.update((one, info) for one, info in walker.known.items() if key_of(one))
