"""Start one sandbox: `python -m calsync.sandbox --port 8901 --rooms 4 --people 8`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path

from . import DEFAULT_CLIENT, DEFAULT_SECRET, DEFAULT_TENANT, SandboxServer, create_sandbox
from .seeding import Plan, seed


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted. Prints one line of JSON with the URL and the dummy credentials."""
    parser = argparse.ArgumentParser(
        prog="calsync.sandbox", description="A synthetic Microsoft 365 tenant on loopback."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--rooms", type=int, default=4)
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--buildings", type=int, default=1)
    parser.add_argument("--events-per-room", type=int, default=0)
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
    }
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()
    if chosen.ready_file:
        chosen.ready_file.write_text(json.dumps(facts), encoding="utf-8")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        server.serve_forever()
    except (KeyboardInterrupt, SystemExit):
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
