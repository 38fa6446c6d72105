"""The dialogs: review, cancel all, halt, rearm, questions, help. Default and Esc are no.

A key never confirms what it opened: a dialog is deaf for its first 300 ms, and what sends is F2, which opens nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import ClassVar, Generic, TypeVar

from msgspec import Struct
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tradedesk.clock import Clock
from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.commands import AmendOrder, PlaceOrder
from tradedesk.domain.events import PreviewMade
from tradedesk.domain.instruments import Instrument
from tradedesk.domain.money import plain
from tradedesk.domain.orders import Order
from tradedesk.domain.text import clean
from tradedesk.domain.words import AccountId, RequestId, Side
from tradedesk.ui import drawing
from tradedesk.ui.drawing import Cell, Glyphs, Line, Palette, fit
from tradedesk.ui.header import Bar
from tradedesk.ui.keys import Key
from tradedesk.ui.keys import shown as key_shown
from tradedesk.ui.ticket_model import Draft
from tradedesk.views.feed import DeskView
from tradedesk.views.replica import Replica

R = TypeVar("R")
LinesOf = Callable[[int, Glyphs, Palette], Sequence[Line]]

DEAF_NS = 300_000_000


class Tools(Struct, frozen=True, kw_only=True):
    """What every dialog is handed."""

    view: DeskView
    clock: Clock
    glyphs: Glyphs


class Lines(Bar):
    """The words of a dialog; as high as they are."""

    DEFAULT_CSS = """
    Lines { background: $surface; }
    """

    def draw(self, now: int) -> None:
        lines = self._lines_of(self.size.width, self.glyphs, self.colours)
        if self.styles.height is None or self.styles.height.value != len(lines):
            self.styles.height = len(lines)
        self.put_lines(lines)


class Dialog(ModalScreen[R], Generic[R]):
    """A box over the desk. `tick` is called once a frame; input before `DEAF_NS` is dropped by the app."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "no", "No", show=False)]

    def __init__(self, tools: Tools, title: str, *, tone: str = "") -> None:
        super().__init__(classes=tone)
        self._tools = tools
        self._title = clean(title)
        self._opened_at: int | None = None
        self._said = ""  # what stands in the last line

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = Content(self._title)
            box.set_class(self._tools.glyphs.is_ascii, "-ascii")
            with VerticalScroll(id="words", can_focus=False):
                yield Lines(self._tools.view, self.lines, glyphs=self._tools.glyphs, id="lines")
            yield from self.fields()
            yield Static(self.hint(), id="hint", markup=False)

    def lines(self, width: int, glyphs: Glyphs, colours: Palette) -> Sequence[Line]:
        """What it says now."""
        raise NotImplementedError(f"{type(self).__name__} says nothing")

    def fields(self) -> Iterable[Input | Horizontal]:
        """What can be typed into."""
        return ()

    def hint(self) -> str:
        """Which keys do what."""
        raise NotImplementedError(f"{type(self).__name__} names no keys")

    def on_mount(self) -> None:
        self._opened_at = self._tools.clock.monotonic()
        self.call_after_refresh(self.tick)

    def is_deaf(self, monotonic: int) -> bool:
        """Whether input comes too early to have been meant for this dialog."""
        return self._opened_at is None or monotonic - self._opened_at < DEAF_NS

    def tick(self) -> None:
        """Draw what it says now."""
        if self.is_mounted:
            self.query_one("#lines", Lines).draw_changed((), self._tools.clock.now())

    def action_no(self) -> None:
        self.dismiss(None)

    def on_key(self, event: events.Key) -> None:
        words = self.query_one("#words", VerticalScroll)
        step = {"down": 1, "up": -1, "j": 1, "k": -1, "pagedown": 10, "pageup": -10}.get(event.key)
        if step is not None:
            words.scroll_relative(y=step, animate=False)

    def say(self, text: str, *, is_wrong: bool = False) -> None:
        hint = self.query_one("#hint", Static)
        hint.set_class(is_wrong, "-wrong")
        if text != self._said:  # an update lays the dialog out anew
            self._said = text
            hint.update(Content(clean(text)))


def text_line(text: str, width: int, style: object, glyphs: Glyphs) -> Line:
    return ((fit(text, width, glyphs), style),)  # type: ignore[return-value]


def wrapped(text: str, width: int) -> list[str]:
    """The text in rows of at most `width`, broken at spaces where it can be."""
    rows, rest = [], clean(text)
    while len(rest) > width > 0:
        at = rest.rfind(" ", 0, width + 1)
        at = width if at <= 0 else at
        rows.append(rest[:at])
        rest = rest[at:].lstrip()
    return [*rows, rest]


