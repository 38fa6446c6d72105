"""What an account may do at most. Limits are data: from desk.toml, most specific wins, and none at all means blocked."""

from decimal import Decimal

import msgspec
from msgspec import Struct

from tradedesk.domain.words import InstrumentId


class InstrumentLimits(Struct, frozen=True, kw_only=True):
    """Limits of one instrument; None leaves the account's own in force."""

    max_order_qty: Decimal | None = None  # base units
    max_order_notional: Decimal | None = None  # quote units
    max_position: Decimal | None = None  # base units, either side of zero
    price_collar_bps: Decimal | None = None


class Limits(Struct, frozen=True, kw_only=True):
    """Limits of one account. `max_order_notional` must be set: without it the account is blocked."""

    max_order_notional: Decimal | None = None  # quote units
    max_order_qty: Decimal | None = None  # base units; None: only the venue's own maximum
    max_position: Decimal | None = None  # base units; None: bounded by max_position_notional alone
    max_position_notional: Decimal | None = None  # quote units; None: ten orders of max_order_notional
    price_collar_bps: Decimal = Decimal(500)  # distance from the reference that is still taken for intended
    max_open_orders: int = 50
    stale_after_ms: int = 5_000  # a quote older than this has no price
    max_drawdown: Decimal | None = None  # reporting currency, from the day's peak; alerts
    max_exposure: Decimal | None = None  # reporting currency, sum of |position| at the mark; alerts
    instruments: dict[InstrumentId, InstrumentLimits] = msgspec.field(default_factory=dict)


DEFAULT_POSITION_ORDERS = 10  # max_position_notional, where it is not set, is this many full orders


class Effective(Struct, frozen=True, kw_only=True):
    """The limits in force for one instrument of one account."""

    max_order_notional: Decimal
    max_order_qty: Decimal | None
    max_position: Decimal | None
    max_position_notional: Decimal
    price_collar_bps: Decimal
    max_open_orders: int
    stale_after_ms: int


def effective(limits: Limits, instrument: InstrumentId) -> Effective | None:
    """What holds for this instrument, the most specific figure of each; None if the account has no limits."""
    own = limits.instruments.get(instrument, InstrumentLimits())
    notional = own.max_order_notional if own.max_order_notional is not None else limits.max_order_notional
    if notional is None:
        return None
    position_notional = limits.max_position_notional
    return Effective(
        max_order_notional=notional,
        max_order_qty=own.max_order_qty if own.max_order_qty is not None else limits.max_order_qty,
        max_position=own.max_position if own.max_position is not None else limits.max_position,
        max_position_notional=notional * DEFAULT_POSITION_ORDERS if position_notional is None else position_notional,
        price_collar_bps=own.price_collar_bps if own.price_collar_bps is not None else limits.price_collar_bps,
        max_open_orders=limits.max_open_orders,
        stale_after_ms=limits.stale_after_ms,
    )
