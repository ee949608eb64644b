"""The load proof in the user's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.excerpt import few, listed, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minpack.ld.lookup import MissingVersion, Proof, Unbound

#: More lines than this help nobody; what is left out is counted.
MOST_LINES, MOST_NAMES = 8, 3


def reasons(proof: Proof) -> tuple[str, ...]:
    """Why the closure would not load, one sentence each, what weighs most first; nothing if it would.

    Symbols of a version that is missing as a whole are named with the version.
    """
    symbols = {(u.version, u.needed_by): u.symbol for u in reversed(proof.unbound)}
    worst = _worst(proof.versions)
    lines = [_version_line(m, symbols.get((m.version, m.needed_by), "")) for m in worst[:MOST_LINES]]
    if len(worst) > MOST_LINES:
        lines.append(f"and {len(worst) - MOST_LINES} more versions")
    lines += few((shorten(problem) for problem in proof.problems), MOST_LINES, "and {} more problems")
    explained = {(missing.version, missing.needed_by) for missing in proof.versions}
    others = [u for u in proof.unbound if u.fatal and (u.version, u.needed_by) not in explained]
    lines += [f"no library defines {symbol_text(u)}, which {shorten(u.needed_by)} needs" for u in others[:MOST_LINES]]
    if len(others) > MOST_LINES:
        lines.append(f"and {len(others) - MOST_LINES} more symbols")
    return tuple(lines)


def latent(proof: Proof) -> tuple[Unbound, ...]:
    """What would end the program only when it is called."""
    return tuple(unbound for unbound in proof.unbound if not unbound.fatal)


def latent_note(proof: Proof) -> str | None:
    """One sentence about what is latent, or None."""
    found = latent(proof)
    if not found:
        return None
    names = listed(map(symbol_text, found), MOST_NAMES)
    return f"nothing defines {names}: the program starts, but fails if it calls them"


def _worst(versions: Iterable[MissingVersion]) -> list[MissingVersion]:
    """For each pair of files and kind of version the highest that is missing: it implies the others."""
    worst: dict[tuple[str, str, str], MissingVersion] = {}
    for missing in versions:
        key = (missing.file, missing.needed_by, missing.version.rpartition("_")[0])
        known = worst.get(key)
        if known is None or version_key(missing.version) > version_key(known.version):
            worst[key] = missing
    return list(worst.values())


def version_key(version: str) -> tuple[int, ...]:
    """Orders versions of one kind by their numbers, as GLIBC_2.4 before GLIBC_2.17."""
    number = version.rpartition("_")[2]
    return tuple(int(part) for part in number.split(".") if part.isascii() and part.isdigit())


def _version_line(missing: MissingVersion, symbol: str) -> str:
    by, symbol = shorten(missing.needed_by), shorten(symbol)
    why = f"symbol {symbol} in {by}" if symbol else f"named in {by}"
    has = f"has up to {shorten(missing.newest)}" if missing.newest else "has no such version"
    return f"it needs {shorten(missing.version)} ({why}), and {shorten(missing.file)} in this base {has}"


def symbol_text(unbound: Unbound) -> str:
    """The symbol with its version, as tools write it."""
    symbol = shorten(unbound.symbol)
    return f"{symbol}@{shorten(unbound.version)}" if unbound.version else symbol
