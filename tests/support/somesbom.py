"""Some SBOMs, made by hand: an image with one of each kind of component, an index, and one with hostile values."""

from __future__ import annotations

import hashlib

from minpack.base.os_release import Distribution
from minpack.base.packages import PackageFacts, PackageId
from minpack.needs.findings import Module
from minpack.needs.modules import BuiltFrom
from minpack.paths import RootPath, normal
from minpack.trust.components import ComponentKind, Contents, DependsOn, Sbom, SbomFile, Subject
from minpack.trust.packages import data_component, package_component
from minpack.trust.programs import module_components, program_component

DISTRIBUTION = Distribution("alpine", "3.22.1", "Alpine Linux v3.22")


def digest(text: str) -> str:
    """A digest like no other's."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def sums(path: str) -> tuple[str, str]:
    """The sums of a file that has its path in it."""
    data = path.encode("utf-8", "surrogatepass")
    return hashlib.sha256(data).hexdigest(), hashlib.sha1(data, usedforsecurity=False).hexdigest()


def image(architecture: str = "amd64", arch: str = "x86_64") -> Contents:
    """A program of Go on a library of Alpine, with certificates."""
    package = PackageId(
        *("libcrypto3", "3.5.1-r0", arch, "alpine v3.22 main", "https://mirror.example/x.apk"),
        *("ab" * 32, 1, "alpine-devel@example-1.rsa.pub"),
    )
    address = f"https://dl-cdn.alpinelinux.org/alpine/v3.22/main/{arch}/libcrypto3-3.5.1-r0.apk"
    maker = "Natanael Copa <ncopa@alpinelinux.org>"
    facts = PackageFacts("openssl", "3.5.1-r0", ("Apache-2.0",), maker, address)
    library = package_component(ComponentKind.APK, package, facts, DISTRIBUTION)
    built = BuiltFrom("Go", "1.26.8", Module("example.com/app", ""), ())
    program, certifi = program_component(RootPath("/usr/local/bin/app"), built), data_component("certifi", "2026.10.19")
    (stdlib,) = module_components(built)
    files = (
        SbomFile(RootPath("/usr/local/bin/app"), *sums(f"app {arch}"), program.key, "the program"),
        SbomFile(RootPath("/usr/lib/libcrypto.so.3"), *sums(f"crypto {arch}"), library.key, "needed by the program"),
        SbomFile(RootPath("/etc/ssl/certs/ca-certificates.crt"), *sums("certs"), "", "calls tls", certifi.key),
    )
    needs = (DependsOn(program.key, library.key, ("libcrypto.so.3",)), DependsOn(program.key, stdlib.key))
    subject = Subject("ghcr.io/me/app", digest(arch), f"linux/{architecture}", architecture)
    return Contents(subject, DISTRIBUTION, (library, program, certifi, stdlib), files, needs)


ALPINE = Sbom(image().subject, (image(),))
INDEX = Sbom(Subject("ghcr.io/me/app", digest("index")), (image(), image("arm64", "aarch64")))


def with_texts(name: str, version: str, licence: str, supplier: str, path: str) -> Sbom:
    """An SBOM with these texts in it."""
    facts = PackageFacts(name, version, (licence,), supplier, f"https://example.com/{name}/{version}")
    distribution = Distribution(name, version, supplier)
    package = package_component(ComponentKind.DEB, PackageId(name, version, licence), facts, distribution)
    where = normal(f"/srv/{path}")
    program = program_component(where, BuiltFrom("Go", version, Module(name, version), ()))
    files = (
        SbomFile(where, *sums(path), program.key, supplier),
        SbomFile(normal(f"/lib/{path}"), *sums(path), package.key, path),
    )
    subject = Subject(name, "", "linux/amd64", "amd64")
    needs = (DependsOn(program.key, package.key, (path, name)),)
    return Sbom(subject, (Contents(subject, distribution, (package, program), files, needs),))


def _hostile() -> Sbom:
    first = with_texts("a\x1b[31m\udcff", "1\n2\x00", "(((", "Evil (Person: x) <a b@c>", "\udcff").images[0]
    others = (
        with_texts("a b", "1", "GPL-2+", "<>", "x" * 4000),
        with_texts("a-b", "1", "M\u202eIT", "Team \r\n", "a\nb"),
        with_texts("n" * 5000, "v" * 5000, "l" * 5000, "s" * 5000, "%FF/\U0001f600"),
    )
    images = [first, *(one.images[0] for one in others)]
    return Sbom(
        first.subject,
        (
            Contents(
                first.subject,
                first.distribution,
                tuple(component for one in images for component in one.components),
                tuple(file for one in images for file in one.files),
                tuple(dependency for one in images for dependency in one.dependencies),
            ),
        ),
    )


HOSTILE = _hostile()
