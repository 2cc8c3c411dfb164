"""The changes that make mutants: pure functions from a node of a syntax tree to its replacements.

Chosen so that few mutants say much. A condition is made always true and always false, and an
``and``/``or`` loses each operand in turn: whoever notices these notices the negation and the
swapped operator as well, so those are not made. What no test ought to pin down is left alone:
types and annotations, ``assert`` (it only tells mypy what is known), docstrings, sentences
meant for people (a test of their wording would repeat the code; an f-string is emptied as a
whole, because it names the thing that is wrong), caches and the switches of ``dataclass``.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Names:
    """What has to be known of the rest of the code, by name: the parameters of a function (or
    fields of a class) that may be left out, the types of its positional parameters, and the
    members of an enum."""

    optional: Mapping[str, frozenset[str]]
    positional: Mapping[str, tuple[str, ...]]
    enums: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Spot:
    """``node`` is ``parent``'s ``field`` (item ``index`` of it, where that is a list)."""

    parent: ast.AST
    field: str
    index: int | None
    node: ast.AST

    def put(self, new: ast.AST) -> None:
        """Replace the node in its tree."""
        if self.index is None:
            setattr(self.parent, self.field, new)
        else:
            getattr(self.parent, self.field)[self.index] = new


@dataclass(frozen=True, slots=True)
class Change:
    """``spot.node`` becomes ``new``; ``says`` is the change in words of code."""

    operator: str
    spot: Spot
    new: ast.AST
    says: str


_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_NEGATIONS = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
}
_CALLS = {
    "min": "max",
    "max": "min",
    "any": "all",
    "all": "any",
    "sorted": "list",
    "lower": "upper",
    "upper": "lower",
    "startswith": "endswith",
    "endswith": "startswith",
    "partition": "rpartition",
    "rpartition": "partition",
    "find": "rfind",
}
#: Methods that give the text or value itself, only tidier.
_TIDYING = frozenset({"strip", "lstrip", "rstrip", "casefold", "lower", "upper", "copy"})
#: Their arguments cannot be swapped, or it makes no difference.
_UNORDERED = frozenset(
    {"isinstance", "min", "max", "assert_never", "same_schedule", "same_grid", "is_race"}
)
_OPPOSITES = {"start": "end", "end": "start", "booking": "event", "event": "booking"}
#: Structure and speed, not behaviour: mypy and the benchmarks watch over them.
_KEPT_DECORATORS = frozenset({"dataclass", "lru_cache", "cache", "overload"})
_SKIPPED_FIELDS = frozenset(
    {"annotation", "returns", "decorator_list", "format_spec", "ctx", "cause"}
)
_SKIPPED_NAMES = frozenset({"__all__", "__slots__"})
_CONDITIONS = {
    (ast.If, "test"),
    (ast.While, "test"),
    (ast.IfExp, "test"),
    (ast.comprehension, "ifs"),
}


def changes(parent: ast.AST, names: Names, *, only: ast.AST) -> Iterator[Change]:
    """Every change of ``only``, a child of ``parent``, in the order of the text."""
    again = set(_bound_again(only))
    for spot, condition in _spots(parent, only=only):
        found = list(_replacements(spot, condition, names))
        if id(spot.node) in again:
            found.append(("statement", ast.Pass()))
        for operator, new in found:
            ast.copy_location(new, spot.node)
            ast.fix_missing_locations(new)
            yield Change(operator, spot, new, _says(spot.node, new))


def _says(old: ast.AST, new: ast.AST) -> str:
    if isinstance(old, ast.Match) and isinstance(new, ast.Match):
        return "without " + _arm_that_differs(old, new)
    if isinstance(old, ast.Try) and isinstance(new, ast.Try):
        return "the handler catches nothing"
    if isinstance(old, ast.FunctionDef | ast.ClassDef):
        return f"{old.name} without a decorator"
    return f"{_short(old)} -> {_short(new)}"


