"""Facts no public source confirms: each can be set either way, and a client must hold in both.

Defaults are what the sources lean to. Set by the control interface, `/_sandbox/switches`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(slots=True)
class Switches:
    """Behaviour of the tenant where Microsoft's documents are silent or third-party only."""

    # Preconditions (no source for PATCH; the official OpenAPI declares If-Match for DELETE only).
    if_match_patch: bool = True
    if_match_delete: bool = True
    stale_status: int = 412
    # Creating twice with one transactionId (400 in live client code, 409 in test doubles).
    duplicate_status: int = 409
    duplicate_existing_id: bool = True
    # Or answered with the event as it is now: seen once in a live answer of 2026.
    duplicate_answers_event: bool = False
    # Whether extended properties of the organizer's item reach the room's copy.
    tag_reaches_room_copy: bool = False
    # Whether a copy made in Outlook carries the transactionId of its original.
    copy_keeps_transaction_id: bool = True
    # Answers of an attendee.
    decline_removes_copy: bool = True
    decline_occurrence_allowed: bool = True
    decline_mails_unrequested: bool = True
    delete_by_attendee_tells_organizer: bool = False
    respond_allowed_on_rooms: bool = True
    respond_delay_s: float = 0.0
    # Delta.
    masters_in_delta: bool = True
    removed_outside_window: bool = True
    removed_occurrences_of_series: bool = True
    events_delta: bool = True
    delta_repeats: bool = False
    delta_lag_s: float = 0.0
    delta_tokens_kept: int = 1000
    delta_rounds_kept: int = 64
    # Reading: extended properties by $expand in a plain calendarView (sources contradict).
    calendar_view_expands_tags: bool = False
    # uid and occurrenceId: of the beta metadata only, but answered by v1.0 in recorded answers
    # of public clients since 2024.
    beta_members_in_v1: bool = False
    # Attendant.
    tentative_blocks: bool = True
    # Accept = Delete + Create with a new id (seen in ews-managed-api #255).
    accept_recreates_copy: bool = False
    none_mode_shows_request: bool = False
    conflict_limits: str = "both"
    attendant_delay_s: float = 0.0
    # Time.
    zone_names: str = "windows"
    any_iana_zone: bool = False
    all_day_floats: bool = True
    # A live answer of 2018 (microsoft-graph-docs #2804): an all-day series made in another zone
    # says that zone is UTC, with its dates, and originalStart is the mailbox's midnight.
    all_day_series_say_utc: bool = False
    # Seen by DavMail (mguessan/davmail #481): under Prefer outlook.timezone originalStart carries
    # that zone's offset; the documents say that it is always UTC.
    original_start_in_asked_zone: bool = False
    # The answer to a POST in the zone that was sent (microsoft-graph-docs-contrib #8645), or in
    # UTC (microsoft-graph-docs #116, #8755). Prefer never counts there.
    create_answers_in_sent_zone: bool = False
    # A local time that the clocks skip (02:30 in spring): kept as it was said, so that a series
    # repeats at it, or stored as the time the clocks show then.
    skipped_times_move: bool = False
    series_change_drops_exceptions: bool = True
    # How many changed dates come with a master by $expand before a link leads to the rest; 0: all.
    # That Outlook's collections are cut, no document says; OData lets a service do so.
    expanded_most: int = 0
    # Whether the longest span of calendarView (microsoft-graph-docs #6284) is that of the instances
    # of a series, too.
    instances_have_longest_span: bool = False
    # Cloud: the US Government and China clouds lack cancelledOccurrences and exceptionOccurrences.
    national_cloud: bool = False
    immutable_ids: bool = True
    # Whether an address must name an event by the form of id that the Prefer header asks for.
    # The documents speak of the ids in answers only.
    ids_of_asked_form: bool = False
    actions_case_sensitive: bool = False
    # EWS: whether DeleteItem refuses a ChangeKey that is not the current one.
    ews_delete_checks_change_key: bool = False

    def show(self) -> dict[str, object]:
        """All switches by name."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}

    def set(self, changes: dict[str, object]) -> None:
        """Change some; an unknown name or a wrong type is a ValueError and changes nothing."""
        for name, value in changes.items():
            old = getattr(self, name, None)
            if old is None:
                raise ValueError(f"unknown switch {name!r}")
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (type(value) is type(old) or (isinstance(old, float) and number)):
                raise ValueError(f"switch {name!r} takes {type(old).__name__}")
        for name, value in changes.items():
            setattr(self, name, value)
