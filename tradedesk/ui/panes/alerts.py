"""Risk alerts: one row per cause with its count; what nobody has acknowledged stands on top."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tradedesk.domain.alerts import Severity
from tradedesk.ui import drawing
from tradedesk.ui.drawing import Cell, Line
from tradedesk.ui.panes.pane import Selection
from tradedesk.ui.widgets.rows import Column
from tradedesk.ui.widgets.table import LiveTable
from tradedesk.views.alert_rows import AlertRow

_RANK = {Severity.Critical: 0, Severity.Warning: 1, Severity.Info: 2}


class AlertsPane(LiveTable[AlertRow]):
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

    def items(self, now: int) -> Mapping[str, AlertRow]:
        return dict(self.view.replica.alerts)

    def cells(self, item: AlertRow, now: int) -> Sequence[Cell]:
        colours, alert = self.colours, item.alert
        is_over = item.acknowledged_by is not None or not item.is_active
        style = colours.muted if is_over else colours.text
        match alert.severity:
            case Severity.Critical:
                severity = ("CRITICAL", colours.warn if is_over else colours.crit)
            case Severity.Warning:
                severity = ("WARNING", colours.muted if is_over else colours.warn)
            case _:
                severity = ("info", colours.muted)
        return (
            severity,
            (alert.account or "desk", style),
            (alert.text, style),
            (f"x{item.count}" if item.count > 1 else "", style),
            (drawing.age(now - alert.at), colours.muted),
            self._done(item),
        )

    def sort_value(self, item: AlertRow, column: str) -> Any:
        match column:
            case "severity":
                return (_RANK[item.alert.severity], -item.alert.at)
            case "account":
                return item.alert.account or ""
            case "text":
                return item.alert.text
            case "count":
                return item.count
            case "age":
                return -item.alert.at
            case _:
                return item.acknowledged_by or ""

    def group_of(self, item: AlertRow) -> int:
        return (2 if item.acknowledged_by is not None else 0) + (0 if item.is_active else 1)

    def words(self, item: AlertRow) -> str:
        alert = item.alert
        return f"{alert.severity} {alert.account or 'desk'} {alert.rule} {alert.text} {item.acknowledged_by or ''}"

    def detail(self, item: AlertRow, now: int) -> Line:
        alert = item.alert
        facts = drawing.joined(
            (
                alert.rule,
                f"first {drawing.time_of_day(item.first_at)}",
                f"last {drawing.time_of_day(alert.at)}",
                "" if item.is_active else "the cause is gone",
                "a acknowledges" if item.acknowledged_by is None else f"acknowledged by {item.acknowledged_by}",
                item.note,
            )
        )
        return ((f"{alert.text}  ", self.colours.text), (facts, self.colours.muted))

    def nothing(self) -> str:
        return "No risk alerts. 4 shows each account and how near its limits it is."

    def selection_of(self, item: AlertRow) -> Selection:
        return Selection(account=item.alert.account, alert=item.alert.key)

    def key_of(self, selection: Selection) -> str | None:
        return selection.alert

    def go_on(self) -> None:
        """Put the cursor on the next alert that still waits for a person, from here down and round."""
        here = self._cursor_at
        for at in (*range(here + 1, len(self._keys)), *range(here)):
            if self._items[self._keys[at]].acknowledged_by is None:
                self._move_cursor(at)
                return

    def title_parts(self, now: int) -> Sequence[str]:
        waiting = sum(1 for item in self._items.values() if item.acknowledged_by is None)
        return (f"{waiting} to acknowledge" if waiting else "",)

    def _done(self, item: AlertRow) -> Cell:
        if item.acknowledged_by is not None:
            return (f"by {item.acknowledged_by}", self.colours.muted)
        return ("active", self.colours.warn) if item.is_active else ("ended", self.colours.muted)
