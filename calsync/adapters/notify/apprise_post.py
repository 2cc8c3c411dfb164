"""Notices to shared channels (Teams, Slack and some hundred others) through apprise.

apprise says only whether all went well. Why not, it tells its log, which holds addresses and
tokens: that log goes nowhere else, and is read here for what makes a difference. A status of a
refusal, or a connection that was never made, means not sent; all else means that nobody knows.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import threading
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from calsync.adapters.notify.letter import Letter
from calsync.errors import CalsyncError, UsageError
from calsync.ports import Delivery, DeliveryReport

_CLOSED, _BUSY = 300.0, 60.0
_STATUS: Final = re.compile(r"\berror=(\d{3})\b")
#: How urllib3 says that nothing left this machine, or that the other one is not the right one.
_NEVER: Final = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeoutError|ConnectTimeout"
    r"|Connection refused|CERTIFICATE_VERIFY_FAILED|getaddrinfo failed"
)
#: Services (modules of apprise) that act on the machine that calsync runs on, not on a channel.
_LOCAL: Final = frozenset({"blink1", "dbus", "glib", "gnome", "macosx", "windows", "syslog"})


class ApprisePost:
    """One channel. ``address`` gives its apprise URL, a secret, and is asked for each message.
    ``timeout``: seconds for a whole message."""

    def __init__(self, name: str, address: Callable[[], str], *, timeout: float = 60.0) -> None:
        self._name, self._address, self._timeout = name, address, timeout

    def check(self) -> str:
        """Look at the address, and send nothing: what is wrong with it, or nothing."""
        try:
            self._plugin()
        except CalsyncError as error:
            return str(error)
        return ""

    def post(self, letter: Letter) -> DeliveryReport:
        """Never raises."""
        try:
            plugin = self._plugin()
        except CalsyncError as error:
            return _not_sent(str(error), _CLOSED)
        done: list[bool | None] = []
        heard: list[str] = []

        def work() -> None:
            with _listening(heard):
                try:
                    # Text, so that nothing in it is taken for markup.
                    sent = plugin.notify(
                        title=letter.subject, body=letter.text.rstrip("\n"), body_format="text"
                    )
                except Exception as error:  # a plugin of a hundred authors
                    heard.append(type(error).__name__)
                    sent = None
                done.append(sent)

        # A server that drips would hold up every notice: it is left behind.
        thread = threading.Thread(target=work, name=f"calsync-channel-{self._name}", daemon=True)
        thread.start()
        thread.join(self._timeout)
        if not done:
            return _in_doubt("no answer in time")
        return DeliveryReport(delivery=Delivery.SENT) if done[0] else _why(heard)

    def _plugin(self) -> Any:
        """A new one each time: a kept one waits by itself between two messages."""
        apprise = _library()
        where, address = f"channel {self._name}", self._address()
        with _listening([]):
            asset = apprise.AppriseAsset(
                async_mode=False,
                secure_logging=True,
                app_id="calsync",
                app_desc="calsync",
                app_url="",
                image_url_mask="",
                image_url_logo="",
            )
            holder = apprise.Apprise(asset=asset)
            taken = holder.add(address)
        services = list(holder)
        if not taken or len(services) != 1:
            raise UsageError(
                "its address is none that apprise knows, or more than one",
                where=where,
                todo="One address a channel, in the form of https://github.com/caronc/apprise/wiki",
            )
        (plugin,) = services
        _allow(plugin, address, where)
        return plugin


@cache
def _library() -> Any:
    """apprise with all its services: loaded with the first message, which takes a second."""
    with warnings.catch_warnings():
        # It says of modules of Python's that it will have to do without them one day.
        warnings.simplefilter("ignore", DeprecationWarning)
        import apprise

        with _listening([]):
            apprise.Apprise().add("json://localhost")
    return apprise


def _allow(plugin: Any, address: str, where: str) -> None:
    scheme = address.partition(":")[0].strip().casefold()
    if type(plugin).__module__.rpartition(".")[2] in _LOCAL:
        what = f"{scheme}: is no channel, but acts on this machine"
        raise UsageError(what, where=where, todo="Choose a service that others read")
    if not getattr(plugin, "verify_certificate", True):
        what = "its address switches the check of certificates off"
        raise UsageError(what, where=where, todo="Take verify=no out of it")
    host = str(getattr(plugin, "host", "") or "")
    plain = getattr(plugin, "protocol", None) or ()
    if scheme in ([plain] if isinstance(plain, str) else plain) and not _is_loopback(host):
        what = "messages would travel unencrypted"
        raise UsageError(what, where=where, todo=f"Use the secure form of it, often {scheme}s:")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _why(heard: list[str]) -> DeliveryReport:
    """What the plugin's log says about a message that did not go well."""
    text = "\n".join(heard)
    if any(one.startswith("Sent ") for one in heard):
        return _in_doubt("only a part of it was sent")
    statuses = [int(found) for found in _STATUS.findall(text)]
    if not statuses:
        if _NEVER.search(text):
            return _not_sent(
                "the service cannot be reached, or its certificate not be trusted", _BUSY
            )
        return _in_doubt("the connection was lost, or the answer not understood")
    status = statuses[-1]
    reason = f"the service answered {status}"
    if status in (408, 502, 504) or status in (500, 503) or status < 300:
        return _in_doubt(reason)
    if status == 429:
        return _not_sent(reason, _BUSY)
    if status in (400, 413, 422):
        return DeliveryReport(delivery=Delivery.REFUSED, reason=reason)
    if status < 500:
        return _not_sent(f"{reason}. Check the address of the channel", _CLOSED)
    return _in_doubt(reason)


def _not_sent(reason: str, seconds: float) -> DeliveryReport:
    return DeliveryReport(delivery=Delivery.NOT_SENT, reason=reason, retry_after=seconds)


def _in_doubt(reason: str) -> DeliveryReport:
    return DeliveryReport(delivery=Delivery.IN_DOUBT, reason=reason)


# --- apprise's log -----------------------------------------------------------------------------


class _Ears(logging.Handler):
    """Gives each line to the one who listens in that thread; to nobody else."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lists: dict[int, list[str]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        heard = self.lists.get(record.thread or 0)
        if heard is not None and len(heard) < 200:
            heard.append(record.getMessage()[:2000])


_EARS: Final = _Ears()


class _listening:
    """While it lasts, what apprise logs in this thread is appended to ``heard``."""

    def __init__(self, heard: list[str]) -> None:
        self._heard = heard

    def __enter__(self) -> None:
        logger = logging.getLogger("apprise")
        if _EARS not in logger.handlers:
            logger.addHandler(_EARS)
        # Nothing of it reaches calsync's log: it holds tokens, addresses and whole messages.
        logger.propagate = False
        logger.setLevel(logging.DEBUG)
        _EARS.lists[threading.get_ident()] = self._heard

    def __exit__(self, *_: object) -> None:
        _EARS.lists.pop(threading.get_ident(), None)
