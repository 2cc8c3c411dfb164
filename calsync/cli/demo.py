"""``calsync demo``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calsync.cli.options import AsJson
from calsync.errors import UsageError


def demo(
    seconds: Annotated[
        float, typer.Option(min=1, max=86400, help="How long people act, in seconds.")
    ] = 60,
    seed: Annotated[
        int | None,
        typer.Option(
            help="Chooses what people do; any number works. Without one a random one is"
            " taken and printed."
        ),
    ] = None,
    rooms: Annotated[int, typer.Option(min=1, max=500, help="How many rooms the company has.")] = 8,
    headless: Annotated[
        bool, typer.Option("--headless", help="No live view: for scripts and machines.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write the report to this file, as JSON.")
    ] = None,
    exchange: Annotated[
        str,
        typer.Option(
            help="Where the rooms are: graph (Exchange Online), ews (an Exchange Server), or hybrid"
            " (some on each)."
        ),
    ] = "graph",
    as_json: AsJson = False,
) -> None:
    """Show calsync at work: a synthetic company, both sides, and a live view.

    Starts a sandbox tenant, the built-in booking side with its HTTP API and the worker, lets
    people book on both sides, waits until all has come to rest, and compares both sides by the
    sandbox's own log. Exit status 0 only if both are equal and nothing was lost, invented or
    double-booked. Needs no settings and leaves nothing behind.
    """
    from calsync.demo.main import run_demo
    from calsync.demo.stage import EXCHANGES

    if exchange not in EXCHANGES:
        raise UsageError(
            f"--exchange cannot be {exchange!r}", todo=f"Choose one of: {', '.join(EXCHANGES)}"
        )
    status = run_demo(
        seconds=seconds,
        seed=seed,
        rooms=rooms,
        headless=headless,
        report=report,
        as_json=as_json,
        exchange=exchange,
    )
    raise typer.Exit(status)
