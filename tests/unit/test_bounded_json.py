"""Depth is bounded before anything is decoded, and nothing else changes."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calsync.bounded_json import MAX_DEPTH, TooDeep, read_json

TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='ab"\\[]{}\u00e9', max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=20,
)


@given(tree=TREES, ascii_only=st.booleans(), code=st.sampled_from(["utf-8", "utf-16", "utf-32"]))
def test_what_is_flat_enough_reads_as_before(tree: object, ascii_only: bool, code: str) -> None:
    text = json.dumps(tree, ensure_ascii=ascii_only)
    assert read_json(text) == tree
    assert read_json(text.encode(code)) == tree


def lists(depth: int) -> str:
    return "[" * depth + "]" * depth


def objects(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


def disguised(depth: int) -> str:
    """Strings full of closing brackets and quotes do not hide it."""
    return r'["]}\"]\\",' * depth + "1" + "]" * depth


def siblings(depth: int) -> str:
    return "[[],{}," * depth + "1" + "]" * depth


SHAPES = (lists, objects, disguised, siblings)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_bound(shape: Callable[[int], str]) -> None:
    assert read_json(shape(MAX_DEPTH - 1)) == json.loads(shape(MAX_DEPTH - 1))
    for depth in (2 * MAX_DEPTH + 1, 900, 100_000):
        with pytest.raises(TooDeep):
            read_json(shape(depth))


class Finalized:
    """Garbage in a cycle whose finalizer needs some stack, as those of libraries do."""

    failed = 0

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        try:
            repr([[[[[[]]]]]])
        except RecursionError:
            Finalized.failed += 1


def test_finalizers_are_not_run_at_the_end_of_the_stack() -> None:
    before, Finalized.failed = gc.get_threshold(), 0
    gc.set_threshold(1)
    try:
        for depth in range(2 * MAX_DEPTH + 1, 1500, 20):
            Finalized()
            with pytest.raises(TooDeep):
                read_json("[" * depth)
    finally:
        gc.set_threshold(*before)
    assert Finalized.failed == 0
