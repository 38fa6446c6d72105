"""The servers of `bench paper`, each a process of its own that ends with its stdin. Run as a module: KIND [INSTRUMENTS ACCOUNTS].

`quiet` and `synthetic` are the paper exchange as `tradedesk paper` runs it, on its loop, without limits of how much may be
asked; `trivial` is the least that aiohttp can answer: JSON in, JSON out, over HTTP and over a WebSocket.
"""

import asyncio
import gc
import json
import sys
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

SYMBOL = "BTCUSDT"


def main(kind: str, instruments: str = "1", accounts: str = "50") -> None:
    import uvloop

    if kind == "trivial":
        uvloop.run(_trivial())
    else:
        uvloop.run(_paper(kind, int(instruments), int(accounts)))


async def _until_stdin_ends(described: dict[str, Any]) -> None:
    print(json.dumps(described), flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


async def _paper(kind: str, instruments: int, accounts: int) -> None:
    from tradedesk.clock import SystemClock
    from tradedesk.paper.accounts import generated, specs
    from tradedesk.paper.exchange import Exchange
    from tradedesk.paper.market import Quiet
    from tradedesk.paper.server.app import start
    from tradedesk.paper.server.limits import RateLimits
    from tradedesk.paper.synthetic import Synthetic, default_specs

    many = 10**9
    rates = RateLimits(
        weight_per_minute=many,
        raw_per_5_minutes=None,
        connections_per_5_minutes=many,
        orders_per_10_seconds=many,
        orders_per_day=None,
    )
    listed = [replace(spec, max_orders=many) for spec in default_specs(instruments)]
    rich = {"USDT": Decimal(10**9), "BTC": Decimal(10**4)}
    clients = [
        replace(made, balances=rich, keys=tuple(replace(key, addresses=()) for key in made.keys))
        for made in generated(accounts, 1)
    ]
    clock = SystemClock()
    market = Synthetic(listed, 1) if kind == "synthetic" else Quiet()
    exchange = Exchange(listed, specs(clients), market, now=clock.now())
    running = await start(exchange, clients, clock, admin_token="bench", rates=rates)  # noqa: S106  (of nobody)
    gc.freeze()
    keys = [{"api_key": client.keys[0].api_key, "secret": client.keys[0].secret} for client in clients]
    await _until_stdin_ends({"rest": running.rest, "ws": running.ws, "wsapi": running.wsapi, "keys": keys})
    await running.stop()


async def _trivial() -> None:
    import orjson
    from aiohttp import WSMsgType, web

    async def socket(request: web.Request) -> web.StreamResponse:
        response = web.WebSocketResponse(compress=False)
        await response.prepare(request)
        async for message in response:
            if message.type is WSMsgType.TEXT:
                answer = {"id": orjson.loads(message.data)["id"], "status": 200, "result": {}}
                await response.send_frame(orjson.dumps(answer), WSMsgType.TEXT)
        return response

    async def post(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=orjson.dumps({}), content_type="application/json")

    app = web.Application()
    app.router.add_get("/ws", socket)
    app.router.add_post("/{path:.*}", post)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    gc.freeze()
    await _until_stdin_ends({"rest": f"http://127.0.0.1:{port}", "wsapi": f"ws://127.0.0.1:{port}/ws"})
    await runner.cleanup()


if __name__ == "__main__":
    main(*sys.argv[1:])
