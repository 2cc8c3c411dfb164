"""Envelopes of answers: the version header, SOAP faults, and the 401 that comes first."""

from __future__ import annotations

from ..graph.request import Response
from ..problems import Refusal
from .call import Call, SoapFault
from .xml import ERRORS, MESSAGES, SOAP, TYPES, Markup, Part, escape, t

CONTENT = "text/xml; charset=utf-8"
# Exchange Server Subscription Edition RTM, whose schema is the newest there is.
BUILD: dict[str, Part] = {
    "MajorVersion": 15,
    "MinorVersion": 2,
    "MajorBuildNumber": 2562,
    "MinorBuildNumber": 17,
    "Version": "V2017_07_11",
}
_HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>'
    f'<s:Envelope xmlns:s="{SOAP}" xmlns:m="{MESSAGES}" xmlns:t="{TYPES}">'
    f"<s:Header>{t('ServerVersionInfo', **BUILD)}</s:Header><s:Body>"
)
_TAIL = "</s:Body></s:Envelope>"


def wrap(content: Markup) -> bytes:
    """A whole answer."""
    return f"{_HEAD}{content}{_TAIL}".encode()


def answer(call: Call, content: Markup) -> Response:
    """HTTP 200."""
    made = Response(200, {"Content-Type": CONTENT}, wrap(content))
    made.headers.update(call.flags.get("headers", {}))
    stream = call.flags.get("stream")
    if stream is not None:
        made.stream = stream
    return made


def fault_response(fault: SoapFault) -> Response:
    """HTTP 500 with a SOAP fault, its ResponseCode in the detail."""
    text, code = escape(fault.message), escape(fault.code)
    body = (
        '<?xml version="1.0" encoding="utf-8"?>'
        f'<s:Envelope xmlns:s="{SOAP}"><s:Body><s:Fault>'
        f'<faultcode xmlns:a="{TYPES}">a:{code}</faultcode>'
        f'<faultstring xml:lang="en-US">{text}</faultstring>'
        f'<detail><e:ResponseCode xmlns:e="{ERRORS}">{code}</e:ResponseCode>'
        f'<e:Message xmlns:e="{ERRORS}">{text}</e:Message>{_detail(fault.detail)}</detail>'
        "</s:Fault></s:Body></s:Envelope>"
    )
    return Response(fault.status, {"Content-Type": CONTENT}, body.encode())


def _detail(markup: Markup | None) -> str:
    if markup is None:
        return ""
    return markup.replace("<t:MessageXml", f'<t:MessageXml xmlns:t="{TYPES}"', 1)


def values(refusal: Refusal) -> Markup | None:
    """MessageXml of a refusal that says more than its code (BackOffMilliseconds)."""
    if not refusal.extra:
        return None
    return t("MessageXml", *(t("Value", str(v), Name=k) for k, v in refusal.extra.items()))


def unauthorized() -> Response:
    """Log in first."""
    headers = {"WWW-Authenticate": 'Basic realm="exchange.sandbox"', "Content-Type": "text/html"}
    return Response(401, headers, b"<html>401 - Unauthorized</html>")
