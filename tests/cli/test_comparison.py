"""The comparison that selftest ends with: it finds nothing where nothing is, and everything that is."""

import copy
from decimal import Decimal
from typing import Any

import pytest
from builders import NOW, a_fill, a_request, an_instrument, an_order
from scripted_account import client

from tradedesk.cli.comparison import differences
from tradedesk.domain import events as ev
from tradedesk.domain.orders import OrdStatus, RequestKind, RequestState
from tradedesk.domain.positions import Balance
from tradedesk.domain.words import AccountId
from tradedesk.views.replica import Replica

ACME = AccountId("acme")
BOOKS: dict[str, Any] = {  # as the exchange's admin door tells them
    "orders": [{"clientOrderId": "c1", "status": "FILLED", "executedQty": "1.00000000"}],
    "trades": [
        {"symbol": "BTCUSDT", "id": "t1", "orderId": "v1", "qty": "1.00000000", "price": "60000.00000000",
         "commission": "0.00100000", "commissionAsset": "BTC"}
    ],
    "balances": [
        {"asset": "BTC", "free": "2.99900000", "locked": "0.00000000"},
        {"asset": "USDT", "free": "39000.00000000", "locked": "1000.00000000"},
    ],
}  # fmt: skip


def a_desk() -> Replica:
    """Opened with 2 BTC and 100,000 USDT; one order of 1 BTC at 60,000, filled; one that the Gate denied."""
    replica = Replica()
    balances = (
        Balance(asset="BTC", free=d("2.999"), locked=d("0")),
        Balance(asset="USDT", free=d("39000"), locked=d("1000")),
    )
    openings = (ev.Opening(asset="BTC", amount=d("2")), ev.Opening(asset="USDT", amount=d("100000")))
    born = a_request(state=RequestState.Acknowledged, request_id="c1")
    for event in (
        ev.InstrumentListed(at=NOW, source="desk", instrument=an_instrument()),
        ev.AccountListed(at=NOW, source="desk", account=client("acme")),
        ev.AccountOpened(at=NOW, source="worker:acme", account=ACME, openings=openings, marks={}, trades_from=0),
        ev.OrderPlaced(at=NOW, source="worker:acme", order=an_order(OrdStatus.New, requests=(born,))),
        ev.OrderPlaced(at=NOW, source="worker:acme", order=an_order(OrdStatus.Denied, client_order_id="c2")),
        ev.OrderFilled(at=NOW, source="worker:acme", fill=a_fill(fee="0.001", currency="BTC")),
        ev.BalancesRead(at=NOW, source="worker:acme", account=ACME, balances=balances, is_complete=True),
    ):
        replica.apply(event)
    return replica


def d(text: str) -> Decimal:
    return Decimal(text)


def test_books_that_agree_differ_in_nothing() -> None:
    assert differences(a_desk(), ACME, BOOKS) == []


@pytest.mark.parametrize(
    ("where", "field", "value", "sentence"),
    [
        ("orders", "status", "CANCELED", "acme: order c1 is Filled here and Canceled there"),
        ("orders", "executedQty", "0.9", "acme: order c1 filled 1 here and 0.9 there"),
        ("orders", "clientOrderId", "c9", "acme: order c9 is at the exchange and not on the desk"),
        ("trades", "qty", "0.9", "acme: trade t1 is 1 at 60000 here, 0.9 at 60000.00000000 there"),
        ("trades", "price", "60001", "acme: trade t1 is 1 at 60000 here, 1.00000000 at 60001 there"),
        ("trades", "commission", "0.002", "acme: trade t1 has another fee there: 0.002 BTC"),
        ("trades", "id", "t2", "acme: trade t2 of BTCUSDT is at the exchange and not on the desk"),
        ("balances", "free", "2.9", "acme: position BTC/USDT is 2.999 here and 2.90000000 there"),
        ("balances", "locked", "1", "acme: BTC reckons to 2.999 here and is 3.999 there"),
    ],
)
def test_each_figure_that_differs_is_named(where: str, field: str, value: str, sentence: str) -> None:
    books = copy.deepcopy(BOOKS)
    books[where][0][field] = value
    found = differences(a_desk(), ACME, books)
    assert any(normal(sentence) == normal(said) for said in found), found


def normal(sentence: str) -> list[str]:
    """Numbers as numbers, so that 3.999 and 3.99900000 read alike."""
    return [word.rstrip("0").rstrip(".") if "." in word else word for word in sentence.split()]


def test_an_order_that_the_exchange_does_not_have_is_named() -> None:
    books = copy.deepcopy(BOOKS)
    books["orders"] = []
    assert differences(a_desk(), ACME, books) == ["acme: order c1 is Filled on the desk and not at the exchange"]


def test_a_trade_that_the_exchange_does_not_have_or_that_stands_twice_is_named() -> None:
    desk = a_desk()
    desk.fills.append(desk.fills[0])
    assert "acme: 1 fills stand on the desk twice" in differences(desk, ACME, BOOKS)
    books = copy.deepcopy(BOOKS)
    books["trades"] = []
    assert "acme: trade t1 of BTCUSDT is on the desk and not at the exchange" in differences(a_desk(), ACME, books)


def test_an_order_that_is_still_in_doubt_is_named() -> None:
    desk = a_desk()
    doubtful = a_request(RequestKind.Cancel, RequestState.Unknown, request_id="c1-c1")
    desk.apply(ev.RequestMade(at=NOW, source="worker:acme", account=ACME, client_order_id=desk.fills[0].client_order_id, request=doubtful))  # fmt: skip
    assert "acme: order c1 still has an unknown request" in differences(desk, ACME, BOOKS)
