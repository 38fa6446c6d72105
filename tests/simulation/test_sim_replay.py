"""A seed is all of a world: it runs the same again, elsewhere too, and a failure tells its story and how to replay it."""

import os
import subprocess
import sys
from pathlib import Path

from tradedesk.orders.progress import Progress
from tradedesk.simulation import runs
from tradedesk.simulation.checkpoints import Checkpoints
from tradedesk.simulation.faults import Odds
from tradedesk.simulation.world import World

ROOT = Path(__file__).parents[2]
ROUGH = Odds(drop=0.2, duplicate=0.2, slow=0.3, crash_s=10, kill_writes=60, disk_s=15, clock_s=8, ban_s=15)


def digest(seed: int) -> str:
    world = World(seed, ROUGH)
    world.run(20)
    return world.watch.digest


def test_the_same_seed_runs_the_same():
    first, second, other = (digest(seed) for seed in (7, 7, 8))
    assert first == second != other


def test_a_world_that_is_traced_runs_as_one_that_is_not():
    from tradedesk.simulation.trace import Trace

    assert runs.run(3, Trace()).digest == runs.run(3).digest


def test_a_start_from_a_checkpoint_runs_as_one_that_reads_all_records(monkeypatch):
    """Wherever the checkpoint stands: what is published and sent afterwards is the same, to the last byte"""
    shortened = []
    shorten = Checkpoints.shorten

    def counted(self, account, records):
        events = shorten(self, account, records)
        shortened.append(len(records) - len(events))
        return events

    monkeypatch.setattr(Checkpoints, "shorten", counted)
    seeds = range(20, 28)
    from_checkpoints = [digest(seed) for seed in seeds]
    assert sum(1 for count in shortened if count > 10) > 10
    monkeypatch.setattr(Checkpoints, "shorten", lambda self, account, records: list(records))
    assert [digest(seed) for seed in seeds] == from_checkpoints


def test_the_same_seed_runs_the_same_in_another_process():
    """A failure elsewhere can be replayed here: nothing depends on the order of a set of strings"""
    code = (
        "from tradedesk.simulation.world import World; from tradedesk.simulation.faults import drawn;"
        "w = World(5, drawn(5)); w.run(20); print(w.watch.digest)"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(digests) == 1


def test_a_seed_that_breaks_something_says_how_to_replay_it_and_what_happened(monkeypatch):
    fill_ = Progress.fill

    def naive(self, fill):
        self._books.fill_keys.discard(fill.key)
        fill_(self, fill)

    monkeypatch.setattr(Progress, "fill", naive)
    seed = next(seed for seed in range(20) if "web-" not in " ".join(runs.run(seed).broken.get("5.3", ["web-"])))
    told = runs.story(seed)
    assert f"python -m tests.simulation --seed {seed}" in told.splitlines()[0]
    assert "5.3" in told.splitlines()[0]
    lines = [line for line in told.splitlines() if " s  " in line]
    assert 3 < len(lines) <= 90
    assert any("leaves" in line for line in lines)
    assert any("!! 5.3" in line for line in lines)


def test_the_command_runs_many_seeds_and_one():
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tests.simulation", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    many = run("--seeds", "4", "--jobs", "2")
    assert many.returncode == 0, many.stdout + many.stderr
    assert many.stdout.startswith("4 seeds from 0: ")
    one = run("--seed", "7")
    assert (one.returncode, one.stdout) == (0, "seed 7: everything held\n")
