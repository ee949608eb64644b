"""Credential helpers: programs that keep passwords, asked as Docker asks them (docker-credential-helpers, README)."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from contextlib import suppress
from threading import Thread

from minpack.errors import CredentialsError, reason_of
from minpack.net.web import printable

#: How long a helper may take, in seconds: some ask the user to unlock a key ring.
PATIENCE = 60.0
_MOST_OUTPUT = 1 << 20
#: What a helper says that has nothing for the server.
_NOT_FOUND = "credentials not found in native keychain"
_HINT = "it is named in Docker's configuration (credHelpers, credsStore): install it, or log in without it"
_CHECK = "check it with: echo {} | {} get"


def ask_helper(name: str, server: str, patience: float | None = None) -> tuple[str, str] | None:
    """The user and the secret that ``docker-credential-NAME`` has for `server`; None if it has none.

    :raises CredentialsError: it is missing, fails, takes too long, says too much, or something else than it should.
    """
    program = f"docker-credential-{name}"
    if re.fullmatch(r"[\w.-]+", name) is None:
        raise CredentialsError(
            printable(program), "a helper's name may have only letters, digits, '.', '_' and '-'", _HINT
        )
    status, output = _run(program, server, PATIENCE if patience is None else patience)
    said = output.decode(errors="replace").strip()
    if status != 0:
        if said == _NOT_FOUND:
            return None
        # What looks like an answer is not shown: it may have the secret in it.
        shown = f": {printable(said)}" if said and not re.search(r"[{}]|secret", said, re.IGNORECASE) else ""
        raise CredentialsError(program, f"it failed with exit code {status}{shown}", _CHECK.format(server, program))
    try:
        answer = json.loads(output)
        username, secret = answer["Username"], answer["Secret"]
    except (ValueError, RecursionError, LookupError, TypeError):
        username = secret = None
    if not isinstance(username, str) or not isinstance(secret, str):
        raise CredentialsError(program, "its answer is not a user and a secret in JSON", _CHECK.format(server, program))
    return username, secret


def _run(program: str, server: str, patience: float) -> tuple[int, bytes]:
    """The exit code and the output, read up to a limit and waited for only so long."""
    try:
        # In a session of its own it can be ended with all that it started.
        process = subprocess.Popen(
            [program, "get"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )
    except OSError as error:
        reason = "program not found" if isinstance(error, FileNotFoundError) else reason_of(error)
        raise CredentialsError(program, reason, _HINT) from error
    output: list[bytes] = []
    # A pipe that nobody writes to any more may stay open in what the helper started.
    reader = Thread(target=lambda: output.append(_talk(process, server)), daemon=True)
    try:
        reader.start()
        reader.join(patience)
        if not output:
            raise CredentialsError(program, f"it has not answered within {patience:g} seconds", _HINT)
        if len(output[0]) > _MOST_OUTPUT:
            raise CredentialsError(program, f"its answer has more than {_MOST_OUTPUT} bytes", _HINT)
        try:
            return process.wait(patience), output[0]
        except subprocess.TimeoutExpired:
            raise CredentialsError(program, f"it has not ended within {patience:g} seconds", _HINT) from None
    finally:
        _end(process)


def _talk(process: subprocess.Popen[bytes], server: str) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    output = b""
    with suppress(OSError):
        process.stdin.write(server.encode())
        process.stdin.close()
    with suppress(OSError, ValueError):
        while len(output) <= _MOST_OUTPUT and (piece := process.stdout.read(_MOST_OUTPUT)):
            output += piece
    return output


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the helper and all of its session, if it still runs, and let go of its pipes."""
    if process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
