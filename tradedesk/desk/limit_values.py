"""What may be set live of the limits, and how a typed value is read: numbers, and lists with commas between their words."""

import re
from collections.abc import Mapping
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

import msgspec

from tradedesk.config import Settings
from tradedesk.domain.instruments import instrument_id
from tradedesk.domain.limits import OF_AN_INSTRUMENT, SOFT_RULES, Limits, Totals
from tradedesk.domain.trading_hours import hours_of
from tradedesk.domain.words import InstrumentId, OrderType, TimeInForce

Symbols = Mapping[str, tuple[InstrumentId, ...]]  # as people call it -> at each venue that trades it
NONE = "none"  # an empty list
MOST_WORDS = 100
_AMOUNT = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?", re.ASCII)
_COUNT = re.compile(r"[0-9]{1,9}", re.ASCII)
_NUMBERS = {
    field.name: int if field.type == int | None else Decimal
    for field in msgspec.structs.fields(Limits)
    if field.type in (int | None, Decimal | None)
}
_WORDS: dict[str, tuple[str, ...]] = {
    "order_types": tuple(OrderType),
    "times_in_force": tuple(TimeInForce),
    "soft": SOFT_RULES,
}
OF_TOTALS = "totals."  # before a figure of what a group or the desk may hold in sum
TOTALS = tuple(f"{OF_TOTALS}{field.name}" for field in msgspec.structs.fields(Totals))
LISTS = ("allowed", "restricted", *_WORDS, "trading_hours")
EXAMPLES = dict.fromkeys((*_NUMBERS, *TOTALS), "1") | dict.fromkeys(LISTS, NONE)  # a value that is right for each


class Unfit(ValueError):
    """A value that cannot be set; its text says why and what can."""


def symbols_of(settings: Settings) -> Symbols:
    found: dict[str, tuple[InstrumentId, ...]] = {}
    for venue in settings.venues.values():
        for symbol in venue.instruments:
            found[symbol] = (*found.get(symbol, ()), instrument_id(venue.id, symbol))
    return found


def value_of(figure: str, instrument: InstrumentId | None, text: str, symbols: Symbols) -> Any:
    """The value as the limits have it. Raises Unfit."""
    known = OF_AN_INSTRUMENT if instrument is not None else tuple(EXAMPLES)
    if figure not in known:
        near = get_close_matches(figure, known, n=1)
        if instrument is not None and figure in EXAMPLES:
            raise Unfit(f"{figure} is no limit of one instrument; those are {', '.join(known)}")
        hint = f"did you mean {near[0]}?" if near else f"figures: {', '.join(known)}"
        raise Unfit(f"{figure[:40]!r} is no figure that can be set; {hint}")
    if figure in LISTS:
        return _list(figure, text, symbols)
    if _NUMBERS.get(figure) is int:
        if not _COUNT.fullmatch(text) or (figure == "stale_after_ms" and int(text) < 1):
            raise Unfit(f"{figure}: {text[:40]!r} must be a whole number, like 50")
        return int(text)
    if not _AMOUNT.fullmatch(text) or not Decimal(text):
        raise Unfit(f"{figure}: {text[:40]!r} must be a plain number above 0, like 50000 or 0.5")
    return Decimal(text)


def _list(figure: str, text: str, symbols: Symbols) -> tuple[str, ...]:
    """A whole list, which takes the place of the one of its scope."""
    words = () if text.strip() == NONE else tuple(word.strip() for word in text.split(","))
    if len(words) > MOST_WORDS:
        raise Unfit(f"{figure}: at most {MOST_WORDS} words can be set live; write longer lists into desk.toml")
    if figure == "trading_hours":
        for word in words:
            if isinstance(why := hours_of(word), str):
                raise Unfit(f"{figure}: {why}")
        return words
    known = _WORDS.get(figure, tuple(symbols))
    for word in words:
        if word not in known:
            near = get_close_matches(word, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
            raise Unfit(f"{figure}: {word[:40]!r} is not known; {hint}, or {NONE}")
    if figure in _WORDS:
        return words
    return tuple(dict.fromkeys(id_ for word in words for id_ in symbols[word]))
