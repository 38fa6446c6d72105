"""Binance spot in our words and ours in its: parameters out, answers and events in. Pure; refuses what it cannot read.

Prices, quantities and amounts are strings both ways (5.10). Sources: rest-api.md and user-data-stream.md of
binance-spot-api-docs as of 2026-07-17. Every function that reads raises Unreadable for anything but the documented form.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from tradedesk.domain.instruments import Instrument
from tradedesk.domain.money import Money, is_multiple, parse_decimal, plain
from tradedesk.domain.orders import Fill, Order, OrdStatus, could_be_its_qty
from tradedesk.domain.outcomes import BalanceReport, OrderReport
from tradedesk.domain.positions import Balance
from tradedesk.domain.profile import SELF_TRADE_MODES
from tradedesk.domain.text import clean, unmistakable
from tradedesk.domain.words import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    OrderType,
    Side,
    TimeInForce,
    VenueId,
    VenueOrderId,
)

NS_PER_MS = 1_000_000
_LAST_MS = 9_223_372_036_854  # in the year 2262; what lies beyond is no 64 bits of nanoseconds

_ORD_STATUS = {
    "NEW": OrdStatus.New,
    "PENDING_NEW": OrdStatus.New,
    "PARTIALLY_FILLED": OrdStatus.PartiallyFilled,
    "FILLED": OrdStatus.Filled,
    "CANCELED": OrdStatus.Canceled,
    "REJECTED": OrdStatus.Rejected,
    "EXPIRED": OrdStatus.Expired,
    "EXPIRED_IN_MATCH": OrdStatus.Expired,
}
_SIDE = {"BUY": Side.Buy, "SELL": Side.Sell}
_TIME_IN_FORCE = {
    TimeInForce.GoodTillCancel: "GTC",
    TimeInForce.ImmediateOrCancel: "IOC",
    TimeInForce.FillOrKill: "FOK",
}
_SELF_TRADE = "self-trade prevention"


class Unreadable(ValueError):
    """What the venue said is not in the documented form. The text names the field, never its content."""


# ---- reading one field --------------------------------------------------------------------------------------------------


def row_of(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable(f"{what} is not an object")
    return value


def rows_of(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise Unreadable(f"{what} is not a list")
    return value


def text_field(row: Mapping[str, Any], name: str, limit: int = 100) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value:
        raise Unreadable(f"{name} is missing or no text")
    shown = clean(value, limit)
    if not shown:
        raise Unreadable(f"{name} has no letter that can be shown")
    return shown


def name_field(row: Mapping[str, Any], name: str) -> str:
    """The name of an asset or symbol; one that only looks like another's is shown by its codes."""
    return unmistakable(text_field(row, name, 40))


def integer_field(row: Mapping[str, Any], name: str) -> int:
    value = row.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Unreadable(f"{name} is missing or no integer")
    return value


def decimal_field(row: Mapping[str, Any], name: str) -> Decimal:
    return decimal_of(row.get(name), name)


def decimal_of(value: Any, name: str) -> Decimal:
    if not isinstance(value, str):  # documented in quotes: another form is another venue
        raise Unreadable(f"{name} is missing or no decimal in quotes")
    try:
        return parse_decimal(value, name)
    except ValueError:
        pass
    raise Unreadable(f"{name} is not a plain decimal")


def time_field(row: Mapping[str, Any], name: str) -> int:
    """A time in ms of the venue, as ns."""
    value = integer_field(row, name)
    if not 0 <= value <= _LAST_MS:
        raise Unreadable(f"{name} is no time")
    return value * NS_PER_MS


def _digits_after_the_point(row: Mapping[str, Any], name: str) -> Decimal:
    """The step that so many decimals make."""
    places = integer_field(row, name)
    if not 0 <= places <= 18:
        raise Unreadable(f"{name} is no number of decimals")
    return Decimal(1).scaleb(-places)


def _side(row: Mapping[str, Any], name: str) -> Side:
    side = _SIDE.get(text_field(row, name))
    if side is None:
        raise Unreadable(f"{name} is neither BUY nor SELL")
    return side


def _status(row: Mapping[str, Any], name: str) -> OrdStatus:
    status = _ORD_STATUS.get(text_field(row, name))
    if status is None:
        raise Unreadable(f"{name} is an order status we do not know")
    return status


def instrument_id(venue: VenueId, venue_symbol: str) -> InstrumentId:
    return InstrumentId(f"{venue}:{venue_symbol}")


# ---- an order on its way out --------------------------------------------------------------------------------------------


