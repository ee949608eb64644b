"""`minpack verify`."""

from __future__ import annotations

from typing import Any

import click

from minpack.cli.image import image_options, parse_image_argument
from minpack.cli.options import FILLED, Command, Parsed, answer_options, completed
from minpack.cli.sign import image_access, in_registry
from minpack.cli.terminal import drawing, print_json, print_lines
from minpack.errors import UsageError
from minpack.target import parse_platform


@click.command("verify", cls=Command, short_help="Verify an image's signature and contents.")
@click.argument("image", metavar="IMAGE")
@click.option(
    "--key", type=FILLED, metavar="KEY", help="Public key: a file, or env://NAME for a variable that holds the PEM."
)
@click.option(
    "--platform",
    type=Parsed(parse_platform),
    shell_complete=completed("platform"),
    metavar="OS/ARCH",
    help="Verify only the image for this platform, by its own signature. Default: all.",
)
@click.option("--provenance", is_flag=True, help="Also require provenance signed with the key.")
@click.option(
    "--lock",
    type=FILLED,
    metavar="FILE",
    help="With --provenance, require its inputs to match this lock file.",
)
@image_options
@answer_options
def command(image: str, **given: Any) -> None:  # noqa: ANN401 - the options above
    """Verify that IMAGE (in a registry, an OCI layout or an archive) is signed with a key and has not changed since.

    \b
    minpack verify ghcr.io/me/myapp:1.0 --key cosign.pub
    minpack verify ./myapp.tar --key cosign.pub --provenance --lock minpack.lock

    The signature must be of the image itself, not just of an SBOM. minpack compares every blob with its digest. The
    exit code is 3 if the image cannot be trusted; the message says why.
    """  # noqa: D301 - click's mark for a block
    if given["key"] is None:
        hint = "give the signer's public key: --key cosign.pub"
        raise UsageError("minpack verify", "", "--key is missing", hint, verb="run")
    if given["lock"] is not None and not given["provenance"]:
        raise UsageError("--lock", given["lock"], "it is compared with the provenance", "add --provenance")
    ref = in_registry(parse_image_argument(image))
    from minpack.cli.keys import verifying_key  # noqa: PLC0415 - after what is refused at once
    from minpack.images.verify import check_inputs, verify_image  # noqa: PLC0415 - as above

    key, lock = verifying_key(given["key"]), None
    if given["lock"] is not None:
        from minpack.lock.file import read_lock  # noqa: PLC0415 - where there is one

        lock = read_lock(given["lock"])
    with drawing(quiet=given["quiet"]) as progress:
        verified = verify_image(ref, key, image_access(ref, given), progress, given["platform"])
    if given["provenance"]:
        check_inputs(verified, lock, given["lock"] or "")
    if given["as_json"]:
        from minpack.report.signatures import verify_document  # noqa: PLC0415

        print_json(verify_document(verified))
    elif not given["quiet"]:
        from minpack.report.signatures import verify_lines  # noqa: PLC0415

        print_lines(verify_lines(verified, given["key"], given["lock"]))
