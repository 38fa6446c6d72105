"""What a ticket means: the typed fields, what is wrong with them, the legs and commands they become. Pure, no Textual."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import ParamSpec, TypeVar

import msgspec
from msgspec import Struct

from tradedesk.domain.commands import AmendOrder, PlaceOrder
from tradedesk.domain.instruments import FeedState, Instrument
from tradedesk.domain.limits import effective
from tradedesk.domain.money import floor_to_lot, is_multiple, parse_decimal, plain
from tradedesk.domain.orders import Order
from tradedesk.domain.words import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    OperatorId,
    OrderType,
    Side,
    TimeInForce,
)
from tradedesk.ui.names import accounts_named, instrument_named
from tradedesk.views.replica import MarketRow, Replica

P = ParamSpec("P")
T = TypeVar("T")

DEADLINE_NS = 5_000_000_000  # an order not on the wire by then is not what the operator saw when they pressed F2
REPEAT_NS = 10_000_000_000  # the same order within this asks again
NEAR = Decimal("0.8")  # of a limit, from which it is called out before sending
ROOM = Decimal("0.99")  # of a limit in quote units that a market order is cut to
FAR_BPS = Decimal(100)  # from the touch, in the direction that pays: worth a word before sending


class Field(StrEnum):
    """The fields of a ticket, in the order the cursor visits them."""

    Accounts = "accounts"
    Side = "side"
    Type = "type"
    Instrument = "instrument"
    Qty = "qty"
    Price = "price"
    Tif = "tif"
    Post = "post"
    Reduce = "reduce"


class Fields(Struct, frozen=True, kw_only=True):
    """A ticket as typed. Text stays as it was typed, wrong or not."""

    accounts: str = ""
    instrument: str = ""
    side: Side = Side.Buy
    order_type: OrderType = OrderType.Limit
    qty: str = ""
    price: str = ""
    time_in_force: TimeInForce = TimeInForce.GoodTillCancel
    post_only: bool = False
    reduce_only: bool = False


class Leg(Struct, frozen=True, kw_only=True):
    """One account's part of a ticket."""

    account: AccountId
    instrument: Instrument
    order_qty: Decimal  # a multiple of the lot
    remainder: Decimal  # what rounding took away
    is_live: bool


class Draft(Struct, frozen=True, kw_only=True):
    """A ticket whose fields are all valid."""

    legs: tuple[Leg, ...]  # at least one
    side: Side
    order_type: OrderType
    typed_qty: Decimal
    price: Decimal | None
    time_in_force: TimeInForce
    post_only: bool
    reduce_only: bool

    @property
    def instrument(self) -> Instrument:
        """The first leg's; the others' have the same symbol at their own venue."""
        return self.legs[0].instrument

    @property
    def is_live(self) -> bool:
        """Whether any of it trades real money."""
        return any(leg.is_live for leg in self.legs)


Problems = Mapping[Field, str]


def checked(fields: Fields, replica: Replica) -> Draft | Problems:
    """The draft, or what is wrong field by field; every field is looked at, so all mistakes show at once."""
    problems: dict[Field, str] = {}
    accounts = _said(problems, Field.Accounts, accounts_named, fields.accounts, replica) or ()
    instruments = _said(problems, Field.Instrument, _instruments, fields.instrument, accounts, replica) or ()
    shown = instruments[0] if instruments else None
    qty = _said(problems, Field.Qty, _quantity, fields.qty, instruments)
    price = None
    if fields.order_type is OrderType.Limit:
        price = _said(problems, Field.Price, _price, fields.price, instruments)
        if fields.post_only and fields.time_in_force is not TimeInForce.GoodTillCancel:
            problems[Field.Post] = "post-only rests in the book; set tif to gtc"
    else:
        if fields.post_only:
            problems[Field.Post] = "a market order cannot be post-only"
        state = replica.market(shown.id).state if shown is not None else FeedState.Live
        if state is not FeedState.Live and shown is not None:
            problems[Field.Type] = f"{shown.symbol} is {state.value}: no market orders now; type a price"
    if qty is not None and price is not None and not problems:
        _said(problems, Field.Qty, _worth, qty, price, instruments)
    if problems or qty is None:
        return problems
    return Draft(
        legs=tuple(
            Leg(
                account=account,
                instrument=instrument,
                order_qty=floor_to_lot(qty, instrument.lot),
                remainder=qty - floor_to_lot(qty, instrument.lot),
                is_live=replica.accounts[account].account.mode == "live",
            )
            for account, instrument in zip(accounts, instruments, strict=True)
        ),
        side=fields.side,
        order_type=fields.order_type,
        typed_qty=qty,
        price=price,
        time_in_force=fields.time_in_force,
        post_only=fields.post_only,
        reduce_only=fields.reduce_only,
    )


