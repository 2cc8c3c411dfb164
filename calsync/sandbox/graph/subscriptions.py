"""Change notifications of /users/{id}/events: subscriptions, and what they are told.

Basic notifications only, without resource data and lifecycle events. The handshake and the
delivery need a transport: `post` is set by the server, without one (inline) nothing is sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from ..problems import Refusal, bad_request
from . import render
from .request import Request, Response, answer, segments_of

if TYPE_CHECKING:
    from ..mailbox import Mailbox
    from ..world import Tenant, World

LONGEST, SHORTEST = timedelta(minutes=10_080), timedelta(minutes=45)
CHANGES = frozenset({"created", "updated", "deleted"})
LOOPBACK = ("localhost", "127.0.0.1", "::1")
Post = Callable[[str, bytes, str], tuple[int, bytes]]


@dataclass(slots=True)
class Subscription:
    """`known` holds the items the subscriber was told of or that were there before."""

    id: str
    app: str
    tenant: str
    box: Mailbox
    changes: frozenset[str]
    body: dict[str, Any]
    until: datetime
    immutable: bool
    seq: int
    known: set[str] = field(default_factory=set)

    def show(self) -> dict[str, Any]:
        """microsoft.graph.subscription; clientState is not answered after the creation."""
        return {
            "id": self.id,
            "resource": self.body["resource"],
            "applicationId": self.app,
            "changeType": self.body["changeType"],
            "clientState": None,
            "notificationUrl": self.body["notificationUrl"],
            "notificationQueryOptions": None,
            "lifecycleNotificationUrl": self.body.get("lifecycleNotificationUrl"),
            "expirationDateTime": _stamp(self.until),
            "creatorId": self.app,
            "includeResourceData": None,
            "latestSupportedTlsVersion": self.body.get("latestSupportedTlsVersion") or "v1_2",
            "encryptionCertificate": None,
            "encryptionCertificateId": None,
            "notificationUrlAppId": None,
        }


class Subscriptions:
    """All subscriptions of the world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.post: Post | None = None
        self.found: dict[str, Subscription] = {}

    def handle(self, request: Request, tenant: Tenant, rest: list[str]) -> Response:
        """/subscriptions and /subscriptions/{id}."""
        self._expire()
        app = request.app.client_id if request.app else ""
        own = {key: one for key, one in self.found.items() if one.app == app}
        if not rest:
            if request.method == "POST":
                return self._create(request, tenant, app)
            rows = [one.show() for one in own.values()]
            return answer(200, {"@odata.context": request.context(), "value": rows})
        one = own.get(rest[0])
        if one is None:
            raise Refusal(404, "ResourceNotFound", "The object was not found.")
        if request.method == "DELETE":
            del self.found[one.id]
            return Response(204, {})
        if rest[1:] == ["reauthorize"] and request.method == "POST":
            return Response(204, {})
        if request.method == "PATCH":
            body = request.json()
            if "lifecycleNotificationUrl" in body:
                raise bad_request("lifecycleNotificationUrl cannot be changed.", "InvalidRequest")
            one.until = self._until(body.get("expirationDateTime"))
        return answer(200, {"@odata.context": request.context(entity=True), **one.show()})

    def _create(self, request: Request, tenant: Tenant, app: str) -> Response:
        body = request.json()
        for name in ("changeType", "notificationUrl", "resource", "expirationDateTime"):
            if not isinstance(body.get(name), str):
                raise bad_request(f"'{name}' is a mandatory property.", "InvalidRequest")
        changes = frozenset(one.strip().casefold() for one in body["changeType"].split(","))
        if not changes <= CHANGES or body.get("includeResourceData"):
            raise bad_request(
                "The changeType or includeResourceData is not supported here.", "InvalidRequest"
            )
        parts = segments_of(body["resource"])
        box = self.world.user_ids.get(parts[1].casefold()) if len(parts) > 1 else None
        box = box or (tenant.boxes.get(parts[1].casefold()) if len(parts) > 1 else None)
        if box is None or [parts[0].casefold(), parts[-1].casefold()] != ["users", "events"]:
            raise bad_request(f"Resource '{body['resource']}' is not supported.", "ExtensionError")
        scope = request.app.scope if request.app else None
        if scope is not None and box.address.casefold() not in scope:
            raise Refusal(
                403,
                "ExtensionError",
                "Operation: Create; Exception: [Status Code: Forbidden; Reason: Access is denied.]",
            )
        for one in self.found.values():
            if (one.app, one.box, one.changes) == (app, box, changes):
                raise Refusal(
                    409,
                    "ExtensionError",
                    "A subscription for the resource and the changeType exists already.",
                )
        until = self._until(body["expirationDateTime"])
        for name in ("notificationUrl", "lifecycleNotificationUrl"):
            if body.get(name):
                self._handshake(str(body[name]))
        made = Subscription(
            id=self.world.request_id(),
            app=app,
            tenant=tenant.tenant_id,
            box=box,
            changes=changes,
            body=body,
            until=until,
            immutable=request.immutable,
            seq=box.seq,
            known=set(box.items),
        )
        self.found[made.id] = made
        shown = {**made.show(), "clientState": body.get("clientState")}
        return answer(201, {"@odata.context": request.context(entity=True), **shown})

    def _until(self, text: object) -> datetime:
        now = self.world.now()
        try:
            wanted = datetime.fromisoformat(str(text))
        except ValueError:
            raise bad_request("expirationDateTime is not a timestamp.", "InvalidRequest") from None
        wanted = wanted.replace(tzinfo=UTC) if wanted.tzinfo is None else wanted
        if wanted - now > LONGEST + timedelta(minutes=1):
            raise bad_request(
                "Subscription expiration can only be 10080 minutes in the future.",
                "ExtensionError",
            )
        return max(wanted, now + SHORTEST)

    def _handshake(self, url: str) -> None:
        """Ask the endpoint to give the token back; only loopback is ever called."""
        if urlsplit(url).hostname not in LOOPBACK:
            raise bad_request("The sandbox notifies addresses on loopback only.", "ValidationError")
        if self.post is None:
            return
        token = f"Validation: Testing client application reachability {self.world.request_id()}"
        mark = "&" if "?" in url else "?"
        try:
            status, body = self.post(
                f"{url}{mark}validationToken={quote(token)}", b"", "text/plain; charset=utf-8"
            )
        except OSError:
            status, body = 0, b""
        if status != 200 or body.decode("utf-8", "replace").strip() != token:
            raise bad_request(
                "Subscription validation request failed. Must respond with 200 OK to this request.",
                "ValidationError",
            )

    def _expire(self) -> None:
        now = self.world.now()
        self.found = {key: one for key, one in self.found.items() if one.until > now}

    def due(self) -> list[tuple[str, dict[str, Any]]]:
        """(address, body) of what changed since the last look."""
        if not self.found:
            return []
        self._expire()
        told: dict[str, list[dict[str, Any]]] = {}
        for one in self.found.values():
            if one.seq != one.box.seq:
                told.setdefault(one.body["notificationUrl"], []).extend(_news(one))
        return [(url, {"value": rows}) for url, rows in told.items() if rows]


def _news(one: Subscription) -> list[dict[str, Any]]:
    box, rows = one.box, []
    for key in box.changed_since(one.seq, box.seq):
        item = box.items.get(key)
        if item is None and key not in one.known:
            continue  # came and went between two looks
        change = "deleted" if item is None else "updated" if key in one.known else "created"
        (one.known.discard if item is None else one.known.add)(key)
        shown = item or box.tombs[key]
        if change not in one.changes:
            continue
        event_id = box.id_of(shown, immutable=one.immutable)
        resource = f"Users/{box.user_id}/Events/{event_id}"
        rows.append(
            {
                "subscriptionId": one.id,
                "subscriptionExpirationDateTime": _stamp(one.until),
                "changeType": change,
                "resource": resource,
                "resourceData": {
                    "@odata.type": "#Microsoft.Graph.Event",
                    "@odata.id": resource,
                    "@odata.etag": render.etag(box, shown),
                    "id": event_id,
                },
                "clientState": one.body.get("clientState"),
                "tenantId": one.tenant,
            }
        )
    one.seq = box.seq
    return rows


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
