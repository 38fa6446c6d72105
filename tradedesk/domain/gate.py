"""What goes into the Gate and what comes out of it. The rules themselves are in `risk`."""

from decimal import Decimal

from msgspec import Struct

from tradedesk.domain.accounts import AccountState, HaltLevel
from tradedesk.domain.instruments import Instrument, Quote
from tradedesk.domain.limits import Effective
from tradedesk.domain.orders import Order
from tradedesk.domain.words import ClientOrderId, OperatorId, RequestId
from tradedesk.domain.worst_case import Interval

FLATTENER = OperatorId("system:flatten")  # under whose name a halt of level flatten closes what is left


class GateInputs(Struct, frozen=True, kw_only=True):
    """All the Gate may know, gathered by the worker at one moment."""

    now: int  # ns
    account_state: AccountState
    account_reason: str = ""  # why it stands so
    halt: HaltLevel | None
    limits: Effective | None
    instrument: Instrument | None
    quote: Quote | None
    quote_age_ns: int | None  # by the monotonic clock; None without a quote
    position_qty: Decimal  # base units, signed
    worst: Interval  # with everything that may be live, without the order being judged
    unsettled: int = 0  # differences with the venue that wait for an operator's decision
    open_orders: int  # that may be live, without the order being judged
    available: Decimal  # of the asset the order spends: free, less what unacknowledged orders will take


class Denial(Struct, frozen=True, kw_only=True):
    """One reason why the Gate says no: rule, limit and value as a person reads them."""

    rule: str  # e.g. max_order_notional
    text: str
    limit: str = ""
    value: str = ""


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

    @property
    def is_in_place(self) -> bool:
        """Whether it only makes `replaces` smaller where it stands."""
        return self.replaces is not None and self.replaces.client_order_id == self.order.client_order_id


class CancelTicket(Struct, frozen=True, kw_only=True):
    """A cancel on its way to the venue. It needs no approval: cancels always pass (5.4)."""

    request_id: RequestId
    order: Order
    instrument: Instrument
