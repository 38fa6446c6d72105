"""Whether a futures order is well formed and passes its contract's filters: the checks that need no account and no book.

Codes and texts are the venue's (USD-M error page of 2026). Every check raises Refusal.
"""

import re
from decimal import Decimal

from tradedesk.paper.futures.contracts import Contract
from tradedesk.paper.futures.rows import NewAlgo, NewOrder, Type
from tradedesk.paper.ledger import from_units, to_units
from tradedesk.paper.rows import Refusal

_CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}", re.ASCII)
GTE = "GTE_GTC"  # conditional orders only: as long as there is a position
TIMES_IN_FORCE = ("GTC", "IOC", "FOK", "GTX", "GTD")
PRICE_MATCHES = {  # -> (looks at the other side of the book, level from 1)
    "OPPONENT": (True, 1), "OPPONENT_5": (True, 5), "OPPONENT_10": (True, 10), "OPPONENT_20": (True, 20),
    "QUEUE": (False, 1), "QUEUE_5": (False, 5), "QUEUE_10": (False, 10), "QUEUE_20": (False, 20),
}  # fmt: skip
STP_MODES = ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH")
GOOD_TILL_AT_LEAST = 600_000_000_000  # ns from now
GOOD_TILL_AT_MOST = 253_402_300_799_000_000_000  # ns, the end of the year 9999
CALLBACK = (Decimal("0.1"), Decimal(10))  # percent


