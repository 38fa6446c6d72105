"""What a worker uses of a venue: one account's way to place, change, cancel and ask, and its private stream."""

from collections.abc import Callable
from typing import Protocol

from tradedesk.access.exit_proof import ExitProof
from tradedesk.access.keyholder import KeySource
from tradedesk.access.signing import Signer
from tradedesk.domain.gate import Approved, CancelTicket
from tradedesk.domain.instruments import Instrument
from tradedesk.domain.keys import KeyReport
from tradedesk.domain.movements import Movement
from tradedesk.domain.orders import Fill, Order
from tradedesk.domain.outcomes import (
    Acknowledged,
    BalanceReport,
    MoneyMoved,
    NotSent,
    OrderReport,
    QueryAnswer,
    Refused,
    ReplaceOutcome,
    StreamState,
    Unproven,
    VenueInfo,
    VenueState,
)

PrivateNews = OrderReport | BalanceReport | MoneyMoved | StreamState

LastCheck = Callable[[Approved], str | None]
"""Halt, lease and deadline, looked at once more: the reason why an order must not leave, or None.

Called in the task that writes the bytes, with the connection open; it must not block.
"""


class VenueFailed(Exception):
    """The venue did not answer a question, or not in a way that can be used. Says so without any secret or URL."""

    def __init__(self, cause: str, *, is_auth: bool = False) -> None:
        super().__init__(cause)
        self.cause = cause
        self.is_auth = is_auth  # the key, its address or its rights: asking again is no use (F28)


class Adapter(Protocol):
    """One account at its venue. Every method belongs to the worker's loop; none ever sends anything twice (5.2)."""

    async def start(self) -> VenueInfo:
        """Open the exit, measure the venue's clock, learn the instruments. May be called again after it raised VenueFailed."""
        ...

    async def place(self, approved: Approved) -> Acknowledged | Refused | Unproven | NotSent:
        """Send one new order, once. Returns only what was proved."""
        ...

    async def replace(self, approved: Approved) -> ReplaceOutcome | Acknowledged | Refused | NotSent | Unproven:
        """Cancel `approved.replaces` and place `approved.order` in one request; stops if the cancel fails.

        Where both are one order (`is_in_place`): make it smaller where it stands, and no ReplaceOutcome comes of it.
        """
        ...

    async def cancel(self, ticket: CancelTicket) -> Acknowledged | Refused | Unproven | NotSent:
        """Cancel by our id. `Refused` proves only that no such order is open now, not how it ended (F07)."""
        ...

    async def query(self, order: Order, instrument: Instrument) -> QueryAnswer:
        """Ask for one order by our id."""
        ...

    async def fills_of(self, order: Order, instrument: Instrument) -> tuple[Fill, ...]:
        """Every fill of one order, oldest first. Raises VenueFailed."""
        ...

    async def venue_state(self, since_ns: int | None, *, is_for_a_sweep: bool = False) -> VenueState:
        """Open orders, balances, and the fills of the configured instruments since `since_ns` (venue clock; None: none).

        Measures the venue's clock anew as well. `is_for_a_sweep`: a halt or a cancel-all waits for it, so that it may use
        what the rate budget keeps for cancels. Raises VenueFailed.
        """
        ...

    async def movements(self, since_ns: int) -> tuple[Movement, ...]:
        """What the venue's ledger says changed a balance since `since_ns` (venue clock) and is no trade, oldest first.

        Raises VenueFailed.
        """
        ...

    async def prove_exit(self, expected: str | None, check_url: str | None) -> ExitProof:
        """Where the account's exit is seen: at `expected`, or at any address where that is None. Never raises."""
        ...

    async def key_report(self) -> KeyReport:
        """What the venue tells of the account's key. Raises VenueFailed: what could not be asked is not told."""
        ...

    async def prove_key(self, source: KeySource) -> tuple[Signer, KeyReport]:
        """A signer with another key, and what the venue tells of that key to signed questions of its own.

        The account goes on with the key it has. Whoever does not go on with the signer closes it. Raises VenueFailed.
        """
        ...

    def use_key(self, source: KeySource, signer: Signer) -> None:
        """From the next request on the key of `prove_key`; the old one is forgotten. The private stream stays as it is."""
        ...

    async def move_stream(self) -> None:
        """Subscribe anew with the key of now, before the old subscription is given up; nothing says that it was down.

        Compare with the venue afterwards: what came between the two was not heard. Raises VenueFailed, the old one going on.
        """
        ...

    async def run_private(self, sink: Callable[[PrivateNews], None]) -> None:
        """Feed `sink` from the private stream until cancelled, reconnecting with back-off.

        StreamState(is_up=True) comes with the confirmed subscription and before its first report, is_up=False when it
        ended. Every report is handed on, in the order received. Raises VenueFailed(is_auth=True) if the key is refused.
        """
        ...

    async def close(self) -> None:
        """Close the exit. Cancel what runs on it first."""
        ...

    def exit_seen(self) -> str | None:
        """The local address that the private stream really left by, as its socket says; None while there is none."""
        ...

    def stream_age_ns(self) -> int | None:
        """How long ago the private stream last carried anything, pings included; None while it is down."""
        ...

    def held_up(self) -> str | None:
        """Why nothing at all may be sent now, a ban of the exit say, in words that stay the same; None if it may."""
        ...

    @property
    def clock_offset_ms(self) -> int | None:
        """The venue's clock less ours, as last measured."""
        ...


class Markets:
    """The instruments of one venue as last loaded: loaded once, read by its feed and all its accounts, on any thread."""

    def __init__(self, symbols: tuple[str, ...]) -> None:
        """`symbols` as written in desk.toml, e.g. BTC/USDT."""
        self.symbols = symbols
        self.instruments: tuple[Instrument, ...] = ()  # replaced as a whole, never changed
        self.when_doubted: Callable[[], None] = lambda: None  # set by whoever reads them anew

    def doubt(self) -> None:
        """The venue refused an order by rules that we knew otherwise: they are read anew soon (F29, F30)."""
        self.when_doubted()

    def put(self, instruments: tuple[Instrument, ...]) -> None:
        self.instruments = instruments
