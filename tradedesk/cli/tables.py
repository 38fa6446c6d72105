"""The documents as tables for a person: the columns that matter, numbers to the right, no colour when piped."""

import sys
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from tradedesk.domain.text import clean

COLUMNS: dict[str, tuple[str, ...]] = {
    "status.v1": ("account", "state", "halt", "dead_man", "mode", "exit", "proof", "open_orders", "net_pnl", "reason"),
    "orders.v1": (
        "account", "client_order_id", "instrument", "side", "order_type", "order_qty", "price", "cum_qty", "avg_px",
        "state", "reasons",
    ),
    "positions.v1": ("account", "instrument", "qty", "avg_px", "mark", "unrealized", "realized", "fees", "net"),
    "fills.v1": ("transact_time", "account", "instrument", "side", "last_qty", "last_px", "fee", "client_order_id"),
    "alerts.v1": (
        "severity", "key", "account", "count", "is_active", "owner", "acknowledged_by", "snoozed_until", "escalated",
        "action", "text",
    ),
    "halt.v1": ("account", "is_swept", "cancelled", "left", "took_ms"),
    "kill.v1": (
        "account", "outcome", "is_blocked", "cancelled", "ended", "still_open", "left", "external", "is_flat",
        "confirmed_at", "why",
    ),
    "drills.v1": ("drill", "outcome", "took_ms", "why"),
    "bench.v1": ("what", "value", "unit", "ratio", "beside"),
    "worklist.v1": ("account", "key", "ours", "venue", "needs_decision", "cause", "repair"),
    "operators.v1": ("operator", "roles", "accounts", "sees", "uid", "has_passphrase"),
    "alerts_to.v1": ("receiver", "kind", "least", "chat", "has_url"),
    "approvals.v1": ("id", "kind", "account", "by", "expires_at", "what"),
    "audit.operators.v1": ("at", "operator", "what", "account", "detail"),
    "audit.show.v1": ("at", "after_ms", "what", "client_order_id", "detail"),
    "profile.v1": ("account", "setting", "of", "must_be", "at_venue", "verdict"),
    "accounts_test.v1": ("what", "level", "text", "remedy"),
    "accounts.v1": ("account", "venue", "owner", "mode", "exit", "proof", "groups", "key", "fit"),
}  # fmt: skip
NUMBERS = frozenset(
    ("order_qty", "price", "cum_qty", "avg_px", "qty", "mark", "unrealized", "realized", "fees", "net", "last_qty",
     "last_px", "fee", "count", "escalated", "open_orders", "net_pnl", "cancelled", "left", "ended", "still_open", "external", "took_ms",
     "value", "ratio", "after_ms", "ours", "venue")
)  # fmt: skip
DERIVED = {  # column -> decimals at most: reckoned by us, so it may be rounded; what the venue said is shown as it is
    "avg_px": 8, "mark": 8, "unrealized": 2, "realized": 2, "fees": 2, "net": 2, "net_pnl": 2,
}  # fmt: skip
TEXTS = frozenset(
    ("reason", "reasons", "why", "text", "groups", "detail", "remedy")
)  # may run over several lines; ids and numbers never do
MIN_TEXT = 24  # cells of a text that is folded
MAX_CELL = 10_000  # characters
PIPE_WIDTH = 10_000  # a program reads one row a line, however wide


def print_table(document: dict[str, Any], rows: str) -> None:
    """Print `document[rows]`; says so where there is nothing."""
    found = document[rows]
    if not found:
        print(f"No {rows}.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    columns = COLUMNS[document["schema"]]
    cells = [[Text(clean(_cell(row, column), MAX_CELL)) for column in columns] for row in found]
    for place, column in enumerate(columns):
        name = Text(clean(column.replace("_", " ")))
        widest = max(text.cell_len for text in (name, *(row[place] for row in cells)))
        table.add_column(
            name,
            justify="right" if column in NUMBERS else "left",
            no_wrap=column not in TEXTS,
            min_width=max(len(name), MIN_TEXT) if column in TEXTS else widest,
            overflow="fold",
        )
    for row in cells:
        table.add_row(*row)  # sink: each cell was made above
    wide = _console(PIPE_WIDTH)
    if not sys.stdout.isatty():
        with wide.capture() as captured:
            wide.print(table)
        print("\n".join(line.rstrip() for line in captured.get().splitlines()))
        return
    least = Measurement.get(wide, wide.options, table).minimum  # below this an id would be broken in two
    _console(max(Console().width, least)).print(table)


def _console(width: int) -> Console:
    return Console(highlight=False, width=width, height=25)  # both, or a dumb terminal is taken to have 80 columns


def _cell(row: dict[str, Any], column: str) -> str:
    pnl = row.get("pnl") or {}
    match column:
        case "open_orders" | "net_pnl":
            value = pnl.get("net" if column == "net_pnl" else column)
        case "dead_man":
            value = (row.get("dead_man") or {}).get("word")
        case "halt":
            value = (row.get("halt") or {}).get("level")
        case "exit":
            value = (row.get("exit") or {}).get("in_use", row.get("egress"))
        case "proof":
            value = _proof(row.get("exit") or {})
        case "fit":
            value = _fit(row.get("key_look"))
        case "fee":
            fee = row.get("fee")
            value = f"{fee['amount']} {fee['currency']}" if fee is not None else None
        case _:
            value = row.get(column)
    if column in DERIVED and value is not None:
        return _rounded(str(value), DERIVED[column])
    return _shown(value)


def _proof(exit_: dict[str, Any]) -> str | None:
    """Where the exit was seen and how long ago, or that its proof failed."""
    if exit_.get("problem") is not None:
        return "not proved" if exit_.get("seen") is None else f"seen at {exit_['seen']}"
    if exit_.get("age_ms") is None:
        return None
    minutes = exit_["age_ms"] // 60_000
    return f"{exit_['seen']}, {minutes} min ago" if exit_["seen"] is not None else f"{minutes} min ago"


def _fit(look: dict[str, Any] | None) -> str | None:
    """What the newest look at the account's key found wrong, and until when it may trade."""
    if look is None:
        return None
    failing = [found["what"] for found in look["findings"] if found["level"] == "fail"]
    warned = [found["what"] for found in look["findings"] if found["level"] == "warn"]
    said = f"no: {', '.join(failing)}" if failing else f"yes, but {', '.join(warned)}" if warned else "yes"
    ends = (look["rights"] or {}).get("expires_at")
    return said if ends is None else f"{said}; to {ends[:10]}"


def _rounded(figure: str, decimals: int) -> str:
    """At most so many decimals; money keeps its two, a price loses the zeros it does not need."""
    text = f"{Decimal(figure):.{decimals}f}"
    if decimals > 2:
        text = text.rstrip("0").rstrip(".")
    return text.removeprefix("-") if float(text) == 0 else text


def _shown(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case list():
            return "; ".join(str(item) for item in value) or "-"
        case _:
            return str(value) or "-"
