"""A venue that means harm: it stands before a paper exchange and passes everything on, but for what it was told to change."""

import asyncio
import contextlib
import gzip
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
from aiohttp import web

WITHIN_S = 20.0
BOMB = gzip.compress(b"[" + b"0," * 100_000_000 + b"0]", compresslevel=9)  # 200 KB that grow to 200 MB
Answer = Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]


class Front:
    """Its answers and its events, as the test wants them. Everything here may be called from the test's thread."""

    def __init__(self, upstream: str) -> None:
        self.url = ""
        self._upstream = upstream
        self._answers: dict[tuple[str, str], Answer] = {}  # by method and last part of the path
        self._struck: dict[tuple[str, str], int] = {}
        self._edits: list[Callable[[dict[str, Any]], object]] = []  # of each event of an account's own stream
        self._private: set[web.WebSocketResponse] = set()
        self._public: set[web.WebSocketResponse] = set()
        self._sessions: dict[str, aiohttp.ClientSession] = {}  # by source address: the exchange looks at it
        self.loop = asyncio.new_event_loop()

    # -- from the test --------------------------------------------------------------------------------------------------

    def answers(self, method: str, path: str, answer: Answer) -> None:
        """From now on `method` to `…/path` is answered so, and the exchange never hears of it."""
        self._struck[method, path] = 0
        self._answers[method, path] = answer

    def struck(self, method: str, path: str) -> int:
        return self._struck[method, path]

    def edits(self, edit: Callable[[dict[str, Any]], object]) -> None:
        """From now on each event of an account is changed by `edit` on its way."""
        self._edits = [edit]

    def says(self, frame: str | bytes, *, to: str = "private") -> None:
        """Put a message into every open stream."""

        async def send() -> None:
            for each in list(self._private if to == "private" else self._public):
                with contextlib.suppress(ConnectionError):
                    await (each.send_str(frame) if isinstance(frame, str) else each.send_bytes(frame))

        asyncio.run_coroutine_threadsafe(send(), self.loop).result(WITHIN_S)

    def streams(self) -> tuple[int, int]:
        """How many are open: of accounts, of the market."""
        return len(self._private), len(self._public)

    def behave(self) -> None:
        self._answers, self._edits = {}, []

    # -- on its own thread ------------------------------------------------------------------------------------------------

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._relay(request)
        body = await request.read()
        key = (request.method, request.path.rsplit("/", 1)[-1])
        if key in self._answers:
            self._struck[key] += 1
            return await self._answers[key](request, body)
        headers = {
            name: value for name, value in request.headers.items() if name.lower() in ("x-mbx-apikey", "content-type")
        }
        session = self._session(request.remote or "127.0.0.1")
        async with session.request(
            request.method,
            self._upstream + request.raw_path,
            data=body,
            headers=headers,
            skip_auto_headers=("Content-Type",),
        ) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower().startswith(("x-", "retry"))}
            return web.Response(
                body=await answer.read(), status=answer.status, headers=kept, content_type=answer.content_type
            )

    def _session(self, source: str) -> aiohttp.ClientSession:
        if source not in self._sessions:
            connector = aiohttp.TCPConnector(local_addr=(source, 0))
            self._sessions[source] = aiohttp.ClientSession(connector=connector, auto_decompress=True)
        return self._sessions[source]

    async def _relay(self, request: web.Request) -> web.WebSocketResponse:
        ours = web.WebSocketResponse(autoping=True)
        await ours.prepare(request)
        is_private = "ws-api" in request.path
        kind = self._private if is_private else self._public
        session = self._session(request.remote or "127.0.0.1")
        url = "ws" + self._upstream.removeprefix("http") + request.raw_path
        async with session.ws_connect(url, max_msg_size=0) as theirs:
            kind.add(ours)

            async def down() -> None:
                async for message in theirs:
                    if message.type is not aiohttp.WSMsgType.TEXT:
                        continue
                    text = message.data
                    if is_private and self._edits and '"e"' in text:
                        event = json.loads(text)
                        for edit in self._edits:
                            edit(event.get("event", event))
                        text = json.dumps(event, ensure_ascii=False)
                    await ours.send_str(text)

            task = asyncio.create_task(down())
            try:
                async for message in ours:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        await theirs.send_str(message.data)
            finally:
                kind.discard(ours)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        return ours

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()


def body(content: bytes | str, status: int = 200, **more: str) -> Answer:
    """The same bytes each time. `more` are headers, `_` for `-`."""
    raw = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    headers = {"Content-Type": "application/json;charset=UTF-8"} | {
        name.replace("_", "-"): it for name, it in more.items()
    }

    async def answer(_: web.Request, __: bytes) -> web.StreamResponse:
        return web.Response(body=raw, status=status, headers=headers)

    return answer


def refuses(text: str, code: int = -2010) -> Answer:
    """The venue's own form of a refusal, with this text."""
    return body(json.dumps({"code": code, "msg": text}), status=400)


@contextmanager
def hostile_front(upstream: str) -> Iterator[Front]:
    """A front on a thread of its own, ended with the context."""
    front = Front(upstream)
    thread = threading.Thread(target=front.loop.run_forever, daemon=True)
    thread.start()

    def on_loop(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, front.loop).result(WITHIN_S)

    async def begin() -> web.AppRunner:
        app = web.Application(client_max_size=1 << 24)
        app.router.add_route("*", "/{path:.*}", front.handle)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        front.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    async def finish() -> None:
        await front.close()
        await runner.cleanup()

    runner = on_loop(begin())
    try:
        yield front
    finally:
        on_loop(finish())
        front.loop.call_soon_threadsafe(front.loop.stop)
        thread.join(WITHIN_S)
        front.loop.close()
