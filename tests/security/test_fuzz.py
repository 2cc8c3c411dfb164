"""Every fuzz target in short, on inputs that are the same everywhere. In long: make fuzz."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fuzz.__main__ import main
from fuzz.near import Decisions, near
from fuzz.registry import TARGETS
from fuzz.target import Finding, Target

EXAMPLES, HEAVY = 80, 20

#: Inputs after which something once went wrong, and what did.
FOUND = [
    ("graph-event", "301f22f85cd331d9ab8516e5c349fb90e53c087dd5584d"),  # uid no database takes
    ("graph-refusal", "d2620f1ede2192255c8ae19857278fddc6b03f89"),  # error code printed as it came
    ("mail", "d49c9a3b30ad90d21a1a0d9ac56dad60cf30fa13084cdf33ff9ec1f21625bd044b1303277c34cb"),
    ("log", "1426dd89287fbb8b246c6e8eca342c7394e39bb1"),  # half a surrogate pair in a log file
    ("calendar-file", "25d7f35dc7dfbd8aed97833f3a8010"),  # a time zone without a name
]


@pytest.mark.parametrize("name", TARGETS)
def test_target(name: str) -> None:
    target = TARGETS[name]

    @settings(
        max_examples=HEAVY if target.heavy else EXAMPLES,
        suppress_health_check=list(HealthCheck),
    )
    @example(b"")
    @given(st.binary(max_size=60))
    def run(data: bytes) -> None:
        target.check(data)

    for seed in target.seeds:
        target.check(seed)
    run()


@pytest.mark.parametrize(("name", "data"), FOUND)
def test_what_was_found_stays_mended(name: str, data: str) -> None:
    TARGETS[name].check(bytes.fromhex(data))


# --- the fuzzer itself -----------------------------------------------------------------------


def _raises(error: Exception) -> Target:
    def run(data: bytes) -> None:
        raise error

    return Target(name="t", run=run, allowed=(KeyError,), seconds=0.05)


def test_an_error_that_is_not_allowed_is_a_finding() -> None:
    _raises(KeyError("x")).check(b"")
    with pytest.raises(Finding, match="IndexError"):
        _raises(IndexError("x")).check(b"")
    with pytest.raises(Finding, match="AssertionError"):
        _raises(AssertionError("x")).check(b"")
    with pytest.raises(Finding, match="UTF-8"):
        _raises(KeyError("x")).__class__(
            name="t", run=_raises(ValueError("\ud800")).run, allowed=(ValueError,)
        ).check(b"")


def test_what_takes_too_long_is_a_finding() -> None:
    def slow(data: bytes) -> None:
        sum(range(5_000_000))

    with pytest.raises(Finding, match="processor time"):
        Target(name="t", run=slow, seconds=0.01).check(b"")


@given(st.binary(max_size=80))
def test_the_same_bytes_give_the_same_input(data: bytes) -> None:
    sample = {"a": [1, {"b": "x"}], "c": None}
    assert repr(near(data, sample)) == repr(near(Decisions(data), sample))
    assert sample == {"a": [1, {"b": "x"}], "c": None}, "samples are not changed"


def test_inputs_differ_from_their_samples() -> None:
    drawn = (sha256(bytes([n])).digest()[:9] for n in range(256))
    assert len({repr(near(data, {"a": "x", "b": [1]})) for data in drawn}) > 100


def test_the_command_replays_and_says_what_it_cannot_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["title", "--replay", "00ff"]) == 0
    assert capsys.readouterr().out == "behaves\n"
    with pytest.raises(SystemExit):
        main(["nosuch"])
    assert "nosuch" in capsys.readouterr().err
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["title", "--engine", "atheris"]) == 2
    assert "pip install atheris" in capsys.readouterr().err
