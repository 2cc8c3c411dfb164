"""``calsync webhooks``: where platforms are told of changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from calsync.cli.options import DEFAULT_SETTINGS, AsJson, SettingsPath, bookings_here, opened
from calsync.cli.output import print_json, print_line, print_table, when
from calsync.errors import UsageError
from calsync.mapping.webhook_values import Backlog, Endpoint, Message

app = typer.Typer(
    help="Make, list, renew and replay the webhooks that platforms are told by.",
    no_args_is_help=True,
)
Id = Annotated[str, typer.Argument(metavar="ID", help="Its id, as webhooks list shows it.")]
_KEEP = "Keep it now: it is not shown again. The receiver checks each message with it."


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Whom it is for, such as the platform's name.")],
    url: Annotated[str, typer.Argument(help="Where messages are sent; https.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="What messages say; repeat for more: busy:read (ids, times and states; the"
            " default), bookings:read (the booking), details:read (titles and people)."
        ),
    ] = None,
    room: Annotated[list[str] | None, typer.Option(help="Only this room; repeatable.")] = None,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Tell a platform of every change from now on. Its secret is printed once."""
    if not name.strip():
        raise UsageError("a webhook needs a name", todo="Name whom it is for")
    with opened(settings) as home:
        bookings_here(home, todo="Add the webhook there")
        endpoint, secret = home.webhooks.add(name.strip(), url, scope or (), room or ())
    _print_secret(endpoint, secret, as_json=as_json)


@app.command("list")
def show(
    endpoint_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="Show the newest messages of this one.")
    ] = None,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """List the endpoints and what waits for them, or the newest messages of one."""
    with opened(settings) as home:
        if endpoint_id is not None:
            _print_messages(home.webhooks.messages(endpoint_id), as_json=as_json)
            return
        found = home.webhooks.list()
    if as_json:
        print_json({"webhooks": [_doc(e) | _counts(b) for e, b in found]})
        return
    print_table(
        ["id", "name", "url", "says", "rooms", "waiting", "failed", "state"],
        [
            (
                *(e.id, e.name, e.url, " ".join(sorted(e.scopes))),
                *(" ".join(sorted(e.rooms)) or "all", b.queued, b.failed, _state(e)),
            )
            for e, b in found
        ],
        empty="No webhooks yet. Make one with: calsync webhooks add NAME URL",
    )


@app.command("rotate")
def rotate(
    endpoint_id: Id,
    keep: Annotated[
        float, typer.Option(help="Hours for which the former secret signs, too.", min=0, max=720)
    ] = 24.0,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Make a new secret. For a while each message is signed with both."""
    with opened(settings) as home:
        endpoint, secret = home.webhooks.rotate(endpoint_id, timedelta(hours=keep))
    _print_secret(endpoint, secret, as_json=as_json)


@app.command("replay")
def replay(
    endpoint_id: Id,
    since: Annotated[
        datetime | None,
        typer.Option(
            help="All messages about changes since then (UTC).",
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        ),
    ] = None,
    message: Annotated[str | None, typer.Option(help="Only this message, by its id.")] = None,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Send messages again under the ids that they had; without a choice those that failed."""
    if since is not None and message is not None:
        raise UsageError("--since and --message are two choices", todo="Give one of them")
    at = None if since is None else since.replace(tzinfo=UTC)
    with opened(settings) as home:
        count = home.webhooks.replay(endpoint_id, since=at, message_id=message)
    if as_json:
        print_json({"id": endpoint_id, "replayed": count})
    else:
        print_line(f"{count} message(s) will be sent again.")


@app.command("disable")
def disable(
    endpoint_id: Id, settings: SettingsPath = DEFAULT_SETTINGS, as_json: AsJson = False
) -> None:
    """Send nothing more; the place in the change feed is kept for webhooks enable."""
    with opened(settings) as home:
        endpoint = home.webhooks.disable(endpoint_id)
    _print_state(endpoint, as_json=as_json)


@app.command("enable")
def enable(
    endpoint_id: Id, settings: SettingsPath = DEFAULT_SETTINGS, as_json: AsJson = False
) -> None:
    """Go on where it was disabled, as far back as the change feed reaches."""
    with opened(settings) as home:
        endpoint = home.webhooks.enable(endpoint_id)
    _print_state(endpoint, as_json=as_json)


@app.command("remove")
def remove(
    endpoint_id: Id,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Forget the endpoint and all its messages, sent or not."""
    if not yes and not as_json:
        typer.confirm(f"Forget webhook {endpoint_id} and its messages?", abort=True)
    with opened(settings) as home:
        endpoint = home.webhooks.remove(endpoint_id)
    if as_json:
        print_json({"id": endpoint.id, "name": endpoint.name, "removed": True})
    else:
        print_line(f"Webhook {endpoint.id} ({endpoint.name}) is gone.")


# --- what is printed -------------------------------------------------------------------------


def _doc(e: Endpoint) -> dict[str, Any]:
    return {
        "id": e.id,
        "name": e.name,
        "url": e.url,
        "scopes": sorted(e.scopes),
        "rooms": sorted(e.rooms),
        "created": e.created,
        "disabled": e.disabled,
        "why": e.why,
        "paused_until": e.paused,
        "former_secret_until": e.former_until,
    }


def _counts(b: Backlog) -> dict[str, Any]:
    return {
        "queued": b.queued,
        "delivered": b.delivered,
        "failed": b.failed,
        "oldest_queued": b.oldest,
    }


def _state(e: Endpoint) -> str:
    if e.disabled is not None:
        return f"disabled since {when(e.disabled)}: {e.why}"
    return "on"


def _print_secret(endpoint: Endpoint, secret: str, *, as_json: bool) -> None:
    if as_json:
        print_json({**_doc(endpoint), "secret": secret})
        return
    print_line(f"Webhook {endpoint.id} for {endpoint.name} has this secret:")
    # Plain, so that no line break gets into it when it is copied or piped.
    typer.echo(secret)
    print_line(_KEEP)


def _print_state(endpoint: Endpoint, *, as_json: bool) -> None:
    if as_json:
        print_json(_doc(endpoint))
    else:
        print_line(f"Webhook {endpoint.id} ({endpoint.name}) is {_state(endpoint)}.")


def _print_messages(found: Any, *, as_json: bool) -> None:
    messages: list[Message] = list(found)
    if as_json:
        fields = ("id", "kind", "booking_id", "at", "state", "tries", "due", "status", "reason")
        print_json({"messages": [{f: getattr(m, f) for f in fields} for m in messages]})
        return
    print_table(
        ["message", "what", "booking", "of (UTC)", "state", "tries", "next (UTC)", "last answer"],
        [
            (
                *(m.id, m.kind, m.booking_id, when(m.at), m.state.value, m.tries),
                when(m.due) if m.state.value == "queued" else "",
                m.reason or m.status or "",
            )
            for m in messages
        ],
        empty="Nothing was sent to this endpoint yet.",
    )
