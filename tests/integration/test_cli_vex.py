"""`minpack vex` as users run it: what it writes where, and that scanners find it there."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from minpack.oci.read import read_image
from support.command import Ran, minpack
from support.elfmaker import static_program
from support.tools import need_tool

if TYPE_CHECKING:
    from pathlib import Path

LIST = """\
author = "Example Team <security@example.org>"

[vulnerabilities]
CVE-2024-6387 = ["/usr/sbin/sshd"]
CVE-2024-0001 = ["/usr/bin/app", "/usr/bin/other"]
"""
#: Scanners match by this module (grype and trivy, go.mod).
MATCHER = "github.com/openvex/go-vex v0.2.9"
MATCH = """\
package main

import (
	"fmt"
	"os"

	"github.com/openvex/go-vex/pkg/vex"
)

func main() {
	document, err := vex.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	for _, one := range document.Matches(os.Args[2], os.Args[3], os.Args[4:]) {
		fmt.Println(one.Status, one.Justification)
	}
}
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with an image of two platforms, and a list."""
    for name, machine in (("app-amd64", "x86_64"), ("app-arm64", "aarch64")):
        (tmp_path / name).write_bytes(static_program(machine=machine))
    (tmp_path / "vex.toml").write_text(LIST)
    done = minpack(
        "./app-amd64", "./app-arm64", "-o", "image.tar", "-t", "ghcr.io/me/app:1", "--no-cache", cwd=tmp_path
    )
    assert done.code == 0, done.err
    return tmp_path


def run(place: Path, *arguments: str, code: int = 0) -> Ran:
    """Run it."""
    done = minpack("vex", "image.tar", "--from", "vex.toml", "--no-cache", *arguments, cwd=place)
    assert done.code == code, done.err
    return done


def digests(place: Path) -> list[str]:
    """Those of the index and of its images."""
    ((built, _),) = read_image(str(place / "image.tar"))
    return [str(built.digest), *(str(image.digest) for image in built.images)]


def test_the_document_goes_to_stdout_or_to_a_file(place: Path) -> None:
    """The same one; what is not claimed is a note, or in the summary. An older document gives way."""
    printed = run(place)
    assert printed.err.splitlines() == [
        "note: nothing is claimed about CVE-2024-0001: /usr/local/bin/app is there,"
        f" which /usr/bin/app may mean ({one})"
        for one in ("linux/amd64", "linux/arm64")
    ]
    for _ in range(2):
        written = run(place, "-o", "app.vex.json")
        assert (place / "app.vex.json").read_bytes() == printed.out
    assert written.out.decode().splitlines() == [
        "image.tar",
        "  not affected  CVE-2024-6387: /usr/sbin/sshd is not in the image",
        "  not claimed   CVE-2024-0001: /usr/local/bin/app is there, which /usr/bin/app may mean (linux/amd64)",
        "  not claimed   CVE-2024-0001: /usr/local/bin/app is there, which /usr/bin/app may mean (linux/arm64)",
        "",
        "wrote app.vex.json",
    ]


def test_products_are_the_index_and_its_images(place: Path) -> None:
    """By the name in the archive, or another; of one platform that image alone."""

    def products(*arguments: str) -> Any:
        (statement,) = run(place, *arguments).document["statements"]
        return [one["@id"].replace("%3A", ":") for one in statement["products"]]

    index, amd, arm = digests(place)
    assert products() == [f"pkg:oci/app@{one}" for one in (index, amd, arm)]
    assert products("-t", "registry.example/team/Tool".lower()) == [f"pkg:oci/tool@{one}" for one in (index, amd, arm)]
    assert products("--platform", "linux/arm64") == [f"pkg:oci/app@{arm}"]


def test_json_says_what_was_claimed(place: Path) -> None:
    """And what was not, and where the document went."""
    document = run(place, "--json", "-o", "app.vex.json").document
    assert document["schema"] == "minpack.vex/1"
    assert [one["vulnerability"] for one in document["statements"]] == ["CVE-2024-6387"]
    assert [(one["vulnerability"], one["platform"], one["found"]) for one in document["present"]] == [
        ("CVE-2024-0001", "linux/amd64", "/usr/local/bin/app"),
        ("CVE-2024-0001", "linux/arm64", "/usr/local/bin/app"),
    ]
    assert (document["output"], document["left_out"]) == ("app.vex.json", 0)
    assert json.loads((place / "app.vex.json").read_bytes())["timestamp"] == "1970-01-01T00:00:00Z"
    assert run(place, "--created", "86400").document["timestamp"] == "1970-01-02T00:00:00Z"


@pytest.mark.oracle
def test_scanners_find_the_statement(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """As they ask for it: with more qualifiers, by index or image, with the package; of nothing else is there one."""
    run(place, "-o", "app.vex.json")
    matcher = _matcher(tmp_path_factory.mktemp("matcher"))
    for digest in digests(place):
        product = f"pkg:oci/app@{digest.replace(':', '%3A')}?arch=amd64&repository_url=ghcr.io/me/app"
        asked = (matcher, str(place / "app.vex.json"), "CVE-2024-6387", product, "pkg:deb/debian/openssh-server@1:9.2")
        assert subprocess.check_output(asked, text=True) == "not_affected vulnerable_code_not_present\n"
    for unsaid in (("CVE-2024-0001", product), ("CVE-2024-6387", "pkg:oci/other@sha256%3A00")):
        assert subprocess.check_output((matcher, str(place / "app.vex.json"), *unsaid)) == b""


def _matcher(where: Path) -> str:
    """The program that asks as scanners do, built now; the test is skipped where its module is not to be had."""
    (where / "go.mod").write_text(f"module matcher\n\ngo 1.25\n\nrequire {MATCHER}\n")
    (where / "main.go").write_text(MATCH)
    settings = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=mod"}
    build = (need_tool("go"), "build", "-o", "matcher", ".")
    done = subprocess.run(build, cwd=where, env=settings, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        pytest.skip(f"{MATCHER} cannot be built: {done.stderr[-200:]}")
    return str(where / "matcher")
