"""F16, F28, F34, F35 on whole desks: streams that end, a trade undone, a key that is revoked, a venue that restarts."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from faulty_desk import ACME, BIRCH, BTC, FaultyDesk, faulty_desk
from paper_process import has_loopback_range

from tradedesk.domain import events as ev
from tradedesk.domain.accounts import AccountState
from tradedesk.domain.commands import Reconcile, Settle, Submitted
from tradedesk.domain.orders import OrderState, OrdStatus
from tradedesk.domain.words import AccountId, OperatorId, Side
from tradedesk.venues import ccxt_binance

pytestmark = pytest.mark.skipif(not has_loopback_range(), reason="needs loopback addresses besides 127.0.0.1")
ME = OperatorId("")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyDesk]:
    with faulty_desk(tmp_path_factory.mktemp("home")) as found:
        yield found


def below(desk: FaultyDesk, percent: int = 1) -> Decimal:
    return (desk.bid() * (100 - percent) / 100).quantize(Decimal("0.01"))


def states(desk: FaultyDesk, mark: int, account: AccountId = ACME) -> list[AccountState]:
    return [each.state for each in desk.since(mark, ev.AccountChanged) if each.account == account]


def account_state(desk: FaultyDesk, account: AccountId = ACME) -> AccountState:
    return desk.view.replica.accounts[account].state


@pytest.mark.parametrize("notice", ["shutdown", "disconnect"])
def test_F16_a_stream_that_ends_is_begun_anew_and_what_it_missed_is_read(desk: FaultyDesk, notice: str) -> None:
    desk.until(desk.is_well, "the market is live")
    key = desk.place(Side.Buy, "0.001", below(desk))
    desk.until_order(key, OrderState.New)
    mark = desk.mark()
    desk.paper.fault(notice)
    desk.until(lambda: states(desk, mark)[-1:] == [AccountState.Ready], "it is ready again")
    assert AccountState.Reconciling in states(desk, mark)
    assert AccountState.Blocked not in states(desk, mark)
    desk.cancel(key)


def test_F34_a_trade_that_is_undone_shows_as_a_difference_and_no_history_changes(desk: FaultyDesk) -> None:
    """The venue tells of no such thing on its stream; balances do."""
    desk.until(desk.is_well, "the market is live")
    mark = desk.mark()
    key = desk.place(Side.Buy, "0.002", account=BIRCH)
    order = desk.until_order(key, OrderState.Filled)
    fills = [each.fill for each in desk.since(mark, ev.OrderFilled) if each.fill.client_order_id == key]
    mark = desk.mark()
    for fill in fills:
        desk.paper.fault("bust", instrument="BTCUSDT", trade_id=int(fill.trade_id))

    desk.control.submit(Reconcile(account=BIRCH, operator=ME))
    desk.until(
        lambda: any(item.needs_decision for item in desk.view.replica.accounts[BIRCH].worklist),
        "the difference waits for somebody",
    )
    assert desk.order(key) == order or desk.order(key).cum_qty == order.cum_qty  # type: ignore[union-attr]
    refused = desk.place(Side.Buy, "0.001", below(desk), account=BIRCH)
    assert "to settle first" in desk.denials(refused)


def test_F28_a_key_that_is_revoked_locks_its_account_alone_and_is_not_tried_again(tmp_path: Path) -> None:
    with faulty_desk(tmp_path) as desk:
        resting = desk.place(Side.Buy, "0.001", below(desk))
        desk.until_order(resting, OrderState.New)
        desk.paper.fault("key", account=ACME, set_={"revoked": True})
        key = desk.place(Side.Buy, "0.001", below(desk))
        desk.until_order(key, OrderState.Rejected)
        desk.until(lambda: account_state(desk) is AccountState.Blocked, "the account is locked")
        seen = len(desk.paper.ask("GET", "/requests")["requests"])
        other = desk.place(Side.Buy, "0.001", below(desk))
        assert "Blocked" in desk.denials(other)
        assert account_state(desk, BIRCH) is AccountState.Ready
        theirs = desk.place(Side.Buy, "0.001", below(desk), account=BIRCH)
        desk.until_order(theirs, OrderState.New)
        rows = desk.paper.ask("GET", "/requests")["requests"][seen:]
        assert [row for row in rows if row["account"] == ACME and row["method"] == "POST"] == []
        desk.cancel(theirs, BIRCH)


@pytest.mark.parametrize("kept", ["kept", "old"])
def test_F35_after_a_restart_of_the_venue_everything_is_compared_and_nothing_counts_twice(
    tmp_path: Path, kept: str
) -> None:
    with faulty_desk(tmp_path) as desk:
        key = desk.place(Side.Buy, "0.004", below(desk))
        desk.until_order(key, OrderState.New)
        mark = desk.mark()
        desk.paper.fault("restart", state=kept, seconds=0.5, **({"at": 0.5} if kept == "old" else {}))
        desk.until(lambda: AccountState.Reconciling in states(desk, mark), "the venue went away")
        desk.until(desk.is_well, "everything is well again")
        order = desk.order(key)
        assert order is not None
        assert (order.ord_status, order.cum_qty) == (OrdStatus.New, Decimal(0))
        again = desk.place(Side.Buy, "0.002")
        desk.until_order(again, OrderState.Filled)
        held = desk.view.replica.positions[ACME, BTC].qty
        desk.control.submit(Reconcile(account=ACME, operator=ME))
        desk.cancel(key)
        assert desk.view.replica.positions[ACME, BTC].qty == held


def test_F35_what_a_venue_has_lost_is_shown_and_nothing_is_concluded_or_undone(tmp_path: Path) -> None:
    """5.2, 5.3: no one proved how the order ended, and a trade that was told stays told; a person has to decide."""
    with faulty_desk(tmp_path) as desk:
        resting = desk.place(Side.Buy, "0.004", below(desk))
        desk.until_order(resting, OrderState.New)
        bought = desk.place(Side.Buy, "0.002")
        desk.until_order(bought, OrderState.Filled)
        held, mark = desk.view.replica.positions[ACME, BTC].qty, desk.mark()
        desk.paper.fault("restart", state="lost", seconds=0.5)
        desk.until(lambda: "vanished" in [each.alert.rule for each in desk.since(mark, ev.AlertRaised)], "it is missed")
        desk.until(
            lambda: (
                {(item.key, item.needs_decision) for item in desk.view.replica.accounts[ACME].worklist}
                >= {("balance:BTC", True), ("balance:USDT", True), (f"order:{resting}", True)}
            ),
            "every difference stands in the worklist",
        )
        desk.until(lambda: account_state(desk) is AccountState.Ready, "it goes on")
        assert "to settle first" in desk.denials(desk.place(Side.Buy, "0.001", below(desk)))
        order, filled = desk.order(resting), desk.order(bought)
        assert order is not None
        assert filled is not None
        assert (order.ord_status, order.cum_qty) == (OrdStatus.New, Decimal(0))
        assert (filled.ord_status, filled.cum_qty) == (OrdStatus.Filled, Decimal("0.002"))
        assert desk.view.replica.positions[ACME, BTC].qty == held
        assert desk.since(mark, ev.OrderFilled) == []
        for key in (f"order:{resting}", "balance:BTC", "balance:USDT"):
            settle = Settle(account=ACME, key=key, note="the venue lost a day", operator=ME)
            assert isinstance(desk.control.submit(settle), Submitted)
        desk.until(lambda: not desk.view.replica.accounts[ACME].worklist, "all of it is settled")
        settled = desk.until_order(resting, OrderState.Expired)
        assert "the venue lost a day" in settled.reasons[0]
        desk.until_order(desk.place(Side.Buy, "0.001", below(desk)), OrderState.New)


def test_F13_a_stream_that_is_open_and_mute_is_left_and_what_it_missed_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ccxt_binance, "PING_EVERY_MS", 500)  # the same, twenty times as fast
    with faulty_desk(tmp_path) as desk:
        key = desk.place(Side.Buy, "0.01", below(desk))
        order = desk.until_order(key, OrderState.New)
        mark = desk.mark()
        desk.paper.fault("freeze", account=ACME, pings=False, for_=3)
        desk.paper.fault(
            "ext",
            what="fill",
            account=ACME,
            instrument="BTCUSDT",
            order_id=int(order.venue_order_id or 0),
            quantity="0.004",
        )
        desk.until(lambda: AccountState.Reconciling in states(desk, mark), "the silence was noticed")
        desk.until_order(key, OrderState.PartiallyFilled)
        desk.until(lambda: account_state(desk) is AccountState.Ready, "it is ready again")
        desk.cancel(key)
