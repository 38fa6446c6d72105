"""The client accounts: how each one stands, how it is connected, and how near its limits it is."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from msgspec import Struct

from tradedesk.domain.accounts import AccountState, Halt, Mode
from tradedesk.domain.events import AccountHealth
from tradedesk.domain.exits import ExitRow, short
from tradedesk.domain.findings import Level
from tradedesk.domain.limits import effective
from tradedesk.domain.orders import Order
from tradedesk.domain.scopes import ScopeKind
from tradedesk.domain.text import iso_time
from tradedesk.domain.words import AccountId, InstrumentId
from tradedesk.domain.worst_case import worst_case
from tradedesk.ui import drawing
from tradedesk.ui.drawing import SECOND, Cell, Line
from tradedesk.ui.panes.pane import Selection
from tradedesk.ui.widgets.rows import Column
from tradedesk.ui.widgets.table import LiveTable
from tradedesk.views.figures import position_figures
from tradedesk.views.mandates import reduces_because
from tradedesk.views.replica import AccountRow, Replica

AGAIN_AFTER = SECOND // 2  # the figures; a halt or a changed state shows at once
QUIET_STREAM = 5 * SECOND  # a private stream not heard of for longer is shown with its age
SILENT_STREAM = 60 * SECOND  # and as old from here on: an account at rest says nothing for a while and is well

ZERO = Decimal(0)


class FleetRow(Struct, frozen=True, kw_only=True):
    """One account. Money in the reporting currency, over what is quoted in it."""

    row: AccountRow
    halt: Halt | None
    exposure: Decimal
    unrealized: Decimal | None
    open_orders: int
    use: float | None  # of the limit nearest to its end; None without limits
    use_name: str
    exit: str  # in use
    proof: ExitRow
    reduces: str  # why only what reduces is sent, whatever its state; empty: more is


class FleetPane(LiveTable[FleetRow]):
    """One line per client account."""

    name_shown: ClassVar[str] = "fleet"
    what: ClassVar[str] = "accounts"
    sorted_first_by: ClassVar[str] = "account"

    columns: ClassVar[tuple[Column, ...]] = (
        Column(key="account", title="account", width=8),
        Column(key="mode", title="mode", width=5, drop=2),
        Column(key="state", title="state", width=13),
        Column(key="exit", title="exit", width=15, drop=7),
        Column(key="proof", title="proof", width=5, drop=9),
        Column(key="key", title="key", width=5, drop=8),
        Column(key="stream", title="stream", width=7, drop=3),
        Column(key="exposure", title="exposure", width=9, is_right=True, drop=4),
        Column(key="unrealized", title="uPnL", width=9, is_right=True),
        Column(key="open_orders", title="open", width=4, is_right=True, drop=5),
        Column(key="ack", title="ack", width=6, is_right=True, drop=6),
        Column(key="use", title="limits", width=7, drop=1, grows=True),
    )

    _read_at = 0
    _seen: tuple[object, ...] = ()

    def items(self, now: int) -> Mapping[str, FleetRow]:
        replica = self.view.replica
        states = tuple((row.state, row.worklist, row.profile, row.mandate) for row in replica.accounts.values())
        seen = (states, replica.all_halts)
        if self._items and seen == self._seen and 0 <= now - self._read_at < AGAIN_AFTER:
            return self._items
        self._seen, self._read_at = seen, now
        rows = fleet(replica)
        return {key: row if row != (old := self._items.get(key)) else old for key, row in rows.items()}

    def cells(self, item: FleetRow, now: int) -> Sequence[Cell]:
        colours, glyphs, account = self.colours, self.glyphs, item.row.account
        health = item.row.health
        ack = glyphs.missing if health is None or health.ack_ms is None else f"{health.ack_ms:.1f}ms"
        return (
            (account.id, colours.text),
            ("LIVE", colours.live) if account.mode is Mode.Live else ("PAPER", colours.paper),
            self._state(item),
            self._exit(item),
            self._proof(item, now),
            self._key_cell(item.row, now),
            self._stream(health, now),
            (drawing.number(item.exposure, 0), colours.text),
            (drawing.signed(item.unrealized, 2, glyphs), drawing.gain_style(item.unrealized, colours)),
            (str(item.open_orders), colours.text if item.open_orders else colours.muted),
            (ack, colours.muted),
            drawing.use_cell(item.use, item.use_name, glyphs, colours),
        )

    def sort_value(self, item: FleetRow, column: str) -> Any:
        health = item.row.health
        match column:
            case "account":
                return item.row.account.id
            case "mode":
                return item.row.account.mode.value
            case "state":
                return self._state(item)[0]
            case "exit":
                return item.exit
            case "proof":
                return item.proof.at if self._is_proved(item) else None
            case "key":
                rights = item.row.key.report.rights if item.row.key is not None else None
                return None if rights is None else rights.expires_at
            case "stream":
                return None if health is None else (health.is_stream_up, -(health.stream_age_ms or 0))
            case "ack":
                return None if health is None else health.ack_ms
            case _:
                return getattr(item, column)

    def words(self, item: FleetRow) -> str:
        account = item.row.account
        halted = "HALT" if item.halt is not None else ""
        settle = "settle" if waiting(item.row) else ""
        return " ".join(
            (account.id, account.owner, account.mode, item.row.state, item.exit, halted, settle, *account.groups)
        )

    def detail(self, item: FleetRow, now: int) -> Line:
        row, health, halt = item.row, item.row.health, item.halt
        parts: list[Cell] = []
        if halt is not None:
            scope = "desk" if halt.of.kind is ScopeKind.Desk else halt.of.called
            words = f"{halt.level.value} on {scope} by {halt.by} {drawing.time_of_day(halt.at)}: {halt.reason}"
            parts += [(f"{self.glyphs.halt} HALT", self.colours.halt), (f" {words}  ", self.colours.warn)]
        elif row.reason:
            parts.append((f"{row.reason}  ", self.colours.warn))
        if item.reduces:
            parts.append((f"{self.glyphs.near} only what reduces: {item.reduces}  ", self.colours.warn))
        if row.worklist:
            parts.append(self._worklist(row))
        elif row.differences:
            parts.append((f"differs: {'; '.join(row.differences)}  ", self.colours.warn))
        offset = "" if health is None or health.clock_offset_ms is None else f"clock {health.clock_offset_ms:+d} ms"
        compared = "not yet compared with the venue"
        if row.reconciled_at is not None:
            compared = f"compared {drawing.age(now - row.reconciled_at)} ago"
        facts = drawing.joined(
            (
                row.account.id,
                item.use_name if item.use is None else f"{item.use:.0%} of {item.use_name}",
                self._exit_words(item, now),
                self._key(row),
                compared,
                offset,
                f"owner {row.account.owner}",
                f"groups {', '.join(row.account.groups)}" if row.account.groups else "",
            )
        )
        return (*parts, (facts, self.colours.muted))

    def nothing(self) -> str:
        return "No accounts. `tradedesk setup` adds one; :quit leaves."

    def selection_of(self, item: FleetRow) -> Selection:
        return Selection(account=item.row.account.id)

    def key_of(self, selection: Selection) -> str | None:
        return selection.account

    def title_parts(self, now: int) -> Sequence[str]:
        halted = sum(1 for item in self._items.values() if item.halt is not None)
        ready = sum(
            1
            for item in self._items.values()
            if item.halt is None and item.row.state is AccountState.Ready and not waiting(item.row) and not item.reduces
        )
        differ = sum(1 for item in self._items.values() if waiting(item.row))
        return (
            f"{ready} of {len(self._items)} ready" if self._items else "",
            f"{self.glyphs.halt} HALT {halted}" if halted else "",
            f"{self.glyphs.near} {differ} to settle" if differ else "",
        )

    def _state(self, item: FleetRow) -> Cell:
        """How the account stands. One that is ready and opens no new risk all the same says why: that comes first."""
        settle = waiting(item.row)
        if settle and item.halt is None and item.row.state is AccountState.Ready:
            return (f"{self.glyphs.near:2}settle {settle}", self.colours.crit)
        if item.reduces and item.halt is None and item.row.state is AccountState.Ready:
            return (f"{self.glyphs.near:2}reduce only", self.colours.warn)
        return drawing.account_state_cell(item.row.state, item.halt is not None, self.glyphs, self.colours)

    def _worklist(self, row: AccountRow) -> Cell:
        """What differs, what waits for the operator first; `w` tells it in full."""
        items = sorted(row.worklist, key=lambda item: not item.needs_decision)
        told = "; ".join(f"{item.key} ours {item.ours}, venue {item.venues}: {item.cause}" for item in items)
        settle = waiting(row)
        if settle:
            return (f"{self.glyphs.near} {settle} to settle (w): {told}  ", self.colours.warn)
        return (f"{self.glyphs.pending} {len(items)} differ, under way (w): {told}  ", self.colours.pending)

    def _key_cell(self, row: AccountRow, now: int) -> Cell:
        """How long its key may trade, if it ends, and whether anything is wrong with it."""
        checked = row.key
        if checked is None:
            return (self.glyphs.missing, self.colours.muted)
        rights = checked.report.rights
        ends = None if rights is None else rights.expires_at
        left = ("" if rights is not None else "?") if ends is None else drawing.age(ends - now)
        found = {finding.level for finding in checked.findings}
        if Level.Fail in found:
            return (f"{self.glyphs.broken}no", self.colours.crit)
        if Level.Warn in found:
            return (f"{self.glyphs.near}{left}", self.colours.warn)
        return (left or "fit", self.colours.muted)

    def _key(self, row: AccountRow) -> str:
        """The same in words; what is wrong in full stands in the alerts."""
        checked = row.key
        if checked is None:
            return "key not looked at"
        rights = checked.report.rights
        wrong = [finding.what for finding in checked.findings if finding.level is not Level.Ok]
        ends = f" to {iso_time(rights.expires_at)[:10]}" if rights is not None and rights.expires_at is not None else ""
        return f"key{ends} ({', '.join(wrong) or 'fit'})"

    def _exit(self, item: FleetRow) -> Cell:
        """The exit in use, a proxy by its host and port; the one really seen, called out, where it is another."""
        wanted, health = item.exit, item.row.health
        seen = None if health is None else health.exit_seen
        if seen is not None and seen != wanted:
            return (f"{self.glyphs.broken}{seen}", self.colours.crit)
        return (short(wanted), self.colours.text if seen else self.colours.muted)

    def _proof(self, item: FleetRow, now: int) -> Cell:
        """How long ago the exit was proved; what speaks against it stands in the reason."""
        if item.proof.exit == item.exit and item.proof.problem is not None:
            return (f"{self.glyphs.broken}no", self.colours.crit)
        if not self._is_proved(item):
            return (self.glyphs.missing, self.colours.muted)
        return (drawing.age(now - (item.proof.at or now)), self.colours.muted)

    @staticmethod
    def _is_proved(item: FleetRow) -> bool:
        return item.proof.exit == item.exit and item.proof.problem is None and item.proof.at is not None

    def _exit_words(self, item: FleetRow, now: int) -> str:
        proof, standby = item.proof, item.exit != item.row.account.egress
        words = f"{'standby ' if standby else ''}exit {item.exit}"
        if not self._is_proved(item):
            return f"{words} not proved"
        at = "" if proof.seen in (None, item.exit) else f"at {proof.seen} "
        return f"{words} seen {at}{drawing.age(now - (proof.at or now))} ago"

    def _stream(self, health: AccountHealth | None, now: int) -> Cell:
        if health is None:
            return (self.glyphs.missing, self.colours.muted)
        if not health.is_stream_up:
            return (f"{self.glyphs.disconnected} down", self.colours.warn)
        silent = (health.stream_age_ms or 0) * 1_000_000 + max(0, now - health.at)
        if silent > QUIET_STREAM:
            if silent > SILENT_STREAM:
                return (f"{self.glyphs.stale} {drawing.age(silent)}", self.colours.stale)
            return (f"up {drawing.age(silent)}", self.colours.text)
        return ("up", self.colours.text)


def waiting(row: AccountRow) -> int:
    """How many differences of the account wait for an operator's decision."""
    return sum(1 for item in row.worklist if item.needs_decision)


