"""One market: the ladder on a fixed price axis with our own orders in it, the tape, and the position."""

from decimal import Decimal
from typing import ClassVar

from rich.style import Style
from textual.binding import Binding, BindingType

from tradedesk.domain.instruments import FeedState, Instrument
from tradedesk.domain.orders import DEAD, Order
from tradedesk.domain.positions import Position
from tradedesk.domain.text import clean
from tradedesk.domain.words import InstrumentId, Side
from tradedesk.ui import drawing, ladder
from tradedesk.ui.drawing import Cell, Line, fit
from tradedesk.ui.freshness import Freshness, freshness, in_words
from tradedesk.ui.ladder import Own
from tradedesk.ui.panes.pane import Pane, Selection
from tradedesk.views.figures import position_figures
from tradedesk.views.replica import MarketRow

OWN = 4  # cells of the column of our own orders: the side and how many
TAPE_TIME = 11  # cells of the tape's time and side
TAPE_BESIDE_FROM = 70  # cells: narrower panes put the tape under the ladder
TAPE_BELOW_FROM = 17  # lines: lower panes have none
MIN_SIZE = 7  # cells of a quantity
MAX_DEPTH_DIGITS = 3  # of a depth; the tape and the orders show all of a quantity's digits


class MarketPane(Pane):
    """Ladder, tape and position of the selected market."""

    name_shown: ClassVar[str] = "market"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "scroll_prices(-1)", "Down", show=False, id="move.down"),
        Binding("k,up", "scroll_prices(1)", "Up", show=False, id="move.up"),
        Binding("ctrl+d,pagedown", "page_prices(-1)", "Half a page down", show=False, id="move.page-down"),
        Binding("ctrl+u,pageup", "page_prices(1)", "Half a page up", show=False, id="move.page-up"),
        Binding("c", "centre", "Centre", show=False, id="market.centre"),
        Binding("plus,equals_sign", "zoom(-1)", "Finer steps", show=False, id="market.finer"),
        Binding("minus", "zoom(1)", "Coarser steps", show=False, id="market.coarser"),
    ]

    _shown: InstrumentId | None = None  # what the axis below belongs to
    _zoom: int | None = None
    _top: int | None = None  # index of the top row
    _is_held = False  # the operator moved the axis: it stays until centred
    _rows = 0
    _size_width = MIN_SIZE  # of a depth; widths only grow while a market is shown, so that columns stand still
    _lot_width = MIN_SIZE  # of a print

    # -- keys -----------------------------------------------------------------------------------------------------------

    def action_scroll_prices(self, steps: int) -> None:
        if self._top is not None:
            self._top, self._is_held = max(1, self._top + steps), True
            self.draw_again()

    def action_page_prices(self, direction: int) -> None:
        self.action_scroll_prices(direction * max(1, self._rows // 2))

    def action_centre(self) -> None:
        self._top, self._is_held = None, False
        self.draw_again()

    def action_zoom(self, sizes: int) -> None:
        if self._zoom is not None:
            self._zoom = min(max(0, self._zoom + sizes), 30)
            self.action_centre()

    def selected(self) -> Selection:
        return Selection(account=self.selection.account, instrument=self.instrument)

    # -- drawing --------------------------------------------------------------------------------------------------------

    def draw(self, now: int) -> None:
        known = self.view.replica.instruments.get(self.instrument) if self.instrument is not None else None
        if known is None:
            self.put_title()
            self.put_lines(
                [((fit("No market. Name some under instruments in desk.toml.", self.area.width), self.colours.muted),)]
            )
            return
        fresh = freshness(self.view, known.id, now)
        market = self.view.replica.market(known.id)
        self.put_title(known.symbol, in_words(fresh, self.glyphs), "held, c centres" if self._is_held else "")
        if not market.bids and not market.asks and not market.tape:
            waiting = f"Waiting for the book of {known.symbol}. {fresh.reason}"
            self.put_lines([((fit(waiting, self.area.width, self.glyphs), self.colours.muted),)])
            return
        if known.id != self._shown:
            self._shown, self._zoom, self._top, self._is_held, self._size_width = known.id, None, None, False, MIN_SIZE
            self._lot_width = MIN_SIZE
        self.put_lines(self._laid_out(known, market, fresh))

    def _laid_out(self, known: Instrument, market: MarketRow, fresh: Freshness) -> list[Line]:
        width, height = self.area
        price_width = len(drawing.number(market.mark, drawing.places(known.tick)))
        lots = max((len(drawing.number(trade.qty, drawing.places(known.lot))) for trade in market.tape), default=0)
        self._lot_width = max(self._lot_width, lots)
        tape_width = TAPE_TIME + self._lot_width + 1 + price_width
        position = self._position_line(known, fresh)
        if width >= TAPE_BESIDE_FROM:
            left = width - tape_width - 3
            rows = self._ladder(known, market, fresh, left, height - 1)
            tape = self._tape(known, market, fresh, tape_width, height - 1)
            divider: Cell = (f" {self.glyphs.divider} ", self.colours.muted)
            return [*((*row, divider, *prints) for row, prints in zip(rows, tape, strict=True)), position]
        below = max(3, height // 4) if height >= TAPE_BELOW_FROM else 0
        lines = self._ladder(known, market, fresh, width, height - 1 - below)
        lines += self._tape(known, market, fresh, width, below)
        return [*lines, position]

    def _ladder(self, known: Instrument, market: MarketRow, fresh: Freshness, width: int, height: int) -> list[Line]:
        """The head, then price rows with the spread between them: `height` lines of `width` cells."""
        self._rows = rows = max(1, height - 2)
        if self._zoom is None and (market.bids or market.asks):
            self._zoom = ladder.fitting_zoom(market.bids, market.asks, known.tick, rows)
        step = ladder.step_at(known.tick, self._zoom or 0)
        bid = None if market.bid is None else ladder.index_of(market.bid, step, Side.Buy)
        ask = None if market.ask is None else ladder.index_of(market.ask, step, Side.Sell)
        if self._top is None or (
            not self._is_held and fresh.has_price and ladder.is_off_centre(self._top, rows, bid, ask)
        ):
            last = None if market.last is None else ladder.index_of(market.last, step, Side.Buy)
            self._top = ladder.centred_top(bid, ask if ask is not None or bid is not None else last, rows)
        top = self._top or 0
        bids = ladder.gathered(market.bids, step, Side.Buy)
        asks = ladder.gathered(market.asks, step, Side.Sell)
        shown = range(top, top - rows, -1)
        own = ladder.own_levels(self._working(known.id), step)
        price_digits = drawing.places(step)
        price_width = len(drawing.number(top * step, price_digits))
        depths = [size for index in shown for size in (bids.get(index), asks.get(index)) if size]
        largest = max(depths, default=Decimal(1))
        digits = min(drawing.places(known.lot), MAX_DEPTH_DIGITS)
        self._size_width = max(self._size_width, *(len(drawing.number(size, digits)) for size in depths), 0)
        bar = max(0, (width - 2 * (OWN + 1 + self._size_width + 1) - price_width - 2) // 2 - 1)
        spare = width - (2 * (OWN + 1 + self._size_width + 1 + (bar + 1 if bar else 0)) + price_width)
        if spare < 0:
            bar = 0
        after_spread = (ask if ask is not None else bid) if fresh.has_price else shown[len(shown) // 2]
        last_index = None
        if market.last is not None and fresh.has_price:
            last_index = ladder.index_of(market.last, step, Side.Sell if market.last == market.ask else Side.Buy)

        lines: list[Line] = [self._head(bar, price_width, width)]
        spread_at: int | None = None
        for index in shown:
            if spread_at is None and (after_spread is None or index < after_spread):
                spread_at = len(lines)
            lines.append(
                self._price_row(
                    drawing.number(index * step, price_digits),
                    (bids.get(index), asks.get(index)),
                    (own.get((Side.Buy, index)), own.get((Side.Sell, index))),
                    known=known,
                    fresh=fresh,
                    touch=Side.Buy if index == bid else Side.Sell if index == ask else None,
                    is_last=index == last_index,
                    price_width=price_width,
                    bar=bar,
                    largest=largest,
                    width=width,
                )
            )
        lines.insert(
            len(lines) if spread_at is None else spread_at, self._spread_line(known, market, fresh, width, step)
        )
        return lines[:height]

    def _head(self, bar: int, price_width: int, width: int) -> Line:
        side = self._size_width + (bar + 1 if bar else 0)
        text = (
            f"{'own':<{OWN}} {fit('bid size', side, self.glyphs, right=True)} {fit('price', price_width, right=True)} "
            f"{fit('ask size', side, self.glyphs)} {'own':>{OWN}}"
        )
        return ((fit(text, width), self.colours.head),)

    def _price_row(
        self,
        price: str,
        sizes: tuple[Decimal | None, Decimal | None],
        own: tuple[Own | None, Own | None],
        *,
        known: Instrument,
        fresh: Freshness,
        touch: Side | None,
        is_last: bool,
        price_width: int,
        bar: int,
        largest: Decimal,
        width: int,
    ) -> Line:
        colours, glyphs, digits = self.colours, self.glyphs, min(drawing.places(known.lot), MAX_DEPTH_DIGITS)
        old = self._old_style(fresh)
        price_style = old or colours.text
        if touch is not None and fresh.is_live:
            price_style = (colours.buy if touch is Side.Buy else colours.sell) + drawing.BOLD
        gap_after: Cell = (" ", colours.text)
        parts: list[Cell] = [self._own_cell(own[0], Side.Buy), gap_after]
        for size, side, style in ((sizes[0], Side.Buy, colours.buy), (sizes[1], Side.Sell, colours.sell)):
            text = "" if size is None else depth_shown(size, digits)
            is_bid = side is Side.Buy
            number: Cell = (fit(text, self._size_width, glyphs, right=True), old or colours.text)
            depth: Cell = (
                drawing.bar(0.0 if size is None else float(size / largest), bar, glyphs, from_right=is_bid),
                (old or style) + drawing.DIM,
            )
            gap: Cell = (" " if bar else "", colours.text)
            if is_bid:
                parts += [depth, gap, number]
                pad = " " * (price_width - len(price))
                parts += [(pad + (glyphs.cursor if is_last else " "), colours.own), (price, price_style), gap_after]
            else:
                parts += [number, gap, depth]
        parts += [(" ", colours.text), self._own_cell(own[1], Side.Sell, is_right=True)]
        parts.append((" " * max(0, width - drawing.line_width(parts)), colours.text))
        return tuple(parts)

    def _own_cell(self, own: Own | None, side: Side, *, is_right: bool = False) -> Cell:
        if own is None:
            return (" " * OWN, self.colours.text)
        sign = self.glyphs.buy if side is Side.Buy else self.glyphs.sell
        text = f"{sign}{own.count}" + (self.glyphs.unknown if own.is_uncertain else "")
        style = self.colours.unknown if own.is_uncertain else self.colours.own
        return (fit(text, OWN, self.glyphs, right=is_right), style)

    def _spread_line(self, known: Instrument, market: MarketRow, fresh: Freshness, width: int, step: Decimal) -> Line:
        colours, glyphs = self.colours, self.glyphs
        if not fresh.has_price:
            words = f" {glyphs.broken} {fresh.state.value.upper()}: no best price until the book joins again "
            return ((fit(words, width, glyphs), colours.banner),)
        if market.bid is None or market.ask is None:
            words = "no bids" if market.bid is None else "no asks"
        else:
            spread = market.ask - market.bid
            points = spread / ((market.ask + market.bid) / 2) * 10_000
            words = f"spread {drawing.number(spread, drawing.places(known.tick))}"
            words += f"  {points:.2f} bp" if points >= Decimal("0.01") else ""
            if step != known.tick:
                words += f"  step {drawing.number(step, drawing.places(step))}"
        if fresh.state is FeedState.Disconnected and fresh.reason:
            words = fresh.reason
        ruled = f" {words} ".center(width, "\0").replace("\0", glyphs.rule)
        return ((fit(ruled, width, glyphs), self._old_style(fresh) or colours.muted),)

    def _tape(self, known: Instrument, market: MarketRow, fresh: Freshness, width: int, height: int) -> list[Line]:
        """The newest prints on top: `height` lines."""
        if height <= 0:
            return []
        colours, glyphs, old = self.colours, self.glyphs, self._old_style(fresh)
        price_width = len(drawing.number(market.mark, drawing.places(known.tick)))
        rest = width - (TAPE_TIME + self._lot_width + 1 + price_width)
        head = f"{'time':<{TAPE_TIME}}{'size':>{self._lot_width}} {'price':>{price_width}}"
        head += f" {glyphs.rule * (rest - 1)}" if rest > 1 else ""
        lines: list[Line] = [((fit(head, width), colours.head),)]
        for trade in reversed(market.tape[-(height - 1) :] if height > 1 else ()):
            sign, style = (glyphs.buy, colours.buy) if trade.taker_is_buyer else (glyphs.sell, colours.sell)
            size = drawing.number(trade.qty, drawing.places(known.lot))
            price = drawing.number(trade.price, drawing.places(known.tick))
            lines.append(
                (
                    (f"{drawing.time_of_day(trade.at)} ", old or colours.muted),
                    (f"{sign} ", old or style),
                    (fit(size, self._lot_width, glyphs, right=True), old or colours.text),
                    (f" {fit(price, price_width, glyphs, right=True)}", old or style),
                )
            )
        return [*lines, *([()] * (height - len(lines)))]

    def _position_line(self, known: Instrument, fresh: Freshness) -> Line:
        """What the selected account holds here, or all of them together; the name stands first."""
        colours, glyphs, replica = self.colours, self.glyphs, self.view.replica
        account = self.selection.account
        held = [
            position
            for (owner, instrument), position in replica.positions.items()
            if instrument == known.id and (account is None or owner == account)
        ]
        name = clean(account or f"all {len(replica.accounts)} accounts")
        base, quote = clean(known.base), clean(known.quote)
        qty = sum((position.qty for position in held), Decimal(0))
        working = sum(1 for order in self._working(known.id) if account is None or order.account == account)
        mine = f"  {working} working" if working else ""
        if not qty:
            return ((fit(f"{name}  no position in {base}{mine}", self.area.width, glyphs), colours.muted),)
        gain = self._gain(held)
        average = _average(held)
        digits = drawing.money_digits(known.tick)
        currency = f" {quote}" if self.area.width >= TAPE_BESIDE_FROM else ""
        at = "" if average is None else f" @ {drawing.number(average, drawing.places(known.tick))}"
        return (
            (f"{name}  ", drawing.BOLD + colours.text),
            (f"{drawing.signed(qty, drawing.places(known.lot))} {base}{at}", colours.text),
            ("  uPnL ", colours.muted),
            (
                f"{drawing.signed(gain, digits, glyphs)}{currency}",
                self._old_style(fresh) or drawing.gain_style(gain, colours),
            ),
            (mine, colours.muted),
        )

    def _gain(self, held: list[Position]) -> Decimal | None:
        total = Decimal(0)
        for position in held:
            gain = position_figures(self.view.replica, position).unrealized
            if gain is None:
                return None
            total += gain
        return total

    def _working(self, instrument: InstrumentId) -> list[Order]:
        return [
            order for order in self.view.orders() if order.instrument == instrument and order.ord_status not in DEAD
        ]

    def _old_style(self, fresh: Freshness) -> Style | None:
        """How everything looks that is not live; None while it is."""
        if fresh.is_live:
            return None
        return self.colours.struck if fresh.state is FeedState.Disconnected else self.colours.stale


def depth_shown(size: Decimal, digits: int) -> str:
    """A depth at `digits`; what would round to nothing is said to be less than the last digit, never 0."""
    text = drawing.number(size, digits)
    return f"<{Decimal(1).scaleb(-digits):f}".replace("<0.", "<.") if size > 0 and not text.strip("0.") else text


def _average(held: list[Position]) -> Decimal | None:
    """What the positions cost on average, if that is known of all of them."""
    qty = sum((position.qty for position in held), Decimal(0))
    costs = [position.cost for position in held]
    if not qty or any(cost is None for cost in costs):
        return None
    return sum((cost for cost in costs if cost is not None), Decimal(0)) / qty
