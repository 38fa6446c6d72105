"""What a kill cancels of what a venue shows, when it is done, and what its receipt says. All pure."""

from collections.abc import Mapping
from decimal import Decimal

from order_builders import BTC, a_report, an_instrument, an_order

from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.orders import OrdStatus
from tradedesk.domain.outcomes import OrderReport
from tradedesk.domain.positions import Balance
from tradedesk.domain.receipts import KillReceipt, OrderEnd, Outcome
from tradedesk.domain.words import AccountId, ClientOrderId, InstrumentId, OperatorId, Side, VenueId, client_order_id
from tradedesk.risk import kill
from tradedesk.risk.kill import Known, Shown, Tally, Task

ACME = AccountId("acme")
NOW = 1_700_000_000 * 10**9
OURS, SECOND, FOREIGN = client_order_id(NOW, 1), client_order_id(NOW, 2), ClientOrderId("web_123")


def a_task(
    level: HaltLevel = HaltLevel.CancelOpening,
    *,
    external: bool = False,
    bases: Mapping[InstrumentId, str] = {BTC: "BTC"},
) -> Task:
    return Task(account=ACME, venue=VenueId("binance"), level=level, bases=bases, with_external=external)


def a_look(*reports: OrderReport, btc: str = "0", began: int = 0) -> Shown:
    balance = Balance(asset="BTC", free=Decimal(btc), locked=Decimal(0))
    return Shown(began=began, at=NOW, open_orders=reports, balances=(balance,))


def ids(reports: tuple[OrderReport, ...]) -> list[str]:
    return [report.client_order_id for report in reports]


def resting(key: str, side: Side = Side.Buy, qty: str = "1") -> OrderReport:
    return a_report(key, OrdStatus.New, qty=qty, side=side, venue_order_id=f"v-{key}")


def test_what_a_desk_made_is_cancelled_and_what_it_did_not_make_is_listed() -> None:
    """5.5"""
    sorted_ = kill.sort(a_look(resting(OURS), resting(FOREIGN)), a_task(HaltLevel.CancelAll), Known())
    assert (ids(sorted_.to_cancel), ids(sorted_.external)) == ([OURS], [FOREIGN])


def test_foreign_orders_go_as_well_when_they_are_named() -> None:
    task = a_task(HaltLevel.CancelAll, external=True)
    assert ids(kill.sort(a_look(resting(OURS), resting(FOREIGN)), task, Known()).to_cancel) == [OURS, FOREIGN]


def test_an_order_whose_id_an_operator_made_is_ours_by_the_journal() -> None:
    order = an_order("my-own-id", status=OrdStatus.New)
    known = kill.known_of(ACME, [order])
    look = a_look(resting("my-own-id"))
    assert ids(kill.sort(look, a_task(HaltLevel.CancelAll), known).to_cancel) == ["my-own-id"]
    assert ids(kill.sort(look, a_task(HaltLevel.CancelAll), Known()).external) == ["my-own-id"]


def test_cancel_opening_leaves_what_only_shrinks_the_position() -> None:
    look = a_look(resting(OURS, Side.Buy), resting(SECOND, Side.Sell), btc="1")
    sorted_ = kill.sort(look, a_task(), Known())
    assert (ids(sorted_.to_cancel), ids(sorted_.left)) == ([OURS], [SECOND])


def test_sells_that_together_exceed_what_is_held_are_opening() -> None:
    """As a halt inside the desk has it: each of them filled in full with the others would turn the position."""
    look = a_look(resting(OURS, Side.Sell), resting(SECOND, Side.Sell), btc="1.5")
    assert ids(kill.sort(look, a_task(), Known()).to_cancel) == [OURS, SECOND]


def test_what_cannot_be_judged_counts_as_opening() -> None:
    look = a_look(resting(OURS, Side.Sell), btc="5")
    assert ids(kill.sort(look, a_task(bases={}), Known()).to_cancel) == [OURS]


def test_cancel_all_leaves_nothing_of_ours() -> None:
    look = a_look(resting(OURS, Side.Sell), btc="5")
    assert ids(kill.sort(look, a_task(HaltLevel.CancelAll), Known()).to_cancel) == [OURS]


def test_an_empty_list_proves_enough_only_once_nothing_can_arrive_any_more() -> None:
    """5.2: without the journal, or with a request in doubt, the venue's window has to pass."""
    doubtful = kill.known_of(ACME, [an_order(OURS, status=OrdStatus.PendingNew)])
    assert kill.quiet_from(100, 16, None) == 116
    assert kill.quiet_from(100, 16, doubtful) == 116
    assert kill.quiet_from(100, 16, Known()) == 100


