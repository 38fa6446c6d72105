"""The drills of `tradedesk selftest --drills`, each on one demo, which is made whole again between them.

They have a demo of their own: the looks of all stops together are more than a venue answers one address in a minute.
"""

from collections.abc import Iterator

import pytest
from demo_desk import Demo, demo
from kill_desk import make_calm
from paper_process import has_loopback_range

from tradedesk.cli import drills
from tradedesk.cli.drill_desk import Ground, Said
from tradedesk.desk import kill as killing

pytestmark = pytest.mark.skipif(not has_loopback_range(), reason="needs loopback addresses besides 127.0.0.1")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo(tmp_path_factory.mktemp("kill")) as found:
        yield found


@pytest.fixture
def calm(desk: Demo) -> Iterator[Demo]:
    """The one demo of this file, made whole again after each test."""
    yield desk
    make_calm(desk)


@pytest.fixture
def ground(calm: Demo) -> Iterator[Ground]:
    """The same demo as a drill knows it; a kill is run in this process, which spares the second that one takes to start."""

    def kills(*words: str) -> Said:
        ran = calm.ask(*words)
        return Said(ran.status, ran.out, ran.err)

    assert calm.paper_pid is not None
    found = Ground(calm.home, calm.paper, desk_pid=calm.desk_pid, paper_pid=calm.paper_pid, kills=kills)
    yield found
    found.close()
    calm.again += found.started
    calm.desk_pid = found.desk_pid


@pytest.mark.parametrize(
    ("drill", "within_s"),
    [
        (drills.runaway_loop, None),
        (drills.halt, None),
        (drills.venue_slow, None),
        (drills.venue_mute, None),
        (drills.venue_half_down, None),
        (drills.venue_bans, 6.0),
        (drills.venue_down, 3.0),
        (drills.screen_blocked, None),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_drill_ends_as_the_exchange_records_it(
    ground: Ground, drill: drills.Drill, within_s: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The drills of `tradedesk selftest --drills`; how long a kill asks a venue that is away is shortened."""
    if within_s is not None:
        monkeypatch.setattr(killing, "WITHIN_S", within_s)
    drill(ground)
