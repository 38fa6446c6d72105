"""The clients of `bench paper`, in a process of their own: signed orders, each sent when the one before is answered, or ears.

Run as a module: takes one job as JSON on stdin, prints one result. CPU is the server's, read from its process' own clock.
"""

import asyncio
import hashlib
import hmac
import json
import sys
import time
from typing import Any
from urllib.parse import urlsplit

WARM_UP = 50  # answers before the clocks start

SYMBOL = "BTCUSDT"
_PRICE, _QUANTITY = "30000.00", "0.00100"  # far below the market: it rests


def cpu_of(pid: int) -> float:
    """CPU seconds that a process has used so far."""
    return time.clock_gettime((~pid << 3) | 2)  # what clock_getcpuclockid gives on Linux


async def orders(job: dict[str, Any]) -> dict[str, float]:
    """`count` orders over `door` (ws, rest) by as many clients as there are keys: seconds, and CPU seconds of the server."""
    send = _over_socket if job["door"] == "ws" else _over_http
    keys, each = job["keys"], job["count"] // len(job["keys"])
    ready, go = asyncio.Barrier(len(keys) + 1), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for key in keys:
            group.create_task(send(job["url"], key, each, ready, go))
        await ready.wait()
        cpu, started = cpu_of(job["pid"]), time.monotonic()
        go.set()
    return {
        "seconds": time.monotonic() - started,
        "cpu": cpu_of(job["pid"]) - cpu,
        "orders": float(each * len(keys)),
    }


def _sign(secret: str, payload: str) -> str:
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


async def _over_socket(url: str, key: dict[str, str], count: int, ready: asyncio.Barrier, go: asyncio.Event) -> None:
    import aiohttp

    terms = {
        "apiKey": key["api_key"],
        "price": _PRICE,
        "quantity": _QUANTITY,
        "side": "BUY",
        "symbol": SYMBOL,
        "timeInForce": "GTC",
        "type": "LIMIT",
    }
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, max_msg_size=0, compress=0) as socket,
    ):
        for number in range(-WARM_UP, count):
            if number == 0:
                await ready.wait()
                await go.wait()
            values = {**terms, "timestamp": str(time.time_ns() // 1_000_000)}
            payload = "&".join(f"{name}={values[name]}" for name in sorted(values))
            params = {**values, "timestamp": int(values["timestamp"]), "signature": _sign(key["secret"], payload)}
            await socket.send_str(json.dumps({"id": number, "method": "order.place", "params": params}))
            answer = await socket.receive()
            if b'"status":200' not in answer.data.encode():
                raise RuntimeError(f"refused: {answer.data[:300]}")


async def _over_http(url: str, key: dict[str, str], count: int, ready: asyncio.Barrier, go: asyncio.Event) -> None:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = f"Host: {parts.netloc}\r\nX-MBX-APIKEY: {key['api_key']}\r\nContent-Length: 0\r\n\r\n"
    terms = f"symbol={SYMBOL}&side=BUY&type=LIMIT&timeInForce=GTC&quantity={_QUANTITY}&price={_PRICE}&timestamp="
    for number in range(-WARM_UP, count):
        if number == 0:
            await ready.wait()
            await go.wait()
        query = f"{terms}{time.time_ns() // 1_000_000}"
        signature = _sign(key["secret"], query)
        writer.write(f"POST /api/v3/order?{query}&signature={signature} HTTP/1.1\r\n{head}".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        body = await reader.readexactly(int(length.split(b":")[1]))
        if b" 200 " not in answer[:16]:
            raise RuntimeError(f"refused: {body[:300]!r}")
    writer.close()


async def listeners(job: dict[str, Any]) -> dict[str, float]:
    """`clients` sockets that hear the same streams for `seconds`: frames that arrived, and CPU seconds of the server."""
    import aiohttp

    counts = [0] * job["clients"]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        listening = asyncio.Barrier(job["clients"] + 1)

        async def hear(index: int) -> None:
            async with session.ws_connect(job["url"], max_msg_size=0, compress=0) as socket:
                await socket.receive()
                await listening.wait()
                async for _ in socket:
                    counts[index] += 1

        async with asyncio.TaskGroup() as group:
            ears = [group.create_task(hear(index)) for index in range(job["clients"])]
            await listening.wait()
            before, cpu, started = sum(counts), cpu_of(job["pid"]), time.monotonic()
            await asyncio.sleep(job["seconds"])
            result = {
                "seconds": time.monotonic() - started,
                "cpu": cpu_of(job["pid"]) - cpu,
                "frames": float(sum(counts) - before),
            }
            for ear in ears:
                ear.cancel()
    return result


def main() -> None:
    job = json.load(sys.stdin)
    work = listeners(job) if job["what"] == "listeners" else orders(job)
    try:
        import uvloop
    except ImportError:
        print(json.dumps(asyncio.run(work)))
    else:
        print(json.dumps(uvloop.run(work)))


if __name__ == "__main__":
    main()
