"""The worklist of one account: what differs between the desk and its venue, and an operator's decision about it."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from tradedesk.domain.accounts import Mode
from tradedesk.domain.events import WorkItem
from tradedesk.domain.text import clean
from tradedesk.domain.words import AccountId, OperatorId
from tradedesk.ui import drawing
from tradedesk.ui.dialogs.dialog import Dialog, Lines, Tools, text_line, wrapped
from tradedesk.ui.drawing import Glyphs, Line, Palette

INDENT = 4


class WorklistDialog(Dialog[str]):
    """Every difference of one account, to read. Where the operator may settle, `s` comes back with the chosen item's key."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "settle", "Settle", show=False),
        Binding("q", "no", "Close", show=False),
    ]

    def __init__(self, tools: Tools, account: AccountId, *, may_settle: bool = False) -> None:
        super().__init__(tools, f"worklist of {titled(tools, account)}")
        self._account = account
        self._may_settle = may_settle
        self._chosen: str | None = None  # by key: items come and go while it is open

    @property
    def _items(self) -> tuple[WorkItem, ...]:
        """What waits for a person first."""
        row = self._tools.view.replica.accounts.get(self._account)
        return () if row is None else tuple(sorted(row.worklist, key=lambda item: not item.needs_decision))

    @property
    def _item(self) -> WorkItem | None:
        """The chosen one, as long as it is there."""
        items = self._items
        if self._chosen is None and items:
            self._chosen = items[0].key
        return next((item for item in items if item.key == self._chosen), None)

    def lines(self, width: int, glyphs: Glyphs, colours: Palette) -> Sequence[Line]:
        items, chosen = self._items, self._item
        if not items:
            row = self._tools.view.replica.accounts.get(self._account)
            if row is None or row.reconciled_at is None:
                return [text_line("Not yet compared with the venue.", width, colours.muted, glyphs)]
            ago = drawing.age(self._tools.clock.now() - row.reconciled_at)
            return [text_line(f"Nothing differs: compared {ago} ago.", width, colours.text, glyphs)]
        lines: list[Line] = []
        for item in items:
            lines += item_lines(item, width, glyphs, colours, is_chosen=item is chosen and self._may_settle)
        if any(item.needs_decision for item in items):
            says = "Until it is settled this account opens no new risk; reductions and cancels go."
            lines += [text_line(row, width, colours.warn, glyphs) for row in wrapped(says, width)]
        return lines

    def hint(self) -> str:
        item = self._item
        if self._may_settle and item is not None and item.needs_decision:
            more = "up and down choose   " if len(self._items) > 1 else ""
            return f"s settles {item.key}   {more}Esc closes"
        return "up and down scroll   Esc closes" if not self._may_settle else "up and down choose   Esc closes"

    def tick(self) -> None:
        super().tick()
        if self.is_mounted and not self.query_one("#hint", Static).has_class("-wrong"):
            self.say(self.hint())

    def on_key(self, event: events.Key) -> None:
        step = {"down": 1, "up": -1, "j": 1, "k": -1}.get(event.key)
        if not self._may_settle or step is None:
            super().on_key(event)
            return
        event.stop()
        keys = [item.key for item in self._items]
        if keys:
            here = keys.index(self._chosen) if self._chosen in keys else 0
            at = min(max(0, here + step), len(keys) - 1)
            self._chosen = keys[at]
            self.say(self.hint())
            super().tick()
            words = self.query_one("#words", VerticalScroll)
            lines = self.query_one("#lines", Lines)
            above = sum(
                len(item_lines(item, lines.size.width, lines.glyphs, lines.colours)) for item in self._items[:at]
            )
            words.scroll_to(y=above, animate=False)

    def action_settle(self) -> None:
        item = self._item
        if not self._may_settle:
            return
        if item is None:
            self.say("it is gone by now: up and down choose another", is_wrong=True)
        elif not item.needs_decision:
            self.say(f"{item.key} waits for the venue, not for you", is_wrong=True)
        else:
            self.close(item.key)