def why_not_sendable(order: Order, instrument: Instrument) -> str | None:
    """Why this order's numbers cannot go out exactly as they are; None if they can (5.10, F84)."""
    if order.order_qty <= 0 or not is_multiple(order.order_qty, instrument.lot):
        return (
            f"quantity {plain(order.order_qty)} is not a multiple of the lot {plain(instrument.lot)}; it was not sent"
        )
    if order.order_type is OrderType.Market:
        return None if order.price is None else "a market order carries no price; it was not sent"
    if order.price is None or order.price <= 0:
        return "a limit order needs a price above 0; it was not sent"
    if not is_multiple(order.price, instrument.tick):
        return f"price {plain(order.price)} is not a multiple of the tick {plain(instrument.tick)}; it was not sent"
    return None


def new_order_parameters(order: Order, instrument: Instrument) -> dict[str, str]:
    """POST /api/v3/order. `FULL` so that fills come with the answer."""
    parameters = {
        "symbol": instrument.venue_symbol,
        "side": order.side.value.upper(),
        "type": "LIMIT_MAKER" if order.post_only else order.order_type.value.upper(),
        "quantity": plain(order.order_qty),
        "newClientOrderId": order.client_order_id,
        "newOrderRespType": "FULL",
    }
    if order.price is not None:
        parameters["price"] = plain(order.price)
    if parameters["type"] == "LIMIT":
        parameters["timeInForce"] = _TIME_IN_FORCE[order.time_in_force]
    return parameters


def amend_parameters(order: Order, instrument: Instrument) -> dict[str, str]:
    """PUT /api/v3/order/amend/keepPriority: less quantity, the same place in line.

    The present client id is sent as the new one: without it the venue would make one up (F24).
    """
    return {
        "symbol": instrument.venue_symbol,
        "origClientOrderId": str(order.venue_client_id),
        "newClientOrderId": str(order.venue_client_id),
        "newQty": plain(order.order_qty),
    }


def replace_parameters(order: Order, replaced: Order, instrument: Instrument) -> dict[str, str]:
    """POST /api/v3/order/cancelReplace. If the cancel fails, nothing is placed.

    An order that had traded nothing is cancelled only if that still holds: a fill that comes in between would else stand
    beside the new order's full quantity (F46). For an order filled in part the venue has no such condition.
    """
    parameters = new_order_parameters(order, instrument) | {
        "cancelReplaceMode": "STOP_ON_FAILURE",
        "cancelOrigClientOrderId": str(replaced.venue_client_id),
    }
    if not replaced.cum_qty:
        parameters["cancelRestrictions"] = "ONLY_NEW"
    return parameters


def wire_difference(body: str | None, order: Order, instrument: Instrument, *, is_amend: bool = False) -> str | None:
    """How the signed body that is about to leave differs from the order it was made for; None if it does not."""
    pairs = parse_qsl(body or "", keep_blank_values=True)
    sent = dict(pairs)
    if len(sent) != len(pairs):
        return "a parameter stands twice in the request; it was not sent"
    expected: Mapping[str, str | None]
    expected = (
        amend_parameters(order, instrument)
        if is_amend
        else {
            "symbol": instrument.venue_symbol,
            "side": order.side.value.upper(),
            "quantity": plain(order.order_qty),
            "price": None if order.price is None else plain(order.price),
            "newClientOrderId": str(order.client_order_id),
        }
    )
    for name, value in expected.items():
        if sent.get(name) != value:
            return f"the request does not carry the order's own {name}; it was not sent"
    return None


# ---- answers ------------------------------------------------------------------------------------------------------------


def contradiction(report: OrderReport, order: Order) -> str | None:
    """What in an answer shows that it is about another order than the one asked about (F04); None if nothing does."""
    checks = (
        ("client order id", report.renamed_from or report.client_order_id, order.venue_client_id),
        ("instrument", report.instrument, order.instrument),
        ("side", report.side, order.side),
        ("price", report.price, order.price),
        ("order id", report.venue_order_id, order.venue_order_id),
    )
    if report.order_qty is not None and not could_be_its_qty(order, report.order_qty, report.venue_order_id):
        return "the answer is about another order: its quantity differs"
    for what, said, ours in checks:
        if said is not None and ours is not None and said != ours:
            return f"the answer is about another order: its {what} differs"
    return None


