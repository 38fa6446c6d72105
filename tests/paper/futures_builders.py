"""Builders for the tests of the futures engine: they name only what matters."""

from decimal import Decimal
from typing import Any

from tradedesk.paper.futures.contracts import Contract, default_contracts
from tradedesk.paper.futures.exchange import FuturesExchange
from tradedesk.paper.futures.rows import AccountSpec, AccountUpdate, FuturesEvent, NewAlgo, NewOrder, OrderChanged, Type
from tradedesk.paper.market import Market, Quiet

T0 = 1_700_000_000_000_000_000  # ns; funding is due 6,400 s later
SECOND = 1_000_000_000
BTC, ETH, SOL = default_contracts()


def d(text: str | int) -> Decimal:
    return Decimal(text)


def trader(name: str = "acme", usdt: str = "100000", *, maker: str = "0", taker: str = "0", **more: Any) -> AccountSpec:
    """Without commission unless asked for, so that figures are round."""
    return AccountSpec(name=name, balances={"USDT": d(usdt)}, maker=d(maker), taker=d(taker), **more)


def a_floor(
    *accounts: AccountSpec,
    index: str | None = "100",
    market: Market | None = None,
    contracts: list[Contract] | None = None,
    **more: Any,
) -> FuturesExchange:
    """BTC at an index of 100 unless told otherwise; acme and birch, rich, and nobody else."""
    price = None if index is None else d(index)
    return FuturesExchange(
        contracts or [cheap(BTC)],
        accounts or (trader("acme"), trader("birch", "10000000")),
        market or Quiet(),
        now=T0,
        index=lambda symbol, now: price,
        **more,
    )


def cheap(contract: Contract) -> Contract:
    """The contract where a price of 100 and an order of 0.1 are allowed."""
    import msgspec

    spec = msgspec.structs.replace(contract.spec, min_price=d("0.1"), min_notional=d(5))
    return msgspec.structs.replace(contract, spec=spec)


def limit(side: str, qty: str, price: str, tif: str = "GTC", **more: Any) -> NewOrder:
    return NewOrder(
        symbol=more.pop("symbol", "BTCUSDT"),
        side=side,
        type=Type.LIMIT,
        quantity=d(qty),
        price=d(price),
        time_in_force=tif,
        **more,
    )


def market(side: str, qty: str, **more: Any) -> NewOrder:
    return NewOrder(symbol=more.pop("symbol", "BTCUSDT"), side=side, type=Type.MARKET, quantity=d(qty), **more)


def stop(
    kind: Type, side: str, qty: str | None, trigger: str | None, price: str | None = None, **more: Any
) -> NewOrder:
    return NewOrder(
        symbol="BTCUSDT",
        side=side,
        type=kind,
        quantity=None if qty is None else d(qty),
        price=None if price is None else d(price),
        stop_price=None if trigger is None else d(trigger),
        time_in_force=None if price is None else "GTC",
        **more,
    )


def algo(kind: Type, side: str, qty: str | None, trigger: str | None, price: str | None = None, **more: Any) -> NewAlgo:
    return NewAlgo(
        symbol="BTCUSDT",
        side=side,
        type=kind,
        quantity=None if qty is None else d(qty),
        price=None if price is None else d(price),
        trigger_price=None if trigger is None else d(trigger),
        **more,
    )


def trade(exchange: FuturesExchange, buyer: str, seller: str, qty: str, price: str, now: int = T0, **more: Any) -> None:
    """The seller rests, the buyer takes."""
    exchange.place(seller, limit("SELL", qty, price, **more.get("seller_order", {})), now)
    exchange.place(buyer, limit("BUY", qty, price, **more.get("buyer_order", {})), now)


def position(exchange: FuturesExchange, name: str, side: str = "BOTH", symbol: str = "BTCUSDT", now: int = T0) -> Any:
    return next(p for p in exchange.positions(name, now, symbol) if p.position_side == side)


def wallet(exchange: FuturesExchange, name: str, now: int = T0) -> Any:
    return exchange.assets(name, now)[0]


def told(events: list[FuturesEvent], name: str) -> list[tuple[str, str]]:
    """(what, status) of each order event of an account."""
    return [(e.what, e.row.status.value) for e in events if isinstance(e, OrderChanged) and e.row.account == name]


def updates(events: list[FuturesEvent], name: str) -> list[AccountUpdate]:
    return [e for e in events if isinstance(e, AccountUpdate) and e.account == name]