def missing(name: str) -> Refusal:
    return Refusal(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def not_required(name: str) -> Refusal:
    return Refusal(-1106, f"Parameter '{name}' sent when not required.")


def check_client_id(client_id: str | None, name: str = "newClientOrderId") -> None:
    if client_id is None:
        return
    if len(client_id) > 36:
        raise Refusal(-4015, "Client order id length should not be more than 36 chars")
    if not _CLIENT_ID.fullmatch(client_id):
        raise Refusal(
            -1100,
            f"Illegal characters found in parameter '{name}'; legal range is '^[\\.A-Z\\:/a-z0-9_-]{{1,36}}$'.",
        )


def check_parameters(order: NewOrder, now: int) -> None:
    """Which parameters an order of its type must and must not have."""
    if order.side not in ("BUY", "SELL"):
        raise Refusal(-1117, "Invalid side.")
    if order.position_side not in ("BOTH", "LONG", "SHORT"):
        raise Refusal(-4060, "Invalid position side.")
    check_client_id(order.client_order_id)
    kind = order.type
    limits = kind.placed_as is Type.LIMIT
    if order.time_in_force is None and kind is Type.LIMIT:
        raise missing("timeInForce")
    if order.time_in_force is not None:
        if kind is Type.MARKET:
            raise not_required("timeInForce")
        if order.time_in_force not in TIMES_IN_FORCE and not (kind.is_conditional and order.time_in_force == GTE):
            raise Refusal(-1115, "Invalid timeInForce.")
    _check_good_till(order, now)
    _check_close_position(order)
    if order.quantity is None and not order.close_position:
        raise missing("quantity")
    if limits:
        _check_price_match(order)
    elif order.price is not None:
        raise not_required("price")
    elif order.price_match != "NONE":
        raise Refusal(-5038, "Price match only supports order type: LIMIT, STOP AND TAKE_PROFIT")
    if order.stp_mode not in STP_MODES:
        raise Refusal(-5039, "Invalid self trade prevention mode")
    if order.working_type not in ("CONTRACT_PRICE", "MARK_PRICE"):
        raise Refusal(-1130, "Data sent for parameter 'workingType' is not valid.")
    _check_trigger(order)


def _check_good_till(order: NewOrder, now: int) -> None:
    if order.time_in_force != "GTD":
        if order.good_till_date:
            raise not_required("goodTillDate")
        return
    if order.good_till_date is None:
        raise missing("goodTillDate")
    if not now + GOOD_TILL_AT_LEAST < order.good_till_date < GOOD_TILL_AT_MOST:
        raise Refusal(
            -5040,
            "The goodTillDate timestamp must be greater than the current time plus 600 seconds "
            "and smaller than 253402300799000",
        )


def _check_close_position(order: NewOrder) -> None:
    if not order.close_position:
        return
    if order.type not in (Type.STOP_MARKET, Type.TAKE_PROFIT_MARKET):
        raise Refusal(-4136, f"Target strategy invalid for orderType {order.type.value},closePosition true")
    if order.quantity is not None:
        raise not_required("quantity")
    if order.reduce_only is not None:
        raise not_required("reduceOnly")


def _check_price_match(order: NewOrder) -> None:
    if order.price_match == "NONE":
        if order.price is None:
            raise missing("price")
        return
    if order.price_match not in PRICE_MATCHES:
        raise Refusal(-5037, "Invalid price match")
    if order.price is not None:
        raise not_required("price")


def _check_trigger(order: NewOrder) -> None:
    if order.type is Type.TRAILING_STOP_MARKET:
        if order.stop_price is not None:
            raise not_required("stopPrice")
        if order.callback_rate is None:
            raise missing("callbackRate")
        if not CALLBACK[0] <= order.callback_rate <= CALLBACK[1] or order.callback_rate % CALLBACK[0]:
            raise Refusal(-1130, "Data sent for parameter 'callbackRate' is not valid.")
        return
    if order.callback_rate is not None:
        raise not_required("callbackRate")
    if order.activation_price is not None:
        raise not_required("activationPrice")
    if order.type.is_conditional and order.stop_price is None:
        raise missing("stopPrice")
    if not order.type.is_conditional and order.stop_price is not None:
        raise not_required("stopPrice")


def ticks(contract: Contract, price: Decimal | None) -> int:
    """A price in whole ticks, 0 for none."""
    if price is None:
        return 0
    if price <= 0:
        raise Refusal(-4001, "Price less than 0.")
    spec = contract.spec
    if spec.max_price and price > spec.max_price:
        raise Refusal(-4002, "Price greater than max price.")
    _check_precision(price, contract.price_precision)
    if price < spec.min_price:
        raise Refusal(-4013, "Price less than min price.")
    whole, rest = divmod(price, spec.tick)
    if rest:
        raise Refusal(-4014, "Price not increased by tick size.")
    return int(whole)


def lots(contract: Contract, quantity: Decimal | None, *, is_market: bool) -> int:
    """A quantity in whole lots, 0 for none."""
    if quantity is None:
        return 0
    if quantity <= 0:
        raise Refusal(-4003, "Quantity less than or equal to zero.")
    spec = contract.spec
    if quantity > (spec.max_market_qty if is_market else spec.max_qty):
        raise Refusal(-4005, "Quantity greater than max quantity.")
    _check_precision(quantity, contract.quantity_precision)
    if quantity < spec.min_qty:
        raise Refusal(-4004, "Quantity less than min quantity.")
    whole, rest = divmod(quantity, spec.lot)
    if rest:
        raise Refusal(-4023, "Quantity not increased by step size.")
    return int(whole)


def check_percent_price(contract: Contract, price: int, *, is_buy: bool, mark: int) -> None:
    """`price` and `mark` in units. A buy may not be far above the mark, a sale not far below; no mark, no check."""
    if not mark:
        return
    factor = contract.multiplier_up if is_buy else contract.multiplier_down
    bound = (from_units(mark) * factor).quantize(Decimal(1).scaleb(-contract.price_precision))
    if is_buy and from_units(price) > bound:
        raise Refusal(-4016, f"Limit price can't be higher than {bound}.")
    if not is_buy and from_units(price) < bound:
        raise Refusal(-4024, f"Limit price can't be lower than {bound}.")


def check_notional(contract: Contract, notional: int) -> None:
    least = contract.spec.min_notional
    if from_units(notional) < least:
        raise Refusal(-4164, f"Order's notional must be no smaller than {least} (unless you choose reduce only).")


def as_order(algo: NewAlgo) -> NewOrder:
    """The order an algo order would have been before there were algo orders; its checks are the same."""
    return NewOrder(
        symbol=algo.symbol,
        side=algo.side,
        type=algo.type,
        quantity=algo.quantity,
        price=algo.price,
        time_in_force=algo.time_in_force,
        position_side=algo.position_side,
        reduce_only=algo.reduce_only,
        close_position=algo.close_position,
        stop_price=algo.trigger_price,
        activation_price=algo.activation_price,
        callback_rate=algo.callback_rate,
        working_type=algo.working_type,
        price_protect=algo.price_protect,
        price_match=algo.price_match,
        stp_mode=algo.stp_mode,
        good_till_date=algo.good_till_date,
        client_order_id=algo.client_algo_id,
    )


def _check_precision(value: Decimal, decimals: int) -> None:
    if to_units(value) is None or value != round(value, decimals):
        raise Refusal(-1111, "Precision is over the maximum defined for this asset.")
