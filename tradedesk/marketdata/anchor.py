"""Where a market was some minutes ago: by that a price is judged when the market itself runs away (RTS 6 art. 15.1)."""

from collections import deque
from decimal import Decimal

MINUTES = 5
SAMPLE_NS = 10 * 10**9  # between two prices that are kept
WINDOW_NS = MINUTES * 60 * 10**9


class Anchor:
    """The oldest price of one market within the last minutes, by the monotonic clock. None until there is one."""

    def __init__(self) -> None:
        self._marks: deque[tuple[int, Decimal]] = deque(maxlen=WINDOW_NS // SAMPLE_NS)

    def note(self, mark: Decimal, monotonic: int) -> None:
        """A price of this moment; at most one in ten seconds is kept."""
        while self._marks and monotonic - self._marks[0][0] > WINDOW_NS:
            self._marks.popleft()
        if not self._marks or monotonic - self._marks[-1][0] >= SAMPLE_NS:
            self._marks.append((monotonic, mark))

    @property
    def price(self) -> Decimal | None:
        return self._marks[0][1] if self._marks else None
