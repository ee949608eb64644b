"""Package URLs are those that packageurl-python makes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from packageurl import PackageURL

from minpack.trust.purl import distribution_url, image_url, module_url, package_url

TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
#: Parts of namespaces: a slash separates, and a dot alone is no part.
PART = TEXT.filter(lambda text: "/" not in text and text not in (".", "..") and text.strip() == text)


@settings(max_examples=60)
@given(PART, TEXT, st.lists(PART, max_size=3), st.dictionaries(st.sampled_from(("arch", "distro", "upstream")), PART))
def test_it_is_the_reference_librarys(
    name: str, version: str, namespace: list[str], qualifiers: dict[str, str]
) -> None:
    """Whatever is in name, version, namespace and qualifiers."""
    if version.strip() != version:
        return
    expected = PackageURL("golang", "/".join(namespace) or None, name, version, qualifiers).to_string()
    assert package_url("golang", name, version, "/".join(namespace), qualifiers) == expected


def test_a_source_package_is_named_where_it_is_another() -> None:
    """By its name, and by its version too where that is not the package's."""
    debian = ("debian", "12")
    assert distribution_url("deb", ("libc6", "2.36-9+deb12u10", "amd64"), debian, ("glibc", "2.36-9+deb12u10")) == (
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12&upstream=glibc"
    )
    assert distribution_url("deb", ("libidn2-0", "2.3.3-1+b1", "amd64"), debian, ("libidn2", "2.3.3-1")).endswith(
        "&upstream=libidn2%402.3.3-1"
    )
    own = distribution_url("apk", ("musl", "1.2.5-r0", "x86_64"), ("alpine", "3.20.3"), ("musl", "1.2.5-r0"))
    assert own == "pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.20.3"
    assert "distro=wolfi" in distribution_url("apk", ("a", "1", "x86_64"), ("wolfi", ""), ("", ""))


def test_modules_and_images() -> None:
    """A Go module's path is its namespace; an image is known by the last part of its repository's name."""
    assert module_url("golang", "github.com/x/y", "v1.2.3") == "pkg:golang/github.com/x/y@v1.2.3"
    assert module_url("golang", "stdlib", "1.26.8") == "pkg:golang/stdlib@1.26.8"
    assert module_url("cargo", "serde", "1.0.0") == "pkg:cargo/serde@1.0.0"
    where = "&repository_url=ghcr.io/me/app"
    assert image_url("ghcr.io/me/app", "sha256:aa", "amd64") == f"pkg:oci/app@sha256:aa?arch=amd64{where}"
    assert image_url("docker.io/me/app", "sha256:aa").endswith("?repository_url=index.docker.io/me/app")
    assert image_url("App", "sha256:aa") == "pkg:oci/app@sha256:aa"


def test_bytes_that_are_not_utf8_are_those_bytes() -> None:
    """As a name in a damaged database may have them."""
    assert package_url("apk", "a\udcff") == "pkg:apk/a%FF"
