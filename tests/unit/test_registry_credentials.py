"""Credentials: whose are found for which repository, and what is said of files and helpers that cannot be used."""

from __future__ import annotations

import base64
import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from minpack.errors import CredentialsError
from minpack.registry.credentials import Credential, Credentials
from minpack.registry.helper import ask_helper
from minpack.registry.options import Login, RegistryOptions
from minpack.registry.repository import ImageRepository
from minpack.registry.secret import Redactor, Secret

if TYPE_CHECKING:
    from pathlib import Path

HUB = ImageRepository("docker.io", "library/alpine")
QUAY = ImageRepository("quay.io", "ns/group/app")
PORT = ImageRepository("registry.example:5000", "app")


def auth(user: str, password: str = "password") -> dict[str, Any]:  # noqa: S107 - a test's own
    """An entry as ``docker login`` writes it."""
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def found(place: Path, document: object, repository: ImageRepository) -> Credential | None:
    """What is found in a file of `document`."""
    file = place / "config.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return Credentials(RegistryOptions(auth_files=(str(file),))).find(repository)


def user(credential: Credential | None) -> str | None:
    """Whose they are."""
    return None if credential is None else credential.username.reveal()


@pytest.mark.parametrize(
    ("keys", "repository", "wanted"),
    [
        (["quay.io"], QUAY, "quay.io"),
        (["quay.io", "quay.io/ns"], QUAY, "quay.io/ns"),
        (["quay.io/ns/group/app", "quay.io/ns/group", "quay.io"], QUAY, "quay.io/ns/group/app"),
        (["quay.io/other", "quay.io/ns/group/app/more", "quay.io/n"], QUAY, None),
        (["https://quay.io", "http://other.io"], QUAY, "https://quay.io"),
        (["https://quay.io/v1/"], QUAY, "https://quay.io/v1/"),
        (["quay.io/v2/"], QUAY, "quay.io/v2/"),
        (["quay.io", "https://quay.io/v1/"], QUAY, "quay.io"),
        (["https://quay.io.evil.example/v1/", "https://evil.example/quay.io"], QUAY, None),
        (["registry.example", "registry.example:5001"], PORT, None),
        (["registry.example:5000"], PORT, "registry.example:5000"),
        (["https://index.docker.io/v1/"], HUB, "https://index.docker.io/v1/"),
        (["docker.io"], HUB, "docker.io"),
        (["docker.io/library"], HUB, "docker.io/library"),
        (["registry-1.docker.io"], HUB, "registry-1.docker.io"),
        (["quay.io"], HUB, None),
        ([], HUB, None),
    ],
)
def test_the_most_specific_key_counts(
    tmp_path: Path, keys: list[str], repository: ImageRepository, wanted: str | None
) -> None:
    """As containers-auth.json(5) has it, with Docker's older addresses last; and never those of another host."""
    entries = {key: auth(key.replace(":", "_")) for key in keys}
    assert user(found(tmp_path, {"auths": entries}, repository)) == (wanted.replace(":", "_") if wanted else None)


@pytest.mark.parametrize(
    ("entry", "wanted"),
    [
        (auth("me", "pass:word"), ("me", "pass:word", "", "")),
        ({"username": "me", "password": "x"}, ("me", "x", "", "")),
        ({**auth("me", ""), "identitytoken": "id"}, ("me", "", "id", "")),
        ({"identitytoken": "id"}, ("", "", "id", "")),
        ({"registrytoken": "reg"}, ("", "", "", "reg")),
        ({"auth": base64.b64encode(b"me:x\0\0").decode()}, ("me", "x", "", "")),
        (auth("<token>", "id"), ("<token>", "id", "id", "")),
        ({"auth": base64.b64encode("mé:pü".encode()).decode()}, ("mé", "pü", "", "")),
    ],
)
def test_each_form_of_an_entry(tmp_path: Path, entry: dict[str, str], wanted: tuple[str, ...]) -> None:
    """A password, an identity token or a registry token, as Docker and podman write them."""
    credential = found(tmp_path, {"auths": {"quay.io": entry}}, QUAY)
    assert credential is not None
    assert tuple(secret.reveal() for secret in credential[1:]) == wanted
    assert credential.source == str(tmp_path / "config.json")


