"""Who came, what they asked for, what they were refused: the journal read for an audit of access."""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from tradedesk.domain import events as ev
from tradedesk.domain.orders import RequestKind
from tradedesk.domain.text import iso_time
from tradedesk.domain.words import AccountId, OperatorId


class Step(Struct, frozen=True, kw_only=True):
    """One thing that an operator did, or was not let do."""

    record: int  # of the journal
    at: int  # ns
    operator: OperatorId
    what: str  # login, left, command, refused, login refused
    account: AccountId | None
    detail: str


def steps(records: Iterable[tuple[int, ev.DurableEvent]]) -> Iterator[Step]:
    """In the order of the journal; what no operator asked for is left out."""
    for record, event in records:
        found = _told(event)
        if found is not None and found[0]:
            operator, what, detail = found
            yield Step(
                record=record, at=event.at, operator=operator, what=what, account=ev.account_of(event), detail=detail
            )


def _told(event: ev.DurableEvent) -> tuple[OperatorId, str, str] | None:
    match event:
        case ev.OperatorAttached():
            return event.operator, "login", f"as user id {event.uid}{_more(event.unrecorded)}"
        case ev.OperatorLeft():
            return event.operator, "left", f"as user id {event.uid}"
        case ev.LoginRefused():
            name = event.operator or OperatorId("?")
            return name, "login refused", f"as user id {event.uid}: {event.why}{_more(event.unrecorded)}"
        case ev.CommandRefused():
            return event.operator, "refused", f"{event.command}: {event.why}{_more(event.unrecorded)}"
        case ev.OrderPlaced() if not event.order.is_external:
            order = event.order
            return order.operator, "command", f"PlaceOrder {order.client_order_id} of {order.instrument}"
        case ev.RequestMade():
            kind = "CancelOrder" if event.request.kind is RequestKind.Cancel else "AmendOrder"
            return event.request.operator, "command", f"{kind} {event.client_order_id}"
        case ev.HaltSet():
            return event.by, "command", f"Halt{_of(event)} {event.level}: {event.reason}"
        case ev.Rearmed():
            return event.by, "command", f"Rearm{_of(event)}: {event.reason}"
        case ev.AlertAcknowledged():
            return event.by, "command", f"AcknowledgeAlert {event.key}: {event.note}"
        case ev.AlertSnoozed():
            return event.by, "command", f"SnoozeAlert {event.key} until {iso_time(event.until)}: {event.note}"
        case ev.MovementSeen() if event.by is not None:
            return event.by, "command", f"Settle {event.asset}: {event.note}"
        case ev.CancelSwept():
            return event.by, "command", f"CancelAll: {event.cancelled} cancelled"
        case ev.ExitSwitched():
            return event.by, "command", f"SwitchExit {event.exit}: {event.reason}"
        case ev.KeyRiskAccepted():
            return event.risk.by, "command", f"AcceptKeyRisk: {event.risk.reason}"
        case ev.MandateApproved():
            return (
                event.approved.by,
                "command",
                f"ApproveMandate {event.approved.mandate.version}: {event.approved.reason}",
            )
        case ev.LimitsSet():
            what = " ".join(part for part in (event.group, event.instrument, event.figure) if part)
            end = "" if event.until is None else f" until {iso_time(event.until)}"
            return event.by, "command", f"SetLimits {what} {event.value or 'as desk.toml says'}{end}: {event.reason}"
        case ev.LimitPassed():
            return event.by, "passed", f"{event.client_order_id}: {'; '.join(event.limits)}: {event.reason}"
        case ev.LimitExceptionEnded():
            what = " ".join(part for part in (event.group, event.instrument, event.figure) if part)
            return event.by, "ended", f"SetLimits {what} {event.value}: its time is over"
        case ev.KeyRotated():
            return event.by, "command", f"RotateKey {event.old_fingerprint} to {event.new_fingerprint}"
        case ev.KeyKept():
            return event.by, "command", f"RotateKey, not done: {event.reason}"
        case ev.KillRecorded():
            return event.receipt.by, "command", f"kill {event.receipt.id}"
        case ev.AccountOffboarded():
            return event.by, "command", f"Offboard: {event.reason}"
        case ev.ApprovalAsked():
            return event.by, "command", f"asked for approval {event.id}: {event.what}"
        case ev.ApprovalGiven():
            return event.by, "command", f"Approve {event.id}, {event.kind} asked by {event.asked_by}: {event.note}"
        case _:
            return None


def _of(event: ev.HaltSet | ev.Rearmed) -> str:
    """What else than an account, which stands beside it, or the desk."""
    return "" if event.scope is None else f" of {event.scope}"


def _more(unrecorded: int) -> str:
    return f" (and {unrecorded} times before, not noted)" if unrecorded else ""
