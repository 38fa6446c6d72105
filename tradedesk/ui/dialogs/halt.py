"""Halt and rearm: a scope is named before anything stops, a name is typed before anything goes on (5.5)."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from msgspec import Struct
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Input, Static

from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.scopes import DESK, Scope, ScopeKind, algorithm_of, may_concern, part_scopes
from tradedesk.domain.text import clean
from tradedesk.domain.words import AccountId, InstrumentId, OperatorId
from tradedesk.ui import drawing
from tradedesk.ui.dialogs.dialog import Dialog, Tools, text_line, wrapped
from tradedesk.ui.drawing import Glyphs, Line, Palette
from tradedesk.ui.panes.pane import Selection
from tradedesk.views.replica import Replica


class HaltAsked(Struct, frozen=True, kw_only=True):
    scope: Scope
    level: HaltLevel
    reason: str


SCOPE_WORDS = {
    HaltLevel.BlockNew: "No new order goes out, not even a reducing one. Working orders stay; cancels are allowed.",
    HaltLevel.ReduceOnly: "Only orders that shrink a position may go. Working orders stay; cancels are allowed.",
    HaltLevel.CancelOpening: "Orders that open risk are cancelled, protective ones stay. Reducing orders and cancels may go.",
    HaltLevel.CancelAll: "Every order of ours is cancelled. No new order goes out, not even a reducing one.",
    HaltLevel.Flatten: "Every order of ours is cancelled, then positions are traded back at market. Nothing else goes out.",
}


KEYS = {  # of the dialog, in the order of its rows
    ScopeKind.Desk: "d",
    ScopeKind.Account: "a",
    ScopeKind.Group: "g",
    ScopeKind.Venue: "v",
    ScopeKind.Instrument: "i",
    ScopeKind.Operator: "o",
    ScopeKind.Algorithm: "b",
}


def scopes_at(here: Selection, replica: Replica, operator: OperatorId) -> tuple[Scope, ...]:
    """What may be halted from where the cursor is: of its order, account and instrument whatever there is, and the desk."""
    found = [DESK]
    row = None if here.account is None else replica.accounts.get(here.account)
    if row is not None:
        account = row.account
        found.append(Scope(kind=ScopeKind.Account, name=account.id))
        found += [Scope(kind=ScopeKind.Group, name=group) for group in account.groups]
        found.append(Scope(kind=ScopeKind.Venue, name=account.venue))
    if here.instrument is not None:
        found.append(Scope(kind=ScopeKind.Instrument, name=here.instrument))
    order = None if here.order is None else replica.orders.get(here.order)
    found.append(Scope(kind=ScopeKind.Operator, name=operator if order is None else order.operator))
    algorithm = None if order is None else algorithm_of(order.block)
    if algorithm is not None:
        found.append(Scope(kind=ScopeKind.Algorithm, name=algorithm))
    return tuple(found)


class HaltDialog(Dialog[HaltAsked]):
    """Halt: a scope must be named, then `y`. No scope is assumed, because the wrong account is the dearest mistake."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key, f"scope('{kind.value}')", kind.value.capitalize(), show=False) for kind, key in KEYS.items()),
        Binding("l", "level", "Level", show=False),
        Binding("r", "reason", "Reason", show=False),
        Binding("y", "yes", "Halt", show=False),
    ]

    def __init__(
        self,
        tools: Tools,
        *,
        scopes: Sequence[Scope],
        chosen: Scope | None = None,
        level: HaltLevel = HaltLevel.CancelOpening,
        reason: str = "",
    ) -> None:
        """`scopes` are those that keys name, `chosen` the one that was named already."""
        super().__init__(tools, "halt", tone="-halt")
        self._scopes = [*scopes, *([chosen] if chosen is not None and chosen not in scopes else [])]
        self._chosen = chosen
        self._level = level
        self._reason = reason

    def fields(self) -> Iterable[Horizontal]:
        entry = Input(self._reason, id="reason", compact=True, disabled=True, placeholder="halted from the screen")
        entry.cursor_blink = False
        yield Horizontal(Static("reason: ", id="need-says", markup=False), entry, classes="row")

    def lines(self, width: int, glyphs: Glyphs, colours: Palette) -> Sequence[Line]:
        replica = self._tools.view.replica
        lines: list[Line] = []
        for kind, key in KEYS.items():
            of_kind = [scope for scope in self._scopes if scope.kind is kind]
            if not of_kind:
                continue
            shown = self._chosen if self._chosen in of_kind else of_kind[0]
            sign, style = (glyphs.cursor, colours.total) if shown == self._chosen else (" ", colours.text)
            more = f"   ({key} again: the next of {len(of_kind)})" if len(of_kind) > 1 else ""
            lines.append(text_line(f"{sign} {key}  {described(shown, replica)}{more}", width, style, glyphs))
        if all(scope.kind is not ScopeKind.Account for scope in self._scopes):
            lines.append(text_line("     (select an account to halt it alone)", width, colours.muted, glyphs))
        lines.append(text_line("", width, colours.text, glyphs))
        lines.append(text_line(f"  l  level {self._level.value}:", width, colours.total, glyphs))
        lines += [
            text_line(f"     {row}", width, colours.text, glyphs)
            for row in wrapped(SCOPE_WORDS[self._level], max(1, width - 5))
        ]
        if self._chosen is not None:
            ours, theirs = orders_under(self._chosen, replica)
            lines.append(text_line(f"     {ours} of our orders open, {theirs} of others", width, colours.text, glyphs))
        return lines

    def hint(self) -> str:
        if self._chosen is None:
            return f"choose {self._keys()}   l level   r reason   Esc no"
        name = "THE WHOLE DESK" if self._chosen.kind is ScopeKind.Desk else self._chosen.called
        return f"y halts {name}   l level   r reason   Esc no"

    def _keys(self) -> str:
        keys = [key for kind, key in KEYS.items() if any(scope.kind is kind for scope in self._scopes)]
        return f"{', '.join(keys[:-1])} or {keys[-1]}" if len(keys) > 1 else keys[0]

    def action_scope(self, kind: str) -> None:
        of_kind = [scope for scope in self._scopes if scope.kind.value == kind]
        if of_kind:
            at = of_kind.index(self._chosen) + 1 if self._chosen in of_kind else 0
            self._chosen = of_kind[at % len(of_kind)]
            self._changed()

    def action_level(self) -> None:
        levels = list(HaltLevel)
        self._level = levels[(levels.index(self._level) + 1) % len(levels)]
        self._changed()

    def action_reason(self) -> None:
        entry = self.query_one("#reason", Input)
        entry.disabled = False
        entry.focus()
        self.say("Enter: done")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.query_one("#reason", Input).disabled = True
        self.set_focus(None)
        self._changed()

    def action_yes(self) -> None:
        if self._chosen is None:
            self.say(f"which? {self._keys()}; then y", is_wrong=True)
            return
        if self._level is HaltLevel.Flatten and not self._chosen.kind.has_positions:
            self.say(f"{self._chosen} has no positions to flatten; l for another level", is_wrong=True)
            return
        reason = self.query_one("#reason", Input).value.strip() or "halted from the screen"
        self.close(HaltAsked(scope=self._chosen, level=self._level, reason=reason))

    def _changed(self) -> None:
        self.say(self.hint())
        self.tick()


