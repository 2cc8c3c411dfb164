"""JSON Schemas (2020-12) of what the API takes and gives, for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from calsync.adapters.hub.telling import KINDS as KINDS_TOLD
from calsync.api.problems import KINDS
from calsync.mapping.booking import READ_ONLY

Schema = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_INSTANT: Final[Schema] = {"type": "string", "format": "date-time"}
_LOCAL: Final[Schema] = {
    "type": "string",
    "examples": ["2026-11-20T09:00:00"],
    "description": "LocalDateTime: wall time, without offset",
}
_DURATION: Final[Schema] = {
    "type": "string",
    "examples": ["PT1H30M", "P1D"],
    "description": "ISO 8601. Of a series it is wall-clock time",
}
_FLAG: Final[Schema] = {"type": "boolean"}
_WHOLE: Final[Schema] = {"type": "integer", "minimum": 1}
_ID: Final[Schema] = {**_TEXT, "minLength": 1, "maxLength": 255}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _object(properties: Schema, *required: str, closed: bool = False) -> Schema:
    made: Schema = {"type": "object", "properties": properties}
    if required:
        made["required"] = list(required)
    if closed:
        made["additionalProperties"] = False
    return made


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


_TIMES: Final[Schema] = {
    **_list(_object({"start": _INSTANT, "end": _INSTANT}, "start", "end")),
    "description": "Free times of the same room that its rules allow",
}
_STATE: Final[Schema] = {
    "status": {"enum": ["confirmed", "tentative"], "default": "confirmed"},
    "freeBusyStatus": {"enum": ["busy", "free"], "default": "busy"},
    "showAs": {
        "enum": ["busy", "oof", "workingElsewhere"],
        "description": "Finer than freeBusyStatus; counts where that says busy and confirmed",
    },
    "privacy": {"enum": ["public", "private"], "default": "public"},
}
_OVERRIDE: Final[Schema] = {
    "excluded": {**_FLAG, "description": "true: this date is taken out"},
    "title": {**_TEXT, "description": "Empty: this date has no title"},
    "start": _LOCAL,
    "duration": _DURATION,
    "showWithoutTime": _FLAG,
    **_STATE,
}
_CONTENT: Final[Schema] = {
    "@type": {"const": "Event"},
    "title": {**_TEXT, "description": "Kept only where the room's titles switch is on"},
    "start": _LOCAL,
    "timeZone": {
        "type": ["string", "null"],
        "description": "IANA name; without it, the zone of the room. All-day bookings have none",
    },
    "duration": _DURATION,
    "showWithoutTime": {**_FLAG, "default": False, "description": "All day"},
    **_STATE,
    "recurrenceRule": _ref("RecurrenceRule"),
    "recurrenceOverrides": {
        "type": "object",
        "additionalProperties": _ref("Override"),
        "description": "By the local start that the rule gives the occurrence",
    },
}
_ASKED: Final[Schema] = {
    **_CONTENT,
    "bookedBy": _ref("Person"),
    "seats": {**_WHOLE, "description": "How many are needed; alternatives have as many"},
    "uid": {
        **_TEXT,
        "minLength": 1,
        "maxLength": 255,
        "description": "Bookings of several rooms that are one meeting share it",
    },
    "externalId": {
        **_TEXT,
        "minLength": 1,
        "maxLength": 255,
        "description": "Your own id, unique in the room",
    },
}
_RRULE: Final[Schema] = {
    "rrule": {
        **_TEXT,
        "examples": ["FREQ=WEEKLY;BYDAY=MO;COUNT=8"],
        "description": "RFC 5545, instead of recurrenceRule; never in answers",
    }
}
_RULES: Final[Schema] = {
    "openingHours": {
        **_list(
            _object(
                {
                    "days": {
                        **_list({"enum": ["mo", "tu", "we", "th", "fr", "sa", "su"]}),
                        "minItems": 1,
                    },
                    "opens": {**_TEXT, "examples": ["08:00"], "description": "In the room"},
                    "closes": {**_TEXT, "examples": ["18:00", "24:00"]},
                },
                *("days", "opens", "closes"),
                closed=True,
            )
        ),
        "description": "Empty or left out: always open",
    },
    "minNotice": {**_DURATION, "description": "How long before it begins a booking must be made"},
    "minDuration": _DURATION,
    "maxDuration": _DURATION,
    "maxAhead": {**_DURATION, "description": "How long before it begins it may be made"},
    "seatsWithinCapacity": {**_FLAG, "description": "true: no more seats than the room has"},
}
_ROOM: Final[Schema] = {
    "name": _TEXT,
    "building": _TEXT,
    "floor": _TEXT,
    "capacity": _or_null(_WHOLE),
    "timeZone": {**_TEXT, "description": "IANA name"},
    "rules": _ref("Rules"),
}


def _nullable(properties: Schema) -> Schema:
    """For merge patches: null takes a member away."""
    return {name: _or_null(schema) for name, schema in properties.items()}


def _occupancy() -> Schema:
    return _object(
        {
            "roomId": _TEXT,
            "timeZone": _TEXT,
            "start": _INSTANT,
            "end": _INSTANT,
            "view": {"enum": ["occurrences", "series"]},
            "generatedAt": _INSTANT,
            "inSyncAsOf": {
                **_or_null(_INSTANT),
                "description": "Both sides were read and found or made equal; null: never yet",
            },
            "stale": {**_FLAG, "description": "true: do not show the room as free on this word"},
            "items": _list({"anyOf": [_ref("Occurrence"), _ref("Booking")]}),
        },
        *("roomId", "start", "end", "view", "inSyncAsOf", "stale", "items"),
    )


SCHEMAS: Final[dict[str, Schema]] = {
    "Person": _object({"name": _TEXT, "email": _TEXT}, closed=True),
    "RecurrenceRule": _object(
        {
            "@type": {"const": "RecurrenceRule"},
            "frequency": {"enum": ["daily", "weekly", "monthly", "yearly"]},
            "interval": {**_WHOLE, "maximum": 999, "default": 1},
            "byDay": _list(
                _object(
                    {
                        "@type": {"const": "NDay"},
                        "day": {"enum": ["mo", "tu", "we", "th", "fr", "sa", "su"]},
                        "nthOfPeriod": {"type": "integer"},
                    },
                    "day",
                    closed=True,
                )
            ),
            "byMonthDay": _list({"type": "integer"}),
            "byMonth": _list(_TEXT),
            "bySetPosition": _list({"type": "integer"}),
            "firstDayOfWeek": {"enum": ["mo", "tu", "we", "th", "fr", "sa", "su"]},
            "count": {**_WHOLE, "maximum": 10_000},
            "until": {**_LOCAL, "description": "The last local start, inclusive"},
            "rscale": {"enum": ["gregorian", "GREGORIAN"], "default": "gregorian"},
            "skip": {"const": "omit", "default": "omit"},
        },
        "frequency",
        closed=True,
    ),
    "Override": _object({"@type": _TEXT, **_OVERRIDE}, closed=True),
    "OverridePatch": _object(_nullable(_OVERRIDE), closed=True),
    "BookingInput": _object({**_ASKED, **_RRULE}, "start", "duration", closed=True),
    "BookingPatch": _object(
        {
            **_nullable({**_ASKED, **_RRULE}),
            **{name: {"description": "Accepted as it was read"} for name in READ_ONLY},
        },
        closed=True,
    ),
    "MirroredInput": _object(
        {
            **_ASKED,
            **_RRULE,
            "editable": {
                **_FLAG,
                "default": True,
                "description": "false: the room is only invited; a change here reaches nobody",
            },
            "claimedAt": {
                **_INSTANT,
                "description": "When it was made in the calendar: who came first is decided by it",
            },
        },
        *("start", "duration"),
        closed=True,
    ),
    "MirroredPatch": _object(
        {
            **_nullable({**_ASKED, **_RRULE}),
            **{name: {"description": "Accepted as it was read"} for name in READ_ONLY},
            "refusal": {
                **_ref("RefusalInput"),
                "description": "The dates that the change gives up, and why",
            },
        },
        closed=True,
    ),
    "Answer": _object(
        {
            "status": {"enum": ["confirmed", "rejected"]},
            "refusal": {
                **_ref("RefusalInput"),
                "description": "Why not; with confirmed, the dates that are not confirmed",
            },
        },
        "status",
        closed=True,
    ),
    "Token": _object({"name": _TEXT, "scopes": _list(_TEXT)}, "name", "scopes"),
    "Booking": _object(
        {
            "id": _TEXT,
            "roomId": _TEXT,
            **_ASKED,
            "bookingStatus": {
                "enum": ["pending", "confirmed", "rejected", "cancelled"],
                "description": "pending until the room's calendar has it",
            },
            "origin": {"enum": ["booking", "calendar"]},
            "editable": {
                **_FLAG,
                "description": "false: made in Outlook by somebody who invited the room; it can "
                "be declined (DELETE) but not changed",
            },
            "startUtc": _INSTANT,
            "endUtc": _INSTANT,
            "sequence": {"type": "integer"},
            "revision": {"type": "integer"},
            "created": _INSTANT,
            "updated": _INSTANT,
            "changeNumber": {
                "type": "integer",
                "description": "Of the last change of its content; grows over all bookings",
            },
            "claimedAt": {
                **_INSTANT,
                "description": "Of what a connector mirrored: when it was made in its calendar",
            },
            "refusal": _ref("Refusal"),
        },
        *("id", "roomId", "start", "duration", "bookingStatus", "origin", "editable"),
        *("startUtc", "endUtc", "sequence", "revision", "created", "updated", "changeNumber"),
    ),
    "Occurrence": _object(
        {
            "bookingId": _TEXT,
            "recurrenceId": _LOCAL,
            "start": _LOCAL,
            "timeZone": _TEXT,
            "startUtc": _INSTANT,
            "endUtc": _INSTANT,
            "showWithoutTime": _FLAG,
            **_STATE,
            "bookingStatus": {"enum": ["pending", "confirmed"]},
            "origin": {"enum": ["booking", "calendar"]},
            "editable": _FLAG,
            "title": _TEXT,
            "bookedBy": _ref("Person"),
        },
        *("bookingId", "start", "timeZone", "startUtc", "endUtc"),
    ),
    "RoomOccupancy": _occupancy(),
    "Occupancy": _object({"rooms": _list(_ref("RoomOccupancy"))}, "rooms"),
    "Rules": {
        **_object(_RULES, closed=True),
        "description": "What the platform allows in the room. Bookings made in Outlook are shown "
        "whatever they are",
    },
    "RoomInput": _object(
        {
            "id": {**_or_null(_TEXT), "description": "As in the address, or left out"},
            **_ROOM,
            "building": _or_null(_TEXT),
            "floor": _or_null(_TEXT),
            "answeredBy": {"description": "Accepted as it was read"},
        },
        *("name", "timeZone"),
        closed=True,
    ),
    "Room": _object(
        {
            "id": _TEXT,
            **_ROOM,
            "titles": _FLAG,
            "answeredBy": {
                "enum": ["calendar", "connector"],
                "description": "calendar: the room is kept equal with a calendar here, which "
                "answers bookings; connector: a connector may answer them",
            },
        },
        *("id", "name", "timeZone", "titles", "answeredBy"),
    ),
    "Rooms": _object({"rooms": _list(_ref("Room"))}, "rooms"),
    "Alternative": _object(
        {"roomId": _TEXT, "name": _TEXT, "capacity": _or_null(_WHOLE)}, "roomId", "name"
    ),
    "Conflict": _object(
        {
            "start": _INSTANT,
            "end": _INSTANT,
            "source": {"enum": ["booking", "calendar"]},
            "id": {**_TEXT, "description": "With the scope bookings:read"},
        },
        *("start", "end"),
    ),
    "Refusal": _object(
        {
            "code": _TEXT,
            "reason": _TEXT,
            "dates": {
                **_list(_LOCAL),
                "description": "The refused dates of a series; empty: all of it",
            },
            "conflicts": _list(_ref("Conflict")),
            "alternatives": _list(_ref("Alternative")),
            "times": _TIMES,
        },
        *("code", "reason"),
    ),
    "RefusalInput": _object(
        {
            "code": {**_TEXT, "pattern": "^[a-z0-9][a-z0-9-]{0,63}$", "default": "refused"},
            "reason": {**_TEXT, "minLength": 1, "maxLength": 1000},
            "dates": _list(_LOCAL),
            "conflicts": _list(
                _object({"start": _INSTANT, "end": _INSTANT}, "start", "end", closed=True)
            ),
            "alternatives": _list(_ref("Alternative")),
            "times": _TIMES,
        },
        "reason",
        closed=True,
    ),
    "RoomState": _object(
        {
            "room": _object({"id": _TEXT, "name": _TEXT}, "id", "name"),
            "state": {
                "enum": ["free", "soon", "busy", "unknown"],
                "description": "soon: free, and taken within 15 minutes; unknown: not known to be "
                "busy, and out of sync. Show that, never free",
            },
            "now": _or_null(_ref("DisplayBooking")),
            "next": _or_null(_ref("DisplayBooking")),
            "until": {**_or_null(_INSTANT), "description": "When the state ends"},
            "timeZone": {**_TEXT, "description": "IANA name"},
            "updatedAt": {**_or_null(_INSTANT), "description": "In sync as of"},
            "stale": _FLAG,
        },
        *("room", "state", "now", "next", "until", "updatedAt", "stale"),
    ),
    "DisplayBooking": _object(
        {
            "start": _LOCAL,
            "end": _LOCAL,
            "startUtc": _INSTANT,
            "endUtc": _INSTANT,
            "bookingStatus": {"enum": ["pending", "confirmed"]},
            "privacy": {"enum": ["public", "private"]},
            "title": {**_TEXT, "description": "Of a feed with details"},
            "bookedBy": {**_TEXT, "description": "A name; of a feed with details"},
        },
        *("start", "end", "startUtc", "endUtc", "bookingStatus", "privacy"),
    ),
    "Message": _object(
        {
            "type": {"enum": list(KINDS_TOLD)},
            "timestamp": {**_INSTANT, "description": "Of the change"},
            "data": _object(
                {
                    "kind": {"enum": ["upsert", "tombstone"]},
                    "notice": {
                        "enum": ["confirmed", "rejected", "changed", "cancelled", "starting"]
                    },
                    "bookingId": _TEXT,
                    "roomId": _TEXT,
                    "revision": {
                        "type": "integer",
                        "description": "Grows with each change of the booking: drop what is older "
                        "than what you have",
                    },
                    "at": _INSTANT,
                    "bookingStatus": {"enum": ["pending", "confirmed", "rejected", "cancelled"]},
                    "origin": {"enum": ["booking", "calendar"]},
                    "startUtc": _INSTANT,
                    "endUtc": _INSTANT,
                    "series": _FLAG,
                    "booking": {
                        **_ref("Booking"),
                        "description": "As it is now, as far as the scopes reach",
                    },
                    "bookingOmitted": {
                        **_FLAG,
                        "description": "true: it is too large for a webhook; GET it",
                    },
                },
                "at",
            ),
        },
        *("type", "timestamp", "data"),
    ),
    "Change": _object(
        {
            "kind": {"enum": ["upsert", "tombstone"]},
            "bookingId": _TEXT,
            "roomId": _TEXT,
            "revision": {"type": "integer"},
            "at": _INSTANT,
            "changeNumber": {"type": "integer", "description": "Grows over all bookings"},
            "booking": {**_ref("Booking"), "description": "As it is now; not on tombstones"},
        },
        *("kind", "bookingId", "roomId", "revision", "at", "changeNumber"),
    ),
    "Changes": _object(
        {
            "changes": _list(_ref("Change")),
            "cursor": {**_TEXT, "description": "For the next call; on the last page, too"},
            "more": _FLAG,
            "listing": {**_FLAG, "description": "Still the first listing of all live bookings"},
        },
        *("changes", "cursor", "more", "listing"),
    ),
    "Problem": _object(
        {
            "type": {**_TEXT, "format": "uri-reference"},
            "title": _TEXT,
            "status": {"type": "integer"},
            "detail": _TEXT,
            "instance": {**_TEXT, "format": "uri-reference"},
            "code": {"enum": list(KINDS)},
            "errors": _list(
                _object(
                    {
                        "pointer": {**_TEXT, "description": "JSON pointer into the body"},
                        "parameter": _TEXT,
                        "detail": _TEXT,
                        "todo": _TEXT,
                    },
                    "detail",
                )
            ),
            "restored": {
                **_FLAG,
                "description": "The cursor has seen changes that a restore took back",
            },
            "conflicts": _list(_ref("Conflict")),
            "violations": _list(
                _object(
                    {
                        "rule": {"enum": list(_RULES)},
                        "detail": _TEXT,
                        "todo": _TEXT,
                        "dates": {**_list(_LOCAL), "description": "At most 10 of them"},
                    },
                    *("rule", "detail"),
                )
            ),
            "violated-policies": {**_list(_TEXT), "description": "Of quota-exceeded"},
            "conflictsTotal": {"type": "integer"},
            "bookingId": {**_TEXT, "description": "Of a booking that was refused while you waited"},
            "alternatives": _list(_ref("Alternative")),
            "times": _TIMES,
        },
        *("type", "title", "status", "detail", "code"),
    ),
}
