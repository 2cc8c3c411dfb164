"""The SOAP header of a request: version, impersonation, time zone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..zones import UTC_ZONE
from . import grammar
from .accounts import Account
from .call import VERSIONS, Call, SoapFault, need
from .xml import TYPES, Node
from .zones import read_definition

if TYPE_CHECKING:
    from ..mailbox import Mailbox
    from .front import EwsFront


def read(
    front: EwsFront, account: Account, envelope: Node, body: Node, headers: Mapping[str, str]
) -> Call:
    """A call, with whom it acts for. Refuses bad versions, zones, and impersonation."""
    found = envelope.find("Header")
    known = {one.name: one for one in found.kids if one.space == TYPES} if found else {}
    tenant = front.world.tenants[account.tenant_id]
    made = Call(
        front=front,
        operation=body.name,
        body=body,
        account=account,
        tenant=tenant,
        box=_own(front, account),
        version=_version(known.get("RequestServerVersion")),
    )
    made.flags["anchor"] = headers.get("x-anchormailbox", "")
    if made.box is not None:
        made.flags["mailbox"] = made.box.address
    said = known.get("ExchangeImpersonation")
    if said is not None:
        made.box = _impersonated(front, account, said, made)
        made.impersonated = True
        made.flags["mailbox"] = made.box.address
    precision = known.get("DateTimePrecision")
    made.flags["precise"] = precision is not None and precision.text.strip() == "Milliseconds"
    zone = known.get("TimeZoneContext")
    if zone is not None:
        made.zone, made.zone_said = read_definition(need(zone, "TimeZoneDefinition")), True
    else:
        made.zone = UTC_ZONE
    return made


def _own(front: EwsFront, account: Account) -> Mailbox | None:
    box = front.world.box(account.address) if account.address else None
    return None if box is None or box.home == "cloud" else box


def _version(node: Node | None) -> int:
    """Without the header a request is of the oldest schema (EWS docs, RequestServerVersion)."""
    if node is None:
        return 0
    version = node.attrs.get("Version", "")
    if version not in VERSIONS:
        raise SoapFault(
            "ErrorInvalidServerVersion",
            "The request has failed the server version validation.",
        )
    return VERSIONS.index(version)


def _impersonated(front: EwsFront, account: Account, node: Node, call: Call) -> Mailbox:
    grammar.check(node)
    sid = need(node, "ConnectingSID")
    if not sid.kids:
        raise SoapFault(
            "ErrorSchemaValidation", "The element 'ConnectingSID' has incomplete content."
        )
    name = sid.kids[0].text.strip().casefold()
    if sid.kids[0].name == "SID":
        raise SoapFault("ErrorInvalidUserSid", "The SID is invalid.")
    if account.impersonates is not None and not account.impersonates:
        raise _denied()
    box = call.tenant.boxes.get(name)
    if box is None or box.home == "cloud":
        known = front.world.box(name)
        if known is not None and known.tenant_id != call.tenant.tenant_id:
            raise _denied()
        raise SoapFault(
            "ErrorNonExistentMailbox", "The SMTP address has no mailbox associated with it."
        )
    if not account.may_impersonate(box):
        raise _denied()
    if not box.enabled:
        raise SoapFault("ErrorAccountDisabled", "The account is disabled.")
    return box


def _denied() -> SoapFault:
    return SoapFault(
        "ErrorImpersonateUserDenied",
        "The account does not have permission to impersonate the requested user.",
    )
