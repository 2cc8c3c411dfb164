"""Refusals of the synthetic tenant, in the words Graph uses.

Graph's Outlook codes are the EWS ResponseCode names (public reference: EWS "ResponseCode",
Graph "Error responses and resource types"). The world raises one `Refusal`; a front turns it
into its own wire shape.
"""

from __future__ import annotations

from collections.abc import Mapping


class Refusal(Exception):
    """A request the tenant refuses: HTTP status, Graph code, text, and extra members."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, object] | None = None,
        inner: str | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})
        self.inner = inner


def not_found() -> Refusal:
    """Gone, or not visible to the caller: Exchange does not tell the two apart."""
    return Refusal(
        404,
        "ErrorItemNotFound",
        "The specified object was not found in the store., The process failed to get the "
        "correct properties.",
    )


def malformed_id() -> Refusal:
    """The id is not an id of the asked form (immutable against normal), or no id at all."""
    return Refusal(400, "ErrorInvalidIdMalformed", "Id is malformed.")


def bad_property(message: str = "At least one property failed validation.") -> Refusal:
    """A known property carries a value Exchange does not store."""
    return Refusal(400, "ErrorPropertyValidationFailure", message)


def bad_body(message: str) -> Refusal:
    """The JSON cannot be read as the type of the resource."""
    return Refusal(400, "RequestBodyRead", message)


def bad_request(message: str, code: str = "ErrorInvalidRequest") -> Refusal:
    """A request that is well formed and makes no sense."""
    return Refusal(400, code, message)


def bad_zone(name: object) -> Refusal:
    """A time zone name outside Windows names and Graph's short IANA list."""
    return Refusal(
        400,
        "TimeZoneNotSupportedException",
        "A valid TimeZone value must be specified. The following TimeZone value is not "
        f"supported: '{name}'.",
    )


def access_denied() -> Refusal:
    """The application's permissions or its mailbox scope do not cover the call."""
    return Refusal(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
