"""F29, F30 live: a venue that changes an instrument's ticks, sizes or state under a desk that runs, and one that was away."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import pytest
from faulty_desk import ACME, BIRCH, BTC, FaultyDesk, faulty_desk
from paper_process import has_loopback_range

from tradedesk.domain import events as ev
from tradedesk.domain.instruments import Instrument
from tradedesk.domain.orders import OrderState, OrdStatus
from tradedesk.domain.words import ClientOrderId, Side
from tradedesk.marketdata import host
from tradedesk.ui.ticket_model import Field, Fields, checked

pytestmark = pytest.mark.skipif(not has_loopback_range(), reason="needs loopback addresses besides 127.0.0.1")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[FaultyDesk]:
    with faulty_desk(tmp_path) as found:
        yield found


def rules(desk: FaultyDesk) -> Instrument:
    return desk.view.replica.instruments[BTC]


def low(desk: FaultyDesk) -> Decimal:
    """A price at which a buy rests: a multiple of 0.01 and of no larger tick."""
    return (desk.bid() * 98 / 100).quantize(Decimal("1")) + Decimal("0.03")


def sent(desk: FaultyDesk, key: ClientOrderId) -> int:
    return sum(row["client_order_id"] == key for row in desk.paper.requests(path="/api/v3/order", method="POST"))


def listings(desk: FaultyDesk) -> int:
    """How often anybody asked for the rules."""
    return len(desk.paper.requests(path="/api/v3/exchangeInfo"))


def test_F30_an_order_refused_by_a_new_rule_brings_the_rules_once_and_is_not_sent_again(desk: FaultyDesk) -> None:
    asked, mark = listings(desk), desk.mark()
    desk.paper.fault("filter", instrument="BTCUSDT", set_={"tick": "0.1"})
    price = low(desk)
    keys = [desk.place(Side.Buy, "0.001", price, account=account) for account in (ACME, BIRCH)]
    for key in keys:
        assert "PRICE_FILTER" in " ".join(desk.until_order(key, OrderState.Rejected).reasons)
    desk.until(lambda: rules(desk).tick == Decimal("0.1"), "the new rule is known")
    told = [event.instrument for event in desk.since(mark, ev.InstrumentListed)]
    assert [instrument.tick for instrument in told] == [Decimal("0.1")]  # once, to everybody

    same = desk.place(Side.Buy, "0.001", price)
    assert "0.1" in desk.denials(same)  # by our own Gate, which knows better now
    assert [sent(desk, key) for key in (*keys, same)] == [1, 1, 0]
    fits = desk.place(Side.Buy, "0.001", price + Decimal("0.07"))
    desk.until_order(fits, OrderState.New)
    assert 1 <= listings(desk) - asked <= 2  # not for each refusal

    recorded = [
        event.instrument
        for event in desk.desk._store.replay()
        if isinstance(event, ev.InstrumentListed) and event.instrument.id == BTC
    ]
    assert recorded[-1] == rules(desk)


def test_F30_the_ticket_goes_by_the_new_rule(desk: FaultyDesk) -> None:
    desk.paper.fault("filter", instrument="BTCUSDT", set_={"min_notional": "5000"})
    refused = desk.place(Side.Buy, "0.001", low(desk))
    desk.until_order(refused, OrderState.Rejected)
    desk.until(lambda: rules(desk).min_notional == Decimal("5000"), "the new rule is known")
    before = Fields(accounts="acme", instrument="BTC/USDT", qty="0.001", price=str(low(desk)))
    problems = checked(before, desk.view.replica)
    assert isinstance(problems, Mapping)
    assert "the venue takes at least 5000 USDT" in problems[Field.Qty]
    assert "minimum 5000" in desk.denials(desk.place(Side.Buy, "0.001", low(desk)))


def test_F29_an_instrument_that_stops_trading_and_begins_again(
    desk: FaultyDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would open is refused by the Gate, cancels go; that it trades again is seen without anybody trying."""
    rests = desk.place(Side.Buy, "0.001", low(desk))
    desk.until_order(rests, OrderState.New)
    desk.paper.fault("status", instrument="BTCUSDT", to="CANCEL_ONLY")
    first = desk.place(Side.Buy, "0.001", low(desk))
    desk.until_order(first, OrderState.Rejected)
    monkeypatch.setattr(host, "RELIST_S", 0.5)  # from the next time it waits
    desk.until(lambda: not rules(desk).is_trading, "its state is known")
    second = desk.place(Side.Buy, "0.001", low(desk))
    assert "is not trading at the venue" in desk.denials(second)
    assert sent(desk, second) == 0
    desk.cancel(rests)
    assert desk.order(rests).ord_status is OrdStatus.Canceled  # type: ignore[union-attr]

    desk.paper.fault("status", instrument="BTCUSDT", to="TRADING")
    desk.until(lambda: rules(desk).is_trading, "that it trades again is seen on a timer")
    desk.until_order(desk.place(Side.Buy, "0.001", low(desk)), OrderState.New)
