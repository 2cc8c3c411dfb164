"""Small stand-ins shared by the unit tests of the Graph adapter. No network, no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from calsync.adapters.wrap import Answer, Call

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class StillClock:
    """A clock that stands still until it is moved (seconds)."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return self.seconds


class Tokens:
    """Tokens that are counted; ``renew`` gives the next."""

    def __init__(self, tenant_id: str = "tenant-a") -> None:
        self.tenant_id = tenant_id
        self.number = 1
        self.renewed: list[str] = []

    def token(self) -> str:
        return f"{self.tenant_id}-token-{self.number}"

    def renew(self, refused: str) -> str:
        self.renewed.append(refused)
        self.number += 1
        return self.token()


class Script:
    """A ``Caller`` that plays answers (or raises errors) in order and keeps the calls."""

    def __init__(self, answers: Iterable[Answer | Exception | Callable[[Call], Answer]]) -> None:
        self.answers = list(answers)
        self.calls: list[Call] = []

    def call(self, call: Call) -> Answer:
        self.calls.append(call)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer(call) if callable(answer) else answer


def ok(body: dict[str, Any] | None = None, status: int = 200) -> Answer:
    return Answer(status=status, body=body)


def page(rows: list[dict[str, Any]], **links: str) -> Answer:
    return ok({"value": rows, **{f"@odata.{name}": link for name, link in links.items()}})


def refusal(status: int, code: str = "", **inner: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": "words that nobody may match on", **inner}}
