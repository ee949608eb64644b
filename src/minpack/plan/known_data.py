"""Libraries and programs that never work without files that nothing names as needed: these are packed unasked.

As far as they are files of packages: what else lies there is a machine's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.elf.strings import find_strings
from minpack.errors import NotInBaseError
from minpack.ld.opening import origin_of
from minpack.namedtuple import NamedTuple
from minpack.paths import RootPath, directories_above, name, normal, parent
from minpack.plan.take import take
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from minpack.base.ownership import Ownership
    from minpack.base.packages import Packages
    from minpack.base.walk import Walker
    from minpack.ld.closure import Closure, LoadedObject
    from minpack.ld.symbol_cache import SymbolsOf
    from minpack.plan.model import Taken
    from minpack.rootfs.entry import Entry


class DataRow(NamedTuple):
    """Libraries, by how their sonames begin, what they do not work without, where that is, and which packages have it.

    ``{lib}`` is the directory the library lies in, ``{version}`` what follows the beginning up to ``.so``, and
    ``{major}`` what of that is before a dot. `packages` are Debian's that have it, where it is not in the library's.
    """

    soname: str
    what: str
    places: tuple[str, ...]
    packages: tuple[str, ...] = ()


ROWS = (
    DataRow("libmagic.so.", "its database", ("/usr/share/misc/magic.mgc",), ("libmagic-mgc",)),
    DataRow(
        "libgs.so.",
        "its init files",
        ("/usr/share/ghostscript/[0-9]*", "/usr/share/fonts/type1/urw-base35"),
        ("libgs{version}-common", "libgs-common", "fonts-urw-base35"),
    ),
    DataRow(
        "libMagickCore-",
        "its coders",
        ("{lib}/ImageMagick-*", "/usr/share/ImageMagick-*", "/etc/ImageMagick-*"),
        ("imagemagick-{major}-common",),
    ),
    DataRow(
        "libfontconfig.so.",
        "a font",
        ("/etc/fonts", "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"),
        ("fontconfig-config", "fonts-dejavu-core"),
    ),
    # Debian does not hold these two necessary, so that where they would have to be fetched they are not.
    DataRow("libsasl2.so.", "its mechanisms", ("{lib}/sasl2",)),
    DataRow("libgio-2.0.so.", "its modules for TLS and proxies", ("{lib}/gio/modules/libgio*.so",)),
    DataRow(
        "libpython3.",
        "its library",
        ("/usr/lib/python3.{version}",),
        ("libpython3.{version}-minimal", "libpython3.{version}-stdlib"),
    ),
    DataRow("libtcl", "its library", ("/usr/share/tcltk/tcl{version}",)),
    DataRow("libswipl.so.", "its state and library", ("/usr/lib/swi-prolog",)),
    # It starts with text in ISO-8859-1, which only a module of glibc's iconv reads (Guile's ports.c).
    DataRow(
        "libguile-",
        "its modules and a converter",
        (
            "{lib}/guile/{version}",
            "/usr/share/guile/{version}",
            "{lib}/gconv/ISO8859-1.so",
            "{lib}/gconv/gconv-modules",
        ),
    ),
    # apt ends if it does not know the packaging system (its debsystem.cc, Score) or the names of architectures.
    DataRow(
        "libapt-pkg.so.",
        "marks and tables of Debian",
        ("/etc/debian_version", "/usr/share/dpkg/*table"),
        ("base-files", "dpkg"),
    ),
    # What Debian keeps apart of node's own modules (its d/rules, --shared-builtin-*-path); it ends if one is not there.
    DataRow(
        "libnode.so.",
        "its own modules",
        (
            "/usr/share/nodejs/acorn/dist/acorn.js",
            "/usr/share/nodejs/acorn-walk/dist/walk.js",
            "/usr/share/nodejs/cjs-module-lexer/lexer.js",
            "/usr/share/nodejs/cjs-module-lexer/dist/lexer.js",
            "/usr/share/nodejs/undici/undici-fetch.js",
        ),
        ("node-acorn", "node-cjs-module-lexer", "node-undici"),
    ),
)
#: What a program exports that is Python itself (its Modules/main.c), where it has been built to lie, and its version.
_PYTHON, _PYTHON_PREFIX, _PYTHON_VERSION = b"Py_BytesMain", rb"/usr", rb"(3\.[0-9]{1,2})\.[0-9]{1,2}"
#: What loads OpenSSL's provider of old algorithms by its name, and that.
_LOADS_PROVIDER, _LEGACY = b"OSSL_PROVIDER_load", rb"legacy"
_MODULES = rb'MODULESDIR: "(/[^"]+)"'


class _Known(NamedTuple):
    """A reason, the places of what is not worked without, and the packages that have it."""

    reason: str
    places: tuple[str, ...]
    packages: tuple[str, ...] = ()


def find_known_data(
    closures: Sequence[Closure],
    symbols: SymbolsOf,
    tree_of: Callable[[], Walker],
    fetch: Callable[[Iterable[str]], None],
) -> tuple[Taken, ...]:
    """What the libraries of the closures do not work without, and the base has.

    :param tree_of: gives a walker over the base with its packages.
    :param fetch: fetches those of some packages that there are, where a base is made of packages.
    :raises InputError: a file cannot be read.
    """
    found: dict[str, Taken] = {}
    wanted = tuple(dict.fromkeys(_known(closures, symbols)))
    fetch(package for known in wanted for package in known.packages)
    tree = tree_of() if wanted else None
    for known in wanted:
        for place in known.places:
            for taken in _taken(tree, place, known.reason):
                found.setdefault(taken.entry.path, taken)
    return tuple(found.values())


def owned(taken: Sequence[Taken], packages: Packages, ownership: Ownership | None) -> tuple[Taken, ...]:
    """Those that are files of packages, as these have them, or links of packages, and the directories that hold any."""
    asked = [one.entry.path for one in taken if one.entry.kind is Kind.FILE and not one.entry.path.endswith(".cache")]
    owners = ownership.owners(asked) if ownership is not None else {}
    files = [one for one in taken if _is_owned(one.entry, packages, ownership, owners.get(one.entry.path, ""))]
    paths = {one.entry.path for one in files}
    # A link is as good as what it leads to, which was taken with it.
    links = [one for one in taken if one.entry.kind is Kind.SYMLINK and _target(one.entry) in paths]
    above = directories_above(one.entry.path for one in (*files, *links))
    return (*(one for one in taken if one.entry.path in above), *files, *links)


def _target(link: Entry) -> RootPath:
    return normal(link.link if link.link.startswith("/") else f"{parent(link.path)}/{link.link}")


def _is_owned(entry: Entry, packages: Packages, ownership: Ownership | None, owner: str) -> bool:
    if entry.kind is not Kind.FILE:
        return False
    if owner and ownership is not None:
        return ownership.is_unmodified(entry, owner)
    return packages.owner(entry) is not None


def _known(closures: Sequence[Closure], symbols: SymbolsOf) -> Iterator[_Known]:
    for closure in closures:
        yield from _python(closure.program, symbols)
        for loaded in closure.objects[1:]:
            soname = loaded.info.soname or loaded.name
            for row in ROWS:
                if soname.startswith(row.soname):
                    version = soname.removeprefix(row.soname).partition(".so")[0]
                    values = {"lib": origin_of(loaded.path), "version": version, "major": version.partition(".")[0]}
                    yield _Known(
                        f"{soname} does not work without {row.what}",
                        tuple(_filled(place, values) for place in row.places),
                        tuple(_filled(package, values) for package in row.packages),
                    )
            if soname.startswith("libcrypto.so."):
                yield from _legacy(closure, loaded, symbols)


def _filled(text: str, values: Mapping[str, str]) -> str:
    for word, value in values.items():
        text = text.replace(f"{{{word}}}", value)
    return text


def _python(program: LoadedObject, symbols: SymbolsOf) -> Iterator[_Known]:
    """The library of a Python that has no libpython, as Debian's."""
    content = program.entry.content
    if content is None or not program.info.interpreter or _PYTHON not in symbols(program).names:
        return
    if find_strings(content, program.info, _PYTHON_PREFIX, _PYTHON_PREFIX):
        for match in find_strings(content, program.info, rb"3\.[0-9]", _PYTHON_VERSION):
            version = match[1].decode()
            yield _Known(
                f"{name(RootPath(program.path))} does not work without its library",
                (f"/usr/lib/python{version}",),
                (f"libpython{version}-minimal", f"libpython{version}-stdlib"),
            )


def _legacy(closure: Closure, crypto: LoadedObject, symbols: SymbolsOf) -> Iterator[_Known]:
    """OpenSSL's provider of old algorithms, where it is loaded by its name."""
    content = crypto.entry.content
    for loaded in closure.objects if content is not None else ():
        if content is not None and _loads_legacy(loaded, symbols):
            for match in find_strings(content, crypto.info, b"MODULESDIR: ", _MODULES):
                reason = f"{loaded.path.rpartition('/')[2]} loads OpenSSL's legacy provider"
                yield _Known(reason, (f"{match[1].decode('utf-8', 'surrogateescape')}/legacy.so",))


def _loads_legacy(loaded: LoadedObject, symbols: SymbolsOf) -> bool:
    content = loaded.entry.content
    loads = _LOADS_PROVIDER in symbols(loaded).imports and content is not None
    return loads and content is not None and bool(find_strings(content, loaded.info, _LEGACY, _LEGACY))


def _taken(tree: Walker | None, place: str, reason: str) -> tuple[Taken, ...]:
    assert tree is not None, "internal error: nothing to look in"
    try:
        return take((place,), tree, reason).files
    except NotInBaseError:
        return ()
