"""Files without which a library never works are packed unasked, as far as packages have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minpack.ld.bind import prove_plugin
from minpack.plan.known_data import ROWS
from minpack.plan.model import ReasonKind
from minpack.report.text import pack_lines
from support.cc import Compiler
from support.elfmaker import library
from support.evidence import PackagedBase, app, elf

if TYPE_CHECKING:
    from pathlib import Path

    from minpack.ld.closure import Closure
    from minpack.ld.lookup import Proof
    from minpack.ld.symbol_cache import SymbolsOf

LIB = "/usr/lib64"
#: For each row a library of its kind, and a file that comes with it.
CASES = {
    "libmagic.so.": ("libmagic.so.1", "/usr/share/misc/magic.mgc"),
    "libgs.so.": ("libgs.so.10", "/usr/share/ghostscript/10.00.0/Resource/Init/gs_init.ps"),
    "libMagickCore-": ("libMagickCore-6.Q16.so.6", f"{LIB}/ImageMagick-6.9.11/modules-Q16/coders/png.so"),
    "libfontconfig.so.": ("libfontconfig.so.1", "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"),
    "libsasl2.so.": ("libsasl2.so.2", f"{LIB}/sasl2/libplain.so"),
    "libgio-2.0.so.": ("libgio-2.0.so.0", f"{LIB}/gio/modules/libgiognutls.so"),
    "libpython3.": ("libpython3.11.so.1.0", "/usr/lib/python3.11/os.py"),
    "libtcl": ("libtcl8.6.so", "/usr/share/tcltk/tcl8.6/init.tcl"),
    "libswipl.so.": ("libswipl.so.9", "/usr/lib/swi-prolog/boot.prc"),
    "libguile-": ("libguile-3.0.so.1", f"{LIB}/guile/3.0/ccache/ice-9/eval.go"),
    "libapt-pkg.so.": ("libapt-pkg.so.6.0", "/etc/debian_version"),
    "libnode.so.": ("libnode.so.108", "/usr/share/nodejs/cjs-module-lexer/lexer.js"),
}


def test_each_row_has_a_case() -> None:
    """A new row is tested here."""
    assert [row.soname for row in ROWS] == list(CASES)


@pytest.mark.parametrize("start", CASES)
def test_what_a_library_never_works_without_is_packed(tmp_path: Path, start: str) -> None:
    """The package's file with what it needs, and not what lies beside it and is nobody's; the summary names it."""
    soname, path = CASES[start]
    base = PackagedBase(tmp_path / "base")
    base.add("library", {f"{LIB}/{soname}": library(soname)})
    data = library(None, ("libneeded.so",)) if path.endswith(".so") else b"data"
    base.add("data", {path: data, f"{LIB}/libneeded.so": library("libneeded.so")})
    base.put(path + ".own", b"mine")
    (tmp_path / "app").write_bytes(app(needed=(soname,)))
    packed = base.pack(tmp_path / "app")
    (row,) = (row for row in ROWS if row.soname == start)
    reasons = {str(one.entry.path): one.reason for one in packed.plan.entries if one.entry.content is not None}
    assert reasons[path].kind is ReasonKind.TAKEN
    assert reasons[path].text == f"{soname} does not work without {row.what}"
    assert (f"{LIB}/libneeded.so" in reasons) == path.endswith(".so")
    assert path + ".own" not in reasons
    shown = f"{path}: {soname} does not work without {row.what}"
    assert any(line.endswith(shown) for line in pack_lines(packed, (), verbose=False))


def test_what_was_changed_is_not_a_packages(tmp_path: Path) -> None:
    """Somebody's own database is not packed unasked."""
    base = PackagedBase(tmp_path / "base")
    base.add("library", {f"{LIB}/libmagic.so.1": library("libmagic.so.1"), "/usr/share/misc/magic.mgc": b"data"})
    (tmp_path / "app").write_bytes(app(needed=("libmagic.so.1",)))
    base.put("/usr/share/misc/magic.mgc", b"DATA")
    assert "/usr/share/misc/magic.mgc" not in {one.entry.path for one in base.pack(tmp_path / "app").plan.entries}


