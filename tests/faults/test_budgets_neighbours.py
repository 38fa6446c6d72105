"""5.8: an account that asks and asks uses up its own part of a shared exit, and nobody else's."""

from pathlib import Path

import pytest
from budget_desk import SECOND_NS, by_exit, desk_on, exchange, last_number
from faulty_desk import ACME, BIRCH

from tradedesk.domain.accounts import AccountState
from tradedesk.domain.orders import OrderState
from tradedesk.domain.words import Side
from tradedesk.venues.pools import Limit, Per, Unit
from tradedesk.venues.spot_prices import price_of

MOST, WINDOW_NS = 2_000, 61 * SECOND_NS
LIMITS = (Limit(per=Per.Exit, unit=Unit.Weight, most=MOST, window_ns=WINDOW_NS),)
ORDERS = 25  # each asked about twice a second, at 4 a question


def test_an_account_with_many_doubts_leaves_its_neighbour_its_budget_and_keeps_its_cancels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tradedesk.desk.build.LIMITS", LIMITS)
    with exchange(tmp_path, accounts=2) as (home, paper), desk_on(home, paper) as found:
        low = found.bid() * 98 // 100
        resting = found.place(Side.Buy, "0.001", low, account=ACME)
        found.until_order(resting, OrderState.New)
        before = last_number(paper)
        paper.fault("did", answer=503, account="acme", method="place")
        paper.fault("say", answer=-1001, account="acme", method="query")
        paper.fault("drop", account="acme", event="executionReport")
        for _ in range(ORDERS):
            found.place(Side.Buy, "0.001", low, account=ACME)
        ceiling = MOST * 45 // 100  # its share

        def asked() -> int:
            return sum(
                price_of("privateGetOrder", {})[Unit.Weight]
                for row in by_exit(paper, before)
                if row["path"] == "/api/v3/order" and row["method"] == "GET"
            )

        budgets = found.desk._budgets
        assert budgets is not None
        [budget] = budgets._venues.values()
        found.until(lambda: budget.waiting > 5, "its questions use up its share and wait")
        assert asked() > ceiling // 2
        for _ in range(5):
            key = found.place(Side.Buy, "0.001", low, account=BIRCH, within_s=2.0)
            found.until_order(key, OrderState.New)
        found.cancel(resting)
        assert asked() <= ceiling
        assert found.view.replica.accounts[BIRCH].state is AccountState.Ready
