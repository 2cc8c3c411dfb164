"""A meeting's identity in all calendars: its global object id ↔ the uid that both interfaces tell.

PidLidCleanGlobalObjectId is the same for a meeting, its series, its dates, and copies of it in
other mailboxes. A uid that Exchange made is this blob in hex; another program's uid is wrapped in
it behind "vCal-Uid" ([MS-OXCICAL] 2.1.3.1.1.20.26, PidLidGlobalObjectId [MS-OXOCAL] 2.2.1.27).
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Final

#: What every global object id begins with.
_HEAD: Final = bytes.fromhex("040000008200E00074C5B7101A82E008")
#: Head, date of the instance (4), creation time (8), reserved (8), size of what follows (4).
_DATA: Final = len(_HEAD) + 4 + 8 + 8 + 4
_FOREIGN: Final = b"vCal-Uid\x01\x00\x00\x00"
_LONGEST: Final = 2048


def uid_of(global_id: object, told: object) -> str:
    """The uid, by the (clean) global id in base64 where there is one: it is the same for a date
    that a room was invited to alone, whose told uid names that date."""
    blob = _blob(global_id)
    if blob is None:
        return _clean_hex(told) if isinstance(told, str) else ""
    data = blob[_DATA:]
    if data.startswith(_FOREIGN):
        foreign = data[len(_FOREIGN) :].rstrip(b"\x00")
        try:
            return foreign.decode("utf-8")
        except UnicodeDecodeError:
            pass
    return _undated(blob).hex().upper()


def identity(uid: str) -> str:
    """What a uid says of the meeting, whichever interface told it: Graph's of a date that stands
    alone names that date, and either may tell another program's uid plainly or wrapped."""
    try:
        blob = bytes.fromhex(uid)
    except ValueError:
        return uid
    return uid_of(b64encode(blob).decode("ascii"), uid)


def global_id_of(uid: str) -> str | None:
    """The clean global id of a uid, in base64; None for what can be none."""
    if not uid or len(uid) > _LONGEST:
        return None
    try:
        blob = bytes.fromhex(uid) if uid.upper().startswith(_HEAD.hex().upper()) else None
    except ValueError:
        blob = None
    if blob is None or len(blob) < _DATA:
        data = _FOREIGN + uid.encode("utf-8", "replace") + b"\x00"
        blob = _HEAD + bytes(20) + len(data).to_bytes(4, "little") + data
    return b64encode(_undated(blob)).decode("ascii")


def _blob(text: object) -> bytes | None:
    if not isinstance(text, str) or len(text) > 2 * _LONGEST:
        return None
    try:
        blob = b64decode(text.strip(), validate=True)
    except ValueError:
        return None
    return blob if blob.startswith(_HEAD) and len(blob) >= _DATA else None


def _undated(blob: bytes) -> bytes:
    """With the date of the instance zeroed."""
    return blob[: len(_HEAD)] + bytes(4) + blob[len(_HEAD) + 4 :]


def _clean_hex(uid: str) -> str:
    """A uid as told; one that Exchange made, without the date of an instance."""
    if not uid.upper().startswith(_HEAD.hex().upper()):
        return uid
    try:
        blob = bytes.fromhex(uid)
    except ValueError:
        return uid
    return _undated(blob).hex().upper() if len(blob) >= _DATA else uid
