"""Checks EWS messages against Microsoft's own schema (XSD), by the rules of the shared notes.

The schema stays outside the repository: find it by CALSYNC_SHARED or in ``shared`` beside the
repository.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from lxml import etree

from tests.fidelity.csdl import shared_folder

SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"


def schema_file() -> Path | None:
    """messages.xsd of Exchange SE, or None."""
    folder = shared_folder()
    found = folder / "schemas" / "ews" / "messages.xsd" if folder else None
    return found if found is not None and found.is_file() else None


@lru_cache(maxsize=1)
def schema() -> etree.XMLSchema:
    """The whole schema; some 0.2 s once a run."""
    path = schema_file()
    assert path is not None
    return etree.XMLSchema(etree.parse(str(path)))


def faults(envelope: bytes) -> list[str]:
    """What is wrong with a request or an answer; empty is a pass. A SOAP fault is not covered."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    root = etree.fromstring(envelope, parser)
    found: list[str] = []
    for part in ("Header", "Body"):
        for child in root.findall(f"{SOAP}{part}/*"):
            if child.tag == f"{SOAP}Fault":
                continue
            if not schema().validate(child):
                error = schema().error_log[0]
                found.append(f"{part} {etree.QName(child).localname}: {error.message}")
    return found