class SettleDialog(Dialog[str]):
    """Take one difference into the books: the account's name typed, a note for the journal, F2. Comes back with the note."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f2", "yes", "Settle", show=False, priority=True)]

    def __init__(
        self, tools: Tools, account: AccountId, item: WorkItem, *, operator: OperatorId, note: str = ""
    ) -> None:
        super().__init__(tools, f"settle {item.key} of {titled(tools, account)}", tone="-halt")
        self._account = account
        self._item = item  # as the operator read it
        self._operator = operator
        self._note = note

    def fields(self) -> Iterable[Horizontal]:
        for id, says, value in (("name", f"type {self._account}", ""), ("note", "note", self._note)):
            entry = Input(value, id=id, compact=True)
            entry.cursor_blink = False
            yield Horizontal(Static(Content(clean(f"{says}: ")), classes="needs"), entry, classes="row")

    def lines(self, width: int, glyphs: Glyphs, colours: Palette) -> Sequence[Line]:
        says = (
            f"Booked as it stands, with your note, as {self._operator}'s decision: it moves the balance and is no gain or loss. "
            "What is booked stays in the journal. Find the cause first if it may still come."
        )
        return [
            *item_lines(self._item, width, glyphs, colours),
            *(text_line(row, width, colours.warn, glyphs) for row in wrapped(says, width)),
        ]

    def hint(self) -> str:
        return "F2 settles   Tab next field   Esc no"

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#name", Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.focus_next()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.say(self.hint())

    def action_yes(self) -> None:
        if self.is_deaf(self._tools.clock.monotonic()):
            return
        row = self._tools.view.replica.accounts.get(self._account)
        now = next((item for item in row.worklist if item.key == self._item.key), None) if row is not None else None
        note = self.query_one("#note", Input).value.strip()
        if self._tools.view.lost is not None:
            self.say("the desk is away: nothing can be settled", is_wrong=True)
        elif now is None or not now.needs_decision:
            self.say(f"{self._item.key} does not wait any more: Esc", is_wrong=True)
        elif now != self._item:
            self._item = now
            self.tick()
            self.say("it has changed since you opened this: read it again, then F2", is_wrong=True)
        elif self.query_one("#name", Input).value.strip() != self._account:
            self.say(f"type {self._account} first: it says whose books change", is_wrong=True)
        elif not note:
            self.say("a note is needed: it says why, and is journalled", is_wrong=True)
        else:
            self.close(note)


def item_lines(item: WorkItem, width: int, glyphs: Glyphs, colours: Palette, *, is_chosen: bool = False) -> list[Line]:
    """One difference: which, ours beside the venue's, the likely cause, the proposed repair, and an empty line."""
    sign, style, waits = (
        (glyphs.near, colours.warn, "waits for you") if item.needs_decision
        else (glyphs.pending, colours.pending, "under way")
    )  # fmt: skip
    cursor = glyphs.cursor if is_chosen else " "
    told = (("ours", f"{item.ours}   venue {item.venues}"), ("cause", item.cause), ("repair", item.repair))
    lines = [text_line(f"{cursor} {sign:3}{item.key}   {waits}", width, style, glyphs)]
    room = max(1, width - INDENT - 8)
    for name, text in told:
        for at, row in enumerate(wrapped(text, room)):
            lines.append(text_line(f"{' ' * INDENT}{name if at == 0 else '':8}{row}", width, colours.text, glyphs))
    return [*lines, text_line("", width, colours.text, glyphs)]


def titled(tools: Tools, account: AccountId) -> str:
    """The account with its mode: the wrong account is the dearest mistake."""
    row = tools.view.replica.accounts.get(account)
    return account if row is None else f"{account} {'LIVE' if row.account.mode is Mode.Live else 'PAPER'}"
