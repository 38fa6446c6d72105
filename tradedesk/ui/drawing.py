"""Pure drawing: numbers at an instrument's precision, glyphs, bars, and the cells and strips that lines are made of.

Text from outside reaches the screen through `fit` only, which cleans it; nothing here parses markup (5.14).
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from msgspec import Struct
from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tradedesk.domain.accounts import AccountState
from tradedesk.domain.orders import Order, OrderState, RequestState, state
from tradedesk.domain.text import clean
from tradedesk.domain.words import Side

SECOND = 1_000_000_000  # ns
MINUTE = 60 * SECOND
BOLD = Style(bold=True)
DIM = Style(dim=True)
REVERSE = Style(reverse=True)
PENDING_SHOWS_AGE_AFTER = 2 * SECOND
NEAR_LIMIT = 0.8  # of a limit, from which its use is called out

Cell = tuple[str, Style]
Line = tuple[Cell, ...]


class Glyphs(Struct, frozen=True, kw_only=True):
    """The signs of the screen. Each has a form for terminals that show ASCII only."""

    is_ascii: bool
    buy: str
    sell: str
    stale: str
    broken: str  # gapped or crossed
    disconnected: str
    unknown: str
    pending: str
    halt: str
    near: str
    partial: str
    filled: str
    dead: str
    refused: str
    cursor: str
    mark: str
    rising: str  # sorted ascending
    falling: str
    missing: str  # a figure that is not known
    ellipsis: str
    rule: str
    divider: str
    grid: str
    bar: str  # eighths of a cell from the left, the full cell last
    column: str  # eighths of a cell from the bottom, the full cell last
    wick: str  # both halves, the upper, the lower half of a cell
    up_body: str
    down_body: str


UNICODE = Glyphs(
    is_ascii=False, buy="▲", sell="▼", stale="◌", broken="≠", disconnected="✕", unknown="?", pending="…", halt="■",
    near="▲", partial="◐", filled="●", dead="○", refused="!", cursor="▸", mark="✓", rising="▴", falling="▾",
    missing="–", ellipsis="…", rule="─", divider="│", grid="┄", bar="▏▎▍▌▋▊▉█", column="▁▂▃▄▅▆▇█", wick="│╵╷",
    up_body="┃╹╻", down_body="█▀▄",
)  # fmt: skip

ASCII = Glyphs(
    is_ascii=True, buy="B", sell="S", stale="o", broken="!=", disconnected="x", unknown="?", pending="..", halt="#",
    near="^", partial="%", filled="*", dead="-", refused="!", cursor=">", mark="*", rising="^", falling="v",
    missing="-", ellipsis="~", rule="-", divider="|", grid=".", bar="=", column="_##", wick="|||",
    up_body="OOO", down_body="###",
)  # fmt: skip


class Palette(NamedTuple):
    """The styles of a pane, resolved from its theme's td-* variables. Colour comes second: each also has a word or glyph."""

    text: Style
    muted: Style
    head: Style
    total: Style
    buy: Style
    sell: Style
    own: Style
    stale: Style
    paper: Style
    live: Style
    halt: Style
    warn: Style
    crit: Style
    up: Style
    down: Style
    struck: Style  # last values of a feed that is gone
    unknown: Style  # reversed until resolved
    pending: Style
    banner: Style
    cursor: Style  # ground of the cursor's row, in a focused pane
    cursor_blurred: Style


_ATTRIBUTES: dict[str, Style] = {
    "head": Style(bold=True),
    "total": Style(bold=True),
    "own": Style(bold=True),
    "live": Style(bold=True),
    "halt": Style(bold=True, reverse=True),
    "warn": Style(bold=True),
    "crit": Style(bold=True, reverse=True),
    "struck": Style(strike=True),
    "unknown": Style(bold=True, reverse=True),
    "banner": Style(bold=True, reverse=True),
    "cursor": Style(bold=True),
}


