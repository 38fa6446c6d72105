"""The fold: events in, the state of the desk out. Rows are frozen and replaced; the replica belongs to one thread."""

from collections import deque
from collections.abc import Callable
from decimal import Decimal

import msgspec
from msgspec import Struct

from tradedesk.domain import events as ev
from tradedesk.domain import orders, positions
from tradedesk.domain.accounts import Account, AccountState, Halt
from tradedesk.domain.alerts import Delivery, delivered
from tradedesk.domain.exits import ExitRow, in_use, proved, refused, switched
from tradedesk.domain.instruments import Candle, FeedState, Instrument, PublicTrade
from tradedesk.domain.keys import AcceptedRisk
from tradedesk.domain.mandate import ApprovedMandate
from tradedesk.domain.movements import CAPITAL
from tradedesk.domain.orders import Fill, Order
from tradedesk.domain.positions import Balance, Position
from tradedesk.domain.scopes import Scope, carried, may_concern, part_scopes, whole_scopes
from tradedesk.domain.words import AccountId, ClientOrderId, InstrumentId, OperatorId
from tradedesk.views.alert_rows import AlertRow
from tradedesk.views.alert_rows import fold as fold_alert

MAX_DEAD_ORDERS = 2_000  # what a screen can scroll to; all of them stay in the journal
MAX_FILLS = 2_000
MAX_TAPE = 200
MAX_CANDLES = 1_000
MAX_LOGS = 500
MAX_KILLS = 200
MAX_APPROVALS = 200  # that wait for a second person; the oldest go first
MAX_ATTACHED = 200  # operators with a screen or a script on the desk
MAX_LIMITS_SET = 5_000  # figures changed live; the desk takes no more than these


LimitKey = tuple[AccountId | None, str | None, InstrumentId | None, str]


def limit_key(event: ev.LimitsSet | ev.LimitExceptionEnded) -> LimitKey:
    """Which figure of whose limits it changes."""
    return event.account, event.group, event.instrument, event.figure


class AccountRow(Struct, frozen=True, kw_only=True):
    """One account as it stands now."""

    account: Account
    state: AccountState
    reason: str
    balances: dict[str, Balance]
    health: ev.AccountHealth | None = None
    reconciled_at: int | None = None  # ns
    differences: tuple[str, ...] = ()  # of the last reconciliation
    worklist: tuple[ev.WorkItem, ...] = ()  # what remained of them
    is_opened: bool = False  # whether the desk has ever seen its holdings
    key: ev.KeyChecked | None = None  # the newest look at its key
    accepted: AcceptedRisk | None = None  # the newest yes to a key that could move money
    mandate: ApprovedMandate | None = None  # the newest that was approved
    profile: ev.ProfileChecked | None = None  # the newest look at its settings at the venue


class MarketRow(Struct, frozen=True, kw_only=True):
    """One market as far as its feed has brought it."""

    instrument: InstrumentId
    bids: tuple[tuple[Decimal, Decimal], ...] = ()  # (price, quantity), best first
    asks: tuple[tuple[Decimal, Decimal], ...] = ()
    received_at: int = 0  # our clock, ns, of the newest message; 0 before the first
    state: FeedState = FeedState.Disconnected
    state_since: int = 0
    reason: str = ""
    tape: tuple[PublicTrade, ...] = ()  # oldest first
    candles: tuple[Candle, ...] = ()  # one minute each, oldest first, the last one open

    @property
    def bid(self) -> Decimal | None:
        return self.bids[0][0] if self.bids else None

    @property
    def ask(self) -> Decimal | None:
        return self.asks[0][0] if self.asks else None

    @property
    def last(self) -> Decimal | None:
        if self.tape:
            return self.tape[-1].price
        return self.candles[-1].close if self.candles else None

    @property
    def mark(self) -> Decimal | None:
        """What a position is valued at: the middle of the spread, else the last price."""
        return (self.bids[0][0] + self.asks[0][0]) / 2 if self.bids and self.asks else self.last