def test_an_order_is_counted_once_however_often_it_is_seen_and_ends_once() -> None:
    tally, report = Tally(), resting(OURS)
    for _ in range(3):
        tally.seen(kill.sort(a_look(report), a_task(), Known()), NOW)
    assert tally.gone(a_look(report)) == []
    assert tally.gone(a_look()) == [report]
    tally.ended(kill.key_of(report), is_cancelled=True, at=NOW + 5)
    assert tally.gone(a_look()) == []
    assert (tally.count(OrderEnd.Cancelled), tally.orders[0].at) == (1, NOW + 5)


def test_a_protective_order_that_goes_meanwhile_is_no_longer_said_to_be_left() -> None:
    tally = Tally()
    tally.seen(kill.sort(a_look(resting(OURS, Side.Sell), btc="5"), a_task(), Known()), NOW)
    assert tally.count(OrderEnd.Left) == 1
    tally.seen(kill.sort(a_look(btc="4"), a_task(), Known()), NOW)
    assert (tally.count(OrderEnd.Left), tally.count(OrderEnd.Ended)) == (0, 1)


def test_dust_is_not_held_and_without_the_instruments_everything_is() -> None:
    instrument = an_instrument()
    dust = Balance(asset="BTC", free=instrument.min_qty / 10, locked=Decimal(0))
    assert kill.held([dust], {BTC: "BTC"}, [instrument]) == {}
    assert kill.held([dust], {BTC: "BTC"}, []) == {BTC: dust.free}
    assert kill.held([Balance(asset="BTC", free=Decimal(1), locked=Decimal(1))], {BTC: "BTC"}, [instrument]) == {
        BTC: Decimal(2)
    }


def a_receipt(
    level: HaltLevel, *, last: Shown | None, is_quiet: bool, is_blocked: bool = True, held: dict[InstrumentId, Decimal]
) -> KillReceipt:
    row = kill.receipt_of(
        a_task(level),
        Tally(),
        is_blocked=is_blocked,
        is_quiet=is_quiet,
        last=last,
        held_qty=held if last is not None else None,
        why="",
        exit_="127.0.0.2",
        entry="acme",
        took_ms=3,
    )
    return KillReceipt(
        id="x", desk="main", by=OperatorId("me"), reason="r", level=level, started_at=NOW, took_ms=3, accounts=(row,)
    )


def test_a_receipt_is_complete_only_if_every_account_is_blocked_and_clear() -> None:
    seen, all_ = a_look(), HaltLevel.CancelAll
    assert a_receipt(all_, last=seen, is_quiet=True, held={}).is_complete
    assert not a_receipt(all_, last=seen, is_quiet=False, held={}).is_complete
    assert not a_receipt(all_, last=seen, is_quiet=True, is_blocked=False, held={}).is_complete
    unreachable = a_receipt(all_, last=None, is_quiet=False, held={})
    assert not unreachable.is_complete
    assert (unreachable.accounts[0].outcome, unreachable.accounts[0].is_flat) == (Outcome.Unreachable, None)


def test_only_a_flattening_has_to_end_flat() -> None:
    seen, held = a_look(btc="1"), {BTC: Decimal(1)}
    assert a_receipt(HaltLevel.CancelAll, last=seen, is_quiet=True, held=held).is_complete
    assert not a_receipt(HaltLevel.Flatten, last=seen, is_quiet=True, held=held).is_complete
    assert a_receipt(HaltLevel.Flatten, last=seen, is_quiet=True, held=held).accounts[0].held == ("1 BTC",)


def test_a_kill_of_an_instrument_neither_cancels_nor_lists_any_other() -> None:
    task = Task(account=ACME, venue=VenueId("binance"), level=HaltLevel.CancelAll, bases={BTC: "BTC"}, instrument=BTC)
    other = a_report(SECOND, OrdStatus.New, qty="1", side=Side.Buy, instrument=InstrumentId("binance:ETHUSDT"))
    found = kill.sort(a_look(resting(OURS), other, resting(FOREIGN)), task, Known())
    assert (ids(found.to_cancel), ids(found.left), ids(found.external)) == ([OURS], [], [FOREIGN])


def test_what_a_kill_placed_to_close_a_position_is_ours() -> None:
    mine = ClientOrderId(OURS.replace("td-", "kill-"))
    assert kill.is_ours(resting(mine), Known())
    assert not kill.is_ours(resting("kill-me"), Known())
