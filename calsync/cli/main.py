"""``calsync``: the verbs, joined."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

import typer
from typer.main import get_command

from calsync.cli import (
    api,
    check,
    conflicts,
    demo,
    explain,
    feeds,
    guard,
    init,
    notices,
    plan,
    privacy,
    restore,
    resync,
    rooms,
    sandbox,
    serve,
    status,
    sync,
    tokens,
    version,
    webhooks,
)
from calsync.cli.choke import guarded
from calsync.errors import UsageError

_HELP = """
calsync keeps the rooms of a booking platform and Exchange room mailboxes equal, both ways.

First steps:

  calsync init                    connects your tenant and writes the settings
                                  (settings.example.toml explains every one),

  calsync rooms suggest           finds which room is which room mailbox,

  calsync rooms import FILE       maps them,

  calsync check                   tries every right, and every room,

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
app.command("init")(init.init)
app.command("check")(check.check)
app.command("serve")(serve.serve)
app.command("sync")(sync.sync)
app.command("plan")(plan.plan)
app.command("status")(status.status)
app.command("explain")(explain.explain)
app.command("resync")(resync.resync)
app.command("restore")(restore.restore)
app.add_typer(conflicts.app, name="conflicts")
app.add_typer(guard.app, name="guard")
app.add_typer(rooms.app, name="rooms")
app.add_typer(tokens.app, name="tokens")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(notices.app, name="notices")
app.add_typer(feeds.app, name="feeds")
app.add_typer(privacy.app, name="privacy")
app.add_typer(api.app, name="api")
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
    chosen = sys.argv[1:] if arguments is None else list(arguments)
    as_json = "--json" in chosen
    sys.exit(guarded(lambda: _call(chosen, as_json=as_json), as_json=as_json))


def _call(words: list[str], *, as_json: bool) -> None:
    """Carry the words out. Raises SystemExit with the status; what typer finds wrong with the
    words is told by typer itself, or ``as_json`` as a UsageError."""
    command = _command()
    if not as_json:
        command.main(words, prog_name="calsync")
        return
    try:
        sys.exit(command.main(words, prog_name="calsync", standalone_mode=False))
    except typer.Abort:
        sys.exit(1)
    except _WRONG_WORDS as error:
        raise UsageError(error.format_message(), todo="See: calsync --help") from None


@cache
def _command() -> Any:
    """Built once: for it typer reads the hints of every option of every verb, which takes most of
    the time of a quick verb. (A process that runs one verb gains nothing; the tests run hundreds.)
    """
    return get_command(app)


#: The base of what typer says of wrong words; it offers no name for it.
_WRONG_WORDS: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")

if __name__ == "__main__":
    run()
