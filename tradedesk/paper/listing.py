"""What the paper exchange lists: the demo's three instruments, then well-known pairs, then made-up ones.

Prices, ticks and lots are those of August 2024, as the venue published them or near; they need not be newer, since the
market that starts from them is a synthetic one.
"""

from decimal import Decimal
from functools import cache

from msgspec import Struct

from tradedesk.paper.rows import Spec

MOST_INSTRUMENTS = 1_000


class Asset(Struct, frozen=True, kw_only=True):
    """A base asset against USDT: what one costs at the start, and the grid of its pair."""

    base: str
    price: Decimal
    tick: Decimal
    lot: Decimal


# base, price, tick, lot; by activity, the busiest first
_KNOWN = """
BTC 61837.63 0.01 0.00001
ETH 2683.50 0.01 0.0001
SOL 163.20 0.01 0.001
BNB 518.3 0.1 0.001
XRP 0.5873 0.0001 1
DOGE 0.10410 0.00001 1
PEPE 0.00000776 0.00000001 1
ADA 0.3372 0.0001 0.1
AVAX 21.55 0.01 0.01
LINK 10.45 0.01 0.01
TRX 0.1266 0.0001 0.1
SHIB 0.00001376 0.00000001 1
SUI 0.9050 0.0001 0.1
DOT 4.570 0.001 0.01
LTC 59.80 0.01 0.001
BCH 348.5 0.1 0.001
WIF 1.660 0.001 0.01
NEAR 4.130 0.001 0.1
APT 6.15 0.01 0.01
UNI 6.020 0.001 0.01
ARB 0.5512 0.0001 0.1
OP 1.420 0.001 0.01
FIL 3.680 0.001 0.01
INJ 19.85 0.01 0.01
ETC 18.90 0.01 0.01
ICP 7.600 0.001 0.01
ATOM 4.710 0.001 0.01
POL 0.4123 0.0001 0.1
SEI 0.2830 0.0001 0.1
TIA 5.630 0.001 0.01
FET 0.861 0.001 0.1
ORDI 30.20 0.01 0.01
STX 1.520 0.001 0.1
WLD 1.720 0.001 0.1
AAVE 106.10 0.01 0.001
RUNE 3.900 0.001 0.1
FTM 0.3655 0.0001 1
LDO 1.050 0.001 0.01
JUP 0.8450 0.0001 0.1
GALA 0.01910 0.00001 1
XLM 0.0975 0.0001 1
MKR 2012 1 0.0001
ALGO 0.1250 0.0001 1
VET 0.02220 0.00001 0.1
GRT 0.1548 0.0001 1
SAND 0.2550 0.0001 1
MANA 0.2666 0.0001 1
AXS 4.87 0.01 0.01
EOS 0.4890 0.0001 0.1
CRV 0.2950 0.0001 0.1
DYDX 1.050 0.001 0.01
IMX 1.180 0.001 0.01
ENS 17.50 0.01 0.01
PYTH 0.2765 0.0001 0.1
THETA 1.270 0.001 0.1
COMP 43.90 0.01 0.001
ZEC 39.30 0.01 0.001
DASH 24.30 0.01 0.001
NEO 9.80 0.01 0.01
CHZ 0.05520 0.00001 1
KAVA 0.2910 0.0001 0.1
IOTA 0.1264 0.0001 0.1
"""
_MADE_UP = ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF", "GGG", "HHH")
_MADE_UP_GRIDS = (
    ("148.20", "0.01", "0.001"),
    ("31.75", "0.01", "0.01"),
    ("4.318", "0.001", "0.01"),
    ("0.8126", "0.0001", "0.1"),
    ("0.06241", "0.00001", "1"),
    ("1240.5", "0.1", "0.0001"),
    ("0.00003117", "0.00000001", "1"),
)  # price, tick, lot


@cache
def _all() -> tuple[Asset, ...]:
    rows = (line.split() for line in _KNOWN.strip().split("\n"))
    known = [Asset(base=b, price=Decimal(p), tick=Decimal(t), lot=Decimal(q)) for b, p, t, q in rows]
    return (*known, *(_made_up(number) for number in range(MOST_INSTRUMENTS - len(known))))


def _made_up(number: int) -> Asset:
    price, tick, lot = _MADE_UP_GRIDS[number % len(_MADE_UP_GRIDS)]
    base = f"{_MADE_UP[number % len(_MADE_UP)]}{number // len(_MADE_UP) + 1}"
    return Asset(base=base, price=Decimal(price), tick=Decimal(tick), lot=Decimal(lot))


@cache
def _ranks() -> dict[str, int]:
    return {f"{asset.base}USDT": number for number, asset in enumerate(_all())}


def rank(symbol: str) -> int | None:
    """The instrument's place by activity, 0 the busiest; None for one that is not listed here."""
    return _ranks().get(symbol)


def start_price(symbol: str) -> Decimal | None:
    """What one unit costs when a synthetic market opens; None for an instrument that is not listed here."""
    number = rank(symbol)
    return None if number is None else _all()[number].price


def default_specs(count: int = 3) -> list[Spec]:
    """Spot pairs with the filters the venue publishes for such ones (exchangeInfo of 2024-08); three for the demo."""
    if not 1 <= count <= MOST_INSTRUMENTS:
        raise ValueError(f"{count} instruments cannot be listed; choose 1 to {MOST_INSTRUMENTS}")
    return [_spot(asset) for asset in _all()[:count]]


def known_spec(symbol: str) -> Spec | None:
    """The listed pair of that symbol, if there is one."""
    number = rank(symbol)
    return None if number is None else _spot(_all()[number])


def _spot(asset: Asset) -> Spec:
    whole = {"BTC": ("9000", "100"), "ETH": ("9000", "2000"), "SOL": ("90000", "10000")}.get(asset.base)
    most, most_at_market = whole or (_whole(9_000_000 / asset.price), _whole(500_000 / asset.price))
    return Spec(
        symbol=f"{asset.base}USDT",
        base=asset.base,
        quote="USDT",
        tick=asset.tick,
        min_price=asset.tick,
        max_price=Decimal(1_000_000),
        lot=asset.lot,
        min_qty=asset.lot,
        max_qty=Decimal(most),
        max_market_qty=Decimal(most_at_market),
        min_notional=Decimal(5),
        max_notional=Decimal(9_000_000),
        bid_multiplier_up=Decimal(5),
        bid_multiplier_down=Decimal("0.2"),
        ask_multiplier_up=Decimal(5),
        ask_multiplier_down=Decimal("0.2"),
        max_orders=200,
    )


def _whole(quantity: Decimal) -> str:
    """A round number of about this size."""
    return f"{Decimal(f'{quantity:.0e}'):f}"
