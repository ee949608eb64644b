"""The command line. Environment, clock, terminal and exit code belong to this package alone."""

# Without the import of annotations: `--version` needs no module more.
import os
import sys

#: How many objects are made before Python looks for cycles among them. A run makes few, and few of those that it makes
#: form cycles: looking through its modules again and again, as by default, takes a tenth of a small run.
GC_THRESHOLD = 200_000
#: Seconds that a thread may keep the interpreter from others. Threads that hash and compress need it for microseconds a
#: megabyte; by default they wait five milliseconds for it each time, while the main one plans and proves.
SWITCH_INTERVAL = 0.0001


def main() -> None:
    """Run `minpack` with the arguments of this process, and end it."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        # Answered before click is imported: scripts ask for it often.
        from minpack._version import __version__  # noqa: PLC0415

        try:
            if sys.stdout is not None:
                # Past the stream: what it could not write would stay in it, and come up again.
                os.write(sys.stdout.fileno(), f"minpack {__version__}\n".encode())
            sys.exit(0)
        except OSError:
            # As for every other output that cannot be written.
            pass
    import gc  # noqa: PLC0415

    gc.set_threshold(GC_THRESHOLD)
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        _speak_utf8()
        from minpack.cli.run import run  # noqa: PLC0415

        code = run(arguments)
    except KeyboardInterrupt:
        # Before `run` took over the signals.
        code = 130
    except Exception as error:  # noqa: BLE001 - not even what tells of errors could be imported
        _say(error)
        code = 1
    _end(code)


def _say(error: BaseException) -> None:
    """Say on stderr why nothing could be run, with as little as possible: memory may be what there is none of."""
    out_of_memory = isinstance(error, (MemoryError, SystemError)) or isinstance(error.__context__, MemoryError)
    reason = "there is not enough memory" if out_of_memory else str(error)
    try:
        os.write(2, b"minpack: cannot run: " + reason.encode("ascii", "backslashreplace") + b"\n")
    except (OSError, MemoryError):
        return


def _end(code: int) -> None:
    """End the process, all output written: taking its modules apart takes 5 ms and changes nothing.

    :raises SystemExit: something is still to be written, and cannot.
    """
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except OSError:
        sys.exit(code)
    os._exit(code)


def _speak_utf8() -> None:
    """Start again in UTF-8 mode where the locale has another encoding: names are bytes, whatever the locale says."""
    if sys.getfilesystemencoding() == "utf-8" or sys.flags.utf8_mode or not sys.executable:
        return
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606
