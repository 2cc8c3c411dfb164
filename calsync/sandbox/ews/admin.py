"""What an Exchange admin sets, for the control interface: service accounts and their rights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .accounts import NOBODY

if TYPE_CHECKING:
    from .accounts import Account
    from .front import EwsFront

DENIALS = ("ErrorAccessDenied", "ErrorItemNotFound")


def settings(front: EwsFront, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Change some settings of the front, and show all. ValueError for what makes no sense."""
    if "denial" in raw:
        if raw["denial"] not in DENIALS:
            raise ValueError(f"denial is one of {', '.join(DENIALS)}")
        front.denial = str(raw["denial"])
    front.backoff_ms = int(raw.get("backoff_ms", front.backoff_ms))
    front.status_seconds = float(raw.get("status_seconds", front.status_seconds))
    front.throttle.concurrent = int(raw.get("concurrent", front.throttle.concurrent))
    front.subscriptions.most = int(raw.get("subscriptions", front.subscriptions.most))
    return {
        "denial": front.denial,
        "backoff_ms": front.backoff_ms,
        "status_seconds": front.status_seconds,
        "concurrent": front.throttle.concurrent,
        "subscriptions": front.subscriptions.most,
        "open_subscriptions": len(front.subscriptions.found),
        "accounts": [_show(front, one) for one in front.accounts.services.values()],
    }


def account(front: EwsFront, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Add a service account or change one. `impersonates`, `opens`: addresses, null for all."""
    tenant = front.world.tenant(raw.get("tenant"))
    name = str(raw["name"])
    accounts = front.accounts
    found = accounts.services.get(f"{name}@{tenant.domain}".casefold())
    if found is None:
        found = accounts.add(tenant, name, str(raw["password"]))
    found.password = str(raw.get("password", found.password))
    found.enabled = bool(raw.get("enabled", found.enabled))
    if "impersonates" in raw:
        found.impersonates = _scope(raw["impersonates"])
    if "opens" in raw:
        found.opens = _scope(raw["opens"])
    return _show(front, found)


def _scope(raw: object) -> frozenset[str] | None:
    if raw is None:
        return None
    if not isinstance(raw, list):
        raise ValueError("a scope is a list of addresses, or null for every mailbox")
    return frozenset(str(one).casefold() for one in raw) or NOBODY


def _show(front: EwsFront, one: Account) -> dict[str, Any]:
    return {
        "user": front.accounts.user_name(one),
        "enabled": one.enabled,
        "impersonates": None if one.impersonates is None else sorted(one.impersonates),
        "opens": None if one.opens is None else sorted(one.opens),
    }