def test_a_plugin_is_proved_once_whatever_comes_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is taken for one library may have another that needs more: what was found of it holds in the next round."""
    plugins = {f"{LIB}/sasl2/libplain.so": "libgio-2.0.so.0", f"{LIB}/gio/modules/libgiognutls.so": "libsasl2.so.2"}
    base = PackagedBase(tmp_path / "base")
    base.add("libraries", {f"{LIB}/{soname}": library(soname) for soname in plugins.values()})
    base.add("plugins", {path: library(None, (soname,)) for path, soname in plugins.items()})
    (tmp_path / "app").write_bytes(app(needed=("libsasl2.so.2",)))
    proved: list[str] = []

    def counted(closure: Closure, plugin: frozenset[str], symbols: SymbolsOf) -> Proof:
        proved.extend(path for path in plugins if path in plugin)
        return prove_plugin(closure, plugin, symbols)

    monkeypatch.setattr("minpack.ld.bind.prove_plugin", counted)
    packed = base.pack(tmp_path / "app")
    assert {*plugins, f"{LIB}/libgio-2.0.so.0"} <= {one.entry.path for one in packed.plan.entries}
    assert sorted(proved) == sorted(plugins)


MAIN = "Py_BytesMain"


@pytest.mark.parametrize(
    ("texts", "exports", "expected"),
    [
        (("/usr", "3.11.2"), (MAIN,), True),
        (("/usr", "3.11.2"), (), False),
        (("/usr", "3.10.2"), (MAIN,), False),
        (("/install", "3.11.2"), (MAIN,), False),
    ],
)  # fmt: skip
def test_the_library_of_a_python_comes_with_it(
    tmp_path: Path, texts: tuple[str, ...], exports: tuple[str, ...], *, expected: bool
) -> None:
    """That of its version, where it was built to lie in /usr, whatever its file is called."""
    base = PackagedBase(tmp_path / "base")
    base.add("library", {"/usr/lib/python3.11/os.py": b"data"})
    (tmp_path / "app").write_bytes(app(*texts, exports=exports))
    paths = {one.entry.path for one in base.pack(tmp_path / "app").plan.entries}
    assert ("/usr/lib/python3.11/os.py" in paths) == expected


def test_a_python_with_its_library_needs_no_advice(tmp_path: Path) -> None:
    """The note about its library is for a base that has none."""
    source = """
        int runtime __attribute__((section(".PyRuntime"))) = 1;
        const char *prefix = "/usr", *version = "3.11.2";
        int Py_BytesMain(void) { return 0; }
    """
    flags = (
        "-nostdlib",
        "-pie",
        "-rdynamic",
        "-Wl,-e,Py_BytesMain",
        "-Wl,--dynamic-linker=/lib64/ld-linux-x86-64.so.2",
    )
    python = Compiler(tmp_path).program("python3", source, *flags)
    base = PackagedBase(tmp_path / "base")
    assert [note for note in base.pack(python).notes if "standard library" in note]
    base.add("library", {"/usr/lib/python3.11/os.py": b"data"})
    assert not [note for note in base.pack(python).notes if "standard library" in note]


PROVIDER = "OSSL_PROVIDER_load"


@pytest.mark.parametrize(("texts", "imports"), [(("legacy",), (PROVIDER,)), (("legacy",), ()), ((), (PROVIDER,))])
def test_openssls_legacy_provider_comes_where_it_is_loaded(
    tmp_path: Path, texts: tuple[str, ...], imports: tuple[str, ...]
) -> None:
    """By a program that calls what loads a provider and has its name, and by no other."""
    base = PackagedBase(tmp_path / "base")
    modules = f"{LIB}/ossl-modules"
    crypto = elf(f'MODULESDIR: "{modules}"', soname="libcrypto.so.3")
    base.add("libssl3", {f"{LIB}/libcrypto.so.3": crypto, f"{modules}/legacy.so": library(None)})
    (tmp_path / "app").write_bytes(app(*texts, needed=("libcrypto.so.3",), imports=imports))
    paths = {one.entry.path for one in base.pack(tmp_path / "app").plan.entries}
    assert (f"{modules}/legacy.so" in paths) == bool(texts and imports)
