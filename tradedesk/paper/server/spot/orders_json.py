"""Spot orders, fills and accounts as the venue writes them in JSON, and the events of the user data stream."""

from decimal import Decimal

from tradedesk.paper.rows import (
    AccountChanged,
    AccountSpec,
    Cancelled,
    CancelReplaced,
    Execution,
    OrderRow,
    Refusal,
    Status,
    TradeRow,
)
from tradedesk.paper.server.render import ZERO, Json, error, number

# -- orders ---------------------------------------------------------------------------------------------------------------


def _order_body(row: OrderRow) -> Json:
    return {
        "price": number(row.price),
        "origQty": number(row.orig_qty),
        "executedQty": number(row.executed_qty),
        "origQuoteOrderQty": number(row.orig_quote_qty),
        "cummulativeQuoteQty": number(row.cumulative_quote),
        "status": row.status,
        "timeInForce": row.time_in_force,
        "type": row.kind,
        "side": row.side,
    }


def order(row: OrderRow, unit: int) -> Json:
    """As queries show it."""
    return {
        "symbol": row.symbol,
        "orderId": row.order_id,
        "orderListId": -1,
        "clientOrderId": row.client_order_id,
        **_order_body(row),
        "stopPrice": ZERO,
        "icebergQty": ZERO,
        "time": row.time // unit,
        "updateTime": row.update_time // unit,
        "isWorking": True,  # true for whatever was not held back, as at the venue, finished orders included
        "workingTime": _working(row, unit),
        "selfTradePreventionMode": row.stp_mode,
    }


def _working(row: OrderRow, unit: int) -> int:
    return -1 if row.working_time < 0 else row.working_time // unit


def placed(row: OrderRow, kind: str, unit: int) -> Json:
    """The answer to a new order; `kind` is ACK, RESULT or FULL."""
    answer: Json = {
        "symbol": row.symbol,
        "orderId": row.order_id,
        "orderListId": -1,
        "clientOrderId": row.client_order_id,
        "transactTime": row.update_time // unit,
    }
    if kind != "ACK":
        answer |= _order_body(row)
        answer["workingTime"] = _working(row, unit)
        if kind == "FULL":
            answer["fills"] = [
                {
                    "price": number(fill.price),
                    "qty": number(fill.quantity),
                    "commission": number(fill.commission),
                    "commissionAsset": fill.commission_asset,
                    "tradeId": fill.trade_id,
                }
                for fill in row.fills
            ]
        answer["selfTradePreventionMode"] = row.stp_mode
    return answer


def cancelled(done: Cancelled, unit: int) -> Json:
    row = done.order
    return {
        "symbol": row.symbol,
        "origClientOrderId": row.client_order_id,
        "orderId": row.order_id,
        "orderListId": -1,
        "clientOrderId": done.cancel_client_order_id,
        "transactTime": row.update_time // unit,
        **_order_body(row),
        "selfTradePreventionMode": row.stp_mode,
    }


def cancel_replaced(done: CancelReplaced, kind: str, unit: int) -> Json:
    """Both legs; a leg that failed shows its refusal, one that was not tried null."""
    cancel_failed = isinstance(done.cancel, Refusal)
    if done.new is None:
        new_result, new_answer = "NOT_ATTEMPTED", None
    elif isinstance(done.new, Refusal):
        new_result, new_answer = "FAILURE", error(done.new)
    else:
        new_result, new_answer = "SUCCESS", placed(done.new, kind, unit)
    return {
        "cancelResult": "FAILURE" if cancel_failed else "SUCCESS",
        "newOrderResult": new_result,
        "cancelResponse": error(done.cancel) if isinstance(done.cancel, Refusal) else cancelled(done.cancel, unit),
        "newOrderResponse": new_answer,
    }


def my_trade(row: TradeRow, unit: int) -> Json:
    return {
        "symbol": row.symbol,
        "id": row.trade_id,
        "orderId": row.order_id,
        "orderListId": -1,
        "price": number(row.price),
        "qty": number(row.quantity),
        "quoteQty": number(row.price * row.quantity),
        "commission": number(row.commission),
        "commissionAsset": row.commission_asset,
        "time": row.time // unit,
        "isBuyer": row.is_buyer,
        "isMaker": row.is_maker,
        "isBestMatch": True,
    }


