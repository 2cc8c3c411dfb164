"""OData query options, as far as Graph's Outlook endpoints take them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from ..problems import Refusal
from .reader import canonical_tag

Event = Mapping[str, Any]
Test = Callable[[Event], bool]
_TOKENS = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<stamp>\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?)"
    r"|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_@][\w@.]*(?:/[A-Za-z_@][\w@.]*)*)|(?P<mark>[(),:]))"
)
_FOLDING = ("tolower", "toupper")
_RANKS = ("eq", "ne", "gt", "ge", "lt", "le")


def invalid(message: str) -> Refusal:
    """400 for an option Graph cannot read."""
    return Refusal(400, "BadRequest", message)


def whole_number(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    """$top and $skip."""
    text = query.get(name)
    if text is None:
        return default
    if not text.isdigit() or (name == "$top" and not 1 <= int(text) <= most):
        raise invalid(f"Invalid value '{text}' for {name} query option found.")
    return int(text)


def selected(query: Mapping[str, str]) -> tuple[str, ...] | None:
    """Names of $select, or None."""
    text = query.get("$select")
    if not text or text.strip() == "*":
        return None
    return tuple(name.strip() for name in text.split(",") if name.strip())


def pick(shown: Mapping[str, Any], names: tuple[str, ...] | None) -> dict[str, Any]:
    """Only the selected members; id and annotations always come."""
    if names is None:
        return dict(shown)
    here = tuple(shown)
    return {name: shown[name] for name in _picked(here, names)}


@lru_cache(maxsize=512)
def _picked(here: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    folded = {name.casefold() for name in names} | {"id"}
    return tuple(name for name in here if name.startswith("@") or name.casefold() in folded)


def split(text: str, mark: str = ",") -> list[str]:
    """Split at top level, outside parentheses and quotes."""
    parts, depth, quoted, last = [], 0, False, 0
    for place, letter in enumerate(text):
        if letter == "'":
            quoted = not quoted
        elif not quoted and letter == "(":
            depth += 1
        elif not quoted and letter == ")":
            depth -= 1
        elif letter == mark and depth == 0 and not quoted:
            parts.append(text[last:place])
            last = place + 1
    parts.append(text[last:])
    return [part.strip() for part in parts if part.strip()]


def expanded(query: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """$expand: member -> its nested options."""
    found: dict[str, dict[str, str]] = {}
    for part in split(query.get("$expand", "")):
        name, _, rest = part.partition("(")
        options: dict[str, str] = {}
        for option in split(rest[:-1] if rest.endswith(")") else rest, ";"):
            key, _, value = option.partition("=")
            options[key.strip().lower()] = value.strip()
        found[name.strip()] = options
    return found


def tag_ids(options: Mapping[str, str]) -> list[str]:
    """Ids named by singleValueExtendedProperties($filter=id eq '…' or id eq '…'), canonical."""
    ids = named_ids(options)
    if not ids:
        raise Refusal(
            400,
            "ErrorInvalidUrlQueryFilter",
            "The $expand of extended properties needs a $filter by id.",
        )
    return [canonical_tag(one) for one in ids]


def named_ids(options: Mapping[str, str]) -> list[str]:
    """Ids named by a nested $filter=id eq '…' or id eq '…'."""
    found = re.findall(r"\bid\s+eq\s+'((?:[^']|'')*)'", options.get("$filter", ""), re.IGNORECASE)
    return [one.replace("''", "'") for one in found]


@lru_cache(maxsize=512)
def compile_filter(text: str) -> Test:
    """$filter as a test over a rendered event (extended properties under the key '@tags')."""
    return _Parser(text).whole()


def ordering(query: Mapping[str, str]) -> list[tuple[str, bool]]:
    """$orderby as (path, descending)."""
    found = []
    for part in split(query.get("$orderby", "")):
        words = part.split()
        if len(words) > 2 or (len(words) == 2 and words[1].lower() not in ("asc", "desc")):
            raise invalid("The $orderby query option is not valid.")
        found.append((words[0], len(words) == 2 and words[1].lower() == "desc"))
    return found


def value_at(shown: Any, path: str) -> Any:
    """A member by path such as start/dateTime, without regard to case."""
    for name in path.split("/"):
        if not isinstance(shown, Mapping):
            return None
        if name in shown:
            shown = shown[name]
            continue
        folded = name.casefold()
        shown = next((value for key, value in shown.items() if key.casefold() == folded), None)
    return shown


def comparable(value: Any) -> Any:
    """Times become datetimes so that forms with more or fewer digits compare; text folds case."""
    if isinstance(value, str):
        if len(value) >= 10 and value[4:5] == "-" and value[7:8] == "-":
            try:
                read = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", value))
            except ValueError:
                return value.casefold()
            return read.astimezone(UTC).replace(tzinfo=None) if read.tzinfo else read
        return value.casefold()
    return value


class _Parser:
    """Recursive descent over or, and, not, comparisons, functions and any()."""

    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        place = 0
        while place < len(text.rstrip()):
            found = _TOKENS.match(text, place)
            if found is None or found.lastgroup is None:
                raise invalid(
                    f"Invalid filter clause: unexpected character at position {place} in '{text}'."
                )
            self.tokens.append((found.lastgroup, found.group(found.lastgroup)))
            place = found.end()
        self.place = 0

    def whole(self) -> Test:
        test = self.either()
        if self.place != len(self.tokens):
            raise invalid("Invalid filter clause: text after the end of the expression.")
        return test

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.place] if self.place < len(self.tokens) else ("", "")

    def next(self) -> tuple[str, str]:
        token = self.peek()
        self.place += 1
        return token

    def need(self, mark: str) -> None:
        if self.next()[1] != mark:
            raise invalid(f"Invalid filter clause: '{mark}' expected.")

    def word(self, word: str) -> bool:
        if self.peek()[0] == "name" and self.peek()[1].lower() == word:
            self.place += 1
            return True
        return False

    def either(self) -> Test:
        tests = [self.both()]
        while self.word("or"):
            tests.append(self.both())
        return tests[0] if len(tests) == 1 else lambda event: any(test(event) for test in tests)

    def both(self) -> Test:
        tests = [self.one()]
        while self.word("and"):
            tests.append(self.one())
        return tests[0] if len(tests) == 1 else lambda event: all(test(event) for test in tests)

    def one(self) -> Test:
        if self.word("not"):
            inner = self.one()
            return lambda event: not inner(event)
        if self.peek()[1] == "(":
            self.next()
            inner = self.either()
            self.need(")")
            return inner
        return self.comparison()

    def comparison(self) -> Test:
        kind, path = self.next()
        if kind != "name":
            raise invalid("Invalid filter clause: a property is expected.")
        if self.peek()[1] == "(" and path.lower() not in _FOLDING:
            test = self.call(path)
            if self.peek()[1].lower() in ("eq", "ne"):  # contains(subject,'x') eq true
                wanted = (self.next()[1].lower() == "eq") == bool(self.literal())
                return lambda event: test(event) == wanted
            return test
        path = self.path(path)
        operator = self.next()[1].lower()
        if operator == "in":
            return self.one_of(path)
        if operator not in _RANKS:
            raise invalid(f"Invalid filter clause: operator expected, found '{operator}'.")
        return _compare(path, operator, self.literal())

    def path(self, name: str) -> str:
        """A member, or tolower(member): comparisons fold case anyway."""
        if name.lower() in _FOLDING and self.peek()[1] == "(":
            self.next()
            name = self.next()[1]
            self.need(")")
        return name

    def one_of(self, path: str) -> Test:
        """path in ('a','b')."""
        self.need("(")
        tests = [_compare(path, "eq", self.literal())]
        while self.peek()[1] == ",":
            self.next()
            tests.append(_compare(path, "eq", self.literal()))
        self.need(")")
        return lambda event: any(test(event) for test in tests)

    def call(self, path: str) -> Test:
        collection, _, function = path.rpartition("/")
        self.need("(")
        if function.lower() == "any":
            return self.any(collection)
        name = self.path(self.next()[1])
        self.need(",")
        wanted = str(self.literal()).casefold()
        self.need(")")
        tests: dict[str, Callable[[str], bool]] = {
            "startswith": lambda text: text.startswith(wanted),
            "endswith": lambda text: text.endswith(wanted),
            "contains": lambda text: wanted in text,
        }
        test = tests.get(path.lower())
        if test is None:
            raise invalid(f"An unknown function with name '{path}' was found.")
        return lambda event: test(str(value_at(event, name) or "").casefold())

    def any(self, collection: str) -> Test:
        variable = self.next()[1]
        self.need(":")
        start = self.place
        inner = self.either()
        self.need(")")
        prefix = variable.casefold() + "/"
        if collection.casefold() == "singlevalueextendedproperties":
            return self.tags(start, prefix)
        _ = inner
        body = self.tokens[start : self.place - 1]
        plain = [
            (kind, text[len(prefix) :] if text.casefold().startswith(prefix) else text)
            for kind, text in body
        ]
        plain = [
            (kind, "@value" if kind == "name" and text == variable else text)
            for kind, text in plain
        ]
        parser = _Parser("")
        parser.tokens = plain
        test = parser.whole()

        def matches(event: Event) -> bool:
            members = value_at(event, collection) or []
            return any(
                test(one if isinstance(one, Mapping) else {"@value": one}) for one in members
            )

        return matches

    def tags(self, start: int, prefix: str) -> Test:
        """Any(ep: ep/id eq '…' and ep/value eq '…'): name case-sensitive, value not."""
        wanted: dict[str, tuple[str, str]] = {}
        for place in range(start, self.place - 3):
            kind, text = self.tokens[place]
            if kind == "name" and text.casefold().startswith(prefix):
                rank = self.tokens[place + 1][1].lower()
                wanted[text[len(prefix) :].lower()] = (rank, _unquote(self.tokens[place + 2][1]))
        if "id" not in wanted:
            raise Refusal(
                400, "ErrorInvalidUrlQueryFilter", "The filter of extended properties needs ep/id."
            )
        name = canonical_tag(wanted["id"][1])

        def matches(event: Event) -> bool:
            found = event.get("@tags", {}).get(name)
            if found is None:
                return False
            if "value" not in wanted:
                return True
            rank, text = wanted["value"]
            return _ranked(str(found[1]).casefold(), rank, text.casefold())

        return matches

    def literal(self) -> Any:
        kind, text = self.next()
        if kind == "text":
            return _unquote(text)
        if kind == "number":
            return float(text) if "." in text else int(text)
        if kind == "stamp":
            return text
        if kind == "name" and text.lower() in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[text.lower()]
        if kind == "name" and self.peek()[0] == "text":
            return _unquote(self.next()[1])  # microsoft.graph.eventType'seriesMaster'
        if kind == "name" and "'" not in text:
            return text
        raise invalid("Invalid filter clause: a literal is expected.")


def _unquote(text: str) -> str:
    return text[1:-1].replace("''", "'") if text.startswith("'") else text


def _compare(path: str, operator: str, literal: Any) -> Test:
    wanted = comparable(literal)
    # iCalUId is an opaque key: Exchange compares it exactly.
    exact = path.casefold() in ("icaluid", "id", "seriesmasterid")

    def matches(event: Event) -> bool:
        found = value_at(event, path)
        if exact:
            return _ranked(found, operator, literal)
        return _ranked(comparable(found), operator, wanted)

    return matches


def _ranked(found: Any, operator: str, wanted: Any) -> bool:
    if operator == "eq":
        return bool(found == wanted)
    if operator == "ne":
        return bool(found != wanted)
    if found is None or wanted is None or type(found) is not type(wanted):
        return False
    return bool(
        {"gt": found > wanted, "ge": found >= wanted, "lt": found < wanted, "le": found <= wanted}[
            operator
        ]
    )
