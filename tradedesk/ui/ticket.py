"""The ticket: its fields on the screen. What they mean is decided in ticket_model; nothing here can send.

Enter asks for the review. The title says account, mode, side, type and instrument at all times: never by colour, never
"the current one".
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from tradedesk.domain.accounts import Halt
from tradedesk.domain.instruments import Instrument
from tradedesk.domain.limits import effective
from tradedesk.domain.money import plain
from tradedesk.domain.orders import Order
from tradedesk.domain.text import clean
from tradedesk.domain.words import AccountId, OrderType, Side, TimeInForce
from tradedesk.ui import drawing
from tradedesk.ui.freshness import freshness, in_words
from tradedesk.ui.layout import TICKET
from tradedesk.ui.names import accounts_named, instrument_named
from tradedesk.ui.ticket_model import Draft, Field, Fields, Problems, checked, stepped, worth
from tradedesk.views.feed import DeskView

C = TypeVar("C")

STEPS = {"[": (Field.Price, -1), "]": (Field.Price, 1), "-": (Field.Qty, -1), "+": (Field.Qty, 1)}


class FieldInput(Input):
    """One typed field. A number's field leaves the step keys to the ticket."""

    class Stepped(Message):
        def __init__(self, character: str) -> None:
            super().__init__()
            self.character = character

    def __init__(self, field: Field, *, is_number: bool) -> None:
        super().__init__(id=f"field-{field.value}", compact=True, select_on_focus=True)
        self.cursor_blink = False
        self.field = field
        self.is_number = is_number

    def on_key(self, event: events.Key) -> None:
        if self.is_number and event.character in STEPS:
            self.post_message(self.Stepped(event.character))
            event.stop()
            event.prevent_default()


class Choice(Static, can_focus=True):
    """A field with few values: Space or an arrow takes the next, a letter the one that begins with it."""

    class Changed(Message):
        def __init__(self, field: Field) -> None:
            super().__init__()
            self.field = field

    def __init__(self, field: Field, values: Sequence[tuple[object, str]]) -> None:
        super().__init__(id=f"field-{field.value}", markup=False)
        self.field = field
        self._values = values
        self._at = 0

    def on_mount(self) -> None:
        self._draw()

    @property
    def chosen(self) -> object:
        return self._values[self._at][0]

    def choose(self, value: object) -> None:
        self._at = next(at for at, (known, _) in enumerate(self._values) if known == value)
        self._draw()

    def on_key(self, event: events.Key) -> None:
        """All that is printable ends here: while a ticket has the focus no letter reaches the desk."""
        steps = {"space": 1, "right": 1, "left": -1}
        if event.key in steps:
            self._turn((self._at + steps[event.key]) % len(self._values))
        elif event.character is not None and event.is_printable:
            letter = event.character.casefold()
            at = next((n for n, (_, word) in enumerate(self._values) if word.casefold().startswith(letter)), self._at)
            self._turn(at)
        else:
            return
        event.stop()

    def on_click(self) -> None:
        self._turn((self._at + 1) % len(self._values))

    def _turn(self, at: int) -> None:
        if not self.disabled:
            self._at = at
            self._draw()
            self.post_message(self.Changed(self.field))

    def _draw(self) -> None:
        self.update(Content(clean(f"[{self._values[self._at][1]}]")))


def boxed(field: FieldInput) -> Iterable[Widget]:
    """The field between brackets, so that it is seen without colour too."""
    return (
        Static("[", classes=f"box {field.id}", markup=False),
        field,
        Static("]", classes=f"box {field.id}", markup=False),
    )


def remedy_first(reason: str) -> str:
    """A reason as it stands beside its field, where its end may be cut: what to type instead comes first."""
    problem, _, remedy = reason.partition("; ")
    return f"{remedy} {problem}" if remedy.startswith("did you mean") else reason


YES_NO = ((False, " "), (True, "x"))