# -- accounts -------------------------------------------------------------------------------------------------------------


def balances(held: dict[str, tuple[Decimal, Decimal]]) -> list[Json]:
    return [
        {"asset": asset, "free": number(free), "locked": number(locked)}
        for asset, (free, locked) in sorted(held.items())
    ]


def account(spec: AccountSpec, uid: int, held: dict[str, tuple[Decimal, Decimal]], now: int, unit: int) -> Json:
    return {
        "makerCommission": int(spec.maker * 10_000),  # hundredths of a percent
        "takerCommission": int(spec.taker * 10_000),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": _rates(spec),
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": now // unit,
        "accountType": "SPOT",
        "balances": balances(held),
        "permissions": ["SPOT"],
        "uid": uid,
    }


def _rates(spec: AccountSpec) -> Json:
    return {"maker": number(spec.maker), "taker": number(spec.taker), "buyer": ZERO, "seller": ZERO}


def commission(spec: AccountSpec, symbol: str) -> Json:
    none = {"maker": ZERO, "taker": ZERO, "buyer": ZERO, "seller": ZERO}
    return {
        "symbol": symbol,
        "standardCommission": _rates(spec),
        "specialCommission": none,
        "taxCommission": none,
        "discount": {
            "enabledForAccount": False,
            "enabledForSymbol": False,
            "discountAsset": "BNB",
            "discount": "0.75000000",
        },
    }


def tested(spec: AccountSpec) -> Json:
    """The answer to order/test that asked for commission rates."""
    return {
        "standardCommissionForOrder": {"maker": number(spec.maker), "taker": number(spec.taker)},
        "specialCommissionForOrder": {"maker": ZERO, "taker": ZERO},
        "taxCommissionForOrder": {"maker": ZERO, "taker": ZERO},
        "discount": {
            "enabledForAccount": False,
            "enabledForSymbol": False,
            "discountAsset": "BNB",
            "discount": "0.75000000",
        },
    }


# -- events of the user data stream ---------------------------------------------------------------------------------------


def execution_report(event: Execution, unit: int) -> Json:
    row, fill = event.row, event.fill
    is_cancel = event.what == "CANCELED"
    report: Json = {
        "e": "executionReport",
        "E": event.time // unit,
        "s": row.symbol,
        "c": event.cancel_client_order_id if is_cancel else row.client_order_id,
        "S": row.side,
        "o": row.kind,
        "f": row.time_in_force,
        "q": number(row.orig_qty),
        "p": number(row.price),
        "P": ZERO,
        "F": ZERO,
        "g": -1,
        "C": row.client_order_id if is_cancel else "",
        "x": event.what,
        "X": row.status,
        "r": "NONE",
        "i": row.order_id,
        "l": number(fill.quantity) if fill else ZERO,
        "z": number(row.executed_qty),
        "L": number(fill.price) if fill else ZERO,
        "n": number(fill.commission) if fill else "0",
        "N": fill.commission_asset if fill else None,
        "T": event.time // unit,
        "t": fill.trade_id if fill else -1,
        "I": event.execution_id,
        "w": row.is_working and row.status in (Status.NEW, Status.PARTIALLY_FILLED),
        "m": fill.is_maker if fill else False,
        "M": fill is not None,
        "O": row.time // unit,
        "Z": number(row.cumulative_quote),
        "Y": number(fill.price * fill.quantity) if fill else ZERO,
        "Q": number(row.orig_quote_qty),
        "V": row.stp_mode,
    }
    if row.working_time >= 0:
        report["W"] = row.working_time // unit
    if row.expiry_reason is not None:
        report["eR"] = row.expiry_reason
    return report


def account_position(event: AccountChanged, unit: int) -> Json:
    return {
        "e": "outboundAccountPosition",
        "E": event.time // unit,
        "u": event.time // unit,
        "B": [{"a": asset, "f": number(free), "l": number(locked)} for asset, (free, locked) in event.balances.items()],
    }
