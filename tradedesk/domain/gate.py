"""What goes into the Gate and what comes out of it. The rules themselves are in `risk`."""

from decimal import Decimal

from msgspec import Struct

from tradedesk.domain.accounts import AccountState, HaltLevel
from tradedesk.domain.day import Today
from tradedesk.domain.instruments import Instrument, Quote
from tradedesk.domain.limits import Effective, Totals
from tradedesk.domain.mandate import Standing
from tradedesk.domain.orders import Order
from tradedesk.domain.words import AccountId, ClientOrderId, OperatorId, RequestId, Side
from tradedesk.domain.worst_case import Interval

FLATTENER = OperatorId("system:flatten")  # under whose name a halt of level flatten closes what is left


class Exposure(Struct, frozen=True, kw_only=True):
    """What positions and all that may be live come to at the worst, in reporting currency at the marks."""

    gross: Decimal = Decimal(0)  # sum over instruments of the larger end
    net: Interval = Interval(low=Decimal(0), high=Decimal(0))
    unvalued: tuple[str, ...] = ()  # instruments held or worked in that have no price now


class Together(Struct, frozen=True, kw_only=True):
    """A group of accounts, or the desk, without what the account itself has in the instrument being judged."""

    name: str  # e.g. "group growth"
    source: str  # who set its totals
    totals: Totals
    exposure: Exposure
    asset: Interval  # of the instrument's base asset alone, reporting currency
    today: Today = Today()


class Crossing(Struct, frozen=True, kw_only=True):
    """An order of this desk that the one being judged could trade with."""

    account: AccountId
    is_same_owner: bool
    is_prevented: bool  # the venue's own self-trade prevention would end one of them
    side: Side
    price: Decimal | None  # None: at the market


class GateInputs(Struct, frozen=True, kw_only=True):
    """All the Gate may know, gathered by the worker at one moment."""

    now: int  # ns
    account_state: AccountState
    account_reason: str = ""  # why it stands so
    halt: HaltLevel | None  # the strictest over the order
    halted: str = ""  # what that halts, and why, in words
    halted_by: str = ""
    limits: Effective | None
    instrument: Instrument | None
    quote: Quote | None
    quote_age_ns: int | None  # by the monotonic clock; None without a quote
    position_qty: Decimal  # base units, signed
    worst: Interval  # with everything that may be live, without the order being judged
    unsettled: int = 0  # differences with the venue that wait for an operator's decision
    open_orders: int  # that may be live, without the order being judged
    available: Decimal  # of the asset the order spends: free, less what unacknowledged orders will take
    rate: Decimal | None = Decimal(1)  # reporting currency per quote unit; None: not known
    others: Exposure = Exposure()  # of the account in all other instruments
    today: Today = Today()  # of the account
    equity: Decimal | None = None  # of the account, reporting currency; None: not known
    together: tuple[Together, ...] = ()
    crossing: Crossing | None = None  # the one of them that it would meet first
    messages: int = 0  # orders and amends sent within the last minute
    children: int = 0  # orders of the same block within the last minute
    mandate: Standing | None = None  # None: the account has none
    profile: str = ""  # how the account is set otherwise at its venue than it must be; empty: it is as it must be
    repeats: int = 0  # of same instrument, side and quantity within `repeat_within_ms`


class Denial(Struct, frozen=True, kw_only=True):
    """One reason why the Gate says no: rule, limit and value as a person reads them."""

    rule: str  # e.g. max_order_notional
    text: str
    limit: str = ""
    value: str = ""
    source: str = ""  # who set the limit
    is_soft: bool = False  # who ordered may pass it with a reason that is kept


class Answer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one rule of the Gate says to an order, yes or no, with its figures as a person reads them."""

    rule: str
    passes: bool
    value: str = ""
    limit: str = ""  # empty: this rule has none, or none is set
    source: str = ""  # whose limit it is, and who set it
    text: str = ""  # of a no: why
    is_soft: bool = False  # a no that who ordered may pass with a reason that is kept


class Denied(Struct, frozen=True, kw_only=True):
    """The Gate's no, with every reason at once."""

    request_id: RequestId
    client_order_id: ClientOrderId
    denials: tuple[Denial, ...]


class Approved(Struct, frozen=True, kw_only=True):
    """The Gate's yes to one order as it stands; only `risk.gate` makes one, and an adapter takes nothing else (5.4)."""

    request_id: RequestId
    order: Order
    replaces: Order | None  # of an amend: the order that is to be replaced, as it stood
    instrument: Instrument
    approved_at: int  # ns
    waived: tuple[Denial, ...] = ()  # soft ones that the order's operator passed, with the reason it carries

    @property
    def is_in_place(self) -> bool:
        """Whether it only makes `replaces` smaller where it stands."""
        return self.replaces is not None and self.replaces.client_order_id == self.order.client_order_id


class CancelTicket(Struct, frozen=True, kw_only=True):
    """A cancel on its way to the venue. It needs no approval: cancels always pass (5.4)."""

    request_id: RequestId
    order: Order
    instrument: Instrument
