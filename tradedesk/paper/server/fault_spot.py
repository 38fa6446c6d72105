"""What faults that act once do on the spot market: foreign orders and fills, busts, money, status, rules."""

from decimal import Decimal
from typing import Any

import msgspec

from tradedesk.paper.exchange import Exchange
from tradedesk.paper.faults import Fault
from tradedesk.paper.market import Traded
from tradedesk.paper.rows import Kind, NewOrder, OrderRow, Spec
from tradedesk.paper.server.render import Json, number

MOST_SERVED = 1_000  # clients before an order in the queue that are filled so that it is


def act(exchange: Exchange, fault: Fault, now: int) -> Json:
    """What came of it. Raises Refusal, or ValueError with a sentence."""
    terms = fault.terms
    match fault.kind:
        case "ext":
            return _ext(exchange, terms, now)
        case "bust":
            rows = exchange.bust(terms["instrument"], terms["trade_id"], now)
            return {"busted": [{"orderId": row.order_id, "tradeId": row.trade_id} for row in rows]}
        case "move":
            moved = exchange.move(
                _known(exchange, terms["account"]),
                terms["asset"],
                terms["amount"],
                terms["type"],
                now,
                reference=terms.get("reference", ""),
            )
            return {"movementId": moved.id, "asset": moved.asset, "amount": number(moved.amount)}
        case "status":
            exchange.set_status(exchange.spec(terms["instrument"]).symbol, terms["to"], now)
            return {"symbol": terms["instrument"], "status": terms["to"]}
        case "filter":
            spec = _changed(exchange.spec(terms["instrument"]), terms["set"])
            exchange.set_spec(spec, now)
            return {"symbol": spec.symbol}
        case _:
            raise ValueError(f"{fault.kind}: the spot market does not know it")


def _known(exchange: Exchange, account: str) -> str:
    try:
        exchange.account_spec(account)
    except KeyError:
        raise ValueError(f"account: there is no {account}") from None
    return account


def _ext(exchange: Exchange, terms: Any, now: int) -> Json:
    account, symbol = _known(exchange, terms["account"]), terms["instrument"]
    client_id, order_id = terms.get("client_order_id"), terms.get("order_id")
    match terms["what"]:
        case "order":
            price = terms.get("price")
            row = exchange.place(
                account,
                NewOrder(
                    symbol=symbol,
                    side=terms["side"],
                    kind=Kind.MARKET if price is None else Kind.LIMIT,
                    quantity=terms["quantity"],
                    price=price,
                    time_in_force=None if price is None else "GTC",
                    client_order_id=client_id,
                ),
                now,
            )
        case "cancel":
            row = exchange.cancel(account, symbol, now, order_id=order_id, client_order_id=client_id).order
        case _:
            row = exchange.order(account, symbol, order_id=order_id, client_order_id=client_id)
            row = _fill(exchange, row, terms.get("quantity"), now)
    return {
        "orderId": row.order_id,
        "clientOrderId": row.client_order_id,
        "status": str(row.status),
        "executedQty": number(row.executed_qty),
    }


def _fill(exchange: Exchange, row: OrderRow, quantity: Decimal | None, now: int) -> OrderRow:
    """Somebody takes the order where it stands; clients at its price or a better one who came earlier are served first."""
    spec = exchange.spec(row.symbol)
    leaves = row.orig_qty - row.executed_qty
    wanted = leaves if quantity is None else quantity
    if not row.is_working or row.price == 0:
        raise ValueError(f"order {row.order_id} is {row.status} and not on the book")
    if wanted > leaves or wanted % spec.lot:
        raise ValueError(f"quantity: must be a multiple of {spec.lot}, at most the {leaves} that are left")
    target, taker_buys = row.executed_qty + wanted, row.side == "SELL"
    beyond = int(row.price / spec.tick) + (1 if taker_buys else -1)  # so that clients at the order's price come first
    for _ in range(MOST_SERVED):
        if not row.is_working or row.executed_qty >= target:
            break
        lots = int((target - row.executed_qty) / spec.lot)
        exchange.perform(Traded(row.symbol, now, taker_buys, beyond, lots))
        row = exchange.order(row.account, row.symbol, order_id=row.order_id)
    return row


def _changed(spec: Spec, settings: dict[str, object]) -> Spec:
    unknown = sorted(
        set(settings) - set(Spec.__struct_fields__) | {"symbol", "base", "quote", "status"} & set(settings)
    )
    if unknown:
        raise ValueError(f"set: {unknown[0][:40]} is no rule that can change; use {', '.join(_RULES)}")
    try:
        return msgspec.convert(msgspec.to_builtins(spec) | settings, Spec, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(f"set: {error}") from None


_RULES = tuple(name for name in Spec.__struct_fields__ if name not in ("symbol", "base", "quote", "status"))