class Ticket(Vertical):
    """One ticket: new, flattening, or the amendment of `order`. Hidden until opened; locked once it is being sent."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "review", "Review", show=False, id="ticket.review"),
        Binding("escape", "close", "Close", show=False, id="ticket.close"),
        Binding("tab,down", "next(1)", "Next field", show=False, id="ticket.next"),
        Binding("shift+tab,up", "next(-1)", "Previous field", show=False, id="ticket.previous"),
    ]

    class ReviewAsked(Message):
        """Enter was pressed; the fields are as they stand."""

    class Closed(Message):
        """Esc was pressed; nothing was sent."""

    def __init__(self, view: DeskView, now: Callable[[], int], *, glyphs: drawing.Glyphs, id: str) -> None:
        super().__init__(id=id, classes="-ascii" if glyphs.is_ascii else None)
        self._view = view
        self._now = now
        self._glyphs = glyphs
        self.amends: Order | None = None
        self.is_open = False
        self.is_held = False
        self._problems: Mapping[Field, str] = {}
        self._shown: dict[str, str] = {}  # the words beside the fields, as they stand
        self._notice = ""  # what the desk said to the last attempt
        self._hint = ""  # what is to be known of these fields, in place of the keys
        self._is_told = False  # whether mistakes are shown: from the first Enter on, not while one is typing

    def compose(self) -> ComposeResult:
        with Horizontal(id="row-accounts", classes="row"):
            yield Static("accounts", classes="label", markup=False)
            yield from boxed(FieldInput(Field.Accounts, is_number=False))
            yield Static(id="echo-accounts", classes="echo", markup=False)
        with Horizontal(id="row-what", classes="row"):
            yield Static("order", classes="label", markup=False)
            yield Choice(Field.Side, ((Side.Buy, "BUY"), (Side.Sell, "SELL")))
            yield Choice(Field.Type, ((OrderType.Limit, "limit"), (OrderType.Market, "market")))
            yield from boxed(FieldInput(Field.Instrument, is_number=False))
            yield Static(id="echo-what", classes="echo", markup=False)
        with Horizontal(id="row-qty", classes="row"):
            yield Static("qty", classes="label", markup=False)
            yield from boxed(FieldInput(Field.Qty, is_number=True))
            yield Static(id="echo-qty", classes="echo", markup=False)
        with Horizontal(id="row-price", classes="row"):
            yield Static("price", classes="label", markup=False)
            yield from boxed(FieldInput(Field.Price, is_number=True))
            yield Static(id="echo-price", classes="echo", markup=False)
        with Horizontal(id="row-how", classes="row"):
            yield Static("terms", classes="label", markup=False)
            yield Choice(Field.Tif, tuple((tif, tif.value.upper()) for tif in TimeInForce))
            yield Static("post", classes="word", markup=False)
            yield Choice(Field.Post, YES_NO)
            yield Static("reduce", classes="word", markup=False)
            yield Choice(Field.Reduce, YES_NO)
            yield Static(id="echo-how", classes="echo", markup=False)
        yield Static(id="say", markup=False)

    # -- for the screen -------------------------------------------------------------------------------------------------

    def open(self, fields: Fields, *, amends: Order | None = None, hint: str = "") -> None:
        """Show the ticket with these fields and put the cursor where something is still to be typed."""
        self.amends, self._hint = amends, hint
        self.is_open, self.is_held, self._is_told, self._notice = True, False, False, ""
        for field in (Field.Accounts, Field.Instrument, Field.Qty, Field.Price):
            self._input(field).value = clean(str(getattr(fields, field.value)))
            self._input(field).select_on_focus = True
        self._choice(Field.Side).choose(fields.side)
        self._choice(Field.Type).choose(fields.order_type)
        self._choice(Field.Tif).choose(fields.time_in_force)
        self._choice(Field.Post).choose(fields.post_only)
        self._choice(Field.Reduce).choose(fields.reduce_only)
        fixed = () if amends is None else set(Field) - {Field.Qty, Field.Price}
        for field in Field:
            self._widget(field).disabled = field in fixed
        self.draw()
        empty = [
            field
            for field in (Field.Accounts, Field.Instrument, Field.Qty, Field.Price)
            if not self._input(field).value and not self._widget(field).disabled
        ]
        self._widget(empty[0] if empty else Field.Qty).focus()

    def fields(self) -> Fields:
        """What stands in the ticket, as typed."""
        side, order_type, tif = (self._choice(field).chosen for field in (Field.Side, Field.Type, Field.Tif))
        assert isinstance(side, Side)
        assert isinstance(order_type, OrderType)
        assert isinstance(tif, TimeInForce)
        return Fields(
            accounts=self._input(Field.Accounts).value,
            instrument=self._input(Field.Instrument).value,
            side=side,
            order_type=order_type,
            qty=self._input(Field.Qty).value,
            price="" if order_type is OrderType.Market else self._input(Field.Price).value,
            time_in_force=tif,
            post_only=bool(self._choice(Field.Post).chosen),
            reduce_only=bool(self._choice(Field.Reduce).chosen),
        )

    def mark(self, problems: Problems) -> None:
        """Mark the wrong fields with their reasons and put the cursor into the first; what was typed stays."""
        self._is_told = True
        self._problems = problems
        self.draw()
        first = next((field for field in Field if field in problems), None)
        if first is not None and not self._widget(first).disabled:
            wrong = self._widget(first)
            if isinstance(wrong, FieldInput):
                wrong.select_on_focus = False  # the next key corrects what stands there and does not replace it
            wrong.focus()

    def hold(self) -> None:
        """Being sent: nothing can be asked again until the desk has answered."""
        self.is_held = True

    def release(self, why: str) -> None:
        """Nothing was sent, and this is why; the fields are as they were."""
        self.is_held = False
        self._notice = why
        self.draw()

    def close(self) -> None:
        self.is_open = self.is_held = False
        self.amends = None

    def draw(self) -> None:
        """Titles, marks and what stands beside the fields; once a frame while it is open."""
        fields, replica = self.fields(), self._view.replica
        read = checked(fields, replica) if self.amends is None else None
        if self._is_told and self.amends is None:
            self._problems = {} if isinstance(read, Draft) or read is None else read
        problems = self._problems if self._is_told else {}
        for field in Field:
            self._widget(field).set_class(field in problems, "-wrong")
        for part in self.query("#field-price, .field-price"):
            if part.display is not (fields.order_type is OrderType.Limit):
                part.display = fields.order_type is OrderType.Limit
        beside = self._beside(fields, read if isinstance(read, Draft) else None)
        rows = {
            "accounts": (Field.Accounts,),
            "what": (Field.Side, Field.Type, Field.Instrument),
            "qty": (Field.Qty,),
            "price": (Field.Price,),
            "how": (Field.Tif, Field.Post, Field.Reduce),
        }
        for row, its_fields in rows.items():
            wrong = [problems[field] for field in its_fields if field in problems]
            reason = "!" if self.has_class("-narrow") else f"! {remedy_first(wrong[0])}" if wrong else ""
            self._put(f"echo-{row}", reason if wrong else beside[row], is_wrong=bool(wrong))
        self._say(problems)
        self._dress(fields)

    # -- what it says -----------------------------------------------------------------------------------------------------

    def _beside(self, fields: Fields, draft: Draft | None) -> dict[str, str]:
        """What stands beside each row while it is right."""
        replica = self._view.replica
        accounts, instrument = self._named(fields)
        is_narrow = self.has_class("-narrow")
        beside = dict.fromkeys(("accounts", "what", "qty", "price", "how"), "")
        if accounts:
            modes = sorted({replica.accounts[account].account.mode.value.upper() for account in accounts})
            of = None if instrument is None else instrument.id
            halted = [account for account in accounts if replica.halt_of(account, of) is not None]
            count = "1 account" if len(accounts) == 1 else f"{len(accounts)} accounts"
            beside["accounts"] = f"{count} {'+'.join(modes)}" + (f"  HALTED: {', '.join(halted)}" if halted else "")
        if instrument is not None:
            fresh = freshness(self._view, instrument.id, self._now())
            market, digits = replica.market(instrument.id), drawing.places(instrument.tick)
            beside["what"] = (
                in_words(fresh, self._glyphs)
                if not fresh.is_live
                else f"bid {drawing.number(market.bid, digits)}  ask {drawing.number(market.ask, digits)}"
            )
            beside["price"] = f"tick {plain(instrument.tick)}"
            beside["qty"] = f"lot {plain(instrument.lot)}"
            if len(accounts) == 1:
                beside["qty"] += "" if is_narrow else f"  pos {self._held(accounts[0], instrument)}"
                beside["how"] = self._most(accounts[0], instrument)
        if draft is not None:
            value = worth(draft, replica)
            currency = "" if is_narrow else f" {draft.instrument.quote}"
            total = f"= {drawing.number(value, 2)}{currency}" if value is not None else ""
            in_orders = "" if is_narrow or len(draft.legs) == 1 else f" in {len(draft.legs)} orders"
            beside["price"] = f"{total}{in_orders}"
        if fields.order_type is OrderType.Market:
            beside["price"] = f"at market  {beside['price']}"
        if self.amends is not None:
            can_shrink = instrument is not None and instrument.can_shrink
            place = "only less at its price keeps its place" if can_shrink else "loses its place in line"
            beside["how"] = f"filled {plain(self.amends.cum_qty)}; {place}"
        return beside

    def _held(self, account: AccountId, instrument: Instrument) -> str:
        position = self._view.replica.positions.get((account, instrument.id))
        return "0" if position is None else drawing.signed(position.qty, drawing.places(instrument.lot))

    def _most(self, account: AccountId, instrument: Instrument) -> str:
        """The largest order this account may send."""
        limits = effective(self._view.replica.accounts[account].account.limits, instrument.id)
        if limits is None:
            return "no limits set: blocked"
        return f"max {drawing.number(limits.max_order_notional, 0)} {instrument.quote}"

    def _named(self, fields: Fields) -> tuple[tuple[AccountId, ...], Instrument | None]:
        replica = self._view.replica
        try:
            accounts = accounts_named(fields.accounts, replica)
        except ValueError:
            accounts = ()
        try:
            venue = replica.accounts[accounts[0]].account.venue if accounts else None
            return accounts, instrument_named(fields.instrument, replica, venue)
        except ValueError:
            return accounts, None

    def _say(self, problems: Problems) -> None:
        if problems:  # in full: beside its field it may be cut short
            focused = next((field for field in problems if self._widget(field).has_focus), None)
            field = focused or next(field for field in Field if field in problems)
            more = f" (+{len(problems) - 1} more)" if len(problems) > 1 else ""
            self._put("say", f"! {field.value}: {problems[field]}{more}", is_wrong=True)
        elif self._notice:
            self._put("say", f"! {self._notice}", is_wrong=True)
        else:
            self._put("say", self._hint or "Enter opens the review, F2 there sends. Esc closes.", is_wrong=False)

    def _put(self, name: str, text: str, *, is_wrong: bool) -> None:
        """Show the text, if it is another one: an update lays the ticket out anew, and this runs ten times a second."""
        if self._shown.get(name) != text:
            self._shown[name] = text
            self.query_one(f"#{name}", Static).update(Content(clean(text)))
        self.query_one(f"#{name}", Static).set_class(is_wrong, "-wrong")

    def _dress(self, fields: Fields) -> None:
        """Title and border: which accounts, which mode, what, and whether it is halted."""
        accounts, instrument = self._named(fields)
        replica = self._view.replica
        live = any(replica.accounts[account].account.mode == "live" for account in accounts)
        of = None if instrument is None else instrument.id
        halt: Halt | None = next(filter(None, (replica.halt_of(account, of) for account in accounts)), None)
        mode = "" if not accounts else " LIVE" if live else " PAPER"
        who = ",".join(accounts) if accounts else "no account yet"
        shown = who if len(who) <= 24 else f"{len(accounts)} accounts"
        symbol = "no instrument yet" if instrument is None else instrument.symbol
        kind = "amend" if self.amends is not None else "ticket"
        reduce = " REDUCE-ONLY" if fields.reduce_only else ""
        title = f"{kind}: {shown}{mode} {self._glyphs.divider} {fields.side.value.upper()} "
        title += f"{fields.order_type.value.upper()} {symbol}{reduce}"
        if halt is not None:
            title += f" {self._glyphs.halt} HALT {halt.level.value}"
        if self._shown.get("title") != title:
            self._shown["title"] = title
            self.border_title = Content(clean(title))
        self.set_class(live, "-live")
        self.set_class(halt is not None, "-halted")

    # -- keys ---------------------------------------------------------------------------------------------------------------

    def action_review(self) -> None:
        if not self.is_held:
            self._notice = ""
            self.post_message(self.ReviewAsked())

    def action_close(self) -> None:
        if not self.is_held:
            self.post_message(self.Closed())

    def action_next(self, step: int) -> None:
        """The next field that can be typed into, round and round."""
        fields = [field for field in Field if not self._widget(field).disabled and self._widget(field).display]
        focused = next((at for at, field in enumerate(fields) if self._widget(field).has_focus), -1)
        self._widget(fields[(focused + step) % len(fields)]).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_review()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.is_open:
            self.draw()

    def on_resize(self, event: events.Resize) -> None:
        """Lower than the other layouts make it, two rows share a line."""
        self.set_class(event.size.height < TICKET, "-narrow")
        if self.is_open:
            self.draw()

    def on_descendant_focus(self) -> None:
        if self.is_open:
            self.draw()

    def on_choice_changed(self, event: Choice.Changed) -> None:
        event.stop()
        self.draw()

    def on_field_input_stepped(self, event: FieldInput.Stepped) -> None:
        event.stop()
        field, direction = STEPS[event.character]
        _, instrument = self._named(self.fields())
        target = self._input(field)
        if instrument is not None and not target.disabled:
            step = instrument.tick if field is Field.Price else instrument.lot
            target.value = stepped(target.value.strip().replace(" ", ""), step, direction)
            target.cursor_position = len(target.value)

    def _widget(self, field: Field) -> FieldInput | Choice:
        widget = self.query_one(f"#field-{field.value}")
        assert isinstance(widget, FieldInput | Choice)
        return widget

    def _input(self, field: Field) -> FieldInput:
        return self.query_one(f"#field-{field.value}", FieldInput)

    def _choice(self, field: Field) -> Choice:
        return self.query_one(f"#field-{field.value}", Choice)
