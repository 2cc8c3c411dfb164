"""``calsync api``: what the HTTP API is, without starting it."""

from __future__ import annotations

import typer

from calsync import __version__
from calsync.cli.options import AsJson
from calsync.cli.output import print_json, print_table

app = typer.Typer(help="Describe the HTTP API.", no_args_is_help=True)


@app.command("schema")
def schema(as_json: AsJson = False) -> None:
    """List what the HTTP API offers; with --json its OpenAPI 3.1 document.

    The same document is at /openapi.json of a running calsync.
    """
    from calsync.api.app import schema_of

    doc = schema_of(__version__)
    if as_json:
        print_json(doc)
        return
    rows = [
        (method.upper(), path, operation.get("summary", ""))
        for path, item in doc["paths"].items()
        for method, operation in item.items()
    ]
    rows += [("webhook", name, item["post"]["summary"]) for name, item in doc["webhooks"].items()]
    print_table(["method", "address", "what it does"], rows, empty="Nothing.")
