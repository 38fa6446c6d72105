"""What moved on a Binance account without a trade, read from the wallet's endpoints (`/sapi`).

Sources: the wallet pages of the venue's API documentation, 2026. A deposit counts from the moment it is credited, a
withdrawal from the moment it is asked for, as the balance shows it. Test sites of the venue have no wallet: asking there
raises VenueFailed, and nothing is explained.
"""

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tradedesk.domain.money import MOST_DIGITS
from tradedesk.domain.movements import Movement, MovementKind
from tradedesk.domain.words import AccountId
from tradedesk.venues.answers import Digits
from tradedesk.venues.ccxt_binance import GuardedBinance
from tradedesk.venues.questions import told
from tradedesk.venues.spot import (
    Unreadable,
    decimal_of,
    integer_field,
    name_field,
    row_of,
    rows_of,
    text_field,
    time_field,
)

_YEARS = range(1970, 2262)  # of which the ns fit in 64 bits
DAY_MS = 86_400_000
LONGEST_MS = 89 * DAY_MS  # of one question; the venue takes 90 days
PAGE = 1_000
TRANSFER_PAGE = 100
MOST_ROWS = 100_000  # of one kind in one span; a venue that goes on giving full pages is not read for ever
_TRANSFERS = {"MAIN_UMFUTURE": -1, "UMFUTURE_MAIN": 1, "MAIN_CMFUTURE": -1, "CMFUTURE_MAIN": 1, "MAIN_MARGIN": -1,
              "MARGIN_MAIN": 1, "MAIN_FUNDING": -1, "FUNDING_MAIN": 1}  # fmt: skip
_CREDITED = frozenset((1, 6))  # of a deposit: success; credited but cannot be withdrawn yet
_UNDONE = frozenset((1, 3, 5))  # of a withdrawal: cancelled, rejected, failed


async def movements(exchange: GuardedBinance, account: AccountId, since_ms: int, until_ms: int) -> list[Movement]:
    """Everything between the two moments of the venue's clock, oldest first. Raises VenueFailed, or Unreadable."""
    found: list[Movement] = []
    start = since_ms
    while start <= until_ms:
        span = {"startTime": start, "endTime": min(start + LONGEST_MS, until_ms)}
        found += await _deposits(exchange, account, span)
        found += await _withdrawals(exchange, account, span)
        for kind, sign in _TRANSFERS.items():
            found += await _transfers(exchange, account, span, kind, sign)
        found += await _dividends(exchange, account, span)
        found += await _interest(exchange, account, span)
        start += LONGEST_MS + 1
    return sorted(found, key=lambda movement: movement.transact_time)


async def _deposits(exchange: GuardedBinance, account: AccountId, span: dict[str, int]) -> list[Movement]:
    return [
        Movement(
            account=account,
            asset=name_field(row, "coin"),
            amount=_amount(row, "amount"),
            kind=MovementKind.Deposit,
            movement_id=text_field(row, "id"),
            transact_time=time_field(row, "completeTime" if row.get("completeTime") else "insertTime"),
        )
        for row in await _paged(exchange, "sapiGetCapitalDepositHisrec", span)
        if integer_field(row, "status") in _CREDITED
    ]


async def _withdrawals(exchange: GuardedBinance, account: AccountId, span: dict[str, int]) -> list[Movement]:
    return [
        Movement(
            account=account,
            asset=name_field(row, "coin"),
            amount=-(_amount(row, "amount") + _amount(row, "transactionFee")),
            kind=MovementKind.Withdrawal,
            movement_id=text_field(row, "id"),
            transact_time=_moment(text_field(row, "applyTime")),
        )
        for row in await _paged(exchange, "sapiGetCapitalWithdrawHistory", span)
        if integer_field(row, "status") not in _UNDONE
    ]


async def _paged(exchange: GuardedBinance, method: str, span: dict[str, int]) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    while True:
        asked = span | {"limit": PAGE, "offset": len(found)}
        page = rows_of(await told(exchange, method, asked), "the ledger")
        found += [row_of(row, "a line of the ledger") for row in page]
        if len(page) < PAGE:
            return found
        _bounded(found)


