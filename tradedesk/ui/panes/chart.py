"""Candles of one market with a price axis, a time axis, volume, the last price and our own fills."""

from datetime import UTC, datetime
from typing import ClassVar

from rich.style import Style
from textual.binding import Binding, BindingType

from tradedesk.domain.instruments import Candle, FeedState, Instrument
from tradedesk.domain.words import InstrumentId, Side
from tradedesk.ui import candles as chart
from tradedesk.ui import drawing
from tradedesk.ui.candles import INTERVALS, Scale
from tradedesk.ui.drawing import MINUTE, SECOND, UNICODE, Cell, Glyphs, Line, Palette, fit
from tradedesk.ui.freshness import Freshness, freshness, in_words
from tradedesk.ui.panes.pane import Pane, Selection
from tradedesk.views.feed import DeskView
from tradedesk.views.replica import MarketRow

SPACED_FROM = 56  # cells of plot: narrower plots put candle next to candle
TIME_LABEL = 8  # cells, HH:MM and a gap
FACTS_FROM = 72  # cells: narrower panes tell the close only
MIN_ROWS = 4

Column = list[Cell | None]
Places = list[Candle | None]  # None: no candle came for this interval


class ChartPane(Pane):
    """The candles of the selected market. Closed ones are drawn once and kept."""

    name_shown: ClassVar[str] = "chart"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("h,left", "back(1)", "Back in time", show=False, id="chart.back"),
        Binding("l,right", "back(-1)", "Forward", show=False, id="chart.forward"),
        Binding("ctrl+u,pageup", "page_back(1)", "Half a page back", show=False, id="move.page-up"),
        Binding("ctrl+d,pagedown", "page_back(-1)", "Half a page forward", show=False, id="move.page-down"),
        Binding("G,end", "newest", "Newest", show=False, id="move.last"),
        Binding("plus,equals_sign", "interval(-1)", "Shorter candles", show=False, id="chart.shorter"),
        Binding("minus", "interval(1)", "Longer candles", show=False, id="chart.longer"),
    ]

    def __init__(self, view: DeskView, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:
        super().__init__(view, glyphs=glyphs, id=id)
        self._cache_for: tuple[InstrumentId, int, Scale, Palette] | None = None
        self._cache: dict[int, tuple[Candle, Column]] = {}  # by open time

    _interval = 0  # index into INTERVALS
    _back = 0  # candles scrolled away from the newest
    _count = 0  # candles that fit

    # -- keys -----------------------------------------------------------------------------------------------------------

    def action_back(self, candles: int) -> None:
        self._back = max(0, self._back + candles)
        self.draw_again()

    def action_page_back(self, direction: int) -> None:
        self.action_back(direction * max(1, self._count // 2))

    def action_newest(self) -> None:
        self._back = 0
        self.draw_again()

    def action_interval(self, longer: int) -> None:
        self._interval, self._back = min(max(0, self._interval + longer), len(INTERVALS) - 1), 0
        self.draw_again()

    def selected(self) -> Selection:
        return Selection(account=self.selection.account, instrument=self.instrument)

    # -- drawing --------------------------------------------------------------------------------------------------------

    def draw(self, now: int) -> None:
        known = self.view.replica.instruments.get(self.instrument) if self.instrument is not None else None
        height = self.area.height
        if known is None:
            self.put_title()
            self._say("No market. Name some under instruments in desk.toml.")
            return
        market, fresh = self.view.replica.market(known.id), freshness(self.view, known.id, now)
        minutes = INTERVALS[self._interval]
        name = f"{minutes}m" if minutes < 60 else f"{minutes // 60}h"
        self.put_title(
            f"{known.symbol} {name}", in_words(fresh, self.glyphs), "earlier, G newest" if self._back else ""
        )
        if not market.candles:
            self._say(f"Waiting for the candles of {known.symbol}. {fresh.reason}")
            return
        if height < MIN_ROWS + 2:
            self._say("Too low for a chart. z zooms this pane.")
            return
        self.put_lines(self._plotted(known, market, fresh, minutes))

    def _say(self, words: str) -> None:
        self.put_lines([((fit(words, self.area.width, self.glyphs), self.colours.muted),)])

    def _plotted(self, known: Instrument, market: MarketRow, fresh: Freshness, minutes: int) -> list[Line]:
        width, height = self.area
        digits = drawing.places(known.tick)
        axis = len(drawing.number(market.candles[-1].high, digits)) + 2
        plot = max(1, width - axis)
        spacing = 2 if plot >= SPACED_FROM else 1
        self._count = count = max(1, plot // spacing)
        volume_rows = 3 if height >= 18 else 2 if height >= 12 else 0
        rows = height - 2 - volume_rows
        every = chart.with_holes(chart.gathered(market.candles, minutes), minutes, most=count)
        self._back = min(self._back, max(0, len(every) - count))
        end = len(every) - self._back
        shown = every[max(0, end - count) : end]
        seen = [candle for candle in shown if candle is not None] or [market.candles[-1]]
        scale = chart.scale_for(seen, rows, float(known.tick))
        columns = self._columns(known.id, minutes, scale, shown)
        marks = self._marks(known.id, shown, minutes, scale)
        last = market.last if market.last is not None else seen[-1].close
        last_row = scale.row(float(last)) if scale.low <= last <= scale.high else None
        last_style = self._old_style(fresh) or (
            self.colours.up if seen[-1].close >= seen[-1].open else self.colours.down
        )
        labels = self._labels(scale, digits)
        lines: list[Line] = [self._facts(seen[-1], known, fresh)]
        for row in range(rows):
            cells = [marks.get((index, row)) or column[row] for index, column in enumerate(columns)]
            guide = (self.glyphs.grid, self.colours.muted) if row == last_row else (" ", self.colours.text)
            line = _spread(cells, guide, spacing, plot)
            if row == last_row:
                style = last_style + drawing.REVERSE
                label: Cell = (fit(f" {drawing.number(last, digits)}", axis, self.glyphs), style)
            else:
                label = (labels.get(row, f"{self.glyphs.divider}").ljust(axis), self.colours.muted)
            lines.append((*line, label))
        lines += self._volume(shown, volume_rows, spacing, plot, axis)
        lines.append(self._times(shown, minutes, spacing, plot))
        return lines

    def _columns(self, instrument: InstrumentId, minutes: int, scale: Scale, shown: Places) -> list[Column]:
        """A column for each candle; those drawn before for the same scale and theme are taken as they are."""
        wanted = (instrument, minutes, scale, self.colours)
        if wanted != self._cache_for:
            self._cache_for, self._cache = wanted, {}
        before, self._cache = self._cache, {}
        columns: list[Column] = []
        for candle in shown:
            if candle is None:
                columns.append([None] * scale.rows)
                continue
            known = before.get(candle.open_time)
            if known is None or known[0] != candle:
                up, down = self.colours.up, self.colours.down
                known = (candle, chart.column_of(candle, scale, self.glyphs, up, down))
            self._cache[candle.open_time] = known
            columns.append(known[1])
        return columns

    def _marks(
        self, instrument: InstrumentId, shown: Places, minutes: int, scale: Scale
    ) -> dict[tuple[int, int], Cell]:
        """Our own fills by candle and row; of several on one spot the newest shows."""
        marks: dict[tuple[int, int], Cell] = {}
        index_of = {candle.open_time: index for index, candle in enumerate(shown) if candle is not None}
        if not index_of:
            return marks
        first = min(index_of)
        for fill in self.view.replica.fills:
            if fill.instrument != instrument or fill.transact_time < first:
                continue
            index = index_of.get(fill.transact_time // (minutes * MINUTE) * (minutes * MINUTE))
            if index is not None and scale.low <= fill.last_px <= scale.high:
                glyph = self.glyphs.buy if fill.side is Side.Buy else self.glyphs.sell
                marks[index, scale.row(float(fill.last_px))] = (glyph, self.colours.own)
        return marks

    def _labels(self, scale: Scale, digits: int) -> dict[int, str]:
        """Price labels by row, at multiples of the step."""
        labels: dict[int, str] = {}
        first = -(-scale.low // scale.step)
        tick = "+" if self.glyphs.is_ascii else "┤"
        for number in range(int((scale.high - scale.low) / scale.step) + 2):
            price = (first + number) * scale.step
            if price <= scale.high:
                labels[scale.row(price)] = f"{tick}{price:,.{digits}f}".replace(",", " ")
        return labels

    def _facts(self, candle: Candle, known: Instrument, fresh: Freshness) -> Line:
        """The newest shown candle in figures."""
        digits = drawing.places(known.tick)
        change = (candle.close - candle.open) / candle.open * 100
        style = self._old_style(fresh)
        fields: tuple[tuple[str, str], ...] = (("O", "open"), ("H", "high"), ("L", "low"), ("C", "close"))
        if self.area.width < FACTS_FROM:
            fields = fields[-1:]
        prices = ((name, getattr(candle, field)) for name, field in fields)
        text = "  ".join(f"{name} {drawing.number(value, digits)}" for name, value in prices)
        return (
            (text, style or self.colours.text),
            (f"  {drawing.signed(change, 2)}%", style or drawing.gain_style(change, self.colours)),
            (f"  vol {drawing.number(candle.volume, min(3, drawing.places(known.lot)))}", style or self.colours.muted),
        )

    def _volume(self, shown: Places, rows: int, spacing: int, plot: int, axis: int) -> list[Line]:
        if not rows:
            return []
        volumes = [0.0 if candle is None else float(candle.volume) for candle in shown]
        largest = max(volumes, default=0.0) or 1.0
        columns = [drawing.column(volume / largest, rows, self.glyphs) for volume in volumes]
        styles = [
            (self.colours.up if candle is None or candle.close >= candle.open else self.colours.down) + drawing.DIM
            for candle in shown
        ]
        lines: list[Line] = []
        for row in range(rows):
            cells: list[Cell | None] = [
                (column[row], style) if column[row] != " " else None
                for column, style in zip(columns, styles, strict=True)
            ]
            label = f"{self.glyphs.divider}vol" if row == 0 else self.glyphs.divider
            lines.append(
                (*_spread(cells, (" ", self.colours.text), spacing, plot), (label.ljust(axis), self.colours.muted))
            )
        return lines

    def _times(self, shown: Places, minutes: int, spacing: int, plot: int) -> Line:
        every = chart.label_every(minutes, spacing, TIME_LABEL) * 60 * SECOND
        text, free = [" "] * plot, 0
        first = plot - len(shown) * spacing
        for index, candle in enumerate(shown):
            at = first + index * spacing
            if candle is None:
                if at >= free:
                    text[at] = self.glyphs.missing  # nothing came for this interval
                continue
            if candle.open_time % every == 0 and at >= free and at + 5 <= plot:
                text[at : at + 5] = datetime.fromtimestamp(candle.open_time // SECOND, UTC).strftime("%H:%M")
                free = at + TIME_LABEL - 2
        return (("".join(text) + " UTC", self.colours.muted),)

    def _old_style(self, fresh: Freshness) -> Style | None:
        if fresh.is_live:
            return None
        return self.colours.struck if fresh.state is FeedState.Disconnected else self.colours.stale


def _spread(cells: list[Cell | None], gap: Cell, spacing: int, width: int) -> Line:
    """One row of the plot: the candles' cells, `spacing` apart and to the right edge, runs of one style joined."""
    parts: list[Cell] = []
    text, style = gap[0] * (width - len(cells) * spacing), gap[1]
    for cell in cells:
        glyph, its_style = cell or gap
        if its_style is not style:
            if text:
                parts.append((text, style))
            text, style = "", its_style
        text += glyph
        if spacing > 1:
            if gap[1] is not style:
                parts.append((text, style))
                text, style = "", gap[1]
            text += gap[0] * (spacing - 1)
    parts.append((text, style))
    return tuple(parts)
