"""The second person: what waits is read, a name is typed, a note is given, F2."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Input, Static

from tradedesk.domain.events import ApprovalAsked, KeyChecked
from tradedesk.domain.findings import Level
from tradedesk.domain.text import clean
from tradedesk.domain.words import AccountId
from tradedesk.ui import drawing
from tradedesk.ui.dialogs.dialog import Dialog, Tools, text_line, wrapped
from tradedesk.ui.dialogs.worklist import titled
from tradedesk.ui.drawing import Glyphs, Line, Palette


class TypedDialog(Dialog[str]):
    """The account's name typed, words given, F2. Comes back with the words."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f2", "yes", "Yes", show=False, priority=True)]
    field = "reason"
    does = "asks"

    def __init__(self, tools: Tools, title: str, *, account: AccountId | None, words: str = "") -> None:
        super().__init__(tools, title, tone="-halt")
        self._wanted = account or "desk"
        self._words = words

    def fields(self) -> Iterable[Horizontal]:
        for id, says, value in (("name", f"type {self._wanted}", ""), ("told", self.field, self._words)):
            entry = Input(value, id=id, compact=True)
            entry.cursor_blink = False
            yield Horizontal(Static(Content(clean(f"{says}: ")), classes="needs"), entry, classes="row")

    def hint(self) -> str:
        return f"F2 {self.does}   Tab next field   Esc no"

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
        words = self.query_one("#told", Input).value.strip()
        if self.query_one("#name", Input).value.strip() != self._wanted:
            self.say(f"type {self._wanted} first: it says whose it is", is_wrong=True)
        elif not words:
            self.say(f"a {self.field} is needed: it is journalled with your name", is_wrong=True)
        else:
            self.close(words)


class ApproveDialog(TypedDialog):
    """What somebody else asked for, to be let go on."""

    field = "note"
    does = "approves"

    def __init__(self, tools: Tools, asked: ApprovalAsked, *, note: str = "") -> None:
        whose = "the whole desk" if asked.account is None else titled(tools, asked.account)
        super().__init__(tools, f"approve {asked.id}: {asked.kind} of {whose}", account=asked.account, words=note)
        self._asked = asked

    def lines(self, width: int, glyphs: Glyphs, colours: Palette) -> Sequence[Line]:
        asked, now = self._asked, self._tools.clock.now()
        if asked.id not in self._tools.view.replica.approvals:
            return [text_line("It does not wait any more: Esc", width, colours.warn, glyphs)]
        when = f"asked by {asked.by} {drawing.time_of_day(asked.at)}Z, ends in {drawing.age(asked.expires_at - now)}"
        rule = (
            "It is done the moment you approve. It takes the role risk, and not the one who asked; the desk checks it."
        )
        return [
            *(text_line(row, width, colours.text, glyphs) for row in wrapped(asked.what, width)),
            text_line(when, width, colours.muted, glyphs),
            *(text_line(row, width, colours.warn, glyphs) for row in wrapped(rule, width)),
        ]


class GoLiveDialog(TypedDialog):
    """Ask a second person to let an account's key trade live."""

    def __init__(self, tools: Tools, account: AccountId, *, reason: str = "") -> None:
        super().__init__(tools, f"go live with {titled(tools, account)}", account=account, words=reason)
        self._account = account

    def lines(self, width: int, glyphs: Glyphs, colours: Palette) -> Sequence[Line]:
        row = self._tools.view.replica.accounts.get(self._account)
        key = "not known yet" if row is None or not row.account.key else row.account.key
        says = f"Key {key} of {self._account} trades real money once somebody else has approved this."
        return [text_line(part, width, colours.text, glyphs) for part in wrapped(says, width)]


class AcceptKeyDialog(TypedDialog):
    """Let an account trade with a key that can move money."""

    does = "accepts"

    def __init__(self, tools: Tools, checked: KeyChecked, *, reason: str = "") -> None:
        account = checked.account
        super().__init__(tools, f"accept the key of {titled(tools, account)}", account=account, words=reason)
        self._checked = checked

    def lines(self, width: int, glyphs: Glyphs, colours: Palette) -> Sequence[Line]:
        checked = self._checked
        wrong = [finding.text for finding in checked.findings if finding.level is not Level.Ok]
        says = (
            f"Key {checked.report.fingerprint} of {checked.account}: {'; '.join(wrong) or 'nothing is wrong with it'}."
        )
        rule = "It may move money and trades all the same from now on, on record under your name. Another key needs it again."
        return [
            *(text_line(part, width, colours.warn, glyphs) for part in wrapped(says, width)),
            *(text_line(part, width, colours.text, glyphs) for part in wrapped(rule, width)),
        ]
