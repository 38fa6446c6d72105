"""Receipts of kills as the documented `kill.v1` object, and back from the file they are kept in."""

from typing import Any

import msgspec

from tradedesk.domain.receipts import AccountReceipt, KillReceipt
from tradedesk.domain.text import iso_time

SCHEMA = "kill.v1"


def receipt_document(receipt: KillReceipt) -> dict[str, Any]:
    """One receipt; times in UTC."""
    return {
        "schema": SCHEMA,
        "id": receipt.id,
        "desk": receipt.desk,
        "by": receipt.by,
        "reason": receipt.reason,
        "level": receipt.level.value,
        "started_at": iso_time(receipt.started_at),
        "took_ms": receipt.took_ms,
        "is_complete": receipt.is_complete,
        "latch": receipt.latch,
        "journal": receipt.journal,
        "scope": None if receipt.scope is None else str(receipt.scope),
        "beat": receipt.beat,
        "accounts": [_row(row) for row in receipt.accounts],
    }


def _row(row: AccountReceipt) -> dict[str, Any]:
    return {
        "account": row.account,
        "outcome": row.outcome.value,
        "is_blocked": row.is_blocked,
        "cancelled": row.cancelled,
        "ended": row.ended,
        "still_open": row.still_open,
        "left": row.left,
        "external": row.external,
        "is_flat": row.is_flat,
        "held": list(row.held),
        "confirmed_at": None if row.confirmed_at is None else iso_time(row.confirmed_at),
        "exit": row.exit,
        "exits_failed": list(row.exits_failed),
        "entry": row.entry,
        "why": row.why,
        "took_ms": row.took_ms,
        "orders": [msgspec.to_builtins(order) | {"at": iso_time(order.at)} for order in row.orders],
    }
