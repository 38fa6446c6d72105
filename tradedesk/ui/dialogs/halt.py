"""Halt and rearm: a scope is named before anything stops, a name is typed before anything goes on (5.5)."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from msgspec import Struct
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Input, Static

from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.text import clean
from tradedesk.domain.words import AccountId
from tradedesk.ui import drawing
from tradedesk.ui.dialogs.cancel_all import Scope, orders_in
from tradedesk.ui.dialogs.dialog import Dialog, Tools, text_line, wrapped
from tradedesk.ui.drawing import Glyphs, Line, Palette


class HaltAsked(Struct, frozen=True, kw_only=True):
    account: AccountId | None
    level: HaltLevel
    reason: str


SCOPE_WORDS = {
    HaltLevel.BlockNew: "No new order goes out, not even a reducing one. Working orders stay; cancels are allowed.",
    HaltLevel.ReduceOnly: "Only orders that shrink a position may go. Working orders stay; cancels are allowed.",
    HaltLevel.CancelOpening: "Orders that open risk are cancelled, protective ones stay. Reducing orders and cancels may go.",
    HaltLevel.CancelAll: "Every order of ours is cancelled. No new order goes out, not even a reducing one.",
    HaltLevel.Flatten: "Every order of ours is cancelled, then positions are traded back at market. Nothing else goes out.",
}


class HaltDialog(Dialog[HaltAsked]):
    """Halt: a scope must be named, then `y`. No scope is assumed, because the wrong account is the dearest mistake."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "scope('desk')", "Whole desk", show=False),
        Binding("a", "scope('account')", "The account", show=False),
        Binding("l", "level", "Level", show=False),
        Binding("r", "reason", "Reason", show=False),
        Binding("y", "yes", "Halt", show=False),
    ]

    def __init__(
        self,
        tools: Tools,
        *,
        account: AccountId | None,
        is_chosen: bool = False,
        level: HaltLevel = HaltLevel.CancelOpening,
        reason: str = "",
    ) -> None:
        """`account` is what `a` would halt. `is_chosen`: the scope was named already, None being the whole desk."""
        super().__init__(tools, "halt", tone="-halt")
        self._account = account
        self._scope: str | None = None if not is_chosen else "desk" if account is None else "account"
        self._level = level
        self._reason = reason

    def fields(self) -> Iterable[Horizontal]:
        entry = Input(self._reason, id="reason", compact=True, disabled=True, placeholder="halted from the screen")
        entry.cursor_blink = False
        yield Horizontal(Static("reason: ", id="need-says", markup=False), entry, classes="row")

    def lines(self, width: int, glyphs: Glyphs, colours: Palette) -> Sequence[Line]:
        replica = self._tools.view.replica

        def scope(key: str, name: str, text: str) -> Line:
            chosen = self._scope == name
            sign = glyphs.cursor if chosen else " "
            return text_line(f"{sign} {key}  {text}", width, colours.total if chosen else colours.text, glyphs)

        lines = [scope("d", "desk", f"the whole DESK: {len(replica.accounts)} accounts")]
        if self._account is not None:
            lines.append(scope("a", "account", f"account {self._account}"))
        else:
            lines.append(text_line("     (select an account to halt it alone)", width, colours.muted, glyphs))
        lines.append(text_line("", width, colours.text, glyphs))
        lines.append(text_line(f"  l  level {self._level.value}:", width, colours.total, glyphs))
        lines += [
            text_line(f"     {row}", width, colours.text, glyphs)
            for row in wrapped(SCOPE_WORDS[self._level], max(1, width - 5))
        ]
        if self._scope is not None:
            accounts = tuple(replica.accounts) if self._scope == "desk" else (self._account,)
            ours, theirs = orders_in(Scope(name="", accounts=accounts), replica)  # type: ignore[arg-type]
            lines.append(
                text_line(f"     {len(ours)} of our orders open, {len(theirs)} of others", width, colours.text, glyphs)
            )
        return lines

    def hint(self) -> str:
        if self._scope is None:
            return f"choose {'d' if self._account is None else 'd or a'}   l level   r reason   Esc no"
        name = "THE WHOLE DESK" if self._scope == "desk" else self._account
        return f"y halts {name}   l level   r reason   Esc no"

    def action_scope(self, name: str) -> None:
        if name == "desk" or self._account is not None:
            self._scope = name
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
        if self._scope is None:
            alone = "" if self._account is None else ", a the account"
            self.say(f"which? d the whole desk{alone}; then y", is_wrong=True)
            return
        account = None if self._scope == "desk" else self._account
        reason = self.query_one("#reason", Input).value.strip() or "halted from the screen"
        self.close(HaltAsked(account=account, level=self._level, reason=reason))

    def _changed(self) -> None:
        self.say(self.hint())
        self.tick()


class RearmDialog(Dialog[str]):
    """Rearm after a halt: the account's name typed, a reason for the journal, F2. Comes back with the reason."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f2", "yes", "Rearm", show=False, priority=True)]

    def __init__(self, tools: Tools, *, account: AccountId | None, reason: str) -> None:
        super().__init__(tools, f"rearm {account or 'the whole desk'}", tone="-halt")
        self._account = account
        self._reason = reason

    @property
    def _wanted(self) -> str:
        return self._account or "desk"

    def fields(self) -> Iterable[Horizontal]:
        for id, says, value in (("name", f"type {self._wanted}", ""), ("reason", "reason", self._reason)):
            entry = Input(value, id=id, compact=True)
            entry.cursor_blink = False
            yield Horizontal(Static(Content(clean(f"{says}: ")), classes="needs"), entry, classes="row")

    def lines(self, width: int, glyphs: Glyphs, colours: Palette) -> Sequence[Line]:
        halt = self._tools.view.replica.halts.get(self._account)
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
