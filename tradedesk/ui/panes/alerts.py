"""Risk alerts: one row per cause with its count; what waits for a person stands on top, and what is overdue says so."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tradedesk.domain.alerts import STREAM, Severity
from tradedesk.ui import drawing
from tradedesk.ui.drawing import Cell, Line
from tradedesk.ui.panes.pane import Selection
from tradedesk.ui.widgets.rows import Column
from tradedesk.ui.widgets.table import LiveTable
from tradedesk.views.alert_rows import AlertGroup, grouped

_RANK = {Severity.Critical: 0, Severity.Warning: 1, Severity.Info: 2}


class AlertsPane(LiveTable[AlertGroup]):
    """The worst and newest first within what still waits for a person."""

    name_shown: ClassVar[str] = "alerts"
    what: ClassVar[str] = "alerts"
    sorted_first_by: ClassVar[str] = "severity"

    columns: ClassVar[tuple[Column, ...]] = (
        Column(key="severity", title="severity", width=8),
        Column(key="account", title="account", width=7),
        Column(key="text", title="cause", width=24, grows=True),
        Column(key="count", title="times", width=5, is_right=True, drop=2),
        Column(key="age", title="age", width=4, is_right=True),
        Column(key="done", title="seen", width=9, drop=1),
    )

    def items(self, now: int) -> Mapping[str, AlertGroup]:
        return grouped(self.view.replica.alerts.values())

    def cells(self, item: AlertGroup, now: int) -> Sequence[Cell]:
        colours, row = self.colours, item.face
        alert = row.alert
        is_over = not row.is_waiting or not row.is_active
        style = colours.muted if is_over else colours.text
        match alert.severity:
            case Severity.Critical:
                severity = ("CRITICAL", colours.warn if is_over else colours.crit)
            case Severity.Warning:
                severity = ("WARNING", colours.muted if is_over else colours.warn)
            case _:
                severity = ("info", colours.muted)
        more = f" (+{len(item.rows) - 1})" if len(item.rows) > 1 else ""
        count = sum(one.count for one in item.rows)
        return (
            severity,
            (alert.account or "desk", style),
            (alert.text + more, style),
            (f"x{count}" if count > 1 else "", style),
            (drawing.age(now - alert.at), colours.muted),
            self._done(item, now),
        )

    def sort_value(self, item: AlertGroup, column: str) -> Any:
        alert = item.face.alert
        match column:
            case "severity":
                return (_RANK[alert.severity], -alert.at)
            case "account":
                return alert.account or ""
            case "text":
                return alert.text
            case "count":
                return sum(one.count for one in item.rows)
            case "age":
                return -alert.at
            case _:
                return item.face.acknowledged_by or ""

    def group_of(self, item: AlertGroup) -> int:
        return (0 if item.is_waiting else 2) + (0 if item.face.is_active else 1)

    def words(self, item: AlertGroup) -> str:
        return " ".join(
            f"{row.alert.severity} {row.alert.account or 'desk'} {row.alert.rule} {row.alert.text} "
            f"{row.alert.owner} {row.acknowledged_by or ''}"
            for row in item.rows
        )

    def detail(self, item: AlertGroup, now: int) -> Line:
        row = item.face
        alert = row.alert
        if row.snoozed_until:
            state = f"put off until {drawing.time_of_day(row.snoozed_until)} by {row.snoozed_by}"
        elif row.acknowledged_by is not None:
            state = f"acknowledged by {row.acknowledged_by}"
        else:
            state = "a acknowledges"
        facts = drawing.joined(
            (
                alert.rule,
                f"of {alert.owner}" if alert.owner else "",
                f"halts at {alert.action}" if alert.action else "",
                f"first {drawing.time_of_day(row.first_at)}",
                f"last {drawing.time_of_day(alert.at)}",
                "" if row.is_active else "the cause is gone",
                f"told on x{row.escalated}" if row.escalated else "",
                state,
                row.note,
                *(f"also {other.alert.text}" for other in item.rows[1:]),
            )
        )
        return ((f"{alert.text}  ", self.colours.text), (facts, self.colours.muted))

    def nothing(self) -> str:
        return "No risk alerts. 4 shows each account and how near its limits it is."

    def selection_of(self, item: AlertGroup) -> Selection:
        return Selection(account=item.face.alert.account, alert=item.key)

    def key_of(self, selection: Selection) -> str | None:
        return selection.alert

    def go_on(self) -> None:
        """Put the cursor on the next alert that still waits for a person, from here down and round."""
        here = self._cursor_at
        for at in (*range(here + 1, len(self._keys)), *range(here)):
            if self._items[self._keys[at]].is_waiting:
                self._move_cursor(at)
                return

    def title_parts(self, now: int) -> Sequence[str]:
        waiting = sum(row.is_waiting for item in self._items.values() for row in item.rows)  # as the header counts
        told = self.view.replica.deliveries.get(STREAM)
        late = sum(delivery.late for delivery in self.view.replica.deliveries.values())
        return (
            f"{waiting} to acknowledge" if waiting else "",
            f"told in {told.last_ms / 1_000:.1f} s" if told is not None else "",
            f"{late} LATE" if late else "",
        )

    def _done(self, item: AlertGroup, now: int) -> Cell:
        row, colours = item.face, self.colours
        if row.snoozed_until:
            return (f"off {drawing.age(row.snoozed_until - now)}", colours.muted)
        if row.acknowledged_by is not None:
            return (f"by {row.acknowledged_by}", colours.muted)
        if row.escalated:
            return ("overdue", colours.crit)
        return ("active", colours.warn) if row.is_active else ("ended", colours.muted)
