"""The limits in desk.toml: of the desk ([limits]), of groups ([groups.growth.limits]) and of accounts."""

from collections.abc import Collection
from decimal import Decimal
from typing import Any

import msgspec

from tradedesk.config.settings import VenueSettings
from tradedesk.config.tables import Table, nearest, shown
from tradedesk.domain.instruments import instrument_id
from tradedesk.domain.limits import SOFT_RULES, InstrumentLimits, Limits, Totals
from tradedesk.domain.trading_hours import hours_of
from tradedesk.domain.words import InstrumentId, OrderType, TimeInForce

_WORDS = {
    "order_types": (tuple(OrderType), '["limit"]'),
    "times_in_force": (tuple(TimeInForce), '["gtc", "ioc"]'),
    "soft": (SOFT_RULES, '["repeat"]'),
}
_SYMBOLS = ("allowed", "restricted")


def read_limits(table: Table, venues: Collection[VenueSettings]) -> Limits:
    """One scope's limits. Of an instrument that several of `venues` trade, they hold at each."""
    ids: dict[str, list[InstrumentId]] = {}
    listed = " or ".join(f"venues.{venue.id}.instruments" for venue in venues) or "no venue"
    for venue in venues:
        for symbol in venue.instruments:
            ids.setdefault(symbol, []).append(instrument_id(venue.id, symbol))
    found = _figures(table, Limits)
    for name, (known, example) in _WORDS.items():
        if name in table.names():
            found[name] = words = table.texts(name, example)
            for word in words:
                if word not in known:
                    table.wrong(name, f"{shown(word)} is not known; {nearest(word, known)}")
    for name in _SYMBOLS:
        if name in table.names():
            symbols = table.texts(name, '["BTC/USDT"]')
            for symbol in symbols:
                if symbol not in ids:
                    table.wrong(name, f"{shown(symbol)} is none of {listed}; {nearest(symbol, ids)}")
            found[name] = tuple(id_ for symbol in symbols for id_ in ids.get(symbol, ()))
    if "trading_hours" in table.names():
        found["trading_hours"] = windows = table.texts("trading_hours", '["mon-fri 08:00-17:30"]')
        for window in windows:
            if isinstance(why := hours_of(window), str):
                table.wrong("trading_hours", why)
    instruments: dict[InstrumentId, InstrumentLimits] = {}
    inner = table.table("instruments")
    for symbol, own in inner.tables().items():
        if symbol not in ids:
            inner.wrong(symbol, f"is none of {listed}; {nearest(symbol, ids)}")
        figures = InstrumentLimits(**_figures(own, InstrumentLimits))
        own.finish()
        instruments |= dict.fromkeys(ids.get(symbol, ()), figures)
    table.finish()
    return Limits(**found, instruments=instruments)


def read_totals(table: Table) -> Totals:
    """What all accounts of a group, or of the desk, may do together."""
    found = _figures(table, Totals)
    table.finish()
    return Totals(**found)


def _figures(table: Table, kind: type[InstrumentLimits] | type[Totals]) -> dict[str, Any]:
    """The numbers that stand in the table, by the names they have in the domain."""
    found: dict[str, Decimal | int | None] = {}
    for field in msgspec.structs.fields(kind):
        if field.type == int | None:
            found[field.name] = table.count(field.name, 1 if field.name == "stale_after_ms" else 0, "50")
        elif field.type == Decimal | None:
            found[field.name] = table.amount(field.name)
    return {name: value for name, value in found.items() if value is not None}
