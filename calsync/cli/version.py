"""``calsync version``"""

from __future__ import annotations

import platform

from calsync import __version__
from calsync.cli.options import AsJson
from calsync.cli.output import print_json, print_line


def version(as_json: AsJson = False) -> None:
    """Say which calsync this is."""
    if as_json:
        print_json({"version": __version__, "python": platform.python_version()})
    else:
        print_line(f"calsync {__version__} (Python {platform.python_version()})")