class Snapshot(Struct, frozen=True, kw_only=True, tag=True):
    """A whole replica at stream number `number`: where a reader starts, or comes back after it was cut off."""

    number: int
    desk: ev.DeskStarted | None
    heartbeat_at: int
    watchdog_at: int | None = None
    instruments: tuple[Instrument, ...]
    venues: tuple[ev.VenueListed, ...]
    accounts: tuple[AccountRow, ...]
    opened: tuple[AccountId, ...]  # whose holdings the desk has seen, listed yet or not
    orders: tuple[Order, ...]
    fills: tuple[Fill, ...]
    positions: tuple[Position, ...]
    ledgers: dict[AccountId, dict[str, Decimal]]
    incomes: dict[AccountId, dict[str, Decimal]]
    markets: tuple[MarketRow, ...]
    halts: tuple[Halt, ...]
    alerts: tuple[AlertRow, ...]
    logs: tuple[ev.LogWritten, ...]
    approvals: tuple[ev.ApprovalAsked, ...] = ()
    live: dict[AccountId, str] = {}
    attached: dict[OperatorId, int] = {}
    exits: dict[AccountId, ExitRow] = {}
    kills: tuple[str, ...] = ()  # ids of the receipts that were recorded, the newest
    limits_set: tuple[ev.LimitsSet, ...] = ()  # the newest of each figure, unless desk.toml says; and exceptions
    deliveries: tuple[Delivery, ...] = ()  # how long alerts take to whom
    days: tuple[ev.DayMarked, ...] = ()  # the newest of each account, group and the desk
    dead: tuple[ClientOrderId, ...] = ()  # the dead orders in the order of their deaths: the oldest is dropped first


snapshot_decoder = msgspec.msgpack.Decoder(Snapshot)


