"""Checks JSON against Microsoft Graph's own metadata (CSDL), by the rules of the shared notes.

The metadata stays outside the repository: find it by CALSYNC_SHARED or in ``shared`` beside the
repository. ``validate_entity("event", body)`` and ``validate_action("decline", "event", body)``
answer a list of faults; an empty list is a pass. Usable for answers and for request bodies.
"""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

NS = "{http://docs.oasis-open.org/odata/ns/edm}"
GRAPH = "microsoft.graph."


def shared_folder() -> Path | None:
    """Where the shared material lies, or None."""
    named = os.environ.get("CALSYNC_SHARED")
    folder = Path(named) if named else Path(__file__).resolve().parents[3] / "shared"
    return folder if folder.is_dir() else None


def metadata_file() -> Path | None:
    """The CSDL of Graph v1.0, or None."""
    folder = shared_folder()
    found = folder / "schemas" / "graph" / "v1.0.csdl.xml" if folder else None
    return found if found is not None and found.is_file() else None


@dataclass(frozen=True)
class Member:
    """A property: its type, whether it is a collection, whether null is allowed."""

    kind: str
    many: bool
    nullable: bool


@dataclass
class Shape:
    """An entity or complex type."""

    base: str | None
    members: dict[str, Member] = field(default_factory=dict)


class Schema:
    """The parts of the metadata a check needs."""

    def __init__(self, path: Path) -> None:
        self.shapes: dict[str, Shape] = {}
        self.enums: dict[str, set[str]] = {}
        self.flags: set[str] = set()
        self.actions: dict[str, list[tuple[str, dict[str, Member]]]] = {}
        for schema in ET.parse(path).getroot().iter(f"{NS}Schema"):
            space = schema.get("Namespace", "")
            self.alias = schema.get("Alias") or getattr(self, "alias", "graph")
            for part in schema:
                self._read(space, part)

    def full(self, name: str) -> str:
        """A type name without the alias."""
        return GRAPH + name[6:] if name.startswith("graph.") else name

    def _member(self, part: ET.Element) -> Member:
        text = part.get("Type", "")
        found = re.fullmatch(r"Collection\((.*)\)", text)
        kind = self.full(found.group(1) if found else text)
        return Member(kind, found is not None, part.get("Nullable", "true") != "false")

    def _read(self, space: str, part: ET.Element) -> None:
        tag, name = part.tag.removeprefix(NS), f"{space}.{part.get('Name')}"
        if tag in ("EntityType", "ComplexType"):
            base = part.get("BaseType")
            shape = Shape(self.full(base) if base else None)
            for one in part:
                if one.tag in (f"{NS}Property", f"{NS}NavigationProperty"):
                    shape.members[one.get("Name", "")] = self._member(one)
            self.shapes[name] = shape
        elif tag == "EnumType":
            self.enums[name] = {one.get("Name", "") for one in part.findall(f"{NS}Member")}
            if part.get("IsFlags") == "true":
                self.flags.add(name)
        elif tag == "Action":
            binding, *rest = part.findall(f"{NS}Parameter") or [None]
            bound = self.full(binding.get("Type", "")) if binding is not None else ""
            taken = {
                one.get("Name", "").casefold(): self._member(one) for one in rest if one is not None
            }
            self.actions.setdefault(part.get("Name", "").casefold(), []).append((bound, taken))

    def members(self, kind: str) -> dict[str, Member]:
        """Members of a type with those of its base types."""
        found: dict[str, Member] = {}
        current: str | None = kind
        while current is not None and current in self.shapes:
            found = {**self.shapes[current].members, **found}
            current = self.shapes[current].base
        return found

    def check(self, kind: str, value: Any, path: str) -> list[str]:
        """Faults of a value beside its type."""
        if kind.startswith("Edm."):
            return _primitive(kind, value, path)
        if kind in self.enums:
            words = value.split(",") if kind in self.flags and isinstance(value, str) else [value]
            bad = [
                word
                for word in words
                if not isinstance(word, str) or word.strip() not in self.enums[kind]
            ]
            return [f"{path}: {value!r} is not a member of {kind}"] if bad else []
        if kind not in self.shapes:
            return []
        if not isinstance(value, Mapping):
            return [f"{path}: {kind} must be an object, found {type(value).__name__}"]
        own = value.get("@odata.type")
        if isinstance(own, str) and self.full(own.lstrip("#")) in self.shapes:
            kind = self.full(own.lstrip("#"))
        return self.walk(self.members(kind), value, path)

    def walk(self, members: Mapping[str, Member], value: Mapping[str, Any], path: str) -> list[str]:
        """Faults of the known members of an object.

        Annotations and unknown names are passed over.
        """
        faults: list[str] = []
        for name, one in value.items():
            member = members.get(name)
            if "@" in name or member is None:
                continue
            here = f"{path}/{name}"
            if one is None:
                if not member.nullable and not member.many:
                    faults.append(f"{here}: null is not allowed")
            elif member.many:
                if not isinstance(one, list):
                    faults.append(f"{here}: must be an array")
                    continue
                for place, inner in enumerate(one):
                    faults += self.check(member.kind, inner, f"{here}[{place}]")
            else:
                faults += self.check(member.kind, one, here)
        return faults


