"""The events of the spot user data stream as the venue writes them: orders, order lists, balances."""

from tradedesk.paper.rows import AccountChanged, BalanceMoved, Execution, ListChanged, PreventedMatch, Status
from tradedesk.paper.server.render import ZERO, Json, number

_OPEN = (Status.NEW, Status.PARTIALLY_FILLED)
_REJECT_REASONS = {  # the refusal's text -> the venue's word for it; what is absent has none
    "Account has insufficient balance for requested action.": "INSUFFICIENT_BALANCES",
    "Order would trigger immediately.": "STOP_PRICE_WOULD_TRIGGER_IMMEDIATELY",
    "Order would immediately match and take.": "WOULD_MATCH_IMMEDIATELY",
}


def execution_report(event: Execution, unit: int) -> Json:
    row, fill = event.row, event.fill
    was_rejected = event.what == "REJECTED"
    name, before = row.client_order_id, ""
    if event.what == "CANCELED":  # the cancel's own id stands first
        name, before = event.cancel_client_order_id, row.client_order_id
    elif event.what == "REPLACED":
        before = event.orig_client_order_id
    report: Json = {
        "e": "executionReport",
        "E": event.time // unit,
        "s": row.symbol,
        "c": name,
        "S": row.side,
        "o": row.kind,
        "f": row.time_in_force,
        "q": number(row.orig_qty),
        "p": number(row.price),
        "P": number(row.stop_price),
        "F": number(row.iceberg_qty),
        "g": row.order_list_id,
        "C": before,
        "x": event.what,
        "X": row.status,
        "r": _REJECT_REASONS.get(row.expiry_reason or "", "NONE") if was_rejected else "NONE",
        "i": row.order_id,
        "l": number(fill.quantity) if fill else ZERO,
        "z": number(row.executed_qty),
        "L": number(fill.price) if fill else ZERO,
        "n": number(fill.commission) if fill else "0",
        "N": fill.commission_asset if fill else None,
        "T": event.time // unit,
        "t": fill.trade_id if fill else -1,
        "I": event.execution_id,
        "w": row.is_working and row.status in _OPEN,
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
    if row.trailing_delta is not None:
        report["d"] = row.trailing_delta
        if row.trailing_time is not None:
            report["D"] = row.trailing_time // unit
    if row.strategy_id is not None:
        report["j"] = row.strategy_id
    if row.strategy_type is not None:
        report["J"] = row.strategy_type
    if event.prevention is not None:
        report |= _prevention(event, event.prevention)
    if row.expiry_reason is not None and not was_rejected:
        report["eR"] = row.expiry_reason
    return report


def _prevention(event: Execution, match: PreventedMatch) -> Json:
    """The trade that self-trade prevention stopped."""
    lost = [quantity for quantity in (match.taker_prevented_qty, match.maker_prevented_qty) if quantity]
    would_have_traded = min(lost, default=event.last_prevented_qty)
    return {
        "v": match.match_id,
        "A": number(event.row.prevented_quantity),
        "B": number(event.last_prevented_qty),
        "u": match.trade_group_id,
        "U": event.counter_order_id,
        "Cs": match.symbol,
        "pl": number(would_have_traded),
        "pL": number(match.price),
        "pY": number(match.price * would_have_traded),
    }


def account_position(event: AccountChanged, unit: int) -> Json:
    return {
        "e": "outboundAccountPosition",
        "E": event.time // unit,
        "u": event.time // unit,
        "B": [{"a": asset, "f": number(free), "l": number(locked)} for asset, (free, locked) in event.balances.items()],
    }


def balance_update(event: BalanceMoved, unit: int) -> Json:
    movement = event.movement
    return {
        "e": "balanceUpdate",
        "E": movement.time // unit,
        "a": movement.asset,
        "d": number(movement.amount),
        "T": movement.time // unit,
    }


def list_status(event: ListChanged, unit: int) -> Json:
    row = event.row
    return {
        "e": "listStatus",
        "E": event.time // unit,
        "s": row.symbol,
        "g": row.order_list_id,
        "c": row.contingency_type,
        "l": row.list_status_type,
        "L": row.list_order_status,
        "r": "NONE",
        "C": row.list_client_order_id,
        "T": row.transaction_time // unit,
        "O": [{"s": leg.symbol, "i": leg.order_id, "c": leg.client_order_id} for leg in row.orders],
    }
