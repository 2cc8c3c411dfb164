"""One EWS call: who calls, for whom, in which version and zone; and how a call is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..problems import Refusal
from ..zones import UTC_ZONE, Zone
from .xml import Markup, Node, Part, m, tag

if TYPE_CHECKING:
    from ..mailbox import Mailbox
    from ..world import Tenant, World
    from .accounts import Account
    from .front import EwsFront

VERSIONS = (
    "Exchange2007", "Exchange2007_SP1", "Exchange2009", "Exchange2010", "Exchange2010_SP1",
    "Exchange2010_SP2", "Exchange2012", "Exchange2013", "Exchange2013_SP1", "Exchange2015",
    "Exchange2016", "V2015_10_05", "V2016_01_06", "V2016_04_13", "V2016_07_13", "V2016_10_10",
    "V2017_01_07", "V2017_04_14", "V2017_07_11",
)  # fmt: skip


class SoapFault(Exception):
    """The whole request is refused: a SOAP fault under HTTP 500."""

    def __init__(
        self, code: str, message: str, *, detail: Markup | None = None, status: int = 500
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.detail = detail
        self.status = status


def schema(message: str, node: Node | None = None) -> SoapFault:
    """What Exchange answers to a request that its schema does not allow."""
    parts: list[Part] = []
    if node is not None:
        parts.append(tag("t", "LineNumber", (node.line,), {}))
        parts.append(tag("t", "LinePosition", (1,), {}))
    parts.append(tag("t", "Violation", (message,), {}))
    return SoapFault(
        "ErrorSchemaValidation",
        f"The request failed schema validation: {message}",
        detail=tag("t", "MessageXml", tuple(parts), {}),
    )


@dataclass(slots=True)
class Call:
    """What an operation needs to know of its call. `box`: the mailbox it acts as, None where the
    account has none. `zone`: of times without offset, and of the times answered."""

    front: EwsFront
    operation: str
    body: Node
    account: Account
    tenant: Tenant
    box: Mailbox | None
    version: int
    zone: Zone = UTC_ZONE
    zone_said: bool = False
    impersonated: bool = False
    flags: dict[str, Any] = field(default_factory=dict)

    @property
    def world(self) -> World:
        """The world served."""
        return self.front.world

    def since(self, version: str) -> bool:
        """Whether the client asked for that schema version or a later one."""
        return self.version >= VERSIONS.index(version)


def need(node: Node, *path: str) -> Node:
    """A required element."""
    found = node.find(*path)
    if found is None:
        raise schema(
            f"The element '{node.name}' has incomplete content. List of possible elements "
            f"expected: '{path[-1]}'.",
            node,
        )
    return found


def attr(node: Node, name: str) -> str:
    """A required attribute."""
    if name not in node.attrs:
        raise schema(f"The required attribute '{name}' is missing.", node)
    return node.attrs[name]


def one_of(node: Node, value: str, allowed: Iterable[str]) -> str:
    """A value of an enumeration: XML compares with case."""
    if value not in allowed:
        raise schema(
            f"The '{node.name}' element is invalid - The value '{value}' is invalid according to "
            "its datatype - The Enumeration constraint failed.",
            node,
        )
    return value


def whole(node: Node, value: str, low: int | None = None, high: int | None = None) -> int:
    """A whole number, within limits of the schema."""
    try:
        number = int(value.strip())
    except ValueError:
        raise schema(
            f"The '{node.name}' element is invalid - '{value}' is no Int32.", node
        ) from None
    if (low is not None and number < low) or (high is not None and number > high):
        raise schema(
            f"The '{node.name}' element is invalid - The value '{value}' is out of range.", node
        )
    return number


def truth(node: Node, value: str) -> bool:
    """xs:boolean."""
    if value.strip() not in ("true", "false", "1", "0"):
        raise schema(f"The '{node.name}' element is invalid - '{value}' is no Boolean.", node)
    return value.strip() in ("true", "1")


# -- answers --------------------------------------------------------------------------------

# What the world refuses in words of Graph only, in words of EWS.
_CODES = {
    "ErrorPropertyValidationFailure": "ErrorInvalidPropertySet",
    "RequestBodyRead": "ErrorInvalidRequest",
    "TimeZoneNotSupportedException": "ErrorTimeZone",
    "ErrorTooManyAttendees": "ErrorInvalidRecipients",
    "ErrorInvalidParameter": "ErrorInvalidArgument",
    "ErrorRecurrenceEndDateTooBig": "ErrorRecurrenceEndDateTooBig",
}
# Children that the schema demands of a message also where there is nothing to tell.
_EMPTY = {
    **dict.fromkeys(("CreateItem", "GetItem", "UpdateItem", "MoveItem", "CopyItem"), m("Items")),
    **dict.fromkeys(("CreateFolder", "GetFolder", "UpdateFolder", "MoveFolder"), m("Folders")),
    **dict.fromkeys(("CreateAttachment", "GetAttachment"), m("Attachments")),
}


def code_of(refusal: Refusal) -> str:
    """The ResponseCode of a refusal."""
    known = _CODES.get(refusal.code, refusal.code)
    return known if known.startswith("Error") else "ErrorInvalidRequest"


def refused(name: str, refusal: Refusal) -> Markup:
    """A response message of class Error. ErrorBatchProcessingStopped is a warning (EWS docs,
    ResponseClass)."""
    code = code_of(refusal)
    values = refusal.extra
    told = (
        tag(
            "m",
            "MessageXml",
            tuple(tag("t", "Value", (str(v),), {"Name": k}) for k, v in values.items()),
            {},
        )
        if values
        else None
    )
    kind = "Warning" if code == "ErrorBatchProcessingStopped" else "Error"
    return m(
        f"{name}ResponseMessage",
        m("MessageText", refusal.message),
        m("ResponseCode", code),
        m("DescriptiveLinkKey", 0),
        told,
        _EMPTY.get(name),
        ResponseClass=kind,
    )


def success(name: str, *parts: Part) -> Markup:
    """A response message of class Success."""
    return m(
        f"{name}ResponseMessage", m("ResponseCode", "NoError"), *parts, ResponseClass="Success"
    )


def response(name: str, messages: Iterable[Markup]) -> Markup:
    """The usual answer: one message an item asked for."""
    return m(f"{name}Response", m("ResponseMessages", *messages))


def busy(milliseconds: int) -> Refusal:
    """Throttled, with the time to stay away."""
    extra: Mapping[str, object] = {"BackOffMilliseconds": milliseconds}
    return Refusal(
        500,
        "ErrorServerBusy",
        "The server cannot service this request right now. Try again later.",
        extra=extra,
    )
