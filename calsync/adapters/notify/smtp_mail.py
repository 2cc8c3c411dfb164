"""Notices as mail by SMTP (RFC 5321).

What counts is the server's word after the final dot. Before that nothing was taken over, and a
refusal or a lost connection is a mail that was not sent. After it, no answer means that nobody
knows: that mail is never sent again.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from calsync.adapters.notify.letter import Letter, is_address
from calsync.adapters.notify.mail import Sender, Unwritable, ascii_address, message
from calsync.adapters.shared.words import line
from calsync.errors import CalsyncError
from calsync.model import Person
from calsync.ports import Delivery, DeliveryReport

PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}
#: Seconds for which the channel is left alone: an admin has to mend something; the server is
#: busy; one recipient's mailbox is (greylisting, RFC 6647).
_CLOSED, _BUSY, _ONE_BUSY = 300.0, 30.0, 300.0
_SENT: Final = DeliveryReport(delivery=Delivery.SENT)
_ADDRESS: Final = re.compile(r"[^\s@<>\"'(),;:]{1,64}@[A-Za-z0-9.-]{1,255}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """``port`` 0: the usual one of its ``security``. ``password`` is read for each sign-in.
    ``timeout``: seconds for a whole mail."""

    host: str
    port: int = 0
    security: str = "starttls"
    ca_file: str = ""
    user: str = ""
    password: Callable[[], str] | None = None
    timeout: float = 30.0


class _Shut(Exception):
    """The server would not take a mail now, whoever it is for; ``seconds`` until it makes sense."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds


class SmtpMail:
    """Safe to share between threads: each mail has a connection of its own."""

    def __init__(self, server: Server, *, sender: Sender, now: Callable[[], datetime]) -> None:
        self._server, self._sender, self._now = server, sender, now

    def post(self, to: Person, letter: Letter) -> DeliveryReport:
        """Never raises."""
        address = to.address.strip()
        if not is_address(address):
            return DeliveryReport(delivery=Delivery.REFUSED, reason="no usable address")
        try:
            target = ascii_address(address)
            raw = message(letter, Person(to.name, address), self._sender, self._now()).as_bytes()
        except Unwritable as error:
            return DeliveryReport(delivery=Delivery.REFUSED, reason=str(error))
        return self._tried(lambda client, handed: self._sent(client, target, raw, handed))

    def check(self) -> str:
        """Connect and sign in, and send nothing: what stands in the way, or nothing."""
        return self._tried(lambda _client, _handed: _SENT).reason

    def _tried(self, act: Callable[[_Client, _Handed], DeliveryReport]) -> DeliveryReport:
        handed = _Handed()
        try:
            with self._connected() as client:
                return act(client, handed)
        except _Shut as shut:
            return _not_sent(str(shut), shut.seconds)
        except CalsyncError as error:  # the password
            return _not_sent(str(error), _CLOSED)
        except ssl.SSLCertVerificationError as error:
            why = f"the certificate of {self._server.host} is not trusted: {error.verify_message}"
            todo = "Check host and ca_file under [smtp]"
            return _lost(handed, f"{why}. {todo}", _CLOSED)
        except (OSError, smtplib.SMTPException, ValueError, EOFError) as error:
            return _lost(handed, f"{self._where}: {_said(error)}", _BUSY)

    @property
    def _where(self) -> str:
        return f"mail server {self._server.host}"

    # --- the conversation --------------------------------------------------------------------

    @contextmanager
    def _connected(self) -> Iterator[_Client]:
        """Connected, encrypted and signed in as the settings ask. What the server does not offer
        is never done without."""
        server = self._server
        port = server.port or PORTS[server.security]
        secure = self._context() if server.security == "tls" else None
        client = _Client(server.host, secure, server.timeout)
        cut = threading.Timer(server.timeout, client.cut)
        cut.daemon = True
        cut.start()
        try:
            self._expect(client.connect(server.host, port), "connecting")
            self._expect(client.ehlo(), "EHLO")
            if server.security == "starttls":
                if not client.has_extn("starttls"):
                    todo = 'Check port and security under [smtp]: "tls" for port 465'
                    raise _Shut(f"{self._where} does not offer STARTTLS. {todo}", _CLOSED)
                self._expect(client.starttls(context=self._context()), "STARTTLS")
                self._expect(client.ehlo(), "EHLO")
            if server.user:
                self._sign_in(client)
            yield client
            with suppress(OSError, smtplib.SMTPException):
                client.quit()
        finally:
            cut.cancel()
            client.close()

    def _sign_in(self, client: _Client) -> None:
        server = self._server
        try:
            client.login(server.user, server.password() if server.password else "")
        except smtplib.SMTPAuthenticationError as error:
            seconds = _CLOSED if error.smtp_code >= 500 else _BUSY
            todo = "Check user and password under [smtp]"
            said = f"{self._where} does not let calsync sign in ({error.smtp_code}). {todo}"
            raise _Shut(said, seconds) from None
        except smtplib.SMTPNotSupportedError:
            todo = "Take user and password under [smtp] out, or check security"
            raise _Shut(f"{self._where} offers no sign-in. {todo}", _CLOSED) from None

    def _sent(self, client: _Client, to: str, raw: bytes, handed: _Handed) -> DeliveryReport:
        sender = ascii_address(self._sender.address)
        code, text = client.mail(sender)
        if code != 250:
            todo = "Check sender under [notices]" if code >= 500 else ""
            raise _Shut(self._answer("the sender", code, text, todo), _CLOSED)
        code, text = client.rcpt(to)
        if code not in (250, 251):
            return self._refused("the recipient", code, text)
        code, text = client.docmd("DATA")
        if code != 354:
            return self._refused("the mail", code, text)
        handed.over = True
        client.send(_dotted(raw))
        code, text = client.getreply()
        if code == 250:
            return _SENT
        if 400 <= code < 600:
            return self._refused("the mail", code, text)
        reason = self._answer("the mail", code, text)
        return DeliveryReport(delivery=Delivery.IN_DOUBT, reason=reason)

    def _refused(self, what: str, code: int, text: bytes) -> DeliveryReport:
        """4xx: not now; 5xx: never. Both are the server's word that it took nothing over."""
        if code in (421, 530):
            raise _Shut(self._answer(what, code, text), _BUSY if code == 421 else _CLOSED)
        reason = self._answer(what, code, text)
        if 400 <= code < 500:
            return DeliveryReport(
                delivery=Delivery.NOT_SENT, reason=reason, retry_after=_ONE_BUSY, alone=True
            )
        return DeliveryReport(delivery=Delivery.REFUSED, reason=reason)

    def _expect(self, answer: tuple[int, bytes], what: str) -> None:
        code, text = answer
        if not 200 <= code < 300:
            seconds = _BUSY if 400 <= code < 500 else _CLOSED
            raise _Shut(self._answer(what, code, text), seconds)

    def _answer(self, what: str, code: int, text: bytes, todo: str = "") -> str:
        """The server's words, as one short line without anybody's address."""
        said = _ADDRESS.sub("[address]", line(text.decode("utf-8", "replace"), 160))
        return f"{self._where} refuses {what} ({code} {said})".rstrip() + (
            f". {todo}" if todo else ""
        )

    def _context(self) -> ssl.SSLContext:
        """Certificates are always checked."""
        try:
            return ssl.create_default_context(cafile=self._server.ca_file or None)
        except (OSError, ssl.SSLError) as error:
            why = getattr(error, "strerror", None) or "it is no certificate"
            raise _Shut(f"setting smtp.ca_file cannot be read: {why}", _CLOSED) from None


