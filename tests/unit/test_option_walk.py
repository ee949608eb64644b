"""No option is without effect: what each is given changes what its command does, or the command refuses it.

A new option fails the first test here until it has a row, and the last one until it is told where it does nothing.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from support.optionwalk import NAMED, Walk, commands, options

if TYPE_CHECKING:
    from collections.abc import Generator

#: Commands whose options are walked elsewhere, and where: what follows the image is the program's there.
#: The options of build that are pack's are compared with pack's own.
ELSEWHERE = {
    "run": "tests/integration/test_run_image.py",
    "build": "tests/unit/test_cli_config.py",
    "trace": "tests/integration/test_trace.py",
}
COMMANDS = {name: command for name, command in commands() if name not in ELSEWHERE}
SUM = "0" * 128

#: Options that several commands have: by option, the call without its command, and what is added to it.
PRINTING = {"--quiet": "--quiet", "--json": "--json"}
VERBOSE = {"--verbose": "--verbose"}
FILES = {
    "--strip": ("./go", "--strip"),
    "--dest": ("./app", "--dest /opt/app"),
    "--add": ("./packaged --base apk.tar", "--add libfoo:/usr/lib/libfoo.so.1"),
    "--chown": ("./app --add cert.pem:/etc/file", "--chown nobody-here"),
    "--exclude": ("./musl --base base --add plugins:/plugins", "--exclude *"),
    "--any-user": ("./musl --base base --user root --dir /usr/lib:0700:0:0", "--any-user"),
    "--dir": ("./packaged --base apk.tar", "--dir /usr/local/bin/packaged"),
    "--symlink": ("./packaged --base apk.tar", "--symlink nowhere:/usr/lib/libfoo.so.1"),
    "--add-lib": ("./packaged --base apk.tar", "--add-lib libbar.so.2"),
    "--retarget": ("./stored --base base", "--retarget"),
    "--take": ("./musl --base base", "--take /etc/services"),
    "--allow-missing": ("./packaged --base musl.tar", "--allow-missing libfoo.so.1"),
    "--strict": ("./musl --base base --add plugins:/plugins", "--strict"),
    "--need": ("./app", "--need certs"),
    "--no-need": ("./go", "--no-need certs"),
    "--tz": ("./app", "--tz Asia/Tokyo"),
    "--locale": ("./glibc --base glibcbase", "--locale de_DE.UTF-8"),
    "--ca-file": ("./app", "--ca-file cert.pem"),
    "--env": ("./musl --base base", "--env LD_PRELOAD=/opt/libplug.so"),
    "--user": ("./musl --base base --dir /usr/lib:0700:0:0", "--user root"),
    "--workdir": ("./elsewhere --base base --env LD_LIBRARY_PATH=.", "--workdir /opt"),
    "--check": ("./unbound --base base", "--check none"),
    "--package": ("./packaged --base apk.tar", "--package libbar"),
    "--no-packages": ("./packaged --base apk.tar", "--no-packages"),
    "--keys": ("./packaged --base apk.tar", "--keys no-keys"),
    "--no-package-data": ("./debian --base debian-12 --keys debian-keys --check none", "--no-package-data"),
    "--base": ("./app", "--base base"),
    "--platform": ("./app", "--platform linux/amd64/v2"),
}
STORE = {
    "--base-sha512": ("./app --base musl.tar", f"--base-sha512 {SUM}"),
    "--mirror": (f"./app --base {NAMED}", "--mirror OTHER"),
    "--offline": (f"./app --base {NAMED}", "--offline"),
    "--cache-dir": (f"./app --base {NAMED}", "--cache-dir kept"),
    "--no-cache": (f"./app --base {NAMED}", "--no-cache"),
}
#: Of commands that push or pull, after what does so with SECURE.
REGISTRIES = {
    "--username": "--username me",
    "--password-stdin": "--password-stdin",
    "--registry-ca": "--registry-ca registry-ca.pem",
    "--insecure": "--insecure SECURE",
}
#: Of commands that use shared caches, after what does something.
CACHES = {
    "--cache": ("", "--cache REGISTRY/me/cache"),
    "--cache-write": ("", "--cache-write REGISTRY/me/cache"),
    "--verify-cache": (" --cache REGISTRY/me/cache", "--verify-cache"),
}
#: Of commands that run and measure an image, after what names it.
ACCEPTANCE = {
    "--max-size": ("", "--max-size 1"),
    "--max-unpacked": ("", "--max-unpacked 1"),
    "--smoke": ("", "--smoke ''"),
    "--smoke-exit": (" --smoke ''", "--smoke-exit 3"),
    "--smoke-output": (" --smoke ''", "--smoke-output x"),
    "--smoke-time-limit": ("", "--smoke-time-limit 9"),
}
#: A call of each command that only pulls.
PULLING = {
    "base pull": "SECURE/me/base",
    "base info": "SECURE/me/base",
    "tree": "./app --base SECURE/me/base",
    "lock": "./app --base SECURE/me/base",
    "update": "./packaged --base SECURE/me/base",
    "vex": "docker://SECURE/me/base --from vex.toml",
    "outdated": "docker://SECURE/me/base",
    "check": "SECURE/me/base",
    "deployment": "SECURE/me/base --for kubernetes",
    "export": "SECURE/me/base -o out/tree",
    "debug": "SECURE/me/base --tools-base tools.tar -o out/image",
    "diff": "image.tar SECURE/me/base",
    "report": "SECURE/me/base",
    "why": "SECURE/me/base /etc/lower",
    "inspect": "SECURE/me/base --path /etc/lower",
    "sbom": "./app --base SECURE/me/base",
    "sign": "SECURE/me/base --key me.key",
    "verify": "SECURE/me/base --key me.pub",
}
#: An image of a registry that can be reached, which nobody signed.
UNSIGNED = "SECURE/me/base --registry-ca registry-ca.pem --key me.pub"
#: An image that gets tools of a base of this host.
DEBUGGED = "image.tar --tools-base tools.tar -o out/image"
IMAGES = {
    "--tag": "-o out/image --tag me/app:1",
    "--output": "-o out/other",
    "--format": "-o out/image --format oci",
    "--load": "--load",
    "--engine": "--engine docker",
    "--created": "-o out/image --created 77",
    "--compress": "-o out/image --compress small",
    "--zstd": "-o out/image --zstd",
    "--label": "-o out/image --label a=b",
    "--annotation": "-o out/image --annotation a=b",
    "--digest-file": "-o out/image --digest-file out/digest",
    "--env": "-o out/image --env A=b",
    "--cmd": "-o out/image --cmd x",
}
HEALTH = "./app -o out/image --health tcp://:80"
OWN: dict[str, dict[str, tuple[str, str]]] = {
    "pack": {
        "--push": ("./app -o out/image -t REGISTRY/me/app", "--push"),
        "--trace": ("./app -o out/image", "--trace ''"),
        "--single-layer": ("./app -o out/image", "--single-layer"),
        "--summary": ("./app -o out/image", "--summary out/summary"),
        "--against": ("./app -o out/image --summary out/summary", "--against image.tar"),
        "--provenance": ("./app -o out/image", "--provenance"),
        "--builder-id": ("./app -o out/image --provenance", "--builder-id https://ci.example.org"),
        "--attest-in-index": ("./app -o out/image --provenance", "--attest-in-index"),
        "--sbom": ("./app -o out/image", "--sbom spdx"),
        "--sbom-in-image": ("./app -o out/image --sbom spdx", "--sbom-in-image"),
        "--on": ("./app -o out/image", "--on lower"),
        "--force": ("./app --format rootfs -o old", "--force"),
        "--entrypoint": ("./app -o out/image", "--entrypoint /bin/other"),
        "--expose": ("./app -o out/image", "--expose 80"),
        "--volume": ("./app -o out/image", "--volume /data"),
        "--stop-signal": ("./app -o out/image", "--stop-signal INT"),
        "--health": ("./app -o out/image", "--health http://:8080"),
        "--health-interval": (HEALTH, "--health-interval 5s"),
        "--health-timeout": (HEALTH, "--health-timeout 5s"),
        "--health-start-period": (HEALTH, "--health-start-period 5s"),
        "--health-start-interval": (f"{HEALTH} --health-start-period 5s", "--health-start-interval 1s"),
        "--health-retries": (HEALTH, "--health-retries 5"),
        "--cap": ("./app -o out/image", "--cap net_bind_service"),
        "--why": ("./go -o out/image", "--why"),
        "--lock": ("./packaged --locked -o out/image", "--lock out/none"),
        "--locked": ("./packaged --base apk.tar -o out/image", "--locked"),
        "--dry-run": ("./app -o out/image", "--dry-run"),
        **{option: (f"./app -o out/image{before}", more) for option, (before, more) in ACCEPTANCE.items()},
        "--sign": ("./app -o out/image", "--sign me.key"),
        "--signature-format": ("./app -o out/image --sign me.key", "--signature-format classic"),
        "--debug": ("./app -o out/image --tools-base tools.tar", "--debug"),
        "--tools": ("./app -o out/image --debug --tools-base tools.tar", "--tools libfoo"),
        "--tools-base": (f"./app -o out/image --debug --tools-base {NAMED}", "--tools-base tools.tar"),
    },
    "debug": {
        **{
            option: (DEBUGGED, more.removeprefix("-o out/image "))
            for option, more in IMAGES.items()
            if option not in ("--label", "--env", "--cmd", "--output")
        },
        "--output": (DEBUGGED, "-o out/other"),
        "--force": ("image.tar --tools-base tools.tar --format oci -o old", "--force"),
        "--push": (f"{DEBUGGED} -t REGISTRY/me/debug", "--push"),
        "--platform": (DEBUGGED, "--platform linux/arm64"),
        "--user": (DEBUGGED, "--user root"),
        "--attach": (DEBUGGED, "--attach web"),
        "--exec": (DEBUGGED, "--exec"),
        "--tools": (DEBUGGED, "--tools libfoo"),
        "--tools-base": (f"image.tar -o out/image --tools-base {NAMED}", "--tools-base tools.tar"),
        "--keys": (f"{DEBUGGED} --tools libfoo", "--keys no-keys"),
        "--mirror": (f"image.tar -o out/image --tools-base {NAMED}", "--mirror OTHER"),
        "--offline": (f"image.tar -o out/image --tools-base {NAMED}", "--offline"),
        "--cache-dir": (f"image.tar -o out/image --tools-base {NAMED}", "--cache-dir kept"),
        "--no-cache": (f"image.tar -o out/image --tools-base {NAMED}", "--no-cache"),
    },
    "sign": {
        "--key": ("signed.tar", "--key me.key"),
        "--signature-format": ("signed.tar --key me.key", "--signature-format classic"),
        "--generate-key": ("-o out/new", "--generate-key"),
        "--output": ("--generate-key", "-o out/new"),
        "--created": ("signed.tar --key me.key", "--created 77"),
        "--cache-dir": (UNSIGNED.replace("me.pub", "me.key"), "--cache-dir kept"),
        "--no-cache": (UNSIGNED.replace("me.pub", "me.key"), "--no-cache"),
        "--offline": (UNSIGNED.replace("me.pub", "me.key"), "--offline"),
    },
    "verify": {
        "--key": ("signed.tar", "--key me.pub"),
        "--platform": ("signed.tar --key me.pub", "--platform linux/arm64"),
        "--provenance": ("signed.tar --key me.pub", "--provenance"),
        "--lock": ("signed.tar --key me.pub --provenance", "--lock out/none"),
        "--cache-dir": (UNSIGNED, "--cache-dir kept"),
        "--no-cache": (UNSIGNED, "--no-cache"),
        "--offline": (UNSIGNED, "--offline"),
    },
    "lock": {
        "--file": ("", "--file images.toml"),
        "--profile": ("", "--profile release"),
        "--lock": ("./app", "--lock out/lock"),
        "--on": ("./app", "--on lower"),
    },
    "update": {
        "--file": ("", "--file images.toml"),
        "--profile": ("", "--profile release"),
        "--on": ("./packaged", "--on lower"),
        "--lock": ("./app", "--lock out/none"),
        "--dry-run": ("./packaged", "--dry-run"),
        "--verbose": ("./packaged --need tz", "--verbose"),
    },
    "outdated": {
        "--file": ("", "--file images.toml"),
        "--profile": ("", "--profile release"),
        "--platform": ("", "--platform linux/arm64"),
        "--strict": ("", "--strict"),
        "--keys": ("", "--keys no-keys"),
        "--mirror": ("", "--mirror OTHER"),
        "--offline": ("", "--offline"),
        "--cache-dir": ("", "--cache-dir kept"),
        "--no-cache": ("", "--no-cache"),
    },
    "inspect": {
        "--path": ("image.tar", "--path /usr/local/bin/app"),
        "--platform": ("image.tar --path /usr/local/bin/app", "--platform linux/arm64"),
        "--why": ("./go", "--why"),
        "--full": ("./app", "--full"),
        "--verbose": ("./go", "--verbose"),
        "--offline": ("SECURE/me/base --insecure SECURE --path /etc/lower", "--offline"),
        "--cache-dir": ("image.tar --path /usr/local/bin/app", "--cache-dir kept"),
        "--no-cache": ("image.tar --path /usr/local/bin/app", "--no-cache"),
    },
    "tree": {
        "--path": ("image.tar", "--path /usr/local/bin/app"),
        "--dest": ("./musl --base base", "--dest /opt/app"),
        "--env": ("./musl --base base", "--env LD_PRELOAD=/opt/libplug.so"),
        "--all": ("./musl --base base", "--all"),
        "--why": ("./musl --base base", "--why libz.so.1"),
        "--check": ("./unbound --base base", "--check load"),
        "--base": ("./musl --base base", "--base musl.tar"),
        "--platform": ("./app", "--platform linux/arm64"),
        **{option: FILES[option] for option in ("--no-packages", "--keys", "--retarget", "--allow-missing")},
    },
    "base info": {"--platform": (NAMED, "--platform linux/arm64")},
    "base pull": {"--platform": (NAMED, "--platform linux/arm64"), "--base-sha512": (NAMED, f"--base-sha512 {SUM}")},
    "sbom": {
        "--format": ("./app", "--format cyclonedx"),
        "--output": ("./app", "-o out/sbom"),
        "--created": ("./app", "--created 77"),
        "--on": ("./app", "--on lower"),
        "--quiet": ("./app -o out/sbom", "--quiet"),
    },
    "show": {
        "--file": ("", "--file images.toml"),
        "--profile": ("", "--profile release"),
        "--schema": ("", "--schema"),
    },
    "init": {
        "--file": ("-f out/minpack.toml", "-f out/other.toml"),
        "--force": ("-f first.toml", "--force"),
    },
    "push": {"--digest-file": ("image.tar REGISTRY/me/pushed", "--digest-file out/digest")},
    "vex": {
        "--from": ("image.tar", "--from vex.toml"),
        "--output": ("image.tar --from vex.toml", "-o out/vex.json"),
        "--tag": ("image.tar --from vex.toml", "-t me/other"),
        "--platform": ("image.tar --from vex.toml", "--platform linux/arm64"),
        "--created": ("image.tar --from vex.toml", "--created 77"),
        "--offline": ("docker://SECURE/me/base --registry-ca registry-ca.pem --from vex.toml", "--offline"),
        "--cache-dir": ("docker://SECURE/me/base --registry-ca registry-ca.pem --from vex.toml", "--cache-dir kept"),
        "--no-cache": ("docker://SECURE/me/base --registry-ca registry-ca.pem --from vex.toml", "--no-cache"),
    },
    "base image": {
        "--push": ("base -o out/image -t REGISTRY/me/base", "--push"),
        "--platform": ("base -o out/image", "--platform linux/amd64/v2"),
        "--force": ("base --format rootfs -o old", "--force"),
    },
    "check": {
        "--platform": ("image.tar", "--platform linux/arm64"),
        "--format": ("image.tar", "--format sarif"),
        **{option: (f"image.tar{before}", more) for option, (before, more) in ACCEPTANCE.items()},
        "--any-user": ("image.tar", "--any-user"),
        "--summary": ("image.tar", "--summary out/summary"),
        "--verbose": ("oci:links", "--verbose"),
        "--offline": ("SECURE/me/base --insecure SECURE", "--offline"),
        "--cache-dir": ("image.tar", "--cache-dir kept"),
        "--no-cache": ("image.tar", "--no-cache"),
    },
    "deployment": {
        "--for": ("image.tar --for kubernetes", "--for compose"),
        "--kind": ("image.tar --for kubernetes", "--kind pod"),
        "--name": ("image.tar --for kubernetes", "--name web"),
        "--image": ("image.tar --for kubernetes", "--image me/other:2"),
        "--any-user": ("image.tar --for kubernetes", "--any-user"),
        "--platform": ("image.tar --for kubernetes", "--platform linux/arm64"),
        "--offline": ("SECURE/me/base --for kubernetes --insecure SECURE", "--offline"),
        "--cache-dir": ("image.tar --for kubernetes", "--cache-dir kept"),
        "--no-cache": ("image.tar --for kubernetes", "--no-cache"),
    },
    "export": {
        "--platform": ("image.tar -o out/tree", "--platform linux/arm64"),
        "--output": ("image.tar -o out/tree", "-o out/other"),
        "--format": ("image.tar -o out/tree", "--format tar"),
        "--force": ("image.tar -o old", "--force"),
        "--quiet": ("image.tar -o out/tree", "--quiet"),
        "--json": ("image.tar -o out/tree", "--json"),
        "--offline": ("SECURE/me/base --insecure SECURE -o out/tree", "--offline"),
        "--cache-dir": ("image.tar -o out/tree", "--cache-dir kept"),
        "--no-cache": ("image.tar -o out/tree", "--no-cache"),
    },
    "report": {
        "--platform": ("image.tar", "--platform linux/arm64"),
        "--output": ("image.tar", "-o out/report.html"),
        "--against": ("image.tar", "--against oci:links"),
        "--force": ("image.tar -o old.html", "--force"),
        "--offline": ("SECURE/me/base --insecure SECURE", "--offline"),
        "--cache-dir": ("image.tar", "--cache-dir kept"),
        "--no-cache": ("image.tar", "--no-cache"),
    },
    "why": {
        "--platform": ("image.tar /tmp", "--platform linux/arm64"),
        "--unneeded": ("image.tar", "--unneeded"),
        "--verbose": ("many.tar --unneeded", "--verbose"),
        "--offline": ("SECURE/me/base --insecure SECURE /etc/lower", "--offline"),
        "--cache-dir": ("image.tar /tmp", "--cache-dir kept"),
        "--no-cache": ("image.tar /tmp", "--no-cache"),
    },
    "shrink": {
        **{
            option: (f"image.tar -o out/image{before}", more)
            for option, (before, more) in ACCEPTANCE.items()
            if option.startswith("--smoke")
        },
        "--platform": ("image.tar -o out/image", "--platform linux/arm64"),
        "--keep": ("many.tar -o out/image", "--keep /srv"),
        "--push": ("image.tar -o out/image -t REGISTRY/me/app", "--push"),
        "--force": ("image.tar --format rootfs -o old", "--force"),
        "--verbose": ("many.tar -o out/image", "--verbose"),
        "--offline": ("SECURE/me/base --insecure SECURE -o out/image", "--offline"),
        "--cache-dir": ("image.tar -o out/image", "--cache-dir kept"),
        "--no-cache": ("image.tar -o out/image", "--no-cache"),
    },
    "diff": {
        "--platform": ("image.tar oci:links", "--platform linux/arm64"),
        "--exit-code": ("image.tar oci:links", "--exit-code"),
        "--summary": ("image.tar oci:links", "--summary out/summary"),
        "--verbose": ("image.tar oci:many", "--verbose"),
        "--offline": ("image.tar SECURE/me/base --insecure SECURE", "--offline"),
        "--cache-dir": ("image.tar oci:links", "--cache-dir kept"),
        "--no-cache": ("image.tar oci:links", "--no-cache"),
    },
    "cache info": {"--cache-dir": ("", "--cache-dir kept")},
    "cache clean": {"--cache-dir": ("", "--cache-dir filled")},
    "cache prune": {
        "--cache-dir": ("--max-size 1", "--cache-dir filled"),
        "--max-size": ("--cache-dir filled", "--max-size 1"),
        "--older-than": ("--cache-dir filled", "--older-than 0"),
    },
}
#: A call of each command that does something.
USUAL = {
    "pack": "./app -o out/image",
    "push": "image.tar REGISTRY/me/pushed",
    "lock": "./packaged --base apk.tar",
    "update": "./packaged",
    "vex": "image.tar --from vex.toml -o out/vex.json",
    "outdated": "",
    "check": "image.tar",
    "diff": "image.tar oci:links",
    "report": "image.tar",
    "why": "image.tar /tmp",
    "shrink": "image.tar -o out/image",
    "deployment": "image.tar --for kubernetes",
    "export": "image.tar -o out/tree",
    "debug": DEBUGGED,
    "inspect": "./app",
    "sbom": "./app",
    "tree": "./musl --base base",
    "base list": "",
    "base pull": NAMED,
    "base info": "base",
    "base image": "base -o out/image",
    "cache info": "",
    "cache prune": "",
    "cache clean": "",
    "completion": "bash",
    "show": "",
    "init": "-f out/minpack.toml",
    "sign": "signed.tar --key me.key",
    "verify": "signed.tar --key me.pub",
}

#: Where an option could be without effect: programs and bases of each kind, and each kind of result.
PLACES = {
    "pack": {
        "static": "./app -o out/image",
        "musl": "./musl --base base -o out/image",
        "glibc": "./glibc --base glibcbase -o out/image",
        "tarball": "./app --base musl.tar -o out/image",
        "oci": "./app --format oci -o out/image",
        "rootfs": "./app --format rootfs -o out/image",
        "tar": "./app --format tar -o out/image",
        "load": "./app --load",
        "locked": "./packaged --locked -o out/image",
    },
    "lock": {"static": "./app", "musl": "./musl --base base", "packages": "./packaged --base apk.tar"},
    "tree": {
        "static": "./app",
        "static on a base": "./app --base base",
        "musl": "./musl --base base",
        "glibc": "./glibc --base glibcbase",
    },
    "inspect": {"static": "./app", "musl": "./musl", "glibc": "./glibc", "library": "./libfoo"},
    "base info": {"directory": "base", "tarball": "musl.tar", "scratch": "scratch"},
    "base image": {
        "directory": "base -o out/image",
        "tarball": "musl.tar -o out/image",
        "oci": "base --format oci -o out/image",
        "rootfs": "base --format rootfs -o out/image",
        "tar": "base --format tar -o out/image",
        "load": "base --load",
    },
}
#: What is added in all of these; where none is said, what the rows above add.
VALUES = {
    "--add": "--add file:/etc/file",
    "--chown": "--chown 7",
    "--exclude": "--exclude *.log",
    "--add-lib": "--add-lib libplug.so",
    "--allow-missing": "--allow-missing libnone.so",
    "--dir": "--dir /data:0700",
    "--symlink": "--symlink file:/etc/link",
    "--no-need": "--no-need passwd",
    "--base": "--base musl.tar",
    "--on": "--on lower",
    "--locale": "--locale C.UTF-8",
    "--env": "--env A=b",
    "--user": "--user 7",
    "--workdir": "--workdir /work",
    "--keys": "--keys keys",
}
#: What may change nothing, and why that is right.
IDLE = {
    ("pack", "--base"): "it is that base already",
    ("pack", "--format"): "it is that format already",
    ("pack", "--load"): "it is loaded already",
    ("pack", "--engine"): "it is that engine already",
    ("base image", "--format"): "it is that format already",
    ("base image", "--load"): "it is loaded already",
    ("base image", "--engine"): "it is that engine already",
    ("pack", "--force"): "it allows, and nothing is in the way",
    ("pack", "--strict"): "it forbids, and all that was added would load",
    ("lock", "--strict"): "it forbids, and all that was added would load",
    ("pack", "--check"): "it allows, and all that there is to prove is true",
    ("pack", "--no-packages"): "it forbids, and no package is wanted",
    ("pack", "--no-package-data"): "it forbids, and no package has licences",
    ("lock", "--no-package-data"): "it forbids, and no package has licences",
    ("pack", "--offline"): "it forbids, and nothing is fetched",
    ("pack", "--no-cache"): "it forbids, and little is kept",
    ("pack", "--cache-dir"): "where to keep what is worth it",
    ("pack", "--locked"): "it is locked already",
    ("lock", "--check"): "it allows, and all that there is to prove is true",
    ("lock", "--no-packages"): "it forbids, and no package is wanted",
    ("lock", "--keys"): "it trusts the same key",
    ("lock", "--offline"): "it forbids, and nothing is fetched",
    ("lock", "--verbose"): "there is no more to say of it",
    **{
        ("lock", option): "it is given as for pack, and a lock has nothing of it but what it leads to"
        for option in (
            "--add",
            "--dir",
            "--symlink",
            "--no-need",
            "--locale",
            "--env",
            "--user",
            "--workdir",
            "--any-user",
        )
    },
    ("tree", "--all"): "the answer is that a static program has no loader",
    ("tree", "--verbose"): "the answer is that a static program has no loader",
    ("tree", "--no-packages"): "it forbids, and no package is wanted",
    ("tree", "--offline"): "it forbids, and nothing is fetched",
    ("tree", "--no-cache"): "it forbids, and little is kept",
    ("tree", "--cache-dir"): "where to keep what is worth it",
    ("inspect", "--verbose"): "there is no more to say of it",
    ("inspect", "--offline"): "it forbids, and nothing is fetched",
    ("inspect", "--no-cache"): "it forbids, and nothing is kept",
    ("inspect", "--cache-dir"): "where to keep what is worth it",
    ("base info", "--offline"): "it forbids, and nothing is fetched",
    ("base info", "--no-cache"): "it forbids, and little is kept",
    ("base info", "--cache-dir"): "where to keep what is worth it",
    ("base image", "--force"): "it allows, and nothing is in the way",
    ("base image", "--offline"): "it forbids, and nothing is fetched",
    ("base image", "--no-cache"): "it forbids, and little is kept",
    ("base image", "--cache-dir"): "where to keep what is worth it",
}

#: What is said where an option does nothing, and is right to be there all the same.
TOLD = {
    "pack ./app --format tar -o out/image --env A=b --tz Asia/Tokyo --locale C.UTF-8": (
        "--format tar writes no configuration: set A, TZ, LANG yourself where the program is started"
    ),
    "pack ./app --strip --dry-run": "'./app' is not stripped: it has no symbol tables or debug sections",
    "pack ./app --why --dry-run": (
        "--why shows nothing for '/usr/local/bin/app': it reads the machine code of Go programs only"
    ),
    "pack ./app --mirror OTHER --keys keys --dry-run": "--mirror and --keys had no effect: nothing was fetched",
    "pack ./app --base NAMED --keys keys --dry-run": "--keys had no effect: no package was fetched",
    "pack ./musl --base base --need locale --dry-run": (
        "--need locale packs nothing: only glibc reads locales from files"
    ),
    "pack ./app --base glibcbase --add-lib libplug.so --dry-run": (
        "'/usr/local/bin/app' is static: it opens libplug.so only if it calls dlopen"
    ),
    "tree ./musl --base base --env A=b --env LD_AUDIT=x": (
        "A, LD_AUDIT had no effect: musl's loader reads LD_LIBRARY_PATH, LD_PRELOAD alone"
    ),
    "tree ./app --env LD_PRELOAD=x": "LD_PRELOAD had no effect: a static program has no loader",
    "base info base --mirror OTHER": "--mirror had no effect: nothing was fetched",
    "base image base -o out/image --mirror OTHER": "--mirror had no effect: nothing was fetched",
    f"debug {DEBUGGED} --mirror OTHER --keys keys": "--mirror and --keys had no effect: nothing was fetched",
    "pack ./packaged --locked --keys keys --dry-run": (
        "--keys had no effect: the lock says which packages are trusted, by their sums"
    ),
    "lock ./app --mirror OTHER": "--mirror had no effect: nothing was fetched",
}


def rows(command: str) -> dict[str, tuple[str, str]]:
    """What to call, and what to add, to see the effect of each option of a command."""
    usual = USUAL[command]
    found = {option: (usual, more) for option, more in (PRINTING | VERBOSE).items()}
    if command in ("pack", "base image", "shrink"):
        first = usual.split()[0]
        found |= {option: (f"{first} -o out/image", more) for option, more in IMAGES.items()}
    if command in ("pack", "base image", "push", "shrink"):
        call = "image.tar SECURE/me/app" if command == "push" else f"{usual} --push -t SECURE/me/app"
        found |= {option: (call, more) for option, more in REGISTRIES.items()}
    if command in PULLING:
        found |= {option: (PULLING[command], more) for option, more in REGISTRIES.items()}
    found |= {option: (usual + before, more) for option, (before, more) in CACHES.items()}
    written = " -o out/image" if command in ("pack", "base image") else ""
    if command in ("pack", "lock", "update", "sbom"):
        found |= {option: (call + written, more) for option, (call, more) in FILES.items() if option not in found}
    for option, (call, more) in STORE.items():
        base = call.partition("--base ")[2]
        found[option] = (f"{base if command.startswith('base ') else call}{written}", more)
    if command == "update":
        push = "./packaged --push -t REGISTRY/me/app"
        found |= {option: (push, more.removeprefix("-o out/image ")) for option, more in IMAGES.items()}
        of_pack = {option: more for option, (_, more) in OWN["pack"].items()} | {"--push": push.partition(" ")[2]}
        found |= {option: (push, more) for option, more in of_pack.items() if option not in OWN[command]}
        found |= {"--push": ("./packaged", push.partition(" ")[2])}
    found |= OWN.get(command, {})
    return {option: found[option] for option in options(COMMANDS[command]) if option in found}


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Generator[Walk]:
    """What the commands are run on; settings of the environment are those alone that it says."""
    with Walk(tmp_path_factory.mktemp("walk")) as made, pytest.MonkeyPatch.context() as patch:
        for name, value in made.variables.items():
            patch.setenv(name, value)
        patch.delenv("MINPACK_NO_PACKAGES", raising=False)
        made.prepare()
        yield made


@pytest.fixture(autouse=True)
def _settings(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MINPACK_NO_PACKAGES")
    for name, value in walk.variables.items():
        monkeypatch.setenv(name, value)


def test_every_option_has_a_row() -> None:
    """Click's own tree says which there are."""
    walked = {(command, option) for command in COMMANDS for option in rows(command)}
    every = {(command, option) for command, found in COMMANDS.items() for option in options(found)}
    assert walked == every
    print(f"{len(every)} options of {len(COMMANDS)} commands are walked")
    assert len(every) >= 150


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_changes_something(command: str, walk: Walk) -> None:
    """Given a value that matters, each changes what is written, printed or answered."""
    idle = []
    for option, (call, more) in rows(command).items():
        added = tuple(shlex.split(walk.filled(more)))
        if not walk.differs(command, call, added):
            idle.append((option, walk.outcome(*shlex.split(walk.filled(f"{command} {call}")))))
    assert idle == []


