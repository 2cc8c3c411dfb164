"""``calsync sandbox``"""

from __future__ import annotations

import typer


def sandbox(context: typer.Context) -> None:
    """Start a synthetic company on this machine, by Graph and by EWS, to try calsync against.

    It prints its address, tenant, client id and secret, and the address, user and password of
    its EWS side, as JSON; put those of Graph under connections in your settings with
    cloud = "custom". Its own options: calsync sandbox --help
    """
    from calsync.errors import UsageError
    from calsync.sandbox.__main__ import main

    try:
        # It always prints JSON; the option that every verb takes changes nothing here.
        status = main([word for word in context.args if word != "--json"])
    except (OSError, OverflowError) as error:
        # OverflowError is Python's word for a port above 65535.
        raise UsageError(
            f"the sandbox cannot listen there: {getattr(error, 'strerror', None) or error}",
            where=" ".join(context.args),
            todo="Choose another --port, or end what listens on this one",
        ) from error
    raise typer.Exit(status)
