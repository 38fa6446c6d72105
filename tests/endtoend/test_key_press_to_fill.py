"""The whole program: keys pressed on the screen, a fill that comes back over real sockets from the paper exchange."""

import asyncio
import os
import random
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from paper_process import has_loopback_range, paper_process
from textual.pilot import Pilot

from tradedesk import log
from tradedesk.access.operators import Operator
from tradedesk.access.vault import open_vault
from tradedesk.cli.demo import make_desk, new_vault
from tradedesk.clock import SystemClock
from tradedesk.config import Home, find_home, load, private_folder
from tradedesk.desk.build import build, real_parts
from tradedesk.desk.client import RemoteControl
from tradedesk.desk.desk import Desk
from tradedesk.domain.accounts import AccountState
from tradedesk.domain.orders import OrdStatus
from tradedesk.domain.words import AccountId, InstrumentId, client_order_id
from tradedesk.monitor.socket_feed import SocketFeed
from tradedesk.ui.app import TradedeskApp
from tradedesk.views.feed import DeskView

WITHIN_S = 20.0
BTC = InstrumentId("binance:BTCUSDT")

pytestmark = pytest.mark.skipif(not has_loopback_range(), reason="needs loopback addresses besides 127.0.0.1")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Desk, Home]]:
    """A desk of three accounts on a paper exchange in a process of its own."""
    home = find_home({"TRADEDESK_HOME": str(tmp_path)})
    with paper_process("--seed", "11") as paper:
        make_desk(home, paper, new_vault(home))
        private_folder(home.log)
        log_file = log.open_log(home.log / "tradedesk.log")
        settings, clock = load(home.config), SystemClock()
        parts = real_parts(settings, open_vault(home.vault, home.passphrase), clock, home)
        desk = build(settings, home, parts, clock=clock)
        desk.start()
        try:
            yield desk, home
        finally:
            desk.stop()
            log_file.close()


def an_app(desk: Desk, home: Home) -> TradedeskApp:
    operator = desk.who(None, os.getuid())
    assert isinstance(operator, Operator)
    clock = SystemClock()
    return TradedeskApp(
        DeskView(desk.open_feed()),
        desk.control(operator),
        operator=operator.name,
        clock=clock,
        ids=lambda _: client_order_id(clock.now(), secrets.randbits(40)),
        state_dir=home.state,
        theme="desk-dark",
    )


async def until(pilot: Pilot[None], happened: Callable[[], bool], what: str) -> None:
    """Let the app run until it has happened; the test fails with what did not."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + WITHIN_S
    while not happened():
        assert loop.time() < deadline, f"not within {WITHIN_S:.0f} s: {what}"
        await pilot.pause(0.02)


async def typed(pilot: Pilot[None], text: str) -> None:
    await pilot.press(*("space" if letter == " " else letter for letter in text))


async def test_a_ticket_filled_by_keys_comes_back_as_a_fill(running: tuple[Desk, Home]) -> None:
    app = an_app(*running)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(
            pilot,
            lambda: (
                bool(app.view.replica.accounts)
                and all(row.state is AccountState.Ready for row in app.view.replica.accounts.values())
                and bool(app.view.replica.market(BTC).asks)
            ),
            "three accounts ready and a market with a price",
        )
        await pilot.press("f9")
        await pilot.press("colon")
        await typed(pilot, "acme BTC/USDT buy 0.1 market")
        await pilot.press("enter")
        await pilot.press("enter")
        deaf_until = asyncio.get_running_loop().time() + 0.35  # a dialog does not hear its first 300 ms
        await until(pilot, lambda: asyncio.get_running_loop().time() > deaf_until, "the review listens")
        await pilot.press("f2")
        await until(
            pilot, lambda: any(fill.account == AccountId("acme") for fill in app.view.replica.fills), "a fill of acme"
        )
        (order,) = app.view.replica.orders.values()
        assert (order.account, order.order_qty) == (
            AccountId("acme"),
            sum(fill.last_qty for fill in app.view.replica.fills),
        )
        await until(
            pilot, lambda: next(iter(app.view.replica.orders.values())).ord_status is OrdStatus.Filled, "it is filled"
        )
        position = app.view.replica.positions[AccountId("acme"), BTC]
        fees = sum(
            fill.fee.amount for fill in app.view.replica.fills if fill.fee is not None and fill.fee.currency == "BTC"
        )
        assert position.qty == 2 + order.order_qty - fees


async def test_a_second_screen_sees_the_order_and_cancels_it(running: tuple[Desk, Home]) -> None:
    """`attach`: the control and read sockets carry a whole trading screen."""
    _, home = running
    clock = SystemClock()
    control = RemoteControl(home.control_socket, None)
    feed = SocketFeed(home.read_socket, clock=clock, chance=random.Random(1))
    app = TradedeskApp(
        DeskView(feed),
        control,
        operator=control.welcome.operator,
        clock=clock,
        ids=lambda _: client_order_id(clock.now(), secrets.randbits(40)),
        state_dir=None,
        theme="desk-dark",
    )
    async with app.run_test(size=(120, 36)) as pilot:
        await until(
            pilot,
            lambda: (
                bool(app.view.replica.accounts)
                and all(row.state is AccountState.Ready for row in app.view.replica.accounts.values())
                and bool(app.view.replica.market(BTC).bids)
            ),
            "the attached screen is fed",
        )
        price = app.view.replica.market(BTC).bids[0][0] - 100
        await pilot.press("f9")
        await pilot.press("colon")
        await typed(pilot, f"birch BTC/USDT buy 0.05 @{price}")
        await pilot.press("enter", "enter")
        deaf_until = asyncio.get_running_loop().time() + 0.35
        await until(pilot, lambda: asyncio.get_running_loop().time() > deaf_until, "the review listens")
        await pilot.press("f2")
        await until(
            pilot,
            lambda: any(order.ord_status is OrdStatus.New for order in app.view.replica.orders.values()),
            "the order rests at the exchange",
        )
        await pilot.press("u")
        await until(
            pilot,
            lambda: all(order.ord_status is OrdStatus.Canceled for order in app.view.replica.orders.values()),
            "u cancelled the newest order",
        )
        assert len(app.view.replica.orders) == 1
    control.close()