def described(scope: Scope, replica: Replica) -> str:
    """A scope as its row says it."""
    count = len(_accounts_under(scope, replica))
    accounts = "1 account" if count == 1 else f"{count} accounts"
    match scope.kind:
        case ScopeKind.Desk:
            return f"the whole DESK: {accounts}"
        case ScopeKind.Account:
            return f"account {scope.name}"
        case ScopeKind.Instrument:
            known = replica.instruments.get(InstrumentId(scope.name))
            return f"instrument {scope.name if known is None else known.symbol} at its venue: {accounts}"
        case ScopeKind.Operator:
            return f"orders of operator {scope.name}"
        case ScopeKind.Algorithm:
            return f"orders of algorithm {scope.name}"
        case _:
            return f"{scope.kind.value} {scope.name}: {accounts}"


def orders_under(scope: Scope, replica: Replica) -> tuple[int, int]:
    """How many orders are open that a halt is about: ours, and those of other software, which stay."""
    accounts = set(_accounts_under(scope, replica))
    ours = theirs = 0
    for order in replica.orders.values():
        if order.is_dead or order.account not in accounts:
            continue
        if not scope.kind.is_whole and scope not in part_scopes(order.instrument, order.operator, order.block):
            continue
        ours, theirs = (ours, theirs + 1) if order.is_external else (ours + 1, theirs)
    return ours, theirs


def _accounts_under(scope: Scope, replica: Replica) -> list[AccountId]:
    rows = [row.account for row in replica.accounts.values()]
    return [row.id for row in rows if may_concern(scope, row.id, row.groups, row.venue)]


class RearmDialog(Dialog[str]):
    """Rearm after a halt: what was halted typed, a reason for the journal, F2. Comes back with the reason."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f2", "yes", "Rearm", show=False, priority=True)]

    def __init__(self, tools: Tools, *, scope: Scope, reason: str) -> None:
        super().__init__(tools, f"rearm {scope.called}", tone="-halt")
        self._scope = scope
        self._reason = reason

    @property
    def _wanted(self) -> str:
        return self._scope.typed

    def fields(self) -> Iterable[Horizontal]:
        for id, says, value in (("name", f"type {self._wanted}", ""), ("reason", "reason", self._reason)):
            entry = Input(value, id=id, compact=True)
            entry.cursor_blink = False
            yield Horizontal(Static(Content(clean(f"{says}: ")), classes="needs"), entry, classes="row")

    def lines(self, width: int, glyphs: Glyphs, colours: Palette) -> Sequence[Line]:
        halt = self._tools.view.replica.halt_on(self._scope)
        if halt is None:
            return [text_line("Nothing is halted under this name.", width, colours.warn, glyphs)]
        since = drawing.time_of_day(halt.at)
        text = f"{glyphs.halt} {halt.level.value} by {halt.by} since {since}Z: {halt.reason}"
        return [
            *(text_line(row, width, colours.text, glyphs) for row in wrapped(text, width)),
            text_line("Trading may go on from then on. It needs the risk role; the desk checks it.", width, colours.warn, glyphs),
        ]  # fmt: skip

    def hint(self) -> str:
        return "F2 rearms   Tab next field   Esc no"

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#name", Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.focus_next()

    def action_yes(self) -> None:
        if self.is_deaf(self._tools.clock.monotonic()):
            return
        reason = self.query_one("#reason", Input).value.strip()
        if self.query_one("#name", Input).value.strip() != self._wanted:
            self.say(f"type {self._wanted} first: it says what is rearmed", is_wrong=True)
        elif not reason:
            self.say("a reason is needed: it is journalled", is_wrong=True)
        else:
            self.close(reason)
