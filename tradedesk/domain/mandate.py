"""What may be done for a client: the mandate of one account, its versions, who approved it, and whether it is in force."""

from datetime import UTC, date, datetime
from decimal import Decimal

from msgspec import Struct

from tradedesk.domain.instruments import Product
from tradedesk.domain.words import OperatorId

NS = 10**9


class Mandate(Struct, frozen=True, kw_only=True):
    """As it stands in desk.toml. A breach by an order of ours is refused; one that came by itself has days to be cured."""

    version: int  # > 0, raised with every change: what was approved is never changed afterwards
    valid_from: date  # UTC, that day included
    valid_until: date | None = None  # likewise; None: until it is replaced
    products: tuple[Product, ...]  # what kinds may be opened
    restricted: tuple[str, ...] = ()  # assets that may not be bought, and are to be sold where they are held
    max_concentration: Decimal | None = None  # most of the equity that one asset may be, cash apart: above 0, at most 1
    cash_floor: Decimal | None = None  # reporting currency that must stay free
    may_short: bool = False
    close_only: bool = False  # nothing may be opened any more
    cure_days: int = 5  # until a breach that came by itself is to be gone


class ApprovedMandate(Struct, frozen=True, kw_only=True):
    """An operator's yes to a mandate as it was then, word by word."""

    mandate: Mandate
    by: OperatorId
    reason: str
    at: int  # ns


class Standing(Struct, frozen=True, kw_only=True):
    """A mandate and the figures it is held against for one order: what the Gate is given of it."""

    mandate: Mandate
    lapse: str  # why it is not in force; empty while it is
    currency: str  # the reporting one, which is its cash
    held: Decimal | None  # of the asset that the order brings in, with all that may be bought of it; reporting currency
    equity: Decimal | None  # reporting currency; None: not known


def lapse(mandate: Mandate, approved: ApprovedMandate | None, now: int) -> str:
    """Why the mandate is not in force at `now` (ns); empty if it is. `approved` is the newest approval of the account."""
    today = day_of(now)
    if approved is None or approved.mandate != mandate:
        known = "" if approved is None else f" (approved is version {approved.mandate.version})"
        return f"mandate version {mandate.version} is not approved{known}"
    if today < mandate.valid_from:
        return f"mandate version {mandate.version} begins on {mandate.valid_from}"
    if mandate.valid_until is not None and today > mandate.valid_until:
        return f"mandate version {mandate.version} ended on {mandate.valid_until}"
    return ""


def why_not_approved(mandate: Mandate | None, version: int, approved: ApprovedMandate | None) -> str | None:
    """Why version `version` cannot be approved now; None if it can."""
    if mandate is None:
        return "it has no mandate; write one in desk.toml and start the desk again"
    if mandate.version != version:
        return f"its mandate is version {mandate.version}, not {version}; read it (tradedesk mandate show) and name it"
    if approved is None:
        return None
    if approved.mandate == mandate:
        return f"version {version} was approved already, by {approved.by}"
    if mandate.version <= approved.mandate.version:
        return (
            f"version {approved.mandate.version} was approved with other words on {day_of(approved.at)};"
            " raise the version in desk.toml, and start the desk again"
        )
    return None


def day_of(at: int) -> date:
    """The day, UTC, of a moment (ns)."""
    return datetime.fromtimestamp(at // NS, UTC).date()
