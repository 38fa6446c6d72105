"""USD-M orders, conditional orders and fills as the venue writes them in JSON, and their events on the user data stream."""

from decimal import Decimal

import msgspec

from tradedesk.paper.futures.rows import (
    AlgoChanged,
    AlgoRow,
    Amendment,
    ForceOrder,
    OrderChanged,
    OrderRow,
    Status,
    TradeRow,
    TriggerRejected,
    Type,
)
from tradedesk.paper.server.futures.digits import Digits, event_money, moment, money, plain
from tradedesk.paper.server.render import Json

# -- orders ---------------------------------------------------------------------------------------------------------------


def order(row: OrderRow, digits: Digits, unit: int) -> Json:
    """As queries show it."""
    answer: Json = {
        "orderId": row.order_id,
        "symbol": row.symbol,
        "status": row.status,
        "clientOrderId": row.client_order_id,
        "price": digits.price(row.price),
        "avgPrice": digits.average(row.avg_price),
        "origQty": digits.quantity(row.orig_qty),
        "executedQty": digits.quantity(row.executed_qty),
        "cumQuote": digits.quote(row.cum_quote),
        "timeInForce": row.time_in_force,
        "type": row.type,
        "reduceOnly": row.reduce_only,
        "closePosition": row.close_position,
        "side": row.side,
        "positionSide": row.position_side,
        "stopPrice": digits.price(row.stop_price),
        "workingType": row.working_type,
        "priceProtect": row.price_protect,
        "origType": row.orig_type,
        "priceMatch": row.price_match,
        "selfTradePreventionMode": row.stp_mode,
        "goodTillDate": moment(row.good_till_date, unit),
        "time": row.time // unit,
        "updateTime": moment(row.update_time, unit),
    }
    if row.orig_type is Type.TRAILING_STOP_MARKET:
        answer |= {"activatePrice": digits.price(row.activation_price), "priceRate": plain(row.callback_rate)}
    return answer


def placed(row: OrderRow, kind: str, digits: Digits, unit: int) -> Json:
    """The answer to a new, changed or cancelled order; an ACK tells nothing that happened after it was taken."""
    if kind == "ACK":
        row = msgspec.structs.replace(
            row, status=Status.NEW, executed_qty=Decimal(0), cum_quote=Decimal(0), avg_price=Decimal(0)
        )
    answer = order(row, digits, unit)
    del answer["time"]
    return answer | {"cumQty": digits.quantity(row.executed_qty)}


def user_trade(row: TradeRow, digits: Digits, unit: int) -> Json:
    return {
        "symbol": row.symbol,
        "id": row.trade_id,
        "orderId": row.order_id,
        "side": row.side,
        "price": digits.price(row.price),
        "qty": digits.quantity(row.quantity),
        "realizedPnl": money(row.realized_pnl),
        "quoteQty": digits.quote(row.quote_quantity),
        "commission": money(row.commission),
        "commissionAsset": row.commission_asset,
        "time": row.time // unit,
        "positionSide": row.position_side,
        "buyer": row.is_buyer,
        "maker": row.is_maker,
    }


def amendment(row: Amendment, digits: Digits, unit: int) -> Json:
    return {
        "amendmentId": row.amendment_id,
        "symbol": row.symbol,
        "pair": row.symbol,
        "orderId": row.order_id,
        "clientOrderId": row.client_order_id,
        "time": row.time // unit,
        "amendment": {
            "price": {"before": digits.price(row.price_before), "after": digits.price(row.price_after)},
            "origQty": {"before": digits.quantity(row.qty_before), "after": digits.quantity(row.qty_after)},
            "count": row.count,
        },
    }


# -- conditional orders ---------------------------------------------------------------------------------------------------


def algo_placed(row: AlgoRow, digits: Digits, unit: int) -> Json:
    """The answer to a new conditional order."""
    is_trailing = row.type is Type.TRAILING_STOP_MARKET
    return {
        "algoId": row.algo_id,
        "clientAlgoId": row.client_algo_id,
        "algoType": "CONDITIONAL",
        "orderType": row.type,
        "symbol": row.symbol,
        "side": row.side,
        "positionSide": row.position_side,
        "timeInForce": row.time_in_force,
        "quantity": digits.quantity(row.quantity),
        "algoStatus": row.status,
        "triggerPrice": digits.price(row.trigger_price),
        "price": digits.price(row.price),
        "icebergQuantity": None,
        "selfTradePreventionMode": row.stp_mode,
        "workingType": row.working_type,
        "priceMatch": row.price_match,
        "closePosition": row.close_position,
        "priceProtect": row.price_protect,
        "reduceOnly": row.reduce_only,
        "activatePrice": digits.price(row.activation_price) if is_trailing else "",
        "callbackRate": plain(row.callback_rate) if is_trailing else "",
        "createTime": row.time // unit,
        "updateTime": moment(row.update_time, unit),
        "triggerTime": moment(row.trigger_time, unit),
        "goodTillDate": moment(row.good_till_date, unit),
    }


def algo(row: AlgoRow, digits: Digits, unit: int) -> Json:
    """As queries show it: with what became of it."""
    return algo_placed(row, digits, unit) | {
        "actualOrderId": str(row.order_id) if row.order_id else "",
        "actualPrice": digits.average(row.avg_price),
        "actualQty": digits.quantity(row.executed_qty),
        "tpTriggerPrice": digits.price(Decimal(0)),
        "tpPrice": digits.price(Decimal(0)),
        "slTriggerPrice": digits.price(Decimal(0)),
        "slPrice": digits.price(Decimal(0)),
        "tpOrderType": "",
    }


