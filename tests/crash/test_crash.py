"""The real desk, killed at random moments on an exchange that loses and doubles, is the exchange's to the last digit (5.1-5.3)."""

from pathlib import Path

import pytest
from crash_world import world
from paper_process import has_loopback_range

KILLS = 20
SEED = 5


@pytest.mark.skipif(not has_loopback_range(), reason="needs loopback addresses besides 127.0.0.1")
def test_F68_a_desk_killed_twenty_times_loses_doubles_and_invents_nothing(tmp_path: Path) -> None:
    """5.1, 5.2, 5.3; kill -9 at any moment, recovery included. By hand: `python -m tests.crash --kills 200`."""
    said: list[str] = []
    with world(tmp_path, SEED, said.append) as made:
        made.run(KILLS)
    assert made.figures["kills"] == KILLS
    assert made.figures["sent"] > 20, said  # else it proved nothing
    assert made.figures["fills"] > 0, said
    assert made.figures["checkpoints"] > 0, said
