"""The ``calsync`` command, and ``python -m calsync``, which is the same."""

from __future__ import annotations

import signal


def main() -> None:
    """Load the verbs and run the one that is asked for; ends the process with its exit status.

    Ctrl-C while they load, before anything has begun, just ends the process: Python's own
    handler would show a traceback through half of the imports.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from calsync.cli.main import run

    signal.signal(signal.SIGINT, before)
    run()


if __name__ == "__main__":
    main()