def palette(colour_of: Callable[[str], Style]) -> Palette:
    """The palette from a lookup of colours; bold, reverse and strike are the same in every theme, so that mono reads too."""
    return Palette(**{name: colour_of(name) + _ATTRIBUTES.get(name, Style()) for name in Palette._fields})


# -- numbers ------------------------------------------------------------------------------------------------------------


def places(step: Decimal) -> int:
    """Digits after the point that a grid of `step` (> 0) needs: 2 for 0.01, 0 for 10."""
    exponent = step.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def number(value: Decimal | None, digits: int, glyphs: Glyphs = UNICODE) -> str:
    """`value` at `digits` after the point, thousands apart; the sign for missing where there is none, never a 0."""
    return glyphs.missing if value is None else f"{value:,.{digits}f}".replace(",", " ")


def signed(value: Decimal | None, digits: int, glyphs: Glyphs = UNICODE) -> str:
    """As `number`, always with its sign; what rounds to nothing has none."""
    if value is None:
        return glyphs.missing
    text = f"{value:+,.{digits}f}".replace(",", " ")
    return text[1:] if not text.strip("+-0. ") else text


def money_digits(tick: Decimal) -> int:
    """Digits of P&L in an instrument's quote: its tick's, at least cents."""
    return max(2, places(tick))


def gain_style(value: Decimal | None, colours: Palette) -> Style:
    """Up or down for a signed figure; the sign itself is in the text."""
    if value is None:
        return colours.muted
    return colours.up if value > 0 else colours.down if value < 0 else colours.text


def age(ns: int) -> str:
    """A duration in at most four characters: 12s, 3m, 5h, 9d. Never negative: a stepped clock is no news (F58)."""
    seconds = max(0, ns) // SECOND
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m"
    if seconds < 86400:
        return f"{seconds // 3600}h"
    return f"{seconds // 86400}d"