def fleet(replica: Replica) -> dict[str, FleetRow]:
    """Every account's row, with one pass over the positions and one over the orders."""
    currency = replica.desk.reporting_currency if replica.desk is not None else ""
    exposure: dict[AccountId, Decimal] = defaultdict(Decimal)
    unrealized: dict[AccountId, Decimal | None] = {}
    held: dict[AccountId, dict[InstrumentId, Decimal]] = defaultdict(dict)
    for (account, instrument), position in replica.positions.items():
        if position.qty:
            held[account][instrument] = position.qty
        known = replica.instruments.get(instrument)
        if known is None or known.quote != currency:
            continue
        figures = position_figures(replica, position)
        exposure[account] += figures.notional or ZERO
        before = unrealized.get(account, ZERO)
        unrealized[account] = None if before is None or figures.unrealized is None else before + figures.unrealized
    live: dict[AccountId, dict[InstrumentId, list[Order]]] = defaultdict(lambda: defaultdict(list))
    for order in replica.orders.values():
        if not order.is_dead:
            live[order.account][order.instrument].append(order)
    rows: dict[str, FleetRow] = {}
    for account, row in replica.accounts.items():
        open_orders = sum(len(orders) for orders in live[account].values())
        use, name = nearest_limit(
            replica,
            row,
            exposure=exposure[account],
            open_orders=open_orders,
            held=held[account],
            live=live[account],
        )
        exit_, proof = replica.exit_of(row.account)
        rows[account] = FleetRow(
            exit=exit_,
            proof=proof,
            row=row,
            halt=replica.halt_of(account),
            exposure=exposure[account],
            unrealized=unrealized.get(account, ZERO),
            open_orders=open_orders,
            use=use,
            use_name=name,
            reduces=reduces_because(row, replica.heartbeat_at),
        )
    return rows


