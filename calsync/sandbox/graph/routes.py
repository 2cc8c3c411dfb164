"""Which path leads where, and who may go there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..problems import Refusal, access_denied
from . import auth, calendar, changes, directory, extensions, folders, schedule, users, writes
from .batch import run_batch
from .request import VERSIONS, Request, Response, answer
from .writes import Written

if TYPE_CHECKING:
    from ..mailbox import Mailbox
    from ..world import Tenant
    from .front import GraphFront

ACTIONS = frozenset(
    {
        "accept",
        "decline",
        "tentativelyaccept",
        "cancel",
        "forward",
        "permanentdelete",
        "dismissreminder",
        "snoozereminder",
    }
)
# Known resources the application has no permission for: refused, not unknown.
DIRECTORY = frozenset(
    {"groups", "organization", "domains", "applications", "serviceprincipals", "devices"}
    | {"directoryobjects", "directoryroles", "contacts", "subscribedskus"}
)
MAIL = frozenset({"messages", "mailfolders", "contacts", "contactfolders", "people", "todo"})


class Routes:
    """Entra's endpoints and Graph, v1.0 and beta."""

    def __init__(self, front: GraphFront) -> None:
        self.front = front
        self.world = front.world

    def route(self, request: Request) -> Response:
        """Answer a call or refuse it."""
        parts = request.segments
        if not parts:
            raise _no_route(request)
        if parts[0] in VERSIONS:
            if parts[-1] == "$count" and len(parts) > 2:
                return self._count(request)
            return self._graph(request, parts[1:])
        if parts[1:] in (["oauth2", "v2.0", "token"], ["oauth2", "token"]):
            request.flags["operation"] = "token"
            if request.method != "POST":
                raise Refusal(405, "MethodNotAllowed", "The token endpoint takes POST.")
            v1, seconds = len(parts) == 3, self.front.token_lifetime_s
            return auth.token(self.world, request, parts[0], seconds, v1=v1)
        if parts[-2:] == [".well-known", "openid-configuration"] and len(parts) in (3, 4):
            request.flags["operation"] = "openid"
            return auth.discovery(self.world, request, parts[0])
        if parts == ["common", "discovery", "instance"]:
            request.flags["operation"] = "discovery"
            return auth.instance_discovery(request)
        if len(parts) >= 3 and parts[-2:] == ["v2.0", "keys"]:
            return answer(200, {"keys": []})
        raise _no_route(request)

    def _count(self, request: Request) -> Response:
        """GET …/$count: the bare number, as text."""
        if request.method != "GET":
            raise _wrong_method(request)
        request.segments = request.segments[:-1]
        advanced = request.headers.get("consistencylevel", "").casefold() == "eventual"
        if [one.casefold() for one in request.segments[1:]] == ["users"] and not advanced:
            raise Refusal(400, "Request_BadRequest", "$count is not currently supported.")
        kept = ("$filter", "$search", "startdatetime", "enddatetime")
        asked = {key: one for key, one in request.query.items() if key.casefold() in kept}
        request.query = {**asked, "$count": "true", "$top": "1"}
        total = self.route(request).json().get("@odata.count")
        if total is None:
            raise _no_route(request)
        return Response(200, {"Content-Type": "text/plain"}, str(total).encode())

    def _graph(self, request: Request, parts: list[str]) -> Response:
        if request.app is None:
            found = auth.check(self.world, request)
            request.app, request.tenant = found.app, found.tenant
        tenant = request.tenant
        if tenant is None or not parts:
            raise _no_route(request)
        request.check_type()
        head = parts[0].casefold()
        if head == "$batch" and request.method == "POST":
            request.flags["operation"] = "$batch"
            return run_batch(self.front, request)
        if head == "me":
            raise Refusal(
                400, "BadRequest", "/me request is only valid with delegated authentication flow."
            )
        if head == "places":
            request.flags["operation"] = "places"
            role = "Place.Read.All" if request.method == "GET" else "Place.ReadWrite.All"
            self._need(request, role, code="Authorization_RequestDenied")
            self._throttle(request, "places")
            return directory.places(self.world, request, tenant, parts[1:])
        if head == "users":
            if len(parts) == 1 and request.method == "GET":
                request.flags["operation"] = "users"
                self._need(request, "User.Read.All", code="Authorization_RequestDenied")
                return users.users(request, tenant)
            if len(parts) > 1:
                return self._user(request, tenant, parts[1], parts[2:])
        if head == "subscriptions":
            request.flags["operation"] = "subscriptions"
            self._need(request, "Calendars.Read")
            return self.front.subscriptions.handle(request, tenant, parts[1:])
        if head in DIRECTORY or head == "users":
            self._need(request, "Directory.ReadWrite.All", code="Authorization_RequestDenied")
        raise _no_route(request)

    def _need(self, request: Request, role: str, code: str = "ErrorAccessDenied") -> None:
        roles = request.app.roles if request.app else frozenset()
        if role not in roles and not (role == "Calendars.Read" and "Calendars.ReadWrite" in roles):
            message = (
                "Insufficient privileges to complete the operation."
                if code != "ErrorAccessDenied"
                else "Access is denied. Check credentials and try again."
            )
            raise Refusal(403, code, message)

    def _throttle(self, request: Request, mailbox: str) -> None:
        app = request.app.client_id if request.app else ""
        if not self.front.throttle.count(app, mailbox, self.world.tick()):
            self.front.throttle.refused["window"] += 1
            raise Refusal(
                429,
                "TooManyRequests",
                "Application is over its request limit for the mailbox.",
                headers={"Retry-After": f"{self.front.throttle.retry_after_s:g}"},
            )

    def _user(self, request: Request, tenant: Tenant, name: str, rest: list[str]) -> Response:
        box = self.world.user_ids.get(name.casefold()) or tenant.boxes.get(name.casefold())
        if box is None or box.tenant_id != tenant.tenant_id:
            if not rest:
                raise Refusal(
                    404,
                    "Request_ResourceNotFound",
                    f"Resource '{name}' does not exist or one of its queried "
                    "reference-property objects are not present.",
                )
            raise Refusal(404, "ErrorInvalidUser", f"The requested user '{name}' is invalid.")
        request.flags["mailbox"] = box.address
        if not rest and request.method == "GET":
            request.flags["operation"] = "user"
            self._need(request, "User.Read.All", code="Authorization_RequestDenied")
            return users.one_user(request, box)
        request.flags["operation"] = rest[0] if rest else "user"
        self._throttle(request, box.address)
        scope = request.app.scope if request.app else None
        if scope is not None and box.address.casefold() not in scope:
            if self.front.scope_denial == 404:
                raise Refusal(
                    404, "ErrorItemNotFound", "The specified object was not found in the store."
                )
            raise access_denied()
        if not box.enabled or box.home == "onprem":
            raise Refusal(
                404,
                "MailboxNotEnabledForRESTAPI",
                "The mailbox is either inactive, soft-deleted, or is hosted on-premise.",
            )
        return self._mailbox(request, tenant, box, rest)

    def _mailbox(self, request: Request, tenant: Tenant, box: Mailbox, rest: list[str]) -> Response:
        found = self._beside(request, tenant, box, rest)
        if found is not None:
            return found
        head, method = rest[0].casefold(), request.method
        action = rest[-1].rpartition(".")[2].casefold()
        reads = method == "GET" or action == "getschedule"
        self._need(request, "Calendars.Read" if reads else "Calendars.ReadWrite")
        if head in ("calendar", "calendars", "calendargroups"):
            request.flags["operation"] = rest[0]
            inside = folders.descend(request, box, rest)
            if isinstance(inside, Response):
                return inside
            rest, head = inside, inside[0].casefold()
            if action == "getschedule" and len(rest) == 1 and method == "POST":
                request.flags["operation"] = "getSchedule"
                return schedule.get_schedule(self.world, request, tenant)
        if head == "calendarview" and method == "GET":
            return self._view(request, box, rest[1:])
        if head == "events":
            return self._events(request, box, rest[1:])
        raise _no_route(request)

    def _beside(
        self, request: Request, tenant: Tenant, box: Mailbox, rest: list[str]
    ) -> Response | None:
        """What a mailbox has besides calendars; None for another path."""
        if not rest:
            raise _no_route(request)
        head, method = rest[0].casefold(), request.method
        if head == "mailboxsettings":
            request.flags["operation"] = "mailboxSettings"
            role = "MailboxSettings.Read" if method == "GET" else "MailboxSettings.ReadWrite"
            self._need(request, role)
            return directory.mailbox_settings(request, box, rest[1:])
        if head == "sendmail" and method == "POST":
            request.flags["operation"] = "sendMail"
            self._need(request, "Mail.Send")
            return schedule.send_mail(self.world, request, box)
        if head == "outlook" and len(rest) == 2 and method == "GET":
            request.flags["operation"] = rest[1].partition("(")[0]
            return directory.outlook(request, rest[1])
        if head == "translateexchangeids" and method == "POST":
            request.flags["operation"] = "translateExchangeIds"
            return directory.translate_ids(self.world, request, box)
        if head == "findmeetingtimes" or head in MAIL:
            # findMeetingTimes is delegated only; mail would need Mail.Read and the like.
            raise access_denied()
        if head in ("photo", "photos"):
            raise Refusal(404, "ImageNotFound", "The photo wasn't found.")
        if head.partition("(")[0] in ("findrooms", "findroomlists") and request.version == "beta":
            return directory.find_rooms(request, tenant, rest[0])
        return None

    def _view(self, request: Request, box: Mailbox, rest: list[str]) -> Response:
        if not rest:
            request.flags["operation"] = "calendarView"
            return calendar.calendar_view(self.world, request, box)
        if _is_delta(rest[0]):
            request.flags["operation"] = "calendarView/delta"
            return changes.delta(self.world, request, box, windowed=True)
        raise _no_route(request)

    def _events(self, request: Request, box: Mailbox, rest: list[str]) -> Response:
        method, flags = request.method, request.flags
        if not rest:
            flags["operation"] = "events"
            if method == "GET":
                return calendar.list_events(self.world, request, box)
            if method == "POST":
                return self._written(
                    request, box, "create", lambda: writes.create(self.world, request, box)
                )
            raise _wrong_method(request)
        if _is_delta(rest[0]) and method == "GET" and self.world.switches.events_delta:
            flags["operation"] = "events/delta"
            return changes.delta(self.world, request, box, windowed=False)
        event_id = rest[0]
        if len(rest) == 1:
            flags["operation"] = "event"
            if method == "GET":
                return calendar.get_event(self.world, request, box, event_id)
            if method == "PATCH":
                return self._written(
                    request,
                    box,
                    "update",
                    lambda: writes.update(self.world, request, box, event_id),
                )
            if method == "DELETE":
                return self._written(
                    request,
                    box,
                    "delete",
                    lambda: writes.delete(self.world, request, box, event_id),
                )
            raise _wrong_method(request)
        action = rest[1].rpartition(".")[2].casefold()
        flags["operation"] = f"event/{rest[1].rpartition('.')[2]}"
        if len(rest) == 2 and action == "instances" and method == "GET":
            return calendar.instances(self.world, request, box, event_id)
        if len(rest) == 2 and action == "exceptionoccurrences" and method == "GET":
            return calendar.changed_dates(self.world, request, box, event_id)
        if action == "extensions" and len(rest) <= 3:
            name = rest[2] if len(rest) == 3 else None
            if method == "GET":
                return extensions.read(self.world, request, box, event_id, name)
            if method in (("POST",) if name is None else ("PATCH", "DELETE")):
                return self._written(
                    request,
                    box,
                    "extend",
                    lambda: extensions.write(self.world, request, box, event_id, name),
                )
        if len(rest) == 2 and action in ACTIONS and method == "POST":
            return self._written(
                request,
                box,
                action,
                lambda: writes.act(self.world, request, box, event_id, rest[1]),
            )
        if method == "GET":
            return calendar.member(self.world, request, box, event_id, rest[1:])
        raise _no_route(request)

    def _written(
        self, request: Request, box: Mailbox, kind: str, write: Callable[[], Written]
    ) -> Response:
        """Do a write and log it: this log, not the application's, judges a run.

        The line is taken first, so that what follows from the write (the attendant's verdict)
        comes after it.
        """
        line = self.world.note("app", kind)
        try:
            written = write()
        except Refusal:
            if self.world.log[-1] is line:
                self.world.log.pop()
            raise
        line |= {
            "app": request.app.client_id if request.app else None,
            "method": request.method,
            "path": request.path,
            "mailbox": box.address,
            "changed": list(written.changed),
            "status": written.response.status,
        }
        if written.item is not None:
            line["id"] = box.id_of(written.item, written.day, immutable=request.immutable)
            line["immutableId"] = box.id_of(written.item, written.day, immutable=True)
            line["iCalUId"] = written.item.uid
            line["date"] = written.day.isoformat() if written.day else None
        return written.response


def _is_delta(segment: str) -> bool:
    return segment.casefold() in (
        "delta",
        "delta()",
        "microsoft.graph.delta",
        "microsoft.graph.delta()",
    )


def _no_route(request: Request) -> Refusal:
    last = request.segments[-1] if request.segments else ""
    if request.segments and request.segments[0] not in VERSIONS:
        return Refusal(404, "ResourceNotFound", "Invalid version or path.")
    return Refusal(400, "BadRequest", f"Resource not found for the segment '{last}'.")


def _wrong_method(request: Request) -> Refusal:
    return Refusal(
        405,
        "UnsupportedHttpVerb",
        f"The HTTP method {request.method} is not supported for this resource.",
    )
