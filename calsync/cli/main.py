"""``calsync``: the verbs, joined."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer
from typer.main import get_command

from calsync.cli import demo, explain, plan, rooms, sandbox, serve, status, sync, tokens, version
from calsync.cli.choke import guarded

_HELP = """
calsync keeps the rooms of a booking platform and Exchange room mailboxes equal, both ways.

First steps: copy settings.example.toml to calsync.toml and add your tenant under
connections; then

  calsync rooms list --discover   shows the room mailboxes that calsync may see,

  calsync rooms map ROOM MAILBOX  joins a room to one of them,

  calsync plan                    shows every write the first cycle would do, and

  calsync serve                   starts the sync and the HTTP API.

Every verb takes --json for programs and --settings to name another settings file.
Exit status: 0 done, 1 it failed, 2 wrong usage or settings, 130 interrupted.
"""

app = typer.Typer(
    name="calsync",
    help=_HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
app.command("sync")(sync.sync)
app.command("plan")(plan.plan)
app.command("status")(status.status)
app.command("explain")(explain.explain)
app.add_typer(rooms.app, name="rooms")
app.add_typer(tokens.app, name="tokens")
app.command(
    "sandbox",
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": [],
    },
)(sandbox.sandbox)
app.command("version")(version.version)


def run(arguments: Sequence[str] | None = None) -> None:
    """The entry point of the ``calsync`` command; ends the process with its exit status."""
    chosen = None if arguments is None else list(arguments)
    sys.exit(guarded(lambda: get_command(app).main(chosen, prog_name="calsync")))


if __name__ == "__main__":
    run()