def _primitive(kind: str, value: Any, path: str) -> list[str]:
    wrong = [f"{path}: {value!r} is not {kind}"]
    if kind == "Edm.Boolean":
        return [] if isinstance(value, bool) else wrong
    if kind in ("Edm.Int16", "Edm.Int32", "Edm.Int64", "Edm.Byte"):
        return [] if isinstance(value, int) and not isinstance(value, bool) else wrong
    if kind in ("Edm.Double", "Edm.Single", "Edm.Decimal"):
        return [] if isinstance(value, int | float) and not isinstance(value, bool) else wrong
    if not isinstance(value, str):
        return wrong if kind.startswith("Edm.") and kind != "Edm.Untyped" else []
    if kind == "Edm.DateTimeOffset":
        return [] if _instant(value) else wrong
    if kind == "Edm.Date":
        try:
            date.fromisoformat(value)
        except ValueError:
            return wrong
    if kind == "Edm.TimeOfDay" and not re.fullmatch(r"\d\d:\d\d:\d\d(\.\d{1,12})?", value):
        return wrong
    return []


def _instant(text: str) -> bool:
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,12})?)?(Z|[+-]\d\d:\d\d)", text):
        return False
    try:
        datetime.fromisoformat(re.sub(r"(\.\d{6})\d*", r"\1", text))
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1)
def schema() -> Schema:
    """The metadata, loaded once. Call `metadata_file()` first and skip when it is None."""
    path = metadata_file()
    if path is None:
        raise FileNotFoundError("the Graph metadata is not here; set CALSYNC_SHARED")
    return Schema(path)


def validate_entity(kind: str, body: Any) -> list[str]:
    """Faults of a resource, e.g. kind "event", "room", "scheduleInformation"."""
    found = schema()
    name = found.full(kind) if "." in kind else GRAPH + kind
    if name not in found.shapes:
        return [f"the metadata has no type {name}"]
    return found.check(name, body, kind)


def validate_action(name: str, binding: str, body: Any) -> list[str]:
    """Faults of an action's body; parameter names compare without case."""
    found = schema()
    target = found.full(binding) if "." in binding else GRAPH + binding
    for bound, taken in found.actions.get(name.casefold(), []):
        if bound == target:
            if not isinstance(body, Mapping):
                return [f"{name}: the body must be an object"]
            folded = {key.casefold(): value for key, value in body.items()}
            extra = [
                f"{name}: no parameter {key}"
                for key in folded
                if key not in taken and "@" not in key
            ]
            return extra + found.walk(taken, folded, name)
    return [f"the metadata has no action {name} on {target}"]
