"""The documents as tables for a person: the columns that matter, numbers to the right, no colour when piped."""

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

COLUMNS: dict[str, tuple[str, ...]] = {
    "status.v1": ("account", "state", "reason", "mode", "egress", "exit_seen", "open_orders", "net_pnl"),
    "orders.v1": (
        "account", "client_order_id", "instrument", "side", "order_type", "order_qty", "price", "cum_qty", "avg_px",
        "state", "reasons",
    ),
    "positions.v1": ("account", "instrument", "qty", "avg_px", "mark", "unrealized", "realized", "fees", "net"),
    "fills.v1": ("transact_time", "account", "instrument", "side", "last_qty", "last_px", "fee", "fee_currency", "client_order_id"),
    "alerts.v1": ("severity", "rule", "account", "text", "count", "is_active", "acknowledged_by"),
    "halt.v1": ("account", "is_swept", "cancelled", "left", "took_ms"),
    "accounts.v1": ("account", "venue", "owner", "mode", "egress", "groups", "key"),
}  # fmt: skip
NUMBERS = frozenset(
    ("order_qty", "price", "cum_qty", "avg_px", "qty", "mark", "unrealized", "realized", "fees", "net", "last_qty",
     "last_px", "fee", "count", "open_orders", "net_pnl", "cancelled", "left", "took_ms")
)  # fmt: skip


def print_table(document: dict[str, Any], rows: str) -> None:
    """Print `document[rows]`; says so where there is nothing."""
    console = Console(highlight=False)
    found = document[rows]
    if not found:
        console.print(Text(f"No {rows}."))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    columns = COLUMNS[document["schema"]]
    for column in columns:
        table.add_column(column.replace("_", " "), justify="right" if column in NUMBERS else "left", overflow="fold")
    for row in found:
        table.add_row(*(Text(_shown(row.get(column))) for column in columns))
    console.print(table)


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
