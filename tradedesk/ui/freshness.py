"""How old a market's data is, as it must be shown: old data looks old, whatever aged it (5.9)."""

from msgspec import Struct

from tradedesk.domain.instruments import FeedState
from tradedesk.domain.limits import DEFAULTS
from tradedesk.domain.words import InstrumentId
from tradedesk.ui.drawing import SECOND, Glyphs, age, time_of_day
from tradedesk.views.feed import DeskView

STALE_AFTER = DEFAULTS["stale_after_ms"] * 1_000_000  # ns: what the Gate would refuse for its age is shown as old
HEARTBEAT_LATE_AFTER = 3 * SECOND  # the desk beats once a second


class Freshness(Struct, frozen=True, kw_only=True):
    """What to think of a market's figures now."""

    state: FeedState
    since: int  # ns: the moment of the newest data, 0 before the first
    age_ns: int
    reason: str

    @property
    def is_live(self) -> bool:
        return self.state is FeedState.Live

    @property
    def has_price(self) -> bool:
        """Whether a best price may be shown at all: not on a book with a hole or with its sides crossed."""
        return self.state not in (FeedState.Gapped, FeedState.Crossed)


def freshness(view: DeskView, instrument: InstrumentId, now: int) -> Freshness:
    """The feed's own word, made worse by its age, a late heartbeat of the desk, or the desk being away."""
    market = view.replica.market(instrument)
    state, since, reason = market.state, market.received_at, market.reason
    if view.lost is not None:
        state, since, reason = FeedState.Disconnected, min(since, view.lost.since), view.lost.reason
    elif state is FeedState.Live and (
        now - since > STALE_AFTER or now - view.replica.heartbeat_at > HEARTBEAT_LATE_AFTER
    ):
        state = FeedState.Stale
    return Freshness(state=state, since=since, age_ns=max(0, now - since) if since else 0, reason=reason)


def of_marks(view: DeskView, now: int) -> Freshness | None:
    """The oldest mark that is not live among those that open positions are valued at; None while all are live."""
    held = {position.instrument for position in view.replica.positions.values() if position.qty}
    old = [fresh for one in held if not (fresh := freshness(view, one, now)).is_live]
    return max(old, key=lambda fresh: fresh.age_ns, default=None)


def in_words(fresh: Freshness, glyphs: Glyphs) -> str:
    """The state for a pane's title: sign, word and age; empty while the feed is live."""
    match fresh.state:
        case FeedState.Live:
            return ""
        case FeedState.Stale:
            return f"{glyphs.stale} STALE {age(fresh.age_ns)}"
        case FeedState.Gapped | FeedState.Crossed:
            return f"{glyphs.broken} {fresh.state.value.upper()}"
        case _:
            last = f" {time_of_day(fresh.since)}" if fresh.since else ""
            return f"{glyphs.disconnected} DISCONNECTED{last}"
