"""What our subclass must go on being, whatever ccxt changes: no address of its own, no exit, no retry, no secret shown."""

import logging
import random
from collections.abc import Iterator
from typing import Any

import pytest
from builders import an_instrument
from hypothesis import given
from hypothesis import strategies as st
from scripted_venue import KEY, SECRET, adapter_at, an_answer, approved, says, scripted_venue

from tradedesk.access.egress import Egress, NotSent, open_session
from tradedesk.clock import SystemClock
from tradedesk.domain.words import VenueId
from tradedesk.venues import ccxt_binance, spot
from tradedesk.venues.adapter import VenueFailed
from tradedesk.venues.backoff import MOST_S, back_off_s
from tradedesk.venues.ccxt_binance import LIVE, GuardedBinance, addresses_of
from tradedesk.venues.questions import load_instruments, told


def leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from leaves(inner)
    else:
        yield value


@pytest.mark.parametrize("url", ["http://127.0.0.1:8765", "https://testnet.example/", None])
async def test_every_address_of_ccxt_is_the_venues_or_leads_nowhere(url: str | None) -> None:
    """F12, nested ones too."""
    addresses = addresses_of(url)
    session = open_session(Egress("127.0.0.1"), addresses.hosts)
    exchange = GuardedBinance(addresses, session, SystemClock())
    found = set(leaves(exchange.urls["api"]))
    assert found == {
        f"{addresses.rest}/api/v3",
        f"{addresses.rest}/sapi/v1",
        addresses.streams,
        addresses.wsapi,
        "http://not-in-use.invalid",
    }
    assert not any("binance.com" in address for address in found) or addresses == LIVE
    with pytest.raises(VenueFailed, match=r"not-in-use\.invalid:80 is not a host"):
        await told(exchange, "fapiPublicGetTime", {})
    await exchange.close()
    await session.close()


def test_a_url_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="must start with http"):
        addresses_of("ftp://127.0.0.1")


async def test_ccxt_is_given_no_proxy_no_limiter_and_no_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """F05, F10, F87"""
    addresses = addresses_of("http://127.0.0.1:8765")
    session = open_session(Egress("127.0.0.1"), addresses.hosts)
    exchange = GuardedBinance(addresses, session, SystemClock())
    assert exchange.enableRateLimit is False
    assert exchange.options["maxRetriesOnFailure"] == 0
    assert exchange.session is session
    await exchange.close()
    for name in ("httpsProxy", "wsSocksProxy", "aiohttp_trust_env", "verbose"):
        monkeypatch.setattr(ccxt_binance.ccxt.pro.binance, name, "http://127.0.0.9:3128", raising=False)
        with pytest.raises(ValueError, match=name):
            GuardedBinance(addresses, session, SystemClock())
        monkeypatch.undo()
    await session.close()


async def test_neither_the_exchange_nor_the_adapter_shows_the_secret(caplog: pytest.LogCaptureFixture) -> None:
    """5.6: not even with the root logger at DEBUG (CCXT.md 2)."""
    caplog.set_level(logging.DEBUG)
    async with scripted_venue() as venue, adapter_at(venue.url) as adapter:
        venue.behaviour = says(200, an_answer())
        await adapter.place(approved())
        assert len(venue.seen) == 1
        assert KEY not in caplog.text
        assert "signature" not in caplog.text
        assert "signature" not in repr(
            [vars(adapter._exchange)[name] for name in vars(adapter._exchange) if "last" in name]
        )
        shown = repr(adapter._exchange) + repr(adapter) + repr(vars(adapter._keys))
        assert KEY not in shown
        assert SECRET not in shown
        assert SECRET not in repr({name: it for name, it in vars(adapter._exchange).items() if name != "hide"})


async def test_an_instrument_the_venue_does_not_list_is_named() -> None:
    async with scripted_venue() as venue, adapter_at(venue.url) as adapter:
        with pytest.raises(VenueFailed, match=r"BTC/XYZ; correct venues\.binance\.instruments"):
            await load_instruments(adapter._exchange, VenueId("binance"), ("BTC/XYZ",))


def test_an_instrument_is_read_exactly() -> None:
    row = {
        "symbol": "BTCUSDT", "status": "BREAK", "baseAsset": "BTC", "quoteAsset": "USDT", "baseAssetPrecision": 8,
        "quotePrecision": 8, "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01000000"},
            {"filterType": "LOT_SIZE", "minQty": "0.00001000", "maxQty": "9000.00000000", "stepSize": "0.00001000"},
            {"filterType": "NOTIONAL", "minNotional": "5.00000000", "maxNotional": "9000000.00000000"},
        ],
    }  # fmt: skip
    read = spot.read_instrument(row, VenueId("binance"))
    expected = an_instrument()
    assert (read.id, read.symbol, read.tick, read.lot) == (expected.id, expected.symbol, expected.tick, expected.lot)
    assert (read.min_qty, read.max_qty, read.min_notional) == (expected.lot, 9000, 5)
    assert read.max_notional == 9_000_000
    assert read.is_trading is False
    free = spot.read_instrument(row | {"status": "TRADING", "filters": []}, VenueId("binance"))
    assert (str(free.tick), str(free.lot), free.min_notional, free.is_trading) == ("1E-8", "1E-8", 0, True)
    assert free.max_notional is None


@given(failures=st.integers(1, 10_000), seed=st.integers(0, 1000))
def test_waiting_doubles_is_capped_and_is_half_chance(failures: int, seed: int) -> None:
    """F17"""
    most = min(MOST_S, 0.5 * 2 ** (failures - 1)) if failures < 10 else MOST_S
    assert most / 2 <= back_off_s(failures, random.Random(seed)) <= most


def test_not_sent_is_an_error_no_library_retries() -> None:
    assert not issubclass(NotSent, OSError)