def place_commands(
    draft: Draft, *, operator: OperatorId, now: int, ids: Callable[[AccountId], ClientOrderId]
) -> tuple[PlaceOrder, ...]:
    """One command a leg, tied by one block where there are several."""
    order_ids = [ids(leg.account) for leg in draft.legs]
    block = f"block-{order_ids[0]}" if len(order_ids) > 1 else None
    return tuple(
        PlaceOrder(
            account=leg.account,
            client_order_id=client_order_id,
            instrument=leg.instrument.id,
            side=draft.side,
            order_type=draft.order_type,
            time_in_force=draft.time_in_force,
            order_qty=leg.order_qty,
            price=draft.price,
            post_only=draft.post_only,
            reduce_only=draft.reduce_only,
            block=block,
            operator=operator,
            deadline=now + DEADLINE_NS,
        )
        for leg, client_order_id in zip(draft.legs, order_ids, strict=True)
    )


def amend_command(
    order: Order, fields: Fields, replica: Replica, *, operator: OperatorId, now: int, new_id: ClientOrderId
) -> AmendOrder | Problems:
    """The amend that `fields` ask for, or what is wrong with it. Its quantity is the new total, fills included."""
    problems: dict[Field, str] = {}
    instrument = replica.instruments[order.instrument]
    qty = _said(problems, Field.Qty, _lots, fields.qty, instrument)
    price = _said(problems, Field.Price, _price, fields.price, (instrument,))
    if qty is not None and qty <= order.cum_qty:
        problems[Field.Qty] = f"{plain(order.cum_qty)} is filled already; enter more, or cancel with x"
    if qty == order.order_qty and price == order.price:
        problems[Field.Price] = "nothing is changed; enter another quantity or price"
    if problems or qty is None or price is None:
        return problems
    return AmendOrder(
        account=order.account,
        client_order_id=order.client_order_id,
        new_client_order_id=new_id,
        order_qty=qty,
        price=price,
        operator=operator,
        deadline=now + DEADLINE_NS,
    )


def prefilled(order: Order, replica: Replica) -> Fields:
    """An order's own terms, to be amended."""
    instrument = replica.instruments.get(order.instrument)
    return Fields(
        accounts=order.account,
        instrument=order.instrument if instrument is None else instrument.symbol,
        side=order.side,
        order_type=order.order_type,
        qty=plain(order.order_qty),
        price="" if order.price is None else plain(order.price),
        time_in_force=order.time_in_force,
        post_only=order.post_only,
        reduce_only=order.reduce_only,
    )


def flattening(account: AccountId, instrument_id: InstrumentId, replica: Replica) -> Fields | str:
    """A ticket that takes the position back to nothing, or why there is none to be made."""
    position = replica.positions.get((account, instrument_id))
    instrument = replica.instruments.get(instrument_id)
    if position is None or instrument is None or not position.qty:
        symbol = instrument_id if instrument is None else instrument.symbol
        return f"{account} holds no {symbol}; nothing to flatten"
    if not floor_to_lot(abs(position.qty), instrument.lot):
        return f"{account} holds {plain(position.qty)} {instrument.base}, less than one lot; it cannot be traded away"
    side = Side.Sell if position.qty > 0 else Side.Buy
    qty = floor_to_lot(min(abs(position.qty), _most(account, instrument, side, replica)), instrument.lot)
    if not qty:
        return f"{account}: its limits are below one lot of {instrument.symbol}; raise them in desk.toml"
    return Fields(
        accounts=account,
        instrument=instrument.symbol,
        side=side,
        order_type=OrderType.Market,
        qty=plain(qty),
        price="",
        reduce_only=True,
    )


