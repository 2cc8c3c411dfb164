"""``calsync sandbox``"""

from __future__ import annotations

import typer


def sandbox(context: typer.Context) -> None:
    """Start a synthetic Microsoft 365 tenant on this machine, to try calsync against.

    It prints its address, tenant, client id and secret as JSON; put them under connections in
    your settings with cloud = "custom". Its own options: calsync sandbox --help
    """
    from calsync.sandbox.__main__ import main

    raise typer.Exit(main(context.args))
