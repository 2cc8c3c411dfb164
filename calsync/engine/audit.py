"""The audit chain of a booking: act → observation → decision → call → confirmation.

Details are small and free of personal data: times, keys, versions, reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from calsync.model import Effect, EffectKind, Link, Pair, Plan, Presence, Side
from calsync.ports import AuditEntry, AuditStep

_CREATES = frozenset({EffectKind.CREATE_BOOKING, EffectKind.CREATE_EVENT})


def of_plan(
    pair: Pair, plan: Plan, before: Mapping[str, Link], now: datetime, *, brief: bool
) -> list[AuditEntry]:
    """What was observed and decided. ``brief`` (first import): only what is not simply carried
    over; the confirmation of the call is then the one line an imported item has."""
    entries: list[AuditEntry] = []
    carried: set[str] = set()
    if brief:
        carried = {e.link_id for e in plan.effects if e.kind in _CREATES}
    else:
        for link in plan.links:
            for side in Side:
                entries.extend(_observed(pair, before.get(link.id), link, side, now))
    for ruling in plan.rulings:
        if ruling.link_id in carried:
            continue
        entries.append(
            AuditEntry(
                at=now,
                pair_id=pair.id,
                link_id=ruling.link_id,
                step=AuditStep.DECISION,
                what=f"{ruling.verb}: {ruling.why}",
            )
        )
    if not brief:
        entries.extend(_called(pair, effect, now) for effect in plan.effects)
    return entries


def _observed(
    pair: Pair, before: Link | None, link: Link, side: Side, now: datetime
) -> Iterable[AuditEntry]:
    was, half = before.half(side) if before else None, link.half(side)
    if was is not None and (was.presence, was.fingerprint) == (half.presence, half.fingerprint):
        return
    if half.presence is Presence.NEVER:
        return
    if half.presence is Presence.PRESENT and half.fingerprint != link.base_fingerprint:
        verb = "created" if was is None or was.presence is Presence.NEVER else "changed"
        yield AuditEntry(
            at=half.since or now,
            pair_id=pair.id,
            link_id=link.id,
            step=AuditStep.ACT,
            what=f"{verb} on the {side.value} side",
        )
    detail: dict[str, Any] = {"side": side.value, "key": half.key, "version": half.version}
    if half.reason:
        detail["reason"] = half.reason
    yield AuditEntry(
        at=now,
        pair_id=pair.id,
        link_id=link.id,
        step=AuditStep.OBSERVATION,
        what=f"{half.presence.value} on the {side.value} side",
        detail=detail,
    )


def _called(pair: Pair, effect: Effect, now: datetime) -> AuditEntry:
    return AuditEntry(
        at=now,
        pair_id=pair.id,
        link_id=effect.link_id,
        step=AuditStep.CALL,
        what=effect.kind.value,
        detail={"effect": effect.id, "key": effect.key, "precondition": effect.version},
    )


def outcome(pair: Pair, effect: Effect, what: str, now: datetime) -> AuditEntry:
    """What became of a call."""
    return AuditEntry(
        at=now,
        pair_id=pair.id,
        link_id=effect.link_id,
        step=AuditStep.CONFIRMATION,
        what=f"{effect.kind.value}: {what}",
    )
