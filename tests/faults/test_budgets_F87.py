"""F87, F88: a burst that fills the budget, and a cold start of many accounts on one exit."""

import asyncio
import random
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from budget_desk import EXIT, SECOND_NS, by_exit, desk_on, exchange, last_number
from builders import an_order

from tradedesk.access.egress import Egress
from tradedesk.access.vault import Secret
from tradedesk.clock import SystemClock
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import AccountState
from tradedesk.domain.gate import Approved, CancelTicket
from tradedesk.domain.orders import Order, OrderState
from tradedesk.domain.outcomes import Acknowledged
from tradedesk.domain.words import AccountId, RequestId, Side, VenueId
from tradedesk.venues import questions
from tradedesk.venues.adapter import Markets
from tradedesk.venues.budgets import Scopes
from tradedesk.venues.ccxt_binance import addresses_of
from tradedesk.venues.pools import Limit, Per, Unit
from tradedesk.venues.spot_adapter import SpotAdapter
from tradedesk.venues.spot_prices import price_of
from tradedesk.venues.turns import Budgets

SLOT_S = 3.0  # a twentieth of the minute: the soonest at which one who waits could have a turn


def adapter_on(described: dict[str, Any], limit: Limit) -> SpotAdapter:
    [row, *_] = described["accounts"]
    clock = SystemClock()
    markets = Markets(("BTC/USDT",))
    return SpotAdapter(
        account=AccountId(row["name"]),
        venue=VenueId("binance"),
        secret=Secret(row["api_key"], row["secret"]),
        exit_=Egress(EXIT),
        addresses=addresses_of(described["rest"]),
        markets=markets,
        last_check=lambda approved: None,
        clock=clock,
        chance=random.Random(1),
        door=Budgets(clock).door("paper", (limit,), Scopes(exit=EXIT, account=row["name"])),
    )


async def test_F87_a_cancel_passes_a_hundred_orders_that_wait(tmp_path: Path) -> None:
    with exchange(tmp_path, accounts=1) as (_, paper):
        adapter = adapter_on(paper.described, Limit(per=Per.Exit, unit=Unit.Weight, most=60, window_ns=61 * SECOND_NS))
        await adapter.start()
        try:
            [btc] = adapter._markets.instruments
            price = str(paper.public("/api/v3/avgPrice?symbol=BTCUSDT")["price"]).split(".")[0]
            low = str(int(price) * 98 // 100)
            until = time.time_ns() + 60 * SECOND_NS

            def order(number: int) -> Order:
                made = an_order(qty="0.001", price=low, client_order_id=f"f87-{number}")
                return msgspec.structs.replace(made, deadline=until)

            def approved(number: int) -> Approved:
                request = RequestId(f"r{number}")
                return Approved(request_id=request, order=order(number), replaces=None, instrument=btc, approved_at=0)

            assert isinstance(await adapter.place(approved(0)), Acknowledged)
            burst = [asyncio.create_task(adapter.place(approved(number))) for number in range(1, 101)]
            await asyncio.wait(burst, return_when=asyncio.FIRST_COMPLETED)
            began = time.monotonic()
            ticket = CancelTicket(request_id=RequestId("x"), order=order(0), instrument=btc)
            assert isinstance(await adapter.cancel(ticket), Acknowledged)
            assert time.monotonic() - began < SLOT_S
            waiting = [task for task in burst if not task.done()]
            assert len(waiting) > 50
            for task in waiting:
                task.cancel()
            await asyncio.gather(*burst, return_exceptions=True)
            assert adapter._door is not None
            assert adapter._door._budget.waiting == 0
            seen = [row for row in by_exit(paper) if row["path"] == "/api/v3/order"]
            assert sum(1 for row in seen if row["method"] == "POST") <= 54  # nine tenths: the rest is the cancels'
        finally:
            await adapter.close()


_COSTS = {
    "/api/v3/time": "publicGetTime", "/api/v3/openOrders": "privateGetOpenOrders", "/api/v3/account": "privateGetAccount",
    "/api/v3/myTrades": "privateGetMyTrades", "/api/v3/order": "privateGetOrder",
    "/api/v3/exchangeInfo": "publicGetExchangeInfo",
}  # fmt: skip


def test_F88_many_accounts_on_one_exit_share_its_budget_the_riskiest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    most, window_ns = 400, SECOND_NS  # for two at once
    limit = Limit(per=Per.Exit, unit=Unit.Weight, most=most, window_ns=window_ns)
    with exchange(tmp_path, accounts=12) as (home, paper):
        names = [row["name"] for row in paper.described["accounts"]]
        risky = names[5], names[9]
        with desk_on(home, paper) as found:
            low = found.bid() * 98 // 100
            for name in risky:
                found.until_order(found.place(Side.Buy, "0.01", low, account=AccountId(name)), OrderState.New)
        before = last_number(paper)
        monkeypatch.setattr("tradedesk.desk.build.LIMITS", (limit,))
        with desk_on(home, paper, is_awaited=False) as found:
            with pytest.raises(AssertionError, match="is not connected to its venue yet; nothing was sent"):
                found.place(Side.Buy, "0.01", low, account=AccountId(names[11]))
            found.until(found.is_well, "every account ready")
            ready = [
                event.account
                for event in found.since(0, ev.AccountChanged)
                if event.state is AccountState.Ready and event.account in names
            ]
        assert set(risky) <= set(ready[:3])
        asked = [
            (row["time"], price_of(_COSTS[row["path"]], {}).get(Unit.Weight, 0))
            for row in by_exit(paper, before)
            if row["path"] in _COSTS
        ]
        assert sum(weight for _, weight in asked) > 2 * most
        for start, _ in asked:
            assert sum(weight for at, weight in asked if start <= at < start + window_ns) <= most
        assert {row["status"] for row in by_exit(paper, before)} <= {101, 200}


def test_a_question_about_a_doubt_is_given_up_before_the_order_manager_takes_it_for_lost() -> None:
    from tradedesk.orders.doubts import ANSWER_LOST_NS

    assert questions.DOUBT_WAITS_NS < ANSWER_LOST_NS