# -- sending --------------------------------------------------------------------------------------------------------------


class Sends(Dialog[bool]):
    """A review: F2 does it, once, when nothing stands against it and the words asked for are typed."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f2", "yes", "Do it", show=False, priority=True)]

    def __init__(self, tools: Tools, title: str, *, tone: str, need: str = "", need_says: str = "") -> None:
        super().__init__(tools, title, tone=tone)
        self._need = need
        self._need_says = need_says
        self._is_done = False

    def fields(self) -> Iterable[Horizontal]:
        if self._need:
            entry = Input(id="need", compact=True)
            entry.cursor_blink = False
            yield Horizontal(Static(f"{self._need_says}: ", id="need-says", markup=False), entry, classes="row")

    def on_mount(self) -> None:
        super().on_mount()
        if self._need:
            self.query_one("#need", Input).focus()

    def against(self) -> str | None:
        """What stands against doing it now, with the remedy."""
        return None

    def action_yes(self) -> None:
        if self._is_done or self.is_deaf(self._tools.clock.monotonic()):
            return
        against = self.against()
        if against is None and self._need and self.query_one("#need", Input).value.strip() != self._need:
            against = f"{self._need_says} first; then F2"
        if against is not None:
            self.say(against, is_wrong=True)
            return
        self._is_done = True  # a key that repeats finds it done
        self.dismiss(True)

    def tick(self) -> None:
        super().tick()
        if self.is_mounted and not self.query_one("#hint", Static).has_class("-wrong"):
            self.say(self.hint())

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.say(self.hint())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()  # Enter opened this dialog; it does not send


def request_of(command: PlaceOrder) -> RequestId:
    """The id a review's preview is asked and answered under."""
    return RequestId(f"preview-{command.client_order_id}")


class Review(Sends):
    """What a ticket is about to send, account by account, with the Gate's verdict on each."""

    def __init__(
        self,
        tools: Tools,
        draft: Draft,
        commands: Sequence[PlaceOrder],
        *,
        cautions: Sequence[str],
        is_armed: Callable[[], bool],
        arm: Callable[[], None],
    ) -> None:
        needs, says = [], []
        if len(commands) > 1:
            needs.append(str(len(commands)))
            says.append("the count of accounts")
        if cautions:
            needs.append(plain(draft.typed_qty))
            says.append("the quantity")
        super().__init__(
            tools,
            f"review {'LIVE' if draft.is_live else 'PAPER'}: {summary(draft)}",
            tone="-live" if draft.is_live else "-paper",
            need=" ".join(needs),
            need_says=f"type {' and '.join(says)}",
        )
        self._draft = draft
        self._commands = commands
        self._cautions = cautions
        self._is_armed = is_armed
        self._arm = arm

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f9", "arm", "Arm", show=False, priority=True)]

    def lines(self, width: int, glyphs: Glyphs, colours: Palette) -> Sequence[Line]:
        return review_lines(
            self._draft,
            self._commands,
            self._tools.view.replica,
            self._tools.view.previews,
            self._cautions,
            width,
            glyphs,
            colours,
        )

    def hint(self) -> str:
        return (
            "F2 sends   Esc back to the ticket" if self._is_armed() else "DISARMED   F9 arms, then F2 sends   Esc back"
        )

    def against(self) -> str | None:
        if not self._is_armed():
            return "disarmed: F9 arms, then F2 sends"
        if self._tools.view.lost is not None:
            return "the desk is away: nothing can be sent"
        denied = [
            command.account
            for command in self._commands
            if (made := self._tools.view.previews.get(request_of(command))) is not None and made.verdict.denials
        ]
        if denied:
            return f"the Gate denies {', '.join(denied)}: Esc, then change the order or take them out"
        return None

    def action_arm(self) -> None:
        if not self.is_deaf(self._tools.clock.monotonic()):
            self._arm()
            self.say(self.hint())


def summary(draft: Draft) -> str:
    """The order in one phrase: side, type, quantity, instrument, price, terms."""
    price = "at market" if draft.price is None else f"@ {plain(draft.price)}"
    terms = [draft.time_in_force.value.upper()] if draft.price is not None else []
    terms += ["post-only"] if draft.post_only else []
    terms += ["REDUCE-ONLY"] if draft.reduce_only else []
    head = f"{draft.side.value.upper()} {draft.order_type.value.upper()} {plain(draft.typed_qty)}"
    return " ".join((head, draft.instrument.symbol, price, *terms))


