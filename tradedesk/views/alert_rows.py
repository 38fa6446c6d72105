"""The rows of alerts and their fold, and how they are shown together by what caused them. Pure."""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from tradedesk.domain import events as ev
from tradedesk.domain.alerts import RANK, Alert
from tradedesk.domain.words import OperatorId

MAX_ENDED_ALERTS = 200
MAX_ALERTS = 2_000  # of all kinds; beyond it ended ones go first, then the least severe, and stay in the journal

AlertEvent = (
    ev.AlertRaised | ev.AlertEnded | ev.AlertAcknowledged | ev.AlertSnoozed | ev.AlertSnoozeEnded | ev.AlertEscalated
)


class AlertRow(Struct, frozen=True, kw_only=True):
    alert: Alert
    count: int
    first_at: int
    is_active: bool
    acknowledged_by: OperatorId | None = None
    note: str = ""  # of who acknowledged it or put it off
    source: str = ""  # who raised it
    asks_since: int = 0  # ns: when it began to ask for a person, or last told everybody that nobody came
    escalated: int = 0  # how often it did that
    snoozed_until: int = 0  # ns; 0: not put off
    snoozed_by: OperatorId | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether it asks for a person now."""
        return self.acknowledged_by is None and not self.snoozed_until


class AlertGroup(Struct, frozen=True, kw_only=True):
    """What is shown as one line: alerts of one cause."""

    key: str
    face: AlertRow  # the one that waits, before one that does not; then the worst, then the newest
    rows: tuple[AlertRow, ...]  # with `face` first

    @property
    def is_waiting(self) -> bool:
        return self.face.is_waiting


def grouped(rows: Iterable[AlertRow]) -> dict[str, AlertGroup]:
    """By cause, in the order in which they are first met."""
    found: dict[str, list[AlertRow]] = {}
    for row in rows:
        found.setdefault(row.alert.group, []).append(row)
    groups = {}
    for key, members in found.items():
        members.sort(key=_first)
        groups[key] = AlertGroup(key=key, face=members[0], rows=tuple(members))
    return groups


def _first(row: AlertRow) -> tuple[bool, bool, int, int]:
    return not row.is_waiting, not row.is_active, -RANK[row.alert.severity], -row.alert.at


def fold(rows: dict[str, AlertRow], event: AlertEvent) -> None:
    """Take one event into the rows. What it says of an alert that is not there is left out."""
    if isinstance(event, ev.AlertRaised):
        _raise(rows, event)
        return
    row = rows.get(event.key)
    if row is None:
        return
    match event:
        case ev.AlertEnded():
            row = msgspec.structs.replace(row, is_active=False)
        case ev.AlertAcknowledged():
            row = msgspec.structs.replace(row, acknowledged_by=event.by, note=event.note, escalated=0)
        case ev.AlertSnoozed():
            row = msgspec.structs.replace(
                row, snoozed_until=event.until, snoozed_by=event.by, note=event.note, escalated=0
            )
        case ev.AlertSnoozeEnded():
            row = msgspec.structs.replace(row, snoozed_until=0, snoozed_by=None)
            if row.is_active:
                row = msgspec.structs.replace(row, acknowledged_by=None, note="", asks_since=event.at)
        case ev.AlertEscalated():
            row = msgspec.structs.replace(row, escalated=event.times, asks_since=event.at)
    rows[event.key] = row


def _raise(rows: dict[str, AlertRow], event: ev.AlertRaised) -> None:
    known, alert = rows.get(event.alert.key), event.alert
    if known is not None and known.is_active:
        severity = known.alert.severity
        if RANK[alert.severity] > RANK[severity]:  # worse: it asks for a person anew (5.15), put off or not
            known = msgspec.structs.replace(
                known,
                acknowledged_by=None,
                note="",
                asks_since=event.at,
                escalated=0,
                snoozed_until=0,
                snoozed_by=None,
            )
            severity = alert.severity
        alert = msgspec.structs.replace(alert, severity=severity)  # the worst of a cause is kept (F90)
        row = msgspec.structs.replace(known, alert=alert, count=known.count + 1, source=event.source)
    elif (
        known is not None
        and event.at < known.snoozed_until
        and RANK[alert.severity] <= RANK[known.alert.severity]  # it is back, and no worse: still put off
    ):
        row = AlertRow(
            alert=alert, count=1, first_at=alert.at, is_active=True, source=event.source, asks_since=event.at,
            snoozed_until=known.snoozed_until, snoozed_by=known.snoozed_by, note=known.note,
        )  # fmt: skip
    else:
        row = AlertRow(
            alert=alert, count=1, first_at=alert.at, is_active=True, source=event.source, asks_since=event.at
        )
    rows.pop(alert.key, None)
    rows[alert.key] = row
    ended = [key for key, row in rows.items() if not row.is_active and row.acknowledged_by is not None]
    for key in ended[: max(0, len(ended) - MAX_ENDED_ALERTS)]:
        del rows[key]
    while len(rows) > MAX_ALERTS:
        del rows[  # over first, then the least severe, then the oldest: a storm drives out no critical one
            min(rows, key=lambda key: (rows[key].is_active, RANK[rows[key].alert.severity]))
        ]
