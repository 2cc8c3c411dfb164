"""The identity of a meeting: global object ids ([MS-OXOCAL] 2.2.1.27) and uids."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest

from calsync.mapping.ews_uid import global_id_of, identity, uid_of

HEAD = "040000008200E00074C5B7101A82E008"
NO_DATE = "00000000"
#: The 20th of November 2026: year, month and day of the instance.
DATE = "07EA0B14"
TIMES = "80A1B2C3D4E5D801" + "00" * 8
#: Sixteen bytes follow.
DATA = "10000000" + "AB" * 16
OWN = HEAD + NO_DATE + TIMES + DATA
DATED = HEAD + DATE + TIMES + DATA
#: Of the least length: nothing follows.
EMPTY = HEAD + NO_DATE + TIMES + NO_DATE
FOREIGN = b"vCal-Uid".hex().upper() + "01000000"


def base64(hexadecimal: str) -> str:
    return b64encode(bytes.fromhex(hexadecimal)).decode("ascii")


def wrapped(data: bytes) -> str:
    """Another program's uid in the global id that Exchange makes of it, in hex."""
    size = (len(data) + 12).to_bytes(4, "little").hex().upper()
    return HEAD + NO_DATE + "00" * 16 + size + FOREIGN + data.hex().upper()


@pytest.mark.parametrize(
    ("global_id", "told", "uid"),
    [
        # The global id comes before what is told.
        (base64(OWN), "x@y", OWN),
        (base64(DATED), DATED, OWN),
        (f" {base64(OWN)}\n", None, OWN),
        (base64(EMPTY), None, EMPTY),
        (base64(wrapped(b"x@firm.example\0")), DATED, "x@firm.example"),
        (base64(wrapped(b"x@firm.example")), None, "x@firm.example"),
        (base64(wrapped("gr\u00fc\u00df@y\0\0".encode())), None, "gr\u00fc\u00df@y"),
        # Not UTF-8: by its bytes.
        (base64(wrapped(b"\xff\xfe")), None, wrapped(b"\xff\xfe")),
        # Without a global id that is one: what is told.
        (None, "x@y", "x@y"),
        (None, DATED, OWN),
        (None, DATED.lower(), OWN),
        (None, HEAD + DATE + TIMES + NO_DATE, EMPTY),
        (None, "ab" * 40, "ab" * 40),
        (None, DATED[:78], DATED[:78]),
        (None, HEAD + "no hex", HEAD + "no hex"),
        (None, "", ""),
        (None, None, ""),
        (None, 5, ""),
        ("", "x@y", "x@y"),
        (5, "x@y", "x@y"),
        ("not base64!", "x@y", "x@y"),
        ("gr\u00fc\u00df", "x@y", "x@y"),
        ("AAA", "x@y", "x@y"),
        (f"!{base64(OWN)}", "x@y", "x@y"),
        (base64(EMPTY[:78]), "x@y", "x@y"),
        (base64("05" + OWN[2:]), "x@y", "x@y"),
    ],
)
def test_the_uid_of_an_item(global_id: object, told: object, uid: str) -> None:
    assert uid_of(global_id, told) == uid


def test_a_global_id_has_4096_characters_at_most() -> None:
    whole = base64(OWN + "00" * (3072 - len(OWN) // 2))
    assert len(whole) == 4096
    assert uid_of(whole, "x@y").startswith(OWN)
    assert uid_of(f"{whole} ", "x@y") == "x@y"


@pytest.mark.parametrize(
    ("uid", "meeting"),
    [
        ("x@firm.example", "x@firm.example"),
        ("", ""),
        ("ab" * 40, "ab" * 40),
        (OWN, OWN),
        (OWN.lower(), OWN),
        (DATED, OWN),
        (wrapped(b"x@firm.example\0"), "x@firm.example"),
        (EMPTY, EMPTY),
        (HEAD + DATE + TIMES + NO_DATE, EMPTY),
        # None that Exchange could have made: as it is.
        (DATED[:78], DATED[:78]),
        (DATED.lower()[:78], DATED.lower()[:78]),
        (HEAD + "no hex", HEAD + "no hex"),
    ],
)
def test_the_meeting_that_a_uid_is_of(uid: str, meeting: str) -> None:
    assert identity(uid) == meeting


@pytest.mark.parametrize(
    ("uid", "blob"),
    [
        (OWN, OWN),
        (DATED.lower(), OWN),
        (EMPTY, EMPTY),
        ("x@firm.example", wrapped(b"x@firm.example\0")),
        ("gr\u00fc\u00df@y", wrapped("gr\u00fc\u00df@y\0".encode())),
        ("ab" * 40, wrapped(b"ab" * 40 + b"\0")),
        ("half \ud83d pair", wrapped(b"half ? pair\0")),
        # It begins like one of Exchange's, but is none.
        (HEAD + "no hex", wrapped(f"{HEAD}no hex\0".encode())),
        (EMPTY[:78], wrapped(f"{EMPTY[:78]}\0".encode())),
        ("u" * 2048, wrapped(b"u" * 2048 + b"\0")),
    ],
)
def test_the_global_id_of_a_uid(uid: str, blob: str) -> None:
    found = global_id_of(uid)
    assert found is not None
    assert b64decode(found).hex().upper() == blob


@pytest.mark.parametrize("uid", ["", "u" * 2049])
def test_what_can_be_no_uid_has_no_global_id(uid: str) -> None:
    assert global_id_of(uid) is None
