"""Findings of a check, for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import typer

from calsync.cli.output import clean, print_line
from calsync.setup.findings import Finding, Level

_SIGNS = {
    Level.OK: "ok     ",
    Level.NOTE: "note   ",
    Level.WARNING: "WARNING",
    Level.FAILED: "FAILED ",
}


def print_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Each as it comes: a check of many rooms takes a while. All of them."""
    found = []
    for one in findings:
        found.append(one)
        print_line(f"{_SIGNS[one.level]}  {one.about:10}  {one.where}: {one.what}")
        if one.todo:
            print_line(f"         {'':10}  To do: {one.todo}")
    return found


def print_commands(findings: Sequence[Finding]) -> None:
    """PowerShell of all findings, once, and whole: no line break gets into it."""
    for commands in dict.fromkeys(one.commands for one in findings if one.commands):
        print_line("")
        print_line("Paste into Exchange Online PowerShell:")
        for line in commands:
            typer.echo(clean(line))


def worst(findings: Sequence[Finding]) -> Level:
    order = list(Level)
    return min((one.level for one in findings), key=order.index, default=Level.OK)
