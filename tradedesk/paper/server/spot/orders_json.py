"""Spot orders, order lists, fills and accounts as the venue writes them in JSON."""

from collections.abc import Sequence
from decimal import Decimal

from tradedesk.paper.rows import (
    AccountSpec,
    Amended,
    Amendment,
    Cancelled,
    CancelReplaced,
    Kind,
    ListCancelled,
    ListRow,
    OrderRow,
    PreventedMatch,
    Refusal,
    TradeRow,
)
from tradedesk.paper.server.render import ZERO, Json, error, number

_TRIGGERED = (Kind.STOP_LOSS, Kind.STOP_LOSS_LIMIT, Kind.TAKE_PROFIT, Kind.TAKE_PROFIT_LIMIT)

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


def _conditional(row: OrderRow, unit: int) -> Json:
    """What only some orders have, in every answer that shows one."""
    fields: Json = {}
    if row.kind in _TRIGGERED:
        fields["stopPrice"] = number(row.stop_price)
    if row.trailing_delta is not None:
        fields["trailingDelta"] = row.trailing_delta
        fields["trailingTime"] = -1 if row.trailing_time is None else row.trailing_time // unit
    if row.iceberg_qty:
        fields["icebergQty"] = number(row.iceberg_qty)
    if row.prevented_match_id is not None:
        fields["preventedMatchId"] = row.prevented_match_id
        fields["preventedQuantity"] = number(row.prevented_quantity)
    if row.strategy_id is not None:
        fields["strategyId"] = row.strategy_id
    if row.strategy_type is not None:
        fields["strategyType"] = row.strategy_type
    if row.expiry_reason is not None:
        fields["expiryReason"] = row.expiry_reason
    return fields


def _working(row: OrderRow, unit: int) -> int:
    return -1 if row.working_time < 0 else row.working_time // unit


def order(row: OrderRow, unit: int) -> Json:
    """As queries show it."""
    return {
        "symbol": row.symbol,
        "orderId": row.order_id,
        "orderListId": row.order_list_id,
        "clientOrderId": row.client_order_id,
        **_order_body(row),
        "stopPrice": ZERO,
        "icebergQty": ZERO,
        "time": row.time // unit,
        "updateTime": row.update_time // unit,
        "isWorking": row.working_time >= 0,  # stays true when the order is finished, as at the venue
        "workingTime": _working(row, unit),
        **_conditional(row, unit),
        "selfTradePreventionMode": row.stp_mode,
    }


def placed(row: OrderRow, kind: str, unit: int, prevented: Sequence[PreventedMatch] = ()) -> Json:
    """The answer to a new order; `kind` is ACK, RESULT or FULL, which tells the matches that were `prevented` at once."""
    answer: Json = {
        "symbol": row.symbol,
        "orderId": row.order_id,
        "orderListId": row.order_list_id,
        "clientOrderId": row.client_order_id,
        "transactTime": row.update_time // unit,
    }
    if kind == "ACK":
        return answer
    answer.update(_order_body(row))
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
        if prevented:
            answer["preventedMatches"] = [_prevented_at_once(each) for each in prevented]
    answer.update(_conditional(row, unit))
    answer["selfTradePreventionMode"] = row.stp_mode
    return answer


def _prevented_at_once(row: PreventedMatch) -> Json:
    return {
        "preventedMatchId": row.match_id,
        "makerSymbol": row.symbol,
        "makerOrderId": row.maker_order_id,
        "price": number(row.price),
        **_prevented_quantities(row),
    }


def cancelled(done: Cancelled, unit: int) -> Json:
    """One order, or the whole list that it took with it."""
    return _cancelled_order(done, unit) if done.order_list is None else cancelled_list(done.order_list, unit)


def _cancelled_order(done: Cancelled, unit: int) -> Json:
    row = done.order
    return {
        "symbol": row.symbol,
        "origClientOrderId": row.client_order_id,
        "orderId": row.order_id,
        "orderListId": row.order_list_id,
        "clientOrderId": done.cancel_client_order_id,
        "transactTime": row.update_time // unit,
        **_order_body(row),
        **_conditional(row, unit),
        "selfTradePreventionMode": row.stp_mode,
    }


def all_cancelled(done: list[Cancelled], unit: int) -> list[Json]:
    """Each order once, each list once however many of its legs there are."""
    reports: list[Json] = []
    shown: set[int] = set()
    for each in done:
        if each.order_list is not None:
            list_id = each.order_list.row.order_list_id
            if list_id in shown:
                continue
            shown.add(list_id)
        reports.append(cancelled(each, unit))
    return reports


def cancel_replaced(done: CancelReplaced, kind: str, unit: int, prevented: Sequence[PreventedMatch] = ()) -> Json:
    """Both legs; a leg that failed shows its refusal, one that was not tried null."""
    cancel_failed = isinstance(done.cancel, Refusal)
    if done.new is None:
        new_result, new_answer = "NOT_ATTEMPTED", None
    elif isinstance(done.new, Refusal):
        new_result, new_answer = "FAILURE", error(done.new)
    else:
        new_result, new_answer = "SUCCESS", placed(done.new, kind, unit, prevented)
    return {
        "cancelResult": "FAILURE" if cancel_failed else "SUCCESS",
        "newOrderResult": new_result,
        "cancelResponse": error(done.cancel) if isinstance(done.cancel, Refusal) else cancelled(done.cancel, unit),
        "newOrderResponse": new_answer,
    }


