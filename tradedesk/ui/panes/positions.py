"""Positions and P&L: one row per account and market, a total for each account, and one for all."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from msgspec import Struct

from tradedesk.domain.instruments import FeedState
from tradedesk.domain.positions import Position
from tradedesk.domain.words import AccountId, InstrumentId
from tradedesk.ui import drawing
from tradedesk.ui.drawing import Cell, Line
from tradedesk.ui.freshness import freshness, in_words, of_marks
from tradedesk.ui.panes.pane import Selection
from tradedesk.ui.widgets.rows import Column, arranged
from tradedesk.ui.widgets.table import LiveTable
from tradedesk.views.figures import position_figures

AGAIN_AFTER = drawing.SECOND // 4  # prices move the figures at most this often; a fill does at once
ALL = "all"  # key of the row over all accounts; account rows are keyed by their id, positions by id and market


class PositionRow(Struct, frozen=True, kw_only=True):
    """One line. A total has no instrument; its money is of what is quoted in the reporting currency."""

    account: AccountId | None  # None: the total over all
    instrument: InstrumentId | None
    symbol: str
    qty: Decimal | None  # base units, signed
    qty_digits: int
    price_digits: int
    money_digits: int
    avg: Decimal | None
    mark: Decimal | None
    mark_state: FeedState
    notional: Decimal | None  # quote units, >= 0
    unrealized: Decimal | None
    realized: Decimal
    fees: Decimal
    net: Decimal | None
    currency: str
    note: str = ""  # what the figures leave out

    @property
    def is_total(self) -> bool:
        return self.instrument is None


class PositionsPane(LiveTable[PositionRow]):
    """What every account holds and what it is worth now."""

    name_shown: ClassVar[str] = "positions"
    what: ClassVar[str] = "positions"
    sorted_first_by: ClassVar[str] = "account"

    columns: ClassVar[tuple[Column, ...]] = (
        Column(key="account", title="account", width=7),
        Column(key="symbol", title="market", width=8, grows=True),
        Column(key="qty", title="qty", width=10, is_right=True),
        Column(key="avg", title="avg", width=9, is_right=True, drop=2),
        Column(key="mark", title="mark", width=9, is_right=True, drop=1),
        Column(key="notional", title="value", width=10, is_right=True, drop=5),
        Column(key="unrealized", title="uPnL", width=9, is_right=True),
        Column(key="realized", title="rPnL", width=8, is_right=True, drop=3),
        Column(key="fees", title="fees", width=8, is_right=True, drop=4),
        Column(key="net", title="net", width=9, is_right=True),
    )

    _read_at = 0
    _seen: tuple[Position, ...] = ()

    def items(self, now: int) -> Mapping[str, PositionRow]:
        replica = self.view.replica
        seen = tuple(replica.positions.values())
        if self._items and seen == self._seen and 0 <= now - self._read_at < AGAIN_AFTER and self.view.lost is None:
            return self._items
        self._seen, self._read_at = seen, now
        fresh = {
            instrument: freshness(self.view, instrument, now).state
            for instrument in {position.instrument for position in seen}
        }
        rows: dict[str, PositionRow] = {}
        for position in seen:
            if position.qty or position.realized or position.fees:
                rows[f"{position.account} {position.instrument}"] = self._row_of(position, fresh[position.instrument])
        if rows:
            for account in {row.account for row in rows.values() if row.account is not None}:
                rows[account] = total(account, [row for row in rows.values() if row.account == account], self._currency)
            rows[f"{ALL} "] = total(None, [row for row in rows.values() if row.instrument is not None], self._currency)
        return {key: row if row != (old := self._items.get(key)) else old for key, row in rows.items()}

    def cells(self, item: PositionRow, now: int) -> Sequence[Cell]:
        colours, glyphs = self.colours, self.glyphs
        style = colours.total if item.is_total else colours.text

        def money(value: Decimal | None) -> Cell:
            gain = drawing.gain_style(value, colours)
            return (
                drawing.signed(value, item.money_digits, glyphs),
                gain + drawing.BOLD if item.is_total else gain,
            )

        qty = drawing.signed(item.qty, item.qty_digits, glyphs)
        is_halted = item.account is not None and self.view.replica.halt_of(item.account) is not None
        return (
            (f"{glyphs.halt if is_halted else ''}{item.account or 'all'}", style),
            ("total" if item.is_total else item.symbol, style),
            ("" if item.is_total else qty, style),
            ("" if item.is_total else drawing.number(item.avg, item.price_digits, glyphs), colours.muted),
            ("", style) if item.is_total else self._mark(item),
            (drawing.number(item.notional, item.money_digits, glyphs), colours.muted),
            money(item.unrealized),
            money(item.realized),
            (drawing.number(item.fees, item.money_digits, glyphs), colours.muted),
            money(item.net),
        )

    def sort_value(self, item: PositionRow, column: str) -> Any:
        return getattr(item, column)

    def in_order(self, keys: Sequence[str]) -> list[str]:
        """All first, then account by account: its total, and its markets under it."""
        rows = self._items

        def value(key: str) -> Any:
            return self.sort_value(rows[key], self.sort_by)

        def flat(_: str) -> int:
            return 0

        totals = arranged(
            [key for key in keys if rows[key].is_total and rows[key].account is not None],
            (lambda key: rows[key].account) if self.sort_by == "symbol" else value,
            flat,
            is_reversed=self.is_reversed,
        )
        known: list[AccountId | None] = [rows[key].account for key in totals]
        known += [rows[key].account for key in keys if not rows[key].is_total and rows[key].account not in known]
        shown = [key for key in keys if rows[key].account is None]
        for account in dict.fromkeys(known):
            own = [key for key in keys if rows[key].account == account]
            shown += [key for key in own if rows[key].is_total]
            markets = [key for key in own if not rows[key].is_total]
            if self.sort_by == "account":
                shown += sorted(markets, key=lambda key: rows[key].symbol)
            else:
                shown += arranged(markets, value, flat, is_reversed=self.is_reversed)
        return shown

    def words(self, item: PositionRow) -> str:
        return f"{item.account or 'all'} {item.symbol}"

    def detail(self, item: PositionRow, now: int) -> Line:
        def money(name: str, value: Decimal | None) -> str:
            return f"{name} {drawing.signed(value, item.money_digits, self.glyphs)}"

        parts = (
            f"{item.account or 'all accounts'} {item.symbol}",
            f"value {drawing.number(item.notional, item.money_digits, self.glyphs)}",
            money("uPnL", item.unrealized),
            money("rPnL", item.realized),
            f"fees {drawing.number(item.fees, item.money_digits)}",
            f"net {drawing.signed(item.net, item.money_digits, self.glyphs)} {item.currency}",
            item.note,
        )
        return ((drawing.joined(parts), self.colours.muted),)

    def nothing(self) -> str:
        return "No positions. n opens a ticket."

    def selection_of(self, item: PositionRow) -> Selection:
        return Selection(account=item.account, instrument=item.instrument)

    def key_of(self, selection: Selection) -> str | None:
        if selection.account is None:
            return None
        return selection.account if selection.instrument is None else f"{selection.account} {selection.instrument}"

    def title_parts(self, now: int) -> Sequence[str]:
        row = self._items.get(f"{ALL} ")
        if row is None:
            return ()
        net = drawing.signed(row.net, row.money_digits, self.glyphs)
        old = None if self.view.lost is not None else of_marks(self.view, now)
        return (f"net {net} {row.currency}", in_words(old, self.glyphs) if old is not None else "", row.note)

    @property
    def _currency(self) -> str:
        desk = self.view.replica.desk
        return desk.reporting_currency if desk is not None else ""

    def _mark(self, item: PositionRow) -> Cell:
        text = drawing.number(item.mark, item.price_digits, self.glyphs)
        match item.mark_state:
            case FeedState.Live:
                return (text, self.colours.text)
            case FeedState.Disconnected:
                return (text, self.colours.struck)
            case _:
                return (text, self.colours.stale)

    def _row_of(self, position: Position, mark_state: FeedState) -> PositionRow:
        figures = position_figures(self.view.replica, position)
        known = self.view.replica.instruments.get(position.instrument)
        tick = known.tick if known is not None else Decimal("0.01")
        other = ", ".join(f"{amount} {asset}" for asset, amount in position.other_fees)
        return PositionRow(
            account=position.account,
            instrument=position.instrument,
            symbol=known.symbol if known is not None else position.instrument,
            qty=position.qty,
            qty_digits=drawing.places(known.lot) if known is not None else 8,
            price_digits=drawing.places(tick),
            money_digits=drawing.money_digits(tick),
            avg=position.avg_px,
            mark=figures.mark,
            mark_state=mark_state,
            notional=figures.notional,
            unrealized=figures.unrealized,
            realized=position.realized,
            fees=position.fees,
            net=figures.net,
            currency=known.quote if known is not None else "",
            note=drawing.joined(
                (f"and fees of {other}" if other else "", "some fees not told yet" if position.has_unknown_fee else ""),
                ", ",
            ),
        )


def total(account: AccountId | None, rows: Iterable[PositionRow], currency: str) -> PositionRow:
    """The sum over what is quoted in `currency`; a figure that one of them lacks is lacking in the sum too."""
    every = list(rows)
    counted = [row for row in every if row.currency == currency]
    others = len(every) - len(counted)
    return PositionRow(
        account=account,
        instrument=None,
        symbol="total",
        qty=None,
        qty_digits=0,
        price_digits=0,
        money_digits=2,
        avg=None,
        mark=None,
        mark_state=FeedState.Live,
        notional=_sum(row.notional for row in counted),
        unrealized=_sum(row.unrealized for row in counted),
        realized=sum((row.realized for row in counted), Decimal(0)),
        fees=sum((row.fees for row in counted), Decimal(0)),
        net=_sum(row.net for row in counted),
        currency=currency,
        note=f"without {others} not in {currency}" if others else "",
    )


def _sum(values: Iterable[Decimal | None]) -> Decimal | None:
    added = Decimal(0)
    for value in values:
        if value is None:
            return None
        added += value
    return added