@pytest.mark.parametrize(
    "document", [{}, {"auths": {}}, {"auths": {"quay.io": {}}}, {"auths": []}, {"auths": {"quay.io": 1}}]
)
def test_an_empty_file_has_none(tmp_path: Path, document: object) -> None:
    """Entries that are empty, as those of hosts whose credentials a store keeps, are none."""
    assert found(tmp_path, document, QUAY) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is not JSON"),
        ("{", "it is not JSON"),
        ('{"auths": {"quay.io": {"auth": "s3cret"', "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[]", "it is not a JSON object"),
        ('{"auths": {"quay.io": {"auth": "***s3cret***"}}}', "its entry for quay.io is not USER:PASSWORD in base64"),
        ('{"auths": {"quay.io": {"auth": "czNjcmV0"}}}', "its entry for quay.io is not USER:PASSWORD in base64"),
        ('{"auths": {"quay.io": {"auth": "/////w=="}}}', "its entry for quay.io is not USER:PASSWORD in base64"),
        (" " * ((4 << 20) + 1), "expected at most 4194304"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, text: str, reason: str) -> None:
    """The file, what is wrong with it, and nothing of what stands in it."""
    with pytest.raises(CredentialsError, match=reason) as caught:
        found(tmp_path, text, QUAY)
    error = caught.value
    assert str(tmp_path / "config.json") in error.message
    assert not [
        shown
        for shown in (error.message, str(error.hint), repr(error.data), repr(error.__cause__))
        if "s3cret" in shown
    ]
    assert "docker login" in (error.hint or "")


def test_a_file_that_is_not_there_has_none(tmp_path: Path) -> None:
    """The next one counts; a directory, a pipe and what may not be read are errors."""
    (tmp_path / "second.json").write_text(json.dumps({"auths": {"quay.io": auth("second")}}))
    files = (str(tmp_path / "missing"), str(tmp_path / "second.json" / "below"), str(tmp_path / "second.json"))
    assert user(Credentials(RegistryOptions(auth_files=files)).find(QUAY)) == "second"
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(CredentialsError, match="not a regular file"):
            Credentials(RegistryOptions(auth_files=(str(tmp_path / name),))).find(QUAY)


def test_the_first_file_that_has_some_counts(tmp_path: Path) -> None:
    """Files are asked in their order; what was typed counts before all, for its registry alone."""
    for name, key in (("one", "docker.io"), ("two", "quay.io"), ("three", "quay.io")):
        (tmp_path / name).write_text(json.dumps({"auths": {key: auth(name)}}))
    files = tuple(str(tmp_path / name) for name in ("one", "two", "three"))
    typed = Login("docker.io", Secret("typed"), Secret("x"))
    credentials = Credentials(RegistryOptions(login=typed, auth_files=files))
    assert (user(credentials.find(QUAY)), user(credentials.find(HUB))) == ("two", "typed")
    assert user(Credentials(RegistryOptions(auth_files=files)).find(HUB)) == "one"


# --- helpers


