"""One account without its thread: order manager, Gate and journal put together. The worker and the simulation drive it."""

from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import Protocol

import msgspec

from tradedesk.accounts.judge import Judge, Quotes
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import Account, AccountState, Halt
from tradedesk.domain.commands import PlaceOrder, Verdict
from tradedesk.domain.gate import Approved
from tradedesk.domain.instruments import Instrument
from tradedesk.domain.money import floor_to_lot
from tradedesk.domain.words import AccountId, ClientOrderId
from tradedesk.journal.store import Durable, JournalError
from tradedesk.orders.manager import OrderManager
from tradedesk.orders.messages import (
    Ask,
    AskFills,
    AskMovements,
    AskState,
    Check,
    Emit,
    Message,
    Quarantine,
    Send,
    SendCancel,
)
from tradedesk.risk import gate
from tradedesk.risk.account_rules import halted
from tradedesk.risk.explain import answers
from tradedesk.risk.halts import NoParts, PartHalts
from tradedesk.risk.mandate_rules import profile
from tradedesk.risk.reservations import Reservations
from tradedesk.views.feed import provisional

ZERO = Decimal(0)
REJUDGE_NS = 10**9  # an order that waited longer for disk or budget is judged anew: prices and positions moved
Outgoing = Send | SendCancel | Ask | AskFills | AskMovements | AskState | Quarantine


class Records(Protocol):
    """The part of a journal that a core needs."""

    def append(self, event: ev.DurableEvent) -> Durable: ...