def read_order(row: Any, venue: VenueId, *, is_cancel: bool = False) -> OrderReport:
    """An order in an answer of REST. Of a cancel's answer the order's own id is `origClientOrderId`.

    An answer of nothing but ids says no status.
    """
    row = row_of(row, "the order")
    quantity = decimal_field(row, "origQty") if "origQty" in row else None
    price = decimal_field(row, "price") if "price" in row else None
    status = text_field(row, "status") if "status" in row else None
    times = [name for name in ("transactTime", "updateTime", "time") if name in row]
    return OrderReport(
        client_order_id=ClientOrderId(text_field(row, "origClientOrderId" if is_cancel else "clientOrderId")),
        venue_order_id=VenueOrderId(str(integer_field(row, "orderId"))),
        instrument=instrument_id(venue, name_field(row, "symbol")),
        side=_side(row, "side") if "side" in row else None,
        order_qty=quantity,
        price=price or None,  # market orders show 0
        ord_status=None if status is None else _status(row, "status"),
        cum_qty=decimal_field(row, "executedQty") if "executedQty" in row else None,
        transact_time=time_field(row, times[0]) if times else 0,
        reason=_SELF_TRADE if status == "EXPIRED_IN_MATCH" else None,
    )


def archived(order: Order) -> OrderReport:
    """What -2026 proves: it was cancelled or expired without a fill, over 90 days ago."""
    return OrderReport(
        client_order_id=order.venue_client_id,
        venue_order_id=order.venue_order_id or VenueOrderId(""),
        instrument=order.instrument,
        side=order.side,
        order_qty=None,
        price=None,
        ord_status=OrdStatus.Canceled,
        cum_qty=Decimal(0),
        transact_time=0,
        reason="ended unfilled over 90 days ago, and archived by the venue",
    )


def read_amended(answer: Any, venue: VenueId) -> OrderReport:
    """The answer to an amend. Under another client id than the one it had, it names both (F24)."""
    answer = row_of(answer, "the answer")
    row = row_of(answer.get("amendedOrder"), "amendedOrder")
    named = {"clientOrderId": row.get("clientOrderId", row.get("origClientOrderId"))}
    size = {"origQty": row["qty"]} if "qty" in row else {}
    times = {"transactTime": answer["transactTime"]} if "transactTime" in answer else {}
    report = read_order({**row, **named, **size, **times}, venue)
    if "origClientOrderId" not in row:
        return report
    return _told_renamed(report, text_field(row, "origClientOrderId"))


def _told_renamed(report: OrderReport, before: str) -> OrderReport:
    if before == report.client_order_id:
        return report
    return msgspec.structs.replace(report, renamed_from=ClientOrderId(before))


def read_answer_fills(row: Any, order: Order) -> tuple[Fill, ...]:
    """The fills that came with the answer to a new order: it took, so it is the taker in each."""
    row = row_of(row, "the order")
    fills = []
    for item in rows_of(row.get("fills", []), "fills"):
        fill = row_of(item, "a fill")
        fills.append(
            Fill(
                account=order.account,
                client_order_id=order.client_order_id,
                venue_order_id=VenueOrderId(str(integer_field(row, "orderId"))),
                instrument=order.instrument,
                trade_id=str(integer_field(fill, "tradeId")),
                side=order.side,
                last_qty=_positive(fill, "qty"),
                last_px=decimal_field(fill, "price"),
                fee=Money(decimal_field(fill, "commission"), name_field(fill, "commissionAsset")),
                is_maker=False,
                transact_time=time_field(row, "transactTime"),
            )
        )
    return tuple(fills)


def _positive(row: Mapping[str, Any], name: str) -> Decimal:
    value = decimal_field(row, name)
    if value <= 0:
        raise Unreadable(f"{name} is not above 0")
    return value


def read_trade(row: Any, venue: VenueId, account: AccountId, client_order_id: ClientOrderId) -> Fill:
    """A row of myTrades, which does not name the client order id."""
    row = row_of(row, "a trade")
    return Fill(
        account=account,
        client_order_id=client_order_id,
        venue_order_id=VenueOrderId(str(integer_field(row, "orderId"))),
        instrument=instrument_id(venue, name_field(row, "symbol")),
        trade_id=str(integer_field(row, "id")),
        side=Side.Buy if row.get("isBuyer") is True else Side.Sell,
        last_qty=_positive(row, "qty"),
        last_px=decimal_field(row, "price"),
        fee=Money(decimal_field(row, "commission"), name_field(row, "commissionAsset")),
        is_maker=row.get("isMaker") is True,
        transact_time=time_field(row, "time"),
    )


def read_balances(answer: Any) -> tuple[Balance, ...]:
    """GET /api/v3/account. An answer without the list is no answer, not an empty account (F04)."""
    return tuple(
        Balance(asset=name_field(row, "asset"), free=decimal_field(row, "free"), locked=decimal_field(row, "locked"))
        for row in (
            row_of(item, "a balance") for item in rows_of(row_of(answer, "the account").get("balances"), "balances")
        )
    )


