"""A real SMTP server on loopback that does what a test asks of it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from calsync.sandbox.tls import context

USER, PASSWORD = "rooms@x.example", "canary-smtp-password"


@dataclass
class Behaviour:
    """What the server answers; ``""`` is what it would by itself. ``hang``: it goes silent there,
    ``drop``: it ends the connection there."""

    mail: str = ""
    rcpt: dict[str, str] = field(default_factory=dict)
    data: str = ""
    hang: str = ""
    drop: str = ""
    after: str = ""


class Post:
    """The server's part: it keeps what it took over."""

    def __init__(self) -> None:
        self.does = Behaviour()
        self.got: list[tuple[str, list[str], bytes]] = []
        self.signed_in: list[str] = []
        self.tls: list[bool] = []

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, said: list[str]
    ) -> list[str]:
        session.host_name = hostname
        await self._misfortune(server, "ehlo")
        return said

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        await self._misfortune(server, "mail")
        if not self.does.mail:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return self.does.mail or "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        await self._misfortune(server, "rcpt")
        answer = self.does.rcpt.get(address, "")
        if not answer:
            envelope.rcpt_tos.append(address)
        return answer or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if not self.does.data:
            content = cast("bytes", envelope.content)
            self.got.append((envelope.mail_from or "", list(envelope.rcpt_tos), content))
            self.tls.append(session.ssl is not None)
        await self._misfortune(server, "data")
        return self.does.data or "250 taken over"

    async def _misfortune(self, server: SMTP, where: str) -> None:
        if self.does.drop == where:
            assert server.transport is not None
            server.transport.abort()
            await asyncio.sleep(0.05)
        if self.does.hang == where:
            await asyncio.sleep(30)

    def mails(self) -> list[EmailMessage]:
        return [
            cast("EmailMessage", message_from_bytes(raw, policy=policy.default))
            for _, _, raw in self.got
        ]


def _authenticator(post: Post) -> Any:
    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        right = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        if right:
            post.signed_in.append(data.login.decode())
        return AuthResult(success=right, handled=right)

    return check


@dataclass
class Running:
    post: Post
    port: int
    ca: Path | None = None


@contextlib.contextmanager
def smtp_server(folder: Path, *, tls: str = "", auth: bool = False) -> Iterator[Running]:
    """``tls``: ``starttls``, ``implicit`` or none; ``auth``: it wants a sign-in."""
    post = Post()
    secure: ssl.SSLContext | None = None
    ca = None
    if tls:
        secure, pem = context("127.0.0.1")
        ca = folder / "smtp-ca.pem"
        ca.write_bytes(pem)
    options: dict[str, Any] = {
        "hostname": "127.0.0.1",
        "port": _free_port(),
        "ready_timeout": 10.0,
        "enable_SMTPUTF8": False,
    }
    if tls == "starttls":
        options |= {"tls_context": secure, "require_starttls": True}
    if tls == "implicit":
        options |= {"ssl_context": secure}
    if auth:
        options |= {
            "authenticator": _authenticator(post),
            "auth_required": True,
            "auth_require_tls": bool(tls == "starttls"),
        }
    controller = Controller(post, **options)
    controller.start()
    try:
        yield Running(post, options["port"], ca)
    finally:
        _end(controller)


def _end(controller: Controller) -> None:
    """What still hangs in a test's misfortune is cancelled first."""

    def cancel() -> None:
        for task in asyncio.all_tasks(controller.loop):
            if "_misfortune" in str(task.get_stack(limit=1)) or "handle_client" in repr(task):
                task.cancel()

    controller.loop.call_soon_threadsafe(cancel)
    controller.stop(no_assert=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# --- a server that only a script could be -------------------------------------------------------


@contextlib.contextmanager
def scripted(*lines: bytes, then: str = "close") -> Iterator[int]:
    """A listener that gives one line after each that it hears, and then closes or goes silent."""
    listener = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            held.append(connection)
            for number, line in enumerate(lines):
                if number:
                    connection.recv(65536)
                connection.sendall(line)
            if then == "drip":
                while True:
                    connection.sendall(b"2")
                    threading.Event().wait(0.05)
            if then == "close":
                connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        for one in (*held, listener):
            with contextlib.suppress(OSError):
                # Wakes the thread that waits on it.
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        thread.join(2)