class Core:
    """Decides and records for one account; what must be done outside comes back as `Outgoing`. One thread's."""

    def __init__(
        self,
        account: Account,
        manager: OrderManager,
        *,
        store: Records,
        publish: Callable[[ev.Event], None],
        quotes: Quotes,
        halt: Callable[[], Halt | None],
        parts: PartHalts | None = None,
        shared: Reservations,
    ) -> None:
        self.account = account
        self.manager = manager
        self.state = AccountState.Offline
        self.reason = ""  # why it is not Ready
        self.condition = AccountState.Offline  # how it stands with its venue, whatever else keeps it from trading
        self._why = ""  # it is not Ready, as far as the venue goes
        self._bars: dict[
            str, tuple[AccountState, str]
        ] = {}  # what has to be proved first -> as what it stands until then
        self._store = store
        self._publish = publish
        self._halt = halt
        self._parts = NoParts() if parts is None else parts
        self._judge = Judge(account, manager, quotes=quotes, halt=halt, parts=self._parts, shared=shared)
        self._durable: dict[ClientOrderId, Durable | JournalError] = {}

    def handle(self, message: Message, now: int, elapsed: int | None = None) -> list[Outgoing]:
        """Let the order manager decide, ask the Gate where it wants to know, record and publish; the rest is returned."""
        outgoing: list[Outgoing] = []
        effects = deque(self.manager.handle(message, now, elapsed))
        while effects:
            effect = effects.popleft()
            match effect:
                case Emit():
                    self._record(effect.event)
                case Check():
                    decision = self._judge.decide(
                        effect.request_id,
                        effect.order,
                        effect.replaces,
                        self.state,
                        self.reason,
                        now,
                        now if elapsed is None else elapsed,
                    )
                    if isinstance(decision, Approved) and decision.waived:
                        self.note(_passed(decision, self.account.id, now))
                    effects.extend(self.manager.handle(decision, now, elapsed))
                case _:
                    outgoing.append(effect)
        at = now if elapsed is None else elapsed
        self._judge.settle(at)
        for mark in self._judge.days(now, at):
            self._mark_day(mark)
        return outgoing

    def recover(self, now: int, elapsed: int | None = None) -> None:
        """Once, after the history was folded: what was pending is unknown."""
        for effect in self.manager.recovered(now, elapsed):
            if isinstance(effect, Emit):
                self._record(effect.event)
        self._judge.opened()

    def use_account(self, account: Account) -> None:
        """What was changed about it while it trades, its key say; nothing is judged by it that was judged before."""
        self.account = self._judge.account = account
        self.manager.use_account(account)

    def use_profile(self, differences: str) -> None:
        """How the account is set otherwise at its venue than it must be, in words; empty: as it must be."""
        self._judge.profile = differences

    def set_state(self, state: AccountState, reason: str, now: int) -> None:
        """Change how the account stands, and say so. Blocked ends only by a start of the desk: a person must have looked."""
        if self.condition is AccountState.Blocked:
            return
        self.condition, self._why = state, reason
        self._tell_state(now)

    def bar(self, what: str, state: AccountState, reason: str, now: int) -> None:
        """Until `admit`: the account stands as `state` whenever it would be Ready, and sends no new order."""
        self._bars[what] = (state, reason)
        self._tell_state(now)

    def admit(self, what: str, now: int) -> None:
        """`what` was proved, and keeps the account from trading no longer."""
        if self._bars.pop(what, None) is not None:
            self._tell_state(now)

    def _tell_state(self, now: int) -> None:
        state, reason = self.condition, self._why
        if state is AccountState.Ready and self._bars:
            found = [state for state, _ in self._bars.values()]
            state = AccountState.Blocked if AccountState.Blocked in found else found[0]
            reason = "; ".join(why for its, why in self._bars.values() if its is state)
        if (self.state, self.reason) == (state, reason):
            return
        self.state, self.reason = state, reason
        self._record(
            ev.AccountChanged(
                at=now, source=f"worker:{self.account.id}", account=self.account.id, state=state, reason=reason
            )
        )

    def note(self, event: ev.DurableEvent | ev.AccountListed) -> None:
        """Record and publish what does not concern the order manager; the books hold it."""
        self.manager.books.apply(event)
        self._record(event)

    def _mark_day(self, mark: ev.DayMarked) -> None:
        """The account's own is part of its books; those of its groups and the desk are the desk's."""
        if mark.account is not None:
            self.manager.books.apply(mark)
        self._record(mark)

    def relist(self, instrument: Instrument, now: int) -> None:
        """From now on orders are judged and sent by these rules; what was sent stays as it is (F30)."""
        source = f"worker:{self.account.id}"
        self.manager.books.apply(ev.InstrumentListed(at=now, source=source, instrument=instrument))

    def record_of(self, client_order_id: ClientOrderId) -> Durable | JournalError | None:
        """The handle of the newest record about an order; sending waits for it (5.1)."""
        return self._durable.get(client_order_id)

    def forget_record(self, client_order_id: ClientOrderId) -> None:
        self._durable.pop(client_order_id, None)

    def last_check(self, approved: Approved, now: int) -> str | None:
        """Looked at in the very task that writes the bytes: why the order must not leave any more, or None."""
        order = approved.order
        if now > order.deadline:
            return "its deadline passed before it could be sent"
        if self.state is not AccountState.Ready:
            return f"the account is {self.state}" + (f" ({self.reason})" if self.reason else "")
        refusal = self.manager.may_leave(order.client_order_id)
        if refusal is not None:
            return refusal
        has_waited = now - approved.approved_at > REJUDGE_NS
        is_halted = self._halt() is not None or self._parts.part_of(order) is not None
        if not is_halted and not self._judge.profile and not has_waited:
            return None
        case = self._judge.case(order, approved.replaces, self.state, self.reason, now)
        if has_waited:  # F49, F59
            denials, _ = gate.sorted_out(case, gate.denials_of(case))
            return "; ".join(denial.text for denial in denials) or None
        denial = halted(case) or profile(case)
        return None if denial is None else denial.text

    def verdict(self, command: PlaceOrder, now: int, elapsed: int | None = None) -> Verdict:
        """What the Gate would say to the command, its quantity rounded down to the lot. Reserves nothing."""
        instrument = self.manager.books.instruments.get(command.instrument)
        qty = command.order_qty if instrument is None else floor_to_lot(command.order_qty, instrument.lot)
        order = provisional(msgspec.structs.replace(command, order_qty=qty), now)
        case = self._judge.case(order, None, self.state, self.reason, now, now if elapsed is None else elapsed)
        return Verdict(
            account=self.account.id,
            instrument=command.instrument,
            order_qty=qty,
            remainder=command.order_qty - qty,
            price=command.price,
            notional=None if case.price is None else case.price * qty,
            denials=tuple(denial.text for denial in gate.denials_of(case)),
            answers=answers(case),
        )

    def _record(self, event: ev.Event) -> None:
        if isinstance(event, ev.DURABLE):
            client_order_id = _about(event)
            try:
                handle: Durable | JournalError = self._store.append(event)  # type: ignore[arg-type]
            except JournalError as error:
                handle = error
            known = self._durable.get(client_order_id) if client_order_id is not None else None
            if client_order_id is not None and not isinstance(known, JournalError):  # one record refused is refused
                self._durable[client_order_id] = handle
                if len(self._durable) > 4 * len(self.manager.live) + 64:
                    self._durable = {key: value for key, value in self._durable.items() if key in self.manager.live}
        self._judge.seen(event)
        self._publish(event)


def _passed(approved: Approved, account: AccountId, now: int) -> ev.LimitPassed:
    """Recorded before the order goes: who went over which limit, and why."""
    order = approved.order
    return ev.LimitPassed(
        at=now,
        source=f"worker:{account}",
        account=account,
        client_order_id=order.client_order_id,
        limits=tuple(denial.text for denial in approved.waived),
        by=order.operator,
        reason=order.confirm or "",
    )


def _about(event: ev.Event) -> ClientOrderId | None:
    """The order whose sending must wait for this record; of a replace that is the new one."""
    match event:
        case ev.OrderPlaced():
            return event.order.client_order_id
        case ev.RequestMade():
            return event.request.replaced_by or event.client_order_id
        case ev.RequestDecided() | ev.OrderMoved():
            return event.client_order_id
        case _:
            return None
