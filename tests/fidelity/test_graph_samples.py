"""Answers of Graph as others recorded them: valid by the metadata, and understood."""

from __future__ import annotations

import json
from typing import Any

import pytest

from calsync.mapping.event import read_event
from calsync.model import Seen, Unknown
from tests.fidelity import csdl
from tests.fidelity.csdl import shared_folder

FOLDER = shared_folder()
FILES = sorted((FOLDER / "data" / "graph").glob("*.json")) if FOLDER else []
EVENTS = [file for file in FILES if "_event" in file.stem or "_view" in file.stem]
#: Sign-in documents, which are not Graph's.
OTHERS = {"discovery", "openid"}
pytestmark = pytest.mark.skipif(not FILES, reason="shared/data/graph not found")


def _rows(body: dict[str, Any]) -> list[dict[str, Any]]:
    value = body.get("value")
    return value if isinstance(value, list) else [body]


def _kind(stem: str) -> str:
    if stem == "me":
        return "user"
    return "event" if "_event" in stem or "_view" in stem else "calendar"


@pytest.mark.skipif(csdl.metadata_file() is None, reason="Graph metadata not found")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_metadata_knows_it(file: Any) -> None:
    body = json.loads(file.read_text(encoding="utf-8"))
    if file.stem in OTHERS:
        assert "value" not in body
        return
    for row in _rows(body):
        assert csdl.validate_entity(_kind(file.stem), row) == []


@pytest.mark.parametrize("file", EVENTS, ids=lambda file: file.stem)
def test_every_event_is_understood(file: Any) -> None:
    for row in _rows(json.loads(file.read_text(encoding="utf-8"))):
        found = read_event(row, titles=True, room_zone="Europe/London")
        if row.get("seriesMasterId"):
            assert isinstance(found, Unknown)
            assert not found.poison
            continue
        assert isinstance(found, Seen), found
        assert found.key == row["id"]
        assert found.occupancy.private == (row["sensitivity"] != "normal")
        assert found.occupancy.all_day == row["isAllDay"]
        if not found.occupancy.private:
            assert found.occupancy.title == row["subject"].strip()
