"""What the futures exchange remembers of its clients is bounded: the oldest goes, what is open stays, and it can be saved."""

import pytest
from futures_builders import T0, a_floor, algo, limit, market, trader
from test_futures_saved import again, answers

from tradedesk.paper.futures import state
from tradedesk.paper.futures.rows import Type
from tradedesk.paper.rows import Refusal

BTCUSDT = "BTCUSDT"
ACCOUNTS = (trader("acme"), trader("birch", "10000000"))


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "KEPT_ORDERS", 100)
    monkeypatch.setattr(state, "KEPT_INCOME", 100)


def test_the_oldest_orders_trades_and_algo_orders_are_forgotten_and_what_is_open_stays() -> None:
    floor = a_floor(*ACCOUNTS)
    floor.place("acme", limit("BUY", "0.1", "90", client_order_id="old-and-open"), T0)
    floor.place_algo("acme", algo(Type.STOP_MARKET, "SELL", "0.1", "80", client_algo_id="old-stop"), T0)
    for number in range(400):
        now = T0 + number
        floor.place("birch", limit("SELL", "0.1", "100"), now)
        floor.place("acme", market("BUY", "0.1"), now)
        floor.place("birch", limit("BUY", "0.1", "100"), now)
        floor.place("acme", market("SELL", "0.1"), now)
        gone = floor.place_algo("acme", algo(Type.STOP_MARKET, "SELL", "0.1", "80"), now)
        floor.cancel_algo("acme", now, algo_id=gone.algo_id)
        floor.drain()
    assert 80 <= len(floor.all_orders("acme", BTCUSDT, limit=1_000)) <= 101
    assert len(floor.user_trades("acme", BTCUSDT, limit=1_000)) <= 100
    assert len(floor.all_algo_orders("acme", BTCUSDT, limit=1_000)) <= 101
    assert [row.client_order_id for row in floor.open_orders("acme")] == ["old-and-open"]
    assert [row.client_algo_id for row in floor.open_algo_orders("acme")] == ["old-stop"]
    with pytest.raises(Refusal, match="Order does not exist"):
        floor.order("acme", BTCUSDT, client_order_id="never")
    restored = again(floor, accounts=ACCOUNTS)
    for name in ("acme", "birch"):
        assert answers(restored, name) == answers(floor, name)
