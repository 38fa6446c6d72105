"""What a checkpoint holds of one account's books, beside what a screen would be shown of it."""

from decimal import Decimal

import msgspec
from msgspec import Struct

from tradedesk.domain.words import ClientOrderId, InstrumentId, VenueOrderId
from tradedesk.views.replica import Snapshot


class AccountState(Struct, frozen=True, kw_only=True):
    """The books of one account at a record of the journal; with the later records they go on as if all had been read."""

    replica: Snapshot
    live: tuple[ClientOrderId, ...]
    known_ids: tuple[ClientOrderId, ...]  # of all orders ever
    fill_keys: tuple[tuple[str, str, str], ...]  # of all fills ever: applied once, however often they come (5.3)
    movement_keys: tuple[tuple[str, str, str], ...]
    by_venue_id: tuple[tuple[InstrumentId, VenueOrderId, ClientOrderId], ...]
    renamed: dict[ClientOrderId, ClientOrderId]
    held: dict[str, Decimal]
    trades_from: int  # venue clock, ns
    is_opened: bool


account_state_decoder = msgspec.msgpack.Decoder(AccountState)
