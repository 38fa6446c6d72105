"""The chart's arithmetic: candles gathered into longer ones, a price scale that stands still, a candle as a column. Pure.

Floats, since this is drawing (5.10).
"""

import math
from collections.abc import Sequence

from msgspec import Struct, structs
from rich.style import Style

from tradedesk.domain.instruments import Candle
from tradedesk.ui.drawing import MINUTE, Cell, Glyphs

INTERVALS = (1, 5, 15, 60)  # minutes


class Scale(Struct, frozen=True, kw_only=True):
    """Prices to rows: `high` at the top edge of row 0, `low` at the bottom edge of the last. `step` between labels."""

    low: float
    high: float
    step: float
    rows: int

    def half(self, price: float) -> int:
        """The half row (two to a row, from the top) in which a price lies; clamped to the plot."""
        if self.high <= self.low:
            return self.rows
        at = math.floor((self.high - price) / (self.high - self.low) * self.rows * 2)
        return min(max(0, at), self.rows * 2 - 1)

    def row(self, price: float) -> int:
        return self.half(price) // 2


def gathered(candles: Sequence[Candle], minutes: int) -> list[Candle]:
    """One-minute candles (oldest first) as candles of `minutes`, on the clock's own grid."""
    if minutes == 1:
        return list(candles)
    width, merged = minutes * MINUTE, list[Candle]()
    for candle in candles:
        start = candle.open_time // width * width
        if merged and merged[-1].open_time == start:
            last = merged[-1]
            merged[-1] = structs.replace(
                last,
                high=max(last.high, candle.high),
                low=min(last.low, candle.low),
                close=candle.close,
                volume=last.volume + candle.volume,
            )
        else:
            merged.append(structs.replace(candle, open_time=start))
    return merged


def with_holes(candles: Sequence[Candle], minutes: int, most: int) -> list[Candle | None]:
    """A place for every interval: None where no candle came (F55). Of one hole at most `most` places are kept."""
    places: list[Candle | None] = []
    before = None
    for candle in candles:
        if before is not None:
            missing = (candle.open_time - before.open_time) // (minutes * MINUTE) - 1
            places += [None] * min(max(0, missing), most)
        places.append(candle)
        before = candle
    return places


def nice_step(span: float, labels: int) -> float:
    """The smallest of 1, 2, 5 x 10^n that puts at most `labels` (> 0) steps into `span` (> 0)."""
    raw = span / labels
    base = 10.0 ** math.floor(math.log10(raw))
    return next(base * factor for factor in (1, 2, 5, 10) if base * factor >= raw * (1 - 1e-9))


def scale_for(candles: Sequence[Candle], rows: int, tick: float) -> Scale:
    """A scale that holds every candle, moved in steps of its own, so that it does not follow each tick."""
    low = min((float(candle.low) for candle in candles), default=0.0)
    high = max((float(candle.high) for candle in candles), default=1.0)
    span = max(high - low, tick * rows / 4)
    step = nice_step(span, max(2, rows // 4))
    quarter = step / 4
    return Scale(
        low=math.floor(low / quarter - 0.25) * quarter,
        high=math.ceil(high / quarter + 0.25) * quarter,
        step=step,
        rows=rows,
    )


def column_of(candle: Candle, scale: Scale, glyphs: Glyphs, up: Style, down: Style) -> list[Cell | None]:
    """The candle as `scale.rows` cells from the top; None where it is not. Rising and falling differ without colour."""
    opened, close = float(candle.open), float(candle.close)
    is_up = close >= opened
    body, style = (glyphs.up_body, up) if is_up else (glyphs.down_body, down)
    top, bottom = scale.half(float(candle.high)), scale.half(float(candle.low))
    body_top, body_bottom = scale.half(max(opened, close)), scale.half(min(opened, close))
    cells: list[Cell | None] = [None] * scale.rows
    for row in range(top // 2, bottom // 2 + 1):
        upper, lower = row * 2, row * 2 + 1
        has_upper, has_lower = top <= upper <= bottom, top <= lower <= bottom
        in_upper, in_lower = body_top <= upper <= body_bottom, body_top <= lower <= body_bottom
        if in_upper or in_lower:
            glyph = body[0] if in_upper and in_lower else body[1] if in_upper else body[2]
        elif has_upper or has_lower:
            glyph = glyphs.wick[0] if has_upper and has_lower else glyphs.wick[1] if has_upper else glyphs.wick[2]
        else:
            continue
        cells[row] = (glyph, style)
    return cells


def label_every(minutes: int, spacing: int, cells: int) -> int:
    """Minutes between time labels, each `cells` wide with its gap, for candles of `minutes` every `spacing` cells."""
    return next(
        (
            nice
            for nice in (5, 10, 15, 30, 60, 120, 240, 480, 720)
            if nice >= minutes and nice // minutes * spacing >= cells
        ),
        1440,
    )
