"""``python -m fuzz``: run targets for some time, or replay one input.

Each target has a process of its own: with atheris (coverage-guided) where it is installed, else
with plain random bytes. Exit status: 0 nothing found, 1 something was, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from fuzz.target import Finding, Target

NO_ATHERIS = (
    "atheris is not installed, so inputs are random and not guided by coverage."
    " To do: pip install atheris (Linux, CPython 3.11 or newer)"
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help="names of targets; without any, all")
    parser.add_argument("--seconds", type=float, default=20.0, help="for each target")
    parser.add_argument("--seed", type=int, default=None, help="of random inputs")
    parser.add_argument("--engine", choices=("atheris", "random"), default=None)
    parser.add_argument("--replay", metavar="HEX", help="run one target on this input, and say")
    parser.add_argument("--list", action="store_true", help="name the targets")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.here and chosen.engine == "atheris":
        return _atheris(chosen.targets[0], chosen.seconds)
    from fuzz.registry import TARGETS

    unknown = [name for name in chosen.targets if name not in TARGETS]
    if unknown:
        parser.error(f"there is no target {', '.join(unknown)}; see --list")
    if chosen.list:
        print("\n".join(TARGETS))
        return 0
    names = chosen.targets or list(TARGETS)
    if chosen.replay is not None:
        return _replay([TARGETS[name] for name in names], chosen.replay)
    if chosen.here:
        return _random(TARGETS[names[0]], chosen.seconds, chosen.seed)
    return _all(names, chosen)


def _all(names: list[str], chosen: argparse.Namespace) -> int:
    """Every target in a process of its own: one that hangs or dies is that one's finding."""
    there = importlib.util.find_spec("atheris") is not None
    engine = chosen.engine or ("atheris" if there else "random")
    if engine == "atheris" and not there:
        print(f"Error: {NO_ATHERIS}", file=sys.stderr)
        return 2
    if not there:
        print(NO_ATHERIS)
    seed = random.SystemRandom().randrange(2**32) if chosen.seed is None else chosen.seed
    print(f"{len(names)} targets, {chosen.seconds:g} s each, {engine}, seed {seed}")
    failed = []
    for name in names:
        command = [sys.executable, "-m", "fuzz", name, "--here", "--engine", engine]
        command += ["--seconds", str(chosen.seconds), "--seed", str(seed)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        said = (ended.stdout + ended.stderr).strip().splitlines()
        if ended.returncode:
            failed.append(name)
            print(f"{name}: FOUND\n  " + "\n  ".join(said[-25:]))
        else:
            runs = next((line for line in said if line.startswith("Done ")), "")
            print(f"{name}: {runs or said[-1]}")
    print(f"{len(failed)} of {len(names)} targets found something" if failed else "nothing found")
    return 1 if failed else 0


def _replay(targets: list[Target], text: str) -> int:
    if len(targets) != 1:
        print("Error: name the one target to replay", file=sys.stderr)
        return 2
    try:
        targets[0].check(bytes.fromhex(text))
    except Finding as found:
        print(found)
        raise
    print("behaves")
    return 0


def _random(target: Target, seconds: float, seed: int | None) -> int:
    rng = random.Random(f"{seed} {target.name}")
    pool = [b"", *target.seeds]
    until, count = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        data = bytearray(rng.choice(pool) if rng.random() < 0.5 else b"")
        for _ in range(rng.randrange(4)):
            at = rng.randrange(len(data) + 1)
            data[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(24))
        count += 1
        try:
            target.check(bytes(data))
        except Finding as found:
            print(found)
            return 1
    print(f"{count} inputs")
    return 0


def _atheris(name: str, seconds: float) -> int:
    """libFuzzer ends the process by itself; what it finds is printed by ``Finding``."""
    import atheris  # type: ignore  # not a dependency, and without types

    with atheris.instrument_imports(include=["calsync", "fuzz"]):
        from fuzz.registry import TARGETS

    target = TARGETS[name]

    def one(data: bytes) -> None:
        try:
            target.check(data)
        except Finding as found:
            print(found, flush=True)
            os._exit(1)

    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(target.seeds):
            (Path(folder) / str(number)).write_bytes(data)
        options = [f"-max_total_time={max(1, round(seconds))}", "-max_len=400", "-timeout=30"]
        options += [f"-artifact_prefix={folder}/"]
        atheris.Setup([name, *options, folder], one)
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
