"""The venue's ledger over a real socket: what moved without a trade is read whole, once, and with its sign."""

import json
import urllib.request
from decimal import Decimal
from typing import Any

import pytest
from paper_account import connected
from test_spot_adapter_on_paper import streaming

from tradedesk.domain.movements import MovementKind
from tradedesk.domain.outcomes import MoneyMoved
from tradedesk.venues.adapter import VenueFailed
from tradedesk.venues.spot_ledger import _moment

SECOND = 10**9


def move(paper: dict[str, Any], asset: str, amount: str, kind: str) -> None:
    """Let money move at the exchange, as the world does."""
    body = {"kind": "move", "account": "birch", "asset": asset, "amount": amount, "type": kind}
    request = urllib.request.Request(
        paper["admin"] + "/faults",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {paper['admin_token']}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


async def test_every_kind_of_movement_is_read_with_its_sign_and_its_time(paper: dict[str, Any]) -> None:
    async with connected(paper, "birch") as adapter, streaming(adapter) as news:
        before = {balance.asset: balance.total for balance in (await adapter.venue_state(None)).balances}
        since = adapter._clock.now() - 2 * SECOND
        for asset, amount, kind in (
            ("USDT", "250.5", "DEPOSIT"),
            ("BTC", "-0.01", "WITHDRAW"),
            ("USDT", "-100", "TRANSFER"),
            ("USDT", "-0.25", "INTEREST"),
            ("ETH", "0.125", "DIVIDEND"),
            ("SOL", "-0.5", "FEE"),
        ):
            move(paper, asset, amount, kind)
        await news.until(lambda all_: sum(isinstance(one, MoneyMoved) for one in all_) == 6)
        found = await adapter.movements(since)
        assert {(one.asset, one.amount, one.kind) for one in found} == {
            ("USDT", Decimal("250.5"), MovementKind.Deposit),
            ("BTC", Decimal("-0.01"), MovementKind.Withdrawal),
            ("USDT", Decimal("-100"), MovementKind.Transfer),
            ("USDT", Decimal("-0.25"), MovementKind.Interest),
            ("ETH", Decimal("0.125"), MovementKind.Dividend),
            ("SOL", Decimal("-0.5"), MovementKind.Fee),
        }
        assert len({one.key for one in found}) == 6
        after = {balance.asset: balance.total for balance in (await adapter.venue_state(None)).balances}
        for asset, total in after.items():
            assert total - before[asset] == sum((one.amount for one in found if one.asset == asset), Decimal(0))
        assert await adapter.movements(adapter._clock.now() + 60 * SECOND) == ()


async def test_more_than_a_page_is_neither_lost_nor_repeated(
    paper: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tradedesk.venues import spot_ledger

    monkeypatch.setattr(spot_ledger, "PAGE", 3)
    monkeypatch.setattr(spot_ledger, "TRANSFER_PAGE", 3)
    async with connected(paper, "birch") as adapter:
        since = adapter._clock.now() - 1_000_000  # the venue tells whole ms
        for number in range(7):
            move(paper, "USDT", f"{number + 1}", "DEPOSIT")
            move(paper, "USDT", f"-{number + 1}", "TRANSFER")
        found = await adapter.movements(since)
    for kind in (MovementKind.Deposit, MovementKind.Transfer):
        amounts = sorted(abs(one.amount) for one in found if one.kind is kind)
        assert amounts == [Decimal(number) for number in range(1, 8)]


def test_the_wallets_own_time_is_utc() -> None:
    assert _moment("2025-11-24 16:00:00") == 1_764_000_000_000_000_000


async def test_a_venue_without_a_wallet_explains_nothing(
    paper: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(paper, "birch") as adapter:
        adapter._exchange.urls["api"]["sapi"] = adapter._exchange.urls["api"]["sapi"].replace("sapi/v1", "none/v1")
        with pytest.raises(VenueFailed, match="-5000"):
            await adapter.movements(0)
