"""5.5, 5.8: what is kept for cancels is for the look as well that a halt ends with."""

from pathlib import Path

import pytest
from budget_desk import SECOND_NS, desk_on, exchange
from faulty_desk import ACME, ME

from tradedesk.domain import events as ev
from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.commands import HaltTrading, Reconcile
from tradedesk.domain.orders import OrderState
from tradedesk.domain.words import Side
from tradedesk.venues.pools import Limit, Per, Unit

WINDOW_NS = 121 * SECOND_NS  # longer than the halt is waited for
LIMITS = (Limit(per=Per.Exit, unit=Unit.Weight, most=1_500, window_ns=WINDOW_NS),)


def test_a_halt_is_confirmed_though_all_that_looks_may_use_is_used_up_and_one_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tradedesk.desk.build.LIMITS", LIMITS)
    with exchange(tmp_path, accounts=1) as (home, paper), desk_on(home, paper) as found:
        resting = found.place(Side.Buy, "0.001", found.bid() * 98 // 100, account=ACME)
        found.until_order(resting, OrderState.New)
        budgets = found.desk._budgets
        assert budgets is not None
        [budget] = budgets._venues.values()

        def is_used_up() -> bool:
            found.control.submit(Reconcile(account=ACME, operator=ME))
            return budget.waiting > 0

        found.until(is_used_up, "a look waits for the budget")
        found.control.submit(HaltTrading(account=ACME, level=HaltLevel.CancelAll, reason="fire", operator=ME))
        found.until(lambda: found.since(0, ev.HaltSwept), "the receipt of the halt")
        (receipt,) = found.since(0, ev.HaltSwept)
        assert (receipt.cancelled, receipt.left) == (1, 0)
        assert paper.books("acme")["orders"][-1]["status"] == "CANCELED"
