"""What faults that act once do on the USD-M market: foreign orders and fills, money, funding, a mark price."""

from decimal import Decimal
from typing import Any

from tradedesk.paper.faults import Fault
from tradedesk.paper.futures.exchange import FuturesExchange
from tradedesk.paper.futures.rows import NewOrder, OrderRow, Status, Type
from tradedesk.paper.market import Traded
from tradedesk.paper.server.fault_spot import MOST_SERVED
from tradedesk.paper.server.render import Json


def act(exchange: FuturesExchange, fault: Fault, now: int) -> Json:
    """What came of it. Raises Refusal, or ValueError with a sentence."""
    terms = fault.terms
    match fault.kind:
        case "ext":
            return _ext(exchange, terms, now)
        case "move":
            account = _known(exchange, terms["account"])
            moved = exchange.transfer(account, terms["asset"], terms["amount"], now, reason=terms["type"])
            return {"movementId": moved, "asset": terms["asset"], "amount": str(terms["amount"])}
        case "funding":
            if "rate" in terms:
                exchange.set_funding_rate(terms["instrument"], terms["rate"])
            paid = exchange.fund_now(terms["instrument"], now)
            return {"symbol": paid.symbol, "fundingRate": str(paid.rate), "markPrice": str(paid.mark)}
        case "mark":
            exchange.set_mark_price(terms["instrument"], terms["price"], now)
            return {"symbol": terms["instrument"], "markPrice": str(terms["price"])}
        case _:
            raise ValueError(f"{fault.kind}: the futures market does not know it")


def _known(exchange: FuturesExchange, account: str) -> str:
    try:
        exchange.account_spec(account)
    except KeyError:
        raise ValueError(f"account: there is no {account} on futures") from None
    return account


def _ext(exchange: FuturesExchange, terms: Any, now: int) -> Json:
    account, symbol = _known(exchange, terms["account"]), terms["instrument"]
    if terms["what"] == "order":
        row = exchange.place(account, _order(terms), now)
    elif terms["what"] == "cancel":
        row = exchange.cancel(
            account, symbol, now, order_id=terms.get("order_id"), client_order_id=terms.get("client_order_id")
        )
    else:
        row = exchange.open_order(
            account, symbol, order_id=terms.get("order_id"), client_order_id=terms.get("client_order_id")
        )
        row = _fill(exchange, row, terms.get("quantity"), now)
    return {"orderId": row.order_id, "clientOrderId": row.client_order_id, "status": str(row.status)}


def _fill(exchange: FuturesExchange, row: OrderRow, quantity: Decimal | None, now: int) -> OrderRow:
    """Somebody takes the order where it stands; clients at its price or a better one who came earlier are served first."""
    spec = exchange.contract(row.symbol).spec
    leaves = row.orig_qty - row.executed_qty
    wanted = leaves if quantity is None else quantity
    if row.price == 0 or wanted > leaves or wanted % spec.lot:
        raise ValueError(f"quantity: must be a multiple of {spec.lot}, at most the {leaves} left of a limit order")
    target, taker_buys = row.executed_qty + wanted, row.side == "SELL"
    beyond = int(row.price / spec.tick) + (1 if taker_buys else -1)  # so that clients at the order's price come first
    for _ in range(MOST_SERVED):
        if row.executed_qty >= target or row.status not in (Status.NEW, Status.PARTIALLY_FILLED):
            break
        lots = int((target - row.executed_qty) / spec.lot)
        exchange.perform(Traded(row.symbol, now, taker_buys, beyond, lots))
        row = exchange.order(row.account, row.symbol, order_id=row.order_id)
    return row


def _order(terms: Any) -> NewOrder:
    price = terms.get("price")
    return NewOrder(
        symbol=terms["instrument"],
        side=terms["side"],
        type=Type.MARKET if price is None else Type.LIMIT,
        quantity=terms["quantity"],
        price=price,
        time_in_force=None if price is None else "GTC",
        client_order_id=terms.get("client_order_id"),
    )
