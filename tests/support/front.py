"""By which of the sandbox's two fronts the tests reach a company: Graph, or EWS as an Exchange
Server has it. ``pytest tests/scenarios --exchange ews`` chooses it for a whole run.

Scenarios name calls as Graph has them; what is said here of EWS's counterparts lets one scenario
arm its faults on either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

FRONTS = ("graph", "ews")
#: What the call log names calls that would change something, by either front.
WRITES = (
    *("POST", "PATCH", "DELETE", "PUT"),
    *("CreateItem", "UpdateItem", "DeleteItem", "MoveItem", "SendItem"),
)
_chosen = ["graph"]


def choose(name: str) -> None:
    """For all that is built from now on."""
    assert name in FRONTS, name
    _chosen[0] = name


def chosen() -> str:
    return _chosen[0]


def by_ews() -> bool:
    return chosen() == "ews"


@contextmanager
def reached_by(name: str) -> Iterator[None]:
    before = chosen()
    choose(name)
    try:
        yield
    finally:
        choose(before)


#: What an admin reads of a tenant → what of a server in the same trouble.
_WORDS = {
    "the answer of Graph was lost": "the answer of Exchange was lost",
    "Graph was": "Exchange was",
    "no JSON object (text/html": "no SOAP (text/html",
    "no JSON object": "no XML",
    "may not open this mailbox": "may not do this in the mailbox",
    "may not open": "may not act for this mailbox",
    "Check the room's address": "Check the scope of the role",
    "refused a fresh token": "refused the sign-in",
    "is not well": "slow down",
    "client secret is wrong": "refused the sign-in",
    "AADSTS7000215": "not locked",
    "30 s": "is being moved",
    "Delete the event": "Delete the item",
    "no connection to Graph": "no connection to Exchange",
    "Test-ServicePrincipalAuthorization": "connect-exchange-server.md",
}


def words(text: str) -> str:
    """What an admin reads, where the two are worded differently; ``text`` is the tenant's."""
    return _WORDS.get(text, text) if by_ews() else text


# --- calls -------------------------------------------------------------------------------------


def is_change(method: str, target: str, body: bytes) -> bool:
    """A request that changes one item: a PATCH of an event, or UpdateItem."""
    if by_ews():
        return b"UpdateItem>" in body and b"ItemChange" in body
    return method == "PATCH" and "/events/" in target


def is_create(method: str, body: bytes) -> bool:
    """A request that makes an item."""
    return b"CreateItem>" in body if by_ews() else method == "POST"


def is_made(method: str, answer: bytes) -> bool:
    """The answer to a request that makes an item."""
    return b"CreateItemResponse>" in answer if by_ews() else method == "POST"


def is_decline(target: str, body: bytes) -> bool:
    return b"DeclineItem>" in body if by_ews() else target.endswith("/decline")


# --- faults ------------------------------------------------------------------------------------

_READS = "SyncFolderItems|GetItem|FindItem"
_WRITES = {"POST": "CreateItem", "PATCH": "UpdateItem", "DELETE": "DeleteItem", "GET": _READS}
#: What a path names of Graph's calls that read → the operation that does this.
_READING = (
    (r"delta|startDateTime", "SyncFolderItems"),
    (r"/events/|batch", "GetItem"),
)
_VERBS = frozenset(_WRITES)
_KINDS = {"batch_part_throttled": "batch_stopped"}
_MAILBOX = re.compile(r"[\w.-]+@[\w.-]*\w|hall-")


def fault(doc: dict[str, Any], by: str) -> dict[str, Any]:
    """A fault that a scenario arms by Graph's methods and paths, for the named front. One that
    names an operation of EWS is left as it is."""
    method, path = str(doc.get("method", "")), str(doc.get("path", ""))
    if by != "ews" or "sendMail" in path or (method and not {*method.split("|")} <= _VERBS):
        return doc  # Mail of a company on EWS leaves by the tenant, too.
    mailbox = _MAILBOX.search(path)
    if method == "GET" or not method:
        named = [operation for words, operation in _READING if re.search(words, path)]
        method = named[0] if named else _WRITES.get(method, ".*")
    else:
        method = "|".join(_WRITES[one] for one in method.split("|"))
    kind = _KINDS.get(doc["kind"], doc["kind"])
    where = re.escape(mailbox[0]) if mailbox else ""
    return {**doc, "kind": kind, "method": method, "path": where}
