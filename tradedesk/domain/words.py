"""The field's words: FIX 4.4 names for sides, types and times in force, and the ids that carry a type of their own."""

import re
from enum import StrEnum
from typing import NewType

AccountId = NewType("AccountId", str)
VenueId = NewType("VenueId", str)  # the name of a [venues.X] table in desk.toml
InstrumentId = NewType(
    "InstrumentId", str
)  # "<venue>:<the venue's own symbol>", e.g. "binance:BTCUSDT"; never display text
ClientOrderId = NewType("ClientOrderId", str)
VenueOrderId = NewType("VenueOrderId", str)
RequestId = NewType("RequestId", str)
OperatorId = NewType("OperatorId", str)


class Side(StrEnum):
    """FIX tag 54."""

    Buy = "buy"
    Sell = "sell"

    @property
    def opposite(self) -> "Side":
        return Side.Sell if self is Side.Buy else Side.Buy

    @property
    def sign(self) -> int:
        """+1 for Buy, -1 for Sell: the direction a fill moves the position."""
        return 1 if self is Side.Buy else -1


class OrderType(StrEnum):
    """FIX tag 40."""

    Limit = "limit"
    Market = "market"


class TimeInForce(StrEnum):
    """FIX tag 59."""

    GoodTillCancel = "gtc"
    ImmediateOrCancel = "ioc"
    FillOrKill = "fok"


_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = _DIGITS[rest] + digits
    return digits or "0"


KILLS = "kill-"  # how the ids of a kill's own orders begin, which close what is held
_MADE_BY_A_KILL = re.compile(r"kill-[0-9a-z]{9,12}-[0-9a-z]{1,8}")
_MADE_BY_A_DESK = re.compile(r"td-[0-9a-z]{9,12}-[0-9a-z]{1,8}")


def client_order_id(now: int, chance: int) -> ClientOrderId:
    """A client order id that is never used again: the moment (ns since the epoch) and 40 random bits.

    Unique across restarts, machines and restored backups (5.2): it counts nothing that could be set back. Two of the same
    microsecond meet by chance once in 10^12; two of different ones never, unless a clock is set back by just their
    distance, and then as seldom. What an account used before is refused on top of that. Letters, digits and hyphens, at
    most 24 characters; venues take 36.

    The form is the mark by which a venue's list shows what desks made: one of it that an account's own journal does not
    know is another desk's, or this one's from before its journal was set back (`is_a_desks`, F66, F67).
    """
    return ClientOrderId(f"td-{_base36(now // 1_000)}-{_base36(chance & (1 << 40) - 1)}")


def is_a_kills(client_order_id: ClientOrderId) -> bool:
    """Whether an id has the form of those under which a kill closes positions: ours, though no desk placed it."""
    return _MADE_BY_A_KILL.fullmatch(client_order_id) is not None


def is_a_desks(client_order_id: ClientOrderId) -> bool:
    """Whether an id has the form of those that desks make."""
    return _MADE_BY_A_DESK.fullmatch(client_order_id) is not None
