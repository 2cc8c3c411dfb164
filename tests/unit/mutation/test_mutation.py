"""The tool that tests the tests: which mutants it makes, and when it is content."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from mutation import session
from mutation.operators import Names, changes
from mutation.results import Results
from mutation.session import Verdict
from mutation.source import Mutant, read
from mutation.survivors import Explanation, read_explanations, summarise

NAMES = Names(
    optional={"made": frozenset({"b"})},
    positional={"pair": ("int", "int"), "mixed": ("int", "str")},
    enums={"Side": ("BOOKING", "CALENDAR")},
)


def made(code: str, names: Names = NAMES) -> set[str]:
    tree = ast.parse(code)
    return {
        f"{c.operator}: {c.says}" for node in tree.body for c in changes(tree, names, only=node)
    }


@pytest.mark.parametrize(
    ("code", "mutants"),
    [
        ("x = a < b", {"comparison: a < b -> a <= b"}),
        ("x = a is b", {"comparison: a is b -> a is not b"}),
        ("x = a and b", {"operand: a and b -> b", "operand: a and b -> a"}),
        ("x = not a", {"negation: not a -> a"}),
        ("x = a - b", {"arithmetic: a - b -> a + b", "operand: a - b -> a"}),
        ("x = 2", {"constant: 2 -> 3", "constant: 2 -> 1"}),
        ("x = True", {"constant: True -> False"}),
        ("x = 'code'", {"text: 'code' -> ''"}),
        ("x = 'A sentence for people.'", set()),
        ("x = f'{a} is wrong'", {"text: f'{a} is wrong' -> ''"}),
        ("x = Side.CALENDAR", {"member: Side.CALENDAR -> Side.BOOKING"}),
        ("x = span.start", {"attribute: span.start -> span.end"}),
        ("x = min(a, b)", {"call: min(a, b) -> max(a, b)"}),
        ("x = pair(a, b)", {"swap: pair(a, b) -> pair(b, a)"}),
        ("x = mixed(a, b)", set()),
        ("x = made(a=c, b=d)", {"keyword: made(a=c, b=d) -> made(a=c)"}),
        ("x = a[1:]", {"slice: 1: -> :", "constant: 1 -> 2", "constant: 1 -> 0"}),
        ("x = {a: b}", {"element: {a: b} -> {}"}),
        ("x = a if b == c else d", {"condition: b == c -> True", "condition: b == c -> False"}),
        ("assert a < b", set()),
        ("x: 'a < b'", set()),
        ("Alias = Callable[[int], str]", set()),
        ("act()", {"statement: act() -> pass"}),
        ("raise Wrong(a)", {
            "statement: raise Wrong(a) -> pass",
            "exception: raise Wrong(a) -> raise Exception('mutant')",
        }),
        ("match a:\n case 1 | 2:\n  pass\n case 3 if b:\n  pass\n case _:\n  assert_never(a)", {
            "arm: without case 1 | 2",
            "arm: without case 1 | 2, but case 2",
            "arm: without case 1 | 2, but case 1",
            "arm: without case 3 if b",
            "arm: without case 3 if b, but case 3",
        }),
        ("def f(a):\n a = g(a)\n return a", {
            "statement: a = g(a) -> pass",
            "return: return a -> return None",
        }),
        ("@property\n@lru_cache\ndef f(): pass", {"decorator: f without a decorator"}),
        ("try:\n pass\nexcept Wrong:\n pass", {
            "exception: except Wrong: pass -> except (): pass",
        }),
    ],
)  # fmt: skip
def test_the_changes(code: str, mutants: set[str]) -> None:
    assert made(code) == mutants


ROOT = Path(__file__).resolve().parents[3]
MUTANTS = [m for module in read(ROOT, ["pacing"]) for m in module.mutants]


def test_a_mutant_is_named_by_what_stays_when_lines_move() -> None:
    assert len({m.id for m in MUTANTS}) == len(MUTANTS)
    again = [m for module in read(ROOT, ["pacing"]) for m in module.mutants]
    assert [m.id for m in again] == [m.id for m in MUTANTS]


def explained(mutant: Mutant, kind: str) -> Explanation:
    return Explanation(mutant.place, mutant.operator, mutant.line, mutant.says, kind, "because")


def test_the_score_forgives_only_what_is_proved() -> None:
    survivors = {MUTANTS[0], MUTANTS[1]}
    outcomes = [(m, m in survivors) for m in MUTANTS[:20]]
    reasons = [explained(MUTANTS[0], "equivalent"), explained(MUTANTS[1], "accepted")]
    summary = summarise(outcomes, reasons)
    assert summary.passes
    assert (summary.total.of_all, round(summary.total.strict, 1)) == (90.0, 94.7)


def test_an_unexplained_survivor_fails_the_run_and_so_does_an_idle_reason() -> None:
    outcomes = [(m, m is MUTANTS[0]) for m in MUTANTS[:20]]
    assert not summarise(outcomes, []).passes
    assert summarise(outcomes, []).unexplained == [MUTANTS[0]]
    idle = [explained(MUTANTS[0], "accepted"), explained(MUTANTS[1], "accepted")]
    assert summarise(outcomes, idle).idle == [idle[1]]
    assert not summarise(outcomes, idle).passes


def test_too_many_explained_survivors_fail_the_run() -> None:
    outcomes = [(m, m in MUTANTS[:3]) for m in MUTANTS[:20]]
    summary = summarise(outcomes, [explained(m, "accepted") for m in MUTANTS[:3]])
    assert summary.total.unexplained == 0
    assert not summary.passes


def test_a_reason_is_complete(tmp_path: Path) -> None:
    read_explanations(ROOT / "mutation" / "survivors.toml")
    path = tmp_path / "survivors.toml"
    path.write_text('[[survivor]]\nin = "a:b"\noperator = "constant"\nkind = "accepted"\n')
    with pytest.raises(ValueError, match="not complete"):
        read_explanations(path)


def test_a_result_holds_until_the_test_that_killed_changes(tmp_path: Path) -> None:
    mutant, path = MUTANTS[0], tmp_path / "results.jsonl"
    results = Results(path, {"tests/a.py": "1", "tests/b.py": "1"})
    results.save(mutant, Verdict("killed", "tests/a.py::test"), ["tests/a.py::test"], 6.0)
    again = Results(path, {"tests/a.py": "1", "tests/b.py": "2"})
    again.load()
    assert (found := again.of(mutant)) is not None
    assert again.holds(found)
    changed = Results(path, {"tests/a.py": "2"})
    changed.load()
    assert not changed.holds(found)


def test_a_survivor_meets_only_new_tests_later(tmp_path: Path) -> None:
    mutant, path = MUTANTS[0], tmp_path / "results.jsonl"
    results = Results(path, {"tests/a.py": "1", "tests/b.py": "1"})
    results.save(mutant, Verdict("survived"), ["tests/a.py::test", "tests/b.py::test"], 6.0)
    again = Results(path, {"tests/a.py": "1", "tests/b.py": "2"})
    again.load()
    tests = ["tests/a.py::test", "tests/b.py::test"]
    assert again.unmet(again.of(mutant), tests) == ["tests/b.py::test"]


def test_a_mutant_of_imported_code_meets_the_files_of_its_tests_in_parts() -> None:
    chosen = ["c::1", "a::1", "c::2", "b::1", "d::1", "e::1", "a::2"]
    parts = [["c::1", "c::2"], ["a::1", "b::1", "d::1", "a::2"], ["e::1"]]
    assert list(session.by_files(chosen)) == parts
    assert list(session.by_files(["a::1"])) == [["a::1"]]