async def _numbered(exchange: GuardedBinance, method: str, asked: dict[str, Any]) -> list[Mapping[str, Any]]:
    """Of the endpoints that page by `current` and tell the total."""
    found: list[Mapping[str, Any]] = []
    current = 1
    while True:
        answer = row_of(await told(exchange, method, asked | {"current": current, "size": TRANSFER_PAGE}), "the ledger")
        page = rows_of(answer.get("rows") or [], "its rows")
        found += [row_of(row, "a line of the ledger") for row in page]
        if len(page) < TRANSFER_PAGE:
            return found
        _bounded(found)
        current += 1


def _bounded(found: list[Mapping[str, Any]]) -> None:
    if len(found) >= MOST_ROWS:
        raise Unreadable("the ledger has no end")


async def _transfers(
    exchange: GuardedBinance, account: AccountId, span: dict[str, int], kind: str, sign: int
) -> list[Movement]:
    return [
        Movement(
            account=account,
            asset=name_field(row, "asset"),
            amount=sign * _amount(row, "amount"),
            kind=MovementKind.Transfer,
            movement_id=str(integer_field(row, "tranId")),
            transact_time=time_field(row, "timestamp"),
        )
        for row in await _numbered(exchange, "sapiGetAssetTransfer", {"type": kind, **span})
        if row.get("status") == "CONFIRMED"
    ]


async def _dividends(exchange: GuardedBinance, account: AccountId, span: dict[str, int]) -> list[Movement]:
    """The venue lists the newest, at most 500 of a span: a span that is full is halved until it is not."""
    answer = row_of(await told(exchange, "sapiGetAssetAssetDividend", span | {"limit": 500}), "the ledger")
    rows = rows_of(answer.get("rows") or [], "its rows")
    start, end = span["startTime"], span["endTime"]
    if len(rows) >= 500 and start < end:
        middle = (start + end) // 2
        older = await _dividends(exchange, account, {"startTime": start, "endTime": middle})
        return older + await _dividends(exchange, account, {"startTime": middle + 1, "endTime": end})
    found = []
    for line in rows:
        row = row_of(line, "a line of the ledger")
        sign = -1 if row.get("direction") == -1 else 1
        found.append(
            Movement(
                account=account,
                asset=name_field(row, "asset"),
                amount=sign * _amount(row, "amount"),
                kind=MovementKind.Fee if sign < 0 else MovementKind.Dividend,
                movement_id=str(integer_field(row, "id")),
                transact_time=time_field(row, "divTime"),
            )
        )
    return found


async def _interest(exchange: GuardedBinance, account: AccountId, span: dict[str, int]) -> list[Movement]:
    return [
        Movement(
            account=account,
            asset=name_field(row, "asset"),
            amount=-_amount(row, "interest"),
            kind=MovementKind.Interest,
            movement_id=str(integer_field(row, "txId")),
            transact_time=time_field(row, "interestAccuredTime"),  # the venue's spelling
        )
        for row in await _numbered(exchange, "sapiGetMarginInterestHistory", dict(span))
    ]


def _amount(row: Mapping[str, Any], name: str) -> Decimal:
    """Text or, in the wallet alone, a JSON number, which was never a float."""
    value = row.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if not isinstance(value, Digits):
        return decimal_of(value, name)
    number = Decimal(value.written)  # 1e-8 too
    if abs(number.adjusted()) > MOST_DIGITS:
        raise Unreadable(f"{name} is no amount")
    return number


def _moment(text: str) -> int:
    """2026-11-24 12:00:00, in UTC, as ns since the epoch."""
    found: datetime | None = None
    with contextlib.suppress(ValueError):
        found = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) if text.isascii() else None
    if found is None or found.year not in _YEARS:
        raise Unreadable("applyTime is no time")
    return int(found.timestamp()) * 1_000_000_000
