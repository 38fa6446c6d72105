"""What the README gives a stranger: its lines, run as they stand, leave no address of the real venue and trade on paper."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from paper_process import paper_process

README = Path(__file__).parents[2] / "README.md"
URLS = ("API_URL", "MARGIN_API_URL", "FUTURES_URL", "WS_API_URL", "WS_FUTURES_URL", "STREAM_URL", "FSTREAM_URL")


@pytest.fixture
def readme(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The names that the lines of the section's Python block make, on a paper exchange of its own."""
    binance = pytest.importorskip("binance", reason="python-binance (the extra `peers`) is not installed")
    for cls in (binance.Client, binance.AsyncClient, binance.BinanceSocketManager):
        for name in URLS:
            if hasattr(cls, name):
                monkeypatch.setattr(cls, name, getattr(cls, name))  # so that it is put back
    section = README.read_text().split("## The paper exchange")[1]
    code = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert code is not None
    with paper_process("--any-address", "--seed", "3") as paper:
        lines = (
            code[1].replace("127.0.0.1:8765", paper["rest"][7:]).replace("127.0.0.1:8766", paper["futures"]["rest"][7:])
        )
        names: dict[str, Any] = {"KEY": paper["accounts"][0]["api_key"], "SECRET": paper["accounts"][0]["secret"]}
        exec(lines, names)
        yield names


def addresses(urls: Any) -> Iterator[str]:
    if isinstance(urls, dict):
        for each in urls.values():
            yield from addresses(each)
    else:
        yield urls


async def test_the_lines_of_the_readme_point_both_libraries_at_the_paper_exchange(readme):
    client, manager = readme["client"], readme["BinanceSocketManager"]
    assert client.order_market_buy(symbol="BTCUSDT", quantity=0.01)["status"] == "FILLED"
    assert client.futures_create_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity=0.01)["status"] == "NEW"
    other = await readme["AsyncClient"].create(readme["KEY"], readme["SECRET"])
    try:
        async with manager(other).user_socket() as events:
            await other.order_market_buy(symbol="BTCUSDT", quantity=0.01)
            assert (await events.recv())["e"] == "executionReport"
    finally:
        await other.close_connection()
    for exchange, symbol in ((readme["spot"], "BTC/USDT"), (readme["usdm"], "BTC/USDT:USDT")):
        try:
            assert {url.split("/")[2] for url in addresses(exchange.urls["api"])} <= {readme["SPOT"], readme["USDM"]}
            assert (await exchange.create_order(symbol, "market", "buy", 0.01))["status"] == "closed"
            assert (await exchange.watch_order_book(symbol))["bids"]
        finally:
            await exchange.close()