class Replica:
    """The state of a desk, folded from its events. Used by one thread; rows handed out are frozen.

    Dead orders and fills are bounded, as screens need them; `is_whole` keeps every one, for an export of the journal.
    """

    def __init__(self, *, is_whole: bool = False) -> None:
        self._most_dead = None if is_whole else MAX_DEAD_ORDERS
        self.desk: ev.DeskStarted | None = None
        self.heartbeat_at = 0
        self.watchdog_at: int | None = None  # ns: when the desk last saw a watchdog look
        self.instruments: dict[InstrumentId, Instrument] = {}
        self.venues: dict[str, ev.VenueListed] = {}
        self.accounts: dict[AccountId, AccountRow] = {}
        self.orders: dict[ClientOrderId, Order] = {}
        self.fills: deque[Fill] = deque(maxlen=None if is_whole else MAX_FILLS)
        self.positions: dict[tuple[AccountId, InstrumentId], Position] = {}
        self.ledgers: dict[AccountId, dict[str, Decimal]] = {}  # opening + fills + movements, per asset (5.3)
        self.incomes: dict[AccountId, dict[str, Decimal]] = {}  # interest, dividends, fees apart from trades; per asset
        self.markets: dict[InstrumentId, MarketRow] = {}
        self.halts: dict[AccountId | None, Halt] = {}  # of accounts, and under None of the desk
        self.scoped_halts: dict[Scope, Halt] = {}  # of everything else that was halted
        self.alerts: dict[str, AlertRow] = {}
        self.deliveries: dict[str, Delivery] = {}  # by receiver
        self.approvals: dict[str, ev.ApprovalAsked] = {}  # that wait for a second person, by id
        self.live: dict[AccountId, str] = {}  # fingerprint of the key that two persons let trade live
        self.attached: dict[OperatorId, int] = {}  # how many connections each operator has
        self.logs: deque[ev.LogWritten] = deque(maxlen=MAX_LOGS)
        self.exits: dict[AccountId, ExitRow] = {}
        self.kills: deque[str] = deque(maxlen=MAX_KILLS)
        self.limits_set: dict[LimitKey, ev.LimitsSet] = {}  # what was changed live and not given back to desk.toml
        self.limit_exceptions: dict[
            LimitKey, ev.LimitsSet
        ] = {}  # those that have not ended, over what was set or written
        self.days: dict[tuple[AccountId | None, str | None], ev.DayMarked] = {}  # by account and group
        self._dead: deque[ClientOrderId] = deque()
        self._opened: set[AccountId] = set()

    def apply(self, event: ev.Event) -> None:
        """Fold one event. Total: an event about something unknown is kept as far as it can be, never raised about."""
        match event:
            case ev.BookFrame():
                self._market(
                    event.instrument, bids=event.bids, asks=event.asks, received_at=event.received_at, state=event.state
                )
            case ev.TapeFrame():
                tape = (*self.market(event.instrument).tape, *event.trades)[-MAX_TAPE:]
                self._market(event.instrument, tape=tape)
            case ev.CandleFrame():
                candles = (
                    event.candles if event.is_full else merged(self.market(event.instrument).candles, event.candles)
                )
                self._market(event.instrument, candles=candles[-MAX_CANDLES:])
            case ev.FeedChanged():
                self._market(event.instrument, state=event.state, state_since=event.at, reason=event.reason)
            case ev.OrderPlaced():
                self._put_order(event.order)
            case ev.RequestMade():
                self._change(
                    event.client_order_id, lambda order: orders.with_request(order, event.request, at=event.at)
                )
            case ev.RequestDecided():
                self._change(
                    event.client_order_id,
                    lambda order: orders.decided(
                        order, event.request_id, event.state, at=event.at, reasons=event.reasons
                    ),
                )
            case ev.OrderMoved():
                self._change(
                    event.client_order_id,
                    lambda order: orders.moved(
                        order,
                        event.happening,
                        at=event.at,
                        reason=event.reason,
                        venue_order_id=event.venue_order_id,
                    ),
                )
            case ev.OrderChanged():
                self._change(
                    event.client_order_id,
                    lambda order: orders.changed(
                        order,
                        order_qty=event.order_qty,
                        known_as=event.known_as,
                        triggered_by=event.triggered_by,
                        at=event.at,
                    ),
                )
            case ev.OrderFilled():
                self._fill(event.fill, event.at)
            case ev.BalancesRead():
                row = self.accounts.get(event.account)
                if row is not None:
                    news = {balance.asset: balance for balance in event.balances}
                    self._account(event.account, balances=news if event.is_complete else row.balances | news)
            case ev.AccountHealth():
                self._account(event.account, health=event)
            case ev.AccountChanged():
                self._account(event.account, state=event.state, reason=event.reason)
            case ev.Reconciled():
                self._account(
                    event.account,
                    reconciled_at=event.looked_at or event.at,
                    differences=event.differences,
                    worklist=event.worklist,
                )
            case ev.KeyChecked():
                self._account(event.account, key=event)
            case ev.KeyRiskAccepted():
                self._account(event.account, accepted=event.risk)
            case ev.MandateApproved():
                self._account(event.account, mandate=event.approved)
            case ev.ProfileChecked():
                self._account(event.account, profile=event)
            case ev.DayMarked():
                self.days[event.account, event.group] = event
            case ev.AccountOpened():
                self._open(event)
            case ev.MovementSeen():
                ledger = self.ledgers.setdefault(event.account, {})
                ledger[event.asset] = ledger.get(event.asset, Decimal(0)) + event.amount
                self._move_position(event)
                if event.kind not in CAPITAL:
                    income = self.incomes.setdefault(event.account, {})
                    income[event.asset] = income.get(event.asset, Decimal(0)) + event.amount
            case ev.AccountListed():
                known = self.accounts.get(event.account.id)
                self.accounts[event.account.id] = (
                    msgspec.structs.replace(known, account=event.account)
                    if known is not None
                    else AccountRow(
                        account=event.account,
                        state=AccountState.Offline,
                        reason="starting",
                        balances={},
                        is_opened=event.account.id in self._opened,
                    )
                )
            case ev.InstrumentListed():
                self.instruments[event.instrument.id] = event.instrument
            case ev.VenueListed():
                self.venues[event.venue] = event
            case ev.HaltSet():
                self._put_halt(
                    Halt(
                        account=event.account,
                        level=event.level,
                        by=event.by,
                        reason=event.reason,
                        at=event.at,
                        scope=event.scope,
                    )
                )
            case ev.Rearmed() if event.scope is not None:
                self.scoped_halts.pop(event.scope, None)
            case ev.Rearmed():
                self.halts.pop(event.account, None)
            case ev.ExitSwitched() | ev.ExitProved() | ev.ExitRefused():
                self.exits[event.account] = exit_after(self.exits.get(event.account, ExitRow()), event)
            case (
                ev.AlertRaised() | ev.AlertEnded() | ev.AlertAcknowledged()
                | ev.AlertSnoozed() | ev.AlertSnoozeEnded() | ev.AlertEscalated()
            ):  # fmt: skip
                fold_alert(self.alerts, event)
            case ev.AlertDelivered():
                self.deliveries[event.to] = delivered(self.deliveries.get(event.to), event.to, event.late_ms)
            case ev.LogWritten():
                self.logs.append(event)
            case ev.DeskStarted():
                self.desk = event
                self.heartbeat_at = event.at
                self.watchdog_at = None
                self.deliveries.clear()
                self.attached.clear()  # whoever was there when it ended has to come again
            case ev.OperatorAttached():
                if event.operator in self.attached or len(self.attached) < MAX_ATTACHED:
                    self.attached[event.operator] = self.attached.get(event.operator, 0) + 1
            case ev.OperatorLeft():
                left = self.attached.pop(event.operator, 0) - 1
                if left > 0:
                    self.attached[event.operator] = left
            case ev.ApprovalAsked():
                self.approvals[event.id] = event
                while len(self.approvals) > MAX_APPROVALS:
                    del self.approvals[next(iter(self.approvals))]
            case ev.ApprovalGiven() | ev.ApprovalEnded():
                self.approvals.pop(event.id, None)
            case ev.LiveApproved():
                self.live[event.account] = event.key
            case ev.LimitsSet():
                self.limit_exceptions.pop(limit_key(event), None)
                if event.until is not None:
                    if len(self.limit_exceptions) < MAX_LIMITS_SET:
                        self.limit_exceptions[limit_key(event)] = event
                else:
                    self.limits_set.pop(limit_key(event), None)
                    if event.value is not None and len(self.limits_set) < MAX_LIMITS_SET:
                        self.limits_set[limit_key(event)] = event
            case ev.LimitExceptionEnded():
                self.limit_exceptions.pop(limit_key(event), None)
            case ev.LoginRefused() | ev.CommandRefused() | ev.LimitPassed():
                pass  # for the audit
            case ev.Heartbeat():
                self.heartbeat_at = event.at
                self.watchdog_at = event.watchdog_at
            case ev.KillRecorded():
                if event.receipt.id not in self.kills:
                    self.kills.append(event.receipt.id)
            case ev.AccountOffboarded():
                self._account(event.account, state=AccountState.Offline, reason=f"offboarded: {event.reason}")
            case ev.HaltSwept() | ev.CancelSwept() | ev.PreviewMade() | ev.SubmissionRefused():
                pass  # answers to someone, not state
            case ev.DeskKept():
                self.take_over(snapshot_decoder.decode(event.state))
            case ev.AccountKept():
                pass  # for the books of that account; what the desk keeps of it is in its own

    def market(self, instrument: InstrumentId) -> MarketRow:
        """The market's row, an empty one before its feed brought anything."""
        return self.markets.get(instrument) or MarketRow(instrument=instrument)

    def snapshot(self, number: int) -> Snapshot:
        return Snapshot(
            number=number,
            desk=self.desk,
            heartbeat_at=self.heartbeat_at,
            watchdog_at=self.watchdog_at,
            instruments=tuple(self.instruments.values()),
            venues=tuple(self.venues.values()),
            accounts=tuple(self.accounts.values()),
            opened=tuple(sorted(self._opened)),
            orders=tuple(self.orders.values()),
            fills=tuple(self.fills),
            positions=tuple(self.positions.values()),
            ledgers={account: dict(ledger) for account, ledger in self.ledgers.items()},
            incomes={account: dict(income) for account, income in self.incomes.items()},
            markets=tuple(self.markets.values()),
            halts=self.all_halts,
            alerts=tuple(self.alerts.values()),
            deliveries=tuple(self.deliveries.values()),
            logs=tuple(self.logs),
            approvals=tuple(self.approvals.values()),
            live=dict(self.live),
            attached=dict(self.attached),
            exits=dict(self.exits),
            kills=tuple(self.kills),
            limits_set=(*self.limits_set.values(), *self.limit_exceptions.values()),
            days=tuple(self.days.values()),
            dead=tuple(self._dead),
        )

    @classmethod
    def restored(cls, snapshot: Snapshot) -> "Replica":
        replica = cls()
        replica.take_over(snapshot)
        return replica

    def take_over(self, snapshot: Snapshot) -> None:
        """Be as the snapshot is; an account or instrument that is listed already stays as it is listed."""
        self.desk, self.heartbeat_at = snapshot.desk, snapshot.heartbeat_at
        self.watchdog_at = snapshot.watchdog_at
        self.instruments = {instrument.id: instrument for instrument in snapshot.instruments} | self.instruments
        self.venues = {venue.venue: venue for venue in snapshot.venues}
        for row in snapshot.accounts:
            known = self.accounts.get(row.account.id)
            kept = row if known is None else msgspec.structs.replace(row, account=known.account)
            self.accounts[row.account.id] = kept
        self._opened = set(snapshot.opened)
        self.orders = {order.client_order_id: order for order in snapshot.orders}
        self.kills.extend(key for key in snapshot.kills if key not in self.kills)
        self._dead = deque(snapshot.dead or (order.client_order_id for order in snapshot.orders if order.is_dead))
        self.fills.extend(snapshot.fills)
        self.positions = {(position.account, position.instrument): position for position in snapshot.positions}
        self.ledgers = {account: dict(ledger) for account, ledger in snapshot.ledgers.items()}
        self.incomes = {account: dict(income) for account, income in snapshot.incomes.items()}
        self.markets = {market.instrument: market for market in snapshot.markets}
        self.halts, self.scoped_halts = {}, {}
        for halt in snapshot.halts:
            self._put_halt(halt)
        self.alerts = {row.alert.key: row for row in snapshot.alerts}
        self.deliveries = {delivery.to: delivery for delivery in snapshot.deliveries}
        self.approvals = {asked.id: asked for asked in snapshot.approvals}
        self.live = dict(snapshot.live)
        self.attached = dict(snapshot.attached)
        self.logs.extend(snapshot.logs)
        self.exits = dict(snapshot.exits)
        self.limits_set = {limit_key(event): event for event in snapshot.limits_set if event.until is None}
        self.limit_exceptions = {limit_key(event): event for event in snapshot.limits_set if event.until is not None}
        self.days = {(mark.account, mark.group): mark for mark in snapshot.days}

    def halt_of(
        self, account: AccountId, instrument: InstrumentId | None = None, operator: OperatorId | None = None
    ) -> Halt | None:
        """The halt in force for all of an account, or for what an operator would order there: the strictest.

        Of two alike it is the wider one.
        """
        if not self.halts and not self.scoped_halts:
            return None
        parts = part_scopes(instrument or InstrumentId(""), operator or OperatorId(""), None)
        found = [halt for halt in self.halts_of(account) if halt.of.kind.is_whole or halt.of in parts]
        return max(found, key=lambda halt: halt.level.strictness, default=None)

    def halts_of(self, account: AccountId) -> tuple[Halt, ...]:
        """Every halt that stands over something of the account, the widest first: all of it, or some of its orders."""
        row = self.accounts.get(account)
        if row is None:
            found = [self.halts.get(None), self.halts.get(account)]
            return tuple(halt for halt in found if halt is not None)
        venue = row.account.venue
        groups = row.account.groups
        whole = [self.halt_on(scope) for scope in whole_scopes(account, groups, venue)]
        parts = [
            halt
            for scope, halt in self.scoped_halts.items()
            if not scope.kind.is_whole and may_concern(scope, account, groups, venue)
        ]
        return tuple(halt for halt in (*whole, *parts) if halt is not None)

    def halt_on(self, scope: Scope) -> Halt | None:
        """The halt of this very scope."""
        account, other = carried(scope)
        return self.halts.get(account) if other is None else self.scoped_halts.get(other)

    @property
    def all_halts(self) -> tuple[Halt, ...]:
        return (*self.halts.values(), *self.scoped_halts.values())

    def _put_halt(self, halt: Halt) -> None:
        if halt.scope is not None:
            self.scoped_halts[halt.scope] = halt
        else:
            self.halts[halt.account] = halt

    def exit_of(self, account: Account) -> tuple[str, ExitRow]:
        """The exit the account leaves by now, and what is known of its exits."""
        row = self.exits.get(account.id, ExitRow())
        return in_use(account, row), row

    # -- the parts ------------------------------------------------------------------------------------------------------

    def _market(self, instrument: InstrumentId, **changes: object) -> None:
        self.markets[instrument] = msgspec.structs.replace(self.market(instrument), **changes)

    def _account(self, account: AccountId, **changes: object) -> None:
        row = self.accounts.get(account)
        if row is not None:
            self.accounts[account] = msgspec.structs.replace(row, **changes)

    def _put_order(self, order: Order) -> None:
        self.orders[order.client_order_id] = order
        self._note_dead(order)

    def _change(self, client_order_id: ClientOrderId, change: Callable[[Order], Order]) -> None:
        order = self.orders.get(client_order_id)
        if order is not None:
            after = change(order)
            self.orders[client_order_id] = after
            if after.is_dead and not order.is_dead:
                self._note_dead(after)

    def _note_dead(self, order: Order) -> None:
        if not order.is_dead or self._most_dead is None:
            return
        self._dead.append(order.client_order_id)
        while len(self._dead) > self._most_dead:
            oldest = self._dead.popleft()
            if oldest in self.orders and self.orders[oldest].is_dead:
                del self.orders[oldest]

    def _fill(self, fill: Fill, at: int) -> None:
        self.fills.append(fill)
        self._change(fill.client_order_id, lambda order: orders.filled(order, fill, at=at))
        instrument = self.instruments.get(fill.instrument)
        if instrument is None:
            return  # cannot happen while instruments are durable and listed before their first order
        key = (fill.account, fill.instrument)
        before = self.positions.get(key) or positions.opened(fill.account, fill.instrument, Decimal(0), None)
        self.positions[key] = positions.after_fill(before, fill, instrument)
        ledger = self.ledgers.setdefault(fill.account, {})
        for asset, change in positions.asset_changes(fill, instrument).items():
            ledger[asset] = ledger.get(asset, Decimal(0)) + change

    def _open(self, event: ev.AccountOpened) -> None:
        self._opened.add(event.account)
        self._account(event.account, is_opened=True)
        self.ledgers[event.account] = {opening.asset: opening.amount for opening in event.openings}
        held = {opening.asset: opening.amount for opening in event.openings}
        for instrument in self.instruments.values():
            amount = held.get(instrument.base, Decimal(0))
            if instrument.id in event.marks or amount:
                self.positions[event.account, instrument.id] = positions.opened(
                    event.account, instrument.id, amount, event.marks.get(instrument.id)
                )

    def _move_position(self, event: ev.MovementSeen) -> None:
        """A deposit or withdrawal of a base asset moves the position at its average: it is neither gain nor loss.

        What is no capital leaves the cost as it is: a fee in the base asset is a loss, a dividend a gain.
        """
        for key, position in list(self.positions.items()):
            instrument = self.instruments.get(key[1])
            if key[0] == event.account and instrument is not None and instrument.base == event.asset:
                average = position.avg_px
                cost = position.cost
                if event.kind in CAPITAL:
                    cost = None if average is None else (position.qty + event.amount) * average
                self.positions[key] = msgspec.structs.replace(position, qty=position.qty + event.amount, cost=cost)


def exit_after(row: ExitRow, event: ev.ExitSwitched | ev.ExitProved | ev.ExitRefused) -> ExitRow:
    """What is known of an account's exits once `event` has happened."""
    match event:
        case ev.ExitSwitched():
            return switched(row, event.exit)
        case ev.ExitProved():
            return proved(row, event.exit, event.seen, event.how, event.at)
        case ev.ExitRefused():
            return refused(row, event.exit, event.seen, event.how, event.reason)


def merged(candles: tuple[Candle, ...], news: tuple[Candle, ...]) -> tuple[Candle, ...]:
    """The history with `news` in it, by open time, oldest first."""
    if not news:
        return candles
    if candles and all(candle.open_time >= candles[-1].open_time for candle in news):
        kept = candles if news[0].open_time > candles[-1].open_time else candles[:-1]
        return (*kept, *news)
    by_time = {candle.open_time: candle for candle in (*candles, *news)}
    return tuple(by_time[time] for time in sorted(by_time))
