"""Limits and bans on sockets: accounts that share an exit stop together, and come back together."""

from pathlib import Path
from typing import Any

from budget_desk import EXIT, SECOND_NS, by_exit, desk_on, exchange, last_number
from faulty_desk import ACME, BIRCH, FaultyDesk, Paper

from tradedesk.domain import events as ev
from tradedesk.domain.accounts import AccountState
from tradedesk.domain.alerts import Alert, Severity
from tradedesk.domain.commands import CancelOrder
from tradedesk.domain.orders import OrderState
from tradedesk.domain.words import AccountId, OperatorId, Side

CEDAR = AccountId("cedar")
TOLD_S = 6  # long enough for a busy machine to try everything within it
BANNED_S = 10
UNDER_WAY_NS = 2 * SECOND_NS  # what had left when the venue said stop arrives within this


def after_stop(paper: Paper, before: int, status: int) -> list[dict[str, Any]]:
    """What came by the exit after the answer that said stop, and how long after it; what was under way then left out."""
    rows = by_exit(paper, before)
    told_at = next(row["time"] for row in rows if row["status"] == status)
    later = [row | {"waited": row["time"] - told_at} for row in rows if row["time"] > told_at]
    return [row for row in later if row["waited"] > UNDER_WAY_NS]


def bans_told(found: FaultyDesk, mark: int) -> list[Alert]:
    return [each.alert for each in found.since(mark, ev.AlertRaised) if each.alert.rule == "ban"]


def test_F26_after_a_429_the_whole_exit_waits_cancels_too(tmp_path: Path) -> None:
    with exchange(tmp_path) as (home, paper), desk_on(home, paper) as found:
        low = found.bid() * 98 // 100
        resting = found.place(Side.Buy, "0.01", low, account=CEDAR)
        found.until_order(resting, OrderState.New)
        before = last_number(paper)
        paper.fault("say", answer=429, retry_after=TOLD_S, count=1, account="acme", method="place")
        refused = found.place(Side.Buy, "0.01", low, account=ACME)
        found.until_order(refused, OrderState.Rejected)
        waits = found.place(Side.Buy, "0.01", low, account=BIRCH, within_s=30)
        too_short = found.place(Side.Buy, "0.01", low, account=BIRCH, within_s=1.0)
        assert "told exit 127.0.0.2 to wait for" in found.denials(too_short)
        found.control.submit(CancelOrder(account=CEDAR, client_order_id=resting, operator=OperatorId("")))
        found.until_order(resting, OrderState.Canceled)
        found.until_order(waits, OrderState.New)
        rest = after_stop(paper, before, 429)
        assert rest[0]["waited"] >= TOLD_S * SECOND_NS
        assert [row for row in rest if (row["method"], row["client_order_id"]) == ("DELETE", resting)]
        assert not [row for row in rest if row["client_order_id"] in (refused, too_short)]  # never sent again


def test_F27_a_ban_stops_all_traffic_of_the_exit_and_names_the_accounts(tmp_path: Path) -> None:
    with exchange(tmp_path) as (home, paper), desk_on(home, paper) as found:
        low = found.bid() * 98 // 100
        resting = found.place(Side.Buy, "0.01", low, account=CEDAR)
        found.until_order(resting, OrderState.New)
        mark, before = found.mark(), last_number(paper)
        paper.fault("ban", address=EXIT, seconds=BANNED_S)
        struck = found.place(Side.Buy, "0.01", low, account=ACME)
        found.until_order(struck, OrderState.Rejected)

        refused = found.place(Side.Buy, "0.01", low, account=BIRCH)
        assert f"exit {EXIT} is banned by the venue until" in found.denials(refused)
        found.control.submit(CancelOrder(account=CEDAR, client_order_id=resting, operator=OperatorId("")))
        found.until(lambda: bans_told(found, mark) != [], "an alert")
        (alert,) = bans_told(found, mark)
        assert alert.severity is Severity.Critical
        assert "accounts acme, birch, cedar cannot trade until then" in alert.text
        rows = found.view.replica.accounts
        found.until(lambda: all(rows[each].state is AccountState.Offline for each in (ACME, BIRCH, CEDAR)), "offline")
        assert all(f"exit {EXIT} is banned" in rows[each].reason for each in (ACME, BIRCH, CEDAR))
        gate_said = found.denials(found.place(Side.Buy, "0.01", low, account=BIRCH))
        assert f"exit {EXIT} is banned" in gate_said
        assert found.is_live()  # market data has an exit of its own

        found.until(lambda: any(each.key == alert.key for each in found.since(mark, ev.AlertEnded)), "the end of it")
        found.until(found.is_well, "all come back by themselves")
        found.until_order(resting, OrderState.Canceled)  # the standing intent to cancel survived it
        found.until_order(found.place(Side.Buy, "0.01", low, account=BIRCH), OrderState.New)
        rest = after_stop(paper, before, 418)
        assert rest[0]["waited"] >= (BANNED_S - 1) * SECOND_NS  # the answer came a little into it
        assert [row for row in rest if row["status"] == 418] == []


def test_F27_a_desk_that_is_started_again_within_a_ban_sends_nothing_until_its_end(tmp_path: Path) -> None:
    """It asks nobody how long the ban lasts: it knows."""
    with exchange(tmp_path) as (home, paper):
        with desk_on(home, paper) as found:
            low = found.bid() * 98 // 100
            paper.fault("ban", address=EXIT, seconds=BANNED_S)
            struck = found.place(Side.Buy, "0.01", low, account=ACME)
            found.until_order(struck, OrderState.Rejected)
        with desk_on(home, paper, is_awaited=False) as found:
            found.until(lambda: f"ban:{EXIT}" in found.view.replica.alerts, "an alert tells of it")
            rows = found.view.replica.accounts
            found.until(
                lambda: all(f"exit {EXIT} is banned" in rows[name].reason for name in (ACME, BIRCH, CEDAR)), "offline"
            )
            found.until(found.is_well, "all come back by themselves")
        rest = after_stop(paper, 0, 418)
        assert rest[0]["waited"] >= (BANNED_S - 1) * SECOND_NS
        assert [row for row in rest if row["status"] == 418] == []
