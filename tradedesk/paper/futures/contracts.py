"""The perpetual contracts served: filters, precision, leverage brackets and the rules of their funding."""

from decimal import Decimal

from msgspec import Struct

from tradedesk.paper.rows import Spec

HOUR = 3_600_000_000_000  # ns


class Bracket(Struct, frozen=True, kw_only=True):
    """One notional bracket: above `floor` up to and including `cap`, in the margin asset."""

    number: int  # from 1
    max_leverage: int
    floor: Decimal
    cap: Decimal
    maint_ratio: Decimal
    cum: Decimal  # maintenance margin = notional x maint_ratio - cum


class Contract(Struct, frozen=True, kw_only=True):
    """One perpetual contract, margined in its quote asset."""

    spec: (
        Spec  # tick, lot, quantities; `min_notional` is MIN_NOTIONAL's `notional`, `max_orders` MAX_NUM_ORDERS' `limit`
    )
    price_precision: int
    quantity_precision: int
    multiplier_up: Decimal  # PERCENT_PRICE, against the mark price
    multiplier_down: Decimal
    brackets: tuple[Bracket, ...]  # by notional
    liquidation_fee: Decimal = Decimal("0.0125")  # of the notional closed
    market_take_bound: Decimal = Decimal("0.05")  # how far from the mark a market order trades
    trigger_protect: Decimal = Decimal("0.05")  # priceProtect: most difference of last and mark
    max_algo_orders: int = 200
    funding_interval: int = 8 * HOUR  # ns
    funding_cap: Decimal = Decimal("0.02")
    interest_rate: Decimal = Decimal("0.0001")  # per 8 hours
    onboard_date: int = 1_569_398_400_000_000_000  # ns

    @property
    def symbol(self) -> str:
        return self.spec.symbol

    @property
    def margin_asset(self) -> str:
        return self.spec.quote


def brackets(*rows: tuple[int, int, str]) -> tuple[Bracket, ...]:
    """From (most leverage, cap, maintenance ratio), lowest first; floor and cum follow, so that the margin never jumps."""
    made: list[Bracket] = []
    floor, ratio, cum = Decimal(0), Decimal(0), Decimal(0)
    for number, (leverage, cap, text) in enumerate(rows, 1):
        if number > 1:
            cum += floor * (Decimal(text) - ratio)
        ratio = Decimal(text)
        made.append(
            Bracket(number=number, max_leverage=leverage, floor=floor, cap=Decimal(cap), maint_ratio=ratio, cum=cum)
        )
        floor = Decimal(cap)
    return tuple(made)


def default_contracts() -> list[Contract]:
    """With the filters and brackets the venue published for them (exchangeInfo and leverageBracket of 2024)."""
    million = 1_000_000
    return [
        _contract(
            "BTC",
            tick="0.10", lot="0.001", price_precision=2, quantity_precision=3, prices=("556.80", "4529764"),
            max_qty="1000", max_market_qty="120", min_notional="100",
            rows=brackets(
                (125, 50_000, "0.004"), (100, 600_000, "0.005"), (75, 3 * million, "0.0065"), (50, 12 * million, "0.01"),
                (25, 70 * million, "0.02"), (20, 100 * million, "0.025"), (10, 230 * million, "0.05"),
                (5, 480 * million, "0.1"), (4, 600 * million, "0.125"), (3, 800 * million, "0.15"),
                (2, 1_200 * million, "0.25"), (1, 1_800 * million, "0.5"),
            ),
        ),
        _contract(
            "ETH",
            tick="0.01", lot="0.001", price_precision=2, quantity_precision=3, prices=("39.86", "306177"),
            max_qty="10000", max_market_qty="2000", min_notional="20",
            rows=brackets(
                (125, 50_000, "0.004"), (100, 600_000, "0.005"), (75, 3 * million, "0.0065"), (50, 12 * million, "0.01"),
                (25, 50 * million, "0.02"), (20, 65 * million, "0.025"), (10, 150 * million, "0.05"),
                (5, 320 * million, "0.1"), (4, 400 * million, "0.125"), (3, 530 * million, "0.15"),
                (2, 800 * million, "0.25"), (1, 1_200 * million, "0.5"),
            ),
        ),
        _contract(
            "SOL",
            tick="0.0100", lot="1", price_precision=4, quantity_precision=0, prices=("0.4200", "6857"),
            max_qty="1000000", max_market_qty="5000", min_notional="5",
            rows=brackets(
                (100, 20_000, "0.005"), (75, 100_000, "0.0065"), (50, 800_000, "0.01"), (25, 4 * million, "0.02"),
                (20, 8 * million, "0.025"), (10, 40 * million, "0.05"), (5, 80 * million, "0.1"),
                (4, 100 * million, "0.125"), (2, 200 * million, "0.25"), (1, 400 * million, "0.5"),
            ),
        ),
    ]  # fmt: skip


def _contract(
    base: str,
    *,
    tick: str,
    lot: str,
    price_precision: int,
    quantity_precision: int,
    prices: tuple[str, str],
    max_qty: str,
    max_market_qty: str,
    min_notional: str,
    rows: tuple[Bracket, ...],
) -> Contract:
    up, down = Decimal("1.05"), Decimal("0.95")
    return Contract(
        spec=Spec(
            symbol=f"{base}USDT",
            base=base,
            quote="USDT",
            tick=Decimal(tick),
            min_price=Decimal(prices[0]),
            max_price=Decimal(prices[1]),
            lot=Decimal(lot),
            min_qty=Decimal(lot),
            max_qty=Decimal(max_qty),
            max_market_qty=Decimal(max_market_qty),
            min_notional=Decimal(min_notional),
            max_notional=Decimal(0),
            bid_multiplier_up=up,
            bid_multiplier_down=down,
            ask_multiplier_up=up,
            ask_multiplier_down=down,
            max_orders=200,
        ),
        price_precision=price_precision,
        quantity_precision=quantity_precision,
        multiplier_up=up,
        multiplier_down=down,
        brackets=rows,
    )