@pytest.fixture
def helpers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of helpers that is searched first."""
    place = tmp_path / "bin"
    place.mkdir()
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    return place


def helper(place: Path, name: str, script: str) -> None:
    """A helper that does what the shell script says."""
    file = place / f"docker-credential-{name}"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def answering(user: str) -> str:
    """A script that answers as helpers do."""
    return f"""read server; echo '{{"ServerURL":"'$server'","Username":"{user}","Secret":"from '$1 $server'"}}'"""


NOTHING = "echo credentials not found in native keychain; exit 1"


def test_helpers_come_before_entries(helpers: Path, tmp_path: Path) -> None:
    """That of the host first, then the store of all, then the entries; each may have nothing."""
    helper(helpers, "host", answering("host"))
    helper(helpers, "store", answering("store"))
    helper(helpers, "none", NOTHING)
    entries = {"quay.io": auth("entry"), "https://index.docker.io/v1/": auth("entry")}
    everything = {"credHelpers": {"quay.io": "host"}, "credsStore": "store", "auths": entries}
    assert user(found(tmp_path, everything, QUAY)) == "host"
    assert user(found(tmp_path, everything, HUB)) == "store"
    assert user(found(tmp_path, {**everything, "credHelpers": {"quay.io": "none"}}, QUAY)) == "store"
    assert user(found(tmp_path, {"credsStore": "none", "auths": entries}, HUB)) == "entry"
    assert found(tmp_path, {"credsStore": "none"}, HUB) is None


@pytest.mark.parametrize(
    ("repository", "server"), [(HUB, "https://index.docker.io/v1/"), (QUAY, "quay.io"), (PORT, "registry.example:5000")]
)
def test_what_a_helper_is_asked(helpers: Path, tmp_path: Path, repository: ImageRepository, server: str) -> None:
    """It gets ``get`` and the server, as from Docker."""
    helper(helpers, "it", answering("me"))
    credential = found(tmp_path, {"credHelpers": {repository.host: "it"}}, repository)
    assert credential is not None
    assert (credential.password.reveal(), credential.source) == (f"from get {server}", "docker-credential-it")


def test_a_helper_is_asked_once(helpers: Path, tmp_path: Path) -> None:
    """For all repositories of a host."""
    helper(helpers, "it", f"echo x >>{tmp_path}/asked\n{answering('me')}")
    (tmp_path / "config.json").write_text(json.dumps({"credsStore": "it"}))
    credentials = Credentials(RegistryOptions(auth_files=(str(tmp_path / "config.json"),)))
    for name in ("a", "b", "a"):
        assert user(credentials.find(ImageRepository("quay.io", name))) == "me"
    assert (tmp_path / "asked").read_text() == "x\n"


def test_an_identity_token_of_a_helper(helpers: Path, tmp_path: Path) -> None:
    """The user ``<token>`` says that the secret is one."""
    helper(helpers, "it", answering("<token>"))
    credential = found(tmp_path, {"credsStore": "it"}, QUAY)
    assert credential is not None
    assert (credential.identity_token.reveal(), user(credential)) == ("from get quay.io", "")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (None, "program not found"),
        ("echo the key ring is locked; exit 3", "it failed with exit code 3: the key ring is locked"),
        ("exit 1", "it failed with exit code 1$"),
        ("kill -9 $$", "it failed with exit code -9$"),
        ('echo "{\\"Secret\\": \\"s3cret\\"}"; exit 1', "it failed with exit code 1$"),
        ("echo s3cret >&2; exit 1", "it failed with exit code 1$"),
        ("echo s3cret", "its answer is not a user and a secret in JSON"),
        ("echo '[]'", "its answer is not a user and a secret in JSON"),
        ("""echo '{"Username": "s3cret"}'""", "its answer is not a user and a secret in JSON"),
        ("""echo '{"Username": 1, "Secret": "s3cret"}'""", "its answer is not a user and a secret in JSON"),
        (":", "its answer is not a user and a secret in JSON"),
        ("exec cat /dev/zero", "its answer has more than 1048576 bytes"),
        ("exec sleep 100", "it has not answered within 0.5 seconds"),
        ("sleep 100 & sleep 100", "it has not answered within 0.5 seconds"),
        ("exec >&-; exec sleep 100", "it has not ended within 0.5 seconds"),
    ],
)
def test_a_helper_that_fails_is_named(helpers: Path, script: str | None, reason: str) -> None:
    """Missing, failing, talking without end or hanging: one error within bounds, and never what it may know."""
    if script is not None:
        helper(helpers, "it", script)
    began = time.monotonic()
    with pytest.raises(CredentialsError, match=reason) as caught:
        ask_helper("it", "quay.io", 0.5)
    assert time.monotonic() - began < 10
    assert caught.value.source == "docker-credential-it"
    assert "s3cret" not in f"{caught.value.message}{caught.value.hint}{caught.value.__cause__!r}"


@pytest.mark.parametrize("name", ["../../bin/sh", "a b", "x\n", "/bin/true", "\x1b[31m"])
def test_a_helper_has_a_name(helpers: Path, name: str) -> None:
    """A name from a file leads to no other program."""
    with pytest.raises(CredentialsError, match="a helper's name") as caught:
        ask_helper(name, "quay.io")
    assert caught.value.message.isprintable()


def test_a_helper_is_ended_with_all_that_it_started(helpers: Path, tmp_path: Path) -> None:
    """What hangs does not stay behind."""
    helper(helpers, "it", f"sleep 100 & echo $! >{tmp_path}/pid; wait")
    with pytest.raises(CredentialsError, match="not answered"):
        ask_helper("it", "quay.io", 0.5)
    pid = int((tmp_path / "pid").read_text())
    for _ in range(200):
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return
        except OSError:
            return
        time.sleep(0.05)
    pytest.fail("it still runs")


# --- secrets


def test_a_secret_has_no_text_form() -> None:
    """Neither by itself nor within a value, nor pickled."""
    import pickle

    secret = Secret("s3cret")
    credential = Credential("file", secret, secret, secret, secret)
    login = Login("quay.io", secret, secret)
    for value in (secret, credential, login, RegistryOptions(login=login)):
        assert "s3cret" not in f"{value!r} {value}"
        with pytest.raises(TypeError):
            pickle.dumps(value)
    assert secret.reveal() == "s3cret"
    assert secret == Secret("s3cret")
    assert secret not in ("s3cret", Secret("other"))
    assert not Secret("")


def test_what_was_sent_is_not_repeated() -> None:
    """A redactor takes longer secrets before those that are part of them, and leaves what is too short to be one."""
    redactor = Redactor()
    assert redactor.redact("all of it") == "all of it"
    redactor.learn(Secret("word"), Secret("password.*"), Secret("abc"), Secret(""))
    assert redactor.redact("my password.* and word, abc") == "my … and …, abc"


def test_what_another_thread_sent_meanwhile_is_not_repeated() -> None:
    """What is learned while something else is being learned is not lost."""
    redactor = Redactor()

    class Slow(Secret):
        __slots__ = ()

        def reveal(self) -> str:
            redactor.learn(Secret("token"))
            return super().reveal()

    redactor.learn(Slow("password"))
    assert redactor.redact("my token and password") == "my … and …"
