"""Which addresses a callback may lead to: https, and never into a network that is not public.

A name is looked up once for each try, every address that it has must be allowed, and the connection
is made to exactly those: a name that changes between the look and the call (DNS rebinding) gains
nothing. OWASP, Server-Side Request Forgery Prevention Cheat Sheet.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final
from urllib.parse import urlsplit

from calsync.errors import UsageError

Address = IPv4Address | IPv6Address
#: host, port → every address of that name. Raises OSError.
Resolve = Callable[[str, int], Sequence[str]]

MAX_URL: Final = 2048
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_NAT64: Final = IPv6Network("64:ff9b::/96")
#: All that is routed on the internet. Beyond it lie forms that Python calls global and a host may
#: take for its own: ::127.0.0.1, ::ffff:0:127.0.0.1, fec0::/10.
_ROUTED: Final = IPv6Network("2000::/3")
#: Public by its number, and an inner address all the same: documentation (RFC 9637), and where
#: Azure's machines find their host (https://learn.microsoft.com/azure/virtual-network/
#: what-is-ip-address-168-63-129-16). The IETF's own block: older Pythons call a part of it global.
_INNER: Final = (
    IPv6Network("3fff::/20"),
    IPv4Network("168.63.129.16/32"),
    IPv4Network("192.0.0.0/24"),
)


class Forbidden(UsageError):
    """A callback URL that is not called."""


@dataclass(frozen=True, slots=True)
class Target:
    """A callback URL in its parts. ``path`` includes the query."""

    tls: bool
    host: str
    port: int
    path: str

    @property
    def local(self) -> bool:
        """The admin named this very machine."""
        return self.host in _LOOPBACK


def resolve(host: str, port: int) -> list[str]:
    """By the machine's own resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def read_url(url: str) -> Target:
    """Raises Forbidden for what is no callback URL. Nothing is looked up yet."""
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise _wrong("must be printable ASCII without blanks, at most 2048 characters")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _wrong("cannot be read") from None
    if not host or "\\" in url:
        raise _wrong("names no host")
    if parts.username is not None or parts.password is not None:
        raise _wrong("must not hold a user or password")
    if parts.fragment:
        raise _wrong("must not have a fragment")
    tls = parts.scheme == "https"
    if not tls and not (parts.scheme == "http" and host in _LOOPBACK):
        raise _wrong("must begin with https:// (http:// only for 127.0.0.1, ::1 or localhost)")
    path = parts.path or "/"
    return Target(
        tls=tls,
        host=host,
        port=port or (443 if tls else 80),
        path=f"{path}?{parts.query}" if parts.query else path,
    )


class Guard:
    """``allowed``: networks of the admin's own into which callbacks may lead although they are
    not public."""

    def __init__(self, allowed: Sequence[str] = (), *, look_up: Resolve = resolve) -> None:
        self._allowed = [ip_network(text) for text in allowed]
        self._look_up = look_up

    def addresses(self, target: Target) -> list[str]:
        """Where to connect to. Raises Forbidden, or OSError where the name is unknown."""
        found = [ip_address(text.partition("%")[0]) for text in self._find(target)]
        if not found:
            raise OSError("the name has no address")
        for address in found:
            if not self._may(address, target):
                raise Forbidden(
                    f"{target.host} leads to {address}, which is not a public address",
                    todo="Use a public address, or allow the network: [webhooks] allowed_networks",
                )
        return [str(address) for address in found]

    def _find(self, target: Target) -> Sequence[str]:
        try:
            return [str(ip_address(target.host))]
        except ValueError:
            pass
        try:
            return self._look_up(target.host, target.port)
        except UnicodeError:
            # A label that no name can have.
            raise OSError("the name cannot be looked up") from None

    def _may(self, address: Address, target: Target) -> bool:
        seen = meant(address)
        if any(one.version == seen.version and seen in one for one in self._allowed):
            return True
        # Only where the admin wrote it so: a name of somebody else's that leads here is an attack.
        if seen.is_loopback:
            return target.local
        return seen.is_global and not seen.is_multicast and not _special(seen)


def meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _special(address: Address) -> bool:
    """Not where it seems to lead. 6to4 and Teredo lead to an IPv4 address inside the address."""
    if any(net.version == address.version and address in net for net in _INNER):
        return True
    if isinstance(address, IPv4Address):
        return False
    tunnel = address.sixtofour is not None or address.teredo is not None
    return tunnel or address not in _ROUTED


def _wrong(what: str) -> Forbidden:
    return Forbidden(
        f"the callback URL {what}", todo="Give one such as https://rooms.example.com/calsync"
    )