def review_lines(
    draft: Draft,
    commands: Sequence[PlaceOrder],
    replica: Replica,
    previews: Mapping[RequestId, PreviewMade],
    cautions: Sequence[str],
    width: int,
    glyphs: Glyphs,
    colours: Palette,
) -> list[Line]:
    """One row per account; a denial's reasons under it in full."""
    lot = max((drawing.places(leg.instrument.lot) for leg in draft.legs), default=0)
    has_exit = width >= 86

    def row(account: str, mode: str, exit: str, *figures: str) -> str:
        where = f"{fit(exit, 16)}" if has_exit else ""
        qty, left, value = figures
        return f"{fit(account, 10)} {mode:<6}{where}{qty:>14} {left:>11} {value:>14}  "

    head = row("account", "mode", "exit", "quantity", "left over", "worth")
    lines: list[Line] = [text_line(f"{head}Gate", width, colours.head, glyphs)]
    total_qty = total = Decimal(0)
    for leg, command in zip(draft.legs, commands, strict=True):
        made = previews.get(request_of(command))
        account = replica.accounts[leg.account].account
        notional = made.verdict.notional if made is not None else None
        if notional is None and draft.price is not None:
            notional = leg.order_qty * draft.price
        total_qty, total = total_qty + leg.order_qty, total + (notional or Decimal(0))
        qty = drawing.number(leg.order_qty, lot)
        left = plain(leg.remainder) if leg.remainder else glyphs.missing
        text = row(
            leg.account, account.mode.value.upper(), account.egress, qty, left, drawing.number(notional, 2, glyphs)
        )
        verdict: Cell
        if made is None:
            verdict = (f"checking{glyphs.pending}", colours.pending)
        elif made.verdict.denials:
            verdict = (f"{glyphs.refused} DENIED", colours.crit)
        else:
            verdict = ("ok", colours.text)
        lines.append(((text, colours.text), verdict))
        for reason in () if made is None else made.verdict.denials:
            for number, part in enumerate(wrapped(reason, width - 13)):
                lines.append(text_line(f"{' ' * 11}{'- ' if not number else '  '}{part}", width, colours.warn, glyphs))
    if len(commands) > 1:
        lines.append(
            text_line(
                row("in all", f"{len(commands)} x", "", drawing.number(total_qty, lot), "", drawing.number(total, 2))
                + draft.instrument.quote,
                width,
                colours.total,
                glyphs,
            )
        )
    if cautions:
        lines.append(text_line("", width, colours.text, glyphs))
        for reason in cautions:
            lines += [text_line(row, width, colours.warn, glyphs) for row in wrapped(f"LOOK AGAIN  {reason}", width)]
    return lines


class AmendReview(Sends):
    """Before and after of one order."""

    def __init__(
        self,
        tools: Tools,
        order: Order,
        command: AmendOrder,
        instrument: Instrument,
        *,
        is_live: bool,
        is_more: bool,
        is_armed: Callable[[], bool],
        arm: Callable[[], None],
    ) -> None:
        mode = "LIVE" if is_live else "PAPER"
        super().__init__(
            tools,
            f"amend {mode}: {order.account} {order.side.value.upper()} {instrument.symbol}",
            tone="-live" if is_live else "-paper",
        )
        self._order, self._command, self._instrument = order, command, instrument
        self._is_more = is_more
        self._is_armed = is_armed
        self._arm = arm

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f9", "arm", "Arm", show=False, priority=True)]

    def lines(self, width: int, glyphs: Glyphs, colours: Palette) -> Sequence[Line]:
        order, command = self._order, self._command
        price_digits, qty_digits = drawing.places(self._instrument.tick), drawing.places(self._instrument.lot)

        def row(what: str, before: Decimal | None, after: Decimal | None, digits: int) -> Line:
            changed = before != after
            text = f"{what:<10} {drawing.number(before, digits):>14}  ->  {drawing.number(after, digits):>14}"
            return text_line(text, width, colours.total if changed else colours.text, glyphs)

        left = max(command.order_qty - order.cum_qty, Decimal(0))
        lines = [
            text_line(f"order      {order.client_order_id}", width, colours.text, glyphs),
            text_line(f"{'':<10} {'before':>14}      {'after':>14}", width, colours.head, glyphs),
            row("quantity", order.order_qty, command.order_qty, qty_digits),
            row("price", order.price, command.price, price_digits),
            row("filled", order.cum_qty, order.cum_qty, qty_digits),
            row("still open", order.leaves_qty, left, qty_digits),
            text_line("", width, colours.text, glyphs),
            text_line("The order loses its place in the queue; fills may arrive before the change.", width, colours.warn, glyphs),
        ]  # fmt: skip
        if self._is_more:
            lines.append(
                text_line("MORE: it asks for more, or at a price nearer to trading.", width, colours.warn, glyphs)
            )
        return lines

    def hint(self) -> str:
        return (
            "F2 sends   Esc back to the ticket" if self._is_armed() else "DISARMED   F9 arms, then F2 sends   Esc back"
        )

    def against(self) -> str | None:
        if not self._is_armed():
            return "disarmed: F9 arms, then F2 sends"
        if self._tools.view.lost is not None:
            return "the desk is away: nothing can be sent"
        now = self._tools.view.replica.orders.get(self._order.client_order_id)
        if now is None or now.is_dead:
            return "the order is not open any more: Esc"
        if now.cum_qty != self._order.cum_qty and now.cum_qty >= self._command.order_qty:
            return f"{plain(now.cum_qty)} is filled by now: Esc, then enter more"
        return None

    def action_arm(self) -> None:
        if not self.is_deaf(self._tools.clock.monotonic()):
            self._arm()
            self.say(self.hint())


