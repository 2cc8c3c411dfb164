"""Which addresses may be called: links to the configured Graph host, and paths in which ids and
names from outside stay what they are.

A nextLink or deltaLink is followed with a token; one that leads elsewhere would give it away.
"""

from __future__ import annotations

import re
from typing import TypeGuard
from urllib.parse import quote, urlsplit

from calsync.errors import BadAnswer, ForbiddenLink

#: Scheme, plain host and port, and a path of printable ASCII without a backslash. Stricter than
#: a URL on purpose: two parsers disagree on user names, backslashes and control characters, and
#: what was checked must be what is connected to.
_LINK = re.compile(
    r"(https?)://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?(/[\x21-\x5b\x5d-\x7e]*)"
)
_PORTS = {"http": 80, "https": 443}
#: An id of Graph: opaque, case-sensitive, and short. (Documented ids have some 150 letters.)
_ID = re.compile(r"(?!\.{1,2}\Z)[\x21-\x7e]{1,1024}")


class AllowedOrigin:
    """The one origin (scheme, host, port) that tokens are sent to."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.url = url.rstrip("/")
        host = (parts.hostname or "").lower()
        self._origin = (
            parts.scheme,
            f"[{host}]" if ":" in host else host,
            parts.port or _PORTS.get(parts.scheme, 0),
        )

    def check(self, link: str) -> str:
        """The link itself. Raises ForbiddenLink without repeating it: it may be hostile or long."""
        found = _LINK.fullmatch(link)
        if found is not None:
            scheme, host, port, _ = found.groups()
            origin = (scheme, host.lower(), int(port) if port else _PORTS[scheme])
            if origin == self._origin:
                return link
        host = found.group(2) if found else "something that is no plain address"
        raise ForbiddenLink(
            f"a link in an answer leads to {host[:100]}; it was not followed",
            where=self.url,
            todo="If a proxy rewrites answers, exclude Graph from it; else report this",
        )


def user_path(mailbox: str) -> str:
    """`/users/{mailbox}`; the address may hold what a path may not."""
    return f"/users/{quote(mailbox, safe='@')}"


def is_id(value: object) -> TypeGuard[str]:
    """Whether Graph may have meant it as an id. One that is a step up in a path, that no
    database takes, or that is megabytes long is none."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def event_path(mailbox: str, key: str) -> str:
    """An event of the mailbox. Raises BadAnswer for what can be no id."""
    if not is_id(key):
        raise BadAnswer("an id that Graph gave cannot be one", where=mailbox)
    return f"{user_path(mailbox)}/events/{quote(key, safe='')}"
