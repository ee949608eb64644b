"""`minpack build` on several machines: each builds its part, and what one has compressed the others take."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

from minpack.spec.shard import Shard
from support.command import assert_refused, minpack
from support.dockerregistry import running_registry
from support.fakeregistry import FakeRegistry
from support.fleets import make_fleet
from support.tools import need_tool

if TYPE_CHECKING:
    from pathlib import Path

SHARDS = 5


def build(place: Path, *arguments: str, machine: str = "one") -> dict[str, dict[str, Any]]:
    """What became of each image, on a machine with a cache of its own."""
    ran = minpack("build", "--json", *arguments, cwd=place, env={"XDG_CACHE_HOME": str(place / machine)})
    assert ran.code == 0, ran.err
    return {one["name"]: one for one in ran.document["images"]}


def test_each_image_is_in_one_shard(tmp_path: Path) -> None:
    """All shards together are all images, with the digests of one build of all; another image moves none of them."""
    names = make_fleet(tmp_path, 2)
    shards = [build(tmp_path, "--dry-run", "--shard", f"{number}/{SHARDS}") for number in range(1, SHARDS + 1)]
    assert sorted(name for one in shards for name in one) == sorted(names)
    first = next(number for number, one in enumerate(shards, 1) if one)
    built = build(tmp_path, "--shard", f"{first}/{SHARDS}", "-o", "part/")
    every = build(tmp_path, "-o", "all/")
    assert {name: one["digest"] for name, one in built.items()} == {
        name: every[name]["digest"] for name in shards[first - 1]
    }
    with (tmp_path / "minpack.toml").open("a") as file:
        file.write('[image.more]\nprograms = "app0"\n')
    again = build(tmp_path, "--dry-run", "--shard", f"{first}/{SHARDS}")
    assert set(again) - {"more"} == set(built)


def test_what_another_shard_builds_need_not_be_there(tmp_path: Path) -> None:
    """Each job may have its own programs alone; what is wrong with names and settings is told in each all the same."""
    make_fleet(tmp_path, 1)
    mine, other = (next(name for name in map(str, range(99)) if Shard(n, 2).has(name)) for n in (1, 2))
    text = f'[defaults]\nbase = "base.tar"\n[image.{mine}]\nprograms = "app0"\n[image.{other}]\nprograms = "bin/no*"\n'
    (tmp_path / "minpack.toml").write_text(text)
    assert set(build(tmp_path, "--shard", "1/2")) == {mine}
    assert minpack("build", "--shard", "2/2", cwd=tmp_path).code == 2
    (tmp_path / "minpack.toml").write_text(f'{text}tag = "{mine}"\nformat = "oci"\noutput = "out"\n')
    ran = minpack("build", "--shard", "1/2", "--format", "oci", "-o", "out", cwd=tmp_path)
    assert_refused(
        ran, 2, f"cannot use tag '{mine}:latest' in …: {other} and {mine} would both have this name", "give …"
    )
    (tmp_path / "minpack.toml").write_text(f"{text}expose = 'http'\n")
    assert_refused(
        minpack("build", "--shard", "1/2", cwd=tmp_path), 2, "cannot use expose 'http' in …", "for example …"
    )


def test_a_shard_without_images(tmp_path: Path) -> None:
    """It is a success, and said, in the document too."""
    make_fleet(tmp_path, 1)
    empty = next(f"{n}/50" for n in range(1, 51) if not build(tmp_path, "--dry-run", "--shard", f"{n}/50"))
    ran = minpack("build", "--shard", empty, "--summary", "page.md", cwd=tmp_path)
    assert (ran.code, ran.out.decode(), ran.err) == (0, f"no image of minpack.toml is in shard {empty}\n", "")
    assert f"shard {empty}" in (tmp_path / "page.md").read_text()
    document = minpack("build", "--shard", empty, "--json", cwd=tmp_path).document
    assert (document["shard"], document["images"]) == (empty, [])


def test_shards_that_cannot_be_meant(tmp_path: Path) -> None:
    """Another value, and names besides, are refused with what would do."""
    make_fleet(tmp_path, 1)
    refused = "cannot use --shard '0/3': parts are numbered from 1 to 3"
    assert_refused(minpack("build", "--shard", "0/3", cwd=tmp_path), 2, refused, "for example --shard 1/3")
    ran = minpack("build", "i0-0", "--shard", "1/3", cwd=tmp_path)
    assert_refused(ran, 2, "cannot use --shard '1/3': images are named", "give only one of them: …")


def test_the_matrix_of_the_documentation(tmp_path: Path) -> None:
    """`minpack show --json` lists the names that a job for each image takes."""
    names = make_fleet(tmp_path, 1)
    document = minpack("show", "--json", cwd=tmp_path).document
    assert [one["name"] for one in document["images"]] == names
    assert set(build(tmp_path, "--dry-run", names[2])) == {names[2]}


def caches(found: dict[str, dict[str, Any]], what: str) -> list[int]:
    """What each image had of shared caches."""
    return [one["cache"][what] for one in found.values()]


def test_a_second_machine_compresses_nothing(tmp_path: Path) -> None:
    """Whatever another has compressed for the cache, it takes; with an empty cache directory, and the same digests."""
    names = make_fleet(tmp_path, 2)
    with FakeRegistry() as registry:
        cache = f"{registry.host}/team/cache"
        first = build(tmp_path, "--cache-write", cache, "-o", "one/")
        assert sum(caches(first, "compressed")) > 0
        assert registry.tags("team/cache")
        second = build(tmp_path, "--cache", cache, "-o", "two/", machine="two")
        assert [one["state"] for one in second.values()] == ["built"] * len(names)
        assert caches(second, "compressed") == [0] * len(names)
        assert {name: one["digest"] for name, one in second.items()} == {
            name: one["digest"] for name, one in first.items()
        }
        ran = minpack(
            "build", "--cache", cache, "-o", "three/", cwd=tmp_path, env={"XDG_CACHE_HOME": str(tmp_path / "three")}
        )
        assert "0 B compressed here" in ran.out.decode().splitlines()[-2]


def test_shards_share_a_cache_of_a_real_registry(tmp_path: Path) -> None:
    """Two machines push their parts and write one cache; a third takes all from it, and the tags are what it builds."""
    (tmp_path / "registry").mkdir()
    with running_registry(tmp_path / "registry") as host:
        names = make_fleet(tmp_path, 2, f'tag = "{host}/team/{{name}}:1"\npush = true')
        cache = f"{host}/team/cache"
        parts = [build(tmp_path, "--shard", f"{n}/2", "--cache-write", cache, machine=str(n)) for n in (1, 2)]
        third = build(tmp_path, "--cache", cache, machine="3")
        assert caches(third, "compressed") == [0] * len(names)
        pushed = {name: one["digest"] for part in parts for name, one in part.items()}
        assert pushed == {name: one["digest"] for name, one in third.items()}
        inspect = [need_tool("skopeo"), "inspect", "--tls-verify=false", "--format", "{{.Digest}}"]
        for name in names[:2]:
            done = subprocess.run(
                [*inspect, f"docker://{host}/team/{name}:1"], capture_output=True, text=True, check=True
            )
            assert done.stdout.strip() == pushed[name]
