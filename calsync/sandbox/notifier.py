"""Sends change notifications: one thread that posts to endpoints on loopback."""

from __future__ import annotations

import http.client
import json
import queue
import ssl
import threading
import time
from typing import Any
from urllib.parse import urlsplit

TRIES = 3


def post(url: str, body: bytes, kind: str) -> tuple[int, bytes]:
    """One POST; OSError when nobody answers. Certificates are not checked: it is loopback."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    try:
        if parts.scheme == "https":
            trusting = ssl.create_default_context()
            trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
            line: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=10, context=trusting
            )
        else:
            line = http.client.HTTPConnection(host, port, timeout=10)
        try:
            target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
            line.request("POST", target, body, {"Content-Type": kind})
            answer = line.getresponse()
            return answer.status, answer.read()
        finally:
            line.close()
    except (http.client.HTTPException, ValueError) as error:
        raise OSError(str(error)) from error


class Notifier:
    """A queue and its thread, which starts with the first notification."""

    def __init__(self) -> None:
        self.waiting: queue.SimpleQueue[tuple[str, dict[str, Any]] | None] = queue.SimpleQueue()
        self.thread: threading.Thread | None = None

    def send(self, found: list[tuple[str, dict[str, Any]]]) -> None:
        """Take notifications; they go out in order."""
        if found and self.thread is None:
            self.thread = threading.Thread(target=self._run, daemon=True)
            self.thread.start()
        for one in found:
            self.waiting.put(one)

    def stop(self) -> None:
        """Let the thread end."""
        if self.thread is not None:
            self.waiting.put(None)
            self.thread.join(timeout=5)

    def _run(self) -> None:
        while (one := self.waiting.get()) is not None:
            url, body = one
            for turn in range(TRIES):
                try:
                    status, _ = post(url, json.dumps(body).encode(), "application/json")
                except OSError:
                    status = 0
                if 200 <= status < 300:
                    break
                time.sleep(0.2 * (turn + 1))
