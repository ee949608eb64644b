"""Names of images: which there are, what they mean, and which a program's image gets."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minpack.cli.options import value_of
from minpack.errors import UsageError
from minpack.oci.reference import Reference, default_reference, parse_reference

# The grammar of distribution's `reference` package, written out once more and by itself.
COMPONENT = "[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*"
DOMAIN = "([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
GRAMMAR = re.compile(
    rf"({DOMAIN}([.]{DOMAIN})*|\[[a-fA-F0-9:]+\])(:[0-9]+)?/{COMPONENT}(/{COMPONENT})*:[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}"
)


@pytest.mark.parametrize(
    ("text", "full", "familiar"),
    [
        ("app", "docker.io/library/app:latest", "app:latest"),
        ("app:1.0", "docker.io/library/app:1.0", "app:1.0"),
        ("me/app:v1", "docker.io/me/app:v1", "me/app:v1"),
        ("library/app", "docker.io/library/app:latest", "app:latest"),
        ("docker.io/app", "docker.io/library/app:latest", "app:latest"),
        ("library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
        ("index.docker.io/me/app", "docker.io/me/app:latest", "me/app:latest"),
        ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
        ("localhost:5000/app", "localhost:5000/app:latest", "localhost:5000/app:latest"),
        ("localhost:5000", "docker.io/library/localhost:5000", "localhost:5000"),
        ("ghcr.io/me/sub/app:v1-2_3", "ghcr.io/me/sub/app:v1-2_3", "ghcr.io/me/sub/app:v1-2_3"),
        ("[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000/app:latest"),
        ("Host/app", "Host/app:latest", "Host/app:latest"),
        ("a__b/c--d/e.f_g", "docker.io/a__b/c--d/e.f_g:latest", "a__b/c--d/e.f_g:latest"),
        (f"app:{'t' * 128}", f"docker.io/library/app:{'t' * 128}", f"app:{'t' * 128}"),
        ("app:_1", "docker.io/library/app:_1", "app:_1"),
        (f"{'n' * 237}", f"docker.io/library/{'n' * 237}:latest", f"{'n' * 237}:latest"),
    ],
)
def test_names_mean_what_docker_means_by_them(text: str, full: str, familiar: str) -> None:
    """A name is completed as Docker does, and shown as Docker shows it."""
    reference = parse_reference(text)
    assert (str(reference), reference.familiar) == (full, familiar)
    assert GRAMMAR.fullmatch(full)
    assert parse_reference(full) == parse_reference(familiar) == reference


@pytest.mark.parametrize(
    "text",
    [
        "",
        "App",
        "app:",
        ":1",
        "/app",
        "app/",
        "a//b",
        "a..b",
        "a___b",
        "a_.b",
        "-a",
        "a-",
        ".a",
        "me/_app",
        "app:-1",
        "app:.1",
        f"app:{'t' * 129}",
        "app:a b",
        "app\n",
        "app:1\n",
        "größe",
        "ghcr.io/Me/app",
        "-ghcr.io/app",
        "ghcr..io/app",
        "ghcr.io:port/app",
        "ghcr.io:/app",
        "[::1/app",
        f"app@sha256:{'0' * 64}",
        f"app:1@sha256:{'0' * 64}",
        f"{'n' * 238}",
        f"ghcr.io/{'n' * 248}",
        "a" * 64,
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    """What Docker's grammar does not have is a usage error that shows what was given."""
    with pytest.raises(UsageError) as caught:
        parse_reference(text)
    assert caught.value.exit_code == 2
    assert text in (caught.value.value, "")


@pytest.mark.parametrize(
    ("text", "reason", "instead"),
    [
        ("app:1.0+b5", "'1.0+b5' is not a tag", "app:1.0-b5"),
        ("app:", "its tag is empty", ""),
        (":1.0", "a part of its name is empty", ""),
        ("me/", "a part of its name is empty", ""),
        ("me//app", "a part of its name is empty", ""),
        ("app:.1", "'.1' is not a tag", "app:1"),
        ("app:1.0+", "'1.0+' is not a tag", "app:1.0"),
        ("app:+", "'+' is not a tag", "app:latest"),
        (f"app:{'t' * 200}", f"'{'t' * 200}' is not a tag", f"app:{'t' * 128}"),
        ("My_App", "it is not an image name", "my_app"),
        ("ghcr.io/Me/App:V1", "it is not an image name", "ghcr.io/me/app:V1"),
        ("feature/My App:1", "it is not an image name", "feature/my-app:1"),
        ("https://ghcr.io/me/app:1", "it is an address", "ghcr.io/me/app:1"),
        ("docker://me/app", "it is an address", "me/app"),
        (f"me/app:1@sha256:{'0' * 64}", "the digest of an image cannot be chosen", "me/app:1"),
        (" app:1\n", "it has a space", "app:1"),
        ("a" * 64, "64 hexadecimal digits mean an image's ID", ""),
    ],
)
def test_what_was_meant_is_in_the_hint(text: str, reason: str, instead: str) -> None:
    """The hint has a name that can be typed: the one most likely meant, and of an empty part what it comes from."""
    with pytest.raises(UsageError) as caught:
        value_of("--tag", parse_reference)(text)
    assert caught.value.reason == reason
    hint = caught.value.hint or ""
    option, _, typed = hint.rpartition("write ")[2].partition(" ")
    assert (option, typed) == ("--tag", instead or "me/myapp:1.0")
    assert str(parse_reference(typed))
    assert ("is a shell variable unset?" in hint) == ("empty" in reason)


@pytest.mark.parametrize(
    ("program", "name"),
    [
        ("myapp", "myapp"),
        ("My App++", "my-app"),
        ("a..b", "a-b"),
        ("a__b", "a__b"),
        ("a___b", "a-b"),
        ("a_.b", "a-b"),
        ("a--b", "a--b"),
        ("_x", "x"),
        ("-", "app"),
        ("", "app"),
        ("...", "app"),
        ("server.exe", "server.exe"),
        ("größe", "gr-e"),
        ("日本語", "app"),
        ("\udcff", "app"),
        ("n" * 255, "n" * 128),
        ("n" * 127 + ".m", "n" * 127),
    ],
)
def test_images_are_named_after_programs(program: str, name: str) -> None:
    """A program's image is called as the program, as far as images can be."""
    assert default_reference(program) == Reference("docker.io", f"library/{name}", "latest")


@given(st.text(max_size=300))
def test_every_program_has_a_name(program: str) -> None:
    """Whatever a program is called, its image's name is one that engines take."""
    reference = default_reference(program)
    assert GRAMMAR.fullmatch(str(reference))
    assert parse_reference(reference.familiar) == reference


@given(st.text(st.sampled_from("aB0._-/:@[] é\n"), max_size=12))
def test_what_is_taken_is_in_the_grammar(text: str) -> None:
    """Whatever is taken for a name is one in the grammar, and written out it is the same."""
    try:
        reference = parse_reference(text)
    except UsageError:
        return
    assert GRAMMAR.fullmatch(str(reference))
    assert parse_reference(str(reference)) == parse_reference(reference.familiar) == reference