def _arm_that_differs(old: ast.Match, new: ast.Match) -> str:
    kept = {id(case) for case in new.cases}
    gone = next(case for case in old.cases if id(case) not in kept)
    changed = next((c for c in new.cases if id(c) not in {id(o) for o in old.cases}), None)
    text = "case " + ast.unparse(gone.pattern)
    if gone.guard is not None:
        text += " if " + ast.unparse(gone.guard)
    if changed is None:
        return text
    guard = " if " + ast.unparse(changed.guard) if changed.guard is not None else ""
    return f"{text}, but case {ast.unparse(changed.pattern)}{guard}"


def _short(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())


def _spots(
    root: ast.AST, *, only: ast.AST | None = None, top: bool = True
) -> Iterator[tuple[Spot, bool]]:
    """The places below ``root`` that may be changed, and whether each is a whole condition."""
    for field, value in ast.iter_fields(root):
        if field in _SKIPPED_FIELDS:
            continue
        children = value if isinstance(value, list) else [value]
        for index, child in enumerate(children):
            if only is not None and child is not only:
                continue
            if not isinstance(child, ast.AST) or _is_left_alone(child, top=top):
                continue
            spot = Spot(root, field, index if isinstance(value, list) else None, child)
            yield spot, (type(root), field) in _CONDITIONS
            yield from _spots(child, top=False)


def _is_left_alone(node: ast.AST, *, top: bool) -> bool:
    match node:
        case ast.Assert() | ast.Import() | ast.ImportFrom() | ast.pattern():
            return True
        case ast.Expr(value=ast.Constant()):
            return True  # a docstring
        case ast.Expr(value=ast.Call(func=ast.Name(id="assert_never"))):
            return True
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name in _SKIPPED_NAMES or (top and _is_type(name, value))
        case ast.AnnAssign(annotation=ast.Name(id="TypeAlias")):
            return True
    return False


def _is_type(name: str, value: ast.expr) -> bool:
    """A type alias or a type variable: it exists for mypy only."""
    if isinstance(value, ast.Call):
        return _callee(value) == "TypeVar"
    camel_case = name[0].isupper() and not name.isupper()
    return camel_case and isinstance(value, ast.Subscript | ast.BinOp)


def _replacements(spot: Spot, condition: bool, names: Names) -> Iterator[tuple[str, ast.AST]]:
    node = spot.node
    if condition and not isinstance(node, ast.Constant):
        if not isinstance(spot.parent, ast.While):
            yield "condition", ast.Constant(True)
        yield "condition", ast.Constant(False)
    match node:
        case ast.stmt():
            yield from _statements(spot)
        case ast.Compare():
            yield from _comparisons(node, whole=condition)
        case ast.BoolOp():
            yield from _operands(node)
        case ast.UnaryOp(op=ast.Not(), operand=operand) if not condition:
            yield "negation", operand
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            yield "arithmetic", operand
        case ast.BinOp():
            yield from _arithmetic(node)
        case ast.Constant():
            yield from _constants(spot, node)
        case ast.JoinedStr():
            yield "text", ast.Constant("")
        case ast.Attribute():
            yield from _attributes(spot, node, names)
        case ast.Call():
            yield from _calls(node, names)
        case ast.Dict() if len(node.keys) > 0:
            for n in range(len(node.keys)):
                keys = [*node.keys[:n], *node.keys[n + 1 :]]
                yield "element", ast.Dict(keys, _without(node.values, n))
        case ast.Set() | ast.List() | ast.Tuple():
            yield from _elements(spot, node)
        case ast.Slice():
            for field in ("lower", "upper", "step"):
                if getattr(node, field) is not None:
                    yield "slice", _with(node, **{field: None})
        case ast.ExceptHandler(type=ast.expr()):
            yield "exception", _with(node, type=ast.Tuple([], ast.Load()))


def _with(node: ast.AST, **fields: object) -> ast.AST:
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def _without(items: list[ast.expr], index: int) -> list[ast.expr]:
    return [*items[:index], *items[index + 1 :]]


# --- expressions -----------------------------------------------------------------------------


