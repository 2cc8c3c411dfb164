"""PidLidGlobalObjectId and PidLidCleanGlobalObjectId of a UID ([MS-OXOCAL] 2.2.1.27, 2.2.1.28).

16 bytes that mark the format, four with the date of an instance (zero in the clean form), the time
of creation, eight zero bytes, a length, and data. A UID that Exchange made is the whole in
hexadecimal; any other stands in the data behind "vCal-Uid" ([MS-OXCICAL], UID).
"""

from __future__ import annotations

from datetime import date

HEAD = "040000008200E00074C5B7101A82E008"


def of(uid: str, day: date | None) -> str:
    """The blob in upper-case hexadecimal, with the date of an instance or clean."""
    when = f"{day.year:04X}{day.month:02X}{day.day:02X}" if day else "00000000"
    if is_own(uid):
        return (uid[:32] + when + uid[40:]).upper()
    data = b"vCal-Uid\x01\x00\x00\x00" + uid.encode() + b"\x00"
    size = len(data).to_bytes(4, "little").hex().upper()
    return f"{HEAD}{when}{'0' * 32}{size}{data.hex().upper()}"


def is_own(uid: str) -> bool:
    """Whether a UID is such a blob itself."""
    if not uid.upper().startswith(HEAD) or len(uid) < 80 or len(uid) % 2:
        return False
    try:
        bytes.fromhex(uid)
    except ValueError:
        return False
    return True