def algo_cancelled(row: AlgoRow) -> Json:
    return {"algoId": row.algo_id, "clientAlgoId": row.client_algo_id, "code": "200", "msg": "success"}


# -- events of the user data stream ---------------------------------------------------------------------------------------


def order_trade_update(event: OrderChanged, digits: Digits, unit: int) -> Json:
    row, fill = event.row, event.fill
    told: Json = {
        "s": row.symbol,
        "c": row.client_order_id,
        "S": row.side,
        "o": row.type,
        "f": row.time_in_force,
        "q": digits.event_quantity(row.orig_qty),
        "p": digits.event_price(row.price),
        "ap": digits.average(row.avg_price) if row.avg_price else "0",
        "sp": digits.event_price(row.stop_price),
        "x": event.what,
        "X": row.status,
        "i": row.order_id,
        "l": digits.event_quantity(fill.quantity) if fill else "0",
        "z": digits.event_quantity(row.executed_qty),
        "L": digits.event_price(fill.price) if fill else "0",
    }
    if fill is not None:
        told |= {"n": money(fill.commission), "N": fill.commission_asset}
    told |= {
        "T": event.time // unit,
        "t": fill.trade_id if fill else 0,
        "b": event_money(row.bids_notional),
        "a": event_money(row.asks_notional),
        "m": fill.is_maker if fill else False,
        "R": row.reduce_only,
        "wt": row.working_type,
        "ot": row.orig_type,
        "ps": row.position_side,
        "cp": row.close_position,
    }
    if row.orig_type is Type.TRAILING_STOP_MARKET:
        told |= {"AP": digits.event_price(row.activation_price), "cr": plain(row.callback_rate)}
    told |= {
        "rp": event_money(fill.realized_pnl) if fill else "0",
        "pP": row.price_protect,
        "si": 0,
        "ss": 0,
        "V": row.stp_mode,
        "pm": row.price_match,
        "gtd": moment(row.good_till_date, unit),
        "er": str(row.expiry_reason),
    }
    return {"e": "ORDER_TRADE_UPDATE", "E": event.time // unit, "T": event.time // unit, "o": told}


def trade_lite(event: OrderChanged, fill: TradeRow, digits: Digits, unit: int) -> Json:
    """The short notice of a fill, sent before the long one."""
    row = event.row
    return {
        "e": "TRADE_LITE",
        "E": event.time // unit,
        "T": event.time // unit,
        "s": row.symbol,
        "q": digits.event_quantity(row.orig_qty),
        "p": digits.event_price(row.price),
        "m": fill.is_maker,
        "c": row.client_order_id,
        "S": row.side,
        "L": digits.price(fill.price),
        "l": digits.quantity(fill.quantity),
        "t": fill.trade_id,
        "i": row.order_id,
    }


def algo_update(event: AlgoChanged, digits: Digits, unit: int) -> Json:
    row = event.row
    told: Json = {
        "caid": row.client_algo_id,
        "aid": row.algo_id,
        "at": "CONDITIONAL",
        "o": row.type,
        "s": row.symbol,
        "S": row.side,
        "ps": row.position_side,
        "f": row.time_in_force,
        "q": digits.event_quantity(row.quantity),
        "X": row.status,
        "ai": str(row.order_id) if row.order_id else "",
    }
    if row.order_id:
        told |= {
            "ap": digits.average(row.avg_price) if row.avg_price else "0",
            "aq": digits.event_quantity(row.executed_qty),
            "act": row.order_type,
        }
    told |= {
        "tp": digits.event_price(row.trigger_price),
        "p": digits.event_price(row.price),
        "V": row.stp_mode,
        "wt": row.working_type,
        "pm": row.price_match,
        "cp": row.close_position,
        "pP": row.price_protect,
        "R": row.reduce_only,
        "tt": moment(row.trigger_time, unit),
        "gtd": moment(row.good_till_date, unit),
    }
    if row.reject_reason:
        told["rm"] = row.reject_reason
    return {"e": "ALGO_UPDATE", "T": event.time // unit, "E": event.time // unit, "o": told}


def trigger_reject(event: TriggerRejected, unit: int) -> Json:
    return {
        "e": "CONDITIONAL_ORDER_TRIGGER_REJECT",
        "E": event.time // unit,
        "T": event.time // unit,
        "or": {"s": event.symbol, "i": event.order_id, "r": event.reason},
    }


def force_order(event: ForceOrder, now: int, digits: Digits, unit: int) -> Json:
    """The public notice of a liquidation: nobody's name in it."""
    row = event.order
    return {
        "e": "forceOrder",
        "E": now // unit,
        "o": {
            "s": row.symbol,
            "S": row.side,
            "o": row.type,
            "f": row.time_in_force,
            "q": digits.quantity(row.orig_qty),
            "p": digits.price(row.price),
            "ap": digits.price(row.avg_price),
            "X": row.status,
            "l": digits.quantity(event.last_filled),
            "z": digits.quantity(row.executed_qty),
            "T": event.time // unit,
        },
    }
