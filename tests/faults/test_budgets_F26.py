"""Limits and bans on sockets: accounts that share an exit stop together, and come back together."""

from pathlib import Path

from budget_desk import EXIT, SECOND_NS, by_exit, desk_on, exchange, last_number
from faulty_desk import ACME, BIRCH

from tradedesk.domain import events as ev
from tradedesk.domain.accounts import AccountState
from tradedesk.domain.alerts import Severity
from tradedesk.domain.commands import CancelOrder
from tradedesk.domain.orders import OrderState
from tradedesk.domain.words import AccountId, OperatorId, Side

CEDAR = AccountId("cedar")


def test_F26_after_a_429_the_whole_exit_waits_cancels_too(tmp_path: Path) -> None:
    with exchange(tmp_path) as (home, paper), desk_on(home, paper) as found:
        low = found.bid() * 98 // 100
        resting = found.place(Side.Buy, "0.01", low, account=CEDAR)
        found.until_order(resting, OrderState.New)
        before = last_number(paper)
        paper.fault("say", answer=429, retry_after=3, count=1, account="acme", method="place")
        refused = found.place(Side.Buy, "0.01", low, account=ACME)
        found.until_order(refused, OrderState.Rejected)
        waits = found.place(Side.Buy, "0.01", low, account=BIRCH)
        too_short = found.place(Side.Buy, "0.01", low, account=BIRCH, within_s=1.0)
        assert "told exit 127.0.0.2 to wait for" in found.denials(too_short)
        found.control.submit(CancelOrder(account=CEDAR, client_order_id=resting, operator=OperatorId("")))
        found.until_order(resting, OrderState.Canceled)
        found.until_order(waits, OrderState.New)
        rows = by_exit(paper, before)
        place = next(number for number, row in enumerate(rows) if row["status"] == 429)
        rest = rows[place + 1 :]
        assert rest[0]["time"] - rows[place]["time"] >= 3 * SECOND_NS
        cancel = next(row for row in rest if (row["method"], row["client_order_id"]) == ("DELETE", resting))
        assert cancel["time"] - rest[0]["time"] < SECOND_NS  # accounts are threads: who is first on the wire is open
        assert not [row for row in rest if row["client_order_id"] in (refused, too_short)]  # never sent again


def test_F27_a_ban_stops_all_traffic_of_the_exit_and_names_the_accounts(tmp_path: Path) -> None:
    with exchange(tmp_path) as (home, paper), desk_on(home, paper) as found:
        low = found.bid() * 98 // 100
        resting = found.place(Side.Buy, "0.01", low, account=CEDAR)
        found.until_order(resting, OrderState.New)
        mark, before = found.mark(), last_number(paper)
        paper.fault("ban", address=EXIT, seconds=4)
        struck = found.place(Side.Buy, "0.01", low, account=ACME)
        found.until_order(struck, OrderState.Rejected)

        refused = found.place(Side.Buy, "0.01", low, account=BIRCH)
        assert f"exit {EXIT} is banned by the venue until" in found.denials(refused)
        found.control.submit(CancelOrder(account=CEDAR, client_order_id=resting, operator=OperatorId("")))
        found.until(lambda: found.since(mark, ev.AlertRaised) != [], "an alert")
        alert = next(each.alert for each in found.since(mark, ev.AlertRaised) if each.alert.rule == "ban")
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
        rows_seen = by_exit(paper, before)
        place = next(number for number, row in enumerate(rows_seen) if row["status"] == 418)
        assert [row["status"] for row in rows_seen].count(418) == 1
        assert (
            rows_seen[place + 1]["time"] - rows_seen[place]["time"] >= 3 * SECOND_NS
        )  # the answer came a little into it


def test_F27_a_desk_that_is_started_again_within_a_ban_sends_nothing_until_its_end(tmp_path: Path) -> None:
    """It asks nobody how long the ban lasts: it knows."""
    seconds = 8
    with exchange(tmp_path) as (home, paper):
        with desk_on(home, paper) as found:
            low = found.bid() * 98 // 100
            paper.fault("ban", address=EXIT, seconds=seconds)
            struck = found.place(Side.Buy, "0.01", low, account=ACME)
            found.until_order(struck, OrderState.Rejected)
        with desk_on(home, paper, is_awaited=False) as found:
            found.until(lambda: f"ban:{EXIT}" in found.view.replica.alerts, "an alert tells of it")
            rows = found.view.replica.accounts
            found.until(
                lambda: all(f"exit {EXIT} is banned" in rows[name].reason for name in (ACME, BIRCH, CEDAR)), "offline"
            )
            found.until(found.is_well, "all come back by themselves")
        rows_seen = by_exit(paper)
        place = next(number for number, row in enumerate(rows_seen) if row["status"] == 418)
        assert [row["status"] for row in rows_seen].count(418) == 1
        assert rows_seen[place + 1]["time"] - rows_seen[place]["time"] >= (seconds - 1) * SECOND_NS
