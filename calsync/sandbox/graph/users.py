"""Users of the directory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..problems import Refusal
from . import query as odata
from .directory import plain_page
from .request import Request, Response, answer

if TYPE_CHECKING:
    from ..mailbox import Mailbox
    from ..world import Tenant

DEFAULTS = (
    "businessPhones",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
    "id",
)


def user(box: Mailbox) -> dict[str, Any]:
    """microsoft.graph.user. Without $select only `DEFAULTS` are answered."""
    return {
        "businessPhones": [],
        "displayName": box.name,
        "givenName": None,
        "jobTitle": None,
        "mail": box.address,
        "mobilePhone": None,
        "officeLocation": None,
        "preferredLanguage": None,
        "surname": None,
        "userPrincipalName": box.address,
        "id": box.user_id,
        # A resource mailbox is a user whose sign-in is switched off.
        "accountEnabled": box.place is None,
        "mailNickname": box.address.partition("@")[0],
        "proxyAddresses": [f"SMTP:{box.address}"],
        "userType": "Member",
    }


def users(request: Request, tenant: Tenant) -> Response:
    """GET /users. $search and $count are advanced queries and need ConsistencyLevel: eventual."""
    query = request.query
    rows = [user(box) for box in tenant.boxes.values()]
    advanced = request.headers.get("consistencylevel", "").casefold() == "eventual"
    if "$search" in query:
        if not advanced:
            raise Refusal(
                400,
                "Request_UnsupportedQuery",
                "Request with $search query parameter only works through MSGraph with a special "
                "request header: 'ConsistencyLevel: eventual'",
            )
        rows = [row for row in rows if _found(row, query["$search"])]
    if query.get("$count") and not advanced:
        query = request.query = {key: one for key, one in query.items() if key != "$count"}
    for path, descending in reversed(odata.ordering(query)):
        rows.sort(
            key=lambda row: str(odata.value_at(row, path) or "").casefold(), reverse=descending
        )
    return plain_page(request, rows, DEFAULTS)


def _found(row: dict[str, Any], text: str) -> bool:
    """$search="displayName:word": the word begins a word of the member."""
    name, _, word = text.strip().strip('"').partition(":")
    words = str(odata.value_at(row, name) or "").casefold()
    return any(
        part.startswith(word.casefold()) for part in (words, *words.split(), *words.split("@"))
    )


def one_user(request: Request, box: Mailbox) -> Response:
    """GET /users/{id}."""
    names = odata.selected(request.query)
    shown = odata.pick(user(box), names or DEFAULTS)
    return answer(200, {"@odata.context": request.context(names, entity=True), **shown})