# -- cancelling and halting -----------------------------------------------------------------------------------------------


class Scope(Struct, frozen=True, kw_only=True):
    """Which orders a cancel-all is about, and how it is called."""

    name: str
    accounts: tuple[AccountId, ...]
    instrument: str | None = None  # symbol
    side: Side | None = None


def orders_in(scope: Scope, replica: Replica) -> tuple[list[Order], list[Order]]:
    """The open orders of a scope: ours, and those of other software, which stay."""
    inside = [
        order
        for order in replica.orders.values()
        if not order.is_dead
        and order.account in scope.accounts
        and (scope.side is None or order.side is scope.side)
        and (scope.instrument is None or _symbol(order, replica) == scope.instrument)
    ]
    return [one for one in inside if not one.is_external], [one for one in inside if one.is_external]


def _symbol(order: Order, replica: Replica) -> str:
    instrument = replica.instruments.get(order.instrument)
    return order.instrument if instrument is None else instrument.symbol


class CancelAllDialog(Sends):
    """Cancel everything of ours in a scope: Tab goes through the scopes, F2 cancels."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "turn(1)", "Next scope", show=False, priority=True),
        Binding("shift+tab", "turn(-1)", "Previous scope", show=False, priority=True),
    ]

    def __init__(self, tools: Tools, scopes: Sequence[Scope]) -> None:
        super().__init__(tools, "cancel all", tone="-halt")
        self._scopes = scopes
        self._at = 0

    @property
    def scope(self) -> Scope:
        return self._scopes[self._at]

    def lines(self, width: int, glyphs: Glyphs, colours: Palette) -> Sequence[Line]:
        replica = self._tools.view.replica
        lines: list[Line] = []
        for at, scope in enumerate(self._scopes):
            sign = glyphs.cursor if at == self._at else " "
            style = colours.total if at == self._at else colours.muted
            ours, _ = orders_in(scope, replica)
            lines.append(text_line(f"{sign} {scope.name:<48} {len(ours):>4} open", width, style, glyphs))
        ours, theirs = orders_in(self.scope, replica)
        lines.append(text_line("", width, colours.text, glyphs))
        for account in self.scope.accounts:
            mine = [order for order in ours if order.account == account]
            if mine:
                buys = sum(1 for order in mine if order.side is Side.Buy)
                worth = sum((order.leaves_qty * order.price for order in mine if order.price is not None), Decimal(0))
                text = f"{fit(account, 12)} {buys:>4} buy {len(mine) - buys:>4} sell   worth {drawing.number(worth, 2):>16}"
                lines.append(text_line(text, width, colours.text, glyphs))
        if not ours:
            lines.append(text_line("No order of ours is open here.", width, colours.text, glyphs))
        if theirs:
            text = f"{len(theirs)} of other software stay: {', '.join(order.client_order_id for order in theirs)}"
            lines.append(text_line(text, width, colours.warn, glyphs))
        return lines

    def hint(self) -> str:
        ours, _ = orders_in(self.scope, self._tools.view.replica)
        turn = "   Tab other scope" if len(self._scopes) > 1 else ""
        return f"F2 cancels {len(ours)}{turn}   Esc no"

    def against(self) -> str | None:
        ours, _ = orders_in(self.scope, self._tools.view.replica)
        return None if ours else "nothing is open in this scope"

    def action_turn(self, step: int) -> None:
        if not self.is_deaf(self._tools.clock.monotonic()):
            self._at = (self._at + step) % len(self._scopes)
            self.say(self.hint())
            self.tick()


class HaltAsked(Struct, frozen=True, kw_only=True):
    account: AccountId | None
    level: HaltLevel
    reason: str


SCOPE_WORDS = {
    HaltLevel.BlockNew: "no new orders; what works stays",
    HaltLevel.ReduceOnly: "only what shrinks a position",
    HaltLevel.CancelOpening: "and orders that open risk are cancelled; protective ones stay",
    HaltLevel.CancelAll: "and every order of ours is cancelled",
    HaltLevel.Flatten: "and what is left is traded back at market",
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
        lines.append(text_line(f"     {SCOPE_WORDS[self._level]}", width, colours.text, glyphs))
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
        self.dismiss(HaltAsked(account=account, level=self._level, reason=reason))

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
            yield Horizontal(Static(f"{says}: ", classes="needs", markup=False), entry, classes="row")

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
            self.dismiss(reason)


# -- questions and help -----------------------------------------------------------------------------------------------------


class Ask(Dialog[bool]):
    """A question that `y` answers; everything else is no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "Yes", show=False),
        Binding("n", "no", "No", show=False),
    ]

    def __init__(self, tools: Tools, title: str, text: str, *, yes: str, tone: str = "") -> None:
        super().__init__(tools, title, tone=tone)
        self._text = text
        self._yes = yes

    def lines(self, width: int, glyphs: Glyphs, colours: Palette) -> Sequence[Line]:
        return [text_line(row, width, colours.text, glyphs) for row in wrapped(self._text, width)]

    def hint(self) -> str:
        return f"y {self._yes}   Esc no"

    def action_yes(self) -> None:
        self.dismiss(True)


