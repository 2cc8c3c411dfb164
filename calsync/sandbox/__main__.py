"""Start one sandbox: `python -m calsync.sandbox --port 8901 --rooms 4 --people 8`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from calsync.errors import UsageError

from . import (
    DEFAULT_CLIENT,
    DEFAULT_DOMAIN,
    DEFAULT_SECRET,
    DEFAULT_TENANT,
    SandboxServer,
    create_sandbox,
)
from .ews.accounts import DEFAULT_PASSWORD, DEFAULT_USER
from .seeding import Plan, seed


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in the words of the command line."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, todo="See: calsync sandbox --help")


def _count(text: str) -> int:
    """How many of something: a whole number from 0 on."""
    if not (text.isascii() and text.isdigit() and int(text) <= 100_000):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 100000")
    return int(text)


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted. Prints one line of JSON with the URLs and the dummy credentials.

    Raises UsageError for words that cannot be carried out.
    """
    parser = _Parser(
        prog="calsync sandbox",
        description="A synthetic company on loopback: Microsoft 365 by Graph, Exchange by EWS.",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument(
        "--rooms", type=_count, default=4, help="0: none; make some through /_sandbox/rooms"
    )
    parser.add_argument("--people", type=_count, default=8)
    parser.add_argument("--buildings", type=_count, default=1)
    parser.add_argument("--events-per-room", type=_count, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument(
        "--cert-file", type=Path, help="with --tls: where to write the certificate to trust"
    )
    parser.add_argument("--ready-file", type=Path, help="written once the socket listens")
    chosen = parser.parse_args(arguments)
    control = create_sandbox(seed=chosen.seed)
    if chosen.rooms or chosen.people:
        plan = Plan(
            rooms=chosen.rooms,
            people=chosen.people,
            buildings=chosen.buildings,
            events_per_room=chosen.events_per_room,
            seed=chosen.seed,
        )
        seed(control.world, plan)
    server = SandboxServer(control, chosen.host, chosen.port, tls=chosen.tls)
    if chosen.cert_file and server.certificate:
        chosen.cert_file.write_bytes(server.certificate)
    facts = {
        "url": server.url,
        "tenant": DEFAULT_TENANT,
        "client_id": DEFAULT_CLIENT,
        "client_secret": DEFAULT_SECRET,
        "ews_url": f"{server.url}/EWS/Exchange.asmx",
        "ews_user": f"{DEFAULT_USER}@{DEFAULT_DOMAIN}",
        "ews_password": DEFAULT_PASSWORD,
    }
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()
    if chosen.ready_file:
        chosen.ready_file.write_text(json.dumps(facts), encoding="utf-8")
    # Not by an exception: one that is raised while a finalizer happens to run is swallowed, and the
    # process stays. There is nothing to save.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return 0
    return 0


def run() -> NoReturn:
    """As a command of its own."""
    try:
        sys.exit(main())
    except UsageError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    run()
