"""Effects as requests of the booking contract, each bound so that it takes effect at most once.

A create carries an Idempotency-Key and our tag as its externalId: sent again, it gives what was
made. A change, a deletion and an answer carry If-Match: sent again after a lost reply it meets a
newer revision, and what stands there then tells that it was carried out. So every request may be
repeated, and what has no answer even then is in doubt, to be looked up by key or tag.

The platform's revision also grows where nothing changed that we carry (its own calendar confirmed
the booking, somebody set the seats): a refused precondition is looked at, and repeated on the new
revision where the content is still the one that the decision was made on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, Final, assert_never
from urllib.parse import quote

from calsync.adapters.booking_http.answers import code_of, outcome_of
from calsync.adapters.booking_http.client import Client, room_path
from calsync.adapters.booking_http.documents import (
    Held,
    Unread,
    change,
    gone,
    new_booking,
    observe_part,
    refusal_of,
)
from calsync.adapters.hub.shape import without_titles
from calsync.adapters.hub.view import missing, split_key
from calsync.adapters.wrap.port import Answer, NotSent
from calsync.errors import BadAnswer, MappingError, SideError, Throttled, Unavailable
from calsync.mapping import split
from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    Absence,
    Done,
    Effect,
    EffectKind,
    Gone,
    InDoubt,
    Later,
    Occupancy,
    Outcome,
    Pair,
    Refused,
    Seen,
    Stale,
)

#: How often a write is repeated on a revision that moved without a change of content.
_TRIES: Final = 4
_MERGE_PATCH: Final = {"Content-Type": "application/merge-patch+json"}


class Writer:
    """One call of ``apply``."""

    def __init__(self, client: Client, pair: Pair) -> None:
        self._client = client
        self._pair = pair

    def run(self, effects: Sequence[Effect]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for effect in effects:
            if outcomes and isinstance(outcomes[-1], InDoubt | Later):
                outcomes.append(Later(0.0, "what goes before it is not done"))
            else:
                outcomes.append(self._guarded(effect))
        return outcomes

    def _guarded(self, effect: Effect) -> Outcome:
        try:
            return self._one(effect)
        except Throttled as error:
            return Later(error.retry_after, str(error))
        except NotSent as error:
            return Later(0.0, str(error))
        except (Unavailable, BadAnswer) as error:
            return InDoubt(str(error))
        except SideError as error:
            # The credential, a right, the room: refused at the door.
            return Later(0.0, str(error))

    def _one(self, effect: Effect) -> Outcome:
        if effect.kind is EffectKind.CREATE_BOOKING:
            return self._create(effect)
        if effect.key is None:
            return Refused("the effect names no booking", "no-key")
        match effect.kind:
            case EffectKind.CHANGE_BOOKING:
                return self._change(effect, effect.key)
            case EffectKind.DELETE_BOOKING:
                return self._delete(effect, effect.key)
            case EffectKind.CONFIRM_BOOKING:
                return self._confirm(effect, effect.key)
            case EffectKind.REJECT_BOOKING:
                body = self._answer_body("rejected", effect)
                return self._bound(effect, effect.key, lambda e: self._say(effect.key, body, e))
            case (
                EffectKind.CREATE_EVENT
                | EffectKind.CHANGE_EVENT
                | EffectKind.DELETE_EVENT
                | EffectKind.DECLINE_EVENT
            ):
                return Refused(f"{effect.kind.value} is no act of the booking side", "wrong-side")
            case _:
                assert_never(effect.kind)

    # --- create ---

    def _create(self, effect: Effect) -> Outcome:
        if effect.target is None:
            return Refused("the effect has no target", "no-target")
        self._client.check(self._pair)
        name = self._client.external_id(self._pair, effect.tag)
        doc = new_booking(effect, effect.target, self._pair, name)
        # A restored database may come to the same id for something else.
        said = json.dumps(doc, sort_keys=True).encode("utf-8", "surrogatepass")
        key = f"{effect.id}.{blake2b(said, digest_size=8).hexdigest()}"
        answer = self._client.send(
            self._pair,
            "POST",
            f"{room_path(self._pair)}/mirrored",
            "create booking",
            body=doc,
            headers={"Idempotency-Key": f'"{key}"'},
        )
        if not answer.ok:
            return outcome_of(answer)
        held = self._client.held(self._pair, answer)
        if answer.headers.get("Idempotency-Replayed") == "true":
            # The answer of that time; what has become of it since is asked for.
            now = self._client.booking(self._pair, held.id)
            if now is None:
                return Done(missing(held.id))
            held = now if isinstance(now, Held) else held
        return Done(self._shown(held, ""))

    # --- change ---

    def _change(self, effect: Effect, key: str) -> Outcome:
        booking_id, suffix = split_key(key)
        target = effect.target
        if target is None:
            return Refused("the effect has no target", "no-target")
        wanted = self._bare(target)
        if not suffix and effect.was is not None and effect.version.isdigit():
            # The usual case: one request, bound to the revision that was decided on.
            patch = self._patch(effect, effect.was, wanted)
            first = self._send_patch(booking_id, patch, f'"{effect.version}"') if patch else None
            if first is not None and first.ok:
                held = self._client.held(self._pair, first)
                if held.content == wanted or held.split:
                    return Done(self._shown(held, suffix))
            elif first is not None and not _moved(first):
                return outcome_of(first)
        for _ in range(_TRIES):
            found = self._client.booking(self._pair, booking_id)
            met = self._met(effect, suffix, found)
            if not isinstance(met, Held):
                return met
            try:
                whole = wanted
                if suffix or met.split:
                    zone = self._pair.zone
                    whole = split.join(met.content, suffix, wanted, room_zone=zone)
            except MappingError as error:
                return Refused(str(error), "unsayable")
            patch = self._patch(effect, met.content, whole)
            answer = self._send_patch(booking_id, patch, met.etag)
            if answer.ok:
                return Done(self._shown(self._client.held(self._pair, answer), suffix))
            if not _moved(answer):
                return outcome_of(answer)
        return Stale(None)

    def _patch(self, effect: Effect, was: Occupancy, wanted: Occupancy) -> dict[str, Any]:
        patch = change(was, wanted, self._pair)
        if effect.refusal is not None:
            patch["refusal"] = refusal_of(effect.refusal)
        return patch

    def _send_patch(self, booking_id: str, patch: dict[str, Any], etag: str) -> Answer:
        return self._client.send(
            self._pair,
            "PATCH",
            f"/v1/bookings/{quote(booking_id, safe='')}/mirrored",
            "change booking",
            body=patch,
            headers={"If-Match": etag, **_MERGE_PATCH},
        )

    # --- delete ---

    def _delete(self, effect: Effect, key: str) -> Outcome:
        booking_id, suffix = split_key(key)
        if not suffix and effect.version.isdigit():
            return self._bound(effect, key, lambda etag: self._send_delete(booking_id, etag))
        for _ in range(_TRIES):
            found = self._client.booking(self._pair, booking_id)
            met = self._met(effect, suffix, found)
            if not isinstance(met, Held):
                return met
            if len(met.parts) > 1:
                try:
                    left = split.join(met.content, suffix, None, room_zone=self._pair.zone)
                except MappingError as error:
                    return Refused(str(error), "unsayable")
                patch = change(met.content, left, self._pair)
                answer = self._send_patch(booking_id, patch, met.etag)
            else:
                answer = self._send_delete(booking_id, met.etag)
            if answer.ok:
                return Done(Gone(key=key, absence=Absence.REMOVED))
            if not _moved(answer):
                return outcome_of(answer)
        return Stale(None)

    def _send_delete(self, booking_id: str, etag: str) -> Answer:
        return self._client.send(
            self._pair,
            "DELETE",
            f"/v1/bookings/{quote(booking_id, safe='')}",
            "delete booking",
            headers={"If-Match": etag},
        )

    # --- answers ---

    def _confirm(self, effect: Effect, key: str) -> Outcome:
        booking_id, suffix = split_key(key)
        body = self._answer_body("confirmed", effect)
        if not suffix and effect.version.isdigit():
            return self._bound(effect, key, lambda etag: self._say(key, body, etag))
        for _ in range(_TRIES):
            met = self._met(effect, suffix, self._client.booking(self._pair, booking_id))
            if not isinstance(met, Held):
                return met
            if not self._client.confirm_part(self._pair, met, suffix):
                return Done(self._shown(met, suffix))
            answer = self._say(key, body, met.etag)
            if answer.ok:
                return Done(self._shown(self._client.held(self._pair, answer), suffix))
            if not _moved(answer):
                return outcome_of(answer)
        return Stale(None)

    def _answer_body(self, status: str, effect: Effect) -> dict[str, Any]:
        body: dict[str, Any] = {"status": status}
        if effect.refusal is not None:
            body["refusal"] = refusal_of(effect.refusal)
        return body

    def _say(self, key: str | None, body: dict[str, Any], etag: str) -> Answer:
        assert key is not None
        return self._client.send(
            self._pair,
            "POST",
            f"/v1/bookings/{quote(split_key(key)[0], safe='')}/answer",
            f"{body['status']} booking",
            body=body,
            headers={"If-Match": etag},
        )

    # --- what all share ---

    def _bound(self, effect: Effect, key: str, send: Callable[[str], Answer]) -> Outcome:
        """A write that says the same on every revision, on the one that was decided on first."""
        booking_id, suffix = split_key(key)
        etag = f'"{effect.version}"' if effect.version.isdigit() else ""
        for _ in range(_TRIES):
            if etag:
                answer = send(etag)
                if answer.ok:
                    return self._done(effect, key, answer)
                if not _moved(answer):
                    return outcome_of(answer)
            met = self._met(effect, suffix, self._client.booking(self._pair, booking_id))
            if not isinstance(met, Held):
                return met
            etag = met.etag
        return Stale(None)

    def _done(self, effect: Effect, key: str, answer: Answer) -> Outcome:
        if effect.kind is EffectKind.DELETE_BOOKING:
            return Done(Gone(key=key, absence=Absence.REMOVED))
        held = self._client.held(self._pair, answer)
        return Done(self._shown(held, split_key(key)[1]))

    def _met(self, effect: Effect, suffix: str, found: Held | Unread | None) -> Held | Outcome:
        """The booking, where the decision still holds on what stands there now."""
        key = effect.key or ""
        if found is None:
            return _absent(effect, missing(key))
        if isinstance(found, Unread):
            return Refused(found.reason, "poison")
        now = self._shown(found, suffix)
        if isinstance(now, Gone):
            return _absent(effect, now)
        if effect.kind is EffectKind.CHANGE_BOOKING and effect.target is not None:
            done = now.occupancy == self._bare(effect.target)
            # Its reply was lost. A refusal that goes with it may be missing: then it is sent again.
            if done and effect.refusal is None:
                return Done(now)
            if done:
                return found
        if effect.kind is EffectKind.CONFIRM_BOOKING and found.status == "confirmed":
            return Done(now)
        if not effect.version or effect.version == now.version:
            return found
        was = effect.was
        same = was is not None and fingerprint(self._bare(was)) == now.fingerprint
        return found if same else Stale(now)

    def _shown(self, held: Held, suffix: str) -> Seen | Gone:
        if not held.live:
            return gone(held, suffix)
        tag, waits = self._client.tag(self._pair, held), self._client.waits(self._pair, held)
        return observe_part(held, suffix, tag=tag, waits=waits)

    def _bare(self, occupancy: Occupancy) -> Occupancy:
        return occupancy if self._pair.titles else without_titles(occupancy)


def _moved(answer: Answer) -> bool:
    """The booking is not what it was when this was decided, or not there: it is read again."""
    if answer.status == 412:
        return True
    if answer.status == 404:
        return code_of(answer) == "not-found"
    return code_of(answer) == "booking-not-live"


def _absent(effect: Effect, there: Gone) -> Outcome:
    """What should free the room finds it freed; anything else was decided on an older state."""
    return Done(there) if effect.kind.frees else Stale(there)
