"""What of a desk one operator is sent: their accounts, the markets, and what concerns everybody."""

import re

import msgspec
from msgspec import Struct

from tradedesk.domain import events as ev
from tradedesk.domain.alerts import Alert
from tradedesk.domain.scopes import Scope, ScopeKind
from tradedesk.domain.words import OperatorId
from tradedesk.views.replica import Replica, Snapshot

FOR_ALL = (
    ev.DeskStarted, ev.VenueListed, ev.InstrumentListed, ev.FeedChanged, ev.BookFrame, ev.TapeFrame, ev.CandleFrame,
    ev.Heartbeat, ev.AlertDelivered, ev.OperatorAttached, ev.OperatorLeft, ev.LoginRefused,
)  # fmt: skip
OF_THE_DESK = (
    ev.HaltSet, ev.Rearmed, ev.CommandRefused, ev.ApprovalAsked, ev.ApprovalGiven, ev.ApprovalEnded, ev.LimitsSet,
    ev.LimitExceptionEnded,
)  # fmt: skip
_WORD = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)  # what account names are made of


class Lens(Struct, frozen=True, kw_only=True):
    """Whose eyes it is. A kind of event that is not known here is not sent to who may not see every account."""

    operator: OperatorId | None = None
    seen: frozenset[str] | None = None  # account ids; None: every one

    def shows(self, event: ev.Event, replica: Replica) -> bool:
        """Whether the event is for these eyes; `replica` is the desk's, the event folded."""
        if self.seen is None or isinstance(event, FOR_ALL):
            return True
        account = ev.account_of(event)
        if account is not None:
            return account in self.seen
        if isinstance(event, ev.HaltSet | ev.Rearmed) and event.scope is not None:
            return self._shows_scope(event.scope, replica)
        match event:
            case ev.AlertRaised():
                return self._shows_alert(event.alert, replica)
            case (
                ev.AlertEnded() | ev.AlertAcknowledged()
                | ev.AlertSnoozed() | ev.AlertSnoozeEnded() | ev.AlertEscalated()
            ):  # fmt: skip
                row = replica.alerts.get(event.key)
                return row is not None and self._shows_alert(row.alert, replica)
            case ev.LogWritten():
                return self._shows_log(event, replica)
            case ev.SubmissionRefused():
                return event.operator == self.operator
            case _:
                return isinstance(event, OF_THE_DESK)

    def of(self, replica: Replica, number: int) -> Snapshot:
        """The replica's snapshot for these eyes."""
        whole = replica.snapshot(number)
        seen = self.seen
        if seen is None:
            return whole
        orders = tuple(order for order in whole.orders if order.account in seen)
        theirs = {order.client_order_id for order in orders}
        return msgspec.structs.replace(
            whole,
            accounts=tuple(row for row in whole.accounts if row.account.id in seen),
            opened=tuple(account for account in whole.opened if account in seen),
            orders=orders,
            fills=tuple(fill for fill in whole.fills if fill.account in seen),
            positions=tuple(position for position in whole.positions if position.account in seen),
            ledgers={account: ledger for account, ledger in whole.ledgers.items() if account in seen},
            incomes={account: income for account, income in whole.incomes.items() if account in seen},
            halts=tuple(
                halt
                for halt in whole.halts
                if (
                    self._shows_scope(halt.scope, replica)
                    if halt.scope is not None
                    else halt.account is None or halt.account in seen
                )
            ),
            alerts=tuple(row for row in whole.alerts if self._shows_alert(row.alert, replica)),
            logs=tuple(log for log in whole.logs if self._shows_log(log, replica)),
            approvals=tuple(asked for asked in whole.approvals if asked.account is None or asked.account in seen),
            exits={account: row for account, row in whole.exits.items() if account in seen},
            limits_set=tuple(event for event in whole.limits_set if event.account is None or event.account in seen),
            live={account: key for account, key in whole.live.items() if account in seen},
            days=tuple(mark for mark in whole.days if mark.account in seen),  # what others win is not theirs to see
            dead=tuple(key for key in whole.dead if key in theirs),
        )

    def _shows_scope(self, scope: Scope, replica: Replica) -> bool:
        """A halt of a group goes to who sees an account in it, one of a market, an operator or an algorithm to all."""
        assert self.seen is not None
        groups = (row.account.groups for row in replica.accounts.values() if row.account.id in self.seen)
        return scope.kind is not ScopeKind.Group or any(scope.name in found for found in groups)

    def _shows_alert(self, alert: Alert, replica: Replica) -> bool:
        """One of the desk or a market goes to all who see every account that it names."""
        assert self.seen is not None
        if alert.account is not None:
            return alert.account in self.seen
        return not self._hidden(replica) & {*_WORD.findall(alert.text), *_WORD.findall(alert.key)}

    def _shows_log(self, log: ev.LogWritten, replica: Replica) -> bool:
        """A line of the log goes to who sees the accounts that it names; one that names none is the desk's own."""
        assert self.seen is not None
        named = set(_WORD.findall(log.text))
        return bool(named & self.seen) and not named & self._hidden(replica)

    def _hidden(self, replica: Replica) -> set[str]:
        assert self.seen is not None
        return {str(account) for account in replica.accounts} - self.seen


EVERYTHING = Lens()