def time_of_day(at: int) -> str:
    """HH:MM:SS, UTC, of a moment in ns since the epoch."""
    return datetime.fromtimestamp(at // SECOND, UTC).strftime("%H:%M:%S")


# -- words and glyphs ---------------------------------------------------------------------------------------------------


def side_cell(side: Side, glyphs: Glyphs, colours: Palette) -> Cell:
    sign, word, style = (glyphs.buy, "BUY", colours.buy) if side is Side.Buy else (glyphs.sell, "SELL", colours.sell)
    return (word if glyphs.is_ascii else f"{sign} {word}", style)


_PENDING = frozenset((OrderState.PendingNew, OrderState.PendingCancel, OrderState.PendingReplace))
_NEVER_WORKED = frozenset((OrderState.Rejected, OrderState.Denied, OrderState.NeverArrived))


def state_cell(order: Order, now: int, glyphs: Glyphs, colours: Palette) -> Cell:
    """An order's state: glyph, FIX's word, and how long it has been pending or unknown once that is over 2 s."""
    name = state(order)
    waited = now - open_since(order)
    late = f" {age(waited)}" if waited > PENDING_SHOWS_AGE_AFTER else ""
    if order.is_uncertain and not order.is_dead:
        return (f"{glyphs.unknown} {name.value}{late}", colours.unknown)
    if name in _PENDING:
        return (f"{glyphs.pending:2}{name.value}{late}", colours.pending)
    if name is OrderState.PartiallyFilled:
        return (f"{glyphs.partial} {name.value}", colours.own)
    if name is OrderState.Filled:
        return (f"{glyphs.filled} {name.value}", colours.text)
    if name in _NEVER_WORKED:
        return (f"{glyphs.refused} {name.value}", colours.warn)
    if order.is_dead:
        return (f"{glyphs.dead} {name.value}", colours.muted)
    return (f"  {name.value}", colours.text)


def open_since(order: Order) -> int:
    """When the oldest request still open was made, ns; the order's own time where none is."""
    pending = (RequestState.Pending, RequestState.Unknown)
    return min((request.made_at for request in order.requests if request.state in pending), default=order.placed_at)


def account_state_cell(name: AccountState, is_halted: bool, glyphs: Glyphs, colours: Palette) -> Cell:
    """How an account stands. A halt outranks all else; every state is a word."""
    if is_halted or name is AccountState.Halted:
        return (f"{glyphs.halt} HALT", colours.halt)
    match name:
        case AccountState.Ready:
            return (f"  {name.value}", colours.text)
        case AccountState.Reconciling:
            return (f"{glyphs.pending:2}{name.value}", colours.pending)
        case AccountState.Offline:
            return (f"{glyphs.disconnected} {name.value}", colours.warn)
        case _:
            return (f"{glyphs.refused} {name.value}", colours.crit)


def use_cell(fraction: float | None, name: str, glyphs: Glyphs, colours: Palette) -> Cell:
    """How much of a limit is used; from 80 % with the sign and the limit's name."""
    if fraction is None:
        return (glyphs.missing, colours.muted)
    percent = f"{min(fraction, 9.99):.0%}"
    if fraction < NEAR_LIMIT:
        return (percent, colours.text)
    sign = glyphs.near if glyphs.is_ascii else f"{glyphs.near} "
    return (f"{sign}{percent} {name}".rstrip(), colours.crit if fraction >= 1 else colours.warn)


# -- bars ---------------------------------------------------------------------------------------------------------------


def bar(fraction: float, width: int, glyphs: Glyphs, *, from_right: bool = False) -> str:
    """A bar of `width` cells, filled to `fraction`. From the left in eighths of a cell; from the right in halves."""
    fraction = min(max(fraction, 0.0), 1.0)
    if glyphs.is_ascii:
        full = round(fraction * width)
        filled = glyphs.bar * full
    elif from_right:
        halves = round(fraction * width * 2)
        filled = "▐" * (halves % 2) + "█" * (halves // 2)
    else:
        eighths = round(fraction * width * 8)
        filled = glyphs.bar[-1] * (eighths // 8) + (glyphs.bar[eighths % 8 - 1] if eighths % 8 else "")
    return filled.rjust(width) if from_right else filled.ljust(width)


def column(fraction: float, height: int, glyphs: Glyphs) -> list[str]:
    """A standing bar of `height` cells as a list from the top down."""
    steps = len(glyphs.column)
    level = round(min(max(fraction, 0.0), 1.0) * height * steps)
    if fraction > 0:
        level = max(level, 1)  # some volume is not none
    full, part = divmod(level, steps)
    cells = [glyphs.column[-1]] * full + ([glyphs.column[part - 1]] if part else [])
    return [" "] * (height - len(cells)) + cells[::-1]


# -- cells, lines, strips -----------------------------------------------------------------------------------------------


def fit(text: str, width: int, glyphs: Glyphs = UNICODE, *, right: bool = False) -> str:
    """`text`, cleaned, in exactly `width` cells: padded, or cut with an ellipsis. Wide characters count as they show."""
    if width <= 0:
        return ""
    text = clean(text)
    length = len(text) if text.isascii() else cell_len(text)
    if length > width:
        mark = glyphs.ellipsis
        return (set_cell_size(text, max(0, width - len(mark))) + mark)[:width]
    pad = " " * (width - length)
    return pad + text if right else text + pad


def line_width(line: Iterable[Cell]) -> int:
    return sum(cell_len(text) for text, _ in line)


def strip_of(line: Iterable[Cell], width: int, ground: Style) -> Strip:
    """One screen line of exactly `width` cells on a ground; the cells' styles lie on top of it."""
    cells = ((text if text.isprintable() else clean(text, len(text)), style) for text, style in line)
    strip = Strip([Segment(text, style) for text, style in cells if text])  # sink: cleaned in the line above, all of it
    return strip.adjust_cell_length(width).apply_style(ground)


def joined(parts: Iterable[str], separator: str = "  ") -> str:
    """The parts that say something, in one line."""
    return separator.join(part for part in parts if part)
