"""The reviews before an order leaves: of a ticket, account by account, and of an amend, before and after."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import ClassVar

import msgspec
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Input, Static

from tradedesk.domain.commands import AmendOrder, PlaceOrder
from tradedesk.domain.events import PreviewMade
from tradedesk.domain.exits import short
from tradedesk.domain.instruments import Instrument
from tradedesk.domain.money import plain
from tradedesk.domain.orders import AmendBy, Order, how_to_amend
from tradedesk.domain.text import clean
from tradedesk.domain.words import AccountId, RequestId
from tradedesk.ui import drawing
from tradedesk.ui.dialogs.dialog import Tools, text_line, wrapped
from tradedesk.ui.dialogs.sends import Sends
from tradedesk.ui.drawing import Cell, Glyphs, Line, Palette, fit
from tradedesk.ui.ticket_model import Draft
from tradedesk.views.replica import Replica

MAX_WHY = 256  # characters of a reason: as many as the desk takes


def request_of(command: PlaceOrder) -> RequestId:
    """The id a review's preview is asked and answered under."""
    return RequestId(f"preview-{command.client_order_id}")


class Said(Enum):
    """What the Gate says to one account's order."""

    Nothing = "not yet"
    Yes = "ok"
    Asks = "asks why"
    No = "denied"


def said_in(made: PreviewMade | None) -> Said:
    if made is None:
        return Said.Nothing
    against = [answer for answer in made.verdict.answers if not answer.passes]
    if not made.verdict.denials:
        return Said.Yes
    return Said.Asks if against and all(answer.is_soft for answer in against) else Said.No


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
        self._why = ""  # typed, of what the Gate only asks about

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f9", "arm", "Arm", show=False, priority=True)]

    def fields(self) -> Iterable[Horizontal]:
        yield from super().fields()
        entry = Input(id="why", compact=True, max_length=MAX_WHY)
        entry.cursor_blink = False
        row = Horizontal(Static(Content("say why it is meant: ")), entry, id="why-row", classes="row")
        row.display = False
        yield row

    def confirmed(self) -> list[PlaceOrder]:
        """The commands as they are to be sent: with the reason where the Gate asked for one."""
        asked = self._with(Said.Asks)
        return [
            msgspec.structs.replace(command, confirm=self._why) if command.account in asked else command
            for command in self._commands
        ]

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
        if len(self._denied()) == len(self._commands):
            return "the Gate denies all of it: nothing to send   Esc back to the ticket"
        if self._with(Said.Asks) and not self._why:
            return "the Gate asks: type why it is meant, it is kept; then F2   Esc back to the ticket"
        return (
            "F2 sends   Esc back to the ticket" if self._is_armed() else "DISARMED   F9 arms, then F2 sends   Esc back"
        )

    def tick(self) -> None:
        super().tick()
        if self.is_mounted and self._need:  # nobody types a quantity for what cannot go
            row = self.query_one("#need", Input).parent
            is_asked = len(self._denied()) < len(self._commands)
            if isinstance(row, Horizontal) and row.display is not is_asked:
                row.display = is_asked
        if self.is_mounted:
            row = self.query_one("#why-row", Horizontal)
            is_asked = bool(self._with(Said.Asks)) and not self._denied()
            if row.display is not is_asked:
                row.display = is_asked
                if is_asked and not self._need:
                    self.query_one("#why", Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "why":
            self._why = clean(event.value).strip()
        super().on_input_changed(event)

    def _denied(self) -> list[AccountId]:
        return self._with(Said.No)

    def _with(self, said: Said) -> list[AccountId]:
        previews = self._tools.view.previews
        return [command.account for command in self._commands if said_in(previews.get(request_of(command))) is said]

    def against(self) -> str | None:
        if not self._is_armed():
            return "disarmed: F9 arms, then F2 sends"
        if self._tools.view.lost is not None:
            return "the desk is away: nothing can be sent"
        denied = self._denied()
        if denied:
            return f"the Gate denies {', '.join(denied)}: Esc, then change the order or take them out"
        if self._with(Said.Asks) and not self._why:
            return "type why it is meant: it is kept with the order; then F2"
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
            leg.account,
            account.mode.value.upper(),
            short(replica.exit_of(account)[0]),
            qty,
            left,
            drawing.number(notional, 2, glyphs),
        )
        verdict: Cell
        if made is None:
            verdict = (f"checking{glyphs.pending}", colours.pending)
        elif said_in(made) is Said.Asks:
            verdict = ("ASKS WHY", colours.warn)
        elif made.verdict.denials:
            verdict = (f"{glyphs.refused} DENIED", colours.crit)
        else:
            verdict = ("ok", colours.text)
        halt = replica.halt_of(leg.account, command.instrument, command.operator)
        if halt is not None:
            verdict = (f"{glyphs.halt} HALT {verdict[0]}", colours.halt)
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


def what_happens(order: Order, command: AmendOrder, instrument: Instrument) -> str:
    """How the venue will carry it out, by what is known now."""
    match how_to_amend(order, command.order_qty, command.price, can_shrink=instrument.can_shrink):
        case AmendBy.InPlace:
            return "Made smaller where it stands: it keeps its place in the queue; fills may arrive before the change."
        case AmendBy.CancelReplace:
            return "The order loses its place in the queue; fills may arrive before the change."
        case AmendBy.CancelThenPlace:
            return "Cancelled, then what is left is placed anew at the end of the queue; fills may arrive before that."


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
            text_line(what_happens(order, command, self._instrument), width, colours.warn, glyphs),
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
