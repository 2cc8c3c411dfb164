"""PURE conversions between the sides' forms and the neutral values of ``calsync.model``.

zones · fingerprint · text · dates and expand (recurrence sets) · canon (one form for one
meaning) · rrule (RFC 5545) · recurrence (Graph patterns) · split (what Graph cannot say as
one series) · event (Graph events).
"""
