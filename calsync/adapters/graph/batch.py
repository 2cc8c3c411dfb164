"""``$batch``: up to 20 independent requests in one, with a result for each.

The outer status is 200 even where parts fail; every part is throttled by itself; answers come
in any order (Graph, "JSON batching"). It saves round trips, not quota.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from calsync.adapters.graph.errors import check
from calsync.adapters.graph.parts import read_part
from calsync.adapters.wrap.port import Answer, Call, Caller
from calsync.errors import BadAnswer
from calsync.pacing import chunks

SIZE = 20
#: Parts that were throttled are sent again this often; the paced caller does the waiting.
_ROUNDS = 4
_PASSING = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One request of a batch; ``path`` begins behind the version (``/users/…``). ``prefer``:
    preferences besides those of every request."""

    method: str
    path: str
    body: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    prefer: str = ""


def run_batch(
    caller: Caller,
    parts: Sequence[Part],
    *,
    operation: str,
    mailbox: str,
    now: datetime,
    repeatable: bool,
) -> list[Answer | None]:
    """The answers in the order of the parts; None where a part got none (executed or not).

    Reads that failed in passing and writes that were throttled are sent again in a new batch.
    Raises what the caller raises, and what a refusal of a whole batch means; nothing of that
    batch, and of those after it, was executed then, except after Unavailable and BadAnswer.
    """
    answers: list[Answer | None] = [None] * len(parts)
    for piece in chunks(range(len(parts)), SIZE):
        due = list(piece)
        for _ in range(_ROUNDS):
            found = _send(caller, parts, due, operation, mailbox, now, repeatable=repeatable)
            answers_now = {index: found.get(index) for index in due}
            for index, answer in answers_now.items():
                answers[index] = answer
            due = [i for i, answer in answers_now.items() if _again(answer, repeatable=repeatable)]
            if not due:
                break
    return answers


def _again(answer: Answer | None, *, repeatable: bool) -> bool:
    if answer is None:
        return repeatable
    return answer.throttled or (repeatable and answer.status in _PASSING)


def _send(
    caller: Caller,
    parts: Sequence[Part],
    due: Sequence[int],
    operation: str,
    mailbox: str,
    now: datetime,
    *,
    repeatable: bool,
) -> dict[int, Answer]:
    answer = caller.call(
        Call(
            method="POST",
            target="/$batch",
            operation=operation,
            mailbox=mailbox,
            body={"requests": [_request(index, parts[index]) for index in due]},
            repeatable=repeatable,
            parts=max(len(due), 2),
        )
    )
    listed = check(answer, mailbox).get("responses")
    if not isinstance(listed, list):
        raise BadAnswer("the answer to a batch lists no parts", where=mailbox)
    found: dict[int, Answer] = {}
    asked = {str(index): index for index in due}
    for part in listed:
        read = read_part(part, now)
        index = asked.get(str(part["id"])) if read is not None and "id" in part else None
        if read is not None and index is not None:
            found[index] = read
    return found


def _request(index: int, part: Part) -> dict[str, Any]:
    # The headers of the batch itself do not reach its parts.
    prefer = 'IdType="ImmutableId"'
    headers = {"Prefer": f"{part.prefer}, {prefer}" if part.prefer else prefer, **part.headers}
    request: dict[str, Any] = {
        "id": str(index),
        "method": part.method,
        "url": part.path,
        "headers": headers,
    }
    if part.body is not None:
        request["body"] = part.body
        headers["Content-Type"] = "application/json"
    return request
