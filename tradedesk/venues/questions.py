"""Asking a venue without changing anything: one question, its clock, its instruments."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from tradedesk.access.egress import NotSent
from tradedesk.clock import Clock
from tradedesk.domain.instruments import Instrument
from tradedesk.domain.words import VenueId
from tradedesk.venues import spot
from tradedesk.venues.adapter import VenueFailed
from tradedesk.venues.ccxt_binance import GuardedBinance, Heard, listening, name_of
from tradedesk.venues.pools import SECOND_NS, Priority

LONGEST_TIME_ANSWER_NS = 1_000_000_000  # half of it is how far the measure can be off; the venue allows one second
DOUBT_WAITS_NS = 20 * SECOND_NS  # for its turn; the order manager gives a question up after 30 s
T = TypeVar("T")
_INVALID_SYMBOL = -1121


class NoAnswer(Struct, frozen=True):
    """No answer that says it was done. `cause` is fit to show."""

    cause: str
    is_unsent: bool = False  # our own guard stopped it, so nothing was asked at all


def no_answer(failure: Exception, heard: Heard) -> NoAnswer:
    if isinstance(failure, NotSent) and not heard.may_have_left:
        return NoAnswer(str(failure), is_unsent=True)
    return NoAnswer(heard.cause or f"no answer ({name_of(failure)})")


async def ask(
    exchange: GuardedBinance,
    method: str,
    parameters: Mapping[str, Any],
    priority: Priority = Priority.Look,
    leaves: Callable[[], None] | None = None,
) -> tuple[Any, Heard]:
    """The venue's answer to one of ccxt's implicit methods, or NoAnswer; and what was heard with it. Never raises.

    `leaves` is called right before the bytes.
    """
    with listening(last=leaves) as heard:
        try:
            within_ns = DOUBT_WAITS_NS if priority is Priority.Doubt else None
            return await exchange.call(method, parameters, priority, within_ns=within_ns), heard
        except Exception as error:  # its text may hold the signed URL (CCXT.md 2): it goes no further
            return no_answer(error, heard), heard


async def told(
    exchange: GuardedBinance,
    method: str,
    parameters: Mapping[str, Any],
    priority: Priority = Priority.Look,
    leaves: Callable[[], None] | None = None,
) -> Any:
    """The same where nothing but an answer will do. Raises VenueFailed."""
    answer, heard = await ask(exchange, method, parameters, priority, leaves)
    if isinstance(answer, NoAnswer):
        raise VenueFailed(answer.cause, is_auth=heard.said is not None and heard.said.is_auth)
    return answer


async def readable(question: Awaitable[T]) -> T:
    """What `question` comes to; an answer in a form we do not know is no answer. Raises VenueFailed."""
    try:
        return await question
    except spot.Unreadable as error:
        cause = f"the answer could not be read: {error}"
    raise VenueFailed(cause)


class VenueClock(Struct, frozen=True, kw_only=True):
    """The venue's clock, as it told it. `offset_ms` is what it has more than ours, taken to be told half-way.

    None if the answer took so long that this says nothing: a venue that hung for a minute would be put half of it off.
    """

    time_ms: int
    offset_ms: int | None


async def venue_clock(exchange: GuardedBinance, clock: Clock, priority: Priority = Priority.Look) -> VenueClock:
    """Ask the venue what time it is. Raises VenueFailed."""
    before, started = clock.now(), clock.monotonic()

    def leaves() -> None:  # waiting for a turn, and connecting, are no part of the exchange
        nonlocal before, started
        before, started = clock.now(), clock.monotonic()

    answer = await told(exchange, "publicGetTime", {}, priority, leaves)
    took, after = clock.monotonic() - started, clock.now()
    told_ms = spot.integer_field(spot.row_of(answer, "the time"), "serverTime")
    offset = told_ms - (before + after) // 2 // spot.NS_PER_MS if took <= LONGEST_TIME_ANSWER_NS else None
    return VenueClock(time_ms=told_ms, offset_ms=offset)


async def load_instruments(
    exchange: GuardedBinance, venue: VenueId, symbols: tuple[str, ...], priority: Priority = Priority.Look
) -> tuple[Instrument, ...]:
    """The instruments named by `symbols` ("BTC/USDT"), in that order. Raises VenueFailed, naming what is unknown."""
    ids = [symbol.replace("/", "") for symbol in symbols]  # Binance spot names them base, then quote
    unknown = ""
    answer: Any = {}
    try:
        answer = await told(
            exchange,
            "publicGetExchangeInfo",
            {"symbols": msgspec.json.encode(ids).decode(), "showPermissionSets": "false"},
            priority,
        )
        exchange.announced(answer.get("rateLimits") if isinstance(answer, dict) else None)
    except VenueFailed as error:
        if not error.cause.startswith(str(_INVALID_SYMBOL)):
            raise
        unknown = ", ".join(symbols)
    if not unknown:
        rows = spot.rows_of(spot.row_of(answer, "exchangeInfo").get("symbols"), "symbols")
        listed = {instrument.symbol: instrument for instrument in (spot.read_instrument(row, venue) for row in rows)}
        unknown = ", ".join(symbol for symbol in symbols if symbol not in listed)
        if not unknown:
            return tuple(listed[symbol] for symbol in symbols)
    raise VenueFailed(f"the venue does not list all of {unknown}; correct venues.{venue}.instruments in desk.toml")
