"""How fast one account sends, and what it sends again: the counts that the Gate judges. By the monotonic clock."""

from collections import deque
from decimal import Decimal

from tradedesk.domain.orders import Order
from tradedesk.domain.words import InstrumentId, Side

MINUTE_NS = 60 * 10**9
MOST = 100_000  # approvals remembered: more than any rate limit of a venue lets through in a minute


class Pace:
    """What was approved within the last minute. One account's, one thread's."""

    def __init__(self) -> None:
        self._sent: deque[tuple[int, str | None, InstrumentId, Side, Decimal]] = deque(maxlen=MOST)
        self._blocks: dict[str, int] = {}
        self._same: dict[tuple[InstrumentId, Side, Decimal], deque[int]] = {}

    def approved(self, order: Order, elapsed: int) -> None:
        """The Gate let it through at `elapsed` (monotonic, ns)."""
        self._forget(elapsed)
        if len(self._sent) == MOST:
            self._drop_first()
        self._sent.append((elapsed, order.block, order.instrument, order.side, order.order_qty))
        if order.block is not None:
            self._blocks[order.block] = self._blocks.get(order.block, 0) + 1
        self._same.setdefault((order.instrument, order.side, order.order_qty), deque()).append(elapsed)

    def messages(self, elapsed: int) -> int:
        self._forget(elapsed)
        return len(self._sent)

    def children(self, block: str | None) -> int:
        return self._blocks.get(block, 0) if block is not None else 0

    def repeats(self, order: Order, within_ms: int, elapsed: int) -> int:
        """How many of the same instrument, side and quantity were approved that lately."""
        times = self._same.get((order.instrument, order.side, order.order_qty), ())
        return sum(1 for at in reversed(times) if elapsed - at <= within_ms * 10**6) if within_ms else 0

    def _forget(self, elapsed: int) -> None:
        while self._sent and elapsed - self._sent[0][0] > MINUTE_NS:
            self._drop_first()

    def _drop_first(self) -> None:
        _, block, instrument, side, qty = self._sent.popleft()
        if block is not None:
            self._blocks[block] -= 1
            if not self._blocks[block]:
                del self._blocks[block]
        key = (instrument, side, qty)
        times = self._same[key]
        times.popleft()
        if not times:
            del self._same[key]