def read_instrument(row: Any, venue: VenueId) -> Instrument:
    """A symbol of exchangeInfo. Where a filter is absent or 0 it does not restrict."""
    row = row_of(row, "a symbol")
    filters = {
        text_field(item, "filterType"): item
        for item in (row_of(entry, "a filter") for entry in rows_of(row.get("filters"), "filters"))
    }
    price, lot = filters.get("PRICE_FILTER", {}), filters.get("LOT_SIZE", {})
    notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {}
    tick, step = _or_zero(price, "tickSize"), _or_zero(lot, "stepSize")
    symbol, base, quote = (
        name_field(row, "symbol"),
        name_field(row, "baseAsset"),
        name_field(row, "quoteAsset"),
    )
    return Instrument(
        id=instrument_id(venue, symbol),
        venue=venue,
        venue_symbol=symbol,
        symbol=f"{base}/{quote}",
        base=base,
        quote=quote,
        tick=tick or _digits_after_the_point(row, "quotePrecision"),
        lot=step or _digits_after_the_point(row, "baseAssetPrecision"),
        min_qty=_or_zero(lot, "minQty"),
        max_qty=_or_zero(lot, "maxQty") or Decimal(10**12),
        min_notional=_or_zero(notional, "minNotional"),
        max_notional=_or_zero(notional, "maxNotional") or None,
        can_shrink=row.get("amendAllowed") is True,
        is_trading=row.get("status") == "TRADING",
        self_trade=_self_trade(row),
    )


def _self_trade(row: Mapping[str, Any]) -> str:
    """What becomes of an order that names no prevention of its own, in the words of domain.profile; empty: not told."""
    mode = row.get("defaultSelfTradePreventionMode")
    word = mode.lower().replace("_", "-") if isinstance(mode, str) else ""
    return word if word in SELF_TRADE_MODES else ""


def _or_zero(row: Mapping[str, Any], name: str) -> Decimal:
    value = decimal_field(row, name) if name in row else Decimal(0)
    if value < 0:
        raise Unreadable(f"{name} is below 0")
    return abs(value)


# ---- the private stream -------------------------------------------------------------------------------------------------


def read_execution_report(event: Mapping[str, Any], venue: VenueId, account: AccountId) -> OrderReport:
    """An executionReport. In that of a cancel `c` is the cancel's id and `C` the order's; of an amend, `C` its id before."""
    kind = text_field(event, "x")
    original = event.get("C")
    has_original = isinstance(original, str) and original not in ("", "null")
    is_named_by_original = kind == "CANCELED" and has_original
    client_order_id = ClientOrderId(text_field(event, "C" if is_named_by_original else "c"))
    venue_order_id = VenueOrderId(str(integer_field(event, "i")))
    instrument = instrument_id(venue, name_field(event, "s"))
    side, at = _side(event, "S"), time_field(event, "T")
    fill = None
    if kind == "TRADE":
        asset = event.get("N")
        fill = Fill(
            account=account,
            client_order_id=client_order_id,
            venue_order_id=venue_order_id,
            instrument=instrument,
            trade_id=str(integer_field(event, "t")),
            side=side,
            last_qty=_positive(event, "l"),
            last_px=decimal_field(event, "L"),
            fee=Money(decimal_field(event, "n"), name_field(event, "N")) if isinstance(asset, str) and asset else None,
            is_maker=event.get("m") is True,
            transact_time=at,
        )
    report = OrderReport(
        client_order_id=client_order_id,
        venue_order_id=venue_order_id,
        instrument=instrument,
        side=side,
        order_qty=decimal_field(event, "q"),
        price=decimal_field(event, "p") or None,
        ord_status=_status(event, "X"),
        cum_qty=decimal_field(event, "z"),
        transact_time=at,
        fill=fill,
        reason=_reason(event, kind),
    )
    return _told_renamed(report, text_field(event, "C")) if kind == "REPLACED" and has_original else report


def _reason(event: Mapping[str, Any], kind: str) -> str | None:
    if kind == "TRADE_PREVENTION" or event.get("X") == "EXPIRED_IN_MATCH":
        return _SELF_TRADE
    for name in ("r", "eR"):  # why it was rejected; why it expired
        value = event.get(name)
        if isinstance(value, str) and value not in ("", "NONE"):
            return clean(value.replace("_", " ").lower())
    return None


def read_account_position(event: Mapping[str, Any]) -> BalanceReport:
    """An outboundAccountPosition: only assets that may have changed."""
    return BalanceReport(
        balances=tuple(
            Balance(asset=name_field(row, "a"), free=decimal_field(row, "f"), locked=decimal_field(row, "l"))
            for row in (row_of(item, "a balance") for item in rows_of(event.get("B"), "B"))
        ),
        at=time_field(event, "E"),
    )
