"""Streams, feeds, latency and clock: whether what the desk knows is of now."""

from decimal import Decimal

from tradedesk.domain.alerts import Severity
from tradedesk.domain.instruments import FeedState
from tradedesk.domain.words import AccountId
from tradedesk.risk.watch.finding import NS, Finding, moment, of_limit
from tradedesk.risk.watch.memory import Memory
from tradedesk.views.replica import Replica

STREAM_GRACE_NS = 3 * NS  # a private stream may reconnect for this long before it is news
FEED_GRACE_NS = 2 * NS
MOST_ACK_MS = Decimal(2_000)  # from an order's send to its answer
MOST_OFFSET_MS = Decimal(1_000)  # of our clock from the venue's, which refuses what is a second ahead of it


def connection(replica: Replica, memory: Memory, account: AccountId, now: int) -> list[Finding]:
    """One account's private stream, the time its orders take, and how far our clock is from its venue's."""
    health = replica.accounts[account].health
    if health is None:
        memory.stream_down_since.pop(account, None)
        return []
    cause = f"stream:{account}"
    found: list[Finding] = []
    if health.ack_ms is not None:
        text = f"the newest order took {health.ack_ms:.0f} ms to its answer"
        found += of_limit("latency", account, health.ack_ms, MOST_ACK_MS, text, account=account, cause=cause)
    if health.clock_offset_ms is not None:
        text = (
            f"the clocks of this machine and of the venue differ by {health.clock_offset_ms} ms; check the time service"
        )
        offset = Decimal(abs(health.clock_offset_ms))
        found += of_limit("clock", account, offset, MOST_OFFSET_MS, text, account=account, cause="clock")
    if health.is_stream_up:
        memory.stream_down_since.pop(account, None)
        return found
    since = memory.stream_down_since.setdefault(account, now)
    if now - since < STREAM_GRACE_NS:
        return found
    text = f"the private stream is down since {moment(since)}: fills arrive late, by reconciliation only"
    key = f"stream:{account}"
    return [
        *found,
        Finding(key=key, rule="staleness", severity=Severity.Critical, account=account, text=text, cause=cause),
    ]


def feeds(replica: Replica, now: int) -> list[Finding]:
    """Markets whose data cannot be trusted."""
    found = []
    for market in replica.markets.values():
        if market.state is FeedState.Live or now - market.state_since < FEED_GRACE_NS:
            continue
        instrument = replica.instruments.get(market.instrument)
        name = instrument.symbol if instrument is not None else market.instrument
        found.append(
            Finding(
                key=f"feed:{market.instrument}",
                rule="staleness",
                severity=Severity.Warning,
                account=None,
                text=f"{name}: market data is {market.state} since {moment(market.state_since)}",
                cause="feed" if instrument is None else f"feed:{instrument.venue}",
            )
        )
    return found
