"""What an account may do at most. Limits are data, stacked by scope: the most specific wins, and none at all means blocked."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from tradedesk.domain.words import InstrumentId


class InstrumentLimits(Struct, frozen=True, kw_only=True):
    """Limits of one instrument; None leaves the next wider scope's in force."""

    max_order_qty: Decimal | None = None  # base units
    max_order_notional: Decimal | None = None  # quote units
    max_position: Decimal | None = None  # base units, either side of zero
    max_position_notional: Decimal | None = None  # quote units
    price_collar_bps: Decimal | None = None  # distance from the reference that is still taken for intended
    price_away_bps: Decimal | None = (
        None  # likewise for a price that waits away from the market; None: price_collar_bps
    )
    price_drift_bps: Decimal | None = None  # from the price of some minutes ago: a market that ran away


class Limits(InstrumentLimits, frozen=True, kw_only=True):
    """Limits of one scope, as somebody set them: of the desk, a group or an account. None: not set there."""

    max_open_orders: int | None = None
    max_messages_per_minute: int | None = None  # orders and amends; cancels always pass
    max_children_per_block: int | None = None  # orders that one parent may make within a minute
    repeat_within_ms: int | None = (
        None  # another order of same instrument, side and quantity within this is asked about
    )
    stale_after_ms: int | None = None  # a quote older than this has no price
    max_exposure: Decimal | None = None  # reporting currency, sum of |position| at the mark
    max_net_exposure: Decimal | None = None  # reporting currency, |sum of positions at the mark|
    max_leverage: Decimal | None = None  # exposure over equity
    max_daily_loss: Decimal | None = None  # reporting currency, from the day's begin
    max_drawdown: Decimal | None = None  # reporting currency, from the day's peak
    allowed: tuple[InstrumentId, ...] | None = None  # what may be traded; None: whatever the venue's table lists
    restricted: tuple[InstrumentId, ...] = ()  # what may not, in whatever scope it stands
    order_types: tuple[str, ...] | None = None  # Limit, Market, ... as in domain.words; None: all
    times_in_force: tuple[str, ...] | None = None
    trading_hours: tuple[str, ...] | None = None  # e.g. "mon-fri 08:00-17:30", UTC; None: always
    soft: tuple[str, ...] | None = None  # rules of the Gate that may be passed with a reason that is kept
    instruments: dict[InstrumentId, InstrumentLimits] = msgspec.field(default_factory=dict)
    sources: dict[str, str] = msgspec.field(default_factory=dict)  # of what was stacked: figure -> who says so


class Totals(Struct, frozen=True, kw_only=True):
    """What several accounts may do together: those of a group, or of the desk. Reporting currency; None: no limit."""

    max_position_notional: Decimal | None = None  # |sum of their positions in one asset| at the mark, at the worst
    max_exposure: Decimal | None = None  # sum of |position| at the mark
    max_net_exposure: Decimal | None = None
    max_daily_loss: Decimal | None = None
    max_drawdown: Decimal | None = None


DEFAULT_POSITION_ORDERS = 10  # max_position_notional, where it is not set, is this many full orders
DEFAULTS: Mapping[str, Any] = {
    "price_collar_bps": Decimal(500),
    "price_drift_bps": Decimal(1_000),
    "max_open_orders": 50,
    "max_messages_per_minute": 300,
    "max_children_per_block": 1_000,
    "repeat_within_ms": 0,
    "stale_after_ms": 5_000,
    "restricted": (),
    "soft": ("repeat", "client_cross"),
}
SLIPS = ("repeat", "client_cross")  # soft ones that ask whether it is meant; beyond a figure only the role risk may go
SOFT_RULES = (*SLIPS, "price_collar", "price_drift")  # all others are hard, whatever a file says
BUILT_IN = "built in"


