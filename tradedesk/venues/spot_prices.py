"""What Binance spot allows and what each of our requests costs there, as its documentation lists it (2026-07-17)."""

from collections.abc import Callable, Mapping
from typing import Any

from tradedesk.venues.pools import SECOND_NS, Limit, Per, Price, Unit

_MINUTE = 60 * SECOND_NS
LIMITS = (
    Limit(per=Per.Exit, unit=Unit.Weight, most=6_000, window_ns=_MINUTE, header="x-mbx-used-weight-1m"),
    Limit(per=Per.Exit, unit=Unit.Requests, most=300_000, window_ns=5 * _MINUTE),
    Limit(per=Per.Exit, unit=Unit.Connections, most=300, window_ns=5 * _MINUTE),
    Limit(per=Per.Exit, unit=Unit.Wallet, most=12_000, window_ns=_MINUTE, header="x-sapi-used-ip-weight-1m"),
    Limit(per=Per.Uid, unit=Unit.WalletUid, most=180_000, window_ns=_MINUTE, header="x-sapi-used-uid-weight-1m"),
    Limit(per=Per.Uid, unit=Unit.Orders, most=100, window_ns=10 * SECOND_NS, header="x-mbx-order-count-10s"),
    Limit(per=Per.Uid, unit=Unit.Orders, most=200_000, window_ns=1_440 * _MINUTE, header="x-mbx-order-count-1d"),
)

_UNITS = {"REQUEST_WEIGHT": Unit.Weight, "RAW_REQUESTS": Unit.Requests, "ORDERS": Unit.Orders}
_SPANS = {"SECOND": SECOND_NS, "MINUTE": _MINUTE, "HOUR": 60 * _MINUTE, "DAY": 1_440 * _MINUTE}


def _asking(weight: int) -> Price:
    return {Unit.Weight: weight, Unit.Requests: 1}


_ORDER: Price = {
    Unit.Weight: 1,
    Unit.Requests: 1,
    Unit.Orders: 1,
}  # free on success since April 2026, listed all the same
_CANCEL = _asking(1)
_WALLET: Price = {Unit.Weight: 0, Unit.Wallet: 1, Unit.Requests: 1}
SOCKET: Price = {Unit.Weight: 0, Unit.Connections: 1}  # of market data
API_SOCKET: Price = {Unit.Weight: 4, Unit.Connections: 1}  # two for the handshake, two for the subscription
_DEPTHS = ((100, 5), (500, 25), (1_000, 50))


def _depth(parameters: Mapping[str, Any]) -> Price:
    levels = int(parameters.get("limit", 100))
    return _asking(next((weight for most, weight in _DEPTHS if levels <= most), 250))


_PRICES: Mapping[str, Price | Callable[[Mapping[str, Any]], Price]] = {
    "publicGetTime": _asking(1),
    "publicGetExchangeInfo": _asking(20),
    "publicGetDepth": _depth,
    "publicGetKlines": _asking(2),
    "privatePostOrder": _ORDER,
    "privatePostOrderCancelReplace": _ORDER,
    "privatePutOrderAmendKeepPriority": _asking(4),
    "privateDeleteOrder": _CANCEL,
    "privateGetOrder": _asking(4),
    "privateGetOpenOrders": lambda parameters: _asking(6 if parameters.get("symbol") else 80),
    "privateGetMyTrades": lambda parameters: _asking(5 if parameters.get("orderId") else 20),
    "privateGetAccount": _asking(20),
    "sapiGetCapitalDepositHisrec": _WALLET,
    "sapiGetCapitalWithdrawHistory": {Unit.Weight: 0, Unit.WalletUid: 18_000, Unit.Requests: 1},
    "sapiGetAssetTransfer": _WALLET,
    "sapiGetAccountApiRestrictions": _WALLET,
    "sapiGetAssetAssetDividend": {**_WALLET, Unit.Wallet: 10},
    "sapiGetMarginInterestHistory": _WALLET,
}


def price_of(method: str, parameters: Mapping[str, Any]) -> Price:
    """What one of ccxt's implicit methods costs. A KeyError is a request that nobody has priced: it must not leave."""
    price = _PRICES[method]
    return price(parameters) if callable(price) else price


def announced(row: Mapping[str, Any]) -> tuple[Unit, int, int] | None:
    """A row of rateLimits: what is counted, over how many ns, and the most; None for one we do not know."""
    unit, span = _UNITS.get(str(row.get("rateLimitType"))), _SPANS.get(str(row.get("interval")))
    number, most = row.get("intervalNum"), row.get("limit")
    if unit is None or span is None or not isinstance(number, int) or not isinstance(most, int) or most <= 0:
        return None
    return unit, span * number, most
