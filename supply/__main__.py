"""``python -m supply audit`` and ``python -m supply sbom``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from calsync import __version__
from supply import audit
from supply.lock import ROOT, read_lock
from supply.sbom import problems, sbom


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m supply", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    look = verbs.add_parser("audit", help="known weaknesses and licences of the lock")
    look.add_argument("--tool", type=Path, default=Path("pip-audit"))
    look.add_argument("--service", choices=("pypi", "osv"), default="pypi")
    parts = verbs.add_parser("sbom", help="the list of parts, as CycloneDX")
    parts.add_argument("--output", type=Path, default=ROOT / "sbom.cdx.json")
    chosen = parser.parse_args(arguments)
    if chosen.verb == "audit":
        return _audit(chosen.tool, chosen.service)
    return _sbom(chosen.output)


def _audit(tool: Path, service: str) -> int:
    status = audit.CLEAN
    verdicts = {
        "advisories": audit.advisories(tool, service=service),
        "licences": audit.licences(read_lock()),
    }
    for name, verdict in verdicts.items():
        word = {0: "ok", 1: "AFFECTED", 2: "NOT CHECKED"}[verdict.status]
        print(f"{name}: {word}")
        for line in verdict.lines:
            print(f"  {line}")
        # What is known to be bad counts for more than what is not known.
        if audit.AFFECTED in (status, verdict.status):
            status = audit.AFFECTED
        else:
            status = max(status, verdict.status)
    return status


def _sbom(output: Path) -> int:
    pins = read_lock()
    doc = sbom(pins, name="calsync", version=__version__, licence="Apache-2.0")
    wrong = problems(doc)
    if wrong:
        print("\n".join(f"Error: {one}" for one in wrong), file=sys.stderr)
        return 1
    output.write_text(json.dumps(doc, indent=1) + "\n", encoding="utf-8")
    unknown = [pin.name for pin in pins if pin.installed() is None]
    note = f"; without licence, not installed here: {', '.join(unknown)}" if unknown else ""
    print(f"{output}: {len(pins)} packages{note}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
