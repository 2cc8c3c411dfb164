"""A module under mutation: its functions, its mutants, and a mutant put into the running code.

A mutant inside a function is put in place by giving the live function the mutant's code object
(``function.__code__``): whoever imported the function sees it, and nothing is imported again.
What runs while modules are imported (tables, constants, defaults, classes) cannot be changed
afterwards; such a mutant is *cold*: it is served to ``import`` by a process that has not
imported calsync yet.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.machinery
import sys
import types
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mutation.operators import Change, Names, changes

#: A change of how mutants are made or tried: results from before it are not used.
VERSION = 1


@dataclass(frozen=True, slots=True)
class Unit:
    """A top-level function, a method, or a statement of a module or class: what is run again
    when its text changes. ``name`` is its qualified name within the module."""

    name: str
    node: ast.stmt
    text: str

    @property
    def is_function(self) -> bool:
        return isinstance(self.node, ast.FunctionDef)


@dataclass(frozen=True, slots=True)
class Mutant:
    """``number`` tells apart equal changes of one line. ``first`` to ``last``: its lines."""

    module: str
    unit: str
    operator: str
    line: str
    says: str
    number: int
    first: int
    last: int
    cold: bool
    change: Change
    unit_digest: str

    @property
    def id(self) -> str:
        parts = (self.module, self.unit, self.operator, self.line, self.says, str(self.number))
        return digest("\x1f".join(parts))

    @property
    def place(self) -> str:
        return f"{self.module}:{self.unit}"

    def put(self) -> None:
        """Change the module's tree. There is no way back: it is done in a fork."""
        self.change.spot.put(self.change.new)

    def __str__(self) -> str:
        return f"{self.place} line {self.first}: {self.operator}: {self.says}"


