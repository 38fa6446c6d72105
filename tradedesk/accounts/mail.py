"""What waits for an account's worker: what others post to it, what its requests brought, and what its venue told."""

from collections.abc import Callable

from msgspec import Struct

from tradedesk.accounts.load import Fill
from tradedesk.bus import Inbox
from tradedesk.domain.commands import (
    AcceptKeyRisk,
    AmendOrder,
    ApproveMandate,
    CancelAll,
    CancelOrder,
    PlaceOrder,
    RotateKey,
    Settle,
)
from tradedesk.domain.instruments import Instrument
from tradedesk.domain.limits import Limits
from tradedesk.domain.words import RequestId
from tradedesk.orders.messages import HaltEnded, HaltNow, Message
from tradedesk.venues.adapter import PrivateNews

COMMANDS = 1_000  # waiting; more are refused, and the operator is told
URGENT = 1_000
NEWS = 50_000  # answers and reports waiting; an overflow means a gap, and a gap is reconciled


class Preview(Struct, frozen=True, kw_only=True):
    command: PlaceOrder
    request_id: RequestId


class ReconcileNow(Struct, frozen=True, kw_only=True):
    """An operator asked for it."""


class Relisted(Struct, frozen=True, kw_only=True):
    """The venue has other rules for an instrument now (F29, F30)."""

    instrument: Instrument


class NewLimits(Struct, frozen=True, kw_only=True):
    """Other limits hold for the account from now on."""

    limits: Limits


Post = (
    PlaceOrder
    | AmendOrder
    | CancelOrder
    | CancelAll
    | Settle
    | AcceptKeyRisk
    | ApproveMandate
    | RotateKey
    | Preview
    | ReconcileNow
    | Relisted
    | NewLimits
    | HaltNow
    | HaltEnded
)
URGENT_POSTS = (CancelOrder, CancelAll, HaltNow, HaltEnded, Relisted, NewLimits)


class Mail:
    """Bounded, one lane each so that none holds up another. Any thread may put in; the worker's loop takes out."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self.urgent: Inbox[Post] = Inbox(URGENT, wake)
        self.answers: Inbox[Message] = Inbox(NEWS, wake)  # never dropped: each has its request in flight
        self.news: Inbox[PrivateNews] = Inbox(NEWS, wake)
        self.commands: Inbox[Post] = Inbox(COMMANDS, wake)

    def __len__(self) -> int:
        return len(self.urgent) + len(self.answers) + len(self.news) + len(self.commands)

    def post(self, message: Post) -> bool:
        """Put in a command, a halt or a question. False: its lane is full, and nothing was taken."""
        lane = self.urgent if isinstance(message, URGENT_POSTS) else self.commands
        if lane.offer(message):
            return True
        lane.is_cut = False  # refused, not cut off: the next may fit
        return False

    def take_posts(self) -> list[Post]:
        """What others posted, cancels and halts first."""
        return [*self.urgent.take(), *self.commands.take()]

    def fills(self) -> tuple[Fill, ...]:
        return (
            Fill(what="cancels and halts waiting", held=len(self.urgent), most=URGENT),
            Fill(what="commands waiting", held=len(self.commands), most=COMMANDS),
            Fill(what="answers waiting", held=len(self.answers), most=NEWS),
            Fill(what="reports waiting", held=len(self.news), most=NEWS),
        )