@pytest.mark.parametrize("call", TOLD)
def test_what_is_told(call: str, walk: Walk) -> None:
    """A note names the option and says why it changed nothing."""
    arguments = shlex.split(walk.filled(call).replace("NAMED", NAMED))
    found = walk.outcome(*arguments)
    assert found.code == 0, found.err
    assert f"note: {TOLD[call]}\n" in found.err


def test_settings_of_the_environment_are_refused_nowhere(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are there for all runs: no option contradicts one, and none is told to be idle."""
    monkeypatch.setenv("MINPACK_CACHE_DIR", "kept")
    monkeypatch.setenv("MINPACK_NO_PACKAGES", "1")
    monkeypatch.setenv("MINPACK_OFFLINE", "1")
    for arguments in (("./app", "--no-cache", "--dry-run"), ("./packaged", "--base", "musl.tar", "--no-cache")):
        found = walk.run(*arguments)
        assert "cannot use" not in found.err
        assert "changed nothing" not in found.err


@pytest.mark.parametrize("command", PLACES)
def test_where_an_option_does_nothing_it_is_refused_or_told(command: str, walk: Walk) -> None:
    """Whatever program, base and result it meets, but for what allows or forbids."""
    idle = []
    for option, (_, usual) in rows(command).items():
        more = walk.filled(VALUES.get(option, usual))
        for place, call in PLACES[command].items():
            if not walk.differs(command, call, tuple(shlex.split(more))):
                idle.append((option, place))
    assert [one for one in idle if (command, one[0]) not in IDLE] == []
    assert {option for option, _ in idle} == {option for name, option in IDLE if name == command}
