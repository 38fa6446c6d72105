"""`python -m tests.simulation`: many seeds, or one and its story. From the root of the repository.

--seeds N runs N seeds and says how many broke; --from S begins at S; --jobs J uses J processes; --seed S replays one.
"""

import argparse
import os
import sys
import time
from collections import Counter
from multiprocessing import Pool
from typing import TextIO

from tradedesk.simulation import runs

TOLD_EVERY_S = 10


def main() -> int:
    asked = _asked()
    if asked.seed is not None:
        _say(runs.story(asked.seed))
        return 1 if runs.run(asked.seed).broken else 0
    began = told = time.monotonic()
    seeds = range(asked.first, asked.first + asked.seeds)
    broken: list[runs.Verdict] = []
    rules: Counter[str] = Counter()
    orders = 0
    with Pool(asked.jobs) as pool:
        for done, found in enumerate(pool.imap_unordered(runs.run, seeds, chunksize=10), start=1):
            orders += found.orders
            if found.broken:
                broken.append(found)
                rules.update(found.broken.keys())
                _say(found.text)
            if time.monotonic() - told > TOLD_EVERY_S:
                told = time.monotonic()
                _say(f"{done} of {len(seeds)} seeds, {len(broken)} broke something", sys.stderr)
    took = time.monotonic() - began
    _say(f"{len(seeds)} seeds from {asked.first}: {orders} orders sent, {took:.0f} s, {len(broken)} broke something")
    for rule, count in sorted(rules.items()):
        _say(f"  {rule}: {count} seeds")
    if broken:
        _say(f"the first of them: {runs.command(min(verdict.seed for verdict in broken))}")
    return 1 if broken else 0


def _say(text: str, where: TextIO = sys.stdout) -> None:
    where.write(f"{text}\n")
    where.flush()


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation",
        description="The desk in a world of faults, every seed another one; what DESIGN section 5 promises must hold.",
        epilog="example: python -m tests.simulation --seeds 20000 --jobs 2",
    )
    parser.add_argument("--seeds", type=int, default=1_000, help="how many seeds to run (1000)")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first of them (0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (one per core)")
    parser.add_argument("--seed", type=int, help="run this one alone and tell what happened in it, in order")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
