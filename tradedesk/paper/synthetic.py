"""The synthetic market: seeded order flow for several instruments, fitted to a recording of the real venue."""

from decimal import Decimal

from tradedesk.paper.rows import Spec


def default_specs() -> list[Spec]:
    """The instruments of the demo, with the filters the venue publishes for them (exchangeInfo of 2024-08)."""
    return [
        _spec("BTC", "USDT", lot="0.00001", max_qty="9000", max_market_qty="100"),
        _spec("ETH", "USDT", lot="0.0001", max_qty="9000", max_market_qty="2000"),
        _spec("SOL", "USDT", lot="0.001", max_qty="90000", max_market_qty="10000"),
    ]


def _spec(base: str, quote: str, *, lot: str, max_qty: str, max_market_qty: str) -> Spec:
    return Spec(
        symbol=base + quote,
        base=base,
        quote=quote,
        tick=Decimal("0.01"),
        min_price=Decimal("0.01"),
        max_price=Decimal(1_000_000),
        lot=Decimal(lot),
        min_qty=Decimal(lot),
        max_qty=Decimal(max_qty),
        max_market_qty=Decimal(max_market_qty),
        min_notional=Decimal(5),
        max_notional=Decimal(9_000_000),
        bid_multiplier_up=Decimal(5),
        bid_multiplier_down=Decimal("0.2"),
        ask_multiplier_up=Decimal(5),
        ask_multiplier_down=Decimal("0.2"),
        max_orders=200,
    )
