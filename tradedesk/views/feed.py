"""How a reader gets the stream of a desk: numbered events after a numbered snapshot, from next door or over a socket."""

from typing import Protocol

import msgspec
from msgspec import Struct

from tradedesk.domain.commands import PlaceOrder
from tradedesk.domain.events import Event, OrderPlaced, PreviewMade, SubmissionRefused
from tradedesk.domain.orders import Order, Request, RequestKind
from tradedesk.domain.words import ClientOrderId, RequestId
from tradedesk.views.replica import Replica, Snapshot


class Numbered(Struct, frozen=True, tag=True):
    """One event with its place in the stream; numbers follow each other without a hole."""

    number: int
    event: Event


class Lost(Struct, frozen=True, kw_only=True, tag=True):
    """The stream is gone; what is shown is as old as `since`."""

    since: int  # our clock, ns
    reason: str


Update = Snapshot | Numbered | Lost

encoder = msgspec.json.Encoder()  # Decimals travel as strings, so nothing is rounded on the way
update_decoder: msgspec.json.Decoder[Update] = msgspec.json.Decoder(Update)


class Feed(Protocol):
    """Where updates come from. `take` never waits; it belongs to the reader's thread."""

    def take(self) -> list[Update]: ...

    def close(self) -> None: ...


class DeskView:
    """What a screen reads: a replica folded from a feed, on the screen's own thread.

    `poll` folds what has arrived and returns it, so that panes can tell what changed; `replica` is the state after it.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self.replica = Replica()
        self.number = 0
        self.lost: Lost | None = None  # set while the desk is away
        self.is_fed = False  # whether a snapshot has ever arrived
        self._overlay: dict[ClientOrderId, Order] = {}
        self.previews: dict[RequestId, PreviewMade] = {}

    def poll(self) -> list[Update]:
        """Fold everything that has arrived since the last poll; returns it in order."""
        updates = self._feed.take()
        for update in updates:
            match update:
                case Snapshot():
                    self.replica, self.number = Replica.restored(update), update.number
                    self.lost, self.is_fed = None, True
                    for known in self.replica.orders:
                        self._overlay.pop(known, None)
                case Numbered():
                    self.replica.apply(update.event)
                    self.number = update.number
                    self._settle(update.event)
                case Lost():
                    self.lost = update
        return updates

    def expect(self, command: PlaceOrder, at: int) -> None:
        """Show a submitted order as pending from this very frame on, until its first event arrives."""
        self._overlay[command.client_order_id] = provisional(command, at)

    def orders(self) -> list[Order]:
        """All orders the screen can show, the just submitted ones last."""
        return [*self.replica.orders.values(), *self._overlay.values()]

    def close(self) -> None:
        self._feed.close()

    def _settle(self, event: Event) -> None:
        if isinstance(event, OrderPlaced):
            self._overlay.pop(event.order.client_order_id, None)
        elif isinstance(event, PreviewMade):
            self.previews[event.request_id] = event
            while len(self.previews) > 256:
                del self.previews[next(iter(self.previews))]
        elif isinstance(event, SubmissionRefused):
            self._overlay.pop(ClientOrderId(event.what), None)


def provisional(command: PlaceOrder, at: int) -> Order:
    """A submitted order as it looks before the desk has said anything about it."""
    return Order(
        account=command.account,
        client_order_id=command.client_order_id,
        instrument=command.instrument,
        side=command.side,
        order_type=command.order_type,
        time_in_force=command.time_in_force,
        order_qty=command.order_qty,
        price=command.price,
        post_only=command.post_only,
        reduce_only=command.reduce_only,
        operator=command.operator,
        block=command.block,
        confirm=command.confirm,
        is_risk=command.is_risk,
        egress="",
        placed_at=at,
        deadline=command.deadline,
        requests=(
            Request(
                request_id=RequestId(command.client_order_id),
                kind=RequestKind.New,
                operator=command.operator,
                made_at=at,
            ),
        ),
        updated_at=at,
    )
