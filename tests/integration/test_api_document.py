"""The OpenAPI document: valid, complete, and kept by the API under requests nobody thought of."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from calsync import __version__
from calsync.adapters.hub.telling import KINDS as TOLD
from calsync.api.app import schema_of
from calsync.api.server import ApiServer
from calsync.cli.main import run
from tests.integration.api_kit import Door, Served, open_door, served, world_feeds
from tests.integration.webhook_kit import Hooks
from tests.support.receiver import a_receiver
from tests.unit.hub.hub_kit import ANY


@pytest.fixture(scope="module")
def opened() -> Iterator[tuple[Door, ApiServer]]:
    with open_door() as opened:
        yield opened


@pytest.fixture
def world(opened: tuple[Door, ApiServer], tmp_path: Path) -> Iterator[Served]:
    with served(opened, tmp_path) as world:
        yield world


DOCUMENT = schema_of("1.2.3")


def validator(name: str) -> Draft202012Validator:
    """Of one schema of the document, with all that it refers to."""
    return Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    )


def test_the_document_is_valid_openapi_3_1() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []


def test_the_command_prints_what_a_running_calsync_serves(
    world: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(["api", "schema", "--json"])
    printed = json.loads(capsys.readouterr().out)
    there = world.all.get("/openapi.json").json()
    assert printed["info"].pop("version") == __version__
    assert there["info"].pop("version") == "1.2.3"
    assert printed == there
    with pytest.raises(SystemExit):
        run(["api", "schema"])
    said = capsys.readouterr().out
    assert "/v1/events" in said
    assert "booking.confirmed" in said


def test_every_kind_of_message_is_listed_as_a_webhook() -> None:
    assert set(DOCUMENT["webhooks"]) == set(TOLD)
    for item in DOCUMENT["webhooks"].values():
        names = {p["name"] for p in item["post"]["parameters"]}
        assert names == {"webhook-id", "webhook-timestamp", "webhook-signature"}
        assert {"2XX", "410", "429"} <= item["post"]["responses"].keys()


def test_messages_are_as_the_document_says(world: Served, tmp_path: Path) -> None:
    hook = Hooks(world.hub, tmp_path)
    check = validator("Message")
    with a_receiver() as receiver:
        hook.add(receiver.url)
        hook.add(receiver.url, "bookings:read", "details:read")
        booking = world.hub.book(
            title="Board", rrule="FREQ=WEEKLY;COUNT=3", bookedBy={"name": "Ada"}
        )
        hook.run()
        world.hub.service.cancel(booking.id, ANY)
        hook.run()
        assert len(receiver.got) == 4
        for got in receiver.got:
            assert list(check.iter_errors(got.doc)) == []
            assert got.doc["type"] in DOCUMENT["webhooks"]


def test_the_state_of_a_room_is_as_the_document_says(world: Served) -> None:
    world.hub.book(start="2026-11-20T08:30:00", title="Board")
    keys = world_feeds(world.hub)
    for room in ("r1", "r2"):
        _, path = keys.create(room, "", details=True)
        doc = world.client().get(f"{path}.json").json()
        assert list(validator("RoomState").iter_errors(doc)) == []


# --- schemathesis ----------------------------------------------------------------------------

#: Requests for each operation: enough to meet every member of a body.
EXAMPLES = 25
#: Endless; its own tests read it.
ENDLESS = {"/v1/events"}


def _operations() -> list[tuple[str, str]]:
    return [
        (method.upper(), path)
        for path, item in DOCUMENT["paths"].items()
        for method in item
        if path not in ENDLESS
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "path"), _operations())
def test_the_api_behaves_as_its_document_says(world: Served, method: str, path: str) -> None:
    import schemathesis
    from schemathesis.core.errors import SchemathesisError
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    booking = world.hub.book(rrule="FREQ=WEEKLY;COUNT=5")
    _, feed = world_feeds(world.hub).create("r1", "")
    known = {
        "room_id": "r1",
        "booking_id": booking.id,
        "recurrence_id": "2026-12-08T09:00:00",
        "key": feed.rpartition("/")[2],
    }
    headers = {"Authorization": str(world.all.session.headers["Authorization"])}
    schema = schemathesis.openapi.from_url(f"{world.server.url}/openapi.json")
    operation = schema[path][method]
    checks: list[Callable[..., Any]] = [
        schemathesis.checks.not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
    ]
    turns = iter(range(10**9))
    seen: list[int] = []

    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        deadline=None,
        derandomize=True,
        database=None,
    )
    @given(case=operation.as_strategy())
    def send(case: Any) -> None:
        # Half of them about things that are there: the rest ends in 404.
        if next(turns) % 2:
            case.path_parameters.update(
                {n: v for n, v in known.items() if n in case.path_parameters}
            )
        try:
            response = case.call(headers=headers)
        except (SchemathesisError, requests.exceptions.InvalidHeader):
            return  # what no client can send, such as a header with a line end
        seen.append(response.status_code)
        case.validate_response(response, checks=checks)

    send()
    # An operation without parameters has one request.
    assert len(seen) >= (EXAMPLES // 2 if "{" in path else 1), seen
