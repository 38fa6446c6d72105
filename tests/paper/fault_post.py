"""The admin's side of a test about faults: what is posted, what the exchange saw, what it holds."""

import asyncio
from typing import Any

import aiohttp

from tradedesk.paper.server.app import Running


class Admin:
    """The admin door of a running server."""

    def __init__(self, running: Running) -> None:
        self._running = running

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self._running.admin_token}"}
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self._running.admin + path, json=body, headers=headers) as response,
        ):
            return response.status, await response.json()

    async def post(self, kind: str, **fields: object) -> int:
        """Put one fault in force and return its id. `for_` and `set_` stand for the words Python keeps for itself."""
        fault = {"kind": kind} | {name.removesuffix("_"): value for name, value in fields.items()}
        status, body = await self.ask("POST", "/faults", fault)
        assert status == 200, body
        return int(body["ids"][0])

    async def refused(self, kind: str, **fields: object) -> str:
        """What is said about a fault that cannot be."""
        fault = {"kind": kind} | {name.removesuffix("_"): value for name, value in fields.items()}
        status, body = await self.ask("POST", "/faults", fault)
        assert status in (400, 409), body
        return str(body["error"])

    async def fault(self, number: int) -> dict[str, Any]:
        _, body = await self.ask("GET", "/faults")
        return next(each for each in body["faults"] if each["id"] == number)

    async def clear(self) -> None:
        assert (await self.ask("DELETE", "/faults"))[1]["faults"] == []

    async def requests(self, method: str | None = None) -> list[dict[str, Any]]:
        """What the exchange saw, of one HTTP or WebSocket API method or all."""
        _, body = await self.ask("GET", "/requests")
        return [row for row in body["requests"] if method in (None, row["method"])]

    async def seen(self, method: str, count: int = 1) -> list[dict[str, Any]]:
        """The same as soon as there are `count` of them."""
        for _ in range(500):
            if len(rows := await self.requests(method)) >= count:
                return rows
            await asyncio.sleep(0.01)  # a socket has to be read by the server first
        raise AssertionError(f"{method} was not seen {count} times within five seconds")

    async def books(self, name: str = "acme") -> dict[str, Any]:
        return (await self.ask("GET", f"/accounts/{name}"))[1]

    async def orders(self, name: str = "acme") -> list[str]:
        """The client ids of the account's orders, as the exchange's own books have them."""
        return [row["clientOrderId"] for row in (await self.books(name))["orders"]]