def amended(done: Amended, unit: int) -> Json:
    row = done.order
    answer: Json = {
        "transactTime": done.amendment.time // unit,
        "executionId": done.amendment.execution_id,
        "amendedOrder": {
            "symbol": row.symbol,
            "orderId": row.order_id,
            "orderListId": row.order_list_id,
            "origClientOrderId": done.amendment.orig_client_order_id,
            "clientOrderId": row.client_order_id,
            "price": number(row.price),
            "qty": number(row.orig_qty),
            "executedQty": number(row.executed_qty),
            "preventedQty": number(row.prevented_quantity),
            "quoteOrderQty": number(row.orig_quote_qty),
            "cumulativeQuoteQty": number(row.cumulative_quote),
            "status": row.status,
            "timeInForce": row.time_in_force,
            "type": row.kind,
            "side": row.side,
            "workingTime": _working(row, unit),
            **_conditional(row, unit),
            "selfTradePreventionMode": row.stp_mode,
        },
    }
    if done.order_list is not None:
        shown = order_list(done.order_list, unit)
        del shown["listStatusType"], shown["transactionTime"]
        answer["listStatus"] = shown
    return answer


def amendment(row: Amendment, unit: int) -> Json:
    return {
        "symbol": row.symbol,
        "orderId": row.order_id,
        "executionId": row.execution_id,
        "origClientOrderId": row.orig_client_order_id,
        "newClientOrderId": row.new_client_order_id,
        "origQty": number(row.orig_qty),
        "newQty": number(row.new_qty),
        "time": row.time // unit,
    }


# -- order lists ----------------------------------------------------------------------------------------------------------


def order_list(row: ListRow, unit: int) -> Json:
    """As queries show it."""
    return {
        "orderListId": row.order_list_id,
        "contingencyType": row.contingency_type,
        "listStatusType": row.list_status_type,
        "listOrderStatus": row.list_order_status,
        "listClientOrderId": row.list_client_order_id,
        "transactionTime": row.transaction_time // unit,
        "symbol": row.symbol,
        "orders": [
            {"symbol": leg.symbol, "orderId": leg.order_id, "clientOrderId": leg.client_order_id} for leg in row.orders
        ],
    }


def placed_list(row: ListRow, kind: str, unit: int) -> Json:
    return order_list(row, unit) | {"orderReports": [placed(leg, kind, unit) for leg in row.orders]}


def cancelled_list(done: ListCancelled, unit: int) -> Json:
    return order_list(done.row, unit) | {"orderReports": [_cancelled_order(leg, unit) for leg in done.orders]}


# -- trades ---------------------------------------------------------------------------------------------------------------


def my_trade(row: TradeRow, unit: int) -> Json:
    return {
        "symbol": row.symbol,
        "id": row.trade_id,
        "orderId": row.order_id,
        "orderListId": row.order_list_id,
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


def prevented_match(row: PreventedMatch, unit: int) -> Json:
    return {
        "symbol": row.symbol,
        "preventedMatchId": row.match_id,
        "takerOrderId": row.taker_order_id,
        "makerSymbol": row.symbol,
        "makerOrderId": row.maker_order_id,
        "tradeGroupId": row.trade_group_id,
        "selfTradePreventionMode": row.stp_mode,
        "price": number(row.price),
        **_prevented_quantities(row),
        "transactTime": row.time // unit,
    }


def _prevented_quantities(row: PreventedMatch) -> Json:
    """Of each order that lost some."""
    lost = {"takerPreventedQuantity": row.taker_prevented_qty, "makerPreventedQuantity": row.maker_prevented_qty}
    return {name: number(quantity) for name, quantity in lost.items() if quantity}


# -- accounts -------------------------------------------------------------------------------------------------------------


def balances(held: dict[str, tuple[Decimal, Decimal]]) -> list[Json]:
    return [
        {"asset": asset, "free": number(free), "locked": number(locked)}
        for asset, (free, locked) in sorted(held.items())
    ]


def account(spec: AccountSpec, uid: int, held: dict[str, tuple[Decimal, Decimal]], updated: int, unit: int) -> Json:
    """`updated` is when a balance last changed, ns."""
    return {
        "makerCommission": int(spec.maker * 10_000),  # hundredths of a percent
        "takerCommission": int(spec.taker * 10_000),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": _rates(spec),
        "canTrade": True,
        "canWithdraw": True,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": updated // unit,
        "accountType": "SPOT",
        "balances": balances(held),
        "permissions": ["SPOT"],
        "uid": uid,
    }


def _rates(spec: AccountSpec) -> Json:
    return {"maker": number(spec.maker), "taker": number(spec.taker), "buyer": ZERO, "seller": ZERO}


def _discount(spec: AccountSpec) -> Json:
    return {
        "enabledForAccount": spec.pays_bnb,
        "enabledForSymbol": True,
        "discountAsset": "BNB",
        "discount": "0.75000000",  # what is left of the commission
    }


def commission(spec: AccountSpec, symbol: str) -> Json:
    none = {"maker": ZERO, "taker": ZERO, "buyer": ZERO, "seller": ZERO}
    return {
        "symbol": symbol,
        "standardCommission": _rates(spec),
        "specialCommission": none,
        "taxCommission": none,
        "discount": _discount(spec),
    }


def tested(spec: AccountSpec) -> Json:
    """The answer to order/test that asked for commission rates."""
    none = {"maker": ZERO, "taker": ZERO}
    return {
        "standardCommissionForOrder": {"maker": number(spec.maker), "taker": number(spec.taker)},
        "specialCommissionForOrder": none,
        "taxCommissionForOrder": none,
        "discount": _discount(spec),
    }
