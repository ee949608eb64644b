"""The order of versions, by the rules that apk-package(5) gives, and as apk itself has it."""

from __future__ import annotations

import gzip
import platform
import random
import re
import subprocess
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minpack.apk.names import Dependency, Operator, Provided, parse_dependencies, parse_dependency, parse_provides
from minpack.apk.version import compare_versions, is_version, matches_fuzzily
from support.tools import need_tool

if TYPE_CHECKING:
    from pathlib import Path

#: Each row from the lowest to the highest.
CHAINS = (
    # alpha < beta < pre < rc < none < cvs < svn < git < hg < p
    "1_alpha 1_alpha1 1_beta 1_pre 1_pre2 1_rc 1_rc10 1 1_cvs 1_svn 1_git 1_hg 1_p 1_p1 1_p10",
    # whoever goes on with the earlier kind of part is the higher
    "1.2 1.2-r0 1.2-r1 1.2-r10 1.2_p1 1.2a 1.2b 1.2.0 1.2.1 1.3",
    # the first number is a number, later ones are text as soon as one starts with 0
    "1 006 7 08 10 0100",
    "1.0 1.00 1.01 1.02 1.1 1.9 1.10",
    # several suffixes
    "0.1_alpha_pre2 0.1_alpha 0.1_rc1_git2 0.1_rc1_p1 0.1",
    "1.0_pre20191002222144-r0 1.0_pre20210530193627-r0 1.0-r0",
    # a commit is text
    "1~0a 1~0b 1~ff",
    "2.9.11_pre20051101-r2 2.9.11_pre20051101-r3 2.9.11_pre20061021-r1 2.9.11",
)


@pytest.mark.parametrize("chain", CHAINS)
def test_versions_are_ordered(chain: str) -> None:
    """Every version of a row is lower than each that follows."""
    versions = chain.split()
    for low, high in pairwise(versions):
        assert compare_versions(low, high) < 0 < compare_versions(high, low), (low, high)
    for version in versions:
        assert is_version(version)
        assert compare_versions(version, version) == 0


@pytest.mark.parametrize(
    "text", ["", "a", "1..2", "1.", "1.2aa", "1_foo", "1-r", "1-1", "1.2-r1x", "1" * 300, "1\n", "\u0661"]
)
def test_what_is_no_version(text: str) -> None:
    """The grammar is kept, and what is no version is lower than any that is."""
    assert not is_version(text)
    assert compare_versions(text, "0_alpha") < 0 < compare_versions("0_alpha", text)


VERSIONS = st.from_regex(
    r"\A(0|[1-9][0-9]{0,3})(\.(0|[1-9][0-9]{0,2})){0,3}[a-z]?(_(alpha|beta|pre|rc|cvs|svn|git|hg|p)[0-9]{0,3}){0,2}"
    r"(-r(0|[1-9][0-9]?))?\Z"
)


@given(VERSIONS, VERSIONS, VERSIONS)
def test_the_order_is_one(first: str, second: str, third: str) -> None:
    """It is antisymmetric, equal for equal parts alone, and transitive."""
    assert compare_versions(first, second) == -compare_versions(second, first)
    if compare_versions(first, second) <= 0 and compare_versions(second, third) <= 0:
        assert compare_versions(first, third) <= 0


@given(VERSIONS, st.integers(0, 99))
def test_a_revision_is_higher(version: str, revision: int) -> None:
    """A higher revision of a version is the higher one, and all of them are the version, fuzzily."""
    base = version.partition("-r")[0]
    assert compare_versions(f"{base}-r{revision}", f"{base}-r{revision + 1}") < 0
    assert matches_fuzzily(f"{base}-r{revision}", base)


@given(st.text(), st.text())
def test_anything_can_be_compared(first: str, second: str) -> None:
    """Text that is no version gives an order too, and no error."""
    assert compare_versions(first, second) == -compare_versions(second, first)


@pytest.mark.parametrize(
    ("token", "fitting", "unfitting"),
    [
        ("a", "1 0_alpha", ""),
        ("a<2", "1 2_rc1", "2 3"),
        ("a<=2", "1 2", "2-r0 3"),
        ("a=1.2-r3", "1.2-r3", "1.2-r4 1.2"),
        ("a>=2", "2 2-r0 3", "1.9"),
        ("a>2", "2-r0 3", "2 1"),
        ("a~1.2", "1.2 1.2-r9 1.2.7_p1", "1.20 1.3 1"),
        ("a~=1.2", "1.2.7", "1.3"),
        ("a>~1.2", "1.2 1.2.1 1.3", "1.1"),
        ("a<~1.2", "1.2.9 1.1", "1.3"),
    ],
)
def test_operators(token: str, fitting: str, unfitting: str) -> None:
    """Each operator takes the versions it says, and without one any will do."""
    dependency = parse_dependency(token)
    assert dependency is not None
    assert [v for v in fitting.split() if not dependency.allows(v)] == []
    assert [v for v in unfitting.split() if dependency.allows(v)] == []


