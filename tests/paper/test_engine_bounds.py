"""What the exchange remembers of its clients is bounded: the oldest goes, what is open stays, and what is told stays true."""

import msgspec
import pytest
from paper_builders import T0, an_account, an_exchange, d, limit, maker, market

from tradedesk.paper import orders
from tradedesk.paper.exchange import Exchange
from tradedesk.paper.market import Quiet
from tradedesk.paper.rows import Kind, NewOrder, Oco, Refusal
from tradedesk.paper.saved import Saved


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "MOST_ORDERS", 100)
    monkeypatch.setattr(orders, "MOST_ROWS", 100)


def busy(rounds: int) -> Exchange:
    """Orders that rest and are cancelled, trades, lists and movements; one order and one list stay open from the start."""
    exchange = an_exchange()
    exchange.place("acme", limit("BUY", "0.01", "50000", client_order_id="old-and-open"), T0)
    exchange.place_list("acme", a_pair("open-list"), T0)
    for number in range(rounds):
        now = T0 + number
        placed = exchange.place("acme", limit("BUY", "0.01", "50000", client_order_id=f"c{number}"), now)
        exchange.cancel("acme", "BTCUSDT", now, order_id=placed.order_id)
        exchange.place("birch", limit("SELL", "0.001", "60000"), now)
        exchange.place("acme", market("BUY", "0.001"), now)
        listed = exchange.place_list("acme", a_pair(f"l{number}"), now)
        exchange.cancel_list("acme", "BTCUSDT", now, order_list_id=listed.order_list_id)
        exchange.move("acme", "USDT", d(1), "DEPOSIT", now)
        exchange.drain()
    return exchange


def a_stop() -> NewOrder:
    return NewOrder(
        symbol="BTCUSDT",
        side="SELL",
        kind=Kind.STOP_LOSS_LIMIT,
        quantity=d("0.01"),
        price=d(49_000),
        stop_price=d(49_500),
        time_in_force="GTC",
    )


def a_pair(name: str) -> Oco:
    return Oco(above=maker("SELL", "0.01", "70000"), below=a_stop(), list_client_order_id=name)


def test_the_oldest_orders_trades_lists_and_movements_are_forgotten_and_what_is_open_stays() -> None:
    exchange = busy(300)
    kept = exchange.all_orders("acme", "BTCUSDT", order_id=0, limit=10_000)
    assert 80 <= len(kept) <= 102
    assert len(exchange._engine.orders) <= 102 + 100
    assert len(exchange.my_trades("acme", "BTCUSDT", from_id=0, limit=10_000)) <= 100
    assert len(exchange.movements("acme", limit=10_000)) <= 100
    assert len(exchange.order_lists("acme", limit=10_000)) <= 60
    open_ids = {row.client_order_id for row in exchange.open_orders("acme")}
    assert "old-and-open" in open_ids
    assert len(open_ids) == 3
    assert [row.list_client_order_id for row in exchange.open_order_lists("acme")] == ["open-list"]
    newest = kept[-1].order_id
    assert exchange.order("acme", "BTCUSDT", order_id=newest).order_id == newest
    with pytest.raises(Refusal, match="Order does not exist"):
        exchange.order("acme", "BTCUSDT", client_order_id="c0")
    assert exchange.cancel("acme", "BTCUSDT", T0 + 400, client_order_id="old-and-open").order.executed_qty == 0


def test_what_is_left_can_be_saved_and_begun_from() -> None:
    exchange = busy(150)
    saved = msgspec.msgpack.decode(msgspec.msgpack.encode(exchange.saved()), type=Saved)
    specs = [exchange.spec("BTCUSDT")]
    again = Exchange(specs, [an_account("acme"), an_account("birch")], Quiet(), now=T0 + 10**9, saved=saved)
    for name in ("acme", "birch"):
        assert again.all_orders(name, "BTCUSDT", order_id=0, limit=10_000) == exchange.all_orders(
            name, "BTCUSDT", order_id=0, limit=10_000
        )
        assert again.order_lists(name, limit=10_000) == exchange.order_lists(name, limit=10_000)
        assert again.balances(name) == exchange.balances(name)