def _comparisons(node: ast.Compare, *, whole: bool) -> Iterator[tuple[str, ast.AST]]:
    for n, op in enumerate(node.ops):
        if whole and len(node.ops) == 1 and isinstance(op, _NEGATIONS):
            continue  # always true and always false say more
        ops = [*node.ops[:n], _COMPARISONS[type(op)](), *node.ops[n + 1 :]]
        yield "comparison", _with(node, ops=ops)


def _operands(node: ast.BoolOp) -> Iterator[tuple[str, ast.AST]]:
    for n in range(len(node.values)):
        rest = _without(node.values, n)
        yield "operand", rest[0] if len(rest) == 1 else _with(node, values=rest)


def _arithmetic(node: ast.BinOp) -> Iterator[tuple[str, ast.AST]]:
    if type(node.op) in _ARITHMETIC:
        yield "arithmetic", _with(node, op=_ARITHMETIC[type(node.op)]())
    if isinstance(node.op, ast.BitOr | ast.BitAnd | ast.Sub | ast.Add):
        yield "operand", node.left
    if isinstance(node.op, ast.BitOr | ast.BitAnd):
        yield "operand", node.right


def _constants(spot: Spot, node: ast.Constant) -> Iterator[tuple[str, ast.AST]]:
    value = node.value
    if isinstance(spot.parent, ast.JoinedStr | ast.FormattedValue):
        return
    if isinstance(value, bool):
        yield "constant", ast.Constant(not value)
    elif isinstance(value, int | float):
        yield "constant", ast.Constant(value + 1)
        if isinstance(value, int) and value != 0:
            yield "constant", ast.Constant(value - 1)
    elif isinstance(value, str) and " " not in value:
        yield "text", ast.Constant("" if value else "x")


def _attributes(spot: Spot, node: ast.Attribute, names: Names) -> Iterator[tuple[str, ast.AST]]:
    if not isinstance(node.ctx, ast.Load):
        return
    if isinstance(node.value, ast.Name) and node.value.id in names.enums:
        members = names.enums[node.value.id]
        if node.attr in members and len(members) > 1:
            other = members[(members.index(node.attr) + 1) % len(members)]
            yield "member", _with(node, attr=other)
    elif node.attr in _OPPOSITES and not (
        isinstance(spot.parent, ast.Call) and spot.field == "func"
    ):
        yield "attribute", _with(node, attr=_OPPOSITES[node.attr])


def _calls(node: ast.Call, names: Names) -> Iterator[tuple[str, ast.AST]]:
    name = _callee(node)
    if name in _CALLS:
        func = (
            _with(node.func, id=_CALLS[name])
            if isinstance(node.func, ast.Name)
            else _with(node.func, attr=_CALLS[name])
        )
        yield "call", _with(node, func=func)
    if name in _TIDYING and isinstance(node.func, ast.Attribute):
        yield "call", node.func.value
    optional = names.optional.get(name)
    for n, keyword in enumerate(node.keywords):
        if keyword.arg is not None and (optional is None or keyword.arg in optional):
            yield "keyword", _with(node, keywords=[*node.keywords[:n], *node.keywords[n + 1 :]])
    if name not in _UNORDERED:
        for n, (one, two) in enumerate(zip(node.args, node.args[1:], strict=False)):
            if _alike(one, two, names.positional.get(name, ())[n : n + 2]):
                yield "swap", _with(node, args=[*node.args[:n], two, one, *node.args[n + 2 :]])


def _alike(one: ast.expr, two: ast.expr, types: tuple[str, ...]) -> bool:
    """True where two arguments may be taken for each other: only then is a swap worth a mutant."""
    if ast.dump(one) == ast.dump(two) or isinstance(one, ast.Starred):
        return False
    if len(types) == 2:
        return types[0] == types[1]
    return type(one) is type(two)


def _callee(node: ast.Call) -> str:
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _elements(spot: Spot, node: ast.Set | ast.List | ast.Tuple) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node, ast.Set) and len(node.elts) == 1:
        return
    if isinstance(node, ast.List | ast.Tuple):
        unpacked = isinstance(spot.parent, ast.Assign) and isinstance(
            spot.parent.targets[0], ast.Tuple
        )
        if not isinstance(node.ctx, ast.Load) or unpacked or spot.field == "slice":
            return
    for n in range(len(node.elts)):
        yield "element", _with(node, elts=_without(node.elts, n))