class Effective(Struct, frozen=True, kw_only=True):
    """The limits in force for one instrument of one account. None: nothing is limited in this respect."""

    max_order_notional: Decimal
    max_order_qty: Decimal | None
    max_position: Decimal | None
    max_position_notional: Decimal
    price_collar_bps: Decimal
    price_away_bps: Decimal | None
    price_drift_bps: Decimal
    max_open_orders: int
    max_messages_per_minute: int
    max_children_per_block: int
    repeat_within_ms: int
    stale_after_ms: int
    max_exposure: Decimal | None
    max_net_exposure: Decimal | None
    max_leverage: Decimal | None
    max_daily_loss: Decimal | None
    max_drawdown: Decimal | None
    allowed: tuple[InstrumentId, ...] | None
    restricted: tuple[InstrumentId, ...]
    order_types: tuple[str, ...] | None
    times_in_force: tuple[str, ...] | None
    trading_hours: tuple[str, ...] | None
    soft: tuple[str, ...]
    sources: dict[str, str]  # figure -> who says so

    def source(self, figure: str) -> str:
        return self.sources.get(figure, BUILT_IN)


FIGURES = tuple(field.name for field in msgspec.structs.fields(Effective) if field.name != "sources")
OF_AN_INSTRUMENT = tuple(field.name for field in msgspec.structs.fields(InstrumentLimits))


def stale_after_ms(limits: Limits) -> int:
    return DEFAULTS["stale_after_ms"] if limits.stale_after_ms is None else limits.stale_after_ms


def effective(limits: Limits, instrument: InstrumentId) -> Effective | None:
    """What holds for this instrument, the most specific figure of each; None if the account has no limits."""
    own = limits.instruments.get(instrument)
    found: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for figure in FIGURES:
        value = getattr(own, figure, None)
        key = f"{instrument} {figure}"
        if value is None:
            value, key = getattr(limits, figure), figure
        if value is None:
            value = DEFAULTS.get(figure)
        elif key in limits.sources:
            sources[figure] = limits.sources[key] if key is figure else f"{limits.sources[key]}, for {instrument}"
        found[figure] = value
    if found["max_order_notional"] is None:
        return None
    if found["max_position_notional"] is None:
        found["max_position_notional"] = found["max_order_notional"] * DEFAULT_POSITION_ORDERS
    return Effective(**found, sources=sources)


def stacked(scopes: Sequence[tuple[str, Limits]]) -> Limits:
    """What several scopes come to, the most specific first; each with the words that say whose it is.

    A figure of an instrument goes before one for all instruments, whatever the scope: it was set by whoever knew what
    it is for. What any scope restricts is restricted.
    """
    found: dict[str, Any] = {}
    sources: dict[str, str] = {}
    own: dict[InstrumentId, dict[str, Any]] = {}
    restricted: list[InstrumentId] = []
    for name, limits in scopes:
        for figure in _SET_FIGURES:
            value = getattr(limits, figure)
            if value is not None and figure not in found:
                found[figure], sources[figure] = value, name
        for instrument in limits.restricted:
            if instrument not in restricted:
                restricted.append(instrument)
                sources.setdefault("restricted", name)
        for instrument, figures in limits.instruments.items():
            for figure in OF_AN_INSTRUMENT:
                value = getattr(figures, figure)
                if value is not None and figure not in own.setdefault(instrument, {}):
                    own[instrument][figure] = value
                    sources[f"{instrument} {figure}"] = name
    return Limits(
        **found,
        restricted=tuple(restricted),
        instruments={instrument: InstrumentLimits(**figures) for instrument, figures in own.items() if figures},
        sources=sources,
    )


_SET_FIGURES = tuple(
    field.name for field in msgspec.structs.fields(Limits) if field.name not in ("restricted", "instruments", "sources")
)


def is_tighter(figure: str, new: Any, old: Any) -> bool:
    """Whether a figure says no to something the other lets pass, and lets nothing pass that the other refuses.

    `None` is no limit. Of lists, fewer is tighter; of what is restricted or made soft, it is the other way round.
    """
    if figure == "restricted":
        return set(new or ()) > set(old or ())
    if figure == "soft":
        return set(new or ()) < set(old or ())
    if figure == "trading_hours" and new is not None and old is not None:
        return False  # hours are not compared: what somebody wrote last holds
    if new is None or old is None:
        return old is None and new is not None
    if isinstance(new, tuple):
        return set(new) < set(old)
    if figure == "repeat_within_ms":
        return bool(new > old)
    return bool(new < old)