def left_by(fields: Fields, account: AccountId, instrument_id: InstrumentId, replica: Replica) -> str:
    """What a flattening leaves of the position because one order may not be larger; empty where it takes all."""
    held = abs(replica.positions[account, instrument_id].qty)
    instrument = replica.instruments[instrument_id]
    if Decimal(fields.qty) >= floor_to_lot(held, instrument.lot):
        return ""
    return f"{fields.qty} of {plain(held)} {instrument.base}: the most one order may be; then f again"


def _most(account: AccountId, instrument: Instrument, side: Side, replica: Replica) -> Decimal:
    """The largest market order that venue and limits let go, base units; a little less, for the price moves on."""
    limits = effective(replica.accounts[account].account.limits, instrument.id)
    caps = [instrument.max_qty] if instrument.max_qty else []
    if limits is not None and limits.max_order_qty is not None:
        caps.append(limits.max_order_qty)
    price = _touch(replica.market(instrument.id), side)
    if limits is not None and price:
        caps.append(limits.max_order_notional * ROOM / price)
    return min(caps, default=abs(replica.positions[account, instrument.id].qty))


def stepped(text: str, step: Decimal, direction: int) -> str:
    """The number in `text` one `step` up or down, on the grid and above 0; as it was where it is no number."""
    try:
        value = parse_decimal(text, "") if text else Decimal(0)
    except ValueError:
        return text
    if is_multiple(value, step):
        after = value + step * direction
    else:
        below = floor_to_lot(value, step)
        after = below + step if direction > 0 else below
    return plain(after) if after > 0 else text


def cautions(draft: Draft, replica: Replica, sent: Mapping[tuple[object, ...], int], now: int) -> tuple[str, ...]:
    """Reasons to ask twice: near a limit, far through the market, or the same order again. `sent` is when each last went."""
    reasons: list[str] = []
    for leg in draft.legs:
        market = replica.market(leg.instrument.id)
        price = draft.price if draft.price is not None else _touch(market, draft.side)
        limits = effective(replica.accounts[leg.account].account.limits, leg.instrument.id)
        if limits is not None and price is not None:
            used = price * leg.order_qty / limits.max_order_notional
            if used >= NEAR:
                reasons.append(f"{leg.account}: {used:.0%} of its largest order ({plain(limits.max_order_notional)})")
        last = sent.get(terms(leg, draft))
        if last is not None and now - last < REPEAT_NS:
            reasons.append(f"{leg.account}: the same order was sent {(now - last) // 1_000_000_000} s ago")
    market = replica.market(draft.instrument.id)
    touch = _touch(market, draft.side)
    if draft.price is not None and touch:
        beyond = (draft.price - touch) * draft.side.sign / touch * 10_000
        if beyond > FAR_BPS:
            worse = "above the offer" if draft.side is Side.Buy else "below the bid"
            reasons.append(f"{plain(draft.price)} is {beyond / 100:.1f} % {worse} ({plain(touch)})")
    return tuple(reasons)


def terms(leg: Leg, draft: Draft) -> tuple[object, ...]:
    """What makes two orders the same to a person."""
    return (leg.account, leg.instrument.id, draft.side, leg.order_qty, draft.price)


def worth(draft: Draft, replica: Replica) -> Decimal | None:
    """What all legs come to, in quote units, at the price or, for a market order, at the touch."""
    price = draft.price
    if price is None:
        price = _touch(replica.market(draft.instrument.id), draft.side)
    return None if price is None else sum((leg.order_qty * price for leg in draft.legs), Decimal(0))