@dataclass(slots=True)
class Module:
    """One module: ``name`` is dotted, ``path`` its file."""

    name: str
    path: Path
    tree: ast.Module
    text: str
    mutants: list[Mutant] = field(default_factory=list)

    def code(self) -> types.CodeType:
        """The code of the tree as it is now."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # e.g. "is" with a literal
            return compile(self.tree, str(self.path), "exec", dont_inherit=True)


def digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def read(root: Path, packages: Iterable[str]) -> list[Module]:
    """The modules of ``packages`` (names below ``calsync``) with their mutants."""
    names = _names(root / "calsync")
    found = []
    for package in packages:
        for path in sorted((root / "calsync" / package).glob("**/*.py")):
            dotted = ".".join(path.relative_to(root).with_suffix("").parts)
            text = path.read_text("utf-8")
            module = Module(dotted.removesuffix(".__init__"), path, ast.parse(text), text)
            module.mutants = list(_mutants(module, names))
            found.append(module)
    return found


def _names(root: Path) -> Names:
    optional: dict[str, frozenset[str]] = {}
    positional: dict[str, tuple[str, ...]] = {}
    enums: dict[str, tuple[str, ...]] = {}
    for path in sorted(root.glob("**/*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.FunctionDef(name=name, args=a):
                    more = [*a.posonlyargs, *a.args][-len(a.defaults) :] if a.defaults else []
                    with_default = zip(a.kwonlyargs, a.kw_defaults, strict=True)
                    may = {x.arg for x in more} | {x.arg for x, d in with_default if d is not None}
                    optional[name] = optional.get(name, frozenset()) | may
                    taken = [x for x in (*a.posonlyargs, *a.args) if x.arg not in ("self", "cls")]
                    positional[name] = tuple(
                        ast.unparse(x.annotation) if x.annotation else x.arg for x in taken
                    )
                case ast.ClassDef(name=name, bases=bases):
                    if any(ast.unparse(b).endswith("Enum") for b in bases):
                        enums[name] = tuple(_members(node))
                    else:
                        fields = [s for s in node.body if isinstance(s, ast.AnnAssign)]
                        positional[name] = tuple(ast.unparse(f.annotation) for f in fields)
                        optional[name] = frozenset(
                            f.target.id
                            for f in fields
                            if isinstance(f.target, ast.Name) and f.value is not None
                        )
    return Names(optional, positional, enums)


def _members(node: ast.ClassDef) -> Iterator[str]:
    for statement in node.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)]):
                yield name


def _units(module: Module) -> Iterator[Unit]:
    def unit(name: str, node: ast.stmt) -> Unit:
        decorated = getattr(node, "decorator_list", [])
        first = min([node.lineno, *(d.lineno for d in decorated)])
        lines = module.text.splitlines()[first - 1 : node.end_lineno]
        return Unit(name, node, "\n".join(lines))

    def below(body: list[ast.stmt], prefix: str) -> Iterator[Unit]:
        for node in body:
            match node:
                case ast.ClassDef(name=name):
                    yield from below(node.body, f"{prefix}{name}.")
                case ast.FunctionDef(name=name):
                    yield unit(prefix + name, node)
                case ast.Assign(targets=[ast.Name(id=name)]):
                    yield unit(prefix + name, node)
                case ast.AnnAssign(target=ast.Name(id=name)):
                    yield unit(prefix + name, node)
                case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                    continue
                case _:
                    yield unit(prefix + "<module>", node)

    return below(module.tree.body, "")


def _mutants(module: Module, names: Names) -> Iterator[Mutant]:
    lines = module.text.splitlines()
    for unit in _units(module):
        # Wrapped, so that the statement itself has a parent in which it can be replaced.
        parent = _parent_of(module.tree, unit.node)
        again: Counter[tuple[str, str, str]] = Counter()
        inside = set(map(id, _body_nodes(unit.node)))
        for change in changes(parent, names, only=unit.node):
            node = change.spot.node
            first = getattr(node, "lineno", unit.node.lineno)
            line = lines[first - 1].strip()
            key = (change.operator, line, change.says)
            again[key] += 1
            yield Mutant(
                module=module.name,
                unit=unit.name,
                operator=change.operator,
                line=line,
                says=change.says,
                number=again[key],
                first=first,
                last=getattr(node, "end_lineno", None) or first,
                cold=id(node) not in inside,
                change=change,
                unit_digest=digest(f"{VERSION}\n{unit.text}"),
            )


def _parent_of(tree: ast.Module, node: ast.stmt) -> ast.Module | ast.ClassDef:
    for parent in ast.walk(tree):
        if isinstance(parent, ast.Module | ast.ClassDef) and node in parent.body:
            return parent
    raise LookupError(ast.unparse(node))


def _body_nodes(node: ast.stmt) -> Iterator[ast.AST]:
    if isinstance(node, ast.FunctionDef):
        for statement in node.body:
            yield from ast.walk(statement)


# --- putting a mutant in place ---------------------------------------------------------------


def put_warm(module: Module, unit: str) -> None:
    """Give the live function ``unit`` the code that the module's tree has for it now.

    Raises LookupError where the function is not found as it was compiled from the file.
    """
    function = live(module.name, unit)
    new = next((c for c in _codes(module.code()) if c.co_qualname == unit), None)
    if new is None or new.co_freevars != function.__code__.co_freevars:
        raise LookupError(unit)
    function.__code__ = new
    forget_caches()


def live(module: str, unit: str) -> types.FunctionType:
    """The function object behind a qualified name, below its decorators."""
    found: object = sys.modules[module]
    for name in unit.split("."):
        found = vars(found).get(name)
    for _ in range(8):
        if isinstance(found, types.FunctionType) and found.__code__.co_qualname == unit:
            return found
        for attribute in ("__wrapped__", "__func__", "fget", "func"):
            if (inner := getattr(found, attribute, None)) is not None:
                found = inner
                break
    raise LookupError(f"{module}:{unit}")


def forget_caches() -> None:
    """Empty every cache of calsync's functions: they hold what the code gave before."""
    for name, module in list(sys.modules.items()):
        if name.startswith("calsync."):
            for value in list(vars(module).values()):
                if callable(clear := getattr(value, "cache_clear", None)):
                    clear()


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
            yield from _codes(constant)


def serve_cold(module: Module) -> None:
    """From now on ``import`` of the module runs the tree as it is now, instead of the file."""
    usual = importlib.machinery.SourceFileLoader.get_code

    def get_code(loader: importlib.machinery.SourceFileLoader, fullname: str) -> object:
        return module.code() if fullname == module.name else usual(loader, fullname)

    importlib.machinery.SourceFileLoader.get_code = get_code  # type: ignore[assignment, method-assign]