class _Client(smtplib.SMTP):
    """``secure``: TLS from the first byte. The name that EHLO gives is never looked up in DNS."""

    def __init__(self, host: str, secure: ssl.SSLContext | None, timeout: float) -> None:
        super().__init__(local_hostname=_own_name(), timeout=timeout)
        # Against this name the library checks the certificate of STARTTLS; it leaves it empty where
        # it does not connect at once.
        self._host = host
        self._secure = secure

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = socket.create_connection((host, port), timeout)
        if self._secure is None:
            return plain
        try:
            return self._secure.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise

    def cut(self) -> None:
        """End whatever another thread waits for: a server that drips is cut off, too."""
        held = self.sock
        if held is not None:
            with suppress(OSError):
                # Not SSLSocket's own, which would pull the rug from under that thread.
                socket.socket.shutdown(held, socket.SHUT_RDWR)


@dataclass(slots=True)
class _Handed:
    """Whether the server may have taken the mail over by now."""

    over: bool = False


def _dotted(raw: bytes) -> bytes:
    """As RFC 5321, 4.5.2 has it: lines that begin with a dot get another; a dot ends the mail."""
    body = re.sub(rb"(?m)^\.", b"..", raw)
    return body + (b".\r\n" if body.endswith(b"\r\n") else b"\r\n.\r\n")


def _own_name() -> str:
    plain = re.sub(r"[^A-Za-z0-9.-]", "", socket.gethostname())
    return plain if "." in plain.strip(".") else "localhost.localdomain"


def _lost(handed: _Handed, reason: str, seconds: float) -> DeliveryReport:
    if handed.over:
        return DeliveryReport(delivery=Delivery.IN_DOUBT, reason=reason)
    return _not_sent(reason, seconds)


def _not_sent(reason: str, seconds: float) -> DeliveryReport:
    return DeliveryReport(delivery=Delivery.NOT_SENT, reason=reason, retry_after=seconds)


def _said(error: Exception) -> str:
    """In few words of calsync's or the system's own."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return "the connection was lost"
    text = getattr(error, "strerror", None)
    return text if isinstance(text, str) and text else type(error).__name__
