"""One room planned, and what its plan says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from calsync.model import (
    ClashPolicy,
    EditPolicy,
    EffectKind,
    Link,
    Observation,
    Person,
    Plan,
)
from calsync.reconcile.plan import reconcile
from tests.unit.core.values import (
    NOW,
    PAIR,
    WINDOW,
    occ,
)

NINE, TEN, TWELVE = occ(9, 10), occ(10, 11), occ(12, 13)
RENAMED = replace(NINE, title="renamed")
ANNA, BERT = Person("Anna", "anna@x.example"), Person("Bert", "bert@x.example")


def planned(
    *links: Link,
    booking: list[Observation] | None = None,
    calendar: list[Observation] | None = None,
    clash: ClashPolicy = ClashPolicy.FIRST,
    edit: EditPolicy = PAIR.edit_policy,
    **more: Any,
) -> Plan:
    return reconcile(
        links,
        {obs.key: obs for obs in booking or ()},
        {obs.key: obs for obs in calendar or ()},
        pair=replace(PAIR, clash_policy=clash, edit_policy=edit),
        window=WINDOW,
        now=NOW,
        **more,
    )


def kinds(plan: Plan) -> list[tuple[EffectKind, str]]:
    return [(e.kind, e.link_id) for e in plan.effects]


def stored(plan: Plan) -> dict[str, Link]:
    """The links that are to be stored, each once."""
    assert len({lk.id for lk in plan.links}) == len(plan.links)
    return {lk.id: lk for lk in plan.links}


def says(plan: Plan) -> list[str]:
    return [skip.reason for skip in plan.skips]