# --- statements ------------------------------------------------------------------------------


def _statements(spot: Spot) -> Iterator[tuple[str, ast.AST]]:
    match spot.node:
        case ast.Return(value=None) | ast.Raise(exc=None):
            yield "statement", ast.Pass()
        case ast.Return(value=ast.Constant(value=None | False)):
            pass  # None is as false as False
        case ast.Return() as node:
            yield "return", _with(node, value=ast.Constant(None))
        case ast.Raise(exc=ast.expr()) as node:
            yield "statement", ast.Pass()
            other = ast.Call(ast.Name("Exception", ast.Load()), [ast.Constant("mutant")], [])
            yield "exception", _with(node, exc=other)
        case ast.Expr() | ast.AugAssign() | ast.Continue() | ast.Break() | ast.Delete():
            yield "statement", ast.Pass()
            if isinstance(spot.node, ast.AugAssign) and type(spot.node.op) in _ARITHMETIC:
                yield "arithmetic", _with(spot.node, op=_ARITHMETIC[type(spot.node.op)]())
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield "statement", ast.Pass()
        case ast.Match() as node:
            yield from _arms(node)
        case ast.FunctionDef() | ast.ClassDef() as node:
            for n, decorator in enumerate(node.decorator_list):
                if _decorator(decorator) not in _KEPT_DECORATORS:
                    rest = [*node.decorator_list[:n], *node.decorator_list[n + 1 :]]
                    yield "decorator", _with(node, decorator_list=rest)


def _decorator(node: ast.expr) -> str:
    return _callee(node if isinstance(node, ast.Call) else ast.Call(node, [], []))


def _arms(node: ast.Match) -> Iterator[tuple[str, ast.AST]]:
    for n, case in enumerate(node.cases):
        if len(case.body) == 1 and _is_left_alone(case.body[0], top=False):
            continue  # assert_never: it is for mypy
        rest = [*node.cases[:n], *node.cases[n + 1 :]]
        if rest:
            yield "arm", _with(node, cases=rest)
        if case.guard is not None:
            cases = [*node.cases[:n], _with(case, guard=None), *node.cases[n + 1 :]]
            yield "arm", _with(node, cases=cases)
        if isinstance(case.pattern, ast.MatchOr):
            for p in range(len(case.pattern.patterns)):
                left = [*case.pattern.patterns[:p], *case.pattern.patterns[p + 1 :]]
                pattern = left[0] if len(left) == 1 else ast.MatchOr(left)
                cases = [*node.cases[:n], _with(case, pattern=pattern), *node.cases[n + 1 :]]
                yield "arm", _with(node, cases=cases)


def _bound_again(root: ast.AST) -> Iterator[int]:
    """The ids of assignments to a name that surely has a value already: they can be dropped."""
    for node in ast.walk(root):
        if isinstance(node, ast.FunctionDef):
            given = node.args
            names = {a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)}
            yield from _in_block(node.body, names)


def _in_block(block: list[ast.stmt], known: set[str]) -> Iterator[int]:
    known = set(known)
    for statement in block:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)]):
                if name in known:
                    yield id(statement)
                known.add(name)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
                known.add(name)
            case ast.Assign(targets=[ast.Tuple(elts=names)]):
                bound = {x.id for x in names if isinstance(x, ast.Name)}
                if bound <= known:
                    yield id(statement)
                known |= bound
            case ast.For() | ast.While() | ast.If() | ast.With() | ast.Try() | ast.Match():
                for inner in _blocks(statement):
                    yield from _in_block(inner, known)


def _blocks(statement: ast.AST) -> Iterator[list[ast.stmt]]:
    for field in ("body", "orelse", "finalbody"):
        if isinstance(block := getattr(statement, field, None), list):
            yield block
    for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        yield part.body