class HelpDialog(Dialog[None]):
    """The keys of this pane, then all of them, with the command for each."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "no", "Close", show=False),
        Binding("question_mark,f1", "no", "Close", show=False),
    ]

    def __init__(
        self, tools: Tools, *, pane: str, pane_keys: Sequence[Binding], keys: Sequence[Key], keymap: Mapping[str, str]
    ) -> None:
        super().__init__(tools, "keys")
        self._pane = pane
        self._pane_keys = pane_keys
        self._keys = keys
        self._keymap = keymap

    def lines(self, width: int, glyphs: Glyphs, colours: Palette) -> Sequence[Line]:
        return help_lines(self._pane, self._pane_keys, self._keys, self._keymap, width, glyphs, colours)

    def hint(self) -> str:
        return "up and down scroll   Esc closes"


def help_lines(
    pane: str,
    pane_keys: Sequence[Binding],
    keys: Sequence[Key],
    keymap: Mapping[str, str],
    width: int,
    glyphs: Glyphs,
    colours: Palette,
) -> list[Line]:
    def row(key: str, says: str, command: str) -> Line:
        room = width - 9
        said = fit(says, min(46, room), glyphs)
        return (
            (f" {key:<8}", colours.total),
            (said, colours.text),
            (fit(f" {command}", room - len(said)), colours.muted),
        )

    lines: list[Line] = []
    if pane_keys:
        lines.append(text_line(f"In {pane}", width, colours.head, glyphs))
        lines += [
            row(key_shown(keymap.get(binding.id or "", binding.key)), binding.description, "") for binding in pane_keys
        ]
        lines.append(text_line("", width, colours.text, glyphs))
    lines.append(text_line("Everywhere, with the command that does the same", width, colours.head, glyphs))
    for key in keys:
        command = f":{key.command}" if key.command else ""
        lines.append(row(key_shown(keymap.get(key.id, key.key)), key.says, command))
    return lines


class Jump(ModalScreen[str]):
    """A letter over each visible pane; the letter goes there."""

    def __init__(self, places: Mapping[str, tuple[int, int]], letters: Mapping[str, str]) -> None:
        """`places` holds the top left corner of each pane on the screen, `letters` its letter."""
        super().__init__()
        self._places = places
        self._letters = letters

    def compose(self) -> ComposeResult:
        for name, (x, y) in self._places.items():
            label = Static(Content(f" {self._letters[name]} "), classes="letter", markup=False)
            label.styles.offset = (x + 1, y)
            yield label

    def on_key(self, event: events.Key) -> None:
        event.stop()
        name = next((name for name, letter in self._letters.items() if letter == event.character), None)
        self.dismiss(name if name in self._places else None)
