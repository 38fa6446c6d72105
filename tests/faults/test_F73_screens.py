"""F73: a screen that crashes while it draws: its desk and its orders live on, the terminal is given back, nothing is told."""

import os
import pty
import secrets
import select
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from faulty_desk import ACME, ME, FaultyDesk, faulty_desk
from paper_process import has_loopback_range

from tradedesk.clock import SystemClock
from tradedesk.domain.orders import OrderState
from tradedesk.domain.words import Side, client_order_id
from tradedesk.ui.app import TradedeskApp
from tradedesk.views.feed import DeskView

WITHIN_S = 30.0
LEAVES_THE_ALTERNATE_SCREEN = b"\x1b[?1049l"
SHOWS_THE_CURSOR = b"\x1b[?25h"

ON_A_TERMINAL = """
from desk_app import RecordingControl, an_app
from desk_builders import a_view

app = an_app(a_view(), RecordingControl())

def broken(y):
    passphrase = "hunter2-in-a-local"
    raise RuntimeError(passphrase)

app.desk.panes["market"].render_line = broken
app.run()
raise SystemExit(app.return_code)
"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyDesk]:
    if not has_loopback_range():
        pytest.skip("needs loopback addresses besides 127.0.0.1")
    with faulty_desk(Path(tmp_path_factory.mktemp("desk"))) as found:
        yield found


def a_screen(desk: FaultyDesk) -> TradedeskApp:
    clock = SystemClock()
    return TradedeskApp(
        DeskView(desk.desk.open_feed()),
        desk.control,
        operator=ME,
        clock=clock,
        ids=lambda _: client_order_id(clock.now(), secrets.randbits(40)),
        state_dir=None,
        theme="desk-dark",
    )


async def test_F73_a_screen_that_crashes_in_a_pane_leaves_its_desk_and_its_orders_alone(desk: FaultyDesk) -> None:
    price = (desk.bid() * Decimal("0.98")).quantize(Decimal("0.01"))
    key = desk.place(Side.Buy, "0.001", price)
    desk.until_order(key, OrderState.New)

    def broken(y: int) -> Any:
        raise RuntimeError("a bug in a pane")

    async def crash() -> None:
        app = a_screen(desk)
        async with app.run_test(size=(120, 36)) as pilot:
            app.desk.panes["orders"].render_line = broken  # type: ignore[method-assign]
            app.desk.panes["orders"].refresh()
            for _ in range(100):
                await pilot.pause(0.02)

    with pytest.raises(RuntimeError, match="a bug in a pane"):
        await crash()
    assert desk.is_order(key, OrderState.New)
    desk.cancel(key)
    again = desk.place(Side.Buy, "0.001", price, account=ACME)
    desk.until_order(again, OrderState.New)
    desk.cancel(again)
    assert not desk.view.replica.halts
    async with a_screen(desk).run_test(size=(120, 36)) as pilot:  # the next screen on the same desk
        await pilot.pause()
        assert pilot.app.is_running


def test_F73_the_terminal_is_given_back_with_one_plain_line_and_no_value(tmp_path: Path) -> None:
    """5.6: Textual alone would print every local variable."""
    ours, theirs = pty.openpty()
    tests = Path(__file__).parent.parent
    process = subprocess.Popen(
        [sys.executable, "-c", ON_A_TERMINAL],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=tmp_path,
        env={
            **os.environ,
            "TERM": "xterm-256color",
            "LINES": "36",
            "COLUMNS": "120",
            "PYTHONPATH": f"{tests.parent}:{tests}:{tests / 'ui'}",
        },
    )
    os.close(theirs)
    written = b""
    while select.select([ours], [], [], WITHIN_S)[0]:
        try:
            chunk = os.read(ours, 65_536)
        except OSError:  # nobody is on the other side any more
            break
        if not chunk:
            break
        written += chunk
    assert process.wait(WITHIN_S) == 1
    os.close(ours)
    assert b"hunter2" not in written
    left, _, after = written.rpartition(LEAVES_THE_ALTERNATE_SCREEN)
    assert left
    assert SHOWS_THE_CURSOR in written
    said = " ".join(after.decode(errors="replace").split())
    assert "tradedesk: the screen failed (RuntimeError): see its log; open orders are still at the venue." in said
    assert "Traceback" not in said
