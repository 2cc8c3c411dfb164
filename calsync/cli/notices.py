"""``calsync notices``: what was told to whom, what was not, and whether messages arrive."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from calsync.cli.choke import FAILED
from calsync.cli.options import DEFAULT_SETTINGS, AsJson, SettingsPath, connected, opened
from calsync.cli.output import clean, print_json, print_line, print_table, when
from calsync.errors import UsageError
from calsync.model import MAIL, Person
from calsync.ports import Delivery, NoticeState
from calsync.store.reports import NoticeRecord

app = typer.Typer(
    help="Look at the messages to people, send one again, and try whether they arrive.",
    no_args_is_help=True,
)


@app.command("list")
def show(
    state: Annotated[
        NoticeState | None,
        typer.Option(help="Only these: queued, sending, sent, doubtful or failed."),
    ] = None,
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1, max=10_000)] = 50,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """List notices with what became of them, newest first. Nothing is sent.

    A doubtful one may have arrived: its reply was lost, or calsync ended while it was sent. It is
    never sent again by itself.
    """
    with opened(settings) as home:
        rooms = {pair.id: pair.room_id for pair in home.store.pairs()}
        found = home.reports.notices(state=state, limit=limit)
    if as_json:
        print_json({"notices": [_doc(one, rooms) for one in found]})
        return
    print_table(
        ["id", "queued", "room", "kind", "to", "state", "tries", "why"],
        [
            (
                *(one.id, when(one.queued_at), rooms.get(one.pair_id, "")),
                *(one.notice.kind.value, clean(one.notice.recipient), one.state.value),
                *(one.tries, clean(one.reason)),
            )
            for one in found
        ],
        empty="No notices.",
    )


@app.command("resend")
def resend(
    number: Annotated[int, typer.Argument(metavar="ID", help="As notices list shows it.")],
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Queue a failed or doubtful notice again: you say that its person was not told.

    It leaves within seconds while calsync serve runs, or with the next calsync sync.
    """
    with opened(settings) as home:
        done = home.store.ledger.resend(number)
    if not done:
        raise UsageError(
            "there is no failed or doubtful notice of that number",
            where=f"notice {number}",
            todo="See: calsync notices list --state doubtful",
        )
    if as_json:
        print_json({"id": number, "state": NoticeState.QUEUED})
    else:
        print_line(f"Notice {number} is queued again.")


@app.command("test")
def try_out(
    mail: Annotated[
        str | None, typer.Option(help="Also send a mail to this address, such as your own.")
    ] = None,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Send a test message to every shared channel, and by mail to an address. Exit status 1 if one
    did not leave."""
    with connected(settings) as system:
        board = system.board
        names = [] if board is None else [n for n in board.names if n != MAIL or mail]
        if mail and MAIL not in names:
            raise UsageError(
                "no mail is sent",
                where="setting notices.enabled",
                todo="Set enabled and sender under [notices]",
            )
        if board is None or not names:
            raise UsageError(
                "there is nothing to try",
                todo="Name an address with --mail, or add [[channels]] to the settings",
            )
        found = {name: board.test(name, Person("", mail or "")) for name in names}
    if as_json:
        print_json(
            {
                "channels": [
                    {"channel": name, "result": report.delivery, "reason": report.reason}
                    for name, report in found.items()
                ]
            }
        )
    else:
        for name, report in found.items():
            why = f": {clean(report.reason)}" if report.reason else ""
            print_line(f"{name}: {report.delivery.value}{why}")
    if any(report.delivery is not Delivery.SENT for report in found.values()):
        raise typer.Exit(FAILED)


def _doc(one: NoticeRecord, rooms: dict[str, str]) -> dict[str, Any]:
    notice = one.notice
    return {
        "id": one.id,
        "room_id": rooms.get(one.pair_id, ""),
        "booking": notice.booking_key,
        "kind": notice.kind,
        "channel": notice.channel,
        "to": notice.recipient,
        "state": one.state,
        "tries": one.tries,
        "reason": one.reason,
        "queued_at": one.queued_at,
        "changed_at": one.changed_at,
    }
