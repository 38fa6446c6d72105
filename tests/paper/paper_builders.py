"""Builders for the tests of the pure exchange: they name only what matters."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from tradedesk.paper.exchange import Exchange
from tradedesk.paper.market import Market, Quiet
from tradedesk.paper.rows import AccountSpec, Kind, NewOrder, Print, Spec
from tradedesk.paper.synthetic import default_specs
from tradedesk.recording.records import DepthUpdate, Record, Snapshot, TouchSeen, TradeSeen

T0 = 1_700_000_000_000_000_000  # ns
SECOND = 1_000_000_000
BTC = default_specs()[0]


def d(text: str | int) -> Decimal:
    return Decimal(text)


def an_account(name: str = "acme", *, maker: str = "0.001", taker: str = "0.001", **balances: str) -> AccountSpec:
    held = balances or {"USDT": "250000", "BTC": "2"}
    return AccountSpec(
        name=name, balances={asset: Decimal(q) for asset, q in held.items()}, maker=d(maker), taker=d(taker)
    )


def an_exchange(*accounts: AccountSpec, specs: list[Spec] | None = None, market: Market | None = None) -> Exchange:
    return Exchange(specs or [BTC], accounts or [an_account("acme"), an_account("birch")], market or Quiet(), now=T0)


def limit(side: str, qty: str, price: str, tif: str = "GTC", **more: Any) -> NewOrder:
    return NewOrder(
        symbol="BTCUSDT", side=side, kind=Kind.LIMIT, quantity=d(qty), price=d(price), time_in_force=tif, **more
    )


def market(side: str, qty: str | None = None, quote: str | None = None) -> NewOrder:
    return NewOrder(
        symbol="BTCUSDT",
        side=side,
        kind=Kind.MARKET,
        quantity=None if qty is None else d(qty),
        quote_quantity=None if quote is None else d(quote),
    )


def maker(side: str, qty: str, price: str) -> NewOrder:
    return NewOrder(symbol="BTCUSDT", side=side, kind=Kind.LIMIT_MAKER, quantity=d(qty), price=d(price))


def recorded(exchange: Exchange, symbol: str, *, start: int, seconds: float) -> Iterator[Record]:
    """What a recorder would write of a running exchange: snapshot, then trades, touches and a depth update per 100 ms."""
    depth = exchange.depth(symbol, 1_000_000)
    yield Snapshot(at=start, symbol=symbol, last_id=depth.last_update_id, bids=depth.bids, asks=depth.asks)
    exchange.take_book_delta(symbol)
    exchange.drain()
    now, update_at, seen = start, start + SECOND // 10, None
    while now < start + seconds * SECOND:
        now = min(exchange.next_due() or update_at, update_at)
        exchange.advance(now)
        for event in exchange.drain():
            if isinstance(event, Print) and event.symbol == symbol:
                yield TradeSeen(
                    symbol=symbol,
                    at=event.time,
                    trade_id=event.trade_id,
                    price=event.price,
                    quantity=event.quantity,
                    buyer_is_maker=event.buyer_is_maker,
                )
        t = exchange.book_ticker(symbol)
        if None not in (t.bid, t.ask) and (t.bid, t.bid_qty, t.ask, t.ask_qty) != seen:
            seen = (t.bid, t.bid_qty, t.ask, t.ask_qty)
            yield TouchSeen(
                symbol=symbol,
                at=now,
                update_id=t.update_id,
                bid=t.bid,
                bid_qty=t.bid_qty,
                ask=t.ask,
                ask_qty=t.ask_qty,
            )
        if now == update_at:
            update_at += SECOND // 10
            delta = exchange.take_book_delta(symbol)
            if delta is not None:
                yield DepthUpdate(
                    symbol=symbol,
                    at=now,
                    first_id=delta.first_update_id,
                    last_id=delta.last_update_id,
                    bids=delta.bids,
                    asks=delta.asks,
                )


def order(kind: Kind, side: str, qty: str, price: str | None = None, stop: str | None = None, **more: Any) -> NewOrder:
    """Any order; what has a limit price and is no maker is good till cancelled unless told."""
    if price is not None and kind is not Kind.LIMIT_MAKER:
        more.setdefault("time_in_force", "GTC")
    return NewOrder(
        symbol="BTCUSDT",
        side=side,
        kind=kind,
        quantity=d(qty),
        price=None if price is None else d(price),
        stop_price=None if stop is None else d(stop),
        **more,
    )


def trade_at(exchange: Exchange, price: str, now: int = T0, *, qty: str = "0.001", by: str = "birch") -> None:
    """Make `price` the last price: one account sells to itself. The book must be empty there."""
    exchange.place(by, limit("SELL", qty, price, stp_mode="NONE"), now)
    exchange.place(by, limit("BUY", qty, price, stp_mode="NONE"), now)
