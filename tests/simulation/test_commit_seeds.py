"""The same promises for fifty seeds that follow from the commit: each change is tried in worlds of its own.

A failure names its seed, which replays it anywhere: `python -m tests.simulation --seed N`.
"""

import subprocess
from pathlib import Path
from random import Random

import pytest

from tradedesk.simulation import runs


def commit() -> str:
    """The commit that is tried, or a fixed word where there is none (an archive, no git)."""
    try:
        asked = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return "no commit"
    return asked.stdout.strip()


COMMIT = commit()
SEEDS = sorted(Random(COMMIT).sample(range(10**6, 10**9), 50))


@pytest.mark.parametrize("seed", SEEDS, ids=[f"{COMMIT[:10]}-{seed}" for seed in SEEDS])
def test_the_desk_keeps_its_promises_in_the_worlds_of_this_commit(seed):
    """5.1, 5.2, 5.3, 5.4, 5.5, 5.13"""
    verdict = runs.run(seed)
    assert not verdict.broken, f"{verdict.text}\n(seeds of commit {COMMIT})"
