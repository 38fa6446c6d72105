"""A look at one account at its venue: its whole state, from where its fills are asked for, and the markets' prices."""

import asyncio
from decimal import Decimal

from tradedesk.accounts.core import Core
from tradedesk.accounts.judge import Quotes
from tradedesk.clock import Clock
from tradedesk.domain.outcomes import VenueState
from tradedesk.domain.words import InstrumentId
from tradedesk.log import Log
from tradedesk.venues.adapter import Adapter

MARKS_WAIT_S = 3.0  # how long a first opening waits for the markets' prices
LOOK_S = 0.1  # between two looks at them
OVERLAP_NS = 5 * 60 * 10**9  # longer than a look takes and clocks differ
FIRST_LOOKS = 5  # at most, of an account that trades while the desk sees it for the first time


async def whole_state(core: Core, adapter: Adapter, log: Log, *, is_for_a_sweep: bool = False) -> VenueState:
    """The account as the venue shows it. The very first look is taken until two in a row agree on the balances.

    A trade of other software between the time noted and the balances read would else be counted twice: in the
    opening, and as a fill after it. Raises VenueFailed.
    """
    state = await adapter.venue_state(_since(core), is_for_a_sweep=is_for_a_sweep)
    for _ in range(FIRST_LOOKS):
        if core.manager.is_opened:
            break
        again = await adapter.venue_state(None)
        if again.balances == state.balances:
            return again
        state = again
    else:
        log.warning("first_look_unsteady", account=core.account.id, looks=FIRST_LOOKS)
    return state


def _since(core: Core) -> int | None:
    """From when fills are asked for (venue clock, ns): some minutes before the last complete look.

    Not from the newest fill: that one may have come by the stream after a gap that no look has closed yet (F15).
    """
    if not core.manager.is_opened:
        return None
    looked_at = core.manager.books.accounts[core.account.id].reconciled_at or 0
    return max(looked_at - OVERLAP_NS, core.manager.trades_from)


async def marks_of(core: Core, quotes: Quotes, clock: Clock) -> dict[InstrumentId, Decimal]:
    """The markets' prices at this moment, for a first opening; waits a little for markets that are still coming."""
    instruments = list(core.manager.books.instruments)
    deadline = clock.monotonic() + int(MARKS_WAIT_S * 10**9)
    is_first = not core.manager.is_opened
    while True:
        marks = {
            instrument: known[0].mark
            for instrument in instruments
            if (known := quotes(instrument)) is not None and known[0].mark is not None
        }
        if not is_first or len(marks) == len(instruments) or clock.monotonic() > deadline:
            return {instrument: mark for instrument, mark in marks.items() if mark is not None}
        await asyncio.sleep(LOOK_S)
