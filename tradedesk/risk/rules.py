"""The rules of the RiskMonitor, all of them: a replica and a memory in, findings out. What each watches stands in `watch`."""

from collections.abc import Mapping

from tradedesk.domain.day import DAY_NS
from tradedesk.domain.limits import Totals
from tradedesk.risk.watch.books import drift
from tradedesk.risk.watch.finding import Finding
from tradedesk.risk.watch.health import connection, feeds
from tradedesk.risk.watch.memory import Memory
from tradedesk.risk.watch.money import money
from tradedesk.risk.watch.standing import standing
from tradedesk.risk.watch.traffic import crosses, note, note_reject, traffic
from tradedesk.views.replica import Replica

__all__ = ["DAY_NS", "Finding", "Memory", "findings", "note", "note_reject"]

NO_TOTALS: Mapping[str, tuple[Totals, str]] = {}


def findings(
    replica: Replica, memory: Memory, currency: str, now: int, totals: Mapping[str, tuple[Totals, str]] = NO_TOTALS
) -> list[Finding]:
    """Everything near a limit or wrong now; what is gone from the list has ended. `totals` are of groups and the desk."""
    found = money(replica, memory, currency, totals, now)
    for account, row in replica.accounts.items():
        found += traffic(replica, memory, account, now)
        found += connection(replica, memory, account, now)
        found += standing(replica, row, currency, now)
        found += drift(replica, memory, account, now)
    found += crosses(replica, memory, now)
    found += feeds(replica, now)
    for instrument, market in replica.markets.items():
        if market.mark is not None:
            memory.marks[instrument] = market.mark
    return found