def test_a_virtual_name_has_no_version() -> None:
    """What is provided without a version answers only to a name alone."""
    assert Dependency("a").allows("")
    assert not Dependency("a", Operator.AT_LEAST, "1").allows("")


def test_names_are_read() -> None:
    """Prefixes, paths, conflicts and checksums are kept as they are; tokens that are none are left out."""
    assert parse_dependencies("so:libc.musl-x86_64.so.1 /bin/sh !uclibc-utils musl>=1.2 busybox><Q1abc= <3 a==b") == (
        Dependency("so:libc.musl-x86_64.so.1"),
        Dependency("/bin/sh"),
        Dependency("uclibc-utils", conflict=True),
        Dependency("musl", Operator.AT_LEAST, "1.2"),
        Dependency("busybox", Operator.IDENTITY, "Q1abc="),
    )
    assert parse_provides("so:libz.so.1=1.3.1 cmd:x=1-r0 virtual so:openssl3:so:libcrypto.so.3=3") == (
        Provided("so:libz.so.1", "1.3.1"),
        Provided("cmd:x", "1-r0"),
        Provided("virtual"),
        Provided("so:openssl3:so:libcrypto.so.3", "3"),
    )


@pytest.fixture(scope="module")
def apk_root(alpine_x86_64: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root that has Alpine's apk 2.14 and a shell."""
    if platform.machine() != "x86_64":
        pytest.skip("this apk is for x86_64")
    root = tmp_path_factory.mktemp("apk")
    subprocess.run([need_tool("tar"), "-xzf", alpine_x86_64, "-C", root, "./bin", "./lib", "./sbin"], check=True)
    return root


def asked(root: Path, pairs: list[tuple[str, str]]) -> list[str]:
    """What ``apk version -t`` says of each pair: ``<``, ``=`` or ``>``."""
    script = 'while read -r first second; do apk version -t "$first" "$second"; done'
    lines = "".join(f"{first} {second}\n" for first, second in pairs)
    done = subprocess.run(
        [need_tool("chroot"), root, "/bin/sh", "-c", script],
        input=lines,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/sbin:/bin"},
        timeout=60,
    )
    return done.stdout.split()


def differs_since_apk_3(*versions: str) -> bool:
    """Whether apk 2 orders these otherwise than apk-package(5) of apk 3: a commit, or a number of several zeros."""
    return any(re.search(r"~|\.00+(?![0-9])", version) for version in versions)


@pytest.mark.data
@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_apk_has_the_same_order(apk_root: Path, data: Path) -> None:
    """Of the rows above, and of versions that Alpine's packages have, apk calls the same one the lower."""
    index = data / "apk" / "index" / "v3.21-main-x86_64.APKINDEX.tar.gz"
    real = sorted(set(re.findall("^V:(.*)$", gzip.decompress(index.read_bytes()).decode("latin-1"), re.MULTILINE)))
    chosen = random.Random(0)  # noqa: S311 - a sample, not a secret
    pairs = [pair for chain in CHAINS for pair in combinations(chain.split(), 2)]
    pairs = chosen.sample([pair for pair in pairs if not differs_since_apk_3(*pair)], 60)
    pairs += [(chosen.choice(real), chosen.choice(real)) for _ in range(20)]
    pairs += [(low, high) for low, high in pairwise(chosen.sample(real, 20)) if low != high]
    ours = ["<=>"[compare_versions(*pair) + 1] for pair in pairs]
    assert ours == asked(apk_root, pairs)


@pytest.mark.data
@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_apk_3_orders_two_things_otherwise_than_apk_2(apk_root: Path) -> None:
    """Where apk-package(5) has changed since, the rows above are the page's order and not apk 2's."""
    pairs = [("1.0", "1.00"), ("1~0a", "1.1")]
    assert asked(apk_root, pairs) == [">", ">"]
    assert all(compare_versions(*pair) < 0 for pair in pairs)


@pytest.mark.data
@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_apk_refuses_no_version_that_is_one(apk_root: Path) -> None:
    """What the rows above have, apk takes for versions; what apk refuses, is none here either."""
    versions = [version for chain in CHAINS for version in chain.split() if "~" not in version]
    wrong = ["1.2aa", "1_foo", "1-1", "1.2-r1x"]
    done = subprocess.run(
        [need_tool("chroot"), apk_root, "/sbin/apk", "version", "--check", *versions, *wrong],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.split() == wrong
    assert not any(map(is_version, wrong))
