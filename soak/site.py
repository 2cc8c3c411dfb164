"""A stage whose ``calsync serve`` may be killed and started again, under the same address."""

from __future__ import annotations

import os
import random
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from calsync.demo.stage import SECRET, START_S, Cast, Stage, StageError
from soak.gate import Gate

#: Below the ports that Linux gives to outgoing connections, so that none of them takes ours
#: while calsync is down.
_PORTS = range(20_000, 32_000)


class Site(Stage):
    """``up`` is set while the API answers. ``gated``: calsync's calls pass a :class:`Gate`."""

    def __init__(self, cast: Cast, keep: Path | None = None, *, gated: bool = False) -> None:
        super().__init__(replace(cast, port=cast.port or free_port(cast.seed)), keep)
        self.up = threading.Event()
        #: When it was sent SIGKILL.
        self.killed: list[datetime] = []
        self.gate: Gate | None = None
        self._gated = gated
        self.api = f"http://127.0.0.1:{self.cast.port}"

    def _start_sandbox(self) -> dict[str, object]:
        self.facts = super()._start_sandbox()
        if self._gated:
            self.gate = Gate(str(self.facts["url"]))
            self._ends.callback(self.gate.close)
        return self.facts

    def gateway(self) -> str:
        return self.gate.url if self.gate is not None else super().gateway()

    # -- the process that dies --------------------------------------------------------------

    @property
    def pid(self) -> int:
        """Of ``calsync serve``; 0 while there is none."""
        process = self._running.get("serve")
        return process.pid if process is not None else 0

    def launch(self) -> None:
        """Start ``calsync serve``; it needs a while until it listens."""
        command = ["calsync.cli.main", "serve", "--json", "--settings", str(self.settings)]
        self._running["serve"] = subprocess.Popen(
            [sys.executable, "-m", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log(),
            text=True,
            env={**os.environ, SECRET: str(self.facts["client_secret"])},
            start_new_session=True,
        )

    def _log(self) -> int:
        if not hasattr(self, "_serve_log"):
            self._serve_log = self._open(self.folder / "serve.log")
        return self._serve_log.fileno()

    def wait_until_up(self) -> None:
        """It listens. Raises StageError where it died or says nothing."""
        process = self._running["serve"]
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], START_S)
        if not ready or not process.stdout.readline():
            raise StageError(f"serve did not start: {self.log_of('serve')}")
        self.up.set()

    def start(self) -> float:
        """Start it; seconds until it listened."""
        begun = time.monotonic()
        self.launch()
        self.wait_until_up()
        return time.monotonic() - begun

    def send(self, number: int = signal.SIGKILL) -> None:
        """A signal, from whichever thread; nothing where it is gone already."""
        self.up.clear()
        if number == signal.SIGKILL:
            self.killed.append(datetime.now(UTC))
        if self.pid:
            os.kill(self.pid, number)

    def bury(self) -> int:
        """Wait for the end of a process that was sent a signal; its exit status."""
        process = self._running.pop("serve")
        code = process.wait(30)
        self.up.clear()
        if process.stdout is not None:
            process.stdout.close()
        return code


def free_port(seed: int) -> int:
    chance = random.Random(f"{seed} {os.getpid()}")
    while True:
        port = chance.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