def with_accounts(fields: Fields, accounts: tuple[AccountId, ...]) -> Fields:
    return msgspec.structs.replace(fields, accounts=",".join(accounts))


def is_more(amend: AmendOrder, order: Order) -> bool:
    """Whether the amend asks for more, or for a price nearer to trading."""
    dearer = order.price is not None and (amend.price - order.price) * order.side.sign > 0
    return amend.order_qty > order.order_qty or dearer


# -- one field each; all raise ValueError with the remedy -----------------------------------------------------------------


def _said(
    problems: dict[Field, str], field: Field, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T | None:
    """What `read` makes of the field; None with the reason noted where it refuses."""
    try:
        return read(*args, **kwargs)
    except ValueError as problem:
        problems[field] = str(problem)
        return None


def _instruments(text: str, accounts: tuple[AccountId, ...], replica: Replica) -> tuple[Instrument, ...]:
    """The instrument at each account's venue; looked up anywhere while the accounts are not known."""
    if not accounts:
        instrument_named(text, replica)
        return ()
    venues = [replica.accounts[account].account.venue for account in accounts]
    found = tuple(instrument_named(text, replica, venue) for venue in venues)
    if len({one.symbol for one in found}) > 1:
        raise ValueError(f"{text!r} is {' and '.join(sorted({one.symbol for one in found}))}; write it in full")
    for one in found:
        if not one.is_trading:
            raise ValueError(f"{one.symbol} is not trading now")
    return found


def _quantity(text: str, instruments: tuple[Instrument, ...]) -> Decimal:
    qty = _positive(text, "qty")
    for one in instruments:
        if qty < one.lot:
            raise ValueError(f"less than one lot of {plain(one.lot)} {one.base}")
        if qty < one.min_qty:
            raise ValueError(f"the venue takes at least {plain(one.min_qty)} {one.base}")
        if one.max_qty and qty > one.max_qty:
            raise ValueError(f"the venue takes at most {plain(one.max_qty)} {one.base}")
    return qty


def _lots(text: str, instrument: Instrument) -> Decimal:
    """The quantity of an amend: for one order, so it must be exact."""
    qty = _quantity(text, (instrument,))
    if not is_multiple(qty, instrument.lot):
        below = floor_to_lot(qty, instrument.lot)
        raise ValueError(f"off the lot of {plain(instrument.lot)}; {plain(below)} is the nearest below")
    return qty


def _price(text: str, instruments: tuple[Instrument, ...]) -> Decimal:
    price = _positive(text, "price")
    for one in instruments:
        if not is_multiple(price, one.tick):
            below = floor_to_lot(price, one.tick)
            near = [plain(value) for value in (below, below + one.tick) if value > 0]
            raise ValueError(f"off the tick of {plain(one.tick)}; {' or '.join(near)}")
    return price


def _positive(text: str, what: str) -> Decimal:
    typed = text.strip().replace(" ", "")  # 63 999.5 is how the screen shows it
    if not typed:
        raise ValueError(f"enter a {'quantity' if what == 'qty' else what}")
    try:
        value = parse_decimal(typed, what)
    except ValueError:  # its field is named by the ticket; what was typed is quoted as it was
        shown = text if len(text) <= 24 else f"{text[:24]}..."
        raise ValueError(f"write it like 0.125: {shown!r} is not a plain decimal number") from None
    if value <= 0:
        raise ValueError(f"{typed} is not above 0")
    return value


def _worth(qty: Decimal, price: Decimal, instruments: tuple[Instrument, ...]) -> None:
    for one in instruments:
        value = floor_to_lot(qty, one.lot) * price
        if value < one.min_notional:
            raise ValueError(f"worth {plain(value)}; the venue takes at least {plain(one.min_notional)} {one.quote}")


def _touch(market: MarketRow, side: Side) -> Decimal | None:
    """The price this side would trade at now."""
    return market.ask if side is Side.Buy else market.bid
