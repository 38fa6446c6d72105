"""A bare client of the paper exchange for its own tests: signs as the documents say, and shows everything it gets."""

import base64
import contextlib
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

Signer = str | Ed25519PrivateKey | RSAPrivateKey


def sign(signer: Signer, payload: str) -> str:
    match signer:
        case str():
            return hmac.new(signer.encode(), payload.encode(), hashlib.sha256).hexdigest()
        case Ed25519PrivateKey():
            return base64.b64encode(signer.sign(payload.encode())).decode()
        case _:
            return base64.b64encode(signer.sign(payload.encode(), PKCS1v15(), SHA256())).decode()


class Answer:
    def __init__(self, status: int, headers: Any, body: Any) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def code(self) -> int | None:
        return self.body.get("code") if isinstance(self.body, dict) else None


class Client:
    """One account's client from one source address."""

    def __init__(self, rest: str, ws: str, api_key: str, signer: Signer, session: aiohttp.ClientSession) -> None:
        self.rest = rest
        self.ws = ws
        self.api_key = api_key
        self.signer = signer
        self.session = session

    async def raw(self, method: str, target: str, *, body: str | None = None, **headers: str) -> Answer:
        """Exactly this target and body; no key unless it is among the headers."""
        from yarl import URL

        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        url = URL(self.rest + target, encoded=True)
        async with self.session.request(method, url, data=body, headers=sent) as response:
            return Answer(response.status, response.headers, json.loads(await response.text()))

    async def public(self, path: str, **parameters: object) -> Answer:
        query = urlencode(parameters)
        return await self.raw("GET", f"/api/v3/{path}{'?' + query if query else ''}")

    async def signed(self, method: str, path: str, **parameters: object) -> Answer:
        return await self.signed_at(method, f"/api/v3/{path}", **parameters)

    async def signed_at(self, method: str, path: str, **parameters: object) -> Answer:
        query = urlencode({"timestamp": time.time_ns() // 1_000_000} | parameters)
        signature = quote(sign(self.signer, query), safe="")
        return await self.raw(method, f"{path}?{query}&signature={signature}", X_MBX_APIKEY=self.api_key)

    async def order(self, side: str, quantity: str, price: str | None = None, **more: object) -> Answer:
        """A limit order good till cancelled unless `more` says otherwise; a market order without a price."""
        terms: dict[str, object] = {"symbol": "BTCUSDT", "side": side, "quantity": quantity}
        if price is None:
            terms |= {"type": "MARKET"}
        else:
            terms |= {"type": "LIMIT", "price": price, "timeInForce": "GTC"}
        terms |= more
        return await self.signed("POST", "order", **{name: value for name, value in terms.items() if value is not None})

    @contextlib.asynccontextmanager
    async def socket(self, path: str) -> AsyncIterator["Socket"]:
        async with self.session.ws_connect(self.ws + path, autoping=True, max_msg_size=0) as socket:
            yield Socket(self, socket)


class Socket:
    def __init__(self, client: Client, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.client = client
        self.socket = socket
        self.pushed: list[Any] = []  # frames that came while an answer was awaited
        self._next = 1

    async def receive(self) -> Any:
        if self.pushed:
            return self.pushed.pop(0)
        return await self._frame()

    async def _frame(self) -> Any:
        message = await self.socket.receive(timeout=10)
        assert message.type is aiohttp.WSMsgType.TEXT, message
        return json.loads(message.data)

    async def until(self, wanted: Any) -> Any:
        """The next frame `wanted(frame)` holds for; others before it are dropped."""
        while True:
            frame = await self.receive()
            if wanted(frame):
                return frame

    async def say(self, frame: dict[str, Any] | str) -> Any:
        """Send one frame and return its answer (by id)."""
        await self.socket.send_str(frame if isinstance(frame, str) else json.dumps(frame))
        while True:
            answer = await self._frame()
            if isinstance(answer, dict) and "id" in answer:
                return answer
            self.pushed.append(answer)

    async def call(self, method: str, **parameters: Any) -> Any:
        """A WebSocket API request without a signature."""
        self._next += 1
        return await self.say({"id": self._next, "method": method, "params": parameters})

    async def signed(self, method: str, **parameters: Any) -> Any:
        values = {"apiKey": self.client.api_key, "timestamp": time.time_ns() // 1_000_000} | parameters
        payload = "&".join(f"{name}={_written(value)}" for name, value in sorted(values.items()))
        return await self.call(method, **values, signature=sign(self.client.signer, payload))


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class LocalBook:
    """A book kept by the venue's documented procedure; every step of it is asserted."""

    def __init__(self, snapshot: dict[str, Any]) -> None:
        self.last = snapshot["lastUpdateId"]
        self.bids = {Decimal(price): Decimal(quantity) for price, quantity in snapshot["bids"]}
        self.asks = {Decimal(price): Decimal(quantity) for price, quantity in snapshot["asks"]}
        self._is_first = True

    def apply(self, event: dict[str, Any]) -> None:
        first, last = event["U"], event["u"]
        if self._is_first and last <= self.last:
            return
        if self._is_first:
            assert first <= self.last + 1 <= last, (first, self.last, last)
        else:
            assert first == self.last + 1, (first, self.last)
        self._is_first = False
        assert last >= first
        assert event["b"] or event["a"], "an event for an unchanged book"
        self.last = last
        for side, levels in ((self.bids, event["b"]), (self.asks, event["a"])):
            for price, quantity in levels:
                if Decimal(quantity) == 0:
                    side.pop(Decimal(price), None)
                else:
                    side[Decimal(price)] = Decimal(quantity)
        if self.bids and self.asks:
            assert max(self.bids) < min(self.asks), "crossed"

    def matches(self, snapshot: dict[str, Any]) -> bool:
        """Whether it agrees with a snapshot of the same number, level by level as deep as that goes."""
        other = LocalBook(snapshot)
        return all(
            sorted(mine.items(), reverse=falls)[: len(theirs)] == sorted(theirs.items(), reverse=falls)
            for mine, theirs, falls in ((self.bids, other.bids, True), (self.asks, other.asks, False))
        )
