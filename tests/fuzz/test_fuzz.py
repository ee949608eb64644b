"""Fuzzing each target for a few seconds finds nothing, what was found once is found no more, and finding works.

``python tests/fuzz/run.py`` fuzzes for longer.
"""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING

import pytest

from fuzz.cases import DIRECTORY, cases_of, read_case
from fuzz.run import fuzz
from fuzz.seeds import seeds_of
from fuzz.targets import FUZZED, closure_in, with_sums
from fuzz.watch import Notebook, attempt
from minpack.errors import MinpackError
from minpack.ld.bind import prove
from minpack.ld.closure import Libc
from minpack.ld.dlopen import find_late
from minpack.tar.header import is_header
from support import tarmaker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECONDS = int(os.environ.get("MINPACK_FUZZ_SECONDS", "3"))
CASES = {f"{target}/{name}": (target, data) for target in FUZZED for name, data in cases_of(target).items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", FUZZED)
def test_fuzzing_finds_nothing(name: str, tmp_path: Path) -> None:
    """No input made from the seeds gives any other error than minpack's own, nor takes long or much memory."""
    (tmp_path / "findings").mkdir()
    (tmp_path / "corpus").mkdir()
    outcome = fuzz(name, SECONDS, tmp_path / "findings", tmp_path / "corpus")
    texts = [(tmp_path / "findings" / found).read_text() for found in outcome.findings if found.endswith(".txt")]
    assert not outcome.findings, "\n".join(texts)
    assert outcome.runs > 100


@pytest.mark.parametrize("name", FUZZED)
def test_seeds_are_read(name: str) -> None:
    """Each seed reaches behind the first check: most are read without an error at all."""
    seeds = seeds_of(name)
    assert all(len(seed) <= FUZZED[name].longest for seed in seeds)
    assert not [finding for seed in seeds if (finding := attempt(FUZZED[name].run, seed)) is not None]
    whole = [seed for seed in seeds if not refused(FUZZED[name].run, seed)]
    assert len(whole) >= len(seeds) * 2 // 3 > 0


def test_seeds_of_closures_are_proved() -> None:
    """They have programs of both C libraries, their library is found, and symbols are looked up in it."""
    *closures, audited, dropping = [closure_in(seed) for seed in seeds_of("bind")]
    assert [len(audit.objects) for audit in audited.audits] == [1, 0, 1]
    assert len(dropping.aliases) == 2
    assert {closure.libc for closure in closures} == set(Libc)
    for closure in closures:
        assert not closure.missing
        proof = prove(closure)
        assert proof.looked_up > 5
        assert proof.unbound
        assert bool(proof.versions) == (closure.libc is Libc.GLIBC)
        assert find_late(closure)


def refused(run: Callable[[bytes], None], data: bytes) -> bool:
    """Whether a target ends with one of minpack's errors."""
    try:
        run(data)
    except MinpackError:
        return True
    return False


@pytest.mark.parametrize(("target", "data"), CASES.values(), ids=CASES)
def test_kept_cases_end_well(target: str, data: bytes) -> None:
    """What once went wrong does so no more."""
    assert attempt(FUZZED[target].run, data) is None


def test_cases_are_small_texts_of_known_targets() -> None:
    """Each says what was wrong, and is for one of the targets."""
    paths = sorted(path for path in DIRECTORY.rglob("*") if path.is_file())
    assert {path.parent.name for path in paths} <= set(FUZZED)
    for path in paths:
        assert path.stat().st_size < 8000
        assert path.read_text(encoding="ascii").startswith("# ")
        assert read_case(path)


def _index_error(_: bytes) -> None:
    [].pop()


def _slow(_: bytes) -> None:
    for _number in range(1 << 30):
        if sum(os.times()[:2]) > START + 1.2:
            break


def _large(_: bytes) -> None:
    # More than the tests before it ever had, so that it is this that raises the peak.
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + (300 << 20)
    assert len(bytearray(b"x") * size) > 1


START = sum(os.times()[:2])


@pytest.mark.parametrize(("run", "key"), [(_index_error, "IndexError-outside"), (_slow, "slow"), (_large, "large")])
def test_faults_are_found(
    run: Callable[[bytes], None], key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception, a long run and a large one are findings, and the smallest input of each is kept."""
    monkeypatch.setattr("fuzz.test_fuzz.START", sum(os.times()[:2]))
    finding = attempt(run, b"input")
    assert finding is not None
    assert finding.key == key
    notebook = Notebook(tmp_path, "target")
    for data in (b"longer input", b"short", b"input"):
        notebook.note(finding, data)
    assert (tmp_path / f"target-{key}.bin").read_bytes() == b"short"
    assert (tmp_path / f"target-{key}.txt").read_text()


def test_what_was_large_before_is_no_finding() -> None:
    """Memory that something else in the process took is not laid to an input."""
    _large(b"")
    assert attempt(FUZZED["elf"].run, seeds_of("elf")[0]) is None


def test_minpack_s_own_errors_are_none() -> None:
    """What is refused with an error that has words is no finding."""
    assert attempt(FUZZED["elf"].run, b"no ELF file") is None


def test_sums_are_made_right_all_along_a_tar() -> None:
    """So that mutations of headers are read, and not refused for their sums."""
    wrong = tarmaker.archive(
        tarmaker.header("a", checksum=b"0"),
        tarmaker.member("b", b"x", checksum=b"1"),
        tarmaker.header("c", checksum=b"2"),
    )
    right = with_sums(wrong)
    assert [is_header(wrong[at : at + 512]) for at in (0, 512, 1536)] == [False] * 3
    assert [is_header(right[at : at + 512]) for at in (0, 512, 1536)] == [True] * 3
