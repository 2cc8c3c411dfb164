"""Many histories, or the story of one: see the package."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections import defaultdict

from tests.simulation.modes import MODES
from tests.simulation.run import simulate


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("first", type=int, nargs="?", default=0, help="first seed")
    parser.add_argument("last", type=int, nargs="?", default=100, help="seed to stop before")
    parser.add_argument("--mode", choices=[*MODES, "each"], default="each")
    parser.add_argument("--story", type=int, metavar="SEED", help="tell the story of one seed")
    args = parser.parse_args()
    modes = list(MODES) if args.mode == "each" else [args.mode]
    if args.story is not None:
        return max(_tell(args.story, mode) for mode in modes)
    return max([_run(range(args.first, args.last), mode) for mode in modes], default=0)


def _tell(seed: int, mode: str) -> int:
    result = simulate(seed, mode)
    print(f"seed {seed}, mode {mode}", result.story, sep="\n")
    if result.error is None:
        print("every invariant held")
        return 0
    traceback.print_exception(result.error)
    return 1


def _run(seeds: range, mode: str) -> int:
    failed: dict[str, list[int]] = defaultdict(list)
    for seed in seeds:
        result = simulate(seed, mode)
        if result.error is not None:
            kind = f"{type(result.error).__name__} {result.error}".split(":")[0]
            failed[kind].append(seed)
    print(f"{mode}: {len(seeds)} histories, {sum(map(len, failed.values()))} failed", flush=True)
    for kind, bad in sorted(failed.items(), key=lambda item: -len(item[1])):
        print(f"  {len(bad):5}  {kind}: seeds {', '.join(map(str, bad[:8]))}", flush=True)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
