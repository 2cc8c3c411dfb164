"""Faults in the shape EWS gives them; kinds and counts are those of calsync.sandbox.faults."""

from __future__ import annotations

from ..faults import LOGIN_PAGE, Fault, broken
from ..graph.request import Response
from ..problems import Refusal
from .batch import milliseconds
from .call import Call, SoapFault, busy, refused, response
from .envelope import CONTENT, answer, unauthorized, values
from .xml import Markup

GARBAGE = b'<?xml version="1.0"?><s:Envelope><s:Body>\x00\xff</s:Envelope>'


def name_mailbox(call: Call) -> None:
    """Faults match by mailbox, so it must be known before the call is carried out: the first
    address or id that the request names."""
    if call.flags.get("mailbox"):
        return
    stores = call.front.stores
    for node in call.body.walk():
        if node.name == "EmailAddress" and call.world.box(node.text) is not None:
            call.flags["mailbox"] = call.world.box(node.text).address  # type: ignore[union-attr]  # looked up right before
            return
        for name in ("Id", "RecurringMasterId", "OccurrenceId"):
            text = node.attrs.get(name, "")
            if text.startswith("AAMk"):
                try:
                    store = (
                        stores.folder(text)[0]
                        if node.name == "FolderId"
                        else stores.item(text).store
                    )
                except Refusal:
                    continue
                call.flags["mailbox"] = store.box.address
                return


def before(call: Call, fault: Fault) -> Response | None:
    """The answer of a fault that strikes before the call is handled; None lets it go on."""
    kind, params = fault.kind, fault.params
    if kind == "lost_request":
        return Response(0, {}, b"", fate="drop")
    if kind == "slow":
        call.flags["delay_s"] = float(params.get("seconds", 1.0))
        return None
    if kind == "html_login":
        return Response(200, {"Content-Type": "text/html; charset=utf-8"}, LOGIN_PAGE)
    if kind == "redirect":
        target = str(params.get("location", f"{call.front.base}/owa/"))
        return Response(int(params.get("status", 302)), {"Location": target}, b"")
    if kind == "token_expired":
        return unauthorized()
    if kind == "error_before":
        refusal = broken(params)
        return Response(
            refusal.status,
            {**refusal.headers, "Content-Type": "text/html"},
            b"<html>Service unavailable</html>",
        )
    if kind == "throttled":
        return _throttled(call, fault)
    if kind in ("gone", "sync_state_invalid"):
        call.flags["bad_state"] = True
        return None
    if kind == "permission_removed":
        lost = int(params.get("status", 403)) == 404
        call.flags["denied"] = "ErrorItemNotFound" if lost else "ErrorAccessDenied"
        return None
    if kind == "mailbox_moved":
        raise SoapFault("ErrorMailboxMoveInProgress", "Mailbox move in progress. Try again later.")
    if kind == "ews_error":
        code = str(params.get("code", "ErrorInternalServerTransientError"))
        if params.get("form") == "fault":
            raise SoapFault(code, "The request could not be carried out.")
        call.flags["denied"] = code
        return None
    call.flags["denied"] = "ErrorItemNotFound"
    return None


def _throttled(call: Call, fault: Fault) -> Response:
    """ErrorServerBusy in the forms that servers use: a SOAP fault, a message under 200, inside
    ErrorInternalServerError, or 503 of IIS. The form of a Graph fault counts as a SOAP fault."""
    params, form = fault.params, str(fault.params.get("form", "soap"))
    wait = milliseconds(fault, call.front.backoff_ms)
    refusal = busy(86_400_000 if form == "huge" else wait)
    if form == "absent":
        refusal.extra.clear()
    if form == "http" or int(params.get("status", 500)) == 503:
        headers = {"Retry-After": str(max(1, wait // 1000)), "Content-Type": "text/html"}
        return Response(503, headers, b"<html>Service unavailable</html>")
    if form == "message":
        return answer(call, response(call.operation, [refused(call.operation, refusal)]))
    code = "ErrorInternalServerError" if form == "wrapped" else "ErrorServerBusy"
    text = (
        refusal.message
        if form != "wrapped"
        else f"An internal server error occurred. {refusal.message}"
    )
    detail: Markup | None = values(refusal)
    raise SoapFault(code, text, detail=detail)


def after(fault: Fault, given: Response) -> Response:
    """The answer spoiled after the work was done."""
    kind = fault.kind
    if kind == "reply_lost":
        return Response(0, {}, b"", fate="drop")
    if kind == "reset_mid_body":
        given.fate = "reset"
    elif kind == "truncated_json":
        given.body = given.body[: max(1, len(given.body) * 2 // 3)]
        given.status = 200 if given.status < 300 else given.status
    elif kind == "garbage_json":
        return Response(200, {"Content-Type": CONTENT}, GARBAGE)
    elif kind == "html_after":
        return Response(200, {"Content-Type": "text/html; charset=utf-8"}, LOGIN_PAGE)
    elif kind == "error_after":
        refusal = broken(fault.params)
        headers = {**refusal.headers, "Content-Type": "text/html"}
        return Response(refusal.status, headers, b"<html>Bad gateway</html>")
    return given