def nearest_limit(
    replica: Replica,
    row: AccountRow,
    *,
    exposure: Decimal,
    open_orders: int,
    held: Mapping[InstrumentId, Decimal],
    live: Mapping[InstrumentId, Iterable[Order]],
) -> tuple[float | None, str]:
    """The share of the limit that is nearest to its end, and its name. Positions count at their worst (5.4)."""
    limits = row.account.limits
    general = effective(limits, InstrumentId(""))
    if general is None:
        return None, "no limits"
    uses = [(open_orders / general.max_open_orders, "open_orders")] if general.max_open_orders else []
    if general.max_exposure:
        uses.append((float(exposure / general.max_exposure), "exposure"))
    for instrument in {*held, *live}:
        in_force, mark = effective(limits, instrument), replica.market(instrument).mark
        if in_force is None:
            continue
        interval = worst_case(held.get(instrument, ZERO), live.get(instrument, ()))
        worst = max(abs(interval.low), abs(interval.high))
        known = replica.instruments.get(instrument)
        symbol = known.symbol if known is not None else instrument
        if in_force.max_position:
            uses.append((float(worst / in_force.max_position), f"position {symbol}"))
        if mark is not None and in_force.max_position_notional:
            uses.append((float(worst * mark / in_force.max_position_notional), f"position_notional {symbol}"))
    return max(uses, default=(None, ""), key=lambda pair: pair[0] or 0.0)
