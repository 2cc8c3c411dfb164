"""The list of parts in CycloneDX 1.6 (ECMA-424), from the lock.

The lock knows what may be installed and by which hash; the installed packages know their
licences and what they need. The list names no time and no random number: the same lock gives
the same bytes, so two builds can be compared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from supply.lock import Pin, asked_for, licence_of, normal

SPEC = "1.6"
_SPDX = re.compile(r"[A-Za-z0-9.+-]+")
_NEED = re.compile(r"\s*([A-Za-z0-9._-]+)")
_KINDS = {"license", "expression"}
#: SPDX ids that occur; another one goes by its name, which no schema has to know.
_IDS = frozenset(
    {"MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MPL-2.0", "PSF-2.0", "0BSD"}
)


def sbom(pins: Sequence[Pin], *, name: str, version: str, licence: str) -> dict[str, Any]:
    """The document for ``name`` and everything locked for it."""
    own = f"pkg:pypi/{name}@{version}"
    refs = {pin.name: f"pkg:pypi/{pin.name}@{pin.version}" for pin in pins}
    marks = "".join(sorted(mark for pin in pins for mark in pin.hashes))
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, own + marks)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": name,
                "version": version,
                "purl": own,
                "licenses": _licences(licence),
            },
            "lifecycles": [{"phase": "build"}],
        },
        "components": [_component(pin, refs[pin.name]) for pin in pins],
        "dependencies": _dependencies(pins, refs, own),
    }


def _component(pin: Pin, ref: str) -> dict[str, Any]:
    package = pin.installed()
    stated = licence_of(package) if package is not None else ""
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": ref,
        "name": pin.name,
        "version": pin.version,
        "scope": "required",
        "purl": ref,
        # One file of the release is installed; which one, the machine decides.
        "externalReferences": [
            {
                "type": "distribution",
                "url": f"urn:sha256:{mark}",
                "hashes": [{"alg": "SHA-256", "content": mark}],
            }
            for mark in pin.hashes
        ],
    }
    if stated:
        found["licenses"] = _licences(stated)
    if pin.marker:
        found["properties"] = [{"name": "calsync:marker", "value": pin.marker}]
    return found


def _licences(stated: str) -> list[dict[str, Any]]:
    """An SPDX id or expression as such, anything else by its name."""
    words = stated.replace("(", " ").replace(")", " ").split()
    plain = [word for word in words if word not in ("AND", "OR", "WITH")]
    if len(words) > 1 and len(plain) * 2 - 1 == len(words) and all(map(_SPDX.fullmatch, plain)):
        return [{"expression": stated}]
    return [{"license": {"id" if stated in _IDS else "name": stated}}]


def _dependencies(pins: Sequence[Pin], refs: Mapping[str, str], own: str) -> list[dict[str, Any]]:
    needs = {own: _names(asked_for())}
    for pin in pins:
        package = pin.installed()
        needs[refs[pin.name]] = _names((package.requires if package is not None else None) or ())
    return [
        {"ref": ref, "dependsOn": sorted(refs[one] for one in wanted if one in refs)}
        for ref, wanted in needs.items()
    ]


def _names(asked: Sequence[str]) -> set[str]:
    """The packages of some requirements, whatever the machine; without what extras would add."""
    found = (_NEED.match(text) for text in asked if "extra ==" not in text)
    return {normal(match[1]) for match in found if match is not None}


# --- checking --------------------------------------------------------------------------------


def problems(doc: Mapping[str, Any]) -> list[str]:
    """What is wrong with a document, by the rules of the specification that it uses. (The whole
    JSON schema is with cyclonedx-python-lib, which reads it without complaint.)"""
    found = []
    if (doc.get("bomFormat"), doc.get("specVersion")) != ("CycloneDX", SPEC):
        found.append("it is no CycloneDX of this version")
    if not re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", doc["serialNumber"]):
        found.append("its serial number is no UUID")
    parts = [doc["metadata"]["component"], *doc["components"]]
    refs = [part["bom-ref"] for part in parts]
    if len(set(refs)) != len(refs):
        found.append("two parts have one reference")
    for part in parts:
        missing = {"type", "name", "version", "purl"} - part.keys()
        if missing:
            found.append(f"{part['bom-ref']} lacks {', '.join(sorted(missing))}")
        if not re.fullmatch(r"pkg:pypi/[a-z0-9][a-z0-9-]*@[^\s@]+", part["purl"]):
            found.append(f"{part['purl']} is no package URL")
        if not all(set(one) <= _KINDS and len(one) == 1 for one in part.get("licenses", ())):
            found.append(f"{part['bom-ref']} has a licence of no form")
        for reference in part.get("externalReferences", ()):
            for mark in reference["hashes"]:
                if not re.fullmatch(r"[0-9a-f]{64}", mark["content"]):
                    found.append(f"{part['bom-ref']} has a hash that is none")
    for line in doc["dependencies"]:
        strangers = {line["ref"], *line["dependsOn"]} - set(refs)
        found += [f"{one} is needed and not listed" for one in sorted(strangers)]
    return found
