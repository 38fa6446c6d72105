"""The desk screen of an operator who may trade: the ticket, arming, cancels, halts, over the screen everyone sees.

Only this module holds a DeskControl. What sends is F2 in a review that another key opened, while armed.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

import msgspec
from textual.binding import BindingType
from textual.widget import Widget

from tradedesk.clock import Clock
from tradedesk.domain.commands import (
    AcceptKeyRisk,
    AcknowledgeAlert,
    AmendOrder,
    Approve,
    CancelAll,
    CancelOrder,
    Command,
    GoLive,
    HaltTrading,
    NotSubmitted,
    PlaceOrder,
    Rearm,
    Settle,
    SnoozeAlert,
)
from tradedesk.domain.control import DeskControl
from tradedesk.domain.events import HaltSet
from tradedesk.domain.orders import Order, OrderState, state
from tradedesk.domain.scopes import DESK, carried, scope_of
from tradedesk.domain.scopes import Scope as HaltScope
from tradedesk.domain.words import AccountId, ClientOrderId, OperatorId
from tradedesk.ui import verbs
from tradedesk.ui.dialogs.approval import AcceptKeyDialog, ApproveDialog, GoLiveDialog
from tradedesk.ui.dialogs.ask import Ask
from tradedesk.ui.dialogs.cancel_all import CancelAllDialog, Scope
from tradedesk.ui.dialogs.halt import HaltAsked, HaltDialog, RearmDialog, scopes_at
from tradedesk.ui.dialogs.review import AmendReview, Review, request_of
from tradedesk.ui.dialogs.worklist import SettleDialog, WorklistDialog
from tradedesk.ui.drawing import SECOND, Glyphs, time_of_day
from tradedesk.ui.header import Standing
from tradedesk.ui.keys import READ_KEYS, TRADE_KEYS, Key, bindings
from tradedesk.ui.names import instrument_named
from tradedesk.ui.notices import Tone, described
from tradedesk.ui.panes.alerts import AlertsPane
from tradedesk.ui.panes.orders import OrdersPane
from tradedesk.ui.panes.pane import Selection
from tradedesk.ui.screens.lock import ScreenLock
from tradedesk.ui.screens.watch import WatchScreen
from tradedesk.ui.settings import Settings
from tradedesk.ui.ticket import Ticket
from tradedesk.ui.ticket_model import (
    DEADLINE_NS,
    Draft,
    Fields,
    amend_command,
    cautions,
    checked,
    flattening,
    is_more,
    left_by,
    place_commands,
    prefilled,
    terms,
    with_accounts,
)
from tradedesk.views.alert_rows import AlertGroup, grouped
from tradedesk.views.feed import DeskView, Lost, Numbered, Update
from tradedesk.views.replica import Snapshot

_TO_ALERTS = "go to the alerts first (5): a acknowledges the one under the cursor, :snooze puts it off"
IDLE_NS = 600 * SECOND  # armed ends after this without a key or a click


class TradeScreen(WatchScreen):
    """Turns keys into commands. Submitting answers at once, so the screen never waits."""

    keys: ClassVar[tuple[Key, ...]] = (*READ_KEYS, *TRADE_KEYS)
    may_trade: ClassVar[bool] = True
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(TRADE_KEYS)]

    def __init__(
        self,
        view: DeskView,
        control: DeskControl,
        *,
        ids: Callable[[AccountId], ClientOrderId],
        operator: OperatorId,
        clock: Clock,
        glyphs: Glyphs,
        settings: Settings,
        themes: Callable[[], Sequence[str]],
        frame_hz: float,
        lock: ScreenLock | None = None,
    ) -> None:
        self.ticket = Ticket(view, clock.now, glyphs=glyphs, id="ticket")
        super().__init__(
            view,
            operator=operator,
            clock=clock,
            glyphs=glyphs,
            settings=settings,
            themes=themes,
            frame_hz=frame_hz,
            lock=lock,
        )
        self._control = control
        self._ids = ids
        self.is_armed = False
        self._sent: dict[tuple[object, ...], int] = {}  # terms of what was sent -> when, for "the same order again"

    def more_children(self) -> Iterable[Widget]:
        return (self.ticket,)

    # -- armed ----------------------------------------------------------------------------------------------------------

    def lock_up(self, why: str) -> None:
        self.arm(False)
        super().lock_up(why)

    @property
    def halt_when_locked(self) -> Callable[[], None] | None:
        return self.action_halt

    def action_arm(self) -> None:
        self.arm(not self.is_armed)

    def arm(self, wanted: bool, why: str = "") -> None:
        if wanted and self.view.lost is not None:
            self.say("the desk is away: cannot arm", Tone.Warned)
            return
        if wanted != self.is_armed:
            self.is_armed = wanted
            mode = "LIVE" if self.prompt() == "LIVE>" else "PAPER"
            text = f"ARMED {mode}: F2 in a review sends" if wanted else f"disarmed{why}"
            self.say(text, Tone.Warned if wanted or why else Tone.Said)
            self.draw(())

    def standing(self) -> Standing:
        return msgspec.structs.replace(super().standing(), is_armed=self.is_armed)

    def frame(self) -> None:
        super().frame()
        if self.is_armed and self.clock.monotonic() - self._touched >= IDLE_NS:
            self.arm(False, ": nothing was touched for 10 minutes")

    def react(self, updates: Sequence[Update]) -> None:
        super().react(updates)
        for update in updates:
            if isinstance(update, Lost):
                self.arm(False, ": the desk went away")
            elif isinstance(update, Snapshot):
                self.arm(False, ": the stream was taken up anew")
            elif isinstance(update, Numbered) and isinstance(update.event, HaltSet):
                self.arm(False, f": {scope_of(update.event.account, update.event.scope).called} was halted")

    def draw(self, updates: Sequence[Update]) -> None:
        super().draw(updates)
        if self.ticket.is_open:
            self.ticket.draw()

    def footer(self) -> list[tuple[str, str]]:
        if self.ticket.has_focus_within:
            return [
                ("Enter", "review"), ("[ ]", "price"), ("+ -", "qty"), ("Esc", "close"), ("F9", "arm"), ("F12", "halt"),
                ("Tab", "next"), ("^p", "palette"),
            ]  # fmt: skip
        return super().footer()

    # -- the ticket -------------------------------------------------------------------------------------------------------

    def open_ticket(self, fields: Fields, amends: Order | None = None, hint: str = "") -> None:
        if self.ticket.is_held:
            return
        self._remember_pane()
        self.body.show(has_ticket=True)
        self.ticket.open(fields, amends=amends, hint=hint)
        self.draw(())

    def action_new(self) -> None:
        selection = self.selected()
        instrument = None if selection.instrument is None else self.view.replica.instruments.get(selection.instrument)
        self.open_ticket(
            Fields(accounts=selection.account or "", instrument="" if instrument is None else instrument.symbol)
        )

    def action_flatten(self) -> None:
        selection = self.selected()
        if selection.account is None or selection.instrument is None:
            self.say("select a position first: 3, then its row")
            return
        self._flatten(selection)

    def _flatten(self, selection: Selection) -> None:
        assert selection.account is not None
        assert selection.instrument is not None
        made = flattening(selection.account, selection.instrument, self.view.replica)
        if isinstance(made, Fields):
            self.open_ticket(made, hint=left_by(made, selection.account, selection.instrument, self.view.replica))
        else:
            self.say(made)

    def action_amend(self) -> None:
        order = self._one_order("amend")
        if order is None:
            return
        if order.price is None or order.is_external or order.instrument not in self.view.replica.instruments:
            kind = "an order of other software" if order.is_external else "not a limit order"
            self.say(f"{described(order, self.view.replica)}: {kind}, it cannot be amended here")
            return
        if state(order) not in (OrderState.New, OrderState.PartiallyFilled):
            self.say(f"{described(order, self.view.replica)} is {state(order).value}: wait for the venue, then amend")
            return
        self.open_ticket(prefilled(order, self.view.replica), amends=order)

    def on_ticket_closed(self, message: Ticket.Closed) -> None:
        message.stop()
        self._close_ticket()

    def _close_ticket(self) -> None:
        self.ticket.close()
        self.body.show(has_ticket=False)
        self._focus_back()
        self.draw(())

    def on_ticket_review_asked(self, message: Ticket.ReviewAsked) -> None:
        message.stop()
        if self.has_dialog:
            return  # Enter repeated: a second review of the same ticket could send it twice
        if self.ticket.amends is not None:
            self._review_amend(self.ticket.amends)
            return
        read = checked(self.ticket.fields(), self.view.replica)
        if not isinstance(read, Draft):
            self.ticket.mark(read)
            return
        draft, now = read, self.clock.now()
        commands = place_commands(draft, operator=self.operator, now=now, ids=self._ids)
        for command in commands:  # asked with what was typed, so that the answer can say what rounding takes away
            self._control.preview(msgspec.structs.replace(command, order_qty=draft.typed_qty), request_of(command))
        review = Review(
            self.tools,
            draft,
            commands,
            cautions=cautions(draft, self.view.replica, self._sent, now),
            is_armed=lambda: self.is_armed,
            arm=lambda: self.arm(True),
        )
        self.ask(review, lambda _: self._send(draft, review.confirmed()))

    def _send(self, draft: Draft, commands: Sequence[PlaceOrder]) -> None:
        """Hand the reviewed commands over, each once. What the desk did not take stays in the ticket, with its reason."""
        self.ticket.hold()
        now = self.clock.now()
        refused: list[AccountId] = []
        reasons: list[str] = []
        for leg, made in zip(draft.legs, commands, strict=True):
            command = msgspec.structs.replace(made, deadline=now + DEADLINE_NS)
            answer = self._control.submit(command)
            if isinstance(answer, NotSubmitted):
                refused.append(command.account)
                reasons.append(f"{command.account}: {answer.reason}")
            else:
                self.view.expect(command, now)
                self._sent[terms(leg, draft)] = now
        if refused:
            taken = len(commands) - len(refused)
            self.say(f"NOT SENT {'; '.join(reasons)}", Tone.Alarmed, is_sticky=True)
            if taken:  # the ticket must not hold an account whose order is on its way
                self.ticket.open(with_accounts(self.ticket.fields(), tuple(refused)))
            self.ticket.release(reasons[0] + (f" ({taken} others were sent)" if taken else ""))
        else:
            self.ticket.release("")
            self._close_ticket()
        self.draw(())

    def _review_amend(self, order: Order) -> None:
        replica = self.view.replica
        order = replica.orders.get(order.client_order_id, order)
        now = self.clock.now()
        if order.is_dead:
            self.ticket.release(f"the order is {state(order).value} by now")
            return
        made = amend_command(
            order, self.ticket.fields(), replica, operator=self.operator, now=now, new_id=self._ids(order.account)
        )
        if not isinstance(made, AmendOrder):
            self.ticket.mark(made)
            return
        command = made
        self.ask(
            AmendReview(
                self.tools,
                order,
                command,
                replica.instruments[order.instrument],
                is_live=replica.accounts[order.account].account.mode == "live",
                is_more=is_more(command, order),
                is_armed=lambda: self.is_armed,
                arm=lambda: self.arm(True),
            ),
            lambda _: self._send_amend(command),
        )

    def _send_amend(self, command: AmendOrder) -> None:
        self.ticket.hold()
        answer = self._control.submit(msgspec.structs.replace(command, deadline=self.clock.now() + DEADLINE_NS))
        if isinstance(answer, NotSubmitted):
            self.say(f"NOT SENT amend of {command.client_order_id}: {answer.reason}", Tone.Alarmed, is_sticky=True)
            self.ticket.release(answer.reason)
        else:
            self.ticket.release("")
            self._close_ticket()

    # -- cancels ------------------------------------------------------------------------------------------------------------

    def action_cancel(self) -> None:
        """Cancel the marked orders, else the one under the cursor: at once, armed or not, by the ids of this moment."""
        if not self.is_shown("orders"):
            self.say("go to the orders first (2): x cancels what stands there")
            return
        pane = self.panes["orders"]
        assert isinstance(pane, OrdersPane)
        selected = pane.selected().order
        open_orders = {order.client_order_id: order for order in self.view.orders() if not order.is_dead}
        marked = [open_orders[id] for id in sorted(pane.marked()) if id in open_orders]
        chosen = marked or [open_orders[id] for id in (selected,) if id in open_orders]
        if not chosen:
            self.say("select an open order to cancel: 2, then its row")
            return
        external = [order for order in chosen if order.is_external]
        self._cancel([order for order in chosen if not order.is_external])
        if external:
            names = ", ".join(described(order, self.view.replica) for order in external)
            self.ask(
                Ask(
                    self.tools,
                    "an order of other software",
                    f"{names}: not placed by this desk. Something else may rely on it, or place it again.",
                    yes="cancels it",
                    tone="-halt",
                ),
                lambda _: self._cancel(external),
            )

    def _cancel(self, orders: Sequence[Order]) -> None:
        asked = [order for order in orders if state(order) is not OrderState.PendingCancel]
        if orders and not asked:
            self.say("it is being cancelled already")
        for order in asked:
            self._submit(
                CancelOrder(account=order.account, client_order_id=order.client_order_id, operator=self.operator),
                f"cancel of {described(order, self.view.replica)}",
            )

    def action_cancel_last(self) -> None:
        """My newest order still open, with the rest of its batch."""
        mine = [
            order
            for order in self.view.orders()
            if order.operator == self.operator
            and not (order.is_dead or order.is_external or state(order) is OrderState.PendingCancel)
        ]
        if not mine:
            self.say("none of your orders is open")
            return
        newest = max(mine, key=lambda order: order.placed_at)
        batch = [order for order in mine if order is newest or (order.block and order.block == newest.block)]
        self._cancel(batch)

    def action_cancel_all(self) -> None:
        """Open the dialog with the scopes that the selection offers, the narrowest first."""
        replica, selection = self.view.replica, self.selected()
        instrument = None if selection.instrument is None else replica.instruments.get(selection.instrument)
        symbol = None if instrument is None else instrument.symbol
        everyone = tuple(replica.accounts)
        scopes = []
        if selection.account is not None and symbol is not None:
            scopes.append(
                Scope(name=f"{selection.account}, {symbol}", accounts=(selection.account,), instrument=symbol)
            )
        if selection.account is not None:
            scopes.append(Scope(name=f"{selection.account}, every instrument", accounts=(selection.account,)))
        if symbol is not None:
            scopes.append(Scope(name=f"all {len(everyone)} accounts, {symbol}", accounts=everyone, instrument=symbol))
        scopes.append(Scope(name=f"all {len(everyone)} accounts, every instrument", accounts=everyone))
        self._ask_cancel_all(scopes)

    def _ask_cancel_all(self, scopes: Sequence[Scope]) -> None:
        dialog = CancelAllDialog(self.tools, scopes)
        self.ask(dialog, lambda _: self._cancel_all(dialog.scope))

    def _cancel_all(self, scope: Scope) -> None:
        replica = self.view.replica
        for account in scope.accounts:
            instrument = None
            if scope.instrument is not None:
                venue = replica.accounts[account].account.venue
                try:
                    instrument = instrument_named(scope.instrument, replica, venue).id
                except ValueError:
                    continue  # this account's venue does not have it, so nothing of it can be open there
            command = CancelAll(account=account, instrument=instrument, side=scope.side, operator=self.operator)
            self._submit(command, f"cancel of all on {account}")

    # -- alerts, halts ------------------------------------------------------------------------------------------------------

    def action_acknowledge(self, note: str = "") -> None:
        group = self._alert_here()
        if group is None or all(row.acknowledged_by is not None for row in group.rows):
            self.say("no alert is waiting here" if self.is_shown("alerts") else _TO_ALERTS)
            return
        command = AcknowledgeAlert(key=group.key, note=note, operator=self.operator)
        self._about_alert(command, "acknowledging", group)

    def _snooze(self, span_ns: int, note: str) -> None:
        group = self._alert_here()
        if group is None:
            self.say("no alert is here to be put off" if self.is_shown("alerts") else _TO_ALERTS)
            return
        until = self.clock.now() + span_ns
        command = SnoozeAlert(key=group.key, until=until, note=note, operator=self.operator)
        self._about_alert(command, f"putting off until {time_of_day(until)}", group)

    def _alert_here(self) -> AlertGroup | None:
        """What the alerts pane's cursor is on, if it is on the screen: alerts of one cause."""
        key = self.panes["alerts"].selected().alert if self.is_shown("alerts") else None
        return None if key is None else grouped(self.view.replica.alerts.values()).get(key)

    def _about_alert(self, command: AcknowledgeAlert | SnoozeAlert, doing: str, group: AlertGroup) -> None:
        alert, pane = group.face.alert, self.panes["alerts"]
        assert isinstance(pane, AlertsPane)
        if self._submit(command, f"{doing} {alert.account or 'desk'}: {alert.text}"):
            pane.go_on()

    def action_halt(self) -> None:
        scopes = scopes_at(self.selected(), self.view.replica, self.operator)
        self.ask(HaltDialog(self.tools, scopes=scopes), self._halt)

    def _halt(self, asked: HaltAsked) -> None:
        self.arm(False, ": a halt was asked for")
        account, scope = carried(asked.scope)
        self._submit(
            HaltTrading(account=account, scope=scope, level=asked.level, reason=asked.reason, operator=self.operator),
            f"halt of {asked.scope.called}",
        )

    def _rearm(self, scope: HaltScope, reason: str) -> None:
        if self.view.replica.halt_on(scope) is None:
            self.say(f"{scope.called} is not halted")
            return
        account, other = carried(scope)
        self.ask(
            RearmDialog(self.tools, scope=scope, reason=reason),
            lambda told: self._submit(
                Rearm(account=account, scope=other, reason=told, operator=self.operator), f"rearm of {scope.called}"
            ),
        )

    # -- what differs at the venue ------------------------------------------------------------------------------------------

    def show_worklist(self, account: AccountId) -> None:
        """The same list; `s` goes on to settle the chosen item."""
        self.ask(WorklistDialog(self.tools, account, may_settle=True), lambda key: self._settle(account, key))

    def action_settle(self) -> None:
        account = self.selected().account
        if account is None:
            self.say("select an account first: 4, then its row")
        else:
            self._settle(account, None)

    def _settle(self, account: AccountId, key: str | None, note: str = "") -> None:
        waiting = [item for item in self.view.replica.accounts[account].worklist if item.needs_decision]
        item = next((item for item in waiting if key in (None, item.key)), None)
        if item is None:
            self.say(f"nothing of {account} waits to be settled" if key is None else f"{key} does not wait any more")
            return
        self.ask(
            SettleDialog(self.tools, account, item, operator=self.operator, note=note),
            lambda told: self._submit(
                Settle(account=account, key=item.key, note=told, operator=self.operator),
                f"settling {item.key} of {account}",
            ),
        )

    # -- the second person --------------------------------------------------------------------------------------------------

    def action_approve(self) -> None:
        self._approve(None)

    def _approve(self, id: str | None, note: str = "") -> None:
        """The one that is named, else the one under the alerts' cursor, else the oldest of somebody else."""
        waiting = self.view.replica.approvals
        if id is None and self.is_shown("alerts"):
            alert = self.panes["alerts"].selected().alert or ""
            id = alert.removeprefix("approval:") if alert.startswith("approval:") else None
        asked = waiting.get(id or "") or next((one for one in waiting.values() if one.by != self.operator), None)
        if asked is None:
            self.say("nothing of somebody else waits for approval")
        elif asked.by == self.operator:
            self.say(f"{asked.id} is what you asked for: somebody else with the role risk must approve it", Tone.Warned)
        else:
            self.ask(
                ApproveDialog(self.tools, asked, note=note),
                lambda told: self._submit(
                    Approve(id=asked.id, note=told, operator=self.operator), f"approval of {asked.id}: {asked.what}"
                ),
            )

    def _go_live(self, account: AccountId, reason: str) -> None:
        self.ask(
            GoLiveDialog(self.tools, account, reason=reason),
            lambda told: self._submit(
                GoLive(account=account, reason=told, operator=self.operator), f"{account} going live"
            ),
        )

    def _accept_key(self, account: AccountId, reason: str) -> None:
        row = self.view.replica.accounts.get(account)
        checked = None if row is None else row.key
        if checked is None:
            self.say(f"the key of {account} was not looked at yet")
            return
        key = checked.report.fingerprint
        self.ask(
            AcceptKeyDialog(self.tools, checked, reason=reason),
            lambda told: self._submit(
                AcceptKeyRisk(account=account, fingerprint=key, reason=told, operator=self.operator),
                f"{account} trading with key {key}",
            ),
        )

    # -- leaving, commands --------------------------------------------------------------------------------------------------

    def leave(self) -> None:
        """Leaving cancels nothing, and says so."""
        open_orders = [order for order in self.view.orders() if not order.is_dead]
        if not open_orders:
            self.app.exit()
            return
        count = "1 order is" if len(open_orders) == 1 else f"{len(open_orders)} orders are"
        stay = "It stays" if len(open_orders) == 1 else "They stay"
        accounts = ", ".join(sorted({order.account for order in open_orders}))
        self.ask(
            Ask(
                self.tools, "quit", f"{count} open ({accounts}). {stay} at the venue and can still trade.", yes="quits"
            ),
            lambda _: self.app.exit(),
        )

    def obey(self, asked: verbs.Asked) -> None:
        match asked:
            case verbs.FillTicket():
                self.open_ticket(asked.fields)
            case verbs.FlattenPosition():
                self._flatten(Selection(account=asked.account, instrument=asked.instrument))
            case verbs.CancelScope():
                name = ", ".join(asked.accounts) if len(asked.accounts) < 4 else f"{len(asked.accounts)} accounts"
                what = asked.instrument or "every instrument"
                side = "" if asked.side is None else f", {asked.side.value} orders"
                scope = Scope(
                    name=f"{name}, {what}{side}", accounts=asked.accounts, instrument=asked.instrument, side=asked.side
                )
                self._ask_cancel_all([scope])
            case verbs.AskHalt():
                chosen = scope_of(asked.account, asked.scope)
                dialog = HaltDialog(
                    self.tools, scopes=(DESK, chosen), chosen=chosen, level=asked.level, reason=asked.reason
                )
                self.ask(dialog, self._halt)
            case verbs.AskSettle():
                self._settle(asked.account, asked.key, asked.note)
            case verbs.AskApprove():
                self._approve(asked.id, asked.note)
            case verbs.AskGoLive():
                self._go_live(asked.account, asked.reason)
            case verbs.AskAcceptKey():
                self._accept_key(asked.account, asked.reason)
            case verbs.AskRearm():
                self._rearm(scope_of(asked.account, asked.scope), asked.reason)
            case verbs.Plain(verb="arm" | "disarm" as verb):
                self.arm(verb == "arm")
            case verbs.Acknowledge():
                self.action_acknowledge(asked.note)
            case verbs.Snooze():
                self._snooze(asked.span_ns, asked.note)
            case verbs.Plain(verb="undo"):
                self.action_cancel_last()
            case _:
                super().obey(asked)

    # -- small things -------------------------------------------------------------------------------------------------------

    def _submit(self, command: Command, what: str) -> bool:
        """Hand a command over and say so; whether the desk took it."""
        answer = self._control.submit(command)
        if isinstance(answer, NotSubmitted):
            self.say(f"NOT SENT {what}: {answer.reason}", Tone.Alarmed, is_sticky=True)
            return False
        if answer.approval is not None:
            self.say(f"{what}: waits for a second person, :approve {answer.approval}", Tone.Warned, is_sticky=True)
        else:
            self.say(what)
        return True

    def _one_order(self, verb: str) -> Order | None:
        """The order under the orders pane's cursor, if it is on the screen and open."""
        id = self.panes["orders"].selected().order if self.is_shown("orders") else None
        order = None if id is None else self.view.replica.orders.get(id)
        if order is None or order.is_dead:
            self.say(f"select an open order to {verb}: 2, then its row")
            return None
        return order
