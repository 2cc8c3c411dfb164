"""A Microsoft cloud as a value.

Hosts: Microsoft Graph, "National cloud deployments". Features: the metadata of the US
Government and China clouds lacks event.cancelledOccurrences and exceptionOccurrences.
Audiences: Microsoft Entra, "Workload identity federation".
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from calsync.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """Where to sign in, where Graph is, and what it can do.

    ``login`` and ``graph`` are origins (scheme, host, port) without a final slash.
    ``login_hosts``: hosts that may be told the credential. ``series_parts``: a master can be
    read with its exceptions and cancelled occurrences; else its instances are listed.
    """

    name: str
    login: str
    graph: str
    assertion_audience: str
    login_hosts: tuple[str, ...]
    series_parts: bool = True

    @property
    def scope(self) -> str:
        """Everything an admin granted to the app (client credentials know no other scope)."""
        return f"{self.graph}/.default"


GLOBAL = Cloud(
    name="global",
    login="https://login.microsoftonline.com",
    graph="https://graph.microsoft.com",
    assertion_audience="api://AzureADTokenExchange",
    login_hosts=("login.microsoftonline.com",),
)
US_GOV_L4 = Cloud(
    name="us-gov-l4",
    login="https://login.microsoftonline.us",
    graph="https://graph.microsoft.us",
    assertion_audience="api://AzureADTokenExchangeUSGov",
    login_hosts=("login.microsoftonline.us",),
    series_parts=False,
)
US_GOV_L5 = Cloud(
    name="us-gov-l5",
    login="https://login.microsoftonline.us",
    graph="https://dod-graph.microsoft.us",
    assertion_audience="api://AzureADTokenExchangeUSGov",
    login_hosts=("login.microsoftonline.us",),
    series_parts=False,
)
CHINA = Cloud(
    name="china",
    login="https://login.chinacloudapi.cn",
    graph="https://microsoftgraph.chinacloudapi.cn",
    assertion_audience="api://AzureADTokenExchangeChina",
    # The second is the same service under its partner name; its discovery document may use it.
    login_hosts=("login.chinacloudapi.cn", "login.partner.microsoftonline.cn"),
    series_parts=False,
)

CLOUDS = {cloud.name: cloud for cloud in (GLOBAL, US_GOV_L4, US_GOV_L5, CHINA)}


def cloud(name: str) -> Cloud:
    """The cloud of that name; UsageError lists the names."""
    try:
        return CLOUDS[name]
    except KeyError:
        raise UsageError(
            f"there is no cloud {name!r}", todo=f"Choose one of: {', '.join(sorted(CLOUDS))}"
        ) from None


def custom(*, login: str, graph: str, series_parts: bool = True) -> Cloud:
    """A cloud at other addresses, for the sandbox. Plain http only towards this machine."""
    login, graph = _origin(login), _origin(graph)
    return Cloud(
        name="custom",
        login=login,
        graph=graph,
        assertion_audience="api://AzureADTokenExchange",
        login_hosts=(urlsplit(login).hostname or "",),
        series_parts=series_parts,
    )


def is_loopback(host: str) -> bool:
    """True for this machine's own addresses. Other names are not resolved: DNS may lie."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _origin(url: str) -> str:
    parts = urlsplit(url)
    plain = parts.scheme == "http" and is_loopback(parts.hostname or "")
    if not (parts.scheme == "https" or plain) or not parts.hostname:
        raise UsageError(
            f"{url!r} cannot be used as the address of a cloud",
            todo="Give an https:// address; http:// works only for this machine (127.0.0.1)",
        )
    if parts.username or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise UsageError(
            f"{url!r} must be scheme, host and port only",
            todo="Leave out user names, paths and queries",
        )
    return f"{parts.scheme}://{parts.netloc.lower()}"
