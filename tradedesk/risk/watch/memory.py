"""What the rules of the RiskMonitor remember from look to look."""

from collections import deque
from decimal import Decimal

import msgspec
from msgspec import Struct

from tradedesk.domain.words import AccountId, ClientOrderId, InstrumentId, Side
from tradedesk.risk.days import Days

MOST_TIMES = 5_000  # that one account's traffic is counted from; the oldest go first


class Ended(Struct, frozen=True, kw_only=True):
    """An order that was cancelled without a fill."""

    at: int
    instrument: InstrumentId
    side: Side
    price: Decimal | None
    placed_at: int


class Executed(Struct, frozen=True, kw_only=True):
    """A fill, and what it cost against the market at the moment its order was made."""

    at: int
    instrument: InstrumentId
    side: Side
    notional: Decimal  # quote units
    arrival_bps: Decimal | None  # above zero it cost; None: no price was known then


def _times() -> deque[int]:
    return deque(maxlen=MOST_TIMES)


class Traffic(Struct, kw_only=True):
    """What one account sent over the wire, and what came of it. Times in ns, our clock, oldest first."""

    accepted: deque[int] = msgspec.field(default_factory=_times)
    refused: deque[int] = msgspec.field(default_factory=_times)  # by the venue
    ended: deque[Ended] = msgspec.field(default_factory=lambda: deque(maxlen=MOST_TIMES))
    executed: deque[Executed] = msgspec.field(default_factory=lambda: deque(maxlen=MOST_TIMES))


class Cross(Struct, frozen=True, kw_only=True):
    """Two orders of this desk that traded with each other: the venue gave both fills one trade."""

    at: int
    instrument: InstrumentId
    trade_id: str
    accounts: tuple[AccountId, AccountId]


class Memory(Struct, kw_only=True):
    """Owned by the RiskMonitor's thread. Bounded: by the accounts, and by times and counts."""

    days: Days = msgspec.field(default_factory=Days)
    known: set[AccountId] = msgspec.field(default_factory=set)  # whose day the journal was asked about
    moved: set[AccountId] = msgspec.field(default_factory=set)  # capital came or went since the last look
    rejects: dict[AccountId, deque[int]] = msgspec.field(default_factory=dict)  # times of refusals and denials, ns
    traffic: dict[AccountId, Traffic] = msgspec.field(default_factory=dict)
    marks: dict[InstrumentId, Decimal] = msgspec.field(default_factory=dict)  # of the last look
    arrivals: dict[ClientOrderId, Decimal] = msgspec.field(default_factory=dict)  # the market as an order was made
    trades: dict[tuple[InstrumentId, str], tuple[AccountId, ClientOrderId]] = msgspec.field(default_factory=dict)
    crosses: deque[Cross] = msgspec.field(default_factory=lambda: deque(maxlen=100))
    stream_down_since: dict[AccountId, int] = msgspec.field(default_factory=dict)
    drifting_since: dict[tuple[AccountId, str], int] = msgspec.field(default_factory=dict)  # by asset
